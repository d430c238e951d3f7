//! From one FHIR R4 / UK Core resource to entries and registrations. Lenient: every resource is read alone, into no
//! model of the whole, so that one bad value costs one item; what cannot be read is counted, never dropped unseen.
//! No connection, no file and no clock is known here.

pub mod bundle;
pub mod json;

mod absence;
mod activity;
mod clinical;
mod document;
mod draft;
mod labels;
mod lists;
mod medicine;
mod parts;
mod person;
mod plans;
mod results;
mod status;

pub use bundle::{Broken, Bundle, Pool, Resource, read_bundle};
pub use document::document_here;
pub(crate) use document::{binary, or_octets, title_of};
pub use person::{local_id, registration};
pub(crate) use results::attachment;

use draft::Draft;
use json::Json;
use parts::View;
use severn_adapter_sdk::mapping::SourceContext;
use severn_proto::v1::{
    Dataset::{self, *},
    Entry, ReasonCode,
};

/// What the mapping says of every entry.
#[derive(Clone, Debug)]
pub struct MapContext {
    /// Who the source is.
    pub source: SourceContext,
    /// Who assigns the local ids: a URI or the source's id.
    pub assigning_authority: String,
    /// When the resources were read: milliseconds since 1970-01-01T00:00:00Z.
    pub retrieved_at_ms: i64,
}

/// What became of one resource.
#[derive(Debug, Default)]
pub struct Mapped {
    /// The entries, each with its dataset.
    pub entries: Vec<(Dataset, Entry)>,
    /// The datasets in which an item of this resource is missing, once for each item.
    pub unreadable: Vec<Dataset>,
    /// The datasets of which the source itself says that something is missing, and why.
    pub partial: Vec<(Dataset, ReasonCode)>,
}

// The types that are mapped, each with the datasets that its entries may belong to.
const KINDS: [(&str, &[Dataset]); 30] = [
    ("AllergyIntolerance", &[Allergies]),
    ("List", &[Allergies]),
    ("Flag", &[Alerts, Safeguarding]),
    ("RiskAssessment", &[Risks]),
    ("CarePlan", &[CrisisPlans, EndOfLife, CarePlans]),
    ("Consent", &[LegalStatus, EndOfLife]),
    ("MedicationStatement", &[Medications]),
    ("MedicationRequest", &[Medications]),
    ("Condition", &[Problems]),
    ("Procedure", &[Procedures]),
    ("Immunization", &[Immunisations]),
    ("Observation", &[Investigations, Observations, Pregnancy, SocialContext]),
    ("DiagnosticReport", &[Investigations]),
    ("FamilyMemberHistory", &[FamilyHistory]),
    ("DocumentReference", &[Documents]),
    ("Encounter", &[Encounters]),
    ("Appointment", &[Appointments]),
    ("ServiceRequest", &[Investigations, Referrals]),
    ("ReferralRequest", &[Referrals]),
    ("ProcedureRequest", &[Investigations, Goals]),
    ("Patient", &[Demographics, GpPractice, Contacts]),
    ("RelatedPerson", &[Contacts]),
    ("CareTeam", &[CareTeam]),
    ("Goal", &[Goals]),
    ("EpisodeOfCare", &[Services]),
    ("QuestionnaireResponse", &[Assessments]),
    ("ClinicalImpression", &[Assessments]),
    ("Device", &[Equipment]),
    ("DeviceUseStatement", &[Equipment]),
    ("ResearchSubject", &[Research]),
];

/// The datasets that entries of a resource type may belong to; none for a type that is not mapped.
pub fn datasets_of(kind: &str) -> &'static [Dataset] {
    KINDS.iter().find(|(known, _)| *known == kind).map_or(&[], |(_, datasets)| datasets)
}

/// The resource types to read for a dataset; none for a dataset that FHIR has no place for.
pub fn kinds_of(dataset: Dataset) -> impl Iterator<Item = &'static str> {
    homes_of(dataset).chain(lists::SPOKEN_OF.contains(&dataset).then_some("List"))
}

/// Of them those that hold what is recorded: a list only speaks of it.
pub fn homes_of(dataset: Dataset) -> impl Iterator<Item = &'static str> {
    let holds = move |(kind, datasets): &&(&str, &[Dataset])| *kind != "List" && datasets.contains(&dataset);
    KINDS.iter().filter(holds).map(|(kind, _)| *kind)
}

/// The datasets that can come from FHIR at all, in the order of `severn_trust::ALL_DATASETS`.
pub fn mapped_datasets() -> Vec<Dataset> {
    severn_trust::ALL_DATASETS.into_iter().filter(|dataset| kinds_of(*dataset).next().is_some()).collect()
}

/// Maps one resource. `pool` holds those that it may refer to.
pub fn map_resource(resource: &Resource, pool: &Pool, context: &MapContext) -> Mapped {
    let view = View { resource, pool };
    let mut mapped = Mapped::default();
    if resource.kind() == "List" {
        mapped.partial = lists::warnings(&view);
    }
    let drafts = match drafts(&view) {
        Ok(drafts) => drafts,
        Err(missing) => {
            mapped.unreadable.push(missing);
            return mapped;
        }
    };
    for draft in drafts {
        let dataset = draft.dataset;
        match draft::entry(&view, draft, context) {
            Some(entry) => mapped.entries.push((dataset, entry)),
            None => mapped.unreadable.push(dataset),
        }
    }
    mapped
}

fn drafts(view: &View<'_>) -> Result<Vec<Draft>, Dataset> {
    Ok(match view.resource.kind() {
        "AllergyIntolerance" => clinical::allergy(view),
        "List" => lists::empty_list(view)?,
        "Flag" => plans::flag(view),
        "RiskAssessment" => results::risk(view),
        "CarePlan" => plans::care_plan(view),
        "Consent" => plans::consent(view),
        "MedicationStatement" | "MedicationRequest" => medicine::medication(view),
        "Condition" => clinical::problem(view),
        "Procedure" => clinical::procedure(view),
        "Immunization" => clinical::immunisation(view),
        "Observation" => results::observation(view),
        "DiagnosticReport" => results::report(view),
        "FamilyMemberHistory" => clinical::family_history(view),
        "DocumentReference" => results::documents(view),
        "Encounter" => activity::encounter(view),
        "Appointment" => activity::appointment(view),
        "ServiceRequest" | "ReferralRequest" | "ProcedureRequest" => activity::request(view),
        "Patient" => person::patient(view),
        "RelatedPerson" => person::related_person(view),
        "CareTeam" => plans::care_team(view),
        "Goal" => plans::goal(view),
        "EpisodeOfCare" => plans::episode(view),
        "QuestionnaireResponse" => results::questionnaire(view),
        "ClinicalImpression" => results::impression(view),
        "Device" => plans::device(view),
        "DeviceUseStatement" => plans::device_use(view),
        "ResearchSubject" => plans::research(view),
        _ => Vec::new(),
    })
}

/// The references of a resource to the persons it is about, as written. None where it says of nobody that it is about
/// them; several where it is about several.
pub fn subjects(resource: &Resource) -> Vec<String> {
    if resource.kind() == "Patient" {
        return vec![resource.reference()];
    }
    let json = resource.json();
    let is_appointment = resource.kind() == "Appointment";
    let named: Vec<&Json> = if is_appointment {
        json.at("participant").items().iter().map(|participant| participant.at("actor")).collect()
    } else {
        ["subject", "patient", "individual"].into_iter().map(|key| json.at(key)).collect()
    };
    let mut found: Vec<String> = Vec::new();
    for reference in named {
        let target = bundle::unversioned(reference.at("reference").text());
        // Whom a URN names only its bundle knows; of an appointment it may as well be the place.
        let is_person =
            bundle::kind_of_reference(target) == "Patient" || (target.starts_with("urn:") && !is_appointment);
        let is_typed_person = target.starts_with("urn:") && reference.at("type").text() == "Patient";
        if (is_person || is_typed_person) && !found.iter().any(|known| known == target) {
            found.push(target.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests;
