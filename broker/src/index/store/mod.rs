//! Where events are kept. A store appends and reads back; it decides nothing, and no rule of linkage is known here.
//!
//! **Invariant:** events are never changed or removed.

mod memory;
mod sqlite;

pub use memory::{Failure, MemoryStore};
pub use sqlite::SqliteStore;

use super::event::{Event, FeedPosition};

#[cfg(test)]
mod tests;

/// What becomes durable together, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events, in sequence.
    pub events: Vec<Event>,
    /// Feeds whose position moved, each source once.
    pub feeds: Vec<FeedPosition>,
}

/// Why a store did not do what it should. The texts name files and settings, never a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; a later try may succeed.
    #[error("the index's store refused: {0}")]
    Refused(String),
    /// Nobody knows whether it was written.
    #[error("the index's store failed while making a change durable: {0}; restart the broker once the store is well")]
    Unknown(String),
    /// What is stored cannot be read.
    #[error("the index's store is damaged: {0}; restore it from a backup")]
    Damaged(String),
}

/// Keeps events. One index uses a store at a time, and makes one call after the other.
#[tonic::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Hands over every event in sequence, then returns the feeds' positions.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    async fn load(&self, each: &mut (dyn FnMut(Event) + Send)) -> Result<Vec<FeedPosition>, StoreError>;

    /// Makes the batch durable, whole, and returns then.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if nothing of it is stored, [`StoreError::Unknown`] if that is not certain.
    async fn append(&self, batch: &Batch) -> Result<(), StoreError>;
}
