//! The index on each of its stores, with real databases and real processes: several brokers on one store, a database that
//! breaks down under them, brokers killed with writes in flight, and the way from one store to another.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

#[path = "../../servers/databases.rs"]
#[expect(dead_code, reason = "other tests start other servers")]
mod servers;

mod brokers;
mod kills;
mod moves;
mod outage;
mod upkeep;

use servers::{ROOT_PASSWORD, Server};
use severn_broker::{
    index::{
        Event, FeedPosition, Index, RegistrationKey, Resolved, Search,
        store::{Mark, PostgresSettings, PostgresStore, Store},
    },
    model::{LocalId, SourceId},
};
use severn_proto::v1::{Address, Demographics, FeedAnnounce, HumanName, feed_announce::Change};
use severn_trust::SystemClock;
use std::sync::Arc;
use tests::{keys::Seeded, records::registration};
use uuid::Uuid;

/// The epoch of every feed.
const EPOCH: Uuid = Uuid::from_u128(1);

/// Settings for a new database on this machine, of an index that closes after half a second without it, as TOML.
fn section(server: &Server, database: &str) -> String {
    let url = server.database(database);
    format!("url = {url:?}\ntls = \"off\"\npoll_ms = 100\nstale_ms_max = 500\nanswer_ms_max = 2000\n")
}

/// The same, read.
fn settings(server: &Server, database: &str) -> PostgresSettings {
    toml::from_str(&section(server, database)).expect("settings")
}

async fn open_database(settings: &PostgresSettings) -> Arc<dyn Store> {
    Arc::new(PostgresStore::open(settings, Some(ROOT_PASSWORD)).await.expect("the database opens"))
}

async fn open(store: Arc<dyn Store>, seed: u64) -> Index {
    Index::open(store, Arc::new(SystemClock), Arc::new(Seeded::new(seed))).await.expect("the index opens")
}

fn source(id: &str) -> SourceId {
    SourceId(id.into())
}

fn at(source_id: &str, local_id: &str) -> RegistrationKey {
    RegistrationKey { source: source(source_id), local_id: LocalId(local_id.into()) }
}

fn smith(given: &str, nhs_number: &str) -> Demographics {
    let name = HumanName { family: "Smith".into(), given: vec![given.into()], ..HumanName::default() };
    Demographics {
        nhs_number: nhs_number.into(),
        names: vec![name],
        birth_date: "1980-02-01".into(),
        addresses: vec![Address { postcode: "B15 2TH".into(), ..Address::default() }],
        ..Demographics::default()
    }
}

fn registered(source_id: &str, local_id: &str, cursor: u64, demographics: Demographics) -> FeedAnnounce {
    FeedAnnounce { cursor, change: Some(Change::Registered(registration(source_id, local_id, demographics))) }
}

/// The enterprise id of whom a source knows under a local id.
fn who(index: &Index, key: &RegistrationKey) -> Option<String> {
    let RegistrationKey { source, local_id } = key.clone();
    match index.resolve(&Search::Registration { source, local_id }).expect("the index answers") {
        Resolved::One(found) => Some(found.person.id.to_string()),
        _ => None,
    }
}

/// Every event and every feed of a store.
async fn everything(store: &dyn Store) -> (Vec<Event>, Vec<FeedPosition>) {
    let mut events = Vec::new();
    let loaded = store.load(Mark::default(), &mut |event| events.push(event)).await.expect("the store can be read");
    (events, loaded.feeds)
}
