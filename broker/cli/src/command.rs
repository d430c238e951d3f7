//! What each command does: asks, and says what came of it. Nothing here writes to the terminal.

use crate::{
    args::{Cli, Command, DocumentArgs, RecordArgs},
    challenge, governance, json, oversight,
    person::{PersonArgs, meant},
    said::{Exit, Failure, Said},
    show::{self, Style},
    steward, undo,
};
use anyhow::{Context as _, anyhow};
use severn_client::{Client, Document, Found};
use severn_proto::v1::{Dataset, Demographics};
use severn_trust::{Commitments, PersonKeys, SystemEntropy, dataset_from_word};
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

/// Carries out the command.
pub(crate) async fn perform(cli: &Cli, client: &Client, style: &Style) -> Result<Said, Failure> {
    match &cli.command {
        Command::Login(_) | Command::Logout => Err(Failure::Usage("signing in asks no broker".into())),
        Command::Find(args) => find(cli, client, style, args).await,
        Command::Record(args) => record(cli, client, style, args).await,
        Command::Sources => {
            let sources = client.list_sources().await?;
            let view = json::sources(&sources);
            Ok(Said::either(cli, Exit::Done, &view, || show::render_sources(&sources, style)))
        }
        Command::Document(args) => document(cli, client, args).await,
        Command::Challenge(args) => challenge::challenge(cli, client, style, args).await,
        Command::Challenges(args) => challenge::challenges(cli, client, style, args).await,
        Command::Report(args) => oversight::report(cli, client, style, args).await,
        Command::Patterns(args) => oversight::patterns(cli, client, style, args).await,
        Command::Directive(command) => governance::directive(cli, client, style, command).await,
        Command::Claim(args) => governance::claim(cli, client, style, args).await,
        Command::BreakGlass(args) => governance::break_glass(cli, client, style, args).await,
        Command::Queue(args) => governance::queue(cli, client, style, args).await,
        Command::Review(args) => steward::review(cli, client, style, args).await,
        Command::Link(args) => steward::link(cli, client, args).await,
        Command::Unlink(args) => steward::unlink(cli, client, args).await,
        Command::Different(args) => steward::different(cli, client, args).await,
        Command::Later(args) => steward::later(cli, client, style, args).await,
        Command::Decisions(args) => undo::decisions(cli, client, style, args).await,
        Command::Undo(args) => undo::undo(cli, client, style, args).await,
        Command::Quality(args) => steward::quality(cli, client, style, args).await,
        Command::History(args) => steward::history(cli, client, style, args).await,
    }
}

async fn find(cli: &Cli, client: &Client, style: &Style, args: &PersonArgs) -> Result<Said, Failure> {
    let found = client.find(args.search().map_err(Failure::Usage)?).await?;
    Ok(say_found(cli, style, &found))
}

pub(crate) fn say_found(cli: &Cli, style: &Style, found: &Found) -> Said {
    let exit = if matches!(found, Found::One(_)) { Exit::Done } else { Exit::NotOne };
    Said::either(cli, exit, &json::found(found), || show::render_candidates(found, style))
}

/// Who a command is about: one person, or what to say instead.
pub(crate) enum Target {
    Person(String, Box<Demographics>),
    NotOne(Found),
}

/// The person named by id and options, or the one person that the options find. Possible persons are never chosen from.
pub(crate) async fn target(
    client: &Client,
    enterprise_id: Option<&String>,
    args: &PersonArgs,
) -> Result<Target, Failure> {
    if let Some(id) = enterprise_id {
        let person = args.demographics().map_err(Failure::Usage)?;
        return Ok(Target::Person(id.clone(), Box::new(person)));
    }
    let candidate = match client.find(args.search().map_err(Failure::Usage)?).await? {
        Found::One(candidate) => candidate,
        other => return Ok(Target::NotOne(other)),
    };
    let golden = candidate.golden.unwrap_or_default();
    let typed = args.said().map_err(Failure::Usage)?;
    let typed_keys = Commitments::new(&PersonKeys::of(&typed), &SystemEntropy::default());
    // The broker's word is not enough: whoever it found must be the person that was typed.
    if !typed_keys.is_empty() && !typed_keys.agrees_with(&PersonKeys::of(&golden)) {
        let message = "the broker found a person whose details are not the ones given; nothing is shown. Check number, \
                       name and birth date";
        return Err(anyhow!(message).into());
    }
    Ok(Target::Person(candidate.enterprise_id, Box::new(meant(&typed, &golden))))
}

async fn record(cli: &Cli, client: &Client, style: &Style, args: &RecordArgs) -> Result<Said, Failure> {
    let datasets = read_datasets(&args.datasets)?;
    let (id, person) = match target(client, args.enterprise_id.as_ref(), &args.person).await? {
        Target::Person(id, person) => (id, person),
        Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
    };
    let deadline = Duration::from_millis(args.deadline_ms.into());
    let client = args.opening.map_or_else(|| client.clone(), |id| client.clone().opening(id));
    let answer = client.retrieve(&id, &person, &datasets, deadline).await?;
    let style = &Style { ids: args.ids, ..style.clone() };
    let exit = if answer.flaw().is_none() { Exit::Done } else { Exit::Incomplete };
    Ok(Said::either(cli, exit, &json::record_json(&answer), || show::render_record(&answer, style)))
}

fn read_datasets(words: &[String]) -> Result<Vec<Dataset>, Failure> {
    let mut datasets = Vec::new();
    for word in words {
        let dataset = dataset_from_word(word.trim()).ok_or_else(|| {
            let all = severn_trust::ALL_DATASETS.map(severn_trust::dataset_word).join(", ");
            Failure::Usage(format!("--datasets: {word:?} is no dataset; there are {all}"))
        })?;
        if !datasets.contains(&dataset) {
            datasets.push(dataset);
        }
    }
    Ok(datasets)
}

async fn document(cli: &Cli, client: &Client, args: &DocumentArgs) -> Result<Said, Failure> {
    let person = args.person.demographics().map_err(Failure::Usage)?;
    if args.out.exists() {
        return Err(Failure::Usage("--out: that file exists and is not overwritten; name another".into()));
    }
    let document = client.fetch_document(&args.enterprise_id, &person, &args.holder, &args.entry_id).await?;
    write_new(&args.out, &document).with_context(|| format!("cannot write {}", args.out.display()))?;
    let view = serde_json::json!({
        "file": args.out.display().to_string(),
        "media_type": document.media_type,
        "title": document.title,
        "size": document.bytes.len(),
    });
    Ok(Said::either(cli, Exit::Done, &view, || show::render_document(&document, &args.out)))
}

/// Writes a new file that only its owner can read.
fn write_new(path: &Path, document: &Document) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)?.write_all(&document.bytes)
}
