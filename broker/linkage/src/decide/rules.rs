//! The hard rules on one pair, which no score outweighs.

use crate::bulk::ScoredPair;
use crate::decide::home::Two;
use crate::decide::{Corroboration, Policy, ReviewReason};
use crate::levels::{Field, Levels, birth, contact, email, family, given, middle, nhs, place, sex};
use crate::model::Model;
use crate::normalise::date::Date;
use crate::population::Population;

/// What the rules make of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May be linked automatically.
    Automatic,
    /// Not automatically; a person looks.
    Review(ReviewReason),
    /// Never automatically, not even by way of others; a person looks.
    Never(ReviewReason),
    /// Not one person, as far as anybody can tell.
    Nothing,
}

/// Whether a pair is of concern: it may link, or a rule must speak of it.
#[must_use]
pub fn is_of_concern(population: &Population, model: &Model, pair: &ScoredPair, policy: &Policy) -> bool {
    let number = pair.comparison.levels.get(Field::Nhs);
    is_worth_a_question(population, pair, policy)
        || matches!(number, nhs::VERIFIED | nhs::SAME)
        || (number == nhs::VERIFIED_DIFFERENT
            && model.score_without_number(&pair.comparison).probability >= policy.automatic_min)
}

/// Whether a pair is likely enough for a person to look. Of whoever may have changed her name, that is half as likely:
/// marriage and a move together leave little else, and the number that one side holds lets a steward find out.
fn is_worth_a_question(population: &Population, pair: &ScoredPair, policy: &Policy) -> bool {
    let probability = pair.score.probability;
    probability >= policy.review_min
        || (probability >= policy.review_min * NAME_CHANGED_SHARE
            && may_have_changed_name(pair.comparison.levels)
            && one_holds_a_number(population, pair))
}

/// Of the probability from which pairs are reviewed: from so much of it on whoever may have changed her name is.
const NAME_CHANGED_SHARE: f64 = 0.5;

/// Whether a woman's given name and birth date agree, and her family name is another.
fn may_have_changed_name(levels: Levels) -> bool {
    levels.get(Field::Family) == family::DIFFERENT
        && levels.get(Field::Birth) == birth::EXACT
        && levels.get(Field::Sex) == sex::BOTH_FEMALE
        && matches!(levels.get(Field::Given), given::EXACT | given::SPELLING)
}

/// Whether one side holds an NHS number and the other does not.
fn one_holds_a_number(population: &Population, pair: &ScoredPair) -> bool {
    population.nhs_number(pair.one).is_some() != population.nhs_number(pair.two).is_some()
}

/// Whether both registrations hold one NHS number.
fn has_one_number(pair: &ScoredPair) -> bool {
    matches!(pair.comparison.levels.get(Field::Nhs), nhs::VERIFIED | nhs::SAME)
}

/// Judges a pair.
#[must_use]
pub fn judge(population: &Population, model: &Model, pair: &ScoredPair, policy: &Policy) -> Verdict {
    let levels = pair.comparison.levels;
    let number = levels.get(Field::Nhs);
    let without_number = || model.score_without_number(&pair.comparison).probability;
    if number == nhs::VERIFIED_DIFFERENT {
        // Two verified numbers say two people: only what would link without them is worth a question.
        let alike = without_number() >= policy.automatic_min;
        return if alike { Verdict::Never(ReviewReason::NumbersDiffer) } else { Verdict::Nothing };
    }
    let same_number = has_one_number(pair);
    if same_number && without_number() < policy.overlaid_below {
        return Verdict::Never(ReviewReason::NumberOverlaid);
    }
    if !is_worth_a_question(population, pair, policy) {
        return Verdict::Nothing;
    }
    if !deaths_fit(population, pair) {
        return Verdict::Never(ReviewReason::DatesOfDeath);
    }
    let two = Two::of_rows(population, model, pair);
    if !same_number && two.may_be_twins() {
        return Verdict::Never(ReviewReason::PossibleTwins);
    }
    if !same_number && (two.may_be_parent_and_child() || two.may_be_cousins()) {
        return Verdict::Review(ReviewReason::Possible);
    }
    if pair.score.probability < policy.automatic_min {
        let overlaid = same_number && without_number() < policy.review_min;
        let reason = if overlaid { ReviewReason::NumberOverlaid } else { ReviewReason::Possible };
        return Verdict::Review(reason);
    }
    if policy.corroboration == Corroboration::Needed && is_under_another_name_elsewhere(levels) {
        return Verdict::Review(ReviewReason::Possible);
    }
    if policy.corroboration == Corroboration::Needed && !is_corroborated(levels) {
        return Verdict::Review(ReviewReason::NamesAndBirthOnly);
    }
    Verdict::Automatic
}

/// Why the persons of two registrations, which were judged, are not joined by way of others, if these two say so.
pub fn objection(
    population: &Population,
    model: &Model,
    (pair, verdict): (&ScoredPair, Verdict),
    policy: &Policy,
) -> Option<ReviewReason> {
    if let Verdict::Never(reason) = verdict {
        return Some(reason);
    }
    if verified_numbers_differ(population, pair.one, pair.two) {
        return Some(ReviewReason::NumbersDiffer);
    }
    if !has_one_number(pair) && Two::of_rows(population, model, pair).may_be_twins() {
        return Some(ReviewReason::PossibleTwins);
    }
    (pair.score.probability < policy.joined_min).then_some(ReviewReason::PersonsDisagree)
}

/// Whether both rows hold a verified NHS number, and not the same.
pub(crate) fn verified_numbers_differ(population: &Population, one: u32, two: u32) -> bool {
    matches!((population.nhs_number(one), population.nhs_number(two)), (Some((a, true)), Some((b, true))) if a != b)
}

/// Whether anything beside first and family name, birth date and sex agrees.
fn is_corroborated(levels: Levels) -> bool {
    is_reached_alike(levels)
        || matches!(levels.get(Field::Place), place::SAME..=place::DISTRICT)
        || matches!(levels.get(Field::Middle), middle::EXACT..=middle::INITIAL)
}

/// Whether family name and address are others, so that given names and birth date alone are left to tell. So it is
/// after an adoption, which must not be undone by a link, and after a marriage and a move, of which a person may judge.
fn is_under_another_name_elsewhere(levels: Levels) -> bool {
    let elsewhere = matches!(levels.get(Field::Place), place::SECTOR..=place::DIFFERENT);
    levels.get(Field::Family) == family::DIFFERENT && elsewhere && !is_reached_alike(levels)
}

/// Whether a number, telephone or e-mail address agrees, if only but for one digit.
fn is_reached_alike(levels: Levels) -> bool {
    matches!(levels.get(Field::Nhs), nhs::VERIFIED | nhs::SAME | nhs::SLIP)
        || matches!(levels.get(Field::Phone), contact::SAME | contact::SLIP)
        || levels.get(Field::Email) == email::SAME
}

/// Days by which two sources may differ on one death: the day found, the day registered.
const DEATH_DAYS_MAX: u32 = 31;

fn deaths_fit(population: &Population, pair: &ScoredPair) -> bool {
    let (one, two) = (population.record(pair.one), population.record(pair.two));
    let apart = one.death.rough_days().abs_diff(two.death.rough_days()) > DEATH_DAYS_MAX;
    let both = one.death.is_whole() && two.death.is_whole();
    let after = |born: Date, died: Date| born.is_whole() && died.is_whole() && born.rough_days() > died.rough_days();
    !((both && apart) || after(one.birth, two.death) || after(two.birth, one.death))
}
