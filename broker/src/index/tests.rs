use super::*;
use crate::model::LocalId;
use severn_proto::v1::{
    self as wire, Address, Demographics, FeedHeartbeat, HumanName, Registration, Sex, feed_announce::Change,
};
use std::sync::atomic::AtomicI64;
use store::{Failure, MemoryStore, SqliteStore};

mod as_at;
mod brokers;
mod facts;
mod histories;
mod quality;
mod rubbish;
mod search;
mod snapshots;
mod steps;
mod stewards;
mod suspended;
mod undo;
mod upkeep;
mod world;

/// 1 May 2026.
const NOW_MS: i64 = 1_777_593_600_000;

pub const ANNA: &str = "9434765919";
pub const BETH: &str = "9990000018";

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// The same numbers each time, none twice.
struct TestEntropy(AtomicI64);

impl Entropy for TestEntropy {
    fn fill(&self, out: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        out.iter_mut().zip(next.iter().rev().cycle()).for_each(|(o, n)| *o = *n);
    }
}

pub async fn open(store: Arc<dyn Store>, seed: i64) -> Index {
    let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
    Index::open(store, clock, Arc::new(TestEntropy(AtomicI64::new(seed << 32)))).await.unwrap()
}

pub async fn memory() -> (MemoryStore, Index) {
    let store = MemoryStore::default();
    let index = open(Arc::new(store.clone()), 1).await;
    (store, index)
}

/// How many events are about a registration.
pub fn written(store: &MemoryStore) -> usize {
    store.events().iter().filter_map(Event::registration).count()
}

pub fn source(id: &str) -> SourceId {
    SourceId(id.into())
}

/// A registration from "SOURCE/LOCAL".
pub fn at(name: &str) -> RegistrationKey {
    let (id, local_id) = name.split_once('/').unwrap();
    RegistrationKey { source: source(id), local_id: LocalId(local_id.into()) }
}

/// What most people of these tests share.
pub fn smith(given: &str) -> Demographics {
    Demographics {
        names: vec![HumanName { family: "Smith".into(), given: vec![given.into()], ..HumanName::default() }],
        birth_date: "1980-02-01".into(),
        sex: Sex::Female.into(),
        addresses: vec![Address { postcode: "B15 2TH".into(), ..Address::default() }],
        ..Demographics::default()
    }
}

pub fn numbered(number: &str, given: &str) -> Demographics {
    Demographics { nhs_number: number.into(), ..smith(given) }
}

pub fn registered(name: &str, demographics: &Demographics) -> Change {
    let key = at(name);
    Change::Registered(Registration {
        source_id: key.source.to_string(),
        local_id: Some(wire::LocalId { assigning_authority: String::new(), value: key.local_id.0.to_string() }),
        demographics: Some(demographics.clone()),
        ..Registration::default()
    })
}

pub fn withdrawn(name: &str) -> Change {
    Change::Withdrawn(wire::LocalId { assigning_authority: String::new(), value: at(name).local_id.0.to_string() })
}

const EPOCH: Uuid = Uuid::from_u128(1);

/// Announces one change as the next of its source.
pub async fn announce(index: &Index, source: &SourceId, change: Change) -> Result<Vec<Refusal>, IndexError> {
    let cursor = index.feed_cursor(source, EPOCH)? + 1;
    index.announce(source, EPOCH, vec![FeedAnnounce { cursor, change: Some(change) }]).await
}

pub async fn register(index: &Index, name: &str, demographics: &Demographics) {
    assert_eq!(announce(index, &at(name).source, registered(name, demographics)).await.unwrap(), []);
}

pub async fn withdraw(index: &Index, name: &str) {
    assert_eq!(announce(index, &at(name).source, withdrawn(name)).await.unwrap(), []);
}

/// The person of a registration.
pub fn who(index: &Index, name: &str) -> EnterpriseId {
    let RegistrationKey { source, local_id } = at(name);
    match index.resolve(&Search::Registration { source, local_id }).unwrap() {
        Resolved::One(found) => found.person.id,
        other => panic!("{name}: {other:?}"),
    }
}

/// The registrations of a person, "SOURCE/LOCAL".
pub fn known_at(index: &Index, person: EnterpriseId) -> Vec<String> {
    let located = index.locate(person).unwrap().map(|p| p.located).unwrap_or_default();
    located.iter().map(|l| format!("{}/{}", l.source, l.local_id.0)).collect()
}

pub fn decision(key: u128) -> Decision {
    Decision { by: "S1".into(), reason: "seen both passports".into(), idempotency_key: Uuid::from_u128(key) }
}

fn by_number(number: &str, birth_date: &str) -> Search {
    Search::Number { number: severn_trust::NhsNumber::parse(number).unwrap(), birth_date: birth_date.into() }
}

fn by_name(given: &str, postcode: &str) -> Search {
    Search::Demographics {
        family: "SMITH".into(),
        given: given.into(),
        birth_date: "1980-02-01".into(),
        sex: Sex::Unspecified,
        postcode: postcode.into(),
        phone: String::new(),
    }
}

/// "one X", "possible X Y", "nobody", "too many": the sources' names of whom was found.
fn found(index: &Index, search: &Search) -> String {
    let names = |f: &Found| known_at(index, f.person.id).join("+");
    match index.resolve(search).unwrap() {
        Resolved::One(found) => format!("one {}", names(&found)),
        Resolved::Possible(found) => {
            let mut names: Vec<String> = found.iter().map(names).collect();
            names.sort();
            format!("possible {}", names.join(" "))
        }
        Resolved::Nobody => "nobody".into(),
        Resolved::TooMany => "too many".into(),
    }
}

#[tokio::test]
async fn one_person_at_three_sources() {
    let (_, index) = memory().await;
    register(&index, "GP/1", &numbered(ANNA, "Anna")).await;
    register(&index, "RRK/7", &numbered("943 476 5919", "Anna")).await;
    register(&index, "LA/3", &smith("Anna")).await;
    let person = who(&index, "GP/1");
    assert_eq!(known_at(&index, person), ["GP/1", "LA/3", "RRK/7"]);
    let golden = index.locate(person).unwrap().unwrap().golden;
    assert_eq!((golden.nhs_number.as_str(), golden.birth_date.as_str()), (ANNA, "1980-02-01"));
    for (search, expected) in [
        (by_number(ANNA, "1980-02-01"), "one GP/1+LA/3+RRK/7"),
        (by_number(ANNA, "1980-02-02"), "nobody"),
        (by_number(ANNA, ""), "nobody"),
        (by_number(BETH, "1980-02-01"), "nobody"),
        (by_name("anna", "b152th"), "one GP/1+LA/3+RRK/7"),
        (by_name("Anna", ""), "possible GP/1+LA/3+RRK/7"),
        (by_name("Anna", "B1 1AA"), "possible GP/1+LA/3+RRK/7"),
        (by_name("Anna Maria", "B15 2TH"), "one GP/1+LA/3+RRK/7"),
        (by_name("Beth", "B15 2TH"), "possible GP/1+LA/3+RRK/7"),
        (by_name("", ""), "possible GP/1+LA/3+RRK/7"),
    ] {
        assert_eq!(found(&index, &search), expected);
    }
}

#[tokio::test]
async fn traps_stay_apart() {
    let (_, index) = memory().await;
    // Twins at one address; father and son of one name; one number on two people; somebody unidentified, twice.
    register(&index, "A/twin", &smith("Anna")).await;
    register(&index, "B/twin", &smith("Beth")).await;
    register(&index, "A/father", &numbered(ANNA, "John")).await;
    register(&index, "B/son", &Demographics { birth_date: "2005-02-01".into(), ..smith("John") }).await;
    register(&index, "B/overlaid", &Demographics { birth_date: "1990-03-03".into(), ..numbered(ANNA, "Zoe") }).await;
    register(&index, "A/unknown", &smith("Unknown")).await;
    register(&index, "B/unknown", &smith("Unknown")).await;
    for name in ["A/twin", "B/twin", "A/father", "B/son", "B/overlaid", "A/unknown", "B/unknown"] {
        assert_eq!(known_at(&index, who(&index, name)), [name]);
    }
    assert_eq!(found(&index, &by_number(ANNA, "1980-02-01")), "one A/father");
    assert_eq!(found(&index, &by_number(ANNA, "1990-03-03")), "one B/overlaid");
    // Who gives no given name is shown all who may be meant.
    let all = "possible A/father A/twin A/unknown B/twin B/unknown";
    assert_eq!(found(&index, &by_name("Unknown", "B15 2TH")), all);
    let queue = index.review_queue(10, &[]).unwrap().pairs;
    let why: Vec<&str> = queue.iter().map(|pair| pair.why.as_str()).collect();
    assert_eq!(why[0], "NHS number overlaid: one number, but two people by everything else");
    assert_eq!(index.review_queue(0, &[]).unwrap().pairs, []);
}

#[tokio::test]
async fn a_number_without_a_whole_birth_date_is_possible_only() {
    let (_, index) = memory().await;
    register(&index, "A/1", &Demographics { birth_date: "1980".into(), ..numbered(ANNA, "Anna") }).await;
    assert_eq!(found(&index, &by_number(ANNA, "1980-02-01")), "possible A/1");
    assert_eq!(found(&index, &by_number(ANNA, "1981-02-01")), "nobody");
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(found(&index, &by_number(ANNA, "1980-02-01")), "one A/1+B/1");
}

#[tokio::test]
async fn namesakes_are_told_apart_by_postcode_only_where_all_have_one() {
    let (_, index) = memory().await;
    let moved = |code: &str| Demographics {
        addresses: vec![Address { postcode: code.into(), ..Address::default() }],
        ..smith("Anna")
    };
    register(&index, "A/1", &moved("B1 1AA")).await;
    register(&index, "A/2", &moved("B2 2BB")).await;
    assert_eq!(found(&index, &by_name("Anna", "B2 2BB")), "one A/2");
    assert_eq!(found(&index, &by_name("Anna", "B3 3CC")), "possible A/1 A/2");
    register(&index, "A/3", &moved("")).await;
    assert_eq!(found(&index, &by_name("Anna", "B2 2BB")), "possible A/1 A/2 A/3");
    for n in 4..=22 {
        register(&index, &format!("A/{n}"), &moved("")).await;
    }
    assert_eq!(found(&index, &by_name("Anna", "B2 2BB")), "too many");
}

#[tokio::test]
async fn a_number_that_is_none_links_nobody_but_hides_nobody() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered("9434765918", "Anna")).await;
    register(&index, "B/1", &numbered("0000000000", "Beth")).await;
    register(&index, "C/1", &numbered("n/a", "Anna")).await;
    assert_eq!(index.feed_states().unwrap()[&source("A")].unusable_numbers, 1);
    assert_eq!(found(&index, &by_name("Anna", "B15 2TH")), "one A/1+C/1");
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(index.feed_states().unwrap()[&source("A")].unusable_numbers, 0);
}

#[tokio::test]
async fn announcing_twice_changes_nothing() {
    let (store, index) = memory().await;
    let change = |cursor, change| FeedAnnounce { cursor, change: Some(change) };
    let anna = || registered("A/1", &numbered(ANNA, "Anna"));
    let all = || vec![change(1, anna()), change(2, registered("A/2", &smith("Beth"))), change(3, withdrawn("A/2"))];
    index.announce(&source("A"), EPOCH, all()).await.unwrap();
    let person = who(&index, "A/1");
    let appends = store.appends();
    index.announce(&source("A"), EPOCH, all()).await.unwrap();
    assert_eq!(store.appends(), appends, "nothing was written");
    assert_eq!(index.feed_cursor(&source("A"), EPOCH).unwrap(), 3);
    assert_eq!(index.announce(&source("A"), EPOCH, vec![change(5, anna())]).await, Err(IndexError::Gap { last: 3 }),);
    // A new epoch starts again; what did not change makes no event.
    let epoch = Uuid::from_u128(2);
    assert_eq!(index.feed_cursor(&source("A"), epoch).unwrap(), 0);
    assert_eq!(index.announce(&source("A"), epoch, vec![change(4, anna())]).await, Err(IndexError::Gap { last: 0 }));
    let heartbeat = change(2, Change::Heartbeat(FeedHeartbeat { registrations: 1 }));
    index.announce(&source("A"), epoch, vec![change(1, anna()), heartbeat]).await.unwrap();
    assert_eq!(written(&store), 3);
    assert_eq!(who(&index, "A/1"), person);
    assert_eq!(index.feed_cursor(&source("A"), epoch).unwrap(), 2);
    let feed = &index.feed_states().unwrap()[&source("A")];
    assert_eq!((feed.registrations, feed.source_counts), (1, Some(1)));
    assert!(feed.heard_at_ms >= NOW_MS);
}

#[tokio::test]
async fn a_heartbeat_may_repeat_the_last_cursor() {
    let (_, index) = memory().await;
    let heartbeat = |cursor, registrations| FeedAnnounce {
        cursor,
        change: Some(Change::Heartbeat(FeedHeartbeat { registrations })),
    };
    let anna = FeedAnnounce { cursor: 1, change: Some(registered("A/1", &numbered(ANNA, "Anna"))) };
    let counted = |index: &Index| index.feed_states().unwrap()[&source("A")].source_counts;
    index.announce(&source("A"), EPOCH, vec![anna, heartbeat(1, 1)]).await.unwrap();
    assert_eq!((index.feed_cursor(&source("A"), EPOCH).unwrap(), counted(&index)), (1, Some(1)));
    index.announce(&source("A"), EPOCH, vec![heartbeat(1, 5)]).await.unwrap();
    assert_eq!((index.feed_cursor(&source("A"), EPOCH).unwrap(), counted(&index)), (1, Some(5)));
}

#[tokio::test]
async fn rubbish_is_refused_by_name_and_costs_only_itself() {
    let (_, index) = memory().await;
    let changes = [
        Some(registered("A/1", &Demographics { birth_date: "2027-01-01".into(), ..smith("Anna") })),
        Some(registered("B/1", &smith("Anna"))),
        Some(withdrawn("A/")),
        None,
        Some(registered("A/2", &smith("Anna"))),
    ];
    let announcements = (1..).zip(changes).map(|(cursor, change)| FeedAnnounce { cursor, change }).collect();
    let refusals = index.announce(&source("A"), EPOCH, announcements).await.unwrap();
    let refused: Vec<(u64, &str)> = refusals.iter().map(|r| (r.cursor, r.field)).collect();
    assert_eq!(
        refused,
        [(1, "registered.demographics.birth_date"), (2, "registered.source_id"), (3, "withdrawn.value"), (4, "change")]
    );
    assert_eq!(known_at(&index, who(&index, "A/2")), ["A/2"]);
    assert_eq!(index.feed_cursor(&source("A"), EPOCH).unwrap(), 5);
}

#[tokio::test]
async fn a_refusing_store_changes_nothing_and_an_unknown_end_closes_the_index() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    store.set_failure(Some(Failure::Refused));
    let beth = || registered("A/2", &smith("Beth"));
    assert!(matches!(announce(&index, &source("A"), beth()).await, Err(IndexError::Store(_))));
    // Anna is born on Beth's day and of her family: she may be meant as long as no Beth is known.
    assert_eq!(found(&index, &by_name("Beth", "")), "possible A/1");
    store.set_failure(None);
    register(&index, "A/2", &smith("Beth")).await;
    for failure in [Failure::Written, Failure::Lost] {
        let index = open(Arc::new(store.clone()), 2).await;
        store.set_failure(Some(failure));
        assert_eq!(announce(&index, &source("A"), withdrawn("A/2")).await, Err(IndexError::Poisoned));
        assert_eq!(index.resolve(&by_name("Anna", "")), Err(IndexError::Poisoned));
        assert_eq!(index.locate(EnterpriseId(Uuid::nil())), Err(IndexError::Poisoned));
        store.set_failure(None);
        assert_eq!(announce(&index, &source("A"), withdrawn("A/2")).await, Err(IndexError::Poisoned));
        let reopened = open(Arc::new(store.clone()), 3).await;
        let expected = if failure == Failure::Written { "possible A/1" } else { "possible A/2" };
        assert_eq!(found(&reopened, &by_name("Beth", "")), expected);
        if failure == Failure::Written {
            register(&reopened, "A/2", &smith("Beth")).await;
        }
    }
}

#[tokio::test]
async fn many_feeds_share_one_write() {
    let (store, index) = memory().await;
    let sources: Vec<SourceId> = (0..32).map(|n| source(&format!("S{n}"))).collect();
    let all = sources.iter().map(|s| announce(&index, s, registered(&format!("{s}/1"), &numbered(ANNA, "Anna"))));
    let results = futures::future::join_all(all).await;
    assert!(results.into_iter().all(|r| r == Ok(vec![])));
    assert!(store.appends() <= 2, "{} writes", store.appends());
    assert_eq!(known_at(&index, who(&index, "S0/1")).len(), 32);
}

#[tokio::test]
async fn a_number_that_many_people_share_links_none_of_them() {
    let (_, index) = memory().await;
    let given = ["Anna", "Beth", "Carl", "Dora", "Ewan", "Fred", "Gwen", "Hugh", "Ivor", "Jane", "Kate"];
    let somebody = |n: usize| Demographics {
        birth_date: format!("{}-{:02}-{:02}", 1930 + n % 70, 1 + n % 12, 1 + n % 28),
        addresses: vec![Address { postcode: format!("B{} {}AA", 1 + n % 40, n % 9), ..Address::default() }],
        ..numbered(ANNA, given[n % given.len()])
    };
    let announce =
        |n: usize| FeedAnnounce { cursor: n as u64 + 1, change: Some(registered(&format!("A/{n}"), &somebody(n))) };
    index.announce(&source("A"), EPOCH, (0..250).map(announce).collect()).await.unwrap();
    for n in 0..250 {
        assert_eq!(known_at(&index, who(&index, &format!("A/{n}"))).len(), 1, "{n}");
    }
    assert_eq!(found(&index, &by_number(ANNA, &somebody(7).birth_date)), "too many");
    withdraw(&index, "A/7").await;
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn who_hangs_up_leaves_nothing_half_done() {
    let (_, index) = memory().await;
    let caller = source("A");
    let announced = announce(&index, &caller, registered("A/1", &smith("Anna")));
    // Polled once, so that it is asked for, and dropped before it is done.
    assert!(futures::FutureExt::now_or_never(announced).is_none());
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1"]);
}

#[tokio::test]
async fn ids_survive_joins_moves_and_leavers() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &numbered(BETH, "Beth")).await;
    let (anna, beth) = (who(&index, "A/1"), who(&index, "B/1"));
    // B's number is corrected: the older id stays, the younger forwards.
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(who(&index, "B/1"), anna);
    assert_eq!(known_at(&index, beth), ["A/1", "B/1"]);
    assert_eq!(index.locate(beth).unwrap().unwrap().id, anna);
    // A turns out to be somebody else: Anna's id stays with Anna.
    register(&index, "A/1", &numbered(BETH, "Beth")).await;
    assert_eq!(known_at(&index, anna), ["B/1"]);
    assert_ne!(who(&index, "A/1"), anna);
    // The only source withdraws and comes back: the same person.
    withdraw(&index, "B/1").await;
    assert_eq!(index.locate(anna).unwrap(), None);
    assert_eq!(index.history(anna).unwrap().last().unwrap().kind, "withdrawn");
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(who(&index, "B/1"), anna);
    // One of two withdraws: the id stays with the other.
    register(&index, "C/1", &numbered(ANNA, "Anna")).await;
    withdraw(&index, "B/1").await;
    assert_eq!(known_at(&index, anna), ["C/1"]);
    let kinds: Vec<String> = index.history(anna).unwrap().into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds.first().map(String::as_str), Some("registered"));
    assert_eq!(index.history(EnterpriseId(Uuid::nil())).unwrap(), []);
}

#[tokio::test]
async fn sqlite_gives_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
    let index = open(store, 1).await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    register(&index, "C/1", &smith("Carl")).await;
    let linked = index.link(at("C/1"), at("A/1"), decision(1)).await.unwrap();
    index.unlink(at("B/1"), decision(2)).await.unwrap();
    let (anna, ann) = (who(&index, "A/1"), who(&index, "B/1"));
    let history = index.history(anna).unwrap();
    index.close().await;
    let index = open(Arc::new(SqliteStore::open(folder.path()).await.unwrap()), 2).await;
    assert_eq!((who(&index, "A/1"), who(&index, "B/1"), linked), (anna, ann, anna));
    assert_eq!(known_at(&index, anna), ["A/1", "C/1"]);
    assert!(index.history(anna).unwrap() == history);
    assert_eq!(index.feed_cursor(&source("B"), EPOCH).unwrap(), 1);
    // A retry after a restart changes nothing either.
    assert_eq!(index.unlink(at("B/1"), decision(2)).await, Ok(ann));
    let second = SqliteStore::open(folder.path()).await.map(drop).unwrap_err();
    assert!(second.to_string().contains("another process"), "{second}");
}
