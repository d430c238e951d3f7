//! The hard rules on one pair, which no score outweighs.

use crate::atoms::hash_of_word;
use crate::bulk::ScoredPair;
use crate::decide::{Corroboration, Policy, ReviewReason};
use crate::levels::{Field, Levels, birth, contact, email, family, given, middle, nhs, place};
use crate::model::Model;
use crate::names::is_name_of_its_own;
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
pub fn is_of_concern(model: &Model, pair: &ScoredPair, policy: &Policy) -> bool {
    let number = pair.comparison.levels.get(Field::Nhs);
    pair.score.probability >= policy.review_min
        || matches!(number, nhs::VERIFIED | nhs::SAME)
        || (number == nhs::VERIFIED_DIFFERENT
            && model.score_without_number(&pair.comparison).probability >= policy.automatic_min)
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
    let likely = pair.score.probability >= policy.review_min;
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
    if !likely {
        return Verdict::Nothing;
    }
    if !deaths_fit(population, pair) {
        return Verdict::Never(ReviewReason::DatesOfDeath);
    }
    if !same_number && may_be_twins(population, model, pair) {
        return Verdict::Never(ReviewReason::PossibleTwins);
    }
    if !same_number && may_be_parent_and_child(population, model, pair) {
        return Verdict::Review(ReviewReason::Possible);
    }
    if pair.score.probability < policy.automatic_min {
        let overlaid = same_number && without_number() < policy.review_min;
        let reason = if overlaid { ReviewReason::NumberOverlaid } else { ReviewReason::Possible };
        return Verdict::Review(reason);
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
    if !has_one_number(pair) && may_be_twins(population, model, pair) {
        return Some(ReviewReason::PossibleTwins);
    }
    (pair.score.probability < policy.joined_min).then_some(ReviewReason::PersonsDisagree)
}

/// Whether both rows hold a verified NHS number, and not the same.
pub(crate) fn verified_numbers_differ(population: &Population, one: u32, two: u32) -> bool {
    matches!((population.nhs_number(one), population.nhs_number(two)), (Some((a, true)), Some((b, true))) if a != b)
}

/// First names that brothers may all bear before the name by which each is called.
const NAMES_OF_MANY: [&str; 3] = ["MOHAMMED", "ABDUL", "SYED"];

fn bears_name_of_many(population: &Population, row: u32) -> bool {
    let root = population.atoms().get(population.record(row).name.given).root;
    NAMES_OF_MANY.iter().any(|name| hash_of_word(name) == root)
}

/// Whether a pair may be twins: born on one day, at one address or with one telephone, of one family; and the given
/// names leave room for two people.
pub(crate) fn may_be_twins(population: &Population, model: &Model, pair: &ScoredPair) -> bool {
    let levels = pair.comparison.levels;
    let birth = matches!(levels.get(Field::Birth), birth::EXACT | birth::SWAPPED);
    let family =
        matches!(levels.get(Field::Family), family::EXACT..=family::SLIP) || levels.get(Field::Given) == given::SWAPPED;
    model.knows_households() && birth && share_home(levels) && family && names_leave_room(population, model, pair)
}

/// Whether both are reached at one address or by one telephone.
fn share_home(levels: Levels) -> bool {
    matches!(levels.get(Field::Place), place::SAME..=place::NEARLY_POSTCODE)
        || levels.get(Field::Phone) == contact::SAME
}

/// Years between parent and child, at least.
const GENERATION_YEARS: u32 = 14;

/// Whether a pair may be parent and child of one name: at one home, and a generation apart, though one mistyped digit
/// (1963 and 1993) would explain their birth dates as well; or the birth date of one of them is not known. Not where
/// nobody's family is registered.
fn may_be_parent_and_child(population: &Population, model: &Model, pair: &ScoredPair) -> bool {
    if model.rules_out_households() {
        return false;
    }
    let (one, two) = (population.record(pair.one).birth, population.record(pair.two).birth);
    let unknown = pair.comparison.levels.get(Field::Birth) == 0;
    // Whoever is only asked about stands in no row.
    let known = !one.is_missing() && !two.is_missing();
    let generation = known && one.year().abs_diff(two.year()) >= GENERATION_YEARS;
    share_home(pair.comparison.levels) && (unknown || generation)
}

/// Whether the given names leave room for two people of one family.
fn names_leave_room(population: &Population, model: &Model, pair: &ScoredPair) -> bool {
    let middle = pair.comparison.levels.get(Field::Middle);
    if matches!(middle, middle::OTHER_INITIAL | middle::DIFFERENT) {
        return true;
    }
    let many = || [pair.one, pair.two].iter().any(|row| bears_name_of_many(population, *row));
    // Whoever is only asked about stands in no row: whether the name is a slip is not known.
    let unseen = [pair.one, pair.two].iter().any(|row| population.record(*row).name.given == 0);
    let two_names = |ratio| are_two_names(population, model, pair, ratio);
    match pair.comparison.levels.get(Field::Given) {
        given::EXACT | given::SPELLING | given::SWAPPED => middle != middle::EXACT && many(),
        given::DIFFERENT => true,
        _ if middle == middle::EXACT => false,
        given::NICKNAME => middle != middle::INITIAL && two_names(FAMILIAR_RATIO),
        given::SLIP => unseen || two_names(SLIP_RATIO) || are_names_of_their_own(population, pair),
        given::INITIAL => middle != middle::INITIAL,
        _ => true,
    }
}

/// A slip of the keyboard is so much rarer than the name it was made of, or else a name of its own (Carl and Karl).
const SLIP_RATIO: f64 = 200.0;
/// A familiar form that so few bear beside the formal one is hardly ever what twins are christened.
const FAMILIAR_RATIO: f64 = 40.0;

/// Whether both given names are listed, neither so many times rarer than the other.
fn are_two_names(population: &Population, model: &Model, pair: &ScoredPair, ratio: f64) -> bool {
    let name = |row| population.atoms().get(population.record(row).name.given).whole;
    model.rarity.given_ratio(name(pair.one), name(pair.two)).is_some_and(|own| own < ratio)
}

/// Whether both given names are known to be names, and no slip of the keyboard.
fn are_names_of_their_own(population: &Population, pair: &ScoredPair) -> bool {
    let is_one = |row| is_name_of_its_own(&population.words_of(population.record(row).name.given));
    is_one(pair.one) && is_one(pair.two)
}

/// Whether anything beside first and family name, birth date and sex agrees.
fn is_corroborated(levels: Levels) -> bool {
    matches!(levels.get(Field::Nhs), nhs::VERIFIED | nhs::SAME | nhs::SLIP)
        || matches!(levels.get(Field::Place), place::SAME..=place::DISTRICT)
        || matches!(levels.get(Field::Phone), contact::SAME | contact::SLIP)
        || levels.get(Field::Email) == email::SAME
        || matches!(levels.get(Field::Middle), middle::EXACT..=middle::INITIAL)
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
