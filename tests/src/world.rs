//! A federation in one process: the real broker, real adapters of the SDK, the real client, real gRPC over connections
//! in memory, on tokio's clock (which a test pauses) and on disks in memory. Only the sources are made up.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use crate::{
    keys::{Gateway, Seeded, TokioClock, signing_key},
    policies::written,
};
use futures::{StreamExt as _, stream, stream::BoxStream};
use severn_adapter_sdk::{
    feed::{Feed, FeedParts},
    inbox::Inbox,
    limits::Limits,
    serve::{About, Adapter, Parts, serve},
    source::{Document, Finding, Reading, Source, SourceError},
};
use severn_broker::{
    access::{Access, AccessSettings},
    audit::{Audit, Notices},
    fanout::{AskLimits, Fanout, Registry},
    index::{Index, store::MemoryStore},
    merge::Rules,
    model::{self, SourceId},
    retrieve::Broker,
};
use severn_client::{Client, Found, Search};
use severn_link::{Dialler as _, Identity, InMemory, ServerLimits};
use severn_policy::CurrentPolicy;
use severn_proto::v1::{CareRelationship, Dataset, Demographics, Entry, PurposeOfUse, Registration};
use severn_trust::{ALL_DATASETS, IssuerKeys, MemoryDisk, PublicKey, SigningKey, Trail};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

/// What a made-up source does when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once.
    Answers,
    /// Answers after a while.
    Slow(Duration),
    /// Never answers.
    Hangs,
    /// Panics, with what it was reading in its message.
    Panics,
    /// Cannot be read.
    Fails,
    /// Its adapter is not there: nobody listens.
    Down,
}

/// A made-up source.
pub struct MadeUp {
    id: String,
    kind: String,
    behaviour: Mutex<Behaviour>,
    people: Mutex<BTreeMap<String, (Demographics, Vec<Entry>)>>,
    relationships: Mutex<BTreeMap<String, Vec<CareRelationship>>>,
}

impl MadeUp {
    /// A source that knows nobody yet.
    pub fn new(id: impl Into<String>) -> MadeUp {
        let id = id.into();
        let kind = if id.starts_with("PRISON") { "prison".into() } else { "made up".into() };
        let behaviour = Mutex::new(Behaviour::Answers);
        MadeUp { id, kind, behaviour, people: Mutex::default(), relationships: Mutex::default() }
    }

    /// The same, of another kind.
    #[must_use]
    pub fn of_kind(self, kind: &str) -> MadeUp {
        MadeUp { kind: kind.into(), ..self }
    }

    /// The same, behaving otherwise.
    #[must_use]
    pub fn behaving(self, behaviour: Behaviour) -> MadeUp {
        self.behave(behaviour);
        self
    }

    /// The same, knowing a person with some entries.
    #[must_use]
    pub fn knowing(self, local_id: &str, demographics: Demographics, entries: Vec<Entry>) -> MadeUp {
        self.know(local_id, demographics, entries);
        self
    }

    /// From now on behaves so.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// From now on knows this of the person with this local id.
    pub fn know(&self, local_id: &str, demographics: Demographics, entries: Vec<Entry>) {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        people.insert(local_id.to_owned(), (demographics, entries));
    }

    /// From now on lists these relationships, and no others, of the person with this local id.
    pub fn relate(&self, local_id: &str, relationships: Vec<CareRelationship>) {
        let mut known = self.relationships.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(local_id.to_owned(), relationships);
    }

    fn registration_of(&self, local_id: &str, known: Demographics) -> Registration {
        let listed = self.relationships.lock().unwrap_or_else(PoisonError::into_inner).get(local_id).cloned();
        Registration {
            relationships_listed: listed.is_some(),
            relationships: listed.unwrap_or_default(),
            ..crate::records::registration(&self.id, local_id, known)
        }
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn person(&self, local_id: &str) -> Option<(Demographics, Vec<Entry>)> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner).get(local_id).cloned()
    }
}

#[tonic::async_trait]
impl Source for MadeUp {
    fn datasets(&self) -> Vec<Dataset> {
        ALL_DATASETS.to_vec()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        let people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let all: Vec<_> =
            people.iter().map(|(local_id, (known, _))| Ok(self.registration_of(local_id, known.clone()))).collect();
        Ok(stream::iter(all).boxed())
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        Ok(self.person(local_id).map(|(known, _)| self.registration_of(local_id, known)))
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], _: Duration) -> Result<Vec<Reading>, SourceError> {
        match self.behaviour() {
            Behaviour::Answers | Behaviour::Down => {}
            Behaviour::Slow(wait) => tokio::time::sleep(wait).await,
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Panics => {
                let read = self.person(local_id).and_then(|(_, entries)| entries.first()?.head.clone());
                panic!("a made-up source panics over {:?}", read.map(|head| head.text));
            }
            Behaviour::Fails => return Err(SourceError::Unreachable("made up".into())),
        }
        let (_, entries) = self.person(local_id).unwrap_or_default();
        let reading = |dataset: &Dataset| {
            let of_dataset = |entry: &&Entry| entry.head.as_ref().is_some_and(|head| head.dataset() == *dataset);
            Reading {
                dataset: *dataset,
                entries: entries.iter().filter(of_dataset).cloned().collect(),
                ..Reading::default()
            }
        };
        Ok(datasets.iter().map(reading).collect())
    }

    async fn document(&self, _: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        let bytes = format!("the document {entry_id}").repeat(50_000).into();
        Ok((entry_id == "letter").then(|| Document { media_type: "text/plain".into(), title: "Letter".into(), bytes }))
    }

    async fn check(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// The region's table and every owner's, unless a test says otherwise.
pub const TABLE: &str = r#"
roles = [
    { name = "clinician", codes = ["R8000"], labels = ["*"] },
    { name = "social worker", codes = ["R9001"] },
    { name = "steward", codes = ["R9100"] },
    { name = "privacy officer", codes = ["R9200"] },
]
rules = [
    { roles = ["clinician"], purposes = ["direct_care", "emergency"], datasets = ["*"] },
    { roles = ["social worker"], purposes = ["direct_care"], datasets = ["alerts", "safeguarding", "contacts"] },
]
"#;

/// A whole federation.
pub struct World {
    /// The broker's network name.
    pub network: InMemory,
    /// The broker.
    pub broker: Arc<Broker>,
    /// The broker's disk.
    pub disk: MemoryDisk,
    /// Where the broker leaves notices for a mail agent.
    pub mail: MemoryDisk,
    /// The store of the broker's index.
    pub store: MemoryStore,
    /// The broker's trail key.
    pub trail_key: SigningKey,
    /// By which the broker's statements are checked.
    pub statement_key: PublicKey,
    /// The sources, by id.
    pub sources: BTreeMap<String, Arc<MadeUp>>,
    /// The disks of the adapters, by source id.
    pub adapter_disks: BTreeMap<String, MemoryDisk>,
    /// The requesting organisation.
    pub gateway: Gateway,
    /// The clock.
    pub clock: Arc<TokioClock>,
    adapters: BTreeMap<String, Arc<Adapter>>,
    region: Arc<CurrentPolicy>,
    statement: SigningKey,
    serving: CancellationToken,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How a source's owner shares; the source's id to a table in TOML, or to policies in Cedar.
pub type Policies<'a> = &'a [(&'a str, &'a str)];

impl World {
    /// Builds broker and adapters, and waits until all registrations are known.
    ///
    /// # Panics
    /// If a part of the federation cannot be built.
    pub async fn start(sources: Vec<MadeUp>, policies: Policies<'_>) -> World {
        World::start_under(TABLE, sources, policies).await
    }

    /// The same under another policy of the region: a table in TOML, or policies in Cedar.
    ///
    /// # Panics
    /// If a part of the federation cannot be built.
    pub async fn start_under(region: &str, sources: Vec<MadeUp>, policies: Policies<'_>) -> World {
        let mut read = BTreeMap::new();
        let mut in_force = |source: &MadeUp| {
            let policy = policies.iter().find(|(id, _)| *id == source.id).map_or(TABLE, |(_, policy)| policy);
            Arc::clone(read.entry(policy).or_insert_with(|| written(policy)))
        };
        let owners = sources.iter().map(|source| (source.id.clone(), in_force(source))).collect();
        World::start_with(written(region), sources, &owners).await
    }

    /// The same under policies that the caller may change: the region's, and every owner's by source id.
    ///
    /// # Panics
    /// If a part of the federation cannot be built.
    pub async fn start_with(
        region: Arc<CurrentPolicy>,
        sources: Vec<MadeUp>,
        owners: &BTreeMap<String, Arc<CurrentPolicy>>,
    ) -> World {
        let clock = TokioClock::start();
        let network = InMemory::new(Identity::Broker("broker-1".into()));
        let (gateway, statement_key, trail_key) = (Gateway::default(), signing_key(), signing_key());
        let (disk, mail, store) = (MemoryDisk::default(), MemoryDisk::default(), MemoryStore::default());
        let sources: BTreeMap<String, Arc<MadeUp>> =
            sources.into_iter().map(|source| (source.id.clone(), Arc::new(source))).collect();
        let stores = (&store, [&disk, &mail], &trail_key);
        let broker = broker((Arc::clone(&region), &sources), &gateway, stores, &statement_key, &clock).await;
        let mut world = World {
            network,
            broker,
            disk,
            mail,
            store,
            trail_key,
            statement_key: statement_key.public().clone(),
            sources,
            adapter_disks: BTreeMap::new(),
            gateway,
            clock,
            adapters: BTreeMap::new(),
            region,
            statement: statement_key.clone(),
            serving: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        world.serve_broker();
        for source in world.sources.clone().into_values() {
            let policy = Arc::clone(owners.get(&source.id).expect("every owner has a policy"));
            world.add_adapter(source, policy, &statement_key);
        }
        world.wait_for_feeds().await;
        world
    }

    /// Ends the broker and starts it anew on what its disk and store hold.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart_broker(&mut self) {
        self.serving.cancel();
        // What was under way ends before another writes to the same trail.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let stores = (&self.store, [&self.disk, &self.mail], &self.trail_key);
        let parts = (Arc::clone(&self.region), &self.sources);
        self.broker = broker(parts, &self.gateway, stores, &self.statement, &self.clock).await;
        self.serve_broker();
        for id in self.sources.keys() {
            self.attach(id);
        }
    }

    /// Starts to serve a source whose adapter was down.
    ///
    /// # Panics
    /// If there is no such source.
    pub fn start_adapter(&self, id: &str) {
        let adapter = Arc::clone(self.adapters.get(id).expect("a source of this world"));
        let party = self.network.party(Identity::Source(id.to_owned()));
        let incoming = UnboundedReceiverStream::new(party.accept());
        let ended = self.stop.child_token().cancelled_owned();
        tokio::spawn(serve(adapter, incoming, ServerLimits::default(), ended));
    }

    fn attach(&self, id: &str) {
        let channel = self.network.dial("", &Identity::Source(id.to_owned())).expect("any address will do in memory");
        self.broker.fanout.registry().attach(&SourceId(id.into()), channel);
    }

    fn serve_broker(&mut self) {
        let incoming = UnboundedReceiverStream::new(self.network.accept());
        self.serving = self.stop.child_token();
        let stop = self.serving.clone().cancelled_owned();
        let broker = Arc::clone(&self.broker);
        let (telling, told) = (Arc::clone(&broker), self.serving.clone().cancelled_owned());
        tokio::spawn(async move {
            tokio::select! {
                () = told => {}
                () = severn_broker::notify::notify(telling) => {}
            }
        });
        tokio::spawn(async move {
            let served = severn_broker::service::serve(broker, incoming, ServerLimits::default(), stop).await;
            served.expect("the broker serves");
        });
    }

    fn add_adapter(&mut self, source: Arc<MadeUp>, policy: Arc<CurrentPolicy>, statement_key: &SigningKey) {
        let id = source.id.clone();
        let party = self.network.party(Identity::Source(id.clone()));
        let disk = MemoryDisk::default();
        let trail = Trail::open(Arc::new(disk.clone()), self.clock.clone(), signing_key()).expect("a new trail opens");
        let adapter = Adapter::new(Parts {
            about: About { source_id: id.clone(), name: id.clone(), ods: id.clone(), adapter_kind: "made up".into() },
            source: source.clone(),
            broker: Identity::Broker("broker-1".into()),
            broker_key: statement_key.public().clone(),
            keys: IssuerKeys::fixed(self.gateway.verifier()),
            policy,
            trail,
            inbox: Inbox::new(Arc::new(disk.clone())),
            clock: self.clock.clone(),
            limits: Limits::default(),
        });
        let stop = self.stop.child_token();
        self.adapters.insert(id.clone(), adapter);
        if source.behaviour() != Behaviour::Down {
            self.start_adapter(&id);
        }
        let feed = Feed::new(FeedParts {
            source_id: id.clone(),
            source,
            disk: Arc::new(disk.clone()),
            dialler: Arc::new(party),
            address: String::new(),
            broker: Identity::Broker("broker-1".into()),
            clock: self.clock.clone(),
            entropy: Arc::new(Seeded::new(self.adapter_disks.len() as u64)),
            every: Duration::from_secs(60),
        });
        tokio::spawn(feed.run(stop));
        self.attach(&id);
        self.adapter_disks.insert(id, disk);
    }

    async fn wait_for_feeds(&self) {
        let people = |source: &MadeUp| source.people.lock().unwrap_or_else(PoisonError::into_inner).len() as u64;
        for _ in 0..500 {
            let states = self.broker.index.feed_states().expect("the index answers");
            let known = |id: &String| states.get(&SourceId(id.as_str().into())).map_or(0, |state| state.registrations);
            if self.sources.iter().all(|(id, source)| known(id) >= people(source)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the feeds did not arrive");
    }

    /// The enterprise id of a person, found by NHS number and birth date.
    ///
    /// # Panics
    /// If the broker does not find exactly one.
    pub async fn id_of(&self, person: &Demographics) -> String {
        let (nhs_number, birth_date) = (person.nhs_number.clone(), person.birth_date.clone());
        let found = self.client("R8000").find(Search::NhsNumber { nhs_number, birth_date }).await;
        match found.expect("the broker answers") {
            Found::One(candidate) => candidate.enterprise_id,
            other => panic!("one person expected: {other:?}"),
        }
    }

    /// A client of a user with `role`, who asks for direct care.
    pub fn client(&self, role: &str) -> Client {
        self.client_for(role, PurposeOfUse::DirectCare)
    }

    /// A client of a user with `role`, who asks for `purpose`.
    ///
    /// # Panics
    /// Never: any address will do in memory.
    pub fn client_for(&self, role: &str, purpose: PurposeOfUse) -> Client {
        let app = self.network.party(Identity::App("epr".into()));
        let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
        let (gateway, clock, role) = (self.gateway.clone(), self.clock.clone(), role.to_owned());
        let tokens = Seeded::new(1);
        let token = move || Ok(gateway.token(&role, purpose, clock.as_ref(), tokens.next()));
        let entropy = Arc::new(severn_trust::SystemEntropy::default());
        Client::new(channel, self.gateway.app_key.clone(), token, self.clock.clone(), entropy)
    }
}

async fn broker(
    (policy, sources): (Arc<CurrentPolicy>, &BTreeMap<String, Arc<MadeUp>>),
    gateway: &Gateway,
    (store, [disk, mail], trail_key): (&MemoryStore, [&MemoryDisk; 2], &SigningKey),
    statement_key: &SigningKey,
    clock: &Arc<TokioClock>,
) -> Arc<Broker> {
    let settings = AccessSettings {
        policy: toml::from_str(TABLE).expect("the region's table can be read"),
        stewards: vec!["steward".into()],
        auditors: vec!["privacy officer".into()],
        directives: vec!["steward".into()],
        privacy_officers: vec!["privacy officer".into()],
        override_roles: vec!["clinician".into()],
        ..AccessSettings::default()
    };
    settings.check().expect("the region's table makes sense");
    let trail = Trail::open(Arc::new(disk.clone()), clock.clone(), trail_key.clone()).expect("a new trail opens");
    let audit = Audit::new(trail, b"the manifest secret of a test");
    let notices = Notices::open(Arc::new(disk.clone()), Some(Arc::new(mail.clone())), clock.clone());
    let audit = audit.with_notices(notices.expect("what was delivered can be read"));
    let index = Index::open(Arc::new(store.clone()), clock.clone(), Arc::new(Seeded::new(7)));
    let limits = AskLimits::default();
    let known = sources.iter().map(|(id, source)| model::Source {
        id: SourceId(id.as_str().into()),
        name: format!("Organisation {id}"),
        kind: source.kind.clone(),
        ods: id.clone(),
    });
    let registry = Registry::new(known, limits.in_flight_max);
    Arc::new(Broker {
        audit: audit.with_witnesses(Arc::new(disk.clone()), statement_key).expect("no witness has signed yet"),
        access: Access::new(settings, policy, IssuerKeys::fixed(gateway.verifier()), clock.clone()),
        index: Arc::new(index.await.expect("an empty index opens")),
        fanout: Fanout::new(registry, statement_key.clone(), clock.clone(), limits),
        rules: Rules::built_in(),
    })
}
