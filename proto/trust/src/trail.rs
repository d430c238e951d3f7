//! The audit trail: append-only files of hash-chained lines, and beside them a signed head that shows a cut tail.
//!
//! A line is `<hash> <json>\n`, where hash = SHA-256(previous hash ‖ json) in 64 hexadecimal digits, the first
//! previous hash is 32 zero bytes, and json is `{"seq":…,"at_ms":…,"event":{…}}` with `seq` counting from 1. The chain
//! runs on from segment to segment. The head is also a checkpoint of a Merkle tree over all lines' hashes, so that
//! others can witness it and be shown that it only ever grew.
//! Many writers share one commit to disk, so that durability costs one flush for all that arrived meanwhile.

mod audit_event;
mod checkpoint;
mod event;
mod extract;
mod persons;
mod removed;
mod segments;
mod settings;
mod verify;
mod writer;

use crate::{
    clock::Clock,
    digest::Digest,
    disk::Disk,
    keys::{PublicKey, SigningKey},
    merkle::{MerkleLog, Missing, TILE_LEAVES, Tiles, leaf_hash},
};
use checkpoint::read_head;
use segments::{Broken, follow};
use serde::Deserialize;
use std::{
    io,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, oneshot};
use writer::{COMMIT_EVENTS_MAX, Waiting, Writer};

pub use audit_event::{ExportError, Observer, audit_event, export_trail};
pub use checkpoint::Checkpoint;
pub use event::{Details, TrailEvent};
pub use extract::{Extract, Released, extract_releases};
pub use removed::{Removed, archive_trail};
pub use settings::{TrailSettings, TrailSettingsError};
pub use verify::{VerifyReport, Witnessed, verify_trail, verify_witnessed};

/// A line, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at_ms: i64,
    event: TrailEvent,
}

/// Why the trail cannot be used. Then nothing may be answered.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// The storage failed.
    #[error("the audit trail cannot be written: {0}; nothing is answered until it can")]
    Storage(#[source] io::Error),
    /// The file was changed from outside.
    #[error("the audit trail is damaged: {0}; keep the file as evidence, move it away and start again")]
    Damaged(String),
    /// An earlier flush failed, so that the state on disk is unknown.
    #[error("an earlier write to the audit trail failed in an unknown state; restart the program")]
    Poisoned,
}

impl From<Broken> for TrailError {
    fn from(broken: Broken) -> TrailError {
        match broken {
            Broken::Storage(error) => TrailError::Storage(error),
            Broken::Fault(what, _) => TrailError::Damaged(what),
        }
    }
}

/// Writes events; clones share one trail.
#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Waiting>,
    disk: Arc<dyn Disk>,
    key: PublicKey,
    shared: Arc<Mutex<Shared>>,
}

/// What the writer tells those who ask for proofs.
struct Shared {
    tree: MerkleLog,
    /// The last head, as it was signed.
    head: Option<(Checkpoint, String)>,
}

/// A checkpoint, and the proof that the tree of an older one is its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The signed [`Checkpoint`].
    pub checkpoint: String,
    /// RFC 6962, section 2.1.2.
    pub consistency: Vec<Digest>,
}

/// Why no checkpoint can be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// Nothing was signed yet.
    #[error("nothing is signed yet; ask again in a second")]
    NothingYet,
    /// The older checkpoint is ahead of this trail, or what it stands on was removed.
    #[error("this trail cannot show that it goes on from event {0}")]
    NotFrom(u64),
    /// The storage failed, or the trail is damaged.
    #[error(transparent)]
    Trail(#[from] TrailError),
}

impl Trail {
    /// Opens the trail in `disk`, checks it whole and against its head, and cuts off a last line that a crash left
    /// unfinished. A head that another key signed vouches for nothing; `verify` reports it.
    /// Must be called within a tokio runtime; the writing task ends when the last clone is dropped.
    ///
    /// # Errors
    /// [`TrailError::Damaged`] if a line was changed or the tail cut, [`TrailError::Storage`] if a file cannot be opened.
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, key: SigningKey) -> Result<Trail, TrailError> {
        Trail::open_with(disk, clock, key, TrailSettings::default())
    }

    /// The same, with segments as `settings` say.
    ///
    /// # Errors
    /// As [`Trail::open`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        key: SigningKey,
        settings: TrailSettings,
    ) -> Result<Trail, TrailError> {
        let public = key.public().clone();
        let start = removed::start(disk.as_ref(), &public).map_err(TrailError::Storage)?;
        let mut tree = MerkleLog::new(start.tree);
        let head = read_head(disk.as_ref(), &public).map_err(TrailError::Storage)?;
        // A head from before what was archived vouches for less than the note, which the same key signed.
        let archived = |head: &Checkpoint| head.seq < start.place.seq || head.is_of(&start.place, tree.edge());
        let mut vouched = head.as_ref().is_none_or(archived);
        let followed = follow(disk.as_ref(), (start.segment, start.place), |linked| {
            tree.push(&linked.place.hash);
            vouched |= head
                .as_ref()
                .is_some_and(|head| head.seq == linked.place.seq && head.is_of(&linked.place, tree.edge()));
        })?;
        // Going on behind a cut tail would sign a new head and so hide the cut.
        if let Some(head) = head.filter(|_| !vouched) {
            return Err(TrailError::Damaged(verify::not_vouched(&head, followed.end.seq)));
        }
        let shared = Arc::new(Mutex::new(Shared { tree, head: None }));
        let (queue, waiting) = mpsc::channel(COMMIT_EVENTS_MAX);
        let writing = writer::Writing { disk: Arc::clone(&disk), clock, key, settings, shared: Arc::clone(&shared) };
        let writer = Writer::open(writing, &followed, start.segment).map_err(TrailError::Storage)?;
        tokio::spawn(writer::write_all(writer, waiting));
        Ok(Trail { queue, disk, key: public, shared })
    }

    /// Records `event`. When this returns a sequence number, the event is durable.
    ///
    /// # Errors
    /// [`TrailError`] if it is not; then nothing that depends on it may happen.
    pub async fn record(&self, event: TrailEvent) -> Result<u64, TrailError> {
        let (done, result) = oneshot::channel();
        self.queue.send(Waiting { event, done }).await.map_err(|_| TrailError::Poisoned)?;
        result.await.map_err(|_| TrailError::Poisoned)?
    }

    /// Calls `visit` with sequence number, time in milliseconds and event of every line, oldest first.
    ///
    /// # Errors
    /// [`TrailError`] if a file cannot be read or is damaged.
    pub fn scan(&self, visit: impl FnMut(u64, i64, TrailEvent)) -> Result<(), TrailError> {
        self.scan_between(i64::MIN..i64::MAX, visit)
    }

    /// The same of every line at a moment of `when`, milliseconds since 1970.
    ///
    /// # Errors
    /// As [`Trail::scan`].
    pub fn scan_between(&self, when: Range<i64>, visit: impl FnMut(u64, i64, TrailEvent)) -> Result<(), TrailError> {
        scan_trail(self.disk.as_ref(), &self.key, when, visit)
    }

    /// The key by which checkpoints are checked.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The newest checkpoint, and the proof that the tree of its first `since` leaves is its beginning. Reads from disk
    /// where `since` lies far back, so it belongs on a thread that may wait.
    ///
    /// # Errors
    /// [`NotShown`] says why there is none.
    pub fn checkpoint(&self, since: u64) -> Result<Shown, NotShown> {
        let mut tiles = Tiles::new();
        loop {
            let (proof, signed) = {
                let shared = lock(&self.shared);
                let (head, signed) = shared.head.as_ref().ok_or(NotShown::NothingYet)?;
                (shared.tree.consistency(since, head.seq, &tiles), signed.clone())
            };
            match proof {
                Ok(consistency) => return Ok(Shown { checkpoint: signed, consistency }),
                Err(Missing::Tile(tile)) if !tiles.contains_key(&tile) => {
                    tiles.insert(tile, self.tile(tile)?);
                }
                Err(_) => return Err(NotShown::NotFrom(since)),
            }
        }
    }

    /// The hashes of a tile's leaves, from the lines themselves.
    fn tile(&self, tile: u64) -> Result<Vec<Digest>, TrailError> {
        let wanted = tile * TILE_LEAVES + 1..=(tile + 1) * TILE_LEAVES;
        let start = removed::start(self.disk.as_ref(), &self.key).map_err(TrailError::Storage)?;
        let mut leaves = Vec::new();
        follow(self.disk.as_ref(), (start.segment, start.place), |linked| {
            if wanted.contains(&linked.place.seq) {
                leaves.push(leaf_hash(&linked.place.hash));
            }
        })?;
        Ok(leaves)
    }
}

/// Calls `visit` with every event of the trail in `disk` at moments of `when`, milliseconds since 1970, oldest first; also
/// while a program writes to it. The chain is checked from its beginning.
///
/// # Errors
/// [`TrailError`] if a file cannot be read or is damaged.
pub fn scan_trail(
    disk: &dyn Disk,
    key: &PublicKey,
    when: Range<i64>,
    mut visit: impl FnMut(u64, i64, TrailEvent),
) -> Result<(), TrailError> {
    let start = removed::start(disk, key).map_err(TrailError::Storage)?;
    let mut unreadable = None;
    follow(disk, (start.segment, start.place), |linked| {
        if !when.contains(&linked.place.at_ms) {
            return;
        }
        match serde_json::from_slice::<Line>(linked.json) {
            Ok(line) => visit(line.seq, line.at_ms, line.event),
            Err(_) => unreadable = unreadable.or(Some(linked.place.seq)),
        }
    })?;
    match unreadable {
        Some(seq) => Err(TrailError::Damaged(format!("event {seq} cannot be read"))),
        None => Ok(()),
    }
}

// A std mutex: nothing is awaited while it is held.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
