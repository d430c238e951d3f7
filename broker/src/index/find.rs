//! Finds who is meant. Pure: reads the state, changes nothing. It never guesses: one person only where the evidence
//! is whole and points at nobody else; otherwise possible persons for a human, or nobody.
//!
//! * **NHS number and birth date**: both must agree. A number with another birth date finds nobody, for showing the
//!   number's owner would tell a stranger who it is; where the birth date was never recorded in full, the owner is possible.
//! * **Source and local id**: the person of that registration.
//! * **Family name, given name, birth date**: equal after normalising. One person only if the postcode was given, is
//!   the current one of exactly one of them, all given names agree, and every other has another postcode on record.

use super::{
    decide::Row,
    event::RegistrationKey,
    normalise::{Name, postcode, search_key, whole_date},
    state::State,
};
use crate::model::{LocalId, Person, SourceId};
use severn_proto::v1::{Demographics, Sex};
use severn_trust::NhsNumber;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Registrations that share one number or name, at most; more than that and the value is taken for a placeholder.
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
    /// By demographics.
    Demographics {
        /// Family name.
        family: String,
        /// Given name or names.
        given: String,
        /// Birth date, ISO 8601, whole.
        birth_date: String,
        /// Sex; `Unspecified` and `Unknown` exclude nobody.
        sex: Sex,
        /// Postcode; empty if unknown.
        postcode: String,
    },
}

/// A person who is or may be meant. Its `Debug` shows nothing of them.
#[derive(Clone, PartialEq)]
pub struct Found {
    /// The person.
    pub person: Person,
    /// Probability that this is the person meant, 0 to 1. Exact rules give 1.
    pub score: f64,
    /// Why, one sentence for each rule that matched.
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
    /// More than [`CANDIDATES_MAX`]; the search must be narrowed.
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
        Search::Demographics { family, given, birth_date, sex, postcode } => {
            by_demographics(state, &Name::from_parts(family, [given.as_str()]), birth_date, (*sex, postcode))
        }
    }
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

fn possible(state: &State, rows: &BTreeSet<Row>, why: &str) -> Resolved {
    let persons = rows.iter().filter_map(|row| state.person_at(*row)).map(|person| (person, 1.0, vec![why.to_owned()]));
    shown(persons.collect())
}

/// Possible persons with the weight of each; the weights become shares of what is certain at most.
fn shown(persons: Vec<(Person, f64, Vec<String>)>) -> Resolved {
    if persons.is_empty() {
        return Resolved::Nobody;
    }
    if persons.len() > CANDIDATES_MAX {
        return Resolved::TooMany;
    }
    let sum = persons.iter().map(|(_, weight, _)| weight).sum::<f64>().max(1.0);
    let mut found: Vec<Found> =
        persons.into_iter().map(|(person, weight, why)| Found { person, score: weight / sum, why }).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.person.id.cmp(&b.person.id)));
    Resolved::Possible(found)
}

/// A person with the name and birth date that were asked for.
struct Candidate {
    person: Person,
    all_given_names: bool,
    /// Whether the current postcode is the one asked for; `None` where there is nothing to compare.
    same_postcode: Option<bool>,
}

fn by_demographics(state: &State, name: &Name, birth_date: &str, (sex, code): (Sex, &str)) -> Resolved {
    let Some(key) = whole_date(birth_date).and_then(|birth| search_key(name, birth)) else { return Resolved::Nobody };
    let rows = state.with_name(key);
    if rows.len() > SHARED_MAX {
        return Resolved::TooMany;
    }
    let mut persons: BTreeMap<Row, bool> = BTreeMap::new();
    for row in rows {
        let demographics = state.registration(*row).demographics.unwrap_or_default();
        if sexes_differ(sex, demographics.sex()) {
            continue;
        }
        let all_given_names = demographics.names.iter().any(|n| {
            let own = Name::of(n);
            own.family == name.family && own.given == name.given
        });
        *persons.entry(state.person_row(*row)).or_default() |= all_given_names;
    }
    if persons.len() > CANDIDATES_MAX {
        return Resolved::TooMany;
    }
    let code = postcode(code);
    let candidates: Vec<Candidate> = persons
        .into_iter()
        .filter_map(|(row, all_given_names)| {
            let person = state.person_at(row)?;
            let same_postcode = code.as_ref().and_then(|code| lives_at(&person.golden, code));
            Some(Candidate { person, all_given_names, same_postcode })
        })
        .collect();
    let certain = |c: &&Candidate| c.all_given_names && c.same_postcode == Some(true);
    let excluded = |c: &&Candidate| c.same_postcode == Some(false);
    let only = candidates.iter().filter(certain).count() == 1
        && candidates.iter().filter(excluded).count() + 1 == candidates.len()
        && !name.is_placeholder();
    if only && let Some(found) = candidates.iter().find(certain) {
        return one(found.person.clone(), why(found));
    }
    shown(candidates.into_iter().map(|c| (c.person.clone(), weight(&c), why(&c))).collect())
}

fn sexes_differ(asked: Sex, recorded: Sex) -> bool {
    let known = |sex| !matches!(sex, Sex::Unspecified | Sex::Unknown);
    known(asked) && known(recorded) && asked != recorded
}

fn lives_at(golden: &Demographics, code: &str) -> Option<bool> {
    let current = golden.addresses.iter().filter(|address| address.until.is_empty());
    let codes: Vec<String> = current.filter_map(|address| postcode(&address.postcode)).collect();
    if codes.is_empty() { None } else { Some(codes.iter().any(|c| c == code)) }
}

/// Orders candidates; no estimate of frequencies stands behind it.
fn weight(candidate: &Candidate) -> f64 {
    let place = match candidate.same_postcode {
        Some(true) => 0.9,
        None => 0.6,
        Some(false) => 0.3,
    };
    if candidate.all_given_names { place } else { place / 2.0 }
}

fn why(candidate: &Candidate) -> Vec<String> {
    let name = if candidate.all_given_names {
        "same names and birth date"
    } else {
        "same family name, first given name and birth date"
    };
    let place = match candidate.same_postcode {
        Some(true) => "same postcode",
        Some(false) => "another postcode",
        None => "no postcode to compare",
    };
    vec![name.into(), place.into()]
}
