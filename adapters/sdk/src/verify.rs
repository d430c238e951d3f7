//! Checks for itself, before anything is read, who asks, that the asking app really asked this, and what the broker
//! says of the call. Pure, but for the memory of queries already taken. The person is compared in `serve`, which reads.
//!
//! **Invariant:** a refusal tells the caller what to do and nothing else: not which key, person or rule would have fitted.

use severn_link::{Identity, Peer};
use severn_policy::{Asker, Evidence, PersonFacts, Relationship, RelationshipKind};
use severn_proto::v1::{BrokerStatement, Dataset, RequestContext, SignedStatement};
use severn_trust::{
    Digest, IssuerKeys, Proof, ProofError, PublicKey, Replays, StatementError, TokenError, TrailEvent, User,
    dataset_word, purpose_word, verify_statement,
};
use std::{fmt, sync::Arc};
use tonic::{Code, Status};

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the broker of this federation.
    #[error("only the broker of this federation may ask; use its certificate")]
    NotTheBroker,
    /// The user's token is not acceptable.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The app's proof is not acceptable.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// The broker's statement is not acceptable.
    #[error("{0}")]
    Statement(#[from] StatementError),
    /// Statement and proof are of two queries.
    #[error("the broker's statement and the request proof name different queries")]
    OtherQuery,
    /// The statement names a dataset that the proof does not, or none that is known.
    #[error("the broker's statement names a dataset that the request proof does not, or one twice")]
    Widened,
    /// The person at this local id is not the one meant.
    #[error("this adapter does not answer for the person meant; resolve the person again")]
    OtherPerson,
    /// What is passed on is not what the app signed to be passed on to this source.
    #[error("the challenge is not the one that the asking app signed for this source; sign and send it again")]
    OtherChallenge,
    /// The requester is shown no such entry, whether there is one or not.
    #[error("this source shows you no such entry; retrieve the record again")]
    NoSuchEntry,
    /// The owner does not share documents with this requester.
    #[error("the owner does not share this document with this role and purpose")]
    DocumentNotShared,
    /// User, organisation or person had too many.
    #[error("the owner lets out only so many records in a minute; wait {wait_s} s")]
    TooOften {
        /// Seconds to wait.
        wait_s: u64,
    },
}

impl Refusal {
    /// The answer to the caller.
    pub fn status(self) -> Status {
        let code = match self {
            Refusal::Token(_) => Code::Unauthenticated,
            Refusal::NoSuchEntry => Code::NotFound,
            Refusal::TooOften { .. } => Code::ResourceExhausted,
            Refusal::NotTheBroker
            | Refusal::Proof(_)
            | Refusal::Statement(_)
            | Refusal::OtherQuery
            | Refusal::Widened
            | Refusal::OtherPerson
            | Refusal::OtherChallenge
            | Refusal::DocumentNotShared => Code::PermissionDenied,
        };
        Status::new(code, self.to_string())
    }
}

/// Whom an adapter believes.
pub(crate) struct Checks {
    pub source_id: String,
    pub broker: Identity,
    pub broker_key: PublicKey,
    pub keys: Arc<IssuerKeys>,
    pub replays: Replays,
    /// What the hostile broker's tests put in the place of the checks, to leave one of them out.
    #[cfg(test)]
    pub stand_in: Option<StandIn>,
}

/// Checks in the place of the true ones.
#[cfg(test)]
pub(crate) type StandIn = Box<dyn Fn(&Checks, &Call, Option<Digest>, i64) -> Result<Asked, Box<Refused>> + Send + Sync>;

/// What a call carries.
pub(crate) struct Call {
    pub peer: Option<Peer>,
    pub context: RequestContext,
    pub statement: Option<SignedStatement>,
}

/// A question that may be answered, as far as the owner's policy and the person agree.
pub(crate) struct Asked {
    pub user: User,
    pub proof: Proof,
    pub statement: BrokerStatement,
    /// In the order in which a record shows them, crisis first.
    pub datasets: Vec<Dataset>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({}, {} datasets)", self.proof.query_id, self.datasets.len())
    }
}

impl Asked {
    /// Who asks about `person`, as the owner's policy sees it. What the broker says of a relationship is its word; that
    /// the request comes from the owner's own organisation, `own_ods`, is in the user's token.
    pub fn asker(&self, person: PersonFacts, own_ods: &str, now_ms: i64) -> Asker {
        let own = self.user.organisation_ods == own_ods;
        let said = RelationshipKind::from_word(&self.statement.relationship.replace('-', "_")).unwrap_or_default();
        let relationship = match said {
            _ if own => Relationship::OWN,
            RelationshipKind::None => Relationship::default(),
            RelationshipKind::SelfClaimed => Relationship { kind: said, evidence: Evidence::Claimed },
            kind => Relationship { kind, evidence: Evidence::Feed },
        };
        Asker { relationship, person, breaking_glass: self.opening(now_ms), ..Asker::from(&self.user) }
    }

    /// Whether the glass is broken: the app signed for the override that the broker finds in force, and it has not ended.
    pub fn opening(&self, now_ms: i64) -> bool {
        let signed = self.proof.opening.is_some_and(|id| id.to_string() == self.statement.override_id);
        signed && now_ms < self.statement.override_expires_ms
    }

    /// An event of the trail that says who asked what about whom.
    pub fn event(&self, action: &str) -> TrailEvent {
        let known = Known { user: Some(&self.user), proof: Some(&self.proof), statement: Some(&self.statement) };
        known.event(action)
    }
}

/// A refusal and the event that records it.
#[derive(Debug)]
pub(crate) struct Refused {
    pub refusal: Refusal,
    pub event: TrailEvent,
}

impl Refused {
    /// Refuses what passed every check of the call itself.
    pub fn of(asked: &Asked, refusal: Refusal) -> Refused {
        Refused { refusal, event: because(asked.event("refused"), refusal) }
    }
}

impl Checks {
    /// Checks `call`, and takes it: the same call is refused the next time. `challenge` is the digest of what is passed on
    /// with it, if anything is: what an app signed to pass something on opens nothing else, and the reverse.
    pub fn verify(&self, call: &Call, challenge: Option<Digest>, now_s: i64) -> Result<Asked, Box<Refused>> {
        #[cfg(test)]
        if let Some(stand_in) = &self.stand_in {
            return stand_in(self, call, challenge, now_s);
        }
        let refuse =
            |refusal, known: Known<'_>| Box::new(Refused { refusal, event: because(known.event("refused"), refusal) });
        let mut known = Known::default();
        if call.peer.as_ref().map(|peer| &peer.identity) != Some(&self.broker) {
            return Err(refuse(Refusal::NotTheBroker, known));
        }
        let user = self.keys.verify(&call.context.user_token, now_s).map_err(|e| refuse(e.into(), known))?;
        known.user = Some(&user);
        let proof = Proof::verify(&call.context.request_proof, &user, now_s).map_err(|e| refuse(e.into(), known))?;
        known.proof = Some(&proof);
        if proof.challenge != challenge {
            return Err(refuse(Refusal::OtherChallenge, known));
        }
        let statement = self.statement(call, now_s).map_err(|e| refuse(e.into(), known))?;
        known.statement = Some(&statement);
        let datasets = self.agree(&user, &proof, &statement).map_err(|e| refuse(e, known))?;
        Ok(Asked { user, proof, statement, datasets })
    }

    fn statement(&self, call: &Call, now_s: i64) -> Result<BrokerStatement, StatementError> {
        let signed = call.statement.as_ref().ok_or(StatementError::Malformed)?;
        verify_statement(signed, &self.broker_key, &self.source_id, &call.context.request_proof, now_s)
    }

    /// That the three parts speak of one question, asked for the first time.
    fn agree(&self, user: &User, proof: &Proof, statement: &BrokerStatement) -> Result<Vec<Dataset>, Refusal> {
        if statement.query_id != proof.query_id.to_string() {
            return Err(Refusal::OtherQuery);
        }
        let mut datasets = Vec::with_capacity(statement.datasets.len());
        for number in &statement.datasets {
            let dataset = Dataset::try_from(*number).map_err(|_| Refusal::Widened)?;
            if !proof.datasets.contains(&dataset) || datasets.contains(&dataset) {
                return Err(Refusal::Widened);
            }
            datasets.push(dataset);
        }
        // Last, so that nobody can use up a query that would have been refused.
        self.replays.take_of(user, proof, &statement.local_id)?;
        datasets.sort_unstable();
        Ok(datasets)
    }
}

/// What is known of a call so far.
#[derive(Clone, Copy, Default)]
struct Known<'a> {
    user: Option<&'a User>,
    proof: Option<&'a Proof>,
    statement: Option<&'a BrokerStatement>,
}

impl Known<'_> {
    fn event(&self, action: &str) -> TrailEvent {
        let mut event = TrailEvent { action: action.to_owned(), ..TrailEvent::default() };
        if let Some(user) = self.user {
            event.user = format!("{} ({})", user.id, user.name);
            event.role = user.role_code.clone();
            event.organisation = user.organisation_ods.clone();
            event.purpose = purpose_word(user.purpose);
            event.token_id = user.token_id.clone();
            event.details.set("issuer", &user.issuer);
        }
        if let Some(proof) = self.proof {
            event.query_id = proof.query_id.to_string();
            let words: Vec<String> = proof.datasets.iter().copied().map(dataset_word).collect();
            event.details.set("asked", &words);
        }
        if let Some(statement) = self.statement {
            event.person = statement.local_id.clone();
            if !statement.override_id.is_empty() {
                event.details.set("override", &statement.override_id);
                event.details.set("override_reason", &statement.override_reason);
            }
            if !statement.relationship.is_empty() {
                event.details.set("relationship", &statement.relationship);
            }
        }
        event
    }
}

fn because(mut event: TrailEvent, refusal: Refusal) -> TrailEvent {
    event.details.set("refusal", &refusal.to_string());
    event
}
