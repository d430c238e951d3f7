//! Certificates, keys and a token, made for one run, as the files that a client program is given.

use super::story::{BORN, NHS};
use crate::keys::Gateway;
use anyhow::{Context as _, Result};
use demo::authority::Authority;
use severn_link::{Identity, Tls, TlsFiles};
use severn_proto::v1::PurposeOfUse;
use severn_trust::{SystemClock, TokenVerifier};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};
use tempfile::TempDir;

/// What is appended to a command that names none of it.
const USUAL: [&str; 18] = [
    "--address",
    "{address}",
    "--server-name",
    "{server_name}",
    "--ca",
    "{ca}",
    "--cert",
    "{cert}",
    "--key",
    "{key}",
    "--app-key",
    "{app_key}",
    "--token",
    "{token}",
    "--nhs",
    "{nhs}",
    "--born",
    "{born}",
];

/// The files of one run; gone when this is dropped.
pub struct Folder {
    folder: TempDir,
    gateway: Gateway,
    broker: TlsFiles,
    app: TlsFiles,
}

impl Folder {
    /// Makes keys and certificates for a broker and an app.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new() -> Result<Folder> {
        let folder = tempfile::tempdir()?;
        let authority = Authority::make(folder.path())?;
        let broker = authority.issue(&Identity::Broker("b1".into()))?;
        let app = authority.issue(&Identity::App("client".into()))?;
        let gateway = Gateway::default();
        let signing = folder.path().join("app-signing.key");
        fs::write(&signing, &gateway.app_pem)?;
        fs::set_permissions(&signing, Permissions::from_mode(0o600))?;
        Ok(Folder { folder, gateway, broker, app })
    }

    /// The broker's certificate.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn tls(&self) -> Result<Tls> {
        Ok(Tls::load(&self.broker)?)
    }

    /// Whom the broker believes.
    pub fn verifier(&self) -> TokenVerifier {
        self.gateway.verifier()
    }

    /// The command with what it is to use filled in, for a broker at `address`; a token of its own for each `case`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn arguments(&self, command: &[String], address: &str, case: &str) -> Result<Vec<String>> {
        let path = |name: &str| self.folder.path().join(name);
        let text = |path: &Path| path.to_str().map(str::to_owned).context("the folder's name is no UTF-8");
        let (token, config) = (path(&format!("{case}.jwt")), path(&format!("{case}.toml")));
        fs::write(&token, self.gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1))?;
        fs::write(&config, self.config(address, &token)?)?;
        let known = [
            ("{address}", address.to_owned()),
            ("{server_name}", "localhost".to_owned()),
            ("{ca}", text(&self.app.authorities)?),
            ("{cert}", text(&self.app.certificate)?),
            ("{key}", text(&self.app.key)?),
            ("{app_key}", text(&path("app-signing.key"))?),
            ("{token}", text(&token)?),
            ("{config}", text(&config)?),
            ("{nhs}", NHS.to_owned()),
            ("{born}", BORN.to_owned()),
        ];
        let names_any = command.iter().any(|argument| known.iter().any(|(name, _)| argument.contains(name)));
        let usual = USUAL.iter().filter(|_| !names_any).map(|argument| (*argument).to_owned());
        let filled = |argument: String| known.iter().fold(argument, |text, (name, value)| text.replace(name, value));
        Ok(command.iter().cloned().chain(usual).map(filled).collect())
    }

    /// The same as `severn.toml`.
    fn config(&self, address: &str, token: &Path) -> Result<String> {
        let port = address.rsplit_once(':').map(|(_, port)| port).context("an address has a port")?;
        let TlsFiles { certificate, key, authorities, .. } = &self.app;
        let app_key = self.folder.path().join("app-signing.key");
        Ok(format!(
            "app_key = {app_key:?}\ntoken = {token:?}\n\
             [broker]\naddress = \"localhost:{port}\"\nid = \"b1\"\n\
             [tls]\ncertificate = {certificate:?}\nkey = {key:?}\nauthorities = {authorities:?}\n"
        ))
    }
}
