//! Source kind `sql`: a SQLite, PostgreSQL or MariaDB/MySQL database, read through queries that its owner writes.
//! It reads and maps, nothing else: no query here changes anything, every value is bound, and nothing is kept.
//!
//! **Invariant:** the one place where text becomes SQL is `engine::mapped_sql`; what comes in there is the owner's own
//! query and names of columns that the database itself gave.

pub mod source;
mod check;
mod dataset;
pub mod settings;
mod statement;
mod engine;

pub use settings::{DatasetSettings, DocumentSettings, IdType, RegistrationSettings, SqlSettings};
pub use source::SqlSource;
