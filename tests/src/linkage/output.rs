//! Reads what a linkage tool wrote: scored pairs, clusters, and answers to traces.

use super::{
    quality::{self, Point, Scored},
    truth::{Truth, rows},
};
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

/// Every pair of `source_a,local_id_a,source_b,local_id_b,probability`.
///
/// # Errors
/// If the file cannot be read, or names a registration that is not in the set.
pub fn pairs(path: &Path, truth: &Truth) -> Result<Vec<Scored>> {
    let columns = ["source_a", "local_id_a", "source_b", "local_id_b", "probability"];
    let read = rows(path, columns)?.map(|row| {
        let [source_a, local_id_a, source_b, local_id_b, probability] = row?;
        let (a, b) = (truth.place(&source_a, &local_id_a)?, truth.place(&source_b, &local_id_b)?);
        let probability = probability.parse().with_context(|| format!("{probability} is no probability"))?;
        Ok(Scored { a, b, probability })
    });
    read.collect()
}

/// The cluster of every registration, of `source,local_id,enterprise_id`; one that is not told of is alone.
///
/// # Errors
/// If the file cannot be read, or names a registration that is not in the set.
pub fn clusters(path: &Path, truth: &Truth) -> Result<Vec<u32>> {
    let mut cluster: Vec<u32> = (0..truth.registrations() as u32).collect();
    let mut first_of: HashMap<String, u32> = HashMap::new();
    for row in rows(path, ["source", "local_id", "enterprise_id"])? {
        let [source, local_id, enterprise_id] = row?;
        let place = truth.place(&source, &local_id)?;
        cluster[place as usize] = *first_of.entry(enterprise_id).or_insert(place);
    }
    Ok(cluster)
}

/// Pairs that somebody is asked to look at, as the clusters that they would join; with how many there are.
///
/// # Errors
/// If the file cannot be read, or names a registration that is not in the set.
pub fn reviews(path: &Path, truth: &Truth, cluster: &[u32]) -> Result<(HashSet<[u32; 2]>, usize)> {
    let (mut asked, mut count) = (HashSet::new(), 0);
    for row in rows(path, ["source_a", "local_id_a", "source_b", "local_id_b"])? {
        let [source_a, local_id_a, source_b, local_id_b] = row?;
        let (a, b) = (truth.place(&source_a, &local_id_a)?, truth.place(&source_b, &local_id_b)?);
        asked.insert(quality::both(cluster, a, b));
        count += 1;
    }
    Ok((asked, count))
}

/// How tracing went: who was found in a clean index, and who was taken for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Trace {
    /// Queries whose person is in the index.
    pub present: u64,
    /// Queries whose person is not.
    pub absent: u64,
    /// Share of the present who are found.
    pub recall: f64,
    /// Share of the present who are taken for somebody else.
    pub wrong: f64,
    /// Share of the absent who are taken for somebody.
    pub absent_mislinked: f64,
}

/// Reads `source,local_id,found_source,found_local_id`: one row for every query, the last two empty if nobody was sure.
/// `indexed` tells which persons are in the index.
///
/// # Errors
/// If the file cannot be read, or names a registration that is not in the set.
pub fn trace(path: &Path, truth: &Truth, indexed: &[bool]) -> Result<Trace> {
    let (mut right, mut wrong, mut mislinked) = (0_u64, 0_u64, 0_u64);
    let mut trace = Trace::default();
    for row in rows(path, ["source", "local_id", "found_source", "found_local_id"])? {
        let [source, local_id, found_source, found_local_id] = row?;
        let query = truth.place(&source, &local_id)?;
        let absent = !indexed[truth.person[query as usize] as usize];
        let is_found = !found_local_id.is_empty();
        let is_right = is_found && truth.same(query, truth.place(&found_source, &found_local_id)?);
        trace.present += u64::from(!absent);
        trace.absent += u64::from(absent);
        right += u64::from(is_right);
        wrong += u64::from(is_found && !is_right && !absent);
        mislinked += u64::from(is_found && absent);
    }
    trace.recall = Point::new(0.0, right, right, trace.present).recall;
    trace.wrong = Point::new(0.0, wrong, wrong, trace.present).recall;
    trace.absent_mislinked = Point::new(0.0, mislinked, mislinked, trace.absent).recall;
    Ok(trace)
}
