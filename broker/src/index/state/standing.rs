//! Who may see a person, as far as the index knows: whom a change of the facts is about, what is known of a user's
//! standing with a person, and what becomes of a person's directives when a source takes a registration away.
//!
//! **Invariant:** nobody loses a directive unless somebody decides that they are not the person whose it is.

use super::State;
use crate::{
    facts::{self, Directive, PersonFacts, Relationship, Subject, day_of, of_registration},
    index::{
        decide::Row,
        event::{RegistrationKey, What},
    },
    model::{EnterpriseId, Located, Person, SourceId},
};
use severn_proto::v1::Registration;
use severn_trust::{NhsNumber, User};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl State {
    /// What all changes of the facts so far come to.
    pub fn access_facts(&self) -> &facts::Facts {
        &self.access_facts
    }

    /// Who a person is at this moment; `None` if no source knows such a person.
    pub fn subject(&self, person: EnterpriseId) -> Option<Subject> {
        let row = *self.carriers.get(&person)?;
        let person = self.id_of(row)?;
        let (located, numbers) = self.anchors_of(row);
        Some(Subject { person, registrations: located.into_iter().collect(), numbers: numbers.into_iter().collect() })
    }

    /// What sources announce of a person at this moment; nothing if none knows such a person.
    pub fn announced(&self, person: EnterpriseId) -> Vec<(SourceId, Registration)> {
        let rows = self.carriers.get(&person).map(|row| self.members(*row)).unwrap_or_default();
        let announced = |row: &Row| (self.get(*row).key.source.clone(), self.registration(*row));
        rows.iter().map(announced).collect()
    }

    /// What is known at `now_ms` of a user's standing with the person that was found. `own_ods` gives the ODS code of a
    /// source's own organisation.
    pub fn facts_of(
        &self,
        person: &Person,
        user: &User,
        now_ms: i64,
        own_ods: impl Fn(&SourceId) -> Option<String>,
    ) -> PersonFacts {
        let key =
            |located: &Located| RegistrationKey { source: located.source.clone(), local_id: located.local_id.clone() };
        let rows: Vec<Row> = person.located.iter().filter_map(|located| self.find(&key(located))).collect();
        let numbers = self.numbers_of(&rows);
        let mut known = self.access_facts.of(person.id, (&person.located, &numbers), user, now_ms);
        let today = day_of(now_ms);
        for row in rows {
            let (registration, source) = (self.registration(row), &self.get(row).key.source);
            let own = own_ods(source);
            let own = (source, own.as_deref());
            known.relationships.extend(of_registration(&registration, own, (&user.organisation_ods, &today)));
        }
        let rank = |r: &Relationship| (r.kind, r.team.is_empty());
        known.relationships.sort_by_key(rank);
        known
    }

    /// Every directive of a person, in the order in which they were entered; `None` if no source knows such a person.
    pub fn directives(&self, person: EnterpriseId) -> Option<Vec<Directive>> {
        let row = *self.carriers.get(&person)?;
        self.id_of(row)?;
        let (located, numbers) = self.anchors_of(row);
        Some(self.access_facts.directives(&located, &numbers))
    }

    /// The directives of a person about whom a source says something else now, or nothing any more.
    pub(super) fn directives_at_stake(&self, what: &What, row: Row) -> BTreeSet<Uuid> {
        match what {
            What::Changed { .. } | What::Withdrawn if self.access_facts.has_directives() => self.anchored_to(row),
            _ => BTreeSet::new(),
        }
    }

    /// Whoever was parted from a person keeps the person's directives, unless somebody decided that they are not that
    /// person, or it is the registration `own` itself that its source changed into another's: its id and its directives
    /// stay with those it left. `before` gives the ids by which everybody concerned went.
    pub(super) fn keep_directives(
        &mut self,
        what: &What,
        (own, own_before, at_stake): (Row, Option<EnterpriseId>, BTreeSet<Uuid>),
        before: &[(Row, Option<EnterpriseId>)],
    ) {
        let decided = matches!(
            what,
            What::Unlinked { .. } | What::DoNotLink { .. } | What::ToldApart { .. } | What::TakenBack { .. }
        );
        if !decided {
            let known = own_before.map(|id| (id, at_stake)).into_iter().collect();
            self.keep_directives_of(known, Some(own), before);
        }
    }

    /// The same for whoever was parted; `known` are directives of persons beside those of their registrations.
    pub(super) fn keep_directives_of(
        &mut self,
        known: BTreeMap<EnterpriseId, BTreeSet<Uuid>>,
        own: Option<Row>,
        before: &[(Row, Option<EnterpriseId>)],
    ) {
        if !self.access_facts.has_directives() {
            return;
        }
        let mut directives = known;
        for (row, id) in before.iter().filter_map(|(row, id)| Some((*row, (*id)?))) {
            let (located, numbers) = ([self.located(row)], self.numbers_of(&[row]));
            directives.entry(id).or_default().extend(self.access_facts.anchored(&located, &numbers));
        }
        for (row, id) in before.iter().filter_map(|(row, id)| Some((*row, (*id)?))) {
            let Some(of_person) = directives.get(&id).filter(|of_person| !of_person.is_empty()) else { continue };
            let is_alone = || before.iter().all(|(other, of)| *other == row || *of != Some(id));
            if self.get(row).live && (own != Some(row) || is_alone()) {
                let missing: Vec<Uuid> = of_person.difference(&self.anchored_to(row)).copied().collect();
                let registration = self.located(row);
                self.access_facts.anchor(missing.into_iter(), &registration);
            }
        }
    }

    fn anchored_to(&self, row: Row) -> BTreeSet<Uuid> {
        let (located, numbers) = self.anchors_of(row);
        self.access_facts.anchored(&located, &numbers)
    }

    /// The registrations and the verified numbers of a registration's person.
    fn anchors_of(&self, row: Row) -> (Vec<Located>, Vec<NhsNumber>) {
        let rows = self.members(row);
        (rows.iter().map(|row| self.located(*row)).collect(), self.numbers_of(rows))
    }

    fn numbers_of(&self, rows: &[Row]) -> Vec<NhsNumber> {
        let known = rows.iter().map(|row| self.get(*row)).filter(|held| held.live && held.facts.verified);
        known.filter_map(|held| held.facts.number).collect()
    }

    fn located(&self, row: Row) -> Located {
        let key = &self.get(row).key;
        Located { source: key.source.clone(), local_id: key.local_id.clone() }
    }
}
