//! The keys of those whose tokens the broker believes: from a file, or fetched from an issuer's JWKS address, kept for
//! 24 hours while the address is down, and fetched again when a token names a key that is not known. A token that was
//! verified is remembered while it and the keys stand, since a user asks more than once with it.

use serde::Deserialize;
use severn_trust::{Clock, Digest, KeyError, SKEW_MAX_S, TOKEN_LIFE_MAX_S, TokenError, TokenVerifier, User, sha256};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::Notify;
use tracing::warn;

/// One issuer, from the configuration. Exactly one of file and address is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// The issuer's name: the `iss` claim of its tokens.
    pub name: String,
    /// A file with its JWK set.
    pub jwks_file: Option<PathBuf>,
    /// The address of its JWK set.
    pub jwks_url: Option<String>,
}

/// Why an issuer's keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Neither or both of file and address.
    #[error("issuer {0:?}: give one of jwks_file and jwks_url")]
    Place(String),
    /// The file cannot be read.
    #[error("issuer {0:?}: cannot read its key file: {1}")]
    File(String, std::io::Error),
    /// What was read is no JWK set with a usable key.
    #[error("issuer {0:?}: {1}")]
    Keys(String, KeyError),
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
        let verified = moka::sync::Cache::builder()
            .max_capacity(VERIFIED_MAX)
            .time_to_live(Duration::from_secs(TOKEN_LIFE_MAX_S.unsigned_abs()))
            .build();
        let believed = RwLock::new(Believed { verifier, generation: 0 });
        Arc::new(IssuerKeys { believed, verified, refresh: Notify::new() })
    }

    /// Reads the files of `issuers`, and starts to follow those that publish their keys at an address.
    ///
    /// # Errors
    /// [`KeysError`] names the issuer. An address that does not answer now is tried again and is no error.
    pub fn open(
        audience: &str,
        issuers: &[IssuerSettings],
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<IssuerKeys>, KeysError> {
        let mut verifier = TokenVerifier::new(audience);
        let mut followed = Vec::new();
        for issuer in issuers {
            match (&issuer.jwks_file, &issuer.jwks_url) {
                (Some(file), None) => {
                    let json = std::fs::read_to_string(file).map_err(|e| KeysError::File(issuer.name.clone(), e))?;
                    verifier.trust(&issuer.name, &json).map_err(|e| KeysError::Keys(issuer.name.clone(), e))?;
                }
                (None, Some(url)) => followed.push((issuer.name.clone(), url.clone())),
                _ => return Err(KeysError::Place(issuer.name.clone())),
            }
        }
        let keys = IssuerKeys::fixed(verifier);
        if !followed.is_empty() {
            tokio::spawn(follow(Arc::clone(&keys), followed, clock));
        }
        Ok(keys)
    }

    pub(super) fn verify(&self, token: &str, now_s: i64) -> Result<User, TokenError> {
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
}

async fn follow(keys: Arc<IssuerKeys>, followed: Vec<(String, String)>, clock: Arc<dyn Clock>) {
    let client = reqwest::Client::builder().timeout(FETCH_MAX).build().unwrap_or_default();
    let mut heard_at_ms = vec![clock.now_ms(); followed.len()];
    loop {
        for ((issuer, url), heard_at_ms) in followed.iter().zip(&mut heard_at_ms) {
            match fetch(&client, issuer, url).await {
                Ok(json) => match keys.change(|verifier| verifier.trust(issuer, &json)) {
                    Ok(()) => *heard_at_ms = clock.now_ms(),
                    Err(error) => warn!(issuer, %error, "issuer's keys cannot be used"),
                },
                Err(error) => {
                    warn!(issuer, %error, "issuer's keys cannot be fetched");
                    if clock.now_ms() - *heard_at_ms > GRACE_MS {
                        keys.change(|verifier| verifier.distrust(issuer));
                    }
                }
            }
        }
        tokio::time::sleep(REFRESH_AT_MOST_EVERY).await;
        let wait = REFRESH_EVERY.saturating_sub(REFRESH_AT_MOST_EVERY);
        drop(tokio::time::timeout(wait, keys.refresh.notified()).await);
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
    use severn_trust::{Confirmation, Issuer, SigningKey, UserClaims};

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
