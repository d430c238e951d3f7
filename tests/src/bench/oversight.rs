//! The benchmark of oversight: how long a person's access report takes in a trail of two million events, how fast the trail
//! is made ready for it, and how fast it is read for patterns.

use crate::keys::signing_key;
use anyhow::{Result, ensure};
use severn_broker::{
    audit::{Audit, Known},
    model::EnterpriseId,
};
use severn_trust::{Details, Disk as _, SystemClock, SystemDisk, Trail, TrailEvent};
use std::{path::Path, sync::Arc};
use tokio::time::Instant;
use uuid::Uuid;

/// Events of the trail: every question is two, its intent and its seal.
const EVENTS: usize = 2_000_000;

/// Who is asked about, and who asks.
const PERSONS: usize = 100_000;
const USERS: usize = 4_000;
const ORGANISATIONS: usize = 40;

/// Events that wait for one commit while the trail is written.
const WRITERS: usize = 256;

/// Reports that are timed.
const REPORTS: usize = 100;

/// Prints the table.
///
/// # Errors
/// If the folder cannot be written, or what is found is wrong.
pub async fn run(folder: &Path, out: &mut impl std::io::Write) -> Result<()> {
    let disk = Arc::new(SystemDisk::open(folder.join("oversight"))?);
    let trail = Trail::open(Arc::clone(&disk) as _, Arc::new(SystemClock), signing_key())?;
    let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(many(trail.clone(), writer))).collect();
    for writer in writers {
        writer.await??;
    }
    let audit = Audit::new(trail, b"the manifest secret of a benchmark");
    let files = disk.list()?.into_iter().filter(|name| name.ends_with(".log")).count();
    writeln!(out, "oversight: {EVENTS} events in {files} files, {PERSONS} persons, {USERS} users")?;
    let began = Instant::now();
    audit.prepare_reports()?;
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64() / 1e6;
    writeln!(out, "  made ready for reports, once  {rate:6.2} M events/s")?;
    let mut times = Vec::with_capacity(REPORTS);
    for n in 0..REPORTS {
        let began = Instant::now();
        let (accesses, _) = audit.report(&[person(n * 997)], 0)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(accesses.len() == EVENTS / 2 / PERSONS, "{} accesses", accesses.len());
    }
    times.sort_by(f64::total_cmp);
    writeln!(out, "  a person's report, ms  p50 {:6.1}  slowest {:6.1}", times[REPORTS / 2], times[REPORTS - 1])?;
    let began = Instant::now();
    let found = audit.patterns(None, 0..i64::MAX, |id| Some(known(id)))?;
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64() / 1e6;
    ensure!(found.events == EVENTS as u64 / 2, "{} events", found.events);
    writeln!(out, "  read for patterns             {rate:6.2} M events/s; {} findings", found.findings.len())?;
    Ok(())
}

fn person(n: usize) -> EnterpriseId {
    EnterpriseId(Uuid::from_u128(0x0190_b5b0_0000_7000_9000_0000_0000_0000 + (n % PERSONS) as u128))
}

/// Somebody whose name nobody else has.
fn known(id: &str) -> Known {
    Known { given: format!("g{id}"), families: vec![format!("f{id}")], ..Known::default() }
}

async fn many(trail: Trail, writer: usize) -> Result<()> {
    for query in (writer..EVENTS / 2).step_by(WRITERS) {
        let user = query % USERS;
        let event = |action: &str, details: Details| TrailEvent {
            action: action.into(),
            query_id: format!("0190b5b0-0000-7000-8000-{query:012}"),
            user: format!("Dr Helen Marsh{user} (https://login.trust.example/u-{user})"),
            role: "S8000:G8000:R8000".into(),
            organisation: format!("R{:04}", user % ORGANISATIONS),
            purpose: "direct_care".into(),
            token_id: format!("t-{query}"),
            person: person(query).0.to_string(),
            details,
        };
        let datasets = ["allergies", "medications", "problems", "results", "encounters"];
        trail.record(event("intent", Details::default().with("datasets", &datasets))).await?;
        let entries: Vec<String> = (0..8).map(|entry| format!("entry-{query}-{entry}")).collect();
        let section = serde_json::json!({ "dataset": 2, "entries": { "M85001": entries }, "hash": "ab".repeat(32) });
        let seal = Details::default()
            .with("sections", &[section])
            .with("asked", &["M85001", "RRK", "RXT", "RYA"])
            .with("relationship", &"registered")
            .with("shown", &entries.len());
        trail.record(event("seal", seal)).await?;
    }
    Ok(())
}
