//! The scope of an answer and the account kept for each (source, dataset) in it: what became of it and how many
//! entries went where. Every account starts without an outcome, and one that nobody speaks for ends as NO_ANSWER.

use super::write;
use crate::model::{Plan, Row, Source};
use bytes::Bytes;
use foldhash::{HashMap, HashMapExt as _};
use prost::Message as _;
use severn_proto::v1::{Dataset, Discrepancy, Heading, Outcome, Reason, ReasonCode};
use severn_trust::{ALL_DATASETS, Obligations};

/// Datasets and sources in scope, each once, in the order of the ledger.
pub(super) struct Scope<'p> {
    /// The datasets, crisis first.
    pub(super) datasets: Vec<Dataset>,
    /// The sources, by id.
    pub(super) sources: Vec<&'p Source>,
    /// Position in `plan.sources` of (source, local id).
    asks: HashMap<(&'p str, &'p str), usize>,
}

impl<'p> Scope<'p> {
    pub(super) fn of(plan: &'p Plan) -> Scope<'p> {
        let mut datasets = plan.datasets.clone();
        let rank = |dataset: &Dataset| ALL_DATASETS.iter().position(|d| d == dataset).unwrap_or(ALL_DATASETS.len());
        datasets.sort_by_key(rank);
        datasets.dedup();
        let mut sources: Vec<&Source> = plan.sources.iter().map(|planned| planned.source.as_ref()).collect();
        sources.sort_by(|a, b| a.id.cmp(&b.id));
        sources.dedup_by(|a, b| a.id == b.id);
        let mut asks = HashMap::with_capacity(plan.sources.len());
        for (at, planned) in plan.sources.iter().enumerate() {
            asks.entry((&*planned.source.id.0, &*planned.local_id.0)).or_insert(at);
        }
        Scope { datasets, sources, asks }
    }

    /// Position in `plan.sources` of what was asked; `None` if it was not.
    pub(super) fn ask(&self, source: &str, local_id: &str) -> Option<usize> {
        self.asks.get(&(source, local_id)).copied()
    }

    /// Position of a source; `None` if it is not in scope.
    pub(super) fn source(&self, id: &str) -> Option<usize> {
        self.sources.binary_search_by(|source| (*source.id.0).cmp(id)).ok()
    }

    /// Position of a dataset, by its number in the contract; `None` if it is not in scope.
    pub(super) fn dataset(&self, number: i32) -> Option<usize> {
        self.datasets.iter().position(|dataset| *dataset as i32 == number)
    }
}

/// What became of one dataset at one (source, local id).
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) reasons: Vec<Reason>,
    pub(super) as_of_ms: i64,
}

impl Verdict {
    pub(super) fn because(outcome: Outcome, code: ReasonCode) -> Verdict {
        Verdict { outcome, reasons: vec![reason(code, 0)], as_of_ms: 0 }
    }
}

/// Where the entries of one (source, dataset) went, and what was said of it.
#[derive(Default)]
pub(super) struct Account {
    outcome: Option<Outcome>,
    reasons: Vec<Reason>,
    as_of_ms: i64,
    stale: bool,
    /// Entries received.
    pub(super) received: u32,
    /// Entries that lead an item.
    pub(super) shown: u32,
    /// Entries within an item that another leads.
    pub(super) grouped: u32,
    /// Entries with a label that the requester may not see.
    pub(super) withheld: u32,
    /// Entries that were refused together with their dataset or the whole reply.
    pub(super) refused: u32,
    /// Entries that failed their own check.
    pub(super) failed: u32,
    /// Entries of which only the words are shown.
    pub(super) as_text: u32,
    /// Entries over a limit.
    pub(super) over_limit: u32,
    /// Longest wait: milliseconds.
    pub(super) waited_ms: u32,
    /// What comes with seeing what was received.
    pub(super) obligations: Obligations,
}

impl Account {
    /// Adds what was said under one of the source's local ids.
    pub(super) fn say(&mut self, verdict: Verdict) {
        self.stale |= verdict.outcome == Outcome::Stale;
        self.outcome = Some(match self.outcome {
            Some(before) => combine(before, verdict.outcome),
            None => verdict.outcome,
        });
        for new in verdict.reasons {
            add_reason(&mut self.reasons, new);
        }
        // Of two times the earlier is told: no reader may think the data fresher than it is.
        self.as_of_ms = match (self.as_of_ms, verdict.as_of_ms) {
            (0, time) | (time, 0) => time,
            (a, b) => a.min(b),
        };
    }

    fn into_row(mut self, dataset: Dataset, source: &Source) -> Row<'_> {
        if self.outcome.is_none() {
            self.say(Verdict::because(Outcome::NoAnswer, ReasonCode::Internal));
        }
        for (count, outcome, code) in [
            (self.withheld, Outcome::Withheld, ReasonCode::Label),
            (self.failed, Outcome::AnsweredPartial, ReasonCode::EntriesRejected),
            (self.as_text, Outcome::AnsweredPartial, ReasonCode::KeptAsText),
            (self.over_limit, Outcome::AnsweredPartial, ReasonCode::OverLimit),
        ] {
            if count > 0 {
                self.say(Verdict { outcome, reasons: vec![reason(code, count)], as_of_ms: 0 });
            }
        }
        if self.stale {
            add_reason(&mut self.reasons, reason(ReasonCode::AsOf, 0));
        }
        // Stable, so that within a kind of reason the source's own order stands.
        self.reasons.sort_by_key(decisiveness);
        Row {
            source,
            dataset,
            outcome: self.outcome.unwrap_or(Outcome::NoAnswer),
            reasons: self.reasons,
            received: self.received,
            shown: self.shown,
            grouped: self.grouped,
            withheld: self.withheld,
            rejected: self.refused + self.failed + self.over_limit,
            as_of_ms: self.as_of_ms,
            waited_ms: self.waited_ms,
            obligations: self.obligations,
        }
    }
}

/// One account for each (source, dataset) in scope.
pub(super) struct Accounts {
    sources: usize,
    accounts: Vec<Account>,
}

impl Accounts {
    pub(super) fn of(scope: &Scope<'_>) -> Accounts {
        let mut accounts = Vec::new();
        accounts.resize_with(scope.sources.len() * scope.datasets.len(), Account::default);
        Accounts { sources: scope.sources.len(), accounts }
    }

    /// The account of a source and a dataset, by their positions in the scope.
    pub(super) fn of_pair(&mut self, source: usize, dataset: usize) -> &mut Account {
        &mut self.accounts[dataset * self.sources + source]
    }

    /// The ledger's rows, by dataset, then source id.
    pub(super) fn into_rows<'p>(self, scope: &Scope<'p>) -> Vec<Row<'p>> {
        let pairs = scope.datasets.iter().flat_map(|dataset| scope.sources.iter().map(move |source| (dataset, source)));
        let mut rows = Vec::with_capacity(self.accounts.len());
        for (account, (dataset, source)) in self.accounts.into_iter().zip(pairs) {
            rows.push(account.into_row(*dataset, source));
        }
        rows
    }
}

/// A `Ledger`, serialised: as it is sent, and as the digest counts it, without times and waits.
pub(super) struct WrittenLedger {
    pub(super) sent: Bytes,
    pub(super) digested: Vec<u8>,
}

/// Bytes of a serialised row, about.
const ROW_BYTES: usize = 96;

/// Writes the ledger.
pub(super) fn ledger(
    rows: &[Row<'_>],
    summary: &str,
    (headings, discrepancies): (&[Heading], &[Discrepancy]),
) -> WrittenLedger {
    let room = || Vec::with_capacity(rows.len() * ROW_BYTES);
    let (mut sent, mut digested) = (room(), room());
    let (mut row_bytes, mut reason_bytes) = (Vec::new(), Vec::new());
    for row in rows {
        row_bytes.clear();
        for (field, text) in [(1, &*row.source.id.0), (2, &row.source.name), (3, &row.source.kind)] {
            write::text(&mut row_bytes, field, text);
        }
        for (field, word) in [(4, row.dataset as u64), (5, row.outcome as u64)] {
            write::number(&mut row_bytes, field, word);
        }
        for reason in &row.reasons {
            reason_bytes.clear();
            // The code as a decoder widens it: an unknown one may be negative.
            write::number(&mut reason_bytes, 1, i64::from(reason.code) as u64);
            write::number(&mut reason_bytes, 2, reason.count.into());
            write::bytes(&mut row_bytes, 6, &reason_bytes);
        }
        let counts = [row.received, row.shown, row.grouped, row.withheld, row.rejected];
        for (field, count) in (7..).zip(counts) {
            write::number(&mut row_bytes, field, count.into());
        }
        let untimed = row_bytes.len();
        put_obligations(&mut row_bytes, row.obligations);
        write::bytes(&mut digested, 1, &row_bytes);
        row_bytes.truncate(untimed);
        write::number(&mut row_bytes, 12, row.as_of_ms as u64);
        write::number(&mut row_bytes, 13, row.waited_ms.into());
        put_obligations(&mut row_bytes, row.obligations);
        write::bytes(&mut sent, 1, &row_bytes);
    }
    for out in [&mut sent, &mut digested] {
        write::text(out, 2, summary);
        headings.iter().for_each(|heading| write::bytes(out, 3, &heading.encode_to_vec()));
        discrepancies.iter().for_each(|one| write::bytes(out, 4, &one.encode_to_vec()));
    }
    WrittenLedger { sent: sent.into(), digested }
}

/// The last field of a row: the numbers of its obligations, packed, each of one byte.
fn put_obligations(row: &mut Vec<u8>, obligations: Obligations) {
    if !obligations.is_empty() {
        write::open(row, 14, obligations.iter().count());
        row.extend(obligations.iter().map(|obligation| obligation as u8));
    }
}

/// What two outcomes for the same thing come to (OUT-1, OUT-2).
pub(super) fn combine(a: Outcome, b: Outcome) -> Outcome {
    let answered = |outcome| matches!(outcome, Outcome::Answered | Outcome::Stale);
    let kept_back = |outcome| matches!(outcome, Outcome::NotShared | Outcome::NotAsked);
    // Entries under one local id and silence by rule under the other: the reader has a part.
    if (answered(a) && kept_back(b)) || (answered(b) && kept_back(a)) {
        return Outcome::AnsweredPartial;
    }
    if weight(a) >= weight(b) { a } else { b }
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Rejected => 10,
        Outcome::NoAnswer | Outcome::Unspecified => 9,
        Outcome::Withheld => 8,
        Outcome::AnsweredPartial => 7,
        Outcome::Stale => 6,
        Outcome::Answered => 5,
        // "Nothing recorded" must not hide that something was not asked for or is not shared.
        Outcome::NotShared => 4,
        Outcome::NotAsked => 3,
        Outcome::AnsweredNone => 2,
        Outcome::NotHeld => 1,
    }
}

/// A reason; `count` is 0 where it is not known or not meant.
pub(super) fn reason(code: ReasonCode, count: u32) -> Reason {
    Reason { code: code as i32, count }
}

/// Unites reasons by code; counts add up.
fn add_reason(reasons: &mut Vec<Reason>, new: Reason) {
    match reasons.iter_mut().find(|reason| reason.code == new.code) {
        Some(known) => known.count = known.count.saturating_add(new.count),
        None => reasons.push(new),
    }
}

/// Place of a reason in the list: by the outcome it stands for, the gravest first.
fn decisiveness(reason: &Reason) -> u8 {
    match reason.code {
        80..=89 => 0,
        1..=19 | 65 => 1,
        40..=59 => 2,
        20..=39 => 3,
        90 => 4,
        60..=64 => 5,
        _ => 6,
    }
}
