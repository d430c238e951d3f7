//! What leaves of a person whom the source holds as restricted (PDS label R, an S-flag): nothing that says where they are
//! or how to reach them, in whichever dataset it stands. Pure.
//!
//! **Invariant:** an entry whose content cannot be understood does not leave.

use prost::Message as _;
use severn_proto::v1::{Dataset, DemographicsDetail, Entry, EntryBody, entry_body::Detail};

/// How names of distinguishing fields end that locate somebody, however they are written.
const LOCATING: [&str; 6] = ["address", "email", "location", "mobile", "phone", "postcode"];

/// What became of an entry.
#[derive(Debug, PartialEq)]
pub(crate) enum Stripped {
    /// It held nothing that locates the person.
    Whole(Entry),
    /// What locates the person was taken out.
    Less(Entry),
    /// All that it says locates the person, or nobody knows what it says.
    Nothing,
}

/// Takes out of an entry what locates the person.
pub(crate) fn strip(mut entry: Entry) -> Stripped {
    if entry.head.as_ref().is_some_and(|head| head.dataset() == Dataset::GpPractice) {
        return Stripped::Nothing;
    }
    let Ok(mut body) = EntryBody::decode(entry.body.clone()) else { return Stripped::Nothing };
    let mut less = false;
    let mut clear = |text: &mut String| {
        less |= !text.is_empty();
        text.clear();
    };
    match &mut body.detail {
        Some(Detail::GpPractice(_)) => return Stripped::Nothing,
        Some(Detail::Demographics(DemographicsDetail { demographics: Some(person) })) => {
            clear(&mut person.gp_practice_ods);
            clear(&mut body.narrative);
            less |= !person.addresses.is_empty() || !person.telecoms.is_empty();
            person.addresses.clear();
            person.telecoms.clear();
        }
        Some(Detail::Contact(contact)) => {
            [&mut contact.phone, &mut contact.email, &mut contact.address, &mut body.narrative]
                .into_iter()
                .for_each(clear);
        }
        Some(Detail::CareTeam(member)) => {
            [&mut member.phone, &mut member.email, &mut body.narrative].into_iter().for_each(clear);
        }
        Some(Detail::Service(service)) => clear(&mut service.contact_phone),
        Some(Detail::Encounter(encounter)) => clear(&mut encounter.location),
        Some(Detail::Appointment(appointment)) => clear(&mut appointment.location),
        Some(Detail::Equipment(equipment)) => clear(&mut equipment.location),
        _ => {}
    }
    // The source's own resource may say it anywhere.
    less |= !body.original.is_empty();
    body.original.clear();
    body.original_media_type.clear();
    if let Some(head) = &mut entry.head {
        let before = head.distinguishing.len();
        head.distinguishing.retain(|field| !locates(&field.name));
        less |= head.distinguishing.len() < before;
        if let Some(provenance) = &mut head.provenance {
            less |= !provenance.location.is_empty();
            provenance.location.clear();
        }
    }
    if !less {
        return Stripped::Whole(entry);
    }
    entry.body = body.encode_to_vec().into();
    Stripped::Less(entry)
}

fn locates(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    LOCATING.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::{
        Address, AllergyDetail, AppointmentDetail, CareTeamDetail, ContactDetail, Demographics, EncounterDetail,
        EntryHead, EquipmentDetail, Field, GpPracticeDetail, Provenance, ServiceDetail, Telecom,
    };

    /// Stands wherever somebody could be found.
    const WHERE: &str = "7 Refuge Lane";

    fn entry(detail: Detail) -> Entry {
        let body = EntryBody {
            detail: Some(detail),
            original: WHERE.as_bytes().to_vec(),
            original_media_type: "text/plain".into(),
            ..EntryBody::default()
        };
        let distinguishing = ["phone", "address", "Work Telephone ", "Mobile", "role"].map(|name| Field {
            name: name.into(),
            value: if name == "role" { "sister".into() } else { WHERE.into() },
        });
        let head = EntryHead {
            entry_id: "e1".into(),
            text: "somebody".into(),
            distinguishing: distinguishing.into(),
            provenance: Some(Provenance { location: WHERE.into(), system: "Rio".into(), ..Provenance::default() }),
            ..EntryHead::default()
        };
        Entry { head: Some(head), body: body.encode_to_vec().into() }
    }

    fn details() -> Vec<Detail> {
        let text = || WHERE.to_owned();
        let demographics = Demographics {
            nhs_number: "9434765919".into(),
            addresses: vec![Address { lines: vec![text()], ..Address::default() }],
            telecoms: vec![Telecom { value: text(), ..Telecom::default() }],
            gp_practice_ods: text(),
            ..Demographics::default()
        };
        vec![
            Detail::Demographics(DemographicsDetail { demographics: Some(demographics) }),
            Detail::Contact(ContactDetail {
                name: "Beth".into(),
                phone: text(),
                email: text(),
                address: text(),
                ..ContactDetail::default()
            }),
            Detail::CareTeam(CareTeamDetail {
                name: "Dr Lee".into(),
                phone: text(),
                email: text(),
                ..CareTeamDetail::default()
            }),
            Detail::Service(ServiceDetail { contact_phone: text(), ..ServiceDetail::default() }),
            Detail::Encounter(EncounterDetail { location: text(), ..EncounterDetail::default() }),
            Detail::Appointment(AppointmentDetail { location: text(), ..AppointmentDetail::default() }),
            Detail::Equipment(EquipmentDetail { location: text(), ..EquipmentDetail::default() }),
        ]
    }

    #[test]
    fn nothing_that_locates_the_person_is_left_and_the_rest_is() {
        for detail in details() {
            let Stripped::Less(left) = strip(entry(detail)) else { panic!("something was there to be taken out") };
            let bytes = left.encode_to_vec();
            assert!(!bytes.windows(WHERE.len()).any(|window| window == WHERE.as_bytes()), "{left:?}");
            let head = left.head.unwrap();
            assert_eq!(
                (&*head.text, &*head.distinguishing[0].value, head.distinguishing.len()),
                ("somebody", "sister", 1)
            );
            assert_eq!(head.provenance.unwrap().system, "Rio");
        }
        let Stripped::Less(left) = strip(entry(details().swap_remove(0))) else { panic!() };
        let Some(Detail::Demographics(left)) = EntryBody::decode(left.body).unwrap().detail else { panic!() };
        assert_eq!(left.demographics.unwrap().nhs_number, "9434765919");
    }

    #[test]
    fn what_locates_altogether_or_is_not_understood_stays() {
        let practice =
            Detail::GpPractice(GpPracticeDetail { practice_name: WHERE.into(), ..GpPracticeDetail::default() });
        assert_eq!(strip(entry(practice)), Stripped::Nothing);
        assert_eq!(strip(Entry { body: vec![0xff, 0xff].into(), ..Entry::default() }), Stripped::Nothing);
    }

    #[test]
    fn what_locates_nobody_leaves_byte_for_byte() {
        let body = EntryBody { detail: Some(Detail::Allergy(AllergyDetail::default())), ..EntryBody::default() };
        let plain = Entry { head: Some(EntryHead::default()), body: body.encode_to_vec().into() };
        assert_eq!(strip(plain.clone()), Stripped::Whole(plain));
    }
}
