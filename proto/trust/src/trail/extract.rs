//! What an adapter's trail says that it released, query by query, in counts only: for the broker's operator to compare
//! with what the broker's trail says that it received.

use super::{TrailError, scan_trail};
use crate::{disk::Disk, keys::PublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, ops::Range};

/// What the adapter's trail calls a release.
const RELEASE: &str = "release";

/// The releases of one source in a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// The source.
    pub source_id: String,
    /// From when: milliseconds since 1970-01-01T00:00:00Z.
    pub since_ms: i64,
    /// To before when: milliseconds since 1970-01-01T00:00:00Z.
    pub until_ms: i64,
    /// By query.
    pub released: BTreeMap<String, Released>,
}

/// What was released to one query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// When it began: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Entries, by dataset in its word; datasets without any are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub entries: BTreeMap<String, u32>,
    /// Documents that began to leave.
    #[serde(default)]
    pub documents: u32,
}

/// What the trail of source `source_id` in `disk` says was released at moments of `when`, milliseconds since 1970.
///
/// # Errors
/// [`TrailError`] if a file cannot be read or is damaged.
pub fn extract_releases(
    disk: &dyn Disk,
    key: &PublicKey,
    source_id: &str,
    when: Range<i64>,
) -> Result<Extract, TrailError> {
    let mut released: BTreeMap<String, Released> = BTreeMap::new();
    scan_trail(disk, key, when.clone(), |_, at_ms, event| {
        if event.action != RELEASE {
            return;
        }
        let query = released.entry(event.query_id).or_insert_with(|| Released { at_ms, ..Released::default() });
        query.documents += u32::from(event.details.get("document").is_some());
        for (dataset, said) in event.details.get("released").as_ref().and_then(Value::as_object).into_iter().flatten() {
            let count = said["entries"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(u32::MAX);
            if count > 0 {
                let sum = query.entries.entry(dataset.clone()).or_default();
                *sum = sum.saturating_add(count);
            }
        }
    })?;
    Ok(Extract { source_id: source_id.to_owned(), since_ms: when.start, until_ms: when.end, released })
}
