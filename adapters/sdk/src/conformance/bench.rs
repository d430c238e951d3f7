//! An adapter stood up in memory, and somebody who asks it properly, or not: every part of a question can be changed
//! before it is signed. All keys are passed in; none is made here.

use crate::{
    inbox::Inbox,
    limits::Limits,
    serve::{About, Adapter, Parts, serve},
    source::Source,
};
use severn_link::{Dialler as _, Identity, InMemory, ServerLimits};
use severn_policy::{AccessTable, CurrentPolicy, PolicyError, RoleDefinition, Rule};
use severn_proto::v1::{
    BrokerStatement, Dataset, FetchBytesRequest, FetchBytesResponse, FetchRequest, FetchResponse, ListTakenRequest,
    ListTakenResponse, PurposeOfUse, RequestContext, SignedStatement, TakeChallengeRequest, TakeChallengeResponse,
    challenge_inbox_client::ChallengeInboxClient, source_adapter_client::SourceAdapterClient,
};
use severn_trust::{
    Clock, Commitments, Confirmation, Disk as _, Issuer, IssuerKeys, KeyError, MemoryDisk, PersonKeys, Proof,
    SigningKey, SystemClock, SystemEntropy, TokenVerifier, Trail, TrailError, UserClaims, new_uuid, purpose_word,
    sha256, sign_statements,
};
use std::{collections::BTreeSet, fmt, sync::Arc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, transport::Channel};
use uuid::Uuid;

/// The keys of those who take part.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs tokens.
    pub issuer: SigningKey,
    /// Signs proofs.
    pub app: SigningKey,
    /// Signs the broker's statements.
    pub broker: SigningKey,
    /// Signs the adapter's trail.
    pub trail: SigningKey,
}

/// What a bench is built from.
pub struct BenchParts {
    /// The source.
    pub source: Arc<dyn Source>,
    /// The keys.
    pub keys: Keys,
    /// The owner's table; by default the bench's role may see everything for direct care.
    pub policy: AccessTable,
    /// The limits.
    pub limits: Limits,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who the adapter's peer proves to be.
    pub caller: Identity,
}

impl BenchParts {
    /// The default: everything allowed to the bench's role, default limits, the machine's clock, the right broker.
    pub fn new(source: Arc<dyn Source>, keys: Keys) -> BenchParts {
        BenchParts {
            source,
            keys,
            policy: everything_for(ROLE),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            caller: broker(),
        }
    }
}

const SOURCE_ID: &str = "SUBJECT";
const AUDIENCE: &str = "severn-conformance";
const ISSUER: &str = "conformance-issuer";
const ROLE: &str = "S8000:G8000:R8000";

fn broker() -> Identity {
    Identity::Broker("conformance".into())
}

/// A table by which the role with this code may see every dataset and label, for direct care.
pub fn everything_for(role_code: &str) -> AccessTable {
    AccessTable {
        roles: vec![RoleDefinition {
            name: "clinician".into(),
            codes: vec![role_code.to_owned()],
            labels: vec!["*".into()],
        }],
        rules: vec![Rule {
            roles: vec!["clinician".into()],
            purposes: vec![purpose_word(PurposeOfUse::DirectCare)],
            datasets: vec!["*".into()],
            withhold: false,
            reason_opens: false,
        }],
    }
}

/// Why a bench cannot be stood up.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A key does not fit.
    #[error("a key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The policy does not hold.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// The trail cannot be opened.
    #[error("{0}")]
    Trail(#[from] TrailError),
    /// The adapter cannot be dialled.
    #[error("{0}")]
    Dial(#[from] severn_link::DialError),
}

/// An adapter in memory and a channel to it.
pub struct Bench {
    source: Arc<dyn Source>,
    keys: Keys,
    clock: Arc<dyn Clock>,
    entropy: SystemEntropy,
    disk: MemoryDisk,
    channel: Channel,
    _serving: AbortOnDropHandle<()>,
}

/// A question before it is signed. Every field may be changed, which makes an attack.
#[derive(Clone)]
pub struct Question {
    /// The claims of the user's token.
    pub claims: UserClaims,
    /// The query's id, in the proof.
    pub query_id: Uuid,
    /// When the proof is signed, seconds since 1970.
    pub issued_s: i64,
    /// The purpose, in the proof.
    pub purpose: PurposeOfUse,
    /// The datasets, in the proof.
    pub proof_datasets: Vec<Dataset>,
    /// Who is meant.
    pub person: PersonKeys,
    /// The query's id, in the statement.
    pub statement_query: String,
    /// The source, in the statement.
    pub statement_source: String,
    /// The local id, in the statement.
    pub local_id: String,
    /// The datasets, in the statement.
    pub datasets: Vec<Dataset>,
    /// The budget, in the statement: milliseconds.
    pub budget_ms: u32,
    /// Whether another source restricts the person, in the statement.
    pub restricted: bool,
    /// What is passed on, in the proof by its digest: a serialised Challenge.
    pub challenge: Option<Vec<u8>>,
    /// The override, in the proof.
    pub opening: Option<Uuid>,
    /// The relationship, in the statement.
    pub relationship: String,
    /// The override, in the statement.
    pub override_id: String,
    /// When that ends, in the statement: milliseconds since 1970.
    pub override_expires_ms: i64,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.query_id)
    }
}

impl Bench {
    /// Stands an adapter up. Must be called within a tokio runtime; it ends when the bench is dropped.
    ///
    /// # Errors
    /// [`BenchError`] if a key or the trail cannot be used.
    pub async fn start(parts: BenchParts) -> Result<Bench, BenchError> {
        let disk = MemoryDisk::default();
        let mut verifier = TokenVerifier::new(AUDIENCE);
        verifier.trust(ISSUER, &Issuer::new(parts.keys.issuer.clone()).jwks_json())?;
        let trail = Trail::open(Arc::new(disk.clone()), Arc::clone(&parts.clock), parts.keys.trail.clone())?;
        let about = About {
            source_id: SOURCE_ID.into(),
            name: "Subject".into(),
            ods: SOURCE_ID.into(),
            adapter_kind: "conformance".into(),
        };
        let adapter = Adapter::new(Parts {
            about,
            source: Arc::clone(&parts.source),
            broker: broker(),
            broker_key: parts.keys.broker.public().clone(),
            keys: IssuerKeys::fixed(verifier),
            policy: Arc::new(CurrentPolicy::fixed(parts.policy.policy()?)),
            trail,
            inbox: Inbox::new(Arc::new(disk.clone())),
            clock: Arc::clone(&parts.clock),
            limits: parts.limits,
        });
        let network = InMemory::new(Identity::Source(SOURCE_ID.into()));
        let incoming = UnboundedReceiverStream::new(network.accept());
        let serving = tokio::spawn(async move {
            drop(serve(adapter, incoming, ServerLimits::default(), std::future::pending()).await);
        });
        let channel = network.party(parts.caller).dial("", &Identity::Source(SOURCE_ID.into()))?;
        let (keys, clock, source) = (parts.keys, parts.clock, parts.source);
        let _serving = AbortOnDropHandle::new(serving);
        Ok(Bench { source, keys, clock, entropy: SystemEntropy::default(), disk, channel, _serving })
    }

    /// A proper question about one person; `None` if the source does not know the local id.
    pub async fn question(&self, local_id: &str, datasets: &[Dataset]) -> Option<Question> {
        let registration = self.source.registration(local_id).await.ok().flatten()?;
        let person = PersonKeys::of(registration.demographics.as_ref()?);
        let (id, now_s) = (new_uuid(&*self.clock, &self.entropy), self.clock.now_s());
        let claims = UserClaims {
            iss: ISSUER.into(),
            sub: "u-1".into(),
            aud: AUDIENCE.into(),
            iat: now_s,
            nbf: now_s,
            exp: now_s + 300,
            jti: id.to_string(),
            name: "A Clinician".into(),
            role: ROLE.into(),
            org: "RRK".into(),
            assurance: 3,
            activities: BTreeSet::new(),
            workgroups: BTreeSet::new(),
            purpose: purpose_word(PurposeOfUse::DirectCare),
            cnf: Confirmation { jwk: self.keys.app.public().jwk() },
            auth_time: None,
        };
        Some(Question {
            claims,
            query_id: id,
            issued_s: now_s,
            purpose: PurposeOfUse::DirectCare,
            proof_datasets: datasets.to_vec(),
            person,
            statement_query: id.to_string(),
            statement_source: SOURCE_ID.into(),
            local_id: local_id.into(),
            datasets: datasets.to_vec(),
            budget_ms: 3000,
            restricted: false,
            challenge: None,
            opening: None,
            relationship: String::new(),
            override_id: String::new(),
            override_expires_ms: 0,
        })
    }

    /// The same question under a new query id.
    pub fn renewed(&self, question: &Question) -> Question {
        let id = new_uuid(&*self.clock, &self.entropy);
        Question { query_id: id, statement_query: id.to_string(), ..question.clone() }
    }

    /// Signs the question as it stands.
    ///
    /// # Errors
    /// [`KeyError`] if a key cannot sign.
    pub fn signed(&self, question: &Question) -> Result<(RequestContext, SignedStatement), KeyError> {
        let user_token = Issuer::new(self.keys.issuer.clone()).issue(&question.claims)?;
        let proof = Proof {
            query_id: question.query_id,
            issued_s: question.issued_s,
            datasets: question.proof_datasets.clone(),
            purpose: question.purpose,
            person: Commitments::new(&question.person, &self.entropy),
            challenge: question.challenge.as_ref().map(|bytes| sha256(&[bytes])),
            opening: question.opening,
        };
        let request_proof = proof.sign(&self.keys.app, &user_token)?;
        let statement = BrokerStatement {
            query_id: question.statement_query.clone(),
            source_id: question.statement_source.clone(),
            local_id: question.local_id.clone(),
            datasets: question.datasets.iter().map(|d| i32::from(*d)).collect(),
            budget_ms: question.budget_ms,
            issued_at_ms: self.clock.now_ms(),
            proof_sha256: sha256(&[request_proof.as_bytes()]).to_vec(),
            relationship: question.relationship.clone(),
            restricted: question.restricted,
            override_id: question.override_id.clone(),
            override_reason: String::new(),
            override_expires_ms: question.override_expires_ms,
        };
        let signed = sign_statements(&[statement], &self.keys.broker, &*self.clock)?;
        let statement = signed.into_iter().next().unwrap_or_default();
        Ok((RequestContext { user_token, request_proof }, statement))
    }

    /// Signs, asks, and reads the answer to its end.
    ///
    /// # Errors
    /// The adapter's status, or that of a broken answer.
    pub async fn fetch(&self, question: &Question) -> Result<Vec<FetchResponse>, Status> {
        let (context, statement) = self.signed(question).map_err(|e| Status::internal(e.to_string()))?;
        self.fetch_signed(FetchRequest { context: Some(context), statement: Some(statement) }).await
    }

    /// Sends a request as it is and reads the answer to its end.
    ///
    /// # Errors
    /// The adapter's status, or that of a broken answer.
    pub async fn fetch_signed(&self, request: FetchRequest) -> Result<Vec<FetchResponse>, Status> {
        let mut parts = self.client().fetch(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(part) = parts.message().await? {
            all.push(part);
        }
        Ok(all)
    }

    /// Signs, asks for a document, and reads it to its end.
    ///
    /// # Errors
    /// The adapter's status, or that of a broken answer.
    pub async fn fetch_bytes(&self, question: &Question, entry_id: &str) -> Result<Vec<FetchBytesResponse>, Status> {
        let (context, statement) = self.signed(question).map_err(|e| Status::internal(e.to_string()))?;
        let request =
            FetchBytesRequest { context: Some(context), statement: Some(statement), entry_id: entry_id.to_owned() };
        let mut parts = self.client().fetch_bytes(request).await?.into_inner();
        let mut all = Vec::new();
        while let Some(part) = parts.message().await? {
            all.push(part);
        }
        Ok(all)
    }

    /// Signs, and passes `challenge` on.
    ///
    /// # Errors
    /// The adapter's status.
    pub async fn challenge(&self, question: &Question, challenge: Vec<u8>) -> Result<TakeChallengeResponse, Status> {
        let (context, statement) = self.signed(question).map_err(|e| Status::internal(e.to_string()))?;
        let request = TakeChallengeRequest { context: Some(context), statement: Some(statement), challenge };
        Ok(self.inbox().take_challenge(request).await?.into_inner())
    }

    /// Signs, and asks for the challenges of the user's organisation.
    ///
    /// # Errors
    /// The adapter's status.
    pub async fn taken(&self, question: &Question) -> Result<ListTakenResponse, Status> {
        let (context, statement) = self.signed(question).map_err(|e| Status::internal(e.to_string()))?;
        let request = ListTakenRequest { context: Some(context), statement: Some(statement) };
        Ok(self.inbox().list_taken(request).await?.into_inner())
    }

    fn inbox(&self) -> ChallengeInboxClient<Channel> {
        ChallengeInboxClient::new(self.channel.clone())
    }

    /// A client of the adapter.
    pub fn client(&self) -> SourceAdapterClient<Channel> {
        SourceAdapterClient::new(self.channel.clone())
    }

    /// The disk that the adapter's trail is on.
    pub fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// Refusals in the adapter's trail.
    pub fn refusals(&self) -> usize {
        self.events("refused")
    }

    /// Releases in the adapter's trail.
    pub fn releases(&self) -> usize {
        self.events("release")
    }

    fn events(&self, action: &str) -> usize {
        let bytes = self.disk.read("audit.log").unwrap_or_default();
        let wanted = format!("\"action\":\"{action}\"");
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(&wanted)).count()
    }
}
