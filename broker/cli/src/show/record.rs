//! A whole record on a page: who, what is missing, conflicts, sections, ledger, seal.

use super::{
    book::Book,
    conflicts, discrepancies, item,
    ledger::{self, put_ledger},
    medicines, owed,
    page::{Ink, Page, Style},
    words,
};
use crate::dates::show_date;
use severn_client::{Answer, Flaw, Received};
use severn_proto::v1::{Address, Dataset, Demographics, HumanName, Seal, human_name::Use};
use severn_trust::hex;

/// A record as a reader sees it. An answer that is not complete says so at its top and at its bottom.
pub fn render_record(answer: &Answer, style: &Style) -> String {
    let received = answer.received();
    let book = Book::new(received);
    let mut page = Page::new(style);
    page.rule(Ink::Strong, '═');
    put_incomplete(&mut page, answer.flaw());
    put_who(&mut page, received.person());
    ledger::put_summary(&mut page, received);
    owed::put_conditions(&mut page, received);
    page.note_altered(0);
    discrepancies::put_discrepancies(&mut page, received);
    page.note_altered(0);
    conflicts::put_conflicts(&mut page, received, &book);
    page.note_altered(0);
    put_sections(&mut page, received, &book);
    put_ledger(&mut page, received);
    page.note_altered(0);
    page.rule(Ink::Strong, '═');
    match (answer.flaw(), answer) {
        (None, Answer::Complete(record)) => put_seal(&mut page, record.seal()),
        _ => put_incomplete(&mut page, answer.flaw()),
    }
    page.finish()
}

fn put_incomplete(page: &mut Page<'_>, flaw: Option<Flaw>) {
    let Some(flaw) = flaw else { return };
    page.put(0, Ink::Loud, &format!("INCOMPLETE: this is not the whole answer: {flaw}."));
    page.put(0, Ink::Loud, "Nothing here is proven to be all. Do not rely on it alone; ask again.");
}

fn put_who(page: &mut Page<'_>, person: Option<&Demographics>) {
    let Some(person) = person else { return };
    page.put(0, Ink::Strong, &who(person));
    if person.deceased || !person.death_date.is_empty() {
        let date = show_date(&person.death_date);
        page.put(0, Ink::Loud, &if date.is_empty() { "DIED, date not known".into() } else { format!("DIED {date}") });
    }
    if person.restricted {
        page.put(
            0,
            Ink::Loud,
            "RESTRICTED: tell nobody where this person is. Address, phone and practice are not shown.",
        );
    }
    if let Some(address) = person.addresses.iter().find(|address| address.until.is_empty()) {
        page.put(0, Ink::Plain, &one_line(address));
    }
}

/// One person in one line: name, birth date, NHS number, sex.
pub(super) fn who(person: &Demographics) -> String {
    let name = person.names.iter().find(|name| name.r#use() != Use::Old).or(person.names.first());
    let name = name.map(show_name).filter(|name| !name.is_empty()).unwrap_or_else(|| "NAME NOT KNOWN".into());
    let born = match show_date(&person.birth_date) {
        date if date.is_empty() => "birth date not known".into(),
        date => format!("born {date}"),
    };
    let nhs = match show_nhs(&person.nhs_number) {
        number if number.is_empty() => "no NHS number".into(),
        number if person.nhs_number_verified => format!("NHS {number}"),
        number => format!("NHS {number} (not verified)"),
    };
    format!("{name} · {born} · {nhs} · {}", words::sex(person.sex))
}

pub(super) fn show_name(name: &HumanName) -> String {
    if name.family.is_empty() && name.given.is_empty() {
        return name.text.clone();
    }
    let family = name.family.to_uppercase();
    let given = name.given.join(" ");
    let title = if name.prefix.is_empty() { String::new() } else { format!(" ({})", name.prefix) };
    match (family.is_empty(), given.is_empty()) {
        (false, false) => format!("{family}, {given}{title}"),
        _ => format!("{family}{given}{title}"),
    }
}

pub(super) fn show_nhs(number: &str) -> String {
    match (number.get(..3), number.get(3..6), number.get(6..)) {
        (Some(a), Some(b), Some(c)) if number.len() == 10 => format!("{a} {b} {c}"),
        _ => number.to_owned(),
    }
}

pub(super) fn one_line(address: &Address) -> String {
    let parts = address.lines.iter().chain([&address.postcode]).filter(|part| !part.is_empty());
    parts.map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn put_sections(page: &mut Page<'_>, received: &Received, book: &Book<'_>) {
    for section in received.sections.iter().filter(|section| !section.items.is_empty()) {
        page.blank();
        page.heading(Ink::Strong, &words::heading(section.dataset));
        ledger::put_gaps(page, received, section.dataset);
        owed::put_condition(page, received, section.dataset);
        // Corrections come last and look like nothing that is in force.
        let (retracted, standing): (Vec<_>, Vec<_>) = section.items.iter().partition(|i| item::is_retracted(i));
        let mut stage = "";
        for shown in standing {
            if section.dataset == Dataset::Medications as i32 && stage != medicines::stage(shown) {
                stage = medicines::stage(shown);
                page.put(0, Ink::Quiet, stage);
            }
            item::put_item(page, shown, book);
        }
        if !retracted.is_empty() {
            page.put(0, Ink::Quiet, "Corrections: withdrawn by whoever recorded them. Do not rely on these:");
        }
        for shown in retracted {
            item::put_item(page, shown, book);
        }
    }
    ledger::put_empty_headings(page, received);
    ledger::put_other_empty_headings(page, received);
}

fn put_seal(page: &mut Page<'_>, seal: &Seal) {
    let counts = format!(
        "COMPLETE. {} entries received = {} shown + {} grouped + {} withheld + {} rejected.",
        seal.received, seal.shown, seal.grouped, seal.withheld, seal.rejected
    );
    page.put(0, Ink::Plain, &counts);
    let digest = hex(seal.digest.get(..8).unwrap_or(&seal.digest));
    let proof = format!("Sealed: query {}, digest {digest}, merge rules {}.", seal.query_id, seal.rules_version);
    page.put(0, Ink::Quiet, &proof);
}
