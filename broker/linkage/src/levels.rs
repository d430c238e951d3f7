//! What is compared, and into which levels each comparison falls. Nine fields of four bits make one [`Levels`].

use std::fmt;

/// A field that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Field {
    /// First given name.
    Given = 0,
    /// Family name.
    Family = 1,
    /// Further given names.
    Middle = 2,
    /// Birth date.
    Birth = 3,
    /// Sex as registered.
    Sex = 4,
    /// Address and postcode together, so that one move is not counted as several disagreements.
    Place = 5,
    /// Telephone numbers.
    Phone = 6,
    /// E-mail addresses.
    Email = 7,
    /// NHS number.
    Nhs = 8,
}

/// Number of fields.
pub(crate) const FIELDS: usize = 9;
/// Number of levels that a field can have, level zero ("missing") included.
pub(crate) const LEVELS_MAX: usize = 16;

/// All fields, in the order in which they are explained to a person.
pub const ALL_FIELDS: [Field; FIELDS] = [
    Field::Given,
    Field::Family,
    Field::Middle,
    Field::Birth,
    Field::Sex,
    Field::Place,
    Field::Phone,
    Field::Email,
    Field::Nhs,
];

/// The level of every field for one pair of registrations. Level 0 is "missing on at least one side"; the others are
/// named by [`Field::words`], from the strongest agreement to plain disagreement.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Levels(u64);

impl Levels {
    /// The level of a field.
    #[must_use]
    pub const fn get(self, field: Field) -> u8 {
        (self.0 >> (4 * field as u8) & 15) as u8
    }

    /// The same with one field's level replaced.
    #[must_use]
    pub const fn with(self, field: Field, level: u8) -> Self {
        let shift = 4 * field as u8;
        Self(self.0 & !(15 << shift) | (level as u64) << shift)
    }

    /// Whether both sides say the same of a field, in whatever spelling and as far as it is known; `None` where it is
    /// missing on a side.
    #[must_use]
    pub const fn agrees(self, field: Field) -> Option<bool> {
        let level = self.get(field);
        let agrees = match field {
            Field::Given => level <= given::SWAPPED || level == given::INITIAL,
            Field::Family => level <= family::PART,
            Field::Middle => level <= middle::INITIAL,
            Field::Birth => matches!(level, birth::EXACT | birth::PARTIAL),
            Field::Sex => level < sex::DIFFERENT,
            Field::Place => level <= place::POSTCODE,
            Field::Phone => level == contact::SAME,
            Field::Email => level == email::SAME,
            Field::Nhs => level <= nhs::SAME,
        };
        if level == 0 { None } else { Some(agrees) }
    }

    /// All levels as one number, as it is stored with a decision.
    #[must_use]
    pub const fn packed(self) -> u64 {
        self.0
    }

    /// Takes a number that [`Levels::packed`] gave.
    #[must_use]
    pub const fn from_packed(packed: u64) -> Self {
        Self(packed)
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Levels({:09x})", self.0)
    }
}

/// One level of a field: its words, and where learning starts: how often it is seen among registrations of one
/// person, of two of one household, and of strangers. Learning replaces these; on little data they hold it back.
pub(crate) struct LevelSpec {
    /// The level in words, as a steward reads it and a model file spells it.
    pub words: &'static str,
    /// Starting shares: match, household, stranger.
    pub start: [f64; 3],
}

const fn level(words: &'static str, matched: f64, household: f64, stranger: f64) -> LevelSpec {
    LevelSpec { words, start: [matched, household, stranger] }
}

pub(crate) mod given {
    pub const EXACT: u8 = 1;
    pub const SPELLING: u8 = 2;
    pub const NICKNAME: u8 = 3;
    pub const SWAPPED: u8 = 4;
    pub const MIDDLE: u8 = 5;
    pub const SLIP: u8 = 6;
    pub const ALIKE: u8 = 7;
    pub const INITIAL: u8 = 8;
    pub const PART: u8 = 9;
    pub const SOUND: u8 = 10;
    pub const DIFFERENT: u8 = 11;
}

pub(crate) mod family {
    pub const EXACT: u8 = 1;
    pub const SPELLING: u8 = 2;
    pub const SWAPPED: u8 = 3;
    pub const PART: u8 = 4;
    pub const SLIP: u8 = 5;
    pub const ALIKE: u8 = 6;
    pub const SOUND: u8 = 7;
    pub const DIFFERENT: u8 = 8;
}

pub(crate) mod middle {
    pub const EXACT: u8 = 1;
    pub const ALIKE: u8 = 2;
    pub const INITIAL: u8 = 3;
    pub const OTHER_INITIAL: u8 = 4;
    pub const DIFFERENT: u8 = 5;
}

pub(crate) mod birth {
    pub const EXACT: u8 = 1;
    pub const SWAPPED: u8 = 2;
    pub const SLIP: u8 = 3;
    pub const PARTIAL: u8 = 4;
    pub const JANUARY: u8 = 5;
    pub const TWO_OF_THREE: u8 = 6;
    pub const NEAR: u8 = 7;
    pub const FAR: u8 = 8;
}

pub(crate) mod sex {
    /// Women change their family name more often than men, so agreement is told apart.
    pub const BOTH_FEMALE: u8 = 1;
    pub const SAME: u8 = 2;
    pub const DIFFERENT: u8 = 3;
}

pub(crate) mod place {
    pub const SAME: u8 = 1;
    pub const SAME_POSTCODE_UNSURE: u8 = 2;
    pub const POSTCODE_AND_NUMBER: u8 = 3;
    pub const POSTCODE: u8 = 4;
    pub const STREET: u8 = 5;
    pub const NEIGHBOUR: u8 = 6;
    pub const OTHER_STREET: u8 = 7;
    pub const NEARLY_POSTCODE: u8 = 8;
    pub const LONG_STREET: u8 = 9;
    pub const SECTOR: u8 = 10;
    pub const DISTRICT: u8 = 11;
    pub const AREA: u8 = 12;
    pub const DIFFERENT: u8 = 13;
}

pub(crate) mod contact {
    pub const SAME: u8 = 1;
    pub const SLIP: u8 = 2;
    pub const DIFFERENT: u8 = 3;
}

pub(crate) mod email {
    pub const SAME: u8 = 1;
    pub const DIFFERENT: u8 = 2;
}

pub(crate) mod nhs {
    pub const VERIFIED: u8 = 1;
    pub const SAME: u8 = 2;
    pub const SLIP: u8 = 3;
    pub const DIFFERENT: u8 = 4;
    pub const VERIFIED_DIFFERENT: u8 = 5;
}

static GIVEN: [LevelSpec; 12] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.80, 0.005, 0.004),
    level("another spelling of one name", 0.02, 0.001, 0.001),
    level("a familiar form of one name", 0.04, 0.002, 0.002),
    level("given and family name exchanged", 0.01, 0.0005, 0.0001),
    level("the other's middle name", 0.01, 0.003, 0.003),
    level("one letter differs", 0.03, 0.004, 0.002),
    level("much alike", 0.008, 0.006, 0.004),
    level("an initial that fits", 0.01, 0.004, 0.002),
    level("one begins like the other", 0.005, 0.02, 0.012),
    level("the same sound", 0.003, 0.003, 0.003),
    level("different", 0.06, 0.94, 0.96),
];

static FAMILY: [LevelSpec; 9] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.86, 0.60, 0.003),
    level("another spelling of one name", 0.015, 0.02, 0.0005),
    level("given and family name exchanged", 0.01, 0.0005, 0.0001),
    level("part of a double name", 0.01, 0.02, 0.0005),
    level("one letter differs", 0.03, 0.02, 0.002),
    level("much alike", 0.008, 0.008, 0.003),
    level("the same sound, or alike", 0.007, 0.012, 0.012),
    level("different", 0.06, 0.32, 0.978),
];

static MIDDLE: [LevelSpec; 6] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.55, 0.02, 0.008),
    level("alike, or a form of one name", 0.05, 0.01, 0.004),
    level("an initial that fits", 0.33, 0.06, 0.06),
    level("an initial that does not fit", 0.02, 0.30, 0.35),
    level("different", 0.05, 0.61, 0.578),
];

static BIRTH: [LevelSpec; 9] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.950, 0.003, 0.00004),
    level("day and month exchanged", 0.009, 0.0001, 0.00002),
    level("one digit differs", 0.018, 0.002, 0.0006),
    level("agrees as far as it is known", 0.005, 0.001, 0.001),
    level("same year, one is 1 January", 0.004, 0.0005, 0.0003),
    level("two of day, month and year agree", 0.0115, 0.03, 0.04),
    level("within twelve years", 0.002, 0.50, 0.25),
    level("far apart", 0.0005, 0.4634, 0.70804),
];

static SEX: [LevelSpec; 4] = [
    level("missing", 0.0, 0.0, 0.0),
    level("both female", 0.496, 0.22, 0.25),
    level("the same, not female", 0.496, 0.22, 0.25),
    level("different", 0.008, 0.56, 0.5),
];

static PLACE: [LevelSpec; 14] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same address", 0.58, 0.82, 0.000_003),
    level("the same house and street, postcode missing or nearly the same", 0.05, 0.07, 0.000_001),
    level("the same postcode and house number", 0.03, 0.04, 0.000_002),
    level("the same postcode, house not known", 0.03, 0.04, 0.000_01),
    level("the same house and street, other postcode", 0.01, 0.01, 0.000_02),
    level("the same street and postcode, another house", 0.005, 0.003, 0.000_05),
    level("the same postcode, another street", 0.005, 0.002, 0.000_01),
    level("nearly the same postcode", 0.01, 0.005, 0.001),
    level("the same long street and place, another house and postcode", 0.003, 0.001, 0.000_01),
    level("the same postcode sector", 0.01, 0.002, 0.0005),
    level("the same postcode district", 0.02, 0.002, 0.003),
    level("the same postcode area", 0.08, 0.002, 0.1),
    level("different", 0.167, 0.003, 0.895_409),
];

static PHONE: [LevelSpec; 4] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.50, 0.15, 0.000_002),
    level("one digit differs", 0.01, 0.001, 0.000_02),
    level("different", 0.49, 0.849, 0.999_97),
];

static EMAIL: [LevelSpec; 3] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same", 0.60, 0.05, 0.000_001),
    level("different", 0.40, 0.95, 0.999_999),
];

static NHS: [LevelSpec; 6] = [
    level("missing", 0.0, 0.0, 0.0),
    level("the same, verified by both", 0.70, 0.0005, 0.000_000_01),
    level("the same, not verified by both", 0.25, 0.0005, 0.000_000_01),
    level("one digit differs", 0.01, 0.0001, 0.000_001),
    level("different, not verified by both", 0.02, 0.2, 0.2),
    level("different, both verified", 0.02, 0.7989, 0.799_998_98),
];

/// A class of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Two registrations of one person.
    Match = 0,
    /// Two people of one household.
    Household = 1,
    /// Two strangers.
    Stranger = 2,
}

/// Fields that do not agree independently within a class; each class's pairs of fields form no ring, so that their
/// corrections add up. Whoever bears one given name is nearly always of one sex. In a household, a father and his son
/// of one name are a generation apart, and twins bear two names, one family's, and are reached by one telephone. A
/// person who marries may change name, address and telephone at once.
pub(crate) const TOGETHER: [(Class, Field, Field); 8] = [
    (Class::Stranger, Field::Given, Field::Sex),
    (Class::Household, Field::Given, Field::Sex),
    (Class::Household, Field::Given, Field::Birth),
    (Class::Household, Field::Family, Field::Birth),
    (Class::Household, Field::Birth, Field::Phone),
    (Class::Match, Field::Family, Field::Sex),
    (Class::Match, Field::Family, Field::Place),
    (Class::Match, Field::Place, Field::Phone),
];

impl Field {
    pub(crate) fn levels(self) -> &'static [LevelSpec] {
        match self {
            Self::Given => &GIVEN,
            Self::Family => &FAMILY,
            Self::Middle => &MIDDLE,
            Self::Birth => &BIRTH,
            Self::Sex => &SEX,
            Self::Place => &PLACE,
            Self::Phone => &PHONE,
            Self::Email => &EMAIL,
            Self::Nhs => &NHS,
        }
    }

    /// A level of this field in words; empty for a level that the field does not have.
    #[must_use]
    pub fn words(self, level: u8) -> &'static str {
        self.levels().get(usize::from(level)).map_or("", |spec| spec.words)
    }

    /// The field's name, as a model file spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given name",
            Self::Family => "family name",
            Self::Middle => "middle name",
            Self::Birth => "birth date",
            Self::Sex => "sex",
            Self::Place => "address",
            Self::Phone => "phone",
            Self::Email => "e-mail",
            Self::Nhs => "NHS number",
        }
    }
}
