//! Prints what would be released about one person, for the owner's own eyes.

use crate::{arguments::PreviewArguments, config::Config, kind::open_source, run};
use anyhow::{Context as _, bail};
use severn_adapter_sdk::{
    Answer,
    preview::{Preview, Previewer},
};
use severn_policy::{Asker, Relationship};
use severn_proto::v1::{EntryHead, EntryStatus, Outcome, Reason};
use severn_trust::{Clock, SystemClock, dataset_word, purpose_from_word};
use std::{io::Write, sync::Arc};

/// Reads one person as for the role and purpose in `asked` and prints it.
///
/// # Errors
/// If the source cannot be opened, the purpose or role is unknown, or `out` cannot be written.
pub(crate) async fn preview(config: Config, asked: &PreviewArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let policy = run::policy_tried(&config, clock.now_s())?;
    let first = policy.roles().iter().flat_map(|role| &role.codes).next().cloned();
    let role_code = asked.role.clone().or(first).context("policy.roles: there is none; name one or give --role")?;
    let Some(role) = policy.role_name(&role_code).map(str::to_owned) else {
        bail!("--role: {role_code:?} is no code of a role in [policy], so nothing would be released");
    };
    let purpose = purpose_from_word(&asked.purpose)
        .with_context(|| format!("--purpose: {:?} is none; direct_care, emergency ...", asked.purpose))?;
    let source = open_source(&config, Arc::clone(&clock))?;
    let datasets = source.datasets();
    let previewer = Previewer { source, policy, limits: config.limits, clock };
    // As for the owner's own staff: what a policy gives to those alone is shown, too.
    let asker = Asker { relationship: Relationship::OWN, ..Asker::new(&role_code, purpose) };
    let found = previewer.preview(&asked.local_id, &asker, &datasets).await;
    writeln!(out, "{} · {}", config.source.name, config.source.id)?;
    writeln!(out, "what {role} ({role_code}) is shown for {}\n", asked.purpose)?;
    print(&found, out)
}

fn print(found: &Preview, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(registration) = &found.registration else {
        writeln!(out, "The source does not know this local id, or could not be read.")?;
        return Ok(());
    };
    if let Some(person) = &registration.demographics {
        let name = person.names.first().cloned().unwrap_or_default();
        let number = if person.nhs_number.is_empty() { "none" } else { &person.nhs_number };
        writeln!(out, "{} {}, born {}, NHS number {number}\n", name.given.join(" "), name.family, person.birth_date)?;
    }
    for answer in &found.answers {
        print_answer(answer, out)?;
    }
    Ok(())
}

fn print_answer(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    let said = said(answer.outcome.outcome(), answer.outcome.entries);
    let reasons: Vec<String> = answer.outcome.reasons.iter().map(reason).collect();
    let why = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    writeln!(out, "{:<24} {said}{why}", dataset_word(answer.dataset))?;
    for head in answer.entries.iter().filter_map(|entry| entry.head.as_ref()) {
        writeln!(out, "    {}", line(head))?;
    }
    Ok(())
}

fn said(outcome: Outcome, entries: u32) -> String {
    match outcome {
        Outcome::Answered => format!("{entries} released"),
        Outcome::AnsweredNone => "nothing recorded".into(),
        Outcome::AnsweredPartial => format!("{entries} released, not all"),
        Outcome::Stale => format!("{entries} released, from old data"),
        Outcome::Withheld => format!("{entries} released, others withheld"),
        Outcome::NotShared => "not shared".into(),
        Outcome::NotHeld => "not kept here".into(),
        Outcome::NoAnswer => "could not be read".into(),
        Outcome::Unspecified | Outcome::NotAsked | Outcome::Rejected => "unknown".into(),
    }
}

fn reason(reason: &Reason) -> String {
    let name = reason.code().as_str_name();
    let word = name.strip_prefix("REASON_CODE_").unwrap_or(name).to_ascii_lowercase();
    if reason.count == 0 { word } else { format!("{word} {}", reason.count) }
}

/// Characters that turn the direction of text, by which one thing can look like another.
const BIDI: [char; 9] =
    ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];

fn line(head: &EntryHead) -> String {
    let coded = head.codings.first();
    let text = if head.text.is_empty() { coded.map_or("", |coding| coding.display.as_str()) } else { &head.text };
    let code = coded.filter(|c| !c.code.is_empty()).map(|c| format!(" [{}]", c.code)).unwrap_or_default();
    let date = if head.effective_start.is_empty() { &head.recorded } else { &head.effective_start };
    let state = match head.status() {
        EntryStatus::Unspecified => "status not recognised",
        EntryStatus::Active => "active",
        EntryStatus::Ended => "ended",
        EntryStatus::Planned => "planned",
        EntryStatus::Suspended => "on hold",
        EntryStatus::Preliminary => "preliminary",
        EntryStatus::EnteredInError => "ENTERED IN ERROR",
        EntryStatus::Cancelled => "cancelled",
    };
    plain(&format!("{text}{code} · {state} · {date} · id {}", head.entry_id))
}

/// Text as it may be shown: what others wrote must not steer the terminal it is shown on.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || BIDI.contains(&c) { ' ' } else { c }).collect()
}
