//! How large the files of a trail become, and how long they are kept.

use serde::Deserialize;

/// Bytes of a kibibyte.
const KIB: u64 = 1 << 10;

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// `[audit]` of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrailSettings {
    /// Kibibytes after which a new file is begun.
    pub segment_kib: u32,
    /// Days after which a new file is begun.
    pub segment_days: u32,
    /// Days for which no event may be removed.
    pub retention_days: u32,
}

impl Default for TrailSettings {
    fn default() -> Self {
        // Eight years, as health records are kept.
        TrailSettings { segment_kib: 65_536, segment_days: 31, retention_days: 2922 }
    }
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct TrailSettingsError {
    /// The key within the section.
    pub key: &'static str,
    /// What to do.
    pub message: &'static str,
}

impl TrailSettings {
    /// Checks the section.
    ///
    /// # Errors
    /// [`TrailSettingsError`] names the key.
    pub fn check(&self) -> Result<(), TrailSettingsError> {
        let fault = |key, message| Err(TrailSettingsError { key, message });
        match self {
            TrailSettings { segment_kib: 0 | 4_194_305.., .. } => fault("segment_kib", "give 1 to 4194304"),
            TrailSettings { segment_days: 0 | 3660.., .. } => fault("segment_days", "give 1 to 3659"),
            TrailSettings { retention_days: 0, .. } => fault("retention_days", "give at least 1"),
            _ => Ok(()),
        }
    }

    /// Whether a file of `length` bytes, begun at `begun_ms`, is full at `now_ms`.
    pub(super) fn is_full(&self, length: u64, begun_ms: i64, now_ms: i64) -> bool {
        length >= u64::from(self.segment_kib) * KIB || now_ms - begun_ms >= i64::from(self.segment_days) * DAY_MS
    }

    /// The moment before which events may be removed at `now_ms`: milliseconds since 1970.
    pub fn removable_before_ms(&self, now_ms: i64) -> i64 {
        now_ms - i64::from(self.retention_days) * DAY_MS
    }
}
