//! Dates, whole or partial, packed so that comparing them is comparing numbers.

use crate::normalise::mix;
use serde::{Deserialize, Serialize};

/// A date that may lack its day, or its month and day. Zero is "missing".
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Date(u32);

impl Date {
    /// Reads `YYYY-MM-DD`, `YYYY-MM`, `YYYY`, `YYYYMMDD` and `DD/MM/YYYY` (also with `.` or `-`), with anything after
    /// a `T` or a space left out. What is no date, and dates that systems write for "unknown", are missing.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let text = text.split(['T', ' ']).next().unwrap_or_default();
        let mut parts = text.split(['-', '/', '.']);
        let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let date = match (first.len(), second, third) {
            (8, None, None) if first.is_ascii() => Self::of(&first[..4], &first[4..6], &first[6..]),
            (4, month, day) => Self::of(first, month.unwrap_or("0"), day.unwrap_or("0")),
            (1 | 2, Some(month), Some(year)) if year.len() == 4 => Self::of(year, month, first),
            _ => Self(0),
        };
        if date.is_placeholder() { Self(0) } else { date }
    }

    fn of(year: &str, month: &str, day: &str) -> Self {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number < 10_000);
        let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else { return Self(0) };
        let plausible = (1850..=2200).contains(&year) && month <= 12 && day <= 31 && (day == 0 || month > 0);
        if plausible { Self(year << 9 | month << 5 | day) } else { Self(0) }
    }

    /// 1 January 1900 and 1901, and 11 November 1911, are what clerks type for "not known".
    fn is_placeholder(self) -> bool {
        matches!((self.year(), self.month(), self.day()), (1900 | 1901, 1, 1) | (1911, 11, 11) | (1900, 0, 0))
    }

    pub const fn is_missing(self) -> bool {
        self.0 == 0
    }

    pub const fn is_whole(self) -> bool {
        self.day() != 0
    }

    pub const fn year(self) -> u32 {
        self.0 >> 9
    }

    pub const fn month(self) -> u32 {
        self.0 >> 5 & 15
    }

    pub const fn day(self) -> u32 {
        self.0 & 31
    }

    pub const fn is_first_of_january(self) -> bool {
        self.month() == 1 && self.day() == 1
    }

    /// Day and month in one order: equal for a date and its swap.
    pub fn unordered_day_and_month(self) -> u32 {
        self.day().min(self.month()) << 5 | self.day().max(self.month())
    }

    /// The same date, its day and month in one order.
    pub fn canonical(self) -> u32 {
        self.year() << 10 | self.unordered_day_and_month()
    }

    pub fn swapped(self) -> Self {
        if self.day() > 12 { self } else { Self(self.year() << 9 | self.day() << 5 | self.month()) }
    }

    /// The eight digits `YYYYMMDD`.
    pub fn digits(self) -> [u8; 8] {
        let number = self.year() * 10_000 + self.month() * 100 + self.day();
        let mut digits = [0; 8];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }

    /// Days since an arbitrary day, months taken as 31 days: good enough to say which of two dates is clearly later.
    pub const fn rough_days(self) -> u32 {
        self.year() * 372 + self.month() * 31 + self.day()
    }

    pub const fn from_packed(packed: u32) -> Self {
        Self(packed)
    }

    pub const fn packed(self) -> u32 {
        self.0
    }

    pub const fn hash(self) -> u64 {
        mix(self.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (u32, u32, u32) {
        let date = Date::parse(text);
        (date.year(), date.month(), date.day())
    }

    #[test]
    fn dates_are_read_in_the_forms_that_extracts_use() {
        for text in ["1958-03-14", "19580314", "14/03/1958", "14.3.1958", "1958-03-14T00:00:00Z", " 1958-03-14 "] {
            assert_eq!(parts(text), (1958, 3, 14), "{text}");
        }
        assert_eq!(parts("1958-03"), (1958, 3, 0));
        assert_eq!(parts("1958"), (1958, 0, 0));
    }

    #[test]
    fn what_is_no_date_is_missing() {
        for text in
            ["", "1900-01-01", "0001-01-01", "1958-13-01", "1958-02-40", "yesterday", "99999999", "é-é-é", "8é12345"]
        {
            assert!(Date::parse(text).is_missing(), "{text}");
        }
    }

    #[test]
    fn a_date_and_its_swap_have_one_canonical_form() {
        assert_eq!(Date::parse("1958-03-11").canonical(), Date::parse("1958-11-03").canonical());
        assert!(Date::parse("1958-03-11").swapped() == Date::parse("1958-11-03"));
    }
}
