//! Reads from the state: persons, and what a decision would do.

use super::State;
use crate::{
    index::{
        decide::{Effect, Means, Row, Rule},
        event::{RegistrationKey, Undone},
        golden::{Member, golden},
        normalise::Facts,
    },
    model::{EnterpriseId, Located, Person, SourceId},
};
use prost::Message as _;
use severn_proto::v1::Registration;
use severn_trust::NhsNumber;
use std::collections::BTreeSet;

fn person_of(id: EnterpriseId, mut members: Vec<(Located, Member)>) -> Person {
    members.sort_unstable_by(|(a, _), (b, _)| (&a.source, &a.local_id).cmp(&(&b.source, &b.local_id)));
    let (located, members): (Vec<Located>, Vec<Member>) = members.into_iter().unzip();
    Person { id, golden: golden(&members), located }
}

impl State {
    /// The person an id stands for, though it forwards to another; `None` if no source knows the person any more.
    pub fn person(&self, id: EnterpriseId) -> Option<Person> {
        self.carriers.get(&id).and_then(|row| self.person_at(*row))
    }

    /// The person a registration belongs to.
    pub fn person_at(&self, row: Row) -> Option<Person> {
        let id = self.id_of(row)?;
        Some(person_of(id, self.members(row).iter().map(|row| self.member(*row)).collect()))
    }

    /// The person as all sources but these know them, but restricted if any source says so: `None` if no other knows them.
    pub fn person_without(&self, id: EnterpriseId, hidden: &BTreeSet<SourceId>) -> Option<Person> {
        let row = *self.carriers.get(&id)?;
        let id = self.id_of(row)?;
        let mut members: Vec<(Located, Member)> = self.members(row).iter().map(|row| self.member(*row)).collect();
        let restricted = members.iter().any(|(_, member)| member.demographics.restricted);
        members.retain(|(located, _)| !hidden.contains(&located.source));
        members.iter_mut().for_each(|(_, member)| member.demographics.restricted = restricted);
        (!members.is_empty()).then(|| person_of(id, members))
    }

    fn member(&self, row: Row) -> (Located, Member) {
        let held = self.get(row);
        let located = Located { source: held.key.source.clone(), local_id: held.key.local_id.clone() };
        let mut demographics = self.registration(row).demographics.unwrap_or_default();
        let given = NhsNumber::parse(&demographics.nhs_number).ok();
        if let Some(number) = held.facts.number {
            // Shown is the number in use, whichever the source still gives.
            demographics.nhs_number = number.digits();
        }
        let replaced = given.filter(|given| held.facts.number.is_some_and(|number| number != *given));
        (located, Member { demographics, replaced, changed: held.changed })
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

    /// Every id of the person that `id` stands for, and `id` itself.
    pub fn ids(&self, id: EnterpriseId) -> BTreeSet<EnterpriseId> {
        let carrier = self.carriers.get(&id).into_iter();
        let members = carrier.flat_map(|row| self.members(*row));
        let carried = |row: &Row| {
            let further = self.further_ids.get(row).into_iter().flatten().copied();
            further.chain(self.get(*row).id).map(|aged| aged.id).collect::<Vec<_>>()
        };
        members.flat_map(carried).chain([id]).collect()
    }

    /// Whether any source holds the person of a registration as restricted.
    pub fn is_restricted(&self, row: Row) -> bool {
        self.members(row).iter().any(|member| self.get(*member).facts.restricted)
    }

    /// The registrations that give this number, one that it replaced or one that replaced it.
    pub fn with_number(&self, number: NhsNumber) -> &[Row] {
        self.by_number.get(&self.superseded.current(number)).map(Vec::as_slice).unwrap_or_default()
    }

    /// What scores, and where the registrations stand.
    pub fn means(&self) -> Means<'_> {
        Means { population: &self.population, model: self.scoring.model(), policy: &self.policy }
    }

    /// Whether a link of `a` and `b`, decided now, would make them one person.
    pub fn link_would_hold(&self, a: Row, b: Row) -> bool {
        let block = self.block(&[a, b]);
        let mut decisions = self.decisions_on(&block);
        decisions.take(u64::MAX, &self.effect_of_link(a, b));
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
        decisions.take(u64::MAX, &Effect::Unlink { row, misled: None });
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
