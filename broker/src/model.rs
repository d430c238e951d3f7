//! The words the stages share. No behaviour lives here, only shapes; the shapes of content are those of the contract.
//!
//! **Invariant:** identifiers of people are types whose `Debug` shows nothing, so that no log line can leak one.

use bytes::Bytes;
use severn_proto::{
    v1::{
        Dataset, DatasetOutcome, Demographics, FetchOpened, Ledger, Outcome, ReasonCode, RequestContext, Seal,
        SensitivityLabel,
    },
    v1_passing::EntryBatch,
};
use severn_trust::{Commitments, Digest, User};
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// The broker's name for a person.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// Token and proof as they came, to be passed on to the adapters.
    pub context: RequestContext,
    /// How long the answer may take.
    pub deadline: Duration,
}

/// A source that knows the person.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Sensitivity labels the requester may see.
    pub labels: Vec<SensitivityLabel>,
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

/// One section, serialised as it leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// The kind of content.
    pub dataset: Dataset,
    /// A `Section`, serialised.
    pub bytes: Bytes,
}

/// What a section shows, for the trail.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    /// The kind of content.
    pub dataset: Dataset,
    /// The section's digest, as the seal counts it.
    pub digest: Digest,
    /// The ids of its entries, by source.
    pub entries: Vec<(SourceId, Vec<String>)>,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listed({:?}, {} sources)", self.dataset, self.entries.len())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({:?}, {} bytes)", self.dataset, self.bytes.len())
    }
}

/// One record out of all replies, sealed.
#[derive(Clone, Debug)]
pub struct Merged {
    /// One section for each dataset that has items, crisis first.
    pub sections: Vec<Shown>,
    /// What each section shows.
    pub listed: Vec<Listed>,
    /// One row for each (source, dataset) in scope.
    pub ledger: Ledger,
    /// Closes the record.
    pub seal: Seal,
}
