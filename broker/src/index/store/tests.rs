use super::*;
use crate::{
    facts::{Actor, Change, ChangeKind, DirectiveKind, OverrideReason, Restricted, Subject, Verdict},
    index::{
        event::{About, Decision, RegistrationKey, Undone, What},
        scoring::ScoringModel,
    },
    model::{EnterpriseId, LocalId, Located, SourceId},
};
use bytes::Bytes;
use futures::future::BoxFuture;
use servers::{ROOT_PASSWORD, Server};
use severn_trust::NhsNumber;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

#[path = "../../../../tests/servers/databases.rs"]
#[expect(dead_code, reason = "other tests start other servers")]
mod servers;

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
        What::ToldApart { with: key("2"), decision: decision() },
        What::Withdrawn,
    ];
    let number = |text| NhsNumber::parse(text).unwrap();
    let [superseded, by] = [number("9434765919"), number("9990000018")];
    let of = |what| About::Registration(key("1' -- \"\\ é🏥"), what);
    let about = kinds.map(of).into_iter().chain([
        About::Superseded { number: superseded, by, decision: decision() },
        About::ModelTaken(ScoringModel::small("another")),
        of(What::Postponed { with: key("2"), until_ms: 1_800_000_000_000, decision: decision() }),
        of(What::TakenBack { decided: 3, decision: decision() }),
    ]);
    let about = about.chain(changes().into_iter().map(|change| About::FactsChanged(Box::new(change))));
    (1..).zip(about).map(|(sequence, about)| Event { sequence, at_ms: 5, about }).collect()
}

/// One change of the facts of each kind.
fn changes() -> Vec<Change> {
    let by = || Actor {
        issuer: "https://sign-in.example".into(),
        id: "u-1".into(),
        name: "Dr O'Brien".into(),
        role_code: "R8000".into(),
        organisation_ods: "RRK".into(),
    };
    let subject = || Subject {
        person: EnterpriseId(Uuid::from_u128(9)),
        registrations: [Located { source: SourceId("RRK".into()), local_id: LocalId("1' é🏥".into()) }].into(),
        numbers: [NhsNumber::parse("9434765919").unwrap()].into(),
    };
    let reason = || String::from("O'Brien; DROP TABLE index_events");
    let directive = |kind| ChangeKind::DirectiveEntered { kind, from_ms: 5, until_ms: None, reason: reason() };
    let (ods, issuer, id) = ("RXX".to_owned(), "i".to_owned(), "u-2".to_owned());
    let kinds = [
        directive(DirectiveKind::OptOut),
        directive(DirectiveKind::Dissent { source: SourceId("RRK".into()) }),
        directive(DirectiveKind::Restriction(Restricted::Organisation { ods })),
        directive(DirectiveKind::Restriction(Restricted::User { issuer, id })),
        directive(DirectiveKind::Restriction(Restricted::Datasets(severn_trust::ALL_DATASETS.to_vec()))),
        ChangeKind::RelationshipClaimed { reason: reason(), until_ms: 7 },
        ChangeKind::OverrideOpened {
            reason: OverrideReason::BestInterests,
            text: reason(),
            expires_ms: 7,
            authenticated_s: 3,
        },
        ChangeKind::DirectiveWithdrawn { directive: Uuid::from_u128(20), reason: reason() },
        ChangeKind::Reviewed { of: Uuid::from_u128(25), verdict: Verdict::FollowUp, note: reason() },
    ];
    let change = |(key, kind)| {
        let is_later = matches!(kind, ChangeKind::DirectiveWithdrawn { .. } | ChangeKind::Reviewed { .. });
        Change { key: Uuid::from_u128(key), by: by(), subject: (!is_later).then(subject), kind }
    };
    (20..).zip(kinds).map(change).collect()
}

fn feed(source: &str, cursor: u64) -> FeedPosition {
    FeedPosition { source: SourceId(source.into()), epoch: Uuid::from_u128(cursor.into()), cursor, heard_at_ms: 11 }
}

fn batch(after: Mark, events: &[Event], feeds: &[FeedPosition]) -> Batch {
    Batch { after, events: events.to_vec(), feeds: feeds.to_vec() }
}

async fn load_after(store: &dyn Store, after: Mark) -> (Vec<Event>, Loaded) {
    let mut events = Vec::new();
    let loaded = store.load(after, &mut |event| events.push(event)).await.unwrap();
    (events, loaded)
}

async fn load(store: &dyn Store) -> (Vec<Event>, Loaded) {
    load_after(store, Mark::default()).await
}

/// A place for a store that is empty at first.
trait Place {
    /// Opens the store, or opens it again.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;

    /// Removes one event behind the store's back.
    fn lose(&self, sequence: i64) -> BoxFuture<'_, ()>;
}

#[derive(Default)]
struct InMemory(MemoryStore);

impl Place for InMemory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(self.0.clone()) as Arc<dyn Store> })
    }

    fn lose(&self, _: i64) -> BoxFuture<'_, ()> {
        unreachable!("memory loses nothing")
    }
}

struct InFolder(TempDir);

impl Place for InFolder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(SqliteStore::open(self.0.path()).await.unwrap()) as Arc<dyn Store> })
    }

    fn lose(&self, sequence: i64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let url = format!("sqlite://{}", self.0.path().join("index.sqlite").display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query("DELETE FROM index_events WHERE sequence = $1")
                .bind(sequence)
                .execute(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
        })
    }
}

struct InDatabase {
    settings: PostgresSettings,
    /// With the password.
    url: String,
}

impl InDatabase {
    fn new(server: &Server, name: &str) -> InDatabase {
        let url = server.database(name);
        let section = format!("url = {url:?}\ntls = \"off\"\npoll_ms = 50");
        let with_password = url.replace("postgres@", &format!("postgres:{ROOT_PASSWORD}@"));
        InDatabase { settings: toml::from_str(&section).unwrap(), url: with_password }
    }

    async fn run(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    async fn try_open(&self) -> Result<PostgresStore, StoreError> {
        PostgresStore::open(&self.settings, Some(ROOT_PASSWORD)).await
    }
}

impl Place for InDatabase {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { Arc::new(self.try_open().await.unwrap()) as Arc<dyn Store> })
    }

    fn lose(&self, sequence: i64) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.run(&format!("DELETE FROM index_events WHERE sequence = {sequence}")).await })
    }
}

/// What every store must do.
async fn check_store(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(load(&*store).await, (vec![], Loaded::default()));
    let events = events();
    let one = batch(Mark::default(), &events[..3], &[feed("A", 3), feed("B", 1)]);
    store.append(&one).await.unwrap();
    let two = batch(one.mark(), &events[3..], &[feed("A", 4)]);
    store.append(&two).await.unwrap();
    assert_eq!(two.mark(), Mark { sequence: 21, batch: 2 });
    let expected = (events.clone(), Loaded { mark: two.mark(), feeds: vec![feed("A", 4), feed("B", 1)] });
    assert_eq!(load(&*store).await, expected);
    let news = (events[3..].to_vec(), Loaded { mark: two.mark(), feeds: vec![feed("A", 4)] });
    assert_eq!(load_after(&*store, one.mark()).await, news, "only what is new");
    assert_eq!(load_after(&*store, two.mark()).await, (vec![], Loaded { mark: two.mark(), feeds: vec![] }));
    let read = store.read(&[2, 10, 99]).await.unwrap();
    assert_eq!(read, [events[1].clone(), events[9].clone()], "some of them");
    drop(store);
    let store = place.open().await;
    assert_eq!(load(&*store).await, expected, "the same after opening it again");

    // Whoever planned before the last batch is told so, and nothing of theirs is there.
    let late = batch(one.mark(), &events[3..4], &[feed("C", 9)]);
    assert_eq!(store.append(&late).await, Err(StoreError::Conflict));
    let late_feed = batch(one.mark(), &[], &[feed("A", 9)]);
    assert_eq!(store.append(&late_feed).await, Err(StoreError::Conflict));
    assert_eq!(load(&*store).await, expected);
    let feed_only = batch(two.mark(), &[], &[feed("A", 5)]);
    store.append(&feed_only).await.unwrap();
    assert_eq!(load_after(&*store, two.mark()).await.1.feeds, [feed("A", 5)]);
    let ahead = Mark { sequence: 21, batch: 4 };
    assert!(matches!(store.load(ahead, &mut |_| ()).await, Err(StoreError::Damaged(_))), "it holds less than was read");
    check_replace(&*store, feed_only.mark()).await;
}

async fn check_replace(store: &dyn Store, mark: Mark) {
    let before = load(store).await;
    let events = events();
    let one = batch(Mark::default(), &events[..2], &[]);
    let two = batch(one.mark(), &events[2..3], &[feed("Z", 2)]);
    let content = || [Ok(one.clone()), Ok(two.clone())].into_iter();
    assert_eq!(store.replace(one.mark(), &mut content()).await, Err(StoreError::Conflict));
    let broken = StoreError::Damaged("told to".into());
    let mut failing = [Ok(one.clone()), Err(broken.clone())].into_iter();
    assert_eq!(store.replace(mark, &mut failing).await, Err(broken));
    assert_eq!(load(store).await, before, "whole or not at all");
    store.replace(mark, &mut content()).await.unwrap();
}

/// What is there after [`check_store`], to those who open the store anew.
async fn check_replaced(place: &dyn Place) {
    let (found, loaded) = load(&*place.open().await).await;
    assert!(found == events()[..3] && loaded.feeds == [feed("Z", 2)] && loaded.mark.sequence == 3, "{loaded:?}");
}

/// A change by another broker is noticed, without waiting for the next look.
async fn check_changed(place: &dyn Place, slow: &dyn Store) {
    let other = place.open().await;
    let mark = load(slow).await.1.mark;
    assert!(timeout(Duration::from_millis(200), slow.changed(mark)).await.is_err(), "nothing happened");
    other.append(&batch(mark, &[], &[feed("A", 77)])).await.unwrap();
    timeout(Duration::from_secs(5), slow.changed(mark)).await.expect("it is told");
    assert_eq!(load_after(slow, mark).await.1.feeds, [feed("A", 77)]);
}

async fn check_lost(place: &dyn Place) {
    for (lost, said) in [(3, "ends at event 2"), (2, "ends at event 1"), (1, "ends at event 0")] {
        place.lose(lost).await;
        let error = place.open().await.load(Mark::default(), &mut |_| ()).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn memory_is_a_store() {
    let place = InMemory::default();
    check_store(&place).await;
    check_replaced(&place).await;
    check_changed(&place, &place.0).await;
}

#[tokio::test]
async fn sqlite_is_a_store() {
    let place = InFolder(tempfile::tempdir().unwrap());
    check_store(&place).await;
    check_replaced(&place).await;
    check_lost(&place).await;
}

#[tokio::test]
async fn postgres_is_a_store() {
    let server = Server::postgres();
    let place = InDatabase::new(&server, "severn");
    let seldom = PostgresSettings { poll_ms: 60_000, stale_ms_max: 70_000, ..place.settings.clone() };
    check_store(&place).await;
    check_replaced(&place).await;
    let slow = PostgresStore::open(&seldom, Some(ROOT_PASSWORD)).await.unwrap();
    // Until it listens.
    tokio::time::sleep(Duration::from_millis(500)).await;
    check_changed(&place, &slow).await;
    check_deaf(&place).await;
    check_held_up(&place).await;

    let known = place.open().await;
    let mark = load(&*known).await.1.mark;
    place.open().await.replace(mark, &mut std::iter::empty()).await.unwrap();
    let said = known.append(&batch(mark, &[], &[feed("A", 1)])).await;
    assert_eq!(said, Err(StoreError::Conflict), "who knows another history cannot write");
    let said = known.load(Mark::default(), &mut |_| ()).await;
    assert!(matches!(said, Err(StoreError::Damaged(_))), "nor read: {said:?}");

    let lossy = InDatabase::new(&server, "lossy");
    let first = batch(Mark::default(), &events()[..3], &[]);
    lossy.open().await.append(&first).await.unwrap();
    check_lost(&lossy).await;
    lossy.run("UPDATE index_head SET schema_version = 3").await;
    let error = lossy.try_open().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("form 3"), "{error}");
    lossy.run("ALTER DATABASE lossy SET synchronous_commit = off").await;
    let error = lossy.try_open().await.map(drop).unwrap_err().to_string();
    assert!(error.contains("synchronous_commit"), "{error}");
    let wrong = PostgresStore::open(&place.settings, Some("wrong")).await.map(drop).unwrap_err().to_string();
    assert!(wrong.contains("127.0.0.1") && wrong.contains("password"), "{wrong}");
}

/// Another's change that does not end holds nobody up for longer than was set.
async fn check_held_up(place: &InDatabase) {
    let settings = PostgresSettings { answer_ms_max: 1_500, ..place.settings.clone() };
    let store = PostgresStore::open(&settings, Some(ROOT_PASSWORD)).await.unwrap();
    let mark = load(&store).await.1.mark;
    let mut frozen = PgConnection::connect(&place.url).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE index_head SET batch = batch").execute(&mut frozen).await.unwrap();
    let next = batch(mark, &[], &[feed("A", 5)]);
    let held_up = timeout(Duration::from_secs(20), store.append(&next)).await.expect("it ends");
    assert!(matches!(&held_up, Err(StoreError::Refused(said)) if said.contains("no answer in time")), "{held_up:?}");
    assert_eq!(load(&store).await.1.mark, mark, "reading goes on, and nothing was written");
    drop(frozen);
    store.append(&next).await.unwrap();
}

/// Without notifications, the next look finds what others wrote.
async fn check_deaf(place: &InDatabase) {
    let store = place.open().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mark = load(&*store).await.1.mark;
    place.run("UPDATE index_head SET batch = batch + 1").await;
    timeout(Duration::from_secs(5), store.changed(mark)).await.expect("it looks");
    assert_eq!(load_after(&*store, mark).await.1.mark.batch, mark.batch + 1);
}

#[tokio::test]
async fn brokers_that_open_an_empty_database_together_make_one_store() {
    let server = Server::postgres();
    let place = InDatabase::new(&server, "severn");
    let stores = futures::future::join_all((0..8).map(|_| place.open())).await;
    let first = batch(Mark::default(), &events(), &[]);
    let appended = futures::future::join_all(stores.iter().map(|store| store.append(&first))).await;
    assert_eq!(appended.iter().filter(|said| said.is_ok()).count(), 1, "{appended:?}");
    assert_eq!(appended.iter().filter(|said| **said == Err(StoreError::Conflict)).count(), 7, "{appended:?}");
    for store in stores {
        assert_eq!(load(&*store).await.0, events());
    }
}

#[tokio::test]
async fn a_database_without_tls_or_with_a_strangers_certificate_is_refused() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authorities = |name: &str, pem: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, pem).unwrap();
        Some(file)
    };
    let (ours, theirs) = (authorities("a", made.cert.pem()), authorities("b", stranger.cert.pem()));
    let secure = Server::postgres_with_tls(&made.cert.pem(), &made.signing_key.serialize_pem());
    let plain = Server::postgres();
    for (server, host, authorities, opens) in [
        (&secure, "localhost", &ours, true),
        (&secure, "127.0.0.1", &ours, false),
        (&secure, "localhost", &theirs, false),
        (&secure, "localhost", &None, false),
        (&plain, "localhost", &ours, false),
    ] {
        let place = InDatabase::new(server, &format!("d{}", Uuid::now_v7().simple()));
        let url = place.settings.url.replace("127.0.0.1", host);
        let authorities = authorities.clone();
        let settings = PostgresSettings { url, authorities, tls: DatabaseTls::Verified, ..place.settings };
        let opened = PostgresStore::open(&settings, Some(ROOT_PASSWORD)).await;
        assert_eq!(opened.is_ok(), opens, "{host}: {:?}", opened.err());
    }
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let server = Server::postgres();
    let places: [Box<dyn Place>; 2] =
        [Box::new(InFolder(tempfile::tempdir().unwrap())), Box::new(InDatabase::new(&server, "severn"))];
    for place in places {
        let store = place.open().await;
        let events = events();
        let first = batch(Mark::default(), &events[..2], &[feed("A", 1)]);
        store.append(&first).await.unwrap();
        let before = load(&*store).await;
        // The second event of this batch has a sequence that is taken.
        let clash = [events[2].clone(), events[1].clone()];
        let error = store.append(&batch(first.mark(), &clash, &[feed("A", 9)])).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        assert_eq!(load(&*store).await, before);
        // And the store goes on.
        store.append(&batch(first.mark(), &events[2..], &[])).await.unwrap();
        assert_eq!(load(&*store).await.0, events);
    }
}

#[tokio::test]
async fn one_broker_at_a_time_has_a_folder_and_others_may_read() {
    let place = InFolder(tempfile::tempdir().unwrap());
    let folder = place.0.path();
    let none = SqliteStore::open_to_read(folder).await.map(drop).unwrap_err().to_string();
    assert!(none.contains("index.sqlite"), "{none}");
    let store = place.open().await;
    let second = SqliteStore::open(folder).await.map(drop).unwrap_err().to_string();
    assert!(second.contains("another process has the index"), "{second}");
    let first = batch(Mark::default(), &events()[..3], &[]);
    store.append(&first).await.unwrap();
    let reader = SqliteStore::open_to_read(folder).await.unwrap();
    assert_eq!(reader.count().await.unwrap(), Counts { events: 3, feeds: 0 });
    store.append(&batch(first.mark(), &events()[3..], &[])).await.unwrap();
    assert_eq!(reader.count().await.unwrap(), Counts { events: 21, feeds: 0 });
    drop(store);
    let store = place.open().await;
    assert_eq!(load(&*store).await.0, events());
}

async fn exported(store: &dyn Store, to: &Path) -> Counts {
    let file = NewFile::create(to).unwrap();
    let counts = export(store, &file).await.unwrap();
    file.finish().unwrap();
    counts
}

#[tokio::test]
async fn an_export_moves_everything_between_all_stores() {
    let server = Server::postgres();
    let folder = tempfile::tempdir().unwrap();
    let places: [Box<dyn Place>; 4] = [
        Box::new(InMemory::default()),
        Box::new(InDatabase::new(&server, "severn")),
        Box::new(InFolder(tempfile::tempdir().unwrap())),
        Box::new(InMemory::default()),
    ];
    // More than a store is handed at a time.
    let mut many = events();
    let about = || About::Registration(key("x"), What::Withdrawn);
    let withdrawn = |sequence| Event { sequence, at_ms: 6, about: about() };
    many.extend((22..=2_500).map(withdrawn));
    let source = places[0].open().await;
    source.append(&batch(Mark::default(), &many, &[feed("A", 3), feed("B", 4)])).await.unwrap();
    let counts = Counts { events: 2_500, feeds: 2 };
    for (n, pair) in places.windows(2).enumerate() {
        let file = folder.path().join(n.to_string());
        assert_eq!(exported(&*pair[0].open().await, &file).await, counts);
        assert_eq!(Archive::check(&file).unwrap(), counts);
        let to = pair[1].open().await;
        to.replace(Mark::default(), &mut Archive::open(&file).unwrap()).await.unwrap();
        drop(to);
        let (found, loaded) = load(&*pair[1].open().await).await;
        assert!(found == many && loaded.feeds == [feed("A", 3), feed("B", 4)]);
    }
    let read = |n: &str| std::fs::read(folder.path().join(n)).unwrap();
    assert!(read("0") == read("1") && read("1") == read("2"), "the same content gives the same file");
    let again = NewFile::create(&folder.path().join("0")).map(drop).unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
}

#[tokio::test]
async fn a_damaged_export_is_refused_whatever_the_damage() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    store.append(&batch(Mark::default(), &events()[..9], &[feed("A", 3)])).await.unwrap();
    let good = folder.path().join("good");
    exported(&store, &good).await;
    let text = std::fs::read_to_string(&good).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let without = |n: usize| joined(&[&lines[..n], &lines[n + 1..]].concat());
    let mut spoilt: Vec<String> = (0..lines.len()).map(without).collect();
    spoilt.extend([
        String::new(),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        format!("{text}{}\n", lines[1]),
        text.replace("\"at_ms\":5", "\"at_ms\":6"),
        text.replace("\"version\":3", "\"version\":1"),
        text.replace("\"version\":3", "\"version\":4"),
        text.replace("\"superseded_by\":\"9", "\"superseded_by\":\"8"),
        text.replace("\"kind\":\"withdrawn\"", "\"kind\":\"forgotten\""),
        text.replace("\"local_id\"", "\"local\""),
        text.replace("00ff27", "00ff2"),
        text.replace("\"feed_cursor\":3", "\"feed_cursor\":4"),
        joined(&[&lines[..2], &lines[3..4], &lines[2..3], &lines[4..]].concat()),
    ]);
    // Any one byte.
    for at in (0..text.len()).step_by(7) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        spoilt.push(String::from_utf8(bytes).unwrap());
    }
    for (n, text) in spoilt.into_iter().enumerate() {
        let file = folder.path().join(n.to_string());
        std::fs::write(&file, &text).unwrap();
        let error = Archive::check(&file).unwrap_err();
        assert!(!error.to_string().contains("O'Brien"), "no message repeats what is in the file: {error}");
    }
    assert_eq!(Archive::check(&good).unwrap(), Counts { events: 9, feeds: 1 });
}

/// What a broker wrote that knew neither models nor superseded numbers.
#[tokio::test]
async fn an_export_of_the_first_version_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    store.append(&batch(Mark::default(), &events()[..8], &[])).await.unwrap();
    let new = folder.path().join("new");
    exported(&store, &new).await;
    let text = std::fs::read_to_string(&new).unwrap().replace("\"version\":3", "\"version\":1");
    let before_end = text.find("{\"end\"").unwrap();
    let digest = severn_trust::hex(&severn_trust::sha256(&[&text.as_bytes()[..before_end]]));
    let old = folder.path().join("old");
    let end = format!("{{\"end\":{{\"events\":8,\"feeds\":0,\"sha256\":\"{digest}\"}}}}\n");
    std::fs::write(&old, text[..before_end].to_owned() + &end).unwrap();
    assert_eq!(Archive::check(&old).unwrap(), Counts { events: 8, feeds: 0 });
}

#[tokio::test]
async fn a_backup_of_a_running_store_is_restored_or_nothing_is() {
    let place = InFolder(tempfile::tempdir().unwrap());
    let (folder, events) = (place.0.path(), events());
    let store = place.open().await;
    let first = batch(Mark::default(), &events[..3], &[feed("A", 3)]);
    store.append(&first).await.unwrap();
    let aside = tempfile::tempdir().unwrap();
    let backup = aside.path().join("backup");
    let file = NewFile::create(&backup).unwrap();
    SqliteStore::open_to_read(folder).await.unwrap().back_up(file.partial()).await.unwrap();
    file.finish().unwrap();
    store.append(&batch(first.mark(), &events[3..], &[])).await.unwrap();
    let busy = SqliteStore::restore(folder, &backup).await.unwrap_err().to_string();
    assert!(busy.contains("another process"), "{busy}");
    drop(store);

    let good = std::fs::read(&backup).unwrap();
    let mut holed = good.clone();
    let middle = holed.len() / 2;
    holed[middle..].iter_mut().for_each(|byte| *byte ^= 0x55);
    for (n, bytes) in [&good[..good.len() / 2], &holed, b"rubbish", b""].into_iter().enumerate() {
        let spoilt = aside.path().join(n.to_string());
        std::fs::write(&spoilt, bytes).unwrap();
        SqliteStore::restore(folder, &spoilt).await.unwrap_err();
        let store = place.open().await;
        assert_eq!(load(&*store).await.0, events, "the old one is there as it was");
    }
    assert_eq!(SqliteStore::restore(folder, &backup).await.unwrap(), Counts { events: 3, feeds: 1 });
    let (found, loaded) = load(&*place.open().await).await;
    assert!(found == events[..3] && loaded.feeds == [feed("A", 3)]);
    // A store that is beyond reading is no hindrance, and a restore that was cut off is no empty index.
    std::fs::write(folder.join("index.sqlite"), "rubbish").unwrap();
    std::fs::create_dir(folder.join("index.restoring")).unwrap();
    std::fs::remove_file(folder.join("index.sqlite")).unwrap();
    let cut_off = SqliteStore::open(folder).await.map(drop).unwrap_err().to_string();
    assert!(cut_off.contains("run it again"), "{cut_off}");
    SqliteStore::restore(folder, &backup).await.unwrap();
    assert_eq!(load(&*place.open().await).await.0, events[..3]);
}
