//! What comes with seeing something: at the top once for each condition, and again beneath each heading it concerns.

use super::{
    page::{Ink, Page},
    words,
};
use severn_client::Received;
use severn_trust::Obligations;

/// Says right beneath the person's name which headings are shown on which condition.
pub(super) fn put_conditions(page: &mut Page<'_>, received: &Received) {
    let mut conditions: Vec<(Obligations, Vec<String>)> = Vec::new();
    for section in received.sections.iter().filter(|section| !section.items.is_empty()) {
        let owed = received.obligations(section.dataset);
        let heading = words::heading(section.dataset);
        match conditions.iter_mut().find(|(known, _)| *known == owed) {
            _ if owed.is_empty() => {}
            Some((_, headings)) => headings.push(heading),
            None => conditions.push((owed, vec![heading])),
        }
    }
    for (owed, headings) in conditions {
        page.put(0, Ink::Loud, &format!("SENSITIVE: {}.{}", headings.join(", "), said(owed)));
    }
}

/// Says the same beneath a heading.
pub(super) fn put_condition(page: &mut Page<'_>, received: &Received, dataset: i32) {
    let owed = received.obligations(dataset);
    if !owed.is_empty() {
        page.put_marked(0, "! ", Ink::Warn, &format!("Sensitive.{}", said(owed)));
    }
}

fn said(owed: Obligations) -> String {
    owed.iter().filter_map(words::obligation).map(|words| format!(" {words}")).collect()
}
