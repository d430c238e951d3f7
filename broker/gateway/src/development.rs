//! **For development only**: a small OpenID Connect issuer without passwords. A page lists who may sign in; a click gives
//! a code, and the code an ID token with the role claims of NHS CIS2 (authorisation code with PKCE).

use crate::config::DevelopmentUser;
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use moka::sync::Cache;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use severn_trust::{Clock, Entropy, SigningKey, new_uuid, sha256};
use std::{fmt::Write as _, sync::Arc, time::Duration};

/// The client that users sign in to.
pub const CLIENT_ID: &str = "severn";

/// Seconds that a sign-in lasts.
const SIGN_IN_LIFE_S: i64 = 8 * 3600;
/// How long a code may be redeemed.
const CODE_LIFE: Duration = Duration::from_secs(60);
/// Codes that wait.
const CODES_MAX: u64 = 1_000;

/// The page, and what it remembers of sign-ins under way.
pub struct SignInPage {
    /// Its address, which is also its name as an issuer.
    address: String,
    key: SigningKey,
    users: Vec<DevelopmentUser>,
    codes: Cache<String, Code>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// A sign-in that waits for its code to be redeemed.
#[derive(Clone)]
struct Code {
    user: DevelopmentUser,
    asked: Asked,
    at_s: i64,
}

/// What a program asks for (OpenID Connect Core, section 3.1.2.1).
#[derive(Clone, Deserialize, Serialize)]
struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    nonce: String,
    code_challenge: String,
    code_challenge_method: String,
}

/// What the page sends back: what was asked, and who was chosen.
#[derive(Deserialize)]
struct Chosen {
    user: String,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Redeemed {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
}

impl SignInPage {
    /// A page below `url`, the gateway's address, that signs in `users`.
    pub fn new(
        url: &str,
        key: SigningKey,
        users: Vec<DevelopmentUser>,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Arc<SignInPage> {
        let codes = Cache::builder().max_capacity(CODES_MAX).time_to_live(CODE_LIFE).build();
        Arc::new(SignInPage { address: format!("{url}/development"), key, users, codes, clock, entropy })
    }

    /// Its name as an issuer.
    pub fn issuer(&self) -> &str {
        &self.address
    }

    /// Its keys.
    pub fn keys(&self) -> JwkSet {
        JwkSet { keys: vec![self.key.public().jwk()] }
    }

    fn code(&self, user: &DevelopmentUser, asked: Asked) -> String {
        let name = new_uuid(self.clock.as_ref(), self.entropy.as_ref()).to_string();
        self.codes.insert(name.clone(), Code { user: user.clone(), asked, at_s: self.clock.now_s() });
        name
    }

    fn id_token(&self, code: &Code) -> Option<String> {
        let roles: Vec<Value> = code.user.roles.iter().enumerate().map(|(at, role)| {
            json!({ "person_roleid": at.to_string(), "org_code": role.org, "role_code": role.code, "role_name": role.name })
        }).collect();
        let claims = json!({
            "iss": self.address,
            "sub": code.user.id,
            "aud": CLIENT_ID,
            "iat": code.at_s,
            "exp": code.at_s + SIGN_IN_LIFE_S,
            "auth_time": code.at_s,
            "nonce": code.asked.nonce,
            "name": code.user.name,
            "idassurancelevel": code.user.assurance.to_string(),
            "selected_roleid": "0",
            "nhsid_nrbac_roles": roles,
        });
        self.key.sign("JWT", &claims).ok()
    }
}

/// Why somebody cannot sign in here.
const WRONG: &str = "this is no sign-in of the command line; start with `severn login`";

/// The doors of the page.
pub fn doors(page: Arc<SignInPage>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks.json", get(|State(page): State<Arc<SignInPage>>| async move { Json(page.keys()) }))
        .route("/authorize", get(choose).post(chosen))
        .route("/token", post(redeem))
        .with_state(page)
}

async fn discovery(State(page): State<Arc<SignInPage>>) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", page.address);
    Json(json!({
        "issuer": page.address,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "jwks_uri": at("jwks.json"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "EdDSA"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

/// Where an answer may be sent: to a program on this machine (RFC 8252, section 7.3).
fn goes_back(asked: &Asked) -> Option<Url> {
    let url = Url::parse(&asked.redirect_uri).ok()?;
    let here = url.scheme() == "http" && url.host_str() == Some("127.0.0.1");
    let plain = asked.response_type == "code" && asked.client_id == CLIENT_ID && asked.code_challenge_method == "S256";
    (here && plain && !asked.code_challenge.is_empty()).then_some(url)
}

async fn choose(State(page): State<Arc<SignInPage>>, Query(asked): Query<Asked>) -> Response {
    if goes_back(&asked).is_none() {
        return (StatusCode::BAD_REQUEST, WRONG).into_response();
    }
    let mut buttons = String::new();
    for user in &page.users {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.name.as_str()).collect();
        // Writing to a text cannot fail.
        let _ = write!(
            buttons,
            "<p><button name=user value=\"{}\">{}</button> {}</p>",
            escaped(&user.id),
            escaped(&user.name),
            escaped(&roles.join(", ")),
        );
    }
    let hidden: String = serde_json::to_value(&asked)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            format!("<input type=hidden name=\"{name}\" value=\"{}\">", escaped(value.as_str().unwrap_or_default()))
        })
        .collect();
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Sign in · development</title>\
         <style>body{{font:18px/1.5 system-ui;max-width:34em;margin:3em auto;padding:0 1em}}\
         button{{font:inherit;padding:.4em 1em;min-width:12em}}</style>\
         <h1>Who are you?</h1>\
         <p><strong>For development only.</strong> Nobody here exists, and nobody is asked for a password.</p>\
         <form method=post>{hidden}{buttons}</form></html>"
    ))
    .into_response()
}

async fn chosen(State(page): State<Arc<SignInPage>>, Form(chosen): Form<Chosen>) -> Response {
    let user = page.users.iter().find(|user| user.id == chosen.user);
    let (Some(mut back), Some(user)) = (goes_back(&chosen.asked), user) else {
        return (StatusCode::BAD_REQUEST, WRONG).into_response();
    };
    let state = chosen.asked.state.clone();
    let code = page.code(user, chosen.asked);
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &state);
    Redirect::to(back.as_str()).into_response()
}

async fn redeem(State(page): State<Arc<SignInPage>>, Form(redeemed): Form<Redeemed>) -> Response {
    // Taken out whatever comes: a code is good once.
    let code = page.codes.remove(&redeemed.code);
    let fits = |code: &Code| {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[redeemed.code_verifier.as_bytes()]));
        redeemed.grant_type == "authorization_code"
            && code.asked.redirect_uri == redeemed.redirect_uri
            && code.asked.code_challenge == challenge
    };
    match code.filter(fits).and_then(|code| page.id_token(&code)) {
        Some(id_token) => {
            let body =
                json!({ "id_token": id_token, "access_token": "none", "token_type": "Bearer", "expires_in": 60 });
            ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        None => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}

/// Text as it may stand in a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
