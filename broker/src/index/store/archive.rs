//! A whole index as one file of lines, to move it between stores and to back it up. One JSON object a line:
//!
//! ```text
//! {"begin":{"format":"severn-index","version":3}}
//! {"event":{"sequence":2,"at_ms":…,"kind":"registered","source_id":…,"local_id":…,"body":"0a03…","enterprise_id":…}}
//! {"feed":{"source_id":…,"epoch":…,"feed_cursor":…,"heard_at_ms":…}}
//! {"end":{"events":1,"feeds":1,"sha256":"…"}}
//! ```
//!
//! Events come in sequence from 1, feeds after them, each field as in the stores' columns, bytes in hexadecimal. The
//! digest is of every byte before the last line. The file holds people's demographics: it is readable by its owner only.

use super::{
    Batch, InSequence, Mark, Store, StoreError,
    columns::{EventRow, FeedRow},
};
use crate::index::{
    event::{Event, FeedPosition},
    scoring::MODEL_BYTES_MAX,
};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use severn_trust::hex;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

const FORMAT: &str = "severn-index";
const VERSION: u32 = 3;

/// The first version that can be read; it knew fewer kinds of events.
const VERSION_MIN: u32 = 1;

/// Events handed to a store together.
const EVENTS_MAX: usize = 1_000;

/// Bytes of one line, at most: a model in hexadecimal, and room for the rest.
const LINE_BYTES_MAX: u64 = 2 * MODEL_BYTES_MAX as u64 + 64 * 1024;

/// What an index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events.
    pub events: u64,
    /// Feeds with a position.
    pub feeds: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Line {
    Begin { format: String, version: u32 },
    Event(Box<EventRow>),
    Feed(FeedRow),
    End { events: u64, feeds: u64, sha256: String },
}

/// A file that is there whole or not at all: it gets its name when it is finished.
pub struct NewFile {
    partial: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Prepares `path`, readable by its owner only.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is such a file, or it cannot be made.
    pub fn create(path: &Path) -> Result<NewFile, StoreError> {
        if path.exists() {
            return Err(refused(path, &"is there already; name a new file"));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&partial).map_err(|e| refused(&partial, &e))?;
        Ok(NewFile { partial, path: path.to_owned() })
    }

    /// Where to write meanwhile.
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Gives it its name, once it is durable.
    ///
    /// # Errors
    /// [`StoreError::Refused`] as the file system gives it; the file is not there then.
    pub fn finish(self) -> Result<(), StoreError> {
        let finish = || {
            File::open(&self.partial)?.sync_all()?;
            // A link, unlike a rename, never replaces a file that came meanwhile.
            fs::hard_link(&self.partial, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        finish().map_err(|e: io::Error| refused(&self.path, &e))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // It has its name by now, or is of no use.
        drop(fs::remove_file(&self.partial));
    }
}

/// Writes everything `store` holds, as of one moment, into `file`.
///
/// # Errors
/// [`StoreError`] of the store, or if the file cannot be written.
pub async fn export(store: &dyn Store, file: &NewFile) -> Result<Counts, StoreError> {
    let failed = |e: &dyn std::fmt::Display| refused(file.partial(), e);
    let opened = OpenOptions::new().write(true).open(file.partial());
    let mut writer = Writer { to: BufWriter::new(opened.map_err(|e| failed(&e))?), digest: Context::new(&SHA256) };
    let mut written = writer.write(&Line::Begin { format: FORMAT.into(), version: VERSION });
    let mut counts = Counts::default();
    let loaded = store
        .load(Mark::default(), &mut |event| {
            if written.is_ok() {
                written = writer.write(&Line::Event(Box::new(EventRow::from(&event))));
                counts.events += 1;
            }
        })
        .await?;
    for feed in &loaded.feeds {
        written = written.and_then(|()| writer.write(&Line::Feed(FeedRow::from(feed))));
        counts.feeds += 1;
    }
    written.and_then(|()| writer.end(counts)).map_err(|e| failed(&e))?;
    Ok(counts)
}

struct Writer {
    to: BufWriter<File>,
    digest: Context,
}

impl Writer {
    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.to.write_all(&text)
    }

    fn end(mut self, counts: Counts) -> io::Result<()> {
        let sha256 = hex(self.digest.clone().finish().as_ref());
        self.write(&Line::End { events: counts.events, feeds: counts.feeds, sha256 })?;
        self.to.flush()
    }
}

/// A file that [`export`] wrote, batch after batch. Its end is checked too: whoever reads to the last batch without an
/// error has read everything that was written.
pub struct Archive {
    from: BufReader<File>,
    path: PathBuf,
    line: u64,
    digest: Context,
    counts: Counts,
    in_sequence: InSequence,
    mark: Mark,
    ended: bool,
}

impl Archive {
    /// Opens the file and reads how it begins.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it cannot be read, or is of another format or version.
    pub fn open(path: &Path) -> Result<Archive, StoreError> {
        let file = File::open(path).map_err(|e| refused(path, &e))?;
        let mut archive = Archive {
            from: BufReader::new(file),
            path: path.to_owned(),
            line: 0,
            digest: Context::new(&SHA256),
            counts: Counts::default(),
            in_sequence: InSequence::after(Mark::default()),
            mark: Mark::default(),
            ended: false,
        };
        let first = archive.read_line().map_err(|_| refused(path, &"is no export of an index"))?;
        match serde_json::from_slice(&first) {
            Ok(Line::Begin { format, version: VERSION_MIN..=VERSION }) if format == FORMAT => Ok(archive),
            Ok(Line::Begin { format, version }) if format == FORMAT => {
                let message =
                    format!("has the version {version}; this broker reads versions {VERSION_MIN} to {VERSION}");
                Err(refused(path, &message))
            }
            _ => Err(refused(path, &"is no export of an index")),
        }
    }

    /// Reads the whole file and says what it holds.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first line that is not as it was written.
    pub fn check(path: &Path) -> Result<Counts, StoreError> {
        let mut archive = Archive::open(path)?;
        archive.by_ref().try_for_each(|batch| batch.map(drop))?;
        Ok(archive.counts)
    }

    fn read_line(&mut self) -> Result<Vec<u8>, StoreError> {
        self.line += 1;
        let mut line = Vec::new();
        let read = io::Read::take(&mut self.from, LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|e| refused(&self.path, &e))?;
        if !line.ends_with(b"\n") {
            return Err(self.damaged("is cut off"));
        }
        self.digest.update(&line);
        Ok(line)
    }

    fn read_batch(&mut self) -> Result<Batch, StoreError> {
        let mut batch = Batch { after: self.mark, ..Batch::default() };
        while batch.events.len() < EVENTS_MAX && batch.feeds.len() < EVENTS_MAX {
            let digest_before = self.digest.clone();
            let text = self.read_line()?;
            // What serde says of a line could repeat what stands in it.
            let line = serde_json::from_slice(&text).map_err(|_| self.damaged("cannot be read"))?;
            match line {
                Line::Event(row) if self.counts.feeds == 0 => {
                    let event = Event::try_from(*row)?;
                    self.in_sequence.take(&event)?;
                    self.counts.events += 1;
                    batch.events.push(event);
                }
                Line::Feed(row) => {
                    self.counts.feeds += 1;
                    batch.feeds.push(FeedPosition::try_from(row)?);
                }
                Line::End { events, feeds, sha256 } => {
                    self.check_end(Counts { events, feeds }, sha256 == hex(digest_before.finish().as_ref()))?;
                    self.ended = true;
                    break;
                }
                Line::Event(_) | Line::Begin { .. } => return Err(self.damaged("does not belong there")),
            }
        }
        self.mark = batch.mark();
        Ok(batch)
    }

    fn check_end(&mut self, counts: Counts, digest_fits: bool) -> Result<(), StoreError> {
        if counts != self.counts || !digest_fits {
            return Err(self.damaged("does not fit what stands before it: the file was changed"));
        }
        match self.from.fill_buf().map_err(|e| refused(&self.path, &e))?.is_empty() {
            true => Ok(()),
            false => Err(self.damaged("should be the last")),
        }
    }

    fn damaged(&self, how: &str) -> StoreError {
        StoreError::Damaged(format!("{}: line {} {how}", self.path.display(), self.line))
    }
}

impl Iterator for Archive {
    type Item = Result<Batch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.read_batch();
        self.ended |= batch.is_err();
        Some(batch)
    }
}

fn refused(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Refused(format!("{}: {error}", path.display()))
}
