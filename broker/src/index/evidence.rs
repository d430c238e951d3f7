//! From a registration of the contract to what the linkage engine compares. Pure, and lossless but for what no field of
//! the engine holds.

use severn_linkage::identity::{Address, Identity, Name, NameKind, NhsNumber, Sex};
use severn_proto::v1::{self as wire, Demographics, human_name::Use, telecom::System};
use severn_trust::NhsNumber as TrustedNumber;

/// Calls `with` with what `demographics` says of who a person is.
pub fn with_identity<T>(demographics: &Demographics, with: impl FnOnce(&Identity<'_>) -> T) -> T {
    let given: Vec<Vec<&str>> = demographics.names.iter().map(|name| texts(&name.given)).collect();
    let names: Vec<Name<'_>> =
        demographics.names.iter().zip(&given).map(|(name, given)| name_of(name, given)).collect();
    let lines: Vec<Vec<&str>> = demographics.addresses.iter().map(|address| texts(&address.lines)).collect();
    let addresses: Vec<Address<'_>> =
        demographics.addresses.iter().zip(&lines).map(|(a, lines)| Address { lines, postcode: &a.postcode }).collect();
    let (phones, emails) = (telecoms(demographics, System::Phone), telecoms(demographics, System::Email));
    let nhs_number = TrustedNumber::parse(&demographics.nhs_number).ok().map(|n| NhsNumber::from_checked(n.get()));
    with(&Identity {
        nhs_number,
        nhs_number_verified: nhs_number.is_some() && demographics.nhs_number_verified,
        names: &names,
        birth_date: &demographics.birth_date,
        sex: sex_of(demographics.sex()),
        addresses: &addresses,
        phones: &phones,
        emails: &emails,
        death_date: &demographics.death_date,
    })
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn name_of<'a>(name: &'a wire::HumanName, given: &'a [&'a str]) -> Name<'a> {
    let kind = match name.r#use() {
        Use::Unspecified | Use::Usual | Use::Official => NameKind::Current,
        Use::Old => NameKind::Former,
        Use::Alias => NameKind::Alias,
    };
    Name { family: &name.family, given, text: &name.text, kind }
}

fn telecoms(demographics: &Demographics, system: System) -> Vec<&str> {
    // What is not said to be an e-mail address is taken for a number, as systems that say nothing mean it.
    let is_wanted = |telecom: &&wire::Telecom| match telecom.system() {
        System::Unspecified => system == System::Phone && !telecom.value.contains('@'),
        own => own == system,
    };
    demographics.telecoms.iter().filter(is_wanted).map(|telecom| telecom.value.as_str()).collect()
}

fn sex_of(sex: wire::Sex) -> Sex {
    match sex {
        wire::Sex::Female => Sex::Female,
        wire::Sex::Male => Sex::Male,
        wire::Sex::Other => Sex::Other,
        wire::Sex::Unspecified | wire::Sex::Unknown => Sex::Unknown,
    }
}
