//! `PatientIndex`: what adapters announce and stewards correct.

use super::{beside, context_of, enterprise_id, index_status, source_of, text};
use crate::{
    access::Act,
    feed::{FeedError, feed},
    index::{Decision, Naming, RegistrationKey, Wanted},
    model::{LocalId, SourceId},
    retrieve::Broker,
};
use futures::stream::BoxStream;
use severn_proto::v1::{
    DecisionsRequest, DecisionsResponse, FeedRequest, FeedResponse, HistoryRequest, HistoryResponse, LinkRequest,
    LinkResponse, OwnQualityRequest, OwnQualityResponse, PostponeRequest, PostponeResponse, RegistrationRef,
    ReviewKind, ReviewQueueRequest, ReviewQueueResponse, SourceQualityRequest, SourceQualityResponse, TakeBackRequest,
    TakeBackResponse, TellApartRequest, TellApartResponse, UnlinkRequest, UnlinkResponse,
    patient_index_server::PatientIndex,
};
use severn_trust::{Details, User};
use std::sync::Arc;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

/// Acknowledgements that wait for a slow adapter.
const ANSWERS_WAITING: usize = 16;

const LIST_DEFAULT: u32 = 100;
const LIST_MAX: u32 = 1000;
/// Characters of what names a steward: name, user's id and organisation.
const BY_CHARS_MAX: usize = 500;
const REASON_CHARS_MIN: usize = 10;
const REASON_CHARS_MAX: usize = 500;

pub(super) struct Patients {
    broker: Arc<Broker>,
}

impl Patients {
    pub(super) fn new(broker: Arc<Broker>) -> Patients {
        Patients { broker }
    }
}

#[tonic::async_trait]
impl PatientIndex for Patients {
    type FeedStream = BoxStream<'static, Result<FeedResponse, Status>>;

    async fn feed(&self, request: Request<Streaming<FeedRequest>>) -> Result<Response<Self::FeedStream>, Status> {
        let source = source_of(&self.broker, &request)?;
        let (say, said) = mpsc::channel(ANSWERS_WAITING);
        let index = Arc::clone(&self.broker.index);
        let announced = request.into_inner();
        let feeding = async move { feed(&index, &source, announced, say).await.map_err(feed_status) };
        Ok(Response::new(beside(said, feeding)))
    }

    async fn link(&self, request: Request<LinkRequest>) -> Result<Response<LinkResponse>, Status> {
        let request = request.into_inner();
        let (a, b) = (registration("a", request.a)?, registration("b", request.b)?);
        let (idempotency_key, reason) = decision(&request.idempotency_key, &request.reason)?;
        let what = Details::default().with("a", &said(&a)).with("b", &said(&b)).with("reason", &reason);
        let context = context_of(request.context)?;
        let (user, _) = self.broker.admit_act(&context, Act::Steward, "link", ("", what)).await?;
        let decision = Decision { idempotency_key, reason, by: by(&user) };
        let person = self.broker.index.link(a, b, decision).await.map_err(index_status)?;
        Ok(Response::new(LinkResponse { enterprise_id: person.to_string() }))
    }

    async fn unlink(&self, request: Request<UnlinkRequest>) -> Result<Response<UnlinkResponse>, Status> {
        let request = request.into_inner();
        let registration = registration("registration", request.registration)?;
        let (idempotency_key, reason) = decision(&request.idempotency_key, &request.reason)?;
        let what = Details::default().with("registration", &said(&registration)).with("reason", &reason);
        let context = context_of(request.context)?;
        let (user, _) = self.broker.admit_act(&context, Act::Steward, "unlink", ("", what)).await?;
        let decision = Decision { idempotency_key, reason, by: by(&user) };
        let person = self.broker.index.unlink(registration, decision).await.map_err(index_status)?;
        Ok(Response::new(UnlinkResponse { enterprise_id: person.to_string() }))
    }

    async fn tell_apart(&self, request: Request<TellApartRequest>) -> Result<Response<TellApartResponse>, Status> {
        let request = request.into_inner();
        let (a, b) = (registration("a", request.a)?, registration("b", request.b)?);
        let (idempotency_key, reason) = decision(&request.idempotency_key, &request.reason)?;
        let what = Details::default().with("a", &said(&a)).with("b", &said(&b)).with("reason", &reason);
        let context = context_of(request.context)?;
        let (user, _) = self.broker.admit_act(&context, Act::Steward, "tell_apart", ("", what)).await?;
        let decision = Decision { idempotency_key, reason, by: by(&user) };
        self.broker.index.tell_apart(a, b, decision).await.map_err(index_status)?;
        Ok(Response::new(TellApartResponse {}))
    }

    async fn postpone(&self, request: Request<PostponeRequest>) -> Result<Response<PostponeResponse>, Status> {
        let request = request.into_inner();
        let (a, b) = (registration("a", request.a)?, registration("b", request.b)?);
        let (idempotency_key, reason) = decision(&request.idempotency_key, &request.reason)?;
        let what = Details::default().with("a", &said(&a)).with("b", &said(&b)).with("until_ms", &request.until_ms);
        let context = context_of(request.context)?;
        let about = ("", what.with("reason", &reason));
        let (user, _) = self.broker.admit_act(&context, Act::Steward, "postpone", about).await?;
        let decision = Decision { idempotency_key, reason, by: by(&user) };
        self.broker.index.postpone(a, b, request.until_ms, decision).await.map_err(index_status)?;
        Ok(Response::new(PostponeResponse {}))
    }

    async fn take_back(&self, request: Request<TakeBackRequest>) -> Result<Response<TakeBackResponse>, Status> {
        let request = request.into_inner();
        let (idempotency_key, reason) = decision(&request.idempotency_key, &request.reason)?;
        let what = Details::default().with("decision", &request.decision).with("reason", &reason);
        let context = context_of(request.context)?;
        let (user, _) = self.broker.admit_act(&context, Act::Steward, "take_back", ("", what)).await?;
        let decision = Decision { idempotency_key, reason, by: by(&user) };
        self.broker.index.take_back(request.decision, decision).await.map_err(index_status)?;
        Ok(Response::new(TakeBackResponse {}))
    }

    async fn decisions(&self, request: Request<DecisionsRequest>) -> Result<Response<DecisionsResponse>, Status> {
        let request = request.into_inner();
        let by = text("by", &request.by, BY_CHARS_MAX)?.to_owned();
        let wanted = Wanted {
            since_ms: request.since_ms,
            until_ms: if request.until_ms == 0 { i64::MAX } else { request.until_ms },
            before: request.before,
            limit: limit(request.limit)?,
            by,
        };
        let what = Details::default().with("by", &wanted.by).with("since_ms", &wanted.since_ms);
        let context = context_of(request.context)?;
        self.broker.admit_act(&context, Act::Decisions, "decisions", ("", what)).await?;
        let (decisions, truncated) = self.broker.index.decisions(&wanted).map_err(index_status)?;
        Ok(Response::new(DecisionsResponse { decisions, truncated }))
    }

    async fn review_queue(
        &self,
        request: Request<ReviewQueueRequest>,
    ) -> Result<Response<ReviewQueueResponse>, Status> {
        let request = request.into_inner();
        let limit = limit(request.limit)?;
        let kinds = kinds(&request.kinds)?;
        let named: Vec<&str> = kinds.iter().map(|kind| kind.as_str_name()).collect();
        let context = context_of(request.context)?;
        let what = Details::default().with("limit", &limit).with("kinds", &named);
        self.broker.admit_act(&context, Act::Steward, "review_queue", ("", what)).await?;
        let queue = self.broker.index.review_queue(limit, &kinds).map_err(index_status)?;
        Ok(Response::new(queue))
    }

    async fn source_quality(
        &self,
        request: Request<SourceQualityRequest>,
    ) -> Result<Response<SourceQualityResponse>, Status> {
        let request = request.into_inner();
        let source = text("source_id", &request.source_id, 64)?.to_owned();
        let what = Details::default().with("source", &source);
        self.broker.admit_act(&context_of(request.context)?, Act::Steward, "source_quality", ("", what)).await?;
        let one = (!source.is_empty()).then(|| SourceId(source.into()));
        let naming = if one.is_some() { Naming::LocalIds } else { Naming::Nobody };
        let sources = self.broker.index.quality(one.as_ref(), naming).await.map_err(index_status)?;
        if one.is_some() && sources.is_empty() {
            return Err(Status::not_found("source_id: the index never heard of this source; see `severn sources`"));
        }
        Ok(Response::new(SourceQualityResponse { sources }))
    }

    async fn own_quality(&self, request: Request<OwnQualityRequest>) -> Result<Response<OwnQualityResponse>, Status> {
        let source = source_of(&self.broker, &request)?;
        let reports = self.broker.index.quality(Some(&source), Naming::LocalIds).await.map_err(index_status)?;
        Ok(Response::new(OwnQualityResponse { report: reports.into_iter().next() }))
    }

    async fn history(&self, request: Request<HistoryRequest>) -> Result<Response<HistoryResponse>, Status> {
        let request = request.into_inner();
        let person = enterprise_id(&request.enterprise_id)?;
        let about = (request.enterprise_id.as_str(), Details::default().with("at_ms", &request.at_ms));
        self.broker.admit_act(&context_of(request.context)?, Act::Steward, "history", about).await?;
        let mut events = self.broker.index.history(person).map_err(index_status)?;
        let then = match request.at_ms {
            0 => None,
            at_ms => {
                events.retain(|event| event.at_ms <= at_ms);
                self.broker.index.as_at(person, at_ms).await.map_err(index_status)?
            }
        };
        Ok(Response::new(HistoryResponse { events, then }))
    }
}

fn limit(asked: u32) -> Result<usize, Status> {
    match asked {
        0 => Ok(LIST_DEFAULT as usize),
        1..=LIST_MAX => Ok(asked as usize),
        _ => Err(Status::invalid_argument(format!("limit: 0 for {LIST_DEFAULT}, or 1 to {LIST_MAX}"))),
    }
}

fn kinds(numbers: &[i32]) -> Result<Vec<ReviewKind>, Status> {
    let known = |number: &i32| match ReviewKind::try_from(*number) {
        Ok(ReviewKind::Unspecified) | Err(_) => None,
        Ok(kind) => Some(kind),
    };
    let kinds: Option<Vec<ReviewKind>> = numbers.iter().map(known).collect();
    kinds.ok_or_else(|| Status::invalid_argument("kinds: name kinds of this version of the contract, or none for all"))
}

fn registration(field: &str, reference: Option<RegistrationRef>) -> Result<RegistrationKey, Status> {
    let reference = reference.unwrap_or_default();
    let source = text(&format!("{field}.source_id"), &reference.source_id, 64)?;
    let local_id = text(&format!("{field}.local_id"), &reference.local_id, 256)?;
    if source.is_empty() || local_id.is_empty() {
        return Err(Status::invalid_argument(format!("{field}: give source_id and local_id")));
    }
    Ok(RegistrationKey { source: SourceId(source.into()), local_id: LocalId(local_id.into()) })
}

fn decision(key: &str, reason: &str) -> Result<(Uuid, String), Status> {
    let wrong = |_| Status::invalid_argument("idempotency_key: a UUID, the same for every retry of this decision");
    let key = key.parse().map_err(wrong)?;
    let reason = text("reason", reason, REASON_CHARS_MAX)?;
    if reason.chars().count() < REASON_CHARS_MIN {
        let message = format!("reason: at least {REASON_CHARS_MIN} characters; say how you know");
        return Err(Status::invalid_argument(message));
    }
    Ok((key, reason.to_owned()))
}

fn said(key: &RegistrationKey) -> [&str; 2] {
    [&key.source.0, &key.local_id.0]
}

fn by(user: &User) -> String {
    format!("{} ({}) at {}", user.name, user.id, user.organisation_ods)
}

fn feed_status(error: FeedError) -> Status {
    match error {
        FeedError::Index(error) => index_status(error),
        FeedError::Broken => Status::cancelled("the adapter has gone"),
        FeedError::NoHello
        | FeedError::SecondHello
        | FeedError::Empty
        | FeedError::NotYourSource
        | FeedError::BadEpoch => Status::invalid_argument(error.to_string()),
    }
}
