//! What one registration says about who a person is, borrowed as the source wrote it: nothing here is normalised yet,
//! and nothing is ever logged (no type here has a `Debug` that shows a value).

use std::fmt;

/// One registration's identity: current values first, then every value it ever had.
#[derive(Clone, Copy, Default)]
pub struct Identity<'a> {
    /// The NHS number, its check digit already verified.
    pub nhs_number: Option<NhsNumber>,
    /// Whether the source traced the number against the national service.
    pub nhs_number_verified: bool,
    /// Names, the current one first.
    pub names: &'a [Name<'a>],
    /// Birth date, ISO 8601 and possibly partial; `DD/MM/YYYY` and `YYYYMMDD` are understood. Empty if unknown.
    pub birth_date: &'a str,
    /// Sex as registered.
    pub sex: Sex,
    /// Addresses, the current one first.
    pub addresses: &'a [Address<'a>],
    /// Telephone numbers as written, the current one first.
    pub phones: &'a [&'a str],
    /// E-mail addresses as written, the current one first.
    pub emails: &'a [&'a str],
    /// Date of death, written like the birth date; empty if alive or unknown.
    pub death_date: &'a str,
}

/// One name of a person. At least one of the parts is not empty.
#[derive(Clone, Copy, Default)]
pub struct Name<'a> {
    /// Family name, as written.
    pub family: &'a str,
    /// Given names in order, as written.
    pub given: &'a [&'a str],
    /// The whole name, where the source keeps no parts; read only if the parts are empty.
    pub text: &'a str,
    /// What the name is for.
    pub kind: NameKind,
}

/// What a name is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameKind {
    /// In use today.
    #[default]
    Current,
    /// No longer used, such as a maiden name.
    Former,
    /// A nickname or alias.
    Alias,
}

/// One postal address.
#[derive(Clone, Copy, Default)]
pub struct Address<'a> {
    /// Lines of the address without the postcode.
    pub lines: &'a [&'a str],
    /// Postcode as written; one that is not of UK shape is compared as text.
    pub postcode: &'a str,
}

/// Sex as registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Sex {
    /// Not recorded, or recorded as unknown.
    #[default]
    Unknown = 0,
    /// Female.
    Female = 1,
    /// Male.
    Male = 2,
    /// Other or indeterminate.
    Other = 3,
}

impl Sex {
    /// Reads the codes that extracts use: `F`, `female`, `2` and so on (NHS Data Dictionary: 1 male, 2 female, 9 indeterminate).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim().as_bytes().first().map(u8::to_ascii_lowercase) {
            Some(b'f' | b'w' | b'2') => Self::Female,
            Some(b'm' | b'1') => Self::Male,
            Some(b'o' | b'i' | b'x' | b'9') => Self::Other,
            _ => Self::Unknown,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Female,
            2 => Self::Male,
            3 => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// An NHS number whose check digit is right (modulus 11, NHS Data Dictionary).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NhsNumber(u64);

impl NhsNumber {
    /// Reads ten digits, with or without spaces and hyphens. `None` if the shape or the check digit is wrong, or if
    /// all digits are the same, which is how systems write "none".
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = [0_u64; 10];
        let mut count = 0;
        for byte in text.trim().bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            if !byte.is_ascii_digit() || count == 10 {
                return None;
            }
            digits[count] = u64::from(byte - b'0');
            count += 1;
        }
        let sum: u64 = digits[..9].iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
        let check = (11 - sum % 11) % 11;
        let placeholder = digits.iter().all(|digit| *digit == digits[0]);
        let right = count == 10 && check == digits[9] && !placeholder;
        right.then(|| Self(digits.iter().fold(0, |number, digit| number * 10 + digit)))
    }

    /// Takes a number that was checked before.
    #[must_use]
    pub const fn from_checked(number: u64) -> Self {
        Self(number)
    }

    /// The number as an integer of at most ten digits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NhsNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_only_if_its_check_digit_is_right() {
        assert_eq!(NhsNumber::parse("943 476 5919").map(NhsNumber::get), Some(9_434_765_919));
        assert_eq!(NhsNumber::parse("9434765919"), NhsNumber::parse(" 943-476-5919 "));
        for wrong in ["", "943476591", "9434765918", "94347659190", "0000000000", "943476591X"] {
            assert_eq!(NhsNumber::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_number_is_not_shown() {
        assert_eq!(format!("{:?}", NhsNumber::from_checked(9_434_765_919)), "NhsNumber(…)");
    }
}
