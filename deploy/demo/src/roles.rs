//! This program in another role: the broker, an adapter, or the command line, each exactly as its own binary is. The
//! demo starts its processes so, and a reader can use all of them with one build.

use crate::processes::end_with_parent;
use futures::stream::BoxStream;
use severn_adapter_sdk::source::{Document, Finding, Reading, Source, SourceError};
use severn_proto::v1::{Dataset, Registration};
use std::{ffi::OsString, process::ExitCode, sync::Arc, time::Duration};

/// First argument of a process that ends when its parent does.
pub const CHILD: &str = "child";
/// The broker's role.
pub const BROKER: &str = "broker";
/// An adapter's role.
pub const ADAPTER: &str = "adapter";
/// The command line's role.
pub const SEVERN: &str = "severn";
/// The role of the gateway at which users sign in.
pub const GATEWAY: &str = "gateway";
/// Makes an adapter wait before it reads: milliseconds follow. Comes before all other arguments of the role.
pub const DELAY: &str = "--delay-ms";

/// Runs the role that `arguments` (without the program's own name) begin with; `None` if they begin with none.
pub fn run(arguments: &[OsString]) -> Option<ExitCode> {
    let (first, rest) = arguments.split_first()?;
    match first.to_str()? {
        CHILD => {
            end_with_parent();
            run(rest)
        }
        BROKER => Some(severn_broker::program::run(named("severn-broker", rest))),
        ADAPTER => Some(adapter(rest)),
        GATEWAY => Some(severn_gateway::program::run(named("severn-gateway", rest))),
        SEVERN => Some(severn(rest)),
        _ => None,
    }
}

fn named(program: &str, arguments: &[OsString]) -> Vec<OsString> {
    std::iter::once(OsString::from(program)).chain(arguments.iter().cloned()).collect()
}

fn adapter(arguments: &[OsString]) -> ExitCode {
    let delay = match arguments {
        [flag, milliseconds, ..] if flag == DELAY => milliseconds.to_str().and_then(|text| text.parse().ok()),
        _ => None,
    };
    match delay {
        Some(milliseconds) => {
            let delay = Duration::from_millis(milliseconds);
            let slow = move |source: Arc<dyn Source>| Arc::new(Slow { source, delay }) as Arc<dyn Source>;
            severn_adapter::main_around(named("severn-adapter", &arguments[2..]), &slow)
        }
        None => severn_adapter::main_with(named("severn-adapter", arguments)),
    }
}

fn severn(arguments: &[OsString]) -> ExitCode {
    let arguments = named("severn", arguments).into_iter().map(|text| text.to_string_lossy().into_owned()).collect();
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(severn_cli::run(arguments)),
        Err(_) => ExitCode::FAILURE,
    }
}

/// A source that thinks for a while before it is read, as overloaded systems do.
struct Slow {
    source: Arc<dyn Source>,
    delay: Duration,
}

#[tonic::async_trait]
impl Source for Slow {
    fn datasets(&self) -> Vec<Dataset> {
        self.source.datasets()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        self.source.registrations().await
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        self.source.registration(local_id).await
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError> {
        tokio::time::sleep(self.delay).await;
        self.source.read(local_id, datasets, budget).await
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        tokio::time::sleep(self.delay).await;
        self.source.document(local_id, entry_id).await
    }

    async fn check(&self) -> Vec<Finding> {
        self.source.check().await
    }

    async fn changed(&self, every: Duration) {
        self.source.changed(every).await;
    }
}
