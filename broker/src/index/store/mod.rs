//! Where events are kept. A store appends and reads back; it decides nothing, and no rule of linkage is known here.
//!
//! Whoever appends says how far the store was when the batch was planned, and is refused if it has moved since: then
//! they read what is new, plan again and try again. So any number of brokers write one history, without a leader.
//!
//! **Invariant:** events are never changed or removed, and a batch is durable as a whole or not at all.

mod archive;
mod columns;
mod memory;
mod postgres;
mod settings;
mod sqlite;

pub use archive::{Archive, Counts, NewFile, export};
pub use memory::{Failure, MemoryStore};
pub use postgres::PostgresStore;
pub use settings::{DatabaseTls, PostgresSettings};
pub use sqlite::SqliteStore;

use super::event::{Event, FeedPosition};
use severn_trust::{Digest, sha256};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How far a store is, or how much of it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last event; 0 for none.
    pub sequence: u64,
    /// Batches appended. Feeds' positions move it too, though they are no events.
    pub batch: u64,
}

/// What becomes durable together, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// How far the store was when this was planned.
    pub after: Mark,
    /// Events, in sequence, the first of which follows `after`.
    pub events: Vec<Event>,
    /// Feeds whose position moved, each source once.
    pub feeds: Vec<FeedPosition>,
}

impl Batch {
    /// How far the store is with this batch.
    pub fn mark(&self) -> Mark {
        Mark { sequence: self.after.sequence + self.events.len() as u64, batch: self.after.batch + 1 }
    }
}

/// What [`Store::load`] read beside the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// How far the store was.
    pub mark: Mark,
    /// The feeds whose position moved since the mark given, by source.
    pub feeds: Vec<FeedPosition>,
}

/// Why a store did not do what it should. The texts name files and settings, never a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written; a later try may succeed.
    #[error("the index's store refused: {0}")]
    Refused(String),
    /// Another broker appended first. Nothing was written: read what is new, plan again, try again.
    #[error("another broker wrote to the index's store first; try again")]
    Conflict,
    /// Nobody knows whether it was written.
    #[error("the index's store failed while making a change durable: {0}; once the store is well, send it again")]
    Unknown(String),
    /// What is stored cannot be read, or is not what this broker has read.
    #[error("what is stored of the index is damaged: {0}")]
    Damaged(String),
}

/// What is to be stored, or why it cannot be read, batch after batch.
pub type Content<'a> = dyn Iterator<Item = Result<Batch, StoreError>> + Send + 'a;

/// Keeps events. One index uses a store at a time, and makes one call after the other.
#[tonic::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Hands over every event after `after` in sequence, and returns the rest that is new since. All of it is of one
    /// moment.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the store cannot be reached, [`StoreError::Damaged`] if it cannot be believed.
    async fn load(&self, after: Mark, each: &mut (dyn FnMut(Event) + Send)) -> Result<Loaded, StoreError>;

    /// The events of these sequences, in any order; what is not there is left out. May be asked at any time.
    ///
    /// # Errors
    /// As [`Store::load`].
    async fn read(&self, sequences: &[u64]) -> Result<Vec<Event>, StoreError>;

    /// Makes the batch durable, whole, and returns then.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Refused`] if nothing of it is stored, [`StoreError::Unknown`] if that
    /// is not certain.
    async fn append(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Puts `content` in the place of everything that is stored, whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the store is not at `expected`; otherwise as [`Store::append`], and as `content`.
    async fn replace(&self, expected: Mark, content: &mut Content<'_>) -> Result<(), StoreError>;

    /// Waits until others may have written after `after`. May be dropped at any time.
    async fn changed(&self, after: Mark);

    /// For how long what was read counts as true where other brokers write too: an index that has not read for longer
    /// answers nothing. After [`StoreError::Unknown`] it finds out by reading. `None` where only this broker writes.
    fn shared_for(&self) -> Option<Duration>;
}

/// A digest of an event as it is stored. What tells one history from another is in it: ids and keys drawn at random, and
/// when it was.
pub fn digest(event: &Event) -> Digest {
    // A row is written as text without fail; if not, it fits nothing.
    sha256(&[&serde_json::to_vec(&columns::EventRow::from(event)).unwrap_or_default()])
}

/// Watches that events come without a gap, from `after` to the end the store names.
struct InSequence(u64);

impl InSequence {
    fn after(mark: Mark) -> InSequence {
        InSequence(mark.sequence)
    }

    fn take(&mut self, event: &Event) -> Result<(), StoreError> {
        self.0 += 1;
        match event.sequence == self.0 {
            true => Ok(()),
            false => Err(StoreError::Damaged(format!("event {} is missing; restore it from a backup", self.0))),
        }
    }

    fn end(self, mark: Mark) -> Result<(), StoreError> {
        let (found, expected) = (self.0, mark.sequence);
        match found == expected {
            true => Ok(()),
            false => Err(StoreError::Damaged(format!(
                "it ends at event {found} and should end at {expected}; restore it from a backup"
            ))),
        }
    }
}

/// A store that is behind what was read of it holds another history.
fn check_forward(after: Mark, mark: Mark) -> Result<(), StoreError> {
    match mark.batch >= after.batch && mark.sequence >= after.sequence {
        true => Ok(()),
        false => Err(StoreError::Damaged(
            "it holds less than this broker has read; if it was restored on purpose, restart the broker".into(),
        )),
    }
}
