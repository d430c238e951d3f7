//! The broker's configuration: one struct for each section, units in names, unknown keys refused.

use crate::{
    access::AccessSettings,
    audit::PatternSettings,
    fanout::AskLimits,
    index::store::PostgresSettings,
    mesh::Place,
    model::{Source, SourceId},
};
use serde::Deserialize;
use severn_link::{ListenLimits, ServerLimits, TlsFiles};
use severn_trust::{IssuerSettings, TrailSettings};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The whole file. `deploy/broker.example.toml` shows every key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where care apps and adapters connect.
    pub listen: ListenSection,
    /// The broker's certificate, key, and the federation's authorities.
    pub tls: TlsFiles,
    /// Where index and audit trail lie.
    pub data: DataSection,
    /// How large the files of the audit trail become, and how long they are kept.
    #[serde(default)]
    pub audit: TrailSettings,
    /// Where the index lies, if not there.
    #[serde(default)]
    pub index: IndexSection,
    /// Whose tokens are believed.
    pub tokens: TokensSection,
    /// Who may see what.
    pub access: AccessSettings,
    /// How privacy officers are told of what they must look at.
    #[serde(default)]
    pub oversight: OversightSection,
    /// The sources.
    #[serde(default)]
    pub sources: Vec<SourceSection>,
    /// How adapters join. Left out, none can, and none is given its next certificate.
    pub enrolment: Option<EnrolmentSection>,
    /// Limits of a call to a source.
    #[serde(default)]
    pub fanout: AskLimits,
    /// What entries are grouped by.
    #[serde(default)]
    pub merge: MergeSection,
    /// How the program runs.
    #[serde(default)]
    pub runtime: RuntimeSection,
}

/// Where the broker listens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSection {
    /// Address and port.
    pub address: SocketAddr,
    /// Limits of the listener.
    #[serde(default)]
    pub limits: ListenLimits,
    /// Limits of a connection.
    #[serde(default)]
    pub connection: ServerLimits,
}

/// How adapters join.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentSection {
    /// Address and port at which those knock who have no certificate yet.
    pub listen: SocketAddr,
    /// Limits of that listener.
    #[serde(default = "limits_of_strangers")]
    pub limits: ListenLimits,
    /// PEM: the certificate of the online authority that signs for adapters. One of `tls.authorities` vouches for it.
    pub certificate: PathBuf,
    /// PEM: its key. Readable by its owner only.
    pub key: PathBuf,
}

fn limits_of_strangers() -> ListenLimits {
    ListenLimits { connections_max: 512, handshakes_per_address_max: 16, ..ListenLimits::default() }
}

/// Where the broker keeps what it keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// A folder of the broker's own.
    pub folder: PathBuf,
    /// PEM: the key that signs the head of the audit trail, and keys the hashes of what was shown.
    pub audit_key: PathBuf,
    /// PEM: the key that signs the broker's statements to adapters.
    pub statement_key: PathBuf,
}

/// Where the index lies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexSection {
    /// A database that several brokers share; without it, a file in `data.folder`, for this broker alone.
    pub postgres: Option<PostgresSettings>,
    /// Files, each with one public key as a JWK: whose models the index takes.
    pub model_keys: Vec<PathBuf>,
}

/// Whose tokens are believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensSection {
    /// The federation's name: the `aud` of every token.
    pub audience: String,
    /// The issuers.
    pub issuers: Vec<IssuerSettings>,
}

/// One source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// Its id in the federation; the same as in its certificate.
    pub id: String,
    /// Name of the organisation, for readers.
    pub name: String,
    /// Kind, for readers.
    pub kind: String,
    /// ODS code of the organisation.
    pub ods: String,
    /// Where its adapter listens: host:port.
    pub address: String,
}

/// What privacy officers are told, and what is looked for on their behalf.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OversightSection {
    /// Notices of claims and broken glass.
    pub notices: NoticesSection,
    /// What is a pattern, and how much of it.
    pub patterns: PatternSettings,
}

/// Notices to privacy officers. Sources are told at their adapters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticesSection {
    /// A folder into which notices to organisations that have no adapter here are written, a JSON file each, for a mail
    /// agent to take away; without it, such an organisation's officers see the broker's queue only.
    pub folder: Option<PathBuf>,
}

/// What entries are grouped by.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeSection {
    /// CSV: medicines in the shape of dm+d; without it, the small table that is built in.
    pub medicines: Option<PathBuf>,
}

/// How the program runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSection {
    /// Threads that run queries. One is cheapest and enough for most regions; see the README's figures.
    pub threads: usize,
    /// Milliseconds a connection to an adapter may take.
    pub connect_ms: u64,
}

impl Default for RuntimeSection {
    fn default() -> Self {
        RuntimeSection { threads: 1, connect_ms: 2000 }
    }
}

/// What is wrong with a configuration, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{0}: {1}")]
    Malformed(PathBuf, Box<toml::de::Error>),
    /// A value that makes no sense.
    #[error("{key}: {message}")]
    Value {
        /// The key.
        key: String,
        /// What to do.
        message: String,
    },
}

impl Config {
    /// Reads and checks the file. Relative paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file or the key.
    pub fn load(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError::Unreadable(file.to_owned(), e))?;
        let malformed = |e| ConfigError::Malformed(file.to_owned(), Box::new(e));
        let mut config: Config = toml::from_str(&text).map_err(malformed)?;
        config.resolve_paths(file.parent().unwrap_or(Path::new(".")));
        config.check()?;
        Ok(config)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// [`ConfigError::Value`] names the first key at fault.
    pub fn check(&self) -> Result<(), ConfigError> {
        let fault = |key: String, message: &str| Err(ConfigError::Value { key, message: message.to_owned() });
        self.access.check().map_err(|e| ConfigError::Value { key: format!("access.{}", e.key), message: e.message })?;
        if let Err(fault_of) = self.audit.check() {
            return fault(format!("audit.{}", fault_of.key), fault_of.message);
        }
        if let Some(Err((key, message))) = self.index.postgres.as_ref().map(PostgresSettings::check) {
            return fault(format!("index.postgres.{key}"), message);
        }
        if let Err((key, message)) = self.oversight.patterns.check() {
            return fault(format!("oversight.patterns.{key}"), message);
        }
        if self.tokens.audience.trim().is_empty() {
            return fault("tokens.audience".into(), "name the federation");
        }
        if self.tokens.issuers.is_empty() {
            return fault("tokens.issuers".into(), "name at least one; without one nobody can ask anything");
        }
        for (at, source) in self.sources.iter().enumerate() {
            let key = |field: &str| format!("sources[{at}].{field}");
            if source.id.is_empty() || source.id.len() > 64 {
                return fault(key("id"), "give 1 to 64 characters");
            }
            if self.sources[..at].iter().any(|other| other.id == source.id) {
                return fault(key("id"), "is used twice; every source has an id of its own");
            }
            if source.name.trim().is_empty() {
                return fault(key("name"), "name the organisation; readers see it");
            }
            if !source.address.contains(':') {
                return fault(key("address"), "write host:port");
            }
        }
        for (key, value) in [
            ("fanout.in_flight_max", self.fanout.in_flight_max),
            ("fanout.message_bytes_max", self.fanout.message_bytes_max),
            ("fanout.answer_bytes_max", self.fanout.answer_bytes_max),
            ("fanout.messages_max", self.fanout.messages_max),
            ("fanout.query_bytes_max", self.fanout.query_bytes_max),
            ("runtime.threads", self.runtime.threads),
        ] {
            if value == 0 {
                return fault(key.into(), "must be at least 1");
            }
        }
        Ok(())
    }

    /// The sources as the registry knows them.
    pub fn registered(&self) -> impl Iterator<Item = Source> + '_ {
        self.sources.iter().map(|source| Source {
            id: SourceId(source.id.as_str().into()),
            name: source.name.clone(),
            kind: source.kind.clone(),
            ods: source.ods.clone(),
        })
    }

    /// What may join, by source id: ODS code, and the host at which the adapter is reached.
    pub fn places(&self) -> BTreeMap<String, Place> {
        let place = |source: &SourceSection| {
            let host = source.address.rsplit_once(':').map_or("", |(host, _)| host);
            (source.id.clone(), Place { ods: source.ods.clone(), host: host.trim_matches(['[', ']']).to_owned() })
        };
        self.sources.iter().map(place).collect()
    }

    fn resolve_paths(&mut self, folder: &Path) {
        let authority = self.enrolment.iter_mut().flat_map(|section| [&mut section.certificate, &mut section.key]);
        let issuer_files = self.tokens.issuers.iter_mut().filter_map(|issuer| issuer.jwks_file.as_mut());
        let database_files = self.index.postgres.iter_mut();
        let database_files = database_files.flat_map(|p| [&mut p.password_file, &mut p.authorities]).flatten();
        let files = [
            &mut self.tls.certificate,
            &mut self.tls.key,
            &mut self.tls.authorities,
            &mut self.data.folder,
            &mut self.data.audit_key,
            &mut self.data.statement_key,
        ];
        let tables = self.index.model_keys.iter_mut().chain(&mut self.merge.medicines).chain(&mut self.tls.denied);
        let tables = tables.chain(&mut self.oversight.notices.folder);
        for path in files.into_iter().chain(issuer_files).chain(database_files).chain(tables).chain(authority) {
            *path = folder.join(&path);
        }
    }
}

#[cfg(test)]
mod tests;
