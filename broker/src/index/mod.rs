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
mod facts;
mod find;
mod golden;
mod load;
mod normalise;
mod plan;
mod quality;
mod saver;
mod snapshot;
mod scoring;
mod signature;
mod state;
pub mod store;
mod upkeep;
mod write;

pub use event::{About, Decision, Event, FeedPosition, RegistrationKey, Undone, What};
pub use facts::QUEUE_MAX;
pub use find::{CANDIDATES_MAX, Found, Resolved, Search, is_birth_date};
pub use load::LoadedLine;
pub use quality::{LOCAL_IDS_MAX, Naming};
pub use scoring::{MODEL_BYTES_MAX, ScoringModel};
pub use signature::{SignatureError, check_signature, sign_model};
pub use snapshot::Snapshots;
pub use state::{Feed, ModelChanges, Wanted};

use crate::{
    facts::FactsError,
    model::{EnterpriseId, Person, SourceId},
};
use plan::Announced;
use saver::{Saver, Start};
use severn_linkage::{
    model::{ModelError, ModelFile},
    superseded::Superseded,
    train::Training,
};
use severn_proto::v1::{
    FeedAnnounce, IndexEvent, PersonThen, QualityReport, ReviewKind, ReviewQueueResponse, StewardDecision,
};
use severn_trust::{Clock, Entropy, NhsNumber};
use state::{Decided, State};
use std::{
    collections::{BTreeMap, BTreeSet},
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

/// The longest time for which a decision is put off.
const POSTPONED_MAX_MS: i64 = 366 * 24 * 3_600_000;

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
    /// A later decision is about the same registrations.
    #[error("decision {sequence} by {by} came later and is about the same registrations; take that back first")]
    RestsOn {
        /// The event of that decision.
        sequence: u64,
        /// Who took it.
        by: String,
    },
    /// A change of the facts is refused.
    #[error(transparent)]
    Facts(#[from] FactsError),
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
    /// Held by whoever counts what is long to count.
    counting: tokio::sync::Mutex<()>,
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
        Ok(Index { shared, writer: commander, saves, task, counting: tokio::sync::Mutex::default() })
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

    /// Takes registrations of any sources as if these had announced them, durable together or not at all. No feed's
    /// position moves, and what is known as it stands makes no event. Returns how many were news, and which were
    /// refused: their `cursor` is their line.
    ///
    /// # Errors
    /// [`IndexError::Store`] if the store refused; nothing was taken then.
    pub async fn load(&self, lines: Vec<LoadedLine>) -> Result<(usize, Vec<Refusal>), IndexError> {
        self.ask(|reply| Command::Load(lines, reply)).await
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
        self.decide(Decided::Link(a, b), decision).await?.ok_or(IndexError::UnknownRegistration)
    }

    /// Takes a registration out of its person by a steward's decision, and returns the person it belongs to then.
    /// Where a steward's link of this registration made the person, that link is undone, which gives back the persons
    /// of before; otherwise it is taken out of what the rules made, and stands alone.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] if it stands alone already.
    pub async fn unlink(&self, registration: RegistrationKey, decision: Decision) -> Result<EnterpriseId, IndexError> {
        self.decide(Decided::Unlink(registration), decision).await?.ok_or(IndexError::UnknownRegistration)
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
        self.decide(Decided::TellApart(a, b), decision).await.map(drop)
    }

    /// Takes a pair out of the review queue until `until_ms` (milliseconds since 1970-01-01T00:00:00Z), or until what is
    /// known of one of the two changes. A time that has come brings it back at once.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] if the two are not in the queue, [`IndexError::Invalid`] if that is more than a year on.
    pub async fn postpone(
        &self,
        a: RegistrationKey,
        b: RegistrationKey,
        until_ms: i64,
        decision: Decision,
    ) -> Result<(), IndexError> {
        if until_ms > self.shared.clock.now_ms().saturating_add(POSTPONED_MAX_MS) {
            let message = "at most 366 days on; nobody may forget it".into();
            return Err(IndexError::Invalid { field: "until_ms", message });
        }
        self.decide(Decided::Postpone(a, b, until_ms), decision).await.map(drop)
    }

    /// Takes back the link, unlink or telling apart of the event `decided`, with all that followed from it: everything
    /// is as if it had not been decided. What was taken back already stays so.
    ///
    /// # Errors
    /// [`IndexError::RestsOn`] if a later decision about one of the same registrations holds.
    pub async fn take_back(&self, decided: u64, decision: Decision) -> Result<(), IndexError> {
        self.decide(Decided::TakeBack(decided), decision).await.map(drop)
    }

    /// Stewards' decisions, newest first, and whether there are more.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn decisions(&self, wanted: &Wanted) -> Result<(Vec<StewardDecision>, bool), IndexError> {
        Ok(self.shared.read()?.decisions_taken(wanted))
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

    /// Learns a model on what the index holds, without labels, and tries it where verified NHS numbers tell who is who.
    /// It changes nothing here. Takes seconds for a million registrations, during which nothing is taken.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`], and [`IndexError::Invalid`] if what the index holds makes no model.
    pub fn train(&self, training: &Training<'_>) -> Result<ModelFile, IndexError> {
        let wrong = |error: ModelError| IndexError::Invalid { field: "index", message: error.to_string() };
        self.shared.read()?.train(training).map_err(wrong)
    }

    /// The NHS numbers that were replaced.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn superseded(&self) -> Result<Superseded<NhsNumber>, IndexError> {
        Ok(self.shared.read()?.superseded().clone())
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

    /// Pairs that a human should decide, the most harmful first, of `kinds` or of all if there are none; at most `limit`,
    /// and [`REVIEW_MAX`]. All that wait are counted by kind.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn review_queue(&self, limit: usize, kinds: &[ReviewKind]) -> Result<ReviewQueueResponse, IndexError> {
        let now_ms = self.shared.clock.now_ms();
        Ok(self.shared.read()?.review_queue(limit.min(REVIEW_MAX), kinds, now_ms))
    }

    /// Counts how good what each source announces is, or one source; a source that was never heard is left out. Takes
    /// some microseconds for each registration, one caller after the other, beside the writer and the queries.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub async fn quality(&self, source: Option<&SourceId>, naming: Naming) -> Result<Vec<QualityReport>, IndexError> {
        let _turn = self.counting.lock().await;
        let (shared, source) = (Arc::clone(&self.shared), source.cloned());
        let counting = tokio::task::spawn_blocking(move || quality::count(&shared, source.as_ref(), naming));
        counting.await.map_err(|_| IndexError::Poisoned)?
    }

    /// What happened to a person, oldest first; empty for an id that never was.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn history(&self, person: EnterpriseId) -> Result<Vec<IndexEvent>, IndexError> {
        Ok(self.shared.read()?.history(person))
    }

    /// Who a person was at a moment in the past (milliseconds since 1970-01-01T00:00:00Z), by any id that the person went by
    /// or that forwarded to it then; `None` if no source knew such a person.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`], and [`IndexError::Store`] if what was said then cannot be read.
    pub async fn as_at(&self, person: EnterpriseId, at_ms: i64) -> Result<Option<PersonThen>, IndexError> {
        let shared = Arc::clone(&self.shared);
        let found = tokio::task::spawn_blocking(move || shared.read().map(|state| state.as_at(person, at_ms)));
        let Some(then) = found.await.map_err(|_| IndexError::Poisoned)?? else { return Ok(None) };
        let events = self.shared.store.read(&then.contents()).await?;
        Ok(Some(then.with(events)))
    }

    /// The ids of a person: the one that is asked for, the one it goes by, and all that forward to that one.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn ids(&self, person: EnterpriseId) -> Result<BTreeSet<EnterpriseId>, IndexError> {
        Ok(self.shared.read()?.ids(person))
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

    async fn decide(&self, wanted: Decided, decision: Decision) -> Result<Option<EnterpriseId>, IndexError> {
        self.ask(|reply| Command::Decide(wanted, decision, reply)).await
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
