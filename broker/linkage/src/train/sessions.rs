//! The pairs from which is learned: samples of those that share one value, and random ones.

use crate::compare::place_value;
use crate::keys::Kind;
use crate::levels::{Field, Levels};
use crate::normalise::mix;
use crate::population::Population;
use crate::train::Training;
use rustc_hash::FxHashMap;

/// By what the pairs of a session were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    House,
    BirthAndFamily,
    BirthAndGiven,
    BirthAndPostcode,
    Name,
    NhsNumber,
    Random,
}

impl SessionKind {
    /// The fields by which the pairs were found, which therefore say nothing; nor does sex where a given name is shared.
    pub const fn fixed(self) -> &'static [Field] {
        match self {
            Self::House => &[Field::Place],
            Self::BirthAndFamily => &[Field::Birth, Field::Family],
            Self::BirthAndGiven => &[Field::Birth, Field::Given, Field::Sex],
            Self::BirthAndPostcode => &[Field::Birth, Field::Place],
            Self::Name => &[Field::Given, Field::Family, Field::Sex],
            Self::NhsNumber => &[Field::Nhs],
            Self::Random => &[],
        }
    }
}

/// Pairs found in one way, as how often each pattern of levels was seen.
pub(crate) struct Session {
    pub kind: SessionKind,
    pub patterns: Vec<(Levels, f64)>,
    /// Pairs compared.
    pub pairs: usize,
    /// How many pairs there are for each that was compared.
    pub scale: f64,
}

const PAIRS_MAX: usize = 400_000;
const RANDOM_PAIRS_MAX: usize = 1_500_000;
/// Larger groups are homes, hostels and practices' own telephone numbers, which teach nothing about families.
const GROUP_MAX: usize = 40;

/// All sessions but the random one.
pub(crate) fn all(population: &Population, training: &Training<'_>) -> Vec<Session> {
    let by_kind = [
        (SessionKind::BirthAndFamily, Kind::BirthAndFamily),
        (SessionKind::BirthAndGiven, Kind::BirthAndGiven),
        (SessionKind::BirthAndPostcode, Kind::BirthAndPostcode),
        (SessionKind::Name, Kind::Name),
        (SessionKind::NhsNumber, Kind::NhsNumber),
    ];
    let mut sessions = vec![session(population, training, SessionKind::House, &houses(population))];
    for (session_kind, kind) in by_kind {
        let groups = population.posting(kind).groups(GROUP_MAX);
        let groups = groups.map(|group| group.iter().map(|entry| entry.row).collect());
        let groups: Vec<Vec<u32>> = groups.collect();
        sessions.push(session(population, training, session_kind, &groups));
    }
    sessions
}

/// Rows at one house, where number and postcode (or street) say which house it is.
fn houses(population: &Population) -> Vec<Vec<u32>> {
    let mut at: Vec<(u64, u32)> = population
        .rows()
        .filter_map(|row| {
            let place = &population.record(row).place;
            let street = population.atoms().get(place.street).whole;
            // A UK postcode is so small that a number in it is one house; elsewhere the street belongs to it.
            let is_uk = !place.postcode.is_missing() && !place.postcode.is_foreign();
            let house = place_value(place, street) ^ if place.numbers == 0 { street } else { 0 };
            let known = street != 0 || (is_uk && place.numbers != 0);
            known.then_some((house, row))
        })
        .collect();
    at.sort_unstable();
    let groups = at.chunk_by(|one, two| one.0 == two.0).filter(|group| (2..=GROUP_MAX).contains(&group.len()));
    groups.map(|group| group.iter().map(|(_, row)| *row).collect()).collect()
}

fn session(population: &Population, training: &Training<'_>, kind: SessionKind, groups: &[Vec<u32>]) -> Session {
    let pairs_of = |group: &Vec<u32>| group.len() * (group.len() - 1) / 2;
    let total: usize = groups.iter().map(pairs_of).sum();
    let keep = (PAIRS_MAX as f64 / total.max(1) as f64).min(1.0);
    let limit = (keep * u64::MAX as f64) as u64;
    let mut pairs = Vec::new();
    for (group, number) in groups.iter().zip(0_u64..) {
        if keep >= 1.0 || mix(number ^ mix(training.seed)) < limit {
            for (place, one) in group.iter().enumerate() {
                pairs.extend(group[place + 1..].iter().filter(|two| *two != one).map(|two| (*one, *two)));
            }
        }
    }
    let scale = if pairs.is_empty() { 1.0 } else { total as f64 / pairs.len() as f64 };
    Session { kind, patterns: patterns(population, &pairs, training.threads), pairs: pairs.len(), scale }
}

/// Random pairs: strangers, all but a few.
pub(crate) fn strangers(population: &Population, training: &Training<'_>) -> Session {
    let rows: Vec<u32> = population.rows().collect();
    let count = rows.len() as u64;
    let wanted = if count < 2 { 0 } else { RANDOM_PAIRS_MAX.min((count * (count - 1) * 2) as usize) };
    let draw = |number: usize| {
        let random = mix(mix(training.seed ^ 0x51) ^ number as u64);
        let (one, two) = ((random >> 32) % count, (random & 0xffff_ffff) % count);
        (rows[one as usize], rows[two as usize])
    };
    let pairs: Vec<(u32, u32)> = (0..wanted).map(draw).filter(|(one, two)| one != two).collect();
    Session {
        kind: SessionKind::Random,
        patterns: patterns(population, &pairs, training.threads),
        pairs: pairs.len(),
        scale: 1.0,
    }
}

fn patterns(population: &Population, pairs: &[(u32, u32)], threads: usize) -> Vec<(Levels, f64)> {
    let share = pairs.len().div_ceil(threads.max(1)).max(1);
    let mut counts: FxHashMap<Levels, u32> = FxHashMap::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = pairs.chunks(share).map(|part| scope.spawn(|| count(population, part))).collect();
        for worker in workers {
            for (levels, number) in worker.join().unwrap_or_default() {
                *counts.entry(levels).or_default() += number;
            }
        }
    });
    let mut patterns: Vec<(Levels, f64)> =
        counts.into_iter().map(|(levels, count)| (levels, f64::from(count))).collect();
    // Sums of floats depend on their order: sort, so that the number of threads changes nothing.
    patterns.sort_unstable_by_key(|(levels, _)| *levels);
    patterns
}

fn count(population: &Population, pairs: &[(u32, u32)]) -> FxHashMap<Levels, u32> {
    let mut counts: FxHashMap<Levels, u32> = FxHashMap::default();
    for (one, two) in pairs {
        *counts.entry(population.compare(*one, *two).levels).or_default() += 1;
    }
    counts
}
