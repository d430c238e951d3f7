//! Who must be told of a claim or of broken glass, and who has been. What must be told is what the index keeps of claims
//! and overrides, so that no notice can be lost or written twice; kept here is only that one was delivered, durable before
//! it counts: `notices.log`, a JSON line each. It is this broker's own: another broker delivers too, and the adapter
//! takes each notice once.

use crate::{
    facts::Change,
    model::{Source, SourceId},
};
use serde::{Deserialize, Serialize};
use severn_trust::{Clock, Disk};
use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::{Arc, Mutex, PoisonError},
};
use uuid::Uuid;

/// How long a notice is tried to be delivered, and its delivery is remembered: 30 days in milliseconds.
pub const NOTICE_LIFE_MS: i64 = 30 * 86_400_000;

/// Milliseconds within which a notice must be delivered.
pub const NOTICE_DUE_MS: i64 = 60_000;

const DELIVERED: &str = "notices.log";

/// Who is told.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipient {
    /// The owner of a source, at its adapter.
    Source(String),
    /// An organisation that has no adapter here: its ODS code.
    Organisation(String),
}

/// That a notice was delivered.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Delivered {
    id: Uuid,
    to: Recipient,
    at_ms: i64,
}

/// What was delivered.
pub struct Notices {
    disk: Arc<dyn Disk>,
    folder: Option<Arc<dyn Disk>>,
    clock: Arc<dyn Clock>,
    /// Held while a delivery is made durable; whoever only asks does not wait for that.
    writing: Mutex<()>,
    // Std locks: nothing is awaited while they are held.
    delivered: Mutex<HashMap<(Uuid, Recipient), i64>>,
}

impl Notices {
    /// What `disk` holds, without what is older than a notice's life. Notices to organisations without an
    /// adapter are written to `folder`, a file each, for a mail agent to take away.
    ///
    /// # Errors
    /// As the storage gives them.
    pub fn open(disk: Arc<dyn Disk>, folder: Option<Arc<dyn Disk>>, clock: Arc<dyn Clock>) -> io::Result<Notices> {
        let written = match disk.read(DELIVERED) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        // A line that cannot be read is of a delivery that is repeated, and taken once.
        let lines = written.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let young = |delivered: &Delivered| clock.now_ms() - delivered.at_ms < NOTICE_LIFE_MS;
        let kept: Vec<Delivered> = lines.filter(young).collect();
        let mut file = Vec::new();
        for delivered in &kept {
            file.append(&mut line(delivered)?);
        }
        if file != written {
            disk.replace(DELIVERED, &file)?;
        }
        let delivered = kept.into_iter().map(|Delivered { id, to, at_ms }| ((id, to), at_ms)).collect();
        Ok(Notices { disk, folder, clock, writing: Mutex::default(), delivered: Mutex::new(delivered) })
    }

    /// When a notice was delivered: milliseconds since 1970-01-01T00:00:00Z; `None` if it was not.
    pub fn delivered_at(&self, id: Uuid, to: &Recipient) -> Option<i64> {
        let delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        delivered.get(&(id, to.clone())).copied()
    }

    /// How old what was done at `at_ms` is: milliseconds.
    pub fn age_ms(&self, at_ms: i64) -> i64 {
        self.clock.now_ms().saturating_sub(at_ms)
    }

    /// The moment before which nothing is told any more: milliseconds since 1970-01-01T00:00:00Z.
    pub fn since_ms(&self) -> i64 {
        self.clock.now_ms().saturating_sub(NOTICE_LIFE_MS)
    }

    /// Keeps that a notice was delivered now. Blocks while it is made durable.
    ///
    /// # Errors
    /// As the storage gives them; then it is delivered again.
    pub fn note(&self, id: Uuid, to: &Recipient) -> io::Result<()> {
        let at_ms = self.clock.now_ms();
        {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut file = self.disk.open_append(DELIVERED)?;
            file.append(&line(&Delivered { id, to: to.clone(), at_ms })?)?;
            file.sync()?;
        }
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).insert((id, to.clone()), at_ms);
        Ok(())
    }

    /// Whether there is a way to a recipient at all.
    pub fn reaches(&self, to: &Recipient) -> bool {
        matches!(to, Recipient::Source(_)) || self.folder.is_some()
    }

    /// Where notices to organisations without an adapter are written, if anywhere.
    pub fn folder(&self) -> Option<&Arc<dyn Disk>> {
        self.folder.as_ref()
    }
}

fn line(delivered: &Delivered) -> io::Result<Vec<u8>> {
    let mut json = serde_json::to_vec(delivered)?;
    json.push(b'\n');
    Ok(json)
}

/// Who must be told of a claim or an override: the organisation of whoever made it, at its sources here if it has any,
/// and every source that knows the person. `sources` are those registered here.
pub fn recipients(change: &Change, sources: &[Arc<Source>]) -> BTreeSet<Recipient> {
    let known: BTreeSet<&SourceId> =
        change.subject.iter().flat_map(|subject| &subject.registrations).map(|located| &located.source).collect();
    let ods = change.by.organisation_ods.as_str();
    let is_own = |source: &Source| source.ods.eq_ignore_ascii_case(ods);
    let told = sources.iter().filter(|source| is_own(source) || known.contains(&source.id));
    let told = told.map(|source| Recipient::Source(source.id.to_string()));
    let elsewhere = !sources.iter().any(|source| is_own(source));
    told.chain(elsewhere.then(|| Recipient::Organisation(ods.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
