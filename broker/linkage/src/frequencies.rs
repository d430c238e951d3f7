//! How common a value is. Two people called Smith say less than two people called Featherstonehaugh.
//!
//! Frequencies are frozen in the model: a registration that arrives later changes no score.

use crate::atoms::hash_of_word;
use crate::compare::place_value;
use crate::names::root_of;
use crate::normalise::{date::Date, mix};
use crate::population::Population;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The commonest values of one field and their shares, with one share for all others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueShares {
    /// Probability that two strangers agree exactly on this field.
    pub chance_agreement: f64,
    /// Share taken for every value that is not listed.
    pub other: f64,
    /// Shares of the commonest values. Names stand as they are; addresses and telephone numbers as a hash, and only
    /// where very many registrations share one (a care home, a practice's own number).
    pub common: BTreeMap<String, f64>,
}

/// How birth dates are spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BirthShares {
    /// Probability that two strangers were born on one day.
    pub chance_agreement: f64,
    /// Share of each year.
    pub years: BTreeMap<u32, f64>,
    /// Share of those said to be born on 1 January of some year.
    pub first_of_january: f64,
}

/// The frequencies of all fields that have them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequencies {
    /// Given names.
    pub given: ValueShares,
    /// Family names.
    pub family: ValueShares,
    /// Given and family name together, where many bear both: names go by origin, so that two common names are
    /// commoner together than chance would have it.
    pub both_names: BTreeMap<String, f64>,
    /// Given names of those born in one decade ("1960, JULIE"): how many times more often than by chance, where that
    /// is plain. Names go by fashion, so that two who bear one name are often of one age.
    pub given_by_decade: BTreeMap<String, f64>,
    /// Birth dates.
    pub birth: BirthShares,
    /// Houses, by postcode and number.
    pub house: ValueShares,
    /// Telephone numbers.
    pub phone: ValueShares,
}

/// No name is taken for rarer than this: below it a count says little.
const SHARE_MIN: f64 = 2e-6;
/// A full name is listed from so many bearers on.
const BOTH_MIN: u32 = 5;
/// Bearers of a name, seen or expected in a decade, from which on its fashion is listed.
const FASHION_MIN: f64 = 20.0;
/// A name is in fashion, or out of it, from so many times on.
const FASHION_TIMES: f64 = 1.25;
/// So many more bearers are taken to be seen, and expected, than were: few prove no fashion.
const FASHION_PRIOR: f64 = 3.0;
/// A house or telephone number is common from so many registrations on.
const BUSY_MIN: u32 = 12;

impl Frequencies {
    /// Counts the values of a population; at most `names_max` names of either kind are listed.
    pub(crate) fn count(population: &Population, names_max: usize) -> Self {
        let mut given = FxHashMap::default();
        let mut family = FxHashMap::default();
        let mut both = FxHashMap::default();
        let mut by_decade = FxHashMap::default();
        let mut house = FxHashMap::default();
        let mut phone = FxHashMap::default();
        let mut births = Births::default();
        for row in population.rows() {
            let record = population.record(row);
            add(&mut given, u64::from(record.name.given));
            add(&mut family, u64::from(record.name.family));
            if record.name.given != 0 && record.name.family != 0 {
                add(&mut both, u64::from(record.name.given) << 32 | u64::from(record.name.family));
            }
            if record.name.given != 0 && record.birth.is_whole() {
                add(&mut by_decade, u64::from(record.name.given) << 32 | u64::from(decade_of(record.birth)));
            }
            add(&mut phone, record.phone);
            births.add(record.birth);
            if !record.place.postcode.is_missing() {
                add(&mut house, place_value(&record.place, population.atoms().get(record.place.street).whole));
            }
        }
        let name = |id: u64| population.words_of(id as u32);
        let hash = |value: u64| format!("{value:016x}");
        let both_name = |id: u64| format!("{}, {}", name(id & 0xffff_ffff), name(id >> 32));
        Self {
            both_names: shares(both, names_max, BOTH_MIN, both_name).common,
            given: shares(given, names_max, 3, name),
            family: shares(family, names_max, 3, name),
            given_by_decade: fashions(&by_decade, name),
            birth: births.shares(),
            house: busy(&house, hash),
            phone: busy(&phone, hash),
        }
    }
}

fn add(counts: &mut FxHashMap<u64, u32>, value: u64) {
    if value != 0 {
        *counts.entry(value).or_default() += 1;
    }
}

/// Lists the values seen at least `seen_min` times, the commonest first, and averages the others.
fn shares(counts: FxHashMap<u64, u32>, listed_max: usize, seen_min: u32, spell: impl Fn(u64) -> String) -> ValueShares {
    let total: f64 = counts.values().map(|count| f64::from(*count)).sum();
    if total < 1.0 {
        return ValueShares { chance_agreement: 1e-4, other: 1e-4, common: BTreeMap::new() };
    }
    // A value seen once gives no chance agreement: pairs are counted, not squares.
    let pairs = |count: f64| count * (count - 1.0);
    let mut listed: Vec<(u32, u64)> = counts.into_iter().map(|(value, count)| (count, value)).collect();
    listed.sort_unstable_by_key(|(count, value)| (std::cmp::Reverse(*count), *value));
    // Summed in this order, since sums of floats depend on it.
    let chance: f64 = listed.iter().map(|(count, _)| pairs(f64::from(*count))).sum::<f64>() / pairs(total).max(1.0);
    let end = listed.iter().take(listed_max).take_while(|(count, _)| *count >= seen_min).count();
    let others = &listed[end..];
    let mass: f64 = others.iter().map(|(count, _)| f64::from(*count)).sum();
    let weighted: f64 = others.iter().map(|(count, _)| f64::from(*count).powi(2)).sum();
    let other = if mass > 0.0 { weighted / mass / total } else { 1.0 / total };
    let common =
        listed[..end].iter().map(|(count, value)| (spell(*value), rounded(f64::from(*count) / total))).collect();
    let chance = chance.max(0.1 / pairs(total).max(10.0));
    let other = other.max(SHARE_MIN.min(1.0 / total));
    ValueShares { chance_agreement: rounded(chance), other: rounded(other), common }
}

/// The first year of the decade in which somebody was born.
const fn decade_of(birth: Date) -> u32 {
    birth.year() / 10 * 10
}

/// How many times more often than by chance those of each decade bear each name, by counts of both together.
fn fashions(by_decade: &FxHashMap<u64, u32>, spell: impl Fn(u64) -> String) -> BTreeMap<String, f64> {
    let (mut names, mut decades, mut total) = (FxHashMap::default(), FxHashMap::default(), 0.0);
    for (both, count) in by_decade {
        *names.entry(both >> 32).or_insert(0.0) += f64::from(*count);
        *decades.entry(both & 0xffff_ffff).or_insert(0.0) += f64::from(*count);
        total += f64::from(*count);
    }
    let mut fashions = BTreeMap::new();
    for (name, bearers) in names {
        for (decade, born) in &decades {
            let expected: f64 = bearers * born / total;
            let seen = f64::from(by_decade.get(&(name << 32 | decade)).copied().unwrap_or_default());
            let times = (seen + FASHION_PRIOR) / (expected + FASHION_PRIOR);
            if seen.max(expected) >= FASHION_MIN && times.max(1.0 / times) >= FASHION_TIMES {
                fashions.insert(format!("{decade}, {}", spell(name)), rounded(times));
            }
        }
    }
    fashions
}

/// How much rarer it is that strangers share a house or a telephone number than that one house is met twice: who shares
/// one is nearly always of one household, or one person.
const SHARED_BY_STRANGERS: f64 = 0.05;

/// Lists the values that very many registrations share. What few share is shared by families, and tells nothing of
/// how often strangers do.
fn busy(counts: &FxHashMap<u64, u32>, spell: impl Fn(u64) -> String) -> ValueShares {
    let total: f64 = counts.values().map(|count| f64::from(*count)).sum();
    let share = |count: u32| f64::from(count) / total;
    let listed = || counts.iter().filter(|(_, count)| **count >= BUSY_MIN);
    let other = SHARED_BY_STRANGERS / (counts.len() as f64).max(100.0);
    let mut squares: Vec<f64> = listed().map(|(_, count)| share(*count).powi(2)).collect();
    // Sums of floats depend on their order.
    squares.sort_unstable_by(f64::total_cmp);
    let common = listed().map(|(value, count)| (spell(*value), rounded(share(*count)))).collect();
    ValueShares { chance_agreement: rounded(squares.iter().sum::<f64>() + other), other: rounded(other), common }
}

/// Six digits are more than a share deserves, keep a model file readable, and are read back as what was written.
pub(crate) fn rounded(share: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    format!("{share:.5e}").parse().unwrap_or(share)
}

#[derive(Default)]
struct Births {
    years: BTreeMap<u32, u32>,
    first_of_january: u32,
    total: u32,
}

impl Births {
    fn add(&mut self, date: Date) {
        if date.is_whole() {
            *self.years.entry(date.year()).or_default() += 1;
            self.first_of_january += u32::from(date.is_first_of_january());
            self.total += 1;
        }
    }

    fn shares(self) -> BirthShares {
        let total = f64::from(self.total.max(1));
        let first_of_january = (f64::from(self.first_of_january) + 1.0 / 365.0) / (total + 1.0);
        let years: BTreeMap<u32, f64> =
            self.years.iter().map(|(year, count)| (*year, rounded(f64::from(*count) / total))).collect();
        let squares: f64 = years.values().map(|share| share * share).sum();
        let days = first_of_january.powi(2) + (1.0 - first_of_january).powi(2) / 364.25;
        let chance_agreement = if years.is_empty() { 4e-5 } else { squares * days };
        BirthShares { chance_agreement: rounded(chance_agreement), years, first_of_january: rounded(first_of_january) }
    }
}

/// Frequencies made ready for looking up: for every value, the bits by which agreeing on it says more than agreeing
/// on some value.
#[derive(Clone, Default)]
pub(crate) struct Rarity {
    given: ValueBits,
    family: ValueBits,
    both: FxHashMap<u64, f64>,
    by_decade: FxHashMap<u64, f64>,
    house: ValueBits,
    phone: ValueBits,
    years: FxHashMap<u32, f64>,
    year_other: f64,
    first_of_january: f64,
    other_day: f64,
}

/// For every full name that is listed, in all its spellings, by how many bits it is commoner than its parts make one
/// think, as a negative number.
fn both_bits(frequencies: &Frequencies) -> FxHashMap<u64, f64> {
    let (givens, families) = (by_root(&frequencies.given), by_root(&frequencies.family));
    let names = || frequencies.both_names.iter().filter_map(|(name, share)| Some((name.split_once(", ")?, *share)));
    let mut together: FxHashMap<[&str; 2], f64> = FxHashMap::default();
    for ((family, given), share) in names() {
        *together.entry([root_of(given), root_of(family)]).or_default() += share;
    }
    let mut bits = FxHashMap::default();
    for ((family, given), _) in names() {
        let roots = [root_of(given), root_of(family)];
        let given_share = givens.get(roots[0]).copied().unwrap_or(frequencies.given.other);
        let family_share = families.get(roots[1]).copied().unwrap_or(frequencies.family.other);
        let commoner_by = (given_share * family_share / together[&roots].max(1e-12)).log2().min(0.0);
        for given in [given, roots[0]] {
            for family in [family, roots[1]] {
                bits.insert(both_value(hash_of_word(given), hash_of_word(family)), commoner_by);
            }
        }
    }
    bits
}

/// The shares of names, all spellings of one together.
fn by_root(shares: &ValueShares) -> FxHashMap<&str, f64> {
    let mut sums: FxHashMap<&str, f64> = FxHashMap::default();
    for (name, share) in &shares.common {
        *sums.entry(root_of(name)).or_default() += share;
    }
    sums
}

fn decade_value(given: u64, decade: u32) -> u64 {
    given ^ mix(u64::from(decade))
}

const fn both_value(given: u64, family: u64) -> u64 {
    given ^ family.rotate_left(17)
}

#[derive(Clone, Default)]
struct ValueBits {
    common: FxHashMap<u64, f64>,
    other: f64,
}

impl ValueBits {
    fn new(shares: &ValueShares, hash: impl Fn(&str) -> u64) -> Self {
        let bits = |share: f64| (shares.chance_agreement.max(1e-12) / share.max(1e-12)).log2();
        let common = shares.common.iter().map(|(value, share)| (hash(value), bits(share.max(SHARE_MIN)))).collect();
        Self { common, other: bits(shares.other) }
    }

    fn get(&self, value: u64) -> f64 {
        if value == 0 { 0.0 } else { self.common.get(&value).copied().unwrap_or(self.other) }
    }
}

impl Rarity {
    pub fn new(frequencies: &Frequencies) -> Self {
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
        let birth = &frequencies.birth;
        let chance = birth.chance_agreement.max(1e-12);
        let by_decade = frequencies.given_by_decade.iter().filter_map(|(both, times)| {
            let (decade, given) = both.split_once(", ")?;
            Some((decade_value(hash_of_word(given), decade.parse().ok()?), -times.max(1e-3).log2()))
        });
        let year_bits = |share: f64| -share.max(1e-4).log2();
        Self {
            given: ValueBits::new(&frequencies.given, hash_of_word),
            family: ValueBits::new(&frequencies.family, hash_of_word),
            both: both_bits(frequencies),
            by_decade: by_decade.collect(),
            house: ValueBits::new(&frequencies.house, hex),
            phone: ValueBits::new(&frequencies.phone, hex),
            years: birth.years.iter().map(|(year, share)| (*year, year_bits(*share))).collect(),
            year_other: year_bits(0.0),
            first_of_january: (chance / birth.first_of_january.max(1e-4)).log2(),
            other_day: (chance * 364.25 / (1.0 - birth.first_of_january).max(0.5)).log2(),
        }
    }

    /// How many times commoner the one given name is than the other, whichever is the commoner, if both are listed.
    pub fn given_ratio(&self, one: u64, two: u64) -> Option<f64> {
        let (one, two) = (self.given.common.get(&one)?, self.given.common.get(&two)?);
        Some((one - two).abs().exp2())
    }

    pub fn given(&self, value: u64) -> f64 {
        self.given.get(value)
    }

    /// By how many bits a full name is commoner than its parts make one think, as a negative number.
    pub fn both(&self, given: u64, family: u64) -> f64 {
        if given == 0 || family == 0 {
            return 0.0;
        }
        self.both.get(&both_value(given, family)).copied().unwrap_or_default()
    }

    pub fn family(&self, value: u64) -> f64 {
        self.family.get(value)
    }

    /// By how many bits those born in a decade bear a name more rarely than others do, as a negative number if they
    /// bear it more often.
    pub fn fashion(&self, given: u64, birth: Date) -> f64 {
        if given == 0 || birth.is_missing() {
            return 0.0;
        }
        self.by_decade.get(&decade_value(given, decade_of(birth))).copied().unwrap_or_default()
    }

    pub fn house(&self, value: u64) -> f64 {
        self.house.get(value)
    }

    pub fn phone(&self, value: u64) -> f64 {
        self.phone.get(value)
    }

    pub fn birth(&self, date: Date) -> f64 {
        if date.is_missing() {
            return 0.0;
        }
        let year = self.years.get(&date.year()).copied().unwrap_or(self.year_other);
        year + if date.is_first_of_january() { self.first_of_january } else { self.other_day }
    }
}
