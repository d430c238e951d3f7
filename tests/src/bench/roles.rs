//! What the benchmark runs in processes of their own, so that the CPU of each can be told apart. A role ends when its
//! standard input closes, so that nothing outlives the benchmark.

use super::{
    canned,
    floor::{self, Floor},
    rig::Rig,
};
use anyhow::{Context as _, Result, bail};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler};
use std::{ffi::OsString, io::Write as _, path::Path, process::ExitCode, time::Duration};
use tokio::{io::AsyncReadExt as _, runtime::Builder};

fn on_one_thread(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = stdin_closes() => Ok(()),
        }
    })
}

async fn stdin_closes() {
    let mut nothing = [0; 64];
    while tokio::io::stdin().read(&mut nothing).await.is_ok_and(|read| read > 0) {}
}

fn ready(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}

/// `adapters FOLDER N [FIRST DELAY_MS]`: serves N canned adapters, the first of which is number FIRST, each of which
/// answers after DELAY_MS milliseconds, and prints their ports.
///
/// # Errors
/// If certificates or ports cannot be used.
pub fn adapters(arguments: &[String]) -> Result<()> {
    let [folder, count, rest @ ..] = arguments else { bail!("usage: adapters FOLDER N [FIRST DELAY_MS]") };
    let (folder, count): (&Path, usize) = (Path::new(folder), count.parse()?);
    let first: usize = rest.first().map_or(Ok(0), |first| first.parse())?;
    let delay = Duration::from_millis(rest.get(1).map_or(Ok(0), |delay| delay.parse())?);
    on_one_thread(async {
        let mut ports = Vec::with_capacity(count);
        for n in first..first + count {
            let source = Rig::source_id(n);
            let tls = Tls::load(&Rig::tls_files(folder, &Identity::Source(source.clone())))?;
            ports.push(canned::serve(&source, &tls, delay).await?.to_string());
        }
        ready(&ports.join(" "))?;
        std::future::pending().await
    })
}

/// `floor functional|bare FOLDER PORT...`: serves a floor over the adapters at those ports and prints its own.
///
/// # Errors
/// If certificates or ports cannot be used.
pub fn floor(arguments: &[String]) -> Result<()> {
    let [kind, folder, ports @ ..] = arguments else { bail!("usage: floor functional|bare FOLDER PORT...") };
    let kind = match kind.as_str() {
        "functional" => Floor::Functional,
        "bare" => Floor::Bare,
        other => bail!("{other:?} is no floor"),
    };
    on_one_thread(async {
        let tls = Tls::load(&Rig::tls_files(Path::new(folder), &Rig::broker()))?;
        let dialler = TlsDialler::new(tls.clone(), Duration::from_secs(2));
        let mut adapters = Vec::with_capacity(ports.len());
        for (n, port) in ports.iter().enumerate() {
            let source = Rig::source_id(n);
            let channel = dialler.dial(&format!("127.0.0.1:{port}"), &Identity::Source(source.clone()))?;
            adapters.push((source, channel));
        }
        let announce = |port: u16| drop(ready(&port.to_string()));
        let served = floor::serve(kind, adapters, &tls, announce).await;
        served.map_err(|error| anyhow::anyhow!("{error}")).context("the floor does not serve")
    })
}

/// `broker CONFIG`: the broker's own program.
pub fn broker(arguments: &[String]) -> ExitCode {
    std::thread::spawn(|| {
        let mut rest = String::new();
        drop(std::io::Read::read_to_string(&mut std::io::stdin(), &mut rest));
        std::process::exit(0);
    });
    let config = arguments.first().cloned().unwrap_or_default();
    severn_broker::program::run(["severn-broker", "serve", "--config", &config].map(OsString::from))
}
