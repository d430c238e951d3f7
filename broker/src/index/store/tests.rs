use super::*;
use crate::{
    index::event::{Decision, RegistrationKey, Undone, What},
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use std::sync::Arc;
use uuid::Uuid;

fn key(local_id: &str) -> RegistrationKey {
    RegistrationKey { source: SourceId("RRK".into()), local_id: LocalId(local_id.into()) }
}

/// One event of each kind.
fn events() -> Vec<Event> {
    let decision = || Decision {
        by: "steward".into(),
        reason: "O'Brien; DROP TABLE index_events".into(),
        idempotency_key: Uuid::from_u128(7),
    };
    let body = Bytes::from_static(b"\x00\xff'");
    let person = EnterpriseId(Uuid::from_u128(9));
    let kinds = [
        What::Registered { body: body.clone(), person },
        What::Changed { body, person },
        What::Linked { with: key("2"), decision: decision() },
        What::Unlinked { undone: Undone::Link, decision: decision() },
        What::Unlinked { undone: Undone::Rule, decision: decision() },
        What::DoNotLink { with: key("2") },
        What::Withdrawn,
    ];
    let numbered = (1..).zip(kinds);
    numbered.map(|(sequence, what)| Event { sequence, at_ms: 5, registration: key("1' --"), what }).collect()
}

fn feed(epoch: u128, cursor: u64) -> FeedPosition {
    FeedPosition { source: SourceId("RRK".into()), epoch: Uuid::from_u128(epoch), cursor, heard_at_ms: 11 }
}

async fn load(store: &dyn Store) -> (Vec<Event>, Vec<FeedPosition>) {
    let mut events = Vec::new();
    let feeds = store.load(&mut |event| events.push(event)).await.unwrap();
    (events, feeds)
}

/// What every store must do.
async fn check(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    assert_eq!(load(&*store).await, (vec![], vec![]));
    let events = events();
    store.append(&Batch { events: events[..3].to_vec(), feeds: vec![feed(1, 3)] }).await.unwrap();
    store.append(&Batch { events: events[3..].to_vec(), feeds: vec![feed(2, 4)] }).await.unwrap();
    let expected = (events, vec![feed(2, 4)]);
    assert!(load(&*store).await == expected);
    drop(store);
    assert!(load(&*open().await).await == expected);
}

#[tokio::test]
async fn memory_gives_back_what_it_took() {
    let store = MemoryStore::default();
    check(async || Arc::new(store.clone()) as Arc<dyn Store>).await;
}

#[tokio::test]
async fn sqlite_gives_back_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    check(async || Arc::new(SqliteStore::open(folder.path()).await.unwrap()) as Arc<dyn Store>).await;
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let events = events();
    store.append(&Batch { events: events[..2].to_vec(), feeds: vec![feed(1, 1)] }).await.unwrap();
    // The second event of this batch has a sequence that is taken.
    let clash = vec![events[2].clone(), events[1].clone()];
    let error = store.append(&Batch { events: clash, feeds: vec![feed(1, 9)] }).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert!(load(&store).await == (events[..2].to_vec(), vec![feed(1, 1)]));
    // And the store goes on.
    store.append(&Batch { events: events[2..].to_vec(), feeds: vec![] }).await.unwrap();
    assert!(load(&store).await.0 == events);
}

#[tokio::test]
async fn a_lost_event_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).await.unwrap();
    let events = events();
    store.append(&Batch { events: vec![events[0].clone(), events[2].clone()], feeds: vec![] }).await.unwrap();
    let error = store.load(&mut |_| ()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
}
