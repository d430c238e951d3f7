//! Removing the oldest segments of a trail: only by command, only whole segments, and only against a signed note of what
//! was there, from which the chain and the tree go on.

use super::{
    TrailError,
    checkpoint::{Checkpoint, HEAD, read_signed},
    persons::persons_name,
    segments::{Place, follow, segment_name, segments_from},
};
use crate::{
    digest::{Digest, hex, unhex},
    disk::Disk,
    keys::{PublicKey, SigningKey},
    merkle::MerkleEdge,
};
use serde::{Deserialize, Serialize};
use std::io;

const NOTE: &str = "audit.removed";
const NOTE_TYPE: &str = "severn-trail-removed+jwt";

/// The signed note of what was removed from the beginning of a trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// The last event that was removed.
    pub seq: u64,
    /// The hash of its line, in hexadecimal digits.
    pub hash: String,
    /// When it was written: milliseconds since 1970-01-01T00:00:00Z.
    pub until_ms: i64,
    /// The right edge of the Merkle tree over all that was removed, in hexadecimal digits, the widest tree first.
    pub peaks: Vec<String>,
    /// The segment with which the trail now begins.
    pub first_segment: u32,
    /// When it was removed: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
}

/// Where a trail begins.
pub(super) struct Start {
    /// The first segment.
    pub segment: u32,
    /// Where the chain stands before its first line.
    pub place: Place,
    /// The tree over all that comes before.
    pub tree: MerkleEdge,
    /// What was removed, if anything was.
    pub removed: Option<Removed>,
}

/// Where the trail in `disk` begins: with its first event, or behind what a note signed by `key` says was removed. A note
/// that another key signed removes nothing.
pub(super) fn start(disk: &dyn Disk, key: &PublicKey) -> io::Result<Start> {
    let signed = read_signed(disk, NOTE)?;
    let removed = signed.and_then(|jws| key.verify::<Removed>(&[NOTE_TYPE], &jws).ok());
    let behind = removed.and_then(|removed| removed.start());
    Ok(behind.unwrap_or(Start { segment: 1, place: Place::default(), tree: MerkleEdge::default(), removed: None }))
}

impl Removed {
    fn start(self) -> Option<Start> {
        let digest = |text: &String| unhex(text)?.try_into().ok();
        let peaks: Option<Vec<Digest>> = self.peaks.iter().map(digest).collect();
        let place = Place { seq: self.seq, hash: digest(&self.hash)?, at_ms: self.until_ms };
        let tree = MerkleEdge::of(self.seq, peaks?)?;
        Some(Start { segment: self.first_segment, place, tree, removed: Some(self) })
    }
}

/// The last event of a segment, and the tree up to it.
struct Closed {
    segment: u32,
    end: Place,
    tree: MerkleEdge,
}

/// Moves the oldest segments of the trail in `disk`, whose events are all older than `before_ms`, to the folder `archive`,
/// and leaves a signed note. The last segment always stays. The archive can be verified like any trail: it gets a head of
/// its own, and the note of what was removed before it. `None` if no segment is old enough.
///
/// May run while a program writes to the trail. A crash in between leaves the trail whole: what the note calls removed and
/// is still there is removed the next time.
///
/// # Errors
/// [`TrailError`] if the trail is damaged, which must be looked into first, or a file cannot be written.
pub fn archive_trail(
    (disk, archive): (&dyn Disk, &dyn Disk),
    key: &SigningKey,
    before_ms: i64,
    now_ms: i64,
) -> Result<Option<Removed>, TrailError> {
    let start = start(disk, key.public()).map_err(TrailError::Storage)?;
    finish_removal(disk, start.segment).map_err(TrailError::Storage)?;
    let closed = closed_before(disk, &start, before_ms)?;
    let Some(last) = closed.last() else { return Ok(None) };
    let removed = Removed {
        seq: last.end.seq,
        hash: hex(&last.end.hash),
        until_ms: last.end.at_ms,
        peaks: last.tree.peaks().iter().map(|peak| hex(peak)).collect(),
        first_segment: last.segment + 1,
        at_ms: now_ms,
    };
    let head = Checkpoint::new(&last.end.hash, &last.tree, now_ms);
    let unsigned = |error| TrailError::Storage(io::Error::other(error));
    let (note, head) = (key.sign(NOTE_TYPE, &removed).map_err(unsigned)?, head.sign(key).map_err(unsigned)?);
    let moved = || {
        keep(disk, archive, &closed)?;
        archive.replace(HEAD, head.as_bytes())?;
        disk.replace(NOTE, note.as_bytes())?;
        finish_removal(disk, removed.first_segment)
    };
    moved().map_err(TrailError::Storage)?;
    Ok(Some(removed))
}

/// The segments from the start whose events are all older than `before_ms`, without the last of the trail.
fn closed_before(disk: &dyn Disk, start: &Start, before_ms: i64) -> Result<Vec<Closed>, TrailError> {
    let (mut tree, mut segment, mut end) = (start.tree.clone(), start.segment, start.place);
    let mut closed: Vec<Closed> = Vec::new();
    follow(disk, (start.segment, start.place), |linked| {
        if linked.segment != segment {
            closed.push(Closed { segment, end, tree: tree.clone() });
            segment = linked.segment;
        }
        tree.push(&linked.place.hash);
        end = linked.place;
    })?;
    let young = closed.iter().position(|segment| segment.end.at_ms >= before_ms).unwrap_or(closed.len());
    closed.truncate(young);
    Ok(closed)
}

/// Copies segments to the archive, and what an archive needs to be verified by itself.
fn keep(disk: &dyn Disk, archive: &dyn Disk, closed: &[Closed]) -> io::Result<()> {
    let earlier = read_signed(disk, NOTE)?;
    // Where the archive holds what was removed earlier, its chain begins there.
    if let Some(note) = earlier.filter(|_| segments_from(archive, 1).is_ok_and(|segments| segments.is_empty())) {
        archive.replace(NOTE, note.as_bytes())?;
    }
    closed.iter().try_for_each(|closed| {
        let name = segment_name(closed.segment);
        archive.replace(&name, &disk.read(&name)?)
    })
}

/// Removes the segments before `first`, which a note says are removed.
fn finish_removal(disk: &dyn Disk, first: u32) -> io::Result<()> {
    let left = segments_from(disk, 1)?.into_iter().take_while(|segment| *segment < first);
    left.into_iter().try_for_each(|segment| {
        match disk.remove(&persons_name(segment)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        disk.remove(&segment_name(segment))
    })
}
