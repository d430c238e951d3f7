//! The real system of a made-up world: broker and adapters over real gRPC, policies from signed bundles, people announced
//! by real feeds; and every act by which the world is changed.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use super::{
    model::{DirectiveModel, EntryModel, Known, Model, Query},
    words::RuleSet,
};
use crate::{
    keys::{Gateway, Seeded, signing_key},
    records::plain,
    world::{Behaviour, MadeUp, World},
};
use prost::Message as _;
use severn_broker::index::{Resolved, Search};
use severn_client::{Answer, Client, ClientError, Glass, Record};
use severn_link::{Dialler as _, Identity};
use severn_policy::CurrentPolicy;
use severn_proto::v1::{
    ContactDetail, DirectiveKind, DirectiveTerms, Entry, EntryBody, OverrideReason, PurposeOfUse, entry_body::Detail,
};
use severn_trust::{Clock as _, MemoryDisk, NhsNumber, SigningKey, SystemEntropy, UserClaims};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tonic::{Code, transport::Channel};
use uuid::Uuid;

/// Stands in whatever says where a person is.
pub const WHERE: &str = "WHERE-7f3a";

/// How long a query may take.
const DEADLINE: Duration = Duration::from_secs(8);

/// What came of a query.
#[derive(Debug)]
pub enum Came {
    /// A whole record.
    Record(Box<Record>),
    /// Nobody knows the role.
    Refused,
    /// Nobody knows the person.
    Unknown,
}

/// The real system.
pub struct System {
    /// The federation.
    pub world: World,
    /// Enterprise ids, by position of the person.
    pub ids: Vec<String>,
    key: SigningKey,
    policies: BTreeMap<String, Arc<CurrentPolicy>>,
    version: AtomicU64,
    channel: Channel,
    tokens: Arc<Seeded>,
}

impl System {
    /// Builds the system of `model`.
    ///
    /// # Panics
    /// If a part of it cannot be built.
    pub async fn start(model: &Model) -> System {
        let key = signing_key();
        let policy = |owner: &str| {
            let disk = Arc::new(MemoryDisk::default());
            Arc::new(CurrentPolicy::of_bundles(owner, vec![key.public().clone()], disk))
        };
        let owners: BTreeMap<String, Arc<CurrentPolicy>> =
            model.owners.keys().map(|id| (id.clone(), policy(id))).collect();
        let region = policy("region");
        let sources = model.kinds.iter().map(|(id, kind)| source(model, id, kind)).collect();
        // Nothing is permitted yet, and feeds need no permission.
        let world = World::start_with(Arc::clone(&region), sources, &owners).await;
        let policies = owners.into_iter().chain([("region".to_owned(), region)]).collect();
        let app = world.network.party(Identity::App("epr".into()));
        let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
        let ids = model.people.iter().map(|person| id_of(&world, &person.demographics.nhs_number, person)).collect();
        let (version, tokens) = (AtomicU64::new(1), Arc::new(Seeded::new(1)));
        let system = System { world, ids, key, policies, version, channel, tokens };
        model.owners.values().chain([&model.region]).for_each(|rules| system.put_in_force(rules));
        system
    }

    /// From now on these are the rules of their owner.
    ///
    /// # Panics
    /// If they are not accepted.
    pub fn put_in_force(&self, rules: &RuleSet) {
        let now_s = self.world.clock.now_s();
        let version = self.version.fetch_add(1, Ordering::Relaxed);
        let bundle = rules.bundle(version, now_s);
        let signed = bundle.sign(&self.key).expect("the owner's key can sign");
        let policy = &self.policies[&rules.owner];
        policy.show(Ok(signed.into_bytes()), now_s).unwrap_or_else(|error| panic!("{error}: {}", bundle.policies));
    }

    /// A client of who asks `query`.
    pub fn client(&self, model: &Model, query: &Query) -> Client {
        let client = self.client_of(self.claims(model, query));
        match query.opening {
            Some(id) => client.opening(id),
            None => client,
        }
    }

    fn claims(&self, model: &Model, query: &Query) -> UserClaims {
        let staff = &model.staff[query.staff];
        let seat = &staff.seats[query.seat];
        UserClaims {
            sub: staff.id.clone(),
            org: seat.organisation.clone(),
            assurance: seat.assurance,
            activities: seat.activities.clone(),
            workgroups: seat.workgroups.clone(),
            ..self.world.gateway.claims(&seat.role_code, query.purpose, self.world.clock.as_ref(), 0)
        }
    }

    fn tokens_for(
        &self,
        claims: UserClaims,
    ) -> impl Fn() -> Result<String, severn_client::TokenUnavailable> + Send + Sync + 'static {
        let (gateway, tokens): (Gateway, _) = (self.world.gateway.clone(), Arc::clone(&self.tokens));
        move || Ok(gateway.sign(&UserClaims { jti: format!("t-{}", tokens.next()), ..claims.clone() }))
    }

    /// The same over a connection of its own.
    ///
    /// # Panics
    /// Never: any address will do in memory.
    pub fn fresh_client(&self, model: &Model, query: &Query) -> Client {
        let (claims, key) = (self.claims(model, query), self.world.gateway.app_key.clone());
        let app = self.world.network.party(Identity::App("epr".into()));
        let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
        let token = self.tokens_for(claims);
        Client::new(channel, key, token, self.world.clock.clone(), Arc::new(SystemEntropy::default()))
    }

    fn client_of(&self, claims: UserClaims) -> Client {
        let token = self.tokens_for(claims);
        let key = self.world.gateway.app_key.clone();
        Client::new(self.channel.clone(), key, token, self.world.clock.clone(), Arc::new(SystemEntropy::default()))
    }

    fn clerk(&self) -> Client {
        let clock = self.world.clock.as_ref();
        self.client_of(self.world.gateway.claims("R9100", PurposeOfUse::DirectCare, clock, 0))
    }

    /// Asks.
    ///
    /// # Panics
    /// If the answer is no whole record, and neither the role nor the person is unknown.
    pub async fn ask(&self, model: &Model, query: &Query) -> Came {
        let person = &model.people[query.person].demographics;
        let client = self.client(model, query);
        match client.retrieve(&self.ids[query.person], person, &query.datasets, DEADLINE).await {
            Ok(Answer::Complete(record)) => Came::Record(record),
            Ok(Answer::Incomplete(incomplete)) => panic!("not complete: {:?}", incomplete.flaw()),
            Err(ClientError::Refused { code: Code::PermissionDenied, message }) if message.contains("role") => {
                Came::Refused
            }
            Err(ClientError::Refused { code: Code::NotFound, .. }) => Came::Unknown,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Enters a directive of a person, and gives its id.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn enter(&self, model: &Model, person: usize, wish: &DirectiveModel) -> String {
        let of = |kind: DirectiveKind| if wish.kind == kind { wish.of.clone() } else { String::new() };
        let terms = DirectiveTerms {
            kind: wish.kind.into(),
            source_id: of(DirectiveKind::Dissent),
            organisation_ods: of(DirectiveKind::Organisation),
            user_issuer: if wish.kind == DirectiveKind::User { crate::keys::ISSUER.into() } else { String::new() },
            user_id: of(DirectiveKind::User),
            datasets: wish.datasets.iter().map(|dataset| *dataset as i32).collect(),
            from_ms: wish.from_ms,
            until_ms: wish.until_ms,
            reason: "asked for it by letter".into(),
        };
        let (clerk, demographics) = (self.clerk(), &model.people[person].demographics);
        let entered = clerk.enter_directive(&self.ids[person], demographics, terms, &clerk.new_act()).await;
        entered.unwrap_or_else(|error| panic!("{wish:?}: {error}")).id
    }

    /// Withdraws a directive.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn withdraw(&self, id: &str) {
        let clerk = self.clerk();
        clerk.withdraw_directive(id, "changed their mind", &clerk.new_act()).await.expect("withdrawn");
    }

    /// Claims for who asks `query` that they care for the person; gives until when (milliseconds since 1970), `None`
    /// where the role may not.
    pub async fn claim(&self, model: &Model, query: &Query) -> Option<i64> {
        let (client, person) = (self.client(model, query), &model.people[query.person].demographics);
        let reason = "walked into the ward";
        let claimed = client.claim_relationship(&self.ids[query.person], person, reason, &client.new_act()).await;
        claimed.ok().map(|claimed| claimed.until_ms)
    }

    /// Breaks the glass for who asks `query`; gives the override and until when, `None` where the role may not.
    pub async fn break_glass(&self, model: &Model, query: &Query, text: String) -> Option<(Uuid, i64)> {
        let (client, person) = (self.client(model, query), &model.people[query.person].demographics);
        let glass = Glass { reason: OverrideReason::EmergencyTreatment, text, minutes: 60 };
        let opened = client.open_override(&self.ids[query.person], person, &glass, &client.new_act()).await.ok()?;
        Some((opened.override_id.parse().ok()?, opened.expires_ms))
    }

    /// From now on a source says this of a person; returns when the broker has heard of it.
    pub async fn announce(&self, source: &str, person: usize, known: &Known) {
        tell(&self.world.sources[source], person, known, source);
        // The feed looks at its source once a minute.
        tokio::time::sleep(Duration::from_secs(61)).await;
    }
}

fn id_of(world: &World, number: &str, person: &super::model::PersonModel) -> String {
    if person.at.is_empty() {
        // An id by which nobody goes.
        return Uuid::from_u128(7).to_string();
    }
    let number = NhsNumber::parse(number).expect("a valid number");
    let birth_date = person.demographics.birth_date.clone();
    match world.broker.index.resolve(&Search::Number { number, birth_date }).expect("the index answers") {
        Resolved::One(found) => {
            assert_eq!(found.person.located.len(), person.at.len(), "every source's registration is of one person");
            found.person.id.to_string()
        }
        _ => panic!("one person expected"),
    }
}

/// Of a person, by position: the id by which a source knows them.
fn local_id(person: usize) -> String {
    format!("p{person}")
}

fn source(model: &Model, id: &str, kind: &str) -> MadeUp {
    let made = MadeUp::new(id).of_kind(kind);
    for (person, known) in model.people.iter().enumerate() {
        if let Some(known) = known.at.get(id) {
            tell(&made, person, known, id);
        }
    }
    if model.failing.contains(id) { made.behaving(Behaviour::Fails) } else { made }
}

fn tell(made: &MadeUp, person: usize, known: &Known, source: &str) {
    if let Some(relationships) = &known.relationships {
        made.relate(&local_id(person), relationships.clone());
    }
    let entries = known.entries.iter().map(|entry| entry_of(source, entry)).collect();
    made.know(&local_id(person), known.demographics.clone(), entries);
}

fn entry_of(source: &str, model: &EntryModel) -> Entry {
    let mut entry = plain(source, &model.id, model.dataset, &format!("canary {source} {}", model.id));
    if let Some(head) = entry.head.as_mut() {
        head.labels.clone_from(&model.labels);
    }
    if model.locates {
        let contact = ContactDetail { name: "Kit".into(), phone: WHERE.into(), ..ContactDetail::default() };
        let body = EntryBody { detail: Some(Detail::Contact(contact)), ..EntryBody::default() };
        entry.body = body.encode_to_vec().into();
    }
    entry
}
