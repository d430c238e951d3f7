//! What a decision may depend on. Every fact is always there; what is not known is a value of its own.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use severn_proto::v1::{Demographics, PurposeOfUse, SensitivityLabel};
use severn_trust::User;
use std::collections::BTreeSet;

/// Who asks about whom and why, as far as a policy may care.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The role code, as the user's token names it.
    pub role_code: String,
    /// ODS code of the organisation the request comes from.
    pub organisation: String,
    /// Identity assurance level, 0 to 3.
    pub assurance: u8,
    /// Activity codes of the role.
    pub activities: BTreeSet<String>,
    /// Workgroups of the role.
    pub workgroups: BTreeSet<String>,
    /// Why.
    pub purpose: PurposeOfUse,
    /// What the user's organisation has to do with the person.
    pub relationship: Relationship,
    /// The person.
    pub person: PersonFacts,
    /// What the person's own directives say of this user.
    pub directive: Directive,
    /// The user opens with a reason what may be opened with a reason.
    pub breaking_glass: bool,
}

impl Asker {
    /// Somebody in this role with this purpose, of whom and of whose relationship to the person nothing else is known.
    pub fn new(role_code: impl Into<String>, purpose: PurposeOfUse) -> Asker {
        Asker {
            role_code: role_code.into(),
            organisation: String::new(),
            assurance: 0,
            activities: BTreeSet::new(),
            workgroups: BTreeSet::new(),
            purpose,
            relationship: Relationship::default(),
            person: PersonFacts::default(),
            directive: Directive::None,
            breaking_glass: false,
        }
    }
}

impl From<&User> for Asker {
    /// A user whose token was checked, and of whose relationship to anybody nothing is known.
    fn from(user: &User) -> Asker {
        Asker {
            organisation: user.organisation_ods.clone(),
            assurance: user.assurance,
            activities: user.activities.clone(),
            workgroups: user.workgroups.clone(),
            ..Asker::new(user.role_code.clone(), user.purpose)
        }
    }
}

/// A legitimate relationship, and how it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Relationship {
    /// Which one.
    pub kind: RelationshipKind,
    /// How it is known.
    pub evidence: Evidence,
}

impl Relationship {
    /// That of a source's own organisation with whoever is registered there: the most that a policy can ask for.
    pub const OWN: Relationship = Relationship { kind: RelationshipKind::Registered, evidence: Evidence::Own };
}

/// Which relationship.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RelationshipKind {
    /// None is known.
    #[default]
    None,
    /// The person is registered with the organisation.
    Registered,
    /// The person was referred to it.
    Referred,
    /// The person is an in-patient there.
    Admitted,
    /// The person is on a caseload there.
    Caseload,
    /// The user says so.
    SelfClaimed,
}

impl RelationshipKind {
    /// Every kind.
    pub const ALL: [RelationshipKind; 6] = [
        RelationshipKind::None,
        RelationshipKind::Registered,
        RelationshipKind::Referred,
        RelationshipKind::Admitted,
        RelationshipKind::Caseload,
        RelationshipKind::SelfClaimed,
    ];

    /// The word by which policies name it.
    pub fn word(self) -> &'static str {
        match self {
            RelationshipKind::None => "none",
            RelationshipKind::Registered => "registered",
            RelationshipKind::Referred => "referred",
            RelationshipKind::Admitted => "admitted",
            RelationshipKind::Caseload => "caseload",
            RelationshipKind::SelfClaimed => "self_claimed",
        }
    }

    /// The kind that a word names.
    pub fn from_word(word: &str) -> Option<RelationshipKind> {
        RelationshipKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// How a relationship is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Not at all.
    #[default]
    None,
    /// The deciding source's own registration says so.
    Own,
    /// A source's feed says so. At an adapter: the broker says so, and a policy that believes it believes the broker.
    Feed,
    /// The user says so.
    Claimed,
}

impl Evidence {
    /// The word by which policies name it.
    pub fn word(self) -> &'static str {
        match self {
            Evidence::None => "none",
            Evidence::Own => "own",
            Evidence::Feed => "feed",
            Evidence::Claimed => "claimed",
        }
    }
}

/// What a policy may know of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PersonFacts {
    /// Whole years; -1 if not known.
    pub age_years: i64,
    /// Some source holds the person as restricted (S-flag, label R).
    pub restricted: bool,
    /// The person has died.
    pub deceased: bool,
    /// Days since; -1 if alive or not known.
    pub days_since_death: i64,
}

impl Default for PersonFacts {
    fn default() -> PersonFacts {
        PersonFacts { age_years: -1, restricted: false, deceased: false, days_since_death: -1 }
    }
}

impl PersonFacts {
    /// What `known` says of a person at a time in milliseconds since 1970, by the calendar of UTC. A birth date that is not
    /// whole counts as its last possible day: nobody is taken for an adult too early.
    pub fn of(known: &Demographics, now_ms: i64) -> PersonFacts {
        let today = Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        let age = last_day(&known.birth_date).filter(|born| *born <= today).map_or(-1, |born| years(born, today));
        let died = last_day(&known.death_date).and_then(|died| today.since(died).ok());
        PersonFacts {
            age_years: age,
            restricted: known.restricted,
            deceased: known.deceased || !known.death_date.is_empty(),
            days_since_death: died.map_or(-1, |since| i64::from(since.get_days()).max(0)),
        }
    }
}

fn years(born: Date, today: Date) -> i64 {
    let before_birthday = (today.month(), today.day()) < (born.month(), born.day());
    i64::from(today.year()) - i64::from(born.year()) - i64::from(before_birthday)
}

/// The last day that a whole or partial ISO 8601 date may mean.
fn last_day(text: &str) -> Option<Date> {
    let mut parts = text.get(..text.len().min(10))?.splitn(3, '-');
    let year: i16 = parts.next()?.parse().ok()?;
    let month = parts.next().map_or(Ok(12), str::parse).ok()?;
    let first = Date::new(year, month, 1).ok()?;
    match parts.next() {
        Some(day) => Date::new(year, month, day.parse().ok()?).ok(),
        None => Some(first.last_of_month()),
    }
}

/// What the person's own directives say, the mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Directive {
    /// Nothing against it.
    #[default]
    None,
    /// Withheld at the person's wish, unless opened with a reason.
    Restricted,
    /// Withheld at the person's wish; no reason opens it.
    Dissent,
}

impl Directive {
    /// Every one, the mildest first.
    pub(crate) const ALL: [Directive; 3] = [Directive::None, Directive::Restricted, Directive::Dissent];

    /// The word by which policies name it.
    pub fn word(self) -> &'static str {
        match self {
            Directive::None => "none",
            Directive::Restricted => "restricted",
            Directive::Dissent => "dissent",
        }
    }
}

/// Every sensitivity label, in the order of their numbers.
pub const LABELS: [SensitivityLabel; 9] = [
    SensitivityLabel::Normal,
    SensitivityLabel::MentalHealth,
    SensitivityLabel::SexualHealth,
    SensitivityLabel::SubstanceUse,
    SensitivityLabel::Safeguarding,
    SensitivityLabel::ThirdParty,
    SensitivityLabel::Location,
    SensitivityLabel::Custody,
    SensitivityLabel::Sealed,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(birth: &str, death: &str, today: &str) -> PersonFacts {
        let now = format!("{today}T12:00:00Z").parse::<Timestamp>().unwrap();
        let known = Demographics { birth_date: birth.into(), death_date: death.into(), ..Demographics::default() };
        PersonFacts::of(&known, now.as_millisecond())
    }

    #[test]
    fn ages_are_never_too_high() {
        for (birth, today, age) in [
            ("2008-11-23", "2026-11-23", 18),
            ("2008-11-24", "2026-11-23", 17),
            ("2008-11", "2026-11-23", 17),
            ("2008", "2026-11-23", 17),
            ("2008-02-29", "2026-02-28", 17),
            ("2026-11-24", "2026-11-23", -1),
            ("", "2026-11-23", -1),
            ("1st May", "2026-11-23", -1),
            ("2008-13-01", "2026-11-23", -1),
            ("é008-11-01x", "2026-11-23", -1),
        ] {
            assert_eq!(facts(birth, "", today).age_years, age, "{birth}");
        }
    }

    #[test]
    fn days_since_death_are_counted_and_an_unreadable_date_is_still_a_death() {
        assert_eq!(facts("", "2026-11-01", "2026-11-23").days_since_death, 22);
        assert!(facts("", "2026-11-01", "2026-11-23").deceased);
        assert_eq!(facts("", "soon", "2026-11-23").days_since_death, -1);
        assert!(facts("", "soon", "2026-11-23").deceased);
        assert!(!facts("", "", "2026-11-23").deceased);
    }

    #[test]
    fn every_label_has_its_place() {
        let known = (1..200).filter_map(|number| SensitivityLabel::try_from(number).ok());
        assert_eq!(known.collect::<Vec<_>>(), LABELS);
        assert_eq!(severn_trust::label_word(SensitivityLabel::Sealed), "sealed");
    }
}
