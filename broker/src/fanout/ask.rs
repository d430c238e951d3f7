//! One call to one source, from the permit to the end mark.

use super::{reason_of, registry::Registered};
use crate::model::{PlannedSource, Reply};
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use prost::Message as _;
use serde::Deserialize;
use severn_link::send;
use severn_proto::{
    v1::{DescribeRequest, DescribeResponse, FetchBytesRequest, FetchBytesResponse, FetchRequest, ReasonCode},
    v1_passing::{FetchResponse, fetch_response::Part, source_adapter_client::SourceAdapterClient},
};
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, Streaming, transport::Channel};
use tracing::warn;

/// How long a document may be under way after its source began, and how long no byte of it may come.
const DOCUMENT_MAX: Duration = Duration::from_secs(50);
const DOCUMENT_IDLE_MAX: Duration = Duration::from_secs(10);

/// Bytes of what a source calls its owner's policy.
const POLICY_VERSION_BYTES_MAX: usize = 128;

/// Limits of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskLimits {
    /// Calls to one source at the same time.
    pub in_flight_max: usize,
    /// Bytes of one message from a source.
    pub message_bytes_max: usize,
    /// Bytes of one source's whole answer.
    pub answer_bytes_max: usize,
    /// Messages of one source's whole answer.
    pub messages_max: usize,
    /// Bytes of all answers to one query.
    pub query_bytes_max: usize,
}

impl Default for AskLimits {
    fn default() -> Self {
        AskLimits {
            in_flight_max: 32,
            message_bytes_max: 4 * 1024 * 1024,
            answer_bytes_max: 16 * 1024 * 1024,
            messages_max: 10_000,
            query_bytes_max: 64 * 1024 * 1024,
        }
    }
}

/// What a call may take: limits of its own, and its part of the room that all calls of one query have.
pub(super) struct Room {
    limits: AskLimits,
    /// Bytes that all of them may still take.
    left: AtomicUsize,
}

impl Room {
    /// The room of one query.
    pub(super) fn of(limits: AskLimits) -> Room {
        Room { limits, left: AtomicUsize::new(limits.query_bytes_max) }
    }

    /// Takes so many bytes, if there is room for them.
    fn take(&self, bytes: usize) -> Result<(), ReasonCode> {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| ReasonCode::OverLimit)
    }
}

/// Asks one source. Always gives a reply, at `deadline` at the latest; a panic on the way is one, too.
pub(super) async fn ask(
    registered: Option<Arc<Registered>>,
    planned: &PlannedSource,
    request: FetchRequest,
    deadline: Instant,
    room: &Room,
) -> Reply {
    let started = Instant::now();
    let mut reply = Reply {
        source: planned.source.id.clone(),
        local_id: planned.local_id.clone(),
        opened: None,
        batches: Vec::new(),
        outcomes: Vec::new(),
        policy_version: String::new(),
        fault: Some(ReasonCode::Internal),
        waited_ms: 0,
    };
    let read = AssertUnwindSafe(read(registered, request, room, &mut reply)).catch_unwind();
    reply.fault = match timeout_at(deadline, read).await {
        Ok(Ok(result)) => result.err(),
        Ok(Err(_panic)) => Some(ReasonCode::Internal),
        Err(_elapsed) => Some(ReasonCode::Timeout),
    };
    reply.waited_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    if let Some(fault) = reply.fault {
        warn!(source_id = %reply.source, ?fault, waited_ms = reply.waited_ms, "source did not answer in full");
    }
    reply
}

async fn read(
    registered: Option<Arc<Registered>>,
    request: FetchRequest,
    room: &Room,
    reply: &mut Reply,
) -> Result<(), ReasonCode> {
    let registered = registered.ok_or(ReasonCode::Unreachable)?;
    let _permit = registered.permits.try_acquire().map_err(|_| ReasonCode::Overloaded)?;
    let channel = registered.channel().ok_or(ReasonCode::Unreachable)?;
    let client = client(channel).max_decoding_message_size(room.limits.message_bytes_max);
    let fetched = send(|| {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.fetch(request).await }
    });
    let stream = fetched.await.map_err(|status| reason_of(&status))?.into_inner();
    follow(stream, room, reply).await
}

/// Reads parts until the end mark, holding the answer to the order and the counts of the contract. Of an answer that
/// passes a limit stands what came before (LIMIT-4).
async fn follow(mut stream: Streaming<FetchResponse>, room: &Room, reply: &mut Reply) -> Result<(), ReasonCode> {
    let (mut bytes, mut messages, mut entries) = (0, 0, 0);
    let mut ended = false;
    while let Some(part) = stream.next().await {
        let part = part.map_err(|status| reason_within(&status))?.part.ok_or(ReasonCode::Invalid)?;
        messages += 1;
        let in_order = !ended && reply.opened.is_some() != matches!(part, Part::Opened(_));
        if !in_order {
            return Err(ReasonCode::Invalid);
        }
        let own = match &part {
            Part::Outcomes(several) => several.encoded_len(),
            Part::Batch(batch) => batch.encoded_len(),
            Part::Opened(_) | Part::End(_) => 0,
        };
        bytes += own;
        if bytes > room.limits.answer_bytes_max || messages > room.limits.messages_max {
            return Err(ReasonCode::OverLimit);
        }
        room.take(own)?;
        match part {
            Part::Opened(opened) => reply.opened = Some(opened),
            Part::Outcomes(several) => {
                reply.outcomes.extend(several.outcomes);
            }
            Part::Batch(batch) => {
                entries += batch.entries.len();
                reply.batches.push(batch);
            }
            Part::End(end)
                if end.entries as usize == entries && end.policy_version.len() <= POLICY_VERSION_BYTES_MAX =>
            {
                reply.policy_version = end.policy_version;
                ended = true;
            }
            Part::End(_) => return Err(ReasonCode::Invalid),
        }
    }
    if ended { Ok(()) } else { Err(ReasonCode::BrokenStream) }
}

/// Within a stream a lost connection is a broken stream, not an unreachable source.
fn reason_within(status: &Status) -> ReasonCode {
    match reason_of(status) {
        ReasonCode::Unreachable | ReasonCode::RefusedConnection => ReasonCode::BrokenStream,
        other => other,
    }
}

pub(super) async fn describe(registered: &Registered) -> Option<DescribeResponse> {
    let mut client = client(registered.channel()?);
    client.describe(DescribeRequest {}).await.ok().map(tonic::Response::into_inner)
}

/// A document's bytes: until `deadline` for the source to begin, and then as long as they keep coming, within bounds.
pub(super) async fn fetch_bytes(
    registered: Option<Arc<Registered>>,
    request: FetchBytesRequest,
    deadline: Instant,
) -> Result<BoxStream<'static, Result<FetchBytesResponse, Status>>, Status> {
    let gone = || Status::unavailable("the source that holds this document did not answer; try again or call it");
    let registered = registered.ok_or_else(gone)?;
    let permit = Arc::clone(&registered.permits).try_acquire_owned().map_err(|_| gone())?;
    let client = client(registered.channel().ok_or_else(gone)?);
    let fetched = send(|| {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.fetch_bytes(request).await }
    });
    let opened = timeout_at(deadline, fetched).await.map_err(|_| gone())?;
    let stream = opened.map_err(|status| plain(&status))?.into_inner();
    let ends = deadline + DOCUMENT_MAX;
    let timed = futures::stream::unfold((stream, permit), move |(mut stream, permit)| async move {
        let next = timeout_at(ends.min(Instant::now() + DOCUMENT_IDLE_MAX), stream.next()).await;
        let item =
            next.unwrap_or_else(|_| Some(Err(Status::deadline_exceeded("the document did not arrive in time"))))?;
        Some((item.map_err(|status| plain(&status)), (stream, permit)))
    });
    Ok(timed.boxed())
}

/// An adapter's status without the adapter's own words, which are not ours to pass on.
fn plain(status: &Status) -> Status {
    match status.code() {
        tonic::Code::NotFound => Status::not_found("the source has no such document; retrieve the record again"),
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => {
            Status::permission_denied("the source does not release this document to you for this purpose")
        }
        _ => Status::unavailable("the source that holds this document did not answer; try again or call it"),
    }
}

fn client(channel: Channel) -> SourceAdapterClient<Channel> {
    SourceAdapterClient::new(channel)
}
