//! The one writer of a trail: takes what waits, makes it durable together, begins a new segment when one is full, and
//! signs the head.
//!
//! **Invariant:** a segment is begun only when every line of the one before it is durable, so that whatever a crash
//! leaves unfinished stands at the end of the last.

use super::{
    Shared, TrailError,
    checkpoint::{Checkpoint, HEAD},
    event::TrailEvent,
    lock,
    segments::{Followed, Place, digits, segment_name},
    settings::TrailSettings,
};
use crate::{
    clock::Clock,
    digest::sha256,
    disk::{Append, Disk},
    keys::SigningKey,
};
use serde::Serialize;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

/// Events that may wait for one commit.
pub(super) const COMMIT_EVENTS_MAX: usize = 256;

/// Milliseconds after which the head is signed again, when events were written since.
const HEAD_EVERY_MS: i64 = 200;

/// A line, as it is written.
#[derive(Serialize)]
struct Line {
    seq: u64,
    at_ms: i64,
    event: TrailEvent,
}

/// An event that waits to be durable.
pub(super) struct Waiting {
    pub event: TrailEvent,
    pub done: oneshot::Sender<Result<u64, TrailError>>,
}

/// Who waited for an event, and what became of it.
type Done = (oneshot::Sender<Result<u64, TrailError>>, Result<u64, TrailError>);

/// What a writer is built from.
pub(super) struct Writing {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub key: SigningKey,
    pub settings: TrailSettings,
    pub shared: Arc<Mutex<Shared>>,
}

pub(super) struct Writer {
    parts: Writing,
    file: Box<dyn Append>,
    segment: u32,
    length: u64,
    /// When the first event of the segment was written; `None` while there is none.
    begun_ms: Option<i64>,
    end: Place,
    head_seq: u64,
    head_at_ms: i64,
    poisoned: bool,
}

impl Writer {
    /// Goes on where the chain was `followed` to, in segment `first` if there is none yet, and cuts off an unfinished line.
    pub fn open(parts: Writing, followed: &Followed, first: u32) -> io::Result<Writer> {
        let segment = followed.segment.max(first);
        let mut file = parts.disk.open_append(&segment_name(segment))?;
        if followed.unfinished > 0 {
            file.truncate(followed.length)?;
        }
        Ok(Writer {
            parts,
            file,
            segment,
            length: followed.length,
            begun_ms: followed.begun_ms,
            end: followed.end,
            head_seq: 0,
            head_at_ms: 0,
            poisoned: false,
        })
    }

    fn commit(&mut self, batch: Vec<Waiting>) -> Vec<Done> {
        let (events, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.event, w.done)).unzip();
        let first = self.end.seq + 1;
        let appended = if events.is_empty() { Ok(()) } else { self.append(events) };
        let result = |seq| match &appended {
            Ok(()) => Ok(seq),
            Err(TrailError::Storage(error)) => Err(TrailError::Storage(error.kind().into())),
            Err(_) => Err(TrailError::Poisoned),
        };
        waiting.into_iter().zip(first..).map(|(waiting, seq)| (waiting, result(seq))).collect()
    }

    fn head_is_due(&self, idle: bool) -> bool {
        let due = idle || self.parts.clock.now_ms() - self.head_at_ms >= HEAD_EVERY_MS;
        due && self.head_seq != self.end.seq && !self.poisoned
    }

    fn append(&mut self, events: Vec<TrailEvent>) -> Result<(), TrailError> {
        if self.poisoned {
            return Err(TrailError::Poisoned);
        }
        let at_ms = self.parts.clock.now_ms();
        self.rotate(at_ms).map_err(TrailError::Storage)?;
        let (mut end, mut bytes, mut hashes) = (self.end, Vec::new(), Vec::with_capacity(events.len()));
        for event in events {
            let seq = end.seq + 1;
            let json = serde_json::to_vec(&Line { seq, at_ms, event }).map_err(|e| TrailError::Storage(e.into()))?;
            end = Place { seq, hash: sha256(&[&end.hash, &json]), at_ms };
            bytes.extend_from_slice(&digits(&end.hash));
            bytes.push(b' ');
            bytes.extend_from_slice(&json);
            bytes.push(b'\n');
            hashes.push(end.hash);
        }
        if let Err(error) = self.file.append(&bytes) {
            // A full disk may have taken a part of the lines: cut it off, so that writing can go on when there is room.
            self.poisoned = self.file.truncate(self.length).is_err();
            return Err(TrailError::Storage(error));
        }
        if let Err(error) = self.file.sync() {
            // After a failed flush nobody knows what is on disk; only reading it again, at a restart, tells.
            self.poisoned = true;
            return Err(TrailError::Storage(error));
        }
        self.length += bytes.len() as u64;
        self.begun_ms = self.begun_ms.or(Some(at_ms));
        self.end = end;
        let mut shared = lock(&self.parts.shared);
        hashes.iter().for_each(|hash| shared.tree.push(hash));
        Ok(())
    }

    /// Begins a new segment if the last is full. A crash right after leaves an empty one, which is the last.
    fn rotate(&mut self, now_ms: i64) -> io::Result<()> {
        let Some(begun_ms) = self.begun_ms else { return Ok(()) };
        if !self.parts.settings.is_full(self.length, begun_ms, now_ms) {
            return Ok(());
        }
        self.file = self.parts.disk.open_append(&segment_name(self.segment + 1))?;
        self.segment += 1;
        (self.length, self.begun_ms) = (0, None);
        Ok(())
    }

    fn sign_head(&mut self) {
        let at_ms = self.parts.clock.now_ms();
        let head = Checkpoint::new(&self.end.hash, lock(&self.parts.shared).tree.edge(), at_ms);
        // A head that could not be written is tried again with the next events; the events themselves are durable.
        let Ok(signed) = head.sign(&self.parts.key) else { return };
        if self.parts.disk.replace(HEAD, signed.as_bytes()).is_ok() {
            (self.head_seq, self.head_at_ms) = (head.seq, head.at_ms);
            lock(&self.parts.shared).head = Some((head, signed));
        }
    }
}

/// Writes what comes until nobody can send any more.
pub(super) async fn write_all(mut writer: Writer, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    loop {
        let idle = Duration::from_millis(HEAD_EVERY_MS.unsigned_abs());
        let dirty = writer.head_seq != writer.end.seq;
        let received = if dirty {
            tokio::time::timeout(idle, waiting.recv_many(&mut batch, COMMIT_EVENTS_MAX)).await.ok()
        } else {
            Some(waiting.recv_many(&mut batch, COMMIT_EVENTS_MAX).await)
        };
        let ended = received == Some(0);
        let taken = std::mem::take(&mut batch);
        let committed = spawn_blocking(move || {
            let done = writer.commit(taken);
            (writer, done)
        });
        // Where that fails the runtime is going down: whoever still waits is told that nothing is durable.
        let Ok((mut back, done)) = committed.await else { return };
        // Told from here and not from the other thread: one wake-up for all of them.
        done.into_iter().for_each(|(waiting, result)| drop(waiting.send(result)));
        if back.head_is_due(received.is_none() || ended) {
            let signed = spawn_blocking(move || {
                back.sign_head();
                back
            });
            let Ok(signed) = signed.await else { return };
            back = signed;
        }
        if ended {
            return;
        }
        writer = back;
    }
}
