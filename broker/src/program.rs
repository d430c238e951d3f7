//! The program: reads the configuration, builds the stages, serves, stops. Its subcommands look after trail and index.

mod audit;
mod enrolment;
mod index;
mod linking;
mod loading;
mod revoke;
mod scoring;

pub use index::open_store;

use crate::{
    access::Access,
    audit::{Audit, Notices},
    config::Config,
    fanout::{Fanout, Registry},
    index::{Index, Snapshots},
    merge::Rules,
    mesh::{self, Registrar},
    model::SourceId,
    notify::notify,
    retrieve::Broker,
    service,
};
use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, listen, no_core_files, read_private};
use severn_policy::{CurrentPolicy, Workbench};
use severn_trust::{Clock, Disk, IssuerKeys, SigningKey, SystemClock, SystemDisk, SystemEntropy, Trail};
use std::{
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing::info;

/// The broker of a Severn federation: it asks every source that knows a person, at the moment of asking.
#[derive(Parser)]
#[command(name = "severn-broker", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves care apps and adapters until it is told to stop.
    Serve(ConfigArgument),
    /// Says whether the configuration can be used.
    Check(ConfigArgument),
    /// Looks after the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Looks after the master patient index.
    #[command(subcommand)]
    Index(index::IndexCommand),
    /// Writes, checks, explains, compares and signs the region's policy.
    #[command(subcommand)]
    Policy(Workbench),
    /// Lets adapters join.
    #[command(subcommand)]
    Enrol(enrolment::EnrolCommand),
    /// Cuts a party off, or one certificate: within a minute, and open connections too.
    Revoke(revoke::RevokeArguments),
    /// Prints the public half of the broker's statement key, for the adapters' configuration.
    Key(ConfigArgument),
}

#[derive(clap::Args)]
struct ConfigArgument {
    /// The configuration file.
    #[arg(long, default_value = "broker.toml")]
    config: PathBuf,
}

/// Runs the program with `arguments`, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let result = match arguments.command {
        Command::Serve(file) => serve(&file.config),
        Command::Check(file) => check(&file.config),
        Command::Audit(command) => audit::run(&command),
        Command::Index(command) => index::run(&command),
        Command::Policy(command) => policy(&command),
        Command::Enrol(command) => enrolment::run(&command),
        Command::Revoke(asked) => revoke::run(&asked),
        Command::Key(file) => key(&file.config),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("severn-broker: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(file: &Path) -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .init();
    hush_panics();
    no_core_files().context("core files cannot be switched off")?;
    let config = Config::load(file)?;
    let mut runtime = match config.runtime.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(config.runtime.threads).enable_all().build()?;
    runtime.block_on(run_broker(config))
}

async fn run_broker(config: Config) -> Result<()> {
    let tls = tls_of(&config)?;
    let (broker, dialler, registrar) = build(&config, &tls).await?;
    tokio::spawn(tls.clone().follow());
    for source in &config.sources {
        let identity = Identity::Source(source.id.clone());
        let channel = dialler.dial(&source.address, &identity)?;
        broker.fanout.registry().attach(&SourceId(source.id.as_str().into()), channel);
    }
    let listener = TcpListener::bind(config.listen.address).await;
    let listener = listener.with_context(|| format!("listen.address: cannot listen on {}", config.listen.address))?;
    tokio::spawn(notify(Arc::clone(&broker)));
    tokio::spawn(prepare_reports(Arc::clone(&broker)));
    info!(address = %config.listen.address, sources = config.sources.len(), "broker serves");
    let incoming = listen(listener, &tls, config.listen.limits);
    let (mut stop, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = stop.recv() => (),
            _ = interrupt.recv() => (),
        }
    };
    if let (Some(registrar), Some(section)) = (&registrar, &config.enrolment) {
        enrolment::open_door(Arc::clone(registrar), section, &tls).await?;
    }
    serve_until((broker, registrar), incoming, config, stop).await
}

/// How often what access reports are looked up in is brought up to date.
const PREPARE_EVERY: Duration = Duration::from_secs(600);

/// Makes what access reports are looked up in, for as long as it is polled; a report that comes before makes it itself.
async fn prepare_reports(broker: Arc<Broker>) {
    loop {
        let preparing = Arc::clone(&broker);
        let prepared = tokio::task::spawn_blocking(move || preparing.audit.prepare_reports()).await;
        if let Ok(Err(error)) = prepared {
            tracing::warn!(%error, "access reports will be slow");
        }
        tokio::time::sleep(PREPARE_EVERY).await;
    }
}

/// Whose the region's policy bundles are.
const REGION: &str = "region";

/// How long calls under way may take to end once the broker is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

async fn serve_until(
    (broker, registrar): (Arc<Broker>, Option<Arc<Registrar>>),
    incoming: tokio_stream::wrappers::ReceiverStream<std::io::Result<severn_link::Conn>>,
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let (told, stopping) = tokio::sync::oneshot::channel();
    let stop = async move {
        stop.await;
        info!("broker stops");
        let _ = told.send(());
    };
    let index = Arc::clone(&broker.index);
    let serving = service::serve_with((broker, registrar), incoming, config.listen.connection, stop);
    let drained = async move {
        drop(stopping.await);
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served.map_err(|error| anyhow::anyhow!("the server failed: {error}"))?,
        () = drained => (),
    }
    Ok(index.save().await?)
}

async fn build(config: &Config, tls: &Tls) -> Result<(Arc<Broker>, TlsDialler, Option<Arc<Registrar>>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let folder = &config.data.folder;
    let disk = SystemDisk::open(folder).with_context(|| format!("data.folder: cannot use {}", folder.display()))?;
    let (disk, audit_key) = (Arc::new(disk), signing_key("data.audit_key", &config.data.audit_key)?);
    let trail = Trail::open_with(Arc::clone(&disk) as _, Arc::clone(&clock), audit_key, config.audit)?;
    tokio::spawn(mesh::record_denials(tls.denied(), trail.clone(), Arc::clone(&disk) as _));
    let registrar = enrolment::registrar(config, tls, trail.clone())?;
    let store = index::open_store(config).await?;
    let entropy = Arc::new(SystemEntropy::default());
    let index = Index::open_with(Some(Snapshots::within(folder)), store, Arc::clone(&clock), entropy).await;
    let index = index.context("cannot read the index")?;
    let keys = IssuerKeys::open(&config.tokens.audience, &config.tokens.issuers)?;
    tokio::spawn(Arc::clone(&keys).follow(Arc::clone(&clock)));
    let policy = policy_of(config, Arc::clone(&disk) as _, clock.as_ref())?;
    tokio::spawn(config.access.policy.clone().follow(Arc::clone(&policy), Arc::clone(&clock)));
    let statement_key = signing_key("data.statement_key", &config.data.statement_key)?;
    let registry = Registry::new(config.registered(), config.fanout.in_flight_max);
    let audit = Audit::new(trail, &std::fs::read(&config.data.audit_key)?);
    let audit = audit.with_patterns(config.oversight.patterns).with_notices(notices_of(
        config,
        Arc::clone(&disk) as _,
        Arc::clone(&clock),
    )?);
    let broker = Broker {
        audit: audit.with_witnesses(disk, &statement_key)?,
        access: Access::new(config.access.clone(), policy, keys, Arc::clone(&clock)),
        index: Arc::new(index),
        fanout: Fanout::new(registry, statement_key, clock, config.fanout),
        rules: rules_of(config)?,
    };
    let dialler = TlsDialler::new(tls.clone(), Duration::from_millis(config.runtime.connect_ms));
    Ok((Arc::new(broker), dialler, registrar))
}

/// The region's policy in force; a bundle must be acceptable for the broker to start.
fn policy_of(config: &Config, disk: Arc<dyn Disk>, clock: &dyn Clock) -> Result<Arc<CurrentPolicy>> {
    let settings = &config.access.policy;
    let policy = settings.open(REGION, disk).context("access.policy")?;
    settings.show(&policy, clock.now_s()).context("access.policy.bundle")?;
    Ok(Arc::new(policy))
}

/// What privacy officers were told, and where those are told who have no adapter.
fn notices_of(config: &Config, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Result<Notices> {
    let open = |folder: &PathBuf| SystemDisk::open(folder).map(|disk| Arc::new(disk) as Arc<dyn Disk>);
    let folder = config.oversight.notices.folder.as_ref().map(open).transpose();
    let folder = folder.context("oversight.notices.folder: cannot be used")?;
    Notices::open(disk, folder, clock).context("data.folder: what was told to privacy officers cannot be read")
}

fn rules_of(config: &Config) -> Result<Rules> {
    let Some(file) = &config.merge.medicines else { return Ok(Rules::built_in()) };
    let named = || format!("merge.medicines: {}", file.display());
    let table = std::fs::read_to_string(file).with_context(named)?;
    Rules::with_medicines(&table).with_context(named)
}

fn tls_of(config: &Config) -> Result<Tls> {
    let tls = Tls::load(&config.tls).context("tls")?;
    match tls.identity() {
        Identity::Broker(_) => Ok(tls),
        other => {
            bail!("tls.certificate: names {other:?}, which is no broker; ask for one with spiffe://severn/broker/<id>")
        }
    }
}

fn signing_key(name: &str, file: &Path) -> Result<SigningKey> {
    let pem = read_private(file).with_context(|| name.to_owned())?;
    SigningKey::from_pem(&pem).with_context(|| format!("{name}: {}", file.display()))
}

fn check(file: &Path) -> Result<()> {
    let config = Config::load(file)?;
    enrolment::authority(&config, &tls_of(&config)?)?;
    signing_key("data.audit_key", &config.data.audit_key)?;
    signing_key("data.statement_key", &config.data.statement_key)?;
    index::password(&config)?;
    rules_of(&config)?;
    let (settings, disk) = (&config.access.policy, SystemDisk::open(&config.data.folder)?);
    settings.try_out(REGION, &disk, SystemClock.now_s()).context("access.policy")?;
    for issuer in config.tokens.issuers.iter().filter_map(|issuer| issuer.jwks_file.as_ref()) {
        std::fs::read_to_string(issuer).with_context(|| format!("tokens.issuers: cannot read {}", issuer.display()))?;
    }
    say(&format!("{}: good; {} sources", file.display(), config.sources.len()));
    Ok(())
}

fn policy(command: &Workbench) -> Result<()> {
    say(command.run(SystemClock.now_s())?.trim_end());
    Ok(())
}

fn key(file: &Path) -> Result<()> {
    let config = Config::load(file)?;
    let key = signing_key("data.statement_key", &config.data.statement_key)?;
    say(&serde_json::to_string(&key.public().jwk())?);
    Ok(())
}

/// A panic's message could carry what was being read; its place cannot.
fn hush_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}

fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
