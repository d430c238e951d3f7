//! Writes an audit trail as fast as it can, and says of every event that it is durable: for tests that kill it.

use anyhow::{Context as _, Result};
use severn_trust::{SigningKey, SystemClock, SystemDisk, Trail, TrailEvent, TrailSettings};
use std::{io::Write as _, path::Path, sync::Arc};
use tokio::sync::mpsc;

/// Writers at once: so many events wait for one commit.
const WRITERS: usize = 8;

/// Writes until it is killed: `<folder> <key file> <run>`. Every line that it prints is the sequence number of an event
/// that is durable, and the person of that event, which no other event has.
///
/// # Errors
/// If the trail cannot be opened or written.
pub fn run(arguments: &[String]) -> Result<()> {
    let [folder, key, run] = arguments else { anyhow::bail!("give a folder, a key file and the number of the run") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(write(Path::new(folder), Path::new(key), run))
}

/// Segments of four kibibytes: a new one is begun every thirty events or so.
pub fn settings() -> TrailSettings {
    TrailSettings { segment_kib: 4, ..TrailSettings::default() }
}

async fn write(folder: &Path, key: &Path, run: &str) -> Result<()> {
    let key = SigningKey::from_pem(&std::fs::read_to_string(key)?)?;
    let disk = Arc::new(SystemDisk::open(folder)?);
    let trail = Trail::open_with(disk, Arc::new(SystemClock), key, settings())?;
    let (say, mut said) = mpsc::unbounded_channel();
    for writer in 0..WRITERS {
        let (trail, say, run) = (trail.clone(), say.clone(), run.to_owned());
        tokio::spawn(async move {
            for n in 0_u64.. {
                let person = format!("{run}-{writer}-{n}");
                let event = TrailEvent { action: "seal".into(), person: person.clone(), ..TrailEvent::default() };
                if say.send(trail.record(event).await.map(|seq| (seq, person))).is_err() {
                    return;
                }
            }
        });
    }
    let mut out = std::io::stdout().lock();
    loop {
        let (seq, person) = said.recv().await.context("all writers have ended")??;
        writeln!(out, "{seq} {person}")?;
    }
}
