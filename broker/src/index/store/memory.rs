//! A store in memory, for simulation: no thread, no file, nothing that blocks. Clones share what is stored, so that
//! an index can be opened again on what another one left, or beside it.

use super::{Batch, Content, Loaded, Mark, Store, StoreError, check_forward};
use crate::index::event::{Event, FeedPosition};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// A store in memory.
#[derive(Clone, Default)]
pub struct MemoryStore {
    stored: Arc<Mutex<Stored>>,
}

#[derive(Default)]
struct Stored {
    mark: watch::Sender<Mark>,
    events: Vec<Event>,
    /// Each with the batch that moved it.
    feeds: BTreeMap<String, (u64, FeedPosition)>,
    failure: Option<Failure>,
}

/// How a store in memory is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// As on a full disk: nothing is written, and that is certain.
    Refused,
    /// As if the machine broke down after writing, before saying so.
    Written,
    /// As if the machine broke down before writing.
    Lost,
}

impl MemoryStore {
    /// From now on every append fails like this, or no longer.
    pub fn set_failure(&self, failure: Option<Failure>) {
        self.lock().failure = failure;
    }

    /// How many batches were appended.
    pub fn appends(&self) -> u64 {
        self.lock().mark().batch
    }

    /// Every event, in sequence.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    // A std mutex: nothing is awaited while it is held.
    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored {
    fn mark(&self) -> Mark {
        *self.mark.borrow()
    }

    fn take(&mut self, batch: &Batch) {
        self.events.extend(batch.events.iter().cloned());
        for feed in &batch.feeds {
            self.feeds.insert(feed.source.to_string(), (batch.mark().batch, feed.clone()));
        }
        self.mark.send_replace(batch.mark());
    }
}

#[tonic::async_trait]
impl Store for MemoryStore {
    async fn load(&self, after: Mark, each: &mut (dyn FnMut(Event) + Send)) -> Result<Loaded, StoreError> {
        let stored = self.lock();
        check_forward(after, stored.mark())?;
        stored.events.iter().filter(|event| event.sequence > after.sequence).cloned().for_each(each);
        let feeds = stored.feeds.values().filter(|(moved, _)| *moved > after.batch);
        Ok(Loaded { mark: stored.mark(), feeds: feeds.map(|(_, feed)| feed.clone()).collect() })
    }

    async fn read(&self, sequences: &[u64]) -> Result<Vec<Event>, StoreError> {
        Ok(self.lock().events.iter().filter(|event| sequences.contains(&event.sequence)).cloned().collect())
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut stored = self.lock();
        match stored.failure {
            Some(Failure::Refused) => return Err(StoreError::Refused("told to".into())),
            Some(Failure::Lost) => return Err(StoreError::Unknown("told to".into())),
            Some(Failure::Written) | None => {}
        }
        if stored.mark() != batch.after {
            return Err(StoreError::Conflict);
        }
        stored.take(batch);
        match stored.failure {
            Some(_) => Err(StoreError::Unknown("told to".into())),
            None => Ok(()),
        }
    }

    async fn replace(&self, expected: Mark, content: &mut Content<'_>) -> Result<(), StoreError> {
        let mut fresh = Stored::default();
        for batch in content {
            fresh.take(&batch?);
        }
        let mut stored = self.lock();
        if stored.mark() != expected {
            return Err(StoreError::Conflict);
        }
        let mark = fresh.mark();
        (stored.events, stored.feeds) = (fresh.events, fresh.feeds);
        stored.mark.send_replace(mark);
        Ok(())
    }

    async fn changed(&self, after: Mark) {
        let mut mark = self.lock().mark.subscribe();
        if mark.wait_for(|mark| *mark != after).await.is_err() {
            // The last clone has gone, and this one is borrowed: it cannot be.
            std::future::pending::<()>().await;
        }
    }

    fn shared_for(&self) -> Option<Duration> {
        None
    }
}
