//! All registrations: interned, fixed in size, and found again by any value they ever had.
//!
//! **Invariant.** Which rows are each other's candidates is a function of the set of registrations: two rows are
//! candidates if they share a key of some kind, and at most so many rows share it (`keys::SHARED_MAX`); where more do, if they share
//! its finer part, and so on. The order in which registrations came never matters. What *can* happen is that a
//! newcomer makes a key too common: then rows that were candidates through it alone are candidates no more. Whoever
//! keeps what followed from candidates is told whose must be derived again ([`Changed::affected`]).

mod desk;
mod postings;
mod saved;

pub(crate) use desk::{Desk, Dictionary, Understood};
pub(crate) use postings::{Entry, Found, Postings};
pub use saved::{SavedPostings, SavedRows};

use crate::atoms::{Atoms, Layer, Words};
use crate::compare::{Comparison, Side, compare_sides};
use crate::identity::{Identity, NhsNumber};
use crate::keys::{KINDS, Key, SHARED_MAX, keys_of};
use crate::record::{Former, Reader, Record};
use rustc_hash::FxHashMap;
use std::hint::black_box;
use std::ops::Range;

/// All registrations, one to a row. Rows are numbers that the caller gives out, as dense as it can.
pub struct Population {
    atoms: Atoms,
    records: Vec<Record>,
    former: FxHashMap<u32, Box<Former>>,
    postings: Vec<Postings>,
    reader: Reader,
    count: usize,
}

/// What inserting or removing changed beyond the row itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Rows whose candidates must be derived again, because a key that they share became too common or is no longer
    /// (sorted; empty nearly always).
    pub affected: Vec<u32>,
}

/// The rows that may be the same person as a row or an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Rows, sorted.
    pub rows: Vec<u32>,
    /// Whether some key was shared by too many even at its finest, so that more rows may exist than are here.
    pub cut: bool,
}

/// An identity made ready to be compared with a population without becoming part of it.
pub struct Probe {
    record: Record,
    former: Option<Former>,
    words: Atoms,
}

impl Default for Population {
    fn default() -> Self {
        Self::new()
    }
}

impl Population {
    /// A population of nobody.
    #[must_use]
    pub fn new() -> Self {
        Self {
            atoms: Atoms::new(),
            records: Vec::new(),
            former: FxHashMap::default(),
            postings: (0..KINDS).map(|_| Postings::default()).collect(),
            reader: Reader::default(),
            count: 0,
        }
    }

    /// Number of registrations.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no registrations.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts a registration into a row, in place of what stood there.
    pub fn insert(&mut self, row: u32, identity: &Identity<'_>) -> Changed {
        let mut changed = self.remove(row);
        self.insert_bulk(row, identity);
        let mut keys = Vec::new();
        keys_of(&self.side(row), &mut keys);
        keys.sort_unstable();
        keys.dedup();
        self.touch(&keys);
        for key in keys {
            self.add_key(row, key, &mut changed);
        }
        changed.finish(row);
        changed
    }

    /// Empties a row.
    pub fn remove(&mut self, row: u32) -> Changed {
        let mut changed = Changed::default();
        if !self.holds(row) {
            return changed;
        }
        let mut keys = Vec::new();
        keys_of(&self.side(row), &mut keys);
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            self.remove_key(row, key, &mut changed);
        }
        self.records[row as usize] = Record::default();
        self.former.remove(&row);
        self.count -= 1;
        changed.finish(row);
        changed
    }

    /// Whether a registration stands in the row.
    #[must_use]
    pub fn holds(&self, row: u32) -> bool {
        self.records.get(row as usize).is_some_and(|record| record.present)
    }

    /// One more than the largest row in use.
    #[must_use]
    pub fn row_limit(&self) -> usize {
        self.records.len()
    }

    /// All rows that hold a registration.
    pub fn rows(&self) -> impl Iterator<Item = u32> {
        self.records.iter().zip(0..).filter(|(record, _)| record.present).map(|(_, row)| row)
    }

    /// Rows that may be the same person as this row.
    #[must_use]
    pub fn candidates(&self, row: u32) -> Candidates {
        let mut search = Search::default();
        if self.holds(row) {
            search.run(self, &self.side(row), |other| other != row);
        }
        search.finish()
    }

    /// Makes an identity ready for [`Population::candidates_of`] and [`Population::compare_with`].
    #[must_use]
    pub fn probe(&self, identity: &Identity<'_>) -> Probe {
        let mut layer = Layer::over(&self.atoms);
        let (record, former) = Reader::default().read(identity, &mut layer);
        Probe { record, former, words: layer.finish() }
    }

    /// Rows that may be the person asked about.
    #[must_use]
    pub fn candidates_of(&self, probe: &Probe) -> Candidates {
        let mut search = Search::default();
        search.run(self, &self.side_of(probe), |_| true);
        search.finish()
    }

    /// Compares two rows.
    #[must_use]
    pub fn compare(&self, one: u32, two: u32) -> Comparison {
        compare_sides(&self.side(one), &self.side(two))
    }

    /// Compares an identity with a row.
    #[must_use]
    pub fn compare_with(&self, probe: &Probe, row: u32) -> Comparison {
        compare_sides(&self.side_of(probe), &self.side(row))
    }

    /// The NHS number of a row, and whether its source verified it.
    #[must_use]
    pub fn nhs_number(&self, row: u32) -> Option<(NhsNumber, bool)> {
        let record = self.record(row);
        record.nhs_number().map(|number| (number, record.is_verified()))
    }

    /// Bytes held in memory, the index included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let former: usize =
            self.former.values().map(|former| 120 + former.names.len() * 12 + former.places.len() * 12).sum();
        let postings: usize = self.postings.iter().map(Postings::bytes).sum();
        self.atoms.bytes() + self.records.capacity() * size_of::<Record>() + former + postings
    }

    pub(crate) fn record(&self, row: u32) -> &Record {
        static NOBODY: std::sync::LazyLock<Record> = std::sync::LazyLock::new(Record::default);
        self.records.get(row as usize).unwrap_or(&NOBODY)
    }

    /// Reads what comparing these rows reads first, so that it waits for memory once, not once for each.
    pub(crate) fn touch_rows(&self, rows: impl Iterator<Item = u32>) {
        black_box(rows.fold(0, |touched, row| touched ^ self.record(row).place.numbers));
    }

    pub(crate) fn side(&self, row: u32) -> Side<'_> {
        let record = self.record(row);
        let former = if record.has_former { self.former.get(&row).map(|former| &**former) } else { None };
        Side { record, former, words: Words { base: &self.atoms, layer: None } }
    }

    pub(crate) fn side_of<'a>(&'a self, probe: &'a Probe) -> Side<'a> {
        let words = Words { base: &self.atoms, layer: Some(&probe.words) };
        Side { record: &probe.record, former: probe.former.as_ref(), words }
    }

    /// The letters of a word.
    pub(crate) fn words_of(&self, id: u32) -> String {
        self.atoms.word(id)
    }

    pub(crate) const fn atoms(&self) -> &Atoms {
        &self.atoms
    }

    pub(crate) fn posting(&self, kind: crate::keys::Kind) -> &Postings {
        &self.postings[kind as usize]
    }

    /// Puts a registration into a row without making it findable: for bulk loads, which end with [`Self::index_bulk`].
    pub fn insert_bulk(&mut self, row: u32, identity: &Identity<'_>) {
        let (record, former) = self.reader.read(identity, &mut self.atoms);
        self.put(row, record, former);
    }

    fn put(&mut self, row: u32, record: Record, former: Option<Former>) {
        let place = row as usize;
        if place >= self.records.len() {
            self.records.resize(place + 1, Record::default());
        }
        self.records[place] = record;
        if let Some(former) = former {
            self.former.insert(row, Box::new(former));
        }
        self.count += 1;
    }

    /// Makes everything that was stored findable, with so many threads.
    pub fn index_bulk(&mut self, threads: usize) {
        self.postings = crate::bulk::build_postings(self, threads);
    }

    /// Every pair of candidates whose smaller row is in a range, some of them more than once.
    pub(crate) fn pairs(&self, rows: &Range<u32>, pairs: &mut Vec<(u32, u32)>, cut: &mut Vec<u32>) {
        for (postings, most) in self.postings.iter().zip(SHARED_MAX) {
            postings.pairs(most, rows, &mut |one, two| pairs.push((one, two)), &mut |row| cut.push(row));
        }
    }

    /// Waits for memory once, not once for each key.
    fn touch(&self, keys: &[Key]) {
        let touch = |key: &Key| self.postings[usize::from(key.kind)].touch(key.coarse);
        black_box(keys.iter().fold(0, |touched, key| touched ^ touch(key)));
    }

    fn add_key(&mut self, row: u32, key: Key, changed: &mut Changed) {
        let most = SHARED_MAX[usize::from(key.kind)];
        let postings = &mut self.postings[usize::from(key.kind)];
        let parts = (key.coarse, key.finer);
        postings.insert(Entry { coarse: key.coarse, finer: key.finer, row });
        // Where the newcomer makes one too many, narrower ones count only now.
        if let Some(width) = postings.one_too_many(parts, most) {
            changed.affected.extend(postings.rows_at(parts, width, most.at(width) + 1));
        }
    }

    fn remove_key(&mut self, row: u32, key: Key, changed: &mut Changed) {
        let most = SHARED_MAX[usize::from(key.kind)];
        let postings = &mut self.postings[usize::from(key.kind)];
        let parts = (key.coarse, key.finer);
        if let Some(width) = postings.one_too_many(parts, most) {
            changed.affected.extend(postings.rows_at(parts, width, most.at(width) + 1));
        }
        postings.remove(Entry { coarse: key.coarse, finer: key.finer, row });
    }
}

impl Changed {
    fn finish(&mut self, row: u32) {
        self.affected.retain(|affected| *affected != row);
        self.affected.sort_unstable();
        self.affected.dedup();
    }
}

/// A search for candidates, its memory used again from one to the next.
#[derive(Default)]
struct Search {
    keys: Vec<Key>,
    rows: Vec<u32>,
    cut: bool,
}

impl Search {
    /// Finds the rows that share a key with `side` and that are wanted; sorted, each once.
    fn run(&mut self, population: &Population, side: &Side<'_>, wanted: impl Fn(u32) -> bool) {
        self.rows.clear();
        self.cut = false;
        keys_of(side, &mut self.keys);
        population.touch(&self.keys);
        for key in &self.keys {
            let postings = &population.postings[usize::from(key.kind)];
            let rows = &mut self.rows;
            let most = SHARED_MAX[usize::from(key.kind)];
            let found = postings.look_up((key.coarse, key.finer), most, |row| {
                if wanted(row) {
                    rows.push(row);
                }
            });
            self.cut |= found == Found::Cut;
        }
        self.rows.sort_unstable();
        self.rows.dedup();
        // Whoever is found is compared next.
        population.touch_rows(self.rows.iter().copied());
    }

    fn finish(self) -> Candidates {
        Candidates { rows: self.rows, cut: self.cut }
    }
}

#[cfg(test)]
mod tests;
