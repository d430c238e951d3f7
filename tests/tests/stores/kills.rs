//! `kill -9` of brokers that share a database, with writes in flight: nothing acknowledged is lost or there twice, and
//! the broker that lives is held up by nothing that the other had begun.

use super::{EPOCH, everything, open, open_database, section, who};
use crate::servers::{ROOT_PASSWORD, Server};
use severn_broker::index::{
    Event, Index, Snapshots, What,
    store::{PostgresSettings, SqliteStore, Store},
};
use severn_trust::SystemClock;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tests::{
    bench::{
        load::Target,
        rig::{Process, Rig},
    },
    feeder::Feeder,
    keys::Seeded,
};

/// Kills, at least; more on a machine that is too busy for enough to be acknowledged between them.
const KILLS_MIN: usize = 20;
const KILLS_MAX: usize = 200;

/// Fewer announcements of a source would tell too little.
const ANNOUNCED_MIN: u64 = 500;

/// Fewer decisions would tell too little.
const DECIDED_MIN: u64 = 100;

/// Fewer snapshots that a kill cut off would tell too little.
const SNAPSHOTS_CUT_MIN: u64 = 5;

/// Keeps a source's feed open, now to one broker and now to the other, as the connections break.
async fn keep_announcing(rig: &Rig, source_id: &str, ports: [u16; 2], acknowledged: &AtomicU64) {
    let feeder = Feeder { rig, source_id: source_id.to_owned(), epoch: EPOCH, pause: Duration::from_millis(10) };
    for turn in 0.. {
        feeder.announce(ports[turn % 2], acknowledged).await.expect("the broker keeps the contract");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

struct Brokers<'a> {
    rig: &'a Rig,
    adapters: Vec<String>,
    running: Vec<(Process, u16)>,
}

impl Brokers<'_> {
    fn folder(&self, n: usize) -> PathBuf {
        self.rig.folder.join(format!("broker{n}"))
    }

    async fn start(&mut self, n: usize) {
        fs::create_dir_all(self.folder(n)).expect("a folder");
        let started = self.rig.broker_in(&self.folder(n), &self.adapters).await.expect("the broker starts");
        match self.running.get_mut(n) {
            Some(before) => *before = started,
            None => self.running.push(started),
        }
    }

    fn ports(&self) -> [u16; 2] {
        [self.running[0].1, self.running[1].1]
    }
}

/// A rig whose brokers keep their index in a new database, and that database's settings.
fn rig(folder: &Path, server: &Server, sources: usize) -> (Rig, PostgresSettings) {
    let mut rig = Rig::new(folder, PathBuf::from(env!("CARGO_BIN_EXE_party")), sources).expect("a rig");
    let password = folder.join("database-password");
    fs::write(&password, ROOT_PASSWORD).expect("a file");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("may close the file");
    let section = section(server, "severn");
    rig.index = format!("[index.postgres]\npassword_file = {password:?}\n{section}");
    (rig, toml::from_str(&section).expect("settings"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_of_either_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::postgres();
    let (rig, settings) = rig(folder.path(), &server, 2);
    let (_adapters, ports) = rig.adapters(2).expect("adapters");
    let mut brokers = Brokers { rig: &rig, adapters: ports, running: Vec::new() };
    brokers.start(0).await;
    brokers.start(1).await;
    let acknowledged = [AtomicU64::new(0), AtomicU64::new(0)];
    let last = || acknowledged.each_ref().map(|cursor| cursor.load(Ordering::SeqCst));
    let random = Seeded::new(20_261_122);
    for turn in 0..KILLS_MAX {
        if turn >= KILLS_MIN && last().iter().all(|cursor| *cursor > ANNOUNCED_MIN) {
            break;
        }
        let (before, ports) = (last(), brokers.ports());
        let wait = Duration::from_millis(100 + random.next() % 200);
        let victim = usize::try_from(random.next() % 2).expect("0 or 1");
        let feeds = futures::future::join(
            keep_announcing(&rig, "S000", ports, &acknowledged[0]),
            keep_announcing(&rig, "S001", [ports[1], ports[0]], &acknowledged[1]),
        );
        let killing = async {
            tokio::time::sleep(wait).await;
            brokers.running[victim].0.kill().expect("the broker was running");
            let at_kill = last();
            // The one that lives goes on, with both sources.
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if last().iter().zip(at_kill).all(|(now, then)| *now > then) {
                    return;
                }
            }
            panic!("loop {turn}: the broker that lives takes nothing more; {before:?}, {at_kill:?}, {:?}", last());
        };
        tokio::select! {
            _ = feeds => (),
            () = killing => (),
        }
        brokers.start(victim).await;
    }
    let acknowledged = last();
    assert!(acknowledged.iter().all(|cursor| *cursor > ANNOUNCED_MIN), "{acknowledged:?} are too few to tell");
    let (events, feeds) = everything(&*open_database(&settings).await).await;
    let mut times: BTreeMap<_, u64> = BTreeMap::new();
    for (registration, what) in events.iter().filter_map(Event::registration) {
        assert!(matches!(what, What::Registered { .. }), "{registration:?}");
        *times.entry(registration.clone()).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "nothing is there twice");
    for (n, acknowledged) in acknowledged.into_iter().enumerate() {
        let of_source = times.keys().filter(|key| *key.source.0 == Rig::source_id(n)).count() as u64;
        assert!(of_source >= acknowledged, "source {n}: {of_source} of {acknowledged} acknowledged");
        assert_eq!(feeds[n].cursor, of_source, "the feed stands where its registrations end");
        for port in brokers.ports() {
            let target = Target::new(&rig, port, true).expect("a target");
            assert!(target.knows(Rig::source_id(n), format!("k{acknowledged}")).await, "every broker knows the last");
        }
    }
}

/// What stewards acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// The keys of their decisions.
    decisions: Vec<String>,
    /// How far the feeds of their sources are.
    cursors: BTreeMap<String, u64>,
    /// How often one was killed while it wrote a snapshot.
    snapshots_cut: usize,
}

impl Acknowledged {
    fn take(&mut self, mut process: Process, data: &Path) {
        assert_eq!(process.said.trim(), "ready", "it could open the index");
        for line in process.kill_and_read().expect("it was running") {
            match line.split_once(' ') {
                Some((source, cursor)) => {
                    let last = self.cursors.entry(source.to_owned()).or_default();
                    *last = cursor.parse::<u64>().expect("a cursor").max(*last);
                }
                None => self.decisions.push(line),
            }
        }
        self.snapshots_cut += usize::from(data.join("index.snapshot.next").exists());
    }
}

/// Stewards decide about the same people, each at a broker of their own; one after the other is killed, so often.
fn decide_and_kill(data: &[PathBuf], rig: &Rig, kills: usize, seed: u64) -> Acknowledged {
    let random = Seeded::new(seed);
    let mut acknowledged = Acknowledged::default();
    let mut running: Vec<Option<Process>> = data.iter().map(|_| None).collect();
    for turn in 0..kills {
        for (n, (data, running)) in data.iter().zip(&mut running).enumerate() {
            if running.is_none() {
                *running = Some(rig.steward(data, &format!("F{n}")).expect("the steward starts"));
            }
        }
        std::thread::sleep(Duration::from_millis(40 + random.next() % 200));
        let victim = turn % data.len();
        acknowledged.take(running[victim].take().expect("it runs"), &data[victim]);
    }
    for (process, data) in running.into_iter().zip(data) {
        process.into_iter().for_each(|process| acknowledged.take(process, data));
    }
    acknowledged
}

/// Nothing that was acknowledged is lost or there twice, and what a snapshot gives is what all events give.
async fn check(stores: [Arc<dyn Store>; 2], data: &Path, acknowledged: &Acknowledged) {
    let [store, another] = stores;
    let (events, feeds) = everything(&*store).await;
    let keys = events.iter().filter_map(|event| match event.registration()?.1 {
        What::Linked { decision, .. } | What::Unlinked { decision, .. } | What::ToldApart { decision, .. } => {
            Some(decision.idempotency_key.to_string())
        }
        _ => None,
    });
    let decisions = times(keys);
    assert!(acknowledged.decisions.iter().all(|key| decisions.contains_key(key)), "no decision is lost");
    assert!(decisions.values().all(|times| *times == 1), "none is there twice");
    let registered = |event: &Event| event.registration().map(|(key, _)| key.clone()).filter(|_| is_registered(event));
    let registrations = times(events.iter().filter_map(registered));
    assert!(registrations.values().all(|times| *times == 1), "no registration is there twice");
    for (id, acknowledged) in &acknowledged.cursors {
        let of_source = registrations.keys().filter(|key| *key.source.0 == **id).count() as u64;
        assert!(of_source >= *acknowledged, "source {id}: {of_source} of {acknowledged} acknowledged");
        let feed = feeds.iter().find(|feed| *feed.source.0 == **id).expect("its feed is known");
        assert_eq!(feed.cursor, of_source, "the feed stands where its registrations end");
    }
    let from_snapshot =
        Index::open_with(Some(Snapshots::within(data)), another, Arc::new(SystemClock), Arc::new(Seeded::new(1)));
    let from_snapshot = from_snapshot.await.expect("it opens");
    let from_events = open(store, 1).await;
    for key in registrations.keys() {
        assert!(who(&from_events, key).is_some(), "every registration is known");
        assert_eq!(who(&from_snapshot, key), who(&from_events, key));
    }
}

fn is_registered(event: &Event) -> bool {
    event.registration().is_some_and(|(_, what)| matches!(what, What::Registered { .. }))
}

fn times<K: Ord>(all: impl Iterator<Item = K>) -> BTreeMap<K, u64> {
    let mut times = BTreeMap::new();
    all.for_each(|one| *times.entry(one).or_default() += 1);
    times
}

/// As many series side by side as keep two processors busy: most of the time they wait for a process to start.
const SERIES: usize = 4;

/// Kills in each series on the embedded store, and of the pair on PostgreSQL.
const KILLS_IN_A_SERIES: usize = 55;
const KILLS_OF_PAIR: usize = 40;

#[test]
fn decisions_feeds_and_snapshots_survive_kills_on_the_embedded_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 0).expect("a rig");
    let folders: Vec<PathBuf> = (0..SERIES).map(|n| folder.path().join(format!("series{n}"))).collect();
    let acknowledged: Vec<Acknowledged> = std::thread::scope(|scope| {
        let series = folders.iter().zip(1..).map(|(data, seed)| {
            let rig = &rig;
            scope.spawn(move || {
                fs::create_dir(data).expect("a folder");
                decide_and_kill(std::slice::from_ref(data), rig, KILLS_IN_A_SERIES, seed)
            })
        });
        let series: Vec<_> = series.collect();
        series.into_iter().map(|series| series.join().expect("a series ends")).collect()
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (data, acknowledged) in folders.iter().zip(&acknowledged) {
        runtime.block_on(async {
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(data).await.expect("it opens"));
            check([Arc::clone(&store), store], data, acknowledged).await;
        });
    }
    let count = |of: fn(&Acknowledged) -> u64| acknowledged.iter().map(of).sum::<u64>();
    let announced = count(|series| series.cursors.values().sum());
    let decided = count(|series| series.decisions.len() as u64);
    let cut = count(|series| series.snapshots_cut as u64);
    assert!(announced > ANNOUNCED_MIN && decided > DECIDED_MIN, "{announced} and {decided} are too few to tell");
    assert!(cut >= SNAPSHOTS_CUT_MIN, "only {cut} snapshots were cut off by a kill");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_feeds_and_snapshots_survive_kills_of_either_broker() {
    let server = Server::postgres();
    let folder = tempfile::tempdir().expect("a folder");
    let (rig, settings) = rig(folder.path(), &server, 0);
    let data = ["one", "two"].map(|name| folder.path().join(name));
    data.iter().for_each(|data| fs::create_dir(data).expect("a folder"));
    let acknowledged = decide_and_kill(&data, &rig, KILLS_OF_PAIR, 5);
    // All of it is asked at once, without a look at the database in between.
    let settings = PostgresSettings { stale_ms_max: 60_000, ..settings };
    let stores = [open_database(&settings).await, open_database(&settings).await];
    check(stores, &data[0], &acknowledged).await;
    assert!(acknowledged.decisions.len() as u64 > DECIDED_MIN, "{} are too few to tell", acknowledged.decisions.len());
}
