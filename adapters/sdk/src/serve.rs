//! Serves `SourceAdapter`: the one door by which anything leaves. `fetch` tells how a question becomes an answer,
//! `bytes` how a document leaves, `challenge` how a reader's word on an entry comes in, `notice` the
//! broker's word to privacy officers.

mod bytes;
mod challenge;
mod fetch;
mod notice;

use crate::{
    answer::{Answer, Shaper},
    inbox::Inbox,
    limits::Limits,
    policy::rule,
    reading::{Group, Running},
    release::record_refusal,
    source::Source,
    verify::{Asked, Call, Checks, Refusal, Refused},
};
use futures::{Stream, stream::BoxStream};
use severn_link::{Conn, Identity, RefuseMalformedTimeout, ServerLimits, server};
use severn_policy::{CurrentPolicy, Decisions, PersonFacts};
use severn_proto::{
    CONTRACT,
    v1::{
        DescribeRequest, DescribeResponse, FetchBytesRequest, FetchBytesResponse, FetchOpened, FetchRequest,
        FetchResponse, ListTakenRequest, ListTakenResponse, ReasonCode, TakeChallengeRequest, TakeChallengeResponse,
        TakeNoticeRequest, TakeNoticeResponse,
        challenge_inbox_server::{ChallengeInbox, ChallengeInboxServer},
        notice_inbox_server::{NoticeInbox, NoticeInboxServer},
        source_adapter_server::{SourceAdapter, SourceAdapterServer},
    },
};
use severn_trust::{Clock, Digest, IssuerKeys, PersonKeys, PublicKey, Replays, Retrievals, Trail};
use std::{fmt, io, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::{Request, Response, Status, service::interceptor::InterceptedService};
use tracing::warn;

/// What an adapter is, as it describes itself. No secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The source's id in the federation.
    pub source_id: String,
    /// Name of the organisation, for readers.
    pub name: String,
    /// ODS code of the organisation.
    pub ods: String,
    /// sql, fhir, file ...
    pub adapter_kind: String,
}

/// What an adapter is built from. All of it is passed in; no file is opened here.
pub struct Parts {
    /// What it is.
    pub about: About,
    /// The source it reads.
    pub source: Arc<dyn Source>,
    /// The broker that may ask.
    pub broker: Identity,
    /// The key by which the broker signs its statements.
    pub broker_key: PublicKey,
    /// Whose tokens are believed.
    pub keys: Arc<IssuerKeys>,
    /// The owner's policy.
    pub policy: Arc<CurrentPolicy>,
    /// The adapter's own audit trail.
    pub trail: Trail,
    /// Where what readers report back lies.
    pub inbox: Inbox,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The limits.
    pub limits: Limits,
}

/// An adapter, ready to serve any number of connections.
pub struct Adapter {
    about: About,
    source: Arc<dyn Source>,
    checks: Checks,
    policy: Arc<CurrentPolicy>,
    trail: Trail,
    inbox: Inbox,
    clock: Arc<dyn Clock>,
    limits: Limits,
    calls: Arc<Semaphore>,
    retrievals: Retrievals,
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Adapter({})", self.about.source_id)
    }
}

/// Bytes of the largest request that is looked at.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// The gRPC service of an adapter.
pub type Service = InterceptedService<SourceAdapterServer<Door>, RefuseMalformedTimeout>;

/// The service of `adapter`, for a server that carries others too.
pub fn service(adapter: Arc<Adapter>) -> Service {
    let encoding_max = adapter.limits.batch_bytes_max;
    let door = SourceAdapterServer::new(Door(adapter))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(encoding_max);
    InterceptedService::new(door, RefuseMalformedTimeout)
}

/// The inbox of `adapter`, for the same server.
fn inbox(adapter: Arc<Adapter>) -> InterceptedService<ChallengeInboxServer<Door>, RefuseMalformedTimeout> {
    let door = ChallengeInboxServer::new(Door(adapter)).max_decoding_message_size(REQUEST_BYTES_MAX);
    InterceptedService::new(door, RefuseMalformedTimeout)
}

/// The door for notices to `adapter`'s owner, for the same server.
fn notices(adapter: Arc<Adapter>) -> InterceptedService<NoticeInboxServer<Door>, RefuseMalformedTimeout> {
    let door = NoticeInboxServer::new(Door(adapter)).max_decoding_message_size(REQUEST_BYTES_MAX);
    InterceptedService::new(door, RefuseMalformedTimeout)
}

/// Serves `adapter` and its health on `incoming` until `shutdown`; calls under way are then brought to their end.
///
/// # Errors
/// If the stream of connections fails.
pub async fn serve(
    adapter: Arc<Adapter>,
    incoming: impl Stream<Item = io::Result<Conn>>,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<SourceAdapterServer<Door>>().await;
    server(limits)
        .add_service(health)
        .add_service(service(Arc::clone(&adapter)))
        .add_service(inbox(Arc::clone(&adapter)))
        .add_service(notices(adapter))
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
}

impl Adapter {
    /// Builds an adapter.
    pub fn new(parts: Parts) -> Arc<Adapter> {
        let checks = Checks {
            source_id: parts.about.source_id.clone(),
            broker: parts.broker,
            broker_key: parts.broker_key,
            keys: parts.keys,
            replays: Replays::default(),
            #[cfg(test)]
            stand_in: None,
        };
        Arc::new(Adapter {
            about: parts.about,
            source: parts.source,
            checks,
            policy: parts.policy,
            trail: parts.trail,
            inbox: parts.inbox,
            retrievals: Retrievals::new(parts.limits.records, Arc::clone(&parts.clock)),
            clock: parts.clock,
            calls: Arc::new(Semaphore::new(parts.limits.concurrent_max)),
            limits: parts.limits,
        })
    }

    fn describe(&self) -> DescribeResponse {
        let policy = self.policy.at(self.clock.now_s());
        let datasets = self.source.datasets().into_iter().filter(|dataset| policy.shares(*dataset));
        DescribeResponse {
            source_id: self.about.source_id.clone(),
            name: self.about.name.clone(),
            ods: self.about.ods.clone(),
            adapter_kind: self.about.adapter_kind.clone(),
            adapter_version: env!("CARGO_PKG_VERSION").to_owned(),
            contract: CONTRACT.to_owned(),
            datasets: datasets.map(Into::into).collect(),
        }
    }

    /// A place among the calls under way. A call too many is told at once, so that the broker need not wait.
    fn place(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.calls).try_acquire_owned().map_err(|_| {
            warn!("too many calls under way");
            Status::resource_exhausted("too many calls are under way at this adapter; try again later")
        })
    }

    async fn verified(&self, call: &Call) -> Result<Asked, Status> {
        self.verified_with(call, None).await
    }

    /// The same of a call that passes something on, whose digest the app must have signed.
    async fn verified_with(&self, call: &Call, challenge: Option<Digest>) -> Result<Asked, Status> {
        match self.checks.verify(call, challenge, self.clock.now_s()) {
            Ok(asked) => Ok(asked),
            Err(refused) => Err(self.refused(*refused).await),
        }
    }

    /// The same of a call by which a record, or a document of one, is to leave: that counts.
    async fn counted(&self, call: &Call) -> Result<Asked, Status> {
        let asked = self.verified(call).await?;
        match self.retrievals.take(&asked.user, &asked.statement.local_id) {
            Ok(()) => Ok(asked),
            Err(wait_s) => Err(self.refused(Refused::of(&asked, Refusal::TooOften { wait_s })).await),
        }
    }

    async fn refused(&self, refused: Refused) -> Status {
        warn!(reason = %refused.refusal, "request refused");
        record_refusal(&self.trail, refused.event).await;
        refused.refusal.status()
    }

    /// What the owner's policy says at this moment to whoever asks about this person.
    fn decisions(&self, asked: &Asked, person: PersonFacts) -> Arc<Decisions> {
        let asker = asked.asker(person, &self.about.ods, self.clock.now_ms());
        if asker.breaking_glass {
            warn!(override_id = asked.statement.override_id, "glass is broken; the privacy officer must look at it");
        }
        self.policy.at(self.clock.now_s()).decisions(&asker, "")
    }

    /// What the user may be given at this moment of the datasets asked for: read, ruled and shaped as for a record.
    async fn answers(&self, (asked, person): (&Asked, PersonFacts), until: Instant) -> Vec<Answer> {
        let decisions = self.decisions(asked, person);
        let rulings = rule(&decisions, &self.source.datasets(), &asked.datasets);
        let shaper = Shaper::new(&decisions, &self.limits, self.clock.now_ms());
        let mut shaper = shaper.of_person(person.restricted);
        let mut answers = Vec::new();
        for mut group in Group::start(&self.source, &asked.statement.local_id, &rulings, until) {
            let read = group.by(until).await.unwrap_or(Err(ReasonCode::Timeout));
            answers.extend(shaper.shape(&group.rulings, read));
        }
        answers
    }

    /// Compares the person meant with the source's own registration, before any content is read.
    async fn person(&self, asked: &Asked, until: Instant) -> Result<Person, Status> {
        let (source, local_id) = (Arc::clone(&self.source), asked.statement.local_id.clone());
        let mut running = Running::start(async move { source.registration(&local_id).await });
        let registration = match running.by(until).await {
            Some(Ok(Some(registration))) => registration,
            Some(Ok(None)) => return Ok(Person::Unknown(ReasonCode::UnknownLocalId)),
            Some(Err(code)) => return Ok(Person::Unknown(code)),
            None => return Ok(Person::Unknown(ReasonCode::Timeout)),
        };
        let demographics = registration.demographics.unwrap_or_default();
        let own = PersonKeys::of(&demographics);
        let facts = PersonFacts::of(&demographics, self.clock.now_ms());
        let facts = PersonFacts { restricted: facts.restricted || asked.statement.restricted, ..facts };
        if !asked.proof.person.agrees_with(&own) {
            return Err(self.refused(Refused::of(asked, Refusal::OtherPerson)).await);
        }
        let (nhs, demographics) = asked.proof.person.echo(&own);
        let opened = FetchOpened {
            local_id: asked.statement.local_id.clone(),
            nhs_commitment: nhs.map(Vec::from).unwrap_or_default(),
            demographics_commitment: demographics.map(Vec::from).unwrap_or_default(),
        };
        Ok(Person::Agrees { opened, facts })
    }
}

/// Whether the source knows the person meant.
enum Person {
    /// It does, and says so.
    Agrees {
        /// In these words.
        opened: FetchOpened,
        /// What its policy may know of the person; restricted if it, or any other source by the broker's word, says so.
        facts: PersonFacts,
    },
    /// It does not know the local id, or could not be asked; then nothing is read.
    Unknown(ReasonCode),
}

/// The door itself.
#[derive(Debug)]
pub struct Door(Arc<Adapter>);

#[tonic::async_trait]
impl SourceAdapter for Door {
    type FetchStream = BoxStream<'static, Result<FetchResponse, Status>>;
    type FetchBytesStream = BoxStream<'static, Result<FetchBytesResponse, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(self.0.describe()))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        Ok(Response::new(fetch::fetch(&self.0, request).await?))
    }

    async fn fetch_bytes(
        &self,
        request: Request<FetchBytesRequest>,
    ) -> Result<Response<Self::FetchBytesStream>, Status> {
        Ok(Response::new(bytes::fetch_bytes(&self.0, request).await?))
    }
}

#[tonic::async_trait]
impl ChallengeInbox for Door {
    async fn take_challenge(
        &self,
        request: Request<TakeChallengeRequest>,
    ) -> Result<Response<TakeChallengeResponse>, Status> {
        Ok(Response::new(challenge::take(&self.0, request).await?))
    }

    async fn list_taken(&self, request: Request<ListTakenRequest>) -> Result<Response<ListTakenResponse>, Status> {
        Ok(Response::new(challenge::list(&self.0, request).await?))
    }
}

#[tonic::async_trait]
impl NoticeInbox for Door {
    async fn take_notice(&self, request: Request<TakeNoticeRequest>) -> Result<Response<TakeNoticeResponse>, Status> {
        Ok(Response::new(notice::take(&self.0, request).await?))
    }
}

#[cfg(test)]
mod tests;
