//! Judges the merge on made-up records whose truth is known: laws that hold for every record, how well entries are
//! grouped, what other keys would lose on the same entries, and what merging costs. `merge-report` prints it.

pub mod laws;
pub mod peer;
mod print;
pub mod score;
pub mod shown;
pub mod speed;
#[cfg(test)]
mod tests;

use crate::region::Region;
use anyhow::{Result, bail};
use clap::Parser;
use peer::Loss;
use score::Line;
use serde::Serialize;
use speed::{Cost, RATIO_MAX};
use std::{io::Write as _, ops::Range, thread};

/// What to judge.
#[derive(Debug, Parser)]
#[command(name = "merge-report", about = "Judges the merge on made-up records whose truth is known.")]
pub struct Options {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Another seed, other records.
    #[arg(long, default_value_t = 20_261_122)]
    seed: u64,
    /// Records to make up for each dataset.
    #[arg(long, default_value_t = 200)]
    records: u64,
    /// Hold the laws against records with so many entries in all, and leave out the rest.
    #[arg(long)]
    laws: Option<u64>,
    /// Measure what merging costs, too.
    #[arg(long)]
    speed: bool,
}

/// All that is printed.
#[derive(Debug, Serialize)]
struct Report {
    seed: u64,
    grouping: Vec<Line>,
    keys_like_metriports: Vec<Loss>,
    cost: Vec<Cost>,
}

/// Runs what the arguments ask for and prints the report. Says whether every bound is met.
///
/// # Errors
/// If an argument is not understood, a record breaks a law, or nothing can be printed.
pub fn run(arguments: &[String]) -> Result<bool> {
    let program = std::iter::once("merge-report").chain(arguments.iter().map(String::as_str));
    let mut out = std::io::stdout();
    let options = match Options::try_parse_from(program) {
        Ok(options) => options,
        Err(error) if error.use_stderr() => bail!("{error}"),
        Err(help) => {
            write!(out, "{help}")?;
            return Ok(true);
        }
    };
    if let Some(entries) = options.laws {
        let (mut held, mut from) = (0, options.seed);
        while held < entries {
            held += hold_laws(from..from + LAWS_AT_ONCE)?;
            from += LAWS_AT_ONCE;
        }
        writeln!(
            out,
            "the laws hold over {} records with {held} entries, from seed {}",
            from - options.seed,
            options.seed
        )?;
        return Ok(true);
    }
    let report = Report {
        seed: options.seed,
        grouping: score::corpus(options.seed, options.records)?,
        keys_like_metriports: peer::losses(options.seed, options.records),
        cost: if options.speed { speed::measure(options.seed)?.into() } else { Vec::new() },
    };
    if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print::corpus(&mut out, &report.grouping)?;
        print::losses(&mut out, &report.keys_like_metriports, &report.grouping)?;
        if options.speed {
            print::costs(&mut out, &report.cost)?;
        }
    }
    let grouped = report.grouping.iter().all(|line| line.score.is_met());
    Ok(grouped && report.cost.iter().all(|cost| cost.ratio < RATIO_MAX))
}

/// Records that are held against the laws before it is asked whether there were enough.
const LAWS_AT_ONCE: u64 = 1000;

/// Holds the laws over one small record for each of `seeds`, and says how many entries these had.
///
/// # Errors
/// If a record breaks a law; says which, and its seed.
pub fn hold_laws(seeds: Range<u64>) -> Result<u64> {
    let lanes = thread::available_parallelism().map_or(1, |lanes| lanes.get() as u64);
    let run = |lane: u64| -> Result<u64> {
        let mut held = 0;
        for seed in seeds.clone().filter(|seed| seed % lanes == lane) {
            let region = Region::small(seed);
            laws::hold(&region)?;
            held += region.told.len() as u64;
        }
        Ok(held)
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes)
            .map(|lane| {
                scope.spawn({
                    let run = &run;
                    move || run(lane)
                })
            })
            .collect();
        let held = lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|_| bail!("a lane ended early")));
        held.sum()
    })
}
