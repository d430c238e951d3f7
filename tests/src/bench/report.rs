//! Runs the cells, interleaved round by round, and prints the ratios of their medians with the spread over the rounds.

use super::{
    load::{Cell, Target},
    rig::{Process, Rig},
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::{io::Write as _, time::Duration};

const ROUNDS: usize = 5;
const LANES: usize = 8;
const CELL: Duration = Duration::from_millis(2000);
const WARM_UP: Duration = Duration::from_millis(500);
const IDLE_ADAPTERS: usize = 400;

/// CPU of the control cell may differ between its two runs of a round by so much; else the run says nothing.
const DRIFT_MAX: f64 = 0.10;

/// Prints the table, or one JSON document with `--json`.
///
/// # Errors
/// If a part of the rig cannot be started, or the control drifted in three tries.
pub fn run(arguments: &[String]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(folder.path()))?;
    let mut out = std::io::stdout();
    if arguments.iter().any(|argument| argument == "--json") {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print_table(&mut out, &report)?;
    }
    Ok(())
}

async fn measure(folder: &std::path::Path) -> Result<Value> {
    let rig = Rig::new(folder, std::env::current_exe()?, IDLE_ADAPTERS)?;
    let mut cells = Vec::new();
    for sources in [8, 32] {
        let mut last = None;
        for _ in 0..3 {
            let cell = fan_out(&rig, sources).await?;
            let drift = cell["control_drift"].as_f64().unwrap_or(1.0);
            last = Some(cell);
            if drift <= DRIFT_MAX {
                break;
            }
        }
        cells.extend(last);
    }
    let memory = idle(&rig).await?;
    Ok(json!({ "fan_out": cells, "idle": memory, "lanes": LANES, "rounds": ROUNDS }))
}

struct Subject<'a> {
    process: Process,
    target: Target<'a>,
    cpu_us: Vec<f64>,
    cell: Cell,
}

impl<'a> Subject<'a> {
    async fn new(rig: &'a Rig, (process, port): (Process, u16), sealed: bool) -> Result<Subject<'a>> {
        let mut target = Target::new(rig, port, sealed)?;
        target.find().await?;
        target.run(LANES, WARM_UP).await?;
        Ok(Subject { process, target, cpu_us: Vec::new(), cell: Cell::default() })
    }

    async fn round(&mut self) -> Result<f64> {
        self.target.renew();
        let before = self.process.cpu_s()?;
        self.cell = self.target.run(LANES, CELL).await?;
        let cpu_us = (self.process.cpu_s()? - before) * 1e6 / self.cell.queries as f64;
        self.cpu_us.push(cpu_us);
        Ok(cpu_us)
    }
}

async fn fan_out(rig: &Rig, sources: usize) -> Result<Value> {
    let (_adapters, ports) = rig.adapters(sources)?;
    let mut bare = Subject::new(rig, rig.floor("bare", &ports)?, false).await?;
    let mut functional = Subject::new(rig, rig.floor("functional", &ports)?, false).await?;
    let mut broker = Subject::new(rig, rig.broker_over(&ports).await?, true).await?;
    let (mut drifts, mut to_functional, mut to_bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let first = bare.round().await?;
        let floor = functional.round().await?;
        let ours = broker.round().await?;
        let again = bare.round().await?;
        drifts.push((first - again).abs() / first.max(again));
        to_functional.push(ours / floor);
        to_bare.push(ours / ((first + again) / 2.0));
    }
    ensure!(broker.cell.entries == sources as u64 * 40, "the broker lost entries");
    Ok(json!({
        "sources": sources,
        "control_drift": median(&mut drifts),
        "broker_over_functional_floor": spread(&mut to_functional),
        "broker_over_bare_floor": spread(&mut to_bare),
        "cpu_us_a_query": {
            "broker": median(&mut broker.cpu_us),
            "functional_floor": median(&mut functional.cpu_us),
            "bare_floor": median(&mut bare.cpu_us),
        },
        "p50_ms": {
            "broker": broker.cell.p50_ms,
            "functional_floor": functional.cell.p50_ms,
            "bare_floor": bare.cell.p50_ms,
        },
    }))
}

async fn idle(rig: &Rig) -> Result<Value> {
    let settle = Duration::from_secs(2);
    let (none, port) = rig.broker_over(&[]).await?;
    let alone = Target::new(rig, port, true)?;
    alone.list_sources().await?;
    tokio::time::sleep(settle).await;
    let alone_kb = none.resident_kb()?;
    let (_adapters, ports) = rig.adapters(IDLE_ADAPTERS)?;
    let (many, port) = rig.broker_over(&ports).await?;
    let target = Target::new(rig, port, true)?;
    let mut reached = 0;
    for _ in 0..10 {
        reached = target.list_sources().await?;
        if reached == IDLE_ADAPTERS {
            break;
        }
        tokio::time::sleep(settle).await;
    }
    ensure!(reached == IDLE_ADAPTERS, "only {reached} adapters were reached");
    tokio::time::sleep(settle).await;
    let more_kb = many.resident_kb()?.saturating_sub(alone_kb);
    Ok(json!({
        "adapters": IDLE_ADAPTERS,
        "broker_alone_mb": alone_kb as f64 / 1024.0,
        "more_mb": more_kb as f64 / 1024.0,
        "kb_an_adapter": more_kb as f64 / IDLE_ADAPTERS as f64,
    }))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(values: &mut [f64]) -> Value {
    let middle = median(values);
    json!({ "median": middle, "min": values.first(), "max": values.last() })
}

fn print_table(out: &mut impl std::io::Write, report: &Value) -> Result<()> {
    writeln!(out, "CPU per query, {ROUNDS} rounds interleaved, {LANES} lanes, mTLS, 40 entries a source")?;
    for cell in report["fan_out"].as_array().into_iter().flatten() {
        let verdict = cell["control_drift"].as_f64().is_some_and(|drift| drift <= DRIFT_MAX);
        let ratio = |key: &str| {
            let ratio = &cell[key];
            format!("{:.2} ({:.2}-{:.2})", number(&ratio["median"]), number(&ratio["min"]), number(&ratio["max"]))
        };
        writeln!(
            out,
            "  {:>2} sources: broker / functional floor {}; broker / bare floor {}; {:.0} µs a query{}",
            cell["sources"],
            ratio("broker_over_functional_floor"),
            ratio("broker_over_bare_floor"),
            number(&cell["cpu_us_a_query"]["broker"]),
            if verdict { "" } else { "; the control drifted by more than 10%: no verdict" },
        )?;
    }
    let idle = &report["idle"];
    writeln!(out, "  {} idle adapters: {:.1} MB more than none", idle["adapters"], number(&idle["more_mb"]))?;
    Ok(())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
