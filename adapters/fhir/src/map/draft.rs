//! From what a mapper read of a resource to an entry: ids, origins, labels, provenance, and the checks that hold for
//! every dataset. No resource type lives here.

use super::{
    MapContext,
    json::Json,
    labels::labels,
    parts::{Concept, View, When, extension, is_iso, notes},
    status::status,
};
use prost::Message;
use severn_proto::v1::{
    Assertion, Dataset, Entry, EntryBody, EntryHead, EntryStatus, Field, OriginIdentifier, Provenance,
    entry_body::Detail,
};

/// Longest entry id, in bytes (`EntryHead.entry_id`).
const ENTRY_ID_BYTES_MAX: usize = 256;

/// Whether the resource itself goes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Original {
    /// The whole resource.
    #[default]
    Whole,
    /// Nothing: it holds content of other datasets, or a document's bytes.
    Omitted,
}

/// What a mapper read of one item.
#[derive(Clone, Default)]
pub(crate) struct Draft {
    pub dataset: Dataset,
    /// Which part of the resource it is, beginning with `#`; empty for the resource itself.
    pub part: String,
    pub concept: Concept,
    pub assertion: Assertion,
    pub status: EntryStatus,
    pub status_verbatim: String,
    pub when: When,
    pub recorded: String,
    pub author: String,
    pub author_role: String,
    pub recorder: String,
    pub location: String,
    pub distinguishing: Vec<(&'static str, String)>,
    pub detail: Option<Detail>,
    pub narrative: String,
    pub original: Original,
    /// Identifiers of another resource that says just the same.
    pub restates: Vec<OriginIdentifier>,
}

impl Draft {
    /// A draft of a present thing with the resource's own `status`.
    pub(crate) fn of(view: &View<'_>, dataset: Dataset, concept: Concept, detail: Detail) -> Draft {
        let verbatim = view.at("status").text();
        Draft {
            dataset,
            concept,
            assertion: Assertion::Present,
            status: status(view.resource.kind(), verbatim),
            status_verbatim: verbatim.to_owned(),
            narrative: notes(view.resource.json()),
            detail: Some(detail),
            ..Draft::default()
        }
    }
}

/// Makes the entry; `None` if there is nothing a reader could be shown, or no id that would hold.
pub(crate) fn entry(view: &View<'_>, draft: Draft, context: &MapContext) -> Option<Entry> {
    let json = view.resource.json();
    let entry_id = format!("{}{}", view.resource.reference(), draft.part);
    let named = !draft.concept.text.trim().is_empty();
    if !named || view.resource.reference().is_empty() || entry_id.len() > ENTRY_ID_BYTES_MAX {
        return None;
    }
    // A modifier extension may turn the meaning round, and none is understood here.
    let mut not_validated = !json.at("modifierExtension").is_null();
    let mut text = draft.concept.text;
    let mut checked = |name: &str, given: &str| {
        if is_iso(given) {
            return given.to_owned();
        }
        if !given.is_empty() {
            not_validated = true;
            text.push_str(&format!(" ({name} as recorded: {given})"));
        }
        String::new()
    };
    let effective_start = checked("start", &draft.when.start);
    let effective_end = checked("end", &draft.when.end);
    let recorded = checked("recorded", &draft.recorded);
    let last_changed = checked("last changed", json.at("meta").at("lastUpdated").text());
    let head = EntryHead {
        entry_id,
        dataset: draft.dataset as i32,
        effective_start,
        effective_end,
        recorded,
        last_changed,
        codings: draft.concept.codings,
        text,
        assertion: draft.assertion as i32,
        status: draft.status as i32,
        status_verbatim: draft.status_verbatim,
        labels: labels(json),
        distinguishing: fields(draft.distinguishing),
        provenance: Some(Provenance {
            organisation: context.source.organisation.clone(),
            organisation_ods: context.source.ods.clone(),
            system: context.source.system.clone(),
            author: draft.author,
            author_role: draft.author_role,
            location: draft.location,
            recorder: draft.recorder,
            retrieved_at_ms: context.retrieved_at_ms,
            source_version: json.at("meta").at("versionId").text().to_owned(),
        }),
        origins: if draft.part.is_empty() { origins(view, json, draft.restates) } else { Vec::new() },
        not_validated,
    };
    let whole = draft.original == Original::Whole;
    let body = EntryBody {
        detail: draft.detail,
        original: if whole { view.resource.raw().as_bytes().to_vec() } else { Vec::new() },
        original_media_type: if whole { "application/fhir+json".to_owned() } else { String::new() },
        narrative: draft.narrative,
    };
    Some(Entry { head: Some(head), body: body.encode_to_vec().into() })
}

fn fields(given: Vec<(&'static str, String)>) -> Vec<Field> {
    let present = given.into_iter().filter(|(_, value)| !value.trim().is_empty());
    present.map(|(name, value)| Field { name: name.to_owned(), value }).collect()
}

/// The identifiers of a resource after `out`, each once.
pub(crate) fn origins(view: &View<'_>, json: &Json, mut out: Vec<OriginIdentifier>) -> Vec<OriginIdentifier> {
    let identifiers = json.at("identifier").items().iter().chain(json.at("masterIdentifier").items());
    for identifier in identifiers {
        let (system, value) = (identifier.at("system").text(), identifier.at("value").text());
        let repeated = out.iter().any(|o| o.system == system && o.value == value);
        // Without a system, or withdrawn, an identifier identifies nothing outside its own system.
        if system.is_empty() || value.is_empty() || identifier.at("use").text() == "old" || repeated {
            continue;
        }
        let organisation_ods = assigner_ods(view, identifier);
        out.push(OriginIdentifier { system: system.to_owned(), value: value.to_owned(), organisation_ods });
    }
    out
}

fn assigner_ods(view: &View<'_>, identifier: &Json) -> String {
    let assigner = identifier.at("assigner");
    let given = ods_code(assigner.at("identifier"));
    let by_target = || ods_of_organisation(view.target(assigner));
    let by_extension = || {
        let found = extension(identifier, "ods-organisation-code");
        first_text(&[found.at("valueString"), found.at("valueCode"), found.at("valueIdentifier").at("value")])
    };
    [given, by_target(), by_extension()].into_iter().find(|code| !code.is_empty()).unwrap_or_default()
}

fn first_text(candidates: &[&Json]) -> String {
    candidates.iter().map(|one| one.text()).find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

/// The ODS code that an identifier holds; empty if it is none. An identifier without a system is taken at its word.
pub(crate) fn ods_code(identifier: &Json) -> String {
    let system = identifier.at("system").text();
    let is_ods = system.is_empty() || system.ends_with("ods-organization-code") || system.ends_with("ods-site-code");
    if is_ods { identifier.at("value").text().to_owned() } else { String::new() }
}

/// The ODS code of an Organization resource; empty if it has none.
pub(crate) fn ods_of_organisation(organisation: &Json) -> String {
    let with_system = organisation.at("identifier").items().iter().filter(|one| !one.at("system").is_null());
    with_system.map(ods_code).find(|code| !code.is_empty()).unwrap_or_default()
}
