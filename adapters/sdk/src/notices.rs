//! What the broker tells this owner's privacy officers: who broke the glass or claimed a relationship, when, about whom.
//! Two more files of the inbox, kept as the others are: the serving adapter alone writes `notices.log`, the owner's
//! command alone `notices-seen.log`.
//!
//! **Invariant:** a notice is durable before it is acknowledged, and is there once, however often it is delivered.

use crate::inbox::{Inbox, InboxError};
use serde::{Deserialize, Serialize};
use severn_proto::v1::Notice;
use severn_trust::{NOTE_BYTES_MAX, check_note};
use std::{collections::HashMap, fmt, io};
use uuid::Uuid;

const NOTICES: &str = "notices.log";
const SEEN: &str = "notices-seen.log";

/// Notices that may wait to be seen. More are refused, so that the broker's queue says that they are not delivered.
pub const UNSEEN_MAX: usize = 10_000;

/// Bytes of a notice's longest text, and of its local ids together.
const TEXT_BYTES_MAX: usize = NOTE_BYTES_MAX;

/// A notice as it lies in the inbox. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The claim or override, as the broker's queue names it.
    pub id: Uuid,
    /// When the notice came: milliseconds since 1970-01-01T00:00:00Z.
    pub told_at_ms: i64,
    /// What was done: the number in the contract.
    pub kind: i32,
    /// When it was done.
    pub at_ms: i64,
    /// Until when it holds, if no review ends it before.
    pub until_ms: i64,
    /// Who did it: name and user's id.
    pub user: String,
    /// The role as at the time.
    pub role: String,
    /// ODS code of the user's organisation.
    pub organisation: String,
    /// Why, of an override: the number in the contract.
    pub reason: i32,
    /// The broker's name for the person.
    pub person: String,
    /// Whom it is about here; none where this source does not know the person.
    pub local_ids: Vec<String>,
    /// Some source holds the person as restricted.
    pub restricted: bool,
}

/// That an officer has seen a notice. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The notice.
    pub id: Uuid,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Who, in their own words.
    pub by: String,
}

/// Every notice, and what was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// The notices, in the order in which they came, and who saw each first.
    pub told: Vec<(Told, Option<Seen>)>,
    /// Lines that cannot be read, in both files.
    pub damaged: usize,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.id)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({})", self.id)
    }
}

impl Told {
    /// The notice as it came at `told_at_ms`; the field at fault if it breaks the contract.
    ///
    /// # Errors
    /// The name of the field.
    pub fn read(notice: Notice, told_at_ms: i64) -> Result<Told, &'static str> {
        for (field, length) in [
            ("user", notice.user.len()),
            ("role", notice.role.len()),
            ("organisation_ods", notice.organisation_ods.len()),
            ("enterprise_id", notice.enterprise_id.len()),
            ("local_ids", notice.local_ids.iter().map(String::len).sum()),
        ] {
            if length > TEXT_BYTES_MAX {
                return Err(field);
            }
        }
        Ok(Told {
            id: notice.id.parse().map_err(|_| "id")?,
            told_at_ms,
            kind: notice.kind,
            at_ms: notice.at_ms,
            until_ms: notice.until_ms,
            user: notice.user,
            role: notice.role,
            organisation: notice.organisation_ods,
            reason: notice.reason,
            person: notice.enterprise_id,
            local_ids: notice.local_ids,
            restricted: notice.restricted,
        })
    }
}

impl Told {
    /// Whether it is the same word: of the same act of the same user, about the same person here. What the broker says
    /// and what the adapter sees of an override are told twice where they do not agree.
    fn repeats(&self, earlier: &Told) -> bool {
        let same_act = (self.id, &self.user, &self.organisation) == (earlier.id, &earlier.user, &earlier.organisation);
        let same_person = self.local_ids.is_empty() && earlier.local_ids.is_empty()
            || self.local_ids.iter().any(|id| earlier.local_ids.contains(id));
        same_act && same_person
    }
}

impl Inbox {
    /// Every notice that came.
    ///
    /// # Errors
    /// As the storage gives them.
    pub fn notices(&self) -> io::Result<Notices> {
        let (told, damaged) = self.lines::<Told>(NOTICES)?;
        let (seen, damaged_seen) = self.lines::<Seen>(SEEN)?;
        let mut first: HashMap<Uuid, Seen> = HashMap::new();
        for seen in seen {
            first.entry(seen.id).or_insert(seen);
        }
        let told = told.into_iter().map(|told| {
            let seen = first.get(&told.id).cloned();
            (told, seen)
        });
        let told = told.collect();
        Ok(Notices { told, damaged: damaged + damaged_seen })
    }

    /// Takes a notice, which is durable when this returns; says whether it had come before.
    ///
    /// # Errors
    /// [`InboxError::Full`] or [`InboxError::Storage`]; then it is not taken.
    pub fn tell(&self, told: &Told) -> Result<bool, InboxError> {
        let _writing = self.lock();
        // A release waits for this, and the files hold years: of a line no more is read than must be.
        let (earlier, seen) = (self.whole_lines(NOTICES)?, self.whole_lines(SEEN)?);
        let same_act = format!("{{\"id\":\"{}\"", told.id);
        let mut same_act = earlier.split(|b| *b == b'\n').filter(|line| line.starts_with(same_act.as_bytes()));
        if same_act.any(|line| serde_json::from_slice(line).is_ok_and(|earlier| told.repeats(&earlier))) {
            return Ok(true);
        }
        let lines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
        if lines(&earlier).saturating_sub(lines(&seen)) >= UNSEEN_MAX {
            return Err(InboxError::Full);
        }
        self.append(NOTICES, told)?;
        Ok(false)
    }

    /// Keeps that a notice was seen, which is durable when this returns. Only one process may do so at a time.
    ///
    /// # Errors
    /// [`InboxError`] says what is wrong; then it is not kept.
    pub fn see(&self, seen: &Seen) -> Result<(), InboxError> {
        check_note(&seen.by).map_err(|error| InboxError::Answer(error.0))?;
        if seen.by.trim().is_empty() {
            return Err(InboxError::Answer("--by: say who has seen it"));
        }
        let _writing = self.lock();
        match self.notices()?.told.into_iter().find(|(told, _)| told.id == seen.id) {
            None => Err(InboxError::UnknownNotice),
            Some((_, Some(_))) => Ok(()),
            Some((_, None)) => Ok(self.append(SEEN, seen)?),
        }
    }
}

#[cfg(test)]
mod tests;
