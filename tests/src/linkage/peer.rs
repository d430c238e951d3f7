//! Splink beside us: the same file, the same truth, the same measures, where Splink is installed.

use super::{
    child, output,
    quality::{self, Curve, Point},
    set::Set,
};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::{
    path::Path,
    process::{Command, Stdio},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/splink_link.py");

/// What the script tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// From the file to clusters.
    pub wall_s: f64,
    /// The same without training.
    pub untrained_wall_s: f64,
    /// The most memory held.
    pub peak_mb: f64,
}

/// How the peer did.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Peer {
    /// Time and memory.
    pub cost: Cost,
    /// Quality of pairs.
    pub curve: Curve,
    /// Quality of clusters from a probability of .95.
    pub clusters: Point,
}

/// Whether this Python has Splink 5.
#[must_use]
pub fn is_installed(python: &str) -> bool {
    let check = "import splink, sys; sys.exit(0 if splink.__version__.startswith('5.') else 1)";
    let status = Command::new(python).args(["-c", check]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs it on a set.
///
/// # Errors
/// If it fails.
pub fn run(python: &str, set: &Set, folder: &Path, with_numbers: bool) -> Result<Peer> {
    let pairs = folder.join("splink_pairs.csv");
    let mut command = Command::new(python);
    command.args([Path::new(SCRIPT), &set.files.registrations, &pairs]);
    if with_numbers {
        command.arg("--nhs-number");
    }
    let cost = child::output(&mut command)?;
    let mut scored = output::pairs(&pairs, &set.truth)?;
    let curve = quality::sweep(&mut scored, &set.truth);
    let cluster = quality::components(&scored, 0.95, set.truth.registrations());
    Ok(Peer { cost, curve, clusters: quality::clustered(&cluster, &set.truth) })
}
