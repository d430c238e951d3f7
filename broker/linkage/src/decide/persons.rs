//! Joining registrations into persons, the strongest link first, with everybody's agreement.

use crate::bulk::ScoredPair;
use crate::decide::rules::{Verdict, judge, objection, verified_numbers_differ};
use crate::decide::{Component, Decided, Judged, Link, LinkRule, Member, Policy, Review, ReviewReason, Says};
use rustc_hash::FxHashSet;

/// Registrations being joined; all numbers are places in the order of keys. Most components are of two or three, and
/// there are very many: what this holds takes a few pieces of memory, whatever it joins.
pub(crate) struct Joining<'a> {
    component: &'a Component<'a>,
    policy: &'a Policy,
    members: &'a [Member],
    /// The strongest first.
    judged: &'a [Judged],
    neighbours: Neighbours,
    same: Vec<(usize, usize)>,
    /// Never joined.
    apart: FxHashSet<(usize, usize)>,
    /// Of these, those that a person told apart: each is the other's rival for whoever fits both.
    different: FxHashSet<(usize, usize)>,
    /// The person that each registration belongs to so far: the first of its places.
    person: Vec<usize>,
    /// The next place of the same person, the first following the last.
    next: Vec<usize>,
    links: Vec<((usize, usize), Link)>,
    reviews: Vec<((usize, usize), Review)>,
}

/// Comparisons made before two large persons are left to a steward: nobody has so many registrations.
const COMPARISONS_MAX: usize = 20_000;

impl<'a> Joining<'a> {
    /// Joins nobody yet; `judged` comes the strongest first.
    pub fn new(component: &'a Component<'a>, policy: &'a Policy, members: &'a [Member], judged: &'a [Judged]) -> Self {
        Self {
            component,
            policy,
            members,
            judged,
            neighbours: Neighbours::of(judged),
            same: Vec::new(),
            apart: FxHashSet::default(),
            different: FxHashSet::default(),
            person: (0..members.len()).collect(),
            next: (0..members.len()).collect(),
            links: Vec::new(),
            reviews: Vec::new(),
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
    pub fn join(mut self) -> Decided {
        self.same.sort_unstable();
        let mut reviews = Vec::new();
        for own in self.judged {
            if self.apart.contains(&own.ends) {
                continue;
            }
            let inside = own.ends.1 < self.component.members.len();
            match own.verdict {
                Verdict::Automatic if inside => {
                    let refusal =
                        if self.has_rival(own) { Some(ReviewReason::LeadTooSmall) } else { self.join_by_score(own) };
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
        let pair = self.compared((one, two));
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
        let comparisons = self.places_of(one).count() * self.places_of(two).count();
        if comparisons > COMPARISONS_MAX {
            return Some(ReviewReason::PersonsDisagree);
        }
        for ends in self.crossing(one, two) {
            if self.apart.contains(&ends) {
                return Some(ReviewReason::PersonsDisagree);
            }
            let Component { population, model, .. } = *self.component;
            let (pair, verdict) = match self.judged(ends) {
                Some(judged) => (judged.pair, judged.verdict),
                None => {
                    let pair = self.compared(ends);
                    (pair, judge(population, model, &pair, self.policy))
                }
            };
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
    fn has_rival(&self, own: &Judged) -> bool {
        let least = own.pair.score.bits - self.policy.lead_bits;
        let rival_at = |end: usize, other: usize| {
            let strong = self.neighbours.of_place(end).map(|(third, at)| (third, self.judged[at].pair.score.bits));
            strong.take_while(|(_, bits)| *bits > least).any(|(third, _)| {
                let ends = (other.min(third), other.max(third));
                third != other
                    && !self.is_linked_by_person(other, third)
                    && (self.different.contains(&ends)
                        || self.compared(ends).score.probability < self.policy.review_min)
            })
        };
        rival_at(own.ends.0, own.ends.1) || rival_at(own.ends.1, own.ends.0)
    }

    fn is_linked_by_person(&self, one: usize, two: usize) -> bool {
        self.same.binary_search(&(one.min(two), one.max(two))).is_ok()
    }

    /// A pair as it was judged, if it is of concern.
    fn judged(&self, ends: (usize, usize)) -> Option<&Judged> {
        self.neighbours.of_place(ends.0).find(|(other, _)| *other == ends.1).map(|(_, at)| &self.judged[at])
    }

    fn compared(&self, ends: (usize, usize)) -> ScoredPair {
        if let Some(judged) = self.judged(ends) {
            return judged.pair;
        }
        let (one, two) = self.rows(ends);
        ScoredPair::of(self.component.population, self.component.model, one, two)
    }

    /// The places of the person to whom this one belongs.
    fn places_of(&self, place: usize) -> impl Iterator<Item = usize> {
        let others = std::iter::successors(Some(self.next[place]), |at| Some(self.next[*at]));
        std::iter::once(place).chain(others.take_while(move |other| *other != place))
    }

    fn crossing(&self, one: usize, two: usize) -> impl Iterator<Item = (usize, usize)> {
        let pairs = self
            .places_of(one)
            .flat_map(move |own| self.places_of(two).map(move |other| (own.min(other), own.max(other))));
        pairs.filter(|(own, other)| own != other)
    }

    fn unite(&mut self, one: usize, two: usize) {
        let first = self.person[one].min(self.person[two]);
        let moving = if self.person[one] == first { two } else { one };
        if self.person[moving] == first {
            return;
        }
        let places: Vec<usize> = self.places_of(moving).collect();
        places.into_iter().for_each(|place| self.person[place] = first);
        // Two rings that exchange one successor each are one ring.
        self.next.swap(one, two);
    }

    fn link(&mut self, ends: (usize, usize), pair: &ScoredPair, rule: LinkRule) {
        let (one, two) = self.rows(ends);
        self.links.push((ends, Link { one, two, rule, levels: pair.comparison.levels, bits: pair.score.bits }));
    }

    fn review(&mut self, ends: (usize, usize), pair: &ScoredPair, reason: ReviewReason) {
        let (one, two) = self.rows(ends);
        self.reviews.push((ends, Review { one, two, reason, levels: pair.comparison.levels, bits: pair.score.bits }));
    }

    fn rows(&self, (one, two): (usize, usize)) -> (u32, u32) {
        (self.members[one].row, self.members[two].row)
    }

    fn finish(mut self) -> Decided {
        let inside = 0..self.component.members.len();
        let row = |place: usize| self.members[place].row;
        let person = |first: usize| {
            let mut places: Vec<usize> = self.places_of(first).collect();
            places.sort_unstable();
            places.into_iter().map(row).collect()
        };
        let persons = inside.filter(|place| self.person[*place] == *place).map(person).collect();
        self.links.sort_by_key(|(ends, _)| *ends);
        self.reviews.sort_by_key(|(ends, review)| (*ends, review.reason));
        Decided {
            persons,
            links: self.links.into_iter().map(|(_, link)| link).collect(),
            reviews: self.reviews.into_iter().map(|(_, review)| review).collect(),
        }
    }
}

/// For each registration, those with which it forms a pair, the strongest first.
struct Neighbours(Vec<Neighbour>);

#[derive(Clone, Copy)]
struct Neighbour {
    place: usize,
    other: usize,
    /// Where their pair stands among those judged.
    at: usize,
}

impl Neighbours {
    fn of(judged: &[Judged]) -> Self {
        let both = |(at, own): (usize, &Judged)| {
            let (place, other) = own.ends;
            [Neighbour { place, other, at }, Neighbour { place: other, other: place, at }]
        };
        let mut all: Vec<Neighbour> = judged.iter().enumerate().flat_map(both).collect();
        all.sort_unstable_by_key(|own| (own.place, own.at));
        Self(all)
    }

    /// The others, each with where the pair stands.
    fn of_place(&self, place: usize) -> impl Iterator<Item = (usize, usize)> {
        let from = self.0.partition_point(|own| own.place < place);
        self.0[from..].iter().take_while(move |own| own.place == place).map(|own| (own.other, own.at))
    }
}
