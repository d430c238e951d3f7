//! The configuration: which broker, with which certificate and key, on whose behalf.

use crate::login::LoginSection;
use anyhow::{Context as _, bail};
use serde::Deserialize;
use severn_client::{Client, FixedToken, TokenUnavailable};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles, read_private};
use severn_trust::{Clock, Entropy, SigningKey, purpose_from_word};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// How long connecting to the broker may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// `severn.toml`. Paths are relative to its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// PEM: the app's private key, to which user tokens are bound. Readable by its owner only.
    app_key: PathBuf,
    /// A file with the user's token, a JWT; somebody else renews it. This or `[login]`.
    token: Option<PathBuf>,
    broker: Broker,
    tls: TlsFiles,
    /// Where users sign in, with `severn login`.
    login: Option<LoginSection>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Broker {
    /// host:port.
    address: String,
    /// The broker's id, as its certificate names it.
    id: String,
}

/// What the command line says instead of the configuration and of the role chosen at sign-in.
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
            config.login.as_mut().map(|login| &mut login.session),
        ];
        for file in files.into_iter().flatten() {
            *file = folder.join(&*file);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        match (&self.token, &self.login) {
            (None, None) => bail!("give [login], where users sign in, or `token`, a file with the user's token"),
            (Some(_), Some(_)) => bail!("give `token` or [login], not both"),
            _ => {}
        }
        if let Some(login) = &self.login {
            check_purpose(&login.purpose).context("login.purpose")?;
            login.check()?;
        }
        Ok(())
    }

    /// Where users sign in.
    pub(crate) fn login(&self) -> anyhow::Result<&LoginSection> {
        self.login.as_ref().context("this configuration names no [login]; somebody else renews its `token`")
    }

    /// A client of the configured broker.
    pub(crate) async fn client(
        &self,
        overrides: &Overrides,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Client> {
        let app_key = read_key(&self.app_key)?;
        let channel = TlsDialler::new(Tls::load(&self.tls)?, CONNECT_MAX)
            .dial(&self.broker.address, &Identity::Broker(self.broker.id.clone()))
            .context("broker.address")?;
        let Some(login) = &self.login else {
            if overrides.purpose.is_some() || overrides.role.is_some() {
                bail!("--purpose and --role need [login]; the token in `token` says its own");
            }
            let path = self.token.clone().unwrap_or_default();
            return Ok(Client::new(channel, app_key, move || read_token(&path), clock, entropy));
        };
        let purpose = overrides.purpose.as_deref().unwrap_or(&login.purpose);
        check_purpose(purpose).context("--purpose")?;
        let scope = (purpose, overrides.role.as_deref());
        let token = login.exchange(scope, &app_key, (clock.as_ref(), entropy.as_ref())).await?;
        Ok(Client::new(channel, app_key, FixedToken(token), clock, entropy))
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        app_key = "app.key"

        [broker]
        address = "localhost:7443"
        id = "b1"

        [tls]
        certificate = "app.pem"
        key = "app-tls.key"
        authorities = "authorities.pem"

        [login]
        issuer = "https://sign-in.example"
        gateway = "https://gateway.example"
    "#;

    #[test]
    fn paths_are_relative_to_the_file_and_mistakes_are_named() {
        let config = Config::parse(GOOD, Path::new("/etc/severn")).unwrap();
        assert_eq!(config.app_key, Path::new("/etc/severn/app.key"));
        assert_eq!(config.login.unwrap().session, Path::new("/etc/severn/severn-session.json"));
        let token_too = format!("token = \"t\"\n{GOOD}");
        let no_token = GOOD.split("[login]").next().unwrap();
        for (text, message) in [
            (GOOD.replace("app_key", "app_keys"), "unknown field `app_keys`"),
            (GOOD.replace("id = \"b1\"", ""), "missing field `id`"),
            (format!("{GOOD}\npurpose = \"curiosity\""), "login.purpose"),
            (GOOD.replace("https://gateway", "http://gateway"), "login.gateway"),
            (GOOD.replace("https://sign-in.example", "sign-in"), "login.issuer"),
            (token_too, "not both"),
            (no_token.to_owned(), "give [login]"),
        ] {
            let error = format!("{:#}", Config::parse(&text, Path::new("")).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
