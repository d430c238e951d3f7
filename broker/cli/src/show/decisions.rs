//! What stewards decided, and what became of decisions that were to be taken back.

use super::page::{Ink, Page, Style};
use crate::{dates::show_moment, undo::Undone};
use severn_proto::v1::{RegistrationRef, StewardDecision};

/// Registrations that are shown of one decision; JSON has all.
const SHOWN_MAX: usize = 6;

/// Decisions, newest first.
pub(crate) fn render_decisions(decisions: &[StewardDecision], style: &Style) -> String {
    let mut page = Page::new(style);
    for decision in decisions {
        put_decision(&mut page, decision);
        if decision.taken_back_by != 0 {
            page.put(4, Ink::Warn, &format!("taken back by decision {}", decision.taken_back_by));
        }
    }
    page.put(0, Ink::Plain, &format!("{} decisions", decisions.len()));
    page.finish()
}

/// What was, or would be, taken back.
pub(crate) fn render_undone(undone: &[(StewardDecision, Undone)], style: &Style) -> String {
    let mut page = Page::new(style);
    for (decision, became) in undone {
        put_decision(&mut page, decision);
        match became {
            Undone::Would => page.put(4, Ink::Plain, "would be taken back"),
            Undone::Done => page.put(4, Ink::Strong, "taken back"),
            Undone::Refused(why) => page.put(4, Ink::Loud, &format!("STAYS: {why}")),
        }
    }
    let count = |of: fn(&Undone) -> bool| undone.iter().filter(|(_, became)| of(became)).count();
    let (would, done) = (count(|u| *u == Undone::Would), count(|u| *u == Undone::Done));
    let stay = count(|u| matches!(u, Undone::Refused(_)));
    match would {
        0 => page.put(0, Ink::Plain, &format!("{done} decisions taken back, {stay} stay")),
        _ => page.put(0, Ink::Plain, &format!("{would} decisions would be taken back; nothing was changed")),
    }
    page.finish()
}

fn put_decision(page: &mut Page<'_>, decision: &StewardDecision) {
    let name = |r: &RegistrationRef| format!("{} {}", r.source_id, r.local_id);
    let shown: Vec<String> = decision.registrations.iter().take(SHOWN_MAX).map(name).collect();
    let more = decision.registrations.len().saturating_sub(SHOWN_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let when = show_moment(decision.at_ms, &page.style.zone);
    let of = format!("{}{more}", shown.join(", "));
    page.put(0, Ink::Strong, &format!("{} {when} {}: {of}", decision.sequence, decision.kind));
    page.put(4, Ink::Plain, &format!("{}: {}", decision.by, decision.reason));
    if decision.takes_back != 0 {
        page.put(4, Ink::Plain, &format!("takes back decision {}", decision.takes_back));
    }
    if decision.until_ms != 0 {
        page.put(4, Ink::Plain, &format!("until {}", show_moment(decision.until_ms, &page.style.zone)));
    }
}
