//! Levels → how likely it is that two registrations are one person, and why. Pure.
//!
//! Three classes stand against each other: one person, two people of one household, strangers. Relatives share
//! surname, address and telephone at once, so that these prove nothing between them; only against strangers do they.

use crate::compare::Comparison;
use crate::levels::{ALL_FIELDS, Class, Field, TOGETHER, family, given};
use crate::model::Model;
use crate::normalise::date::Date;

/// The score of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// log2 of the odds that the two are one person, against both other classes.
    pub bits: f64,
    /// The same as a probability.
    pub probability: f64,
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldReason {
    /// The field.
    pub field: Field,
    /// Its level, in words.
    pub level: &'static str,
    /// How much it speaks for (positive) or against one person: bits against whichever other class the pair as a
    /// whole is likelier to be. The weights of all fields and the prior add up to the score, to within a bit.
    pub weight_bits: f64,
}

/// What each other class makes of a pair, in bits: log2 odds of a match against strangers, of a household against them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    pub matched: f64,
    pub household: f64,
}

impl Model {
    /// Scores a comparison.
    #[must_use]
    pub fn score(&self, comparison: &Comparison) -> Score {
        self.score_with(comparison, Sums::default())
    }

    /// Scores a comparison beside which something else is known.
    pub(crate) fn score_with(&self, comparison: &Comparison, also: Sums) -> Score {
        let mut sums = Sums { matched: self.prior[0] + also.matched, household: self.prior[1] + also.household };
        for field in ALL_FIELDS {
            let own = self.sums_of(field, comparison);
            sums.matched += own.matched;
            sums.household += own.household;
        }
        let [matched, household] = self.together_bits(comparison);
        sums.matched += matched;
        sums.household += household;
        // Against both at once: log2(2^household + 1), the stranger's share being 1. Beyond 60 bits either way one of
        // the two is all.
        let against = match sums.household {
            much if much > 60.0 => much,
            little if little < -60.0 => 0.0,
            some => log2_of_one_and(some),
        };
        Score::of_bits(sums.matched - against)
    }

    /// Scores a comparison as if the NHS numbers were not known: whether the demographics alone agree.
    #[must_use]
    pub fn score_without_number(&self, comparison: &Comparison) -> Score {
        self.score(&Comparison { levels: comparison.levels.with(Field::Nhs, 0), ..*comparison })
    }

    /// Says why, field by field; fields that are missing are left out.
    #[must_use]
    pub fn explain(&self, comparison: &Comparison) -> Vec<FieldReason> {
        let household: f64 = ALL_FIELDS.into_iter().map(|field| self.sums_of(field, comparison).household).sum();
        let against_household = self.prior[1] + household > 0.0;
        let known = ALL_FIELDS.into_iter().filter(|field| comparison.levels.get(*field) != 0);
        let reasons = known.map(|field| {
            let own = self.sums_of(field, comparison);
            let weight_bits = if against_household { own.matched - own.household } else { own.matched };
            FieldReason { field, level: field.words(comparison.levels.get(field)), weight_bits }
        });
        reasons.collect()
    }

    fn sums_of(&self, field: Field, comparison: &Comparison) -> Sums {
        let level = comparison.levels.get(field);
        let [matched, household] = self.weights[field as usize][usize::from(level)];
        let rarity = match field {
            Field::Given if level == given::EXACT => self.rarity.given(comparison.given) + self.both(comparison),
            Field::Given => self.both(comparison),
            Field::Family if level == family::EXACT => self.rarity.family(comparison.family),
            Field::Birth => {
                let birth = Date::from_packed(comparison.birth);
                self.rarity.birth(birth) + self.rarity.fashion(comparison.given, birth)
            }
            Field::Place => self.rarity.house(comparison.place),
            Field::Phone => self.rarity.phone(comparison.phone),
            Field::Family | Field::Middle | Field::Sex | Field::Email | Field::Nhs => 0.0,
        };
        Sums { matched: matched + rarity, household: household + rarity }
    }

    fn both(&self, comparison: &Comparison) -> f64 {
        self.rarity.both(comparison.given, comparison.family)
    }

    /// What fields that do not agree independently add, for a match and for a household.
    fn together_bits(&self, comparison: &Comparison) -> [f64; 2] {
        let mut sums = [0.0; 2];
        for ((class, one, two), bits) in TOGETHER.into_iter().zip(&self.together) {
            let level = |field| usize::from(comparison.levels.get(field));
            let bits = bits[level(one)][level(two)];
            match class {
                Class::Stranger => sums = sums.map(|sum| sum - bits),
                Class::Match | Class::Household => sums[class as usize] += bits,
            }
        }
        sums
    }
}

fn log2_of_one_and(bits: f64) -> f64 {
    bits.exp2().ln_1p() / std::f64::consts::LN_2
}

impl Score {
    /// The score that so many bits are.
    #[must_use]
    pub fn of_bits(bits: f64) -> Self {
        Self { bits, probability: 1.0 / (1.0 + (-bits).exp2()) }
    }
}

/// The lowest score that a probability stands for.
#[must_use]
pub fn bits_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).log2()
}

#[cfg(test)]
mod tests;
