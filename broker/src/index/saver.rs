//! Starts an index, from a snapshot where one fits, and has further snapshots written while it runs.
//!
//! **Invariant:** a snapshot is written by the one writer only, between two groups, so that the state stands still; and
//! no failure to write or read one is a failure of the index.

use super::{
    Shared, StoreError,
    snapshot::{Last, Odd, Snapshots},
    state::State,
    store::{Mark, Store, digest},
};
use severn_trust::Digest;
use std::{io, sync::Arc, time::Duration};
use tokio::{task::spawn_blocking, time::Instant};

/// What an index begins with.
pub struct Start {
    /// Derived from all events up to `mark`.
    pub state: State,
    /// How much of the store was read.
    pub mark: Mark,
    /// For how many events the snapshot stands; 0 for none.
    pub saved: u64,
}

impl Start {
    /// Takes over the snapshot and reads what came after it, or reads everything.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn read(snapshots: Option<&Snapshots>, store: &dyn Store) -> Result<Start, StoreError> {
        if let Some(snapshots) = snapshots {
            let began = Instant::now();
            match Start::from_snapshot(snapshots.clone(), store).await {
                Ok(start) => {
                    let (events, took_ms) = (start.state.sequence - start.saved, began.elapsed().as_millis() as u64);
                    tracing::info!(snapshot = start.saved, events, took_ms, "index starts from its snapshot");
                    return Ok(start);
                }
                Err(Odd::Missing) => tracing::info!("index has no snapshot; all its events are read"),
                Err(odd) => tracing::warn!(%odd, "index cannot use its snapshot; all its events are read"),
            }
        }
        let mut state = State::default();
        let loaded = store.load(Mark::default(), &mut |event| state.apply(&event)).await?;
        loaded.feeds.iter().for_each(|feed| state.apply_feed(feed));
        Ok(Start { state, mark: loaded.mark, saved: 0 })
    }

    async fn from_snapshot(snapshots: Snapshots, store: &dyn Store) -> Result<Start, Odd> {
        let read = spawn_blocking(move || snapshots.read()).await;
        let (mut state, last) = read.unwrap_or(Err(Odd::Damaged))?;
        let saved = state.sequence;
        let mut fits = false;
        // The last event of the snapshot comes first, to be compared, and with all feeds: a snapshot has no positions.
        let after = Mark { sequence: saved.checked_sub(1).ok_or(Odd::Damaged)?, batch: 0 };
        let loaded = store
            .load(after, &mut |event| match event.sequence == saved {
                true => fits = digest(&event) == last,
                false if fits => state.apply(&event),
                false => {}
            })
            .await;
        let loaded = loaded.map_err(|error| match error {
            StoreError::Damaged(_) => Odd::OtherHistory,
            other => Odd::Unreadable(other.to_string()),
        })?;
        if !fits {
            return Err(Odd::OtherHistory);
        }
        loaded.feeds.iter().for_each(|feed| state.apply_feed(feed));
        Ok(Start { state, mark: loaded.mark, saved })
    }
}

/// Writes snapshots.
pub struct Saver {
    snapshots: Option<Snapshots>,
    last: Last,
}

impl Saver {
    /// One that goes on from a snapshot that stands for so many events.
    pub fn new(snapshots: Option<Snapshots>, saved: u64) -> Saver {
        Saver { snapshots, last: Last { sequence: saved, at: Instant::now(), took: Duration::ZERO } }
    }

    /// Whether enough has come since the last, for an index that must look at its store every `shared_for`.
    pub fn is_due(&self, read: Mark, shared_for: Option<Duration>) -> bool {
        let due = |s: &Snapshots| s.is_due(&self.last, read.sequence, shared_for);
        self.snapshots.as_ref().is_some_and(due)
    }

    /// Whether so much has come that it is better to write one before the end.
    pub fn is_due_at_close(&self, read: Mark) -> bool {
        self.snapshots.is_some() && Snapshots::is_due_at_close(&self.last, read.sequence)
    }

    /// Writes one for the state, which stands at `read`. A failure is said, and nothing else comes of it.
    pub async fn save(&mut self, read: Mark, shared: &Arc<Shared>) {
        let Some(snapshots) = self.snapshots.clone() else { return };
        let began = Instant::now();
        let written = write(snapshots, read, shared).await;
        self.last = Last { sequence: read.sequence, at: Instant::now(), took: began.elapsed() };
        match written {
            Ok(()) => {
                let took_ms = self.last.took.as_millis() as u64;
                tracing::info!(events = read.sequence, took_ms, "index has written a snapshot");
            }
            Err(error) => tracing::warn!(%error, "index cannot write a snapshot; its next start takes longer"),
        }
    }
}

async fn write(snapshots: Snapshots, read: Mark, shared: &Arc<Shared>) -> io::Result<()> {
    let last = last_event(read, &*shared.store).await?;
    let shared = Arc::clone(shared);
    let written = spawn_blocking(move || {
        // The writer waits for this, and nobody else changes the state: whoever reads it is not held up.
        match shared.state.read() {
            Ok(state) if !shared.is_broken() => snapshots.write(&state, last),
            _ => Err(io::Error::other("the index is closed")),
        }
    });
    written.await.map_err(io::Error::other)?
}

/// The digest of the last event that was read, as the store has it.
async fn last_event(read: Mark, store: &dyn Store) -> io::Result<Digest> {
    let last = store.read(&[read.sequence]).await.map_err(io::Error::other)?;
    last.first().map(digest).ok_or_else(|| io::Error::other("there is no event"))
}
