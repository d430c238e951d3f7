//! The keys of those whose tokens the broker believes: from a file, or fetched from an issuer's JWKS address, kept for
//! 24 hours while the address is down, and fetched again when a token names a key that is not known.

use serde::Deserialize;
use severn_trust::{Clock, KeyError, TokenError, TokenVerifier, User};
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
    verifier: RwLock<TokenVerifier>,
    refresh: Notify,
}

const REFRESH_EVERY: Duration = Duration::from_secs(300);
const REFRESH_AT_MOST_EVERY: Duration = Duration::from_secs(3);
const FETCH_MAX: Duration = Duration::from_secs(5);
const JWKS_BYTES_MAX: usize = 64 * 1024;
const GRACE_MS: i64 = 24 * 3600 * 1000;

impl IssuerKeys {
    /// Believes what `verifier` believes, for ever: for tests and for issuers whose keys lie in files.
    pub fn fixed(verifier: TokenVerifier) -> Arc<IssuerKeys> {
        Arc::new(IssuerKeys { verifier: RwLock::new(verifier), refresh: Notify::new() })
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
        let verifier = self.verifier.read().unwrap_or_else(PoisonError::into_inner);
        if verifier.names_unknown_key(token) {
            // The issuer may have rotated its keys; the next try of this user will find the new one.
            self.refresh.notify_one();
        }
        verifier.verify(token, now_s)
    }
}

async fn follow(keys: Arc<IssuerKeys>, followed: Vec<(String, String)>, clock: Arc<dyn Clock>) {
    let client = reqwest::Client::builder().timeout(FETCH_MAX).build().unwrap_or_default();
    let mut heard_at_ms = vec![clock.now_ms(); followed.len()];
    loop {
        for ((issuer, url), heard_at_ms) in followed.iter().zip(&mut heard_at_ms) {
            match fetch(&client, issuer, url).await {
                Ok(json) => {
                    let mut verifier = keys.verifier.write().unwrap_or_else(PoisonError::into_inner);
                    match verifier.trust(issuer, &json) {
                        Ok(()) => *heard_at_ms = clock.now_ms(),
                        Err(error) => warn!(issuer, %error, "issuer's keys cannot be used"),
                    }
                }
                Err(error) => {
                    warn!(issuer, %error, "issuer's keys cannot be fetched");
                    if clock.now_ms() - *heard_at_ms > GRACE_MS {
                        keys.verifier.write().unwrap_or_else(PoisonError::into_inner).distrust(issuer);
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
