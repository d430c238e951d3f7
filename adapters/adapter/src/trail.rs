//! Looks after the adapter's own audit trail, and prints what it has seen of the broker's; also while the adapter serves.

use crate::{
    arguments::{ArchiveArguments, Audit, WhileArguments},
    config::Config,
};
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use severn_adapter_sdk::witness::Kept;
use severn_proto::v1::Obligation;
use severn_trust::{
    Clock as _, Disk, ExportError, Observer, PublicKey, SystemClock, SystemDisk, TrailEvent, archive_trail,
    export_trail, extract_releases, obligation_word, scan_trail, verify_trail, write_whole,
};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Does what was `asked`. The exit code is 1 when something is wrong.
///
/// # Errors
/// If the key cannot be read, the trail is damaged, or a file or `out` cannot be written.
pub(crate) fn audit(config: &Config, asked: &Audit, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    match asked {
        Audit::Verify => return verify(config, out),
        Audit::Archive(asked) => archive(config, asked, out)?,
        Audit::Export(asked) => export(config, asked, out)?,
        Audit::Extract(asked) => extract(config, asked, out)?,
        Audit::SocialWorker(asked) => social_worker(config, asked, out)?,
        Audit::Witnessed => witnessed(config, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(config: &Config, out: &mut impl Write) -> anyhow::Result<ExitCode> {
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
            let archived = report.removed.map(|removed| format!(", the first {} of them archived", removed.seq));
            let archived = archived.unwrap_or_default();
            Ok(format!("audit trail: {} event(s){archived}, chain and signed head hold", report.events))
        }
        Ok(report) => Err(format!("audit trail: {}; keep the folder as evidence", report.faults.join("; "))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("audit trail: none yet".into()),
        Err(error) => Err(format!("audit trail: cannot be read: {error}")),
    }
}

fn archive(config: &Config, asked: &ArchiveArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let now_ms = SystemClock.now_ms();
    if asked.before > config.audit.removable_before_ms(now_ms) {
        bail!("--before: audit.retention_days keeps events for {} days", config.audit.retention_days);
    }
    let (disk, key) = (config.data.disk()?, config.data.key()?);
    let to = SystemDisk::open(&asked.to).with_context(|| format!("--to: {}", asked.to.display()))?;
    if asked.to.canonicalize()? == config.data.folder.canonicalize()? {
        bail!("--to: is the trail's own folder; name another");
    }
    match archive_trail((&disk, &to), &key, asked.before, now_ms)? {
        Some(removed) => writeln!(out, "archived up to event {}", removed.seq)?,
        None => writeln!(out, "nothing to archive: no whole file is that old")?,
    }
    Ok(())
}

fn export(config: &Config, asked: &WhileArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let (disk, key) = (config.data.disk()?, config.data.key()?);
    let observer = Observer { id: config.source.id.clone(), asked_by: Some(config.broker.id.clone()) };
    let when = asked.since..asked.until;
    let written = write_whole(&asked.out, |file| export_trail(&disk, key.public(), when, &observer, file));
    let written = written.with_context(|| format!("--out: {}", asked.out.display()))?;
    Ok(writeln!(out, "{}: {written} events", asked.out.display())?)
}

fn extract(config: &Config, asked: &WhileArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let (disk, key) = (config.data.disk()?, config.data.key()?);
    let extract = extract_releases(&disk, key.public(), &config.source.id, asked.since..asked.until)?;
    let text = serde_json::to_string_pretty(&extract)?;
    write_whole(&asked.out, |file| Ok::<_, ExportError>(writeln!(file, "{text}")?))
        .with_context(|| format!("--out: {}", asked.out.display()))?;
    Ok(writeln!(out, "{}: {} queries", asked.out.display(), extract.released.len())?)
}

fn social_worker(config: &Config, asked: &WhileArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let (disk, key) = (config.data.disk()?, config.data.key()?);
    let mut lines = Vec::new();
    scan_trail(&disk, key.public(), asked.since..asked.until, |_, at_ms, event| lines.extend(owed(at_ms, &event)))?;
    write_whole(&asked.out, |file| lines.iter().try_for_each(|line| Ok::<_, ExportError>(writeln!(file, "{line}")?)))
        .with_context(|| format!("--out: {}", asked.out.display()))?;
    Ok(writeln!(out, "{}: {} accesses of which a social worker must hear", asked.out.display(), lines.len())?)
}

/// What the responsible social worker hears of a release: who was shown which datasets of whom, and why. Nothing where
/// the owner's policy asks for nothing.
fn owed(at_ms: i64, event: &TrailEvent) -> Option<Value> {
    let released = event.details.get("released")?;
    let word = obligation_word(Obligation::NotifySocialWorker);
    let asks = |said: &Value| said["obligations"].as_array().is_some_and(|owed| owed.iter().any(|one| *one == word));
    let datasets: Vec<&String> =
        released.as_object()?.iter().filter(|(_, said)| asks(said)).map(|(dataset, _)| dataset).collect();
    (!datasets.is_empty()).then(|| {
        json!({
            "at_ms": at_ms,
            "local_id": event.person,
            "user": event.user,
            "role": event.role,
            "organisation": event.organisation,
            "purpose": event.purpose,
            "datasets": datasets,
            "query_id": event.query_id,
        })
    })
}

fn witnessed(config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let seen = Kept::seen(&config.data.disk()?).context("what was seen of the broker's trail cannot be read")?;
    if seen.is_empty() {
        bail!("nothing was seen of the broker's trail yet; let the adapter serve for a minute");
    }
    seen.iter().try_for_each(|seen| Ok(writeln!(out, "{}", serde_json::to_string(seen)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_trust::Details;

    #[test]
    fn a_social_worker_hears_of_what_the_policy_says_and_of_nothing_else() {
        let event = |released: Value| TrailEvent {
            action: "release".into(),
            person: "4711".into(),
            user: "u1 (Dr A)".into(),
            details: Details::default().with("released", &released),
            ..TrailEvent::default()
        };
        let asked = json!({ "obligations": ["log_sensitive", "notify_social_worker"], "entries": 1 });
        let heard = owed(5, &event(json!({ "safeguarding": asked, "allergies": { "entries": 2 } }))).unwrap();
        assert_eq!(heard["datasets"], json!(["safeguarding"]));
        assert_eq!(
            (&heard["local_id"], &heard["user"], &heard["at_ms"]),
            (&json!("4711"), &json!("u1 (Dr A)"), &json!(5))
        );
        assert_eq!(owed(5, &event(json!({ "risks": { "obligations": ["no_print"] } }))), None);
        assert_eq!(owed(5, &TrailEvent::default()), None);
    }
}
