use super::*;
use crate::made_up::{MadeUp, Mood};
use futures::stream::BoxStream;
use severn_link::{InMemory, ServerLimits, server};
use severn_proto::v1::{
    DecisionsRequest, DecisionsResponse, FeedAck, FeedRefused, FeedResume, HistoryRequest, HistoryResponse,
    LinkRequest, LinkResponse, OwnQualityRequest, OwnQualityResponse, PostponeRequest, PostponeResponse, QualityReport,
    ReviewQueueRequest, ReviewQueueResponse, SourceQualityRequest, SourceQualityResponse, TakeBackRequest,
    TakeBackResponse, TellApartRequest, TellApartResponse, UnlinkRequest, UnlinkResponse,
    patient_index_server::{PatientIndex, PatientIndexServer},
};
use severn_trust::{MemoryDisk, SystemClock, SystemEntropy};
use std::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};
use tonic::{Request, Response, Status};

/// A small index that remembers what it was told.
#[derive(Clone, Default)]
struct Index(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// Epoch and cursor, as a real index keeps them.
    durable: (String, u64),
    /// `5 put p1`, `6 withdrawn p1`.
    changes: Vec<String>,
    heartbeats: Vec<(u64, u64)>,
    /// Breaks the stream after so many announcements.
    breaks_after: Option<usize>,
    /// Does not acknowledge, nor keep, what comes after this cursor.
    keeps_up_to: Option<u64>,
    refuses: Option<String>,
}

impl Index {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }

    fn hear(&self, announce: FeedAnnounce) -> Result<FeedResponse, Status> {
        let mut told = self.told();
        if let Some(left) = &mut told.breaks_after {
            if *left == 0 {
                told.breaks_after = None;
                return Err(Status::unavailable("broken on purpose"));
            }
            *left -= 1;
        }
        let cursor = announce.cursor;
        let (kind, id) = match announce.change.unwrap() {
            Change::Heartbeat(heartbeat) => {
                told.heartbeats.push((cursor, heartbeat.registrations));
                return Ok(ack(told.durable.1));
            }
            Change::Registered(registration) => ("put", registration.local_id.unwrap().value),
            Change::Withdrawn(local_id) => ("withdrawn", local_id.value),
        };
        told.changes.push(format!("{cursor} {kind} {id}"));
        if told.keeps_up_to.is_none_or(|most| cursor <= most) {
            assert_eq!(cursor, told.durable.1 + 1, "a cursor was left out or came twice");
            told.durable.1 = cursor;
        }
        if told.refuses.as_ref() == Some(&id) {
            let refused = FeedRefused { cursor, field: "demographics.birth_date".into(), message: String::new() };
            return Ok(FeedResponse { message: Some(feed_response::Message::Refused(refused)) });
        }
        Ok(ack(told.durable.1))
    }
}

fn ack(cursor: u64) -> FeedResponse {
    FeedResponse { message: Some(feed_response::Message::Ack(FeedAck { cursor })) }
}

#[tonic::async_trait]
impl PatientIndex for Index {
    type FeedStream = BoxStream<'static, Result<FeedResponse, Status>>;

    async fn feed(&self, request: Request<Streaming<FeedRequest>>) -> Result<Response<Self::FeedStream>, Status> {
        let index = self.clone();
        let answers = request.into_inner().map(move |message| match message?.message.unwrap() {
            feed_request::Message::Hello(hello) => {
                let mut told = index.told();
                if told.durable.0 != hello.epoch {
                    told.durable = (hello.epoch, 0);
                }
                let resume = FeedResume { cursor: told.durable.1 };
                Ok(FeedResponse { message: Some(feed_response::Message::Resume(resume)) })
            }
            feed_request::Message::Announce(announce) => index.hear(announce),
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn link(&self, _: Request<LinkRequest>) -> Result<Response<LinkResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn unlink(&self, _: Request<UnlinkRequest>) -> Result<Response<UnlinkResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn tell_apart(&self, _: Request<TellApartRequest>) -> Result<Response<TellApartResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn postpone(&self, _: Request<PostponeRequest>) -> Result<Response<PostponeResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn take_back(&self, _: Request<TakeBackRequest>) -> Result<Response<TakeBackResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn decisions(&self, _: Request<DecisionsRequest>) -> Result<Response<DecisionsResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn review_queue(&self, _: Request<ReviewQueueRequest>) -> Result<Response<ReviewQueueResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn source_quality(
        &self,
        _: Request<SourceQualityRequest>,
    ) -> Result<Response<SourceQualityResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn own_quality(&self, _: Request<OwnQualityRequest>) -> Result<Response<OwnQualityResponse>, Status> {
        let report = QualityReport { source_id: "A".into(), registrations: 2, ..QualityReport::default() };
        Ok(Response::new(OwnQualityResponse { report: Some(report) }))
    }

    async fn history(&self, _: Request<HistoryRequest>) -> Result<Response<HistoryResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

struct World {
    source: Arc<MadeUp>,
    disk: MemoryDisk,
    index: Index,
    network: InMemory,
}

struct Running {
    progress: Arc<FeedProgress>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn broker() -> Identity {
    Identity::Broker("b".into())
}

impl World {
    fn new() -> World {
        let world = World {
            source: Arc::new(MadeUp::new()),
            disk: MemoryDisk::default(),
            index: Index::default(),
            network: InMemory::new(broker()),
        };
        let incoming = UnboundedReceiverStream::new(world.network.accept());
        let service = PatientIndexServer::new(world.index.clone());
        tokio::spawn(server(ServerLimits::default()).add_service(service).serve_with_incoming(incoming));
        world
    }

    fn start(&self) -> Running {
        let feed = Feed::new(FeedParts {
            source_id: "SUBJECT".into(),
            source: Arc::clone(&self.source) as Arc<dyn Source>,
            disk: Arc::new(self.disk.clone()),
            dialler: Arc::new(self.network.party(Identity::Source("SUBJECT".into()))),
            address: String::new(),
            broker: broker(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
            every: Duration::from_millis(500),
        });
        let (progress, stop) = (feed.progress(), CancellationToken::new());
        Running { progress, stop: stop.clone(), task: tokio::spawn(feed.run(stop)) }
    }

    /// Waits until the source was looked at twice more, so that what is to be announced has been.
    async fn settle(&self) {
        let beats = || self.index.told().heartbeats.len();
        let before = beats();
        for _ in 0..10_000 {
            if beats() >= before + 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no heartbeat came");
    }

    fn changes(&self) -> Vec<String> {
        self.index.told().changes.clone()
    }

    fn log(&self) -> String {
        String::from_utf8(self.disk.files()["feed.log"].clone()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_and_repeats_nothing() {
    let world = World::new();
    let running = world.start();
    world.settle().await;
    assert_eq!(world.changes(), ["1 put p1", "2 put p2"]);
    assert_eq!(world.index.told().heartbeats.last(), Some(&(2, 2)));
    assert_eq!((running.progress.announced(), running.progress.acknowledged()), (2, 2));
    running.stop().await;
    world.source.put("p3", "", "2001-01-01", "New");
    world.source.put("p1", "9434765919", "1980-02-01", "Married");
    world.source.remove("p2");
    let running = world.start();
    world.settle().await;
    assert_eq!(world.changes()[2..], ["3 put p1", "4 put p3", "5 withdrawn p2"]);
    running.stop().await;
    let running = world.start();
    world.settle().await;
    assert_eq!(world.changes().len(), 5);
    assert_eq!(running.progress.announced(), 0);
    running.stop().await;
    let log = world.log();
    assert_eq!(log.lines().count(), 6);
    assert!(!log.contains("Married") && !log.contains("9434765919"));
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_has_not_kept_is_sent_again_as_it_is_now() {
    let world = World::new();
    world.index.told().keeps_up_to = Some(1);
    let running = world.start();
    world.settle().await;
    running.stop().await;
    assert_eq!(world.changes(), ["1 put p1", "2 put p2"]);
    world.index.told().keeps_up_to = None;
    world.source.remove("p2");
    let running = world.start();
    world.settle().await;
    // Cursor 2 was a registration; by now it is gone, and that is what is said.
    assert_eq!(world.changes()[2..], ["2 withdrawn p2", "3 withdrawn p2"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_is_taken_up_where_it_broke() {
    let world = World::new();
    (3..40).for_each(|n| world.source.put(&format!("p{n}"), "", "2001-01-01", "New"));
    world.index.told().breaks_after = Some(17);
    let running = world.start();
    world.settle().await;
    assert_eq!(world.changes().len(), 39);
    assert_eq!(running.progress.acknowledged(), 39);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_or_damaged_log_begins_a_new_epoch() {
    let world = World::new();
    let running = world.start();
    world.settle().await;
    running.stop().await;
    let epoch = world.index.told().durable.0.clone();
    // The tail of the log is lost, as from an old backup: the broker knows more than the log.
    let whole = world.log();
    let shorter: String = whole.split_inclusive('\n').take(2).collect();
    world.disk.replace("feed.log", shorter.as_bytes()).unwrap();
    let running = world.start();
    world.settle().await;
    running.stop().await;
    assert_ne!(world.index.told().durable.0, epoch);
    assert_eq!(world.index.told().durable.1, 2);
    // A line was changed.
    let epoch = world.index.told().durable.0.clone();
    world.disk.replace("feed.log", world.log().replace("\"cursor\":1", "\"cursor\":7").as_bytes()).unwrap();
    let running = world.start();
    world.settle().await;
    running.stop().await;
    assert_ne!(world.index.told().durable.0, epoch);
    assert_eq!(world.index.told().durable.1, 2);
    // A crash left half a line: cut off, nothing is repeated.
    let epoch = world.index.told().durable.0.clone();
    let told = world.changes().len();
    world.disk.replace("feed.log", format!("{}{{\"cursor\":3,\"lo", world.log()).as_bytes()).unwrap();
    let running = world.start();
    world.settle().await;
    running.stop().await;
    assert_eq!(world.index.told().durable.0, epoch);
    assert_eq!(world.changes().len(), told);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_withdrawn_because_a_scan_was_incomplete() {
    let world = World::new();
    let running = world.start();
    world.settle().await;
    world.source.unreadable_rows(1);
    world.source.remove("p2");
    world.settle().await;
    assert_eq!(world.changes().len(), 2);
    world.source.feel(Mood::Down);
    let heartbeats = world.index.told().heartbeats.len();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.index.told().heartbeats.len() <= heartbeats + 1, "a heartbeat while the source is down");
    world.source.feel(Mood::Well);
    world.source.unreadable_rows(0);
    world.settle().await;
    assert_eq!(world.changes()[2..], ["3 withdrawn p2"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_registration_does_not_stop_the_feed() {
    let world = World::new();
    world.index.told().refuses = Some("p1".into());
    let running = world.start();
    world.settle().await;
    assert_eq!(running.progress.refused(), 1);
    assert_eq!(running.progress.acknowledged(), 2);
    assert!(world.source.looks() >= 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_announced_that_is_not_in_the_log() {
    let world = World::new();
    world.disk.set_full(true);
    let running = world.start();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.changes(), Vec::<String>::new());
    world.disk.set_full(false);
    world.settle().await;
    assert_eq!(world.changes(), ["1 put p1", "2 put p2"]);
    running.stop().await;
}
