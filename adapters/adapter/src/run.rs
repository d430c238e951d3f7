//! Puts an adapter together from its configuration, serves and feeds until it is told to stop, and stops in good order.

use crate::{Around, config::Config, kind::open_source, renew::Renewal};
use anyhow::Context as _;
use severn_adapter_sdk::{
    feed::{Feed, FeedParts},
    inbox::Inbox,
    serve::{About, Adapter, Parts, serve},
    settings::SettingsError,
    source::Source,
    witness::{WITNESS_EVERY, Witness, WitnessParts},
};
use severn_link::{Identity, Tls, TlsDialler, listen, no_core_files};
use severn_policy::{CurrentPolicy, Policy};
use severn_trust::{Clock, Disk, SystemClock, SystemEntropy, Trail};
use std::{fs::File, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long calls under way may take to end after the adapter was told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How long a connection to the broker may take to come about.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or Ctrl-C.
pub(crate) async fn run(config: Config, around: Around<'_>) -> anyhow::Result<()> {
    // From here on a signal is not lost, however long the source takes to open.
    let told = told_to_stop()?;
    no_core_files().context("core files cannot be switched off")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tls = own_tls(&config)?;
    tokio::spawn(tls.clone().follow());
    let _lock = only_one(&config)?;
    let disk: Arc<dyn Disk> = Arc::new(config.data.disk()?);
    let trail = Trail::open_with(Arc::clone(&disk), Arc::clone(&clock), config.data.key()?, config.audit)?;
    let witness = witness(&config, &tls, (&disk, &clock), trail.clone())?;
    let policy = policy(&config, Arc::clone(&disk), clock.as_ref())?;
    tokio::spawn(config.policy.clone().follow(Arc::clone(&policy), Arc::clone(&clock)));
    let source = around(open_source(&config, Arc::clone(&clock))?);
    let keys = config.tokens.keys()?;
    tokio::spawn(Arc::clone(&keys).follow(Arc::clone(&clock)));
    let adapter = Adapter::new(Parts {
        about: about(&config),
        source: Arc::clone(&source),
        broker: config.broker.identity(),
        broker_key: config.broker.key()?,
        keys,
        policy: Arc::clone(&policy),
        trail,
        inbox: Inbox::new(Arc::clone(&disk)),
        clock: Arc::clone(&clock),
        limits: config.limits,
    });
    let listener = TcpListener::bind(config.serve.listen)
        .await
        .with_context(|| format!("serve.listen: {} cannot be used", config.serve.listen))?;
    let incoming = listen(listener, &tls, config.serve.connections);
    info!(source_id = config.source.id, listen = %config.serve.listen, "adapter serves");
    let stop = CancellationToken::new();
    tokio::spawn(renewal(&config, &tls, &clock).run());
    let feeding = tokio::spawn(feed(&config, &tls, source, disk, clock).run(stop.clone()));
    let witnessing = tokio::spawn(witness.run(stop.clone()));
    let mut serving = tokio::spawn(serve(adapter, incoming, config.serve.calls, stop.clone().cancelled_owned()));
    tokio::select! {
        () = told => {}
        ended = &mut serving => {
            stop.cancel();
            return Ok(ended??);
        }
    }
    info!("adapter stops");
    stop.cancel();
    if tokio::time::timeout(DRAIN_MAX, async { tokio::join!(&mut serving, feeding, witnessing) }).await.is_err() {
        warn!("calls under way were cut off");
        serving.abort();
    }
    Ok(())
}

/// The adapter's own TLS material, which must name the source that the configuration does.
///
/// # Errors
/// The file at fault, or both names.
pub(crate) fn own_tls(config: &Config) -> anyhow::Result<Tls> {
    let tls = Tls::load(&config.tls)?;
    let expected = Identity::Source(config.source.id.clone());
    if *tls.identity() != expected {
        let message = format!("the certificate names {:?}, source.id asks for {expected:?}", tls.identity());
        return Err(SettingsError::new("tls.certificate", message).into());
    }
    Ok(tls)
}

/// A lock on the data folder: a trail with two writers would be no chain.
fn only_one(config: &Config) -> anyhow::Result<File> {
    config.data.disk()?;
    let path = config.data.folder.join("lock");
    let file = File::create(&path).with_context(|| format!("data.folder: {} cannot be made", path.display()))?;
    file.try_lock().context("data.folder: another severn-adapter uses it; stop that one or choose another folder")?;
    Ok(file)
}

/// The owner's policy in force; a bundle must be acceptable for the adapter to start.
///
/// # Errors
/// The key at fault, or why the bundle is refused.
pub(crate) fn policy(config: &Config, disk: Arc<dyn Disk>, clock: &dyn Clock) -> anyhow::Result<Arc<CurrentPolicy>> {
    let fault = |key: String, message: String| SettingsError::new(format!("policy.{key}"), message);
    let policy = config.policy.open(&config.source.id, disk).map_err(|error| fault(error.key, error.message))?;
    config.policy.show(&policy, clock.now_s()).map_err(|error| fault("bundle".into(), error.to_string()))?;
    Ok(Arc::new(policy))
}

/// The policy that would be in force, of which nothing is remembered.
///
/// # Errors
/// The key at fault, or why the bundle would be refused.
pub(crate) fn policy_tried(config: &Config, now_s: i64) -> Result<Arc<Policy>, SettingsError> {
    let policy = config.policy.try_out(&config.source.id, &config.data.disk()?, now_s);
    policy.map_err(|error| SettingsError::new(format!("policy.{}", error.key), error.message))
}

fn about(config: &Config) -> About {
    About {
        source_id: config.source.id.clone(),
        name: config.source.name.clone(),
        ods: config.source.ods.clone(),
        adapter_kind: config.kind.word().to_owned(),
    }
}

fn feed(config: &Config, tls: &Tls, source: Arc<dyn Source>, disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Feed {
    Feed::new(FeedParts {
        source_id: config.source.id.clone(),
        source,
        disk,
        dialler: Arc::new(TlsDialler::new(tls.clone(), CONNECT_MAX)),
        address: config.broker.address.clone(),
        broker: config.broker.identity(),
        clock,
        entropy: Arc::new(SystemEntropy::default()),
        every: Duration::from_millis(config.feed.every_ms),
    })
}

fn renewal(config: &Config, tls: &Tls, clock: &Arc<dyn Clock>) -> Renewal {
    Renewal {
        tls: tls.clone(),
        files: config.tls.clone(),
        dialler: Arc::new(TlsDialler::new(tls.clone(), CONNECT_MAX)),
        address: config.broker.address.clone(),
        broker: config.broker.identity(),
        clock: Arc::clone(clock),
        entropy: Arc::new(SystemEntropy::default()),
    }
}

fn witness(
    config: &Config,
    tls: &Tls,
    (disk, clock): (&Arc<dyn Disk>, &Arc<dyn Clock>),
    trail: Trail,
) -> anyhow::Result<Witness> {
    let witness = Witness::open(WitnessParts {
        source_id: config.source.id.clone(),
        disk: Arc::clone(disk),
        dialler: Arc::new(TlsDialler::new(tls.clone(), CONNECT_MAX)),
        address: config.broker.address.clone(),
        broker: config.broker.identity(),
        broker_key: config.broker.key()?,
        key: config.data.key()?,
        trail,
        clock: Arc::clone(clock),
        entropy: Arc::new(SystemEntropy::default()),
        every: WITNESS_EVERY,
    });
    witness.context(
        "data.folder: what was last seen of the broker's audit trail cannot be read; keep witness.json as evidence",
    )
}

#[cfg(unix)]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
