//! The files of a trail and the chain that runs through them: read piece by piece, line by line, oldest first.
//!
//! The first segment is `audit.log`, those after it are `audit-000002.log` and so on. Only the last is written to; a
//! line that a crash left unfinished can stand only at its end.

use crate::{
    digest::{Digest, sha256},
    disk::Disk,
};
use serde_json::Value;
use std::io::{self, BufRead as _, BufReader};

const FIRST: &str = "audit.log";

/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;

/// Where the JSON begins: after the hash and a space.
pub(super) const JSON_AT: usize = HASH_DIGITS + 1;

/// Where the previous hash is put over the line, so that it and the JSON lie side by side.
const CHAINED_AT: usize = JSON_AT - size_of::<Digest>();

/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;

/// The file of segment `number`, counted from 1.
pub(super) fn segment_name(number: u32) -> String {
    if number == 1 { FIRST.to_owned() } else { format!("audit-{number:06}.log") }
}

fn number_of(name: &str) -> Option<u32> {
    if name == FIRST {
        return Some(1);
    }
    let number = name.strip_prefix("audit-")?.strip_suffix(".log")?.parse().ok()?;
    (segment_name(number) == name && number > 1).then_some(number)
}

/// The numbers of the segments from `first`, ascending.
pub(super) fn segments_from(disk: &dyn Disk, first: u32) -> io::Result<Vec<u32>> {
    let names = disk.list()?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).filter(|n| *n >= first).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Where in the chain one stands: after event `seq`, whose line has `hash`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The last event; 0 before the first.
    pub seq: u64,
    /// The hash of its line; 32 zero bytes before the first.
    pub hash: Digest,
    /// When it was written: milliseconds since 1970.
    pub at_ms: i64,
}

/// Where the chain, as far as it holds, came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Followed {
    /// The last event.
    pub end: Place,
    /// The last segment; 0 if there is none.
    pub segment: u32,
    /// Bytes of whole lines in it.
    pub length: u64,
    /// Bytes of a line that a crash left unfinished at its end.
    pub unfinished: u64,
    /// When its first event was written.
    pub begun_ms: Option<i64>,
    /// Segments read.
    pub segments: u32,
}

/// Why a chain could not be followed to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The storage failed.
    Storage(io::Error),
    /// It does not hold; in words, with the first event at fault. What held before is there.
    Fault(String, Box<Followed>),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Storage(error)
    }
}

/// A line whose place in the chain holds.
pub(super) struct Linked<'l> {
    /// The segment it stands in.
    pub segment: u32,
    /// Where the chain stands after it.
    pub place: Place,
    /// What it says, as JSON.
    pub json: &'l [u8],
}

/// Follows the chain from `start` through the segments from `first`.
pub(super) fn follow(
    disk: &dyn Disk,
    (first, start): (u32, Place),
    mut visit: impl FnMut(&Linked<'_>),
) -> Result<Followed, Broken> {
    let mut followed = Followed { end: start, ..Followed::default() };
    let (mut line, mut before) = (Vec::new(), Vec::new());
    for (number, expected) in segments_from(disk, first)?.into_iter().zip(first..) {
        let at_fault = |what: String, held: &Followed| Broken::Fault(what, Box::new(held.clone()));
        if number != expected {
            return Err(at_fault(format!("the segment {} is missing", segment_name(expected)), &followed));
        }
        if followed.unfinished > 0 {
            let unfinished = segment_name(followed.segment);
            return Err(at_fault(format!("{unfinished} ends within a line, and a segment follows it"), &followed));
        }
        let mut reader = BufReader::with_capacity(READ_BYTES, disk.open_read(&segment_name(number))?);
        followed = Followed { segment: number, length: 0, begun_ms: None, segments: followed.segments + 1, ..followed };
        loop {
            if !line.is_empty() {
                std::mem::swap(&mut line, &mut before);
            }
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if line.pop_if(|last| *last == b'\n').is_none() {
                followed.unfinished = read as u64;
                break;
            }
            match link(&mut line, &followed.end) {
                Ok(place) => {
                    followed.end = place;
                    followed.length += read as u64;
                    followed.begun_ms = followed.begun_ms.or(Some(place.at_ms));
                    visit(&Linked { segment: number, place, json: &line[JSON_AT..] });
                }
                Err(why) => {
                    let what = in_words(why, (&line, &before), &followed.end);
                    return Err(at_fault(format!("{}: {what}", segment_name(number)), &followed));
                }
            }
        }
    }
    Ok(followed)
}

/// Why a line does not follow from the one before it.
#[derive(Clone, Copy)]
enum Unlinked {
    Malformed,
    Changed,
    OutOfOrder(u64),
}

/// Checks that `line` follows from `before`. The previous hash is written over the end of the line's own, so that what
/// is hashed lies in one piece: this runs a million times a second.
fn link(line: &mut [u8], before: &Place) -> Result<Place, Unlinked> {
    if line.len() <= JSON_AT || line[HASH_DIGITS] != b' ' {
        return Err(Unlinked::Malformed);
    }
    let mut said = [0; HASH_DIGITS];
    said.copy_from_slice(&line[..HASH_DIGITS]);
    line[CHAINED_AT..JSON_AT].copy_from_slice(&before.hash);
    let hash = sha256(&[&line[CHAINED_AT..]]);
    let fits = said == digits(&hash);
    line[..HASH_DIGITS].copy_from_slice(&said);
    line[HASH_DIGITS] = b' ';
    if !fits {
        return Err(Unlinked::Changed);
    }
    let (seq, at_ms) = numbers(&line[JSON_AT..]).ok_or(Unlinked::Malformed)?;
    if seq != before.seq + 1 {
        return Err(Unlinked::OutOfOrder(seq));
    }
    Ok(Place { seq, hash, at_ms })
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Every byte in two hexadecimal digits.
const PAIRS: [[u8; 2]; 256] = {
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The hexadecimal digits of a hash.
pub(super) fn digits(hash: &Digest) -> [u8; HASH_DIGITS] {
    let mut out = [0; HASH_DIGITS];
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *pair = PAIRS[usize::from(*byte)];
    }
    out
}

/// Sequence number and time, without reading the event behind them.
fn numbers(json: &[u8]) -> Option<(u64, i64)> {
    let (seq, rest) = number(json.strip_prefix(b"{\"seq\":")?)?;
    let rest = rest.strip_prefix(b",\"at_ms\":")?;
    let (sign, rest) = rest.strip_prefix(b"-").map_or((1, rest), |rest| (-1, rest));
    let (at_ms, rest) = number(rest)?;
    let whole = rest.starts_with(b",\"event\":{") && rest.ends_with(b"}}");
    whole.then_some((seq, i64::try_from(at_ms).ok()? * sign))
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let step = |so_far: u64, digit: &u8| so_far.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let number = digits.iter().try_fold(0, step)?;
    (!digits.is_empty()).then_some((number, rest))
}

/// What is wrong with `line`, which does not follow from the line before it, and which event that is.
fn in_words(why: Unlinked, (line, before): (&[u8], &[u8]), end: &Place) -> String {
    let expected = end.seq + 1;
    let after = match before.get(JSON_AT..) {
        Some(json) if end.seq > 0 && !json.is_empty() => format!(" (it stands after {})", described(end.seq, json)),
        _ => String::new(),
    };
    let said = line.get(JSON_AT..).unwrap_or_default();
    let claimed = numbers(said).map_or(0, |(seq, _)| seq);
    match (why, claimed) {
        (Unlinked::OutOfOrder(seq), _) => format!("event {expected} bears the wrong number, {seq}{after}"),
        (_, 0) => format!("event {expected} cannot be read: its line was changed{after}"),
        (_, seq) if seq > expected => {
            format!(
                "events from {expected} to {} were removed, or moved; what stands there is {}{after}",
                seq - 1,
                described(seq, said)
            )
        }
        (_, seq) if seq < expected => {
            format!("{} is there again, or was moved, where event {expected} should stand{after}", described(seq, said))
        }
        (_, seq) => format!("{} was changed, or the one before it{after}", described(seq, said)),
    }
}

/// "event 17 (seal, 2026-11-23T05:27:11.004Z, query …)", as far as the line can be read. Nothing in it is vouched for.
pub(super) fn described(seq: u64, json: &[u8]) -> String {
    let line: Value = serde_json::from_slice(json).unwrap_or_default();
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
    let mut said: Vec<String> = line["event"]["action"].as_str().map(printable).into_iter().collect();
    said.extend(line["at_ms"].as_i64().map(time_of));
    said.extend(line["event"]["query_id"].as_str().map(|id| format!("query {}", printable(id))));
    if said.is_empty() { format!("event {seq}") } else { format!("event {seq} ({})", said.join(", ")) }
}

/// "2026-11-23T05:27:11.004Z"
pub(super) fn time_of(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |time| time.to_string())
}
