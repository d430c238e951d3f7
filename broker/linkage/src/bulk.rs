//! All registrations at once, on several threads. The answer is the one that inserting them one by one gives: both
//! look candidates up in the same index and score them with the same function.

use crate::keys::{KINDS, keys_of};
use crate::model::Model;
use crate::compare::Comparison;
use crate::population::{Entry, Population, Postings, Search};
use crate::score::Score;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pair of rows with its score; `one` is the smaller row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredPair {
    /// The smaller row.
    pub one: u32,
    /// The larger row.
    pub two: u32,
    /// What was compared.
    pub comparison: Comparison,
    /// How likely they are one person.
    pub score: Score,
}

/// What a bulk run gives.
#[derive(Debug, Default)]
pub struct ScoredPairs {
    /// Pairs with at least the probability asked for, sorted by rows.
    pub pairs: Vec<ScoredPair>,
    /// Pairs compared in all.
    pub compared: u64,
    /// Rows with a key that is too common even at its finest: they may have more candidates than were compared.
    pub cut: Vec<u32>,
}

const ROWS_AT_ONCE: usize = 4096;

/// Scores every pair of candidates and keeps those from `probability_min` on. `progress` is told how many rows are
/// done; the number of threads changes nothing but the time.
pub fn score_all(
    population: &Population,
    model: &Model,
    threads: usize,
    probability_min: f64,
    progress: &(dyn Fn(usize) + Sync),
) -> ScoredPairs {
    let rows = population.row_limit();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = ScoredPairs::default();
        let mut search = Search::default();
        loop {
            let from = next.fetch_add(ROWS_AT_ONCE, Ordering::Relaxed);
            if from >= rows {
                return found;
            }
            let to = (from + ROWS_AT_ONCE).min(rows);
            for row in from as u32..to as u32 {
                score_row(population, model, row, probability_min, &mut search, &mut found);
            }
            progress(to);
        }
    };
    let mut all = ScoredPairs::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let part = worker.join().unwrap_or_default();
            all.pairs.extend(part.pairs);
            all.compared += part.compared;
            all.cut.extend(part.cut);
        }
    });
    all.pairs.sort_unstable_by_key(|pair| (pair.one, pair.two));
    all.cut.sort_unstable();
    all
}

fn score_row(
    population: &Population,
    model: &Model,
    row: u32,
    probability_min: f64,
    search: &mut Search,
    found: &mut ScoredPairs,
) {
    if !population.holds(row) {
        return;
    }
    search.run(population, &population.side(row), |other| other > row);
    if search.cut {
        found.cut.push(row);
    }
    found.compared += search.rows.len() as u64;
    for other in &search.rows {
        let comparison = population.compare(row, *other);
        let score = model.score(&comparison);
        if score.probability >= probability_min {
            found.pairs.push(ScoredPair { one: row, two: *other, comparison, score });
        }
    }
}

/// Builds the blocking index of all rows.
pub(crate) fn build_postings(population: &Population, threads: usize) -> Vec<Postings> {
    let mut entries: Vec<Vec<Entry>> = (0..KINDS).map(|_| Vec::with_capacity(population.len())).collect();
    let mut keys = Vec::new();
    for row in population.rows() {
        keys_of(&population.side(row), &mut keys);
        for key in &keys {
            entries[usize::from(key.kind)].push(Entry { coarse: key.coarse, finer: key.finer, row });
        }
    }
    let entries: Vec<std::sync::Mutex<Vec<Entry>>> = entries.into_iter().map(std::sync::Mutex::new).collect();
    let built: Vec<std::sync::Mutex<Postings>> = (0..KINDS).map(|_| std::sync::Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let kind = next.fetch_add(1, Ordering::Relaxed);
            let (Some(own), Some(place)) = (entries.get(kind), built.get(kind)) else { return };
            let own = own.lock().map(|mut own| std::mem::take(&mut *own)).unwrap_or_default();
            if let Ok(mut place) = place.lock() {
                *place = Postings::build(own);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    built.into_iter().map(|postings| postings.into_inner().unwrap_or_default()).collect()
}
