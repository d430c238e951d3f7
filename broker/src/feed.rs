//! SPINE 2: from an identity that a source announces to a link. What a link needs is decided in `index`; here is only
//! the order of things: hello, resume, announce, durable, acknowledge.
//!
//! **Invariant:** nothing is acknowledged before it is durable, and a refused announcement holds up no other.

use crate::{
    index::{Index, IndexError, Refusal},
    model::SourceId,
};
use futures::{Stream, StreamExt as _};
use severn_proto::v1::{
    FeedAck, FeedAnnounce, FeedHello, FeedRefused, FeedRequest, FeedResponse, FeedResume, feed_request,
    feed_response::Message,
};
use std::pin::pin;
use tokio::sync::mpsc;
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Announcements made durable together, at most.
pub const BATCH_MAX: usize = 256;

/// Why a feed ended early. The adapter opens it again and goes on from the last durable cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// The first message was no hello.
    #[error("begin the feed with hello")]
    NoHello,
    /// A second hello.
    #[error("say hello once; open a new feed for a new epoch")]
    SecondHello,
    /// A message without content.
    #[error("a message was empty, or of a kind that this version of the contract does not know")]
    Empty,
    /// The hello names another source than the certificate.
    #[error("hello.source_id: give the source id of the certificate that opened the feed")]
    NotYourSource,
    /// The epoch is no UUID.
    #[error("hello.epoch: give a UUID, kept for as long as the feed's log is")]
    BadEpoch,
    /// The index could not take announcements.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The connection broke.
    #[error("the feed's connection broke")]
    Broken,
}

/// Serves one feed of `caller` until it ends. `outgoing` is closed when this returns.
///
/// # Errors
/// [`FeedError`]; everything acknowledged stays taken.
pub async fn feed<E>(
    index: &Index,
    caller: &SourceId,
    incoming: impl Stream<Item = Result<FeedRequest, E>>,
    outgoing: mpsc::Sender<FeedResponse>,
) -> Result<(), FeedError> {
    let mut incoming = pin!(incoming);
    let epoch = hello(caller, incoming.next().await)?;
    let cursor = index.feed_cursor(caller, epoch)?;
    answer(&outgoing, Message::Resume(FeedResume { cursor })).await?;

    // Whatever has arrived by now is taken together: one fsync for many when a source is loaded, one for one later.
    let mut chunks = incoming.ready_chunks(BATCH_MAX);
    while let Some(chunk) = chunks.next().await {
        let (announcements, fault) = announcements(chunk);
        if let Some(cursor) = announcements.last().map(|a| a.cursor) {
            let refusals = index.announce(caller, epoch, announcements).await?;
            for refusal in refusals {
                answer(&outgoing, refused(refusal)).await?;
            }
            answer(&outgoing, Message::Ack(FeedAck { cursor })).await?;
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
    }
    Ok(())
}

fn hello<E>(caller: &SourceId, first: Option<Result<FeedRequest, E>>) -> Result<Uuid, FeedError> {
    let message = first.ok_or(FeedError::NoHello)?.map_err(|_| FeedError::Broken)?.message;
    let Some(feed_request::Message::Hello(FeedHello { source_id, epoch })) = message else {
        return Err(FeedError::NoHello);
    };
    if source_id != *caller.0 {
        return Err(FeedError::NotYourSource);
    }
    epoch.parse().map_err(|_| FeedError::BadEpoch)
}

/// The announcements up to the first fault, and that fault.
fn announcements<E>(chunk: Vec<Result<FeedRequest, E>>) -> (Vec<FeedAnnounce>, Option<FeedError>) {
    let mut announcements = Vec::with_capacity(chunk.len());
    for request in chunk {
        match request.map(|r| r.message) {
            Ok(Some(feed_request::Message::Announce(announce))) => announcements.push(announce),
            Ok(Some(feed_request::Message::Hello(_))) => return (announcements, Some(FeedError::SecondHello)),
            Ok(None) => return (announcements, Some(FeedError::Empty)),
            Err(_) => return (announcements, Some(FeedError::Broken)),
        }
    }
    (announcements, None)
}

fn refused(refusal: Refusal) -> Message {
    Message::Refused(FeedRefused { cursor: refusal.cursor, field: refusal.field.into(), message: refusal.message })
}

async fn answer(outgoing: &mpsc::Sender<FeedResponse>, message: Message) -> Result<(), FeedError> {
    outgoing.send(FeedResponse { message: Some(message) }).await.map_err(|_| FeedError::Broken)
}
