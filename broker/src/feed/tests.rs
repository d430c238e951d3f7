use super::*;
use crate::index::{
    Resolved, Search,
    store::{Failure, MemoryStore},
};
use severn_proto::v1::{Demographics, FeedHeartbeat, LocalId, Registration, feed_announce::Change};
use severn_trust::{SystemClock, SystemEntropy};
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;

const EPOCH: &str = "00000000-0000-0000-0000-000000000001";

async fn open(store: &MemoryStore) -> Index {
    Index::open(Arc::new(store.clone()), Arc::new(SystemClock), Arc::new(SystemEntropy::default())).await.unwrap()
}

fn hello_from(source_id: &str, epoch: &str) -> FeedRequest {
    let hello = FeedHello { source_id: source_id.into(), epoch: epoch.into() };
    FeedRequest { message: Some(feed_request::Message::Hello(hello)) }
}

fn announce(cursor: u64, change: Change) -> FeedRequest {
    let announce = FeedAnnounce { cursor, change: Some(change) };
    FeedRequest { message: Some(feed_request::Message::Announce(announce)) }
}

fn register(cursor: u64, birth_date: &str) -> FeedRequest {
    let local_id = LocalId { assigning_authority: String::new(), value: cursor.to_string() };
    let demographics = Demographics { birth_date: birth_date.into(), ..Demographics::default() };
    announce(
        cursor,
        Change::Registered(Registration {
            source_id: "A".into(),
            local_id: Some(local_id),
            demographics: Some(demographics),
            ..Registration::default()
        }),
    )
}

fn heartbeat(cursor: u64) -> FeedRequest {
    announce(cursor, Change::Heartbeat(FeedHeartbeat { registrations: 2 }))
}

/// Runs a feed over `requests`; what it answered in short words, and how it ended.
async fn run(index: &Index, requests: Vec<Result<FeedRequest, ()>>) -> (Vec<String>, Result<(), FeedError>) {
    let (outgoing, mut answers) = mpsc::channel(1000);
    let result = feed(index, &SourceId("A".into()), futures::stream::iter(requests), outgoing).await;
    let mut told = Vec::new();
    while let Some(response) = answers.recv().await {
        told.push(match response.message {
            Some(Message::Resume(resume)) => format!("resume {}", resume.cursor),
            Some(Message::Ack(ack)) => format!("ack {}", ack.cursor),
            Some(Message::Refused(refused)) => format!("refused {} {}", refused.cursor, refused.field),
            None => "nothing".into(),
        });
    }
    (told, result)
}

fn knows(index: &Index, local_id: &str) -> bool {
    let search =
        Search::Registration { source: SourceId("A".into()), local_id: crate::model::LocalId(local_id.into()) };
    matches!(index.resolve(&search), Ok(Resolved::One(_)))
}

#[tokio::test]
async fn tells_the_story_and_goes_on_where_it_stopped() {
    let store = MemoryStore::default();
    let index = open(&store).await;
    let requests = vec![Ok(hello_from("A", EPOCH)), Ok(register(1, "")), Ok(register(2, "rubbish")), Ok(heartbeat(3))];
    let (told, result) = run(&index, requests).await;
    assert_eq!(told, ["resume 0", "refused 2 registered.demographics.birth_date", "ack 3"]);
    assert_eq!(result, Ok(()));
    assert!(knows(&index, "1") && !knows(&index, "2"));
    let index = open(&store).await;
    let (told, result) = run(&index, vec![Ok(hello_from("A", EPOCH)), Ok(register(3, "")), Ok(register(4, ""))]).await;
    assert_eq!(told, ["resume 3", "ack 4"]);
    assert_eq!(result, Ok(()));
    assert!(knows(&index, "4") && !knows(&index, "3"));
}

#[tokio::test]
async fn bad_openings_are_refused() {
    let index = open(&MemoryStore::default()).await;
    for (first, expected) in [
        (vec![], FeedError::NoHello),
        (vec![Ok(heartbeat(1))], FeedError::NoHello),
        (vec![Ok(FeedRequest { message: None })], FeedError::NoHello),
        (vec![Err(())], FeedError::Broken),
        (vec![Ok(hello_from("B", EPOCH))], FeedError::NotYourSource),
        (vec![Ok(hello_from("A", "one"))], FeedError::BadEpoch),
    ] {
        assert_eq!(run(&index, first).await, (vec![], Err(expected)));
    }
}

#[tokio::test]
async fn what_came_before_a_fault_is_taken() {
    for (fault, expected) in [
        (Err(()), FeedError::Broken),
        (Ok(FeedRequest { message: None }), FeedError::Empty),
        (Ok(hello_from("A", EPOCH)), FeedError::SecondHello),
    ] {
        let index = open(&MemoryStore::default()).await;
        let (told, result) = run(&index, vec![Ok(hello_from("A", EPOCH)), Ok(register(1, "")), fault]).await;
        assert_eq!(told, ["resume 0", "ack 1"]);
        assert_eq!(result, Err(expected));
        assert!(knows(&index, "1"));
    }
}

#[tokio::test]
async fn a_gap_and_a_failing_store_are_not_acknowledged() {
    let store = MemoryStore::default();
    let index = open(&store).await;
    let (told, result) = run(&index, vec![Ok(hello_from("A", EPOCH)), Ok(register(2, ""))]).await;
    assert_eq!(told, ["resume 0"]);
    assert_eq!(result, Err(FeedError::Index(IndexError::Gap { last: 0 })));
    store.set_failure(Some(Failure::Refused));
    let (told, result) = run(&index, vec![Ok(hello_from("A", EPOCH)), Ok(register(1, ""))]).await;
    assert_eq!(told, ["resume 0"]);
    assert!(matches!(result, Err(FeedError::Index(IndexError::Store(_)))), "{result:?}");
    assert!(!knows(&index, "1"));
}

#[tokio::test]
async fn acknowledges_while_the_feed_is_open() {
    let index = open(&MemoryStore::default()).await;
    let (requests, incoming) = mpsc::channel::<Result<FeedRequest, ()>>(600);
    let (outgoing, mut answers) = mpsc::channel(600);
    let source = SourceId("A".into());
    let serve = feed(&index, &source, ReceiverStream::new(incoming), outgoing);
    let ask = async move {
        requests.send(Ok(hello_from("A", EPOCH))).await.unwrap();
        for cursor in 1..=BATCH_MAX as u64 + 1 {
            requests.send(Ok(register(cursor, ""))).await.unwrap();
        }
        let mut acknowledged = 0;
        while acknowledged <= BATCH_MAX as u64 {
            if let Some(Message::Ack(ack)) = answers.recv().await.unwrap().message {
                assert!(ack.cursor > acknowledged);
                acknowledged = ack.cursor;
            }
        }
    };
    let (served, ()) = tokio::join!(serve, ask);
    assert_eq!(served, Ok(()));
}
