//! Makes a release or a refusal durable in the adapter's own trail. No entry leaves before. Content never goes in:
//! an event says who, why, about whom, which datasets, and which entries by their ids.

use crate::answer::Answer;
use serde_json::{Map, Value, json};
use severn_trust::{Obligations, Trail, TrailError, TrailEvent, dataset_word, hex, outcome_word, reason_word};
use tonic::Status;
use tracing::error;

/// Records that `answers` leave, as the policy of this version decided. They may leave when this returns.
pub(crate) async fn record_release(
    trail: &Trail,
    mut event: TrailEvent,
    (policy_version, answers): (&str, &[Answer]),
) -> Result<(), Status> {
    event.details.set("policy", &policy_version);
    let released: Map<String, Value> = answers.iter().map(|a| (dataset_word(a.dataset), described(a))).collect();
    event.details.set("released", &released);
    record(trail, event).await
}

/// Records that a document leaves. It may leave when this returns.
pub(crate) async fn record_document(
    trail: &Trail,
    mut event: TrailEvent,
    entry_id: &str,
    sha256: &[u8],
) -> Result<(), Status> {
    event.details.set("document", &json!({ "entry_id": entry_id, "sha256": hex(sha256) }));
    record(trail, event).await
}

/// Records a refusal. It stands whether or not that succeeds.
pub(crate) async fn record_refusal(trail: &Trail, event: TrailEvent) {
    drop(record(trail, event).await);
}

/// Records an event. What depends on it may happen when this returns.
pub(crate) async fn record(trail: &Trail, event: TrailEvent) -> Result<(), Status> {
    match trail.record(event).await {
        Ok(_) => Ok(()),
        Err(fault) => {
            error!(fault = %kind(&fault), "audit trail cannot be written");
            Err(Status::unavailable("the adapter's audit trail cannot be written, so nothing is answered; try later"))
        }
    }
}

fn kind(fault: &TrailError) -> String {
    match fault {
        TrailError::Storage(error) => error.kind().to_string(),
        TrailError::Damaged(_) | TrailError::Poisoned => fault.to_string(),
    }
}

fn described(answer: &Answer) -> Value {
    let ids: Vec<&str> =
        answer.entries.iter().filter_map(|entry| Some(entry.head.as_ref()?.entry_id.as_str())).collect();
    let reasons: Vec<String> = answer
        .outcome
        .reasons
        .iter()
        .map(|reason| match reason.count {
            0 => reason_word(reason.code()),
            count => format!("{} {count}", reason_word(reason.code())),
        })
        .collect();
    let mut described = json!({ "outcome": outcome_word(answer.outcome.outcome()), "entries": ids.len(), "entry_ids": ids, "reasons": reasons });
    let obligations = Obligations::said(&answer.outcome.obligations);
    if !obligations.is_empty() {
        described["obligations"] = json!(obligations.words());
    }
    described
}
