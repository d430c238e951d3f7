//! What a human is asked about a registration that its source changed into somebody else: whose it was, and whose it
//! would be now. One pair for each person concerned, however many registrations that person has.

use super::{Decisions, Doubt, Doubted, Means, Row};
use foldhash::HashMap;
use severn_linkage::{
    bulk::ScoredPair,
    decide::rules::{Verdict, judge},
};
use std::collections::{BTreeMap, BTreeSet};

/// The pairs that a human should look at because one of them was changed into somebody else. `pairs` are theirs, and
/// `home` says who is whose person.
pub(super) fn changed(
    means: Means<'_>,
    pairs: &[ScoredPair],
    home: &HashMap<Row, usize>,
    decisions: &Decisions,
) -> Vec<Doubted> {
    let mut doubted = Vec::new();
    let mut fits: BTreeMap<(Row, usize), Doubted> = BTreeMap::new();
    for pair in pairs {
        match judge(means.population, means.model, pair, means.policy) {
            Verdict::Automatic => {
                let fit = Doubted::of(Doubt::ChangedInto, pair);
                for (row, other) in [(fit.a, fit.b), (fit.b, fit.a)] {
                    let fit = Doubted { a: row, b: other, ..fit };
                    let of = decisions.suspended().contains_key(&row).then(|| home.get(&other)).flatten();
                    if let Some(person) = of {
                        let best = fits.entry((row, *person)).or_insert(fit);
                        *best = (*best).max_by_evidence(fit);
                    }
                }
            }
            Verdict::Review(reason) | Verdict::Never(reason) => doubted.push(Doubted::of(Doubt::of(reason), pair)),
            Verdict::Nothing => {}
        }
    }
    for row in decisions.suspended().keys().filter(|row| home.contains_key(row)) {
        let before = companions(*row, home, decisions);
        let apart: BTreeSet<usize> =
            decisions.separated_from(*row).filter_map(|other| home.get(other)).copied().collect();
        fits.retain(|(own, person), _| own != row || !(before.contains_key(person) || apart.contains(person)));
        doubted.extend(before.into_values().map(|other| {
            let pair = ScoredPair::of(means.population, means.model, row.0, other.0);
            Doubted { a: *row, b: other, ..Doubted::of(Doubt::ChangedFrom, &pair) }
        }));
    }
    doubted.extend(fits.into_values());
    doubted
}

/// The persons that a registration's companions of before belong to now, and of each the first of them.
fn companions(row: Row, home: &HashMap<Row, usize>, decisions: &Decisions) -> BTreeMap<usize, Row> {
    let mut first = BTreeMap::new();
    for other in decisions.suspended().get(&row).into_iter().flat_map(|suspended| &suspended.companions) {
        if let Some(person) = home.get(other) {
            first.entry(*person).or_insert(*other);
        }
    }
    first
}

impl Doubted {
    /// The likelier of two pairs; of equals, the one that stands first.
    fn max_by_evidence(self, other: Doubted) -> Doubted {
        let rank = |d: &Doubted| (d.evidence, std::cmp::Reverse((d.a, d.b)));
        if rank(&other) > rank(&self) { other } else { self }
    }
}
