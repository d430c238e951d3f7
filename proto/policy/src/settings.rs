//! Where a configuration finds its policy: a table written into it, or a signed bundle beside it.

use crate::{
    bundle::{BUNDLE_BYTES_MAX, BundleError},
    current::{CurrentPolicy, SEEN},
    engine::Policy,
    laws::PolicyError,
    table::{AccessTable, RoleDefinition, Rule},
};
use serde::Deserialize;
use severn_trust::{Clock, Disk, MemoryDisk, PublicKey};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::spawn_blocking;
use tracing::{error, info};

/// How often a bundle is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A policy, as a configuration file names it: either `roles` and `rules`, or `bundle` and `keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// The roles of a table.
    pub roles: Vec<RoleDefinition>,
    /// The rules of a table.
    pub rules: Vec<Rule>,
    /// The file of a signed bundle; it is read again when it changes.
    pub bundle: Option<PathBuf>,
    /// Files, each with one JWK: whose bundles are believed.
    pub keys: Vec<PathBuf>,
}

/// What is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct SettingsError {
    /// The key at fault, such as `rules[2].datasets`.
    pub key: String,
    /// What to do.
    pub message: String,
}

impl SettingsError {
    fn new(key: impl Into<String>, message: impl Into<String>) -> SettingsError {
        SettingsError { key: key.into(), message: message.into() }
    }
}

impl From<PolicyError> for SettingsError {
    fn from(error: PolicyError) -> SettingsError {
        SettingsError { key: error.place, message: error.message }
    }
}

impl PolicySettings {
    /// Checks what can be checked without opening a file.
    ///
    /// # Errors
    /// [`SettingsError`] names the first key at fault.
    pub fn check(&self) -> Result<(), SettingsError> {
        let has_table = !self.roles.is_empty() || !self.rules.is_empty();
        match &self.bundle {
            Some(_) if has_table => Err(SettingsError::new("bundle", "write a table or name a bundle, not both")),
            Some(_) if self.keys.is_empty() => {
                Err(SettingsError::new("keys", "name the files of the keys by which the bundle is believed"))
            }
            None if !self.keys.is_empty() => {
                Err(SettingsError::new("keys", "keys are for a bundle; name it, or leave them out"))
            }
            _ => Ok(self.table().check()?),
        }
    }

    /// The table; empty where there is a bundle.
    pub fn table(&self) -> AccessTable {
        AccessTable { roles: self.roles.clone(), rules: self.rules.clone() }
    }

    /// The policy in force, of `owner`: that of the table, or none until the bundle is shown to it. `disk` is the folder in
    /// which the bundle's highest version is remembered.
    ///
    /// # Errors
    /// [`SettingsError`] names the key at fault.
    pub fn open(&self, owner: &str, disk: Arc<dyn Disk>) -> Result<CurrentPolicy, SettingsError> {
        self.check()?;
        if self.bundle.is_none() {
            return Ok(CurrentPolicy::fixed(self.table().policy()?));
        }
        let keys = self.keys.iter().map(|file| public_key(file)).collect::<Result<Vec<_>, _>>()?;
        Ok(CurrentPolicy::of_bundles(owner, keys, disk))
    }

    /// The policy that would be in force. Nothing is remembered of it.
    ///
    /// # Errors
    /// [`SettingsError`] names the key at fault, or says why the bundle would be refused.
    pub fn try_out(&self, owner: &str, disk: &dyn Disk, now_s: i64) -> Result<Arc<Policy>, SettingsError> {
        let refused = |error: String| SettingsError::new("bundle", error);
        let scratch = MemoryDisk::default();
        match disk.read(SEEN) {
            Ok(seen) => scratch.replace(SEEN, &seen).map_err(|error| refused(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refused(format!("{SEEN}: {error}"))),
        }
        let current = self.open(owner, Arc::new(scratch))?;
        self.show(&current, now_s).map_err(|error| refused(error.to_string()))?;
        Ok(current.at(now_s))
    }

    /// Shows `policy` the bundle, if there should be one.
    ///
    /// # Errors
    /// [`BundleError`] says why nothing is in force.
    pub fn show(&self, policy: &CurrentPolicy, now_s: i64) -> Result<(), BundleError> {
        self.bundle.as_deref().map_or(Ok(()), |file| policy.show(bytes_of(file), now_s))
    }

    /// Shows it every few seconds, for ever, and says in the log when what is in force changes.
    pub async fn follow(self, policy: Arc<CurrentPolicy>, clock: Arc<dyn Clock>) {
        let mut before = policy.at(clock.now_s()).version().to_owned();
        while self.bundle.is_some() {
            tokio::time::sleep(LOOK_EVERY).await;
            let (settings, shown, now_s) = (self.clone(), Arc::clone(&policy), clock.now_s());
            let refused = spawn_blocking(move || settings.show(&shown, now_s).err()).await.unwrap_or(None);
            let version = policy.at(now_s).version().to_owned();
            if version != before {
                match refused {
                    Some(why) => error!(%why, "ALARM: nothing is permitted until there is an acceptable policy bundle"),
                    None => info!(version, "another policy is in force"),
                }
                before = version;
            }
        }
    }
}

fn bytes_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(BUNDLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn public_key(file: &Path) -> Result<PublicKey, SettingsError> {
    let fault = |error: String| SettingsError::new("keys", format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fault(format!("cannot be read: {error}")))?;
    PublicKey::from_json(&text).map_err(|error| fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(toml: serde_json::Value) -> String {
        let settings: PolicySettings = serde_json::from_value(toml).unwrap();
        settings.open("RXT", Arc::new(MemoryDisk::default())).map_err(|fault| fault.key).err().unwrap_or_default()
    }

    #[test]
    fn a_policy_is_a_table_or_a_bundle_with_keys() {
        let role = serde_json::json!([{ "name": "clinician", "codes": ["R8000"] }]);
        assert_eq!(fault(serde_json::json!({})), "");
        assert_eq!(fault(serde_json::json!({ "roles": role })), "");
        assert_eq!(fault(serde_json::json!({ "roles": role, "bundle": "b", "keys": ["k"] })), "bundle");
        assert_eq!(fault(serde_json::json!({ "bundle": "b" })), "keys");
        assert_eq!(fault(serde_json::json!({ "keys": ["k"] })), "keys");
        assert_eq!(fault(serde_json::json!({ "bundle": "b", "keys": ["no/such/file"] })), "keys");
        let rule = serde_json::json!([{ "roles": ["nurse"], "purposes": [], "datasets": [] }]);
        assert_eq!(fault(serde_json::json!({ "rules": rule })), "rules[0].roles");
    }
}
