//! The feed log: an append-only file of JSON lines, one for each change, whose position is its cursor. The first line
//! names the epoch, so that log and epoch are lost together.

use serde::{Deserialize, Serialize};
use severn_trust::{Append, Digest, Disk, hex, unhex};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task::spawn_blocking;
use tracing::warn;

const LOG: &str = "feed.log";

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Op {
    /// It is new or has changed.
    Put,
    /// The source no longer knows it.
    Withdrawn,
    /// It could not be read when it was to be sent.
    Unreadable,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub local_id: String,
    /// Of the serialised registration; zero where there is none.
    pub digest: Digest,
    pub op: Op,
}

impl Line {
    pub fn unreadable(local_id: String) -> Line {
        Line { local_id, digest: [0; 32], op: Op::Unreadable }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    epoch: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cursor: u64,
    local_id: String,
    digest: String,
    op: Op,
}

/// The log, and what it says of each local id.
pub(super) struct FeedLog {
    // A std mutex: it is locked on a blocking thread, which does the writing, and nothing is awaited meanwhile.
    file: Arc<Mutex<Box<dyn Append>>>,
    epoch: String,
    /// The line of cursor n is at n - 1.
    lines: Vec<(String, Op)>,
    known: HashMap<String, Digest>,
}

struct Read {
    epoch: String,
    lines: Vec<Line>,
    bytes: u64,
}

impl FeedLog {
    /// Opens the log in `disk` and cuts off a last line that a crash left unfinished. A log that is missing or damaged
    /// is begun anew under `new_epoch`: everybody is announced again, which changes nothing at the broker.
    pub async fn open(disk: Arc<dyn Disk>, new_epoch: &str) -> io::Result<FeedLog> {
        let opened = spawn_blocking(move || -> io::Result<_> {
            let mut file = disk.open_append(LOG)?;
            let bytes = disk.read(LOG)?;
            let read = read_log(&bytes);
            if let Some(read) = read.as_ref().filter(|read| read.bytes < bytes.len() as u64) {
                file.truncate(read.bytes)?;
            }
            Ok((file, read, bytes.is_empty()))
        });
        let (file, read, empty) = opened.await.map_err(io::Error::other)??;
        let file = Arc::new(Mutex::new(file));
        let mut log = FeedLog { file, epoch: String::new(), lines: Vec::new(), known: HashMap::new() };
        match read {
            Some(read) => {
                log.epoch = read.epoch;
                read.lines.into_iter().for_each(|line| log.take(line));
            }
            None => {
                if !empty {
                    warn!("feed log is damaged and is begun anew");
                }
                log.start_anew(new_epoch).await?;
            }
        }
        Ok(log)
    }

    /// Forgets everything and begins at cursor 1 under `epoch`.
    pub async fn start_anew(&mut self, epoch: &str) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(&Head { epoch: epoch.to_owned() })?;
        bytes.push(b'\n');
        self.write(bytes, Some(0)).await?;
        (self.epoch, self.lines, self.known) = (epoch.to_owned(), Vec::new(), HashMap::new());
        Ok(())
    }

    /// Adds `lines`. They are durable when this returns. After an error the log must be opened again.
    pub async fn append(&mut self, lines: Vec<Line>) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for (line, cursor) in lines.iter().zip(self.last_cursor() + 1..) {
            let (local_id, digest) = (line.local_id.clone(), hex(&line.digest));
            serde_json::to_writer(&mut bytes, &Written { cursor, local_id, digest, op: line.op })?;
            bytes.push(b'\n');
        }
        self.write(bytes, None).await?;
        lines.into_iter().for_each(|line| self.take(line));
        Ok(())
    }

    /// The epoch of this log: a UUID.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// The cursor of the last change; 0 for none.
    pub fn last_cursor(&self) -> u64 {
        self.lines.len() as u64
    }

    /// The change at `cursor`.
    pub fn at(&self, cursor: u64) -> Option<(&str, Op)> {
        let index = usize::try_from(cursor.checked_sub(1)?).ok()?;
        self.lines.get(index).map(|(local_id, op)| (local_id.as_str(), *op))
    }

    /// What was last announced of a local id; `None` if it is not, or no longer, announced.
    pub fn digest(&self, local_id: &str) -> Option<&Digest> {
        self.known.get(local_id)
    }

    /// Every local id that is announced.
    pub fn announced(&self) -> impl Iterator<Item = &String> {
        self.known.keys()
    }

    fn take(&mut self, line: Line) {
        match line.op {
            Op::Put | Op::Unreadable => drop(self.known.insert(line.local_id.clone(), line.digest)),
            Op::Withdrawn => drop(self.known.remove(&line.local_id)),
        }
        self.lines.push((line.local_id, line.op));
    }

    async fn write(&self, bytes: Vec<u8>, cut: Option<u64>) -> io::Result<()> {
        let file = Arc::clone(&self.file);
        let written = spawn_blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(length) = cut {
                file.truncate(length)?;
            }
            file.append(&bytes)?;
            file.sync()
        });
        written.await.map_err(io::Error::other)?
    }
}

/// The whole lines of a log; `None` if it has no head or a line is not what it should be.
fn read_log(bytes: &[u8]) -> Option<Read> {
    let whole = bytes.iter().rposition(|b| *b == b'\n')? + 1;
    let mut raw = bytes[..whole - 1].split(|b| *b == b'\n');
    let head: Head = serde_json::from_slice(raw.next()?).ok()?;
    let mut lines = Vec::new();
    for (raw, cursor) in raw.zip(1..) {
        let written: Written = serde_json::from_slice(raw).ok()?;
        if written.cursor != cursor {
            return None;
        }
        let digest = unhex(&written.digest)?.try_into().ok()?;
        lines.push(Line { local_id: written.local_id, digest, op: written.op });
    }
    Some(Read { epoch: head.epoch, lines, bytes: whole as u64 })
}
