//! Tries everything that serving needs and says in plain words what was found. Changes nothing but that it makes the
//! data folder.

use crate::{config::Config, kind::open_source, run, run::own_tls, trail::report};
use severn_adapter_sdk::{inbox::Inbox, settings::DataSettings, source::Finding};
use severn_trust::{ALL_DATASETS, Clock as _, SystemClock};
use std::{fmt::Display, io::Write, path::Path, process::ExitCode, sync::Arc};

/// Checks the configuration in `file`. The exit code is 1 when something is wrong.
///
/// # Errors
/// Only if `out` cannot be written.
pub(crate) async fn check(file: &Path, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let findings = findings(file).await;
    for finding in &findings {
        let mark = if finding.good { "ok    " } else { "WRONG " };
        writeln!(out, "{mark} {}", finding.text)?;
    }
    let wrong = findings.iter().filter(|finding| !finding.good).count();
    match wrong {
        0 => writeln!(out, "\nNothing is wrong.")?,
        1 => writeln!(out, "\n1 thing is wrong.")?,
        more => writeln!(out, "\n{more} things are wrong.")?,
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn findings(file: &Path) -> Vec<Finding> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(fault) => return vec![wrong(fault)],
    };
    let mut findings = vec![good(format!("configuration: {}", file.display()))];
    findings.push(match own_tls(&config) {
        Ok(tls) => good(format!("tls: certificate of {:?}, key and authorities fit", tls.identity())),
        Err(fault) => wrong(fault),
    });
    findings.push(match config.broker.key() {
        Ok(_) => good(format!("broker: {:?} at {}", config.broker.identity(), config.broker.address)),
        Err(fault) => wrong(fault),
    });
    findings.push(match config.tokens.keys() {
        Ok(_) => good(format!("tokens: keys of {} issuer(s)", config.tokens.issuers.len())),
        Err(fault) => wrong(fault),
    });
    findings.push(of_policy(&config));
    findings.push(of_data(&config.data));
    findings.push(of_inbox(&config.data));
    match open_source(&config, Arc::new(SystemClock)) {
        Ok(source) => findings.extend(source.check().await),
        Err(fault) => findings.push(wrong(format!("{}: {fault:#}", config.kind.word()))),
    }
    findings
}

/// A policy that lets nobody see anything is almost always a mistake.
fn of_policy(config: &Config) -> Finding {
    let policy = match run::policy_tried(config, SystemClock.now_s()) {
        Ok(policy) => policy,
        Err(fault) => return wrong(fault),
    };
    let shared = ALL_DATASETS.into_iter().filter(|dataset| policy.shares(*dataset)).count();
    if shared == 0 {
        return wrong("policy: no rule allows anything, so nothing would be released; add a [[policy.rules]]");
    }
    good(format!(
        "policy: {}, {} role(s), {shared} dataset(s) shared with somebody",
        policy.version(),
        policy.roles().len()
    ))
}

fn of_data(data: &DataSettings) -> Finding {
    match data.disk().and_then(|disk| Ok((disk, data.key()?))) {
        Err(fault) => wrong(fault),
        Ok((disk, key)) => match report(&disk, key.public()) {
            Ok(text) => good(format!("data: {}; {text}", data.folder.display())),
            Err(fault) => wrong(format!("data: {fault}")),
        },
    }
}

/// What readers reported back and nobody has decided yet is not wrong, but must not be forgotten.
fn of_inbox(data: &DataSettings) -> Finding {
    let contents = data.disk().map(|disk| Inbox::new(Arc::new(disk)).contents());
    match contents {
        Err(fault) => wrong(fault),
        Ok(Err(fault)) => wrong(format!("challenges: the inbox cannot be read: {fault}")),
        Ok(Ok(contents)) if contents.damaged > 0 => {
            wrong(format!("challenges: {} line(s) of the inbox cannot be read", contents.damaged))
        }
        Ok(Ok(contents)) => {
            let open = contents.held.iter().filter(|held| held.is_open()).count();
            good(format!("challenges: {open} wait for your decision"))
        }
    }
}

fn good(text: impl Display) -> Finding {
    Finding { good: true, text: text.to_string() }
}

fn wrong(text: impl Display) -> Finding {
    Finding { good: false, text: text.to_string() }
}
