//! The one writer of the index: plans, makes durable, and only then changes what queries see. Whatever waits is
//! written together, so that many feeds share one fsync.
//!
//! **Invariant:** events are applied in the sequence in which they are stored, and never before they are durable.

use super::{
    IndexError, Refusal, Shared,
    event::{Decision, Event, RegistrationKey, What},
    plan::{Announced, Means, Planned, plan_announced, plan_decision},
    state::Decided,
    store::{Batch, StoreError},
};
use crate::model::EnterpriseId;
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::{mpsc, oneshot};

/// Requests written together, at most.
const GROUP_MAX: usize = 64;

/// What the writer is asked for.
pub enum Command {
    /// Announcements of one source.
    Announce(Announced, oneshot::Sender<Result<Vec<Refusal>, IndexError>>),
    /// A steward's decision.
    Decide(Decided, Decision, oneshot::Sender<Result<EnterpriseId, IndexError>>),
}

/// Writes until nobody can ask any more.
pub async fn write(shared: Arc<Shared>, mut commands: mpsc::Receiver<Command>) {
    let mut waiting = VecDeque::new();
    let mut received = Vec::with_capacity(GROUP_MAX);
    loop {
        if waiting.is_empty() {
            if commands.recv_many(&mut received, GROUP_MAX).await == 0 {
                return;
            }
            waiting.extend(received.drain(..));
        }
        let group = next_group(&mut waiting);
        commit(&shared, group).await;
    }
}

/// Requests that can be planned side by side: of different sources, or one decision, which depends on everything.
fn next_group(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let mut group = Vec::new();
    let mut sources = HashSet::new();
    while let Some(command) = waiting.pop_front() {
        let fits = match &command {
            Command::Announce(announced, _) => sources.insert(announced.source.clone()),
            Command::Decide(..) => group.is_empty(),
        };
        let is_decision = matches!(command, Command::Decide(..));
        if !fits {
            waiting.push_front(command);
            break;
        }
        group.push(command);
        if is_decision {
            break;
        }
    }
    group
}

async fn commit(shared: &Shared, group: Vec<Command>) {
    let (mut sequence, plans) = match plan(shared, &group) {
        Ok(planned) => planned,
        Err(error) => return group.into_iter().for_each(|command| refuse(command, &error)),
    };
    let mut ready = Vec::with_capacity(plans.len());
    let mut batch = Batch::default();
    let at_ms = shared.clock.now_ms();
    for (command, plan) in group.into_iter().zip(plans) {
        match plan {
            Err(error) => refuse(command, &error),
            Ok(mut plan) => {
                let events = number(std::mem::take(&mut plan.events), &mut sequence, at_ms);
                batch.events.extend(events.iter().cloned());
                batch.feeds.extend(plan.feed.clone());
                ready.push((command, plan, events));
            }
        }
    }
    if !batch.events.is_empty() || !batch.feeds.is_empty() {
        let result = shared.store.append(&batch).await;
        if let Err(error) = result {
            let error = failed(shared, error);
            return ready.into_iter().for_each(|(command, ..)| refuse(command, &error));
        }
    }
    for (command, plan, events) in ready {
        apply(shared, command, plan, &events, at_ms);
    }
}

/// The last sequence written, and a plan for each request. Only this writer moves the sequence.
fn plan(shared: &Shared, group: &[Command]) -> Result<(u64, Vec<Result<Planned, IndexError>>), IndexError> {
    let means = Means { clock: &*shared.clock, entropy: &*shared.entropy };
    let state = shared.read()?;
    let plans = group.iter().map(|command| match command {
        Command::Announce(announced, _) => plan_announced(&state, announced, means),
        Command::Decide(wanted, decision, _) => plan_decision(&state, wanted, decision),
    });
    Ok((state.sequence, plans.collect()))
}

fn number(events: Vec<(RegistrationKey, What)>, sequence: &mut u64, at_ms: i64) -> Vec<Event> {
    let numbered = events.into_iter().map(|(registration, what)| {
        *sequence += 1;
        Event { sequence: *sequence, at_ms, registration, what }
    });
    numbered.collect()
}

fn failed(shared: &Shared, error: StoreError) -> IndexError {
    match error {
        StoreError::Refused(_) => IndexError::Store(error),
        // Memory and store may differ now: nothing is answered from memory any more.
        StoreError::Unknown(_) | StoreError::Damaged(_) => {
            shared.broken.store(true, Ordering::SeqCst);
            tracing::error!(%error, "index is closed");
            IndexError::Poisoned
        }
    }
}

fn refuse(command: Command, error: &IndexError) {
    // Who asked may have gone; nothing is left to tell then.
    match command {
        Command::Announce(_, reply) => drop(reply.send(Err(error.clone()))),
        Command::Decide(_, _, reply) => drop(reply.send(Err(error.clone()))),
    }
}

/// Changes what queries see, for one request at a time, so that they wait for one at most.
fn apply(shared: &Shared, command: Command, plan: Planned, events: &[Event], at_ms: i64) {
    let Ok(mut state) = shared.state.write() else { return refuse(command, &IndexError::Poisoned) };
    for event in events {
        state.apply(event);
    }
    if let Some(feed) = &plan.feed {
        state.apply_feed(feed);
    }
    match command {
        Command::Announce(announced, reply) => {
            state.heard(&announced.source, at_ms, plan.source_counts);
            drop(reply.send(Ok(plan.refusals)));
        }
        Command::Decide(Decided::Link(registration, _) | Decided::Unlink(registration), _, reply) => {
            let person = state.find(&registration).and_then(|row| state.id_of(row));
            drop(reply.send(person.ok_or(IndexError::UnknownRegistration)));
        }
    }
}
