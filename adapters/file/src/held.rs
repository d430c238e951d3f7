//! What was read of one file: the words that the two readers and the index share. No behaviour.

use severn_proto::v1::{Dataset, Entry, ReasonCode, Registration};
use std::sync::Arc;

/// All that one file says.
#[derive(Default)]
pub(crate) struct Loaded {
    /// The persons whom it registers.
    pub people: Vec<Registered>,
    /// The entries.
    pub items: Vec<Item>,
    /// Persons who could not be read.
    pub people_lost: u32,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What the file itself says is missing.
    pub warnings: Vec<Warning>,
    /// What a check tells the owner: lines and reasons, never a value.
    pub remarks: Vec<String>,
}

/// A person, as a file registers them.
pub(crate) struct Registered {
    /// What items of any file call the person: a Patient's reference, or the local id itself in an extract.
    pub key: String,
    pub registration: Registration,
    /// The source's own time of the last change, for a person who is in several files; empty if unknown.
    pub last_changed: String,
}

/// One entry.
pub(crate) struct Item {
    /// Whom it is about.
    pub key: String,
    pub dataset: Dataset,
    pub entry: Arc<Entry>,
}

/// Something that could not be read.
pub(crate) struct Unreadable {
    pub whose: Whose,
    pub dataset: Dataset,
}

/// A person's dataset of which the file itself says that something is missing, and why.
pub(crate) struct Warning {
    pub key: String,
    pub dataset: Dataset,
    pub reason: ReasonCode,
}

/// Whom something unreadable concerns.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One person.
    Person(String),
    /// It cannot be told, so it may be anybody.
    Anybody,
}
