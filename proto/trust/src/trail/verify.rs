//! The check of a whole trail: that the chain holds, that it reaches its signed head, and that it is the one which each
//! witness has seen. Events are not read but where one is at fault.

use super::{
    checkpoint::{Checkpoint, read_head},
    removed::{Removed, start},
    segments::{Broken, Followed, Linked, Place, described, follow, time_of},
};
use crate::{disk::Disk, keys::PublicKey, merkle::MerkleEdge};
use std::io;

/// What a check of a trail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The last event up to which the chain holds.
    pub events: u64,
    /// Sequence number that the signed head vouches for; 0 if there is no acceptable head.
    pub head_seq: u64,
    /// Files that the trail lies in.
    pub segments: u32,
    /// Bytes behind the last whole line: one that is being written now, or that a crash left unfinished.
    pub unfinished: u64,
    /// What was removed from its beginning, by the signed note.
    pub removed: Option<Removed>,
    /// The last event up to which the trail is the one that a witness has seen; 0 if no witness was given.
    pub witnessed_seq: u64,
    /// Witnessed checkpoints that could not be compared, since what they stand on was removed.
    pub out_of_reach: usize,
    /// What is wrong, in words; empty if nothing is.
    pub faults: Vec<String>,
}

/// A checkpoint of this trail that somebody else keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Who.
    pub by: String,
    /// What they have seen, signed by the trail's own key.
    pub checkpoint: Checkpoint,
}

/// Checks the whole trail in `disk` and its head against `key`.
///
/// # Errors
/// As the storage gives them; `NotFound` if there is no trail.
pub fn verify_trail(disk: &dyn Disk, key: &PublicKey) -> io::Result<VerifyReport> {
    verify_witnessed(disk, key, &[])
}

/// The same, and that the trail is the one that every witness has seen, in any order.
///
/// # Errors
/// As the storage gives them; `NotFound` if there is no trail.
pub fn verify_witnessed(disk: &dyn Disk, key: &PublicKey, witnessed: &[Witnessed]) -> io::Result<VerifyReport> {
    // The head first: the trail may grow between the two, and must not seem cut for that.
    let head = read_head(disk, key)?;
    let start = start(disk, key)?;
    let mut marks: Vec<Mark<'_>> =
        witnessed.iter().map(|seen| Mark { by: Some(&seen.by), checkpoint: &seen.checkpoint }).collect();
    marks.extend(head.iter().map(|head| Mark { by: None, checkpoint: head }));
    marks.sort_by_key(|mark| mark.checkpoint.seq);
    let mut comparison = Comparison::new(&marks, start.tree, start.place);
    let (followed, fault) = match follow(disk, (start.segment, start.place), |linked| comparison.take(linked)) {
        Ok(followed) => (followed, None),
        Err(Broken::Storage(error)) => return Err(error),
        Err(Broken::Fault(what, followed)) => (*followed, Some(what)),
    };
    if followed.segments == 0 && head.is_none() && fault.is_none() && start.removed.is_none() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let broken = fault.is_some();
    let mut report = VerifyReport {
        events: followed.end.seq,
        head_seq: head.as_ref().map_or(0, |head| head.seq),
        segments: followed.segments,
        unfinished: followed.unfinished,
        removed: start.removed,
        witnessed_seq: comparison.witnessed_seq,
        out_of_reach: comparison.out_of_reach,
        faults: fault.into_iter().chain(comparison.faults).collect(),
    };
    if head.is_none() && report.events > 0 {
        report.faults.push("there is no head signed by this key".into());
    }
    // Behind a broken link nothing can be compared; that the link is broken was said.
    if !broken {
        report.faults.extend(marks[comparison.next..].iter().map(|mark| mark.cut(&followed)));
    }
    Ok(report)
}

/// What is wrong with a trail that ends before its head, or whose line there is another.
pub(super) fn not_vouched(head: &Checkpoint, ends_at: u64) -> String {
    let seq = head.seq;
    format!("the tail was cut or replaced: the signed head vouches for event {seq}, the trail ends at {ends_at}")
}

/// A checkpoint to compare with: a witness's, or the trail's own head.
struct Mark<'m> {
    by: Option<&'m str>,
    checkpoint: &'m Checkpoint,
}

impl Mark<'_> {
    /// The trail ends before it.
    fn cut(&self, followed: &Followed) -> String {
        let (seen, ends_at) = (self.checkpoint, followed.end.seq);
        match self.by {
            None => not_vouched(seen, ends_at),
            Some(by) => format!(
                "events from {} to {} were removed: {by} has seen the trail up to event {}, signed {}, and it ends at {ends_at}",
                ends_at + 1,
                seen.seq,
                seen.seq,
                time_of(seen.at_ms)
            ),
        }
    }

    /// The trail is another; it was the same up to event `held`, behind which stands what is `described`.
    fn other(&self, held: u64, described: &str, ends_at: u64) -> String {
        let seen = self.checkpoint;
        match self.by {
            None => not_vouched(seen, ends_at),
            Some(by) => format!(
                "history was rewritten: this is not the trail that {by} has seen up to event {}, signed {}; of events {} to {} \
                 at least one was changed, added or removed, the first of them is now {described}",
                seen.seq,
                time_of(seen.at_ms),
                held + 1,
                seen.seq,
            ),
        }
    }
}

/// Compares a trail with its marks while it is followed.
struct Comparison<'m> {
    marks: &'m [Mark<'m>],
    /// The first mark that was not reached yet.
    next: usize,
    /// Its event, or one that is never reached.
    next_seq: u64,
    tree: MerkleEdge,
    /// The last event up to which the trail is known to be what was seen.
    held: u64,
    /// What the event after it says now.
    after_held: Vec<u8>,
    witnessed_seq: u64,
    out_of_reach: usize,
    faults: Vec<String>,
}

impl<'m> Comparison<'m> {
    fn new(marks: &'m [Mark<'m>], tree: MerkleEdge, begins: Place) -> Comparison<'m> {
        let next = marks.iter().take_while(|mark| mark.checkpoint.seq < begins.seq).count();
        let out_of_reach = marks[..next].iter().filter(|mark| mark.by.is_some()).count();
        let mut comparison = Comparison {
            marks,
            next,
            next_seq: 0,
            tree,
            held: begins.seq,
            after_held: Vec::new(),
            witnessed_seq: 0,
            out_of_reach,
            faults: Vec::new(),
        };
        comparison.reach(&begins);
        comparison
    }

    fn take(&mut self, linked: &Linked<'_>) {
        self.tree.push(&linked.place.hash);
        if linked.place.seq == self.held + 1 {
            self.after_held.clear();
            self.after_held.extend_from_slice(linked.json);
        }
        if linked.place.seq == self.next_seq {
            self.reach(&linked.place);
        }
    }

    /// Compares all marks that stand at `place`.
    fn reach(&mut self, place: &Place) {
        let mut held = self.held;
        while let Some(mark) = self.marks.get(self.next).filter(|mark| mark.checkpoint.seq <= place.seq) {
            self.next += 1;
            if !mark.checkpoint.is_of(place, &self.tree) {
                let first = described(self.held + 1, &self.after_held);
                self.faults.push(mark.other(self.held, &first, place.seq));
            } else {
                held = place.seq;
                if mark.by.is_some() {
                    self.witnessed_seq = place.seq;
                }
            }
        }
        self.held = held;
        self.next_seq = self.marks.get(self.next).map_or(u64::MAX, |mark| mark.checkpoint.seq);
    }
}
