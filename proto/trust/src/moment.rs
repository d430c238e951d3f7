//! Moments, as people write them on a command line.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Milliseconds since 1970-01-01T00:00:00Z of `2026-11-23` (midnight, UTC) or `2026-11-23T08:00:00Z`.
///
/// # Errors
/// Says what to write.
pub fn moment_ms(text: &str) -> Result<i64, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let moment = if text.contains('T') { text.parse::<Timestamp>().ok() } else { day() };
    let moment = moment.ok_or("write a day, 2026-11-23, or a moment, 2026-11-23T08:00:00Z")?;
    Ok(moment.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read_and_nothing_else() {
        assert_eq!(moment_ms("1970-01-02"), Ok(86_400_000));
        assert_eq!(moment_ms("1970-01-01T00:00:01.5Z"), Ok(1500));
        assert_eq!(moment_ms("1970-01-01T01:00:00+01:00"), Ok(0));
        for wrong in ["", "yesterday", "2026-13-01", "23/11/2026", "2026-11-23T08:00:00"] {
            assert!(moment_ms(wrong).unwrap_err().contains("2026-11-23"), "{wrong}");
        }
    }
}
