//! Settles who is who for a part of the index: the part that one event can have changed.

use super::{Cluster, State, oldest};
use crate::{
    index::decide::{self, Decisions, Evidence, Known, Means, Row, Rule, decide},
    model::EnterpriseId,
};
use severn_linkage::{
    bulk::ScoredPair,
    decide::{
        Closure, Policy, closure,
        rules::{Verdict, is_of_concern, judge, objection},
    },
    score::bits_of,
};
use std::collections::BTreeSet;

/// Registrations that hang together, and all their pairs of concern.
#[derive(Default)]
pub(super) struct Block {
    pub(super) rows: BTreeSet<Row>,
    /// Those outside with whom one of them has a pair of concern.
    pub(super) outside: BTreeSet<Row>,
    pub(super) pairs: Vec<ScoredPair>,
}

impl Block {
    /// Those outside the block who may be rivals of one of `rows`, or it theirs: they fit it so nearly as surely as what
    /// is linked that a lead may be lost or won by it. What they are joined with can change by it.
    pub(super) fn rivals(&self, rows: &[Row], policy: &Policy) -> BTreeSet<Row> {
        let least = bits_of(policy.automatic_min) - policy.lead_bits;
        let near = self.pairs.iter().filter(|pair| pair.score.bits >= least);
        let ends = near.flat_map(|pair| [(pair.one, pair.two), (pair.two, pair.one)]);
        let of_rows = ends.filter(|(own, _)| rows.contains(&Row(*own))).map(|(_, other)| Row(other));
        of_rows.filter(|other| self.outside.contains(other)).collect()
    }
}

impl State {
    /// All that hang together with `seeds` by a pair that may link or by a person's link. Nobody outside can be joined
    /// with them; what their rivals are joined with can change by them, though.
    pub(super) fn block(&self, seeds: &[Row]) -> Block {
        let start: Vec<u32> = seeds.iter().map(|row| row.0).collect();
        let linked = |row| self.decisions.bound_to(Row(row)).map(|other| other.0).collect();
        let Closure { rows, pairs } = closure(&self.population, self.scoring.model(), &self.policy, &start, &linked);
        let rows: BTreeSet<Row> = rows.into_iter().map(Row).collect();
        let ends = pairs.iter().flat_map(|pair| [Row(pair.one), Row(pair.two)]);
        Block { outside: ends.filter(|row| !rows.contains(row)).collect(), rows, pairs }
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

    /// The decisions that concern a block.
    pub(super) fn decisions_on(&self, block: &Block) -> Decisions {
        self.decisions.about(block.rows.iter().chain(&block.outside))
    }

    /// What the rules make of a block under `decisions`.
    pub(super) fn verdict(&self, means: Means<'_>, block: &Block, decisions: &Decisions) -> decide::Verdict {
        let known = |row: &Row| {
            let held = self.get(*row);
            let number = held.facts.number.map(|number| (number, held.facts.verified));
            held.live.then_some(Known { row: *row, key: held.fingerprint, number, said: held.facts.said })
        };
        let inside: Vec<Known> = block.rows.iter().filter_map(known).collect();
        let outside: Vec<Known> = block.outside.iter().filter_map(known).collect();
        decide(means, [&inside, &outside], &block.pairs, decisions)
    }

    /// Takes a registration that was never heard of before into its person, if it changes nothing for others: it has no
    /// pair of concern, or all of its pairs are with one person whose registrations all agree with it and to whom nobody
    /// else is near. That is what the rules would make of the whole block, which then need not be looked at: most
    /// arrivals are of this kind, and one person may be known to hundreds of sources. Returns its person's registrations
    /// and their ids before; `None` if the block must be looked at.
    pub(super) fn join_at_once(&mut self, row: Row) -> Option<Vec<(Row, Option<EnterpriseId>)>> {
        let candidates = self.population.candidates(row.0).rows;
        let near: Vec<Row> = candidates.into_iter().map(Row).filter(|other| self.is_near(row, *other)).collect();
        let Some(first) = near.first() else { return Some(vec![(row, None)]) };
        let person = self.get(*first).person;
        let members = self.members(person).to_vec();
        let looked_at = |member: &Row| self.looked_at.contains(member) || self.reviews_of.contains_key(member);
        if members.iter().any(looked_at) || near.iter().any(|other| members.binary_search(other).is_err()) {
            return None;
        }
        let evidence = self.agreement(row, &members)?;
        let before = members.iter().map(|member| (*member, self.id_of(*member))).chain([(row, None)]).collect();
        self.join_newcomer(row, person, members, &evidence);
        Some(before)
    }

    fn is_near(&self, one: Row, two: Row) -> bool {
        is_of_concern(&self.population, self.scoring.model(), &self.scored(one, two), &self.policy)
    }

    fn scored(&self, one: Row, two: Row) -> ScoredPair {
        ScoredPair::of(&self.population, self.scoring.model(), one.0, two.0)
    }

    /// What links a newcomer with each of a person's registrations, and whether it links by itself; `None` unless all
    /// of them agree with it, and the strongest link holds against the others.
    fn agreement(&self, row: Row, members: &[Row]) -> Option<Vec<(Evidence, bool)>> {
        let judged = members.iter().map(|member| {
            let pair = self.scored(row, *member);
            (pair, judge(&self.population, self.scoring.model(), &pair, &self.policy))
        });
        let judged: Vec<(ScoredPair, Verdict)> = judged.collect();
        let agrees = |(pair, verdict): &(ScoredPair, Verdict)| {
            let judged = (pair, *verdict);
            let objects = || objection(&self.population, self.scoring.model(), judged, &self.policy).is_some();
            pair.score.probability >= self.policy.review_min && !objects()
        };
        let bits = |at: usize| judged[at].0.score.bits;
        let strongest = (0..judged.len()).max_by(|a, b| bits(*a).total_cmp(&bits(*b)))?;
        let is_rival = |at: usize| {
            let apart = || self.scored(members[at], members[strongest]).score.probability < self.policy.review_min;
            at != strongest && bits(at) > bits(strongest) - self.policy.lead_bits && apart()
        };
        let links = judged[strongest].1 == Verdict::Automatic && !(0..judged.len()).any(is_rival);
        if !links || !judged.iter().all(agrees) {
            return None;
        }
        let evidence = |(pair, verdict): &(ScoredPair, Verdict)| {
            (Evidence::of(pair.score.bits, pair.comparison.levels), *verdict == Verdict::Automatic)
        };
        Some(judged.iter().map(evidence).collect())
    }

    fn join_newcomer(&mut self, row: Row, person: Row, mut members: Vec<Row>, evidence: &[(Evidence, bool)]) {
        let linking = || evidence.iter().filter(|(_, links)| *links).map(|(evidence, _)| *evidence);
        self.get_mut(row).rule = linking().max().map_or(Rule::Alone, Rule::Score);
        for (member, (own, links)) in members.iter().zip(evidence) {
            let held = self.get_mut(*member);
            held.rule = match held.rule {
                Rule::Alone if *links => Rule::Score(*own),
                Rule::Score(known) if *links => Rule::Score(known.max(*own)),
                rule => rule,
            };
        }
        members.push(row);
        members.sort_unstable();
        let first = members[0];
        if first != person {
            self.clusters.remove(&person);
        }
        members.iter().for_each(|member| self.get_mut(*member).person = first);
        let id = oldest(&self.held, &members);
        self.clusters.insert(first, Cluster { rows: members, id });
    }

    /// Decides anew about everybody whom a change of `seeds` can concern: `touched` hung together with them before it,
    /// and whoever is `affected` has other candidates since. Gives the id by which each of them went until now.
    pub(super) fn settle_around(
        &mut self,
        seeds: &[Row],
        touched: impl Iterator<Item = Row>,
        affected: &[u32],
    ) -> Vec<(Row, Option<EnterpriseId>)> {
        let mut open: Vec<Row> = touched.chain(seeds.iter().copied()).collect();
        open.extend(self.neighbours(affected));
        let mut block = self.block(&open);
        let rivals = block.rivals(seeds, &self.policy);
        if !rivals.is_empty() {
            open.extend(rivals);
            block = self.block(&open);
        }
        block.rows.extend(open);
        let before = block.rows.iter().map(|row| (*row, self.id_of(*row))).collect();
        self.settle(&block);
        before
    }

    /// Decides anew over a block, which is closed.
    pub(super) fn settle(&mut self, block: &Block) {
        let verdict = self.verdict(self.means(), block, &self.decisions_on(block));
        for row in &block.rows {
            self.clusters.remove(row);
            self.unlist_reviews(*row);
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
        for doubted in verdict.doubted {
            self.list_review(doubted);
        }
    }
}
