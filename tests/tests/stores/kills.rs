//! `kill -9` of brokers that share a database, with writes in flight: nothing acknowledged is lost or there twice, and
//! the broker that lives is held up by nothing that the other had begun.

use super::{EPOCH, everything, open, open_database, section};
use crate::servers::{ROOT_PASSWORD, Server};
use severn_broker::index::{
    Event, What,
    store::{PostgresSettings, SqliteStore, Store},
};
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
const ANNOUNCED_MIN: u64 = 1_000;

/// Fewer decisions would tell too little.
const DECIDED_MIN: usize = 100;

/// Keeps a source's feed open, now to one broker and now to the other, as the connections break.
async fn keep_announcing(rig: &Rig, source_id: &str, ports: [u16; 2], acknowledged: &AtomicU64) {
    let feeder = Feeder { rig, source_id: source_id.to_owned(), epoch: EPOCH, pause: Duration::ZERO };
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

/// Two stewards decide about the same people, each at a broker of their own; one after the other is killed.
fn decide_and_kill(stewards: &mut [(&PathBuf, Option<Process>)], rig: &Rig) -> Vec<String> {
    let random = Seeded::new(5);
    let mut acknowledged = Vec::new();
    for turn in 0..KILLS_MAX {
        if turn >= KILLS_MIN && acknowledged.len() > DECIDED_MIN {
            break;
        }
        for (data, running) in stewards.iter_mut() {
            if running.is_none() {
                *running = Some(rig.steward(data).expect("the steward starts"));
            }
        }
        std::thread::sleep(Duration::from_millis(20 + random.next() % 80));
        let victim = turn % stewards.len();
        let mut process = stewards[victim].1.take().expect("it runs");
        assert_eq!(process.said.trim(), "ready", "it could open the index");
        acknowledged.extend(process.kill_and_read().expect("it was running"));
    }
    for (_, running) in stewards.iter_mut() {
        acknowledged.extend(running.take().map_or(Vec::new(), |mut p| p.kill_and_read().expect("it was running")));
    }
    acknowledged
}

async fn check_acknowledged(store: Arc<dyn Store>, acknowledged: &[String]) {
    let (events, _) = everything(&*store).await;
    let keys = events.iter().filter_map(Event::registration).filter_map(|(_, what)| match what {
        What::Linked { decision, .. } | What::Unlinked { decision, .. } => Some(decision.idempotency_key.to_string()),
        _ => None,
    });
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    keys.for_each(|key| *times.entry(key).or_default() += 1);
    assert!(acknowledged.len() > DECIDED_MIN, "{} are too few to tell", acknowledged.len());
    assert!(acknowledged.iter().all(|key| times.contains_key(key)), "no acknowledged decision is lost");
    assert!(times.values().all(|times| *times == 1), "none is there twice");
    open(store, 1).await;
}

#[tokio::test]
async fn decisions_survive_kills_on_every_store() {
    let server = Server::postgres();
    let folder = tempfile::tempdir().expect("a folder");
    let (rig, settings) = rig(folder.path(), &server, 0);
    let data = ["one", "two"].map(|name| folder.path().join(name));
    data.iter().for_each(|data| fs::create_dir(data).expect("a folder"));
    let acknowledged = decide_and_kill(&mut [(&data[0], None), (&data[1], None)], &rig);
    check_acknowledged(open_database(&settings).await, &acknowledged).await;

    let embedded = Rig { index: String::new(), ..rig };
    let acknowledged = decide_and_kill(&mut [(&data[0], None)], &embedded);
    check_acknowledged(Arc::new(SqliteStore::open(&data[0]).await.expect("it opens")), &acknowledged).await;
}
