//! `severn-broker audit`: looks after the audit trail, also while the broker serves.

use super::{ConfigArgument, say, signing_key};
use crate::{audit::reconcile, config::Config};
use anyhow::{Context as _, Result, anyhow, bail};
use clap::Subcommand;
use severn_trust::{
    Clock as _, Cosigned, Disk, Extract, Observer, PublicKey, SigningKey, SystemClock, SystemDisk, VerifyReport,
    Witnessed, archive_trail, export_trail, moment_ms, verify_witnessed, write_whole,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Finds any changed, removed or reordered line, a cut tail, and a history that is not the one that witnesses have seen
    Verify(VerifyArguments),
    /// Moves the oldest files, in which every event is older than a day and than audit.retention_days, to another folder,
    /// and leaves a signed note of what was there
    Archive(ArchiveArguments),
    /// Writes events as FHIR R4 AuditEvents after IHE BALP, one on each line
    Export(ExportArguments),
    /// Compares the trail with what adapters say that they released (`severn-adapter audit extract`)
    Reconcile(ReconcileArguments),
}

#[derive(clap::Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// What adapters keep themselves (`severn-adapter audit witnessed`); may be given again. Without it, the trail is
    /// compared with the signatures in its own folder, which whoever runs the broker can reach
    #[arg(long, value_name = "FILE")]
    witness: Vec<PathBuf>,
    /// An archive to check instead of the folder of the configuration
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct ArchiveArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// The day, or the moment, before which events may go
    #[arg(long, value_name = "DAY", value_parser = moment_ms)]
    before: i64,
    /// Where they go; a folder of the archive's own, used again the next time
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct ExportArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// From this day, or moment
    #[arg(long, value_name = "DAY", value_parser = moment_ms)]
    since: i64,
    /// To before this day, or moment
    #[arg(long, value_name = "DAY", value_parser = moment_ms)]
    until: i64,
    /// The file to write, NDJSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(clap::Args)]
pub(super) struct ReconcileArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// What an adapter released; may be given again
    #[arg(long, value_name = "FILE", required = true)]
    adapter: Vec<PathBuf>,
}

pub(super) fn run(command: &AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Verify(asked) => verify(asked),
        AuditCommand::Archive(asked) => archive(asked),
        AuditCommand::Export(asked) => export(asked),
        AuditCommand::Reconcile(asked) => compare(asked),
    }
}

/// The trail of a configuration.
fn trail_of(file: &ConfigArgument) -> Result<(Config, SystemDisk, SigningKey)> {
    let config = Config::load(&file.config)?;
    let disk = SystemDisk::open(&config.data.folder)?;
    let key = signing_key("data.audit_key", &config.data.audit_key)?;
    Ok((config, disk, key))
}

fn verify(asked: &VerifyArguments) -> Result<()> {
    let (_, disk, key) = trail_of(&asked.file)?;
    let disk = match &asked.folder {
        Some(folder) if !folder.is_dir() => bail!("--folder: {} is no folder", folder.display()),
        Some(folder) => SystemDisk::open(folder)?,
        None => disk,
    };
    let (witnessed, mut faults) = witnessed(&disk, key.public(), &asked.witness)?;
    let mut report = verify_witnessed(&disk, key.public(), &witnessed).context("cannot read the audit trail")?;
    faults.append(&mut report.faults);
    describe(&report, witnessed.len());
    if faults.is_empty() {
        let (events, head) = (report.events, report.head_seq);
        say(&format!("the audit trail is whole: {events} events, head signed at event {head}"));
        return Ok(());
    }
    for fault in &faults {
        say(&format!("FAULT: {fault}"));
    }
    bail!(
        "the audit trail is not to be trusted; its chain holds up to event {}; keep it as evidence and call your \
         information-governance lead",
        report.events
    )
}

/// What may be known of a trail whatever its faults.
fn describe(report: &VerifyReport, witnesses: usize) {
    if let Some(removed) = &report.removed {
        let (seq, at_ms) = (removed.seq, removed.at_ms);
        say(&format!("events 1 to {seq} were archived at {}; the signed note says so", moment(at_ms)));
    }
    if report.unfinished > 0 {
        say(&format!("{} bytes behind the last event are of one that was not finished", report.unfinished));
    }
    match (witnesses, report.witnessed_seq) {
        (0, _) => say("no adapter has witnessed this trail yet"),
        (count, seq) => say(&format!("{count} co-signed checkpoints; witnessed up to event {seq}")),
    }
    if report.out_of_reach > 0 {
        say(&format!("{} of them are older than what was archived and cannot be compared", report.out_of_reach));
    }
}

fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| format!("{at_ms} ms"), |time| time.to_string())
}

/// The checkpoints that adapters signed, kept here and given as files; and what is wrong with any.
fn witnessed(disk: &dyn Disk, key: &PublicKey, files: &[PathBuf]) -> Result<(Vec<Witnessed>, Vec<String>)> {
    let mut cosigned = Cosigned::kept(disk)?;
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("--witness: {}", file.display()))?;
        let given = Cosigned::read_lines(&text);
        let given = given.map_err(|line| anyhow!("--witness: {}: line {line} cannot be read", file.display()))?;
        if given.is_empty() {
            bail!("--witness: {} is empty", file.display());
        }
        cosigned.extend(given);
    }
    let (mut witnessed, mut faults) = (Vec::new(), Vec::new());
    for signed in cosigned {
        match signed.read(key) {
            Ok(seen) => witnessed.push(seen),
            Err(error) => faults.push(format!("what {} signed does not hold: {error}", signed.witness)),
        }
    }
    Ok((witnessed, faults))
}

fn archive(asked: &ArchiveArguments) -> Result<()> {
    let (config, disk, key) = trail_of(&asked.file)?;
    let now_ms = SystemClock.now_ms();
    if asked.before > config.audit.removable_before_ms(now_ms) {
        bail!("--before: audit.retention_days keeps events for {} days", config.audit.retention_days);
    }
    if same_folder(&asked.to, &config.data.folder) {
        bail!("--to: is the trail's own folder; name another");
    }
    let archive = SystemDisk::open(&asked.to).with_context(|| format!("--to: {}", asked.to.display()))?;
    match archive_trail((&disk, &archive), &key, asked.before, now_ms)? {
        Some(removed) => say(&format!("archived up to event {} of {}", removed.seq, moment(removed.until_ms))),
        None => say("nothing to archive: no whole file is that old"),
    }
    Ok(())
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn export(asked: &ExportArguments) -> Result<()> {
    let (config, disk, key) = trail_of(&asked.file)?;
    let severn_link::Identity::Broker(id) = super::tls_of(&config)?.identity().clone() else { bail!("tls: no broker") };
    let observer = Observer { id, asked_by: None };
    let written =
        write_whole(&asked.out, |out| export_trail(&disk, key.public(), asked.since..asked.until, &observer, out));
    let written = written.with_context(|| format!("--out: {}", asked.out.display()))?;
    say(&format!("{}: {written} events", asked.out.display()));
    Ok(())
}

fn compare(asked: &ReconcileArguments) -> Result<()> {
    let (_, disk, key) = trail_of(&asked.file)?;
    let mut extracts: Vec<Extract> = Vec::new();
    for file in &asked.adapter {
        let named = || format!("--adapter: {}", file.display());
        let text = std::fs::read_to_string(file).with_context(named)?;
        extracts.push(serde_json::from_str(&text).with_context(named)?);
    }
    let found = reconcile(&disk, key.public(), &extracts)?;
    for extract in &extracts {
        let length = Duration::from_millis((extract.until_ms - extract.since_ms).unsigned_abs());
        let hours = length.as_secs() / 3600;
        say(&format!("{}: {} queries in {hours} hours", extract.source_id, extract.released.len()));
    }
    for late in &found.late {
        say(&format!("LATE: {late}; readers were told that the source did not answer"));
    }
    for mismatch in &found.mismatches {
        say(&format!("MISMATCH: {mismatch}"));
    }
    if found.mismatches.is_empty() {
        say(&format!("broker and adapters agree on {} answers", found.compared));
        return Ok(());
    }
    bail!("{} of {} answers do not agree; look into each", found.mismatches.len(), found.compared)
}
