//! What readers report back to the owner, and what the owner answers: two append-only files of JSON lines in the owner's
//! own folder. The serving adapter alone writes `challenges.log`, the owner's command alone `challenge-answers.log`; each
//! reads what the other wrote, so that neither waits for the other.
//!
//! **Invariant:** a challenge is durable before it is acknowledged. A last line that a crash left unfinished was never
//! acknowledged; it is cut off and said. A damaged line stays where it is, is counted and said, and hides no other.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use severn_proto::v1::{ChallengeKind, ChallengeState, Dataset};
use severn_trust::{Disk, challenge_kind_from_word, challenge_state_from_word, check_note, dataset_from_word};
use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::warn;
use uuid::Uuid;

const CHALLENGES: &str = "challenges.log";
const ANSWERS: &str = "challenge-answers.log";

/// Challenges that may wait for the owner's decision, in all.
pub const OPEN_MAX: usize = 1000;

/// Challenges of one user that may wait for the owner's decision.
pub const OPEN_OF_USER_MAX: usize = 100;

/// A challenge as it lies in the inbox. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The query that brought it.
    pub id: Uuid,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Who vouches for the reporter.
    pub issuer: String,
    /// ODS code of the reporter's organisation.
    pub organisation: String,
    /// The reporter's id in that organisation.
    pub user: String,
    /// The reporter's name.
    pub name: String,
    /// The reporter's role code, as at the time.
    pub role: String,
    /// Whom the entry is filed under here.
    pub local_id: String,
    /// The kind of content, as a word.
    pub dataset: String,
    /// The entry; empty for the whole record.
    pub entry_id: String,
    /// The sensitivity labels that the entry carried: who may not see these may not read the answer.
    pub labels: Vec<i32>,
    /// What the reporter says of it, as a word.
    pub kind: String,
    /// Why.
    pub note: String,
}

/// The owner's answer. `Debug` shows the id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The challenge.
    pub id: Uuid,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// How far it is, as a word.
    pub state: String,
    /// What the owner says, for the reporter to read.
    pub note: String,
}

/// A challenge and the owner's last answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The challenge.
    pub taken: Taken,
    /// The last answer; `None` where there is none yet.
    pub answered: Option<Answered>,
}

/// Everything in the inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The challenges, oldest first.
    pub held: Vec<Held>,
    /// Lines that cannot be read, in both files.
    pub damaged: usize,
}

/// Why a challenge is not taken, or an answer not kept.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// Too many wait.
    #[error("too many challenges wait for this owner's decision; telephone the source")]
    Full,
    /// The storage failed; nothing is kept of it.
    #[error("the inbox cannot be written or read: {0}")]
    Storage(#[from] io::Error),
    /// The owner answers what was not asked.
    #[error("no challenge has this id; `severn-adapter challenges` lists them")]
    Unknown,
    /// An officer has seen what was not told.
    #[error("no notice has this id; `severn-adapter notices` lists them")]
    UnknownNotice,
    /// The owner's answer is not acceptable.
    #[error("{0}")]
    Answer(&'static str),
}

/// The inbox; clones share it. Its methods block while they read and write.
#[derive(Clone)]
pub struct Inbox {
    disk: Arc<dyn Disk>,
    // A std mutex: it is locked on a blocking thread, and nothing is awaited meanwhile.
    writing: Arc<Mutex<()>>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox(…)")
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Taken({})", self.id)
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answered({}, {})", self.id, self.state)
    }
}

impl Held {
    /// How far it is.
    pub fn state(&self) -> ChallengeState {
        match &self.answered {
            None => ChallengeState::Received,
            Some(answered) => challenge_state_from_word(&answered.state).unwrap_or_default(),
        }
    }

    /// Whether the owner has yet to decide it.
    pub fn is_open(&self) -> bool {
        matches!(self.state(), ChallengeState::Received | ChallengeState::LookedAt)
    }
}

impl Taken {
    /// The kind of content; unspecified if the word is not known.
    pub fn dataset(&self) -> Dataset {
        dataset_from_word(&self.dataset).unwrap_or_default()
    }

    /// What the reporter says of it; unspecified if the word is not known.
    pub fn kind(&self) -> ChallengeKind {
        challenge_kind_from_word(&self.kind).unwrap_or_default()
    }

    /// Whether it is the same user's word on the same thing.
    fn repeats(&self, earlier: &Taken) -> bool {
        let of_user = (&self.issuer, &self.organisation, &self.user);
        let what = (&self.local_id, &self.dataset, &self.entry_id, &self.kind);
        of_user == (&earlier.issuer, &earlier.organisation, &earlier.user)
            && what == (&earlier.local_id, &earlier.dataset, &earlier.entry_id, &earlier.kind)
    }

    fn is_by_user_of(&self, other: &Taken) -> bool {
        (&self.issuer, &self.user) == (&other.issuer, &other.user)
    }
}

impl Inbox {
    /// The inbox in `disk`, which may be empty.
    pub fn new(disk: Arc<dyn Disk>) -> Inbox {
        Inbox { disk, writing: Arc::default() }
    }

    /// Everything that lies in it.
    ///
    /// # Errors
    /// As the storage gives them.
    pub fn contents(&self) -> io::Result<Contents> {
        let (challenges, damaged) = self.lines::<Taken>(CHALLENGES)?;
        let (answers, damaged_answers) = self.lines::<Answered>(ANSWERS)?;
        let mut last: HashMap<Uuid, Answered> = answers.into_iter().map(|answered| (answered.id, answered)).collect();
        let held = challenges.into_iter().map(|taken| Held { answered: last.remove(&taken.id), taken }).collect();
        Ok(Contents { held, damaged: damaged + damaged_answers })
    }

    /// Takes a challenge, which is durable when this returns, and gives it; or the one that it repeats.
    ///
    /// # Errors
    /// [`InboxError::Full`] or [`InboxError::Storage`]; then it is not taken.
    pub fn take(&self, taken: Taken) -> Result<Taken, InboxError> {
        let _writing = self.lock();
        let contents = self.contents()?;
        let open: Vec<&Taken> = contents.held.iter().filter(|held| held.is_open()).map(|held| &held.taken).collect();
        if let Some(earlier) = open.iter().find(|earlier| taken.repeats(earlier)) {
            return Ok((*earlier).clone());
        }
        let of_user = open.iter().filter(|earlier| taken.is_by_user_of(earlier)).count();
        if open.len() >= OPEN_MAX || of_user >= OPEN_OF_USER_MAX {
            return Err(InboxError::Full);
        }
        self.append(CHALLENGES, &taken)?;
        Ok(taken)
    }

    /// Keeps the owner's answer, which is durable when this returns. The last answer stands. Only one process may answer
    /// at a time.
    ///
    /// # Errors
    /// [`InboxError`] says what is wrong; then it is not kept.
    pub fn answer(&self, answered: &Answered) -> Result<(), InboxError> {
        check_note(&answered.note).map_err(|error| InboxError::Answer(error.0))?;
        let _writing = self.lock();
        if !self.contents()?.held.iter().any(|held| held.taken.id == answered.id) {
            return Err(InboxError::Unknown);
        }
        Ok(self.append(ANSWERS, answered)?)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every whole line of a file, and how many of them cannot be read.
    pub(crate) fn lines<T: DeserializeOwned>(&self, name: &str) -> io::Result<(Vec<T>, usize)> {
        let bytes = self.whole_lines(name)?;
        let read = bytes.split_inclusive(|b| *b == b'\n').map(serde_json::from_slice);
        let lines: Vec<Option<T>> = read.map(Result::ok).collect();
        let damaged = lines.iter().filter(|line| line.is_none()).count();
        if damaged > 0 {
            warn!(file = name, damaged, "lines of the inbox cannot be read");
        }
        Ok((lines.into_iter().flatten().collect(), damaged))
    }

    /// A file up to the end of its last whole line.
    pub(crate) fn whole_lines(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = self.bytes(name)?;
        bytes.truncate(whole(&bytes));
        Ok(bytes)
    }

    fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.disk.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Adds a line behind the last whole one. Must be called under the lock.
    pub(crate) fn append(&self, name: &str, line: &impl Serialize) -> io::Result<()> {
        let mut json = serde_json::to_vec(line)?;
        json.push(b'\n');
        let mut file = self.disk.open_append(name)?;
        let bytes = self.bytes(name)?;
        let length = whole(&bytes);
        if length < bytes.len() {
            warn!(file = name, "an unfinished last line, which nobody was told is kept, is cut off");
            file.truncate(length as u64)?;
        }
        let written = file.append(&json).and_then(|()| file.sync());
        if written.is_err() {
            // Whoever is told that it was not taken must not find it taken. What cannot be cut off is cut off next time,
            // unless it was whole: then a repetition finds it.
            drop(file.truncate(length as u64));
        }
        written
    }
}

/// Bytes up to the end of the last whole line.
fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests;
