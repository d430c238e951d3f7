//! The index's part in who may see a person: it keeps the changes of the facts with its other events, so that every
//! broker has them, and reads what they come to for the person that was found.

use super::{Index, IndexError, write::Command};
use crate::{
    facts::{Change, Directive, PersonFacts, Queued, Waiting, WhoseQueue, Wish, in_force},
    model::{EnterpriseId, Person, SourceId},
};
use severn_proto::v1::{Demographics, Registration};
use severn_trust::User;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Entries of the queue in one answer, at most.
pub const QUEUE_MAX: usize = 1_000;

impl Index {
    /// Changes the facts, and returns what was changed and when (milliseconds since 1970-01-01T00:00:00Z) once that is
    /// durable and holds for the next query. A retry with the same key changes nothing and returns what was done.
    ///
    /// # Errors
    /// [`IndexError::Facts`] if it is refused, [`IndexError::Conflict`] if the key belongs to another change.
    pub async fn change_facts(&self, wish: Wish) -> Result<(i64, Change), IndexError> {
        self.ask(|reply| Command::ChangeFacts(wish, reply)).await
    }

    /// What is known now of a user's standing with the person that was found: directives in force, what joins the person
    /// to the user's organisation, and the user's own override. `own_ods` gives the ODS code of a source's own
    /// organisation. A few look-ups for each registration.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`]: the query must fail as a whole.
    pub fn facts(
        &self,
        person: &Person,
        user: &User,
        own_ods: impl Fn(&SourceId) -> Option<String>,
    ) -> Result<PersonFacts, IndexError> {
        let now_ms = self.shared.clock.now_ms();
        Ok(self.shared.read()?.facts_of(person, user, now_ms, own_ods))
    }

    /// The person as all sources but these know them; nobody's demographics if no other does.
    ///
    /// # Errors
    /// As [`Index::locate`].
    pub fn locate_without(&self, person: Person, hidden: &BTreeSet<SourceId>) -> Result<Person, IndexError> {
        if hidden.is_empty() {
            return Ok(person);
        }
        let nobody = Person { id: person.id, golden: Demographics::default(), located: Vec::new() };
        Ok(self.shared.read()?.person_without(person.id, hidden).unwrap_or(nobody))
    }

    /// Every directive of a person, in the order in which they were entered, and whether it holds now; those that are
    /// over or withdrawn, too. `None` if no source knows such a person.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn directives(&self, person: EnterpriseId) -> Result<Option<Vec<(Directive, bool)>>, IndexError> {
        let now_ms = self.shared.clock.now_ms();
        let holds = |directive: Directive| {
            let holds = in_force(&directive, now_ms);
            (directive, holds)
        };
        Ok(self.shared.read()?.directives(person).map(|all| all.into_iter().map(holds).collect()))
    }

    /// Claims and overrides to review, newest first, at most `limit` and [`QUEUE_MAX`]; and how many more there are.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn facts_queue(
        &self,
        whose: &WhoseQueue,
        waiting: Waiting,
        limit: usize,
    ) -> Result<(Vec<Queued>, usize), IndexError> {
        Ok(self.shared.read()?.access_facts().queue(whose, waiting, limit.min(QUEUE_MAX)))
    }

    /// The time by which what holds now is told: milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// What sources announce of a person at this moment; nothing if none knows such a person.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn announced(&self, person: EnterpriseId) -> Result<Vec<(SourceId, Registration)>, IndexError> {
        Ok(self.shared.read()?.announced(person))
    }

    /// Claims and overrides since the change `after` that were made after `since_ms` (milliseconds since 1970-01-01), oldest
    /// first, at most [`QUEUE_MAX`]; and the last change that was looked at, to go on from.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn reviewable_since(&self, after: u64, since_ms: i64) -> Result<(u64, Vec<Change>), IndexError> {
        Ok(self.shared.read()?.access_facts().reviewable_since(after, since_ms, QUEUE_MAX))
    }

    /// A change of the facts by its key, and when it was made.
    ///
    /// # Errors
    /// [`IndexError::Poisoned`].
    pub fn facts_change(&self, key: Uuid) -> Result<Option<(i64, Change)>, IndexError> {
        Ok(self.shared.read()?.access_facts().change(key).map(|(at_ms, change)| (at_ms, change.clone())))
    }
}
