//! A broker that shares its store, and hears of nothing that others write unless it reads.

use super::*;
use crate::index::store::{Batch, Content, Loaded, Mark};
use std::time::Duration;

struct Deaf(MemoryStore);

#[tonic::async_trait]
impl Store for Deaf {
    async fn load(&self, after: Mark, each: &mut (dyn FnMut(Event) + Send)) -> Result<Loaded, StoreError> {
        self.0.load(after, each).await
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        self.0.append(batch).await
    }

    async fn replace(&self, expected: Mark, content: &mut Content<'_>) -> Result<(), StoreError> {
        self.0.replace(expected, content).await
    }

    async fn changed(&self, _: Mark) {
        std::future::pending::<()>().await;
    }

    fn shared_for(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
}

/// A store, the broker that writes there first, and one that is deaf.
async fn two() -> (MemoryStore, Index, Index) {
    let store = MemoryStore::default();
    let first = open(Arc::new(store.clone()), 1).await;
    let second = open(Arc::new(Deaf(store.clone())), 2).await;
    (store, first, second)
}

#[tokio::test]
async fn nobody_is_refused_for_what_another_broker_has_changed() {
    let (store, first, second) = two().await;
    register(&first, "A/1", &smith("Anna")).await;
    register(&first, "B/1", &smith("Beth")).await;
    assert_eq!(second.feed_states().unwrap().len(), 0, "the other broker has not heard of them");
    let joined = second.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    assert_eq!(joined, who(&first, "A/1"), "it goes by the id that the first broker gave");
    register(&first, "A/2", &smith("Carl")).await;
    let next = FeedAnnounce { cursor: 3, change: Some(registered("A/3", &smith("Dora"))) };
    assert_eq!(second.announce(&source("A"), EPOCH, vec![next]).await, Ok(vec![]), "no gap: the first took cursor 2");
    let gap = FeedAnnounce { cursor: 9, change: Some(withdrawn("A/3")) };
    assert_eq!(second.announce(&source("A"), EPOCH, vec![gap]).await, Err(IndexError::Gap { last: 3 }));
    assert_eq!(written(&store), 5);
}

#[tokio::test]
async fn what_was_planned_on_an_older_index_is_planned_again() {
    let (store, first, second) = two().await;
    let same = || vec![FeedAnnounce { cursor: 1, change: Some(registered("A/1", &smith("Anna"))) }];
    first.announce(&source("A"), EPOCH, same()).await.unwrap();
    assert_eq!(second.announce(&source("A"), EPOCH, same()).await, Ok(vec![]));
    assert_eq!(written(&store), 1, "it is there once");
    assert_eq!(who(&first, "A/1"), who(&second, "A/1"));
    // A retry at the other broker is a retry.
    register(&first, "B/1", &smith("Beth")).await;
    let linked = first.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    assert_eq!(second.link(at("A/1"), at("B/1"), decision(1)).await, Ok(linked));
    assert_eq!(written(&store), 3);
}

#[tokio::test]
async fn a_broker_that_shares_its_store_finds_out_what_was_written() {
    let (store, _, broker) = two().await;
    store.set_failure(Some(Failure::Written));
    register(&broker, "A/1", &smith("Anna")).await;
    assert_eq!(written(&store), 1, "it was written, and not written again");
    store.set_failure(Some(Failure::Lost));
    let lost = announce(&broker, &source("A"), registered("A/2", &smith("Beth"))).await;
    assert!(matches!(lost, Err(IndexError::Store(StoreError::Unknown(_)))), "{lost:?}");
    assert_eq!(known_at(&broker, who(&broker, "A/1")), ["A/1"], "the index stays open: it knows what is durable");
    store.set_failure(None);
    register(&broker, "A/2", &smith("Beth")).await;
    assert_eq!(written(&store), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_hears_nothing_for_long_answers_nothing() {
    let (_, first, second) = two().await;
    register(&first, "A/1", &smith("Anna")).await;
    register(&second, "B/1", &smith("Beth")).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(matches!(second.locate(EnterpriseId(Uuid::nil())), Err(IndexError::Store(StoreError::Refused(_)))));
    assert!(first.feed_states().is_ok(), "one that is alone has nobody to hear");
    register_blind(&second).await;
    assert!(second.feed_states().is_ok(), "reading opens it again");
}

/// Announces without asking the index for its cursor first.
async fn register_blind(index: &Index) {
    let next = FeedAnnounce { cursor: 2, change: Some(registered("B/2", &smith("Carl"))) };
    assert_eq!(index.announce(&source("B"), EPOCH, vec![next]).await, Ok(vec![]));
}
