//! What happened to the index, in words that outlive every rule: events are stored for ever and read again at each
//! start. Shapes only. What an event means for who is who is told in `state`.

use super::scoring::ScoringModel;
use crate::{
    facts::Change,
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use severn_trust::NhsNumber;
use std::fmt;
use uuid::Uuid;

/// Names one registration in the federation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RegistrationKey {
    /// The source.
    pub source: SourceId,
    /// Its name for the person.
    pub local_id: LocalId,
}

/// One event. Its `Debug` shows no identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Position in the index's history, from 1, without gaps.
    pub sequence: u64,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// What happened, and to what.
    pub about: About,
}

/// What an event is about.
#[derive(Clone, PartialEq, Eq)]
pub enum About {
    /// One registration, and what happened to it.
    Registration(RegistrationKey, What),
    /// An NHS number that was replaced by another: both mean one person, who goes by the other.
    Superseded {
        /// The number that is no longer used.
        number: NhsNumber,
        /// The one that replaced it.
        by: NhsNumber,
        /// Who said so, and why.
        decision: Decision,
    },
    /// The model that scores from here on.
    ModelTaken(ScoringModel),
    /// A change of what is known of who may see a person. It tells nobody who is who.
    FactsChanged(Box<Change>),
}

/// What happened to a registration.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// Its source announced it, for the first time or again after withdrawing it.
    Registered {
        /// A serialised `severn.v1.Registration`.
        body: Bytes,
        /// The enterprise id it brings, used if it is nobody who is known already.
        person: EnterpriseId,
    },
    /// Its source changed it.
    Changed {
        /// A serialised `severn.v1.Registration`.
        body: Bytes,
        /// The enterprise id it takes if the change parts it from its person.
        person: EnterpriseId,
    },
    /// Its source no longer knows it.
    Withdrawn,
    /// A person linked it.
    Linked {
        /// With whom.
        with: RegistrationKey,
        /// Who decided, and why.
        decision: Decision,
    },
    /// A person took it out of where it was.
    Unlinked {
        /// What was undone.
        undone: Undone,
        /// Who decided, and why.
        decision: Decision,
    },
    /// It must never be with this one again, whatever the rules say. Follows an `Unlinked`.
    DoNotLink {
        /// With whom it must not be.
        with: RegistrationKey,
    },
    /// A person said that it is another person's than this one, with which it was not.
    ToldApart {
        /// Whose person it is not.
        with: RegistrationKey,
        /// Who decided, and why.
        decision: Decision,
    },
    /// A person decides about it and this one later: until then nobody is asked about just these two, unless one of
    /// them changes.
    Postponed {
        /// The other of the two.
        with: RegistrationKey,
        /// Until when: milliseconds since 1970-01-01T00:00:00Z.
        until_ms: i64,
        /// Who decided, and why.
        decision: Decision,
    },
    /// A person took back an earlier decision about it: everything is as if that had not been decided.
    TakenBack {
        /// The event that was the decision: a link, an unlink with all that follows from it, or telling apart.
        decided: u64,
        /// Who decided, and why.
        decision: Decision,
    },
}

/// What an unlink undid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Undone {
    /// Persons' links of this registration.
    Link,
    /// What the rules had made.
    Rule,
}

/// A steward's decision.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Who decided: the user's id in their organisation.
    pub by: String,
    /// Why, in the steward's words: 10 characters to 1 KiB.
    pub reason: String,
    /// A retry with the same key changes nothing.
    pub idempotency_key: Uuid,
}

/// How far a source's feed is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPosition {
    /// The source.
    pub source: SourceId,
    /// The feed's epoch.
    pub epoch: Uuid,
    /// The last durable cursor of that epoch.
    pub cursor: u64,
    /// When that was announced: milliseconds since 1970-01-01T00:00:00Z.
    pub heard_at_ms: i64,
}

/// Every kind of event, as it is stored and shown.
pub const KINDS: [&str; 16] = [
    "registered",
    "changed",
    "withdrawn",
    "linked",
    "unlinked",
    "do-not-link",
    "told-apart",
    "postponed",
    "taken-back",
    "superseded",
    "model-taken",
    "directive-entered",
    "directive-withdrawn",
    "relationship-claimed",
    "override-opened",
    "reviewed",
];

impl Event {
    /// The registration concerned, and what happened to it; `None` for an event that is about none.
    pub fn registration(&self) -> Option<(&RegistrationKey, &What)> {
        match &self.about {
            About::Registration(registration, what) => Some((registration, what)),
            About::Superseded { .. } | About::ModelTaken(_) | About::FactsChanged(_) => None,
        }
    }
}

impl About {
    /// The kind of event, as it is stored and shown.
    pub fn kind(&self) -> &'static str {
        match self {
            About::Registration(_, what) => what.kind(),
            About::Superseded { .. } => "superseded",
            About::ModelTaken(_) => "model-taken",
            About::FactsChanged(change) => change.kind.word(),
        }
    }
}

impl What {
    /// The kind of event, as it is stored and shown.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Registered { .. } => "registered",
            What::Changed { .. } => "changed",
            What::Withdrawn => "withdrawn",
            What::Linked { .. } => "linked",
            What::Unlinked { .. } => "unlinked",
            What::DoNotLink { .. } => "do-not-link",
            What::ToldApart { .. } => "told-apart",
            What::Postponed { .. } => "postponed",
            What::TakenBack { .. } => "taken-back",
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.registration().map(|(registration, _)| &registration.source);
        write!(f, "Event({}, {} at {source:?})", self.sequence, self.about.kind())
    }
}
