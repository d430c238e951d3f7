//! What the demo says: progress to standard error, results to standard output.

use crate::{
    ask::Outcome,
    organisations::{ORGANISATIONS, organisation},
    population::ROSALIND,
    settings::{Layout, PRIVACY_OFFICER, STEWARD},
    truth::{self, Scenario},
    world::World,
};
use serde_json::json;
use severn_cli::{Colour, Style, record_json, render_record};
use severn_client::Answer;
use severn_proto::v1::{Dataset, SourceState};
use std::io::{self, IsTerminal as _, Write as _};
use tokio::time::Instant;

/// Says how far the demo is, and since when.
pub struct Progress(Instant);

impl Progress {
    /// Begins to count the seconds.
    pub fn begin() -> Progress {
        Progress(Instant::now())
    }

    /// Says what is done.
    pub fn say(&self, what: &str) {
        complain(&format!("{:5.1} s  {what}", self.0.elapsed().as_secs_f64()));
    }

    /// Says that a source's feed is complete.
    pub fn feed(&self, source: &SourceState) {
        self.say(&format!("  feed of {}: {} people", source.name, source.registrations));
    }
}

/// Writes a line to standard error. A reader that has gone is no fault.
pub fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Writes text to standard output. A reader that has gone is no fault.
pub fn say(text: &str) {
    drop(writeln!(io::stdout(), "{}", text.trim_end()));
}

/// One line about the people.
pub fn population(world: &World, seed: u64) -> String {
    let records: usize = world.holdings.iter().map(|holding| holding.records.len()).sum();
    let facts: usize = world.holdings.iter().flat_map(|h| &h.records).map(|record| record.facts.len()).sum();
    format!(
        "seed {seed}: {} people who do not exist in {} households, {records} registrations, {facts} facts",
        world.population.people.len(),
        world.population.households.len()
    )
}

/// One line about the two sources that fail on purpose.
pub fn broken() -> String {
    format!("on purpose: {} is stopped, {} answers too late", name(truth::STOPPED), name(truth::SLOW))
}

fn name(ods: &str) -> &str {
    organisation(ods).map_or(ods, |organisation| organisation.name)
}

/// One line about an outcome.
pub fn verdict(outcome: &Outcome) -> String {
    let shown = outcome.findings.iter().filter(|(_, shown)| *shown).count();
    let sealed = match &outcome.answer {
        None => "person NOT FOUND",
        Some(answer) if answer.flaw().is_some() => "record INCOMPLETE",
        Some(_) => "record sealed",
    };
    format!("{sealed}, {shown} of {} planted findings shown", outcome.findings.len())
}

/// A scenario's record as a terminal shows it, and what was planted in it.
pub fn record(scenario: &Scenario, world: &World, outcome: &Outcome) -> String {
    let person = scenario.of(world);
    let mut text =
        format!("\n\nSCENARIO {}: {} {}, {}\n\n", scenario.name, person.given, person.family, scenario.title);
    match &outcome.answer {
        Some(answer) => text.push_str(&render_record(answer, &style())),
        None => text.push_str("The person was not found as one person.\n"),
    }
    text.push_str("\nPlanted in this record:\n");
    for (finding, shown) in &outcome.findings {
        text.push_str(&format!("  {} {finding}\n", if *shown { "[shown]    " } else { "[NOT SHOWN]" }));
    }
    text
}

fn style() -> Style {
    let colour = if io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
    Style { colour, zone: jiff::tz::TimeZone::system(), ..Style::default() }
}

/// Everything as one JSON document.
pub fn document(
    seed: u64,
    layout: &Layout,
    scenarios: &[Scenario],
    outcomes: &[Outcome],
    progress: &Progress,
) -> String {
    let of_one = |(scenario, outcome): (&Scenario, &Outcome)| {
        let finding = |(text, shown): &(String, bool)| json!({ "finding": text, "shown": shown });
        json!({
            "name": scenario.name,
            "title": scenario.title,
            "findings": outcome.findings.iter().map(finding).collect::<Vec<_>>(),
            "record": outcome.answer.as_ref().map(record_json),
        })
    };
    let source = |o: &crate::organisations::Organisation| {
        let state = match o.ods {
            truth::STOPPED => "stopped on purpose",
            truth::SLOW => "slow on purpose",
            _ => "running",
        };
        json!({ "ods": o.ods, "name": o.name, "kind": o.kind, "state": state })
    };
    let document = json!({
        "seed": seed,
        "folder": layout.folder(),
        "seconds": progress.0.elapsed().as_secs_f64(),
        "sources": ORGANISATIONS.iter().map(source).collect::<Vec<_>>(),
        "all_findings_shown": outcomes.iter().flat_map(|o| &o.findings).all(|(_, shown)| *shown),
        "scenarios": scenarios.iter().zip(outcomes).map(of_one).collect::<Vec<_>>(),
    });
    format!("{document:#}")
}

/// The commands to try next, and where everything lies. `answer` is the record of the person they are about.
///
/// # Errors
/// If this program's own path is not known.
pub fn what_next(layout: &Layout, world: &World, answer: Option<&Answer>) -> io::Result<String> {
    let program = std::env::current_exe()?.display().to_string();
    let person = &world.population.people[ROSALIND];
    let who = format!("--nhs {} --born {}", person.nhs_number, person.birth_date);
    let severn = format!("{program} severn --config {}", layout.app().display());
    let broker = layout.broker().display().to_string();
    let council = layout.adapter(crate::organisations::BIRMINGHAM).display().to_string();
    let back =
        answer.and_then(|answer| back_to_the_owner(layout, answer, (&program, &severn, &who))).unwrap_or_default();
    let local_id = world.record(crate::organisations::BIRMINGHAM, ROSALIND).map_or("", |record| &record.local_id);
    Ok(format!(
        "
The federation stays up until Ctrl-C. Things to try in another terminal:

  who is known, and where           {severn} find {who}
  her record again                  {severn} record {who}
  the same in an emergency, which
  opens what was withheld           {severn} --purpose emergency record {who}
  signs in anew, in a browser       {severn} login
  breaks the glass, with a reason,
  within two minutes of a sign-in   {severn} break-glass {who} --code emergency_treatment --reason 'found in the street'
  the sources and their feeds       {severn} sources
  who looked at her record          {severn} --role {PRIVACY_OFFICER} --purpose audit report {who}
  the same, safe to keep            {severn} --role {PRIVACY_OFFICER} --purpose audit report --safe {who}
  who looks where they should not   {severn} --role {PRIVACY_OFFICER} --purpose audit patterns
  what the council's officers hear  {program} adapter --config {council} notices
  pairs that a human should decide  {severn} --role {STEWARD} review
  is the audit trail whole?         {program} broker audit verify --config {broker}
  what the council would release    {program} adapter --config {council} preview {local_id}
{back}
Files: {folder}
  severn.toml, gateway.toml, broker/, sources/<ODS code>/ with each source's data and adapter.toml, keys/, logs/
",
        folder = layout.folder().display(),
    ))
}

/// How to tell a source that an allergy in `answer` is wrong, and how its owner reads and answers it.
fn back_to_the_owner(layout: &Layout, answer: &Answer, said: (&str, &str, &str)) -> Option<String> {
    let (program, severn, who) = said;
    let received = answer.received();
    let person = &received.opened.as_ref()?.enterprise_id;
    let allergies = received.sections.iter().find(|section| section.dataset() == Dataset::Allergies)?;
    let contribution = allergies.items.first()?.contributions.first()?;
    let (source, entry) = (&contribution.source_id, &contribution.entry.as_ref()?.head.as_ref()?.entry_id);
    let adapter = layout.adapter(source).display().to_string();
    let first = format!("tell {source} that this is wrong");
    Some(format!(
        "  {first:<34}{severn} challenge {person} {source} allergies {entry} --wrong --note 'Not so.' {who}
  what its owner answers            {severn} challenges
  what the owner reads              {program} adapter --config {adapter} challenges
"
    ))
}
