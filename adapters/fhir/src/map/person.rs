//! Who a person is and whom they know: Patient as a registration and as entries, RelatedPerson.

use super::{
    MapContext,
    bundle::{Pool, Resource, kind_of_reference},
    draft::{Draft, Original, ods_code, ods_of_organisation},
    json::Json,
    parts::{
        Concept, View, address_line, address_lines, code, concepts, current, extension, first_of, human_name, is_past,
        joined, period, telecom,
    },
};
use severn_proto::v1::{
    Address, Coding, ContactDetail, Dataset, Demographics, DemographicsDetail, EntryStatus, GpPracticeDetail,
    HumanName, LocalId, Registration, Sex, Telecom, entry_body::Detail, human_name::Use, telecom::System,
};
use severn_trust::NhsNumber;

const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// The code system of ODS codes, by which a practice is known as the same from every source.
const ODS_CODES: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// The local id of a Patient: its id, or its one identifier in `identifier_system` where that is set. `None` where it
/// has none, or several that differ.
pub fn local_id(patient: &Resource, identifier_system: Option<&str>) -> Option<String> {
    let Some(system) = identifier_system else {
        return Some(patient.id().to_owned()).filter(|id| !id.is_empty());
    };
    one_identifier(patient.json(), system)
}

/// A Patient as a registration. Of a person marked as restricted, the whereabouts stay here.
pub fn registration(patient: &Resource, pool: &Pool, local_id: &str, context: &MapContext) -> Registration {
    let mut demographics = demographics(&View { resource: patient, pool });
    let security = patient.json().at("meta").at("security").items();
    if security.iter().any(|label| !matches!(label.at("code").text(), "U" | "L" | "M" | "N")) {
        demographics.addresses.clear();
        demographics.telecoms.clear();
        demographics.gp_practice_ods.clear();
    }
    Registration {
        source_id: context.source.source_id.clone(),
        local_id: Some(LocalId {
            assigning_authority: context.assigning_authority.clone(),
            value: local_id.to_owned(),
        }),
        demographics: Some(demographics),
        ..Registration::default()
    }
}

/// Patient: demographics, the GP practice, and the personal contacts. Each has only its own part of the resource, since
/// each is shared under a rule of its own.
pub(crate) fn patient(view: &View<'_>) -> Vec<Draft> {
    let demographics = demographics(view);
    let name = human_name(current(view.at("name")));
    let named = Concept { text: first_of([name, "Demographics".to_owned()]), codings: Vec::new() };
    let detail = Detail::Demographics(DemographicsDetail { demographics: Some(demographics) });
    let mut drafts = vec![of_patient(view, Dataset::Demographics, named, detail)];
    drafts.extend(gp_practice(view));
    for (at, json) in view.at("contact").items().iter().enumerate() {
        let mut draft = contact(view, json, Original::Omitted);
        draft.part = format!("#contact-{at}");
        draft.when = period(json.at("period"));
        draft.status = EntryStatus::Active;
        drafts.push(draft);
    }
    drafts
}

fn of_patient(view: &View<'_>, dataset: Dataset, named: Concept, detail: Detail) -> Draft {
    let mut draft = Draft::of(view, dataset, named, detail);
    let inactive = view.at("active").text() == "false";
    draft.status = if inactive { EntryStatus::Ended } else { EntryStatus::Active };
    draft.status_verbatim = view.at("active").text().to_owned();
    draft.original = Original::Omitted;
    draft
}

fn gp_practice(view: &View<'_>) -> Option<Draft> {
    let mut detail = GpPracticeDetail::default();
    for reference in view.at("generalPractitioner").items().iter().chain(keeping_practice(view)) {
        let target = view.target(reference);
        let kind = first_of([
            reference.at("type").text().to_owned(),
            target.at("resourceType").text().to_owned(),
            kind_of_reference(reference.at("reference").text()).to_owned(),
        ]);
        if kind.starts_with("Practitioner") {
            detail.usual_gp = first_of([detail.usual_gp, view.display(reference)]);
            continue;
        }
        detail.practice_ods =
            first_of([detail.practice_ods, ods_code(reference.at("identifier")), ods_of_organisation(target)]);
        detail.practice_name = first_of([detail.practice_name, view.display(reference)]);
        detail.phone = first_of([detail.phone, telecom(target.at("telecom"), "phone")]);
    }
    let text = first_of([detail.practice_name.clone(), detail.practice_ods.clone(), detail.usual_gp.clone()]);
    if text.is_empty() && view.at("generalPractitioner").items().is_empty() {
        return None;
    }
    // Where it refers to a practice that is not here, a draft without a text is counted as unreadable.
    let coded = (!detail.practice_ods.is_empty()).then(|| Coding {
        system: ODS_CODES.into(),
        code: detail.practice_ods.clone(),
        display: detail.practice_name.clone(),
    });
    let named = Concept { text, codings: coded.into_iter().collect() };
    let mut draft = of_patient(view, Dataset::GpPractice, named, Detail::GpPractice(detail));
    draft.part = "#gp-practice".to_owned();
    Some(draft)
}

// GP Connect names the usual doctor as the general practitioner; the practice is whoever keeps the Patient, unless the
// registration is a temporary one.
fn keeping_practice<'a>(view: &View<'a>) -> &'a [Json] {
    let profiles = view.at("meta").at("profile").items();
    let is_gp_connect = profiles.iter().any(|profile| profile.text().contains("CareConnect-GPC-Patient"));
    let registration = extension(view.resource.json(), "RegistrationDetails");
    let kind = code(extension(registration, "registrationType").at("valueCodeableConcept"));
    if is_gp_connect && matches!(kind, "" | "R") { view.at("managingOrganization").items() } else { &[] }
}

/// RelatedPerson.
pub(crate) fn related_person(view: &View<'_>) -> Vec<Draft> {
    let mut draft = contact(view, view.resource.json(), Original::Whole);
    draft.status_verbatim = view.at("active").text().to_owned();
    draft.status = if draft.status_verbatim == "false" { EntryStatus::Ended } else { EntryStatus::Active };
    draft.when = period(view.at("period"));
    vec![draft]
}

fn contact(view: &View<'_>, json: &Json, original: Original) -> Draft {
    let relationships = json.at("relationship").items();
    let has_code = |wanted: &str| {
        relationships
            .iter()
            .any(|r| r.at("coding").items().iter().any(|c| c.at("code").text() == wanted) || code(r) == wanted)
    };
    let relationship = concepts(json.at("relationship"));
    let in_words = relationship.to_lowercase();
    let detail = ContactDetail {
        name: first_of([human_name(current(json.at("name"))), view.display(json.at("organization"))]),
        phone: telecom(json.at("telecom"), "phone"),
        email: telecom(json.at("telecom"), "email"),
        address: address_line(json.at("address")),
        emergency_contact: has_code("C") || in_words.contains("emergency"),
        next_of_kin: has_code("N") || in_words.contains("next of kin") || in_words.contains("next-of-kin"),
        parental_responsibility: extension(json, "ParentalResponsibility").at("valueString").text().to_owned(),
        relationship: relationship.clone(),
    };
    let told_apart = vec![("name", detail.name.clone()), ("phone", detail.phone.clone())];
    let named =
        Concept { text: first_of([detail.name.clone(), relationship, detail.phone.clone()]), codings: Vec::new() };
    let mut draft = Draft::of(view, Dataset::Contacts, named, Detail::Contact(detail));
    draft.distinguishing = told_apart;
    draft.original = original;
    draft
}

fn demographics(view: &View<'_>) -> Demographics {
    let json = view.resource.json();
    let nhs_number =
        one_identifier(json, NHS_NUMBER).and_then(|text| NhsNumber::parse(&text).ok()).map(NhsNumber::digits);
    let died = json.at("deceasedDateTime").text().to_owned();
    let practice = gp_practice(view).and_then(|draft| match draft.detail {
        Some(Detail::GpPractice(detail)) => Some(detail.practice_ods),
        _ => None,
    });
    Demographics {
        nhs_number_verified: nhs_number.is_some() && is_traced(json),
        nhs_number: nhs_number.unwrap_or_default(),
        names: current_first(json.at("name"), name),
        birth_date: json.at("birthDate").text().to_owned(),
        sex: sex(json.at("gender").text()) as i32,
        addresses: current_first(json.at("address"), address),
        telecoms: json
            .at("telecom")
            .items()
            .iter()
            .filter(|one| one.at("use").text() != "old")
            .filter_map(telecom_of)
            .collect(),
        deceased: !died.is_empty() || json.at("deceasedBoolean").is_true(),
        death_date: died,
        gp_practice_ods: practice.unwrap_or_default(),
        preferred_name: preferred_name(json),
        restricted: is_restricted(json),
        ..Demographics::default()
    }
}

/// Whether a label says so: HL7's confidentiality codes R and V, or PDS's own REDACTED.
fn is_restricted(json: &Json) -> bool {
    let labels = json.at("meta").at("security").items().iter();
    labels.map(|label| label.at("code").text()).any(|code| matches!(code, "R" | "V" | "REDACTED"))
}

// Two current identifiers of one kind that differ name nobody.
fn one_identifier(json: &Json, system: &str) -> Option<String> {
    let of_system = json.at("identifier").items().iter().filter(|one| one.at("system").text() == system);
    let mut values = of_system.filter(|one| !is_past(one)).map(|one| one.at("value").text()).filter(|v| !v.is_empty());
    let first = values.next()?;
    values.all(|other| other == first).then(|| first.to_owned())
}

// "01": number present and verified (UK Core NHS number verification status).
fn is_traced(json: &Json) -> bool {
    let numbers =
        json.at("identifier").items().iter().filter(|one| one.at("system").text() == NHS_NUMBER && !is_past(one));
    let status = |one: &Json| {
        let found = extension(one, "NHSNumberVerificationStatus");
        code(found.at("valueCodeableConcept")).to_owned()
    };
    numbers.map(status).any(|code| matches!(code.as_str(), "01" | "number-present-and-verified"))
}

fn current_first<T>(json: &Json, read: fn(&Json) -> T) -> Vec<T> {
    let mut ordered: Vec<&Json> = json.items().iter().collect();
    ordered.sort_by_key(|one| (is_past(one), one.at("use").text() == "temp"));
    ordered.into_iter().map(read).collect()
}

fn name(json: &Json) -> HumanName {
    let used_as = match json.at("use").text() {
        _ if is_past(json) => Use::Old,
        "usual" => Use::Usual,
        "official" => Use::Official,
        "nickname" | "anonymous" => Use::Alias,
        _ => Use::Unspecified,
    };
    HumanName {
        r#use: used_as as i32,
        family: json.at("family").text().to_owned(),
        given: json.at("given").items().iter().map(|given| given.text().to_owned()).collect(),
        prefix: joined(json.at("prefix").items().iter().map(|prefix| prefix.text().to_owned()), " "),
        text: json.at("text").text().to_owned(),
    }
}

fn address(json: &Json) -> Address {
    let mut lines = address_lines(json);
    if lines.is_empty() && !json.at("text").text().is_empty() {
        lines.push(json.at("text").text().to_owned());
    }
    let held = period(json.at("period"));
    Address { lines, postcode: json.at("postalCode").text().to_owned(), from: held.start, until: held.end }
}

fn telecom_of(json: &Json) -> Option<Telecom> {
    let system = match json.at("system").text() {
        "phone" | "sms" => System::Phone,
        "email" => System::Email,
        _ => return None,
    };
    let value = Some(json.at("value").text()).filter(|value| !value.is_empty())?;
    Some(Telecom { system: system as i32, value: value.to_owned(), r#use: json.at("use").text().to_owned() })
}

fn sex(gender: &str) -> Sex {
    match gender {
        "female" => Sex::Female,
        "male" => Sex::Male,
        "other" => Sex::Other,
        "unknown" => Sex::Unknown,
        _ => Sex::Unspecified,
    }
}

fn preferred_name(json: &Json) -> String {
    let names = json.at("name").items();
    let preferred =
        ["nickname", "usual"].iter().find_map(|wanted| names.iter().find(|n| n.at("use").text() == *wanted));
    preferred
        .map(|found| {
            first_of([
                found.at("text").text().to_owned(),
                joined(found.at("given").items().iter().map(|g| g.text().to_owned()), " "),
            ])
        })
        .unwrap_or_default()
}
