//! The ledger: first, loud, what did not come; then source by source what did.

use super::{
    page::{Ink, Page},
    words::{self, matters_most},
};
use crate::dates::show_moment;
use severn_client::Received;
use severn_proto::v1::{Heading, HeadingOutcome, LedgerRow, Outcome, Reason, ReasonCode};

/// The one sentence on what is missing, right beneath the person's name.
pub(super) fn put_summary(page: &mut Page<'_>, received: &Received) {
    let Some(ledger) = &received.ledger else { return };
    let ink = if received.missing().next().is_none() { Ink::Plain } else { Ink::Loud };
    page.put(0, ink, &ledger.summary);
}

/// Says, right beneath a heading, that sources are not in it; and which, where a reader acts on it at once.
pub(super) fn put_gaps(page: &mut Page<'_>, received: &Received, dataset: i32) {
    if !matters_most(dataset) {
        return put_not_whole(page, received, dataset);
    }
    for row in received.missing().filter(|row| row.dataset == dataset) {
        page.put_marked(0, "! ", Ink::Loud, &format!("{} {}", name(row), gap(row.outcome())));
    }
}

fn gap(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Rejected => "gave an answer that was rejected: not known what it holds here",
        Outcome::Withheld => "withholds items here",
        Outcome::AnsweredPartial => "gave only a part here",
        Outcome::Stale => "gave old data here",
        // Whatever else counts as missing is as good as silence.
        _ => "did not answer: not known what it holds here",
    }
}

/// Says of each heading that a reader acts on at once and that has no items what that means: silence is not "none".
pub(super) fn put_empty_headings(page: &mut Page<'_>, received: &Received) {
    let has_items = |dataset: i32| received.sections.iter().any(|s| s.dataset == dataset && !s.items.is_empty());
    let datasets = received.opened.iter().flat_map(|opened| opened.datasets.iter().copied());
    let not_held = |heading: &&Heading| heading.outcome() == HeadingOutcome::NotHeld;
    let kept_nowhere = |dataset: &i32| received.headings().iter().filter(not_held).any(|h| h.dataset == *dataset);
    let empty = datasets.filter(|d| matters_most(*d) && !has_items(*d));
    let (nowhere, empty): (Vec<i32>, Vec<i32>) = empty.partition(kept_nowhere);
    if empty.is_empty() && nowhere.is_empty() {
        return;
    }
    page.blank();
    page.heading(Ink::Strong, "Headings without any item, and why");
    for dataset in empty {
        let mark = format!("{}: ", words::heading(dataset));
        let rows: Vec<_> = received.rows().iter().filter(|row| row.dataset == dataset).collect();
        let unknown =
            rows.iter().any(|row| row.outcome() != Outcome::AnsweredNone && row.outcome() != Outcome::NotHeld);
        let ink = if unknown || rows.is_empty() { Ink::Warn } else { Ink::Plain };
        page.put_marked(0, &mark, ink, &meaning(rows));
    }
    let nowhere: Vec<String> = nowhere.into_iter().map(words::heading).collect();
    if !nowhere.is_empty() {
        page.put_marked(0, "Kept by no source: ", Ink::Plain, &nowhere.join(", "));
    }
}

/// Says of all other headings without items why they are empty, the gravest reason first.
pub(super) fn put_other_empty_headings(page: &mut Page<'_>, received: &Received) {
    let mut named = false;
    for (outcome, words) in words::EMPTY {
        let why = |heading: &Heading| match heading.outcome() {
            // A word of a newer contract, which tells this program nothing.
            HeadingOutcome::Unspecified => HeadingOutcome::NoAnswer,
            known => known,
        };
        let empty = received.headings().iter().filter(|h| why(h) == outcome && !matters_most(h.dataset));
        let names: Vec<String> = empty.map(|heading| words::heading(heading.dataset)).collect();
        if names.is_empty() {
            continue;
        }
        if !named {
            page.blank();
            page.heading(Ink::Strong, "Other headings without any item");
            named = true;
        }
        let known = matches!(outcome, HeadingOutcome::NothingRecorded | HeadingOutcome::NotHeld);
        let ink = if known { Ink::Plain } else { Ink::Warn };
        page.put_marked(0, &format!("{words}: "), ink, &names.join(", "));
    }
}

/// Says beneath any other heading that there may be more than is shown.
fn put_not_whole(page: &mut Page<'_>, received: &Received, dataset: i32) {
    if received.headings().iter().any(|heading| heading.dataset == dataset && !heading.whole) {
        page.put_marked(0, "! ", Ink::Warn, "Not every source answered whole here: there may be more.");
    }
}

/// Who says what, the gravest first.
fn meaning(mut rows: Vec<&LedgerRow>) -> String {
    rows.sort_by_key(|row| loudness(row.outcome()));
    let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in rows {
        let outcome = if row.outcome() == Outcome::Unspecified { Outcome::NoAnswer } else { row.outcome() };
        let words = words::outcome(outcome);
        match said.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(name(row)),
            None => said.push((words, vec![name(row)])),
        }
    }
    let said: Vec<String> = said.iter().map(|(words, names)| format!("{words}: {}", names.join(", "))).collect();
    if said.is_empty() { "nothing arrived; not known".into() } else { said.join("; ") }
}

/// Puts the whole ledger.
pub(super) fn put_ledger(page: &mut Page<'_>, received: &Received) {
    page.blank();
    page.heading(Ink::Strong, "What every source said");
    if received.ledger.is_none() {
        page.put(0, Ink::Loud, "The list of sources did not arrive: it is not known who answered and who did not.");
        return;
    }
    if received.rows().is_empty() {
        page.put(0, Ink::Plain, "No source in the federation is known to hold a record of this person.");
        return;
    }
    let datasets = received.opened.as_ref().map_or(0, |opened| opened.datasets.len());
    for notable in notable(received) {
        put_notable(page, &notable, datasets);
    }
    for source in by_source(received.rows()) {
        put_source(page, &source);
    }
}

/// Rows of one source with the same outcome for the same reasons.
struct Notable<'a> {
    loudness: u8,
    reasons: Vec<Reason>,
    rows: Vec<&'a LedgerRow>,
}

fn notable(received: &Received) -> Vec<Notable<'_>> {
    let mut all: Vec<Notable<'_>> = Vec::new();
    for row in received.missing() {
        let codes = |reasons: &[Reason]| reasons.iter().map(|reason| reason.code).collect::<Vec<_>>();
        let same = |found: &&mut Notable<'_>| {
            let first = found.rows[0];
            first.source_id == row.source_id
                && first.outcome == row.outcome
                && codes(&found.reasons) == codes(&row.reasons)
        };
        let before = all.iter_mut().find(same);
        let Some(found) = before else {
            all.push(Notable { loudness: loudness(row.outcome()), reasons: row.reasons.clone(), rows: vec![row] });
            continue;
        };
        found.rows.push(row);
        for (sum, reason) in found.reasons.iter_mut().zip(&row.reasons) {
            sum.count = sum.count.saturating_add(reason.count);
        }
    }
    all.sort_by_key(|found| found.loudness);
    all
}

fn loudness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NoAnswer | Outcome::Unspecified => 0,
        Outcome::Rejected => 1,
        Outcome::Withheld => 2,
        Outcome::AnsweredPartial => 3,
        Outcome::Stale => 4,
        Outcome::NotShared => 5,
        Outcome::NotAsked => 6,
        Outcome::Answered | Outcome::AnsweredNone => 7,
        Outcome::NotHeld => 8,
    }
}

fn put_notable(page: &mut Page<'_>, notable: &Notable<'_>, datasets: usize) {
    let row = notable.rows[0];
    let reasons = notable.reasons.iter().map(words::reason).collect::<Vec<_>>().join("; ");
    let why = if reasons.is_empty() { String::new() } else { format!(" ({reasons})") };
    let name = name(row);
    let headings = if notable.rows.len() == datasets { "everything".to_owned() } else { headings(&notable.rows) };
    let sum = |of: fn(&LedgerRow) -> u32| notable.rows.iter().map(|row| u64::from(of(row))).sum::<u64>();
    let (ink, text) = match row.outcome() {
        Outcome::NoAnswer | Outcome::Unspecified => (
            Ink::Loud,
            format!("{name} DID NOT ANSWER{why}. Do not assume there is nothing. Missing from it: {headings}."),
        ),
        Outcome::Rejected => (
            Ink::Loud,
            format!("{name}: ANSWER REJECTED{why}. Do not assume there is nothing. Missing from it: {headings}."),
        ),
        Outcome::Withheld => {
            let count =
                if sum(|r| r.withheld) == 0 { String::new() } else { format!("{} items ", sum(|r| r.withheld)) };
            (Ink::Warn, format!("{name}: {count}WITHHELD{why}. There is more than you see. Headings: {headings}."))
        }
        Outcome::Stale => {
            let as_of = notable.rows.iter().map(|row| row.as_of_ms).filter(|ms| *ms != 0).min().unwrap_or(0);
            let of = match show_moment(as_of, &page.style.zone) {
                when if when.is_empty() => "time not known".into(),
                when => format!("of {when}"),
            };
            (Ink::Warn, format!("{name}: OLD DATA, {of}{why}. Newer changes are missing. Headings: {headings}."))
        }
        _ => (Ink::Warn, format!("{name}: ONLY A PART came{why}. Headings: {headings}.")),
    };
    page.put_marked(0, "! ", ink, &text);
}

fn name(row: &LedgerRow) -> &str {
    if row.source_name.is_empty() { &row.source_id } else { &row.source_name }
}

fn headings(rows: &[&LedgerRow]) -> String {
    rows.iter().map(|row| words::heading(row.dataset)).collect::<Vec<_>>().join(", ")
}

/// The rows of each source, in the order in which sources first appear.
fn by_source(rows: &[LedgerRow]) -> Vec<Vec<&LedgerRow>> {
    let mut sources: Vec<Vec<&LedgerRow>> = Vec::new();
    for row in rows {
        match sources.iter_mut().find(|source| source[0].source_id == row.source_id) {
            Some(source) => source.push(row),
            None => sources.push(vec![row]),
        }
    }
    sources
}

fn put_source(page: &mut Page<'_>, rows: &[&LedgerRow]) {
    let first = rows[0];
    let kind = if first.source_kind.is_empty() { String::new() } else { format!(" ({})", first.source_kind) };
    let as_of = rows.iter().map(|row| row.as_of_ms).max().unwrap_or(0);
    let of = match show_moment(as_of, &page.style.zone) {
        when if when.is_empty() => String::new(),
        when => format!(", data of {when}"),
    };
    page.put(0, Ink::Strong, &format!("{}{kind}{of}", name(first)));
    let with = |outcome: Outcome| rows.iter().copied().filter(move |row| row.outcome() == outcome).collect::<Vec<_>>();
    let seen = |row: &LedgerRow| row.shown > 0 || row.grouped > 0 || row.outcome() == Outcome::AnsweredPartial;
    let counted: Vec<_> = rows.iter().filter(|row| seen(row)).map(|row| counted(row)).collect();
    let no_answer = [with(Outcome::NoAnswer), with(Outcome::Unspecified)].concat();
    let may_be_opened = |row: &&LedgerRow| row.reasons.iter().any(|r| r.code() == ReasonCode::MayBeOpened);
    let (opens, closed): (Vec<_>, Vec<_>) = with(Outcome::Withheld).into_iter().partition(may_be_opened);
    let told =
        |of: &[&LedgerRow]| if of.len() == rows.len() { "everything that was asked".into() } else { headings(of) };
    for (words, text) in [
        ("DID NOT ANSWER", told(&no_answer)),
        ("answer rejected", told(&with(Outcome::Rejected))),
        ("answered", counted.join(", ")),
        ("withheld", headings(&closed)),
        ("withheld, may be opened with a reason", headings(&opens)),
        ("nothing recorded", headings(&with(Outcome::AnsweredNone))),
        ("not kept there", headings(&with(Outcome::NotHeld))),
    ] {
        if !text.is_empty() {
            page.put_marked(2, &format!("{words}: "), Ink::Plain, &text);
        }
    }
    put_by_reason(page, "not shared, may exist there", &with(Outcome::NotShared));
    put_by_reason(page, "not asked", &with(Outcome::NotAsked));
}

fn counted(row: &LedgerRow) -> String {
    let heading = words::heading(row.dataset);
    let seen = u64::from(row.shown) + u64::from(row.grouped);
    let hint = match row.outcome() {
        Outcome::AnsweredPartial => " (a part)",
        Outcome::Stale => " (old)",
        Outcome::Withheld => " (some withheld)",
        _ => "",
    };
    format!("{heading} {seen}{hint}")
}

/// One line for each decisive reason.
fn put_by_reason(page: &mut Page<'_>, words: &str, rows: &[&LedgerRow]) {
    let code = |row: &LedgerRow| row.reasons.first().map_or(ReasonCode::Unspecified as i32, |reason| reason.code);
    let mut codes: Vec<i32> = rows.iter().map(|row| code(row)).collect();
    codes.sort_unstable();
    codes.dedup();
    for wanted in codes {
        let of_code: Vec<_> = rows.iter().copied().filter(|row| code(row) == wanted).collect();
        let why = words::reason(&Reason { code: wanted, count: 0 });
        page.put_marked(2, &format!("{words} ({why}): "), Ink::Plain, &headings(&of_code));
    }
}
