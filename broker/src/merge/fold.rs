//! Makes texts comparable: case, spaces and telephone numbers. Nothing here is ever shown.

use super::medicine;
use std::borrow::Cow;

/// `text` trimmed, in lower case, with single spaces between words.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if is_folded(text) {
        return Cow::Borrowed(text);
    }
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        let from = folded.len();
        if word.is_ascii() {
            folded.push_str(word);
            folded[from..].make_ascii_lowercase();
        } else {
            folded.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    Cow::Owned(folded)
}

fn is_folded(text: &str) -> bool {
    let mut before = b' ';
    for &byte in text.as_bytes() {
        let unclear = !byte.is_ascii() || byte.is_ascii_uppercase() || byte.is_ascii_control();
        if unclear || (byte == b' ' && before == b' ') {
            return false;
        }
        before = byte;
    }
    before != b' ' || text.is_empty()
}

/// The value of a distinguishing field, comparable with others of the same `name` (folded).
pub(super) fn fold_value<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if name.ends_with("phone") || name == "mobile" {
        return phone(value);
    }
    let folded = fold(value);
    match name {
        "dose" => close_units(folded),
        "form" => medicine::form(folded),
        "value" => plain_number(folded),
        _ => folded,
    }
}

/// "5.0" as "5", and "05" as it stands: only noughts after the point say nothing of how much there is.
fn plain_number(value: Cow<'_, str>) -> Cow<'_, str> {
    let is_decimal = |text: &str| {
        let (whole, part) = text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or_default();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits(whole) && digits(part)
    };
    if !is_decimal(&value) {
        return value;
    }
    let shorter = value.trim_end_matches('0').trim_end_matches('.').len();
    match value {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..shorter]),
        Cow::Owned(mut text) => {
            text.truncate(shorter);
            Cow::Owned(text)
        }
    }
}

/// A moment, comparable: an ISO 8601 time with a zone as seconds since 1970, anything else as it stands.
pub(super) fn moment(date: &str) -> Cow<'_, str> {
    let date = date.trim();
    match date.parse::<jiff::Timestamp>() {
        Ok(moment) => Cow::Owned(moment.as_second().to_string()),
        Err(_) => Cow::Borrowed(date),
    }
}

/// Digits only, with `+44` and `0044` as `0`. A value with letters (an extension, "ex-directory") stays text, and a
/// number of another country keeps its plus sign.
fn phone(value: &str) -> Cow<'_, str> {
    let abroad = value.trim_start().starts_with('+');
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || value.chars().any(char::is_alphabetic) {
        return fold(value);
    }
    let national = if abroad { digits.strip_prefix("44") } else { digits.strip_prefix("0044") };
    Cow::Owned(match national {
        Some(rest) => format!("0{}", rest.strip_prefix('0').unwrap_or(rest)),
        None if abroad => format!("+{digits}"),
        None => digits,
    })
}

/// "500 mg" as "500mg": the space between a number and its unit says nothing. Other spaces stay.
fn close_units(dose: Cow<'_, str>) -> Cow<'_, str> {
    if !dose.contains(' ') {
        return dose;
    }
    let mut closed = String::with_capacity(dose.len());
    let mut rest = dose.chars().peekable();
    while let Some(c) = rest.next() {
        let after_digit = closed.ends_with(|c: char| c.is_ascii_digit());
        let before_letter = rest.peek().is_some_and(|next| next.is_alphabetic());
        if c != ' ' || !after_digit || !before_letter {
            closed.push(c);
        }
    }
    Cow::Owned(closed)
}

/// The day of an ISO 8601 date, or as much of it as there is: times of day are dropped.
pub(super) fn day(date: &str) -> &str {
    let date = date.trim();
    date.get(..10).unwrap_or(date)
}

/// Whether a date begins with a year, so that it can be put in order.
pub(super) fn has_year(date: &str) -> bool {
    date.len() >= 4 && date.as_bytes().iter().take(4).all(u8::is_ascii_digit)
}

/// Whether a date tells a time of day.
pub(super) fn has_time(date: &str) -> bool {
    date.trim().get(10..).is_some_and(|time| !time.is_empty())
}

/// Whether a date names a whole day: only such dates say which of two came first.
pub(super) fn is_whole_day(day: &str) -> bool {
    day.len() == 10 && has_year(day)
}
