//! What lies in the folder, which of it has changed, and its bytes. Nothing of what the files say is known here.

use crate::settings::{FileSettings, Plan};
use severn_adapter_sdk::source::SourceError;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
    time::UNIX_EPOCH,
};

/// Files in the folder at most: a folder with more is another folder than was meant.
const FILES_MAX: usize = 500_000;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What tells two states of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    modified_ns: u128,
}

impl Stamp {
    /// When the file was last changed: milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn modified_ms(self) -> i64 {
        i64::try_from(self.modified_ns / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// The folder, as it was last seen.
pub(crate) struct Folder {
    path: PathBuf,
    settle_ms: i64,
    bundles: Wanted,
    tables: BTreeSet<String>,
    /// The first time at which each file was seen in its present state.
    seen: BTreeMap<String, (Stamp, i64)>,
}

enum Wanted {
    AllJson,
    Nothing,
}

impl Folder {
    pub(crate) fn new(settings: &FileSettings, plan: &Plan) -> Folder {
        let mut tables = BTreeSet::new();
        if let Some(csv) = &plan.csv {
            tables.insert(csv.people.file.clone());
            tables.extend(csv.tables.iter().map(|table| table.file.clone()));
        }
        let bundles = if plan.bundles.is_some() { Wanted::AllJson } else { Wanted::Nothing };
        Folder { path: settings.folder.clone(), settle_ms: settings.settle_ms, bundles, tables, seen: BTreeMap::new() }
    }

    /// Names and states of the files that matter. `now_ms` is the time of day.
    pub(crate) fn list(&mut self, now_ms: i64) -> Result<BTreeMap<String, Stamp>, SourceError> {
        let unreadable =
            || SourceError::Unreachable("file.folder cannot be listed; is it there, and may we read it?".into());
        let mut found = BTreeMap::new();
        for item in fs::read_dir(&self.path).map_err(|_| unreadable())? {
            let item = item.map_err(|_| unreadable())?;
            let Ok(name) = item.file_name().into_string() else { continue };
            if !self.wants(&name) {
                continue;
            }
            // Of a symbolic link this is the link itself: it is no file, and is passed over.
            if let Some(stamp) = item.metadata().ok().and_then(|metadata| stamp(&metadata)) {
                found.insert(name, stamp);
            }
            if found.len() > FILES_MAX {
                return Err(SourceError::Config(format!("file.folder holds more than {FILES_MAX} files")));
            }
        }
        self.seen.retain(|name, _| found.contains_key(name));
        for (name, stamp) in &found {
            let known = self.seen.get(name).is_some_and(|(seen, _)| seen == stamp);
            if !known {
                self.seen.insert(name.clone(), (*stamp, now_ms));
            }
        }
        Ok(found)
    }

    /// Whether a file is old enough to be whole: by its own time, or by how long it has been seen unchanged (the clocks
    /// of two machines differ).
    pub(crate) fn is_settled(&self, name: &str, now_ms: i64) -> bool {
        let waited = |since: i64| now_ms.saturating_sub(since) >= self.settle_ms;
        self.seen.get(name).is_some_and(|(stamp, first_ms)| waited(stamp.modified_ms()) || waited(*first_ms))
    }

    /// Whether it is one of the extracts.
    pub(crate) fn is_table(&self, name: &str) -> bool {
        self.tables.contains(name)
    }

    /// The bytes of a file in the state `stamp`; `None` if it is in another by now.
    pub(crate) fn read(&self, name: &str, stamp: Stamp) -> io::Result<Option<Vec<u8>>> {
        if stamp.size > FILE_BYTES_MAX {
            return Err(io::Error::other("larger than 1 GiB"));
        }
        let path = self.path.join(name);
        let bytes = fs::read(&path)?;
        let after = fs::symlink_metadata(&path).ok().and_then(|metadata| self::stamp(&metadata));
        let same = after == Some(stamp) && bytes.len() as u64 == stamp.size;
        Ok(same.then_some(bytes))
    }

    fn wants(&self, name: &str) -> bool {
        let is_json = name.to_ascii_lowercase().ends_with(".json") && !name.starts_with('.');
        self.tables.contains(name) || (matches!(self.bundles, Wanted::AllJson) && is_json)
    }
}

fn stamp(metadata: &fs::Metadata) -> Option<Stamp> {
    if !metadata.is_file() {
        return None;
    }
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Stamp { size: metadata.len(), modified_ns: since.as_nanos() })
}
