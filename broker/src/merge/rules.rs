//! What the rules are applied with: the tables of medicines and of causative agents. Which they were stands in the version
//! of every sealed record.

use super::{
    RULES_VERSION,
    agent::Agents,
    medicine::{Medicines, TableError},
};
use severn_trust::{hex, sha256};

/// Characters of a table's digest that a version shows.
const DIGEST_CHARS: usize = 8;

/// The rules with their tables.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) medicines: Medicines,
    pub(super) agents: Agents,
    version: String,
}

impl Rules {
    /// With the table of medicines that is built in.
    #[must_use]
    pub fn built_in() -> Rules {
        Rules::of(Medicines::built_in(), Medicines::built_in_text())
    }

    /// With another table of medicines: rows `code,level,substance,strength,form,words`.
    ///
    /// # Errors
    /// [`TableError`] names the first line that cannot be used, and what to do.
    pub fn with_medicines(table: &str) -> Result<Rules, TableError> {
        Ok(Rules::of(Medicines::read(table)?, table))
    }

    fn of(medicines: Medicines, table: &str) -> Rules {
        let mut digest = hex(&sha256(&[table.as_bytes()]));
        digest.truncate(DIGEST_CHARS);
        Rules { medicines, agents: Agents::built_in(), version: format!("{RULES_VERSION}+{digest}") }
    }

    /// The rules' version and the first digits of the table's SHA-256: `2.1.0+3f2a9c01`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}
