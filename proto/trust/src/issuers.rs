//! The keys of those whose tokens a party believes: from a file, or fetched from an issuer's JWKS address, kept for
//! 24 hours while the address is down, and fetched again when a token names a key that is not known. A token that was
//! verified is remembered while it and the keys stand, since a user asks more than once with it.

use crate::{
    SKEW_MAX_S,
    clock::Clock,
    digest::{Digest, sha256},
    keys::KeyError,
    token::{TOKEN_LIFE_MAX_S, TokenError, TokenVerifier, User},
};
use serde::Deserialize;
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Notify;
use tracing::warn;

/// One issuer, from the configuration. Exactly one of file and address is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// The issuer's name: the `iss` claim of its tokens.
    pub name: String,
    /// A file with its JWK set.
    pub jwks_file: Option<PathBuf>,
    /// The address of its JWK set.
    pub jwks_url: Option<String>,
    /// ODS codes of the organisations whose users it may name; `["*"]` for all of them.
    pub organisations: Vec<String>,
}

/// Why an issuer's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Neither or both of file and address.
    #[error("tokens.issuers[{0}]: give one of jwks_file and jwks_url")]
    Place(usize),
    /// It speaks for nobody.
    #[error(
        "tokens.issuers[{0}].organisations: name the ODS codes of the organisations it speaks for, or \"*\" for all"
    )]
    Organisations(usize),
    /// The file cannot be read.
    #[error("tokens.issuers[{0}].jwks_file: cannot read {1}: {2}")]
    File(usize, PathBuf, std::io::Error),
    /// What was read is no JWK set with a usable key.
    #[error("tokens.issuers[{0}].jwks_file: {1}: {2}")]
    Keys(usize, PathBuf, KeyError),
    /// The address did not answer.
    #[error("issuer {0:?}: its key address did not answer")]
    Address(String),
}

/// The keys of all issuers; clones of the `Arc` share them.
pub struct IssuerKeys {
    // A std lock: nothing is awaited while it is held.
    believed: RwLock<Believed>,
    verified: moka::sync::Cache<Digest, Arc<Verified>>,
    refresh: Notify,
    /// Name and address of those that publish their keys.
    followed: Vec<(String, String)>,
}

struct Believed {
    verifier: TokenVerifier,
    /// Counts the changes of keys, so that nothing verified under other keys is believed.
    generation: u64,
}

/// A user whose token was verified under the keys of `generation`.
struct Verified {
    user: User,
    generation: u64,
    at_s: i64,
}

impl Verified {
    /// Whether the token would still be found good. When time goes backwards it is checked anew.
    fn stands(&self, generation: u64, now_s: i64) -> bool {
        let expired = now_s.saturating_sub(SKEW_MAX_S) > self.user.expires_s;
        self.generation == generation && now_s >= self.at_s && !expired
    }
}

/// Tokens that are remembered.
const VERIFIED_MAX: u64 = 10_000;

const REFRESH_EVERY: Duration = Duration::from_secs(300);
const REFRESH_AT_MOST_EVERY: Duration = Duration::from_secs(3);
const FETCH_MAX: Duration = Duration::from_secs(5);
const JWKS_BYTES_MAX: usize = 64 * 1024;
const GRACE_MS: i64 = 24 * 3600 * 1000;

impl IssuerKeys {
    /// Believes what `verifier` believes, for ever: for tests and for issuers whose keys lie in files.
    pub fn fixed(verifier: TokenVerifier) -> Arc<IssuerKeys> {
        IssuerKeys::following(verifier, Vec::new())
    }

    fn following(verifier: TokenVerifier, followed: Vec<(String, String)>) -> Arc<IssuerKeys> {
        let verified = moka::sync::Cache::builder()
            .max_capacity(VERIFIED_MAX)
            .time_to_live(Duration::from_secs(TOKEN_LIFE_MAX_S.unsigned_abs()))
            .build();
        let believed = RwLock::new(Believed { verifier, generation: 0 });
        Arc::new(IssuerKeys { believed, verified, refresh: Notify::new(), followed })
    }

    /// Reads the files of `issuers`. Those that publish their keys at an address are believed once [`IssuerKeys::follow`]
    /// has read them.
    ///
    /// # Errors
    /// [`KeysError`] names the issuer by its place in the configuration.
    pub fn open(audience: &str, issuers: &[IssuerSettings]) -> Result<Arc<IssuerKeys>, KeysError> {
        let mut verifier = TokenVerifier::new(audience);
        let mut followed = Vec::new();
        for (at, issuer) in issuers.iter().enumerate() {
            if issuer.organisations.is_empty() {
                return Err(KeysError::Organisations(at));
            }
            if issuer.organisations != ["*"] {
                verifier.speaks_for(&issuer.name, issuer.organisations.iter().cloned());
            }
            match (&issuer.jwks_file, &issuer.jwks_url) {
                (Some(file), None) => {
                    let json = std::fs::read_to_string(file).map_err(|e| KeysError::File(at, file.clone(), e))?;
                    verifier.trust(&issuer.name, &json).map_err(|e| KeysError::Keys(at, file.clone(), e))?;
                }
                (None, Some(url)) => followed.push((issuer.name.clone(), url.clone())),
                _ => return Err(KeysError::Place(at)),
            }
        }
        Ok(IssuerKeys::following(verifier, followed))
    }

    /// Checks a token as [`TokenVerifier::verify`] does.
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong, in words that may be shown to the caller.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<User, TokenError> {
        let believed = self.believed.read().unwrap_or_else(PoisonError::into_inner);
        let (name, generation) = (sha256(&[token.as_bytes()]), believed.generation);
        if let Some(verified) = self.verified.get(&name).filter(|verified| verified.stands(generation, now_s)) {
            return Ok(verified.user.clone());
        }
        if believed.verifier.names_unknown_key(token) {
            // The issuer may have rotated its keys; the next try of this user will find the new one.
            self.refresh.notify_one();
        }
        let user = believed.verifier.verify(token, now_s)?;
        self.verified.insert(name, Arc::new(Verified { user: user.clone(), generation, at_s: now_s }));
        Ok(user)
    }

    fn change<T>(&self, change: impl FnOnce(&mut TokenVerifier) -> T) -> T {
        let mut believed = self.believed.write().unwrap_or_else(PoisonError::into_inner);
        believed.generation += 1;
        change(&mut believed.verifier)
    }
    /// Reads the keys of those that publish them, now and again, for ever. What was read stands for 24 hours while an
    /// address does not answer. Ends at once where there is nobody to follow.
    pub async fn follow(self: Arc<Self>, clock: Arc<dyn Clock>) {
        if self.followed.is_empty() {
            return;
        }
        let client = reqwest::Client::builder().timeout(FETCH_MAX).build().unwrap_or_default();
        let mut heard_at_ms = vec![clock.now_ms(); self.followed.len()];
        loop {
            for ((issuer, url), heard_at_ms) in self.followed.iter().zip(&mut heard_at_ms) {
                match fetch(&client, issuer, url).await {
                    Ok(json) => match self.change(|verifier| verifier.trust(issuer, &json)) {
                        Ok(()) => *heard_at_ms = clock.now_ms(),
                        Err(error) => warn!(issuer, %error, "issuer's keys cannot be used"),
                    },
                    Err(error) => {
                        warn!(issuer, %error, "issuer's keys cannot be fetched");
                        if clock.now_ms() - *heard_at_ms > GRACE_MS {
                            self.change(|verifier| verifier.distrust(issuer));
                        }
                    }
                }
            }
            tokio::time::sleep(REFRESH_AT_MOST_EVERY).await;
            let wait = REFRESH_EVERY.saturating_sub(REFRESH_AT_MOST_EVERY);
            drop(tokio::time::timeout(wait, self.refresh.notified()).await);
        }
    }
}

async fn fetch(client: &reqwest::Client, issuer: &str, url: &str) -> Result<String, KeysError> {
    let failed = || KeysError::Address(issuer.to_owned());
    let mut response =
        client.get(url).send().await.and_then(reqwest::Response::error_for_status).map_err(|_| failed())?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| failed())? {
        body.extend_from_slice(&chunk);
        if body.len() > JWKS_BYTES_MAX {
            return Err(failed());
        }
    }
    String::from_utf8(body).map_err(|_| failed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::SigningKey,
        token::{Confirmation, Issuer, UserClaims},
    };

    #[test]
    fn a_token_is_remembered_only_while_it_and_the_keys_stand() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let issuer = Issuer::new(SigningKey::from_pem(&pem).unwrap());
        let mut verifier = TokenVerifier::new("severn");
        verifier.trust("i", &issuer.jwks_json()).unwrap();
        let keys = IssuerKeys::fixed(verifier);
        let jwk = SigningKey::from_pem(&pem).unwrap().public().jwk();
        let claims = UserClaims {
            iss: "i".into(),
            sub: "u1".into(),
            aud: "severn".into(),
            iat: 1000,
            nbf: 1000,
            exp: 1200,
            jti: "t1".into(),
            name: "Dr A".into(),
            role: "R8000".into(),
            org: "RRK".into(),
            assurance: 3,
            activities: std::collections::BTreeSet::new(),
            workgroups: std::collections::BTreeSet::new(),
            purpose: "direct_care".into(),
            cnf: Confirmation { jwk },
            auth_time: None,
        };
        let token = issuer.issue(&claims).unwrap();
        for (now_s, good) in [(1001, true), (1100, true), (0, false), (1200 + SKEW_MAX_S + 1, false), (1100, true)] {
            assert_eq!(keys.verify(&token, now_s).is_ok(), good, "at {now_s}");
        }
        keys.verified.run_pending_tasks();
        assert_eq!(keys.verified.entry_count(), 1);
        keys.change(|verifier| verifier.distrust("i"));
        assert_eq!(keys.verify(&token, 1100).unwrap_err(), TokenError::UnknownIssuer);
    }
}
