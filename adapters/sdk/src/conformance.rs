//! The suite that every kind of source passes, against a real source: what [`Source`] promises (`conformance`), and what
//! an adapter over it refuses and releases (`served`). `bench` stands an adapter up in memory for both that and tests.

mod bench;
mod fits;

pub use bench::{Bench, BenchError, BenchParts, Keys, Question, everything_for};

use crate::{
    source::{Finding, Reading, Source},
    verify::Refusal,
};
use fits::fault_of;
use futures::StreamExt as _;
use severn_proto::v1::{Dataset, FetchResponse, Outcome, ReasonCode, fetch_response::Part};
use severn_trust::{ALL_DATASETS, dataset_word};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// What a suite knows of the source it is given.
#[derive(Clone, Debug)]
pub struct Expectations {
    /// A local id that the source knows, of a person with an NHS number or a whole birth date and a family name.
    pub known: String,
    /// A local id of the same form that it does not know.
    pub unknown: String,
    /// Another local id that it knows, of another person.
    pub other: String,
    /// Datasets under which it has entries for `known`.
    pub with_entries: Vec<Dataset>,
    /// How many registrations it has.
    pub registrations: usize,
}

/// How long a reading may take in the suite.
const BUDGET: Duration = Duration::from_secs(5);

/// How long a source may take to come back that was given a budget of one millisecond.
const PROMPT: Duration = Duration::from_millis(1500);

/// Registrations of which each is also read alone.
const READ_ALONE_MAX: usize = 50;

/// Checks what [`Source`] promises. Gives a line for every promise, kept or not.
pub async fn conformance(subject: &dyn Source, expected: &Expectations) -> Vec<Finding> {
    let mut report = Report::default();
    check_registrations(subject, expected, &mut report).await;
    check_unknown(subject, expected, &mut report).await;
    check_readings(subject, expected, &mut report).await;
    check_deadline(subject, expected, &mut report).await;
    report.0
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn say(&mut self, good: bool, text: impl Into<String>) {
        self.0.push(Finding { good, text: text.into() });
    }
}

async fn check_registrations(subject: &dyn Source, expected: &Expectations, report: &mut Report) {
    let mut rows = match subject.registrations().await {
        Ok(rows) => rows,
        Err(fault) => return report.say(false, format!("registrations can be read: {fault}")),
    };
    let (mut ids, mut twice, mut faulty) = (BTreeSet::new(), 0, 0);
    while let Some(row) = rows.next().await {
        match row.ok().and_then(|r| r.local_id.filter(|id| !id.value.is_empty() && !r.source_id.is_empty())) {
            Some(id) if !ids.insert(id.value.clone()) => twice += 1,
            Some(_) => {}
            None => faulty += 1,
        }
    }
    report.say(twice == 0, format!("local ids are unique: {twice} are not"));
    report.say(faulty == 0, format!("every registration names its source and local id: {faulty} do not"));
    let count = ids.len();
    report.say(count == expected.registrations, format!("{} registrations: {count} found", expected.registrations));
    report.say(ids.contains(&expected.known), "the known person is among the registrations");
    let mut missing = 0;
    for id in ids.iter().take(READ_ALONE_MAX) {
        let alone = subject.registration(id).await;
        let same = alone.ok().flatten().and_then(|r| r.local_id).is_some_and(|found| found.value == *id);
        missing += usize::from(!same);
    }
    report.say(missing == 0, format!("each registration can be read by itself: {missing} cannot"));
}

async fn check_unknown(subject: &dyn Source, expected: &Expectations, report: &mut Report) {
    let registration = subject.registration(&expected.unknown).await;
    report.say(matches!(registration, Ok(None)), "an unknown local id has no registration, which is no error");
    let held = subject.datasets();
    let read = subject.read(&expected.unknown, &held, BUDGET).await;
    let nothing = read.is_ok_and(|readings| readings.iter().all(|r| r.entries.is_empty() && !r.failed));
    report.say(nothing, "an unknown local id has no entries, which is no error");
    let document = subject.document(&expected.unknown, "no-such-entry").await;
    report.say(matches!(document, Ok(None)), "an unknown local id has no document, which is no error");
}

async fn check_readings(subject: &dyn Source, expected: &Expectations, report: &mut Report) {
    let held = subject.datasets();
    let ordered = held.is_sorted() && held.iter().all(|d| ALL_DATASETS.contains(d));
    report.say(ordered && !held.is_empty(), "the datasets held are known, in order, and each named once");
    let Some(first) = read(subject, &expected.known, &held, report).await else { return };
    let Some(second) = read(subject, &expected.known, &held, report).await else { return };
    report.say(ids(&first) == ids(&second), "entry ids stay the same from read to read");
    for reading in &first {
        check_entries(reading, expected, report);
    }
    for dataset in &held {
        let alone = read(subject, &expected.known, std::slice::from_ref(dataset), report).await;
        let same = alone.is_some_and(|alone| {
            let within = first.iter().filter(|r| r.dataset == *dataset).map(|r| r.entries.len()).sum::<usize>();
            alone.iter().map(|r| r.entries.len()).sum::<usize>() == within
        });
        report.say(same, format!("{} alone gives what it gives among others", dataset_word(*dataset)));
    }
    let none = subject.read(&expected.known, &[], BUDGET).await;
    report.say(none.is_ok_and(|readings| readings.is_empty()), "no dataset asked, none read");
}

/// Reads, and checks that there is exactly one reading for each dataset asked.
async fn read(subject: &dyn Source, local_id: &str, datasets: &[Dataset], report: &mut Report) -> Option<Vec<Reading>> {
    match subject.read(local_id, datasets, BUDGET).await {
        Ok(readings) => {
            let found: Vec<Dataset> = readings.iter().map(|r| r.dataset).collect();
            if found != datasets {
                report.say(false, "exactly one reading for each dataset asked, in order, and none other");
            }
            Some(readings)
        }
        Err(fault) => {
            report.say(false, format!("the known person can be read: {fault}"));
            None
        }
    }
}

fn ids(readings: &[Reading]) -> Vec<(Dataset, String)> {
    let heads = readings.iter().flat_map(|r| r.entries.iter().map(move |e| (r.dataset, e.head.as_ref())));
    let mut ids: Vec<_> = heads.map(|(d, head)| (d, head.map(|h| h.entry_id.clone()).unwrap_or_default())).collect();
    ids.sort();
    ids
}

fn check_entries(reading: &Reading, expected: &Expectations, report: &mut Report) {
    let word = dataset_word(reading.dataset);
    let faults: BTreeSet<&str> = reading.entries.iter().filter_map(|entry| fault_of(entry, reading.dataset)).collect();
    let said: Vec<&str> = faults.into_iter().collect();
    report.say(said.is_empty(), format!("{word}: every entry is whole: {}", said.join("; ")));
    let unique: HashSet<_> = reading.entries.iter().filter_map(|e| Some(&e.head.as_ref()?.entry_id)).collect();
    report.say(unique.len() == reading.entries.len(), format!("{word}: entry ids are unique"));
    report.say(!reading.failed && reading.unreadable == 0, format!("{word}: everything could be read"));
    if expected.with_entries.contains(&reading.dataset) {
        report.say(!reading.entries.is_empty(), format!("{word}: there are entries"));
    }
}

async fn check_deadline(subject: &dyn Source, expected: &Expectations, report: &mut Report) {
    let (held, budget) = (subject.datasets(), Duration::from_millis(1));
    let read = timeout(PROMPT, subject.read(&expected.known, &held, budget)).await;
    report.say(read.is_ok(), format!("a budget of 1 ms is honoured within {} ms", PROMPT.as_millis()));
}

/// Stands an adapter over `source` up in memory and checks what it releases, and that it refuses, in the same words
/// for every kind, whatever a hostile broker or app could try.
pub async fn served(source: Arc<dyn Source>, keys: Keys, expected: &Expectations) -> Vec<Finding> {
    let mut report = Report::default();
    let held = source.datasets();
    let bench = match Bench::start(BenchParts::new(Arc::clone(&source), keys)).await {
        Ok(bench) => bench,
        Err(fault) => {
            report.say(false, format!("an adapter can be built: {fault}"));
            return report.0;
        }
    };
    match bench.question(&expected.known, &held).await {
        Some(question) => {
            check_answer(&bench, &question, expected, &mut report).await;
            check_refusals(&bench, &question, expected, &mut report).await;
        }
        None => report.say(false, "the known person has a registration"),
    }
    report.0
}

async fn check_answer(bench: &Bench, question: &Question, expected: &Expectations, report: &mut Report) {
    let parts = match bench.fetch(question).await {
        Ok(parts) => parts,
        Err(status) => return report.say(false, format!("the known person is answered: {status:?}")),
    };
    report
        .say(well_formed(&parts, question), "opened first, one outcome for each dataset, end mark last, counts agree");
    let again = bench.fetch(question).await;
    let replayed =
        again.is_err_and(|status| status.message() == Refusal::Proof(severn_trust::ProofError::Replayed).to_string());
    report.say(replayed, "the same question a second time is refused");
    let mut unknown = bench.renewed(question);
    unknown.local_id = expected.unknown.clone();
    let parts = bench.fetch(&unknown).await.unwrap_or_default();
    let behind = outcomes(&parts)
        .iter()
        .all(|(outcome, reason)| *outcome == Outcome::NoAnswer && *reason == Some(ReasonCode::UnknownLocalId));
    let none = parts.iter().all(|part| !matches!(part.part, Some(Part::Batch(_))));
    report.say(behind && none && !parts.is_empty(), "an unknown local id is answered as such, without entries");
}

/// Turns a proper question into an attack.
type Attack = fn(&mut Question, &Expectations);

async fn check_refusals(bench: &Bench, question: &Question, expected: &Expectations, report: &mut Report) {
    let attacks: [(&str, Attack); 8] = [
        ("another person's local id", |q, e| q.local_id.clone_from(&e.other)),
        ("a token that has expired", |q, _| q.claims.exp -= 3600),
        ("a token for another audience", |q, _| q.claims.aud.push('x')),
        ("a proof for another purpose", |q, _| q.purpose = severn_proto::v1::PurposeOfUse::Audit),
        ("a proof signed long ago", |q, _| q.issued_s -= 3600),
        ("a statement for another source", |q, _| q.statement_source.push('x')),
        ("a statement that widens the datasets", |q, _| q.proof_datasets.clear()),
        ("a statement for another query", |q, _| q.statement_query.push('0')),
    ];
    for (what, change) in attacks {
        let mut attack = bench.renewed(question);
        change(&mut attack, expected);
        let before = bench.refusals();
        let refused = bench.fetch(&attack).await.is_err();
        report.say(refused, format!("refused: {what}"));
        report.say(bench.refusals() == before + 1, format!("audited: {what}"));
    }
    let unsigned = bench.challenge(&bench.renewed(question), Vec::new()).await;
    report.say(unsigned.is_err(), "refused: a challenge that the app did not sign");
    let mut stranger = bench.renewed(question);
    stranger.claims.role = "S0000:G0000:R0000".into();
    let parts = bench.fetch(&stranger).await.unwrap_or_default();
    let denied = outcomes(&parts).iter().all(|(outcome, _)| matches!(outcome, Outcome::NotShared | Outcome::NotHeld));
    report.say(denied && !parts.is_empty(), "a role that the owner does not know is shown nothing");
}

fn outcomes(parts: &[FetchResponse]) -> Vec<(Outcome, Option<ReasonCode>)> {
    let outcomes = parts.iter().filter_map(|part| match &part.part {
        Some(Part::Outcomes(several)) => Some(&several.outcomes),
        _ => None,
    });
    let said = outcomes.flatten().map(|one| (one.outcome(), one.reasons.first().map(|reason| reason.code())));
    said.collect()
}

fn well_formed(parts: &[FetchResponse], question: &Question) -> bool {
    let Some((first, rest)) = parts.split_first() else { return false };
    let Some((last, middle)) = rest.split_last() else { return false };
    let Some(Part::Opened(opened)) = &first.part else { return false };
    let Some(Part::End(end)) = &last.part else { return false };
    let (mut sent, mut said, mut answered) = (0, 0, Vec::new());
    for part in middle {
        match &part.part {
            Some(Part::Batch(batch)) => sent += batch.entries.len(),
            Some(Part::Outcomes(several)) => {
                said += several.outcomes.iter().map(|outcome| outcome.entries as usize).sum::<usize>();
                answered.extend(several.outcomes.iter().map(|outcome| outcome.dataset()));
            }
            _ => return false,
        }
    }
    answered.sort_unstable();
    let mut asked = question.datasets.clone();
    asked.sort_unstable();
    opened.local_id == question.local_id && answered == asked && sent == said && sent == end.entries as usize
}

#[cfg(test)]
mod tests;
