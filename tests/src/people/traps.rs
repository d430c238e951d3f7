//! The pairs of registrations on which linkage goes wrong, and how each kind is called.

/// A kind of pair with a known answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Twins of one sex: never linked.
    TwinsSameSex,
    /// A brother and a sister, twins: never linked.
    TwinsMixed,
    /// Father and son of one name at one home: never linked.
    FatherAndSon,
    /// Others of one home: never linked.
    Household,
    /// Two people of the same name, sex and birth date: never linked.
    Namesakes,
    /// The same, and their registrations say nothing else: never linked without somebody looking.
    NamesakesBare,
    /// A registration under somebody else's NHS number, and that somebody: never linked.
    OverlaidWrongPerson,
    /// The same registration, and whom it is about.
    OverlaidRightPerson,
    /// A number that the national service has replaced.
    Superseded,
    /// Day and month exchanged.
    BirthDateSwapped,
    /// The first of January instead of the birth date.
    FirstOfJanuary,
    /// Two people of one name, both registered as born on the first of January: never linked.
    FirstOfJanuaryStrangers,
    /// No birth date.
    BirthDateMissing,
    /// Another family name.
    NameChange,
    /// Another family name and another address.
    NameChangeMoved,
    /// Another gender and another given name.
    GenderChange,
    /// Another spelling of a name from another script.
    Transliterated,
    /// A short form of the given name.
    Nickname,
    /// Given and middle name exchanged.
    CrossedNames,
    /// Given and family name exchanged.
    SwappedNames,
    /// The family name is absent, or is Kaur here and the clan's name there.
    NoFamilyName,
    /// Another address.
    Moved,
    /// Two residents of a care home: never linked.
    CareHome,
    /// Two students of a hall: never linked.
    StudentHall,
    /// Two prisoners: never linked.
    Prison,
    /// Two people of one family name under the practice's own phone: never linked.
    PracticePhone,
    /// A newborn as "Baby", and later by name.
    Newborn,
    /// Two newborns called "Baby" of one family name, born on one day: never linked.
    NewbornStrangers,
    /// Twins before they have names: never linked.
    NewbornTwins,
    /// Two unidentified emergency patients: never linked.
    Unidentified,
    /// Before and after the death was registered.
    Deceased,
    /// Before and after an adoption. The law keeps the two apart, so they are two persons here: never linked.
    Adoption,
    /// Two registrations that say nothing: never linked.
    Empty,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 33] = [
        Kind::TwinsSameSex,
        Kind::TwinsMixed,
        Kind::FatherAndSon,
        Kind::Household,
        Kind::Namesakes,
        Kind::NamesakesBare,
        Kind::OverlaidWrongPerson,
        Kind::OverlaidRightPerson,
        Kind::Superseded,
        Kind::BirthDateSwapped,
        Kind::FirstOfJanuary,
        Kind::FirstOfJanuaryStrangers,
        Kind::BirthDateMissing,
        Kind::NameChange,
        Kind::NameChangeMoved,
        Kind::GenderChange,
        Kind::Transliterated,
        Kind::Nickname,
        Kind::CrossedNames,
        Kind::SwappedNames,
        Kind::NoFamilyName,
        Kind::Moved,
        Kind::CareHome,
        Kind::StudentHall,
        Kind::Prison,
        Kind::PracticePhone,
        Kind::Newborn,
        Kind::NewbornStrangers,
        Kind::NewbornTwins,
        Kind::Unidentified,
        Kind::Deceased,
        Kind::Adoption,
        Kind::Empty,
    ];

    /// As the traps file writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::TwinsSameSex => "twins_same_sex",
            Kind::TwinsMixed => "twins_mixed",
            Kind::FatherAndSon => "father_and_son",
            Kind::Household => "household",
            Kind::Namesakes => "namesakes",
            Kind::NamesakesBare => "namesakes_bare",
            Kind::OverlaidWrongPerson => "overlaid_wrong_person",
            Kind::OverlaidRightPerson => "overlaid_right_person",
            Kind::Superseded => "superseded",
            Kind::BirthDateSwapped => "birth_date_swapped",
            Kind::FirstOfJanuary => "first_of_january",
            Kind::FirstOfJanuaryStrangers => "first_of_january_strangers",
            Kind::BirthDateMissing => "birth_date_missing",
            Kind::NameChange => "name_change",
            Kind::NameChangeMoved => "name_change_moved",
            Kind::GenderChange => "gender_change",
            Kind::Transliterated => "transliterated",
            Kind::Nickname => "nickname",
            Kind::CrossedNames => "crossed_names",
            Kind::SwappedNames => "swapped_names",
            Kind::NoFamilyName => "no_family_name",
            Kind::Moved => "moved",
            Kind::CareHome => "care_home",
            Kind::StudentHall => "student_hall",
            Kind::Prison => "prison",
            Kind::PracticePhone => "practice_phone",
            Kind::Newborn => "newborn",
            Kind::NewbornStrangers => "newborn_strangers",
            Kind::NewbornTwins => "newborn_twins",
            Kind::Unidentified => "unidentified",
            Kind::Deceased => "deceased",
            Kind::Adoption => "adoption",
            Kind::Empty => "empty",
        }
    }

    /// Whether the two registrations of such a pair are one person's.
    #[must_use]
    pub const fn same_person(self) -> bool {
        matches!(
            self,
            Kind::OverlaidRightPerson
                | Kind::Superseded
                | Kind::BirthDateSwapped
                | Kind::FirstOfJanuary
                | Kind::BirthDateMissing
                | Kind::NameChange
                | Kind::NameChangeMoved
                | Kind::GenderChange
                | Kind::Transliterated
                | Kind::Nickname
                | Kind::CrossedNames
                | Kind::SwappedNames
                | Kind::NoFamilyName
                | Kind::Moved
                | Kind::Newborn
                | Kind::Deceased
        )
    }
}

/// A labelled pair: two places in the list of registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What makes it hard.
    pub kind: Kind,
    /// One registration.
    pub a: usize,
    /// The other.
    pub b: usize,
}
