//! What keys like Metriport's would do to the same entries. The keys are written from facts that stand in the public: the
//! titles of its de-duplication tests (github.com/metriport/metriport at c6751a33). They are our reading of those titles,
//! on our corpus; no code of theirs runs here, and no number is a result of their product.

use super::score::regions;
use crate::region::{
    Region,
    headings::HEADINGS,
    told::{Coded, Exact, Fate, Told},
    truth::DAY,
};
use serde::Serialize;
use severn_proto::v1::{Assertion, Dataset};
use severn_trust::dataset_word;
use std::collections::HashMap;

/// What such keys lose in one dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Loss {
    /// The dataset's word.
    pub dataset: String,
    /// Entries given.
    pub entries: u64,
    /// Entries that are dropped, and stand nowhere.
    pub lost: u64,
    /// Pairs of entries that are joined and tell of two statements.
    pub wrongly_joined: u64,
    /// Groups in which a statement that its author withdrew reads as active, by a copy that does not know.
    pub retracted_as_active: u64,
    /// Statements that none are known that are dropped since something else is recorded.
    pub absences_suppressed: u64,
}

/// The datasets for which such keys are known.
const KEYED: [Dataset; 9] = [
    Dataset::Allergies,
    Dataset::Medications,
    Dataset::Problems,
    Dataset::Procedures,
    Dataset::Immunisations,
    Dataset::Investigations,
    Dataset::Observations,
    Dataset::Encounters,
    Dataset::Contacts,
];

/// What they lose on the corpus of `seed` with `records` records of each dataset.
#[must_use]
pub fn losses(seed: u64, records: u64) -> Vec<Loss> {
    let keyed = HEADINGS.iter().filter(|heading| KEYED.contains(&heading.dataset));
    let loss = |dataset: Dataset| {
        let mut loss = Loss { dataset: dataset_word(dataset), ..Loss::default() };
        regions(seed, records, dataset).for_each(|region| add(&mut loss, &region));
        loss
    };
    keyed.map(|heading| loss(heading.dataset)).collect()
}

/// A key, and the date beside it: an entry without a date joins the first of its key.
type Key = (String, Option<i64>);

/// Entries that one key joins, and their date.
type Group<'r> = (Option<i64>, Vec<&'r Told>);

fn add(loss: &mut Loss, region: &Region) {
    let shown: Vec<&Told> = region.told.iter().filter(|one| one.fate == Fate::Shown).collect();
    let mut groups: HashMap<String, Vec<Group<'_>>> = HashMap::new();
    let is_absence = |one: &Told| region.statement(one).assertion == Assertion::NoneKnown;
    let any_other = shown.iter().any(|one| !is_absence(one));
    for one in &shown {
        loss.entries += 1;
        if is_absence(one) && any_other {
            loss.lost += 1;
            loss.absences_suppressed += 1;
            continue;
        }
        let Some((key, date)) = key(region, one) else {
            loss.lost += 1;
            continue;
        };
        let of_key = groups.entry(key).or_default();
        match of_key.iter_mut().find(|(of, _)| *of == date || date.is_none() || of.is_none()) {
            Some((of, group)) => {
                *of = of.or(date);
                group.push(one);
            }
            None => of_key.push((date, vec![one])),
        }
    }
    for (_, group) in groups.values().flatten() {
        judge(loss, region, group);
    }
}

/// Of several statuses the "most descriptive" stands, and "entered in error" stands below "active".
fn judge(loss: &mut Loss, region: &Region, group: &[&Told]) {
    let withdrawn_copy = group.iter().any(|one| one.in_force() && region.is_retracted(one));
    loss.retracted_as_active += u64::from(withdrawn_copy && group.iter().any(|one| one.in_error()));
    for (at, one) in group.iter().enumerate() {
        loss.wrongly_joined += group[..at].iter().filter(|other| other.statement != one.statement).count() as u64;
    }
}

/// The key of an entry; none if such keys drop it.
fn key(region: &Region, one: &Told) -> Option<Key> {
    let statement = region.statement(one);
    let named = |coded: bool| match one.said.code {
        Coded::Thing => Some(format!("code {}", statement.thing)),
        Coded::Category => Some(format!("category {}", statement.thing)),
        Coded::No if coded => None,
        Coded::No => Some(format!("words {}", statement.heading.words(statement.thing))),
    };
    let field = |at: usize| one.said.fields.get(at).copied().flatten();
    let date = (one.said.start >= Exact::Day).then_some(match one.said.start {
        Exact::Minute => statement.start,
        _ => statement.start / DAY * DAY,
    });
    let day = date.map(|date| date / DAY);
    Some(match statement.heading.dataset {
        // By the reaction alone; without one there is no key.
        Dataset::Allergies if statement.assertion == Assertion::NoneKnown => ("none known".into(), None),
        Dataset::Allergies => (one.reaction?.into(), None),
        // The dose is in no key; what has no date is joined with its like.
        Dataset::Medications => (named(false)?, Some(day.unwrap_or(i64::MIN))),
        Dataset::Problems | Dataset::Procedures => (named(false)?, day),
        // Without a code there is no key.
        Dataset::Immunisations => (named(true)?, day),
        Dataset::Investigations | Dataset::Observations => (format!("{} {}", named(true)?, field(0)?), date),
        // By date; without one each stands alone.
        Dataset::Encounters => match date {
            Some(date) => (String::new(), Some(date)),
            None => (one.head.entry_id.clone(), None),
        },
        // By name and relationship, whatever the number; without a relationship there is no key.
        _ => (format!("{} {}", statement.heading.words(statement.thing), field(1)?), None),
    })
}
