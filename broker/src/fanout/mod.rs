//! Asks every planned source at once, under one deadline. Whatever a source does, exactly one reply comes back for it.
//! Nothing here knows how a connection came to be: the registry holds a channel to each source, dialled by the broker
//! or handed over by an adapter that dialled in.
//!
//! **Invariant:** nothing a source says or does not say is an error here; it is a value in its [`Reply`].

mod ask;
mod challenge;
mod notice;
mod registry;

use crate::model::{Opening, Plan, PlannedSource, Question, Reply};
use ask::Room;
use futures::{
    StreamExt as _,
    stream::{BoxStream, FuturesUnordered},
};
use severn_proto::v1::{
    BrokerStatement, Dataset, DescribeResponse, FetchBytesRequest, FetchBytesResponse, FetchRequest, ReasonCode,
    RequestContext, SignedStatement,
};
use severn_trust::{Clock, KeyError, SigningKey, sha256, sign_statements};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tonic::Status;
use uuid::Uuid;

pub use ask::AskLimits;
pub use challenge::no_such_entry;
pub use registry::{Health, Registered, Registry};

/// Milliseconds kept back from an adapter's budget, so that its last words arrive before the deadline.
const RETURN_MS: u64 = 30;

/// The stage: the registry of sources, the broker's statement key and the limits of a call.
pub struct Fanout {
    registry: Registry,
    statement_key: SigningKey,
    clock: Arc<dyn Clock>,
    limits: AskLimits,
}

impl Fanout {
    /// Asks the sources of `registry`, signing statements with `statement_key`.
    pub fn new(registry: Registry, statement_key: SigningKey, clock: Arc<dyn Clock>, limits: AskLimits) -> Fanout {
        Fanout { registry, statement_key, clock, limits }
    }

    /// The sources.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Asks every source of `plan` that is to be asked, in parallel; returns when all have replied, at `deadline` at
    /// the latest. The replies come in no particular order.
    ///
    /// # Errors
    /// [`KeyError`] if the broker's statement cannot be signed; then nobody was asked.
    pub async fn ask_all(&self, plan: &Plan, question: &Question, deadline: Instant) -> Result<Vec<Reply>, KeyError> {
        let asked: Vec<&PlannedSource> = plan.sources.iter().filter(|planned| !planned.ask.is_empty()).collect();
        let statements = self.statements(&asked, question, deadline)?;
        let room = Room::of(self.limits);
        let calls: FuturesUnordered<_> = asked
            .into_iter()
            .zip(statements)
            .map(|(planned, statement)| {
                let request = FetchRequest { context: Some(question.context.clone()), statement: Some(statement) };
                ask::ask(self.registry.get(&planned.source.id), planned, request, deadline, &room)
            })
            .collect();
        let replies: Vec<Reply> = calls.collect().await;
        let now_ms = self.clock.now_ms();
        replies.iter().for_each(|reply| self.registry.note(reply, now_ms));
        Ok(replies)
    }

    /// Asks one source for a document's bytes. The stream ends with an error at `deadline`.
    ///
    /// # Errors
    /// A [`Status`] that says what to do and reveals nothing of the person.
    pub async fn fetch_bytes(
        &self,
        planned: &PlannedSource,
        question: &Question,
        entry_id: String,
        deadline: Instant,
    ) -> Result<BoxStream<'static, Result<FetchBytesResponse, Status>>, Status> {
        let unsigned = |_| Status::unavailable("the broker cannot sign requests; tell its operator");
        let statement = self.statements(&[planned], question, deadline).map_err(unsigned)?.pop();
        let request = FetchBytesRequest { context: Some(question.context.clone()), statement, entry_id };
        ask::fetch_bytes(self.registry.get(&planned.source.id), request, deadline).await
    }

    /// Asks every registered source what it is, in parallel, for at most `wait`; `None` for those that did not answer.
    pub async fn describe_all(&self, wait: Duration) -> Vec<(Arc<Registered>, Option<DescribeResponse>)> {
        let calls: FuturesUnordered<_> = self
            .registry
            .all()
            .map(|registered| async move {
                let described = tokio::time::timeout(wait, ask::describe(&registered)).await.ok().flatten();
                (registered, described)
            })
            .collect();
        let mut described: Vec<_> = calls.collect().await;
        described.sort_by(|a, b| a.0.source.id.cmp(&b.0.source.id));
        described
    }

    fn statements(
        &self,
        asked: &[&PlannedSource],
        question: &Question,
        deadline: Instant,
    ) -> Result<Vec<SignedStatement>, KeyError> {
        self.sign(asked, (question.query_id, &question.context), deadline)
    }

    /// Signs one statement for each of `asked`, of the query with this id and context.
    fn sign(
        &self,
        asked: &[&PlannedSource],
        (query_id, context): (Uuid, &RequestContext),
        deadline: Instant,
    ) -> Result<Vec<SignedStatement>, KeyError> {
        let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(Duration::from_millis(RETURN_MS));
        let proof_sha256 = sha256(&[context.request_proof.as_bytes()]).to_vec();
        let statements: Vec<BrokerStatement> = asked
            .iter()
            .map(|planned| BrokerStatement {
                query_id: query_id.to_string(),
                source_id: planned.source.id.to_string(),
                local_id: planned.local_id.0.to_string(),
                datasets: planned.ask.iter().map(|dataset: &Dataset| *dataset as i32).collect(),
                budget_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
                issued_at_ms: self.clock.now_ms(),
                proof_sha256: proof_sha256.clone(),
                relationship: planned.standing.relationship.to_owned(),
                restricted: planned.restricted,
                override_id: opening(planned).map(|opening| opening.id.to_string()).unwrap_or_default(),
                override_reason: opening(planned).map(|opening| opening.reason.to_owned()).unwrap_or_default(),
                override_expires_ms: opening(planned).map(|opening| opening.expires_ms).unwrap_or_default(),
            })
            .collect();
        sign_statements(&statements, &self.statement_key, self.clock.as_ref())
    }
}

fn opening(planned: &PlannedSource) -> Option<Opening> {
    planned.standing.opening
}

/// The reason that a failed call's status stands for.
fn reason_of(status: &Status) -> ReasonCode {
    use tonic::Code;
    match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => ReasonCode::Timeout,
        Code::Unavailable if was_refused(status) => ReasonCode::RefusedConnection,
        Code::Unavailable => ReasonCode::Unreachable,
        Code::ResourceExhausted => ReasonCode::Overloaded,
        Code::PermissionDenied | Code::Unauthenticated | Code::InvalidArgument => ReasonCode::AdapterRefused,
        Code::OutOfRange => ReasonCode::TooLarge,
        Code::Unimplemented | Code::DataLoss => ReasonCode::Invalid,
        Code::Internal if status.message().contains("decode") => ReasonCode::Invalid,
        Code::Internal | Code::Unknown | Code::Aborted | Code::Ok => ReasonCode::BrokenStream,
        Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition => ReasonCode::SourceFailed,
    }
}

fn was_refused(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{ConnectionRefused, PermissionDenied};
            return matches!(io.kind(), ConnectionRefused | PermissionDenied);
        }
        cause = error.source();
    }
    false
}
