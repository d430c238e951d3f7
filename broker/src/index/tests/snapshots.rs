//! A start from a snapshot gives what a start from all events gives, and a snapshot with anything odd about it is as
//! good as none.

use super::{
    steps::{PLACES, Step, everything, known_at_place, run, step, take},
    *,
};
use crate::index::{
    saver::Start,
    snapshot::{Last, Odd},
    store::Batch,
};
use proptest::prelude::*;
use std::{collections::BTreeSet, fs, path::Path, time::Duration};

async fn open_in(folder: &Path, every: u64, store: &MemoryStore, seed: i64) -> Index {
    let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS + seed)));
    let entropy = Arc::new(TestEntropy(AtomicI64::new(seed << 32)));
    let snapshots = Snapshots::within(folder).at_least_every(every);
    Index::open_with(Some(snapshots), Arc::new(store.clone()), clock, entropy).await.unwrap()
}

/// An index of a few people and decisions, closed in order, and its store.
async fn closed_in(folder: &Path, seed: i64) -> MemoryStore {
    let store = MemoryStore::default();
    let index = open_in(folder, 1_000, &store, seed).await;
    for (name, given) in [("A/1", "Anna"), ("B/1", "Anna"), ("A/2", "Beth"), ("C/1", "John")] {
        register(&index, name, &smith(given)).await;
    }
    index.link(at("A/1"), at("C/1"), decision(1)).await.unwrap();
    index.tell_apart(at("A/1"), at("A/2"), decision(2)).await.unwrap();
    index.close().await;
    store
}

/// Whether an index would start from its snapshot, and what it then knows of Anna.
async fn start(folder: &Path, store: &MemoryStore) -> (u64, Vec<String>) {
    let saved = Start::read(Some(&Snapshots::within(folder)), store).await.unwrap().saved;
    let index = open_in(folder, 1_000, store, 9).await;
    (saved, known_at(&index, who(&index, "A/1")))
}

const ANNAS: [&str; 3] = ["A/1", "B/1", "C/1"];

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("index.snapshot")
}

#[tokio::test]
async fn a_cut_or_changed_snapshot_is_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = closed_in(folder.path(), 1).await;
    assert_eq!(start(folder.path(), &store).await, (7, ANNAS.map(str::to_owned).to_vec()));
    let good = fs::read(file(folder.path())).unwrap();
    let snapshots = Snapshots::within(folder.path());
    for at in (0..good.len()).step_by(good.len() / 300) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        for wrong in [&good[..at], &flipped] {
            fs::write(file(folder.path()), wrong).unwrap();
            assert!(snapshots.read().is_err(), "byte {at} of {}", good.len());
        }
    }
    assert_eq!(start(folder.path(), &store).await, (0, ANNAS.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_snapshot_of_another_history_is_as_good_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = closed_in(folder.path(), 1).await;
    let ours = fs::read(file(folder.path())).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = closed_in(elsewhere.path(), 2).await;
    fs::write(file(elsewhere.path()), &ours).unwrap();
    let (saved, anna) = start(elsewhere.path(), &other).await;
    assert_eq!((saved, anna), (0, ANNAS.map(str::to_owned).to_vec()));
    // Put back to a backup, the store holds less.
    let shorter = MemoryStore::default();
    let first = Batch { events: store.events()[..3].to_vec(), ..Batch::default() };
    shorter.append(&first).await.unwrap();
    assert_eq!(start(folder.path(), &shorter).await, (0, vec!["A/1".to_owned(), "B/1".to_owned()]));
    assert!(matches!(Snapshots::within(Path::new("/nowhere")).read(), Err(Odd::Missing)));
}

#[tokio::test]
async fn a_snapshot_is_written_when_enough_has_come_and_when_the_index_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let saved = || Snapshots::within(folder.path()).read().map(|(state, _)| state.sequence).unwrap_or_default();
    let index = open_in(folder.path(), 4, &store, 1).await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "A/2", &smith("Beth")).await;
    assert_eq!(saved(), 0, "the model and two registrations are not enough");
    register(&index, "A/3", &smith("Cleo")).await;
    index.locate(who(&index, "A/1")).unwrap();
    register(&index, "A/4", &smith("Dora")).await;
    assert_eq!(saved(), 4, "three are");
    index.save().await.unwrap();
    assert_eq!(saved(), 5, "told to");
    register(&index, "A/5", &smith("Edna")).await;
    index.close().await;
    assert_eq!(saved(), 6, "and closed");
}

#[tokio::test(start_paused = true)]
async fn snapshots_take_little_of_the_time_and_are_never_in_the_way_of_following_others() {
    let snapshots = Snapshots::within(Path::new("/nowhere"));
    let second = Duration::from_secs(1);
    let last = |sequence| Last { sequence, at: Instant::now(), took: second };
    let before = [0, 8_000_000].map(last);
    assert!(!snapshots.is_due(&before[0], 60_000, None), "one has just been written");
    tokio::time::advance(20 * second).await;
    for (last, sequence, due) in [(0, 49_999, false), (0, 50_000, true), (1, 8_049_999, false), (1, 8_050_000, true)] {
        assert_eq!(snapshots.is_due(&before[last], sequence, None), due, "{sequence}");
    }
    assert!(snapshots.is_due(&before[0], 100_000, Some(5 * second)));
    assert!(!snapshots.is_due(&before[0], 5_000_000, Some(5 * second)));
    assert!(Snapshots::is_due_at_close(&last(0), 1) && !Snapshots::is_due_at_close(&last(1_000_000), 1_000_001));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_snapshot_and_the_rest_give_what_all_events_give(steps in prop::collection::vec(step(), 1..40), every in 1..30_u64) {
        run(async { compare(&steps, every).await });
    }
}

/// Takes the steps in one index that writes a snapshot now and then, and starts others on what it left.
async fn compare(steps: &[Step], every: u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let index = open_in(folder.path(), every, &store, 1).await;
    let mut persons = BTreeSet::new();
    let [anna, beth] = [ANNA, BETH].map(|digits| NhsNumber::parse(digits).unwrap());
    for (n, step) in steps.iter().enumerate() {
        take(&index, n, step).await;
        match n {
            4 => drop(index.supersede(vec![[anna, beth]], "S1", "said by the national service").await.unwrap()),
            9 => drop(index.take_model(ScoringModel::small("another")).await.unwrap()),
            _ => {}
        }
        persons.extend(PLACES.iter().filter(|p| !known_at_place(&index, p).is_empty()).map(|p| who(&index, p)));
    }
    let snapshots = Snapshots::within(folder.path());
    let from_snapshot = Start::read(Some(&snapshots), &store).await.unwrap();
    let from_events = Start::read(None, &store).await.unwrap();
    let events = store.events().len() as u64;
    assert!(events < from_snapshot.saved + every.max(2) + PLACES.len() as u64, "snapshots are written and taken over");
    assert_eq!(from_snapshot.mark, from_events.mark);
    from_snapshot.state.check_same(&from_events.state);
    from_snapshot.state.check_whole();
    let one = open_in(folder.path(), 1_000, &store, 9).await;
    assert_eq!(everything(&index, &persons), everything(&one, &persons));
    // It goes on as if it had read all of them.
    register(&one, "D/1", &smith("Anna")).await;
    withdraw(&one, "D/1").await;
    let from_events = Start::read(None, &store).await.unwrap();
    assert_eq!(one.shared.read().unwrap().sections(), from_events.state.sections());
}
