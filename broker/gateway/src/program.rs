//! The program `severn-gateway`: reads its configuration and serves until it is told to stop.

use crate::{
    config::{Config, read_key},
    development::{CLIENT_ID, SignInPage},
    serve::{Gateway, SignIn, doors},
};
use anyhow::Context as _;
use clap::Parser;
use jsonwebtoken::jwk::JwkSet;
use severn_trust::{Clock, Entropy, Issuer, SystemClock, SystemEntropy};
use std::{ffi::OsString, future::Future, path::PathBuf, process::ExitCode, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing::info;
use tracing_subscriber::EnvFilter;

/// Exchange an organisation's own sign-in for tokens of the federation.
#[derive(Parser, Debug)]
#[command(name = "severn-gateway", version)]
struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = "gateway.toml")]
    config: PathBuf,
}

/// Runs with these arguments, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            // A terminal that is gone cannot be told anything.
            drop(error.print());
            return code;
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match serve(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    severn_link::no_core_files().context("cannot turn core files off")?;
    let config = Config::load(&arguments.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let told = async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        };
        info!(url = config.url, "the gateway serves");
        serve_on(listener, &config, Arc::new(SystemClock), Arc::new(SystemEntropy::default()), told).await
    })
}

/// Serves a gateway on `listener` until `told` to stop.
///
/// # Errors
/// If a key cannot be read or the listener fails.
pub async fn serve_on(
    listener: TcpListener,
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    told: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let page = match &config.development {
        None => None,
        Some(section) => {
            let (key, users) = (read_key(&section.key)?, section.users.clone());
            Some(SignInPage::new(&config.url, key, users, (Arc::clone(&clock), Arc::clone(&entropy))))
        }
    };
    let sign_in = match (&page, &config.sign_in) {
        (Some(page), _) => SignIn::new(page.issuer(), CLIENT_ID, page.keys()),
        (None, Some(section)) => {
            let sign_in = SignIn::new(&section.issuer, &section.client_id, JwkSet { keys: Vec::new() });
            tokio::spawn(sign_in.clone().follow(Arc::clone(&clock)));
            sign_in
        }
        (None, None) => anyhow::bail!("give [sign_in], or [development] for development only"),
    };
    let issuer = Issuer::new(read_key(&config.key)?);
    let gateway = Gateway::new((config.issuing(), &config.url), issuer, sign_in, (clock, entropy));
    axum::serve(listener, doors(gateway, page)).with_graceful_shutdown(told).await?;
    Ok(())
}
