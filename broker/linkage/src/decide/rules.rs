//! The hard rules on one pair, which no score outweighs.

use crate::atoms::hash_of_word;
use crate::bulk::ScoredPair;
use crate::decide::{Corroboration, Policy, ReviewReason};
use crate::levels::{Field, Levels, birth, contact, email, family, given, middle, nhs, place};
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
pub fn is_of_concern(model: &Model, pair: &ScoredPair, policy: &Policy) -> bool {
    let number = pair.comparison.levels.get(Field::Nhs);
    pair.score.probability >= policy.review_min
        || matches!(number, nhs::VERIFIED | nhs::SAME)
        || (number == nhs::VERIFIED_DIFFERENT
            && model.score_without_number(&pair.comparison).probability >= policy.review_min)
}

/// Judges a pair.
#[must_use]
pub fn judge(population: &Population, model: &Model, pair: &ScoredPair, policy: &Policy) -> Verdict {
    let levels = pair.comparison.levels;
    let number = levels.get(Field::Nhs);
    let likely = pair.score.probability >= policy.review_min;
    let without_number = || model.score_without_number(&pair.comparison).probability;
    if number == nhs::VERIFIED_DIFFERENT {
        let likely = without_number() >= policy.review_min;
        return if likely { Verdict::Never(ReviewReason::NumbersDiffer) } else { Verdict::Nothing };
    }
    let same_number = matches!(number, nhs::VERIFIED | nhs::SAME);
    if same_number && without_number() < policy.overlaid_below {
        return Verdict::Never(ReviewReason::NumberOverlaid);
    }
    if !likely {
        return Verdict::Nothing;
    }
    if !deaths_fit(population, pair) {
        return Verdict::Never(ReviewReason::DatesOfDeath);
    }
    if pair.score.probability < policy.automatic_min {
        let overlaid = same_number && without_number() < policy.review_min;
        let reason = if overlaid { ReviewReason::NumberOverlaid } else { ReviewReason::Possible };
        return Verdict::Review(reason);
    }
    let one_for_many = levels.get(Field::Middle) != middle::EXACT
        && [pair.one, pair.two].iter().any(|row| bears_name_of_many(population, *row));
    if number != nhs::VERIFIED && model.knows_households() && may_be_twins(levels, one_for_many) {
        return Verdict::Review(ReviewReason::PossibleTwins);
    }
    if policy.corroboration == Corroboration::Needed && !is_corroborated(levels) {
        return Verdict::Review(ReviewReason::NamesAndBirthOnly);
    }
    Verdict::Automatic
}

/// First names that brothers may all bear before the name by which each is called.
const NAMES_OF_MANY: [&str; 3] = ["MOHAMMED", "ABDUL", "SYED"];

fn bears_name_of_many(population: &Population, row: u32) -> bool {
    let root = population.atoms().get(population.record(row).name.given).root;
    NAMES_OF_MANY.iter().any(|name| hash_of_word(name) == root)
}

/// Born on one day, at one address, of one family; and the given names leave room for two people, as does the name
/// `one_for_many` brothers.
fn may_be_twins(levels: Levels, one_for_many: bool) -> bool {
    let birth = matches!(levels.get(Field::Birth), birth::EXACT | birth::SWAPPED);
    let home = matches!(levels.get(Field::Place), place::SAME..=place::NEARLY_POSTCODE);
    let family = matches!(levels.get(Field::Family), family::EXACT..=family::SLIP);
    let given = levels.get(Field::Given);
    // A familiar form may be the twin's own name (John and Jack), above all if each has a telephone.
    let other_phone = levels.get(Field::Phone) == contact::DIFFERENT;
    let one_name =
        matches!(given, given::EXACT | given::SPELLING | given::SWAPPED) || (given == given::NICKNAME && !other_phone);
    let other_middle = matches!(levels.get(Field::Middle), middle::OTHER_INITIAL | middle::DIFFERENT);
    let same_middle = levels.get(Field::Middle) == middle::EXACT;
    birth
        && home
        && family
        && (other_middle || one_for_many || !(one_name || (same_middle && given != given::DIFFERENT)))
}

/// Whether anything beside names, birth date and sex agrees.
fn is_corroborated(levels: Levels) -> bool {
    matches!(levels.get(Field::Nhs), nhs::VERIFIED | nhs::SAME | nhs::SLIP)
        || matches!(levels.get(Field::Place), place::SAME..=place::NEARLY_POSTCODE)
        || levels.get(Field::Phone) == contact::SAME
        || levels.get(Field::Email) == email::SAME
        || levels.get(Field::Middle) == middle::EXACT
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
