//! The benchmark of the audit trail: events verified in a second by one core, how long one takes to be durable, and what
//! oversight makes of them.

use crate::keys::signing_key;
use anyhow::{Context as _, Result, ensure};
use severn_trust::{Details, Disk as _, SystemClock, SystemDisk, Trail, TrailEvent, sha256, verify_trail};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Events of the trail that is verified.
const EVENTS: usize = 600_000;

/// Events that wait for one commit while it is written.
const WRITERS: usize = 256;

/// Rounds of verification and its floor.
const ROUNDS: usize = 5;

/// Turns of the subject and its floor at the disk, which others may use as well; and in each: raw flushes, and as many
/// events of one writer and of so many.
const TURNS: usize = 40;
const COMMITS: usize = 48;
const LANES: usize = 8;

/// Prints the tables.
///
/// # Errors
/// If a folder cannot be written, or the trail is not whole.
pub fn run() -> Result<()> {
    let mut out = std::io::stdout();
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(durability(folder.path(), &mut out))?;
    runtime.block_on(verification(folder.path(), &mut out))?;
    runtime.block_on(super::oversight::run(folder.path(), &mut out))
}

/// The manifest of a small record, as a seal has it: about 900 bytes.
fn seal(n: usize) -> TrailEvent {
    let entries: Vec<String> = (0..12).map(|entry| format!("entry-{n}-{entry}")).collect();
    let details = Details::default()
        .with("asked", &["M85001", "RRK", "RXT", "RYA"])
        .with(
            "sections",
            &serde_json::json!([{ "dataset": 2, "entries": { "M85001": entries }, "hash": "ab".repeat(32) }]),
        )
        .with("received", &entries.len())
        .with("shown", &entries.len());
    TrailEvent {
        action: "seal".into(),
        query_id: format!("0190b5b0-0000-7000-8000-{n:012}"),
        user: "Dr Helen Marsh (https://login.trust.example/u-1)".into(),
        role: "S8000:G8000:R8000".into(),
        organisation: "M85001".into(),
        purpose: "direct_care".into(),
        token_id: format!("t-{n}"),
        person: format!("0190b5b0-0000-7000-9000-{n:012}"),
        details,
    }
}

async fn verification(folder: &Path, out: &mut impl std::io::Write) -> Result<()> {
    let (disk, key) = (Arc::new(SystemDisk::open(folder.join("verified"))?), signing_key());
    let trail = Trail::open(Arc::clone(&disk) as _, Arc::new(SystemClock), key.clone())?;
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(many(trail.clone(), writer))).collect();
    for writer in writers {
        writer.await??;
    }
    while trail.checkpoint(EVENTS as u64).is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let names: Vec<String> = disk.list()?.into_iter().filter(|name| name.ends_with(".log")).collect();
    let (mut bytes, mut verified, mut hashed) = (0, Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = cpu_s()?;
        let report = verify_trail(disk.as_ref(), key.public())?;
        verified.push(cpu_s()? - began);
        ensure!(report.faults.is_empty() && report.events == EVENTS as u64, "{report:?}");
        let began = cpu_s()?;
        bytes = 0;
        for name in &names {
            bytes += hash_of_pieces(disk.open_read(name)?)?;
        }
        hashed.push(cpu_s()? - began);
    }
    let (verified, hashed) = (median(&mut verified), median(&mut hashed));
    let (each, rate) = (bytes / EVENTS, EVENTS as f64 / verified / 1e6);
    let floor = EVENTS as f64 / hashed / 1e6;
    writeln!(out, "verification, CPU time of one core: {EVENTS} events of {each} bytes in {} files", names.len())?;
    writeln!(out, "  audit verify             {rate:6.2} M events/s  {:8.0} MB/s", bytes as f64 / verified / 1e6)?;
    writeln!(out, "  sha-256 of the same      {floor:6.2} M events/s  {:8.0} MB/s", bytes as f64 / hashed / 1e6)?;
    writeln!(out, "  ratio of times           {:6.2}", verified / hashed)?;
    Ok(())
}

/// Reads and hashes, piece by piece, and nothing else; gives how many bytes there were.
fn hash_of_pieces(mut file: impl std::io::Read) -> Result<usize> {
    let (mut piece, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(bytes);
        }
        std::hint::black_box(sha256(&[&piece[..read]]));
        bytes += read;
    }
}

/// CPU that this thread has used: seconds. The machine may have other things to do.
fn cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = stat.split(' ').next().unwrap_or_default().parse().context("schedstat")?;
    Ok(nanoseconds / 1e9)
}

async fn many(trail: Trail, writer: usize) -> Result<()> {
    for n in (writer..EVENTS).step_by(WRITERS) {
        trail.record(seal(n)).await?;
    }
    Ok(())
}

async fn durability(folder: &Path, out: &mut impl std::io::Write) -> Result<()> {
    let disk = Arc::new(SystemDisk::open(folder.join("durable"))?);
    let trail = Trail::open(Arc::clone(&disk) as _, Arc::new(SystemClock), signing_key())?;
    let (mut raw, mut alone, mut together) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let flushing = Arc::clone(&disk);
        raw.extend(tokio::task::spawn_blocking(move || flushes(&flushing)).await??);
        alone.extend(recorded(trail.clone(), COMMITS).await?);
        let lanes: Vec<_> = (0..LANES).map(|_| tokio::spawn(recorded(trail.clone(), COMMITS / LANES))).collect();
        for lane in lanes {
            together.extend(lane.await??);
        }
    }
    let floor = [0.5, 0.99].map(|share| quantile(&mut raw, share));
    writeln!(out, "time to be durable, ms                   p50      p99   p99 / raw p99")?;
    for (name, times) in
        [("raw append and fdatasync", &mut raw), ("one writer", &mut alone), ("8 writers", &mut together)]
    {
        let [p50, p99] = [0.5, 0.99].map(|share| quantile(times, share));
        writeln!(out, "  {name:<34}{:8.3} {:8.3} {:8.2}", p50 * 1e3, p99 * 1e3, p99 / floor[1])?;
    }
    Ok(())
}

fn flushes(disk: &SystemDisk) -> Result<Vec<f64>> {
    let line = serde_json::to_vec(&seal(0))?;
    let mut file = disk.open_append("raw")?;
    let flush = |_| {
        let began = Instant::now();
        file.append(&line)?;
        file.sync()?;
        Ok(began.elapsed().as_secs_f64())
    };
    (0..COMMITS).map(flush).collect()
}

async fn recorded(trail: Trail, count: usize) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let event = seal(n);
        let began = Instant::now();
        trail.record(event).await.context("not durable")?;
        times.push(began.elapsed().as_secs_f64());
    }
    Ok(times)
}

fn median(times: &mut [f64]) -> f64 {
    quantile(times, 0.5)
}

fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = (times.len() as f64 * share) as usize;
    times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}
