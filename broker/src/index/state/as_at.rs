//! Who a person was at a moment in the past. What a registration said then is not kept in memory; which event brought it
//! is.

use super::{State, history::Line};
use crate::{
    index::{
        decide::Row,
        event::{About, Event, What},
        golden::{Member, golden},
    },
    model::EnterpriseId,
};
use foldhash::HashMap;
use prost::Message as _;
use severn_proto::v1::{PersonThen, Registration, RegistrationThen};

/// Who belonged to a person at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsAt {
    /// The id by which the person went.
    id: EnterpriseId,
    members: Vec<MemberThen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct MemberThen {
    /// The event that brought what the registration said.
    content: u64,
    since_ms: i64,
    why: String,
}

impl State {
    /// Who belonged to a person at `at_ms` (milliseconds since 1970-01-01T00:00:00Z); `None` if nobody did. All
    /// registrations' histories are looked at: tenths of a second for millions, so not for the threads that answer queries.
    pub fn as_at(&self, person: EnterpriseId, at_ms: i64) -> Option<AsAt> {
        let everybody = || (0..self.held.len() as u32).map(Row);
        let person_of = |row: Row| self.line_at(row, at_ms)?.person;
        let id = match everybody().any(|row| person_of(row) == Some(person)) {
            true => person,
            // It forwarded to another then: to whoever the registration that carried it belonged to.
            false => person_of(self.carrier_at(person, at_ms)?)?,
        };
        let member = |row: Row| {
            let line = self.line_at(row, at_ms).filter(|line| line.person == Some(id))?;
            let lines = || self.histories.of(row).map(|(_, line)| line).filter(|line| line.at_ms <= at_ms);
            let content = lines().find(|line| matches!(line.kind, "registered" | "changed"))?.sequence;
            let since = lines().take_while(|line| line.person == Some(id)).last().unwrap_or(line);
            let why = self.show_line(row, since).why;
            Some(MemberThen { content, since_ms: since.at_ms, why })
        };
        Some(AsAt { id, members: everybody().filter_map(member).collect() }).filter(|then| !then.members.is_empty())
    }

    /// The last line of a registration at that moment, if its source knew it then.
    fn line_at(&self, row: Row, at_ms: i64) -> Option<&Line> {
        let line = self.histories.of(row).map(|(_, line)| line).find(|line| line.at_ms <= at_ms)?;
        (line.kind != "withdrawn").then_some(line)
    }

    /// The registration that carried an id at that moment; `None` if there was no such id yet.
    fn carrier_at(&self, id: EnterpriseId, at_ms: i64) -> Option<Row> {
        let now = *self.carriers.get(&id)?;
        let carried = self.further_ids.get(&now).into_iter().flatten().chain(&self.get(now).id);
        let since = carried.into_iter().find(|aged| aged.id == id)?.since;
        let existed = since <= self.histories.last_at(at_ms);
        existed.then(|| self.histories.carrier_at(id, at_ms).unwrap_or(now))
    }
}

impl AsAt {
    /// The events to be read for [`AsAt::with`].
    pub fn contents(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.content).collect()
    }

    /// Who the person was, by what the registrations said then. An event that is not among `events` is left out.
    pub fn with(self, events: Vec<Event>) -> PersonThen {
        let bodies: HashMap<u64, Registration> = events.into_iter().filter_map(body).collect();
        let said = |member: &MemberThen| Some((member.content, bodies.get(&member.content)?.clone()));
        let members: Vec<Member> = self.members.iter().filter_map(said).map(member).collect();
        let then = |member: MemberThen| RegistrationThen {
            registration: bodies.get(&member.content).cloned(),
            since_ms: member.since_ms,
            why: member.why,
        };
        let mut registrations: Vec<RegistrationThen> = self.members.into_iter().map(then).collect();
        let key = |then: &RegistrationThen| {
            let registration = then.registration.clone().unwrap_or_default();
            (registration.source_id, registration.local_id.unwrap_or_default().value)
        };
        registrations.sort_by_cached_key(key);
        PersonThen { enterprise_id: self.id.to_string(), golden: Some(golden(&members)), registrations }
    }
}

fn body(event: Event) -> Option<(u64, Registration)> {
    match event.about {
        About::Registration(_, What::Registered { body, .. } | What::Changed { body, .. }) => {
            Some((event.sequence, Registration::decode(body).ok()?))
        }
        _ => None,
    }
}

fn member((changed, registration): (u64, Registration)) -> Member {
    Member { demographics: registration.demographics.unwrap_or_default(), replaced: None, changed }
}
