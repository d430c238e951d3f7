//! The demo from beginning to end: generate, write, start, wait, break two sources, ask, show, stay up, stop.

use crate::{
    ask::{self, Outcome},
    organisations::ORGANISATIONS,
    population::ROSALIND,
    processes::{Process, free_addresses, stop_all},
    report::{self, Progress},
    roles,
    settings::{self, Addresses, Layout, USER},
    sources, truth, world,
};
use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use std::{fs, path::PathBuf, process::ExitCode};
use tempfile::TempDir;
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

/// Milliseconds the slow source thinks before it reads: longer than any deadline.
const SLOW_MS: &str = "12000";

/// Shows a federation of 13 made-up sources, all running as processes of their own.
///
/// Also runs as the broker, an adapter or the command line: `demo broker …`, `demo adapter …`, `demo severn …` take the
/// same arguments as `severn-broker`, `severn-adapter` and `severn`.
#[derive(Debug, Parser)]
#[command(name = "demo", version)]
struct Arguments {
    /// Stop and tidy up once the records are shown
    #[arg(long)]
    once: bool,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
    /// Where to put everything; must be empty or new, and is kept. A temporary folder if left out
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Seed of the made-up people
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many people to make up
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    people: u32,
}

/// Runs the demo with this process's arguments. 0 if every planted finding is shown, 1 if not or if something failed,
/// 130 if it was interrupted before the end.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    runtime.block_on(async {
        tokio::select! {
            // The demo is asked first: a signal while it only stays up is its ordinary end.
            biased;
            shown = show(&arguments) => match shown {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => failed(&error),
            },
            // The processes are owned by the future that is dropped here, and stop with it.
            _ = interrupted() => ExitCode::from(130),
        }
    })
}

fn failed(error: &anyhow::Error) -> ExitCode {
    report::complain(&format!("demo: {error:#}"));
    ExitCode::FAILURE
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => (),
        _ = hang_up.recv() => (),
    }
    Ok(())
}

/// The whole demo; whether every planted finding was shown.
async fn show(arguments: &Arguments) -> anyhow::Result<bool> {
    let progress = Progress::begin();
    let place = Place::choose(arguments)?;
    let layout = &place.layout;
    let world = world::build(arguments.seed, arguments.people as usize);
    progress.say(&report::population(&world, arguments.seed));
    sources::write_all(&world, &layout.sources()).await?;
    progress.say("13 sources are written: SQLite databases, FHIR R4 bundles, CSV extracts");
    let mut all = free_addresses(ORGANISATIONS.len() + 2)?;
    let addresses = Addresses { broker: all.remove(0), gateway: all.remove(0), adapters: all };
    settings::write(layout, &addresses)?;
    progress.say("a certificate authority was made, and a certificate and keys for every party");

    let mut processes = start(layout, &addresses).await?;
    progress
        .say("the broker, a gateway for signing in and 13 adapters run as processes of their own, over mutual TLS 1.3");
    let client = ask::client(layout, addresses.broker)?;
    ask::wait_for_feeds(&client, &world, |source| progress.feed(source)).await?;
    progress.say("every feed is complete: the broker knows who is known where, and nothing else");
    processes.retain(|process| process.name != truth::STOPPED);
    progress.say(&report::broken());

    let scenarios = truth::scenarios();
    let cast = ask::find_cast(&client, &world).await?;
    let mut outcomes = Vec::new();
    for scenario in &scenarios {
        let outcome = ask::ask(&client, scenario, &cast).await?;
        progress.say(&format!("{}: {}", scenario.name, report::verdict(&outcome)));
        if !arguments.json {
            report::say(&report::record(scenario, &world, &outcome));
        }
        outcomes.push(outcome);
    }
    if arguments.json {
        report::say(&report::document(arguments.seed, layout, &scenarios, &outcomes, &progress));
    }
    for process in &mut processes {
        process.alive()?;
    }
    if !arguments.once {
        sign_in(layout).await?;
        let hers = scenarios.iter().zip(&outcomes).find(|(scenario, _)| scenario.person == ROSALIND);
        let answer = hers.and_then(|(_, outcome)| outcome.answer.as_ref());
        report::complain(&report::what_next(layout, &world, answer)?);
        interrupted().await?;
    }
    stop_all(processes);
    progress.say(&place.left_behind());
    Ok(outcomes.iter().all(all_shown))
}

/// Signs the command line in, so that what is printed to try next works at once.
async fn sign_in(layout: &Layout) -> anyhow::Result<()> {
    let config = layout.app().display().to_string();
    let arguments = [roles::SEVERN, "--config", &config, "login", "--as", USER];
    let signed_in = Command::new(std::env::current_exe()?).args(arguments).output().await?;
    ensure!(signed_in.status.success(), "nobody can sign in: {}", String::from_utf8_lossy(&signed_in.stderr).trim());
    Ok(())
}

fn all_shown(outcome: &Outcome) -> bool {
    outcome.findings.iter().all(|(_, shown)| *shown)
}

/// Where everything lies. A temporary folder is removed when this is dropped.
struct Place {
    layout: Layout,
    temporary: Option<TempDir>,
}

impl Place {
    fn choose(arguments: &Arguments) -> anyhow::Result<Place> {
        let Some(folder) = &arguments.folder else {
            let temporary = tempfile::Builder::new().prefix("severn-demo-").tempdir()?;
            return Ok(Place { layout: Layout::new(temporary.path().canonicalize()?), temporary: Some(temporary) });
        };
        fs::create_dir_all(folder).with_context(|| format!("--folder: cannot make {}", folder.display()))?;
        if fs::read_dir(folder)?.next().is_some() {
            bail!("--folder: {} is not empty; name another, or empty it", folder.display());
        }
        Ok(Place { layout: Layout::new(folder.canonicalize()?), temporary: None })
    }

    fn left_behind(&self) -> String {
        match self.temporary {
            Some(_) => "all processes are stopped and all files are removed".to_owned(),
            None => format!("all processes are stopped; the files are in {}", self.layout.folder().display()),
        }
    }
}

/// Starts the broker, then the adapters, and waits until all listen.
async fn start(layout: &Layout, addresses: &Addresses) -> anyhow::Result<Vec<Process>> {
    let config = layout.broker().display().to_string();
    let arguments = [roles::CHILD, roles::BROKER, "serve", "--config", &config];
    let mut broker = Process::start("broker", &arguments, addresses.broker, &layout.log("broker"))?;
    broker.ready().await?;
    let config = layout.gateway().display().to_string();
    let arguments = [roles::CHILD, roles::GATEWAY, "--config", &config];
    let gateway = Process::start("gateway", &arguments, addresses.gateway, &layout.log("gateway"))?;
    let mut processes = vec![broker, gateway];
    for (organisation, address) in ORGANISATIONS.iter().zip(&addresses.adapters) {
        let config = layout.adapter(organisation.ods).display().to_string();
        let delay: &[&str] = if organisation.ods == truth::SLOW { &[roles::DELAY, SLOW_MS] } else { &[] };
        let arguments = [&[roles::CHILD, roles::ADAPTER], delay, &["--config", &config, "serve"]].concat();
        let log = layout.log(&format!("adapter-{}", organisation.ods));
        processes.push(Process::start(organisation.ods, &arguments, *address, &log)?);
    }
    for process in &mut processes {
        process.ready().await?;
    }
    Ok(processes)
}
