//! Announces who the source knows, and every change, to the broker's index. A change is durable in the feed log before
//! it is announced, and announced from where the broker's durable cursor ends: a restart at either end loses and
//! repeats nothing.
//!
//! **Invariant:** the log holds local ids and digests, never demographics; those are read again when they are sent.
//! **Invariant:** nobody is withdrawn because a scan was incomplete.

mod log;
mod scan;

use crate::source::{Source, SourceError};
use log::{FeedLog, Op};
use scan::{Changes, scan};
use severn_link::{Dialler, Identity};
use severn_proto::v1::{
    FeedAnnounce, FeedHeartbeat, FeedHello, FeedRequest, FeedResponse, LocalId, Registration, feed_announce::Change,
    feed_request, feed_response, patient_index_client::PatientIndexClient,
};
use severn_trust::{Clock, Disk, Entropy};
use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::Streaming;
use tracing::{info, warn};

/// What a feed is built from. All of it is passed in.
pub struct FeedParts {
    /// The source's id in the federation.
    pub source_id: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Where the feed log lies.
    pub disk: Arc<dyn Disk>,
    /// Reaches the broker.
    pub dialler: Arc<dyn Dialler>,
    /// The broker's address, host:port.
    pub address: String,
    /// Whom the broker's certificate must name.
    pub broker: Identity,
    /// The time, for the epoch's id.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for the epoch's id and the pauses.
    pub entropy: Arc<dyn Entropy>,
    /// How often the source is looked at, and a heartbeat is sent.
    pub every: Duration,
}

/// How far a feed has come since the program started.
#[derive(Debug, Default)]
pub struct FeedProgress {
    announced: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    heartbeats: AtomicU64,
}

impl FeedProgress {
    /// Announcements sent, heartbeats apart.
    pub fn announced(&self) -> u64 {
        self.announced.load(Ordering::Relaxed)
    }

    /// The last cursor that the broker said is durable.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Announcements that the broker refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Heartbeats sent.
    pub fn heartbeats(&self) -> u64 {
        self.heartbeats.load(Ordering::Relaxed)
    }
}

/// Announces until it is stopped.
pub struct Feed {
    parts: FeedParts,
    progress: Arc<FeedProgress>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed({})", self.parts.source_id)
    }
}

/// Why a session with the broker ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the feed log cannot be used: {0}")]
    Log(#[from] io::Error),
    #[error("the broker cannot be reached")]
    Unreachable,
    #[error("the broker ended the feed: {0:?}")]
    Refused(tonic::Code),
    #[error("the broker did not say where to go on")]
    NoResume,
    #[error("the broker knows more of this feed than its log; it starts anew")]
    LogBehind,
    #[error("the source cannot be read: {0}")]
    Source(SourceError),
}

/// How long the broker may take to say where to go on.
const RESUME_MAX: Duration = Duration::from_secs(30);

/// The longest pause between two attempts. Full jitter spreads 400 adapters over it after a broker's restart.
const PAUSE_MAX: Duration = Duration::from_secs(10);
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// The shortest pause between two looks at the source, however often it says that it changed.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(100);

/// Messages that wait to be sent.
const MESSAGES_WAITING_MAX: usize = 64;

impl Feed {
    /// Builds a feed.
    pub fn new(parts: FeedParts) -> Feed {
        Feed { parts, progress: Arc::default() }
    }

    /// How far it has come; may be kept while it runs.
    pub fn progress(&self) -> Arc<FeedProgress> {
        Arc::clone(&self.progress)
    }

    /// Announces until `shutdown`, connecting again whenever the connection ends.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut attempts = 0_u32;
        loop {
            let mut resumed = false;
            let ended = tokio::select! {
                () = shutdown.cancelled() => return,
                ended = self.session(&mut resumed) => ended,
            };
            attempts = if resumed { 0 } else { attempts.saturating_add(1) };
            warn!(source_id = self.parts.source_id, reason = %ended, "feed interrupted");
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.pause(attempts)) => {}
            }
        }
    }

    fn pause(&self, attempts: u32) -> Duration {
        let ceiling = PAUSE_FIRST.saturating_mul(1 << attempts.min(10)).min(PAUSE_MAX);
        let mut random = [0; 8];
        self.parts.entropy.fill(&mut random);
        let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(u64::from_be_bytes(random) % millis)
    }

    /// One connection, from hello until it ends.
    async fn session(&self, resumed: &mut bool) -> Ended {
        match self.talk(resumed).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn talk(&self, resumed: &mut bool) -> Result<std::convert::Infallible, Ended> {
        let parts = &self.parts;
        let epoch = severn_trust::new_uuid(&*parts.clock, &*parts.entropy).to_string();
        let mut log = FeedLog::open(Arc::clone(&parts.disk), &epoch).await?;
        let channel = parts.dialler.dial(&parts.address, &parts.broker).map_err(|_| Ended::Unreachable)?;
        let (requests, outgoing) = mpsc::channel(MESSAGES_WAITING_MAX);
        let hello = FeedHello { source_id: parts.source_id.clone(), epoch: log.epoch().to_owned() };
        let line = Outgoing { requests, broken: CancellationToken::new() };
        line.send(feed_request::Message::Hello(hello)).await?;
        let mut client = PatientIndexClient::new(channel);
        let mut answers = timeout(RESUME_MAX, client.feed(ReceiverStream::new(outgoing)))
            .await
            .map_err(|_| Ended::Unreachable)?
            .map_err(|status| Ended::Refused(status.code()))?
            .into_inner();
        let mut sent = resume_cursor(&mut answers).await?;
        *resumed = true;
        if sent > log.last_cursor() {
            log.start_anew(&epoch).await?;
            return Err(Ended::LogBehind);
        }
        self.progress.acknowledged.store(sent, Ordering::Relaxed);
        info!(source_id = parts.source_id, cursor = sent, "feed connected");
        let listener = Listener { progress: Arc::clone(&self.progress), broken: line.broken.clone() };
        let _listening = AbortOnDropHandle::new(tokio::spawn(listener.listen(answers)));
        loop {
            match scan(&parts.source, &log).await {
                Ok(changes) => sent = self.announce(&mut log, &line, changes, sent).await?,
                // The feed is not complete now, so no heartbeat says that it is.
                Err(fault) => warn!(source_id = parts.source_id, %fault, "source cannot be scanned"),
            }
            tokio::select! {
                () = line.broken.cancelled() => return Err(Ended::Unreachable),
                _ = async { tokio::join!(parts.source.changed(parts.every), tokio::time::sleep(LOOK_PAUSE_MIN)) } => {}
            }
        }
    }

    /// Makes the changes durable, announces everything after `sent`, then says that the feed is complete. Gives the
    /// last cursor sent.
    async fn announce(&self, log: &mut FeedLog, line: &Outgoing, changes: Changes, sent: u64) -> Result<u64, Ended> {
        if changes.unreadable > 0 {
            warn!(source_id = self.parts.source_id, count = changes.unreadable, "registrations cannot be read");
        }
        log.append(changes.lines).await?;
        let mut sent = sent;
        while sent < log.last_cursor() {
            let cursor = sent + 1;
            let change = self.change_at(log, cursor, &changes.content).await?;
            line.announce(cursor, change).await?;
            self.progress.announced.fetch_add(1, Ordering::Relaxed);
            sent = cursor;
        }
        let registrations = changes.registrations;
        line.announce(sent, Change::Heartbeat(FeedHeartbeat { registrations })).await?;
        self.progress.heartbeats.fetch_add(1, Ordering::Relaxed);
        Ok(sent)
    }

    /// What to say at `cursor`, with the content as it is now.
    async fn change_at(
        &self,
        log: &mut FeedLog,
        cursor: u64,
        content: &HashMap<String, Registration>,
    ) -> Result<Change, Ended> {
        let Some((local_id, op)) = log.at(cursor) else { return Ok(Change::Heartbeat(FeedHeartbeat::default())) };
        let local_id = local_id.to_owned();
        let withdrawn = LocalId { assigning_authority: self.parts.source_id.clone(), value: local_id.clone() };
        match op {
            Op::Withdrawn => return Ok(Change::Withdrawn(withdrawn)),
            Op::Unreadable => return Ok(Change::Heartbeat(FeedHeartbeat::default())),
            Op::Put => {}
        }
        if let Some(registration) = content.get(&local_id) {
            return Ok(Change::Registered(registration.clone()));
        }
        let (source, asked) = (Arc::clone(&self.parts.source), local_id.clone());
        let read = AbortOnDropHandle::new(tokio::spawn(async move { source.registration(&asked).await })).await;
        match read {
            Ok(Ok(Some(registration))) => Ok(Change::Registered(registration)),
            Ok(Ok(None)) => Ok(Change::Withdrawn(withdrawn)),
            // One row at fault must not hold up the feed: its place is taken by a heartbeat, and as soon as it can be
            // read again it is announced anew.
            Ok(Err(SourceError::Mapping(_))) | Err(_) => {
                log.append(vec![log::Line::unreadable(local_id)]).await?;
                Ok(Change::Heartbeat(FeedHeartbeat::default()))
            }
            Ok(Err(fault)) => Err(Ended::Source(fault)),
        }
    }
}

async fn resume_cursor(answers: &mut Streaming<FeedResponse>) -> Result<u64, Ended> {
    let first = timeout(RESUME_MAX, answers.message()).await.map_err(|_| Ended::NoResume)?;
    match first.map_err(|status| Ended::Refused(status.code()))?.and_then(|answer| answer.message) {
        Some(feed_response::Message::Resume(resume)) => Ok(resume.cursor),
        _ => Err(Ended::NoResume),
    }
}

/// The sending half of a session.
struct Outgoing {
    requests: mpsc::Sender<FeedRequest>,
    broken: CancellationToken,
}

impl Outgoing {
    async fn announce(&self, cursor: u64, change: Change) -> Result<(), Ended> {
        self.send(feed_request::Message::Announce(FeedAnnounce { cursor, change: Some(change) })).await
    }

    async fn send(&self, message: feed_request::Message) -> Result<(), Ended> {
        tokio::select! {
            sent = self.requests.send(FeedRequest { message: Some(message) }) => sent.map_err(|_| Ended::Unreachable),
            () = self.broken.cancelled() => Err(Ended::Unreachable),
        }
    }
}

/// The receiving half: read all the time, so that the broker is never held up while much is announced.
struct Listener {
    progress: Arc<FeedProgress>,
    broken: CancellationToken,
}

impl Listener {
    async fn listen(self, mut answers: Streaming<FeedResponse>) {
        let _ends_the_session = self.broken.clone().drop_guard();
        loop {
            match answers.message().await {
                Ok(Some(answer)) => self.take(answer),
                Ok(None) => return,
                Err(status) => {
                    warn!(code = ?status.code(), "feed broke");
                    return;
                }
            }
        }
    }

    fn take(&self, answer: FeedResponse) {
        match answer.message {
            Some(feed_response::Message::Ack(ack)) => {
                self.progress.acknowledged.fetch_max(ack.cursor, Ordering::Relaxed);
            }
            Some(feed_response::Message::Refused(refused)) => {
                self.progress.refused.fetch_add(1, Ordering::Relaxed);
                warn!(cursor = refused.cursor, field = refused.field, "registration refused by the broker");
            }
            Some(feed_response::Message::Resume(_)) | None => {}
        }
    }
}

#[cfg(test)]
mod tests;
