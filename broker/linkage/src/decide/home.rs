//! Two people of one home who look like one person: twins, parent and child of one name, cousins of one name. Pure, by
//! what both sides say; no score outweighs these rules.

use crate::atoms::{Word, hash_of_word};
use crate::bulk::ScoredPair;
use crate::compare::Side;
use crate::levels::{Field, Levels, birth, contact, email, family, given, middle, place};
use crate::model::Model;
use crate::names::{are_both_familiar, is_name_of_its_own};
use crate::population::Population;

/// Two registrations, or one and whoever is asked about, with what was compared.
#[derive(Clone, Copy)]
pub(super) struct Two<'a> {
    pub sides: [Side<'a>; 2],
    pub levels: Levels,
    pub model: &'a Model,
}

/// First names that brothers may all bear before the name by which each is called.
const NAMES_OF_MANY: [&str; 3] = ["MOHAMMED", "ABDUL", "SYED"];
/// A slip of the keyboard is so much rarer than the name it was made of, or else a name of its own (Carl and Karl).
const SLIP_RATIO: f64 = 200.0;
/// A familiar form that so few bear beside the formal one is hardly ever what twins are christened.
const FAMILIAR_RATIO: f64 = 40.0;
/// Years between parent and child, at least.
const GENERATION_YEARS: u32 = 14;

impl<'a> Two<'a> {
    /// A pair of rows.
    pub fn of_rows(population: &'a Population, model: &'a Model, pair: &ScoredPair) -> Self {
        let sides = [population.side(pair.one), population.side(pair.two)];
        Self { sides, levels: pair.comparison.levels, model }
    }

    /// Whether they may be twins: born on one day, at one address or with one telephone, of one family; and the given
    /// names leave room for two people.
    pub fn may_be_twins(&self) -> bool {
        let birth = matches!(self.levels.get(Field::Birth), birth::EXACT | birth::SWAPPED);
        let family = matches!(self.levels.get(Field::Family), family::EXACT..=family::ALIKE)
            || self.levels.get(Field::Given) == given::SWAPPED;
        self.model.knows_households() && birth && self.share_home() && family && self.names_leave_room()
    }

    /// Whether they may be parent and child of one name: at one home, and a generation apart, though one mistyped digit
    /// (1963 and 1993) would explain their birth dates as well; or the birth date of one of them is not known. Not where
    /// nobody's family is registered.
    pub fn may_be_parent_and_child(&self) -> bool {
        let [one, two] = self.sides.map(|side| side.record.birth);
        let unknown = self.levels.get(Field::Birth) == 0;
        // Whoever is only asked about stands in no row.
        let known = !one.is_missing() && !two.is_missing();
        let generation = known && one.year().abs_diff(two.year()) >= GENERATION_YEARS;
        !self.model.rules_out_households() && self.share_home() && (unknown || generation)
    }

    /// Whether they may be cousins of one name under one roof: one digit of their birth dates differs, as a slip would
    /// leave it too (two digits exchanged are hardly ever anything else), and nothing that each person has alone
    /// agrees. A telephone may be the home's.
    pub fn may_be_cousins(&self) -> bool {
        let [one, two] = self.sides.map(|side| side.record.birth);
        // Whoever is only asked about stands in no row: which digits differ is not known.
        let unseen = one.is_missing() || two.is_missing();
        let differing = || one.digits().iter().zip(two.digits()).filter(|(one, two)| **one != *two).count();
        let a_digit = self.levels.get(Field::Birth) == birth::SLIP && (unseen || differing() == 1);
        let middle = matches!(self.levels.get(Field::Middle), middle::EXACT..=middle::INITIAL);
        let own = middle || self.levels.get(Field::Email) == email::SAME;
        !self.model.rules_out_households() && a_digit && self.share_home() && !own
    }

    /// Whether both are reached at one address or by one telephone.
    pub fn share_home(&self) -> bool {
        matches!(self.levels.get(Field::Place), place::SAME..=place::NEARLY_POSTCODE)
            || self.levels.get(Field::Phone) == contact::SAME
    }

    /// Whether the given names leave room for two people of one family.
    fn names_leave_room(&self) -> bool {
        let middle = self.levels.get(Field::Middle);
        if matches!(middle, middle::OTHER_INITIAL | middle::DIFFERENT) {
            return true;
        }
        match self.levels.get(Field::Given) {
            given::SPELLING if middle != middle::EXACT && self.has_a_vowel_more() => true,
            given::EXACT | given::SPELLING | given::SWAPPED => middle != middle::EXACT && self.bear_name_of_many(),
            given::DIFFERENT => true,
            _ if middle == middle::EXACT => false,
            given::NICKNAME => middle != middle::INITIAL && self.are_two_familiar_forms(),
            given::SLIP => self.is_unseen() || self.are_two_names(SLIP_RATIO) || self.are_names_of_their_own(),
            given::INITIAL => middle != middle::INITIAL,
            _ => true,
        }
    }

    fn given(&self) -> [Word<'a>; 2] {
        self.sides.map(|side| side.words.get(side.record.name.given))
    }

    /// Whoever is only asked about stands in no row: whether the name is a slip is not known.
    fn is_unseen(&self) -> bool {
        self.sides.iter().any(|side| side.record.name.given == 0)
    }

    fn bear_name_of_many(&self) -> bool {
        self.given().iter().any(|word| NAMES_OF_MANY.iter().any(|name| hash_of_word(name) == word.atom.root))
    }

    /// Whether both given names are listed, neither so many times rarer than the other.
    fn are_two_names(&self, ratio: f64) -> bool {
        let [one, two] = self.given().map(|word| word.atom.whole);
        self.model.rarity.given_ratio(one, two).is_some_and(|own| own < ratio)
    }

    /// Whether a familiar form and another are what two people are called: both are common, or neither is the formal
    /// name (Nell and Ellie), which whoever is called by one of them would be registered under.
    fn are_two_familiar_forms(&self) -> bool {
        let [one, two] = self.given().map(|word| word.text);
        self.are_two_names(FAMILIAR_RATIO) || are_both_familiar(one, two)
    }

    /// Whether two spellings of a name are two names besides: one has a vowel more at its end (Carol and Carole).
    fn has_a_vowel_more(&self) -> bool {
        let [one, two] = self.given().map(|word| word.text);
        let longer = |long: &[u8], short: &[u8]| {
            long.split_last().is_some_and(|(last, rest)| rest == short && b"AEIOY".contains(last))
        };
        longer(one, two) || longer(two, one)
    }

    /// Whether both given names are known to be names, and no slip of the keyboard.
    pub fn are_names_of_their_own(&self) -> bool {
        self.given().iter().all(|word| is_name_of_its_own(word.text))
    }
}
