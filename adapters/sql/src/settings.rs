//! The configuration of a database as a source. No default hides a mistake: only limits have one.

use serde::Deserialize;
use severn_adapter_sdk::{
    cells::Cell,
    dates::DateSettings,
    mapping::{EntryMapping, RegistrationMapping},
};
use std::path::PathBuf;

/// The section `[sql]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlSettings {
    /// `sqlite:///folder/file.sqlite`, `postgres://login@host:5432/database` or `mysql://login@host:3306/database`
    /// (MariaDB as well). Never with a password. Parameters of the driver, such as `?sslmode=verify-full`, are passed on.
    pub url: String,
    /// File whose first line is the password. It is read once, when the source is opened.
    pub password_file: Option<PathBuf>,
    /// Type of the column that `:local_id` is compared with. A local id that is no number is then unknown without asking.
    pub local_id_type: IdType,
    /// Connections to the database at most.
    #[serde(default = "default_connections_max")]
    pub connections_max: u32,
    /// Milliseconds that making a connection, or waiting for a free one, may take.
    #[serde(default = "default_connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Milliseconds that one query about one person may take.
    #[serde(default = "default_statement_timeout_ms")]
    pub statement_timeout_ms: u64,
    /// Milliseconds that reading all registrations may take.
    #[serde(default = "default_registrations_timeout_ms")]
    pub registrations_timeout_ms: u64,
    /// Rows of one dataset for one person at most; more are left out, and the answer says so.
    #[serde(default = "default_rows_max")]
    pub rows_max: u32,
    /// Bytes of one document at most.
    #[serde(default = "default_document_bytes_max")]
    pub document_bytes_max: u64,
    /// How dates are written.
    pub dates: DateSettings,
    /// Who is known.
    pub registrations: RegistrationSettings,
    /// What is kept about them, one table for each dataset.
    #[serde(default)]
    pub datasets: Vec<DatasetSettings>,
}

/// How an identifier is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdType {
    /// As text.
    Text,
    /// As a whole number.
    Integer,
}

/// The section `[sql.registrations]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationSettings {
    /// Query for everybody, one row for each local id.
    pub all: String,
    /// The same query for one person, with `:local_id`.
    pub one: String,
    /// Whether the registration is also what the dataset `demographics` holds.
    #[serde(default)]
    pub show_as_demographics: bool,
    /// How a row becomes a registration.
    pub person: RegistrationMapping,
}

/// One `[[sql.datasets]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSettings {
    /// The dataset: `allergies`, `medications` …
    pub dataset: String,
    /// Query for one person's rows, with `:local_id`. In MariaDB and MySQL a TIMESTAMP is read with its zone as long as
    /// the query gives the column itself; text that the query makes of it (`DATE_FORMAT`) is in UTC and has lost it.
    pub query: String,
    /// Column with the local id of the person whom the row is about. A row of another person fails the dataset.
    pub person: String,
    /// How a row becomes an entry.
    pub entry: EntryMapping,
    /// Where the bytes are; for the dataset `documents` only.
    pub document: Option<DocumentSettings>,
}

/// One `[sql.datasets.document]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentSettings {
    /// Query for one document, with `:local_id` and `:entry_id`.
    pub query: String,
    /// Type of the column that `:entry_id` is compared with.
    pub entry_id_type: IdType,
    /// Column with the local id of the person whom the document is about.
    pub person: String,
    /// Column with the bytes.
    pub content: String,
    /// Media type.
    pub media_type: Cell,
    /// Name for a reader.
    pub title: Cell,
}

fn default_connections_max() -> u32 {
    5
}

fn default_connect_timeout_ms() -> u64 {
    1_500
}

fn default_statement_timeout_ms() -> u64 {
    2_500
}

fn default_registrations_timeout_ms() -> u64 {
    600_000
}

fn default_rows_max() -> u32 {
    10_000
}

fn default_document_bytes_max() -> u64 {
    32 * 1024 * 1024
}
