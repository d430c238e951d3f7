//! The checks once more, with one of them left out: what an adapter would let out if it lacked that defence.
//!
//! **Invariant:** with nothing left out, it refuses what the true checks refuse, in the same words; a test compares them.

use super::world::{Keyring, decoded, jws_payload};
use crate::verify::{Asked, Call, Checks, Refusal, Refused};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message as _;
use serde_json::Value;
use severn_proto::v1::{BrokerStatement, Dataset, SignedStatement};
use severn_trust::{
    Clock, Commitments, Digest, Issuer, PersonKeys, Proof, StatementError, SystemEntropy, TokenError, TokenVerifier,
    TrailEvent, User, UserClaims, sha256, sign_statements, verify_statement,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One defence of the adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Defence {
    Peer,
    TokenSignature,
    TokenAudience,
    TokenTime,
    TokenClaims,
    ProofSignature,
    ProofTime,
    ProofToken,
    ProofPurpose,
    StatementPresent,
    StatementSignature,
    StatementTree,
    StatementTime,
    StatementSource,
    StatementRequest,
    SameQuery,
    NotWider,
    Challenge,
    Replay,
    Person,
    DocumentsOnly,
    ListOnly,
    OverrideSigned,
    OverrideInForce,
    OverrideExpiry,
    /// The owner's policy: left out, it permits everything that the engine itself does not withhold.
    Policy,
    /// The source's own word that a person is restricted: left out, the source does not say so.
    OwnFlag,
    /// What cannot be left out without writing another adapter; only the other assertions are made.
    Inherent,
}

/// A clock that stands.
struct At(i64);

impl Clock for At {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

/// The checks without one.
pub(super) struct Weakened {
    pub without: Option<Defence>,
    pub keys: Keyring,
    pub audience: String,
    pub people: BTreeMap<String, PersonKeys>,
}

impl Weakened {
    pub fn check(&self, checks: &Checks, call: &Call, c: Option<Digest>, now_s: i64) -> Result<Asked, Box<Refused>> {
        self.asked(checks, call, c, now_s).map_err(|refusal| {
            let event = TrailEvent { action: "refused".into(), ..TrailEvent::default() };
            Box::new(Refused { refusal, event })
        })
    }

    fn lacks(&self, defence: Defence) -> bool {
        self.without == Some(defence)
    }

    fn asked(&self, checks: &Checks, call: &Call, challenge: Option<Digest>, now_s: i64) -> Result<Asked, Refusal> {
        let fits = call.peer.as_ref().map(|peer| &peer.identity) == Some(&checks.broker);
        if !fits && !self.lacks(Defence::Peer) {
            return Err(Refusal::NotTheBroker);
        }
        let user = self.user(checks, &call.context.user_token, now_s)?;
        let mut proof = self.proof(&call.context.request_proof, &user, now_s)?;
        if proof.challenge != challenge && !self.lacks(Defence::Challenge) {
            return Err(Refusal::OtherChallenge);
        }
        let mut statement = self.statement(checks, call, &proof, now_s)?;
        if statement.query_id != proof.query_id.to_string() && !self.lacks(Defence::SameQuery) {
            return Err(Refusal::OtherQuery);
        }
        let mut datasets = self.datasets(&proof, &statement)?;
        let taken = checks.replays.take_of(&user, &proof, &statement.local_id);
        if !self.lacks(Defence::Replay) {
            taken?;
        }
        datasets.sort_unstable();
        match self.without {
            Some(Defence::Person) => {
                let filed = self.people.get(&statement.local_id).cloned().unwrap_or_default();
                proof.person = Commitments::new(&filed, &SystemEntropy::default());
            }
            Some(Defence::DocumentsOnly) => datasets = vec![Dataset::Documents],
            Some(Defence::ListOnly) => proof.datasets.clear(),
            Some(Defence::OverrideSigned) => {
                proof.opening = Uuid::parse_str(&statement.override_id).ok();
                statement.override_id = proof.opening.map(|id| id.to_string()).unwrap_or_default();
            }
            Some(Defence::OverrideExpiry) => statement.override_expires_ms = i64::MAX,
            Some(Defence::OverrideInForce) => {
                statement.override_id = proof.opening.map(|id| id.to_string()).unwrap_or_default();
                statement.override_expires_ms = i64::MAX;
            }
            _ => {}
        }
        Ok(Asked { user, proof, statement, datasets })
    }

    /// A check is left out by signing what came once more, as it should have been, with a key of the test.
    fn user(&self, checks: &Checks, token: &str, now_s: i64) -> Result<User, Refusal> {
        let claims = jws_payload(token).and_then(|value| serde_json::from_value::<UserClaims>(value).ok());
        let (Some(mut claims), true) = (claims, self.of_token()) else {
            return Ok(checks.keys.verify(token, now_s)?);
        };
        if !self.lacks(Defence::TokenSignature) {
            self.keys.issuer.public().verify::<UserClaims>(&["JWT"], token).map_err(TokenError::Key)?;
        }
        match self.without {
            Some(Defence::TokenAudience) => claims.aud.clone_from(&self.audience),
            Some(Defence::TokenTime) => (claims.iat, claims.nbf, claims.exp) = (now_s, now_s, now_s + 300),
            Some(Defence::TokenClaims) => claims.sub = "u-0".into(),
            _ => {}
        }
        let scratch = Issuer::new(self.keys.scratch.clone());
        let mut verifier = TokenVerifier::new(self.audience.clone());
        verifier.trust(&claims.iss, &scratch.jwks_json()).unwrap();
        let user = verifier.verify(&scratch.issue(&claims).unwrap(), now_s)?;
        Ok(User { token_sha256: sha256(&[token.as_bytes()]), ..user })
    }

    fn of_token(&self) -> bool {
        use Defence::{TokenAudience, TokenClaims, TokenSignature, TokenTime};
        self.without.is_some_and(|d| [TokenSignature, TokenAudience, TokenTime, TokenClaims].contains(&d))
    }

    fn proof(&self, jws: &str, user: &User, now_s: i64) -> Result<Proof, Refusal> {
        let payload = jws_payload(jws).unwrap_or_default();
        // Where a token or a proof can be made up, it can also be made up to go with the other.
        let any_token = [Defence::ProofToken, Defence::TokenSignature, Defence::ProofSignature];
        let named = payload["ath"].as_str().and_then(|ath| URL_SAFE_NO_PAD.decode(ath).ok()?.try_into().ok());
        let user = &match (named, any_token.into_iter().any(|defence| self.lacks(defence))) {
            (Some(token_sha256), true) => User { token_sha256, ..user.clone() },
            _ => user.clone(),
        };
        let verified = match self.without {
            Some(Defence::ProofSignature) => {
                let again = self.keys.scratch.sign("severn-proof+jwt", &payload).unwrap();
                let user = User { app_key: self.keys.scratch.public().clone(), ..user.clone() };
                Proof::verify(&again, &user, now_s)
            }
            Some(Defence::ProofTime) => Proof::verify(jws, user, payload["iat"].as_i64().unwrap_or(now_s)),
            Some(Defence::ProofPurpose) => {
                let word = payload["purpose"].as_str().unwrap_or_default();
                let purpose = severn_trust::purpose_from_word(word).unwrap_or(user.purpose);
                Proof::verify(jws, &User { purpose, ..user.clone() }, now_s)
            }
            _ => Proof::verify(jws, user, now_s),
        };
        Ok(verified?)
    }

    fn statement(&self, checks: &Checks, call: &Call, proof: &Proof, now_s: i64) -> Result<BrokerStatement, Refusal> {
        let jws = &call.context.request_proof;
        let signed = match (&call.statement, self.lacks(Defence::StatementPresent)) {
            (Some(signed), false) => signed,
            (None, false) => return Err(StatementError::Malformed.into()),
            // An adapter that does without looks the person up itself.
            (_, true) => {
                let meant = self.people.iter().find(|(_, keys)| proof.person.agrees_with(keys));
                return Ok(BrokerStatement {
                    query_id: proof.query_id.to_string(),
                    local_id: meant.map(|(id, _)| id.clone()).unwrap_or_default(),
                    datasets: proof.datasets.iter().map(|d| i32::from(*d)).collect(),
                    budget_ms: 3000,
                    ..BrokerStatement::default()
                });
            }
        };
        let scratch = self.keys.scratch.public();
        let verified = match self.without {
            Some(Defence::StatementSignature) => {
                let root: Value = jws_payload(&signed.root_signature).unwrap_or_default();
                let root_signature = self.keys.scratch.sign("severn-statements+jwt", &root).unwrap();
                let again = SignedStatement { root_signature, ..signed.clone() };
                verify_statement(&again, scratch, &checks.source_id, jws, now_s)
            }
            Some(Defence::StatementTree) => {
                let again = self.again(&decoded(signed), now_s);
                verify_statement(&again, scratch, &checks.source_id, jws, now_s)
            }
            Some(Defence::StatementTime) => {
                let said = BrokerStatement { issued_at_ms: now_s * 1000, ..decoded(signed) };
                verify_statement(&self.again(&said, now_s), scratch, &checks.source_id, jws, now_s)
            }
            Some(Defence::StatementRequest) => {
                let said = BrokerStatement { proof_sha256: sha256(&[jws.as_bytes()]).to_vec(), ..decoded(signed) };
                verify_statement(&self.again(&said, now_s), scratch, &checks.source_id, jws, now_s)
            }
            Some(Defence::StatementSource) => {
                verify_statement(signed, &checks.broker_key, &decoded(signed).source_id, jws, now_s)
            }
            _ => verify_statement(signed, &checks.broker_key, &checks.source_id, jws, now_s),
        };
        Ok(verified?)
    }

    fn again(&self, statement: &BrokerStatement, now_s: i64) -> SignedStatement {
        assert!(statement.encoded_len() > 0, "a statement that can be read");
        sign_statements(std::slice::from_ref(statement), &self.keys.scratch, &At(now_s * 1000)).unwrap().remove(0)
    }

    fn datasets(&self, proof: &Proof, statement: &BrokerStatement) -> Result<Vec<Dataset>, Refusal> {
        let mut datasets = Vec::new();
        for number in &statement.datasets {
            let known = Dataset::try_from(*number).ok();
            let fits = known.is_some_and(|d| proof.datasets.contains(&d) && !datasets.contains(&d));
            if !fits && !self.lacks(Defence::NotWider) {
                return Err(Refusal::Widened);
            }
            datasets.extend(known);
        }
        Ok(datasets)
    }
}
