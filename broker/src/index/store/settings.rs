//! How a database is reached that several brokers share. What is wrong with it is said by the key, before anything is
//! opened.

use super::StoreError;
use serde::Deserialize;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::{path::PathBuf, str::FromStr as _};

/// The section `[index.postgres]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// `postgres://login@host:5432/database`. Never with a password or a parameter.
    pub url: String,
    /// File whose first line is the password, readable by its owner only. It is read once, at the start.
    pub password_file: Option<PathBuf>,
    /// Whether the connection is encrypted, and the database's certificate checked.
    #[serde(default)]
    pub tls: DatabaseTls,
    /// PEM: the authorities that issue the database's certificate; those of the public web without it.
    pub authorities: Option<PathBuf>,
    /// Milliseconds until the database is asked for news that it did not tell of.
    #[serde(default = "default_poll_ms")]
    pub poll_ms: u64,
    /// Milliseconds for which what was read counts as true; without an answer from the database the index then closes,
    /// until there is one.
    #[serde(default = "default_stale_ms_max")]
    pub stale_ms_max: u64,
    /// Milliseconds that the database may take for one step.
    #[serde(default = "default_answer_ms_max")]
    pub answer_ms_max: u64,
}

/// How the connection to a database is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseTls {
    /// TLS, and the certificate must be for the database's name and issued by an authority that is trusted.
    #[default]
    Verified,
    /// None: for a database on the broker's own machine only.
    Off,
}

fn default_poll_ms() -> u64 {
    500
}

fn default_stale_ms_max() -> u64 {
    5_000
}

fn default_answer_ms_max() -> u64 {
    5_000
}

impl PostgresSettings {
    /// Checks what the types do not; gives the key at fault and what to do.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let options = PgConnectOptions::from_str(&self.url);
        let Some(options) = options.ok().filter(|_| self.url.starts_with("postgres")) else {
            return Err(("url", "write postgres://login@host:5432/database"));
        };
        let login = self.url.rsplit_once('@').map(|(login, _)| login).unwrap_or_default();
        if login.matches(':').count() > 1 || self.url.contains('?') {
            return Err(("url", "must hold no password and no parameter; name the password's file in password_file"));
        }
        if options.get_database().is_none() {
            return Err(("url", "name the database: postgres://login@host:5432/database"));
        }
        let at_home = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&options.get_host());
        if self.tls == DatabaseTls::Off && !at_home {
            return Err(("tls", "may be off for a database on this machine only; people's data would be readable"));
        }
        for (key, value) in [("poll_ms", self.poll_ms), ("answer_ms_max", self.answer_ms_max)] {
            if value == 0 {
                return Err((key, "must be at least 1"));
            }
        }
        if self.stale_ms_max <= self.poll_ms {
            return Err(("stale_ms_max", "must be more than poll_ms, or the index closes between two looks"));
        }
        Ok(())
    }

    /// How to connect.
    pub(super) fn options(&self, password: Option<&str>) -> Result<PgConnectOptions, StoreError> {
        let options = PgConnectOptions::from_str(&self.url).map_err(|e| StoreError::Refused(e.to_string()))?;
        let mut options = options.application_name("severn-broker").disable_statement_logging();
        options = options.ssl_mode(match self.tls {
            DatabaseTls::Verified => PgSslMode::VerifyFull,
            DatabaseTls::Off => PgSslMode::Disable,
        });
        if let Some(authorities) = &self.authorities {
            options = options.ssl_root_cert(authorities);
        }
        if let Some(password) = password {
            options = options.password(password);
        }
        // A broker that loses power in the middle of a change must not hold up the others.
        let answer = self.answer_ms_max.to_string();
        Ok(options.options([("idle_in_transaction_session_timeout", answer.as_str())]))
    }
}
