//! A prison's offender system, in the shape of NOMIS: a person is a root offender, a stay is a booking, alerts hang on
//! the booking, and an NHS number is an identifier that is often not there.

use super::{
    WriteError, place_facts,
    table::{Table, put},
};
use crate::{
    facts::{Fact, Standing},
    world::{Holding, Record},
};
use severn_proto::v1::{Dataset, Sex};

/// The tables of a prison.
pub fn tables(holding: &Holding) -> Result<Vec<Table>, WriteError> {
    let mut tables = empty();
    for (offender, record) in (1_000_000_usize..).zip(&holding.records) {
        person(&mut tables, record, &offender.to_string());
    }
    place_facts(holding, &mut tables, place)?;
    Ok(tables)
}

fn empty() -> Vec<Table> {
    vec![
        Table::new(
            "OFFENDERS",
            "OFFENDER_ID INTEGER, ROOT_OFFENDER_ID INTEGER, OFFENDER_ID_DISPLAY, LAST_NAME, FIRST_NAME, \
             BIRTH_DATE, SEX_CODE",
        ),
        Table::new("OFFENDER_IDENTIFIERS", "OFFENDER_ID INTEGER, IDENTIFIER_TYPE, IDENTIFIER, ISSUED_AUTHORITY_TEXT"),
        Table::new(
            "ADDRESSES",
            "ADDRESS_ID INTEGER, OWNER_CLASS, OWNER_ID INTEGER, STREET, CITY, POSTAL_CODE, PRIMARY_FLAG",
        ),
        Table::new(
            "OFFENDER_BOOKINGS",
            "OFFENDER_BOOK_ID INTEGER, OFFENDER_ID_DISPLAY, AGY_LOC_ID, ACTIVE_FLAG, BOOKING_BEGIN_DATE, \
             BOOKING_END_DATE",
        ),
        Table::new(
            "OFFENDER_ALERTS",
            "OFFENDER_ID_DISPLAY, ALERT_SEQ INTEGER, ALERT_TYPE, ALERT_CODE, ALERT_DATE, EXPIRY_DATE, \
             ALERT_STATUS, COMMENT_TEXT, CREATE_USER",
        ),
    ]
}

fn person(tables: &mut [Table], record: &Record, offender: &str) {
    let who = &record.identity;
    let sex = if who.sex == Sex::Female { "F" } else { "M" };
    put(tables, "OFFENDERS", &[offender, offender, &record.local_id, &who.family, &who.given, &who.birth_date, sex]);
    if !who.nhs_number.is_empty() {
        put(tables, "OFFENDER_IDENTIFIERS", &[offender, "NHS", &who.nhs_number, "NHS"]);
    }
    put(tables, "ADDRESSES", &[offender, "OFF", offender, &who.lines[0], &who.lines[1], &who.postcode, "Y"]);
}

fn place(tables: &mut [Table], record: &Record, fact: &Fact) -> bool {
    let open = fact.standing == Standing::Active;
    match fact.dataset {
        Dataset::Encounters => {
            let flag = if open { "Y" } else { "N" };
            put(tables, "OFFENDER_BOOKINGS", &[&fact.id, &record.local_id, "BMI", flag, &fact.start, &fact.end])
        }
        Dataset::Alerts => {
            let (status, code) = (if open { "ACTIVE" } else { "INACTIVE" }, fact.detail("code"));
            let kind = code.get(..1).unwrap_or("X");
            let author = fact.author.0;
            put(
                tables,
                "OFFENDER_ALERTS",
                &[&record.local_id, &fact.id, kind, code, &fact.start, &fact.end, status, &fact.text, author],
            )
        }
        _ => false,
    }
}
