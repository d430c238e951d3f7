//! The asking app's signature over what it asks: token, query, person, datasets, purpose, override. Made with the key that
//! the user's token is bound to, checked by the broker and again by every adapter, so that a broker cannot widen a
//! question. It names the token as RFC 9449 does, by `ath`: apps that serve several users have one key, and a broker that
//! holds the tokens of two must not ask in the name of one what the other asked.

use crate::{
    SKEW_MAX_S,
    commitment::Commitments,
    digest::{Digest, sha256},
    keys::{KeyError, SigningKey},
    token::User,
    words::{dataset_from_word, dataset_word, purpose_from_word, purpose_word},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moka::{policy::EvictionPolicy, sync::Cache};
use serde::{Deserialize, Serialize};
use severn_proto::v1::{Dataset, PurposeOfUse};
use std::time::Duration;
use uuid::Uuid;

const TYPE: &str = "severn-proof+jwt";

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// There is no proof.
    #[error("no request proof was sent; the app signs every request with the key its user's token is bound to")]
    Missing,
    /// Signature, header or payload are not acceptable.
    #[error("the request proof is not acceptable: {0}")]
    Key(#[from] KeyError),
    /// Signed too long ago, or in the future.
    #[error(
        "the request proof was signed more than 30 s ago or in the future; sign the request again and check the clock"
    )]
    WrongTime,
    /// Signed for another token.
    #[error("the request proof was signed for another user token; sign the request with the token that goes with it")]
    OtherToken,
    /// Another purpose than the token's.
    #[error("the request proof names another purpose than the user token")]
    WrongPurpose,
    /// An unknown or repeated dataset, a query id that is no UUID, or a digest that is none.
    #[error(
        "the request proof names an unknown or repeated dataset, its qid is no UUID, or its ath or challenge no digest"
    )]
    WrongPayload,
    /// Seen before.
    #[error("this request was answered before; sign a new one")]
    Replayed,
}

/// What an app asks, as it signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The query.
    pub query_id: Uuid,
    /// When it was signed, seconds since 1970.
    pub issued_s: i64,
    /// The datasets asked for; empty for a call that reads none.
    pub datasets: Vec<Dataset>,
    /// Why.
    pub purpose: PurposeOfUse,
    /// Who is meant.
    pub person: Commitments,
    /// SHA-256 of the challenge that is to be passed on; `None` for every other call.
    pub challenge: Option<Digest>,
    /// The override (broken glass) that is to open what may be opened with a reason; `None` to open nothing.
    pub opening: Option<Uuid>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    ath: String,
    qid: Uuid,
    iat: i64,
    datasets: Vec<String>,
    purpose: String,
    person: Commitments,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<String>,
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    opening: Option<Uuid>,
}

impl Proof {
    /// Signs this question with the app's key, to go with `user_token` and no other.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot sign.
    pub fn sign(&self, key: &SigningKey, user_token: &str) -> Result<String, KeyError> {
        let payload = Payload {
            ath: URL_SAFE_NO_PAD.encode(sha256(&[user_token.as_bytes()])),
            qid: self.query_id,
            iat: self.issued_s,
            datasets: self.datasets.iter().copied().map(dataset_word).collect(),
            purpose: purpose_word(self.purpose),
            person: self.person.clone(),
            challenge: self.challenge.map(|digest| URL_SAFE_NO_PAD.encode(digest)),
            opening: self.opening,
        };
        key.sign(TYPE, &payload)
    }

    /// Checks a proof against `user`'s token, its key and purpose, and the time. Replay is checked apart.
    ///
    /// # Errors
    /// [`ProofError`] says what is wrong, in words that may be shown to the caller.
    pub fn verify(jws: &str, user: &User, now_s: i64) -> Result<Proof, ProofError> {
        if jws.is_empty() {
            return Err(ProofError::Missing);
        }
        let payload: Payload = user.app_key.verify(&[TYPE], jws)?;
        if payload.iat.abs_diff(now_s) > SKEW_MAX_S.unsigned_abs() {
            return Err(ProofError::WrongTime);
        }
        if read_digest(&payload.ath).ok_or(ProofError::WrongPayload)? != user.token_sha256 {
            return Err(ProofError::OtherToken);
        }
        let mut datasets = Vec::with_capacity(payload.datasets.len());
        for word in &payload.datasets {
            let dataset = dataset_from_word(word).ok_or(ProofError::WrongPayload)?;
            if datasets.contains(&dataset) {
                return Err(ProofError::WrongPayload);
            }
            datasets.push(dataset);
        }
        let purpose = purpose_from_word(&payload.purpose).ok_or(ProofError::WrongPayload)?;
        if purpose != user.purpose {
            return Err(ProofError::WrongPurpose);
        }
        let challenge = payload.challenge.map(|text| read_digest(&text).ok_or(ProofError::WrongPayload)).transpose()?;
        let (person, opening) = (payload.person, payload.opening);
        Ok(Proof { query_id: payload.qid, issued_s: payload.iat, datasets, purpose, person, challenge, opening })
    }
}

fn read_digest(text: &str) -> Option<Digest> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Remembers the queries that were taken, for longer than a proof of them could be accepted.
pub struct Replays {
    seen: Cache<(String, Uuid, String), i64>,
}

/// Queries remembered at most. Reached, the oldest are forgotten early; their proofs then expire within 30 s.
const REPLAYS_MAX: u64 = 1_000_000;

impl Default for Replays {
    fn default() -> Self {
        let life = Duration::from_secs(SKEW_MAX_S.unsigned_abs() * 4);
        // Not the default policy: that one, when full, would rather not admit the newest.
        let oldest_first = EvictionPolicy::lru();
        let seen = Cache::builder().max_capacity(REPLAYS_MAX).time_to_live(life).eviction_policy(oldest_first).build();
        Replays { seen }
    }
}

impl Replays {
    /// Takes the query, once.
    ///
    /// # Errors
    /// [`ProofError::Replayed`] the second time.
    pub fn take(&self, user: &User, proof: &Proof) -> Result<(), ProofError> {
        self.take_of(user, proof, "")
    }

    /// Takes the query once for each `local_id`: a source that knows a person twice is asked twice in one query.
    ///
    /// # Errors
    /// [`ProofError::Replayed`] the second time.
    pub fn take_of(&self, user: &User, proof: &Proof, local_id: &str) -> Result<(), ProofError> {
        let key = (user.token_id.clone(), proof.query_id, local_id.to_owned());
        let entry = self.seen.entry(key).or_insert(proof.issued_s);
        if entry.is_fresh() { Ok(()) } else { Err(ProofError::Replayed) }
    }
}

#[cfg(test)]
mod tests;
