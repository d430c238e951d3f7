//! Settles who is who for a part of the index: the part that one event can have changed.

use super::{Cluster, State, oldest};
use crate::index::{
    decide::{Decisions, Review, Row, Rule, SHARED_MAX, decide},
    normalise::Facts,
};
use std::collections::{BTreeSet, HashSet};

impl State {
    /// All that hang together with `seeds` by number, key or a person's link: nobody outside can be changed by them.
    pub(super) fn block(&self, seeds: &[Row]) -> BTreeSet<Row> {
        let mut found = BTreeSet::new();
        let mut open = seeds.to_vec();
        let (mut numbers, mut keys) = (HashSet::new(), HashSet::new());
        while let Some(row) = open.pop() {
            let held = self.get(row);
            if !held.live || !found.insert(row) {
                continue;
            }
            if let Some(number) = held.facts.number.filter(|number| numbers.insert(*number)) {
                open.extend(worth_following(self.by_number.get(&number)));
            }
            if let Some(key) = held.facts.key.filter(|key| keys.insert(*key)) {
                open.extend(worth_following(self.by_key.get(&key)));
            }
            for link in self.links_of.get(&row).into_iter().flatten().filter_map(|s| self.decisions.links.get(s)) {
                open.extend([link.a, link.b]);
            }
        }
        found
    }

    /// What the rules may look at: a number or key that too many share is a placeholder that nobody has listed.
    pub(super) fn facts(&self, row: Row) -> Facts {
        let mut facts = self.get(row).facts;
        if facts.number.is_some_and(|number| self.by_number.get(&number).is_some_and(|r| r.len() > SHARED_MAX)) {
            return Facts { birth: facts.birth, ..Facts::default() };
        }
        if facts.key.is_some_and(|key| self.by_key.get(&key).is_some_and(|r| r.len() > SHARED_MAX)) {
            facts.key = None;
        }
        facts
    }

    /// The decisions that concern `rows`.
    pub(super) fn decisions_on(&self, rows: &BTreeSet<Row>) -> Decisions {
        let all = &self.decisions;
        let mut own = Decisions::default();
        if all.links.is_empty() && all.apart.is_empty() && all.disputed.is_empty() {
            return own;
        }
        for row in rows {
            for sequence in self.links_of.get(row).into_iter().flatten() {
                own.links.extend(all.links.get(sequence).map(|link| (*sequence, link.clone())));
            }
            own.apart.extend(all.apart.get(row).map(|others| (*row, others.clone())));
            own.disputed.extend(all.disputed.get(row).map(|facts| (*row, *facts)));
        }
        own
    }

    /// What `decide` is to look at.
    pub(super) fn known(&self, rows: &BTreeSet<Row>) -> Vec<(Row, Facts)> {
        rows.iter().filter(|row| self.get(**row).live).map(|row| (*row, self.facts(*row))).collect()
    }

    /// Decides anew over `touched`, which is closed.
    pub(super) fn settle(&mut self, touched: &BTreeSet<Row>) {
        let verdict = decide(&self.known(touched), &self.decisions_on(touched));
        for row in touched {
            self.clusters.remove(row);
            for review in self.reviews_of.remove(row).unwrap_or_default() {
                self.reviews.remove(&review);
            }
            let held = self.get_mut(*row);
            held.person = *row;
            held.rule = Rule::Alone;
        }
        for person in verdict.persons.into_iter().filter(|person| person.len() > 1) {
            let first = person[0].0;
            for (row, rule) in &person {
                let held = self.get_mut(*row);
                held.person = first;
                held.rule = *rule;
            }
            let rows: Vec<Row> = person.into_iter().map(|(row, _)| row).collect();
            let id = oldest(&self.held, &rows);
            self.clusters.insert(first, Cluster { rows, id });
        }
        for review in verdict.reviews {
            self.list_review(review);
        }
    }

    fn list_review(&mut self, review: Review) {
        self.reviews_of.entry(review.a).or_default().push(review);
        self.reviews.insert(review);
    }
}

/// One more than the limit is still followed, so that crossing the limit either way settles all whom it concerns.
fn worth_following(rows: Option<&Vec<Row>>) -> &[Row] {
    rows.map(Vec::as_slice).filter(|rows| rows.len() <= SHARED_MAX + 1).unwrap_or_default()
}
