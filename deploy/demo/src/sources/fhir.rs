//! A folder of FHIR R4 bundles, one for each person, in the profiles' shape of UK Core.

use super::WriteError;
use crate::{
    codes::Code,
    facts::{Fact, Standing},
    organisations::Organisation,
    world::{Holding, Record},
};
use serde_json::{Value, json};
use severn_proto::v1::{Dataset, Sex};
use std::{fs, path::Path};

const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const VERIFIED: &str = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus";

/// Writes a bundle for each person.
pub fn write(holding: &Holding, folder: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(folder)?;
    for record in &holding.records {
        let mut entries = vec![entry(&patient(holding.organisation, record))];
        for fact in &record.facts {
            let no_place = || {
                let dataset = severn_trust::dataset_word(fact.dataset);
                WriteError::NoPlace { ods: holding.organisation.ods, dataset }
            };
            entries.push(entry(&resource(record, fact).ok_or_else(no_place)?));
        }
        let bundle = json!({ "resourceType": "Bundle", "type": "collection", "entry": entries });
        fs::write(folder.join(format!("{}.json", record.local_id)), format!("{bundle:#}\n"))?;
    }
    Ok(())
}

fn entry(resource: &Value) -> Value {
    json!({ "resource": resource })
}

fn patient(organisation: &Organisation, record: &Record) -> Value {
    let who = &record.identity;
    let mut identifiers = vec![json!({
        "system": format!("https://{}.severn.example/Id/patient", organisation.ods.to_ascii_lowercase()),
        "value": record.local_id,
    })];
    if !who.nhs_number.is_empty() {
        let verified = json!({
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
            "valueCodeableConcept": { "coding": [{ "system": VERIFIED, "code": "01" }] },
        });
        identifiers.push(json!({ "extension": [verified], "system": NHS_NUMBER, "value": who.nhs_number }));
    }
    let gender = match who.sex {
        Sex::Female => "female",
        Sex::Male => "male",
        Sex::Other => "other",
        Sex::Unknown | Sex::Unspecified => "unknown",
    };
    let telecom: Vec<Value> = Some(&who.phone)
        .filter(|phone| !phone.is_empty())
        .map(|phone| json!({ "system": "phone", "value": phone, "use": "mobile" }))
        .into_iter()
        .collect();
    let mut patient = json!({
        "resourceType": "Patient",
        "id": record.local_id,
        "identifier": identifiers,
        "name": [{ "use": "official", "family": who.family, "given": [who.given], "prefix": [who.title] }],
        "gender": gender,
        "birthDate": who.birth_date,
        "address": [{ "use": "home", "line": [who.lines[0]], "city": who.lines[1], "postalCode": who.postcode }],
        "generalPractitioner": [{ "identifier": { "system": ODS, "value": who.practice } }],
    });
    // FHIR knows no empty lists.
    if !telecom.is_empty() {
        patient["telecom"] = Value::Array(telecom);
    }
    patient
}

fn resource(record: &Record, fact: &Fact) -> Option<Value> {
    let mut resource = match fact.dataset {
        Dataset::Allergies => allergy(fact),
        Dataset::Medications => medicine(fact),
        Dataset::Problems => problem(fact),
        Dataset::Procedures => procedure(fact),
        Dataset::Observations => observation(fact),
        Dataset::Encounters => encounter(fact),
        Dataset::CarePlans => care_plan(fact),
        _ => return None,
    };
    let kind = resource["resourceType"].as_str().unwrap_or_default().to_ascii_lowercase();
    resource["id"] = json!(format!("{kind}-{}", fact.id));
    let person = match fact.dataset {
        Dataset::Allergies => "patient",
        _ => "subject",
    };
    resource[person] = json!({ "reference": format!("Patient/{}", record.local_id) });
    if let Some(origin) = &fact.origin {
        let assigner = json!({ "identifier": { "system": ODS, "value": origin.organisation_ods } });
        let identifier = json!({ "system": origin.system, "value": origin.value, "assigner": assigner });
        resource["identifier"] = json!([identifier]);
    }
    Some(resource)
}

fn concept(code: Option<Code>, text: &str) -> Value {
    match code {
        Some(code) => {
            json!({ "coding": [{ "system": code.system, "code": code.code, "display": code.term }], "text": text })
        }
        None => json!({ "text": text }),
    }
}

fn status_concept(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code }] })
}

fn author(fact: &Fact) -> Value {
    json!({ "display": fact.author.0 })
}

fn allergy(fact: &Fact) -> Value {
    let mut resource = json!({
        "resourceType": "AllergyIntolerance",
        "code": concept(fact.code, &fact.text),
        "recordedDate": fact.start,
        "asserter": author(fact),
    });
    let verification = if fact.standing == Standing::EnteredInError { "entered-in-error" } else { "confirmed" };
    resource["verificationStatus"] = status_concept("allergyintolerance-verification", verification);
    if fact.standing != Standing::EnteredInError {
        let status = if fact.standing == Standing::Ended { "resolved" } else { "active" };
        resource["clinicalStatus"] = status_concept("allergyintolerance-clinical", status);
    }
    if !fact.detail("reaction").is_empty() {
        let mut reaction = json!({ "manifestation": [{ "text": fact.detail("reaction") }] });
        if !fact.detail("severity").is_empty() {
            reaction["severity"] = json!(fact.detail("severity"));
        }
        resource["reaction"] = json!([reaction]);
    }
    if !fact.detail("criticality").is_empty() {
        resource["criticality"] = json!(fact.detail("criticality"));
    }
    resource
}

fn medicine(fact: &Fact) -> Value {
    let status = match fact.standing {
        Standing::Ended => "completed",
        Standing::EnteredInError => "entered-in-error",
        _ => "active",
    };
    let mut dosage = json!({
        "text": fact.detail("dosage_instructions"),
        "route": { "text": fact.detail("route") },
    });
    if let Some((value, unit)) = fact.detail("dose_text").split_once(' ') {
        // The number goes out with its own digits, never through a floating-point number.
        let number: Option<serde_json::Number> = serde_json::from_str(value).ok();
        dosage["doseAndRate"] = json!([{ "doseQuantity": { "value": number, "unit": unit } }]);
    }
    json!({
        "resourceType": "MedicationRequest",
        "status": status,
        "intent": "order",
        "medicationCodeableConcept": concept(fact.code, &fact.text),
        "authoredOn": fact.start,
        "requester": author(fact),
        "dosageInstruction": [dosage],
    })
}

fn problem(fact: &Fact) -> Value {
    let mut resource = json!({
        "resourceType": "Condition",
        "category": [{ "text": "Diagnosis" }],
        "code": concept(fact.code, &fact.text),
        "onsetDateTime": fact.start,
        "asserter": author(fact),
    });
    if fact.standing == Standing::EnteredInError {
        resource["verificationStatus"] = status_concept("condition-ver-status", "entered-in-error");
    } else {
        let status = if fact.standing == Standing::Ended { "resolved" } else { "active" };
        resource["clinicalStatus"] = status_concept("condition-clinical", status);
        resource["verificationStatus"] = status_concept("condition-ver-status", "confirmed");
    }
    resource
}

fn procedure(fact: &Fact) -> Value {
    json!({
        "resourceType": "Procedure",
        "status": "completed",
        "code": concept(fact.code, &fact.text),
        "performedDateTime": fact.start,
        "performer": [{ "actor": author(fact) }],
    })
}

fn observation(fact: &Fact) -> Value {
    let value: Option<serde_json::Number> = serde_json::from_str(fact.detail("value")).ok();
    json!({
        "resourceType": "Observation",
        "status": "final",
        "category": [status_concept("observation-category", "vital-signs")],
        "code": concept(fact.code, &fact.text),
        "effectiveDateTime": fact.start,
        "performer": [author(fact)],
        "valueQuantity": { "value": value, "unit": fact.detail("unit") },
    })
}

fn encounter(fact: &Fact) -> Value {
    let (status, class) = match fact.text.as_str() {
        text if text.starts_with("Admission") => ("finished", "IMP"),
        text if text.starts_with("Emergency") => ("finished", "EMER"),
        text if text.starts_with("Home visit") => ("finished", "HH"),
        _ => ("finished", "AMB"),
    };
    let end = if fact.end.is_empty() { &fact.start } else { &fact.end };
    json!({
        "resourceType": "Encounter",
        "status": status,
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": class },
        "type": [{ "text": fact.text }],
        "period": { "start": fact.start, "end": end },
        "participant": [{ "individual": author(fact) }],
    })
}

fn care_plan(fact: &Fact) -> Value {
    json!({
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "title": fact.text,
        "created": fact.start,
        "author": author(fact),
    })
}
