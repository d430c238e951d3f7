//! What was asked, what was released, what was refused: durable before it happens. Never content, never a token.
//!
//! A query leaves an `intent` (before anything is read) and a `seal` (before anything leaves), or a `refused`. The seal
//! holds the manifest: it names sources, entry ids and, for each section, a keyed hash of what was shown, so that one
//! can prove afterwards what a reader saw without keeping any of it.

mod challenges;
mod notices;
mod reconcile;
mod witness;

use crate::model::{EnterpriseId, Listed, Merged, Plan, Question, Row, SourceId};
use aws_lc_rs::hmac;
use serde::{Serialize, Serializer};
use serde_json::Value;
use severn_proto::v1::{Access, DocumentOpened, ReasonCode};
use severn_trust::{
    Details, Proof, Trail, TrailError, TrailEvent, User, dataset_word, hex, purpose_from_word, purpose_word,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tracing::error;

pub use challenges::{Delivered, challenge_details};
pub use notices::{NOTICE_DUE_MS, NOTICE_LIFE_MS, Notices, Recipient, recipients};
pub use reconcile::{Reconciliation, reconcile};
pub use witness::CosignError;

use witness::Witnesses;

/// The stage.
pub struct Audit {
    trail: Trail,
    manifest_key: hmac::Key,
    witnesses: Option<Arc<Witnesses>>,
    notices: Option<Arc<Notices>>,
}

/// What the trail calls an answer about another person.
const ALARM: &str = "alarm-other-person";

/// What the trail calls a document that leaves.
const DOCUMENT: &str = "document-sent";

/// Accesses that one report lists.
const REPORT_MAX: usize = 1000;

impl Audit {
    /// Writes to `trail`; `manifest_secret` keys the hashes of what was shown (any length, kept by the operator).
    pub fn new(trail: Trail, manifest_secret: &[u8]) -> Audit {
        let manifest_key = hmac::Key::new(hmac::HMAC_SHA256, manifest_secret);
        Audit { trail, manifest_key, witnesses: None, notices: None }
    }

    /// Lets privacy officers be told of what they must look at.
    #[must_use]
    pub fn with_notices(self, notices: Notices) -> Audit {
        Audit { notices: Some(Arc::new(notices)), ..self }
    }

    /// What privacy officers were told; `None` where nobody is.
    pub fn notices(&self) -> Option<&Arc<Notices>> {
        self.notices.as_ref()
    }

    /// Records that `question` is about to be answered.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing may be read.
    pub async fn intent(&self, action: &str, question: &Question) -> Result<u64, TrailError> {
        let datasets: Vec<String> = question.datasets.iter().copied().map(dataset_word).collect();
        self.trail.record(about(action, question, Details::default().with("datasets", &datasets))).await
    }

    /// Records what a record shows, its ledger and its seal.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing of it may leave.
    pub async fn seal(&self, question: &Question, plan: &Plan, merged: &Merged<'_>) -> Result<u64, TrailError> {
        let asked: Vec<&str> = plan.sources.iter().filter(|s| !s.ask.is_empty()).map(|s| &*s.source.id.0).collect();
        let seal = &merged.record.seal;
        let sections: Vec<ListedSection<'_>> = merged.listed.iter().map(|listed| self.listed(listed)).collect();
        let details = Details::default()
            .with("sections", &sections)
            .with("asked", &asked)
            .with("policy", &plan.policy_version)
            .with("relationship", &plan.standing.relationship)
            .with("override", &plan.standing.opening.map(|opening| opening.id.to_string()))
            .with("outcomes", &outcomes(&merged.rows))
            .with("received_from", &received_from(&merged.rows))
            .with("received", &seal.received)
            .with("shown", &seal.shown)
            .with("grouped", &seal.grouped)
            .with("withheld", &seal.withheld)
            .with("rejected", &seal.rejected)
            .with("digest", &self.keyed(&seal.digest))
            .with("rules", &seal.rules_version);
        self.trail.record(about("seal", question, details)).await
    }

    /// Records every source that answered about another person than the one meant, and raises an alarm: its registrations
    /// or the index must be put right before anybody else is asked about.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing may leave.
    pub async fn alarm(&self, question: &Question, merged: &Merged<'_>) -> Result<(), TrailError> {
        let other = |row: &&Row<'_>| row.reasons.iter().any(|reason| reason.code() == ReasonCode::OtherPerson);
        let sources: BTreeSet<&SourceId> = merged.rows.iter().filter(other).map(|row| &row.source.id).collect();
        for source in sources {
            self.other_person(question, source).await?;
        }
        Ok(())
    }

    /// The same, of one source.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing may leave.
    pub async fn other_person(&self, question: &Question, source: &SourceId) -> Result<u64, TrailError> {
        error!(source_id = %source, query_id = %question.query_id, "ALARM: a source answered about another person");
        self.trail.record(about(ALARM, question, Details::default().with("source", &&*source.0))).await
    }

    /// Records which document of which source is about to leave, and what it is.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing of it may leave.
    pub async fn document(
        &self,
        question: &Question,
        (source, entry_id): (&SourceId, &str),
        opened: &DocumentOpened,
    ) -> Result<u64, TrailError> {
        let details = Details::default()
            .with("source", &&*source.0)
            .with("entry", &entry_id)
            .with("size", &opened.size)
            .with("digest", &self.keyed(&opened.sha256));
        self.trail.record(about(DOCUMENT, question, details)).await
    }

    /// Records that a question whose intent stands in the trail is not answered after all.
    ///
    /// # Errors
    /// [`TrailError`]; the caller is refused all the same.
    pub async fn not_answered(&self, question: &Question, why: &str) -> Result<u64, TrailError> {
        self.trail.record(about("refused", question, Details::default().with("why", &why))).await
    }

    /// Records that a request was refused, in the same detail as one that was answered.
    ///
    /// # Errors
    /// [`TrailError`]; the caller is refused all the same.
    pub async fn refused(
        &self,
        action: &str,
        who: Option<&(User, Proof)>,
        person: &str,
        why: &str,
    ) -> Result<u64, TrailError> {
        let details = Details::default().with("refused", &action).with("why", &why);
        self.trail.record(by("refused", who, person, details)).await
    }

    /// Records an act that is not a retrieval: a search, a steward's decision, a report.
    ///
    /// # Errors
    /// [`TrailError`]; then the act may not be done.
    pub async fn act(
        &self,
        action: &str,
        who: &(User, Proof),
        person: &str,
        details: Details,
    ) -> Result<u64, TrailError> {
        self.trail.record(by(action, Some(who), person, details)).await
    }

    /// Who asked about any of `persons`, newest first, and whether older accesses were left out.
    ///
    /// # Errors
    /// [`TrailError`] if the trail cannot be read.
    pub fn report(&self, persons: &[EnterpriseId]) -> Result<(Vec<Access>, bool), TrailError> {
        let persons: Vec<String> = persons.iter().map(EnterpriseId::to_string).collect();
        let mut accesses: Vec<Access> = Vec::new();
        self.trail.scan(|_, at_ms, event| {
            if persons.contains(&event.person) {
                note(&mut accesses, at_ms, event);
            }
        })?;
        accesses.reverse();
        let truncated = accesses.len() > REPORT_MAX;
        accesses.truncate(REPORT_MAX);
        Ok((accesses, truncated))
    }

    fn listed<'l>(&self, listed: &'l Listed<'_>) -> ListedSection<'l> {
        let entries = EntryIds(&listed.entries);
        ListedSection { dataset: listed.dataset as i32, entries, hash: self.keyed(&listed.digest) }
    }

    fn keyed(&self, digest: &[u8]) -> String {
        hex(hmac::sign(&self.manifest_key, digest).as_ref())
    }
}

/// What one section shows, as it stands in the trail.
#[derive(Serialize)]
struct ListedSection<'l> {
    dataset: i32,
    entries: EntryIds<'l>,
    hash: String,
}

/// Entry ids, written as lists by source id.
struct EntryIds<'l>(&'l [(&'l str, &'l str)]);

impl Serialize for EntryIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let by_source = self.0.chunk_by(|a, b| a.0 == b.0);
        serializer.collect_map(by_source.map(|entries| (entries[0].0, OfOneSource(entries))))
    }
}

struct OfOneSource<'l>(&'l [(&'l str, &'l str)]);

impl Serialize for OfOneSource<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(_, entry_id)| entry_id))
    }
}

fn about(action: &str, question: &Question, details: Details) -> TrailEvent {
    let event = with_user(&question.user, action, details);
    TrailEvent { query_id: question.query_id.to_string(), person: question.person.to_string(), ..event }
}

fn by(action: &str, who: Option<&(User, Proof)>, person: &str, details: Details) -> TrailEvent {
    let event = match who {
        Some((user, proof)) => TrailEvent { query_id: proof.query_id.to_string(), ..with_user(user, action, details) },
        None => TrailEvent { action: action.to_owned(), details, ..TrailEvent::default() },
    };
    TrailEvent { person: person.to_owned(), ..event }
}

/// A user, as the trail names them.
fn named(user: &User) -> String {
    format!("{} ({})", user.name, user.id)
}

fn with_user(user: &User, action: &str, details: Details) -> TrailEvent {
    TrailEvent {
        action: action.to_owned(),
        user: named(user),
        role: user.role_code.clone(),
        organisation: user.organisation_ods.clone(),
        purpose: purpose_word(user.purpose),
        token_id: user.token_id.clone(),
        details,
        ..TrailEvent::default()
    }
}

/// For each source, how many datasets had which outcome.
fn outcomes<'r>(rows: &[Row<'r>]) -> BTreeMap<&'r str, BTreeMap<i32, u32>> {
    let mut said: Vec<(&str, i32)> = rows.iter().map(|row| (&*row.source.id.0, row.outcome as i32)).collect();
    said.sort_unstable();
    let mut by_source: BTreeMap<&str, BTreeMap<i32, u32>> = BTreeMap::new();
    for same in said.chunk_by(|a, b| a == b) {
        let (source, outcome) = same[0];
        by_source.entry(source).or_default().insert(outcome, u32::try_from(same.len()).unwrap_or(u32::MAX));
    }
    by_source
}

/// For each source that sent any, how many entries of which dataset were received.
fn received_from<'r>(rows: &[Row<'r>]) -> BTreeMap<&'r str, BTreeMap<i32, u32>> {
    let mut by_source: BTreeMap<&str, BTreeMap<i32, u32>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.received > 0) {
        by_source.entry(&*row.source.id.0).or_default().insert(row.dataset as i32, row.received);
    }
    by_source
}

/// Adds an event to the report: a new access, or what became of one listed already.
fn note(accesses: &mut Vec<Access>, at_ms: i64, event: TrailEvent) {
    let count = |key: &str| {
        event.details.get(key).as_ref().and_then(Value::as_u64).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX))
    };
    // An act has a reason of its own, a refusal the broker's.
    let reason = event.details.get("reason").or_else(|| event.details.get("why"));
    let reason = reason.and_then(|reason| reason.as_str().map(str::to_owned));
    if let Some(access) = act_refused(accesses, &event) {
        access.action = event.action;
        access.reason = reason.unwrap_or_default();
        return;
    }
    let of_query = |access: &&mut Access| !event.query_id.is_empty() && access.query_id == event.query_id;
    match event.action.as_str() {
        "seal" => {
            if let Some(access) = accesses.iter_mut().rev().find(of_query) {
                access.shown = count("shown").saturating_add(count("grouped"));
                access.withheld = count("withheld");
                let asked = event.details.get("asked").unwrap_or_default();
                access.sources = serde_json::from_value(asked).unwrap_or_default();
            }
        }
        DOCUMENT => {
            if let Some(access) = accesses.iter_mut().rev().find(of_query) {
                access.shown = 1;
                let source = event.details.get("source").unwrap_or_default();
                access.sources = serde_json::from_value(source).into_iter().collect();
            }
        }
        // Part of an access that is listed.
        ALARM | challenges::DELIVERED | challenges::LISTED => {}
        _ => accesses.push(Access {
            at_ms,
            user: event.user,
            role: event.role,
            organisation_ods: event.organisation,
            purpose: purpose_from_word(&event.purpose).unwrap_or_default().into(),
            action: if event.action == "intent" { "retrieve".into() } else { event.action },
            query_id: event.query_id,
            reason: reason.unwrap_or_default(),
            ..Access::default()
        }),
    }
}

/// The act that was recorded before it was done, and that this event says was refused after all.
fn act_refused<'a>(accesses: &'a mut [Access], event: &TrailEvent) -> Option<&'a mut Access> {
    let refused = event.details.get("refused")?;
    let of_query = |access: &&mut Access| !event.query_id.is_empty() && access.query_id == event.query_id;
    accesses.iter_mut().rev().filter(of_query).find(|access| refused == access.action.as_str())
}
