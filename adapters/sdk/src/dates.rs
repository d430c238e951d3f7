//! Dates as sources write them, read into the ISO 8601 of the contract with the precision they have. A text that is
//! no date of a declared form is never guessed at: it comes back as `None` and its entry says so.

use crate::cells::MappingError;
use jiff::{
    civil,
    tz::{Offset, TimeZone},
};
use serde::Deserialize;

/// How a source writes dates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateSettings {
    /// Order of day and month in dates with slashes.
    pub order: DateOrder,
    /// IANA name of the zone of times that carry none, for example `Europe/London`.
    pub time_zone: String,
}

/// Which forms of date are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Year first only: `2019`, `2019-04`, `2019-04-03`, `20190403`, `2019-04-03 10:15:00`.
    Iso,
    /// Also day, month, year: `03/04/2019` is the third of April.
    Dmy,
}

/// Reads dates.
#[derive(Clone, Debug)]
pub struct Dates {
    order: DateOrder,
    zone: TimeZone,
}

impl Dates {
    /// A reader by the settings.
    ///
    /// # Errors
    /// The time zone is unknown.
    pub fn new(settings: &DateSettings) -> Result<Dates, MappingError> {
        let zone = TimeZone::get(&settings.time_zone).map_err(|_| {
            MappingError::new("dates.time_zone", "unknown zone; give an IANA name, such as Europe/London")
        })?;
        Ok(Dates { order: settings.order, zone })
    }

    /// The date or time in ISO 8601. A time without a zone is taken to be local and gets its offset; midnight without
    /// a zone is a date that passed through a type that always has a time. `None` if the text is no such date.
    pub fn read(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let (date_text, time_text) = match text.find(['T', ' ']) {
            Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?.trim_start())),
            None => (text, None),
        };
        let Some(time_text) = time_text else { return self.read_date(date_text).map(|date| date.text) };
        let date = self.read_date(date_text)?.day?;
        self.read_time(date, time_text)
    }

    fn read_date(&self, text: &str) -> Option<PartialDate> {
        if text.contains('/') {
            let mut parts = text.split('/');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let fits = self.order == DateOrder::Dmy && parts.next().is_none() && year.len() == 4;
            return if fits { full_date(year, month, day) } else { None };
        }
        if text.len() == 8 && !text.contains('-') {
            return full_date(text.get(..4)?, text.get(4..6)?, text.get(6..)?);
        }
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next(), parts.next());
        if year.len() != 4 || parts.next().is_some() || [month, day].into_iter().flatten().any(|part| part.len() != 2) {
            return None;
        }
        match (month, day) {
            (Some(month), Some(day)) => full_date(year, month, day),
            // A made-up day proves year and month; it is not kept.
            (Some(month), None) => full_date(year, month, "01").map(|date| PartialDate { day: None, ..date }.cut(7)),
            _ => full_date(year, "01", "01").map(|date| PartialDate { day: None, ..date }.cut(4)),
        }
    }

    fn read_time(&self, date: civil::Date, text: &str) -> Option<String> {
        let zone_at = text.find(['Z', '+', '-']).unwrap_or(text.len());
        let (clock, zone) = (text.get(..zone_at)?.trim_end(), text.get(zone_at..)?);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let time = civil_time(clock)?;
        if !fraction.chars().all(|c| c.is_ascii_digit()) || fraction.len() > 9 {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if zone.is_empty() && fraction.is_empty() && time == civil::Time::midnight() {
            return Some(date.to_string());
        }
        let offset = match zone {
            "" => self.zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().ok()?.offset(),
            "Z" => Offset::UTC,
            zone => read_offset(zone)?,
        };
        let seconds = if clock.len() > 5 { format!(":{:02}", time.second()) } else { String::new() };
        let point = if fraction.is_empty() { "" } else { "." };
        let (hour, minute) = (time.hour(), time.minute());
        Some(format!("{date}T{hour:02}:{minute:02}{seconds}{point}{fraction}{}", offset_text(offset)))
    }
}

struct PartialDate {
    text: String,
    day: Option<civil::Date>,
}

impl PartialDate {
    fn cut(mut self, length: usize) -> PartialDate {
        self.text.truncate(length);
        self
    }
}

fn full_date(year: &str, month: &str, day: &str) -> Option<PartialDate> {
    let (year, month, day) = (digits(year)?, digits(month)?, digits(day)?);
    if year == 0 {
        return None;
    }
    let date = civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    Some(PartialDate { text: date.to_string(), day: Some(date) })
}

fn civil_time(text: &str) -> Option<civil::Time> {
    let parts: Vec<&str> = text.split(':').collect();
    if !matches!(parts.len(), 2 | 3) || parts.iter().any(|part| part.len() != 2) {
        return None;
    }
    let mut numbers = [0_i8; 3];
    for (number, part) in numbers.iter_mut().zip(&parts) {
        *number = i8::try_from(digits(part)?).ok()?;
    }
    civil::Time::new(numbers[0], numbers[1], numbers[2], 0).ok()
}

/// `+01`, `+0130` or `+01:30`.
fn read_offset(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let plain: String = text.get(1..)?.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = match plain.len() {
        2 => (digits(&plain)?, 0),
        4 => (digits(plain.get(..2)?)?, digits(plain.get(2..)?)?),
        _ => return None,
    };
    if minutes > 59 || hours > 15 {
        return None;
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)).ok()
}

fn offset_text(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn digits(text: &str) -> Option<i16> {
    let all_digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(order: DateOrder) -> Dates {
        Dates::new(&DateSettings { order, time_zone: "Europe/London".into() }).expect("a known zone")
    }

    #[test]
    fn reads_the_forms_of_iso() {
        let cases = [
            ("2019", Some("2019")),
            ("2019-04", Some("2019-04")),
            ("2019-04-03", Some("2019-04-03")),
            ("20190403", Some("2019-04-03")),
            ("2019-04-03 00:00:00", Some("2019-04-03")),
            ("2019-04-03 00:00:00.000", Some("2019-04-03")),
            ("2019-04-03T00:00:00Z", Some("2019-04-03T00:00:00+00:00")),
            ("2019-04-03 10:15:00", Some("2019-04-03T10:15:00+01:00")),
            ("2019-01-03 10:15", Some("2019-01-03T10:15+00:00")),
            ("2019-01-03 10:15:07.250", Some("2019-01-03T10:15:07.25+00:00")),
            ("2019-04-03 10:15:00+00", Some("2019-04-03T10:15:00+00:00")),
            ("2019-04-03 10:15:00-0530", Some("2019-04-03T10:15:00-05:30")),
            ("2019-04-03T10:15:00.5+05:30", Some("2019-04-03T10:15:00.5+05:30")),
            ("2019-10-27 01:30:00", Some("2019-10-27T01:30:00+01:00")),
            ("03/04/2019", None),
            ("2019-02-30", None),
            ("2019-13", None),
            ("0000-00-00", None),
            ("0000", None),
            ("2019-4-3", None),
            ("2019-04-03 25:00:00", None),
            ("2019-04-03 10:15:00+99", None),
            ("2019-04 10:15:00", None),
            ("yesterday", None),
            ("+019-04-03", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(dates(DateOrder::Iso).read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn reads_day_month_year_only_where_declared() {
        let cases = [
            ("03/04/2019", Some("2019-04-03")),
            ("3/4/2019", Some("2019-04-03")),
            ("31/12/1999 23:59:00", Some("1999-12-31T23:59:00+00:00")),
            ("2019-04-03", Some("2019-04-03")),
            ("04/13/2019", None),
            ("03/04/19", None),
            ("03/04", None),
        ];
        for (text, expected) in cases {
            assert_eq!(dates(DateOrder::Dmy).read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn an_unknown_zone_is_refused() {
        let settings = DateSettings { order: DateOrder::Iso, time_zone: "Europe/Lodnon".into() };
        assert!(Dates::new(&settings).is_err_and(|e| e.key == "dates.time_zone"));
    }
}
