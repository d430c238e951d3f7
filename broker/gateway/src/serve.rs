//! The doors: `POST /token` exchanges a sign-in (RFC 8693), `GET /jwks.json` publishes the key that tokens are signed with.

use crate::{
    development,
    exchange::{Issuing, Scope},
    sign_in::{Believed, SignInError},
};
use axum::{
    Form, Json, Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jsonwebtoken::jwk::JwkSet;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::{Value, json};
use severn_trust::{Clock, Entropy, Issuer, new_uuid, verify_possession};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};
use tracing::{info, warn};

/// Bytes of the largest request.
const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Proofs that are remembered, so that none is used twice; each would be too old long before it is forgotten.
const PROOFS_MAX: u64 = 100_000;
/// How long a proof is remembered.
const PROOF_LIFE: Duration = Duration::from_secs(120);
/// How often the keys of the sign-in are read again, and how often at most.
const REFRESH_EVERY: Duration = Duration::from_secs(300);
const REFRESH_AT_MOST_EVERY: Duration = Duration::from_secs(3);
/// How long the sign-in's keys stand while its address is down.
const GRACE_MS: i64 = 24 * 3600 * 1000;
/// How long reading them may take.
const FETCH_MAX: Duration = Duration::from_secs(5);

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What a gateway is made of.
pub struct Gateway {
    issuing: Issuing,
    /// Its address as callers know it.
    url: String,
    issuer: Issuer,
    sign_in: SignIn,
    proofs: Cache<String, ()>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The sign-in that is believed, and its keys; clones share them.
#[derive(Clone)]
pub struct SignIn {
    issuer: String,
    client_id: String,
    keys: Arc<RwLock<JwkSet>>,
    refresh: Arc<Notify>,
}

impl SignIn {
    /// Believes tokens of `issuer` for `client_id` by these keys.
    pub fn new(issuer: &str, client_id: &str, keys: JwkSet) -> SignIn {
        let (keys, refresh) = (Arc::new(RwLock::new(keys)), Arc::new(Notify::new()));
        SignIn { issuer: issuer.to_owned(), client_id: client_id.to_owned(), keys, refresh }
    }

    fn verify(&self, token: &str, now_s: i64) -> Result<crate::sign_in::SignedIn, SignInError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let believed = Believed { issuer: &self.issuer, client_id: &self.client_id, keys: &keys };
        if believed.lacks_key_of(token) {
            // The issuer may have rotated its keys; the next try will find the new one.
            self.refresh.notify_one();
        }
        believed.verify(token, now_s)
    }

    /// Reads the issuer's keys from the place that its configuration names, now and again, for ever. What was read stands
    /// for 24 hours while the address is down.
    pub async fn follow(self, clock: Arc<dyn Clock>) {
        let client = reqwest::Client::builder().timeout(FETCH_MAX).build().unwrap_or_default();
        let mut heard_at_ms = clock.now_ms();
        loop {
            match fetch(&client, &self.issuer).await {
                Ok(keys) => {
                    heard_at_ms = clock.now_ms();
                    *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
                }
                Err(error) => {
                    warn!(issuer = self.issuer, %error, "the sign-in's keys cannot be fetched");
                    if clock.now_ms() - heard_at_ms > GRACE_MS {
                        self.keys.write().unwrap_or_else(PoisonError::into_inner).keys.clear();
                    }
                }
            }
            tokio::time::sleep(REFRESH_AT_MOST_EVERY).await;
            drop(timeout(REFRESH_EVERY, self.refresh.notified()).await);
        }
    }
}

async fn fetch(client: &reqwest::Client, issuer: &str) -> Result<JwkSet, reqwest::Error> {
    #[derive(Deserialize)]
    struct Discovered {
        jwks_uri: String,
    }
    let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found: Discovered = client.get(place).send().await?.error_for_status()?.json().await?;
    client.get(found.jwks_uri).send().await?.error_for_status()?.json().await
}

impl Gateway {
    /// Speaks as `issuing` says, at `url`, signing with `issuer`, for whoever `sign_in` believes.
    pub fn new(
        (issuing, url): (Issuing, &str),
        issuer: Issuer,
        sign_in: SignIn,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Arc<Gateway> {
        let proofs = Cache::builder().max_capacity(PROOFS_MAX).time_to_live(PROOF_LIFE).build();
        Arc::new(Gateway { issuing, url: url.to_owned(), issuer, sign_in, proofs, clock, entropy })
    }

    fn exchange(&self, asked: &TokenRequest, dpop: &str) -> Result<Value, Refused> {
        if asked.grant_type != EXCHANGE || asked.subject_token_type != ID_TOKEN {
            return Err(Refused::new("unsupported_grant_type", "exchange an ID token: RFC 8693"));
        }
        if asked.audience != self.issuing.audience {
            return Err(Refused::new("invalid_target", "this gateway issues tokens for another federation"));
        }
        let now_s = self.clock.now_s();
        let shown = verify_possession(dpop, &format!("{}/token", self.url), now_s)
            .map_err(|error| Refused::new("invalid_dpop_proof", &error.to_string()))?;
        if !self.proofs.entry(shown.id).or_insert(()).is_fresh() {
            return Err(Refused::new("invalid_dpop_proof", "this DPoP proof was used before; sign a new one"));
        }
        let user = self.sign_in.verify(&asked.subject_token, now_s);
        let user = user.map_err(|error| Refused::new("invalid_grant", &error.to_string()))?;
        let scope = Scope::read(&asked.scope).map_err(|error| Refused::new("invalid_scope", &error.to_string()))?;
        let id = new_uuid(self.clock.as_ref(), self.entropy.as_ref());
        let claims = self.issuing.claims(user, scope, (&shown.key, id), now_s);
        let claims = claims.map_err(|error| Refused::new("access_denied", &error.to_string()))?;
        let token = self.issuer.issue(&claims).map_err(|error| Refused::new("server_error", &error.to_string()))?;
        info!(token_id = claims.jti, user = claims.sub, role = claims.role, purpose = claims.purpose, "token issued");
        Ok(json!({
            "access_token": token,
            "issued_token_type": JWT,
            "token_type": "DPoP",
            "expires_in": claims.exp - now_s,
        }))
    }
}

/// A request for a token (RFC 8693, section 2.1).
#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    #[serde(default)]
    subject_token: String,
    #[serde(default)]
    subject_token_type: String,
    #[serde(default)]
    audience: String,
    #[serde(default)]
    scope: String,
}

/// A refusal (RFC 6749, section 5.2).
struct Refused {
    error: &'static str,
    description: String,
}

impl Refused {
    fn new(error: &'static str, description: &str) -> Refused {
        Refused { error, description: description.to_owned() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// All doors of a gateway; with a development sign-in, those of that too.
pub fn doors(gateway: Arc<Gateway>, development: Option<Arc<development::SignInPage>>) -> Router {
    let jwks = gateway.issuer.jwks_json();
    let own = Router::new()
        .route("/token", post(token))
        .route("/jwks.json", get(|| async move { ([(header::CONTENT_TYPE, "application/json")], jwks) }))
        .with_state(gateway);
    let all = match development {
        Some(page) => own.nest("/development", development::doors(page)),
        None => own,
    };
    all.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
}

async fn token(
    State(gateway): State<Arc<Gateway>>,
    headers: HeaderMap,
    Form(asked): Form<TokenRequest>,
) -> Result<Response, Refused> {
    let dpop = headers.get("dpop").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match gateway.exchange(&asked, dpop) {
        Ok(issued) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)).into_response()),
        Err(refused) => {
            warn!(error = refused.error, why = refused.description, "no token is issued");
            Err(refused)
        }
    }
}
