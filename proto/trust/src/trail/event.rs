//! What an event of the trail says.

use serde::{Deserialize, Serialize};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use std::collections::BTreeMap;

/// One event. Empty fields are left out of the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrailEvent {
    /// What was done: `intent`, `manifest`, `seal`, `refused`, `find`, `link`, `release` ...
    pub action: String,
    /// The query.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub query_id: String,
    /// The user's id and name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The role code, as at the time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// ODS code of the requesting organisation.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// Purpose of use.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// Id of the user's token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token_id: String,
    /// The person: enterprise id at the broker, local id at an adapter.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub person: String,
    /// Whatever else belongs to this kind of event. Never clinical content, never a token.
    #[serde(skip_serializing_if = "Details::is_empty")]
    pub details: Details,
}

/// JSON values by name, each serialised once, when it is set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(BTreeMap<String, Box<RawValue>>);

impl Details {
    /// Sets `name` to `value`; what has no form in JSON becomes `null`.
    pub fn set(&mut self, name: &str, value: &impl Serialize) {
        self.0.insert(name.to_owned(), to_raw_value(value).unwrap_or_default());
    }

    /// These details and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Details {
        self.set(name, value);
        self
    }

    /// The value set for `name`.
    pub fn get(&self, name: &str) -> Option<Value> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// Every name, and its value as JSON.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Details {
    fn eq(&self, other: &Details) -> bool {
        self.iter().eq(other.iter())
    }
}
