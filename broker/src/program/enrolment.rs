//! `severn-broker enrol`: makes join tokens and decides who joins; and what the serving broker needs to let them in.

use super::{ConfigArgument, say};
use crate::{
    config::{Config, EnrolmentSection},
    mesh::{Authority, Decision, Enrolled, Enrolments, Registrar, RegistrarParts, TOKEN_LIFE_MAX_MS},
    service::serve_strangers,
};
use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use severn_link::{Tls, listen_to_strangers};
use severn_trust::{Clock as _, SystemClock, SystemEntropy, Trail};
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::{error, info};

#[derive(Subcommand)]
pub(super) enum EnrolCommand {
    /// Makes a token with which the adapter of one source may ask to join, once, within an hour
    Token(TokenArguments),
    /// Lists what waits for a decision
    List(ListArguments),
    /// Lets the adapter in that asked with a token; by another person than who made it
    Approve(DecideArguments),
    /// Does not let it in
    Refuse(RefuseArguments),
}

#[derive(clap::Args)]
pub(super) struct TokenArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// The source's id, as in the configuration
    #[arg(long, value_name = "ID")]
    source: String,
    /// Its organisation's ODS code, as in the configuration
    #[arg(long, value_name = "CODE")]
    ods: String,
    /// Who you are
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Minutes for which it may be used
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(i64).range(1..=60))]
    minutes: i64,
}

#[derive(clap::Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// List what is decided or over, too
    #[arg(long)]
    all: bool,
}

#[derive(clap::Args)]
pub(super) struct DecideArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// The enrolment, as the list shows it
    id: String,
    /// Who you are
    #[arg(long, value_name = "NAME")]
    by: String,
}

#[derive(clap::Args)]
pub(super) struct RefuseArguments {
    #[command(flatten)]
    decide: DecideArguments,
    /// Why; the adapter's operator reads it
    #[arg(long, value_name = "TEXT", default_value = "no reason was given")]
    because: String,
}

pub(super) fn run(command: &EnrolCommand) -> Result<()> {
    match command {
        EnrolCommand::Token(asked) => token(asked),
        EnrolCommand::List(asked) => list(asked),
        EnrolCommand::Approve(asked) => decide(asked, None),
        EnrolCommand::Refuse(asked) => decide(&asked.decide, Some(&asked.because)),
    }
}

/// The enrolments of a broker at which adapters can join.
fn enrolments_of(config: &Config) -> Result<Enrolments> {
    if config.enrolment.is_none() {
        bail!("enrolment: adapters cannot join this broker; write the section, and start the broker again");
    }
    Enrolments::within(&config.data.folder).context("data.folder")
}

fn token(asked: &TokenArguments) -> Result<()> {
    let config = Config::load(&asked.file.config)?;
    let enrolments = enrolments_of(&config)?;
    match config.places().get(&asked.source) {
        None => bail!("--source: {} is not in the configuration; write its [[sources]] first", asked.source),
        Some(place) if place.ods != asked.ods => bail!("--ods: in the configuration, {} has another", asked.source),
        Some(_) => (),
    }
    let when = (SystemClock.now_ms(), (asked.minutes * 60_000).min(TOKEN_LIFE_MAX_MS));
    let token = enrolments.make((&asked.source, &asked.ods), &asked.by, when, &SystemEntropy::default())?;
    say(&token);
    Ok(())
}

fn list(asked: &ListArguments) -> Result<()> {
    let enrolments = enrolments_of(&Config::load(&asked.file.config)?)?;
    let now_ms = SystemClock.now_ms();
    let mut shown = 0;
    for enrolled in enrolments.all()? {
        let (waits, state) = state_of(&enrolled, now_ms);
        if waits || asked.all {
            let made = &enrolled.made;
            say(&format!("{} · {} ({}) · token by {} · {state}", enrolled.id, made.source_id, made.ods, made.by));
            shown += 1;
        }
    }
    if shown == 0 {
        say("nothing waits");
    }
    Ok(())
}

/// Whether it can still come to something, and how far it is.
fn state_of(enrolled: &Enrolled, now_ms: i64) -> (bool, String) {
    match (&enrolled.asked, &enrolled.decision) {
        (None, _) if now_ms >= enrolled.made.expires_ms => (false, "the token expired unused".into()),
        (None, _) => (true, "no adapter has asked yet".into()),
        (Some(_), Some(decision)) if decision.approved => (false, format!("approved by {}", decision.by)),
        (Some(_), Some(decision)) => (false, format!("refused by {}: {}", decision.by, decision.because)),
        (Some(asked), None) if asked.has_lapsed(now_ms) => (false, "not decided within a day".into()),
        (Some(asked), None) => (true, format!("ASKS TO JOIN with key {}", asked.key)),
    }
}

fn decide(asked: &DecideArguments, refused_because: Option<&str>) -> Result<()> {
    let enrolments = enrolments_of(&Config::load(&asked.file.config)?)?;
    let decision = Decision {
        approved: refused_because.is_none(),
        by: asked.by.clone(),
        at_ms: SystemClock.now_ms(),
        because: refused_because.unwrap_or_default().to_owned(),
    };
    let enrolled = enrolments.decide(&asked.id, decision)?;
    let key = enrolled.asked.map(|asked| asked.key).unwrap_or_default();
    let (done, made) = (if refused_because.is_none() { "may join" } else { "is refused" }, &enrolled.made);
    say(&format!("{} ({}) {done} with key {key}; is that the key its operator sees?", made.source_id, made.ods));
    Ok(())
}

/// The authority, tried; `None` where adapters cannot join.
pub(super) fn authority(config: &Config, tls: &Tls) -> Result<Option<Authority>> {
    let Some(section) = &config.enrolment else { return Ok(None) };
    let when = (SystemClock.now_s(), &SystemEntropy::default() as _);
    Ok(Some(Authority::open(&section.certificate, &section.key, tls, when)?))
}

/// What lets adapters in; `None` where they cannot join.
pub(super) fn registrar(config: &Config, tls: &Tls, trail: Trail) -> Result<Option<Arc<Registrar>>> {
    let Some(authority) = authority(config, tls)? else { return Ok(None) };
    let parts = RegistrarParts {
        authority,
        enrolments: enrolments_of(config)?,
        sources: config.places(),
        denied: tls.denied(),
        trail,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::default()),
    };
    Ok(Some(Arc::new(Registrar::new(parts))))
}

/// Begins to let adapters knock that have no certificate yet. It ends with the program: nothing under way there is lost.
pub(super) async fn open_door(registrar: Arc<Registrar>, section: &EnrolmentSection, tls: &Tls) -> Result<()> {
    let listener = TcpListener::bind(section.listen).await;
    let listener = listener.with_context(|| format!("enrolment.listen: cannot listen on {}", section.listen))?;
    let incoming = listen_to_strangers(listener, tls, section.limits);
    info!(address = %section.listen, "adapters may ask to join");
    tokio::spawn(async move {
        if let Err(error) = serve_strangers(registrar, incoming, std::future::pending()).await {
            error!(%error, "no adapter can ask to join any more");
        }
    });
    Ok(())
}
