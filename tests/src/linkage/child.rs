//! A part of the measuring in a process of its own, so that its memory and its processor time are its own.

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time, user and system, of all threads.
    pub cpu_s: f64,
    /// The most memory it held.
    pub peak_mb: f64,
    /// The memory it holds.
    pub resident_mb: f64,
}

/// What this process used so far, as the kernel tells it.
///
/// # Errors
/// If `/proc` cannot be read.
pub fn usage() -> Result<Usage> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mb = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kb: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kb.map(|kb| kb / 1024.0).with_context(|| format!("/proc/self/status has no {key}"))
    };
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // After the name in brackets, which may hold spaces, user and system time are the 12th and 13th fields.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ensure!(ticks.len() == 2, "/proc/self/stat is not as expected");
    Ok(Usage { cpu_s: ticks.iter().sum::<f64>() / 100.0, peak_mb: mb("VmHWM:")?, resident_mb: mb("VmRSS:")? })
}

/// Runs this program in a role and reads the JSON that it prints.
///
/// # Errors
/// If it cannot be started, fails, or prints something else.
pub fn run<T: DeserializeOwned>(role: &str, arguments: &[&Path]) -> Result<T> {
    output(Command::new(std::env::current_exe()?).arg(role).args(arguments))
}

/// Runs a program and reads the JSON in the last line that it prints.
///
/// # Errors
/// If it cannot be started, fails, or prints something else.
pub fn output<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("{name} cannot be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", said.lines().last().unwrap_or("it said nothing"));
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().with_context(|| format!("{name} printed nothing"))?;
    serde_json::from_str(last).with_context(|| format!("{name} printed something else than JSON"))
}
