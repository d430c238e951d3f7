//! How good links are, against the truth. Pure: scored pairs and clusters in, figures out.

use super::truth::Truth;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Two registrations and the probability that they are one person's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// One registration.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// From 0 to 1.
    pub probability: f64,
}

/// What linking every pair down to a threshold would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// The threshold.
    pub probability: f64,
    /// Share of the links that are right.
    pub precision: f64,
    /// Share of all true pairs that are linked, found by blocking or not.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Links.
    pub links: u64,
    /// Links that are wrong.
    pub wrong: u64,
}

impl Point {
    /// Of counts.
    #[must_use]
    pub fn new(probability: f64, links: u64, right: u64, pairs: u64) -> Point {
        let precision = if links == 0 { 1.0 } else { right as f64 / links as f64 };
        let recall = if pairs == 0 { 1.0 } else { right as f64 / pairs as f64 };
        let f1 = if right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        Point { probability, precision, recall, f1, links, wrong: links - right }
    }
}

/// What becomes of precision and recall as the threshold falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// The highest recall at which at least 999 of 1,000 links are right.
    pub at_precision_999: Point,
    /// The best F1.
    pub best: Point,
    /// Linking from a probability of .999 upwards.
    pub from_999: Point,
    /// Linking from .95.
    pub from_95: Point,
    /// Share of all true pairs that were scored at all.
    pub blocked: f64,
}

/// Sweeps the threshold over scored pairs, which are put into order of falling probability. Ties are linked together.
pub fn sweep(scored: &mut [Scored], truth: &Truth) -> Curve {
    scored.sort_unstable_by(|one, other| other.probability.total_cmp(&one.probability));
    let pairs = truth.pairs_by_group().iter().sum();
    let mut curve = Curve::default();
    let (mut links, mut right) = (0, 0);
    for ties in scored.chunk_by(|one, other| one.probability == other.probability) {
        links += ties.len() as u64;
        right += ties.iter().filter(|pair| truth.same(pair.a, pair.b)).count() as u64;
        let point = Point::new(ties[0].probability, links, right, pairs);
        if point.precision >= 0.999 && point.recall > curve.at_precision_999.recall {
            curve.at_precision_999 = point;
        }
        if point.f1 > curve.best.f1 {
            curve.best = point;
        }
        if point.probability >= 0.999 {
            curve.from_999 = point;
        }
        if point.probability >= 0.95 {
            curve.from_95 = point;
        }
    }
    curve.blocked = Point::new(0.0, links, right, pairs).recall;
    curve
}

/// What was promised of links within a band of probability, and what came true.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// From this probability up to that of the band above.
    pub from: f64,
    /// Pairs in the band.
    pub pairs: u64,
    /// Mean probability.
    pub promised: f64,
    /// Share that is true.
    pub kept: f64,
}

/// The reliability table, the surest band first.
#[must_use]
pub fn calibration(scored: &[Scored], truth: &Truth) -> Vec<Band> {
    let edges = [0.9999, 0.999, 0.99, 0.95, 0.9, 0.8, 0.5, 0.2];
    let mut bands = Vec::new();
    let mut above = f64::INFINITY;
    for from in edges {
        let within = scored.iter().filter(|pair| pair.probability >= from && pair.probability < above);
        let (mut pairs, mut promised, mut right) = (0_u64, 0.0, 0_u64);
        for pair in within {
            pairs += 1;
            promised += pair.probability;
            right += u64::from(truth.same(pair.a, pair.b));
        }
        let mean = |sum: f64| if pairs == 0 { 0.0 } else { sum / pairs as f64 };
        bands.push(Band { from, pairs, promised: mean(promised), kept: mean(right as f64) });
        above = from;
    }
    bands
}

/// Precision, recall and F1 over pairs of a clustering: `cluster` gives each registration's.
#[must_use]
pub fn clustered(cluster: &[u32], truth: &Truth) -> Point {
    let mut both: HashMap<(u32, u32), u64> = HashMap::new();
    let mut each: HashMap<u32, u64> = HashMap::new();
    for (&cluster, &person) in cluster.iter().zip(&truth.person) {
        *both.entry((cluster, person)).or_default() += 1;
        *each.entry(cluster).or_default() += 1;
    }
    let pairs = |count: u64| count * (count - 1) / 2;
    let right = both.into_values().map(pairs).sum();
    let links = each.into_values().map(pairs).sum();
    Point::new(0.0, links, right, truth.pairs_by_group().iter().sum())
}

/// Share of each group's true pairs that stand in one cluster.
#[must_use]
pub fn recall_by_group(cluster: &[u32], truth: &Truth) -> BTreeMap<String, f64> {
    let mut both: HashMap<(u32, u32), (u64, u32)> = HashMap::new();
    for (place, &cluster) in cluster.iter().enumerate() {
        both.entry((cluster, truth.person[place])).or_insert((0, truth.group[place])).0 += 1;
    }
    let mut right = vec![0; truth.groups.len()];
    for (count, group) in both.into_values() {
        right[group as usize] += count * (count - 1) / 2;
    }
    let pairs = truth.pairs_by_group();
    let groups = truth.groups.iter().enumerate().filter(|(group, _)| pairs[*group] > 0);
    groups.map(|(group, name)| (name.clone(), right[group] as f64 / pairs[group] as f64)).collect()
}

/// What became of the pairs of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// Pairs.
    pub pairs: u64,
    /// Whether they are one person's.
    pub same_person: bool,
    /// Share in one cluster.
    pub linked: f64,
    /// Share of which somebody is asked whether their clusters are one person.
    pub review: f64,
    /// Share that nobody is told of.
    pub none: f64,
}

/// What became of every labelled pair, by kind; `asked` holds the clusters that somebody is asked about together.
#[must_use]
pub fn traps(asked: &HashSet<[u32; 2]>, cluster: &[u32], truth: &Truth) -> BTreeMap<String, Outcome> {
    let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
    for trap in &truth.traps {
        let outcome = outcomes.entry(trap.kind.clone()).or_default();
        outcome.pairs += 1;
        outcome.same_person = trap.same_person;
        let [one, other] = both(cluster, trap.a, trap.b);
        if one == other {
            outcome.linked += 1.0;
        } else if asked.contains(&[one, other]) {
            outcome.review += 1.0;
        } else {
            outcome.none += 1.0;
        }
    }
    for outcome in outcomes.values_mut() {
        for share in [&mut outcome.linked, &mut outcome.review, &mut outcome.none] {
            *share /= outcome.pairs as f64;
        }
    }
    outcomes
}

/// The clusters of two registrations, the lesser first.
#[must_use]
pub fn both(cluster: &[u32], a: u32, b: u32) -> [u32; 2] {
    let (a, b) = (cluster[a as usize], cluster[b as usize]);
    [a.min(b), a.max(b)]
}

/// Clusters in which two different numbers stand; `number` gives each registration's, where it has one that counts.
#[must_use]
pub fn under_two_numbers(cluster: &[u32], number: &[Option<u64>]) -> usize {
    let mut first: HashMap<u32, u64> = HashMap::new();
    let mut conflicts: HashSet<u32> = HashSet::new();
    for (&cluster, &number) in cluster.iter().zip(number) {
        if let Some(number) = number
            && *first.entry(cluster).or_insert(number) != number
        {
            conflicts.insert(cluster);
        }
    }
    conflicts.len()
}

/// Connected components of the pairs from a probability upwards: what a tool that gives only pairs would cluster.
#[must_use]
pub fn components(scored: &[Scored], from: f64, registrations: usize) -> Vec<u32> {
    let mut parent: Vec<u32> = (0..registrations as u32).collect();
    fn root(parent: &mut [u32], mut of: u32) -> u32 {
        while parent[of as usize] != of {
            parent[of as usize] = parent[parent[of as usize] as usize];
            of = parent[of as usize];
        }
        of
    }
    for pair in scored.iter().filter(|pair| pair.probability >= from) {
        let (a, b) = (root(&mut parent, pair.a), root(&mut parent, pair.b));
        parent[a.max(b) as usize] = a.min(b);
    }
    (0..registrations as u32).map(|place| root(&mut parent, place)).collect()
}
