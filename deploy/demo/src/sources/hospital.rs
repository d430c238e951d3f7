//! A hospital's patient administration and pharmacy tables: not of any one product, but of their common shape.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::{Fact, Standing},
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The tables of a hospital trust.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = empty();
    for record in &holding.records {
        patient(&mut tables, record);
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

fn empty() -> Vec<Table> {
    vec![
        Table::new(
            "pas_patients",
            "hospital_no, nhs_no, nhs_no_traced, surname, forename, title, dob, sex_code, addr1, addr2, postcode, \
             mobile, gp_code",
        ),
        Table::new("pas_episodes", "episode_id INTEGER, hospital_no, episode_type, start_date, end_date, consultant"),
        Table::new("diagnoses", "diagnosis_id INTEGER, hospital_no, snomed, description, recorded, status, consultant"),
        Table::new("operations", "operation_id INTEGER, hospital_no, snomed, description, performed, consultant"),
        Table::new(
            "pharmacy_orders",
            "order_id INTEGER, hospital_no, dmd, drug, dose, route, instructions, ordered, stopped, status, \
             prescriber",
        ),
        Table::new(
            "allergies",
            "allergy_id INTEGER, hospital_no, snomed, description, reaction, severity, recorded, status, recorder",
        ),
    ]
}

fn patient(tables: &mut [Table], record: &Record) {
    let who = &record.identity;
    let traced = if who.nhs_number.is_empty() { "N" } else { "Y" };
    // The NHS Data Dictionary's person stated gender codes.
    let sex = match who.sex {
        Sex::Male => "1",
        Sex::Female => "2",
        _ => "9",
    };
    put(
        tables,
        "pas_patients",
        &[
            &record.local_id,
            &who.nhs_number,
            traced,
            &who.family,
            &who.given,
            who.title,
            &who.birth_date,
            sex,
            &who.lines[0],
            &who.lines[1],
            &who.postcode,
            &who.phone,
            who.practice,
        ],
    );
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let (code, term) = fact.code.map_or(("", fact.text.as_str()), |code| (code.code, code.term));
    let (id, patient, author) = (fact.id.as_str(), record.local_id.as_str(), fact.author.0);
    let status = match fact.standing {
        Standing::EnteredInError => "error",
        Standing::Ended => "closed",
        _ => "current",
    };
    let (table, row): (_, Vec<&str>) = match fact.dataset {
        Dataset::Encounters => ("pas_episodes", vec![id, patient, &fact.text, &fact.start, &fact.end, author]),
        Dataset::Problems => ("diagnoses", vec![id, patient, code, term, &fact.start, status, author]),
        Dataset::Procedures => ("operations", vec![id, patient, code, term, &fact.start, author]),
        Dataset::Medications => {
            let (dose, route) = (fact.detail("dose_text"), fact.detail("route"));
            let how = fact.detail("dosage_instructions");
            let row = vec![id, patient, code, term, dose, route, how, &fact.start, &fact.end, status, author];
            ("pharmacy_orders", row)
        }
        Dataset::Allergies => {
            let (reaction, severity) = (fact.detail("reaction"), fact.detail("severity"));
            ("allergies", vec![id, patient, code, term, reaction, severity, &fact.start, status, author])
        }
        _ => return false,
    };
    put(tables, table, &row)
}
