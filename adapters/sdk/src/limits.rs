//! The limits of an adapter, each with its unit. Reaching one is an outcome that a reader is shown.

use serde::Deserialize;
use severn_trust::RecordLimits;
use std::time::Duration;

/// Limits of one adapter; the section `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default = "Limits::usual")]
pub struct Limits {
    /// Entries of one answer.
    pub entries_max: usize,
    /// Bytes of one answer's entries.
    pub answer_bytes_max: usize,
    /// Bytes of one message.
    pub batch_bytes_max: usize,
    /// Bytes of one document.
    pub document_bytes_max: usize,
    /// Calls under way at once; a further one is refused, not queued.
    pub concurrent_max: usize,
    /// Milliseconds one call may take, whatever the broker allows.
    pub budget_ms_max: u64,
    /// Milliseconds after which the data of a source that is a copy is called stale.
    pub stale_after_ms: u64,
    /// Records, and documents of records, that leave in a minute.
    pub records: Option<RecordLimits>,
}

impl Default for Limits {
    /// Without a limit of records in a minute: simulations have short minutes. A configuration begins with
    /// [`Limits::usual`].
    fn default() -> Self {
        Limits {
            entries_max: 5000,
            answer_bytes_max: 16 * 1024 * 1024,
            batch_bytes_max: BATCH_BYTES_CEILING,
            document_bytes_max: 64 * 1024 * 1024,
            concurrent_max: 32,
            budget_ms_max: 10_000,
            stale_after_ms: 3_600_000,
            records: None,
        }
    }
}

/// Bytes of the largest message that the contract allows.
pub const BATCH_BYTES_CEILING: usize = 4 * 1024 * 1024;

impl Limits {
    /// What holds where a configuration says nothing.
    pub fn usual() -> Limits {
        Limits { records: RecordLimits::usual(), ..Limits::default() }
    }

    /// How long a call may take that the broker allows `budget_ms`.
    pub fn budget(&self, budget_ms: u32) -> Duration {
        Duration::from_millis(u64::from(budget_ms).min(self.budget_ms_max))
    }
}
