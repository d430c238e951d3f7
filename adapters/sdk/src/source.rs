//! The one trait a kind of source implements.

use bytes::Bytes;
use futures::stream::BoxStream;
use severn_proto::v1::{Dataset, Entry, Reason, Registration};
use std::{fmt, time::Duration};

/// A source, read with read-only rights. Everything is read at the moment of asking.
#[tonic::async_trait]
pub trait Source: Send + Sync + 'static {
    /// The datasets this source keeps, in the order of `severn_trust::ALL_DATASETS`.
    fn datasets(&self) -> Vec<Dataset>;

    /// Everybody this source knows, one registration per local id, in any order.
    ///
    /// # Errors
    /// [`SourceError`] if the source cannot be read; an unreadable row is an `Err` item and costs only itself.
    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError>;

    /// One person's registration; `None` if the source does not know the local id (which is no error).
    ///
    /// # Errors
    /// [`SourceError`] if the source cannot be read.
    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError>;

    /// One person's entries under the datasets asked for, and no others: exactly one [`Reading`] for each, in order.
    /// A dataset that cannot be read has its own failure in its reading and costs only itself. Nothing is read after
    /// `budget`.
    ///
    /// # Errors
    /// [`SourceError`] if the source cannot be read at all.
    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError>;

    /// The bytes of a document that an entry of the documents dataset lists; `None` if there is none.
    ///
    /// # Errors
    /// [`SourceError`] if the source cannot be read.
    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError>;

    /// Tries configuration, source and mapping, and says in plain words what was found. Used by `severn-adapter check`.
    async fn check(&self) -> Vec<Finding>;

    /// Returns when the source may have changed since the last call, or after at most `every`. The default only waits.
    async fn changed(&self, every: Duration) {
        tokio::time::sleep(every).await;
    }
}

/// What was read of one dataset for one person.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The kind of content.
    pub dataset: Dataset,
    /// The entries, each with an id that stays the same from read to read.
    pub entries: Vec<Entry>,
    /// Items that could not be read as entries.
    pub unreadable: u32,
    /// Items that named another person and were left out: the broker raises an alarm.
    pub other_person: u32,
    /// Further reasons why this is only a part (`OVER_LIMIT`, `DATE_RANGE`, `NOT_YET_FILED` ...).
    pub partial: Vec<Reason>,
    /// The time the data is of, milliseconds since 1970, where the source is a copy; `None` for now.
    pub as_of_ms: Option<i64>,
    /// Set where the source does not keep this dataset.
    pub not_held: bool,
    /// Set where this dataset could not be read at all.
    pub failed: bool,
}

/// A document.
#[derive(Clone)]
pub struct Document {
    /// Media type.
    pub media_type: String,
    /// Name for a reader.
    pub title: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}

/// Why a source cannot be read. The text is for the owner's log: it names tables, files and settings, never a person,
/// and never a value from the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The source cannot be reached.
    #[error("the source cannot be reached: {0}")]
    Unreachable(String),
    /// It took longer than the budget.
    #[error("the source did not answer within the budget")]
    Timeout,
    /// It answered with something the mapping does not fit.
    #[error("the source does not fit the mapping: {0}")]
    Mapping(String),
    /// The configuration is wrong.
    #[error("the configuration is wrong: {0}")]
    Config(String),
}

/// One line of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be.
    pub good: bool,
    /// What was looked at, and what to do if it is not good.
    pub text: String,
}
