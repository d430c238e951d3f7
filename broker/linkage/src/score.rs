//! Levels → how likely it is that two registrations are one person, and why. Pure.
//!
//! Three classes stand against each other: one person, two people of one household, strangers. Relatives share
//! surname, address and telephone at once, so that these prove nothing between them; only against strangers do they.

use crate::compare::Comparison;
use crate::levels::{ALL_FIELDS, Field, Levels};
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
struct Sums {
    matched: f64,
    household: f64,
}

impl Model {
    /// Scores a comparison.
    #[must_use]
    pub fn score(&self, comparison: &Comparison) -> Score {
        let mut sums = Sums { matched: self.prior[0], household: self.prior[1] };
        for field in ALL_FIELDS {
            let [matched, household] = self.weights[field as usize][usize::from(comparison.levels.get(field))];
            let rarity = self.rarity_of(field, comparison);
            sums.matched += matched + rarity;
            sums.household += household + rarity;
        }
        // Against both at once: log2(2^household + 1), the stranger's share being 1.
        let against = if sums.household > 60.0 { sums.household } else { sums.household.exp2().ln_1p() / std::f64::consts::LN_2 };
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
        let household: f64 = self.prior[1] + self.sum(comparison, 1);
        let against_household = household > 0.0;
        let known = ALL_FIELDS.into_iter().filter(|field| comparison.levels.get(*field) != 0);
        let reasons = known.map(|field| {
            let level = comparison.levels.get(field);
            let [matched, household] = self.weights[field as usize][usize::from(level)];
            let rarity = if against_household { 0.0 } else { self.rarity_of(field, comparison) };
            let weight_bits = if against_household { matched - household } else { matched + rarity };
            FieldReason { field, level: field.words(level), weight_bits }
        });
        reasons.collect()
    }

    fn sum(&self, comparison: &Comparison, class: usize) -> f64 {
        let weight = |field: Field| self.weights[field as usize][usize::from(comparison.levels.get(field))][class];
        ALL_FIELDS.into_iter().map(|field| weight(field) + self.rarity_of(field, comparison)).sum()
    }

    fn rarity_of(&self, field: Field, comparison: &Comparison) -> f64 {
        match field {
            Field::Given => self.rarity.given(comparison.given),
            Field::Family => self.rarity.family(comparison.family),
            Field::Birth => self.rarity.birth(Date::from_packed(comparison.birth)),
            Field::Place => self.rarity.house(comparison.place),
            Field::Phone => self.rarity.phone(comparison.phone),
            Field::Middle | Field::Sex | Field::Email | Field::Nhs => 0.0,
        }
    }
}

impl Score {
    pub(crate) fn of_bits(bits: f64) -> Self {
        Self { bits, probability: 1.0 / (1.0 + (-bits).exp2()) }
    }
}

/// The lowest score that a probability stands for.
#[must_use]
pub fn bits_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).log2()
}

/// Which of two pairs is stronger; equal ones are told apart by their levels, so that no order of rows matters.
pub(crate) fn strength(score: Score, levels: Levels) -> (u64, u64) {
    // Total order of finite floats: flip the sign bit of positive ones, all bits of negative ones.
    let bits = score.bits.to_bits();
    let ordered = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    (ordered, levels.packed())
}
