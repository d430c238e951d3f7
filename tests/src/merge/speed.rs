//! What merging costs: CPU time of one thread for each entry, and whether a record ten times as long costs ten times as
//! much. Compare numbers of one run with each other, not with those of another machine.

use super::shown::RULES;
use crate::region::{
    Region, sources,
    told::{Coded, Fate, Told},
};
use anyhow::{Context as _, Result};
use serde::Serialize;
use severn_broker::merge;
use severn_proto::v1::Dataset;
use severn_trust::ALL_DATASETS;
use std::{fs, hint::black_box};

/// Entries in a long record, and in a short one.
const LONG: usize = 10_000;
const SHORT: usize = LONG / 10;

/// Times that a long record is merged in one try.
const TURNS: usize = 10;

/// Tries; the median counts.
const TRIES: usize = 5;

/// The most that a long record may cost beside ten short ones.
pub const RATIO_MAX: f64 = 3.0;

/// What one kind of record costs.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    /// What the entries are.
    pub entries: &'static str,
    /// CPU time for each entry of a long record: nanoseconds.
    pub ns_per_entry: f64,
    /// A long record beside ten short ones of a tenth of its entries.
    pub ratio: f64,
}

/// Measures three kinds of record.
///
/// # Errors
/// If the system does not tell CPU time.
pub fn measure(seed: u64) -> Result<[Cost; 3]> {
    Ok([
        cost("as a region tells them", |count| realistic(seed, count))?,
        cost("all different", |count| all_different(seed, count))?,
        cost("one name, other dates", |count| one_name(seed, count))?,
    ])
}

fn cost(entries: &'static str, make: impl Fn(usize) -> Vec<Told>) -> Result<Cost> {
    // The same number of entries in all, so many that the system's clock of CPU time has ticked often.
    let (long, short) = (ns(&make(LONG), TURNS)?, ns(&make(SHORT), 10 * TURNS)?);
    Ok(Cost { entries, ns_per_entry: long / (TURNS * LONG) as f64, ratio: long / short })
}

/// As many entries as wanted of one long record, with all their copies and slips.
fn realistic(seed: u64, count: usize) -> Vec<Told> {
    let mut told = Region::of(seed, count, &ALL_DATASETS).told;
    told.truncate(count);
    told
}

/// Entries of which no two name one thing.
fn all_different(seed: u64, count: usize) -> Vec<Told> {
    let region = Region::of(seed, 3 * count, &ALL_DATASETS);
    let mut told = region.told;
    told.dedup_by_key(|one| (region.statements[one.statement].heading.dataset, region.statements[one.statement].thing));
    told.truncate(count);
    told
}

/// One problem again and again, each time with another beginning.
fn one_name(seed: u64, count: usize) -> Vec<Told> {
    let region = Region::of(seed, 100, &[Dataset::Problems]);
    let stands = |one: &Told| one.fate == Fate::Shown && one.in_force() && one.said.code == Coded::Thing;
    let Some(first) = region.told.into_iter().find(stands) else { return Vec::new() };
    let again = |at: usize| {
        let mut one = Told { source: at % sources::TELLING, ..first.clone() };
        one.head.entry_id = format!("{at}");
        one.head.effective_start = format!("{}-{:02}-{:02}", 1900 + at / 336, 1 + at / 28 % 12, 1 + at % 28);
        one.head.origins.clear();
        one
    };
    (0..count).map(again).collect()
}

/// CPU time of merging the entries so many times: nanoseconds.
fn ns(told: &[Told], turns: usize) -> Result<f64> {
    let plan = sources::plan(&ALL_DATASETS);
    let replies = sources::replies(&plan, &told.iter());
    let mut tries = Vec::with_capacity(TRIES);
    for _ in 0..TRIES {
        let before = thread_cpu_ns()?;
        for _ in 0..turns {
            black_box(merge::unify(&RULES, &plan, black_box(&replies)));
        }
        tries.push(thread_cpu_ns()? - before);
    }
    tries.sort_unstable();
    Ok(tries[TRIES / 2] as f64)
}

/// CPU time of this thread so far: nanoseconds.
fn thread_cpu_ns() -> Result<u64> {
    let path = "/proc/thread-self/schedstat";
    let text = fs::read_to_string(path).with_context(|| format!("{path} tells no CPU time"))?;
    let first = text.split_whitespace().next().and_then(|number| number.parse().ok());
    first.with_context(|| format!("{path} is not as expected"))
}
