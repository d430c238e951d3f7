//! Where sources say different things of who the person is (WHO-1): names, birth date, sex, NHS number, address, practice,
//! death. The golden record picks; here everybody's word stands, so that a reader sees whose record may be of somebody
//! else, or out of date. Of all bodies only these are opened.

use super::{
    Accepted, Scoped,
    content::in_force,
    fold::{fold, has_year},
};
use prost::Message as _;
use severn_proto::v1::{
    Address, Demographics, Discrepancy, Entry, EntryBody, HumanName, Said, Sex, entry_body::Detail, human_name::Use,
};
use std::collections::BTreeMap;

/// What is compared: its name, what it says, and what must agree of it.
type Compared = (&'static str, fn(&Demographics) -> Option<Word>);

/// A value as it is shown, and as it is compared.
struct Word {
    shown: String,
    key: String,
}

/// What tells where somebody lives: not compared where any source holds the person as restricted.
const LOCATING: [&str; 2] = ["address", "GP practice"];

const COMPARED: [Compared; 7] = [
    ("name", |who| current_name(who).map(name_word)),
    ("birth date", |who| plain(&who.birth_date)),
    ("sex", |who| Some(who.sex()).filter(|sex| !matches!(sex, Sex::Unspecified | Sex::Unknown)).map(sex_word)),
    ("NHS number", |who| plain(&who.nhs_number)),
    ("address", |who| who.addresses.iter().find(|address| address.until.is_empty()).map(address_word)),
    ("GP practice", |who| plain(&who.gp_practice_ods)),
    ("death", |who| Some(death_word(who))),
];

/// The discrepancies among the demographics that sources give, in a fixed order; `entries` are those of one dataset.
pub(super) fn discrepancies(scoped: &Scoped<'_, '_>, entries: &[Accepted<'_>]) -> Vec<Discrepancy> {
    let stands = |entry: &&Accepted<'_>| in_force(&entry.head) && !scoped.retractions.cover(&entry.head);
    let mut standing: Vec<&Accepted<'_>> = entries.iter().filter(stands).collect();
    // By content at last: a source may give one id to several.
    standing.sort_unstable_by_key(|entry| (entry.source, entry.head.entry_id, &*entry.bytes));
    let source = |entry: &Accepted<'_>| &*scoped.sources[entry.source as usize].id.0;
    let said: Vec<(&str, Demographics)> =
        standing.into_iter().filter_map(|entry| Some((source(entry), opened(entry)?))).collect();
    let restricted = said.iter().any(|(_, who)| who.restricted);
    let compared = COMPARED.into_iter().filter(|(field, _)| !restricted || !LOCATING.contains(field));
    let differing = compared.filter_map(|(field, word)| {
        let mut words: BTreeMap<String, Said> = BTreeMap::new();
        for (source, who) in &said {
            let Some(Word { shown, key }) = word(who).filter(|word| !word.key.is_empty()) else { continue };
            let known = words.entry(key).or_insert_with(|| Said { value: shown, source_ids: Vec::new() });
            if known.source_ids.last().is_none_or(|last| last != source) {
                known.source_ids.push((*source).to_owned());
            }
        }
        drop_less_precise(&mut words);
        (words.len() > 1).then(|| Discrepancy { field: field.to_owned(), said: words.into_values().collect() })
    });
    differing.collect()
}

fn opened(entry: &Accepted<'_>) -> Option<Demographics> {
    let body = EntryBody::decode(Entry::decode(entry.bytes.as_ref()).ok()?.body).ok()?;
    match body.detail? {
        Detail::Demographics(detail) => detail.demographics,
        _ => None,
    }
}

/// A date of less precision that fits another is no difference: 1980 and 1980-02-01.
fn drop_less_precise(words: &mut BTreeMap<String, Said>) {
    let keys: Vec<String> = words.keys().filter(|key| has_year(key)).cloned().collect();
    for key in &keys {
        if keys.iter().any(|other| other.len() > key.len() && other.starts_with(&format!("{key}-"))) {
            words.remove(key);
        }
    }
}

fn plain(text: &str) -> Option<Word> {
    Some(Word { shown: text.trim().to_owned(), key: fold(text).into_owned() })
}

fn current_name(who: &Demographics) -> Option<&HumanName> {
    who.names.iter().find(|name| !matches!(name.r#use(), Use::Old | Use::Alias))
}

/// Family name and first given name count; titles and further names do not.
fn name_word(name: &HumanName) -> Word {
    let first = name.given.first().map_or("", String::as_str);
    let parts = [name.family.as_str(), first].map(|part| fold(part).replace(|c: char| !c.is_alphanumeric(), ""));
    let written = [name.prefix.as_str(), &name.given.join(" "), &name.family].join(" ");
    let shown = if name.family.is_empty() { name.text.clone() } else { written.trim().to_owned() };
    let key = if name.family.is_empty() { fold(&name.text).into_owned() } else { parts.join(" ") };
    Word { shown, key }
}

fn sex_word(sex: Sex) -> Word {
    let shown = sex.as_str_name().trim_start_matches("SEX_").to_ascii_lowercase();
    Word { key: shown.clone(), shown }
}

/// The postcode counts, and the whole address only where there is none.
fn address_word(address: &Address) -> Word {
    let postcode = address.postcode.replace(' ', "").to_ascii_lowercase();
    let lines = address.lines.join(", ");
    let key = if postcode.is_empty() { fold(&lines).into_owned() } else { postcode };
    let parts = [lines.as_str(), &address.postcode].into_iter().filter(|part| !part.is_empty());
    Word { shown: parts.collect::<Vec<_>>().join(", "), key }
}

/// Dead beside living is the gravest of all: silence counts as living.
fn death_word(who: &Demographics) -> Word {
    let is_dead = who.deceased || !who.death_date.is_empty();
    let shown = match (is_dead, who.death_date.as_str()) {
        (false, _) => "not recorded as dead".to_owned(),
        (true, "") => "dead".to_owned(),
        (true, date) => format!("died {date}"),
    };
    Word { key: shown.clone(), shown }
}
