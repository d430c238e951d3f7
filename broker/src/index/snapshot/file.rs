//! A file of sections, each with a checksum of its own, so that several threads can read it. What they are, and what the
//! whole stands for, is told at the end, which also shows that nothing was cut off.

use super::Odd;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use twox_hash::XxHash3_64;

/// Length of the last part and its checksum, which end the file.
const END_BYTES: usize = 16;

/// The last part of a file.
#[derive(Serialize, Deserialize)]
struct Contents<H> {
    head: H,
    sections: Vec<Section>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Section {
    kind: u8,
    from: u64,
    bytes: u64,
    checksum: u64,
}

/// A file on its way to the place of another.
pub struct Writing {
    path: PathBuf,
    file: File,
    sections: Vec<Section>,
    written: u64,
}

impl Writing {
    /// Begins a file that only its owner can read, beside `path`.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn create(path: &Path) -> io::Result<Writing> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(aside(path))?;
        Ok(Writing { path: path.to_owned(), file, sections: Vec::new(), written: 0 })
    }

    /// Adds a section.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn add(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        let (from, length) = (self.written, bytes.len() as u64);
        self.sections.push(Section { kind, from, bytes: length, checksum: XxHash3_64::oneshot(bytes) });
        self.written += length;
        Ok(())
    }

    /// Makes the file durable, and puts it in the place of the one before.
    ///
    /// # Errors
    /// As the system gives them; the one before is still there then, or this one is there whole.
    pub fn finish(mut self, head: &impl Serialize) -> io::Result<()> {
        let contents = postcard::to_stdvec(&Contents { head, sections: std::mem::take(&mut self.sections) });
        let contents = contents.map_err(io::Error::other)?;
        self.file.write_all(&contents)?;
        self.file.write_all(&(contents.len() as u64).to_le_bytes())?;
        self.file.write_all(&XxHash3_64::oneshot(&contents).to_le_bytes())?;
        self.file.sync_data()?;
        fs::rename(aside(&self.path), &self.path)?;
        self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// A file of sections to read.
pub struct Reading {
    file: File,
    sections: Vec<Section>,
}

impl Reading {
    /// Opens the file and reads its end; gives its head too.
    ///
    /// # Errors
    /// [`Odd::Missing`] if there is none, [`Odd::Damaged`] if its end is not as it was written.
    pub fn open<H: for<'a> Deserialize<'a>>(path: &Path) -> Result<(Reading, H), Odd> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Odd::Missing,
            _ => Odd::Unreadable(error.to_string()),
        })?;
        let length = file.metadata()?.len();
        let end = length.checked_sub(END_BYTES as u64).ok_or(Odd::Damaged)?;
        let end_part = read(&file, end, END_BYTES)?;
        let (bytes, checksum) = end_part.split_at(END_BYTES / 2);
        let [bytes, checksum] = [bytes, checksum].map(|part| part.try_into().map(u64::from_le_bytes));
        let (bytes, checksum) = (bytes.map_err(|_| Odd::Damaged)?, checksum.map_err(|_| Odd::Damaged)?);
        let from = end.checked_sub(bytes).ok_or(Odd::Damaged)?;
        let contents = checked(read(&file, from, bytes as usize)?, checksum)?;
        let Contents { head, sections } = postcard::from_bytes(&contents).map_err(|_| Odd::Damaged)?;
        Ok((Reading { file, sections }, head))
    }

    /// How many sections of a kind there are.
    pub fn count(&self, kind: u8) -> usize {
        self.sections.iter().filter(|section| section.kind == kind).count()
    }

    /// Reads a section of a kind, in the order in which they were added.
    ///
    /// # Errors
    /// [`Odd::Damaged`] if it is not what was written, or missing.
    pub fn section(&self, kind: u8, nth: usize) -> Result<Vec<u8>, Odd> {
        let mut of_kind = self.sections.iter().filter(|section| section.kind == kind);
        let section = of_kind.nth(nth).ok_or(Odd::Damaged)?;
        checked(read(&self.file, section.from, section.bytes as usize)?, section.checksum)
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("snapshot.next")
}

fn read(file: &File, from: u64, bytes: usize) -> Result<Vec<u8>, Odd> {
    let mut read = vec![0; bytes];
    file.read_exact_at(&mut read, from)?;
    Ok(read)
}

fn checked(bytes: Vec<u8>, checksum: u64) -> Result<Vec<u8>, Odd> {
    match XxHash3_64::oneshot(&bytes) == checksum {
        true => Ok(bytes),
        false => Err(Odd::Damaged),
    }
}
