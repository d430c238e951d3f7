//! Bundles and single resources: taken apart so that each stands or falls alone, and references between them. No
//! dataset and no clinical meaning lives here.

use super::json::{Json, JsonError, Members};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

/// Largest resource that is read, in bytes. Documents that carry their bytes inside may be larger.
pub const RESOURCE_BYTES_MAX: usize = 1024 * 1024;

/// Largest resource that carries a document's bytes, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One resource, with its own bytes.
#[derive(Clone)]
pub struct Resource {
    kind: String,
    id: String,
    full_url: String,
    json: Json,
    raw: Arc<str>,
}

/// A resource that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its type, where that much can be told.
    pub kind: Option<String>,
}

/// A bundle, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// `searchset`, `collection` ...
    pub kind: String,
    /// The resources that could be read, in order, without those the server only says something of the search with.
    pub resources: Vec<Resource>,
    /// The resources that could not be read.
    pub broken: Vec<Broken>,
    /// Address of the next page; empty on the last.
    pub next: String,
    /// Set where the server says that it left something out.
    pub incomplete: bool,
}

impl Resource {
    /// Reads one resource from its JSON text. `full_url` is what a bundle calls it; empty outside one.
    ///
    /// # Errors
    /// [`Broken`] if it is too large, too deep, not JSON, or has no type.
    pub fn parse(raw: &str, full_url: &str) -> Result<Resource, Broken> {
        let broken = |kind: &str| Broken { kind: Some(kind.to_owned()).filter(|k| !k.is_empty()) };
        let kind = peek_kind(raw);
        let carries_bytes = matches!(kind.as_str(), "DocumentReference" | "Binary");
        let bytes_max = if carries_bytes { DOCUMENT_BYTES_MAX } else { RESOURCE_BYTES_MAX };
        // A replacement character shows that the bytes were not UTF-8: what they were is not known any more.
        if kind.is_empty() || raw.len() > bytes_max || raw.contains('\u{fffd}') {
            return Err(broken(&kind));
        }
        let json = Json::parse(raw).map_err(|_| broken(&kind))?;
        let id = json.at("id").text().to_owned();
        Ok(Resource { kind, id, full_url: full_url.to_owned(), json, raw: raw.into() })
    }

    /// `Patient`, `Condition` ...
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The server's own id; empty where it has none.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its bundle calls it; empty outside one.
    pub fn full_url(&self) -> &str {
        &self.full_url
    }

    /// The content.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// The resource's own bytes.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// A name for the resource that holds as long as its source knows it: `Type/id`, else what the bundle calls it.
    pub fn reference(&self) -> String {
        if self.id.is_empty() { self.full_url.clone() } else { format!("{}/{}", self.kind, self.id) }
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(…)", self.kind)
    }
}

/// Takes a bundle apart. `bytes` should be UTF-8; where they are not, the resources concerned are broken, not all.
///
/// # Errors
/// [`JsonError`] if it is no bundle at all.
pub fn read_bundle(bytes: &[u8]) -> Result<Bundle, JsonError> {
    let text = String::from_utf8_lossy(bytes);
    let members: Members<'_> =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| JsonError::Invalid)?;
    if text_member(&members, "resourceType") != "Bundle" {
        return Err(JsonError::Invalid);
    }
    let mut bundle = Bundle { kind: text_member(&members, "type").into_owned(), ..Bundle::default() };
    if let Some(links) = members.0.get("link") {
        bundle.next = next_link(&Json::parse(links.get())?);
    }
    let entries: Vec<&RawValue> = match members.0.get("entry") {
        Some(raw) => serde_json::from_str(raw.get()).map_err(|_| JsonError::Invalid)?,
        None => Vec::new(),
    };
    for entry in entries {
        add_entry(&mut bundle, entry);
    }
    Ok(bundle)
}

fn add_entry(bundle: &mut Bundle, entry: &RawValue) {
    let Ok(members) = serde_json::from_str::<Members<'_>>(entry.get()) else {
        return bundle.broken.push(Broken { kind: None });
    };
    let Some(raw) = members.0.get("resource") else {
        return bundle.broken.push(Broken { kind: None });
    };
    match Resource::parse(raw.get(), &text_member(&members, "fullUrl")) {
        Ok(resource) if resource.kind == "OperationOutcome" => bundle.incomplete |= left_out(&resource.json),
        Ok(resource) => bundle.resources.push(resource),
        Err(broken) => bundle.broken.push(broken),
    }
}

fn text_member<'a>(members: &Members<'a>, key: &str) -> Cow<'a, str> {
    members
        .0
        .get(key)
        .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
        .map_or(Cow::Borrowed(""), Cow::Owned)
}

fn peek_kind(raw: &str) -> String {
    let members = serde_json::from_str::<Members<'_>>(raw);
    members.map(|members| text_member(&members, "resourceType").into_owned()).unwrap_or_default()
}

fn next_link(links: &Json) -> String {
    let next = links.items().iter().find(|link| link.at("relation").text() == "next");
    next.map(|link| link.at("url").text().to_owned()).unwrap_or_default()
}

fn left_out(outcome: &Json) -> bool {
    outcome.at("issue").items().iter().any(|issue| {
        matches!(issue.at("severity").text(), "error" | "fatal")
            || matches!(issue.at("code").text(), "incomplete" | "suppressed" | "too-costly" | "throttled" | "timeout")
    })
}

/// Resources that others refer to.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    by_name: BTreeMap<String, Resource>,
}

impl Pool {
    /// Adds a resource under every name by which a reference may call it.
    pub fn add(&mut self, resource: &Resource) {
        if !resource.id.is_empty() {
            self.by_name.insert(format!("{}/{}", resource.kind, resource.id), resource.clone());
        }
        if !resource.full_url.is_empty() {
            self.by_name.insert(resource.full_url.clone(), resource.clone());
        }
    }

    /// Adds all that another pool has, where this one has none of the name.
    pub fn merge(&mut self, other: &Pool) {
        for (name, resource) in &other.by_name {
            self.by_name.entry(name.clone()).or_insert_with(|| resource.clone());
        }
    }

    /// What a reference in `from` points to: a contained resource, or one of the pool. `None` if it is not here.
    pub fn resolve<'a>(&'a self, from: &'a Resource, reference: &Json) -> Option<&'a Json> {
        let target = reference.at("reference").text();
        if let Some(local) = target.strip_prefix('#') {
            return from.json.at("contained").items().iter().find(|inner| inner.at("id").text() == local);
        }
        self.get(target).map(|resource| &resource.json)
    }

    /// The resource that a reference's text names; `None` if it is not here. An address of another server names another
    /// resource, even where type and id are alike.
    pub fn get(&self, target: &str) -> Option<&Resource> {
        self.by_name.get(target).or_else(|| self.by_name.get(unversioned(target)))
    }
}

/// A reference without the version after it.
pub fn unversioned(target: &str) -> &str {
    target.split("/_history/").next().unwrap_or(target)
}

/// The resource type that a literal reference names; empty where it names none.
pub(crate) fn kind_of_reference(target: &str) -> &str {
    unversioned(target).rsplit('/').nth(1).unwrap_or_default()
}
