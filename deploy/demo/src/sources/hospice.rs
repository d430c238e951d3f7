//! A hospice's extracts: who is on its register, their wishes, their plans.

use super::{
    WriteError, ambulance, place_facts,
    table::{Table, put},
};
use crate::{
    facts::Fact,
    world::{Holding, Record},
};
use severn_proto::v1::Dataset;

/// The extracts of a hospice.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = vec![
        Table::new(
            "patients",
            "patient_ref, nhs_number, surname, forename, date_of_birth, sex, address, postcode, phone, \
             gp_practice",
        ),
        Table::new("wishes", "wish_id, patient_ref, kind, summary, decision, recorded, clinician"),
        Table::new("plans", "plan_id, patient_ref, title, created, clinician"),
    ];
    for record in &holding.records {
        put(&mut tables, "patients", &ambulance::patient(record).each_ref().map(String::as_str));
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let (id, patient, author) = (fact.id.as_str(), record.local_id.as_str(), fact.author.0);
    let (text, start) = (fact.text.as_str(), fact.start.as_str());
    match fact.dataset {
        Dataset::EndOfLife => {
            let row = [id, patient, fact.detail("kind"), text, fact.detail("decision"), start, author];
            put(tables, "wishes", &row)
        }
        Dataset::CarePlans => put(tables, "plans", &[id, patient, text, start, author]),
        _ => false,
    }
}
