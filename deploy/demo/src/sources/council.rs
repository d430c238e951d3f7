//! A council's social-care case system, in the shape of a public London council schema.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::{Fact, Standing},
    organisations,
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The tables of a council.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = empty();
    for record in &holding.records {
        person(&mut tables, record);
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

fn empty() -> Vec<Table> {
    vec![
        Table::new(
            "dm_persons",
            "PERSON_ID INTEGER, NHS_ID, FULL_NAME, TITLE, FIRST_NAME, LAST_NAME, DATE_OF_BIRTH, DATE_OF_DEATH, \
             GENDER, RESTRICTED, CONTEXT_FLAG",
        ),
        Table::new(
            "dm_addresses",
            "REF_ADDRESSES_PEOPLE_ID INTEGER, PERSON_ID INTEGER, START_DATE, END_DATE, ADDRESS, POST_CODE, \
             IS_DISPLAY_ADDRESS",
        ),
        Table::new(
            "dm_telephone_numbers",
            "TELEPHONE_NUMBER_ID INTEGER, PERSON_ID INTEGER, TELEPHONE_NUMBER, TELEPHONE_NUMBER_TYPE",
        ),
        Table::new("dm_gp_details", "GP_DETAILS_ID INTEGER, PERSON_ID INTEGER, NAME, ODS_CODE"),
        Table::new(
            "sccv_warning_note",
            "ID INTEGER, PERSON_ID INTEGER, START_DATE, REVIEW_DATE, END_DATE, NOTE_TYPE, STATUS, \
             WARNING_NARRATIVE, CATEGORY, SCCV_CREATED_AT, SCCV_CREATED_BY",
        ),
        Table::new("sccv_worker", "ID INTEGER, FIRST_NAME, LAST_NAME, PHONE, TEAM"),
        Table::new(
            "sccv_allocations_combined",
            "ID INTEGER, MOSAIC_ID INTEGER, WORKER_ID INTEGER, ALLOCATION_TYPE, ALLOCATION_START_DATE, \
             ALLOCATION_END_DATE, CASE_STATUS",
        ),
        Table::new(
            "sccv_person_case_status",
            "ID INTEGER, FK_PERSON_ID INTEGER, SERVICE_USER_GROUP, START_DATE, END_DATE, SCCV_CREATED_BY",
        ),
        Table::new(
            "dm_services",
            "SERVICE_ID INTEGER, PERSON_ID INTEGER, DESCRIPTION, START_DATE, END_DATE, STATUS, CREATED_BY",
        ),
    ]
}

fn person(tables: &mut [Table], record: &Record) {
    let (who, id) = (&record.identity, record.local_id.as_str());
    let gender = match who.sex {
        Sex::Female => "F",
        Sex::Male => "M",
        _ => "U",
    };
    let full_name = format!("{} {}", who.given, who.family);
    put(
        tables,
        "dm_persons",
        &[id, &who.nhs_number, &full_name, who.title, &who.given, &who.family, &who.birth_date, "", gender, "N", "A"],
    );
    put(tables, "dm_addresses", &[id, id, "2020-01-01", "", &who.lines.join(", "), &who.postcode, "Y"]);
    if !who.phone.is_empty() {
        put(tables, "dm_telephone_numbers", &[id, id, &who.phone, "mobile"]);
    }
    let practice = organisations::organisation(who.practice).map_or("", |practice| practice.name);
    put(tables, "dm_gp_details", &[id, id, practice, who.practice]);
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let (id, person, author) = (fact.id.as_str(), record.local_id.as_str(), fact.author.0);
    let status = if fact.standing == Standing::Active { "open" } else { "closed" };
    match fact.dataset {
        Dataset::Safeguarding | Dataset::Alerts => {
            let kind = if fact.dataset == Dataset::Safeguarding { "Safeguarding" } else { "Visiting" };
            let (review, category) = (fact.detail("review_date"), fact.detail("category"));
            put(
                tables,
                "sccv_warning_note",
                &[id, person, &fact.start, review, &fact.end, kind, status, &fact.text, category, &fact.start, author],
            )
        }
        Dataset::CareTeam => {
            let (first, last) = author.split_once(' ').unwrap_or(("", author));
            put(tables, "sccv_worker", &[id, first, last, fact.detail("phone"), "Adult social care, locality team"]);
            put(tables, "sccv_allocations_combined", &[id, person, id, &fact.text, &fact.start, &fact.end, status])
        }
        Dataset::PrimarySupportReason => {
            put(tables, "sccv_person_case_status", &[id, person, &fact.text, &fact.start, &fact.end, author])
        }
        Dataset::Services => {
            put(tables, "dm_services", &[id, person, &fact.text, &fact.start, &fact.end, status, author])
        }
        _ => false,
    }
}
