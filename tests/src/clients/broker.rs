//! A broker that knows one person and has one answer for whoever asks, true or not. It checks what it is asked as the
//! real one does.

use super::{
    cases::Served,
    story::{BORN, NHS, PERSON},
};
use severn_proto::v1::{
    AccessReportRequest, AccessReportResponse, Candidate, Demographics, FetchDocumentRequest, FetchDocumentResponse,
    FindPersonRequest, FindPersonResponse, ListSourcesRequest, ListSourcesResponse, RequestContext,
    RetrieveRecordRequest, RetrieveRecordResponse, RetrieveRecordUnaryRequest, RetrieveRecordUnaryResponse,
    find_person_response::Resolution, record_broker_server::RecordBroker,
};
use severn_trust::{ALL_DATASETS, Clock as _, PersonKeys, Proof, SystemClock, TokenVerifier};
use std::collections::BTreeSet;
use tokio_stream::{Iter, iter};
use tonic::{Request, Response, Status, async_trait};

/// Has one answer.
pub struct CannedBroker {
    /// Whose tokens it takes.
    pub verifier: TokenVerifier,
    /// Makes what it sends for a query.
    pub serve: Box<dyn Fn(&str) -> Served + Send + Sync>,
}

type Parts<T> = Iter<std::vec::IntoIter<Result<T, Status>>>;

impl CannedBroker {
    fn check(&self, context: Option<RequestContext>) -> Result<Proof, Status> {
        let context = context.unwrap_or_default();
        let now_s = SystemClock.now_s();
        let user = self.verifier.verify(&context.user_token, now_s).map_err(|e| refused(&e))?;
        Proof::verify(&context.request_proof, &user, now_s).map_err(|e| refused(&e))
    }
}

fn refused(error: &dyn std::error::Error) -> Status {
    Status::unauthenticated(error.to_string())
}

fn ensure(right: bool, what: &str) -> Result<(), Status> {
    if right { Ok(()) } else { Err(Status::invalid_argument(what)) }
}

#[async_trait]
impl RecordBroker for CannedBroker {
    type RetrieveRecordStream = Parts<RetrieveRecordResponse>;
    type FetchDocumentStream = Parts<FetchDocumentResponse>;

    async fn find_person(&self, request: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        let request = request.into_inner();
        let proof = self.check(request.context)?;
        let nobody = proof.person.is_empty() && proof.datasets.is_empty();
        ensure(nobody, "a search commits to nobody and reads nothing")?;
        let digits: String = request.nhs_number.chars().filter(char::is_ascii_digit).collect();
        let meant = (digits.as_str(), request.birth_date.as_str()) == (NHS, BORN);
        ensure(meant, "look for the person by the NHS number and birth date that were given")?;
        let golden = Some((self.serve)("").found?);
        let one = Candidate { enterprise_id: PERSON.into(), golden, score: 1.0, ..Candidate::default() };
        let resolution = Resolution::One.into();
        Ok(Response::new(FindPersonResponse { resolution, candidates: vec![one] }))
    }

    async fn retrieve_record(
        &self,
        request: Request<RetrieveRecordRequest>,
    ) -> Result<Response<Self::RetrieveRecordStream>, Status> {
        let request = request.into_inner();
        let proof = self.check(request.context)?;
        ensure(request.enterprise_id == PERSON, "ask about the person who was found")?;
        let asked: BTreeSet<i32> = proof.datasets.iter().map(|dataset| *dataset as i32).collect();
        ensure(asked.len() == ALL_DATASETS.len(), "ask for all headings: name every dataset in the proof")?;
        let served = (self.serve)(&proof.query_id.to_string());
        let found = served.found?;
        let without_number = Demographics { nhs_number: String::new(), ..found.clone() };
        let commits = [&found, &without_number].map(|p| proof.person.agrees_with(&PersonKeys::of(p)));
        let how = "commit to who was found: to the NHS number, and to birth date and family name";
        ensure(commits == [true, true], how)?;
        let parts = served.parts.into_iter().map(|part| Ok(RetrieveRecordResponse { part: Some(part) }));
        let all: Vec<_> = parts.chain(served.fault.map(Err)).collect();
        Ok(Response::new(iter(all)))
    }

    async fn retrieve_record_unary(
        &self,
        _: Request<RetrieveRecordUnaryRequest>,
    ) -> Result<Response<RetrieveRecordUnaryResponse>, Status> {
        Err(Status::unimplemented("ask for the stream"))
    }

    async fn fetch_document(
        &self,
        _: Request<FetchDocumentRequest>,
    ) -> Result<Response<Self::FetchDocumentStream>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn access_report(&self, _: Request<AccessReportRequest>) -> Result<Response<AccessReportResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_sources(&self, _: Request<ListSourcesRequest>) -> Result<Response<ListSourcesResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}
