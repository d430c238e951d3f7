//! The sources the broker may ask, a channel to each, and how each did last.

use crate::model::{Reply, Source, SourceId};
use severn_proto::v1::{Outcome, ReasonCode};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};
use tokio::sync::Semaphore;
use tonic::transport::Channel;

/// All registered sources. The set is fixed when the broker starts; the channels come and go.
pub struct Registry {
    sources: BTreeMap<SourceId, Arc<Registered>>,
}

/// One source and the state of the way to it.
pub struct Registered {
    /// The source.
    pub source: Arc<Source>,
    /// Calls that may still be made at the same time.
    pub(super) permits: Arc<Semaphore>,
    // Std locks: nothing is awaited while they are held.
    channel: RwLock<Option<Channel>>,
    health: Mutex<Health>,
}

/// How a source did when it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What became of the last call; `Unspecified` if none was made.
    pub last_outcome: Outcome,
    /// When that was, milliseconds since 1970; 0 for never.
    pub last_called_at_ms: i64,
}

impl Registry {
    /// Registers `sources`, each with at most `in_flight_max` calls at the same time.
    pub fn new(sources: impl IntoIterator<Item = Source>, in_flight_max: usize) -> Registry {
        let register = |source: Source| {
            let registered = Registered {
                source: Arc::new(source),
                permits: Arc::new(Semaphore::new(in_flight_max)),
                channel: RwLock::new(None),
                health: Mutex::default(),
            };
            (registered.source.id.clone(), Arc::new(registered))
        };
        Registry { sources: sources.into_iter().map(register).collect() }
    }

    /// From now on the source is asked over `channel`, whoever made it.
    pub fn attach(&self, id: &SourceId, channel: Channel) {
        if let Some(registered) = self.sources.get(id) {
            *registered.channel.write().unwrap_or_else(PoisonError::into_inner) = Some(channel);
        }
    }

    /// A source by its id; `None` if it is not registered here.
    pub fn get(&self, id: &SourceId) -> Option<Arc<Registered>> {
        self.sources.get(id).cloned()
    }

    /// All sources, ordered by id.
    pub fn all(&self) -> impl Iterator<Item = Arc<Registered>> {
        self.sources.values().cloned()
    }

    pub(super) fn note(&self, reply: &Reply, now_ms: i64) {
        let Some(registered) = self.sources.get(&reply.source) else { return };
        let last_outcome = match reply.fault {
            None => Outcome::Answered,
            Some(ReasonCode::OverLimit) => Outcome::AnsweredPartial,
            Some(ReasonCode::OtherPerson | ReasonCode::Invalid | ReasonCode::TooLarge) => Outcome::Rejected,
            Some(_) => Outcome::NoAnswer,
        };
        let health = Health { last_outcome, last_called_at_ms: now_ms };
        *registered.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }
}

impl Registered {
    /// How the source did when it was last asked.
    pub fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn channel(&self) -> Option<Channel> {
        self.channel.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
