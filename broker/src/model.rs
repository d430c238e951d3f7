//! The words the stages share. No behaviour lives here, only shapes; the shapes of content are those of the contract.
//!
//! **Invariant:** identifiers of people are types whose `Debug` shows nothing, so that no log line can leak one.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use severn_policy::Decisions;
use severn_proto::{
    v1::{Dataset, DatasetOutcome, Demographics, FetchOpened, Outcome, Reason, ReasonCode, RequestContext, Seal},
    v1_passing::EntryBatch,
};
use severn_trust::{Commitments, Digest, Obligations, User};
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// The broker's name for a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EnterpriseId(pub Uuid);

impl fmt::Debug for EnterpriseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterpriseId(…)")
    }
}

impl fmt::Display for EnterpriseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A person's identifier within one source.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub Arc<str>);

impl fmt::Debug for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalId(…)")
    }
}

/// A source's id in the federation: its ODS code, or one that the federation gave. No secret.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub Arc<str>);

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A source as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id in the federation.
    pub id: SourceId,
    /// Name of the organisation, for readers.
    pub name: String,
    /// Kind, for readers: GP practice, council ...
    pub kind: String,
    /// ODS code of the organisation.
    pub ods: String,
}

/// One question, by somebody whose token and proof were checked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The query, as the app named it.
    pub query_id: Uuid,
    /// Who asks, in which role, why.
    pub user: User,
    /// Whom it is about.
    pub person: EnterpriseId,
    /// The datasets in scope, in the order of `ALL_DATASETS`, each once.
    pub datasets: Vec<Dataset>,
    /// The app's commitment to who is meant.
    pub commitments: Commitments,
    /// The override that the app signed, if any.
    pub opening: Option<Uuid>,
    /// Token and proof as they came, to be passed on to the adapters.
    pub context: RequestContext,
    /// How long the answer may take.
    pub deadline: Duration,
}

/// A source that knows the person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Located {
    /// The source.
    pub source: SourceId,
    /// Its name for the person.
    pub local_id: LocalId,
}

/// A person as the index knows them.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// The broker's name for the person.
    pub id: EnterpriseId,
    /// Best-known demographics.
    pub golden: Demographics,
    /// The sources that know the person, ordered by source, then local id.
    pub located: Vec<Located>,
}

/// What is to be asked of whom; the scope of the ledger.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The query.
    pub query_id: Uuid,
    /// The datasets in scope, crisis first.
    pub datasets: Vec<Dataset>,
    /// One for each located source, ordered by source, then local id.
    pub sources: Vec<PlannedSource>,
    /// Who is meant, to compare answers with.
    pub commitments: Commitments,
    /// Sources of which the requester may not know that they know the person: nothing that leaves may show it.
    pub hidden: BTreeSet<SourceId>,
    /// How the requester stands with the person.
    pub standing: Standing,
    /// The policy by which it was planned.
    pub policy_version: String,
}

/// What is to be asked of one source.
#[derive(Clone, Debug)]
pub struct PlannedSource {
    /// The source.
    pub source: Arc<Source>,
    /// Its name for the person.
    pub local_id: LocalId,
    /// The datasets to ask for.
    pub ask: Vec<Dataset>,
    /// The datasets that are not asked for, what the ledger says of each, and why.
    pub not_asked: Vec<(Dataset, Outcome, ReasonCode)>,
    /// What the region's policy says to the requester about sources of this kind.
    pub decisions: Arc<Decisions>,
    /// How the requester stands with the person.
    pub standing: Standing,
    /// Whether any source holds the person as restricted: then this one keeps back what locates them, too.
    pub restricted: bool,
}

/// How a requester stands with a person, as the statement to a source says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The best relationship, as a word; empty for none.
    pub relationship: &'static str,
    /// The override that the requester asks under, if it is in force.
    pub opening: Option<Opening>,
}

/// An override in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Names it for ever.
    pub id: Uuid,
    /// Why, as a word.
    pub reason: &'static str,
    /// When it ends: milliseconds since 1970-01-01T00:00:00Z.
    pub expires_ms: i64,
}

/// What one planned source said. Exactly one for each [`PlannedSource`] that was asked, whatever happened.
#[derive(Clone)]
pub struct Reply {
    /// The source.
    pub source: SourceId,
    /// Its name for the person, as asked.
    pub local_id: LocalId,
    /// Whom it says the answer is about; `None` if it said nothing.
    pub opened: Option<FetchOpened>,
    /// Entries, unopened, in the order received.
    pub batches: Vec<EntryBatch>,
    /// What it says became of each dataset.
    pub outcomes: Vec<DatasetOutcome>,
    /// The policy of its owner that decided, as it says; empty if it does not.
    pub policy_version: String,
    /// What went wrong, if anything: a reason of NO_ANSWER if the answer did not come to its end mark, or of REJECTED
    /// if it broke the contract.
    pub fault: Option<ReasonCode>,
    /// Milliseconds waited.
    pub waited_ms: u32,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} batches, {:?})", self.source, self.batches.len(), self.fault)
    }
}

/// One row of the ledger: what became of one dataset at one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'r> {
    /// The source.
    pub source: &'r Source,
    /// The dataset.
    pub dataset: Dataset,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// Entries received.
    pub received: u32,
    /// Entries that lead an item.
    pub shown: u32,
    /// Entries within an item that another leads.
    pub grouped: u32,
    /// Entries withheld.
    pub withheld: u32,
    /// Entries rejected.
    pub rejected: u32,
    /// The time of the data, where it is not the time of asking: milliseconds since 1970.
    pub as_of_ms: i64,
    /// Milliseconds waited.
    pub waited_ms: u32,
    /// What comes with seeing what was received.
    pub obligations: Obligations,
}

/// What a section shows, for the trail.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed<'r> {
    /// The kind of content.
    pub dataset: Dataset,
    /// The section's digest, as the seal counts it.
    pub digest: Digest,
    /// Source id and entry id of every entry shown, by source.
    pub entries: Vec<(&'r str, &'r str)>,
}

impl fmt::Debug for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listed({:?}, {} entries)", self.dataset, self.entries.len())
    }
}

/// One record out of all replies, and what the trail must hold of it before it leaves.
#[derive(Clone, Debug)]
pub struct Merged<'r> {
    /// What leaves.
    pub record: SealedRecord,
    /// What each section shows.
    pub listed: Vec<Listed<'r>>,
    /// One row for each (source, dataset) in scope.
    pub rows: Vec<Row<'r>>,
}

/// One record, serialised as it leaves.
#[derive(Clone, PartialEq)]
pub struct SealedRecord {
    /// A `Section` for each dataset that has items, crisis first.
    pub sections: Vec<Bytes>,
    /// The `Ledger`.
    pub ledger: Bytes,
    /// Closes the record.
    pub seal: Seal,
}

impl fmt::Debug for SealedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedRecord({} sections)", self.sections.len())
    }
}
