//! How a document leaves: the same checks as for entries, and the labels of the entry that lists it.

use super::{Adapter, Person};
use crate::{
    reading::Running,
    release::record_document,
    source::Document,
    verify::{Asked, Call, Refusal, Refused},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use severn_link::Peer;
use severn_policy::PersonFacts;
use severn_proto::v1::{
    Dataset, DocumentOpened, FetchBytesRequest, FetchBytesResponse, Outcome, ReasonCode, fetch_bytes_response::Part,
};
use severn_trust::sha256;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tonic::{Request, Status};

/// Bytes of one message.
const CHUNK_BYTES_MAX: usize = 256 * 1024;

/// How long a document may be under way to a slow reader.
const SENDING_MAX: Duration = Duration::from_secs(60);

/// Answers with one document.
pub(super) async fn fetch_bytes(
    adapter: &Arc<Adapter>,
    request: Request<FetchBytesRequest>,
) -> Result<BoxStream<'static, Result<FetchBytesResponse, Status>>, Status> {
    let (place, received) = (adapter.place()?, Instant::now());
    let peer = request.extensions().get::<Peer>().cloned();
    let request = request.into_inner();
    let call = Call { peer, context: request.context.unwrap_or_default(), statement: request.statement };
    let asked = adapter.counted(&call).await?;
    if asked.datasets != [Dataset::Documents] {
        return Err(adapter.refused(Refused::of(&asked, Refusal::Widened)).await);
    }
    let until = received + adapter.limits.budget(asked.statement.budget_ms);
    let (echo, facts) = match adapter.person(&asked, until).await? {
        Person::Agrees { opened, facts } => (opened, facts),
        Person::Unknown(ReasonCode::UnknownLocalId) => return Err(adapter.no_such_entry(&asked).await),
        Person::Unknown(why) => return Err(not_read(why)),
    };
    adapter.tell_of_opening(&asked, facts.restricted).await?;
    adapter.may_leave((&asked, facts), &request.entry_id, until).await?;
    let document = adapter.document(&asked, &request.entry_id, until).await?;
    let digest = sha256(&[&document.bytes]);
    record_document(&adapter.trail, asked.event("release"), &request.entry_id, &digest).await?;
    let opened = DocumentOpened {
        media_type: document.media_type,
        size: document.bytes.len() as u64,
        sha256: digest.to_vec(),
        title: document.title,
        nhs_commitment: echo.nhs_commitment,
        demographics_commitment: echo.demographics_commitment,
    };
    let parts = stream::iter(messages(opened, document.bytes)).map(move |part| (part, &place).0);
    // Cut off, the bytes do not fit the size and digest that were announced; nobody can take them for the whole.
    Ok(parts.take_until(tokio::time::sleep(SENDING_MAX)).boxed())
}

impl Adapter {
    /// Whether the entry that lists the document may be seen: read, ruled and labelled as in a record.
    async fn may_leave(
        &self,
        (asked, person): (&Asked, PersonFacts),
        entry_id: &str,
        until: Instant,
    ) -> Result<(), Status> {
        let answers = self.answers((asked, person), until).await;
        let listed = answers.iter().flat_map(|a| &a.entries).filter_map(|entry| entry.head.as_ref());
        if listed.into_iter().any(|head| head.entry_id == entry_id) {
            return Ok(());
        }
        let outcome = answers.first().map_or(Outcome::NoAnswer, |answer| answer.outcome.outcome());
        match outcome {
            Outcome::Withheld | Outcome::NotShared => {
                Err(self.refused(Refused::of(asked, Refusal::DocumentNotShared)).await)
            }
            Outcome::NoAnswer => Err(not_read(ReasonCode::SourceFailed)),
            _ => Err(self.no_such_entry(asked).await),
        }
    }

    async fn document(&self, asked: &Asked, entry_id: &str, until: Instant) -> Result<Document, Status> {
        let source = Arc::clone(&self.source);
        let (local_id, entry_id) = (asked.statement.local_id.clone(), entry_id.to_owned());
        let mut running = Running::start(async move { source.document(&local_id, &entry_id).await });
        let document = match running.by(until).await {
            Some(Ok(Some(document))) => document,
            Some(Ok(None)) => return Err(self.no_such_entry(asked).await),
            Some(Err(why)) => return Err(not_read(why)),
            None => return Err(not_read(ReasonCode::Timeout)),
        };
        if document.bytes.len() > self.limits.document_bytes_max {
            return Err(Status::failed_precondition(
                "the document is larger than this adapter sends; ask its owner for it",
            ));
        }
        Ok(document)
    }
}

fn not_read(why: ReasonCode) -> Status {
    match why {
        ReasonCode::Timeout => Status::deadline_exceeded("the source did not answer in time; try again"),
        _ => Status::unavailable("the source cannot be read; try again later"),
    }
}

fn messages(
    opened: DocumentOpened,
    mut left: Bytes,
) -> impl Iterator<Item = Result<FetchBytesResponse, Status>> + Send + 'static {
    let chunks = std::iter::from_fn(move || {
        let chunk: Bytes = left.split_to(left.len().min(CHUNK_BYTES_MAX));
        (!chunk.is_empty()).then_some(Part::Chunk(chunk.into()))
    });
    std::iter::once(Part::Opened(opened)).chain(chunks).map(|part| Ok(FetchBytesResponse { part: Some(part) }))
}
