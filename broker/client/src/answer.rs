//! What a retrieval gives: a whole record, or something less that says so. Only `assembly` makes a [`Record`].

use severn_proto::v1::{
    Dataset, Demographics, Discrepancy, Heading, Ledger, LedgerRow, Opened, Outcome, Seal, Section,
};
use severn_trust::Obligations;
use std::fmt;

/// The answer to a retrieval.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Every part arrived, and the seal proves it. What sources did not answer is in the ledger.
    Complete(Box<Record>),
    /// Something is missing or wrong. Never to be shown as a whole record.
    Incomplete(Box<Incomplete>),
}

impl Answer {
    /// What arrived, whether complete or not. Whoever shows it says which.
    pub fn received(&self) -> &Received {
        match self {
            Answer::Complete(record) => &record.received,
            Answer::Incomplete(incomplete) => &incomplete.received,
        }
    }

    /// Why the answer is not complete; `None` if it is.
    pub fn flaw(&self) -> Option<Flaw> {
        match self {
            Answer::Complete(_) => None,
            Answer::Incomplete(incomplete) => Some(incomplete.flaw),
        }
    }
}

/// A whole record: sealed, counted, and about the person meant. `Debug` shows no content.
///
/// Whole does not mean that nothing is missing: a source may not have answered. A client shows, before anything else and
/// whatever else it leaves out: [`Record::person`], to compare; [`Record::summary`], word for word; where sources differ
/// on who the person is ([`Record::discrepancies`]); the conflicts of the items. Beneath each heading it shows what is
/// known of it ([`Record::heading`]), above all where it has no items, and what comes with seeing it
/// ([`Record::obligations`]); that an item is retracted, possibly the same as
/// another, of a status that is not recognised, or not validated. All text goes through [`crate::neutralise`] or
/// [`crate::for_html`]. `client-conformance` in the folder `tests/` checks a client on this.
#[derive(Clone)]
pub struct Record {
    pub(crate) received: Received,
    pub(crate) ledger: Ledger,
    pub(crate) seal: Seal,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} sections)", self.received.sections.len())
    }
}

impl Record {
    /// Best-known demographics, to compare with the person in front of the reader.
    pub fn person(&self) -> Option<&Demographics> {
        self.received.person()
    }

    /// The sections, crisis first.
    pub fn sections(&self) -> &[Section] {
        &self.received.sections
    }

    /// What became of every source and dataset.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// One sentence: what is missing and who did not answer.
    pub fn summary(&self) -> &str {
        &self.ledger.summary
    }

    /// What is known of each heading in scope, over all sources: exactly one for each dataset asked for.
    pub fn headings(&self) -> &[Heading] {
        &self.ledger.headings
    }

    /// What is known of one heading; `None` if it was not asked for. Where it has no items it says why: silence is never
    /// "none".
    pub fn heading(&self, dataset: Dataset) -> Option<&Heading> {
        self.received.heading(dataset)
    }

    /// What comes with seeing what stands under a heading, such as not to print it. The reader is told, and a client keeps
    /// to it.
    pub fn obligations(&self, dataset: Dataset) -> Obligations {
        self.received.obligations(dataset.into())
    }

    /// Where sources differ on who the person is: somebody may have the wrong person, or an old address.
    pub fn discrepancies(&self) -> &[Discrepancy] {
        &self.ledger.discrepancies
    }

    /// The rows that a reader must know of: something did not come, or not all of it, or not of now.
    pub fn missing(&self) -> impl Iterator<Item = &LedgerRow> {
        self.received.missing()
    }

    /// What closes the record.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }
}

/// An answer that is not a whole record. `Debug` shows no content.
#[derive(Clone)]
pub struct Incomplete {
    pub(crate) received: Received,
    pub(crate) flaw: Flaw,
}

impl fmt::Debug for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incomplete({:?})", self.flaw)
    }
}

impl Incomplete {
    /// Why it is not complete.
    pub fn flaw(&self) -> Flaw {
        self.flaw
    }

    /// What arrived. Nothing at all where the answer is about another person or query.
    pub fn received(&self) -> &Received {
        &self.received
    }
}

/// What arrived of an answer, in the order sent. Says nothing of completeness. `Debug` shows no content.
#[derive(Clone, Default)]
pub struct Received {
    /// What was asked, and the person as the broker knows them.
    pub opened: Option<Opened>,
    /// The sections.
    pub sections: Vec<Section>,
    /// What became of every source.
    pub ledger: Option<Ledger>,
    /// The seal as it came; it proves something in a [`Record`] only.
    pub seal: Option<Seal>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Received({} sections)", self.sections.len())
    }
}

impl Received {
    /// Best-known demographics.
    pub fn person(&self) -> Option<&Demographics> {
        self.opened.as_ref()?.golden.as_ref()
    }

    /// The ledger's rows; none if it did not arrive.
    pub fn rows(&self) -> &[LedgerRow] {
        self.ledger.as_ref().map(|ledger| ledger.rows.as_slice()).unwrap_or_default()
    }

    /// What is known of each heading in scope; none if the ledger did not arrive.
    pub fn headings(&self) -> &[Heading] {
        self.ledger.as_ref().map(|ledger| ledger.headings.as_slice()).unwrap_or_default()
    }

    /// What is known of one heading; `None` if it is not in scope, or the ledger did not arrive.
    pub fn heading(&self, dataset: Dataset) -> Option<&Heading> {
        self.headings().iter().find(|heading| heading.dataset == dataset as i32)
    }

    /// Where sources differ on who the person is.
    pub fn discrepancies(&self) -> &[Discrepancy] {
        self.ledger.as_ref().map(|ledger| ledger.discrepancies.as_slice()).unwrap_or_default()
    }

    /// What comes with seeing what stands under a heading, by its number: what any source or the region asks for.
    pub fn obligations(&self, dataset: i32) -> Obligations {
        let rows = self.rows().iter().filter(|row| row.dataset == dataset);
        rows.fold(Obligations::default(), |all, row| all.and(Obligations::said(&row.obligations)))
    }

    /// The rows that a reader must know of. An outcome that is not understood is one of them.
    pub fn missing(&self) -> impl Iterator<Item = &LedgerRow> {
        let fine = [Outcome::Answered, Outcome::AnsweredNone, Outcome::NotHeld, Outcome::NotShared, Outcome::NotAsked];
        self.rows().iter().filter(move |row| !fine.contains(&row.outcome()))
    }
}

/// Why an answer is not complete. Names no person and no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The stream ended early.
    #[error("it ended before its seal: parts are missing")]
    NoSeal,
    /// The client's own timer ran out.
    #[error("the broker did not close it in time: parts are missing")]
    TimedOut,
    /// The connection broke, or the broker failed.
    #[error("the connection to the broker broke off: parts are missing")]
    BrokenOff,
    /// More bytes than are taken.
    #[error("it is larger than this program takes: parts are missing")]
    TooLarge,
    /// About another query.
    #[error("it answers another question")]
    OtherQuery,
    /// About another person.
    #[error("it is about another person than the one asked for; nothing of it is shown")]
    OtherPerson,
    /// Another set of datasets than asked for.
    #[error("it covers other headings than were asked for")]
    OtherScope,
    /// Parts in another order than opened, sections, ledger, seal; or one twice.
    #[error("its parts came in the wrong order")]
    OutOfOrder,
    /// Something came after the seal.
    #[error("something came after its seal")]
    AfterSeal,
    /// A part that makes no sense.
    #[error("a part of it makes no sense")]
    Malformed,
    /// Not exactly one ledger row for each source and dataset, or not one heading for each dataset.
    #[error("its ledger does not account for every source and heading exactly once")]
    Unaccounted,
    /// A heading says less than, or the contrary of, its rows and items.
    #[error("what it says of a heading contradicts what came: it could read as none where something is missing")]
    Contradicted,
    /// Counts that do not add up.
    #[error("its counts do not add up")]
    WrongCounts,
    /// The digest does not fit what arrived.
    #[error("its digest does not fit what arrived: something was changed or lost on the way")]
    WrongDigest,
}
