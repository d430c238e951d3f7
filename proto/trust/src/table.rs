//! Who may see what, as a table: role × purpose × dataset. The broker decides by the region's table, every adapter
//! again by its owner's. What the table does not allow is denied.

use crate::words::{dataset_from_word, label_from_word, purpose_from_word};
use serde::Deserialize;
use severn_proto::v1::{Dataset, PurposeOfUse, SensitivityLabel};

/// The table as a configuration file writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessTable {
    /// The roles and the codes by which tokens name them.
    #[serde(default)]
    pub roles: Vec<RoleDefinition>,
    /// What roles may see.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleDefinition {
    /// Name, as rules use it.
    pub name: String,
    /// Role codes in tokens that mean this role, whole.
    pub codes: Vec<String>,
    /// Sensitivity labels the role may see beside `normal`; `*` for all that are known.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// One rule. Rules only add; a rule with an empty list allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Roles it is for.
    pub roles: Vec<String>,
    /// Purposes it is for.
    pub purposes: Vec<String>,
    /// Datasets it allows; `*` for all.
    pub datasets: Vec<String>,
    /// `true` to say that these datasets exist here and are withheld, where no rule allows them; for an owner's table.
    #[serde(default)]
    pub withhold: bool,
}

/// What the table says of one (role, purpose, dataset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may be seen.
    Allow,
    /// It is withheld, and the reader is told so. Outranks every rule that allows.
    Withhold,
    /// The role is unknown, or may not see it for any purpose.
    DenyRole,
    /// The role may see it, but not for this purpose.
    DenyPurpose,
}

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct TableError {
    /// The key at fault, such as `rules[2].datasets`.
    pub key: String,
    /// What to do.
    pub message: String,
}

const ALL: &str = "*";

impl AccessTable {
    /// Checks every word, so that a misspelt rule is refused at start and does not silently deny or allow.
    ///
    /// # Errors
    /// [`TableError`] names the first key at fault.
    pub fn check(&self) -> Result<(), TableError> {
        let fault = |key: String, message: String| Err(TableError { key, message });
        for (at, role) in self.roles.iter().enumerate() {
            let twice = self.roles[..at]
                .iter()
                .any(|other| other.name == role.name || other.codes.iter().any(|code| role.codes.contains(code)));
            if twice {
                return fault(format!("roles[{at}]"), format!("the name or a code of {:?} is used twice", role.name));
            }
            if role.name.trim().is_empty() || role.codes.iter().any(|code| code.trim().is_empty()) {
                return fault(format!("roles[{at}]"), "a role and each of its codes needs a name".into());
            }
            for label in role.labels.iter().filter(|label| *label != ALL) {
                if label_from_word(label).is_none() {
                    return fault(format!("roles[{at}].labels"), format!("{label:?} is no sensitivity label"));
                }
            }
        }
        for (at, rule) in self.rules.iter().enumerate() {
            if let Some(unknown) = rule.roles.iter().find(|name| !self.roles.iter().any(|r| r.name == **name)) {
                return fault(format!("rules[{at}].roles"), format!("{unknown:?} is not among the roles above"));
            }
            if let Some(unknown) = rule.purposes.iter().find(|p| purpose_from_word(p).is_none()) {
                return fault(format!("rules[{at}].purposes"), format!("{unknown:?} is no purpose of use"));
            }
            if let Some(unknown) = rule.datasets.iter().find(|d| *d != ALL && dataset_from_word(d).is_none()) {
                return fault(format!("rules[{at}].datasets"), format!("{unknown:?} is no dataset"));
            }
        }
        Ok(())
    }

    /// Decides. Most restrictive wins: withhold before allow before deny.
    pub fn decide(&self, role_code: &str, purpose: PurposeOfUse, dataset: Dataset) -> Decision {
        let Some(role) = self.role(role_code) else { return Decision::DenyRole };
        let mut decision = Decision::DenyRole;
        for rule in self.rules.iter().filter(|rule| rule.roles.contains(&role.name) && rule.covers(dataset)) {
            let for_purpose = rule.purposes.iter().any(|word| purpose_from_word(word) == Some(purpose));
            if for_purpose && rule.withhold {
                return Decision::Withhold;
            }
            if for_purpose {
                decision = Decision::Allow;
            } else if decision == Decision::DenyRole && !rule.withhold {
                decision = Decision::DenyPurpose;
            }
        }
        decision
    }

    /// Whether the role may see entries that carry `labels`. An unknown label means no.
    pub fn may_see_labels(&self, role_code: &str, labels: &[i32]) -> bool {
        let Some(role) = self.role(role_code) else { return false };
        labels.iter().all(|number| match SensitivityLabel::try_from(*number) {
            Err(_) | Ok(SensitivityLabel::Unspecified) => false,
            Ok(SensitivityLabel::Normal) => true,
            Ok(label) => role.labels.iter().any(|word| word == ALL || label_from_word(word) == Some(label)),
        })
    }

    /// The name of the role that a code means.
    pub fn role_name(&self, role_code: &str) -> Option<&str> {
        self.role(role_code).map(|role| role.name.as_str())
    }

    fn role(&self, role_code: &str) -> Option<&RoleDefinition> {
        self.roles.iter().find(|role| role.codes.iter().any(|code| code == role_code))
    }
}

impl Rule {
    fn covers(&self, dataset: Dataset) -> bool {
        // `*` means every dataset that is known; an unknown one arrives here as unspecified.
        dataset != Dataset::Unspecified
            && self.datasets.iter().any(|word| word == ALL || dataset_from_word(word) == Some(dataset))
    }
}

#[cfg(test)]
mod tests;
