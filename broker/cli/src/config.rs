//! The configuration: which broker, with which certificate and key, on whose behalf.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use severn_client::{Client, TokenSource, TokenUnavailable};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles, read_private};
use severn_trust::{Clock, Entropy, Issuer, SigningKey, UserClaims, new_uuid, purpose_from_word};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long connecting to the broker may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Seconds a token of the development issuer lives.
const TOKEN_LIFE_S: i64 = 120;

/// `severn.toml`. Paths are relative to its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// PEM: the app's private key, to which user tokens are bound. Readable by its owner only.
    app_key: PathBuf,
    /// A file with the user's token, a JWT; somebody else renews it. This or `[issuer]`.
    token: Option<PathBuf>,
    broker: Broker,
    tls: TlsFiles,
    issuer: Option<DevelopmentIssuer>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broker {
    /// host:port.
    address: String,
    /// The broker's id, as its certificate names it.
    id: String,
}

/// **For development only**: a key with which this program issues its own user tokens. Whoever holds it can be anybody.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DevelopmentIssuer {
    /// PEM: the issuer's private key. Readable by its owner only.
    key: PathBuf,
    /// The issuer's name, as broker and adapters trust it (`iss`).
    name: String,
    /// The federation's name (`aud`).
    #[serde(default = "federation")]
    audience: String,
    /// The user's id (`sub`).
    user: String,
    /// The user's name.
    user_name: String,
    /// The role code.
    role: String,
    /// ODS code of the organisation.
    org: String,
    /// Why: `direct_care` ...
    purpose: String,
}

fn federation() -> String {
    "severn".to_owned()
}

/// What the command line says instead of the development issuer's settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) purpose: Option<String>,
    pub(crate) role: Option<String>,
}

impl Config {
    /// Reads the configuration at `named`, else at $SEVERN_CONFIG, else `severn.toml` in this folder.
    pub(crate) fn load(named: Option<&Path>) -> anyhow::Result<Config> {
        let from_environment = || env::var_os("SEVERN_CONFIG").map(PathBuf::from);
        let path = named.map(Path::to_owned).or_else(from_environment).unwrap_or_else(|| "severn.toml".into());
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration {}; name it with --config FILE", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Config::parse(&text, &folder).with_context(|| format!("the configuration {} is wrong", path.display()))
    }

    fn parse(text: &str, folder: &Path) -> anyhow::Result<Config> {
        let mut config: Config = toml::from_str(text)?;
        let files = [
            Some(&mut config.app_key),
            config.token.as_mut(),
            Some(&mut config.tls.certificate),
            Some(&mut config.tls.key),
            Some(&mut config.tls.authorities),
            config.issuer.as_mut().map(|issuer| &mut issuer.key),
        ];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        match (&self.token, &self.issuer) {
            (None, None) => bail!("give `token`, a file with the user's token (or `[issuer]`, for development only)"),
            (Some(_), Some(_)) => bail!("give `token` or `[issuer]`, not both"),
            _ => {}
        }
        if let Some(issuer) = &self.issuer {
            check_purpose(&issuer.purpose).context("issuer.purpose")?;
        }
        Ok(())
    }

    /// A client of the configured broker.
    pub(crate) fn client(
        &self,
        overrides: &Overrides,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Client> {
        let app_key = read_key(&self.app_key)?;
        let channel = TlsDialler::new(Tls::load(&self.tls)?, CONNECT_MAX)
            .dial(&self.broker.address, &Identity::Broker(self.broker.id.clone()))
            .context("broker.address")?;
        let Some(issuer) = &self.issuer else {
            if overrides.purpose.is_some() || overrides.role.is_some() {
                bail!("--purpose and --role need a development issuer; a user's token says its own");
            }
            let path = self.token.clone().unwrap_or_default();
            return Ok(Client::new(channel, app_key, move || read_token(&path), clock, entropy));
        };
        let tokens = Tokens {
            issuer: issuer.with(overrides)?,
            key: Issuer::new(read_key(&issuer.key)?),
            app_key: app_key.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        Ok(Client::new(channel, app_key, tokens, clock, entropy))
    }
}

impl DevelopmentIssuer {
    fn with(&self, overrides: &Overrides) -> anyhow::Result<DevelopmentIssuer> {
        let mut issuer = self.clone();
        if let Some(purpose) = &overrides.purpose {
            check_purpose(purpose).context("--purpose")?;
            issuer.purpose.clone_from(purpose);
        }
        if let Some(role) = &overrides.role {
            issuer.role.clone_from(role);
        }
        Ok(issuer)
    }
}

fn check_purpose(purpose: &str) -> anyhow::Result<()> {
    if purpose_from_word(purpose).is_none() {
        bail!("{purpose:?} is no purpose; use direct_care, emergency, safeguarding, audit or subject_access");
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<String, TokenUnavailable> {
    let read = fs::read_to_string(path);
    let missing = |error| TokenUnavailable::Missing(format!("cannot read {}: {error}", path.display()));
    read.map(|token| token.trim().to_owned()).map_err(missing)
}

fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let cannot = || format!("cannot read the key {}", path.display());
    let pem = read_private(path).with_context(cannot)?;
    SigningKey::from_pem(&pem).with_context(cannot)
}

/// Issues a fresh token for each call.
struct Tokens {
    issuer: DevelopmentIssuer,
    key: Issuer,
    app_key: SigningKey,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl TokenSource for Tokens {
    fn token(&self) -> Result<String, TokenUnavailable> {
        let now = self.clock.now_s();
        let claims = serde_json::json!({
            "iss": self.issuer.name,
            "sub": self.issuer.user,
            "aud": self.issuer.audience,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_LIFE_S,
            "jti": new_uuid(self.clock.as_ref(), self.entropy.as_ref()).to_string(),
            "name": self.issuer.user_name,
            "role": self.issuer.role,
            "org": self.issuer.org,
            "purpose": self.issuer.purpose,
            "cnf": { "jwk": self.app_key.public().jwk() },
            // Whoever can use this key has just signed in, as far as a development issuer knows.
            "auth_time": now,
        });
        let missing = |error: &dyn std::fmt::Display| TokenUnavailable::Missing(error.to_string());
        let claims: UserClaims = serde_json::from_value(claims).map_err(|error| missing(&error))?;
        self.key.issue(&claims).map_err(|error| missing(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_trust::{SystemClock, SystemEntropy, TokenVerifier};

    const GOOD: &str = r#"
        app_key = "app.key"

        [broker]
        address = "localhost:7443"
        id = "b1"

        [tls]
        certificate = "app.pem"
        key = "app-tls.key"
        authorities = "authorities.pem"

        [issuer]
        key = "issuer.key"
        name = "https://gateway.example"
        user = "u1"
        user_name = "Dr Example"
        role = "S8000:G8000:R8000"
        org = "RNA"
        purpose = "direct_care"
    "#;

    #[test]
    fn paths_are_relative_to_the_file_and_mistakes_are_named() {
        let config = Config::parse(GOOD, Path::new("/etc/severn")).unwrap();
        assert_eq!(config.app_key, Path::new("/etc/severn/app.key"));
        assert_eq!(config.issuer.unwrap().key, Path::new("/etc/severn/issuer.key"));
        let token_too = format!("token = \"t\"\n{GOOD}");
        let no_token = GOOD.split("[issuer]").next().unwrap();
        for (text, message) in [
            (GOOD.replace("app_key", "app_keys"), "unknown field `app_keys`"),
            (GOOD.replace("id = \"b1\"", ""), "missing field `id`"),
            (GOOD.replace("direct_care", "curiosity"), "issuer.purpose"),
            (token_too, "not both"),
            (no_token.to_owned(), "give `token`"),
        ] {
            let error = format!("{:#}", Config::parse(&text, Path::new("")).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn the_development_issuer_makes_tokens_that_verify() {
        let key = || SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let (issuer_key, app_key) = (Issuer::new(key()), key());
        let mut verifier = TokenVerifier::new("severn");
        verifier.trust("https://gateway.example", &issuer_key.jwks_json()).unwrap();
        let overrides = Overrides { purpose: Some("emergency".into()), role: Some("R1".into()) };
        let issuer = Config::parse(GOOD, Path::new("")).unwrap().issuer.unwrap().with(&overrides).unwrap();
        let tokens = Tokens {
            issuer,
            key: issuer_key,
            app_key,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        };
        let user = verifier.verify(&tokens.token().unwrap(), SystemClock.now_s()).unwrap();
        assert_eq!((user.id.as_str(), user.role_code.as_str()), ("u1", "R1"));
        assert_eq!(user.purpose, severn_proto::v1::PurposeOfUse::Emergency);
    }
}
