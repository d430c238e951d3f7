//! Puts an answer together and judges it. Pure: no clock, no network. The only place where a [`Record`] is made, and
//! only behind every check of the seal.

use crate::{
    answer::{Answer, Flaw, Incomplete, Received, Record},
    headings,
};
use prost::Message as _;
use severn_proto::{
    v1::{self, Dataset, Ledger, LedgerRow, Opened, Outcome, Seal, Section},
    v1_passing::{RetrieveRecordResponse, retrieve_record_response::Part},
};
use severn_trust::{Commitments, Digest, PersonKeys, RecordDigest};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

/// Bytes of the largest answer that is taken.
pub const RECORD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What was asked: what an answer is judged by. `Debug` shows no person.
#[derive(Clone)]
pub struct Asked {
    /// The query, as the proof names it.
    pub query_id: String,
    /// The broker's name for the person.
    pub enterprise_id: String,
    /// The datasets asked for.
    pub datasets: Vec<Dataset>,
    /// Who is meant.
    pub person: Commitments,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({})", self.query_id)
    }
}

/// Judges an answer that is at hand whole, such as the one of the unary call.
pub fn judge(asked: Asked, parts: impl IntoIterator<Item = v1::retrieve_record_response::Part>) -> Answer {
    let mut assembly = Assembly::new(asked);
    for part in parts {
        let response = v1::RetrieveRecordResponse { part: Some(part) }.encode_to_vec();
        let response = RetrieveRecordResponse::decode(response.as_slice()).unwrap_or_default();
        if let Err(flaw) = assembly.take(response) {
            return assembly.refuse(flaw);
        }
    }
    assembly.close()
}

/// An answer that is arriving.
pub(crate) struct Assembly {
    asked: Asked,
    received: Received,
    digest: Option<RecordDigest>,
    computed: Option<Digest>,
    bytes: usize,
}

impl Assembly {
    pub(crate) fn new(asked: Asked) -> Assembly {
        let received = Received::default();
        Assembly { asked, received, digest: Some(RecordDigest::default()), computed: None, bytes: 0 }
    }

    /// Whether anything was taken yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.received.opened.is_none()
    }

    /// What was taken so far.
    pub(crate) fn received(&self) -> &Received {
        &self.received
    }

    /// Takes the next part. After a flaw nothing more may be taken.
    pub(crate) fn take(&mut self, response: RetrieveRecordResponse) -> Result<(), Flaw> {
        self.bytes = self.bytes.saturating_add(response.encoded_len());
        if self.bytes > RECORD_BYTES_MAX {
            return Err(Flaw::TooLarge);
        }
        let part = response.part.ok_or(Flaw::Malformed)?;
        if self.received.seal.is_some() {
            return Err(Flaw::AfterSeal);
        }
        match part {
            Part::Opened(opened) => self.open(opened),
            Part::Section(section) => self.add_section(&section),
            Part::Ledger(ledger) => self.add_ledger(&ledger),
            Part::Seal(seal) if self.received.ledger.is_none() => {
                self.received.seal = Some(seal);
                Err(Flaw::OutOfOrder)
            }
            Part::Seal(seal) => {
                self.received.seal = Some(seal);
                Ok(())
            }
        }
    }

    fn open(&mut self, opened: Opened) -> Result<(), Flaw> {
        if self.received.opened.is_some() {
            return Err(Flaw::OutOfOrder);
        }
        if opened.query_id != self.asked.query_id {
            return Err(Flaw::OtherQuery);
        }
        let golden = opened.golden.as_ref().ok_or(Flaw::Malformed)?;
        // A UUID may be typed in either case.
        let same_id = opened.enterprise_id.eq_ignore_ascii_case(&self.asked.enterprise_id);
        if !same_id || !self.asked.person.agrees_with(&PersonKeys::of(golden)) {
            return Err(Flaw::OtherPerson);
        }
        let scope: BTreeSet<i32> = opened.datasets.iter().copied().collect();
        let asked: BTreeSet<i32> = self.asked.datasets.iter().map(|d| *d as i32).collect();
        if scope != asked || scope.len() != opened.datasets.len() {
            return Err(Flaw::OtherScope);
        }
        self.received.opened = Some(opened);
        Ok(())
    }

    /// The digest is that of the bytes that came, so that what only a newer client can read is covered, too.
    fn add_section(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let section = Section::decode(bytes).map_err(|_| Flaw::Malformed)?;
        let opened = self.received.opened.as_ref().ok_or(Flaw::OutOfOrder)?;
        let twice = self.received.sections.iter().any(|s| s.dataset == section.dataset);
        if self.received.ledger.is_some() || twice {
            return Err(Flaw::OutOfOrder);
        }
        if !opened.datasets.contains(&section.dataset) {
            return Err(Flaw::OtherScope);
        }
        if !is_well_formed(&section) {
            return Err(Flaw::Malformed);
        }
        if let Some(digest) = &mut self.digest {
            digest.add_section(bytes);
        }
        self.received.sections.push(section);
        Ok(())
    }

    fn add_ledger(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        let mut ledger = Ledger::decode(bytes).map_err(|_| Flaw::Malformed)?;
        if self.received.opened.is_none() || self.received.ledger.is_some() {
            return Err(Flaw::OutOfOrder);
        }
        self.computed = self.digest.take().map(|digest| digest.finish(&mut ledger));
        self.received.ledger = Some(ledger);
        Ok(())
    }

    /// Gives what came, as incomplete. Of an answer to another question nothing was taken.
    pub(crate) fn refuse(self, flaw: Flaw) -> Answer {
        Answer::Incomplete(Box::new(Incomplete { received: self.received, flaw }))
    }

    /// The stream ended in order: judges what came.
    pub(crate) fn close(self) -> Answer {
        match self.verify() {
            Ok((ledger, seal)) => Answer::Complete(Box::new(Record { received: self.received, ledger, seal })),
            Err(flaw) => self.refuse(flaw),
        }
    }

    fn verify(&self) -> Result<(Ledger, Seal), Flaw> {
        let received = &self.received;
        let (Some(opened), Some(ledger), Some(seal)) = (&received.opened, &received.ledger, &received.seal) else {
            return Err(Flaw::NoSeal);
        };
        if seal.query_id != self.asked.query_id {
            return Err(Flaw::OtherQuery);
        }
        check_scope(opened, ledger)?;
        let lengths_fit = fits(seal.sections, received.sections.len()) && fits(seal.rows, ledger.rows.len());
        if !lengths_fit || !seal_adds_up(seal, &ledger.rows) || !rows_fit_sections(&ledger.rows, &received.sections) {
            return Err(Flaw::WrongCounts);
        }
        if self.computed.is_none_or(|computed| seal.digest != computed) {
            return Err(Flaw::WrongDigest);
        }
        if !headings::fit(ledger, &received.sections) {
            return Err(Flaw::Contradicted);
        }
        Ok((ledger.clone(), seal.clone()))
    }
}

/// Every item has a contribution, and every contribution a head of this dataset with who said it.
fn is_well_formed(section: &Section) -> bool {
    let mut ids = HashSet::new();
    section.items.iter().all(|item| {
        let contributions_fit = item.contributions.iter().all(|c| {
            let head = c.entry.as_ref().and_then(|entry| entry.head.as_ref());
            !c.source_id.is_empty() && head.is_some_and(|h| h.dataset == section.dataset && h.provenance.is_some())
        });
        ids.insert(&item.item_id) && !item.contributions.is_empty() && contributions_fit
    })
}

/// One row for each (source, dataset): every source that has a row has one for each dataset in scope.
fn check_scope(opened: &Opened, ledger: &Ledger) -> Result<(), Flaw> {
    let mut pairs = HashSet::new();
    let mut sources = HashSet::new();
    for row in &ledger.rows {
        sources.insert(row.source_id.as_str());
        let once = pairs.insert((row.source_id.as_str(), row.dataset));
        if !once || row.source_id.is_empty() || !opened.datasets.contains(&row.dataset) {
            return Err(Flaw::Unaccounted);
        }
    }
    let whole = pairs.len() == sources.len() * opened.datasets.len();
    let asked_fits = usize::try_from(opened.sources_asked).is_ok_and(|asked| asked <= sources.len());
    let headings_fit = ledger.headings.iter().map(|heading| heading.dataset).eq(opened.datasets.iter().copied());
    if whole && asked_fits && headings_fit && !ledger.summary.is_empty() { Ok(()) } else { Err(Flaw::Unaccounted) }
}

fn fits(said: u32, counted: usize) -> bool {
    usize::try_from(said) == Ok(counted)
}

fn seal_adds_up(seal: &Seal, rows: &[LedgerRow]) -> bool {
    let sum = |of: fn(&LedgerRow) -> u32| rows.iter().map(|row| u64::from(of(row))).sum::<u64>();
    let parts = [seal.shown, seal.grouped, seal.withheld, seal.rejected];
    let total = parts.iter().try_fold(0_u64, |total, part| total.checked_add(*part));
    total == Some(seal.received)
        && rows.iter().all(row_adds_up)
        && seal.received == sum(|row| row.received)
        && seal.shown == sum(|row| row.shown)
        && seal.grouped == sum(|row| row.grouped)
        && seal.withheld == sum(|row| row.withheld)
        && seal.rejected == sum(|row| row.rejected)
}

fn row_adds_up(row: &LedgerRow) -> bool {
    let parts = [row.shown, row.grouped, row.withheld, row.rejected].map(u64::from);
    let says_none = matches!(row.outcome(), Outcome::AnsweredNone | Outcome::NotHeld | Outcome::NotAsked);
    u64::from(row.received) == parts.iter().sum::<u64>() && (!says_none || row.received == 0)
}

/// What the rows say was shown and grouped is what the sections hold, source by source.
fn rows_fit_sections(rows: &[LedgerRow], sections: &[Section]) -> bool {
    let mut held: HashMap<(&str, i32), (u32, u32)> = HashMap::new();
    for section in sections {
        for item in &section.items {
            for (place, contribution) in item.contributions.iter().enumerate() {
                let counts = held.entry((contribution.source_id.as_str(), section.dataset)).or_default();
                if place == 0 {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                }
            }
        }
    }
    let rows_fit = rows.iter().all(|row| {
        let counts = held.remove(&(row.source_id.as_str(), row.dataset)).unwrap_or_default();
        counts == (row.shown, row.grouped)
    });
    // What is left came from a source that the ledger does not name.
    rows_fit && held.is_empty()
}
