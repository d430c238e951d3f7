//! The configuration file: the sections that every kind shares, and the section of the kind that is chosen.

use serde::Deserialize;
use severn_adapter_fhir::FhirSettings;
use severn_adapter_file::FileSettings;
use severn_adapter_sdk::{
    limits::Limits,
    sensitive::Sensitive,
    settings::{
        BrokerSettings, DataSettings, FeedSettings, ServeSettings, SettingsError, SourceSettings, TokenSettings,
        check_limits, check_policy,
    },
};
use severn_adapter_sql::SqlSettings;
use severn_link::TlsFiles;
use severn_policy::PolicySettings;
use severn_trust::TrailSettings;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A database.
    Sql,
    /// A FHIR R4 server.
    Fhir,
    /// A folder of files.
    File,
}

impl Kind {
    /// The word for it, as the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Sql => "sql",
            Kind::Fhir => "fhir",
            Kind::File => "file",
        }
    }
}

/// What gives a sensitive condition away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelSettings {
    /// TOML: the table of words and codes; without it, the one that is built in. An empty file labels nothing.
    pub table: Option<PathBuf>,
}

impl LabelSettings {
    /// Reads the table.
    ///
    /// # Errors
    /// [`SettingsError`] names the file.
    pub fn table(&self) -> Result<Sensitive, SettingsError> {
        let wrong = |error: String| SettingsError::new("labels.table", error);
        let Some(file) = &self.table else { return Sensitive::built_in().map_err(|e| wrong(e.to_string())) };
        let text = fs::read_to_string(file).map_err(|e| wrong(format!("cannot read {}: {e}", file.display())))?;
        Sensitive::read(&text).map_err(|e| wrong(format!("{}: {e}", file.display())))
    }
}

/// The whole configuration. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The kind of source; its section must be there.
    pub kind: Kind,
    /// What the adapter stands beside.
    pub source: SourceSettings,
    /// Certificate, key and authorities.
    pub tls: TlsFiles,
    /// Where the broker reaches the adapter.
    pub serve: ServeSettings,
    /// Who may ask, and where identities are announced.
    pub broker: BrokerSettings,
    /// Whose users are believed.
    pub tokens: TokenSettings,
    /// Who may see what. Left out, nobody sees anything.
    #[serde(default)]
    pub policy: PolicySettings,
    /// What gives a sensitive condition away.
    #[serde(default)]
    pub labels: LabelSettings,
    /// What the adapter itself keeps.
    pub data: DataSettings,
    /// How large the files of the audit trail become, and how long they are kept.
    #[serde(default)]
    pub audit: TrailSettings,
    /// How identities are announced.
    #[serde(default)]
    pub feed: FeedSettings,
    /// The limits.
    #[serde(default = "Limits::usual")]
    pub limits: Limits,
    /// The section of kind `sql`.
    pub sql: Option<SqlSettings>,
    /// The section of kind `fhir`.
    pub fhir: Option<FhirSettings>,
    /// The section of kind `file`.
    pub file: Option<FileSettings>,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`SettingsError`] names the key, or the place in the file, and says what to do.
    pub fn load(file: &Path) -> Result<Config, SettingsError> {
        let named = |error: String| SettingsError::new(file.display().to_string(), error);
        let text = fs::read_to_string(file).map_err(|e| named(format!("cannot be read: {e}; give --config")))?;
        Config::parse(&text)
    }

    /// Reads and checks the text of a configuration.
    ///
    /// # Errors
    /// [`SettingsError`] names the key, or the place in the text, and says what to do.
    pub fn parse(text: &str) -> Result<Config, SettingsError> {
        let config: Config = toml::from_str(text).map_err(|e| SettingsError::new("configuration", e))?;
        config.check()?;
        Ok(config)
    }

    /// Checks what can be checked without opening a file.
    ///
    /// # Errors
    /// [`SettingsError`] names the first key at fault.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.source.check()?;
        self.broker.check()?;
        self.tokens.check()?;
        check_policy(&self.policy)?;
        self.audit.check().map_err(|e| SettingsError::new(format!("audit.{}", e.key), e.message))?;
        self.feed.check()?;
        check_limits(&self.limits)?;
        let sections =
            [(Kind::Sql, self.sql.is_some()), (Kind::Fhir, self.fhir.is_some()), (Kind::File, self.file.is_some())];
        for (kind, there) in sections {
            let word = kind.word();
            if kind == self.kind && !there {
                return Err(SettingsError::new(word, format!("kind is \"{word}\", so write the section [{word}]")));
            }
            if kind != self.kind && there {
                let chosen = self.kind.word();
                return Err(SettingsError::new(word, format!("kind is \"{chosen}\", so leave the section out")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
