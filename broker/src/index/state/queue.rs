//! What a human should decide: the review queue, in the order in which its pairs should be looked at.

use super::State;
use crate::index::decide::{Doubt, Doubted, Review, Row};
use severn_linkage::score::FieldReason;
use severn_proto::v1::{self as wire, ReviewCount, ReviewKind, ReviewPair, ReviewQueueResponse};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

impl State {
    /// The pairs that a human should decide, of `kinds` or of all if there are none, at most `limit`: what harms most if
    /// it is wrong first, then what reaches most sources, then the likeliest. All that wait are counted.
    pub fn review_queue(&self, limit: usize, kinds: &[ReviewKind]) -> ReviewQueueResponse {
        let wanted = |review: &&Review| kinds.is_empty() || kinds.contains(&kind(review.doubt));
        let pairs = self.reviews.iter().filter(wanted).take(limit).map(|review| self.review_pair(review)).collect();
        let mut counted: BTreeMap<ReviewKind, u64> = BTreeMap::new();
        for (doubt, count) in &self.review_counts {
            *counted.entry(kind(*doubt)).or_default() += count;
        }
        let counts = counted.into_iter().map(|(kind, pairs)| ReviewCount { kind: kind.into(), pairs }).collect();
        ReviewQueueResponse { pairs, counts }
    }

    fn review_pair(&self, review: &Review) -> ReviewPair {
        let comparison = self.population.compare(review.a.0, review.b.0);
        let score = self.model.score(&comparison);
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
            reasons: self.model.explain(&comparison).into_iter().map(reason).collect(),
            model_version: self.model.version().into(),
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
        Doubt::PossibleTwins => "possibly twins: born on one day at one address, given names not the same",
        Doubt::Possible => "possibly one person",
        Doubt::NamesAndBirthOnly => "nothing but names and birth date agrees",
    }
}
