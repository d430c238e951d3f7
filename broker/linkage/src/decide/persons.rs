//! Joining registrations into persons, the strongest link first, with everybody's agreement.

use crate::bulk::ScoredPair;
use crate::decide::rules::{Verdict, judge, objection, verified_numbers_differ};
use crate::decide::{Component, Decided, Judged, Link, LinkRule, Member, Policy, Review, ReviewReason, Says};
use rustc_hash::{FxHashMap, FxHashSet};

/// Registrations being joined; all numbers are places in the order of keys.
pub(crate) struct Joining<'a> {
    component: &'a Component<'a>,
    policy: &'a Policy,
    members: &'a [Member],
    same: Vec<(usize, usize)>,
    /// Never joined.
    apart: FxHashSet<(usize, usize)>,
    /// Of these, those that a person told apart: each is the other's rival for whoever fits both.
    different: FxHashSet<(usize, usize)>,
    /// The person that each registration belongs to so far: the first of its places.
    person: Vec<usize>,
    persons: FxHashMap<usize, Vec<usize>>,
    decided: Decided,
}

/// Comparisons made before two large persons are left to a steward: nobody has so many registrations.
const COMPARISONS_MAX: usize = 20_000;

impl<'a> Joining<'a> {
    pub fn new(component: &'a Component<'a>, policy: &'a Policy, members: &'a [Member]) -> Self {
        Self {
            component,
            policy,
            members,
            same: Vec::new(),
            apart: FxHashSet::default(),
            different: FxHashSet::default(),
            person: (0..members.len()).collect(),
            persons: (0..component.members.len()).map(|place| (place, vec![place])).collect(),
            decided: Decided::default(),
        }
    }

    /// Takes note of what a person decided.
    pub fn heed(&mut self, one: usize, two: usize, says: Says) {
        let ends = (one.min(two), one.max(two));
        match says {
            Says::Same => self.same.push(ends),
            Says::Different => {
                self.apart.insert(ends);
                self.different.insert(ends);
            }
            Says::Undone => {
                self.apart.insert(ends);
            }
        }
    }

    /// Joins all: by score, pairs coming the strongest first, then whatever persons linked of what that made. So an
    /// undone link gives back exactly what the scores made.
    pub fn join(mut self, judged: &[Judged]) -> Decided {
        self.same.sort_unstable();
        let strong: Neighbours = neighbours(judged, self.members.len());
        let mut reviews = Vec::new();
        for own in judged {
            if self.apart.contains(&own.ends) {
                continue;
            }
            let inside = own.ends.1 < self.component.members.len();
            match own.verdict {
                Verdict::Automatic if inside => {
                    let refusal = if self.has_rival(own, &strong) {
                        Some(ReviewReason::LeadTooSmall)
                    } else {
                        self.join_by_score(own)
                    };
                    reviews.extend(refusal.map(|reason| (own, reason)));
                }
                Verdict::Review(reason) | Verdict::Never(reason) => reviews.push((own, reason)),
                Verdict::Automatic | Verdict::Nothing => {}
            }
        }
        for (one, two) in std::mem::take(&mut self.same) {
            self.join_by_person(one, two);
        }
        for (own, reason) in reviews {
            let joined = self.person[own.ends.0] == self.person[own.ends.1];
            // What was joined by way of others needs no second look, unless a hard rule speaks against it; a person who
            // joined possible twins has had that look.
            if !joined || matches!(own.verdict, Verdict::Never(hard) if hard != ReviewReason::PossibleTwins) {
                self.review(own.ends, &own.pair, reason);
            }
        }
        self.finish()
    }

    fn join_by_person(&mut self, one: usize, two: usize) {
        let pair = self.compared(one, two);
        let same_already = self.person[one] == self.person[two];
        let contradicted = |ends: (usize, usize)| {
            let apart = self.apart.contains(&ends).then_some(ReviewReason::DecisionsContradict);
            apart.or_else(|| self.numbers_differ(ends).then_some(ReviewReason::NumbersDiffer))
        };
        let contradiction = if same_already { None } else { self.crossing(one, two).find_map(contradicted) };
        if let Some(reason) = contradiction {
            self.review((one, two), &pair, reason);
            return;
        }
        self.link((one, two), &pair, LinkRule::Person);
        self.unite(one, two);
    }

    /// Joins the persons of a pair, or says why not.
    fn join_by_score(&mut self, own: &Judged) -> Option<ReviewReason> {
        let (one, two) = own.ends;
        if self.person[one] != self.person[two] {
            if let Some(reason) = self.objection(one, two) {
                return Some(reason);
            }
            self.unite(one, two);
        }
        self.link(own.ends, &own.pair, LinkRule::Automatic);
        None
    }

    /// Why the persons of two registrations are not one, if any two of their registrations say so.
    fn objection(&self, one: usize, two: usize) -> Option<ReviewReason> {
        let comparisons = self.persons[&self.person[one]].len() * self.persons[&self.person[two]].len();
        if comparisons > COMPARISONS_MAX {
            return Some(ReviewReason::PersonsDisagree);
        }
        for ends in self.crossing(one, two) {
            if self.apart.contains(&ends) {
                return Some(ReviewReason::PersonsDisagree);
            }
            let pair = self.compared(ends.0, ends.1);
            let Component { population, model, .. } = *self.component;
            let verdict = judge(population, model, &pair, self.policy);
            let objection = objection(population, model, (&pair, verdict), self.policy);
            if objection.is_some() {
                return objection;
            }
        }
        None
    }

    fn numbers_differ(&self, (one, two): (usize, usize)) -> bool {
        verified_numbers_differ(self.component.population, self.members[one].row, self.members[two].row)
    }

    /// Whether somebody else fits either end nearly as well: a registration that is not the other end's person.
    fn has_rival(&self, own: &Judged, strong: &Neighbours) -> bool {
        let least = own.pair.score.bits - self.policy.lead_bits;
        let rival_at = |end: usize, other: usize| {
            strong[end].iter().take_while(|(bits, _)| *bits > least).any(|(_, third)| {
                let ends = (other.min(*third), other.max(*third));
                *third != other
                    && !self.is_linked_by_person(other, *third)
                    && (self.different.contains(&ends)
                        || self.compared(other, *third).score.probability < self.policy.review_min)
            })
        };
        rival_at(own.ends.0, own.ends.1) || rival_at(own.ends.1, own.ends.0)
    }

    fn is_linked_by_person(&self, one: usize, two: usize) -> bool {
        self.same.binary_search(&(one.min(two), one.max(two))).is_ok()
    }

    fn compared(&self, one: usize, two: usize) -> ScoredPair {
        let (one, two) = (self.members[one].row, self.members[two].row);
        ScoredPair::of(self.component.population, self.component.model, one, two)
    }

    fn crossing(&self, one: usize, two: usize) -> impl Iterator<Item = (usize, usize)> {
        let ours = &self.persons[&self.person[one]];
        let theirs = &self.persons[&self.person[two]];
        let pairs = ours.iter().flat_map(move |own| theirs.iter().map(move |other| (*own.min(other), *own.max(other))));
        pairs.filter(|(own, other)| own != other)
    }

    fn unite(&mut self, one: usize, two: usize) {
        let (one, two) = (self.person[one], self.person[two]);
        let (first, second) = (one.min(two), one.max(two));
        if first == second {
            return;
        }
        let moving = self.persons.remove(&second).unwrap_or_default();
        for place in &moving {
            self.person[*place] = first;
        }
        self.persons.entry(first).or_default().extend(moving);
    }

    fn link(&mut self, ends: (usize, usize), pair: &ScoredPair, rule: LinkRule) {
        let (one, two) = self.rows(ends);
        self.decided.links.push(Link { one, two, rule, levels: pair.comparison.levels, bits: pair.score.bits });
    }

    fn review(&mut self, ends: (usize, usize), pair: &ScoredPair, reason: ReviewReason) {
        let (one, two) = self.rows(ends);
        self.decided.reviews.push(Review { one, two, reason, levels: pair.comparison.levels, bits: pair.score.bits });
    }

    fn rows(&self, (one, two): (usize, usize)) -> (u32, u32) {
        (self.members[one].row, self.members[two].row)
    }

    fn finish(mut self) -> Decided {
        let mut persons: Vec<Vec<usize>> = self.persons.into_values().collect();
        persons.iter_mut().for_each(|places| places.sort_unstable());
        persons.sort_unstable();
        let rows = |places: Vec<usize>| places.into_iter().map(|place| self.members[place].row).collect();
        self.decided.persons = persons.into_iter().map(rows).collect();
        let place: FxHashMap<u32, usize> =
            self.members.iter().zip(0..).map(|(member, place)| (member.row, place)).collect();
        self.decided.links.sort_by_key(|link| (place[&link.one], place[&link.two]));
        self.decided.reviews.sort_by_key(|review| (place[&review.one], place[&review.two], review.reason));
        self.decided
    }
}

/// For each registration, those with which it forms a pair, the strongest first.
type Neighbours = Vec<Vec<(f64, usize)>>;

fn neighbours(judged: &[Judged], count: usize) -> Neighbours {
    let mut neighbours = vec![Vec::new(); count];
    for own in judged {
        let bits = own.pair.score.bits;
        neighbours[own.ends.0].push((bits, own.ends.1));
        neighbours[own.ends.1].push((bits, own.ends.0));
    }
    neighbours
}
