//! The smaller views: persons found, sources, what happened to a person.

use super::{
    page::{Ink, Page, Style},
    record::who,
    words,
};
use crate::dates::show_moment;
use severn_client::{Document, Found};
use severn_proto::v1::{Candidate, Demographics, HistoryResponse, PersonThen, SourceState};
use std::path::Path;

/// What a search found. Possible persons are for a human to choose from.
pub fn render_candidates(found: &Found, style: &Style) -> String {
    let mut page = Page::new(style);
    match found {
        Found::One(candidate) => {
            page.put(0, Ink::Plain, "One person:");
            put_candidate(&mut page, candidate);
        }
        Found::Possible(candidates) => {
            page.put(0, Ink::Warn, "Possible persons. None was chosen: compare, then name one by its enterprise id.");
            for candidate in candidates {
                put_candidate(&mut page, candidate);
            }
            page.put(0, Ink::Plain, "Then: severn record ENTERPRISE_ID --family … --born … (or --nhs …)");
        }
        Found::Nobody => page.put(
            0,
            Ink::Warn,
            "Nobody was found. That does not mean that no source knows the person: check the spelling, the birth date \
             and the number. A restricted person is found by NHS number only.",
        ),
        Found::TooMany => {
            page.put(0, Ink::Warn, "Too many persons fit. Add a postcode or the sex, or search by NHS number.");
        }
    }
    page.finish()
}

fn put_candidate(page: &mut Page<'_>, candidate: &Candidate) {
    let person = candidate.golden.as_ref().map(who).unwrap_or_default();
    page.put_marked(0, "• ", Ink::Strong, &person);
    let postcode = candidate.golden.iter().flat_map(|golden| &golden.addresses).map(|address| &address.postcode);
    let postcode = postcode.filter(|code| !code.is_empty()).map(|code| format!("{code}, ")).next().unwrap_or_default();
    let sources = if candidate.sources == 1 { "1 source".into() } else { format!("{} sources", candidate.sources) };
    page.put(4, Ink::Plain, &format!("{postcode}known to {sources}, likelihood {:.2}", candidate.score));
    for why in &candidate.why {
        page.put_marked(4, "- ", Ink::Plain, why);
    }
    page.put(4, Ink::Plain, &format!("enterprise id {}", candidate.enterprise_id));
}

/// Each source and how it is doing.
pub fn render_sources(sources: &[SourceState], style: &Style) -> String {
    let mut page = Page::new(style);
    for source in sources {
        let state = if source.reachable { "reachable" } else { "NOT REACHABLE" };
        let ink = if source.reachable { Ink::Strong } else { Ink::Loud };
        let kind = if source.kind.is_empty() { "kind not known" } else { &source.kind };
        page.put(0, ink, &format!("{} {} ({kind}): {state}", source.source_id, source.name));
        let heard = moment_or(source.feed_heard_at_ms, style, "NEVER");
        page.put(4, Ink::Plain, &format!("feed last heard: {heard}; {} registrations", source.registrations));
        let called = moment_or(source.last_called_at_ms, style, "");
        let at = if called.is_empty() { String::new() } else { format!(", {called}") };
        page.put(4, Ink::Plain, &format!("last call: {}{at}", words::outcome(source.last_outcome())));
        let datasets: Vec<_> = source.datasets.iter().map(|number| words::heading(*number)).collect();
        let datasets = if datasets.is_empty() { "not known".into() } else { datasets.join(", ") };
        page.put_marked(4, "datasets: ", Ink::Plain, &datasets);
    }
    let reachable = sources.iter().filter(|source| source.reachable).count();
    page.put(0, Ink::Plain, &format!("{reachable} of {} sources reachable", sources.len()));
    page.finish()
}

pub(super) fn moment_or(at_ms: i64, style: &Style, none: &str) -> String {
    let shown = show_moment(at_ms, &style.zone);
    if shown.is_empty() { none.to_owned() } else { shown }
}

/// What was written where.
pub(crate) fn render_document(document: &Document, out: &Path) -> String {
    let style = Style::default();
    let mut page = Page::new(&style);
    let size = document.bytes.len();
    page.put(0, Ink::Plain, &format!("Wrote {size} bytes ({}) to {}.", document.media_type, out.display()));
    page.put(0, Ink::Plain, "Size and digest are as the owner announced.");
    page.finish()
}

/// What happened to a person, oldest first, and who it was at the moment asked for.
pub(crate) fn render_history(history: &HistoryResponse, at_ms: Option<i64>, style: &Style) -> String {
    let mut page = Page::new(style);
    for event in &history.events {
        let of = event.registration.as_ref().map(|r| format!("{} {}", r.source_id, r.local_id)).unwrap_or_default();
        let when = moment_or(event.at_ms, style, "time not known");
        page.put(0, Ink::Strong, &format!("{} {when} {}: {of}", event.sequence, event.kind));
        page.put(4, Ink::Plain, &format!("{}; person {} afterwards", event.why, event.enterprise_id));
    }
    page.put(0, Ink::Plain, &format!("{} events", history.events.len()));
    if let Some(at_ms) = at_ms {
        put_then(&mut page, history.then.as_ref(), at_ms);
    }
    page.finish()
}

fn put_then(page: &mut Page<'_>, then: Option<&PersonThen>, at_ms: i64) {
    let when = moment_or(at_ms, page.style, "the beginning");
    let Some(then) = then else {
        return page.put(0, Ink::Strong, &format!("At {when} no source knew a person of this id."));
    };
    page.put(0, Ink::Strong, &format!("At {when} this was person {}:", then.enterprise_id));
    page.put(4, Ink::Plain, &who(then.golden.as_ref().unwrap_or(&Demographics::default())));
    for own in &then.registrations {
        let registration = own.registration.clone().unwrap_or_default();
        let local_id = registration.local_id.unwrap_or_default().value;
        let since = moment_or(own.since_ms, page.style, "the beginning");
        page.put(4, Ink::Plain, &format!("{} {local_id}, since {since}: {}", registration.source_id, own.why));
    }
}
