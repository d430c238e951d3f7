//! An ambulance service's extracts: who was attended, and the incidents.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::Fact,
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The extracts of an ambulance service.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = vec![
        Table::new(
            "patients",
            "patient_ref, nhs_number, surname, forename, date_of_birth, sex, address, postcode, phone, \
             gp_practice",
        ),
        Table::new("incidents", "incident_no, patient_ref, chief_complaint, incident_date, disposal, clinician"),
    ];
    for record in &holding.records {
        put(&mut tables, "patients", &patient(record).each_ref().map(String::as_str));
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

/// The columns that both extracts of people have: reference, NHS number, names, birth date, sex, address, postcode,
/// telephone, practice.
pub(super) fn patient(record: &Record) -> [String; 10] {
    let who = &record.identity;
    let sex = match who.sex {
        Sex::Female => "female",
        Sex::Male => "male",
        _ => "unknown",
    };
    [
        record.local_id.clone(),
        who.nhs_number.clone(),
        who.family.clone(),
        who.given.clone(),
        who.birth_date.clone(),
        sex.to_owned(),
        who.lines.join(", "),
        who.postcode.clone(),
        who.phone.clone(),
        who.practice.to_owned(),
    ]
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let number = format!("WM26-{:07}", fact.id.parse::<u32>().unwrap_or(0));
    let row = [&number, &record.local_id, &fact.text, &fact.start, fact.detail("outcome"), fact.author.0];
    fact.dataset == Dataset::Encounters && put(tables, "incidents", &row)
}
