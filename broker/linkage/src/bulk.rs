//! All registrations at once, on several threads. The answer is the one that inserting them one by one gives: both
//! look candidates up in the same index and score them with the same function.

use crate::compare::Comparison;
use crate::decide::rules::is_of_concern;
use crate::decide::{Component, Decided, Member, Policy, components, decide};
use crate::keys::{KINDS, keys_of};
use crate::model::Model;
use crate::population::{Entry, Population, Postings, Search};
use crate::score::Score;
use std::collections::BTreeMap;
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

/// What a bulk run counts beside the pairs it hands over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scored {
    /// Pairs compared in all.
    pub compared: u64,
    /// Rows with a key that is too common even at its finest: they may have more candidates than were compared.
    pub cut: Vec<u32>,
}

/// Rows that one thread scores before it takes more.
const ROWS_AT_ONCE: usize = 4096;
/// Batches that may wait for the one that is handed over next.
const BATCHES_WAITING_MAX: usize = 64;

/// What one batch of rows gave.
#[derive(Default)]
struct Batch {
    number: usize,
    pairs: Vec<ScoredPair>,
    compared: u64,
    cut: Vec<u32>,
}

/// Scores every pair of candidates once and hands them over in the order of rows, batch by batch, with the number of
/// rows done. The number of threads changes nothing but the time.
pub fn score_all(
    population: &Population,
    model: &Model,
    threads: usize,
    with: &mut dyn FnMut(&[ScoredPair], usize),
) -> Scored {
    let batches = population.row_limit().div_ceil(ROWS_AT_ONCE);
    let next = AtomicUsize::new(0);
    let mut scored = Scored::default();
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(BATCHES_WAITING_MAX);
        for _ in 0..threads.max(1) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                let mut search = Search::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let done = number >= batches;
                    if done || sender.send(score_batch(population, model, number, &mut search)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut turn = 0;
        for batch in receiver {
            waiting.insert(batch.number, batch);
            while let Some(batch) = waiting.remove(&turn) {
                turn += 1;
                with(&batch.pairs, (turn * ROWS_AT_ONCE).min(population.row_limit()));
                scored.compared += batch.compared;
                scored.cut.extend(batch.cut);
            }
        }
    });
    scored
}

fn score_batch(population: &Population, model: &Model, number: usize, search: &mut Search) -> Batch {
    let mut batch = Batch { number, ..Batch::default() };
    let from = number * ROWS_AT_ONCE;
    let to = (from + ROWS_AT_ONCE).min(population.row_limit());
    for row in from as u32..to as u32 {
        score_row(population, model, row, search, &mut batch);
    }
    batch
}

/// Everything at once: pairs of concern, their components, and what was decided about each.
#[derive(Debug, Default)]
pub struct LinkedAll {
    /// What was decided about every component of two or more registrations; whoever is in none is a person alone.
    pub decided: Vec<Decided>,
    /// What was counted.
    pub scored: Scored,
}

/// Links a whole population: the answer of [`crate::decide::decide`] on every component. `key` tells a row apart for
/// ever ([`Member::key`]).
pub fn link_all(
    population: &Population,
    model: &Model,
    policy: &Policy,
    threads: usize,
    key: &dyn Fn(u32) -> u128,
) -> LinkedAll {
    let mut pairs = Vec::new();
    let scored = score_all(population, model, threads, &mut |batch, _| {
        pairs.extend(batch.iter().filter(|pair| is_of_concern(model, pair, policy)));
    });
    let decided = decide_all(population, model, policy, &pairs, key);
    LinkedAll { decided, scored }
}

/// Decides the components of pairs of concern.
pub fn decide_all(
    population: &Population,
    model: &Model,
    policy: &Policy,
    pairs: &[ScoredPair],
    key: &dyn Fn(u32) -> u128,
) -> Vec<Decided> {
    let components = components(pairs, &[], population.row_limit());
    let decided = components.into_iter().map(|(rows, pairs)| {
        let members: Vec<Member> = rows.into_iter().map(|row| Member { row, key: key(row) }).collect();
        decide(&Component { population, model, members: &members, pairs: &pairs, decisions: &[] }, policy)
    });
    decided.collect()
}

fn score_row(
    population: &Population,
    model: &Model,
    row: u32,
    search: &mut Search,
    batch: &mut Batch,
) {
    if !population.holds(row) {
        return;
    }
    search.run(population, &population.side(row), |other| other > row);
    if search.cut {
        batch.cut.push(row);
    }
    batch.compared += search.rows.len() as u64;
    for other in &search.rows {
        let comparison = population.compare(row, *other);
        let score = model.score(&comparison);
        batch.pairs.push(ScoredPair { one: row, two: *other, comparison, score });
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
