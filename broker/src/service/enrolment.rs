//! The door for adapters that join, and for those that are in and need their next certificate.

use super::{REQUEST_BYTES_MAX, audit_status, peer};
use crate::mesh::{Answer, EnrolError, Offer, Refusal, Registrar, RequestError};
use futures::Stream;
use severn_link::{Conn, Identity, RefuseMalformedTimeout, ServerLimits, Stranger, server};
use severn_proto::v1::{
    EnrolRequest, EnrolResponse, RenewRequest, RenewResponse,
    enrolment_server::{Enrolment, EnrolmentServer},
};
use std::{io, sync::Arc};
use tonic::{Request, Response, Status, service::interceptor::InterceptedService};
use tracing::error;
use zeroize::Zeroizing;

/// Seconds after which an adapter that is not decided about asks again.
const AGAIN_S: u32 = 5;

/// The service.
pub(super) struct Enrolling(Arc<Registrar>);

pub(super) type Service = InterceptedService<EnrolmentServer<Enrolling>, RefuseMalformedTimeout>;

impl Enrolling {
    pub(super) fn service(registrar: Arc<Registrar>) -> Service {
        let service = EnrolmentServer::new(Enrolling(registrar)).max_decoding_message_size(REQUEST_BYTES_MAX);
        InterceptedService::new(service, RefuseMalformedTimeout)
    }
}

/// Serves those who have no certificate yet, and nothing else, until `stop` resolves.
///
/// # Errors
/// As the transport gives them.
pub async fn serve_strangers(
    registrar: Arc<Registrar>,
    incoming: impl Stream<Item = io::Result<Conn<Stranger>>> + Send + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    let router = server(ServerLimits::default()).add_service(Enrolling::service(registrar));
    router.serve_with_incoming_shutdown(incoming, stop).await
}

#[tonic::async_trait]
impl Enrolment for Enrolling {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let from = request.extensions().get::<Stranger>().map(|stranger| stranger.address);
        let EnrolRequest { token, source_id, ods, certificate_request } = request.into_inner();
        // The buffers of the connection, which tonic and rustls hold, are not wiped; the token is used up by then.
        let token = Zeroizing::new(token);
        let offer =
            Offer { token: &token, source_id: &source_id, ods: &ods, certificate_request: &certificate_request, from };
        let Answer { enrolment_id, issued } = self.0.enrol(offer).await.map_err(status)?;
        let again_s = if issued.is_some() { 0 } else { AGAIN_S };
        let certificates = issued.map_or_else(String::new, |issued| issued.certificates);
        Ok(Response::new(EnrolResponse { enrolment_id, certificates, again_s }))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        let Identity::Source(source_id) = peer(&request)? else {
            return Err(Status::permission_denied("this door is for adapters; use the certificate of a source"));
        };
        let issued = self.0.renew(&source_id, &request.get_ref().certificate_request).await.map_err(status)?;
        Ok(Response::new(RenewResponse { certificates: issued.certificates }))
    }
}

fn status(why: EnrolError) -> Status {
    match why {
        EnrolError::Refused(
            Refusal::UnknownToken
            | Refusal::OtherSource
            | Refusal::OtherOrganisation
            | Refusal::Expired
            | Refusal::Used
            | Refusal::Lapsed
            | Refusal::Declined(_)
            | Refusal::Unregistered
            | Refusal::Denied,
        ) => Status::permission_denied(why.to_string()),
        EnrolError::TooOften => Status::resource_exhausted(why.to_string()),
        EnrolError::Request(RequestError::Unreadable(_) | RequestError::Key) => {
            Status::invalid_argument(why.to_string())
        }
        EnrolError::Request(RequestError::Authority(_)) => {
            Status::unavailable("the broker's authority cannot sign; tell its operator")
        }
        EnrolError::Trail(error) => audit_status(error),
        EnrolError::Storage(error) => {
            error!(%error, "enrolments not usable");
            Status::unavailable("the broker cannot keep enrolments; try again or tell its operator")
        }
    }
}
