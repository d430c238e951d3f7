//! The golden record: the best-known demographics of one person, from all its registrations. Pure.
//!
//! Each field is chosen by itself: verified before given, then what most registrations say, then what was announced
//! last. Nothing a registration says of names, addresses or telecoms is dropped before the limit is reached, because
//! a reader compares them with the person in front of them.

use super::normalise::{Name, letters, postcode, whole_date};
use severn_proto::v1::{Address, Demographics, HumanName, Sex, Telecom, human_name::Use};
use severn_trust::NhsNumber;
use std::collections::{BTreeSet, HashMap};

/// Names, addresses or telecoms of a golden record, at most.
const REPEATS_MAX: usize = 10;

/// One registration's demographics.
pub struct Member {
    /// What the source says.
    pub demographics: Demographics,
    /// The NHS number that the source gives, if the one above replaced it.
    pub replaced: Option<NhsNumber>,
    /// The later, the greater.
    pub changed: u64,
}

/// Makes the golden record. The order of `members` does not matter. Where any of them is restricted, nothing of it tells
/// where the person lives or how to reach them (as PDS does for its label R).
pub fn golden(members: &[Member]) -> Demographics {
    let (nhs_number, nhs_number_verified) = number(members);
    let deceased = members.iter().any(|m| m.demographics.deceased);
    let restricted = members.iter().any(|m| m.demographics.restricted);
    let located = if restricted { &[] } else { members };
    Demographics {
        replaced_nhs_numbers: replaced(members, &nhs_number),
        nhs_number,
        nhs_number_verified,
        names: names(members),
        birth_date: birth_date(members),
        sex: sex(members).into(),
        addresses: addresses(located),
        telecoms: telecoms(located),
        deceased,
        death_date: text(members, |d| &d.death_date),
        gp_practice_ods: text(located, |d| &d.gp_practice_ods),
        preferred_name: text(members, |d| &d.preferred_name),
        restricted,
    }
}

/// Counts what is said and orders it: the most frequent first, then the last announced, then by the value itself.
fn ranked<K: Ord + std::hash::Hash, V>(said: impl Iterator<Item = (K, V, u64)>) -> Vec<V> {
    let mut found: HashMap<K, (usize, u64, V)> = HashMap::new();
    for (key, value, changed) in said {
        match found.entry(key) {
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert((1, changed, value));
            }
            std::collections::hash_map::Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.0 += 1;
                if changed > known.1 {
                    (known.1, known.2) = (changed, value);
                }
            }
        }
    }
    let mut ranked: Vec<(K, (usize, u64, V))> = found.into_iter().collect();
    ranked.sort_unstable_by(|(key_a, a), (key_b, b)| (b.0, b.1).cmp(&(a.0, a.1)).then_with(|| key_a.cmp(key_b)));
    ranked.into_iter().map(|(_, (_, _, value))| value).collect()
}

fn number(members: &[Member]) -> (String, bool) {
    let given = |verified: bool| {
        let said = members.iter().filter(move |m| !verified || m.demographics.nhs_number_verified);
        said.filter_map(|m| NhsNumber::parse(&m.demographics.nhs_number).ok().map(|n| (n, n, m.changed)))
    };
    if let Some(number) = ranked(given(true)).first() {
        return (number.digits(), true);
    }
    (ranked(given(false)).first().map(|number| number.digits()).unwrap_or_default(), false)
}

fn replaced(members: &[Member], number: &str) -> Vec<String> {
    let own = members.iter().filter(|member| member.demographics.nhs_number == number);
    let replaced: BTreeSet<NhsNumber> = own.filter_map(|member| member.replaced).collect();
    replaced.into_iter().map(|number| number.digits()).collect()
}

fn names(members: &[Member]) -> Vec<HumanName> {
    let key = |name: &HumanName| {
        let Name { family, given, .. } = Name::of(name);
        (family, given)
    };
    let is_former = |name: &HumanName| matches!(name.r#use(), Use::Old | Use::Alias);
    let current = members.iter().filter_map(|m| {
        let name = m.demographics.names.iter().find(|name| !is_former(name))?;
        Some((key(name), name.clone(), m.changed))
    });
    let mut names = ranked(current);
    let others =
        members.iter().flat_map(|m| m.demographics.names.iter().map(|name| (key(name), name.clone(), m.changed)));
    for name in ranked(others) {
        if !names.iter().any(|known| key(known) == key(&name)) {
            names.push(name);
        }
    }
    names.truncate(REPEATS_MAX);
    names
}

fn birth_date(members: &[Member]) -> String {
    let said = |whole: bool| {
        let dates = members.iter().map(|m| (m.demographics.birth_date.clone(), m.changed));
        let dates = dates.filter(move |(date, _)| !date.is_empty() && whole_date(date).is_some() == whole);
        dates.map(|(date, changed)| (date.clone(), date, changed))
    };
    let chosen = ranked(said(true)).into_iter().next();
    chosen.or_else(|| ranked(said(false)).into_iter().next()).unwrap_or_default()
}

fn sex(members: &[Member]) -> Sex {
    let is_known = |sex: &Sex| !matches!(sex, Sex::Unspecified | Sex::Unknown);
    let known = members.iter().map(|m| (m.demographics.sex(), m.changed)).filter(|(sex, _)| is_known(sex));
    let unknown = members.iter().any(|m| m.demographics.sex() == Sex::Unknown);
    let fallback = if unknown { Sex::Unknown } else { Sex::Unspecified };
    ranked(known.map(|(sex, changed)| (i32::from(sex), sex, changed))).first().copied().unwrap_or(fallback)
}

fn addresses(members: &[Member]) -> Vec<Address> {
    let key = |address: &Address| {
        let code = postcode(&address.postcode).unwrap_or_else(|| address.postcode.clone());
        // Current addresses come before former ones of the same place.
        (!address.until.is_empty(), code, letters(&address.lines.concat()), digits(&address.lines))
    };
    let said = members.iter().flat_map(|m| m.demographics.addresses.iter().map(move |a| (a, m.changed)));
    let mut addresses = ranked(said.map(|(a, changed)| (key(a), a.clone(), changed)));
    addresses.sort_by_key(|address| !address.until.is_empty());
    addresses.truncate(REPEATS_MAX);
    addresses
}

fn digits(lines: &[String]) -> String {
    lines.iter().flat_map(|line| line.chars()).filter(char::is_ascii_digit).collect()
}

fn telecoms(members: &[Member]) -> Vec<Telecom> {
    let key = |telecom: &Telecom| {
        let value: String = telecom.value.chars().filter(|c| !c.is_whitespace()).collect();
        (telecom.system, value.to_lowercase())
    };
    let said = members.iter().flat_map(|m| m.demographics.telecoms.iter().map(move |t| (t, m.changed)));
    let mut telecoms = ranked(said.map(|(t, changed)| (key(t), t.clone(), changed)));
    telecoms.truncate(REPEATS_MAX);
    telecoms
}

fn text(members: &[Member], field: impl Fn(&Demographics) -> &String) -> String {
    let said = members.iter().map(|m| (field(&m.demographics), m.changed)).filter(|(text, _)| !text.is_empty());
    ranked(said.map(|(text, changed)| (text.clone(), text.clone(), changed))).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(changed: u64, spoil: impl FnOnce(&mut Demographics)) -> Member {
        let mut demographics = Demographics::default();
        spoil(&mut demographics);
        Member { demographics, replaced: None, changed }
    }

    fn named(family: &str, given: &str) -> HumanName {
        HumanName { family: family.into(), given: vec![given.into()], ..HumanName::default() }
    }

    #[test]
    fn verified_then_frequent_then_recent_whatever_the_order() {
        let mut members = vec![
            member(1, |d| {
                d.nhs_number = "943 476 5919".into();
                d.nhs_number_verified = true;
                d.names = vec![named("Smith", "Anna")];
                d.birth_date = "1980-02-01".into();
            }),
            member(2, |d| {
                d.nhs_number = "9990000018".into();
                d.names = vec![named("SMITH", "ANNA"), named("Jones", "Anna")];
                d.birth_date = "1980".into();
                d.sex = Sex::Female.into();
            }),
            member(3, |d| {
                d.nhs_number = "9990000018".into();
                d.names = vec![named("Brown", "Anna")];
                d.deceased = true;
                d.sex = Sex::Unknown.into();
                d.telecoms = vec![Telecom { value: "0121 496 0000".into(), ..Telecom::default() }];
            }),
            member(4, |d| {
                d.telecoms = vec![Telecom { value: "01214960000".into(), ..Telecom::default() }];
                d.addresses = vec![
                    Address { postcode: "B1 1AA".into(), until: "2020".into(), ..Address::default() },
                    Address { postcode: "B2 2BB".into(), ..Address::default() },
                ];
            }),
        ];
        let best = golden(&members);
        assert_eq!((best.nhs_number.as_str(), best.nhs_number_verified), ("9434765919", true));
        let families: Vec<&str> = best.names.iter().map(|n| n.family.as_str()).collect();
        assert_eq!(families, ["SMITH", "Brown", "Jones"]);
        assert_eq!(best.birth_date, "1980-02-01");
        assert_eq!(best.sex(), Sex::Female);
        assert!(best.deceased);
        assert_eq!(best.telecoms.len(), 1);
        assert_eq!(best.addresses[0].postcode, "B2 2BB");
        members.reverse();
        assert!(golden(&members) == best);
    }
}
