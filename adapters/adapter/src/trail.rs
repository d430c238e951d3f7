//! Checks the adapter's own audit trail.

use crate::config::Config;
use severn_trust::{Disk, PublicKey, verify_trail};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Verifies the trail of the configured data folder. The exit code is 1 when something is wrong.
///
/// # Errors
/// If the key cannot be read or `out` cannot be written.
pub(crate) fn verify(config: &Config, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let key = config.data.key()?;
    match report(&config.data.disk()?, key.public()) {
        Ok(text) => {
            writeln!(out, "{text}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            writeln!(out, "{fault}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What a check of the trail found, in words: `Ok` if the chain holds.
pub(crate) fn report(disk: &dyn Disk, key: &PublicKey) -> Result<String, String> {
    match verify_trail(disk, key) {
        Ok(report) if report.faults.is_empty() => {
            Ok(format!("audit trail: {} event(s), chain and signed head hold", report.events))
        }
        Ok(report) => Err(format!("audit trail: {}; keep the folder as evidence", report.faults.join("; "))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("audit trail: none yet".into()),
        Err(error) => Err(format!("audit trail: cannot be read: {error}")),
    }
}
