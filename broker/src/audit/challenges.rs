//! What the trail holds of challenges: who reported which entry to which source, and that the source took it. Ids only:
//! never a note, never an answer.

use super::{Audit, about};
use crate::model::{Question, SourceId};
use serde_json::Value;
use severn_proto::v1::{Challenge, ChallengeKind, Dataset};
use severn_trust::{
    Details, TrailError, TrailEvent, User, challenge_kind_from_word, challenge_kind_word, dataset_from_word,
    dataset_word,
};
use std::collections::HashSet;
use tracing::error;

/// What the trail calls a challenge that a source has taken.
pub(super) const DELIVERED: &str = "challenge-delivered";

/// What the trail calls a list of challenges that leaves.
pub(super) const LISTED: &str = "challenges-listed";

/// A challenge that a source has taken, as the trail knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its id.
    pub challenge_id: String,
    /// The broker's name for the person, as at the time.
    pub person: String,
    /// The source that took it.
    pub source: SourceId,
    /// The kind of content.
    pub dataset: Dataset,
    /// The entry; empty for the whole record.
    pub entry_id: String,
    /// What the reader said of it.
    pub kind: ChallengeKind,
    /// Who reported it, as the trail names users.
    pub reported_by: String,
    /// Whether the user who asks reported it.
    pub own: bool,
    /// When the trail says that it was taken: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
}

/// What the trail says of a challenge before it is passed on, and after.
pub fn challenge_details(challenge: &Challenge) -> Details {
    Details::default()
        .with("source", &challenge.source_id)
        .with("dataset", &dataset_word(challenge.dataset()))
        .with("entry_id", &challenge.entry_id)
        .with("kind", &challenge_kind_word(challenge.kind()))
}

impl Audit {
    /// Records that the source took the challenge. A word that it shows another person raises an alarm: the registrations
    /// of that source, or a link of the index, may be wrong for every reader.
    ///
    /// # Errors
    /// [`TrailError`]; then the reporter may not be told that it was taken.
    pub async fn delivered(
        &self,
        question: &Question,
        challenge: &Challenge,
        challenge_id: &str,
    ) -> Result<u64, TrailError> {
        if challenge.kind() == ChallengeKind::OtherPerson {
            let (source_id, query_id) = (&challenge.source_id, question.query_id);
            error!(%source_id, %query_id, "ALARM: a reader says that a source's record is of another person");
        }
        let details =
            challenge_details(challenge).with("challenge_id", &challenge_id).with("issuer", &question.user.issuer);
        self.trail.record(about(DELIVERED, question, details)).await
    }

    /// The challenges that sources took from the user's organisation, each once, oldest first.
    ///
    /// # Errors
    /// [`TrailError`] if the trail cannot be read.
    pub fn challenges_of(&self, user: &User) -> Result<Vec<Delivered>, TrailError> {
        let (mut found, mut ids) = (Vec::new(), HashSet::new());
        self.trail.scan(|_, at_ms, event| {
            let of_organisation = event.action == DELIVERED && event.organisation == user.organisation_ods;
            if of_organisation && text(&event, "issuer") == user.issuer {
                let delivered = read(at_ms, event, user);
                // A repetition is recorded, too.
                if ids.insert((delivered.source.clone(), delivered.challenge_id.clone())) {
                    found.push(delivered);
                }
            }
        })?;
        Ok(found)
    }
}

fn text(event: &TrailEvent, name: &str) -> String {
    match event.details.get(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

fn read(at_ms: i64, event: TrailEvent, user: &User) -> Delivered {
    Delivered {
        challenge_id: text(&event, "challenge_id"),
        source: SourceId(text(&event, "source").into()),
        dataset: dataset_from_word(&text(&event, "dataset")).unwrap_or_default(),
        entry_id: text(&event, "entry_id"),
        kind: challenge_kind_from_word(&text(&event, "kind")).unwrap_or_default(),
        own: event.user == super::named(user),
        reported_by: event.user,
        person: event.person,
        at_ms,
    }
}
