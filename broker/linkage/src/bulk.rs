//! All registrations at once, on several threads. The answer is the one that inserting them one by one gives: both
//! look candidates up in the same index and score them with the same function.

use crate::compare::Comparison;
use crate::decide::rules::is_of_concern;
use crate::decide::{Component, Decided, Member, Policy, decide, firsts};
use crate::keys::{KINDS, keys_of};
use crate::model::Model;
use crate::population::{Entry, Population, Postings};
use crate::score::Score;
use std::ops::Range;
use std::panic::resume_unwind;

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

impl ScoredPair {
    /// Compares and scores two rows, in either order.
    #[must_use]
    pub fn of(population: &Population, model: &Model, row: u32, other: u32) -> Self {
        let (one, two) = (row.min(other), row.max(other));
        let comparison = population.compare(one, two);
        Self { one, two, comparison, score: model.score(&comparison) }
    }
}

/// What a bulk run counts beside the pairs it hands over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scored {
    /// Pairs compared in all.
    pub compared: u64,
    /// Rows with a key that is too common even at its finest: they may have more candidates than were compared.
    pub cut: Vec<u32>,
}

/// Rows whose pairs are collected at once: bounds the memory, at the price of reading the index once for each.
const ROWS_AT_ONCE: usize = 1 << 20;
/// Rows read ahead of being compared.
const TOUCHED_AT_ONCE: usize = 32;
/// Pairs for which there is room from the start, for each row.
const PAIRS_A_ROW: usize = 8;
/// Pairs that are scored at once.
const PAIRS_AT_ONCE: usize = 1 << 19;

/// Scores every pair of candidates once and hands those `wanted` over sorted by rows, batch by batch, with the number of
/// rows done. The number of threads changes nothing but the time.
pub fn score_all(
    population: &Population,
    model: &Model,
    threads: usize,
    wanted: &(dyn Fn(&ScoredPair) -> bool + Sync),
    with: &mut dyn FnMut(&[ScoredPair], usize),
) -> Scored {
    let mut scored = Scored::default();
    let rows = population.row_limit();
    for from in (0..rows).step_by(ROWS_AT_ONCE) {
        let to = (from + ROWS_AT_ONCE).min(rows);
        let pairs = pairs_of(population, from, to, threads, &mut scored.cut);
        for pairs in pairs.iter().flat_map(|part| part.chunks(PAIRS_AT_ONCE)) {
            let score = |pair: &(u32, u32)| {
                let pair = ScoredPair::of(population, model, pair.0, pair.1);
                wanted(&pair).then_some(pair)
            };
            let score_part = |part: &[(u32, u32)]| {
                let touched =
                    part.chunks(TOUCHED_AT_ONCE).inspect(|few| population.touch_rows(few.iter().map(|pair| pair.1)));
                touched.flatten().filter_map(score).collect::<Vec<ScoredPair>>()
            };
            for scores in side_by_side(threads, pairs.chunks(share(pairs.len(), threads)), score_part) {
                let done = scores.last().map_or(from, |pair| pair.one as usize);
                with(&scores, done);
            }
            scored.compared += pairs.len() as u64;
        }
        with(&[], to);
    }
    scored.cut.sort_unstable();
    scored.cut.dedup();
    scored
}

/// The pairs of candidates whose smaller row is in a range, sorted, each once; in parts that follow one another.
fn pairs_of(
    population: &Population,
    from: usize,
    to: usize,
    threads: usize,
    cut: &mut Vec<u32>,
) -> Vec<Vec<(u32, u32)>> {
    let threads = threads.max(1);
    // A pair belongs to its smaller row, so that most belong to the first rows: each part has as many pairs as the others.
    let bound = |part: usize| {
        let rest = (1.0 - part as f64 / threads as f64).sqrt();
        to - ((to - from) as f64 * rest) as usize
    };
    let pairs_within = |rows: Range<u32>| {
        let mut pairs = Vec::with_capacity(PAIRS_A_ROW * rows.len());
        let mut cut = Vec::new();
        population.pairs(&rows, &mut pairs, &mut cut);
        // As one number each: millions are compared without a branch.
        pairs.sort_unstable_by_key(|(one, two)| u64::from(*one) << 32 | u64::from(*two));
        pairs.dedup();
        (pairs, cut)
    };
    let ranges = (0..threads).map(|part| bound(part) as u32..bound(part + 1) as u32);
    let parts = side_by_side(threads, ranges, pairs_within);
    let (parts, cuts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    cut.extend(cuts.into_iter().flatten());
    parts
}

/// How many of `all` each thread takes: one at least.
fn share(all: usize, threads: usize) -> usize {
    all.div_ceil(threads.max(1)).max(1)
}

/// Does the work of each part, on a thread of its own if several are wanted; the results come in the order of the parts.
pub(crate) fn side_by_side<P: Send, T: Send>(
    threads: usize,
    parts: impl Iterator<Item = P>,
    work: impl Fn(P) -> T + Sync,
) -> Vec<T> {
    if threads <= 1 {
        return parts.map(work).collect();
    }
    std::thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
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
    key: &(dyn Fn(u32) -> u128 + Sync),
) -> LinkedAll {
    let mut pairs = Vec::new();
    let wanted = |pair: &ScoredPair| is_of_concern(population, model, pair, policy);
    let scored = score_all(population, model, threads, &wanted, &mut |batch, _| pairs.extend(batch));
    let decided = Deciding { population, model, policy, threads, key }.decide_all(&pairs);
    LinkedAll { decided, scored }
}

/// What deciding needs beside the pairs.
#[derive(Clone, Copy)]
pub struct Deciding<'a> {
    /// Where the registrations stand.
    pub population: &'a Population,
    /// What scored them.
    pub model: &'a Model,
    /// When they are linked.
    pub policy: &'a Policy,
    /// Threads to use; they change nothing but the time.
    pub threads: usize,
    /// Tells a row apart for ever ([`Member::key`]).
    pub key: &'a (dyn Fn(u32) -> u128 + Sync),
}

impl Deciding<'_> {
    /// Decides the components of pairs of concern.
    pub fn decide_all(&self, pairs: &[ScoredPair]) -> Vec<Decided> {
        let first = firsts(pairs.iter().map(|pair| (pair.one, pair.two)), self.population.row_limit());
        // A pair is large, and there are many: where it stands is sorted in its place.
        let mut order: Vec<Placed> =
            (0..).zip(pairs).map(|(at, pair)| Placed { component: first[pair.one as usize], at }).collect();
        order.sort_unstable();
        let parts = parts_of(&order, self.threads);
        side_by_side(self.threads, parts.into_iter(), |part| self.decide_part(part, pairs))
            .into_iter()
            .flatten()
            .collect()
    }

    fn decide_part(&self, order: &[Placed], pairs: &[ScoredPair]) -> Vec<Decided> {
        let Self { population, model, policy, key, .. } = *self;
        let (mut rows, mut own) = (Vec::new(), Vec::new());
        let decided = order.chunk_by(|one, two| one.component == two.component).map(|placed| {
            own.clear();
            own.extend(placed.iter().map(|placed| pairs[placed.at as usize]));
            rows.clear();
            rows.extend(own.iter().flat_map(|pair| [pair.one, pair.two]));
            rows.sort_unstable();
            rows.dedup();
            let members: Vec<Member> = rows.iter().map(|row| Member { row: *row, key: key(*row) }).collect();
            let component =
                Component { population, model, members: &members, outside: &[], pairs: &own, decisions: &[] };
            decide(&component, policy)
        });
        decided.collect()
    }
}

/// A pair of a component, known by its first row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Placed {
    component: u32,
    /// Where it stands among all pairs.
    at: u32,
}

/// As many parts as there are threads, none of which ends within a component.
fn parts_of(mut order: &[Placed], threads: usize) -> Vec<&[Placed]> {
    let share = share(order.len(), threads);
    let mut parts = Vec::new();
    while let Some(last) = order.get(share - 1) {
        let (part, rest) = order.split_at(order.partition_point(|placed| placed.component <= last.component));
        parts.push(part);
        order = rest;
    }
    parts.push(order);
    parts
}

/// Builds the blocking index of all rows.
pub(crate) fn build_postings(population: &Population, threads: usize) -> Vec<Postings> {
    let threads = threads.max(1);
    let share = share(population.row_limit(), threads);
    let starts = (0..population.row_limit()).step_by(share);
    let parts = side_by_side(threads, starts, |from| entries_of(population, from, from + share));
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    // Kinds are put together side by side, as many at once as there are threads.
    let mut kinds = (0..KINDS).map(|_| parts.iter_mut().filter_map(Iterator::next).collect()).peekable();
    let mut postings: Vec<Postings> = Vec::new();
    while kinds.peek().is_some() {
        let few: Vec<Vec<Vec<Entry>>> = kinds.by_ref().take(threads).collect();
        postings.extend(side_by_side(threads, few.into_iter(), |parts| Postings::build(&parts)));
    }
    postings
}

/// The entries of some rows: for each kind of key, in order.
fn entries_of(population: &Population, from: usize, to: usize) -> Vec<Vec<Entry>> {
    // Most rows have one key of most kinds; what is not written to takes no memory.
    let mut entries: Vec<Vec<Entry>> = (0..KINDS).map(|_| Vec::with_capacity(to - from)).collect();
    let mut keys = Vec::new();
    for row in from as u32..to.min(population.row_limit()) as u32 {
        if population.holds(row) {
            keys_of(&population.side(row), &mut keys);
            for key in &keys {
                entries[usize::from(key.kind)].push(Entry { coarse: key.coarse, finer: key.finer, row });
            }
        }
    }
    // As one number each: millions are compared without a branch.
    entries.iter_mut().for_each(|own| own.sort_unstable_by_key(|entry| entry.number()));
    entries
}
