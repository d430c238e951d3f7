//! Reads from the state: persons, what a human should decide, and what a decision would do.

use super::State;
use crate::{
    index::{
        decide::{Doubt, Means, Review, Row, Rule},
        event::{RegistrationKey, Undone},
        golden::{Member, golden},
        normalise::Facts,
    },
    model::{EnterpriseId, Located, Person},
};
use prost::Message as _;
use severn_linkage::score::FieldReason;
use severn_proto::v1::{self as wire, Registration, ReviewPair};
use severn_trust::NhsNumber;
use std::collections::BTreeSet;

impl State {
    /// The person an id stands for, though it forwards to another; `None` if no source knows the person any more.
    pub fn person(&self, id: EnterpriseId) -> Option<Person> {
        self.carriers.get(&id).and_then(|row| self.person_at(*row))
    }

    /// The person a registration belongs to.
    pub fn person_at(&self, row: Row) -> Option<Person> {
        let id = self.id_of(row)?;
        let mut members: Vec<(Located, Member)> = self.members(row).iter().map(|row| self.member(*row)).collect();
        members.sort_unstable_by(|(a, _), (b, _)| (&a.source, &a.local_id).cmp(&(&b.source, &b.local_id)));
        let (located, members): (Vec<Located>, Vec<Member>) = members.into_iter().unzip();
        Some(Person { id, golden: golden(&members), located })
    }

    fn member(&self, row: Row) -> (Located, Member) {
        let held = self.get(row);
        let located = Located { source: held.key.source.clone(), local_id: held.key.local_id.clone() };
        let mut demographics = self.registration(row).demographics.unwrap_or_default();
        if let Some(number) = held.facts.number {
            // Shown is the number in use, whichever the source still gives.
            demographics.nhs_number = number.digits();
        }
        (located, Member { demographics, changed: held.changed })
    }

    /// A registration as its source announced it.
    pub fn registration(&self, row: Row) -> Registration {
        Registration::decode(self.get(row).body.clone()).unwrap_or_default()
    }

    /// The first registration of the person a registration belongs to: equal for two of one person.
    pub fn person_row(&self, row: Row) -> Row {
        self.get(row).person
    }

    /// What the rules know of a registration, and whether a person disputes its number.
    pub fn claim(&self, row: Row) -> (Facts, bool) {
        let facts = self.get(row).facts;
        (facts, self.decisions.disputes(row, &facts.said))
    }

    /// The registrations that give this number, one that it replaced or one that replaced it.
    pub fn with_number(&self, number: NhsNumber) -> &[Row] {
        self.by_number.get(&self.superseded.current(number)).map(Vec::as_slice).unwrap_or_default()
    }

    /// What scores, and where the registrations stand.
    pub fn means(&self) -> Means<'_> {
        Means { population: &self.population, model: self.scoring.model(), policy: &self.policy }
    }

    /// The pairs that a human should decide, at most `limit`: what harms most if it is wrong first, then what reaches
    /// most sources, then the likeliest.
    pub fn review_queue(&self, limit: usize) -> Vec<ReviewPair> {
        self.reviews.iter().take(limit).map(|review| self.review_pair(review)).collect()
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
        }
    }

    /// Whether a link of `a` and `b`, decided now, would make them one person.
    pub fn link_would_hold(&self, a: Row, b: Row) -> bool {
        let block = self.block(&[a, b]);
        let mut decisions = self.decisions_on(&block);
        decisions.take_back(&self.taken_back(a, b));
        decisions.links.insert(u64::MAX, self.link_of(a, b));
        let verdict = self.verdict(self.means(), &block, &decisions);
        let has = |person: &[(Row, Rule)], row| person.iter().any(|(member, _)| *member == row);
        verdict.persons.iter().any(|person| has(person, a) && has(person, b))
    }

    /// The verified NHS numbers of two registrations' persons.
    pub fn verified_numbers(&self, a: Row, b: Row) -> BTreeSet<NhsNumber> {
        let both = self.members(a).iter().chain(self.members(b)).map(|row| self.get(*row).facts);
        both.filter(|facts| facts.verified).filter_map(|facts| facts.number).collect()
    }

    /// What an unlink of `row` has to undo, and from whom it parts; `None` if it stands alone. Where a person's link
    /// holds it, that link is undone, which gives back what was before; otherwise it is taken out of what the rules made.
    pub fn unlink_of(&self, row: Row) -> Option<(Undone, Vec<RegistrationKey>)> {
        let companions: Vec<Row> = self.members(row).iter().filter(|r| **r != row).copied().collect();
        if companions.is_empty() {
            return None;
        }
        let block = self.block(&[row]);
        let mut decisions = self.decisions_on(&block);
        decisions.links.retain(|_, link| link.a != row && link.b != row);
        let verdict = self.verdict(self.means(), &block, &decisions);
        let has = |person: &[(Row, Rule)], row| person.iter().any(|(member, _)| *member == row);
        let left = verdict.persons.into_iter().find(|person| has(person, row)).unwrap_or_default();
        let key = |row: &Row| self.get(*row).key.clone();
        let parted: Vec<RegistrationKey> = companions.iter().filter(|r| !has(&left, **r)).map(key).collect();
        if parted.is_empty() {
            return Some((Undone::Rule, companions.iter().map(key).collect()));
        }
        Some((Undone::Link, parted))
    }
}

fn doubt_text(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::LinkRests => "linked by a person, but their NHS numbers contradict that now",
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
