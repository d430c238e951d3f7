//! The audit trail: an append-only file of hash-chained lines, and beside it a signed head that shows a cut tail.
//!
//! A line is `<hash> <json>\n`, where hash = SHA-256(previous hash ‖ json) in 64 hexadecimal digits, the first
//! previous hash is 32 zero bytes, and json is `{"seq":…,"at_ms":…,"event":{…}}` with `seq` counting from 1.
//! Many writers share one commit to disk, so that durability costs one flush for all that arrived meanwhile.

use crate::{
    clock::Clock,
    digest::{Digest, hex, sha256, unhex},
    disk::{Append, Disk},
    keys::{PublicKey, SigningKey},
};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};

const LOG: &str = "audit.log";
const HEAD: &str = "audit.head";
const HEAD_TYPE: &str = "severn-trail+jwt";

/// Events that may wait for one commit.
const COMMIT_EVENTS_MAX: usize = 256;

/// Milliseconds after which the head is signed again, when events were written since.
const HEAD_EVERY_MS: i64 = 200;

/// One event. Empty fields are left out of the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrailEvent {
    /// What was done: `intent`, `manifest`, `seal`, `refused`, `find`, `link`, `release` ...
    pub action: String,
    /// The query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query_id: String,
    /// The user's id and name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The role code, as at the time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// ODS code of the requesting organisation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// Purpose of use.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// Id of the user's token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_id: String,
    /// The person: enterprise id at the broker, local id at an adapter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// Whatever else belongs to this kind of event. Never clinical content, never a token.
    #[serde(skip_serializing_if = "Details::is_empty")]
    pub details: Details,
}

/// JSON values by name, each serialised once, when it is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(BTreeMap<String, Box<RawValue>>);

impl Details {
    /// Sets `name` to `value`; what has no form in JSON becomes `null`.
    pub fn set(&mut self, name: &str, value: &impl Serialize) {
        self.0.insert(name.to_owned(), to_raw_value(value).unwrap_or_default());
    }

    /// These details and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Details {
        self.set(name, value);
        self
    }

    /// The value set for `name`.
    pub fn get(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Details {
    fn eq(&self, other: &Details) -> bool {
        self.0
            .iter()
            .map(|(name, value)| (name, value.get()))
            .eq(other.0.iter().map(|(name, value)| (name, value.get())))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    at_ms: i64,
    event: TrailEvent,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    seq: u64,
    hash: String,
    at_ms: i64,
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

/// Writes events; clones share one file.
#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Waiting>,
    disk: Arc<dyn Disk>,
}

struct Waiting {
    event: TrailEvent,
    done: oneshot::Sender<Result<u64, TrailError>>,
}

/// Who waited for an event, and what became of it.
type Done = (oneshot::Sender<Result<u64, TrailError>>, Result<u64, TrailError>);

struct Writer {
    file: Box<dyn Append>,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    key: SigningKey,
    seq: u64,
    hash: Digest,
    length: u64,
    head_seq: u64,
    head_at_ms: i64,
    poisoned: bool,
}

impl Trail {
    /// Opens the trail in `disk`, checks it whole and against its head, and cuts off a last line that a crash left
    /// unfinished. A head that another key signed vouches for nothing; `verify` reports it.
    /// Must be called within a tokio runtime; the writing task ends when the last clone is dropped.
    ///
    /// # Errors
    /// [`TrailError::Damaged`] if a line was changed or the tail cut, [`TrailError::Storage`] if the file cannot be opened.
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, key: SigningKey) -> Result<Trail, TrailError> {
        let mut file = disk.open_append(LOG).map_err(TrailError::Storage)?;
        let bytes = disk.read(LOG).map_err(TrailError::Storage)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end = check_against_head(&bytes[..whole], disk.as_ref(), key.public())?;
        if whole < bytes.len() {
            file.truncate(whole as u64).map_err(TrailError::Storage)?;
        }
        let (queue, waiting) = mpsc::channel(COMMIT_EVENTS_MAX);
        let writer = Writer {
            file,
            disk: Arc::clone(&disk),
            clock,
            key,
            seq: end.seq,
            hash: end.hash,
            length: whole as u64,
            head_seq: 0,
            head_at_ms: 0,
            poisoned: false,
        };
        tokio::spawn(write_all(writer, waiting));
        Ok(Trail { queue, disk })
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
    /// [`TrailError`] if the file cannot be read or is damaged.
    pub fn scan(&self, mut visit: impl FnMut(u64, i64, TrailEvent)) -> Result<(), TrailError> {
        let bytes = self.disk.read(LOG).map_err(TrailError::Storage)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        follow(&bytes[..whole], |_, line| visit(line.seq, line.at_ms, line.event)).map_err(TrailError::Damaged)?;
        Ok(())
    }
}

async fn write_all(mut writer: Writer, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::new();
    loop {
        let idle = Duration::from_millis(HEAD_EVERY_MS.unsigned_abs());
        let dirty = writer.head_seq != writer.seq;
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

impl Writer {
    fn commit(&mut self, batch: Vec<Waiting>) -> Vec<Done> {
        let (events, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|w| (w.event, w.done)).unzip();
        let first = self.seq + 1;
        let appended = if events.is_empty() { Ok(()) } else { self.append(events) };
        let result = |seq| match &appended {
            Ok(()) => Ok(seq),
            Err(TrailError::Storage(error)) => Err(TrailError::Storage(error.kind().into())),
            Err(_) => Err(TrailError::Poisoned),
        };
        waiting.into_iter().zip(first..).map(|(waiting, seq)| (waiting, result(seq))).collect()
    }

    fn head_is_due(&self, idle: bool) -> bool {
        let due = idle || self.clock.now_ms() - self.head_at_ms >= HEAD_EVERY_MS;
        due && self.head_seq != self.seq && !self.poisoned
    }

    fn append(&mut self, events: Vec<TrailEvent>) -> Result<(), TrailError> {
        if self.poisoned {
            return Err(TrailError::Poisoned);
        }
        let at_ms = self.clock.now_ms();
        let (mut seq, mut hash, mut bytes) = (self.seq, self.hash, Vec::new());
        for event in events {
            seq += 1;
            let json = serde_json::to_vec(&Line { seq, at_ms, event }).map_err(|e| TrailError::Storage(e.into()))?;
            hash = sha256(&[&hash, &json]);
            bytes.extend_from_slice(hex(&hash).as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(&json);
            bytes.push(b'\n');
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
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    fn sign_head(&mut self) {
        let head = Head { seq: self.seq, hash: hex(&self.hash), at_ms: self.clock.now_ms() };
        let signed = self.key.sign(HEAD_TYPE, &head).map_err(|_| ());
        // A head that could not be written is tried again with the next events; the events themselves are durable.
        if signed.and_then(|jws| self.disk.replace(HEAD, jws.as_bytes()).map_err(|_| ())).is_ok() {
            self.head_seq = head.seq;
            self.head_at_ms = head.at_ms;
        }
    }
}

/// Follows the chain up to where it ends. Going on behind a cut tail would sign a new head and so hide the cut.
fn check_against_head(log: &[u8], disk: &dyn Disk, key: &PublicKey) -> Result<End, TrailError> {
    let head = read_head(disk, key).map_err(TrailError::Storage)?;
    let mut vouched = head.is_none();
    let end = follow(log, |hash, line| vouched |= head.as_ref().is_some_and(|h| h.is_of(line.seq, hash)));
    let end = end.map_err(TrailError::Damaged)?;
    match head {
        Some(head) if !vouched => Err(TrailError::Damaged(head.fault(end.seq))),
        _ => Ok(end),
    }
}

/// The head beside the log, if there is one that `key` signed.
fn read_head(disk: &dyn Disk, key: &PublicKey) -> io::Result<Option<Head>> {
    match disk.read(HEAD) {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok().and_then(|jws| key.verify(&[HEAD_TYPE], &jws).ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Head {
    fn is_of(&self, seq: u64, hash: &Digest) -> bool {
        self.seq == seq && self.hash == hex(hash)
    }

    fn fault(&self, ends_at: u64) -> String {
        let seq = self.seq;
        format!("the tail was cut or replaced: the signed head vouches for event {seq}, the trail ends at {ends_at}")
    }
}

struct End {
    seq: u64,
    hash: Digest,
}

/// Follows the chain, line by line; an error names the first line at fault.
fn follow(bytes: &[u8], mut visit: impl FnMut(&Digest, Line)) -> Result<End, String> {
    let mut end = End { seq: 0, hash: [0; 32] };
    for (raw, number) in bytes.split_inclusive(|b| *b == b'\n').zip(1_u64..) {
        let fault = |what: &str| format!("line {number} {what}");
        let raw = raw.strip_suffix(b"\n").ok_or_else(|| fault("is cut short"))?;
        let (said, json) = raw.split_at_checked(64).ok_or_else(|| fault("is cut short"))?;
        let said = std::str::from_utf8(said).ok().and_then(unhex).ok_or_else(|| fault("has no hash"))?;
        let json = json.strip_prefix(b" ").ok_or_else(|| fault("has no event"))?;
        let hash = sha256(&[&end.hash, json]);
        if said != hash {
            return Err(fault("or the one before it was changed, removed or put in another place"));
        }
        let line: Line = serde_json::from_slice(json).map_err(|_| fault("cannot be read"))?;
        if line.seq != end.seq + 1 {
            return Err(fault("has the wrong sequence number"));
        }
        end = End { seq: line.seq, hash };
        visit(&end.hash, line);
    }
    Ok(end)
}

/// What a check of a trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// Events whose chain holds, from the first.
    pub events: u64,
    /// Sequence number that the signed head vouches for; 0 if there is no acceptable head.
    pub head_seq: u64,
    /// What is wrong, in words; empty if nothing is.
    pub faults: Vec<String>,
}

/// Checks the whole trail in `disk` and its head against `key`.
///
/// # Errors
/// As the storage gives them.
pub fn verify_trail(disk: &dyn Disk, key: &PublicKey) -> io::Result<VerifyReport> {
    // The head first: the trail may grow between the two, and must not seem cut for that.
    let head = read_head(disk, key)?;
    let log = disk.read(LOG)?;
    let mut report = VerifyReport { events: 0, head_seq: head.as_ref().map_or(0, |h| h.seq), faults: Vec::new() };
    let mut vouched = false;
    let followed = follow(&log, |hash, line| {
        report.events = line.seq;
        vouched |= head.as_ref().is_some_and(|h| h.is_of(line.seq, hash));
    });
    report.faults.extend(followed.err());
    match head {
        None if report.events > 0 => report.faults.push("there is no head signed by this key".into()),
        Some(head) if report.faults.is_empty() && !vouched => report.faults.push(head.fault(report.events)),
        _ => {}
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
