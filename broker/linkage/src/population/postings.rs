//! The blocking index of one kind of key: which rows stand under it.
//!
//! Two levels: a sorted array that never changes, and a small hash table of what came since; the table is merged into the
//! array when it has grown to an eighth of it, or holds too many entries under one key to go through at each look-up.
//!
//! **Invariant.** What a look-up finds is a function of the *set* of (key, row) entries, never of their order of
//! arrival: how many rows share a key decides which part of it counts, and that number is a property of the set.

use crate::keys::{Key, SharedMax};
use hashbrown::HashTable;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

/// One row under one key: coarse part, finer parts, row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub coarse: u32,
    pub finer: u32,
    pub row: u32,
}

impl Entry {
    /// The entry as a number of the same order.
    pub fn number(&self) -> u128 {
        u128::from(self.coarse) << 64 | u128::from(self.finer) << 32 | u128::from(self.row)
    }
}

/// How a look-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// All rows that share the key were given, as far as it had to be narrowed.
    All,
    /// Others share it who were not given: its finest part is shared by too many, or it was narrowed to a value that it
    /// does not know.
    Cut,
}

#[derive(Default)]
pub(crate) struct Postings {
    sorted: Vec<Entry>,
    /// First entry of each bucket of coarse keys.
    buckets: Vec<u32>,
    shift: u32,
    recent: Recent,
    /// Entries of `sorted` that are gone.
    gone: BTreeSet<Entry>,
}

/// What came since the last merge, found by its coarse part.
#[derive(Default)]
struct Recent(HashTable<Entry>);

impl Recent {
    /// Entries under one coarse part, all of which a look-up of it goes through.
    const SHARED_MAX: usize = 1024;

    fn len(&self) -> usize {
        self.0.len()
    }

    /// All that share a coarse part, in no order.
    fn sharing(&self, coarse: u32) -> impl Iterator<Item = &Entry> {
        self.0.iter_hash(hash(coarse)).filter(move |entry| entry.coarse == coarse)
    }

    fn within(&self, (first, last): (Entry, Entry)) -> impl Iterator<Item = &Entry> {
        self.sharing(first.coarse).filter(move |entry| (first..=last).contains(*entry))
    }

    fn insert(&mut self, entry: Entry) {
        self.0.insert_unique(hash(entry.coarse), entry, |entry| hash(entry.coarse));
    }

    fn remove(&mut self, entry: Entry) -> bool {
        let found = self.0.find_entry(hash(entry.coarse), |other| *other == entry);
        found.map(|place| place.remove()).is_ok()
    }

    fn in_order(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.0.iter().copied().collect();
        entries.sort_unstable();
        entries
    }
}

/// Spreads coarse parts, some of which are numbers as people have them, over the table; by the golden ratio.
fn hash(coarse: u32) -> u64 {
    u64::from(coarse).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const RECENT_MIN: usize = 8192;
/// Entries looked at beyond the limit, to see that it is passed.
const ONE_MORE: usize = 1;

impl Postings {
    /// Takes all entries of a bulk load at once, in parts that are each in order.
    pub fn build(parts: &[Vec<Entry>]) -> Self {
        let mut entries = parts.concat();
        // Finds the parts again, and merges them.
        entries.sort_by_key(Entry::number);
        entries.dedup();
        entries.shrink_to_fit();
        Self::of_sorted(entries)
    }

    /// Takes entries in order, each once.
    pub fn of_sorted(sorted: Vec<Entry>) -> Self {
        let mut postings = Self { sorted, ..Self::default() };
        postings.index();
        postings
    }

    fn index(&mut self) {
        let bits = (self.sorted.len() / 4).max(1).ilog2();
        self.shift = 32 - bits;
        let count = 1_usize << bits;
        self.buckets.clear();
        self.buckets.reserve_exact(count + 1);
        let mut next = 0;
        for bucket in 0..count as u64 {
            while next < self.sorted.len() && (u64::from(self.sorted[next].coarse) >> self.shift) < bucket {
                next += 1;
            }
            self.buckets.push(next as u32);
        }
        self.buckets.push(self.sorted.len() as u32);
    }

    pub fn len(&self) -> usize {
        self.sorted.len() + self.recent.len() - self.gone.len()
    }

    pub fn bytes(&self) -> usize {
        self.sorted.capacity() * size_of::<Entry>()
            + self.buckets.capacity() * 4
            + self.recent.0.allocation_size()
            + self.gone.len() * 16
    }

    /// Takes an entry that is not there yet.
    pub fn insert(&mut self, entry: Entry) {
        debug_assert!(!self.recent.within((entry, entry)).any(|_| true), "an entry comes once");
        if self.gone.remove(&entry) {
            return;
        }
        self.recent.insert(entry);
        let too_many = self.recent.len() > RECENT_MIN.max(self.sorted.len() / 8);
        if too_many || self.recent.sharing(entry.coarse).nth(Recent::SHARED_MAX).is_some() {
            self.merge();
        }
    }

    pub fn remove(&mut self, entry: Entry) {
        if !self.recent.remove(entry) && self.is_sorted_in(entry) {
            self.gone.insert(entry);
        }
        if self.gone.len() > RECENT_MIN.max(self.sorted.len() / 8) {
            self.merge();
        }
    }

    fn is_sorted_in(&self, entry: Entry) -> bool {
        !self.range_of((entry, entry), 1).is_empty()
    }

    fn merge(&mut self) {
        let mut merged = Vec::with_capacity(self.len());
        let recent = std::mem::take(&mut self.recent);
        let gone = std::mem::take(&mut self.gone);
        let mut added = recent.in_order().into_iter().peekable();
        for entry in self.sorted.iter().filter(|entry| !gone.contains(entry)) {
            while let Some(earlier) = added.next_if(|recent| recent < entry) {
                merged.push(earlier);
            }
            merged.push(*entry);
        }
        merged.extend(added);
        self.sorted = merged;
        self.index();
    }

    /// Reads what a look-up of a coarse key reads first. Whoever does so for many keys before looking any of them up waits
    /// for memory once, not once for each.
    pub fn touch(&self, coarse: u32) -> u32 {
        let bucket = (u64::from(coarse) >> self.shift) as usize;
        let first = self.buckets.get(bucket).copied().unwrap_or_default();
        let recent = self.recent.sharing(coarse).next().map_or(0, |entry| entry.row);
        self.sorted.get(first as usize).map_or(0, |entry| entry.row) ^ recent
    }

    /// Calls `with` for every row that shares the key, narrowed until at most `shared_max` do.
    pub fn look_up(&self, key: (u32, u32), most: SharedMax, mut with: impl FnMut(u32)) -> Found {
        for (width, range) in ranges(key).into_iter().enumerate() {
            let found = if Key::is_blind(key.1, width) { Found::Cut } else { Found::All };
            let shared_max = most.at(width);
            let base = self.range_of(range, shared_max + ONE_MORE + self.gone.len());
            let recent = || self.recent.within(range);
            if self.gone.is_empty() && self.recent.len() == 0 {
                if base.len() <= shared_max {
                    base.iter().for_each(|entry| with(entry.row));
                    return found;
                }
                continue;
            }
            let standing = || base.iter().filter(|entry| !self.gone.contains(entry)).chain(recent());
            if standing().take(shared_max + ONE_MORE).count() <= shared_max {
                standing().for_each(|entry| with(entry.row));
                return found;
            }
        }
        Found::Cut
    }

    /// The width at which just one row more shares the key than may.
    pub fn one_too_many(&self, key: (u32, u32), most: SharedMax) -> Option<usize> {
        for (width, range) in ranges(key).into_iter().enumerate() {
            let limit = most.at(width) + 2;
            let base = self.range_of(range, limit + self.gone.len());
            let standing = base.iter().filter(|entry| !self.gone.contains(entry)).count();
            let shared = standing + self.recent.within(range).take(limit).count();
            // Narrower, the key is shared by no more rows, and as many may.
            match shared.cmp(&(most.at(width) + 1)) {
                Ordering::Less => return None,
                Ordering::Equal => return Some(width),
                Ordering::Greater => {}
            }
        }
        None
    }

    /// The rows that share the key at one width, at most `limit`.
    pub fn rows_at(&self, key: (u32, u32), width: usize, limit: usize) -> Vec<u32> {
        let range = ranges(key)[width];
        let base = self.range_of(range, limit + self.gone.len());
        let standing = base.iter().filter(|entry| !self.gone.contains(entry));
        standing.chain(self.recent.within(range)).take(limit).map(|entry| entry.row).collect()
    }

    /// The sorted entries within the range, at most `limit`.
    fn range_of(&self, (first, last): (Entry, Entry), limit: usize) -> &[Entry] {
        let bucket = (u64::from(first.coarse) >> self.shift) as usize;
        let Some(&[from, to]) = self.buckets.get(bucket..bucket + 2) else { return &[] };
        let bucket = &self.sorted[from as usize..to as usize];
        let start = if bucket.len() <= 16 {
            bucket.iter().take_while(|entry| **entry < first).count()
        } else {
            bucket.partition_point(|entry| *entry < first)
        };
        let rest = &bucket[start..];
        let end = rest.iter().take(limit).take_while(|entry| **entry <= last).count();
        &rest[..end]
    }

    /// Every entry that stands, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut recent = self.recent.in_order().into_iter().peekable();
        let mut sorted =
            self.sorted.iter().copied().filter(|entry| self.gone.is_empty() || !self.gone.contains(entry)).peekable();
        std::iter::from_fn(move || match (sorted.peek(), recent.peek()) {
            (Some(one), Some(two)) if two < one => recent.next(),
            (None, _) => recent.next(),
            _ => sorted.next(),
        })
    }

    /// Calls `with` for the two rows of every pair that a look-up of either finds, the smaller being one of `rows`
    /// (a pair may come twice), and `cut` for rows whose look-up ends in [`Found::Cut`].
    pub fn pairs(
        &self,
        shared_max: SharedMax,
        rows: &Range<u32>,
        with: &mut impl FnMut(u32, u32),
        cut: &mut impl FnMut(u32),
    ) {
        let standing: Vec<Entry>;
        let sorted = if self.gone.is_empty() && self.recent.len() == 0 {
            &self.sorted
        } else {
            standing = self.entries().collect();
            &standing
        };
        for group in sorted.chunk_by(|one, two| one.coarse == two.coarse) {
            pairs_of_group(group, 0, shared_max, rows, (with, cut));
        }
    }

    /// All coarse keys shared by two to `shared_max` rows, for sampling pairs when learning.
    pub fn groups(&self, shared_max: usize) -> impl Iterator<Item = &[Entry]> {
        let groups = self.sorted.chunk_by(|one, two| one.coarse == two.coarse);
        groups.filter(move |group| group.len() >= 2 && group.len() <= shared_max)
    }
}

/// What tells entries of one group apart at each width.
const WIDTHS: [fn(&Entry) -> u32; 2] = [|entry| entry.finer >> 16, |entry| entry.finer];

fn pairs_of_group(
    group: &[Entry],
    width: usize,
    shared_max: SharedMax,
    rows: &Range<u32>,
    (with, cut): (&mut impl FnMut(u32, u32), &mut impl FnMut(u32)),
) {
    if group.len() <= shared_max.at(width) {
        for (place, one) in group.iter().enumerate() {
            for two in &group[place + 1..] {
                let (one, two) = (one.row.min(two.row), one.row.max(two.row));
                if rows.contains(&one) && one != two {
                    with(one, two);
                }
            }
        }
        return;
    }
    match WIDTHS.get(width) {
        Some(part) => {
            for narrower in group.chunk_by(|one, two| part(one) == part(two)) {
                pairs_of_group(narrower, width + 1, shared_max, rows, (with, cut));
            }
        }
        None => group.iter().filter(|entry| rows.contains(&entry.row)).for_each(|entry| cut(entry.row)),
    }
}

/// The three ranges of entries, each within the one before, that share more and more of a key.
fn ranges((coarse, finer): (u32, u32)) -> [(Entry, Entry); 3] {
    let range = |from, to| (Entry { coarse, finer: from, row: 0 }, Entry { coarse, finer: to, row: u32::MAX });
    [range(0, u32::MAX), range(finer & 0xffff_0000, finer | 0xffff), range(finer, finer)]
}
