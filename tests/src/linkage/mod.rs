//! Measures linkage: the engine and, beside it, Splink, on one set of people with truth. `linkage-bench` prints what
//! comes out. Every call of the engine stands in `engine.rs`.

mod child;
mod durable;
mod engine;
mod febrl;
mod output;
mod peer;
mod quality;
mod report;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod truth;

use crate::people::Plan;
use anyhow::{Result, bail};
use clap::Parser;
use durable::Durable;
use engine::{Bulk, Online};
use output::Trace;
use peer::Peer;
use quality::{Band, Curve, Outcome, Point};
use serde::Serialize;
use set::{Origin, Set};
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
};

/// What to measure.
#[derive(Debug, Parser)]
#[command(name = "linkage-bench", about = "Measures linkage against the truth, beside Splink where it is installed.")]
pub struct Options {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// A file with the columns of the linkage tool (or of gen_uk.py) and `person_id`, in place of made-up people.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Registrations to make up.
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Another seed, other people.
    #[arg(long, default_value_t = 20_260_601)]
    seed: u64,
    /// Registrations to make up for the search: about 2.2 are one person's.
    #[arg(long, default_value_t = 7_000_000)]
    search_records: usize,
    /// Registrations to make up for the index on disk, of which each person's first is taken; 0 leaves it out.
    #[arg(long, default_value_t = 7_000_000)]
    index_records: usize,
    /// The folder with FEBRL's `dataset4a.csv` and `dataset4b.csv`.
    #[arg(long)]
    febrl: Option<PathBuf>,
    /// The Python that has Splink 5; `none` leaves Splink out.
    #[arg(long, default_value = "python3")]
    python: String,
}

/// One set, measured with or without its NHS numbers.
#[derive(Debug, Serialize)]
struct Measured {
    with_numbers: bool,
    bulk: Bulk,
    untrained: Bulk,
    curve: Curve,
    clusters: Point,
    calibration: Vec<Band>,
    /// Pairs left for somebody to look at, per registration.
    review: f64,
    /// Pairs of persons whom somebody is asked about, per registration: whoever joins two persons by one of their
    /// pairs has answered the others.
    questions: f64,
    /// Clusters that hold two NHS numbers which both were verified, neither superseded by the other.
    under_two_numbers: usize,
    traps: BTreeMap<String, Outcome>,
    recall_by_origin: BTreeMap<String, f64>,
    trace: Trace,
    online: Online,
    splink: Option<Peer>,
}

/// Runs what the arguments ask for and prints the report.
///
/// # Errors
/// If an argument is not understood, or a part cannot be run.
pub fn run(arguments: &[String]) -> Result<()> {
    if let Some((role, paths)) = arguments.split_first() {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        match role.as_str() {
            "bulk" | "inspect" | "trace" => return engine::play(role, &paths),
            "fill" | "start" | "register" => return durable::play(role, &paths),
            _ => {}
        }
    }
    let program = std::iter::once("linkage-bench").chain(arguments.iter().map(String::as_str));
    let options = match Options::try_parse_from(program) {
        Ok(options) => options,
        Err(error) if error.use_stderr() => bail!("{error}"),
        Err(help) => return Ok(write!(std::io::stdout(), "{help}")?),
    };
    let report = measure_all(&options)?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        report.print(&mut out)?;
    }
    Ok(())
}

fn measure_all(options: &Options) -> Result<report::Report> {
    let folder = tempfile::tempdir()?;
    let origin = match &options.data {
        Some(path) => Origin::Given(path.clone()),
        None => Origin::Made(Plan { registrations: options.records, seed: options.seed }),
    };
    let peer = (options.python != "none" && peer::is_installed(&options.python)).then_some(&*options.python);
    let mut name = String::new();
    let mut measured = Vec::new();
    for with_numbers in [false, true] {
        let set = origin.set(folder.path(), with_numbers)?;
        measured.push(measure(&set, folder.path(), with_numbers, peer)?);
        name = set.name;
    }
    let febrl = options.febrl.as_deref().map(|data| febrl::measure(data, &folder.path().join("febrl"))).transpose()?;
    let search = (options.search_records > 0).then(|| search(options, folder.path())).transpose()?;
    let durable = (options.index_records > 0).then(|| durable(options, folder.path())).transpose()?;
    Ok(report::Report::new(name, measured, febrl, search).with_durable(durable))
}

fn measure(set: &Set, folder: &Path, with_numbers: bool, peer: Option<&str>) -> Result<Measured> {
    let file = |name: &str| folder.join(name);
    let (model, pairs, links, reviews) =
        (file("model.json"), file("pairs.csv"), file("links.csv"), file("reviews.csv"));
    let people = &*set.files.registrations;
    let _ = std::fs::remove_file(&model);
    // The first run trains and writes the model, the second takes it.
    let bulk = child::run("bulk", &[people, &model, &links])?;
    let untrained = child::run("bulk", &[people, &model, &links])?;
    let _: usize = child::run("inspect", &[people, &set.files.superseded, &model, &pairs, &links, &reviews])?;
    let mut scored = output::pairs(&pairs, &set.truth)?;
    let cluster = output::clusters(&links, &set.truth)?;
    let (asked, reviews) = output::reviews(&reviews, &set.truth, &cluster)?;
    let (index, queries, answers) = (file("index.csv"), file("queries.csv"), file("answers.csv"));
    let indexed = set::split(set, &index, &queries)?;
    let online = child::run("trace", &[&index, &queries, &model, &answers])?;
    Ok(Measured {
        with_numbers,
        bulk,
        untrained,
        curve: quality::sweep(&mut scored, &set.truth),
        clusters: quality::clustered(&cluster, &set.truth),
        calibration: quality::calibration(&scored, &set.truth),
        review: reviews as f64 / set.truth.registrations() as f64,
        questions: asked.len() as f64 / set.truth.registrations() as f64,
        under_two_numbers: quality::under_two_numbers(&cluster, &set.verified_numbers()?),
        traps: quality::traps(&asked, &cluster, &set.truth),
        recall_by_origin: quality::recall_by_group(&cluster, &set.truth),
        trace: output::trace(&answers, &set.truth, &indexed)?,
        online,
        splink: peer.map(|python| peer::run(python, set, folder, with_numbers)).transpose()?,
    })
}

/// An index on disk, in a folder that is gone afterwards.
fn durable(options: &Options, folder: &Path) -> Result<Durable> {
    let plan = Plan { registrations: options.index_records, seed: options.seed.wrapping_add(2) };
    durable::measure(plan, &folder.join("durable"))
}

/// A search in a large index, with the model of the run with NHS numbers.
fn search(options: &Options, folder: &Path) -> Result<Online> {
    let plan = Plan { registrations: options.search_records, seed: options.seed.wrapping_add(1) };
    let large = folder.join("large");
    let set = Origin::Made(plan).set(&large, true)?;
    let (index, queries, answers) = (large.join("index.csv"), large.join("queries.csv"), large.join("answers.csv"));
    set::split(&set, &index, &queries)?;
    drop(set);
    child::run("trace", &[&index, &queries, &folder.join("model.json"), &answers])
}
