//! One document on its way from its owner to its reader. The broker passes the bytes on and keeps none of them.
//!
//! **Invariant:** no byte leaves before it was compared whose document it is, and before what leaves stands in the trail.

use super::{audit_status, context_of, enterprise_id, retrieve_status, text};
use crate::{
    model::{Plan, Question, SourceId},
    retrieve::{Asked, Broker},
};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use severn_proto::v1::{
    Dataset, DocumentOpened, FetchBytesResponse, FetchDocumentRequest, FetchDocumentResponse, fetch_bytes_response,
    fetch_document_response::Part,
};
use std::{future, time::Duration};
use tokio::time::Instant;
use tonic::Status;

/// Bytes of the largest document that is passed on.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a source may take to begin.
const BEGUN_BY: Duration = Duration::from_secs(10);

/// A document's bytes as its source sends them.
type FromSource = BoxStream<'static, Result<FetchBytesResponse, Status>>;

/// A document as its reader gets it.
pub(super) type ToReader = BoxStream<'static, Result<FetchDocumentResponse, Status>>;

/// Answers with one document, or says why not; either stands in the trail.
pub(super) async fn document(broker: &Broker, request: FetchDocumentRequest) -> Result<ToReader, Status> {
    let person = enterprise_id(&request.enterprise_id)?;
    let entry_id = text("entry_id", &request.entry_id, 256)?;
    let source = SourceId(request.source_id.as_str().into());
    let asked = Asked { context: context_of(request.context)?, person, deadline: BEGUN_BY };
    let question = broker.admit(asked).await.map_err(retrieve_status)?;
    let question = Question { datasets: vec![Dataset::Documents], ..question };
    broker.audit.intent("document", &question).await.map_err(audit_status)?;
    let found = broker.locate(&question).await.map_err(retrieve_status)?;
    let (_, plan) = broker.plan(&question, found).await.map_err(retrieve_status)?;
    let (opened, bytes) = match begin(broker, &question, &plan, (&source, entry_id)).await {
        Ok(begun) => begun,
        Err(status) => {
            broker.audit.not_answered(&question, status.message()).await.map_err(audit_status)?;
            return Err(status);
        }
    };
    broker.audit.document(&question, (&source, entry_id), &opened).await.map_err(audit_status)?;
    Ok(parts(opened, bytes))
}

/// Asks the source, and reads what it says of the document.
async fn begin(
    broker: &Broker,
    question: &Question,
    plan: &Plan,
    (source, entry_id): (&SourceId, &str),
) -> Result<(DocumentOpened, FromSource), Status> {
    let planned = plan.sources.iter().find(|planned| planned.source.id == *source && !planned.ask.is_empty());
    let planned = planned.ok_or_else(|| {
        Status::not_found("source_id: this source holds no document for you to read; retrieve the record again")
    })?;
    let deadline = Instant::now() + question.deadline;
    let mut bytes = broker.fanout.fetch_bytes(planned, question, entry_id.to_owned(), deadline).await?;
    let opened = match bytes.next().await.transpose()?.and_then(|first| first.part) {
        Some(fetch_bytes_response::Part::Opened(opened)) => opened,
        _ => return Err(broken()),
    };
    if !question.commitments.agrees_with_echo(&opened.nhs_commitment, &opened.demographics_commitment) {
        broker.audit.other_person(question, source).await.map_err(audit_status)?;
        return Err(Status::data_loss(
            "the source sent a document of another person; it is not shown. Tell the source's operator",
        ));
    }
    if opened.size > DOCUMENT_BYTES_MAX {
        return Err(Status::failed_precondition(
            "the document is larger than 64 MiB, which the broker does not pass on; ask its owner for it",
        ));
    }
    Ok((opened, bytes))
}

/// The document for its reader; it ends where the source says more than it announced.
fn parts(opened: DocumentOpened, bytes: FromSource) -> ToReader {
    let left = opened.size;
    let chunks = bytes.scan(Some(left), |left, part| {
        let passed = left.take().map(|room| chunk(part?, room)).map(|passed| {
            passed.map(|(chunk, room)| {
                *left = Some(room);
                FetchDocumentResponse { part: Some(Part::Chunk(chunk)) }
            })
        });
        future::ready(passed)
    });
    let first = FetchDocumentResponse { part: Some(Part::Opened(opened)) };
    stream::iter([Ok(first)]).chain(chunks).boxed()
}

/// The next bytes, and how many may still come.
fn chunk(message: FetchBytesResponse, room: u64) -> Result<(Vec<u8>, u64), Status> {
    let Some(fetch_bytes_response::Part::Chunk(chunk)) = message.part else { return Err(broken()) };
    let room = room.checked_sub(chunk.len() as u64).ok_or_else(broken)?;
    Ok((chunk, room))
}

fn broken() -> Status {
    Status::data_loss("the source broke the contract; tell its operator")
}
