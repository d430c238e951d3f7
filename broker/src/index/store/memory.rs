//! A store in memory, for simulation: no thread, no file, nothing that blocks. Clones share what is stored, so that
//! an index can be opened again on what another one left.

use super::{Batch, Store, StoreError};
use crate::index::event::{Event, FeedPosition};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A store in memory.
#[derive(Clone, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
}

#[derive(Default)]
struct Content {
    events: Vec<Event>,
    feeds: BTreeMap<String, FeedPosition>,
    failure: Option<Failure>,
    appends: u64,
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
        self.lock().appends
    }

    /// Every event, in sequence.
    pub fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    // A std mutex: nothing is awaited while it is held.
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl Store for MemoryStore {
    async fn load(&self, each: &mut (dyn FnMut(Event) + Send)) -> Result<Vec<FeedPosition>, StoreError> {
        let content = self.lock();
        content.events.iter().cloned().for_each(each);
        Ok(content.feeds.values().cloned().collect())
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut content = self.lock();
        match content.failure {
            Some(Failure::Refused) => return Err(StoreError::Refused("told to".into())),
            Some(Failure::Lost) => return Err(StoreError::Unknown("told to".into())),
            Some(Failure::Written) | None => {}
        }
        content.appends += 1;
        content.events.extend(batch.events.iter().cloned());
        for feed in &batch.feeds {
            content.feeds.insert(feed.source.to_string(), feed.clone());
        }
        match content.failure {
            Some(_) => Err(StoreError::Unknown("told to".into())),
            None => Ok(()),
        }
    }
}
