//! Enrolments on disk: one file each for a token that was made, for the key that asked with it, and for what people
//! decided. The broker and its command line share the folder, also while both run.
//!
//! **Invariant:** a file is written once, whole, and never changed, so that of two who ask, or decide, at once, one wins.
//! A token lies there as a hash only: who reads the folder cannot join with it.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use severn_trust::{Entropy, hex, sha256, unhex};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    ops::Deref,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Milliseconds for which a token may be used the first time, at most.
pub const TOKEN_LIFE_MAX_MS: i64 = 3_600_000;

/// Milliseconds, from when the adapter asked, for which people may decide and the adapter may fetch its certificate.
pub const DECISION_MAX_MS: i64 = 24 * 3_600_000;

/// Bytes of an enrolment's id, and of a token's secret.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A join token: an enrolment's id, a dot, and a secret. Not to be logged; wiped when it goes.
pub struct JoinToken(Zeroizing<String>);

impl Deref for JoinToken {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// For which source.
    pub source_id: String,
    /// Of which organisation.
    pub ods: String,
    /// By whom.
    pub by: String,
    /// When: milliseconds since 1970.
    pub at_ms: i64,
    /// Before when it must be used: milliseconds since 1970.
    pub expires_ms: i64,
    /// SHA-256 of the token, hexadecimal.
    digest: String,
}

/// A key that asked with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The key's fingerprint.
    pub key: String,
    /// When: milliseconds since 1970.
    pub at_ms: i64,
}

/// What people decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the key may join.
    pub approved: bool,
    /// Who decided.
    pub by: String,
    /// When: milliseconds since 1970.
    pub at_ms: i64,
    /// Why.
    pub because: String,
}

/// One enrolment, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Its id, a part of the token that is no secret.
    pub id: String,
    /// The token.
    pub made: Made,
    /// The key that asked with it, if one did.
    pub asked: Option<Asked>,
    /// What was decided, if it was.
    pub decision: Option<Decision>,
}

/// Why something cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentsError {
    /// There is no such enrolment.
    #[error("there is no enrolment {0}; `severn-broker enrol list` shows them")]
    Unknown(String),
    /// No key has asked yet, so there is nothing to decide.
    #[error("no adapter has asked with this token yet; run `severn-adapter enrol` beside the source first")]
    NotAsked,
    /// It took too long.
    #[error("the adapter asked more than a day ago; make another token")]
    Lapsed,
    /// Somebody was faster.
    #[error("it is decided already, by {0}")]
    Decided(String),
    /// Whoever made the token may not approve it.
    #[error("{0} made the token; another person must approve")]
    SamePerson(String),
    /// A name that names nobody.
    #[error("--by: write who you are, 1 to 100 characters in one line")]
    Nobody,
    /// The folder cannot be used.
    #[error("data.folder: the enrolments cannot be used: {0}")]
    Storage(#[from] io::Error),
}

/// The folder of all enrolments.
#[derive(Clone, Debug)]
pub struct Enrolments {
    folder: PathBuf,
}

impl Enrolments {
    /// Those of the broker whose data lie in `data`.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn within(data: &Path) -> io::Result<Enrolments> {
        let folder = data.join("enrolments");
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Enrolments { folder })
    }

    /// Makes a token that `by` answers for. It is given once and kept nowhere.
    ///
    /// # Errors
    /// [`EnrolmentsError`] if there is no name, or the folder cannot be written.
    pub fn make(
        &self,
        (source_id, ods): (&str, &str),
        by: &str,
        (at_ms, life_ms): (i64, i64),
        entropy: &dyn Entropy,
    ) -> Result<JoinToken, EnrolmentsError> {
        let by = name_of(by)?;
        let (mut id, mut secret) = ([0; ID_BYTES], Zeroizing::new([0; SECRET_BYTES]));
        entropy.fill(&mut id);
        entropy.fill(secret.as_mut());
        let secret = Zeroizing::new(hex(secret.as_ref()));
        let token = JoinToken(Zeroizing::new([&hex(&id), ".", &secret].concat()));
        let made = Made {
            source_id: source_id.to_owned(),
            ods: ods.to_owned(),
            by,
            at_ms,
            expires_ms: at_ms.saturating_add(life_ms.min(TOKEN_LIFE_MAX_MS)),
            digest: hex(&sha256(&[token.as_bytes()])),
        };
        self.write(&hex(&id), "token", &made)?;
        Ok(token)
    }

    /// The enrolment whose token this is.
    ///
    /// # Errors
    /// As the operating system gives them; `None` for a token that was not made here.
    pub fn of_token(&self, token: &str) -> io::Result<Option<Enrolled>> {
        let Some((id, _)) = token.split_once('.') else { return Ok(None) };
        let found = self.get(id)?;
        let digest = sha256(&[token.as_bytes()]);
        let same =
            |made: &Made| unhex(&made.digest).is_some_and(|held| verify_slices_are_equal(&held, &digest).is_ok());
        Ok(found.filter(|enrolled| same(&enrolled.made)))
    }

    /// The enrolment with this id.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn get(&self, id: &str) -> io::Result<Option<Enrolled>> {
        let is_id = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let made = if is_id { self.read(id, "token")? } else { None };
        let Some(made) = made else { return Ok(None) };
        let (asked, decision) = (self.read(id, "asked")?, self.read(id, "decision")?);
        Ok(Some(Enrolled { id: id.to_owned(), made, asked, decision }))
    }

    /// All of them, the oldest first.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn all(&self) -> io::Result<Vec<Enrolled>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".token")) {
                all.extend(self.get(id)?);
            }
        }
        all.sort_by_key(|enrolled| enrolled.made.at_ms);
        Ok(all)
    }

    /// Writes down that a key asked; false if another did before.
    ///
    /// # Errors
    /// As the operating system gives them.
    pub fn ask(&self, id: &str, asked: &Asked) -> io::Result<bool> {
        match self.write(id, "asked", asked) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes down what a person decided.
    ///
    /// # Errors
    /// [`EnrolmentsError`] says why it does not stand.
    pub fn decide(&self, id: &str, decision: Decision) -> Result<Enrolled, EnrolmentsError> {
        let enrolled = self.get(id)?.ok_or_else(|| EnrolmentsError::Unknown(id.to_owned()))?;
        let decision = Decision { by: name_of(&decision.by)?, ..decision };
        let asked = enrolled.asked.as_ref().ok_or(EnrolmentsError::NotAsked)?;
        if asked.has_lapsed(decision.at_ms) {
            return Err(EnrolmentsError::Lapsed);
        }
        if decision.approved && decision.by.to_lowercase() == enrolled.made.by.to_lowercase() {
            return Err(EnrolmentsError::SamePerson(enrolled.made.by));
        }
        match self.write(id, "decision", &decision) {
            Ok(()) => Ok(Enrolled { decision: Some(decision), ..enrolled }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let first: Option<Decision> = self.read(id, "decision")?;
                Err(EnrolmentsError::Decided(first.map_or_else(String::new, |first| first.by)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read<T: DeserializeOwned>(&self, id: &str, kind: &str) -> io::Result<Option<T>> {
        match fs::read(self.folder.join(format!("{id}.{kind}"))) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file, whole and durably, if it is not there yet.
    fn write(&self, id: &str, kind: &str, what: &impl Serialize) -> io::Result<()> {
        // Of this process and thread alone, so that two who write at once do not write the same.
        let own = format!("{id}.{kind}.{}-{:?}", std::process::id(), std::thread::current().id());
        let own = self.folder.join(own);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&own)?;
        file.write_all(&serde_json::to_vec(what)?)?;
        file.sync_all()?;
        // A link fails where there is something already; a rename would replace it.
        let linked = fs::hard_link(&own, self.folder.join(format!("{id}.{kind}")));
        fs::remove_file(&own)?;
        linked?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Asked {
    /// Whether it is too late to decide, or to fetch what was decided.
    pub fn has_lapsed(&self, now_ms: i64) -> bool {
        now_ms.saturating_sub(self.at_ms) > DECISION_MAX_MS
    }
}

fn name_of(by: &str) -> Result<String, EnrolmentsError> {
    let name = by.trim();
    let fits = !name.is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control);
    if fits { Ok(name.to_owned()) } else { Err(EnrolmentsError::Nobody) }
}
