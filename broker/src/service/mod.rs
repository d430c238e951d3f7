//! The gRPC doors: wire → model → wire, and the one map from error to status. Nothing is decided here but who may
//! knock at which door: care apps at `RecordBroker`, `Challenges`, `Governance` and `Oversight`, adapters and stewards at
//! `PatientIndex`, adapters at `AuditWitness` and `Enrolment`.

mod challenges;
mod documents;
mod enrolment;
mod governance;
mod oversight;
mod patients;
mod records;
mod report;
mod witnesses;

use crate::{
    access::{AccessError, Act},
    facts::FactsError,
    index::IndexError,
    mesh::Registrar,
    model::{EnterpriseId, SourceId},
    retrieve::{Broker, RetrieveError},
};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use severn_link::{Conn, Identity, Peer, RefuseMalformedTimeout, ServerLimits, server};
use severn_proto::{
    v1::{
        RequestContext, audit_witness_server::AuditWitnessServer, challenges_server::ChallengesServer,
        governance_server::GovernanceServer, oversight_server::OversightServer,
        patient_index_server::PatientIndexServer,
    },
    v1_passing::record_broker_server::RecordBrokerServer,
};
use severn_trust::{Details, Proof, TrailError, User};
use std::{io, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};
use tracing::error;

/// Bytes of one request.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

pub use enrolment::serve_strangers;

/// Serves the broker on `incoming` connections until `stop` resolves; calls under way are finished.
///
/// # Errors
/// As the transport gives them.
pub async fn serve(
    broker: Arc<Broker>,
    incoming: impl futures::Stream<Item = io::Result<Conn>> + Send + 'static,
    limits: ServerLimits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    serve_with((broker, None), incoming, limits, stop).await
}

/// The same, and renews the certificates of adapters where there is a registrar.
///
/// # Errors
/// As the transport gives them.
pub async fn serve_with(
    (broker, registrar): (Arc<Broker>, Option<Arc<Registrar>>),
    incoming: impl futures::Stream<Item = io::Result<Conn>> + Send + 'static,
    limits: ServerLimits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let records = RecordBrokerServer::new(records::Records::new(Arc::clone(&broker)));
    let challenges = ChallengesServer::new(challenges::Challenging::new(Arc::clone(&broker)));
    let witnesses = AuditWitnessServer::new(witnesses::Witnesses::new(Arc::clone(&broker)));
    let governance = GovernanceServer::new(governance::Governing::new(Arc::clone(&broker)));
    let oversight = OversightServer::new(oversight::Overseeing::new(Arc::clone(&broker)));
    let patients = PatientIndexServer::new(patients::Patients::new(broker));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(severn_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    server(limits)
        .add_service(health_service)
        .add_service(reflection)
        .add_optional_service(registrar.map(enrolment::Enrolling::service))
        .add_service(InterceptedService::new(
            records.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .add_service(InterceptedService::new(
            challenges.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .add_service(InterceptedService::new(
            witnesses.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .add_service(InterceptedService::new(
            governance.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .add_service(InterceptedService::new(
            oversight.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .add_service(InterceptedService::new(
            patients.max_decoding_message_size(REQUEST_BYTES_MAX),
            RefuseMalformedTimeout,
        ))
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

/// What `work` says through its channel, and its failure, if any, as the last. Both are polled by the same task: nothing
/// is spawned, and whoever drops the stream ends the work.
fn beside<T: Send + 'static>(
    said: mpsc::Receiver<T>,
    work: impl Future<Output = Result<(), Status>> + Send + 'static,
) -> BoxStream<'static, Result<T, Status>> {
    let (tell, told) = oneshot::channel();
    let working = stream::once(async move { drop(tell.send(work.await)) }).filter_map(async |()| None);
    // Not before everything that was said has gone out.
    let failure = stream::once(told).filter_map(async |ended| ended.ok()?.err().map(Err));
    stream::select(ReceiverStream::new(said).map(Ok), working).chain(failure).boxed()
}

fn peer<T>(request: &Request<T>) -> Result<Identity, Status> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.identity.clone());
    peer.ok_or_else(|| Status::unauthenticated("the connection has no identity; connect with a client certificate"))
}

/// Care apps, and nobody else.
fn from_app<T>(request: &Request<T>) -> Result<(), Status> {
    match peer(request)? {
        Identity::App(_) => Ok(()),
        Identity::Broker(_) | Identity::Source(_) => {
            Err(Status::permission_denied("this door is for care apps; use a certificate of an app"))
        }
    }
}

/// Adapters of the federation, and nobody else.
fn source_of<T>(broker: &Broker, request: &Request<T>) -> Result<SourceId, Status> {
    let Identity::Source(id) = peer(request)? else {
        return Err(Status::permission_denied("this door is for adapters; use the certificate of a source"));
    };
    let source = SourceId(id.into());
    match broker.fanout.registry().get(&source) {
        Some(_) => Ok(source),
        None => Err(Status::permission_denied("this source is not registered at the broker; ask its operator")),
    }
}

fn context_of(context: Option<RequestContext>) -> Result<RequestContext, Status> {
    context.ok_or_else(|| Status::invalid_argument("context: required; send the user's token and the app's proof"))
}

fn enterprise_id(text: &str) -> Result<EnterpriseId, Status> {
    let wrong = |_| Status::invalid_argument("enterprise_id: a UUID as FindPerson gave it; find the person again");
    text.parse().map(EnterpriseId).map_err(wrong)
}

fn text<'a>(field: &str, value: &'a str, chars_max: usize) -> Result<&'a str, Status> {
    if value.chars().count() > chars_max {
        return Err(Status::invalid_argument(format!("{field}: at most {chars_max} characters; shorten it")));
    }
    if value.chars().any(char::is_control) {
        return Err(Status::invalid_argument(format!("{field}: control characters are not allowed; remove them")));
    }
    Ok(value.trim())
}

impl Broker {
    /// Admits a request that is not a retrieval and records it before anything is done; a refusal is recorded, too.
    async fn admit_act(
        &self,
        context: &RequestContext,
        act: Act,
        action: &str,
        about: (&str, Details),
    ) -> Result<(User, Proof), Status> {
        let (person, what) = about;
        let who = self.access.admit(context);
        let allowed = who.clone().and_then(|(user, proof)| self.access.may(&user, act).map(|()| (user, proof)));
        match allowed {
            Ok(who) => {
                self.audit.act(action, &who, person, what).await.map_err(audit_status)?;
                Ok(who)
            }
            Err(error) => {
                let recorded = self.audit.refused(action, who.ok().as_ref(), person, &error.to_string()).await;
                recorded.map_err(audit_status)?;
                Err(access_status(error))
            }
        }
    }
}

fn access_status(error: AccessError) -> Status {
    match error {
        AccessError::Token(_) | AccessError::Proof(_) => Status::unauthenticated(error.to_string()),
        AccessError::Act(_) | AccessError::OtherPerson | AccessError::UnknownRole => {
            Status::permission_denied(error.to_string())
        }
        AccessError::TooOften { .. } => Status::resource_exhausted(error.to_string()),
        AccessError::NobodyMeant | AccessError::NothingAsked => Status::invalid_argument(error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it by value")]
fn audit_status(error: TrailError) -> Status {
    error!(%error, "audit trail not writable");
    Status::unavailable(
        "the broker cannot write its audit trail, so it answers nothing; try again or tell its operator",
    )
}

fn index_status(error: IndexError) -> Status {
    match error {
        IndexError::Store(_) | IndexError::Poisoned => {
            error!(%error, "index not available");
            Status::unavailable(
                "the index cannot answer, so nothing is known about anybody; do not assume there is nothing, try again",
            )
        }
        IndexError::UnknownRegistration => Status::not_found(error.to_string()),
        IndexError::Conflict(_) | IndexError::RestsOn { .. } | IndexError::Gap { .. } => {
            Status::failed_precondition(error.to_string())
        }
        IndexError::Invalid { .. } => Status::invalid_argument(error.to_string()),
        IndexError::Facts(error) => facts_status(&error),
    }
}

fn facts_status(error: &FactsError) -> Status {
    match error {
        FactsError::UnknownPerson | FactsError::UnknownDirective | FactsError::UnknownEntry => {
            Status::not_found(error.to_string())
        }
        FactsError::Invalid { .. } => Status::invalid_argument(error.to_string()),
        FactsError::Conflict(_) => Status::failed_precondition(error.to_string()),
        FactsError::TooMany { .. } => Status::resource_exhausted(error.to_string()),
        FactsError::SignInAgain => Status::unauthenticated(error.to_string()),
    }
}

fn retrieve_status(error: RetrieveError) -> Status {
    match error {
        RetrieveError::AccessDenied(error) => access_status(error),
        RetrieveError::UnknownPerson => Status::not_found(error.to_string()),
        RetrieveError::IndexUnavailable(error) => index_status(error),
        RetrieveError::AuditUnavailable(error) => audit_status(error),
        RetrieveError::CannotSign(error) => {
            error!(%error, "statement not signed");
            Status::unavailable("the broker cannot sign its requests; tell its operator")
        }
        RetrieveError::AskerGone => Status::cancelled("the answer was not read in time"),
        RetrieveError::TooLate => Status::deadline_exceeded(error.to_string()),
    }
}
