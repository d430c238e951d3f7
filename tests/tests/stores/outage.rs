//! A database that breaks down under its brokers: they say so, close before what they know is too old, and go on by
//! themselves when it is back, with everything that was acknowledged and nothing twice.

use super::{EPOCH, at, everything, open, open_database, registered, section, settings, smith, source, who};
use crate::servers::Server;
use severn_broker::index::{
    Event, Index, IndexError, What,
    store::{Batch, Mark, PostgresSettings, StoreError},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

const OUTAGES: usize = 4;

/// Announces one person after the other to whichever broker takes them, until told to stop; says how many were taken.
async fn announce(brokers: [Arc<Index>; 2], taken: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
    let mut turn = 0;
    while !stop.load(Ordering::SeqCst) {
        let next = taken.load(Ordering::SeqCst) + 1;
        let announced = registered("A", &next.to_string(), next, smith("Anna", ""));
        turn += 1;
        match brokers[turn % 2].announce(&source("A"), EPOCH, vec![announced]).await {
            Ok(_) => taken.store(next, Ordering::SeqCst),
            Err(IndexError::Store(StoreError::Refused(_) | StoreError::Unknown(_))) => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Waits for something that must come about; gives how long it took.
async fn until(what: &str, so: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

fn answers(broker: &Index) -> bool {
    match broker.feed_states() {
        Ok(_) => true,
        Err(IndexError::Store(StoreError::Refused(said))) => {
            assert!(said.contains("nothing was heard of it for too long"), "{said}");
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_outlive_their_database() {
    let mut server = Server::postgres();
    let settings = settings(&server, "outage");
    let brokers = [(); 2].map(|()| open_database(&settings));
    let stores = futures::future::join_all(brokers).await;
    let brokers = [Arc::new(open(stores[0].clone(), 1).await), Arc::new(open(stores[1].clone(), 1 << 40).await)];
    let (taken, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let announcing = tokio::spawn(announce(brokers.clone(), taken.clone(), stop.clone()));
    for outage in 0..OUTAGES {
        let before = taken.load(Ordering::SeqCst);
        until("announcements are taken", || taken.load(Ordering::SeqCst) > before + 20).await;
        server.crash();
        let closed = until("the brokers close", || brokers.iter().all(|broker| !answers(broker))).await;
        assert!(closed < Duration::from_secs(8), "outage {outage}: closed after {closed:?}");
        server = server.start_again();
        until("the brokers open", || brokers.iter().all(|broker| answers(broker))).await;
    }
    let before = taken.load(Ordering::SeqCst);
    until("announcements are taken again", || taken.load(Ordering::SeqCst) > before + 20).await;
    stop.store(true, Ordering::SeqCst);
    announcing.await.expect("it ends");

    let taken = taken.load(Ordering::SeqCst);
    let (events, feeds) = everything(&*stores[0]).await;
    let mut times = BTreeMap::new();
    for (registration, what) in events.iter().filter_map(Event::registration) {
        assert!(matches!(what, What::Registered { .. }));
        *times.entry(registration.local_id.clone()).or_insert(0) += 1;
    }
    assert!(times.values().all(|times| *times == 1), "nothing is there twice");
    let there = (1..=taken).all(|n| times.contains_key(&at("A", &n.to_string()).local_id));
    assert!(there && feeds[0].cursor == taken, "everything acknowledged is there: {} of {taken}", times.len());
    until("both know the last", || brokers.iter().all(|b| who(b, &at("A", &taken.to_string())).is_some())).await;
}

#[tokio::test]
async fn a_broker_whose_database_was_put_back_answers_nothing_any_more() {
    let server = Server::postgres();
    let settings: PostgresSettings = toml::from_str(&section(&server, "put_back")).expect("settings");
    let index = open(open_database(&settings).await, 1).await;
    let announced = |n: u64| vec![registered("A", &n.to_string(), n, smith("Anna", ""))];
    index.announce(&source("A"), EPOCH, announced(1)).await.expect("it is taken");
    let other = open_database(&settings).await;
    let mark = other.load(Mark::default(), &mut |_| ()).await.expect("it can be read").mark;
    let mut old = std::iter::once(Ok(Batch::default()));
    other.replace(mark, &mut old).await.expect("it is replaced");
    until("it closes", || index.feed_states() == Err(IndexError::Poisoned)).await;
    assert_eq!(index.announce(&source("A"), EPOCH, announced(2)).await, Err(IndexError::Poisoned));
    let found = everything(&*open_database(&settings).await).await;
    assert_eq!(found, (vec![], vec![]), "and it wrote nothing into the other history");
}
