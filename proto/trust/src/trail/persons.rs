//! Where the lines about a person stand, so that who looked at somebody is known without reading all that anybody did. Beside
//! each finished segment lies a small file, made when it is first wanted: for every line and every person that it names,
//! eight bytes of the person's SHA-256 and the line's place, in order; behind them the SHA-256 of it all. It is made anew
//! where it is missing or damaged, and vouches for nothing: what it points to is read from the trail itself.

use super::{
    Line, Trail, TrailError, TrailEvent, removed,
    segments::{JSON_AT, segment_name, segments_from},
};
use crate::{
    digest::{Digest, sha256},
    disk::Disk,
};
use serde::Deserialize;
use std::{
    borrow::Cow,
    io::{self, BufRead as _, BufReader},
};

/// Bytes of a person's mark, and of an entry: mark and place.
const MARK: usize = 8;
const ENTRY: usize = 2 * MARK;

/// Bytes of a line that are read at first; most are shorter.
const LINE_BYTES: usize = 4 << 10;

/// Bytes of the longest line.
const LINE_BYTES_MAX: usize = 64 << 20;

/// The file beside segment `number`.
pub(super) fn persons_name(number: u32) -> String {
    format!("audit-{number:06}.persons")
}

/// What is read of a line to know whom it is about.
#[derive(Deserialize)]
struct Named<'l> {
    #[serde(borrow)]
    event: NamedBy<'l>,
}

#[derive(Deserialize)]
struct NamedBy<'l> {
    #[serde(borrow, default)]
    person: Cow<'l, str>,
    #[serde(borrow, default)]
    details: Candidates<'l>,
}

/// Persons whom a search showed.
#[derive(Default, Deserialize)]
struct Candidates<'l> {
    #[serde(borrow, default)]
    candidates: Vec<Cow<'l, str>>,
}

impl Named<'_> {
    /// Every person that the line names.
    fn persons(&self) -> impl Iterator<Item = &str> {
        let person = Some(&*self.event.person).filter(|person| !person.is_empty());
        person.into_iter().chain(self.event.details.candidates.iter().map(|candidate| &**candidate))
    }
}

impl Trail {
    /// Calls `visit` with sequence number, time in milliseconds and event of every line that names one of `persons`, as its
    /// person or among the `candidates` of its details, oldest first, up to the last that is durable now. Finished segments
    /// are looked up, the last is read. The chain is not checked again: it was when the trail was opened.
    ///
    /// # Errors
    /// [`TrailError`] if a file cannot be read, is missing or is damaged.
    pub fn scan_persons(
        &self,
        persons: &[String],
        mut visit: impl FnMut(u64, i64, TrailEvent),
    ) -> Result<(), TrailError> {
        let (disk, mut last_seq) = (self.disk.as_ref(), 0);
        let mut line = |name: &str, json: &[u8]| {
            let damaged = || TrailError::Damaged(format!("{name}: a line behind event {last_seq} cannot be read"));
            if !names(json, persons).ok_or_else(damaged)? {
                return Ok(());
            }
            let line: Line = serde_json::from_slice(json).map_err(|_| damaged())?;
            if line.seq <= last_seq {
                return Err(damaged());
            }
            last_seq = line.seq;
            visit(line.seq, line.at_ms, line.event);
            Ok(())
        };
        let segments = self.segments()?;
        let Some((last, finished)) = segments.split_last() else { return Ok(()) };
        for number in finished {
            let name = segment_name(*number);
            for place in places(disk, *number, persons)? {
                let read = line_at(disk, &name, place).map_err(TrailError::Storage)?;
                line(&name, read.get(JSON_AT..).unwrap_or_default())?;
            }
        }
        let name = segment_name(*last);
        each_line(disk, &name, |_, read| line(&name, read.get(JSON_AT..).unwrap_or_default()))
    }

    /// Makes the file beside every finished segment that has none, so that nobody waits for it.
    ///
    /// # Errors
    /// [`TrailError`] if a file cannot be read or written, or is damaged.
    pub fn index_persons(&self) -> Result<(), TrailError> {
        let segments = self.segments()?;
        let finished = segments.split_last().map(|(_, finished)| finished).unwrap_or_default();
        finished.iter().try_for_each(|number| entries(self.disk.as_ref(), *number).map(drop))
    }

    /// The numbers of all segments, none of which may be missing.
    fn segments(&self) -> Result<Vec<u32>, TrailError> {
        let first = removed::start(self.disk.as_ref(), &self.key).map_err(TrailError::Storage)?.segment;
        let segments = segments_from(self.disk.as_ref(), first).map_err(TrailError::Storage)?;
        match segments.iter().zip(first..).find(|(number, expected)| *number != expected) {
            None => Ok(segments),
            Some((_, missing)) => Err(TrailError::Damaged(format!("the segment {} is missing", segment_name(missing)))),
        }
    }
}

/// Whether a line names one of `persons`; `None` if it cannot be read.
fn names(json: &[u8], persons: &[String]) -> Option<bool> {
    let named: Named<'_> = serde_json::from_slice(json).ok()?;
    let found = named.persons().any(|named| persons.iter().any(|person| person == named));
    Some(found)
}

/// Where the lines of a finished segment begin that may name one of `persons`, ascending, each once.
fn places(disk: &dyn Disk, number: u32, persons: &[String]) -> Result<Vec<u64>, TrailError> {
    let entries = entries(disk, number)?;
    let entries = entries.as_chunks::<ENTRY>().0;
    let mut places = Vec::new();
    for person in persons {
        let mark = mark(person);
        let from = entries.partition_point(|entry| entry[..MARK] < mark[..]);
        let of_person = entries[from..].iter().take_while(|entry| entry[..MARK] == mark);
        places.extend(of_person.map(place_of));
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

fn mark(person: &str) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark.copy_from_slice(&sha256(&[person.as_bytes()])[..MARK]);
    mark
}

fn place_of(entry: &[u8; ENTRY]) -> u64 {
    let mut place = [0; MARK];
    place.copy_from_slice(&entry[MARK..]);
    u64::from_be_bytes(place)
}

/// The entries of a finished segment, made where they are missing or damaged.
fn entries(disk: &dyn Disk, number: u32) -> Result<Vec<u8>, TrailError> {
    let name = persons_name(number);
    if let Ok(mut kept) = disk.read(&name)
        && let Some(length) = kept.len().checked_sub(size_of::<Digest>())
        && length % ENTRY == 0
        && kept[length..] == sha256(&[&kept[..length]])
    {
        kept.truncate(length);
        return Ok(kept);
    }
    let mut made: Vec<[u8; ENTRY]> = Vec::new();
    let segment = segment_name(number);
    each_line(disk, &segment, |place, line| {
        let named: Option<Named<'_>> = line.get(JSON_AT..).and_then(|json| serde_json::from_slice(json).ok());
        let named = named.ok_or_else(|| TrailError::Damaged(format!("{segment}: a line cannot be read")))?;
        made.extend(named.persons().map(|person| {
            let mut entry = [0; ENTRY];
            entry[..MARK].copy_from_slice(&mark(person));
            entry[MARK..].copy_from_slice(&place.to_be_bytes());
            entry
        }));
        Ok(())
    })?;
    made.sort_unstable();
    let mut file = made.into_flattened();
    let length = file.len();
    let digest = sha256(&[&file]);
    file.extend_from_slice(&digest);
    disk.replace(&name, &file).map_err(TrailError::Storage)?;
    file.truncate(length);
    Ok(file)
}

/// Calls `visit` with place and content of every whole line of a file.
fn each_line(
    disk: &dyn Disk,
    name: &str,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), TrailError>,
) -> Result<(), TrailError> {
    let file = disk.open_read(name).map_err(TrailError::Storage)?;
    let (mut reader, mut line, mut place) = (BufReader::with_capacity(1 << 20, file), Vec::new(), 0);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(TrailError::Storage)?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            // The end, or a line that is being written.
            return Ok(());
        }
        visit(place, &line)?;
        place += read as u64;
    }
}

/// The line that begins at a place.
fn line_at(disk: &dyn Disk, name: &str, place: u64) -> io::Result<Vec<u8>> {
    let mut bytes = LINE_BYTES;
    loop {
        let mut read = disk.read_at(name, place, bytes)?;
        if let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            read.truncate(end);
            return Ok(read);
        }
        if read.len() < bytes || bytes >= LINE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name}: no line begins at byte {place}")));
        }
        bytes *= 16;
    }
}

#[cfg(test)]
mod tests;
