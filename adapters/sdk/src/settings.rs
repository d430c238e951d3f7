//! The sections of an adapter's configuration that every kind shares, and what is made from them at start. A kind's own
//! section belongs to the kind; the program's configuration is all of them.

use crate::limits::{BATCH_BYTES_CEILING, Limits};
use serde::Deserialize;
use severn_link::{Identity, ListenLimits, ServerLimits, read_private};
use severn_policy::PolicySettings;
use severn_trust::{IssuerKeys, IssuerSettings, KeysError, PublicKey, SigningKey, SystemDisk};
use std::{
    fmt::Display,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct SettingsError {
    /// The key at fault, such as `broker.address`.
    pub key: String,
    /// What to do.
    pub message: String,
}

impl SettingsError {
    /// Says that `key` is at fault, and what to do.
    pub fn new(key: impl Into<String>, message: impl Display) -> SettingsError {
        SettingsError { key: key.into(), message: message.to_string() }
    }
}

/// `[source]`: what the adapter stands beside.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// The source's id in the federation; the one in the adapter's certificate.
    pub id: String,
    /// Name of the organisation, for readers.
    pub name: String,
    /// ODS code of the organisation.
    pub ods: String,
    /// Name of the system that is read, for provenance.
    pub system: String,
}

/// `[serve]`: where the broker reaches the adapter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeSettings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Limits of connections.
    #[serde(default)]
    pub connections: ListenLimits,
    /// Limits of a connection's calls.
    #[serde(default)]
    pub calls: ServerLimits,
}

/// `[broker]`: who may ask, and where identities are announced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerSettings {
    /// The id in the broker's certificate.
    pub id: String,
    /// The broker's address: host:port.
    pub address: String,
    /// File with the public key (a JWK, as JSON) by which the broker signs its statements.
    pub statement_key: PathBuf,
}

/// `[tokens]`: whose users are believed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// The federation's name: the audience of every token.
    pub audience: String,
    /// The organisations whose gateways sign tokens.
    pub issuers: Vec<IssuerSettings>,
}

/// `[data]`: what the adapter itself keeps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// Folder for the audit trail and the feed log; made with access for its owner only.
    pub folder: PathBuf,
    /// PEM file with the private key that signs the audit trail.
    pub audit_key: PathBuf,
}

/// `[feed]`: how identities are announced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedSettings {
    /// Milliseconds between two looks at the source; each is followed by a heartbeat.
    pub every_ms: u64,
}

impl Default for FeedSettings {
    fn default() -> Self {
        FeedSettings { every_ms: 10_000 }
    }
}

type Checked = Result<(), SettingsError>;

impl SourceSettings {
    /// Checks the section.
    ///
    /// # Errors
    /// [`SettingsError`] names the key.
    pub fn check(&self) -> Checked {
        let identity = Identity::Source(self.id.clone());
        if Identity::from_uri(&identity.uri()) != Some(identity) {
            return Err(SettingsError::new("source.id", "letters, digits, - and . only, at most 64; use the ODS code"));
        }
        filled("source.name", &self.name)?;
        filled("source.ods", &self.ods)?;
        filled("source.system", &self.system)
    }
}

impl BrokerSettings {
    /// Checks the section; the key file is read by [`BrokerSettings::key`].
    ///
    /// # Errors
    /// [`SettingsError`] names the key.
    pub fn check(&self) -> Checked {
        let identity = self.identity();
        if Identity::from_uri(&identity.uri()) != Some(identity) {
            return Err(SettingsError::new("broker.id", "must be the id in the broker's certificate"));
        }
        let port = self
            .address
            .rsplit_once(':')
            .and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        port.map(|_| ()).ok_or_else(|| SettingsError::new("broker.address", "write host:port"))
    }

    /// Whom the broker's certificate must name.
    pub fn identity(&self) -> Identity {
        Identity::Broker(self.id.clone())
    }

    /// Reads the key by which the broker signs its statements.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read or holds no such key.
    pub fn key(&self) -> Result<PublicKey, SettingsError> {
        let json = read("broker.statement_key", &self.statement_key)?;
        PublicKey::from_json(&json).map_err(|e| at_file("broker.statement_key", &self.statement_key, e))
    }
}

impl TokenSettings {
    /// Checks the section; the key files are read by [`TokenSettings::keys`].
    ///
    /// # Errors
    /// [`SettingsError`] names the key.
    pub fn check(&self) -> Checked {
        filled("tokens.audience", &self.audience)?;
        if self.issuers.is_empty() {
            return Err(SettingsError::new("tokens.issuers", "name at least one, or nobody can ask"));
        }
        for (at, issuer) in self.issuers.iter().enumerate() {
            filled(&format!("tokens.issuers[{at}].name"), &issuer.name)?;
            if self.issuers[..at].iter().any(|other| other.name == issuer.name) {
                return Err(SettingsError::new(format!("tokens.issuers[{at}].name"), "is used twice"));
            }
        }
        Ok(())
    }

    /// Reads the issuers' keys; those at an address are still to be followed.
    ///
    /// # Errors
    /// [`KeysError`] if a file cannot be read or holds no usable key.
    pub fn keys(&self) -> Result<Arc<IssuerKeys>, KeysError> {
        IssuerKeys::open(&self.audience, &self.issuers)
    }
}

impl DataSettings {
    /// Reads the key that signs the audit trail.
    ///
    /// # Errors
    /// [`SettingsError`] if the file cannot be read, lies open to others, or holds no such key.
    pub fn key(&self) -> Result<SigningKey, SettingsError> {
        let pem = read_private(&self.audit_key).map_err(|e| SettingsError::new("data.audit_key", e.to_string()))?;
        SigningKey::from_pem(&pem).map_err(|e| at_file("data.audit_key", &self.audit_key, e))
    }

    /// Opens the folder, making it for its owner only where it does not exist.
    ///
    /// # Errors
    /// [`SettingsError`] if that cannot be done.
    pub fn disk(&self) -> Result<SystemDisk, SettingsError> {
        let made = make_private(&self.folder).and_then(|()| SystemDisk::open(&self.folder));
        made.map_err(|e| at_file("data.folder", &self.folder, e))
    }
}

impl FeedSettings {
    /// Checks the section.
    ///
    /// # Errors
    /// [`SettingsError`] names the key.
    pub fn check(&self) -> Checked {
        within("feed.every_ms", self.every_ms, 100, 86_400_000)
    }
}

/// Checks `[limits]`.
///
/// # Errors
/// [`SettingsError`] names the key.
pub fn check_limits(limits: &Limits) -> Checked {
    let mib = 1024 * 1024;
    within("limits.entries_max", limits.entries_max as u64, 1, 100_000)?;
    within("limits.batch_bytes_max", limits.batch_bytes_max as u64, 64 * 1024, BATCH_BYTES_CEILING as u64)?;
    within("limits.answer_bytes_max", limits.answer_bytes_max as u64, limits.batch_bytes_max as u64, 64 * mib)?;
    within("limits.document_bytes_max", limits.document_bytes_max as u64, 1, 1024 * mib)?;
    within("limits.concurrent_max", limits.concurrent_max as u64, 1, 10_000)?;
    within("limits.budget_ms_max", limits.budget_ms_max, 1, 10_000)?;
    within("limits.stale_after_ms", limits.stale_after_ms, 1, 365 * 86_400_000)
}

/// Checks `[policy]`: it is a table of known words, or a bundle with keys.
///
/// # Errors
/// [`SettingsError`] names the key.
pub fn check_policy(policy: &PolicySettings) -> Checked {
    policy.check().map_err(|fault| SettingsError::new(format!("policy.{}", fault.key), fault.message))
}

fn filled(key: &str, text: &str) -> Checked {
    if text.trim().is_empty() || text.len() > 256 {
        return Err(SettingsError::new(key, "write 1 to 256 characters"));
    }
    Ok(())
}

fn within(key: &str, value: u64, least: u64, most: u64) -> Checked {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SettingsError::new(key, format!("is {value}, must be from {least} to {most}")))
}

fn at_file(key: &str, file: &Path, error: impl Display) -> SettingsError {
    SettingsError::new(key, format!("{}: {error}", file.display()))
}

fn read(key: &str, file: &Path) -> Result<String, SettingsError> {
    fs::read_to_string(file).map_err(|e| at_file(key, file, format!("cannot be read: {e}")))
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_named() {
        let check = |change: fn(&mut Limits)| {
            let mut limits = Limits::default();
            change(&mut limits);
            check_limits(&limits).map_err(|e| e.key)
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|l| l.entries_max = 0), Err("limits.entries_max".into()));
        assert_eq!(check(|l| l.batch_bytes_max = BATCH_BYTES_CEILING + 1), Err("limits.batch_bytes_max".into()));
        assert_eq!(check(|l| l.answer_bytes_max = 1), Err("limits.answer_bytes_max".into()));
        assert_eq!(check(|l| l.budget_ms_max = 10_001), Err("limits.budget_ms_max".into()));
    }

    #[test]
    fn misspelt_keys_are_refused() {
        assert!(toml::from_str::<FeedSettings>("every_ms = 1000").is_ok());
        assert!(toml::from_str::<FeedSettings>("every_s = 1").is_err());
        assert!(toml::from_str::<Limits>("entries_max = 5").is_ok());
        assert!(toml::from_str::<Limits>("entry_max = 5").is_err());
    }

    #[test]
    fn addresses_and_ids_are_checked() {
        let broker = |id: &str, address: &str| BrokerSettings {
            id: id.into(),
            address: address.into(),
            statement_key: PathBuf::new(),
        };
        assert!(broker("b-1", "broker.example:7100").check().is_ok());
        for (id, address, key) in [
            ("b 1", "broker.example:7100", "broker.id"),
            ("b-1", "broker.example", "broker.address"),
            ("b-1", ":7100", "broker.address"),
            ("b-1", "broker.example:x", "broker.address"),
        ] {
            assert_eq!(broker(id, address).check().map_err(|e| e.key), Err(key.to_owned()));
        }
    }

    #[test]
    fn a_folder_is_made_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("data");
        let settings = DataSettings { folder: folder.clone(), audit_key: outer.path().join("audit.pem") };
        settings.disk().unwrap();
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(&settings.audit_key, "x").unwrap();
        fs::set_permissions(&settings.audit_key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(settings.key().unwrap_err().message.contains("chmod 600"));
    }
}
