//! How a reader's word on an entry comes in, and how the owner's answer leaves: the same checks as for a document, and
//! nobody is told whether an entry that they are not shown exists.

use super::{Adapter, Person};
use crate::{
    inbox::{Held, InboxError, Taken},
    release::record,
    verify::{Asked, Call, Refusal, Refused},
};
use severn_link::Peer;
use severn_policy::{Decisions, PersonFacts};
use severn_proto::v1::{
    Challenge, ListTakenRequest, ListTakenResponse, Outcome, ReasonCode, TakeChallengeRequest, TakeChallengeResponse,
    TakenChallenge,
};
use severn_trust::{challenge_kind_word, challenge_state_word, dataset_word, read_challenge, sha256};
use std::{collections::BTreeMap, sync::Arc};
use tokio::{task::spawn_blocking, time::Instant};
use tonic::{Request, Status};
use tracing::{error, info};

/// Challenges that one answer lists.
const LISTED_MAX: usize = 200;

/// Takes a challenge: durable in the inbox, then in the trail, then acknowledged.
pub(super) async fn take(
    adapter: &Arc<Adapter>,
    request: Request<TakeChallengeRequest>,
) -> Result<TakeChallengeResponse, Status> {
    let (_place, received) = (adapter.place()?, Instant::now());
    let peer = request.extensions().get::<Peer>().cloned();
    let request = request.into_inner();
    let call = Call { peer, context: request.context.unwrap_or_default(), statement: request.statement };
    let asked = adapter.verified_with(&call, Some(sha256(&[&request.challenge]))).await?;
    let challenge = read_challenge(&request.challenge).map_err(|error| Status::invalid_argument(error.0))?;
    if challenge.source_id != adapter.about.source_id || asked.datasets != [challenge.dataset()] {
        return Err(adapter.refused(Refused::of(&asked, Refusal::OtherChallenge)).await);
    }
    let until = received + adapter.limits.budget(asked.statement.budget_ms);
    let labels = adapter.labels_shown(&asked, &challenge, until).await?;
    let taken = adapter.file(taken_of(&asked, &challenge, labels, adapter.clock.now_ms())).await?;
    let mut event = asked.event("challenge");
    event.details.set("challenge_id", &taken.id.to_string());
    event.details.set("kind", &challenge_kind_word(challenge.kind()));
    event.details.set("entry_id", &challenge.entry_id);
    record(&adapter.trail, event).await?;
    info!(challenge_id = %taken.id, "a reader challenges an entry; `severn-adapter challenges` shows it");
    Ok(TakeChallengeResponse {
        challenge_id: taken.id.to_string(),
        taken_at_ms: taken.at_ms,
        already_taken: taken.id != asked.proof.query_id,
    })
}

/// Lists what the user's organisation has reported, with the owner's answers; recorded before it leaves.
pub(super) async fn list(
    adapter: &Arc<Adapter>,
    request: Request<ListTakenRequest>,
) -> Result<ListTakenResponse, Status> {
    let _place = adapter.place()?;
    let peer = request.extensions().get::<Peer>().cloned();
    let request = request.into_inner();
    let call = Call { peer, context: request.context.unwrap_or_default(), statement: request.statement };
    let asked = adapter.verified(&call).await?;
    // A question that was signed to read a person's entries must not be turned into this one.
    if !asked.proof.datasets.is_empty() {
        return Err(adapter.refused(Refused::of(&asked, Refusal::Widened)).await);
    }
    let inbox = adapter.inbox.clone();
    let contents = spawn_blocking(move || inbox.contents()).await.map_err(|_| not_kept())?;
    let contents = contents.map_err(|fault| unwritable(&fault.into()))?;
    // Who was meant is not read again: they reported it, about a person they were shown.
    let decisions = adapter.decisions(&asked, PersonFacts::default());
    let mut shown: Vec<&Held> = contents.held.iter().rev().filter(|held| may_read(&decisions, &asked, held)).collect();
    let truncated = shown.len() > LISTED_MAX;
    shown.truncate(LISTED_MAX);
    let states: BTreeMap<String, String> =
        shown.iter().map(|held| (held.taken.id.to_string(), challenge_state_word(held.state()))).collect();
    let mut event = asked.event("challenges");
    event.details.set("listed", &states);
    record(&adapter.trail, event).await?;
    Ok(ListTakenResponse { challenges: shown.into_iter().map(to_wire).collect(), truncated })
}

impl Adapter {
    /// The labels of the entry, if the user would be shown it in a record at this moment; none of a whole record, which
    /// may be challenged by whoever may read who the person is.
    async fn labels_shown(&self, asked: &Asked, challenge: &Challenge, until: Instant) -> Result<Vec<i32>, Status> {
        let person = match self.person(asked, until).await? {
            Person::Agrees { facts, .. } => facts,
            Person::Unknown(ReasonCode::UnknownLocalId) => return Err(self.no_such_entry(asked).await),
            Person::Unknown(_) => return Err(not_read()),
        };
        if challenge.entry_id.is_empty() {
            return match self.decisions(asked, person).of(challenge.dataset()).permits() {
                true => Ok(Vec::new()),
                false => Err(self.no_such_entry(asked).await),
            };
        }
        let answers = self.answers((asked, person), until).await;
        if answers.iter().any(|answer| answer.outcome.outcome() == Outcome::NoAnswer) {
            return Err(not_read());
        }
        let heads = answers.into_iter().flat_map(|answer| answer.entries).filter_map(|entry| entry.head);
        if let Some(head) = heads.into_iter().find(|head| head.entry_id == challenge.entry_id) {
            return Ok(head.labels);
        }
        Err(self.no_such_entry(asked).await)
    }

    /// Refuses, on record, what the user is not shown, whether there is such a thing or not.
    pub(super) async fn no_such_entry(&self, asked: &Asked) -> Status {
        self.refused(Refused::of(asked, Refusal::NoSuchEntry)).await
    }

    async fn file(&self, taken: Taken) -> Result<Taken, Status> {
        let inbox = self.inbox.clone();
        let filed = spawn_blocking(move || inbox.take(taken)).await.map_err(|_| not_kept())?;
        filed.map_err(|fault| match fault {
            InboxError::Full => Status::failed_precondition(fault.to_string()),
            _ => unwritable(&fault),
        })
    }
}

/// Whether the user belongs to the reporter's organisation and may see what was challenged.
fn may_read(decisions: &Decisions, asked: &Asked, held: &Held) -> bool {
    let (user, taken) = (&asked.user, &held.taken);
    let of_organisation = (&taken.issuer, &taken.organisation) == (&user.issuer, &user.organisation_ods);
    of_organisation && decisions.of_entry(taken.dataset(), &taken.labels).permits()
}

fn taken_of(asked: &Asked, challenge: &Challenge, labels: Vec<i32>, at_ms: i64) -> Taken {
    let user = asked.user.clone();
    Taken {
        id: asked.proof.query_id,
        at_ms,
        issuer: user.issuer,
        organisation: user.organisation_ods,
        user: user.id,
        name: user.name,
        role: user.role_code,
        local_id: asked.statement.local_id.clone(),
        dataset: dataset_word(challenge.dataset()),
        entry_id: challenge.entry_id.clone(),
        labels,
        kind: challenge_kind_word(challenge.kind()),
        note: challenge.note.clone(),
    }
}

fn to_wire(held: &Held) -> TakenChallenge {
    let taken = &held.taken;
    let (answer, answered_at_ms) =
        held.answered.as_ref().map(|answered| (answered.note.clone(), answered.at_ms)).unwrap_or_default();
    TakenChallenge {
        challenge_id: taken.id.to_string(),
        dataset: taken.dataset().into(),
        entry_id: taken.entry_id.clone(),
        kind: taken.kind().into(),
        reported_by: format!("{} ({})", taken.name, taken.user),
        taken_at_ms: taken.at_ms,
        state: held.state().into(),
        answer,
        answered_at_ms,
    }
}

fn not_read() -> Status {
    Status::unavailable("the source cannot be read; the challenge was not taken, try again later")
}

fn not_kept() -> Status {
    Status::unavailable("the adapter's inbox cannot be used; try again later")
}

fn unwritable(fault: &InboxError) -> Status {
    // The kind of fault only: its text could name what was being written.
    let kind = if let InboxError::Storage(error) = fault { error.kind().to_string() } else { String::new() };
    error!(fault = kind, "inbox cannot be used");
    not_kept()
}

#[cfg(test)]
mod tests;
