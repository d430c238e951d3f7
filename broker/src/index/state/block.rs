//! Settles who is who for a part of the index: the part that one event can have changed.

use super::{Cluster, State, oldest};
use crate::index::decide::{Decisions, Known, Means, Review, Row, Rule, Verdict, decide};
use severn_linkage::{bulk::ScoredPair, decide::closure};
use std::collections::BTreeSet;

/// Registrations that hang together, and the pairs by which they do.
#[derive(Default)]
pub(super) struct Block {
    pub(super) rows: BTreeSet<Row>,
    pub(super) pairs: Vec<ScoredPair>,
}

impl State {
    /// All that hang together with `seeds` by a pair of concern or a person's link: nobody outside can be changed by them.
    pub(super) fn block(&self, seeds: &[Row]) -> Block {
        let start: Vec<u32> = seeds.iter().map(|row| row.0).collect();
        let linked = |row| {
            let links = self.links_of.get(&Row(row)).into_iter().flatten();
            links.filter_map(|sequence| self.decisions.links.get(sequence)).flat_map(|l| [l.a.0, l.b.0]).collect()
        };
        let (rows, pairs) = closure(&self.population, &self.model, &self.policy, &start, &linked);
        Block { rows: rows.into_iter().map(Row).collect(), pairs }
    }

    /// Where to begin, beside the event's own registrations, when a value became too common or is no longer: those that
    /// share it, and whoever is joined to them or listed with them still.
    pub(super) fn neighbours(&self, affected: &[u32]) -> Vec<Row> {
        let mut rows = Vec::new();
        for row in affected.iter().copied().map(Row) {
            rows.extend(self.members(row));
            rows.extend(self.reviews_of.get(&row).into_iter().flatten().flat_map(|review| [review.a, review.b]));
        }
        rows
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
            own.disputed.extend(all.disputed.get(row).map(|said| (*row, *said)));
        }
        own
    }

    /// What the rules make of a block under `decisions`.
    pub(super) fn verdict(&self, block: &Block, decisions: &Decisions) -> Verdict {
        let means = Means { population: &self.population, model: &self.model, policy: &self.policy };
        let live = block.rows.iter().map(|row| (*row, self.get(*row))).filter(|(_, held)| held.live);
        let known: Vec<Known> = live
            .map(|(row, held)| {
                let number = held.facts.number.map(|number| (number, held.facts.verified));
                Known { row, key: held.fingerprint, number, said: held.facts.said }
            })
            .collect();
        decide(means, &known, &block.pairs, decisions)
    }

    /// Decides anew over a block, which is closed.
    pub(super) fn settle(&mut self, block: &Block) {
        let verdict = self.verdict(block, &self.decisions_on(&block.rows));
        for row in &block.rows {
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
        for row in [review.a, review.b] {
            self.reviews_of.entry(row).or_default().push(review);
        }
        self.reviews.insert(review);
    }
}
