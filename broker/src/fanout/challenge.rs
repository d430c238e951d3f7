//! Carries a reader's challenge to the one source it is for, and asks sources for their answers. Nothing of either is
//! kept or logged here.

use super::{Fanout, Registered};
use crate::model::{LocalId, PlannedSource, Question, SourceId, Standing};
use severn_policy::Decisions;
use severn_proto::v1::{
    ListTakenRequest, ListTakenResponse, RequestContext, TakeChallengeRequest, TakeChallengeResponse,
    challenge_inbox_client::ChallengeInboxClient,
};
use std::{future::Future, sync::Arc};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Response, Status, transport::Channel};
use tracing::warn;
use uuid::Uuid;

impl Fanout {
    /// Passes a serialised challenge on to the planned source.
    ///
    /// # Errors
    /// A [`Status`] in the broker's words that says whether to try again; `NotFound` if this local id has no such entry.
    pub async fn challenge(
        &self,
        planned: &PlannedSource,
        question: &Question,
        challenge: Vec<u8>,
        deadline: Instant,
    ) -> Result<TakeChallengeResponse, Status> {
        let unsigned = |_| Status::unavailable("the broker cannot sign requests; tell its operator");
        let statement = self.statements(&[planned], question, deadline).map_err(unsigned)?.pop();
        let request = TakeChallengeRequest { context: Some(question.context.clone()), statement, challenge };
        let call = |mut inbox: ChallengeInboxClient<Channel>| async move { inbox.take_challenge(request).await };
        let registered = self.registry.get(&planned.source.id);
        let taken = self.at_inbox(registered, deadline, call).await.map_err(|status| plain(&status))?;
        // The id goes into the trail and to the reader.
        match taken.challenge_id.parse::<Uuid>() {
            Ok(_) => Ok(taken),
            Err(_) => Err(Status::data_loss("the source broke the contract; telephone it, and tell its operator")),
        }
    }

    /// What `source` says of the challenges of the user's organisation; `None` if it does not answer.
    pub async fn list_taken(
        &self,
        source: &SourceId,
        (query_id, context): (Uuid, &RequestContext),
        deadline: Instant,
    ) -> Option<ListTakenResponse> {
        let registered = self.registry.get(source)?;
        let planned = PlannedSource {
            source: Arc::clone(&registered.source),
            local_id: LocalId("".into()),
            ask: Vec::new(),
            not_asked: Vec::new(),
            decisions: Decisions::nothing(),
            standing: Standing::default(),
            restricted: false,
        };
        let statement = self.sign(&[&planned], (query_id, context), deadline).ok()?.pop();
        let request = ListTakenRequest { context: Some(context.clone()), statement };
        let call = |mut inbox: ChallengeInboxClient<Channel>| async move { inbox.list_taken(request).await };
        match self.at_inbox(Some(registered), deadline, call).await {
            Ok(listed) => Some(listed),
            Err(status) => {
                warn!(source_id = %source, code = ?status.code(), "source did not list its challenges");
                None
            }
        }
    }

    async fn at_inbox<T, Call>(
        &self,
        registered: Option<Arc<Registered>>,
        deadline: Instant,
        call: impl FnOnce(ChallengeInboxClient<Channel>) -> Call,
    ) -> Result<T, Status>
    where
        Call: Future<Output = Result<Response<T>, Status>>,
    {
        let gone = || Status::unavailable("not reached");
        let registered = registered.ok_or_else(gone)?;
        let _permit = registered.permits.try_acquire().map_err(|_| gone())?;
        let inbox = ChallengeInboxClient::new(registered.channel().ok_or_else(gone)?);
        let inbox = inbox.max_decoding_message_size(self.limits.message_bytes_max);
        Ok(timeout_at(deadline, call(inbox)).await.map_err(|_| gone())??.into_inner())
    }
}

/// What a reader is told of an entry that does not exist, that is not of this person, or that they are not shown.
pub fn no_such_entry() -> Status {
    Status::not_found("the source shows you no such entry of this person; retrieve the record again")
}

/// An adapter's status without the adapter's own words, which are not ours to pass on.
fn plain(status: &Status) -> Status {
    match status.code() {
        Code::NotFound => no_such_entry(),
        Code::PermissionDenied | Code::Unauthenticated => {
            Status::permission_denied("the source does not accept this challenge from you; sign in and try again")
        }
        Code::Unimplemented => Status::failed_precondition(
            "not delivered: the source takes no challenges this way; telephone it and tell it what is wrong",
        ),
        Code::FailedPrecondition => Status::failed_precondition(
            "not delivered: too many challenges wait at the source; telephone it and tell it what is wrong",
        ),
        Code::InvalidArgument => Status::invalid_argument("challenge: the source finds a field wrong; check them all"),
        _ => Status::unavailable(
            "not delivered, or not confirmed: the source did not answer. Try again, a repetition is taken once; if it is \
             urgent, telephone the source",
        ),
    }
}
