//! The master patient index: who is who, and which sources know them. It holds identities, and never an entry.
//!
//! Announcements and stewards' decisions become events (`plan`, `write`), durable in a `store` before anything shows
//! them. Who is who is derived from the events (`state`): `evidence` hands each registration to the linkage engine, a
//! crate of its own that is pure; `decide` puts persons' decisions above its scores; `find` reads what came of it.
//!
//! A start takes over a `snapshot` where one fits, and reads only the events after it; `saver` has them written.
//!
//! **Invariant:** if the store failed so that nobody knows what is durable, every call fails from then on; and where
//! other brokers write too, it fails while nothing is heard of them. An answer that may be wrong is none.

mod check;
mod decide;
mod event;
mod evidence;
mod find;
mod golden;
mod normalise;
mod plan;
mod saver;
mod snapshot;
mod scoring;
mod state;
pub mod store;
mod upkeep;
mod write;

pub use event::{About, Decision, Event, FeedPosition, RegistrationKey, Undone, What};
pub use find::{CANDIDATES_MAX, Found, Resolved, Search};
pub use normalise::is_partial_date;
pub use scoring::{MODEL_BYTES_MAX, ScoringModel};
pub use snapshot::Snapshots;
pub use state::{Feed, ModelChanges};

use crate::model::{EnterpriseId, Person, SourceId};
use plan::Announced;
use saver::{Saver, Start};
use severn_proto::v1::{FeedAnnounce, IndexEvent, ReviewPair};
use severn_trust::{Clock, Entropy, NhsNumber};
use state::{Decided, State};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};
use store::{Store, StoreError};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use upkeep::Upkeep;
use uuid::Uuid;
use write::{Command, Saved, Writer};

#[cfg(test)]
mod tests;

/// Requests that may wait for the writer; more of them wait at the door.
const WAITING_MAX: usize = 256;

/// Pairs of the review queue in one answer, at most.
pub const REVIEW_MAX: usize = 1_000;

/// What went wrong. No text names a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The store did not take it, or cannot be read; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registration is not known.
    #[error("no source knows this registration; check source id and local id")]
    UnknownRegistration,
    /// It contradicts what is known or decided.
    #[error("{0}")]
    Conflict(&'static str),
    /// A field is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The field at fault.
        field: &'static str,
        /// What to do.
        message: String,
    },
    /// Announcements were left out.
    #[error("the next announcement must have cursor {}; open the feed again and go on from there", last + 1)]
    Gap {
        /// The last cursor taken.
        last: u64,
    },
    /// Nobody knows what is durable.
    #[error("the index is closed because its store failed; restart the broker once the store is well")]
    Poisoned,
}

/// An announcement that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its cursor.
    pub cursor: u64,
    /// The field at fault.
    pub field: &'static str,
    /// What to do, without patient data.
    pub message: String,
}

/// The index.
pub struct Index {
    shared: Arc<Shared>,
    writer: mpsc::Sender<Command>,
    saves: mpsc::Sender<Saved>,
    task: JoinHandle<()>,
}

struct Shared {
    // A std lock: nothing is awaited while it is held, and a reader needs microseconds.
    state: RwLock<State>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    broken: AtomicBool,
    /// When the state was last known to be the store's.
    confirmed: Mutex<Instant>,
}

impl Shared {
    fn read(&self) -> Result<RwLockReadGuard<'_, State>, IndexError> {
        if self.is_broken() {
            return Err(IndexError::Poisoned);
        }
        if self.is_stale() {
            return Err(IndexError::Store(StoreError::Refused(
                "nothing was heard of it for too long, and other brokers may have changed the index since".into(),
            )));
        }
        self.state.read().map_err(|_| IndexError::Poisoned)
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    fn is_stale(&self) -> bool {
        let confirmed = *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.shared_for().is_some_and(|longest| confirmed.elapsed() > longest)
    }

    /// Notes that the state holds what the store held when it was asked.
    fn confirm(&self, asked: Instant) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }
}

impl Index {
    /// Reads all events of `store` and opens the index on them.
    ///
    /// # Errors
    /// [`IndexError::Store`] if the store cannot be read.
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Index, IndexError> {
        Index::open_with(None, store, clock, entropy).await
    }

    /// Opens the index on the events of `store`, from a snapshot if there is one that fits, and writes snapshots.
    ///
    /// # Errors
    /// [`IndexError::Store`] if the store cannot be read.
    pub async fn open_with(
        snapshots: Option<Snapshots>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Index, IndexError> {
        let confirmed = Mutex::new(Instant::now());
        let Start { state, mark, saved } = Start::read(snapshots.as_ref(), &*store).await?;
        let broken = AtomicBool::new(false);
        let shared = Arc::new(Shared { state: RwLock::new(state), store, clock, entropy, broken, confirmed });
        let mut writer = Writer::new(shared.clone(), mark, Saver::new(snapshots, saved));
        // Nobody is answered yet, so that it may take its time.
        writer.save_if_due(None).await;
        // Reading everything took a while; nobody is answered from before it.
        writer.catch_up().await?;
        // A program with another model built in must decide as this one did, until it is told to take its own.
        writer.look_after(Upkeep::FirstModel).await?;
        let (commander, commands) = mpsc::channel(WAITING_MAX);
        let (saves, to_save) = mpsc::channel(1);
        let task = tokio::spawn(write::write(writer, commands, to_save));
        Ok(Index { shared, writer: commander, saves, task })
    }

    /// Writes a snapshot, if enough has come since the last, once what waits is written.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub async fn save(&self) -> Result<(), IndexError> {
        let (saved, answer) = oneshot::channel();
        self.saves.send(saved).await.map_err(|_| IndexError::Poisoned)?;
        answer.await.map_err(|_| IndexError::Poisoned)
    }

    /// Writes what waits, and a snapshot, and lets go of the store.
    pub async fn close(self) {
        drop(self.writer);
        // A writer that panicked has let go too.
        let _ = self.task.await;
    }

    /// Finds who is meant.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`]: the query must fail as a whole.
    pub fn resolve(&self, search: &Search) -> Result<Resolved, IndexError> {
        Ok(find::resolve(&*self.shared.read()?, search))
    }

    /// The person an id stands for, though it forwards to another; `None` if no source knows such a person.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`]: the query must fail as a whole.
    pub fn locate(&self, person: EnterpriseId) -> Result<Option<Person>, IndexError> {
        Ok(self.shared.read()?.person(person))
    }

    /// Takes announcements of `source`, in ascending cursor order, and returns once they are durable and seen by
    /// queries. Cursors taken before and registrations that did not change are passed over; a new epoch starts at 1.
    ///
    /// # Errors
    /// [`IndexError::Gap`] if a cursor is missing, [`IndexError::Store`] if the store refused; nothing was taken then.
    pub async fn announce(
        &self,
        source: &SourceId,
        epoch: Uuid,
        announcements: Vec<FeedAnnounce>,
    ) -> Result<Vec<Refusal>, IndexError> {
        let announced = Announced { source: source.clone(), epoch, announcements };
        self.ask(|reply| Command::Announce(announced, reply)).await
    }

    /// Links two registrations by a steward's decision, and returns the person both belong to.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] if their persons have two different verified NHS numbers, or a person separated them.
    pub async fn link(
        &self,
        a: RegistrationKey,
        b: RegistrationKey,
        decision: Decision,
    ) -> Result<EnterpriseId, IndexError> {
        self.ask(|reply| Command::Decide(Decided::Link(a, b), decision, reply)).await
    }

    /// Takes a registration out of its person by a steward's decision, and returns the person it belongs to then.
    /// Where a steward's link of this registration made the person, that link is undone, which gives back the persons
    /// of before; otherwise it is taken out of what the rules made, and stands alone.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] if it stands alone already.
    pub async fn unlink(&self, registration: RegistrationKey, decision: Decision) -> Result<EnterpriseId, IndexError> {
        self.ask(|reply| Command::Decide(Decided::Unlink(registration), decision, reply)).await
    }

    /// Keeps two registrations apart by a steward's decision: whatever the rules say, they are not one person. A later
    /// link of just these two takes it back.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] if they are one person already.
    pub async fn tell_apart(
        &self,
        a: RegistrationKey,
        b: RegistrationKey,
        decision: Decision,
    ) -> Result<(), IndexError> {
        self.ask(|reply| Command::Decide(Decided::TellApart(a, b), decision, reply)).await.map(drop)
    }

    /// Has another model score from now on: everybody is decided about anew. Returns whether that is news.
    ///
    /// # Errors
    /// [`IndexError::Store`] if the store refused; nothing changed then.
    pub async fn take_model(&self, model: ScoringModel) -> Result<bool, IndexError> {
        self.ask(|reply| Command::Upkeep(Upkeep::Model(model), reply)).await.map(|events| events > 0)
    }

    /// The model that scores.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn model(&self) -> Result<ScoringModel, IndexError> {
        Ok(self.shared.read()?.scoring().clone())
    }

    /// What [`Index::take_model`] would change; it changes nothing.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn would_change(&self, model: &ScoringModel) -> Result<ModelChanges, IndexError> {
        Ok(self.shared.read()?.would_change(model))
    }

    /// Takes note of NHS numbers that were replaced, each by its successor: an old number means whoever the current one
    /// means. Returns how many of them are news.
    ///
    /// # Errors
    /// [`IndexError::Invalid`] if they contradict each other or what is known; nothing was taken then.
    pub async fn supersede(&self, numbers: Vec<[NhsNumber; 2]>, by: &str, reason: &str) -> Result<usize, IndexError> {
        self.ask(|reply| Command::Upkeep(Upkeep::Superseded(numbers, by.into(), reason.into()), reply)).await
    }

    /// Pairs that a human should decide, strongest evidence first; at most `limit`, and [`REVIEW_MAX`].
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn review_queue(&self, limit: usize) -> Result<Vec<ReviewPair>, IndexError> {
        Ok(self.shared.read()?.review_queue(limit.min(REVIEW_MAX)))
    }

    /// What happened to a person, oldest first; empty for an id that never was.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn history(&self, person: EnterpriseId) -> Result<Vec<IndexEvent>, IndexError> {
        Ok(self.shared.read()?.history(person))
    }

    /// The last durable cursor of a source's feed in this epoch; 0 for none.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn feed_cursor(&self, source: &SourceId, epoch: Uuid) -> Result<u64, IndexError> {
        let position = self.shared.read()?.feeds().get(source).and_then(|feed| feed.position);
        Ok(position.filter(|(known, _)| *known == epoch).map_or(0, |(_, cursor)| cursor))
    }

    /// Every source that was ever heard, and how far its feed is.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn feed_states(&self) -> Result<BTreeMap<SourceId, Feed>, IndexError> {
        Ok(self.shared.read()?.feeds().clone())
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, IndexError>>) -> Command,
    ) -> Result<T, IndexError> {
        let (reply, answer) = oneshot::channel();
        // The writer goes on though the asker leaves, so a dropped call never leaves a change half done.
        self.writer.send(command(reply)).await.map_err(|_| IndexError::Poisoned)?;
        answer.await.map_err(|_| IndexError::Poisoned)?
    }
}
