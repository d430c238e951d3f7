//! `severn-broker revoke`: adds to the deny-list, which the broker follows, also while it serves.

use super::{ConfigArgument, say};
use crate::config::Config;
use anyhow::{Context as _, Result, bail};
use severn_link::{Denied, DenyList, DenyListError};
use severn_trust::{Clock as _, SystemClock, write_whole};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

#[derive(clap::Args)]
pub(super) struct RevokeArguments {
    #[command(flatten)]
    file: ConfigArgument,
    /// Whom: spiffe://severn/<broker|source|app>/<id> with all its certificates, now and later; or one certificate, as
    /// sha256:<fingerprint> or serial:<number>
    #[arg(value_name = "IDENTITY|FINGERPRINT")]
    denied: Denied,
    /// Why, for the list and the audit trail
    #[arg(long, value_name = "TEXT", default_value = "")]
    because: String,
}

pub(super) fn run(asked: &RevokeArguments) -> Result<()> {
    let config = Config::load(&asked.file.config)?;
    let Some(list) = config.tls.denied else {
        bail!("tls.denied: no deny-list is configured; name a file, and start the broker again")
    };
    if asked.because.chars().any(char::is_control) {
        bail!("--because: control characters are not allowed; write one line");
    }
    let at = jiff::Timestamp::from_millisecond(SystemClock.now_ms())?;
    match add(&list, &asked.denied, &format!("{at} {}", asked.because))? {
        Added::New => say(&format!("{}: denied; a broker that serves cuts it off within a minute", asked.denied)),
        Added::AlreadyThere => say(&format!("{}: was denied already", asked.denied)),
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Added {
    New,
    AlreadyThere,
}

/// Adds one line, durably. Two who add at once both do.
fn add(list: &Path, denied: &Denied, comment: &str) -> Result<Added> {
    let lock = File::create(beside(list)).with_context(|| format!("tls.denied: cannot lock {}", list.display()))?;
    lock.lock().context("tls.denied")?;
    let held = match DenyList::read(list) {
        Err(DenyListError::Unreadable(_, error)) if error.kind() == io::ErrorKind::NotFound => DenyList::default(),
        // A list that the broker cannot read is not followed, so adding to it would cut nobody off.
        read => read.context("tls.denied")?,
    };
    if held.contains(denied) {
        return Ok(Added::AlreadyThere);
    }
    let mut text = if list.exists() { fs::read_to_string(list)? } else { String::new() };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{denied} # {}\n", comment.trim()));
    write_whole(list, |out| out.write_all(text.as_bytes())).context("tls.denied")?;
    if let Some(folder) = list.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The name, too, must survive a power cut.
        File::open(folder)?.sync_all()?;
    }
    Ok(Added::New)
}

fn beside(list: &Path) -> PathBuf {
    let mut name = list.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(n: usize) -> Denied {
        format!("spiffe://severn/source/S{n}").parse().unwrap()
    }

    #[test]
    fn an_entry_is_added_once_and_what_was_written_by_hand_stays() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("denied");
        assert_eq!(add(&list, &party(1), "now # left").unwrap(), Added::New, "the file is made");
        fs::write(&list, format!("{}# by hand\nserial:07", fs::read_to_string(&list).unwrap())).unwrap();
        assert_eq!(add(&list, &party(2), "").unwrap(), Added::New);
        assert_eq!(add(&list, &party(1), "again").unwrap(), Added::AlreadyThere);
        let text = fs::read_to_string(&list).unwrap();
        assert_eq!(
            text,
            "spiffe://severn/source/S1 # now # left\n# by hand\nserial:07\nspiffe://severn/source/S2 # \n"
        );
        assert_eq!(DenyList::read(&list).unwrap().iter().count(), 3);
    }

    #[test]
    fn nothing_is_added_to_a_list_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("denied");
        fs::write(&list, "who?\n").unwrap();
        let fault = format!("{:#}", add(&list, &party(1), "").unwrap_err());
        assert!(fault.contains("line 1"), "{fault}");
        assert_eq!(fs::read_to_string(&list).unwrap(), "who?\n");
    }

    #[test]
    fn who_are_revoked_at_once_are_all_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("denied");
        std::thread::scope(|threads| {
            for n in 0..8 {
                let list = &list;
                threads.spawn(move || add(list, &party(n), "").unwrap());
            }
        });
        assert_eq!(DenyList::read(&list).unwrap().iter().count(), 8);
    }
}
