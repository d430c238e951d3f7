//! Made-up entries for made-up people.

use prost::Message as _;
use severn_proto::v1::{
    AllergyDetail, Assertion, Coding, Dataset, Demographics, Entry, EntryBody, EntryHead, EntryStatus, HumanName,
    LocalId, Provenance, Registration, entry_body::Detail,
};

/// The person most tests ask about.
pub fn anne() -> Demographics {
    Demographics {
        nhs_number: "9990000018".into(),
        nhs_number_verified: true,
        names: vec![HumanName { family: "Ash".into(), given: vec!["Anne".into()], ..HumanName::default() }],
        birth_date: "1980-02-01".into(),
        ..Demographics::default()
    }
}

/// Another person, who must never be shown for the first.
pub fn bert() -> Demographics {
    Demographics {
        nhs_number: "9990000026".into(),
        nhs_number_verified: true,
        names: vec![HumanName { family: "Birch".into(), given: vec!["Bert".into()], ..HumanName::default() }],
        birth_date: "1951-11-30".into(),
        ..Demographics::default()
    }
}

/// `demographics` as `source` announces them under `local_id`.
pub fn registration(source: &str, local_id: &str, demographics: Demographics) -> Registration {
    let local_id = LocalId { assigning_authority: source.into(), value: local_id.into() };
    Registration {
        source_id: source.into(),
        local_id: Some(local_id),
        demographics: Some(demographics),
        ..Registration::default()
    }
}

/// An active allergy to `agent` (a SNOMED CT code and its term) at `source`.
pub fn allergy(source: &str, entry_id: &str, (code, term): (&str, &str)) -> Entry {
    let coding = Coding { system: "http://snomed.info/sct".into(), code: code.into(), display: term.into() };
    let detail = AllergyDetail { kind: "allergy".into(), criticality: "high".into(), ..AllergyDetail::default() };
    let head = EntryHead { codings: vec![coding], text: term.into(), ..head(source, entry_id, Dataset::Allergies) };
    let body = EntryBody { detail: Some(Detail::Allergy(detail)), ..EntryBody::default() };
    Entry { head: Some(head), body: body.encode_to_vec().into() }
}

/// A statement at `source` that no allergies are known.
pub fn no_known_allergies(source: &str, entry_id: &str) -> Entry {
    let mut entry = allergy(source, entry_id, ("716186003", "No known allergy"));
    if let Some(head) = entry.head.as_mut() {
        head.assertion = Assertion::NoneKnown.into();
    }
    entry
}

/// An entry of `dataset` with nothing but a text.
pub fn plain(source: &str, entry_id: &str, dataset: Dataset, text: &str) -> Entry {
    let head = EntryHead { text: text.into(), ..head(source, entry_id, dataset) };
    Entry { head: Some(head), body: EntryBody::default().encode_to_vec().into() }
}

fn head(source: &str, entry_id: &str, dataset: Dataset) -> EntryHead {
    let provenance = Provenance {
        organisation: format!("Organisation {source}"),
        organisation_ods: source.into(),
        system: "made up".into(),
        author: "Dr B Author".into(),
        ..Provenance::default()
    };
    EntryHead {
        entry_id: entry_id.into(),
        dataset: dataset.into(),
        status: EntryStatus::Active.into(),
        status_verbatim: "active".into(),
        effective_start: "2024-05-06".into(),
        recorded: "2024-05-06".into(),
        provenance: Some(provenance),
        ..EntryHead::default()
    }
}
