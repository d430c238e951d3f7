//! Fetching a document's bytes. A document is handed over only when size and digest are as its owner announced.

use crate::client::{Client, ClientError, refused};
use severn_proto::v1::{
    Dataset, Demographics, DocumentOpened, FetchDocumentRequest, FetchDocumentResponse, fetch_document_response::Part,
};
use severn_trust::{PersonKeys, sha256};
use std::{fmt, time::Duration};
use tokio::time::{Instant, timeout_at};
use tonic::Streaming;

/// Bytes of the largest document that is taken.
pub const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a document may take, all together.
const DOCUMENT_WAIT: Duration = Duration::from_secs(60);

/// A document as its owner sent it. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Media type, as the owner says.
    pub media_type: String,
    /// Name of the file, for a reader. Never a path to write to.
    pub title: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.bytes.len())
    }
}

impl Client {
    /// Fetches the document that entry `entry_id` of `source_id` lists, about `enterprise_id`, who must be `person`.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong; a document that is not as announced is not handed over.
    pub async fn fetch_document(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        source_id: &str,
        entry_id: &str,
    ) -> Result<Document, ClientError> {
        let signed = self.sign(&PersonKeys::of(person), &[Dataset::Documents])?;
        let request = FetchDocumentRequest {
            context: Some(signed.context),
            enterprise_id: enterprise_id.to_owned(),
            source_id: source_id.to_owned(),
            entry_id: entry_id.to_owned(),
        };
        let ends = Instant::now() + DOCUMENT_WAIT;
        let mut broker = self.broker();
        let mut stream = match timeout_at(ends, broker.fetch_document(request)).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(refused(&status)),
            Err(_) => return Err(ClientError::Timeout),
        };
        let Some(Part::Opened(opened)) = next(&mut stream, ends).await? else {
            return Err(ClientError::Invalid("a document must begin with what it is"));
        };
        if !signed.commitments.agrees_with_echo(&opened.nhs_commitment, &opened.demographics_commitment) {
            return Err(ClientError::WrongDocument("it is of another person"));
        }
        let bytes = collect(&mut stream, &opened, ends).await?;
        Ok(Document { media_type: opened.media_type, title: opened.title, bytes })
    }
}

async fn collect(
    stream: &mut Streaming<FetchDocumentResponse>,
    opened: &DocumentOpened,
    ends: Instant,
) -> Result<Vec<u8>, ClientError> {
    if opened.size > DOCUMENT_BYTES_MAX {
        return Err(ClientError::TooLarge(DOCUMENT_BYTES_MAX));
    }
    let size = usize::try_from(opened.size).map_err(|_| ClientError::TooLarge(DOCUMENT_BYTES_MAX))?;
    // Not reserved at once: the size is only what the other side says.
    let mut bytes = Vec::new();
    while let Some(part) = next(stream, ends).await? {
        let Part::Chunk(chunk) = part else {
            return Err(ClientError::Invalid("a document must be opened once"));
        };
        if bytes.len() + chunk.len() > size {
            return Err(ClientError::WrongDocument("it is longer"));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() != size {
        return Err(ClientError::WrongDocument("it is shorter"));
    }
    if opened.sha256 != sha256(&[&bytes]) {
        return Err(ClientError::WrongDocument("its digest differs"));
    }
    Ok(bytes)
}

async fn next(stream: &mut Streaming<FetchDocumentResponse>, ends: Instant) -> Result<Option<Part>, ClientError> {
    match timeout_at(ends, stream.message()).await {
        Ok(Ok(Some(FetchDocumentResponse { part: Some(part) }))) => Ok(Some(part)),
        Ok(Ok(Some(_))) => Err(ClientError::Invalid("a part of the document is empty")),
        Ok(Ok(None)) => Ok(None),
        Ok(Err(status)) => Err(refused(&status)),
        Err(_) => Err(ClientError::Timeout),
    }
}
