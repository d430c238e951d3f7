//! One sentence on what is missing and who did not answer, in plain words.

use crate::model::Row;
use severn_proto::v1::{Outcome, ReasonCode};
use severn_trust::dataset_word;
use std::fmt::Write as _;

/// Sources named in one part of the sentence; the others are counted.
const SOURCES_NAMED_MAX: usize = 5;

/// Datasets named for one source; the others are counted.
const DATASETS_NAMED_MAX: usize = 3;

/// The parts of the sentence, the gravest first.
const PARTS: [(Lack, &str); 8] = [
    (Lack::Outcome(Outcome::NoAnswer), "no answer from"),
    (Lack::Outcome(Outcome::Rejected), "an answer that failed checks from"),
    (Lack::Outcome(Outcome::Withheld), "items withheld at"),
    (Lack::Outcome(Outcome::AnsweredPartial), "only part from"),
    (Lack::Outcome(Outcome::Stale), "earlier data from"),
    (Lack::Outcome(Outcome::NotShared), "not shared by"),
    (Lack::Outcome(Outcome::NotAsked), "not asked of"),
    (Lack::UnknownPerson, "person not recognised at"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lack {
    Outcome(Outcome),
    UnknownPerson,
}

/// Sums `rows` up; `datasets` is the number of datasets in scope.
pub(super) fn summary(rows: &[Row<'_>], datasets: usize) -> String {
    if rows.is_empty() {
        let nothing =
            if datasets == 0 { "Nothing was asked for." } else { "No source is known to hold this person's record." };
        return nothing.to_owned();
    }
    let mut sentence = String::new();
    for (part, words) in PARTS {
        let lacking: Vec<&Row<'_>> = rows.iter().filter(|row| lack(row) == Some(part)).collect();
        if lacking.is_empty() {
            continue;
        }
        sentence.push_str(if sentence.is_empty() { "" } else { "; " });
        sentence.push_str(words);
        sentence.push(' ');
        name_sources(&mut sentence, &lacking, datasets);
    }
    if sentence.is_empty() {
        return "Nothing is missing.".to_owned();
    }
    sentence.push('.');
    sentence[..1].make_ascii_uppercase();
    sentence
}

fn lack(row: &Row<'_>) -> Option<Lack> {
    match row.outcome {
        Outcome::Answered | Outcome::AnsweredNone | Outcome::NotHeld => {
            let unknown = row.reasons.iter().any(|reason| reason.code == ReasonCode::UnknownLocalId as i32);
            unknown.then_some(Lack::UnknownPerson)
        }
        Outcome::Unspecified => Some(Lack::Outcome(Outcome::NoAnswer)),
        outcome => Some(Lack::Outcome(outcome)),
    }
}

/// Names the sources of `rows`, by id, and of each the datasets, unless all are concerned.
fn name_sources(sentence: &mut String, rows: &[&Row<'_>], datasets: usize) {
    let mut by_source: Vec<&Row<'_>> = rows.to_vec();
    // Stable: within a source the datasets keep the ledger's order.
    by_source.sort_by(|a, b| a.source.id.cmp(&b.source.id));
    let sources: Vec<&[&Row<'_>]> = by_source.chunk_by(|a, b| a.source.id == b.source.id).collect();
    for (at, rows) in sources.iter().take(SOURCES_NAMED_MAX).enumerate() {
        sentence.push_str(if at == 0 { "" } else { ", " });
        let row = rows[0];
        sentence.push_str(if row.source.name.is_empty() { &row.source.id.0 } else { &row.source.name });
        if rows.len() < datasets {
            name_datasets(sentence, rows);
        }
    }
    if let Some(others) = sources.len().checked_sub(SOURCES_NAMED_MAX).filter(|others| *others > 0) {
        // Writing to a string cannot fail.
        let _ = write!(sentence, " and {others} more {}", if others == 1 { "source" } else { "sources" });
    }
}

fn name_datasets(sentence: &mut String, rows: &[&Row<'_>]) {
    sentence.push_str(" (");
    for (at, row) in rows.iter().take(DATASETS_NAMED_MAX).enumerate() {
        sentence.push_str(if at == 0 { "" } else { ", " });
        sentence.push_str(&dataset_word(row.dataset).replace('_', " "));
    }
    if rows.len() > DATASETS_NAMED_MAX {
        let _ = write!(sentence, " and {} more", rows.len() - DATASETS_NAMED_MAX);
    }
    sentence.push(')');
}
