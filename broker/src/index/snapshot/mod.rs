//! Snapshots of the state, so that a broker need not derive everything again at each start. A snapshot is never the
//! truth: it stands for the first events of one history, and whatever is odd about it, all events are read instead.
//!
//! **Invariant:** a snapshot is taken over only by a broker with the same rules, over a store whose
//! event at that place is the very one; and it is there whole or not at all.

mod file;

use super::state::{Section, Sections, State};
use file::{Reading, Writing};
use serde::{Deserialize, Serialize};
use severn_trust::Digest;
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// A digest of everything that the state depends on beside the events, made when the broker was built.
const RULES: &str = env!("SEVERN_INDEX_RULES");

/// Events since the last snapshot, at least: a start reads fewer in a few seconds.
const EVENTS_MIN: u64 = 50_000;

/// For how long none is written after one, as a multiple of what that took: a source that brings millions waits for
/// snapshots a twentieth of the time at most.
const PAUSE: u32 = 20;

/// Closing takes no longer for a few events more: they are read again instead.
const SHARE_AT_CLOSE: u64 = 128;

/// Events for which a snapshot is written in a second, at least. Other brokers are not followed meanwhile.
const EVENTS_A_SECOND: u64 = 250_000;

/// Where a broker keeps its snapshot, and when it writes another.
#[derive(Clone, Debug)]
pub struct Snapshots {
    path: PathBuf,
    events_min: u64,
    pause: u32,
}

/// The last snapshot, or the last attempt at one.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// For how many events it stands; 0 for none.
    pub sequence: u64,
    /// When it was done.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
}

/// Why a snapshot is not taken over. The texts name no person.
#[derive(Debug, thiserror::Error)]
pub enum Odd {
    /// There is none.
    #[error("there is none")]
    Missing,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is not as it was written.
    #[error("it is damaged")]
    Damaged,
    /// It was written by a broker with other rules.
    #[error("it was written under other rules")]
    OtherRules,
    /// What is stored is not what it was taken of.
    #[error("it is of another history than the store's")]
    OtherHistory,
}

impl From<io::Error> for Odd {
    fn from(error: io::Error) -> Odd {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Odd::Damaged,
            _ => Odd::Unreadable(error.to_string()),
        }
    }
}

/// What a snapshot stands for.
#[derive(Serialize, Deserialize)]
struct Head {
    rules: String,
    sequence: u64,
    last: Digest,
}

impl Snapshots {
    /// In the file `index.snapshot` of the broker's folder.
    pub fn within(folder: &Path) -> Snapshots {
        Snapshots { path: folder.join("index.snapshot"), events_min: EVENTS_MIN, pause: PAUSE }
    }

    /// Writes one whenever so many events have come, however long it takes.
    #[must_use]
    pub fn at_least_every(self, events: u64) -> Snapshots {
        Snapshots { events_min: events, pause: 0, ..self }
    }

    /// Whether a snapshot is due at `sequence`. Where the index must look at the store every `shared_for`, a snapshot must
    /// not take much of that.
    pub(super) fn is_due(&self, last: &Last, sequence: u64, shared_for: Option<Duration>) -> bool {
        let is_quick = shared_for.is_none_or(|longest| Duration::from_secs(sequence / EVENTS_A_SECOND) < longest / 4);
        is_quick && sequence - last.sequence >= self.events_min && last.at.elapsed() >= last.took * self.pause
    }

    /// Whether a broker that stops should write one.
    pub(super) fn is_due_at_close(last: &Last, sequence: u64) -> bool {
        sequence - last.sequence > sequence / SHARE_AT_CLOSE
    }

    /// Writes a snapshot of `state`, whose last event has the digest `last`.
    ///
    /// # Errors
    /// As the system gives them; the one before is still there then.
    pub(super) fn write(&self, state: &State, last: Digest) -> io::Result<()> {
        let mut file = Writing::create(&self.path)?;
        state.save(&mut |kind, bytes| file.add(kind as u8, &bytes))?;
        file.finish(&Head { rules: RULES.into(), sequence: state.sequence, last })
    }

    /// Reads the snapshot, and the digest of the last event it stands for.
    ///
    /// # Errors
    /// [`Odd`].
    pub(super) fn read(&self) -> Result<(State, Digest), Odd> {
        let (file, Head { rules, sequence, last }) = Reading::open::<Head>(&self.path)?;
        if rules != RULES {
            return Err(Odd::OtherRules);
        }
        let state = State::load(&file)?;
        match state.sequence == sequence {
            true => Ok((state, last)),
            false => Err(Odd::Damaged),
        }
    }
}

impl Sections for Reading {
    fn count(&self, kind: Section) -> usize {
        Reading::count(self, kind as u8)
    }

    fn section(&self, kind: Section, nth: usize) -> Result<Vec<u8>, Odd> {
        Reading::section(self, kind as u8, nth)
    }
}
