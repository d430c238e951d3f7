//! Dates as a reader is shown them: 03-Mar-2019, with the precision the source gave and no more. Pure.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// An ISO 8601 date of any precision as a reader is shown it; anything else as it is.
pub(crate) fn show_date(iso: &str) -> String {
    let (date, time) = iso.split_once('T').unwrap_or((iso, ""));
    let shown = match date.len() {
        7 => parse(&format!("{date}-01")).map(|d| d.strftime("%b-%Y").to_string()),
        10 => parse(date).map(|d| d.strftime("%d-%b-%Y").to_string()),
        _ => None,
    };
    match (shown, clock_time(time)) {
        (Some(date), Some(time)) => format!("{date} {time}"),
        (Some(date), None) if time.is_empty() => date,
        // A time that is not understood is shown, not dropped.
        _ => iso.to_owned(),
    }
}

fn parse(date: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", date).ok()
}

/// Hours and minutes as the source wrote them; its own local time where it gave an offset.
fn clock_time(time: &str) -> Option<String> {
    let (hours, rest) = (time.get(..5)?, time.get(5..)?);
    let wellformed = hours.bytes().enumerate().all(|(at, b)| if at == 2 { b == b':' } else { b.is_ascii_digit() });
    let zone = if rest.ends_with('Z') { " UTC" } else { "" };
    wellformed.then(|| format!("{hours}{zone}"))
}

/// A moment as a reader is shown it, in `zone`; empty for 0, which means none.
pub(crate) fn show_moment(at_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) if at_ms != 0 => at.to_zoned(zone.clone()).strftime("%d-%b-%Y %H:%M").to_string(),
        _ => String::new(),
    }
}

/// A moment that somebody typed: a day, which begins at midnight in `zone`, or a day and a time, with or without an
/// offset; in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn read_moment(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    let local = || {
        let civil = text.parse::<DateTime>().ok()?;
        Some(civil.to_zoned(zone.clone()).ok()?.timestamp())
    };
    text.parse::<Timestamp>().ok().or_else(local).map(Timestamp::as_millisecond)
}

/// A moment to look back from: a day means its end.
pub(crate) fn read_moment_or_end(text: &str, zone: &TimeZone) -> Option<i64> {
    match text.trim().parse::<Date>() {
        Ok(day) if !text.contains('T') => {
            Some(day.to_datetime(Time::MAX).to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
        }
        _ => read_moment(text, zone),
    }
}

/// A whole birth date, as people in Britain write one, in ISO 8601.
pub(crate) fn read_birth_date(text: &str) -> Option<String> {
    let text = text.trim();
    let formats = ["%Y-%m-%d", "%d-%b-%Y", "%d %b %Y", "%d/%m/%Y"];
    let date = formats.iter().find_map(|format| Date::strptime(format, text).ok())?;
    (date.year() >= 1850).then(|| date.strftime("%Y-%m-%d").to_string())
}

/// A birth date to search by, or two with `..` between them, in ISO 8601.
pub(crate) fn read_birth_dates(text: &str) -> Option<String> {
    match text.split_once("..") {
        Some((from, until)) => Some(format!("{}/{}", read_partial_birth_date(from)?, read_partial_birth_date(until)?)),
        None => read_partial_birth_date(text),
    }
}

/// A birth date of which the year or year and month may be all that is known, in ISO 8601.
fn read_partial_birth_date(text: &str) -> Option<String> {
    let text = text.trim();
    let year = || (text.len() == 4).then(|| read_birth_date(&format!("{text}-01-01")).map(|date| date[..4].to_owned()));
    let month = || {
        let day = ["01-", "01/"].iter().find_map(|day| read_birth_date(&format!("{day}{text}")));
        day.or_else(|| read_birth_date(&format!("{text}-01"))).map(|date| date[..7].to_owned())
    };
    read_birth_date(text).or_else(|| year().flatten()).or_else(month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_their_precision() {
        for (iso, shown) in [
            ("2019", "2019"),
            ("2019-03", "Mar-2019"),
            ("2019-03-03", "03-Mar-2019"),
            ("2019-03-03T10:15:00+01:00", "03-Mar-2019 10:15"),
            ("2019-03-03T10:15:00Z", "03-Mar-2019 10:15 UTC"),
            ("2019-02-31", "2019-02-31"),
            ("2019-03-03T1", "2019-03-03T1"),
            ("last spring", "last spring"),
            ("", ""),
        ] {
            assert_eq!(show_date(iso), shown);
        }
        assert_eq!(show_moment(1_774_000_000_000, &TimeZone::UTC), "20-Mar-2026 09:46");
        assert_eq!(show_moment(0, &TimeZone::UTC), "");
    }

    #[test]
    fn moments_are_read_where_they_were_typed() {
        let london = TimeZone::get("Europe/London").unwrap();
        for (text, at_ms) in [
            ("2026-07-01", Some(1_782_860_400_000)),
            ("2026-07-01T14:30", Some(1_782_912_600_000)),
            ("2026-07-01 14:30", Some(1_782_912_600_000)),
            ("2026-07-01T14:30:00Z", Some(1_782_916_200_000)),
            ("2026-02-30", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(read_moment(text, &london), at_ms, "{text}");
        }
    }

    #[test]
    fn birth_dates_are_read_as_written_here() {
        for text in ["1951-03-04", "04-Mar-1951", "4-Mar-1951", "04 Mar 1951", "04/03/1951"] {
            assert_eq!(read_birth_date(text).as_deref(), Some("1951-03-04"), "{text}");
        }
        for text in ["", "1951", "1951-13-01", "31/02/1951", "03/04/51", "0051-03-04"] {
            assert_eq!(read_birth_date(text), None, "{text}");
        }
    }

    #[test]
    fn birth_dates_may_be_known_in_part() {
        for (text, iso) in [
            ("1951-03-04", Some("1951-03-04")),
            ("04/03/1951", Some("1951-03-04")),
            ("1951-03", Some("1951-03")),
            ("Mar-1951", Some("1951-03")),
            ("03/1951", Some("1951-03")),
            ("1951", Some("1951")),
            ("", None),
            ("51", None),
            ("1951-13", None),
            ("0051", None),
            ("1951-", None),
            ("-951", None),
            ("March", None),
        ] {
            assert_eq!(read_partial_birth_date(text).as_deref(), iso, "{text}");
        }
    }

    #[test]
    fn a_day_means_its_end_and_a_time_itself() {
        let zone = TimeZone::get("Europe/London").unwrap();
        for (text, expected) in [
            ("2026-03-03", Some("2026-03-03T23:59:59.999Z")),
            ("2026-06-03T14:30", Some("2026-06-03T13:30:00Z")),
            ("2026-02-31", None),
            ("yesterday", None),
        ] {
            let expected = expected.map(|at| at.parse::<Timestamp>().unwrap().as_millisecond());
            assert_eq!(read_moment_or_end(text, &zone), expected, "{text}");
        }
    }
}
