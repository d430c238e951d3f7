//! What a human should decide: the review queue, in the order in which its pairs should be looked at.

use super::State;
use crate::index::decide::{Doubt, Doubted, Review, Row};
use serde::{Deserialize, Serialize};
use severn_linkage::score::FieldReason;
use severn_proto::v1::{self as wire, ReviewCount, ReviewKind, ReviewPair, ReviewQueueResponse};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
};

/// A pair about which nobody is asked for a while.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Postponed {
    /// Until when: milliseconds since 1970-01-01T00:00:00Z.
    pub until_ms: i64,
    /// The events that brought what both said then.
    pub changed: [u64; 2],
}

impl State {
    /// The pairs that a human should decide, of `kinds` or of all if there are none, at most `limit`: what harms most if
    /// it is wrong first, then what reaches most sources, then the likeliest. All that wait are counted. What a person
    /// decides later waits for its time, or until one of the two changes.
    pub fn review_queue(&self, limit: usize, kinds: &[ReviewKind], now_ms: i64) -> ReviewQueueResponse {
        let hidden: BTreeSet<Review> = self.hidden(now_ms).collect();
        let wanted =
            |review: &&Review| (kinds.is_empty() || kinds.contains(&kind(review.doubt))) && !hidden.contains(review);
        let pairs = self.reviews.iter().filter(wanted).take(limit).map(|review| self.review_pair(review)).collect();
        let mut counted: BTreeMap<ReviewKind, u64> = BTreeMap::new();
        for (doubt, count) in &self.review_counts {
            let hidden = hidden.iter().filter(|review| review.doubt == *doubt).count() as u64;
            *counted.entry(kind(*doubt)).or_default() += count - hidden;
        }
        let waiting = counted.into_iter().filter(|(_, pairs)| *pairs > 0);
        let counts = waiting.map(|(kind, pairs)| ReviewCount { kind: kind.into(), pairs }).collect();
        ReviewQueueResponse { pairs, counts, postponed: hidden.len() as u64 }
    }

    fn hidden(&self, now_ms: i64) -> impl Iterator<Item = Review> {
        let still = move |(pair, postponed): &(&[Row; 2], &Postponed)| {
            now_ms < postponed.until_ms && pair.map(|row| self.get(row).changed) == postponed.changed
        };
        self.postponed.iter().filter(still).flat_map(|([a, b], _)| self.reviews_between(*a, *b))
    }

    fn reviews_between(&self, a: Row, b: Row) -> impl Iterator<Item = Review> {
        let of_one = self.reviews_of.get(&a).into_iter().flatten();
        of_one.filter(move |review| review.a == b || review.b == b).copied()
    }

    /// Whether two are in the queue, postponed or not.
    pub fn is_listed(&self, a: Row, b: Row) -> bool {
        self.reviews_between(a, b).next().is_some()
    }

    fn review_pair(&self, review: &Review) -> ReviewPair {
        let comparison = self.population.compare(review.a.0, review.b.0);
        let score = self.scoring.model().score(&comparison);
        let reason = |reason: FieldReason| wire::FieldReason {
            field: reason.field.name().into(),
            level: reason.level.into(),
            weight_bits: reason.weight_bits,
        };
        ReviewPair {
            a: Some(self.registration(review.a)),
            b: Some(self.registration(review.b)),
            why: doubt_text(review.doubt).into(),
            probability: score.probability,
            bits: score.bits,
            reasons: self.scoring.model().explain(&comparison).into_iter().map(reason).collect(),
            model_version: self.scoring.model().version().into(),
            kind: kind(review.doubt).into(),
        }
    }

    pub(super) fn list_review(&mut self, Doubted { doubt, evidence, a, b }: Doubted) {
        let reach = Reverse(self.members(a).len() + self.members(b).len());
        let review = Review { doubt, reach, evidence: Reverse(evidence), a, b };
        if self.reviews.insert(review) {
            *self.review_counts.entry(doubt).or_default() += 1;
            for row in [a, b] {
                self.reviews_of.entry(row).or_default().push(review);
            }
        }
    }

    pub(super) fn unlist_reviews(&mut self, row: Row) {
        for review in self.reviews_of.remove(&row).unwrap_or_default() {
            if self.reviews.remove(&review) {
                self.count_less(review.doubt);
            }
            let other = if review.a == row { review.b } else { review.a };
            if let Some(reviews) = self.reviews_of.get_mut(&other) {
                reviews.retain(|listed| *listed != review);
                if reviews.is_empty() {
                    self.reviews_of.remove(&other);
                }
            }
        }
    }

    fn count_less(&mut self, doubt: Doubt) {
        if let Entry::Occupied(mut count) = self.review_counts.entry(doubt) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

fn kind(doubt: Doubt) -> ReviewKind {
    match doubt {
        Doubt::ChangedFrom | Doubt::ChangedInto => ReviewKind::ChangedIntoSomebodyElse,
        Doubt::NumberOverlaid => ReviewKind::NumberOverlaid,
        Doubt::LinkRests | Doubt::LinkDisagrees => ReviewKind::RegistrationDisagrees,
        Doubt::DatesOfDeath => ReviewKind::DatesOfDeath,
        Doubt::NumbersDiffer => ReviewKind::DuplicateNumbers,
        Doubt::DecisionsContradict => ReviewKind::DecisionsContradict,
        Doubt::PersonsDisagree => ReviewKind::PersonsDisagree,
        Doubt::LeadTooSmall => ReviewKind::LeadTooSmall,
        Doubt::PossibleTwins => ReviewKind::PossibleTwins,
        Doubt::Possible => ReviewKind::PossibleDuplicate,
        Doubt::NamesAndBirthOnly => ReviewKind::NamesAndBirthOnly,
    }
}

fn doubt_text(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::ChangedFrom => "its source changed it into somebody else; this is whose it was before",
        Doubt::ChangedInto => "its source changed it into somebody else; this is whom it fits now",
        Doubt::LinkRests => "linked by a person, but their NHS numbers contradict that now",
        Doubt::LinkDisagrees => "linked by a person, but what they say now is plainly of two people",
        Doubt::NumberOverlaid => "NHS number overlaid: one number, but two people by everything else",
        Doubt::DatesOfDeath => "dates of death do not fit",
        Doubt::NumbersDiffer => {
            "possible duplicate NHS numbers: two verified numbers, but one person by everything else"
        }
        Doubt::DecisionsContradict => "people's decisions contradict each other",
        Doubt::PersonsDisagree => "would join two persons some of whose registrations do not fit together",
        Doubt::LeadTooSmall => "another person fits nearly as well",
        Doubt::PossibleTwins => {
            "possibly twins: born on one day, of one home or telephone, and the given names leave room for two people"
        }
        Doubt::Possible => "possibly one person",
        Doubt::NamesAndBirthOnly => "nothing but names and birth date agrees",
    }
}
