//! The world of the hostile broker: an owner whose policy denies something, apps that ask properly, and a broker that
//! holds its own key and whatever apps sent it, but neither the issuer's key nor an app's.

use super::weakened::{Defence, Weakened};
use crate::{
    conformance::Keys,
    inbox::Inbox,
    limits::Limits,
    made_up::{MadeUp, entry, keys},
    serve::{About, Adapter, Parts, serve},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message as _;
use serde_json::Value;
use severn_link::{Dialler as _, Identity, InMemory, ServerLimits};
use severn_policy::{BundleRole, CurrentPolicy, Policy};
use severn_proto::v1::{BrokerStatement, Dataset, PurposeOfUse, RequestContext, SensitivityLabel, SignedStatement};
use severn_trust::{
    Clock, Commitments, Confirmation, Issuer, IssuerKeys, MemoryDisk, PersonKeys, Proof, SigningKey, SystemEntropy,
    TokenVerifier, Trail, TrailEvent, UserClaims, purpose_word, scan_trail, sha256, sign_statements,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::Channel;
use uuid::Uuid;

pub(super) const SOURCE: &str = "SUBJECT";
pub(super) const AUDIENCE: &str = "the-federation";
pub(super) const ISSUER: &str = "the-gateway";
pub(super) const CLINICIAN: &str = "S8000:G8000:R8000";
pub(super) const CLERK: &str = "S8010:G8020:R8010";
pub(super) const ANNA: &str = "LOC-ANNA";
pub(super) const TWIN: &str = "LOC-TWIN";
pub(super) const OKAFOR: &str = "LOC-OKAFOR";
pub(super) const HIDDEN: &str = "LOC-HIDDEN";

/// Where the restricted person can be found.
pub(super) const REFUGE: &str = "Refuge Lane";

/// Local id, NHS number, birth date, family name.
const PEOPLE: [(&str, &str, &str, &str); 4] = [
    (ANNA, "9434765919", "1980-02-01", "Brien"),
    (TWIN, "9990000018", "1980-02-01", "Brien"),
    (OKAFOR, "", "1990-03-04", "Okafor"),
    (HIDDEN, "", "1985-05-06", "Quill"),
];

/// Who, entry, dataset, label.
pub(super) const ENTRIES: [(&str, &str, Dataset, SensitivityLabel); 14] = [
    (ANNA, "alg-anna", Dataset::Allergies, SensitivityLabel::Normal),
    (ANNA, "plan-anna", Dataset::CrisisPlans, SensitivityLabel::Normal),
    (ANNA, "med-anna", Dataset::Medications, SensitivityLabel::Normal),
    (ANNA, "med-anna-mind", Dataset::Medications, SensitivityLabel::MentalHealth),
    (ANNA, "med-anna-hiv", Dataset::Medications, SensitivityLabel::SexualHealth),
    (ANNA, "med-anna-sealed", Dataset::Medications, SensitivityLabel::Sealed),
    (ANNA, "doc-anna", Dataset::Documents, SensitivityLabel::Normal),
    (TWIN, "alg-twin", Dataset::Allergies, SensitivityLabel::Normal),
    (TWIN, "doc-twin", Dataset::Documents, SensitivityLabel::Normal),
    (OKAFOR, "alg-okafor", Dataset::Allergies, SensitivityLabel::Normal),
    (OKAFOR, "med-okafor", Dataset::Medications, SensitivityLabel::Normal),
    (OKAFOR, "doc-okafor-hiv", Dataset::Documents, SensitivityLabel::SexualHealth),
    (HIDDEN, "med-hidden", Dataset::Medications, SensitivityLabel::Normal),
    (HIDDEN, "doc-hidden", Dataset::Documents, SensitivityLabel::Normal),
];

const POLICIES: &str = r#"
@id("clinicians")
permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all")
when { ["direct_care", "emergency"].contains(context.purpose) };

@id("clerks")
permit (principal in Role::"clerk", action == Action::"read", resource == Dataset::"allergies")
when { context.purpose == "direct_care" && context.label == "normal" };

@id("crisis plans are opened with a reason")
@outcome("may_be_opened")
forbid (principal, action == Action::"read", resource == Dataset::"crisis_plans")
unless { context.breaking_glass };

@id("mental health stays with us")
@outcome("withheld")
forbid (principal, action == Action::"read", resource)
when { context.label == "mental_health" }
unless { context.relationship.evidence == "own" };

@id("sexual health stays in the clinic")
@outcome("withheld")
forbid (principal, action == Action::"read", resource)
when { context.label == "sexual_health" };

@id("letters of the restricted stay")
@outcome("withheld")
forbid (principal, action == Action::"read", resource == Dataset::"documents")
when { context.person.restricted };
"#;

const EVERYTHING: &str = r#"
@id("everything")
permit (principal, action == Action::"read", resource in Group::"all");
"#;

fn policy(text: &str) -> Policy {
    let role = |name: &str, code: &str| BundleRole { name: name.into(), codes: vec![code.into()] };
    Policy::read("owner", vec![role("clinician", CLINICIAN), role("clerk", CLERK)], text).unwrap()
}

fn source(restricts: bool) -> MadeUp {
    let source = MadeUp::default();
    for (local_id, nhs, born, family) in PEOPLE {
        source.put(local_id, nhs, born, family);
    }
    for (local_id, id, dataset, label) in ENTRIES {
        let mut entry =
            entry(id, dataset, if label == SensitivityLabel::Normal { &[] } else { std::slice::from_ref(&label) });
        if id == "med-hidden" {
            entry.head.as_mut().unwrap().provenance.as_mut().unwrap().location = REFUGE.into();
        }
        source.add(local_id, entry);
    }
    if restricts {
        source.restrict(HIDDEN);
    }
    source
}

fn person_keys(local_id: &str) -> PersonKeys {
    let Some((_, nhs, born, family)) = PEOPLE.iter().find(|(id, ..)| *id == local_id) else {
        return PersonKeys::default();
    };
    PersonKeys::of(&severn_proto::v1::Demographics {
        nhs_number: (*nhs).into(),
        birth_date: (*born).into(),
        names: vec![severn_proto::v1::HumanName { family: (*family).into(), ..Default::default() }],
        ..Default::default()
    })
}

/// A clock that is moved by hand.
#[derive(Clone)]
pub(super) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everybody's keys. Scripts see none but the broker's own.
#[derive(Clone)]
pub(super) struct Keyring {
    pub issuer: SigningKey,
    pub scratch: SigningKey,
    clinicians_app: SigningKey,
    clerks_app: SigningKey,
    broker: SigningKey,
    brokers_other: SigningKey,
    trail: SigningKey,
}

impl Keyring {
    pub fn new() -> Keyring {
        let Keys { issuer, app, broker, trail } = keys();
        let Keys { issuer: scratch, app: clerks_app, broker: brokers_other, .. } = keys();
        Keyring { issuer, scratch, clinicians_app: app, clerks_app, broker, brokers_other, trail }
    }

    /// What no refusal may name.
    pub fn ids(&self) -> Vec<String> {
        let all = [&self.issuer, &self.clinicians_app, &self.clerks_app, &self.broker, &self.brokers_other];
        all.into_iter().map(|key| key.public().kid().to_owned()).collect()
    }
}

/// What an app truly asks, properly signed.
#[derive(Clone)]
pub(super) struct Ask {
    pub role: &'static str,
    pub organisation: &'static str,
    /// Who is meant, by the local id that this source has; empty for nobody.
    pub person: &'static str,
    pub datasets: Vec<Dataset>,
    pub opening: Option<Uuid>,
    pub challenge: Option<Vec<u8>>,
    /// What is out of order already when the app signs it.
    pub change: fn(&mut UserClaims, &mut Proof),
}

impl Ask {
    /// A clinician elsewhere, about Anna.
    pub fn clinician(datasets: &[Dataset]) -> Ask {
        Ask {
            role: CLINICIAN,
            organisation: "RRK",
            person: ANNA,
            datasets: datasets.to_vec(),
            opening: None,
            challenge: None,
            change: |_, _| (),
        }
    }

    pub fn clerk(datasets: &[Dataset]) -> Ask {
        Ask { role: CLERK, ..Ask::clinician(datasets) }
    }

    /// The user's id.
    pub fn user(&self) -> &'static str {
        if self.role == CLERK { "u-clerk" } else { "u-clinician" }
    }

    pub fn about(self, person: &'static str) -> Ask {
        Ask { person, ..self }
    }

    pub fn but(self, change: fn(&mut UserClaims, &mut Proof)) -> Ask {
        Ask { change, ..self }
    }

    /// What of this source may leave for it: the owner's wishes read out by hand, without Cedar.
    pub fn may_leave(&self) -> BTreeSet<&'static str> {
        let may = |(who, _, dataset, label): &(&str, &str, Dataset, SensitivityLabel)| {
            *who == self.person
                && self.datasets.contains(dataset)
                && match self.role {
                    CLINICIAN => *dataset != Dataset::CrisisPlans,
                    CLERK => *dataset == Dataset::Allergies,
                    _ => false,
                }
                && match label {
                    SensitivityLabel::Normal => true,
                    SensitivityLabel::MentalHealth => self.organisation == SOURCE,
                    _ => false,
                }
                && !(*who == HIDDEN && *dataset == Dataset::Documents)
        };
        ENTRIES.iter().filter(|entry| may(entry)).map(|(_, id, ..)| *id).collect()
    }
}

/// What an app sent to the broker, and what was truly asked.
#[derive(Clone)]
pub(super) struct Held {
    pub context: RequestContext,
    pub ask: Ask,
    pub query_id: Uuid,
}

/// What a script has in hand.
pub(super) struct Scene {
    keys: Keyring,
    pub clock: Hand,
}

impl Scene {
    /// An app asks; the broker holds what it sent.
    pub fn app_asks(&self, ask: Ask) -> Held {
        let app = if ask.role == CLERK { &self.keys.clerks_app } else { &self.keys.clinicians_app };
        let (now_s, query_id) = (self.clock.now_s(), Uuid::from_u128(rand_u128()));
        let mut claims = UserClaims {
            iss: ISSUER.into(),
            sub: ask.user().into(),
            aud: AUDIENCE.into(),
            iat: now_s,
            nbf: now_s,
            exp: now_s + 300,
            jti: Uuid::from_u128(rand_u128()).to_string(),
            name: "Somebody Signedin".into(),
            role: ask.role.into(),
            org: ask.organisation.into(),
            assurance: 3,
            activities: BTreeSet::new(),
            workgroups: BTreeSet::new(),
            purpose: purpose_word(PurposeOfUse::DirectCare),
            cnf: Confirmation { jwk: app.public().jwk() },
            auth_time: None,
        };
        let mut proof = Proof {
            query_id,
            issued_s: now_s,
            datasets: ask.datasets.clone(),
            purpose: PurposeOfUse::DirectCare,
            person: Commitments::new(&person_keys(ask.person), &SystemEntropy::default()),
            challenge: ask.challenge.as_ref().map(|bytes| sha256(&[bytes])),
            opening: ask.opening,
        };
        (ask.change)(&mut claims, &mut proof);
        let user_token = Issuer::new(self.keys.issuer.clone()).issue(&claims).unwrap();
        let request_proof = proof.sign(app, &user_token).unwrap();
        Held { context: RequestContext { user_token, request_proof }, ask, query_id: proof.query_id }
    }

    /// What an honest broker would say of it.
    pub fn says(&self, held: &Held) -> BrokerStatement {
        BrokerStatement {
            query_id: held.query_id.to_string(),
            source_id: SOURCE.into(),
            local_id: held.ask.person.into(),
            datasets: held.ask.datasets.iter().map(|d| i32::from(*d)).collect(),
            budget_ms: 3000,
            issued_at_ms: self.clock.now_ms(),
            proof_sha256: sha256(&[held.context.request_proof.as_bytes()]).to_vec(),
            ..BrokerStatement::default()
        }
    }

    /// The broker signs whatever it likes.
    pub fn signs(&self, statement: BrokerStatement) -> SignedStatement {
        self.sign_all(&[statement]).remove(0)
    }

    pub fn sign_all(&self, statements: &[BrokerStatement]) -> Vec<SignedStatement> {
        sign_statements(statements, &self.keys.broker, &self.clock).unwrap()
    }

    /// With another key than the one that adapters were told.
    pub fn signs_otherwise(&self, statement: BrokerStatement) -> SignedStatement {
        sign_statements(&[statement], &self.keys.brokers_other, &self.clock).unwrap().remove(0)
    }

    /// A key of the broker's own, for whatever it makes up.
    pub fn own_key(&self) -> &SigningKey {
        &self.keys.brokers_other
    }
}

fn rand_u128() -> u128 {
    let mut bytes = [0; 16];
    severn_trust::Entropy::fill(&SystemEntropy::default(), &mut bytes);
    u128::from_be_bytes(bytes)
}

/// The payload of a compact JWS, not checked.
pub(super) fn jws_payload(jws: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jws.split('.').nth(1)?).ok()?).ok()
}

/// The statement in a leaf, not checked.
pub(super) fn decoded(signed: &SignedStatement) -> BrokerStatement {
    BrokerStatement::decode(signed.statement.as_slice()).unwrap_or_default()
}

/// An adapter, its doors, and its trail.
pub(super) struct Stand {
    pub scene: Scene,
    disk: MemoryDisk,
    network: Arc<InMemory>,
    _serving: AbortOnDropHandle<()>,
}

/// Which checks an adapter makes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Checked {
    Truly,
    /// By the checks of this test, all of them or all but one.
    Again(Option<Defence>),
}

impl Stand {
    pub fn start(keys: &Keyring, checked: Checked) -> Stand {
        let clock = Hand(Arc::new(AtomicI64::new(1_763_870_400_000)));
        let disk = MemoryDisk::default();
        let mut verifier = TokenVerifier::new(AUDIENCE);
        verifier.trust(ISSUER, &Issuer::new(keys.issuer.clone()).jwks_json()).unwrap();
        let without = if let Checked::Again(without) = checked { without } else { None };
        let text = if without == Some(Defence::Policy) { EVERYTHING } else { POLICIES };
        let mut adapter = Adapter::new(Parts {
            about: About {
                source_id: SOURCE.into(),
                name: "Subject".into(),
                ods: SOURCE.into(),
                adapter_kind: "made up".into(),
            },
            source: Arc::new(source(without != Some(Defence::OwnFlag))),
            broker: Identity::Broker("the-broker".into()),
            broker_key: keys.broker.public().clone(),
            keys: IssuerKeys::fixed(verifier),
            policy: Arc::new(CurrentPolicy::fixed(policy(text))),
            trail: Trail::open(Arc::new(disk.clone()), Arc::new(clock.clone()), keys.trail.clone()).unwrap(),
            inbox: Inbox::new(Arc::new(disk.clone())),
            clock: Arc::new(clock.clone()),
            limits: Limits::default(),
        });
        if checked != Checked::Truly {
            let people: BTreeMap<_, _> = PEOPLE.iter().map(|(id, ..)| ((*id).to_owned(), person_keys(id))).collect();
            let weakened = Weakened { without, keys: keys.clone(), audience: AUDIENCE.into(), people };
            let stand_in = move |checks: &_, call: &_, challenge, now_s| weakened.check(checks, call, challenge, now_s);
            Arc::get_mut(&mut adapter).unwrap().checks.stand_in = Some(Box::new(stand_in));
        }
        let network = Arc::new(InMemory::new(Identity::Source(SOURCE.into())));
        let incoming = UnboundedReceiverStream::new(network.accept());
        let _serving = AbortOnDropHandle::new(tokio::spawn(async move {
            drop(serve(adapter, incoming, ServerLimits::default(), std::future::pending()).await);
        }));
        Stand { scene: Scene { keys: keys.clone(), clock }, disk, network, _serving }
    }

    pub fn dialled_by(&self, caller: &Identity) -> Channel {
        self.network.party(caller.clone()).dial("", &Identity::Source(SOURCE.into())).unwrap()
    }

    /// The events of the trail, whose chain is checked.
    pub fn trail(&self) -> Vec<TrailEvent> {
        let mut events = Vec::new();
        let key = self.scene.keys.trail.public();
        scan_trail(&self.disk, key, i64::MIN..i64::MAX, |_, _, event| events.push(event)).unwrap();
        events
    }
}
