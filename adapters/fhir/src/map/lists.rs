//! Lists: what a list says of itself. What it lists are resources of their own and are not read here.

use super::{
    draft::Draft,
    parts::{Concept, View, code, concept, extensions},
    status::status,
};
use severn_proto::v1::{
    AllergyDetail, Assertion,
    Dataset::{self, *},
    EntryStatus, ReasonCode,
    entry_body::Detail,
};

/// All that a list may speak of.
pub(crate) const SPOKEN_OF: &[Dataset] = &[
    Allergies,
    Medications,
    Problems,
    Immunisations,
    Investigations,
    Observations,
    Pregnancy,
    Documents,
    Encounters,
    Referrals,
    Goals,
    SocialContext,
];

// GP Connect: the SNOMED CT code of a list, the word for it in the codes of lists within problems and consultations, and
// what it lists.
const SUBJECTS: [(&str, &str, &[Dataset]); 12] = [
    ("886921000000105", "allergies", &[Allergies]),
    ("1103671000000101", "ended-allergies", &[Allergies]),
    ("933361000000108", "medications", &[Medications]),
    ("717711000000103", "problems", &[Problems]),
    ("", "linked-problems", &[Problems]),
    ("1102181000000102", "immunisations", &[Immunisations]),
    ("887191000000108", "investigations", &[Investigations]),
    ("826501000000100", "uncategorised-data", &[Observations, Pregnancy, SocialContext]),
    ("", "documents", &[Documents]),
    ("1149501000000101", "consultations", &[Encounters]),
    ("792931000000107", "outbound-referrals", &[Referrals]),
    ("714311000000108", "diary-entries", &[Goals]),
];

// How the codes of lists within problems and consultations begin.
const WITHIN: [&str; 2] = ["problems-", "consultations-"];

/// What a list warns of: that something of these datasets is missing, and why.
pub(crate) fn warnings(view: &View<'_>) -> Vec<(Dataset, ReasonCode)> {
    let warned = extensions(view.resource.json(), "ListWarningCode").map(|one| match one.at("valueCode").text() {
        "confidential-items" => ReasonCode::ByOwner,
        "data-in-transit" => ReasonCode::TransferIncomplete,
        "data-awaiting-filing" => ReasonCode::NotYetFiled,
        // Whatever it warns of, not all can be read.
        _ => ReasonCode::Unreadable,
    });
    warned.flat_map(|reason| subjects(view).iter().map(move |dataset| (*dataset, reason))).collect()
}

// A list that is not known may be of anything.
fn subjects(view: &View<'_>) -> &'static [Dataset] {
    let named = concept(view.at("code"));
    let is_code = |known: &str| !known.is_empty() && named.codings.iter().any(|coding| coding.code == known);
    let begins =
        |code: &str, word: &str| WITHIN.iter().any(|of| code.strip_prefix(of).is_some_and(|it| it.starts_with(word)));
    let is_within = |word: &str| named.codings.iter().any(|coding| begins(&coding.code, word));
    let found = SUBJECTS.iter().find(|(code, word, _)| is_code(code) || is_within(word));
    match found {
        Some((_, _, datasets)) => datasets,
        None if is_of_allergies(view) => &[Allergies],
        None => SPOKEN_OF,
    }
}

fn is_of_allergies(view: &View<'_>) -> bool {
    let named = concept(view.at("code"));
    let codes = ["886921000000105", "48765-2", "allergies"];
    named.codings.iter().any(|coding| codes.contains(&coding.code.as_str()))
        || format!("{} {}", named.text, view.at("title").text()).to_lowercase().contains("allerg")
}

/// Only an empty list of allergies makes a statement of its own. An error names the dataset of which something is missing.
pub(crate) fn empty_list(view: &View<'_>) -> Result<Vec<Draft>, Dataset> {
    // Ended allergies may be nowhere but inside their list, without the bytes of their own that an entry needs.
    let inside = |kind: &str| view.at("contained").items().iter().any(|one| one.at("resourceType").text() == kind);
    if inside("AllergyIntolerance") {
        return Err(Allergies);
    }
    if !is_of_allergies(view) || view.at("emptyReason").is_null() || !view.at("entry").items().is_empty() {
        return Ok(Vec::new());
    }
    match code(view.at("emptyReason")) {
        "nilknown" => {}
        "no-content-recorded" => return Ok(Vec::new()),
        // Withheld, unavailable, not asked: there may be allergies, so that "nothing recorded" would be wrong.
        _ => return Err(Allergies),
    }
    let none = Concept { text: "No known allergies".to_owned(), codings: concept(view.at("emptyReason")).codings };
    let mut draft = Draft::of(view, Allergies, none, Detail::Allergy(AllergyDetail::default()));
    draft.assertion = Assertion::NoneKnown;
    // "current" is what a list says of itself while it holds.
    draft.status = match view.at("status").text() {
        "current" => EntryStatus::Active,
        "retired" => EntryStatus::Ended,
        other => status("List", other),
    };
    draft.recorded = view.at("date").text().to_owned();
    draft.author = view.display(view.at("source"));
    Ok(vec![draft])
}
