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
//!   nearly as likely, and no namesake is left of whom neither postcode nor phone is known to say otherwise.

use super::{
    decide::{Means, Row},
    event::RegistrationKey,
    evidence::with_identity,
    normalise::whole_date,
    state::State,
};
use crate::model::{LocalId, Person, SourceId};
use jiff::{ToSpan as _, civil::Date};
use severn_linkage::{
    bulk::ScoredPair,
    decide::rules::{Verdict, judge},
    levels::Field,
    population::Probe,
    score::Score,
};
use severn_proto::v1::{Address, Demographics, HumanName, Sex, Telecom, telecom::System};
use severn_trust::NhsNumber;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Registrations that share one number, at most; more than that and the value is taken for a placeholder.
const SHARED_MAX: usize = if cfg!(test) { 100 } else { 1_000 };

/// Persons named in one answer, at most.
pub const CANDIDATES_MAX: usize = 20;

/// Registrations compared for one search by demographics, at most.
const COMPARED_MAX: usize = 50_000;

/// Who is less likely than this is not shown, nor who is unlikely and fits a hundred times worse than somebody else.
const SHOWN_MIN: f64 = 0.01;

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
        /// Family name, current or former.
        family: String,
        /// Given name or names.
        given: String,
        /// Birth date, ISO 8601, whole or partial: YYYY-MM-DD, YYYY-MM or YYYY.
        birth_date: String,
        /// Sex; `Unspecified` and `Unknown` speak against nobody.
        sex: Sex,
        /// Postcode, current or former; empty if unknown.
        postcode: String,
        /// Telephone number, in any form; empty if unknown.
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
            let asked = Demographics {
                names: names_of(family, given),
                birth_date: birth_date.clone(),
                sex: (*sex).into(),
                addresses: vec![Address { postcode: postcode.clone(), ..Address::default() }],
                telecoms: vec![Telecom { value: phone.clone(), system: System::Phone.into(), ..Telecom::default() }],
                ..Demographics::default()
            };
            by_demographics(state, &asked)
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

/// How well a person fits a question: as well as the best of their registrations.
struct Fit {
    row: Row,
    score: Score,
    /// Whether the rules would link the question with the registration.
    would_link: bool,
    /// Whether no registration of theirs has a postcode or phone to compare with the question's.
    is_silent: bool,
}

fn by_demographics(state: &State, asked: &Demographics) -> Resolved {
    let Some(question) = Question::new(state, asked) else { return Resolved::Nobody };
    let Some(fits) = question.fits() else { return Resolved::TooMany };
    let found = |fit: &Fit, score| Some(Found { person: state.person_at(fit.row)?, score, why: question.why(fit.row) });
    if let Some(one) = question.only(&fits) {
        return found(one, one.score.probability).map_or(Resolved::Nobody, |found| Resolved::One(Box::new(found)));
    }
    if fits.len() > CANDIDATES_MAX {
        return Resolved::TooMany;
    }
    // One of them at most is meant, or somebody who is not here: they share what is certain.
    let odds: f64 = fits.iter().map(|fit| fit.score.bits.exp2()).sum();
    shown(fits.iter().filter_map(|fit| found(fit, fit.score.bits.exp2() / (1.0 + odds))).collect())
}

/// What is asked, made ready. A birth date known in part is the question for each of its days, of which one is right.
struct Question<'a> {
    state: &'a State,
    means: Means<'a>,
    asked: Probe,
    days: Vec<(Date, Probe)>,
}

impl<'a> Question<'a> {
    /// `None` if the birth date is none.
    fn new(state: &'a State, asked: &Demographics) -> Option<Question<'a>> {
        let means = state.means();
        let probe = |demographics: &Demographics| with_identity(demographics, |own| means.population.probe(own));
        let day = |date: Date| (date, probe(&Demographics { birth_date: date.to_string(), ..asked.clone() }));
        let days: Vec<(Date, Probe)> = days_of(&asked.birth_date)?.into_iter().map(day).collect();
        Some(Question { state, means, asked: probe(asked), days })
    }

    /// Everybody who may be meant, the likeliest first; `None` if there are too many to look at.
    fn fits(&self) -> Option<Vec<Fit>> {
        let mut rows = BTreeSet::new();
        let mut cut = false;
        for probe in self.days.iter().map(|(_, probe)| probe).chain([&self.asked]) {
            let candidates = self.means.population.candidates_of(probe);
            rows.extend(candidates.rows.into_iter().map(Row));
            cut |= candidates.cut;
            if rows.len() > COMPARED_MAX {
                return None;
            }
        }
        let mut persons: BTreeMap<Row, Fit> = BTreeMap::new();
        for own in rows.into_iter().map(|row| self.fit(row)) {
            let person = self.state.person_row(own.row);
            let Some(known) = persons.get_mut(&person) else {
                persons.insert(person, own);
                continue;
            };
            let is_silent = known.is_silent && own.is_silent;
            if own.score.bits > known.score.bits {
                *known = own;
            }
            known.is_silent = is_silent;
        }
        let mut fits: Vec<Fit> = persons.into_values().filter(|fit| fit.score.probability >= SHOWN_MIN).collect();
        fits.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits));
        let best = fits.first().map_or(0.0, |best| best.score.bits);
        let review_min = self.means.policy.review_min;
        fits.retain(|fit| fit.score.probability >= review_min || (fit.score.bits - best).exp2() >= SHOWN_MIN);
        // Who shares a value with too many was not looked at, so that "nobody" would be a guess.
        if cut && fits.is_empty() { None } else { Some(fits) }
    }

    /// Who is meant beyond doubt, if anybody is.
    fn only<'f>(&self, fits: &'f [Fit]) -> Option<&'f Fit> {
        let policy = self.means.policy;
        let (best, others) = fits.split_first()?;
        let rivals = |other: &Fit| {
            let is_namesake = other.is_silent && other.score.probability >= policy.review_min;
            is_namesake || best.score.bits - other.score.bits < policy.lead_bits
        };
        (best.would_link && !others.iter().any(rivals)).then_some(best)
    }

    fn fit(&self, row: Row) -> Fit {
        let Means { population, model, policy } = self.means;
        let born = self.state.claim(row).0.birth;
        let day = born.and_then(|born| self.days.binary_search_by_key(&born, |(date, _)| *date).ok());
        // A registration agrees with one day of those asked for; each of them was as likely to be meant.
        let (probe, days) = day.map_or((&self.asked, 1), |day| (&self.days[day].1, self.days.len()));
        let comparison = population.compare_with(probe, row.0);
        let bits = model.score(&comparison).bits - (days as f64).log2();
        let score = Score::of_bits(bits);
        // The question stands in no row.
        let pair = ScoredPair { one: row.0, two: u32::MAX, comparison, score };
        let says = |field| comparison.levels.get(field) != 0;
        let is_whole = [Field::Given, Field::Family, Field::Birth].into_iter().all(says);
        Fit {
            row,
            score,
            would_link: is_whole && judge(population, model, &pair, policy) == Verdict::Automatic,
            is_silent: !says(Field::Place) && !says(Field::Phone),
        }
    }

    /// How far each field agrees with a registration, in words.
    fn why(&self, row: Row) -> Vec<String> {
        let reasons = self.means.model.explain(&self.means.population.compare_with(&self.asked, row.0));
        reasons.iter().map(|reason| format!("{}: {}", reason.field.name(), reason.level)).collect()
    }
}

/// The days that a birth date may mean, in order; `None` if it is no date.
fn days_of(birth_date: &str) -> Option<Vec<Date>> {
    let (first, last) = match birth_date.len() {
        4 => whole_date(&format!("{birth_date}-01-01")).map(|first| (first, first.last_of_year()))?,
        7 => whole_date(&format!("{birth_date}-01")).map(|first| (first, first.last_of_month()))?,
        _ => whole_date(birth_date).map(|date| (date, date))?,
    };
    Some(first.series(1.day()).take_while(|day| *day <= last).collect())
}
