//! What was learned: how often each level is seen among registrations of one person (match), of two people of one
//! household, and of strangers; how many pairs of each there are; how common values are. A versioned JSON file that a
//! person can read; nothing changes it silently.

use crate::frequencies::Rarity;
pub use crate::frequencies::{BirthShares, Frequencies, ValueShares};
pub use crate::levels::Class;
use crate::levels::{ALL_FIELDS, FIELDS, Field, LEVELS_MAX, TOGETHER};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

/// Form of the file; another form is refused.
const FORMAT: u32 = 2;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Form of this file.
    pub format: u32,
    /// The model's name, which every decision stores.
    pub version: String,
    /// How it was learned.
    pub trained: Trained,
    /// How many pairs of each class there are.
    pub classes: Classes,
    /// When registrations are linked, and when a person must look.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// The levels of each field.
    pub fields: Vec<FieldShares>,
    /// Fields that do not agree independently.
    pub together: Vec<Together>,
    /// What the scores were worth where the truth was known; empty if it was not.
    pub reliability: Vec<Reliability>,
    /// How common values are.
    pub frequencies: Frequencies,
    /// A signature over [`ModelFile::signed_bytes`]; whoever signs says what stands in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl ModelFile {
    /// What is signed: everything but the signature, as JSON without blanks, fields in the order of this type.
    ///
    /// # Errors
    /// If the file cannot be written as JSON.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, ModelError> {
        Ok(serde_json::to_vec(&Self { signature: None, ..self.clone() })?)
    }
}

/// When registrations are linked, and when a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Linked automatically from this probability on.
    pub automatic_min: f64,
    /// Reviewed from this probability on.
    pub review_min: f64,
    /// Two with one NHS number are a number overlaid if the rest makes them less likely than this to be one person.
    /// Far below even: who marries and moves at once still has her birth date, given name and number.
    pub overlaid_below: f64,
    /// By how many bits a link must beat the second-best person.
    pub lead_bits: f64,
    /// Two persons are joined only if each two of their registrations are at least this likely to be one person.
    pub joined_min: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { automatic_min: 0.999, review_min: 0.5, overlaid_below: 0.01, lead_bits: 3.0, joined_min: 0.01 }
    }
}

impl Thresholds {
    fn check(&self) -> Result<(), ModelError> {
        let Self { automatic_min, review_min, overlaid_below, lead_bits, joined_min } = *self;
        for (name, value) in [
            ("thresholds.automatic_min", automatic_min),
            ("thresholds.review_min", review_min),
            ("thresholds.overlaid_below", overlaid_below),
            ("thresholds.joined_min", joined_min),
        ] {
            if !(value > 0.0 && value < 1.0) {
                return Err(ModelError::Share(name, value));
            }
        }
        if !(0.5..=automatic_min).contains(&review_min) {
            return Err(ModelError::Share("thresholds.review_min", review_min));
        }
        if !(lead_bits >= 0.0 && lead_bits.is_finite()) {
            return Err(ModelError::Number("thresholds.lead_bits".into(), lead_bits));
        }
        Ok(())
    }
}

/// How a model was learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// What it was learned on, in words.
    pub on: String,
    /// Registrations seen.
    pub registrations: usize,
    /// Pairs compared.
    pub pairs: usize,
    /// Seed of the samples.
    pub seed: u64,
    /// Rounds of expectation and maximisation.
    pub rounds: usize,
}

/// How many pairs of each class there are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// Registrations among which a pair is drawn.
    pub population: f64,
    /// Pairs of one person, per registration.
    pub matches_per_registration: f64,
    /// Pairs of two people of one household, per registration; zero where no address exists, so that there are two
    /// classes only.
    pub households_per_registration: f64,
    /// Whether so many pairs at one address were looked at that families would have shown, and none did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_households: bool,
}

/// One field's levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldShares {
    /// The field's name.
    pub field: String,
    /// Its levels but "missing", in the order in which they are numbered.
    pub levels: Vec<LevelShares>,
}

/// How often one level is seen in each class, among pairs in which the field is known on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelShares {
    /// The level in words.
    pub level: String,
    /// Among registrations of one person.
    pub matched: f64,
    /// Among two people of one household.
    pub household: f64,
    /// Among strangers.
    pub stranger: f64,
}

/// How two fields of one class depend on each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// The class.
    pub class: Class,
    /// The two fields.
    pub fields: [String; 2],
    /// For each level of the first field, for each level of the second: how many times more often both are seen
    /// together than by chance.
    pub excess: Vec<Vec<f64>>,
}

/// Of pairs scored from one probability up to the next band's, how many there were and how many were right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Lowest probability of the band.
    pub from: f64,
    /// Pairs in it.
    pub pairs: u64,
    /// How many of them were one person.
    pub right: u64,
}

/// Why a model file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is not JSON of the right shape.
    #[error("the model file cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It is of another form.
    #[error("the model file has format {0}; this program reads format {FORMAT}")]
    Format(u32),
    /// Its fields or levels are not those of this program.
    #[error("the model file's field `{0}` has other levels than this program compares")]
    Levels(String),
    /// A number is not a share.
    #[error("the model file holds {1} under `{0}`; a number above 0 is needed")]
    Number(String, f64),
    /// A number is no probability, or one that does not fit the others.
    #[error("the model file holds {1} under `{0}`; a probability is needed, and review from .5 up to automatic")]
    Share(&'static str, f64),
}

/// A model, ready to score.
#[derive(Clone)]
pub struct Model {
    file: ModelFile,
    /// log2(match / stranger) and log2(household / stranger) of each level.
    pub(crate) weights: Weights,
    /// log2 of how much more often than by chance two levels are seen together.
    pub(crate) together: [[[f64; LEVELS_MAX]; LEVELS_MAX]; TOGETHER.len()],
    pub(crate) rarity: Rarity,
    /// log2 of how many more pairs of strangers there are than of matches and of households, negated.
    pub(crate) prior: [f64; 2],
}

pub(crate) type Weights = [[[f64; 2]; LEVELS_MAX]; FIELDS];

impl Model {
    /// The file of [`Model::default_uk`].
    pub const DEFAULT_UK_FILE: &str = include_str!("../data/default_uk.json");

    /// The model that ships with Severn and works from the first registration: learned on made-up people with the
    /// names, households and slips of the United Kingdom (`examples/learn_default.rs`).
    ///
    /// # Panics
    /// Never: a test reads the file that is compiled in.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the file is compiled in, and a test reads it")]
    pub fn default_uk() -> Self {
        Self::read(Self::DEFAULT_UK_FILE.as_bytes()).expect("the built-in model is a model")
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// If it is not a model file of this program's format; the message says what is wrong.
    pub fn read(mut from: impl Read) -> Result<Self, ModelError> {
        // In one piece: read byte by byte, a large model takes three times as long.
        let mut file = Vec::new();
        from.read_to_end(&mut file).map_err(serde_json::Error::io)?;
        Self::from_file(serde_json::from_slice(&file)?)
    }

    /// Writes the model file.
    ///
    /// # Errors
    /// If `to` cannot be written.
    pub fn write(&self, to: impl Write) -> Result<(), ModelError> {
        Ok(serde_json::to_writer_pretty(to, &self.file)?)
    }

    /// Makes a model of a file's content.
    ///
    /// # Errors
    /// If its levels are not this program's, or a number is no share.
    pub fn from_file(file: ModelFile) -> Result<Self, ModelError> {
        if file.format != FORMAT {
            return Err(ModelError::Format(file.format));
        }
        file.thresholds.check()?;
        let weights = weights(&file)?;
        let prior = file.classes.prior();
        if !prior[0].is_finite() || prior[1].is_nan() {
            return Err(ModelError::Number("classes".into(), file.classes.population));
        }
        let rarity = Rarity::new(&file.frequencies);
        let together = together_bits(&file)?;
        Ok(Self { file, weights, together, rarity, prior })
    }

    /// What stands in the file.
    #[must_use]
    pub const fn file(&self) -> &ModelFile {
        &self.file
    }

    /// The model's name, which every decision stores.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.file.version
    }

    /// Whether two people of one household are a class of their own. Where not, nobody's family is registered.
    #[must_use]
    pub const fn knows_households(&self) -> bool {
        self.file.classes.households_per_registration > 0.0
    }

    /// Whether it was learned that nobody's family is registered, and not only not learned that somebody's is.
    #[must_use]
    pub const fn rules_out_households(&self) -> bool {
        self.file.classes.no_households
    }

    /// The same model for a population of another size: the fewer people, the likelier that two who agree are one.
    #[must_use]
    pub fn for_population(mut self, registrations: usize) -> Self {
        self.file.classes.population = (registrations as f64).max(1000.0);
        self.file.version = format!("{} for {registrations} registrations", self.file.version);
        self.prior = self.file.classes.prior();
        self
    }
}

impl Model {
    /// The same model for tracing in an index where each of so many persons stands once: whoever is asked about is as
    /// likely there as not, however many registrations each person had where the model was learned.
    #[must_use]
    pub fn for_tracing(mut self, persons: usize) -> Self {
        let persons = (persons as f64).max(2.0);
        let classes = &mut self.file.classes;
        // As many of all pairs are of one household as before.
        classes.households_per_registration *= (persons - 1.0) / (classes.population - 1.0).max(1.0);
        // A pair has two ends.
        classes.matches_per_registration = 0.5 / 2.0;
        classes.population = persons;
        self.file.version = format!("{} for tracing among {persons} persons", self.file.version);
        self.prior = self.file.classes.prior();
        self
    }
}

impl Classes {
    fn prior(&self) -> [f64; 2] {
        let per_pair = 2.0 / (self.population - 1.0).max(1.0);
        [(self.matches_per_registration * per_pair).log2(), (self.households_per_registration * per_pair).log2()]
    }
}

fn weights(file: &ModelFile) -> Result<Weights, ModelError> {
    let mut weights = [[[0.0; 2]; LEVELS_MAX]; FIELDS];
    for field in ALL_FIELDS {
        let wrong = || ModelError::Levels(field.name().into());
        let own = file.fields.iter().find(|own| own.field == field.name()).ok_or_else(wrong)?;
        let specs = &field.levels()[1..];
        if own.levels.len() != specs.len() {
            return Err(wrong());
        }
        for ((shares, spec), level) in own.levels.iter().zip(specs).zip(1..) {
            if shares.level != spec.words {
                return Err(wrong());
            }
            weights[field as usize][level] = level_weights(field, shares)?;
        }
    }
    Ok(weights)
}

fn together_bits(file: &ModelFile) -> Result<[[[f64; LEVELS_MAX]; LEVELS_MAX]; TOGETHER.len()], ModelError> {
    let mut bits = [[[0.0; LEVELS_MAX]; LEVELS_MAX]; TOGETHER.len()];
    for (bits, (class, one, two)) in bits.iter_mut().zip(TOGETHER) {
        let wrong = || ModelError::Levels(format!("{} with {}", one.name(), two.name()));
        let named = |own: &&Together| own.class == class && own.fields == [one.name(), two.name()];
        let own = file.together.iter().find(named).ok_or_else(wrong)?;
        if own.excess.len() != one.levels().len() - 1 {
            return Err(wrong());
        }
        for (row, excess) in bits[1..].iter_mut().zip(&own.excess) {
            if excess.len() != two.levels().len() - 1 {
                return Err(wrong());
            }
            for (bits, excess) in row[1..].iter_mut().zip(excess) {
                *bits = excess.log2();
                if !bits.is_finite() {
                    return Err(ModelError::Number(one.name().into(), *excess));
                }
            }
        }
    }
    Ok(bits)
}

fn level_weights(field: Field, shares: &LevelShares) -> Result<[f64; 2], ModelError> {
    let bits = |share: f64| {
        let ratio = (share / shares.stranger).log2();
        if ratio.is_finite() { Ok(ratio) } else { Err(ModelError::Number(field.name().into(), share)) }
    };
    Ok([bits(shares.matched)?, bits(shares.household)?])
}

pub(crate) const fn format() -> u32 {
    FORMAT
}
