//! Several brokers on one store come to the same persons under the same ids, whatever they do at the same time.

use super::{EPOCH, at, everything, open, open_database, registered, settings, smith, source, who};
use crate::servers::Server;
use futures::future::join_all;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use severn_broker::index::{
    Decision, Event, Index, IndexError, RegistrationKey, What,
    store::{MemoryStore, Store},
};
use severn_proto::v1::{FeedAnnounce, LocalId, feed_announce::Change};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use uuid::Uuid;

const NUMBERS: [&str; 4] = ["", "9434765919", "9990000018", "rubbish"];
const LOCAL_IDS: [&str; 3] = ["1", "2", "3"];

/// Each broker hears two sources of its own; stewards at either decide about all of them.
const SOURCES: [[&str; 2]; 2] = [["A", "B"], ["C", "D"]];

#[derive(Clone, Debug)]
enum Step {
    Register { source: usize, local_id: usize, given: usize, number: usize, verified: bool },
    Withdraw { source: usize, local_id: usize },
    Link(RegistrationKey, RegistrationKey),
    Unlink(RegistrationKey),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..4_usize, 0..3_usize).prop_map(|(s, l)| at(SOURCES[s / 2][s % 2], LOCAL_IDS[l]));
    prop_oneof![
        6 => (0..2_usize, 0..3_usize, 0..2_usize, 0..4_usize, any::<bool>()).prop_map(
            |(source, local_id, given, number, verified)| Step::Register { source, local_id, given, number, verified }
        ),
        1 => (0..2_usize, 0..3_usize).prop_map(|(source, local_id)| Step::Withdraw { source, local_id }),
        3 => (place(), place()).prop_map(|(a, b)| Step::Link(a, b)),
        3 => place().prop_map(Step::Unlink),
    ]
}

fn histories() -> impl Strategy<Value = [Vec<Step>; 2]> {
    let one = || prop::collection::vec(step(), 1..40);
    [one(), one()]
}

/// What one broker is asked, one after the other; how many announcements changed something is for the events to tell.
async fn run(broker: usize, index: &Index, steps: &[Step]) {
    for (n, step) in steps.iter().enumerate() {
        let decision = Decision {
            by: "steward".into(),
            reason: "seen both passports".into(),
            idempotency_key: Uuid::from_u128((broker * 1_000 + n) as u128),
        };
        let result = match step {
            Step::Register { source, local_id, given, number, verified } => {
                let mut person = smith(["Anna", "Beth"][*given], NUMBERS[*number]);
                person.nhs_number_verified = *verified;
                let id = SOURCES[broker][*source];
                announce(index, id, registered(id, LOCAL_IDS[*local_id], 0, person)).await
            }
            Step::Withdraw { source, local_id } => {
                let id = LocalId { value: LOCAL_IDS[*local_id].into(), ..LocalId::default() };
                let change = Some(Change::Withdrawn(id));
                announce(index, SOURCES[broker][*source], FeedAnnounce { cursor: 0, change }).await
            }
            Step::Link(a, b) => index.link(a.clone(), b.clone(), decision).await.map(drop),
            Step::Unlink(registration) => index.unlink(registration.clone(), decision).await.map(drop),
        };
        match result {
            Ok(()) | Err(IndexError::Conflict(_) | IndexError::UnknownRegistration | IndexError::Invalid { .. }) => {}
            Err(other) => panic!("{step:?}: {other}"),
        }
    }
}

async fn announce(index: &Index, id: &str, announced: FeedAnnounce) -> Result<(), IndexError> {
    let cursor = index.feed_cursor(&source(id), EPOCH)? + 1;
    let refusals = index.announce(&source(id), EPOCH, vec![FeedAnnounce { cursor, ..announced }]).await?;
    assert_eq!(refusals, []);
    Ok(())
}

fn places() -> impl Iterator<Item = RegistrationKey> {
    SOURCES.into_iter().flatten().flat_map(|s| LOCAL_IDS.into_iter().map(move |l| at(s, l)))
}

/// All that can be asked of an index about everybody in it.
fn told(index: &Index) -> String {
    let mut all = String::new();
    let mut persons = BTreeSet::new();
    for key in places() {
        let person = who(index, &key);
        all += &format!("{}: {person:?}\n", key.source);
        persons.extend(person);
    }
    for person in persons {
        let id = severn_broker::model::EnterpriseId(person.parse().expect("a UUID"));
        all += &format!("{:?}\n", index.locate(id).expect("the index answers"));
        all += &format!("{:?}\n", index.history(id).expect("the index answers"));
    }
    let feeds = index.feed_states().expect("the index answers");
    let feeds: Vec<_> = feeds.values().map(|feed| (feed.position, feed.registrations)).collect();
    all + &format!("{:?}\n{feeds:?}", index.review_queue(100, &[]).expect("the index answers").pairs)
}

async fn same_in_the_end(indexes: &[Index; 2]) {
    for _ in 0..200 {
        if told(&indexes[0]) == told(&indexes[1]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told(&indexes[0]), told(&indexes[1]), "both brokers come to the same persons");
}

fn check_events(events: &[Event]) {
    let mut keys = BTreeSet::new();
    for (_, what) in events.iter().filter_map(Event::registration) {
        if let What::Linked { decision, .. } | What::Unlinked { decision, .. } = what {
            assert!(keys.insert(decision.idempotency_key), "no decision is carried out twice");
        }
    }
}

/// Two brokers on two views of one store, at work at the same time.
async fn check(stores: [Arc<dyn Store>; 2], steps: &[Vec<Step>; 2]) {
    let [first, second] = stores;
    let indexes = [open(first.clone(), 1).await, open(second, 1 << 40).await];
    tokio::join!(run(0, &indexes[0], &steps[0]), run(1, &indexes[1], &steps[1]));
    same_in_the_end(&indexes).await;
    check_events(&everything(&*first).await.0);
    let fresh = open(first, 3).await;
    assert_eq!(told(&indexes[0]), told(&fresh), "and so does one that starts on the same store");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn two_brokers_on_one_memory_agree(steps in histories()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = MemoryStore::default();
            check([Arc::new(store.clone()), Arc::new(store)], &steps).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_brokers_on_one_database_agree() {
    let server = Server::postgres();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    for n in 0..25 {
        let steps = histories().new_tree(&mut runner).expect("histories").current();
        let settings = settings(&server, &format!("agree{n}"));
        check([open_database(&settings).await, open_database(&settings).await], &steps).await;
    }
}

async fn check_one_decision(stores: Vec<Arc<dyn Store>>) {
    let mut indexes = Vec::new();
    for (n, store) in stores.iter().enumerate() {
        indexes.push(open(store.clone(), (n as u64) << 40).await);
    }
    for (id, given) in [("A", "Anna"), ("B", "Beth"), ("C", "Carl")] {
        announce(&indexes[0], id, registered(id, "1", 0, smith(given, ""))).await.expect("it is taken");
    }
    let decision = |key| Decision { by: "S1".into(), reason: "seen both passports".into(), idempotency_key: key };
    let (key, retried) = (Uuid::from_u128(7), at("A", "1"));
    // At once, though not every broker may have heard of the registrations yet.
    let same = join_all(indexes.iter().map(|index| index.link(retried.clone(), at("B", "1"), decision(key)))).await;
    let one: BTreeSet<String> =
        same.into_iter().map(|person| person.expect("every retry is told the same").to_string()).collect();
    assert_eq!(one.len(), 1, "one person");
    // Each broker is asked to take the same registration out, by a decision of its own: one of them does.
    let taken_out = (100..).zip(&indexes).map(|(n, i)| i.unlink(at("B", "1"), decision(Uuid::from_u128(n))));
    let taken_out = join_all(taken_out).await;
    let (done, refused): (Vec<_>, Vec<_>) = taken_out.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1, "{refused:?}");
    assert!(refused.iter().all(|said| matches!(said, Err(IndexError::Conflict(_)))), "{refused:?}");
    let (events, _) = everything(&*stores[0]).await;
    let kinds: Vec<&str> = events.iter().filter_map(Event::registration).map(|(_, what)| what.kind()).collect();
    assert_eq!(kinds, ["registered", "registered", "registered", "linked", "unlinked", "do-not-link"]);
}

#[tokio::test]
async fn one_decision_sent_to_every_broker_is_carried_out_once() {
    let memory = MemoryStore::default();
    check_one_decision(vec![Arc::new(memory.clone()), Arc::new(memory)]).await;
    let server = Server::postgres();
    let settings = settings(&server, "decisions");
    check_one_decision(join_all((0..4).map(|_| open_database(&settings))).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_brokers_that_write_all_the_time_all_get_on() {
    let server = Server::postgres();
    let settings = settings(&server, "busy");
    let store = open_database(&settings).await;
    let brokers = (0..4_u64).map(async |broker| {
        let index = open(open_database(&settings).await, broker << 40).await;
        let id = format!("S{broker}");
        for n in 1..=100 {
            announce(&index, &id, registered(&id, &n.to_string(), 0, smith("Anna", ""))).await.expect("it is taken");
        }
    });
    join_all(brokers).await;
    let (events, feeds) = everything(&*store).await;
    assert_eq!(events.iter().filter_map(Event::registration).count(), 400);
    assert!(feeds.len() == 4 && feeds.iter().all(|feed| feed.cursor == 100));
}
