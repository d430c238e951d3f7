//! `gateway.toml`: for whom the gateway speaks and whose sign-in it believes. Paths are relative to its folder.

use crate::exchange::Issuing;
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use severn_link::read_private;
use severn_trust::SigningKey;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens, in plain HTTP: an address of this machine, behind the organisation's own TLS.
    pub listen: SocketAddr,
    /// Its address as callers know it, without a slash at the end: `https://gateway.example`
    pub url: String,
    /// PEM: the key that signs tokens. Readable by its owner only.
    pub key: PathBuf,
    /// Its name, as broker and adapters trust it (`iss`); the same as `url` if left out.
    #[serde(default)]
    pub name: String,
    /// The federation's name (`aud`).
    pub audience: String,
    /// ODS codes of the organisations in whose name it issues tokens.
    pub organisations: Vec<String>,
    /// The organisation's own sign-in; this or `[development]`.
    pub sign_in: Option<SignInSection>,
    /// For development only: signs in whoever is named here, without a password.
    pub development: Option<DevelopmentSection>,
}

/// An OpenID Connect issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInSection {
    /// Its name (`iss`): an address, under which its configuration lies.
    pub issuer: String,
    /// The client that users sign in to (`aud`).
    pub client_id: String,
}

/// A sign-in without passwords.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevelopmentSection {
    /// PEM: the key that signs ID tokens. Readable by its owner only.
    pub key: PathBuf,
    /// Who may sign in.
    pub users: Vec<DevelopmentUser>,
}

/// Somebody who does not exist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevelopmentUser {
    /// The user's id.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// Identity assurance level, 0 to 3.
    #[serde(default)]
    pub assurance: u8,
    /// The roles they hold; the first is the one chosen at sign-in.
    pub roles: Vec<DevelopmentRole>,
}

/// A role of such a user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevelopmentRole {
    /// The role code.
    pub code: String,
    /// ODS code of the organisation.
    pub org: String,
    /// Its name, for readers.
    #[serde(default)]
    pub name: String,
}

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// Names the file and the key at fault.
    pub fn load(path: &Path) -> anyhow::Result<Config> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, folder).with_context(|| format!("the configuration {} is wrong", path.display()))
    }

    pub(crate) fn parse(text: &str, folder: &Path) -> anyhow::Result<Config> {
        let mut config: Config = toml::from_str(text)?;
        config.key = folder.join(&config.key);
        if let Some(development) = &mut config.development {
            development.key = folder.join(&development.key);
        }
        if config.name.is_empty() {
            config.name.clone_from(&config.url);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.listen.ip().is_loopback(),
            "listen: tokens would cross the network unencrypted; listen on 127.0.0.1 and put the organisation's TLS in front"
        );
        ensure!(
            self.url == format!("http://{}", self.listen) || self.url.starts_with("https://"),
            "url: must be https://…, or http:// and the address in `listen`"
        );
        ensure!(!self.url.ends_with('/'), "url: leave out the slash at the end");
        ensure!(!self.organisations.is_empty(), "organisations: name at least one ODS code");
        match (&self.sign_in, &self.development) {
            (Some(_), Some(_)) | (None, None) => bail!("give [sign_in], or [development] for development only"),
            (Some(sign_in), None) => ensure!(
                sign_in.issuer.starts_with("https://") || sign_in.issuer.starts_with("http://127.0.0.1"),
                "sign_in.issuer: must be an address that begins with https://"
            ),
            (None, Some(development)) => {
                ensure!(
                    self.url.starts_with("http://"),
                    "[development] signs in without a password: on this machine only"
                );
                ensure!(!development.users.is_empty(), "development.users: name at least one");
                let roles = development.users.iter().all(|user| !user.roles.is_empty());
                ensure!(roles, "development.users: each needs at least one role");
            }
        }
        Ok(())
    }

    /// For whom it speaks.
    pub fn issuing(&self) -> Issuing {
        let organisations = self.organisations.clone();
        Issuing { name: self.name.clone(), audience: self.audience.clone(), organisations }
    }
}

/// Reads a private key that only its owner can read.
///
/// # Errors
/// Names the file.
pub fn read_key(path: &Path) -> anyhow::Result<SigningKey> {
    let cannot = || format!("cannot read the key {}", path.display());
    let pem = read_private(path).with_context(cannot)?;
    SigningKey::from_pem(&pem).with_context(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        listen = "127.0.0.1:8444"
        url = "http://127.0.0.1:8444"
        key = "gateway.key"
        audience = "severn"
        organisations = ["RRK"]
        [development]
        key = "sign-in.key"
        users = [{ id = "u-1", name = "Dr Example", roles = [{ code = "R8000", org = "RRK" }] }]
    "#;

    #[test]
    fn the_example_is_right_in_both_its_forms() {
        let example = include_str!("../../../deploy/gateway.example.toml");
        assert!(Config::parse(example, Path::new("")).unwrap().sign_in.is_some());
        let (before, after) = example.split_once("[sign_in]").unwrap();
        let (_, commented) = after.split_once("# [development]").unwrap();
        let development = commented.replace("\n# ", "\n");
        let here = before.replace("url = \"https://gateway.example\"", "url = \"http://127.0.0.1:8444\"");
        assert!(
            Config::parse(&format!("{here}[development]{development}"), Path::new("")).unwrap().development.is_some()
        );
    }

    #[test]
    fn mistakes_are_named() {
        let config = Config::parse(GOOD, Path::new("/etc/severn")).unwrap();
        assert_eq!((config.key, config.name.as_str()), ("/etc/severn/gateway.key".into(), "http://127.0.0.1:8444"));
        let sign_in = "[sign_in]\nissuer = \"https://login.example\"\nclient_id = \"severn\"";
        let production = GOOD.replace("http://127.0.0.1:8444", "https://gateway.example");
        for (text, message) in [
            (GOOD.replace("listen = \"127.0.0.1", "listen = \"0.0.0.0"), "unencrypted"),
            (GOOD.replace("url = \"http://127.0.0.1", "url = \"http://gateway"), "must be https"),
            (GOOD.replace("[\"RRK\"]", "[]"), "organisations"),
            (format!("{GOOD}\n{sign_in}"), "for development only"),
            (GOOD.split("[development]").next().unwrap().to_owned(), "for development only"),
            (production.clone(), "on this machine only"),
            (GOOD.replace("roles = [{ code = \"R8000\", org = \"RRK\" }]", "roles = []"), "at least one role"),
            (GOOD.replace("audience", "audiences"), "unknown field `audiences`"),
        ] {
            let error = format!("{:#}", Config::parse(&text, Path::new("")).unwrap_err());
            assert!(error.contains(message), "{message}: {error}");
        }
        let real = format!("{}{sign_in}", production.split("[development]").next().unwrap());
        assert!(Config::parse(&real, Path::new("")).is_ok());
        assert!(Config::parse(&real.replace("https://login", "http://login"), Path::new("")).is_err());
    }
}
