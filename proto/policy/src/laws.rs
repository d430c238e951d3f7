//! What a set of policies must keep to before it may decide anything: that it fits the schema, that each policy says its
//! name and what it does, and that nobody sees more by being less.
//!
//! **Invariant:** of a set that passes, no policy can fail for a missing attribute, and to take a workgroup or an activity
//! from somebody, or to lower their assurance, never shows them more. What the same law asks of labels, directives and the
//! restricted is kept by the engine, whatever the policies say.

use crate::ruling::Verdict;
use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use serde_json::Value;
use severn_trust::{Obligations, obligation_from_word};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    str::FromStr as _,
};

/// The schema that policies are checked against.
pub(crate) const SCHEMA: &str = include_str!("schema.cedarschema");

/// Policies of one set.
const POLICIES_MAX: usize = 2_000;

/// Bytes of the text of one set.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong with a set of policies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct PolicyError {
    /// The policy at fault, by its `@id`, or the part of the bundle.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl PolicyError {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> PolicyError {
        PolicyError { place: place.into(), message: message.into() }
    }
}

/// A set that keeps to the laws.
pub(crate) struct Lawful {
    /// The policies; each goes by its `@id`.
    pub set: PolicySet,
    /// What each brings.
    pub brings: HashMap<PolicyId, Brings>,
    /// What each policy speaks of, by its `@id`.
    pub mentions: HashMap<PolicyId, Mentions>,
}

/// What a policy brings where it applies.
#[derive(Clone, Copy)]
pub(crate) struct Brings {
    /// What a forbid makes of entries.
    pub verdict: Verdict,
    /// What a permit asks for.
    pub obligations: Obligations,
}

/// Facts by their path: `principal.workgroups`, `context.person.age`.
#[derive(Clone, Default)]
pub(crate) struct Mentions {
    paths: BTreeSet<String>,
    /// What a fact is compared with.
    words: BTreeMap<String, BTreeSet<String>>,
    numbers: BTreeMap<String, BTreeSet<i64>>,
}

impl Mentions {
    /// The words that some policy compares this fact with.
    pub fn words(&self, path: &str) -> BTreeSet<String> {
        self.words.get(path).cloned().unwrap_or_default()
    }

    /// The numbers that some policy compares this fact with.
    pub fn numbers(&self, path: &str) -> BTreeSet<i64> {
        self.numbers.get(path).cloned().unwrap_or_default()
    }

    /// What either speaks of.
    pub fn and(&mut self, other: &Mentions) {
        self.paths.extend(other.paths.iter().cloned());
        for (path, words) in &other.words {
            self.words.entry(path.clone()).or_default().extend(words.iter().cloned());
        }
        for (path, numbers) in &other.numbers {
            self.numbers.entry(path.clone()).or_default().extend(numbers);
        }
    }

    /// Notes that a fact is compared with whatever is written out in `operand`.
    fn compared(&mut self, fact: &Value, operand: &Value) {
        let Some(path) = path(fact) else { return };
        let mut written = vec![operand];
        while let Some(value) = written.pop() {
            match value {
                Value::String(word) => drop(self.words.entry(path.clone()).or_default().insert(word.clone())),
                Value::Number(n) => self.numbers.entry(path.clone()).or_default().extend(n.as_i64()),
                Value::Array(items) => written.extend(items),
                Value::Object(items) => written.extend(items.iter().filter(|(key, _)| *key != ".").map(|(_, v)| v)),
                _ => {}
            }
        }
    }

    /// Whether some policy speaks of this fact, or of a record that holds it.
    pub fn has(&self, path: &str) -> bool {
        self.paths
            .iter()
            .any(|known| path.strip_prefix(known.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.')))
    }
}

/// Reads and checks a set of policies.
///
/// # Errors
/// [`PolicyError`] names the first policy at fault.
pub(crate) fn read(text: &str) -> Result<Lawful, PolicyError> {
    let whole = |message: String| PolicyError::new("policies", message);
    if text.len() > TEXT_BYTES_MAX {
        return Err(whole(format!("{} bytes, at most {TEXT_BYTES_MAX} are read", text.len())));
    }
    let parsed = PolicySet::from_str(text).map_err(|error| whole(format!("cannot be read as Cedar: {error}")))?;
    if parsed.templates().next().is_some() {
        return Err(whole("templates are not used here; write each policy out".into()));
    }
    if parsed.policies().count() > POLICIES_MAX {
        return Err(whole(format!("more than {POLICIES_MAX} policies")));
    }
    let (mut set, mut brings, mut mentions) = (PolicySet::new(), HashMap::new(), HashMap::new());
    for policy in parsed.policies() {
        let id = policy.annotation("id").filter(|id| !id.trim().is_empty());
        let id = id.ok_or_else(|| whole(format!("{} has no @id; give each policy one", first_line(policy))))?;
        let named = policy.new_id(PolicyId::new(id));
        let (brought, mentioned) = lawful(id, policy)?;
        brings.insert(named.id().clone(), brought);
        mentions.insert(named.id().clone(), mentioned);
        set.add(named).map_err(|_| PolicyError::new(id, "two policies have this @id"))?;
    }
    let schema = Schema::from_str(SCHEMA).map_err(|error| whole(format!("the schema cannot be read: {error}")))?;
    let checked = Validator::new(schema).validate(&set, ValidationMode::Strict);
    if let Some(error) = checked.validation_errors().next() {
        return Err(PolicyError::new(error.policy_id().to_string(), error.to_string()));
    }
    Ok(Lawful { set, brings, mentions })
}

fn first_line(policy: &Policy) -> String {
    policy.to_string().lines().next().unwrap_or_default().chars().take(80).collect()
}

fn lawful(id: &str, policy: &Policy) -> Result<(Brings, Mentions), PolicyError> {
    let fault = |message: &str| PolicyError::new(id, message);
    let json = policy.to_json().map_err(|error| PolicyError::new(id, error.to_string()))?;
    let action = json.pointer("/action/entity/id").and_then(Value::as_str);
    let reads = match (action, policy.effect()) {
        (Some("read"), _) => true,
        (Some("know"), Effect::Forbid) => false,
        (Some("know"), Effect::Permit) => {
            return Err(fault(
                "that a source knows the person may be known unless a forbid hides the source; leave it out",
            ));
        }
        _ => return Err(fault(r#"say for which action it is: action == Action::"read" or Action::"know""#)),
    };
    let brings = brings(id, policy, reads)?;
    let mut walk = Walk { mentions: Mentions::default(), opens: false, against: None };
    for condition in json["conditions"].as_array().into_iter().flatten() {
        let lifts = (policy.effect() == Effect::Permit) == (condition["kind"] == "when");
        walk.expression(&condition["body"], if lifts { Way::More } else { Way::Less });
    }
    if let Some(path) = walk.against {
        return Err(PolicyError::new(
            id,
            format!("{path} may only ever add to what is seen; turn the condition round"),
        ));
    }
    if let Some(path) = NOT_OF_A_SOURCE.into_iter().find(|path| !reads && walk.mentions.has(path)) {
        return Err(PolicyError::new(
            id,
            format!("whether a source may be known does not depend on {path}; such a policy would never apply"),
        ));
    }
    if walk.opens && (policy.effect() == Effect::Permit || brings.verdict != Verdict::MayBeOpened) {
        return Err(fault(r#"only a forbid with @outcome("may_be_opened") may speak of context.breaking_glass"#));
    }
    Ok((brings, walk.mentions))
}

/// What the annotations say.
fn brings(id: &str, policy: &Policy, reads: bool) -> Result<Brings, PolicyError> {
    let mut brings = Brings { verdict: Verdict::Denied, obligations: Obligations::default() };
    let permits = policy.effect() == Effect::Permit;
    for (key, value) in policy.annotations() {
        let unknown = || PolicyError::new(id, format!("@{key}({value:?}) is not understood here"));
        match key {
            "id" | "reason" => {}
            "outcome" if !permits && reads => {
                brings.verdict = match value {
                    "denied" => Verdict::Denied,
                    "withheld" => Verdict::Withheld,
                    "may_be_opened" => Verdict::MayBeOpened,
                    _ => return Err(unknown()),
                }
            }
            "obligation" if permits => {
                for word in value.split(',').map(str::trim) {
                    brings.obligations = brings.obligations.with(obligation_from_word(word).ok_or_else(unknown)?);
                }
            }
            _ => return Err(unknown()),
        }
    }
    Ok(brings)
}

/// What it does to what is seen when an expression becomes true.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    More,
    Less,
    Either,
}

impl Way {
    fn turned(self) -> Way {
        match self {
            Way::More => Way::Less,
            Way::Less => Way::More,
            Way::Either => Way::Either,
        }
    }
}

/// Facts of a user of which to have less must never show more.
const ONLY_ADD: [&str; 3] = ["principal.activities", "principal.workgroups", "principal.assurance"];

/// Facts of an entry, or of one dataset: whether a source may be known is asked before there is either.
const NOT_OF_A_SOURCE: [&str; 2] = ["context.directive", "context.label"];

struct Walk {
    mentions: Mentions,
    opens: bool,
    against: Option<String>,
}

impl Walk {
    fn expression(&mut self, expression: &Value, way: Way) {
        let Some((operator, inner)) = expression.as_object().and_then(|object| object.iter().next()) else { return };
        let (left, right) = (&inner["left"], &inner["right"]);
        if operator != "." {
            self.mentions.compared(left, right);
            self.mentions.compared(right, left);
        }
        match operator.as_str() {
            "&&" | "||" => {
                self.expression(left, way);
                self.expression(right, way);
            }
            "!" => self.expression(&inner["arg"], way.turned()),
            "if-then-else" => {
                self.expression(&inner["if"], Way::Either);
                self.expression(&inner["then"], way);
                self.expression(&inner["else"], way);
            }
            // The role itself: without one nothing is permitted, so that a policy may speak of it as it likes.
            "in" | "is" if matches!(left["Var"].as_str(), Some("principal" | "resource")) => {}
            "contains" | "containsAny" | "containsAll" | ">" | ">=" => {
                self.fact(left, way);
                self.fact(right, if operator.starts_with('>') { way.turned() } else { Way::Either });
            }
            "<" | "<=" => {
                self.fact(left, way.turned());
                self.fact(right, way);
            }
            "isEmpty" => self.fact(&inner["arg"], way.turned()),
            "." => self.fact(expression, Way::Either),
            "Var" => drop(self.mentions.paths.insert(inner.as_str().unwrap_or_default().to_owned())),
            _ => self.all(inner),
        }
    }

    /// An operand of which more makes the comparison true, if `way` is that of the comparison.
    fn fact(&mut self, operand: &Value, way: Way) {
        let Some(path) = path(operand) else { return self.expression(operand, Way::Either) };
        if ONLY_ADD.contains(&path.as_str()) && way != Way::More {
            self.against.get_or_insert(path.clone());
        }
        self.opens |= path == "context.breaking_glass";
        self.mentions.paths.insert(path);
    }

    fn all(&mut self, inner: &Value) {
        match inner {
            Value::Array(items) => items.iter().for_each(|item| self.expression(item, Way::Either)),
            Value::Object(items) => items.values().for_each(|item| self.expression(item, Way::Either)),
            _ => {}
        }
    }
}

/// `context.person.age`, if the expression is such a path.
fn path(expression: &Value) -> Option<String> {
    let access = &expression["."];
    let attribute = access["attr"].as_str()?;
    let left = &access["left"];
    let of = left["Var"].as_str().map(str::to_owned).or_else(|| path(left))?;
    Some(format!("{of}.{attribute}"))
}

#[cfg(test)]
mod tests;
