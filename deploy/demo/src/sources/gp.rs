//! A GP system, in the shape of the GP Connect demonstrator's tables, with tables of the same style for problems,
//! immunisations and observations, which the demonstrator keeps elsewhere.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::{Fact, Standing},
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The tables of a practice.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = empty();
    let organisation = holding.organisation;
    put(&mut tables, "organizations", &["1", organisation.ods, organisation.name]);
    for record in &holding.records {
        patient(&mut tables, record);
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

fn empty() -> Vec<Table> {
    vec![
        Table::new("organizations", "id INTEGER, org_code, org_name"),
        Table::new(
            "patients",
            "id INTEGER, title, first_name, last_name, address_1, address_2, postcode, phone, date_of_birth, \
             gender, nhs_number, registration_status, sensitive_flag INTEGER, deceased, managing_organization \
             INTEGER",
        ),
        Table::new("patient_telecoms", "id INTEGER, patientId INTEGER, system, usetype, value"),
        Table::new(
            "allergyintolerance",
            "id INTEGER, patientRef INTEGER, nhsNumber, clinicalStatus, verificationStatus, category, \
             assertedDate, endDate, concept_code, concept_display, manDisplay, severity, note, recorder",
        ),
        Table::new("medications", "id INTEGER, concept_code, concept_display, text"),
        Table::new(
            "medication_requests",
            "id INTEGER, patientId INTEGER, medicationId INTEGER, groupIdentifier, statusCode, intentCode, \
             authoredOn, dosageText, doseText, route, dispenseRequestEndDate, prescriptionTypeDisplay, \
             requesterId, dispenseRequestOrganizationId",
        ),
        Table::new(
            "conditions",
            "id INTEGER, patientId INTEGER, concept_code, concept_display, clinicalStatus, onsetDateTime, \
             abatementDateTime, recorder",
        ),
        Table::new(
            "immunizations",
            "id INTEGER, patientId INTEGER, concept_code, concept_display, status, date, recorder",
        ),
        Table::new(
            "observations",
            "id INTEGER, patientId INTEGER, concept_code, concept_display, valueText, unit, effectiveDateTime, \
             recorder",
        ),
    ]
}

fn patient(tables: &mut [Table], record: &Record) {
    let who = &record.identity;
    put(
        tables,
        "patients",
        &[
            &record.local_id,
            who.title,
            &who.given,
            &who.family,
            &who.lines[0],
            &who.lines[1],
            &who.postcode,
            &who.phone,
            &who.birth_date,
            gender(who.sex),
            &who.nhs_number,
            "A",
            "0",
            "",
            "1",
        ],
    );
    if !who.phone.is_empty() {
        put(tables, "patient_telecoms", &[&record.local_id, &record.local_id, "phone", "mobile", &who.phone]);
    }
}

fn gender(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "Female",
        Sex::Male => "Male",
        Sex::Other => "Other",
        Sex::Unknown | Sex::Unspecified => "Unknown",
    }
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let (code, term) = fact.code.map_or(("", fact.text.as_str()), |code| (code.code, code.term));
    let patient = record.local_id.as_str();
    let author = fact.author.0;
    match fact.dataset {
        Dataset::Allergies => put(
            tables,
            "allergyintolerance",
            &[
                &fact.id,
                patient,
                &record.identity.nhs_number,
                clinical_status(fact),
                "unconfirmed",
                "MEDICATION",
                &fact.start,
                &fact.end,
                code,
                term,
                fact.detail("reaction"),
                fact.detail("severity"),
                "",
                author,
            ],
        ),
        Dataset::Medications => medicine(tables, patient, fact),
        Dataset::Problems => put(
            tables,
            "conditions",
            &[&fact.id, patient, code, term, clinical_status(fact), &fact.start, &fact.end, author],
        ),
        Dataset::Immunisations => {
            put(tables, "immunizations", &[&fact.id, patient, code, term, "completed", &fact.start, author])
        }
        Dataset::Observations => {
            let (value, unit) = (fact.detail("value"), fact.detail("unit"));
            put(tables, "observations", &[&fact.id, patient, code, term, value, unit, &fact.start, author])
        }
        _ => false,
    }
}

fn medicine(tables: &mut [Table], patient: &str, fact: &Fact) -> bool {
    let Some(code) = fact.code else { return false };
    put(tables, "medications", &[&fact.id, code.code, code.term, &fact.text]);
    let (prescription, by) = fact.origin.as_ref().map_or(("", ""), |o| (o.value.as_str(), o.organisation_ods));
    let status = match fact.standing {
        Standing::Ended => "completed",
        Standing::EnteredInError => "entered-in-error",
        _ => "active",
    };
    put(
        tables,
        "medication_requests",
        &[
            &fact.id,
            patient,
            &fact.id,
            prescription,
            status,
            "order",
            &fact.start,
            fact.detail("dosage_instructions"),
            fact.detail("dose_text"),
            fact.detail("route"),
            &fact.end,
            fact.detail("course"),
            fact.author.0,
            by,
        ],
    )
}

fn clinical_status(fact: &Fact) -> &'static str {
    match fact.standing {
        Standing::Active | Standing::NoneKnown | Standing::Planned => "active",
        Standing::Ended => "resolved",
        Standing::EnteredInError => "entered-in-error",
    }
}
