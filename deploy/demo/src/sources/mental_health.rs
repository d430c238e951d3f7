//! A mental-health trust's record, in the shape of the Mental Health Services Data Set (version 6), with the plan's and
//! the risk assessment's own words beside the set's codes.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::{Fact, Standing},
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The tables of a mental-health trust.
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
            "MHS001MPI",
            "LocalPatientId, NHSNumber, NHSNumberStatus, FamilyName, GivenName, PersonBirthDate, GenderIDCode, \
             AddressLine, Postcode, Telephone",
        ),
        Table::new("MHS002GP", "LocalPatientId, GMPReg"),
        Table::new(
            "MHS006MHCareCoord",
            "CareCoordId INTEGER, LocalPatientId, Description, StartDateAssCareCoord, CareCoordName, \
             CareCoordRole, Telephone",
        ),
        Table::new(
            "MHS008CarePlanType",
            "CarePlanID INTEGER, LocalPatientId, CarePlanTypeMH, Title, CarePlanCreatDate, CarePlanReviewDate, \
             WarningSigns, WhatHelps, WhatToAvoid, Contacts, Agreed, Author",
        ),
        Table::new(
            "MHS201CareContact",
            "CareContactId INTEGER, LocalPatientId, Description, CareContDate, Professional",
        ),
        Table::new(
            "MHS604PrimDiag",
            "DiagId INTEGER, LocalPatientId, PrimDiag, DiagTerm, CodedDiagTimestamp, Status, Consultant",
        ),
        Table::new("RiskAssessment", "RiskId INTEGER, LocalPatientId, Summary, Level, AssessedDate, Assessor"),
        Table::new("CareActAssessment", "AssessmentId INTEGER, LocalPatientId, Kind, AssessedDate, Assessor"),
    ]
}

fn patient(tables: &mut [Table], record: &Record) {
    let (who, id) = (&record.identity, record.local_id.as_str());
    let (status, address) = (if who.nhs_number.is_empty() { "07" } else { "01" }, who.lines.join(", "));
    let sex = match who.sex {
        Sex::Male => "1",
        Sex::Female => "2",
        _ => "9",
    };
    let row = [
        id,
        &who.nhs_number,
        status,
        &who.family,
        &who.given,
        &who.birth_date,
        sex,
        &address,
        &who.postcode,
        &who.phone,
    ];
    put(tables, "MHS001MPI", &row);
    put(tables, "MHS002GP", &[id, who.practice]);
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let (code, term) = fact.code.map_or(("", fact.text.as_str()), |code| (code.code, code.term));
    let (id, patient, (author, role)) = (fact.id.as_str(), record.local_id.as_str(), fact.author);
    let (text, start) = (fact.text.as_str(), fact.start.as_str());
    let status = if fact.standing == Standing::EnteredInError { "error" } else { "current" };
    let detail = |name| fact.detail(name);
    match fact.dataset {
        Dataset::Problems => put(tables, "MHS604PrimDiag", &[id, patient, code, term, start, status, author]),
        Dataset::Encounters => put(tables, "MHS201CareContact", &[id, patient, text, start, author]),
        Dataset::Risks => put(tables, "RiskAssessment", &[id, patient, text, detail("level"), start, author]),
        Dataset::Assessments => put(tables, "CareActAssessment", &[id, patient, text, start, author]),
        Dataset::CareTeam => {
            put(tables, "MHS006MHCareCoord", &[id, patient, text, start, author, role, detail("phone")])
        }
        Dataset::CrisisPlans => {
            let (signs, helps, avoid) = (detail("warning_signs"), detail("what_helps"), detail("what_to_avoid"));
            let (contacts, agreed, review) = (detail("contacts"), detail("agreed"), detail("review_date"));
            // 12 is the data set's code for a crisis plan.
            let row = [id, patient, "12", text, start, review, signs, helps, avoid, contacts, agreed, author];
            put(tables, "MHS008CarePlanType", &row)
        }
        _ => false,
    }
}
