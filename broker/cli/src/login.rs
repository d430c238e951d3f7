//! Signing in: the organisation's own sign-in in a browser (OpenID Connect, authorisation code with PKCE, RFC 8252), kept
//! in a file that only its owner can read, and exchanged at the organisation's gateway for a token of the federation
//! whenever something is asked (RFC 8693, bound to the app's key by RFC 9449).

use anyhow::{Context as _, anyhow, bail, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client as Http, Response, Url, redirect};
use serde::{Deserialize, Serialize};
use severn_trust::{Clock, Entropy, SigningKey, new_uuid, prove_possession, sha256};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// How long somebody may take to sign in.
const SIGN_IN_MAX: Duration = Duration::from_secs(300);
/// How long issuer and gateway may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Bytes of a browser's first line that are read.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Where users sign in, and where that is exchanged: the section `[login]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginSection {
    /// The organisation's OpenID Connect issuer, an address.
    issuer: String,
    /// This program's name there.
    #[serde(default = "severn")]
    client_id: String,
    /// The organisation's gateway, an address.
    gateway: String,
    /// The federation's name.
    #[serde(default = "severn")]
    audience: String,
    /// Why you ask, unless --purpose says otherwise.
    #[serde(default = "direct_care")]
    pub(crate) purpose: String,
    /// Where the sign-in is kept.
    #[serde(default = "session")]
    pub(crate) session: PathBuf,
}

fn severn() -> String {
    "severn".to_owned()
}

fn direct_care() -> String {
    "direct_care".to_owned()
}

fn session() -> PathBuf {
    "severn-session.json".into()
}

/// A sign-in, as it is kept.
#[derive(Serialize, Deserialize)]
struct Session {
    id_token: String,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    #[serde(rename = "authorization_endpoint")]
    page: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Issued {
    #[serde(default)]
    id_token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    error_description: String,
}

#[derive(Deserialize)]
struct IdToken {
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    name: String,
}

impl LoginSection {
    /// Says what is wrong with it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for (key, address) in [("login.issuer", &self.issuer), ("login.gateway", &self.gateway)] {
            let url = Url::parse(address).with_context(|| format!("{key}: not an address"))?;
            let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            ensure!(url.scheme() == "https" || here, "{key}: must begin with https://");
        }
        Ok(())
    }

    /// Signs in and gives the user's name: `tell` shows the address to open in a browser. With `user`, a development sign-in
    /// is answered here.
    pub(crate) async fn sign_in(
        &self,
        user: Option<&str>,
        entropy: &dyn Entropy,
        tell: impl FnOnce(&Url),
    ) -> anyhow::Result<String> {
        let http = http()?;
        let found = self.discover(&http).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the browser's answer")?;
        let back = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
        let [state, nonce, verifier] = [(); 3].map(|()| secret(entropy));
        let mut address = Url::parse(&found.page).context("login.issuer: its authorization_endpoint")?;
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &back),
            // What CIS2 needs to name the user and the role they chose.
            ("scope", "openid profile nationalrbacaccess selectedrole"),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(sha256(&[verifier.as_bytes()]))),
            ("code_challenge_method", "S256"),
            // A sign-in that the browser remembers is none: breaking the glass needs one of this moment.
            ("prompt", "login"),
        ]);
        let answer = match user {
            Some(user) => choose(&http, &address, user).await?,
            None => {
                tell(&address);
                let waited = timeout(SIGN_IN_MAX, wait_for_browser(&listener, &state)).await;
                waited.map_err(|_| anyhow!("nobody signed in within five minutes; start again"))??
            }
        };
        let code = code_of(&answer, &state)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &back),
            ("client_id", &self.client_id),
            ("code_verifier", &verifier),
        ];
        let issued = issued(http.post(found.token_endpoint).form(&form).send().await, "the sign-in").await?;
        let said: IdToken = payload(&issued.id_token)?;
        ensure!(said.nonce == nonce, "the sign-in answers another question; start again");
        keep(&self.session, &Session { id_token: issued.id_token })?;
        Ok(said.name)
    }

    async fn discover(&self, http: &Http) -> anyhow::Result<Discovered> {
        let place = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let response = http.get(place).send().await.and_then(Response::error_for_status);
        let found: Discovered =
            response.context("login.issuer does not answer")?.json().await.context("login.issuer")?;
        ensure!(found.issuer == self.issuer, "login.issuer calls itself {:?}", found.issuer);
        Ok(found)
    }

    /// A token of the federation for whoever is signed in.
    pub(crate) async fn exchange(
        &self,
        (purpose, role): (&str, Option<&str>),
        app_key: &SigningKey,
        (clock, entropy): (&dyn Clock, &dyn Entropy),
    ) -> anyhow::Result<String> {
        let text = fs::read_to_string(&self.session).map_err(|_| anyhow!("nobody is signed in; run `severn login`"))?;
        let session: Session =
            serde_json::from_str(&text).map_err(|_| anyhow!("the kept sign-in is damaged; run `severn login`"))?;
        let address = format!("{}/token", self.gateway.trim_end_matches('/'));
        let proof = prove_possession(app_key, &address, new_uuid(clock, entropy), clock.now_s())?;
        let scope = match role {
            Some(role) => format!("purpose:{purpose} role:{role}"),
            None => format!("purpose:{purpose}"),
        };
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", &session.id_token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("audience", &self.audience),
            ("scope", &scope),
        ];
        let sent = http()?.post(&address).header("DPoP", proof).form(&form).send().await;
        Ok(issued(sent, "the gateway").await?.access_token)
    }

    /// Forgets the sign-in; whether there was one.
    pub(crate) fn sign_out(&self) -> anyhow::Result<bool> {
        match fs::remove_file(&self.session) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot remove {}", self.session.display())),
        }
    }
}

fn http() -> anyhow::Result<Http> {
    Ok(Http::builder().timeout(ANSWER_MAX).redirect(redirect::Policy::none()).build()?)
}

/// 256 bits that nobody can guess.
fn secret(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Answers a development sign-in in a browser's stead; gives the address it sends the browser back to.
async fn choose(http: &Http, address: &Url, user: &str) -> anyhow::Result<Url> {
    let asked = address.query_pairs().chain([("user".into(), user.into())]).collect::<Vec<_>>();
    let mut page = address.clone();
    page.set_query(None);
    let response = http.post(page).form(&asked).send().await.context("the sign-in does not answer")?;
    let back = response.headers().get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
    let back = back.ok_or_else(|| anyhow!("--as: nobody can sign in so, or no such user may; leave it out"))?;
    Ok(Url::parse(back)?)
}

/// Waits until a browser comes back from the sign-in with this `state`.
async fn wait_for_browser(listener: &TcpListener, state: &str) -> anyhow::Result<Url> {
    loop {
        let (stream, _) = listener.accept().await?;
        let Ok(Some(answer)) = timeout(ANSWER_MAX, asked_by(stream, state)).await else { continue };
        return Ok(answer);
    }
}

/// What a browser asks for, if it comes back from this sign-in; anything else is told that it is not meant.
async fn asked_by(stream: TcpStream, state: &str) -> Option<Url> {
    let mut stream = BufReader::with_capacity(LINE_BYTES_MAX, stream);
    let first = stream.fill_buf().await.ok()?;
    let line = first.split(|byte| *byte == b'\r').next()?;
    let path = std::str::from_utf8(line).ok()?.strip_prefix("GET ")?.split(' ').next()?;
    let answer = Url::parse("http://127.0.0.1/").ok()?.join(path).ok()?;
    let meant = answer.query_pairs().any(|(name, value)| name == "state" && value == state);
    let (status, text) = if meant {
        ("200 OK", "You are signed in. Close this page and go back to the terminal.")
    } else {
        ("404 Not Found", "Nothing is here.")
    };
    let page = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // A browser that has gone need not be told.
    drop(stream.write_all(page.as_bytes()).await);
    drop(stream.shutdown().await);
    meant.then_some(answer)
}

fn code_of(answer: &Url, state: &str) -> anyhow::Result<String> {
    let value = |name: &str| answer.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    ensure!(value("state").as_deref() == Some(state), "the sign-in answers another question; start again");
    if let Some(error) = value("error") {
        bail!("the sign-in was refused: {}", value("error_description").unwrap_or(error));
    }
    value("code").ok_or_else(|| anyhow!("the sign-in came back without a code; start again"))
}

async fn issued(sent: reqwest::Result<Response>, who: &str) -> anyhow::Result<Issued> {
    let response = sent.map_err(|error| error.without_url()).with_context(|| format!("{who} does not answer"))?;
    let fine = response.status().is_success();
    let issued: Issued =
        response.json().await.with_context(|| format!("{who} answers in a way that is not understood"))?;
    if fine {
        return Ok(issued);
    }
    bail!(
        "{who} refuses: {}",
        if issued.error_description.is_empty() { "no reason given" } else { &issued.error_description }
    )
}

fn payload<T: for<'a> Deserialize<'a>>(token: &str) -> anyhow::Result<T> {
    let unreadable = || anyhow!("the sign-in gave no ID token");
    let part = token.split('.').nth(1).ok_or_else(unreadable)?;
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable())?;
    serde_json::from_slice(&json).map_err(|_| unreadable())
}

/// Writes a file that only its owner can read, whole or not at all.
fn keep(path: &Path, session: &Session) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let beside = path.with_extension("new");
    drop(fs::remove_file(&beside));
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(&beside).with_context(cannot)?;
    file.write_all(serde_json::to_string(session)?.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
    fs::rename(&beside, path).with_context(cannot)
}

#[cfg(test)]
mod tests;
