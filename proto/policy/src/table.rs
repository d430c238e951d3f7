//! The short form of a policy, for a configuration file: role × purpose × dataset. It is written out in Cedar, and decides
//! as that does. What the table does not allow is denied.

use crate::{
    bundle::{BundleRole, check_roles},
    engine::Policy,
    laws::PolicyError,
};
use serde::Deserialize;
use severn_trust::{dataset_from_word, label_from_word, purpose_from_word};

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
    /// `true` beside `withhold`: broken glass opens it.
    #[serde(default)]
    pub reason_opens: bool,
}

const ALL: &str = "*";

impl AccessTable {
    /// Checks every word, so that a misspelt rule is refused at start and does not silently deny or allow.
    ///
    /// # Errors
    /// [`PolicyError`] names the first key at fault, such as `rules[2].datasets`.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_roles(&self.bundle_roles())?;
        let fault = |place: String, message: String| Err(PolicyError::new(place, message));
        for (at, role) in self.roles.iter().enumerate() {
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
            let lists = [("roles", &rule.roles), ("purposes", &rule.purposes), ("datasets", &rule.datasets)];
            if let Some((list, _)) = lists.into_iter().find(|(_, list)| rule.withhold && list.is_empty()) {
                let message = "an empty list withholds nothing; name what is withheld, or leave the rule out";
                return fault(format!("rules[{at}].{list}"), message.into());
            }
            if let Some(unknown) = rule.purposes.iter().find(|p| purpose_from_word(p).is_none()) {
                return fault(format!("rules[{at}].purposes"), format!("{unknown:?} is no purpose of use"));
            }
            if rule.reason_opens && !rule.withhold {
                return fault(
                    format!("rules[{at}].reason_opens"),
                    "only what is withheld can be opened; write withhold = true".into(),
                );
            }
            if let Some(unknown) = rule.datasets.iter().find(|d| *d != ALL && dataset_from_word(d).is_none()) {
                return fault(format!("rules[{at}].datasets"), format!("{unknown:?} is no dataset"));
            }
        }
        Ok(())
    }

    /// The same as policies in Cedar, one for each rule and role.
    ///
    /// # Errors
    /// [`PolicyError`] if a word is not understood; [`AccessTable::check`] says which key it stands at.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        let mut policies = String::new();
        for (at, rule) in self.rules.iter().enumerate() {
            for role in self.roles.iter().filter(|role| rule.roles.contains(&role.name)) {
                policies.push_str(&rule.policy(&format!("rules[{at}] for {}", role.name), role));
            }
        }
        Policy::read("table", self.bundle_roles(), &policies)
    }

    fn bundle_roles(&self) -> Vec<BundleRole> {
        let role = |role: &RoleDefinition| BundleRole { name: role.name.clone(), codes: role.codes.clone() };
        self.roles.iter().map(role).collect()
    }
}

impl Rule {
    fn policy(&self, id: &str, role: &RoleDefinition) -> String {
        let quoted = |words: &[String]| words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(", ");
        let (effect, unless) = match (self.withhold, self.reason_opens) {
            (false, _) => ("permit", ""),
            (true, false) => ("@outcome(\"withheld\")\nforbid", ""),
            (true, true) => ("@outcome(\"may_be_opened\")\nforbid", " unless { context.breaking_glass }"),
        };
        let datasets = match self.datasets.iter().any(|word| word == ALL) {
            true => "resource in Group::\"all\"".to_owned(),
            false if self.datasets.is_empty() => "false".to_owned(),
            false => {
                let each = self.datasets.iter().map(|word| format!("resource == Dataset::{}", quote(word)));
                format!("({})", each.collect::<Vec<_>>().join(" || "))
            }
        };
        let purposes = match self.purposes.is_empty() {
            true => "false".to_owned(),
            false => format!("[{}].contains(context.purpose)", quoted(&self.purposes)),
        };
        let labels = match self.withhold || role.labels.iter().any(|word| word == ALL) {
            true => String::new(),
            false => {
                let seen: Vec<String> = role.labels.iter().cloned().chain(["normal".to_owned()]).collect();
                format!(" && [{}].contains(context.label)", quoted(&seen))
            }
        };
        format!(
            "@id({})\n{effect} (principal in Role::{}, action == Action::\"read\", resource)\nwhen {{ {datasets} && {purposes}{labels} }}{unless};\n\n",
            quote(id),
            quote(&role.name),
        )
    }
}

/// A string as Cedar writes it.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

#[cfg(test)]
mod tests;
