//! Turns what was asked of the index into events, without writing any. Reads the state, changes nothing.

use super::{
    IndexError, Refusal,
    check::{LOCAL_ID_BYTES_MAX, TEXT_BYTES_MAX, Wrong, check_local_id, check_registration, latest_date},
    decide::Row,
    event::{About, Decision, FeedPosition, RegistrationKey, What},
    state::{Decided, State},
};
use crate::{
    facts::{self, Facts, FactsError, Wish},
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use prost::Message as _;
use severn_proto::v1::{FeedAnnounce, Registration, feed_announce::Change};
use severn_trust::{Clock, Entropy, new_uuid};
use std::collections::HashMap;
use uuid::Uuid;

/// Characters of a steward's reason, at least.
const REASON_CHARS_MIN: usize = 10;

/// What is to become durable for one request.
#[derive(Default)]
pub struct Planned {
    /// The events, in order; their sequence is given when they are written.
    pub events: Vec<About>,
    /// Where the feed then stands.
    pub feed: Option<FeedPosition>,
    /// What was not taken.
    pub refusals: Vec<Refusal>,
    /// What the source said of the number of its registrations.
    pub source_counts: Option<u64>,
}

/// Where time and randomness for a plan come from.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The randomness.
    pub entropy: &'a dyn Entropy,
}

/// Announcements of one source.
pub struct Announced {
    /// Who announces; checked already.
    pub source: SourceId,
    /// The feed's epoch.
    pub epoch: Uuid,
    /// In ascending cursor order.
    pub announcements: Vec<FeedAnnounce>,
}

/// Plans announcements. What was taken before, and what changes nothing, makes no event.
///
/// # Errors
/// [`IndexError::Gap`] if a cursor was left out.
pub fn plan_announced(state: &State, announced: &Announced, means: Means<'_>) -> Result<Planned, IndexError> {
    let position = state.feeds().get(&announced.source).and_then(|feed| feed.position);
    // A new epoch starts over; what it repeats is known by its content.
    let mut last = position.filter(|(epoch, _)| *epoch == announced.epoch).map_or(0, |(_, cursor)| cursor);
    let heard_at_ms = means.clock.now_ms();
    let latest = latest_date(heard_at_ms);
    let mut planned = Planned::default();
    let mut pending = Pending::new();
    let before = last;
    for announcement in &announced.announcements {
        // A heartbeat repeats the last cursor: it says that the feed is complete up to there, and takes no place.
        if let Some(Change::Heartbeat(heartbeat)) = &announcement.change
            && announcement.cursor <= last
        {
            planned.source_counts = Some(heartbeat.registrations);
            continue;
        }
        if announcement.cursor <= before {
            continue;
        }
        if announcement.cursor != last + 1 {
            return Err(IndexError::Gap { last });
        }
        last = announcement.cursor;
        let result = match &announcement.change {
            Some(Change::Registered(registration)) => {
                take_registered(state, registration, (&announced.source, &latest), &mut pending)
            }
            Some(Change::Withdrawn(local_id)) => take_withdrawn(state, local_id, announced, &mut pending),
            Some(Change::Heartbeat(heartbeat)) => {
                planned.source_counts = Some(heartbeat.registrations);
                Ok(None)
            }
            None => {
                Err(Wrong { field: "change", message: "announce a registration, a withdrawal or a heartbeat".into() })
            }
        };
        match result {
            Ok(taken) => {
                planned.events.extend(taken.map(|(key, kind)| About::Registration(key, kind.into_what(means))));
            }
            Err(Wrong { field, message }) => planned.refusals.push(Refusal { cursor: last, field, message }),
        }
    }
    planned.feed =
        Some(FeedPosition { source: announced.source.clone(), epoch: announced.epoch, cursor: last, heard_at_ms })
            .filter(|feed| position != Some((feed.epoch, feed.cursor)) && feed.cursor > 0);
    Ok(planned)
}

pub(super) enum Taken {
    Registered(Bytes),
    Changed(Bytes),
    Withdrawn,
}

impl Taken {
    pub(super) fn into_what(self, means: Means<'_>) -> What {
        let person = || EnterpriseId(new_uuid(means.clock, means.entropy));
        match self {
            Taken::Registered(body) => What::Registered { body, person: person() },
            Taken::Changed(body) => What::Changed { body, person: person() },
            Taken::Withdrawn => What::Withdrawn,
        }
    }
}

/// What the registrations of one source will say once the plan is carried out; `None` for one that is withdrawn.
pub(super) type Pending = HashMap<LocalId, Option<Bytes>>;

pub(super) fn take_registered(
    state: &State,
    registration: &Registration,
    (source, latest): (&SourceId, &str),
    pending: &mut Pending,
) -> Result<Option<(RegistrationKey, Taken)>, Wrong> {
    check_registration(registration, source, latest)?;
    let value = registration.local_id.as_ref().map(|id| id.value.as_str()).unwrap_or_default();
    let key = RegistrationKey { source: source.clone(), local_id: LocalId(value.into()) };
    let body = Bytes::from(registration.encode_to_vec());
    let known = pending.get(&key.local_id).cloned().unwrap_or_else(|| state.body(&key).cloned());
    if known.as_ref() == Some(&body) {
        return Ok(None);
    }
    pending.insert(key.local_id.clone(), Some(body.clone()));
    Ok(Some((key, if known.is_some() { Taken::Changed(body) } else { Taken::Registered(body) })))
}

fn take_withdrawn(
    state: &State,
    local_id: &severn_proto::v1::LocalId,
    announced: &Announced,
    pending: &mut Pending,
) -> Result<Option<(RegistrationKey, Taken)>, Wrong> {
    check_local_id(local_id, "withdrawn.value")?;
    let key = RegistrationKey { source: announced.source.clone(), local_id: LocalId(local_id.value.as_str().into()) };
    let known = pending.get(&key.local_id).cloned().unwrap_or_else(|| state.body(&key).cloned());
    if known.is_none() {
        return Ok(None);
    }
    pending.insert(key.local_id.clone(), None);
    Ok(Some((key, Taken::Withdrawn)))
}

/// Plans a change of the facts, made at `at_ms`. A retry plans nothing.
///
/// # Errors
/// [`IndexError::Facts`] if it is refused.
pub fn plan_change(state: &State, wish: &Wish, at_ms: i64) -> Result<Planned, IndexError> {
    if let Some((_, before)) = state.access_facts().change(wish.key) {
        return match Facts::answers(before, wish) {
            true => Ok(Planned::default()),
            false => Err(IndexError::Conflict("this idempotency key belongs to another act; make a new one")),
        };
    }
    let subject = wish.person.map(|person| state.subject(person).ok_or(FactsError::UnknownPerson)).transpose()?;
    let kind = state.access_facts().check(wish, at_ms)?;
    let change = facts::Change { key: wish.key, by: wish.by.clone(), subject, kind };
    Ok(Planned { events: vec![About::FactsChanged(Box::new(change))], ..Planned::default() })
}

/// Plans a steward's decision. A retry plans nothing.
///
/// # Errors
/// [`IndexError`] if it cannot be carried out.
pub fn plan_decision(state: &State, wanted: &Decided, decision: &Decision) -> Result<Planned, IndexError> {
    check_decision(decision)?;
    if let Some(before) = state.decided(&decision.idempotency_key) {
        return match before == wanted {
            true => Ok(Planned::default()),
            false => Err(IndexError::Conflict("this idempotency key belongs to another decision; make a new one")),
        };
    }
    let events = match wanted {
        Decided::Link(a, b) => plan_link(state, a, b, decision)?,
        Decided::Unlink(registration) => plan_unlink(state, registration, decision)?,
        Decided::TellApart(a, b) => plan_told_apart(state, a, b, decision)?,
        Decided::Postpone(a, b, until_ms) => plan_postponed(state, a, b, (*until_ms, decision))?,
        Decided::TakeBack(decided) => plan_taken_back(state, *decided, decision)?,
    };
    let events = events.into_iter().map(|(registration, what)| About::Registration(registration, what));
    Ok(Planned { events: events.collect(), ..Planned::default() })
}

pub(super) fn check_decision(decision: &Decision) -> Result<(), IndexError> {
    let chars = decision.reason.trim().chars().count();
    if chars < REASON_CHARS_MIN || decision.reason.len() > TEXT_BYTES_MAX {
        let message = format!("give a reason of {REASON_CHARS_MIN} characters to {TEXT_BYTES_MAX} bytes");
        return Err(IndexError::Invalid { field: "reason", message });
    }
    if decision.by.is_empty() || decision.by.len() > LOCAL_ID_BYTES_MAX {
        return Err(IndexError::Invalid { field: "by", message: "say who decides".into() });
    }
    Ok(())
}

fn plan_link(
    state: &State,
    a: &RegistrationKey,
    b: &RegistrationKey,
    decision: &Decision,
) -> Result<Vec<(RegistrationKey, What)>, IndexError> {
    let (row_a, row_b) = find_both(state, a, b)?;
    if state.verified_numbers(row_a, row_b).len() > 1 {
        return Err(IndexError::Conflict(
            "these persons have two different verified NHS numbers; have one corrected at its source first",
        ));
    }
    if !state.link_would_hold(row_a, row_b) {
        return Err(IndexError::Conflict(
            "a person separated registrations of these two; link the separated registrations themselves first",
        ));
    }
    Ok(vec![(a.clone(), What::Linked { with: b.clone(), decision: decision.clone() })])
}

fn find_both(state: &State, a: &RegistrationKey, b: &RegistrationKey) -> Result<(Row, Row), IndexError> {
    let row_a = state.find(a).ok_or(IndexError::UnknownRegistration)?;
    let row_b = state.find(b).ok_or(IndexError::UnknownRegistration)?;
    if row_a == row_b {
        return Err(IndexError::Invalid { field: "b", message: "name two different registrations".into() });
    }
    Ok((row_a, row_b))
}

fn plan_told_apart(
    state: &State,
    a: &RegistrationKey,
    b: &RegistrationKey,
    decision: &Decision,
) -> Result<Vec<(RegistrationKey, What)>, IndexError> {
    let (row_a, row_b) = find_both(state, a, b)?;
    if state.person_row(row_a) == state.person_row(row_b) {
        return Err(IndexError::Conflict("these two are one person now; unlink one of them first"));
    }
    Ok(vec![(a.clone(), What::ToldApart { with: b.clone(), decision: decision.clone() })])
}

fn plan_postponed(
    state: &State,
    a: &RegistrationKey,
    b: &RegistrationKey,
    (until_ms, decision): (i64, &Decision),
) -> Result<Vec<(RegistrationKey, What)>, IndexError> {
    let (row_a, row_b) = find_both(state, a, b)?;
    if !state.is_listed(row_a, row_b) {
        return Err(IndexError::Conflict("these two are not in the review queue; there is nothing to decide later"));
    }
    Ok(vec![(a.clone(), What::Postponed { with: b.clone(), until_ms, decision: decision.clone() })])
}

fn plan_taken_back(
    state: &State,
    decided: u64,
    decision: &Decision,
) -> Result<Vec<(RegistrationKey, What)>, IndexError> {
    let (Some(taken), Some(registration)) = (state.taken(decided), state.registration_of(decided)) else {
        let message = "no steward's decision has this number; list them with their numbers first".into();
        return Err(IndexError::Invalid { field: "decision", message });
    };
    if !taken.is_reversible() {
        return Err(IndexError::Conflict("only a link, an unlink and telling apart can be taken back"));
    }
    if !taken.stands() {
        return Ok(Vec::new());
    }
    if let Some((sequence, later)) = state.rests_on(decided) {
        return Err(IndexError::RestsOn { sequence, by: later.by().to_owned() });
    }
    Ok(vec![(registration, What::TakenBack { decided, decision: decision.clone() })])
}

fn plan_unlink(
    state: &State,
    registration: &RegistrationKey,
    decision: &Decision,
) -> Result<Vec<(RegistrationKey, What)>, IndexError> {
    let row = state.find(registration).ok_or(IndexError::UnknownRegistration)?;
    let Some((undone, parted)) = state.unlink_of(row) else {
        return Err(IndexError::Conflict("this registration stands alone; there is nothing to unlink"));
    };
    let mut events = vec![(registration.clone(), What::Unlinked { undone, decision: decision.clone() })];
    events.extend(parted.into_iter().map(|with| (registration.clone(), What::DoNotLink { with })));
    Ok(events)
}
