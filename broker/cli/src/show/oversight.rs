//! What privacy officers look into, in words: patterns in the trail, and who looked at a person's record.

use super::{
    lists::moment_or,
    page::{Ink, Page, Style},
    words,
};
use severn_proto::v1::{
    Access, AccessPart, AccessReportResponse, FindPatternsResponse, PatternFinding, PatternRule, Reason, ReasonCode,
};
use std::collections::BTreeMap;

/// Names of persons in one line; JSON has all.
const PERSONS_SHOWN: usize = 5;

/// What to ask about, the gravest first.
pub(crate) fn render_patterns(found: &FindPatternsResponse, style: &Style) -> String {
    let mut page = Page::new(style);
    for finding in &found.findings {
        put_finding(&mut page, finding);
    }
    let (since, until) = (moment_or(found.since_ms, style, "the beginning"), moment_or(found.until_ms, style, "now"));
    let findings = found.findings.len();
    page.put(0, Ink::Plain, &format!("{findings} findings in {} events from {since} until {until}", found.events));
    if found.more > 0 {
        page.put(0, Ink::Loud, &format!("There are {} more; ask for a shorter time with --since.", found.more));
    }
    if found.left_out > 0 {
        let left_out =
            format!("{} events were LEFT OUT, too many for one look: ask for a shorter time.", found.left_out);
        page.put(0, Ink::Loud, &left_out);
    }
    page.put(
        0,
        Ink::Quiet,
        "Each is a question to ask and no verdict: namesakes, and a patient's whole ward, look the same.",
    );
    let unknown =
        "Not looked for, since the trail does not say it: where staff live, who is related to whom, who was on duty.";
    page.put(0, Ink::Quiet, unknown);
    page.finish()
}

fn put_finding(page: &mut Page<'_>, finding: &PatternFinding) {
    let when = moment_or(finding.from_ms, page.style, "time not known");
    let who = match finding.user.as_str() {
        "" => format!("users of {}", finding.organisation_ods),
        user => format!("{user} of {}", finding.organisation_ods),
    };
    page.put(0, Ink::Strong, &format!("{}: {who}, {when}", rule(finding.rule())));
    page.put(4, Ink::Plain, &finding.words);
    if !finding.enterprise_ids.is_empty() {
        let shown: Vec<&str> = finding.enterprise_ids.iter().take(PERSONS_SHOWN).map(String::as_str).collect();
        let more = match finding.enterprise_ids.len().saturating_sub(PERSONS_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        page.put(4, Ink::Quiet, &format!("about {}{more}", shown.join(", ")));
    }
}

fn rule(rule: PatternRule) -> &'static str {
    match rule {
        PatternRule::Unspecified => "A PATTERN THAT THIS PROGRAM DOES NOT KNOW",
        PatternRule::Enumeration => "VERY MANY PEOPLE AT ONCE",
        PatternRule::Crowd => "MANY USERS, ONE PERSON",
        PatternRule::Colleague => "A COLLEAGUE'S NAME",
        PatternRule::OwnName => "THEIR OWN NAME",
        PatternRule::SameFamilyName => "THEIR OWN FAMILY NAME",
        PatternRule::AfterDeath => "AFTER DEATH",
        PatternRule::AfterLeaving => "AFTER THE END OF CARE",
        PatternRule::Overrides => "MUCH BROKEN GLASS",
        PatternRule::NoRelationship => "MANY WITHOUT A KNOWN RELATIONSHIP",
    }
}

/// Who looked at a record, newest first, in words for the person whose it is.
pub(crate) fn render_report(report: &AccessReportResponse, style: &Style) -> String {
    let mut page = Page::new(style);
    for access in &report.accesses {
        put_access(&mut page, access, !report.left_out.is_empty());
    }
    page.put(0, Ink::Plain, &format!("{} accesses", report.accesses.len()));
    if report.truncated {
        page.put(0, Ink::Loud, "There are older ones, which are not in this report.");
    }
    if !report.left_out.is_empty() {
        page.put(0, Ink::Strong, "This report leaves out on purpose, so that it is safe to keep:");
        for left_out in &report.left_out {
            page.put(4, Ink::Plain, left_out);
        }
    }
    page.finish()
}

fn put_access(page: &mut Page<'_>, access: &Access, is_safe: bool) {
    let when = match is_safe {
        true => moment_or(access.at_ms, page.style, "time not known").chars().take("22-Nov-2026".len()).collect(),
        false => moment_or(access.at_ms, page.style, "time not known"),
    };
    let line =
        format!("{when}  {} {}, for {}", who(access), words::action(&access.action), words::purpose(access.purpose));
    page.put(0, Ink::Strong, &line);
    if access.glass_broken {
        page.put(4, Ink::Warn, "with BROKEN GLASS: to see what is otherwise kept back");
    }
    if !access.reason.is_empty() {
        page.put(4, Ink::Plain, &format!("why: {}", access.reason));
    }
    if access.action == "retrieve" {
        page.put(4, Ink::Plain, relationship(&access.relationship));
        put_parts(page, access);
    } else if access.shown > 0 {
        let sources =
            if access.sources.is_empty() { String::new() } else { format!(" of {}", access.sources.join(", ")) };
        page.put(4, Ink::Plain, &format!("{} entries{sources} shown", access.shown));
    }
    if !access.query_id.is_empty() {
        page.put(4, Ink::Quiet, &format!("query {}", access.query_id));
    }
}

/// "Dr Ada Example (u-1), clinician, of Royal Infirmary (RRK)".
fn who(access: &Access) -> String {
    let user = if access.user.is_empty() { "Somebody" } else { &access.user };
    let role = match (access.role_name.as_str(), access.role.as_str()) {
        ("", "") => String::new(),
        ("", code) => format!(", role {code},"),
        (name, _) => format!(", {name},"),
    };
    let of = match (access.organisation_name.as_str(), access.organisation_ods.as_str()) {
        ("", "") => "an organisation that is not known".into(),
        ("", ods) => format!("the organisation {ods}"),
        (name, "") => name.to_owned(),
        (name, ods) => format!("{name} ({ods})"),
    };
    format!("{user}{role} of {of}")
}

fn relationship(word: &str) -> &'static str {
    match word {
        "registered" => "the person was registered with the organisation",
        "admitted" => "the person was admitted there",
        "referred" => "the person was referred there",
        "caseload" => "the person was on a caseload there",
        "self_claimed" => "the user said that the organisation cared for the person; a privacy officer reviews that",
        "" => "nothing was known that joined the person to the organisation",
        _ => "a relationship that this program does not know",
    }
}

fn put_parts(page: &mut Page<'_>, access: &Access) {
    let shown =
        |part: &AccessPart| (part.shown > 0).then(|| format!("{} ({})", words::heading(part.dataset), part.shown));
    let shown = by_source(&access.parts, shown);
    for (from, parts) in &shown {
        page.put(4, Ink::Plain, &format!("shown{from}: {parts}"));
    }
    match (shown.is_empty(), access.shown) {
        (true, 0) => page.put(4, Ink::Plain, "nothing was shown"),
        (true, entries) => page.put(4, Ink::Plain, &format!("{entries} entries were shown")),
        (false, _) => {}
    }
    let kept = by_source(&access.parts, |part| part.kept_back.then(|| kept_back(part)));
    for (from, parts) in &kept {
        page.put(4, Ink::Plain, &format!("kept back{from}: {parts}"));
    }
    if kept.is_empty() && access.withheld > 0 {
        page.put(4, Ink::Plain, &format!("{} entries were kept back", access.withheld));
    }
}

/// What is said of each part, in one line for each source: " from Tower Hill Partnership", "Allergies (1), Problems (2)".
fn by_source(parts: &[AccessPart], say: impl Fn(&AccessPart) -> Option<String>) -> BTreeMap<String, String> {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for (from, words) in parts.iter().filter_map(|part| Some((from(part), say(part)?))) {
        let line = said.entry(from).or_default();
        let comma = if line.is_empty() { "" } else { ", " };
        line.push_str(&format!("{comma}{words}"));
    }
    said
}

/// "Risks (at the person's wish)".
fn kept_back(part: &AccessPart) -> String {
    let heading = words::heading(part.dataset);
    match part.why() {
        ReasonCode::Unspecified => heading,
        ReasonCode::Label => format!("{heading} (too sensitive for the user's role)"),
        code => format!("{heading} ({})", words::reason(&Reason { code: code.into(), count: 0 })),
    }
}

fn from(part: &AccessPart) -> String {
    match (part.source_name.as_str(), part.source_id.as_str()) {
        ("", "") => String::new(),
        ("", id) => format!(" from {id}"),
        (name, _) => format!(" from {name}"),
    }
}
