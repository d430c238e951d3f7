//! Learning a model from registrations without anybody telling which of them are one person
//! (expectation-maximisation over level patterns). Pure: the same population and seed give the same model, whatever
//! the number of threads.
//!
//! Pairs are looked at in sessions: those at one address, those born on one day with one family name, and so on. In
//! each, the fields by which its pairs were found say nothing and are left out; what the other fields are worth is
//! learned from all sessions together. Strangers are learned from random pairs. Households are learned at shared
//! addresses; where a population has none, there are two classes only.

mod em;
mod reliability;
mod sessions;

pub use reliability::reliability;

use crate::frequencies::{Frequencies, rounded};
use crate::levels::{ALL_FIELDS, Field, TOGETHER, place};
use crate::model::{
    Classes, FieldShares, LevelShares, Model, ModelError, ModelFile, Thresholds, Together, Trained, format,
};
use crate::population::Population;
use em::{EXACT, HOUSEHOLD, Learned, MATCH, STRANGER};
use sessions::{Session, SessionKind};

/// How to learn.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// What it is learned on, in words; stands in the model file.
    pub on: &'a str,
    /// The model's name.
    pub version: &'a str,
    /// Seed of the samples.
    pub seed: u64,
    /// Threads to use; they change nothing but the time.
    pub threads: usize,
    /// How many names of either kind are listed with their frequency.
    pub names_max: usize,
}

impl Training<'_> {
    /// Training with the usual limits.
    #[must_use]
    pub const fn new(seed: u64, threads: usize) -> Self {
        Self { on: "a bulk load", version: "trained", seed, threads, names_max: 20_000 }
    }
}

/// Registrations from which on matches among random pairs are too few to matter.
const MATCHES_AMONG_RANDOM: usize = 200_000;
/// How much rarer sharing a house is where no families are registered.
const NO_HOUSEHOLDS: f64 = 0.002;

/// Learns a model from a population. On very little data the model stays near where learning starts.
///
/// # Errors
/// If what was learned makes no model; no population is known that does this.
pub fn train(population: &Population, training: &Training<'_>) -> Result<Model, ModelError> {
    let mut frequencies = Frequencies::count(population, training.names_max);
    let sessions = sessions::all(population, training);
    let strangers = sessions::strangers(population, training);
    let mut learned = em::learn(&sessions, &strangers, &frequencies, 0.0);
    let mut classes = classes(population, &sessions, &learned);
    if population.len() < MATCHES_AMONG_RANDOM {
        // Among random pairs of few registrations there are matches; now that they are known they are taken out.
        let share = classes.matches_per_registration * 2.0 / population.len().max(2) as f64;
        learned = em::learn(&sessions, &strangers, &frequencies, share);
        classes = self::classes(population, &sessions, &learned);
    }
    if !learned.has_households {
        // Where no family is registered, nobody shares a house with a stranger.
        let house = &mut frequencies.house;
        house.other = rounded(house.other * NO_HOUSEHOLDS);
        house.chance_agreement = rounded(house.chance_agreement * NO_HOUSEHOLDS);
        learned.shares[STRANGER][Field::Place as usize][usize::from(place::SAME)] = house.chance_agreement;
    }
    let pairs = sessions.iter().chain([&strangers]).map(|session| session.pairs).sum();
    let trained = Trained {
        on: training.on.into(),
        registrations: population.len(),
        pairs,
        seed: training.seed,
        rounds: learned.rounds,
    };
    let file = ModelFile {
        format: format(),
        version: training.version.into(),
        trained,
        classes,
        thresholds: Thresholds::default(),
        fields: ALL_FIELDS.map(|field| field_shares(field, &learned)).into(),
        together: together(&learned),
        reliability: Vec::new(),
        frequencies,
        signature: None,
    };
    Model::from_file(file)
}

fn field_shares(field: Field, learned: &Learned) -> FieldShares {
    let levels = field.levels().iter().enumerate().skip(1).map(|(level, spec)| {
        let share = |class: usize| rounded(learned.shares[class][field as usize][level]);
        LevelShares {
            level: spec.words.into(),
            matched: share(MATCH),
            household: share(HOUSEHOLD),
            stranger: share(STRANGER),
        }
    });
    FieldShares { field: field.name().into(), levels: levels.collect() }
}

fn together(learned: &Learned) -> Vec<Together> {
    let entries = TOGETHER.into_iter().zip(&learned.excess);
    let entries = entries.map(|((class, one, two), excess)| {
        let cells = |row: &[f64]| row[1..two.levels().len()].iter().copied().map(rounded).collect();
        let rows = excess[1..one.levels().len()].iter().map(|row| cells(row));
        Together { class, fields: [one.name().into(), two.name().into()], excess: rows.collect() }
    });
    entries.collect()
}

/// How many pairs of each class there are in all, from how many a session saw and how many it must have missed.
fn classes(population: &Population, sessions: &[Session], learned: &Learned) -> Classes {
    let registrations = population.len().max(1) as f64;
    let at = |kind| sessions.iter().position(|session| session.kind == kind);
    // The share of matches in which both registrations give a field and agree on it exactly.
    let exact = |field: Field| {
        let field = field as usize;
        learned.known[field] * learned.shares[MATCH][field][usize::from(EXACT)]
    };
    let matches_by = |kind, name| {
        let seen = at(kind).map_or(0.0, |place| learned.exact[place] * sessions[place].scale);
        seen / (exact(Field::Birth) * exact(name)).max(0.1)
    };
    let by_family = matches_by(SessionKind::BirthAndFamily, Field::Family);
    let by_given = matches_by(SessionKind::BirthAndGiven, Field::Given);
    let matches = by_family.max(by_given).max(0.5);
    let seen_at_home =
        at(SessionKind::House).map_or(0.0, |place| learned.sizes[place][HOUSEHOLD] * sessions[place].scale);
    let at_home = learned.shares[HOUSEHOLD][Field::Place as usize][usize::from(place::SAME)].max(0.2);
    let households = if learned.has_households { seen_at_home / at_home } else { 0.0 };
    Classes {
        population: registrations,
        matches_per_registration: rounded(matches / registrations),
        households_per_registration: rounded(households / registrations),
        no_households: learned.no_households,
    }
}

#[cfg(test)]
mod tests;
