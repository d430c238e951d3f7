//! The one writer of this broker's index: plans, makes durable, and only then changes what queries see. Whatever waits
//! is written together, so that many feeds share one fsync. Where other brokers write to the same store, it takes what
//! they wrote in between, and plans again whenever one of them came first.
//!
//! **Invariant:** events are applied in the sequence in which they are stored, and never before they are durable.

use super::{
    IndexError, Refusal, Shared,
    event::{About, Decision, Event},
    load::{LoadedLine, plan_load},
    plan::{Announced, Means, Planned, plan_announced, plan_change, plan_decision},
    saver::Saver,
    state::Decided,
    store::{Batch, Mark, StoreError},
    upkeep::{Upkeep, plan_upkeep},
};
use crate::{
    facts::{Change, Wish},
    model::EnterpriseId,
};
use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Requests written together, at most.
const GROUP_MAX: usize = 64;

/// What the writer is asked for.
pub enum Command {
    /// Announcements of one source.
    Announce(Announced, oneshot::Sender<Result<Vec<Refusal>, IndexError>>),
    /// A steward's decision. Gives the person to whom the registration belongs then.
    Decide(Decided, Decision, oneshot::Sender<Result<Option<EnterpriseId>, IndexError>>),
    /// Registrations of any sources. Gives how many events they came to, and which were refused.
    Load(Vec<LoadedLine>, oneshot::Sender<Result<(usize, Vec<Refusal>), IndexError>>),
    /// What concerns everybody. Gives how many events it came to.
    Upkeep(Upkeep, oneshot::Sender<Result<usize, IndexError>>),
    /// A change of the facts. Gives what was changed, and when: milliseconds since 1970-01-01T00:00:00Z.
    ChangeFacts(Wish, oneshot::Sender<Result<(i64, Change), IndexError>>),
}

/// Is told once a snapshot is written.
pub type Saved = oneshot::Sender<()>;

/// How often a group is planned again because another broker came first. Each time, one of them has got on.
const TURNS_MAX: usize = 1_000;

/// Writes until nobody can ask any more.
pub async fn write(mut writer: Writer, mut commands: mpsc::Receiver<Command>, mut saves: mpsc::Receiver<Saved>) {
    let mut waiting = VecDeque::new();
    let mut received = Vec::with_capacity(GROUP_MAX);
    loop {
        while waiting.is_empty() {
            tokio::select! {
                taken = commands.recv_many(&mut received, GROUP_MAX) => match taken {
                    0 => return writer.save().await,
                    _ => waiting.extend(received.drain(..)),
                },
                Some(saved) = saves.recv() => {
                    writer.save().await;
                    // Who asked may have gone.
                    let _ = saved.send(());
                }
                () = writer.shared.store.changed(writer.read), if !writer.shared.is_broken() => writer.follow().await,
            }
        }
        let group = next_group(&mut waiting);
        writer.commit(group).await;
        writer.save_if_due(writer.shared.store.shared_for()).await;
    }
}

/// Requests that can be planned side by side: of different sources, or one that depends on everything.
fn next_group(waiting: &mut VecDeque<Command>) -> Vec<Command> {
    let mut group = Vec::new();
    let mut sources = HashSet::new();
    while let Some(command) = waiting.pop_front() {
        let fits = match &command {
            Command::Announce(announced, _) => sources.insert(announced.source.clone()),
            Command::Decide(..) | Command::Load(..) | Command::Upkeep(..) | Command::ChangeFacts(..) => {
                group.is_empty()
            }
        };
        let is_alone = !matches!(command, Command::Announce(..));
        if !fits {
            waiting.push_front(command);
            break;
        }
        group.push(command);
        if is_alone {
            break;
        }
    }
    group
}

/// The index, and how far in the store's history it is.
pub struct Writer {
    /// What queries see.
    shared: Arc<Shared>,
    /// How much of the store that holds.
    read: Mark,
    /// Whether the last attempt to follow others failed; said once.
    lost: bool,
    saver: Saver,
}

/// What a group of requests comes to.
struct Prepared {
    plans: Vec<Result<(Planned, Vec<Event>), IndexError>>,
    batch: Batch,
    at_ms: i64,
}

/// Whether others had written.
pub enum News {
    /// They had, and it is taken.
    Some,
    /// They had not.
    None,
}

impl Writer {
    /// A writer for a state that was built from everything up to `read`.
    pub fn new(shared: Arc<Shared>, read: Mark, saver: Saver) -> Writer {
        Writer { shared, read, lost: false, saver }
    }

    /// Writes a snapshot if enough has come since the last, for an index that must look at its store every `shared_for`.
    pub async fn save_if_due(&mut self, shared_for: Option<Duration>) {
        if self.saver.is_due(self.read, shared_for) {
            self.saver.save(self.read, &self.shared).await;
        }
    }

    /// Writes a snapshot before the end, unless the last will do.
    async fn save(&mut self) {
        if self.saver.is_due_at_close(self.read) {
            self.saver.save(self.read, &self.shared).await;
        }
    }

    /// Does what concerns everybody, before anybody else writes.
    ///
    /// # Errors
    /// As planned, and [`IndexError::Store`] if the store refused.
    pub async fn look_after(&mut self, upkeep: Upkeep) -> Result<usize, IndexError> {
        let (reply, answer) = oneshot::channel();
        self.commit(vec![Command::Upkeep(upkeep, reply)]).await;
        answer.await.map_err(|_| IndexError::Poisoned)?
    }

    async fn commit(&mut self, group: Vec<Command>) {
        match self.make_durable(&group).await {
            Ok(prepared) => {
                for (command, plan) in group.into_iter().zip(prepared.plans) {
                    match plan {
                        Ok((plan, events)) => apply(&self.shared, command, plan, &events, prepared.at_ms),
                        Err(error) => refuse(command, &error),
                    }
                }
            }
            Err(error) => group.into_iter().for_each(|command| refuse(command, &error)),
        }
    }

    /// Plans, and plans again, until the batch is stored after just those events that the plan knew of.
    async fn make_durable(&mut self, group: &[Command]) -> Result<Prepared, IndexError> {
        if self.shared.is_stale() {
            self.catch_up().await?;
        }
        let mut doubted = false;
        for _ in 0..TURNS_MAX {
            let prepared = self.prepare(group)?;
            if prepared.batch.events.is_empty() && prepared.batch.feeds.is_empty() {
                // Nobody is refused for what another broker has changed: with nothing to append, reading tells.
                match self.catch_up().await? {
                    News::Some => continue,
                    News::None => return Ok(prepared),
                }
            }
            let asked = Instant::now();
            match self.shared.store.append(&prepared.batch).await {
                Ok(()) => {
                    self.read = prepared.batch.mark();
                    self.shared.confirm(asked);
                    return Ok(prepared);
                }
                Err(StoreError::Conflict) => {
                    self.catch_up().await?;
                }
                // If it was written after all, the next plan finds it done: every request may be sent twice.
                Err(error @ StoreError::Unknown(_)) if self.shared.store.shared_for().is_some() && !doubted => {
                    tracing::warn!(%error, "index reads again what is durable");
                    doubted = true;
                    self.catch_up().await.map_err(|worse| match worse {
                        IndexError::Store(_) => IndexError::Store(error),
                        worse => worse,
                    })?;
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        Err(IndexError::Store(StoreError::Conflict))
    }

    fn prepare(&self, group: &[Command]) -> Result<Prepared, IndexError> {
        let means = Means { clock: &*self.shared.clock, entropy: &*self.shared.entropy };
        let at_ms = self.shared.clock.now_ms();
        let mut batch = Batch { after: self.read, ..Batch::default() };
        let mut plans = Vec::with_capacity(group.len());
        let state = self.shared.read()?;
        for command in group {
            let plan = match command {
                Command::Announce(announced, _) => plan_announced(&state, announced, means),
                Command::Decide(wanted, decision, _) => plan_decision(&state, wanted, decision),
                Command::Load(lines, _) => Ok(plan_load(&state, lines, means)),
                Command::Upkeep(upkeep, _) => plan_upkeep(&state, upkeep, means),
                Command::ChangeFacts(wish, _) => plan_change(&state, wish, at_ms),
            };
            plans.push(plan.map(|mut plan| {
                let events = number(std::mem::take(&mut plan.events), batch.mark().sequence, at_ms);
                batch.events.extend(events.iter().cloned());
                batch.feeds.extend(plan.feed.clone());
                (plan, events)
            }));
        }
        Ok(Prepared { plans, batch, at_ms })
    }

    /// Takes what other brokers wrote; a failure leaves the state as it was, and is tried again before long.
    async fn follow(&mut self) {
        let read = self.catch_up().await;
        let was_lost = std::mem::replace(&mut self.lost, read.is_err());
        match read {
            Err(error) if !was_lost => tracing::warn!(%error, "index cannot read what other brokers wrote"),
            Ok(_) if was_lost => tracing::info!("index reads again what other brokers write"),
            _ => {}
        }
        self.save_if_due(self.shared.store.shared_for()).await;
    }

    /// Takes what was written since the last reading, all of it at once, so that no query sees half of a change.
    ///
    /// # Errors
    /// As [`Shared::read`], and [`IndexError::Store`] if the store cannot be read; nothing was taken then.
    pub async fn catch_up(&mut self) -> Result<News, IndexError> {
        let asked = Instant::now();
        let mut events = Vec::new();
        let loaded = self.shared.store.load(self.read, &mut |event| events.push(event)).await;
        let loaded = loaded.map_err(|error| self.failed(error))?;
        let mut state = self.shared.state.write().map_err(|_| IndexError::Poisoned)?;
        events.iter().for_each(|event| state.apply(event));
        loaded.feeds.iter().for_each(|feed| state.apply_feed(feed));
        let news = if loaded.mark == self.read { News::None } else { News::Some };
        self.read = loaded.mark;
        self.shared.confirm(asked);
        Ok(news)
    }

    fn failed(&self, error: StoreError) -> IndexError {
        match error {
            StoreError::Refused(_) | StoreError::Conflict => IndexError::Store(error),
            // Reading tells, before long.
            StoreError::Unknown(_) if self.shared.store.shared_for().is_some() => IndexError::Store(error),
            // Memory and store may differ now: nothing is answered from memory any more.
            StoreError::Unknown(_) | StoreError::Damaged(_) => {
                self.shared.broken.store(true, Ordering::SeqCst);
                tracing::error!(%error, "index is closed");
                IndexError::Poisoned
            }
        }
    }
}

fn number(events: Vec<About>, after: u64, at_ms: i64) -> Vec<Event> {
    let numbered = (after + 1..).zip(events);
    numbered.map(|(sequence, about)| Event { sequence, at_ms, about }).collect()
}

fn refuse(command: Command, error: &IndexError) {
    // Who asked may have gone; nothing is left to tell then.
    match command {
        Command::Announce(_, reply) => drop(reply.send(Err(error.clone()))),
        Command::Decide(_, _, reply) => drop(reply.send(Err(error.clone()))),
        Command::Load(_, reply) => drop(reply.send(Err(error.clone()))),
        Command::Upkeep(_, reply) => drop(reply.send(Err(error.clone()))),
        Command::ChangeFacts(_, reply) => drop(reply.send(Err(error.clone()))),
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
        Command::Decide(decided, _, reply) => {
            let registration = match decided {
                Decided::Link(own, _)
                | Decided::Unlink(own)
                | Decided::TellApart(own, _)
                | Decided::Postpone(own, ..) => Some(own),
                Decided::TakeBack(sequence) => state.registration_of(sequence),
            };
            let person = registration.and_then(|own| state.find(&own)).and_then(|row| state.id_of(row));
            // What was decided once may be taken back though its source knows the registration no more.
            drop(reply.send(Ok(person)));
        }
        Command::Load(_, reply) => drop(reply.send(Ok((events.len(), plan.refusals)))),
        Command::Upkeep(_, reply) => drop(reply.send(Ok(events.len()))),
        Command::ChangeFacts(wish, reply) => {
            let made = state.access_facts().change(wish.key).map(|(at_ms, change)| (at_ms, change.clone()));
            drop(reply.send(made.ok_or(IndexError::Poisoned)));
        }
    }
}
