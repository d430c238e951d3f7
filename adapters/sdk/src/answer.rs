//! Makes the parts of an answer out of what was read: owner's labels applied, limits kept, exactly one outcome for each
//! dataset. Pure: no I/O, no clock.
//!
//! **Invariant:** an entry is sent under its own dataset only, and every entry read is sent, withheld with a count, or
//! left out with a count and a reason.

use crate::{
    limits::Limits,
    policy::{Ruling, may_leave},
    restricted::{Stripped, strip},
    source::Reading,
};
use prost::Message as _;
use severn_policy::Decisions;
use severn_proto::v1::{
    Dataset, DatasetOutcome, DatasetOutcomes, Entry, EntryBatch, FetchResponse, Outcome, Reason, ReasonCode,
    fetch_response::Part,
};
use severn_trust::Obligations;

/// What is answered of one dataset.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The kind of content.
    pub dataset: Dataset,
    /// The entries that leave.
    pub entries: Vec<Entry>,
    /// What became of the dataset.
    pub outcome: DatasetOutcome,
}

/// Shapes the answers of one query; what the limits leave is counted over all of its datasets.
pub(crate) struct Shaper<'a> {
    decisions: &'a Decisions,
    restricted: bool,
    now_ms: i64,
    stale_after_ms: i64,
    entries_left: usize,
    bytes_left: usize,
    entry_bytes_max: usize,
}

/// Bytes that a message needs around its entries: tags, lengths, dataset.
const ENVELOPE_BYTES: usize = 64;

/// Bytes that an entry needs around it within a batch.
const ENTRY_ENVELOPE_BYTES: usize = 8;

impl<'a> Shaper<'a> {
    pub fn new(decisions: &'a Decisions, limits: &Limits, now_ms: i64) -> Shaper<'a> {
        Shaper {
            decisions,
            restricted: false,
            now_ms,
            stale_after_ms: i64::try_from(limits.stale_after_ms).unwrap_or(i64::MAX),
            entries_left: limits.entries_max,
            bytes_left: limits.answer_bytes_max,
            entry_bytes_max: limits.batch_bytes_max.saturating_sub(ENVELOPE_BYTES),
        }
    }

    /// The policy that decides.
    pub fn policy_version(&self) -> &'a str {
        self.decisions.policy_version()
    }

    /// Takes out whatever locates the person, if the source holds them as restricted.
    pub fn of_person(self, restricted: bool) -> Shaper<'a> {
        Shaper { restricted, ..self }
    }

    /// One answer for each ruling, in order. `read` holds one reading for each dataset ruled to be read, or says why
    /// there is none.
    pub fn shape(&mut self, rulings: &[(Dataset, Ruling)], read: Result<Vec<Reading>, ReasonCode>) -> Vec<Answer> {
        let mut read = read;
        let mut answers = Vec::with_capacity(rulings.len());
        for (dataset, ruling) in rulings {
            answers.push(match (ruling, &mut read) {
                (Ruling::NotHeld, _) => self.bare(*dataset, Outcome::NotHeld, None),
                (Ruling::NotShared, _) => self.bare(*dataset, Outcome::NotShared, Some(ReasonCode::Agreement)),
                (Ruling::Withheld(why), _) => self.bare(*dataset, Outcome::Withheld, Some(*why)),
                (Ruling::Read, Err(code)) => self.bare(*dataset, Outcome::NoAnswer, Some(*code)),
                (Ruling::Read, Ok(readings)) => match only(readings, *dataset) {
                    Some(reading) => self.of_reading(reading),
                    None => self.bare(*dataset, Outcome::NoAnswer, Some(ReasonCode::SourceFailed)),
                },
            });
        }
        answers
    }

    fn of_reading(&mut self, reading: Reading) -> Answer {
        if reading.failed {
            let why = if reading.other_person > 0 { ReasonCode::OtherPerson } else { ReasonCode::SourceFailed };
            return self.bare(reading.dataset, Outcome::NoAnswer, Some(why));
        }
        if reading.not_held {
            return self.bare(reading.dataset, Outcome::NotHeld, None);
        }
        let (mut withheld, mut stripped, mut unreadable, mut over_limit) = (0, 0, reading.unreadable, 0);
        let mut entries = Vec::with_capacity(reading.entries.len());
        let mut obligations = Obligations::default();
        for entry in reading.entries {
            // The owner ruled on this dataset; an entry that says it is of another must not slip out under it.
            let fits = entry.head.as_ref().is_some_and(|h| h.dataset() == reading.dataset && !h.entry_id.is_empty());
            if !fits {
                unreadable += 1;
                continue;
            }
            let Some(owed) = may_leave(self.decisions, &entry) else {
                withheld += 1;
                continue;
            };
            let entry = match if self.restricted { strip(entry) } else { Stripped::Whole(entry) } {
                Stripped::Whole(entry) => entry,
                Stripped::Less(entry) => {
                    stripped += 1;
                    entry
                }
                Stripped::Nothing => {
                    withheld += 1;
                    continue;
                }
            };
            if self.admits(&entry) {
                obligations = obligations.and(owed);
                entries.push(entry);
            } else {
                over_limit += 1;
            }
        }
        let stale = reading.as_of_ms.is_some_and(|at| self.now_ms.saturating_sub(at) > self.stale_after_ms);
        let counts = [
            (ReasonCode::Label, withheld + stripped),
            (ReasonCode::OverLimit, over_limit),
            (ReasonCode::Unreadable, unreadable),
            (ReasonCode::OtherPerson, reading.other_person),
        ];
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        let mut reasons: Vec<Reason> = counted.map(|(code, count)| Reason { code: code.into(), count }).collect();
        // The source itself says that its owner keeps some of it back.
        let kept_back = reading.partial.iter().any(|reason| reason.code() == ReasonCode::ByOwner);
        let left_out = stripped + over_limit + unreadable + reading.other_person;
        let partial = left_out > 0 || !reading.partial.is_empty();
        reasons.extend(reading.partial);
        if stale {
            reasons.push(Reason { code: ReasonCode::AsOf.into(), count: 0 });
        }
        let outcome = match () {
            () if withheld > 0 || kept_back => Outcome::Withheld,
            () if partial => Outcome::AnsweredPartial,
            () if stale => Outcome::Stale,
            () if entries.is_empty() => Outcome::AnsweredNone,
            () => Outcome::Answered,
        };
        let outcome = DatasetOutcome {
            dataset: reading.dataset.into(),
            outcome: outcome.into(),
            reasons,
            entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            as_of_ms: reading.as_of_ms.unwrap_or(self.now_ms),
            obligations: obligations.iter().map(i32::from).collect(),
        };
        Answer { dataset: reading.dataset, entries, outcome }
    }

    fn admits(&mut self, entry: &Entry) -> bool {
        let bytes = entry.encoded_len() + ENTRY_ENVELOPE_BYTES;
        let fits = self.entries_left > 0 && bytes <= self.bytes_left && bytes <= self.entry_bytes_max;
        if fits {
            self.entries_left -= 1;
            self.bytes_left -= bytes;
        }
        fits
    }

    fn bare(&self, dataset: Dataset, outcome: Outcome, why: Option<ReasonCode>) -> Answer {
        let reasons = why.into_iter().map(|code| Reason { code: code.into(), count: 0 }).collect();
        let said = matches!(outcome, Outcome::NotHeld | Outcome::NotShared | Outcome::Withheld);
        let outcome = DatasetOutcome {
            dataset: dataset.into(),
            outcome: outcome.into(),
            reasons,
            entries: 0,
            as_of_ms: if said { self.now_ms } else { 0 },
            obligations: Vec::new(),
        };
        Answer { dataset, entries: Vec::new(), outcome }
    }
}

/// The one reading of `dataset`, taken out. Two are as bad as none: nobody knows which is whole.
fn only(readings: &mut Vec<Reading>, dataset: Dataset) -> Option<Reading> {
    let mut found = readings.iter().enumerate().filter(|(_, r)| r.dataset == dataset).map(|(at, _)| at);
    let (first, second) = (found.next()?, found.next());
    second.is_none().then(|| readings.swap_remove(first))
}

/// The messages of answers that are ready together: their batches, each of at most `batch_bytes_max`, then all outcomes.
pub(crate) fn messages(answers: Vec<Answer>, batch_bytes_max: usize) -> Vec<FetchResponse> {
    let mut messages = Vec::new();
    let mut outcomes = Vec::with_capacity(answers.len());
    for answer in answers {
        pack(answer.dataset, answer.entries, batch_bytes_max, &mut messages);
        outcomes.push(answer.outcome);
    }
    messages.push(message(Part::Outcomes(DatasetOutcomes { outcomes })));
    messages
}

fn pack(dataset: Dataset, entries: Vec<Entry>, batch_bytes_max: usize, messages: &mut Vec<FetchResponse>) {
    let room = batch_bytes_max.saturating_sub(ENVELOPE_BYTES);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    let pack = |entries: Vec<Entry>| message(Part::Batch(EntryBatch { dataset: dataset.into(), entries }));
    for entry in entries {
        let more = entry.encoded_len() + ENTRY_ENVELOPE_BYTES;
        if bytes + more > room && !batch.is_empty() {
            messages.push(pack(std::mem::take(&mut batch)));
            bytes = 0;
        }
        bytes += more;
        batch.push(entry);
    }
    if !batch.is_empty() {
        messages.push(pack(batch));
    }
}

/// One message of an answer.
pub(crate) fn message(part: Part) -> FetchResponse {
    FetchResponse { part: Some(part) }
}
