//! Finds who is meant. Pure: reads the state, changes nothing. It never guesses: one person only where the evidence
//! is whole and points at nobody else; otherwise possible persons for a human, or nobody.
//!
//! * **NHS number and birth date**: both must agree. A number with another birth date finds nobody, for showing the
//!   number's owner would tell a stranger who it is; where the birth date was never recorded in full, the owner is possible.
//! * **Source and local id**: the person of that registration.
//! * **Names and birth date**, and postcode, phone and sex if they are known: scored as registrations are linked, so that
//!   familiar forms, other spellings, exchanged days and months, and former names and addresses count. One person only if
//!   the rules would link the question with a registration of theirs: at 0.999 or more, with a postcode, phone or further
//!   given name that agrees, and no twins in sight. And only if names and birth date were compared, nobody else is
//!   nearly as likely, and no namesake is left of whom neither postcode nor phone is known to say otherwise. Whom any
//!   source holds as restricted is never found so, nor can it be told that somebody was passed over.

mod question;

pub use question::is_birth_date;

use super::{decide::Row, event::RegistrationKey, normalise::whole_date, state::State};
use crate::model::{LocalId, Person, SourceId};
use severn_linkage::postcode_part::PostcodePart;
use severn_proto::v1::{Address, Demographics, HumanName, Sex, Telecom, telecom::System};
use severn_trust::NhsNumber;
use std::{collections::BTreeSet, fmt};

/// Registrations that share one number, at most; more than that and the value is taken for a placeholder.
const SHARED_MAX: usize = if cfg!(test) { 100 } else { 1_000 };

/// Persons named in one answer, at most.
pub const CANDIDATES_MAX: usize = 20;

/// Who is looked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Search {
    /// By NHS number, confirmed by the birth date.
    Number {
        /// The number.
        number: NhsNumber,
        /// Birth date, ISO 8601, whole.
        birth_date: String,
    },
    /// By a source's own identifier.
    Registration {
        /// The source.
        source: SourceId,
        /// Its name for the person.
        local_id: LocalId,
    },
    /// By demographics. What is not known is left empty.
    Demographics {
        /// Family name, current or former.
        family: String,
        /// Given name or names.
        given: String,
        /// Birth date, ISO 8601: whole or partial (YYYY-MM-DD, YYYY-MM, YYYY), or an interval of such, FROM/UNTIL.
        birth_date: String,
        /// Sex; `Unspecified` and `Unknown` speak against nobody.
        sex: Sex,
        /// Postcode, current or former: whole, or its district (B42) or sector (B42 1).
        postcode: String,
        /// Telephone number, in any form.
        phone: String,
    },
}

/// A person who is or may be meant. Its `Debug` shows nothing of them.
#[derive(Clone, PartialEq)]
pub struct Found {
    /// The person.
    pub person: Person,
    /// Probability that this is the person meant, 0 to 1; at most one of those shown is. Exact rules give 1.
    pub score: f64,
    /// Why: the rule that matched, or for each field that was compared how far it agrees.
    pub why: Vec<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found(…, {})", self.score)
    }
}

/// Who was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// One person.
    One(Box<Found>),
    /// Possible persons, best first; a human decides.
    Possible(Vec<Found>),
    /// Nobody.
    Nobody,
    /// More than [`CANDIDATES_MAX`] persons fit, or more registrations than can be looked at; the search must be narrowed.
    TooMany,
}

/// Finds who is meant.
pub fn resolve(state: &State, search: &Search) -> Resolved {
    match search {
        Search::Number { number, birth_date } => by_number(state, *number, birth_date),
        Search::Registration { source, local_id } => {
            let key = RegistrationKey { source: source.clone(), local_id: local_id.clone() };
            let person = state.find(&key).and_then(|row| state.person_at(row));
            person.map_or(Resolved::Nobody, |person| one(person, vec!["the source's own identifier".into()]))
        }
        Search::Demographics { family, given, birth_date, sex, postcode, phone } => {
            let part = PostcodePart::parse(postcode);
            let postcode = if part.is_some() { String::new() } else { postcode.clone() };
            let asked = Demographics {
                names: names_of(family, given),
                birth_date: birth_date.clone(),
                sex: (*sex).into(),
                addresses: vec![Address { postcode, ..Address::default() }],
                telecoms: vec![Telecom { value: phone.clone(), system: System::Phone.into(), ..Telecom::default() }],
                ..Demographics::default()
            };
            question::resolve(state, &asked, part)
        }
    }
}

/// Several given names are the first and further ones, or one name of several words.
fn names_of(family: &str, given: &str) -> Vec<HumanName> {
    let name = |given| HumanName { family: family.to_owned(), given, ..HumanName::default() };
    vec![name(given.split_whitespace().map(str::to_owned).collect()), name(vec![given.to_owned()])]
}

fn one(person: Person, why: Vec<String>) -> Resolved {
    Resolved::One(Box::new(Found { person, score: 1.0, why }))
}

fn by_number(state: &State, number: NhsNumber, birth_date: &str) -> Resolved {
    let rows = state.with_number(number);
    if rows.len() > SHARED_MAX {
        return Resolved::TooMany;
    }
    let born = whole_date(birth_date);
    let (mut agreeing, mut disputed, mut undated) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let (facts, is_disputed) = state.claim(*row);
        let person = state.person_row(*row);
        match facts.birth {
            Some(birth) if Some(birth) == born && is_disputed => disputed.insert(person),
            Some(birth) if Some(birth) == born => agreeing.insert(person),
            Some(_) => false,
            None if may_be_born(state, *row, birth_date) => undated.insert(person),
            None => false,
        };
    }
    // Whom a person took out of the number's owner does not make the owner doubtful.
    if let (Some(row), 1) = (agreeing.first(), agreeing.len()) {
        let person = state.person_at(*row);
        return person.map_or(Resolved::Nobody, |p| one(p, vec!["same NHS number and birth date".into()]));
    }
    if !agreeing.is_empty() {
        return possible(state, &agreeing, "same NHS number and birth date");
    }
    if !disputed.is_empty() {
        return possible(state, &disputed, "same NHS number and birth date, but a person doubted the number");
    }
    possible(state, &undated, "same NHS number; the birth date is not recorded in full")
}

/// Whether the birth date on record is missing, a placeholder, or a part of the one given.
fn may_be_born(state: &State, row: Row, birth_date: &str) -> bool {
    let recorded = state.registration(row).demographics.unwrap_or_default().birth_date;
    whole_date(&recorded).is_some() || birth_date.starts_with(&recorded)
}

/// Persons of whom the rules cannot say which is meant: one is as likely as another.
fn possible(state: &State, rows: &BTreeSet<Row>, why: &str) -> Resolved {
    let score = 1.0 / rows.len().max(1) as f64;
    let persons: Vec<Person> = rows.iter().filter_map(|row| state.person_at(*row)).collect();
    shown(persons.into_iter().map(|person| Found { person, score, why: vec![why.to_owned()] }).collect())
}

fn shown(mut found: Vec<Found>) -> Resolved {
    if found.is_empty() {
        return Resolved::Nobody;
    }
    if found.len() > CANDIDATES_MAX {
        return Resolved::TooMany;
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.person.id.cmp(&b.person.id)));
    Resolved::Possible(found)
}
