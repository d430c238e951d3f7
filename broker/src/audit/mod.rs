//! What was asked, what was released, what was refused: durable before it happens. Never content, never a token.
//!
//! A query leaves an `intent` (before anything is read) and a `seal` (before anything leaves), or a `refused`. The seal
//! holds the manifest: it names sources, entry ids and, for each section, a keyed hash of what was shown, so that one
//! can prove afterwards what a reader saw without keeping any of it.

mod challenges;
mod notices;
mod patterns;
mod reconcile;
mod report;
mod witness;

use crate::model::{Listed, Merged, Plan, Question, Reply, Row, SourceId};
use aws_lc_rs::hmac;
use serde::{Serialize, Serializer};
use severn_proto::v1::{DocumentOpened, ReasonCode};
use severn_trust::{Details, Proof, Trail, TrailError, TrailEvent, User, dataset_word, hex, purpose_word};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};
use tracing::error;

pub use challenges::{Delivered, challenge_details};
pub use notices::{NOTICE_DUE_MS, NOTICE_LIFE_MS, Notices, Recipient, recipients};
pub use patterns::{Finding, Known, PatternSettings, Patterns, Rule, Watch, fold};
pub use reconcile::{Reconciliation, reconcile};
pub use report::REPORT_MAX;
pub use witness::CosignError;

use witness::Witnesses;

/// The stage.
pub struct Audit {
    trail: Trail,
    manifest_key: hmac::Key,
    witnesses: Option<Arc<Witnesses>>,
    notices: Option<Arc<Notices>>,
    patterns: PatternSettings,
}

/// What the trail calls an answer about another person.
const ALARM: &str = "alarm-other-person";

/// What the trail calls a document that leaves.
const DOCUMENT: &str = "document-sent";

impl Audit {
    /// Writes to `trail`; `manifest_secret` keys the hashes of what was shown (any length, kept by the operator).
    pub fn new(trail: Trail, manifest_secret: &[u8]) -> Audit {
        let manifest_key = hmac::Key::new(hmac::HMAC_SHA256, manifest_secret);
        Audit { trail, manifest_key, witnesses: None, notices: None, patterns: PatternSettings::default() }
    }

    /// Lets privacy officers be told of what they must look at.
    #[must_use]
    pub fn with_notices(self, notices: Notices) -> Audit {
        Audit { notices: Some(Arc::new(notices)), ..self }
    }

    /// Lets patterns be looked for by other thresholds than the defaults.
    #[must_use]
    pub fn with_patterns(self, patterns: PatternSettings) -> Audit {
        Audit { patterns, ..self }
    }

    /// Reads what users of `organisation` (its ODS code), or of all, did at moments of `when` (milliseconds since 1970) for
    /// patterns. `known` tells who a person is. Blocks while the trail is read.
    ///
    /// # Errors
    /// [`TrailError`] if the trail cannot be read.
    pub fn patterns(
        &self,
        organisation: Option<&str>,
        when: Range<i64>,
        known: impl FnMut(&str) -> Option<Known>,
    ) -> Result<Patterns, TrailError> {
        let mut watch = Watch::new(self.patterns, organisation);
        self.trail.scan_between(when, |_, at_ms, event| watch.take(at_ms, &event))?;
        Ok(watch.findings(known))
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
    pub async fn seal(
        &self,
        question: &Question,
        (plan, replies): (&Plan, &[Reply]),
        merged: &Merged<'_>,
    ) -> Result<u64, TrailError> {
        let asked: Vec<&str> = plan.sources.iter().filter(|s| !s.ask.is_empty()).map(|s| &*s.source.id.0).collect();
        let seal = &merged.record.seal;
        let sections: Vec<ListedSection<'_>> = merged.listed.iter().map(|listed| self.listed(listed)).collect();
        let details = Details::default()
            .with("sections", &sections)
            .with("asked", &asked)
            .with("policy", &plan.policy_version)
            .with("owners_policies", &owners_policies(replies))
            .with("obligations", &obligations(&merged.rows))
            .with("relationship", &plan.standing.relationship)
            .with("override", &plan.standing.opening.map(|opening| opening.id.to_string()))
            .with("outcomes", &outcomes(&merged.rows))
            .with("kept_back", &report::kept_back(&merged.rows))
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

/// For each source that says so, the policy of its owner that decided.
fn owners_policies(replies: &[Reply]) -> BTreeMap<&str, &str> {
    let said = replies.iter().filter(|reply| !reply.policy_version.is_empty());
    said.map(|reply| (&*reply.source.0, reply.policy_version.as_str())).collect()
}

/// For each source that anything came with, what came with which dataset.
fn obligations<'r>(rows: &[Row<'r>]) -> BTreeMap<&'r str, BTreeMap<i32, Vec<String>>> {
    let mut by_source: BTreeMap<&str, BTreeMap<i32, Vec<String>>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.obligations.is_empty()) {
        by_source.entry(&*row.source.id.0).or_default().insert(row.dataset as i32, row.obligations.words());
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
