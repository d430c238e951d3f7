//! What an announcement must be like before the index takes it. Pure. A source's rubbish costs only itself: it is
//! refused by the field's name, and the feed goes on. No refusal repeats what the source sent.
//!
//! An NHS number that is none is no reason to refuse: the person must stay findable. It is counted, and never links.

use super::normalise::is_partial_date;
use crate::{facts::CareKind, model::SourceId};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use prost::Message as _;
use severn_proto::v1::{
    Address, CareRelationship, Demographics, HumanName, LocalId, Registration, RelationshipKind, Sex, Telecom,
};

/// Bytes of a local id, at most.
pub const LOCAL_ID_BYTES_MAX: usize = 256;
/// Bytes of any other text, at most.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Names, addresses or telecoms of a registration, at most.
pub const REPEATS_MAX: usize = 50;
/// Bytes of a registration, at most.
pub const REGISTRATION_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The field at fault.
    pub field: &'static str,
    /// What to do, without patient data.
    pub message: String,
}

fn wrong(field: &'static str, message: impl Into<String>) -> Wrong {
    Wrong { field, message: message.into() }
}

/// Today's date in ISO 8601, and a day more: a source east of Greenwich may be ahead of the broker.
pub fn latest_date(now_ms: i64) -> String {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let tomorrow = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
    tomorrow.to_zoned(TimeZone::UTC).date().to_string()
}

/// Checks a registration that `caller` announced. No date of it may be after `latest`.
///
/// # Errors
/// [`Wrong`] names the first field at fault.
pub fn check_registration(registration: &Registration, caller: &SourceId, latest: &str) -> Result<(), Wrong> {
    if registration.encoded_len() > REGISTRATION_BYTES_MAX {
        return Err(wrong("registered", format!("a registration has at most {REGISTRATION_BYTES_MAX} bytes")));
    }
    if registration.source_id != *caller.0 {
        return Err(wrong("registered.source_id", "give the source id of the certificate that opened the feed"));
    }
    let Some(local_id) = &registration.local_id else {
        return Err(wrong("registered.local_id", "give the source's own identifier of the person"));
    };
    check_local_id(local_id, "registered.local_id.value")?;
    let Some(demographics) = &registration.demographics else {
        return Err(wrong("registered.demographics", "give what the source knows of the person"));
    };
    check_demographics(demographics, latest)?;
    check_count(registration.relationships.len(), "registered.relationships")?;
    registration.relationships.iter().try_for_each(check_relationship)
}

/// Checks a local id.
///
/// # Errors
/// [`Wrong`] with `field`.
pub fn check_local_id(local_id: &LocalId, field: &'static str) -> Result<(), Wrong> {
    if local_id.value.is_empty() || local_id.value.len() > LOCAL_ID_BYTES_MAX {
        return Err(wrong(field, format!("give an identifier of 1 to {LOCAL_ID_BYTES_MAX} bytes")));
    }
    if local_id.value.chars().any(char::is_control) {
        return Err(wrong(field, "an identifier has no control characters"));
    }
    check_text(&local_id.assigning_authority, "local_id.assigning_authority")
}

fn check_demographics(demographics: &Demographics, latest: &str) -> Result<(), Wrong> {
    check_text(&demographics.nhs_number, "registered.demographics.nhs_number")?;
    check_date(&demographics.birth_date, "registered.demographics.birth_date", latest)?;
    check_date(&demographics.death_date, "registered.demographics.death_date", latest)?;
    check_text(&demographics.gp_practice_ods, "registered.demographics.gp_practice_ods")?;
    check_text(&demographics.preferred_name, "registered.demographics.preferred_name")?;
    if Sex::try_from(demographics.sex).is_err() {
        return Err(wrong("registered.demographics.sex", "give a value that this version of the contract knows"));
    }
    check_count(demographics.names.len(), "registered.demographics.names")?;
    demographics.names.iter().try_for_each(check_name)?;
    check_count(demographics.addresses.len(), "registered.demographics.addresses")?;
    demographics.addresses.iter().try_for_each(check_address)?;
    check_count(demographics.telecoms.len(), "registered.demographics.telecoms")?;
    demographics.telecoms.iter().try_for_each(check_telecom)
}

fn check_name(name: &HumanName) -> Result<(), Wrong> {
    check_count(name.given.len(), "registered.demographics.names.given")?;
    let mut texts = name.given.iter().chain([&name.family, &name.prefix, &name.text]);
    texts.try_for_each(|text| check_text(text, "registered.demographics.names"))
}

fn check_address(address: &Address) -> Result<(), Wrong> {
    check_count(address.lines.len(), "registered.demographics.addresses.lines")?;
    let mut texts = address.lines.iter().chain([&address.postcode, &address.from, &address.until]);
    texts.try_for_each(|text| check_text(text, "registered.demographics.addresses"))
}

fn check_telecom(telecom: &Telecom) -> Result<(), Wrong> {
    check_text(&telecom.value, "registered.demographics.telecoms.value")?;
    check_text(&telecom.r#use, "registered.demographics.telecoms.use")
}

fn check_relationship(said: &CareRelationship) -> Result<(), Wrong> {
    if RelationshipKind::try_from(said.kind).ok().and_then(CareKind::announced).is_none() {
        return Err(wrong("registered.relationships.kind", "give registered, admitted, caseload or referred"));
    }
    check_text(&said.organisation_ods, "registered.relationships.organisation_ods")?;
    check_text(&said.team, "registered.relationships.team")?;
    for (date, field) in
        [(&said.since, "registered.relationships.since"), (&said.until, "registered.relationships.until")]
    {
        if !date.is_empty() && !is_partial_date(date) {
            return Err(wrong(field, "give YYYY, YYYY-MM or YYYY-MM-DD, or leave it empty"));
        }
    }
    Ok(())
}

fn check_count(count: usize, field: &'static str) -> Result<(), Wrong> {
    if count <= REPEATS_MAX { Ok(()) } else { Err(wrong(field, format!("give at most {REPEATS_MAX}"))) }
}

fn check_text(text: &str, field: &'static str) -> Result<(), Wrong> {
    if text.len() <= TEXT_BYTES_MAX {
        Ok(())
    } else {
        Err(wrong(field, format!("a text has at most {TEXT_BYTES_MAX} bytes")))
    }
}

fn check_date(text: &str, field: &'static str, latest: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Ok(());
    }
    if !is_partial_date(text) {
        return Err(wrong(field, "give YYYY, YYYY-MM or YYYY-MM-DD, or leave it empty"));
    }
    // Equal lengths of ISO dates order like their days.
    if latest.get(..text.len()).is_some_and(|l| text > l) {
        return Err(wrong(field, "this date is in the future; correct it at the source"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Registration {
        Registration {
            source_id: "RRK".into(),
            local_id: Some(LocalId { assigning_authority: String::new(), value: "1".into() }),
            demographics: Some(Demographics { birth_date: "1980-02-01".into(), ..Demographics::default() }),
            ..Registration::default()
        }
    }

    fn check(spoil: impl FnOnce(&mut Registration)) -> Result<(), &'static str> {
        let mut registration = good();
        spoil(&mut registration);
        check_registration(&registration, &SourceId("RRK".into()), "2026-05-02").map_err(|w| w.field)
    }

    fn of(registration: &mut Registration) -> &mut Demographics {
        registration.demographics.get_or_insert_default()
    }

    #[test]
    fn names_the_field_at_fault() {
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|r| of(r).nhs_number = "rubbish".into()), Ok(()));
        assert_eq!(check(|r| of(r).birth_date = "2026-05-02".into()), Ok(()));
        assert_eq!(check(|r| of(r).birth_date = "2026".into()), Ok(()));
        assert_eq!(check(|r| of(r).birth_date = "2026-05-03".into()), Err("registered.demographics.birth_date"));
        assert_eq!(check(|r| of(r).birth_date = "2026-06".into()), Err("registered.demographics.birth_date"));
        assert_eq!(check(|r| of(r).birth_date = "01/02/1980".into()), Err("registered.demographics.birth_date"));
        assert_eq!(check(|r| of(r).sex = 77), Err("registered.demographics.sex"));
        assert_eq!(check(|r| r.source_id = "RJ1".into()), Err("registered.source_id"));
        assert_eq!(check(|r| r.local_id = None), Err("registered.local_id"));
        assert_eq!(check(|r| r.demographics = None), Err("registered.demographics"));
        let long = |n: usize| Some(LocalId { assigning_authority: String::new(), value: "x".repeat(n) });
        assert_eq!(check(|r| r.local_id = long(256)), Ok(()));
        assert_eq!(check(|r| r.local_id = long(257)), Err("registered.local_id.value"));
        assert_eq!(check(|r| r.local_id = long(0)), Err("registered.local_id.value"));
        assert_eq!(check(|r| of(r).names = vec![HumanName::default(); 51]), Err("registered.demographics.names"));
        let name = HumanName { family: "x".repeat(1025), ..HumanName::default() };
        assert_eq!(check(|r| of(r).names = vec![name]), Err("registered.demographics.names"));
        let care = |kind: RelationshipKind| CareRelationship { kind: kind.into(), ..CareRelationship::default() };
        let admitted = CareRelationship { since: "2026-06".into(), ..care(RelationshipKind::Admitted) };
        assert_eq!(check(|r| r.relationships = vec![admitted.clone()]), Ok(()), "it may be planned");
        for kind in [RelationshipKind::Unspecified, RelationshipKind::SelfClaimed] {
            assert_eq!(check(|r| r.relationships = vec![care(kind)]), Err("registered.relationships.kind"));
        }
        let until = CareRelationship { until: "31/05/2026".into(), ..admitted.clone() };
        assert_eq!(check(|r| r.relationships = vec![until]), Err("registered.relationships.until"));
        assert_eq!(check(|r| r.relationships = vec![admitted; 51]), Err("registered.relationships"));
        let lines = Address { lines: vec!["x".repeat(1024); 50], ..Address::default() };
        assert_eq!(check(|r| of(r).addresses = vec![lines; 2]), Err("registered"));
    }

    #[test]
    fn tomorrow_is_the_latest_date() {
        assert_eq!(latest_date(0), "1970-01-02");
        assert_eq!(latest_date(1_777_593_600_000), "2026-05-02");
    }
}
