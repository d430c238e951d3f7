//! What was asked, what was released, what was refused: durable before it happens. Never content, never a token.
//!
//! A query leaves an `intent` (before anything is read), a `manifest` of the crisis datasets (before they leave) and a
//! `seal`, which has the manifest of the rest (before it leaves), or a `refused`. A manifest names sources, entry ids
//! and, for each section, a keyed hash of what was shown, so that one can prove afterwards what a reader saw without
//! keeping any of it.

use crate::model::{EnterpriseId, Listed, Merged, Plan, Question};
use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};
use severn_proto::v1::{Access, LedgerRow, Outcome};
use severn_trust::{Proof, Trail, TrailError, TrailEvent, User, dataset_word, hex, purpose_from_word, purpose_word};
use std::collections::HashMap;

/// The stage.
pub struct Audit {
    trail: Trail,
    manifest_key: hmac::Key,
}

/// Accesses that one report lists.
const REPORT_MAX: usize = 1000;

/// Outcomes of the contract, `OUTCOME_UNSPECIFIED` among them.
const OUTCOMES: usize = Outcome::Rejected as usize + 1;

impl Audit {
    /// Writes to `trail`; `manifest_secret` keys the hashes of what was shown (any length, kept by the operator).
    pub fn new(trail: Trail, manifest_secret: &[u8]) -> Audit {
        Audit { trail, manifest_key: hmac::Key::new(hmac::HMAC_SHA256, manifest_secret) }
    }

    /// Records that `question` is about to be answered.
    ///
    /// # Errors
    /// [`TrailError`]; then nothing may be read.
    pub async fn intent(&self, action: &str, question: &Question) -> Result<u64, TrailError> {
        let datasets: Vec<String> = question.datasets.iter().copied().map(dataset_word).collect();
        self.trail.record(about(action, question, details([("datasets", json!(datasets))]))).await
    }

    /// Records what a batch of sections shows.
    ///
    /// # Errors
    /// [`TrailError`]; then the batch may not leave.
    pub async fn manifest(&self, question: &Question, sections: Vec<Listed>) -> Result<u64, TrailError> {
        self.trail.record(about("manifest", question, details([("sections", self.listed(sections))]))).await
    }

    /// Records what the last batch of sections shows, and the ledger and the seal that close the answer.
    ///
    /// # Errors
    /// [`TrailError`]; then neither batch nor seal may leave, and the answer stays incomplete.
    pub async fn seal(
        &self,
        question: &Question,
        plan: &Plan,
        sections: Vec<Listed>,
        merged: &Merged,
    ) -> Result<u64, TrailError> {
        let outcomes = outcomes(&merged.ledger.rows);
        let asked: Vec<&str> = plan.sources.iter().filter(|s| !s.ask.is_empty()).map(|s| &*s.source.id.0).collect();
        let seal = &merged.seal;
        let event = details([
            ("sections", self.listed(sections)),
            ("asked", asked.into()),
            ("outcomes", outcomes.into()),
            ("received", json!(seal.received)),
            ("shown", json!(seal.shown)),
            ("grouped", json!(seal.grouped)),
            ("withheld", json!(seal.withheld)),
            ("rejected", json!(seal.rejected)),
            ("digest", json!(self.keyed(&seal.digest))),
            ("rules", json!(seal.rules_version)),
        ]);
        self.trail.record(about("seal", question, event)).await
    }

    /// Records that a question whose intent stands in the trail is not answered after all.
    ///
    /// # Errors
    /// [`TrailError`]; the caller is refused all the same.
    pub async fn not_answered(&self, question: &Question, why: &str) -> Result<u64, TrailError> {
        self.trail.record(about("refused", question, details([("why", json!(why))]))).await
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
        let details = details([("refused", json!(action)), ("why", json!(why))]);
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
        details: Map<String, Value>,
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

    fn listed(&self, sections: Vec<Listed>) -> Value {
        let listed = sections.into_iter().map(|section| {
            let entries: Map<String, Value> =
                section.entries.into_iter().map(|(source, ids)| (source.0.to_string(), ids.into())).collect();
            Value::Object(details([
                ("dataset", (section.dataset as i32).into()),
                ("entries", entries.into()),
                ("hash", self.keyed(&section.digest).into()),
            ]))
        });
        Value::Array(listed.collect())
    }

    fn keyed(&self, digest: &[u8]) -> String {
        hex(hmac::sign(&self.manifest_key, digest).as_ref())
    }
}

/// `details` of an event from pairs.
pub fn details<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn about(action: &str, question: &Question, details: Map<String, Value>) -> TrailEvent {
    let event = with_user(&question.user, action, details);
    TrailEvent { query_id: question.query_id.to_string(), person: question.person.to_string(), ..event }
}

fn by(action: &str, who: Option<&(User, Proof)>, person: &str, details: Map<String, Value>) -> TrailEvent {
    let event = match who {
        Some((user, proof)) => TrailEvent { query_id: proof.query_id.to_string(), ..with_user(user, action, details) },
        None => TrailEvent { action: action.to_owned(), details, ..TrailEvent::default() },
    };
    TrailEvent { person: person.to_owned(), ..event }
}

fn with_user(user: &User, action: &str, details: Map<String, Value>) -> TrailEvent {
    TrailEvent {
        action: action.to_owned(),
        user: format!("{} ({})", user.name, user.id),
        role: user.role_code.clone(),
        organisation: user.organisation_ods.clone(),
        purpose: purpose_word(user.purpose),
        token_id: user.token_id.clone(),
        details,
        ..TrailEvent::default()
    }
}

/// For each source, how many datasets had which outcome.
fn outcomes(rows: &[LedgerRow]) -> Map<String, Value> {
    let mut by_source: HashMap<&str, [u32; OUTCOMES]> = HashMap::new();
    for row in rows {
        let counts = by_source.entry(&row.source_id).or_default();
        counts[usize::try_from(row.outcome).unwrap_or(0).min(OUTCOMES - 1)] += 1;
    }
    let counted = |counts: [u32; OUTCOMES]| -> Map<String, Value> {
        let met = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
        met.map(|(outcome, count)| (outcome.to_string(), count.into())).collect()
    };
    by_source.into_iter().map(|(source, counts)| (source.to_owned(), counted(counts).into())).collect()
}

/// Adds an event to the report: a new access, or what became of one listed already.
fn note(accesses: &mut Vec<Access>, at_ms: i64, event: TrailEvent) {
    let count =
        |key: &str| event.details.get(key).and_then(Value::as_u64).map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let of_query = |access: &&mut Access| !event.query_id.is_empty() && access.query_id == event.query_id;
    match event.action.as_str() {
        "manifest" => {}
        "seal" => {
            if let Some(access) = accesses.iter_mut().rev().find(of_query) {
                access.shown = count("shown").saturating_add(count("grouped"));
                access.withheld = count("withheld");
                let asked = event.details.get("asked").and_then(Value::as_array);
                access.sources = asked.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect();
            }
        }
        _ => accesses.push(Access {
            at_ms,
            user: event.user,
            role: event.role,
            organisation_ods: event.organisation,
            purpose: purpose_from_word(&event.purpose).unwrap_or_default().into(),
            action: if event.action == "intent" { "retrieve".into() } else { event.action },
            query_id: event.query_id,
            ..Access::default()
        }),
    }
}
