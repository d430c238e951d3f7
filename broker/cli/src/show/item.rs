//! One item: what is said, in which state, by whom and when, and who else says the same.

use super::{
    book::Book,
    page::{Ink, Page},
    words,
};
use crate::{
    dates::show_date,
    detail::{Body, Value, open},
};
use severn_proto::v1::{Assertion, Contribution, Dataset, EntryHead, EntryStatus, Item, Provenance};
use severn_trust::dataset_word;

/// Characters of free text that are shown; the rest is in the JSON document, and the reader is told.
const NARRATIVE_CHARS_MAX: usize = 600;

/// Fields of a detail that stand for it where there is room for one line only.
const BRIEF_FACTS_MAX: usize = 3;

/// Whether an item was entered in error. Any sign of it counts: such an item must never read as in force.
pub(super) fn is_retracted(item: &Item) -> bool {
    let lead = item.contributions.first().and_then(head);
    item.retracted || lead.is_some_and(|head| head.status() == EntryStatus::EnteredInError)
}

/// What an item states, in the words of the source that leads it.
pub(super) fn statement(item: &Item) -> String {
    item.contributions.first().and_then(head).map_or_else(|| "an item without content".into(), stated)
}

/// A statement with what tells it from others like it: the first fields of its detail, and its state.
pub(super) fn brief(item: &Item) -> String {
    let Some(lead) = item.contributions.first() else { return statement(item) };
    let body = lead.entry.as_ref().map(|entry| open(&entry.body)).unwrap_or_default();
    let facts =
        facts(head(lead), &body).into_iter().take(BRIEF_FACTS_MAX).map(|(name, value)| format!("{name} {value}"));
    let state = if is_retracted(item) { Some("ENTERED IN ERROR".into()) } else { head(lead).map(state) };
    format!("{} ({})", statement(item), facts.chain(state).collect::<Vec<_>>().join(", "))
}

/// Who says so and when: "Sandwell GP (Dr Jones, GP), recorded 03-Mar-2019".
pub(super) fn said_by(contribution: &Contribution, book: &Book<'_>) -> String {
    let source = book.name(&contribution.source_id);
    let Some(head) = head(contribution) else { return source.to_owned() };
    let people = head.provenance.as_ref().map(|p| people(p, source)).filter(|people| !people.is_empty());
    let people = people.map(|people| format!(" ({people})")).unwrap_or_default();
    let when = match (head.recorded.as_str(), head.last_changed.as_str()) {
        ("", "") => "date not recorded".to_owned(),
        ("", changed) => format!("changed {}", show_date(changed)),
        (recorded, _) => format!("recorded {}", show_date(recorded)),
    };
    format!("{source}{people}, {when}")
}

/// Puts one item with everything beneath it.
pub(super) fn put_item(page: &mut Page<'_>, item: &Item, book: &Book<'_>) {
    let Some(lead) = item.contributions.first() else { return };
    let Some(lead_head) = head(lead) else { return };
    let retracted = is_retracted(item);
    let (mark, ink) = match (retracted, item.conflicts.is_empty()) {
        (true, _) => ("✗ ", Ink::Quiet),
        (false, false) => ("⚠ ", Ink::Warn),
        (false, true) => ("• ", Ink::Strong),
    };
    let prefix = if retracted { "RETRACTED: entered in error: " } else { "" };
    page.put_marked(0, mark, ink, &format!("{prefix}{}", statement(item)));
    let body = lead.entry.as_ref().map(|entry| open(&entry.body)).unwrap_or_default();
    let facts = facts(Some(lead_head), &body);
    let state = match state(lead_head) {
        // The withdrawal itself may not be for this reader; then a copy leads that knows nothing of it.
        said if retracted && lead_head.status() != EntryStatus::EnteredInError => {
            format!("WITHDRAWN, though this copy still says “{said}”")
        }
        said => said,
    };
    let shown = facts.iter().map(|(name, value)| format!("{name}: {value}")).chain([state]);
    page.put(4, Ink::Plain, &shown.collect::<Vec<_>>().join(" · "));
    put_narrative(page, &body.narrative);
    put_cautions(page, lead_head, &body);
    put_sayers(page, item, &facts, book);
    put_relations(page, item, book);
    put_how_to_fetch(page, lead, lead_head, book);
    page.note_altered(4);
}

fn head(contribution: &Contribution) -> Option<&EntryHead> {
    contribution.entry.as_ref()?.head.as_ref()
}

fn stated(head: &EntryHead) -> String {
    let display = head.codings.iter().map(|coding| &coding.display).find(|display| !display.is_empty());
    let text = if head.text.is_empty() { display.map_or("(no words given)", String::as_str) } else { &head.text };
    match head.assertion() {
        Assertion::NoneKnown => format!("States: {text}"),
        Assertion::Refuted => format!("Ruled out: {text}"),
        Assertion::Present | Assertion::Unspecified => text.to_owned(),
    }
}

fn people(provenance: &Provenance, source: &str) -> String {
    let mut parts: Vec<String> = [&provenance.author, &provenance.author_role].into_iter().cloned().collect();
    if !provenance.recorder.is_empty() && provenance.recorder != provenance.author {
        parts.push(format!("written down by {}", provenance.recorder));
    }
    if provenance.organisation != source {
        parts.push(provenance.organisation.clone());
    }
    parts.push(provenance.location.clone());
    parts.retain(|part| !part.is_empty());
    parts.dedup();
    parts.join(", ")
}

/// State and period: "active, since Mar-2019".
fn state(head: &EntryHead) -> String {
    let status = words::status(head.status, &head.status_verbatim);
    let (start, end) = (show_date(&head.effective_start), show_date(&head.effective_end));
    let ongoing = head.status() == EntryStatus::Active;
    let when = match (start.is_empty(), end.is_empty()) {
        (true, true) => return status,
        (false, true) if ongoing => format!("since {start}"),
        (false, true) => start,
        (true, false) => format!("until {end}"),
        (false, false) if start == end => start,
        (false, false) => format!("{start} to {end}"),
    };
    format!("{status}, {when}")
}

/// The fields of a detail, named, in the contract's order; then what else tells the statement from others like it: a
/// reader must see why two items stand apart.
fn facts(head: Option<&EntryHead>, body: &Body) -> Vec<(String, String)> {
    let mut facts = fields(body);
    for field in head.iter().flat_map(|head| &head.distinguishing) {
        let (name, value) = (field.name.replace('_', " "), squeezed(&field.value));
        let told = facts.iter().any(|(label, shown)| {
            let shown = squeezed(shown);
            // A unit stands behind its value; elsewhere a short word could be found by chance.
            shown == value || (*label == name || name == "unit") && shown.contains(&value)
        });
        // The digest of a document says nothing to a reader.
        if !told && !value.is_empty() && name != "sha256" {
            facts.push((name, field.value.clone()));
        }
    }
    facts
}

/// Without spaces and capital letters: "1 g" and "1g" tell the same.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn fields(body: &Body) -> Vec<(String, String)> {
    let set = |name: &str| body.fields.iter().any(|(field, _)| field == name);
    let mut facts = Vec::new();
    for (name, value) in &body.fields {
        // The number repeats what the text says; the bytes of a digest say nothing to a reader.
        let repeated = (name == "dose" && set("dose_text")) || (name == "value" && set("value_text"));
        let shown = if repeated { String::new() } else { show_value(name, value) };
        if !shown.is_empty() {
            let label = name.strip_suffix("_text").unwrap_or(name).replace('_', " ");
            facts.push((label, shown));
        }
    }
    facts
}

fn show_value(name: &str, value: &Value) -> String {
    let is_date = name.ends_with("_date") || matches!(name, "onset" | "last_issued" | "due" | "from" | "until");
    match value {
        Value::Text(text) if is_date => show_date(text),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Value::Bytes(_) => String::new(),
        Value::List(list) => list.iter().map(|value| show_value(name, value)).collect::<Vec<_>>().join("; "),
        Value::Group(group) => show_group(group),
    }
}

/// A group on one line: a quantity as "1.10 mg", a code by its display, anything else field by field.
fn show_group(group: &[(String, Value)]) -> String {
    let text =
        |wanted: &str| group.iter().find(|(name, _)| name == wanted).map(|(name, value)| show_value(name, value));
    let known = |names: &[&str]| group.iter().all(|(name, _)| names.contains(&name.as_str()));
    if known(&["text", "value", "unit", "unit_code"]) {
        let digits = text("text").or(text("value")).unwrap_or_default();
        return format!("{digits} {}", text("unit").or(text("unit_code")).unwrap_or_default()).trim_end().to_owned();
    }
    if known(&["system", "code", "display"]) {
        return text("display").or(text("code")).unwrap_or_default();
    }
    let shown = group.iter().enumerate().map(|(place, (name, value))| match (place, name.as_str()) {
        // The first field names the thing: "anaphylaxis, severity severe".
        (0, _) | (_, "value" | "value_text") => show_value(name, value),
        _ => format!("{} {}", name.replace('_', " "), show_value(name, value)),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn put_narrative(page: &mut Page<'_>, narrative: &str) {
    if narrative.is_empty() {
        return;
    }
    let left = narrative.chars().count().saturating_sub(NARRATIVE_CHARS_MAX);
    let shown: String = narrative.chars().take(NARRATIVE_CHARS_MAX).collect();
    page.put(4, Ink::Plain, &format!("“{shown}{}", if left == 0 { "”" } else { " …" }));
    if left > 0 {
        page.put(4, Ink::Warn, &format!("{left} more characters of text: see them with --json"));
    }
}

fn put_cautions(page: &mut Page<'_>, head: &EntryHead, body: &Body) {
    let labels: Vec<_> = head.labels.iter().filter_map(|label| words::sensitivity(*label)).collect();
    if !labels.is_empty() {
        page.put(4, Ink::Warn, &format!("Sensitive: {}", labels.join(", ")));
    }
    if head.not_validated {
        page.put(4, Ink::Warn, "Not checked by its source: read with care");
    }
    if body.not_understood {
        page.put(4, Ink::Warn, "Part of the detail is not understood by this program: see --json, or ask the source");
    }
}

fn put_sayers(page: &mut Page<'_>, item: &Item, lead_facts: &[(String, String)], book: &Book<'_>) {
    let Some((lead, others)) = item.contributions.split_first() else { return };
    page.put(4, Ink::Quiet, &format!("said by {}", said_by(lead, book)));
    put_ids(page, lead);
    for other in others {
        page.put(4, Ink::Quiet, &format!("also said by {}", said_by(other, book)));
        put_ids(page, other);
        let differences = differences(lead, other, lead_facts);
        if !differences.is_empty() {
            let there = if is_retracted(item) { "a copy that still says" } else { "there" };
            page.put(8, Ink::Plain, &format!("{there}: {}", differences.join(" · ")));
        }
    }
}

/// By what an entry is reported to its owner.
fn put_ids(page: &mut Page<'_>, contribution: &Contribution) {
    if let (true, Some(head)) = (page.style.ids, head(contribution)) {
        let ids = format!("{} {} {}", contribution.source_id, dataset_word(head.dataset()), head.entry_id);
        page.put(8, Ink::Quiet, &format!("source, dataset and entry: {ids}"));
    }
}

/// What another contribution says otherwise than the lead: grouping must hide nothing.
fn differences(lead: &Contribution, other: &Contribution, lead_facts: &[(String, String)]) -> Vec<String> {
    let (Some(lead_head), Some(other_head)) = (head(lead), head(other)) else { return Vec::new() };
    let body = other.entry.as_ref().map(|entry| open(&entry.body)).unwrap_or_default();
    let lead_narrative = lead.entry.as_ref().map(|entry| open(&entry.body).narrative).unwrap_or_default();
    let mut differences = Vec::new();
    if stated(lead_head) != stated(other_head) {
        differences.push(stated(other_head));
    }
    if state(lead_head) != state(other_head) {
        differences.push(state(other_head));
    }
    let facts = facts(Some(other_head), &body);
    let otherwise = facts.iter().filter(|fact| !lead_facts.contains(fact));
    differences.extend(otherwise.map(|(name, value)| format!("{name}: {value}")));
    let left_out = lead_facts.iter().filter(|(name, _)| !facts.iter().any(|(other, _)| other == name));
    differences.extend(left_out.map(|(name, _)| format!("{name} not given")));
    if !body.narrative.is_empty() && body.narrative != lead_narrative {
        differences.push("another text: see it with --json".into());
    }
    differences
}

fn put_relations(page: &mut Page<'_>, item: &Item, book: &Book<'_>) {
    let name = |id: &String| match book.item(id) {
        Some((other, _)) => {
            let source = other.contributions.first().map(|c| book.name(&c.source_id)).unwrap_or_default();
            format!("“{}” ({source})", statement(other))
        }
        None => "an item that is not in this answer".into(),
    };
    for conflict in &item.conflicts {
        let others = conflict.other_item_ids.iter().map(name).collect::<Vec<_>>().join(", ");
        // A conflict within the item, such as a retracted entry and its copy, names no other.
        let see = if others.is_empty() { String::new() } else { format!(" See {others}") };
        page.put(4, Ink::Warn, &format!("CONFLICT: {}{see}", conflict.text));
    }
    if !item.possibly_same.is_empty() {
        let others = item.possibly_same.iter().map(name).collect::<Vec<_>>().join(", ");
        page.put(4, Ink::Plain, &format!("possibly the same as {others}"));
    }
}

fn put_how_to_fetch(page: &mut Page<'_>, lead: &Contribution, head: &EntryHead, book: &Book<'_>) {
    if head.dataset() == Dataset::Documents {
        let command =
            format!("to read it: severn document {} {} {}", book.enterprise_id, lead.source_id, head.entry_id);
        page.put(4, Ink::Quiet, &command);
    }
}
