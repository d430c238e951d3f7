//! The NHS number: ten digits, the last of which checks the others (modulus 11, NHS Data Dictionary).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A number whose check digit is right. `Debug` does not show it. Serialised as an integer, and checked when it is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct NhsNumber(u64);

/// Why a text is no NHS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Not ten digits.
    #[error("an NHS number has ten digits; give digits only, spaces and hyphens are allowed")]
    NotTenDigits,
    /// The check digit is wrong.
    #[error("the check digit of this NHS number is wrong; read the number again")]
    WrongCheckDigit,
    /// All digits alike, as in a placeholder.
    #[error("this NHS number is a placeholder; leave it empty where none is known")]
    Placeholder,
}

impl From<NhsNumber> for u64 {
    fn from(number: NhsNumber) -> u64 {
        number.0
    }
}

impl TryFrom<u64> for NhsNumber {
    type Error = NhsNumberError;

    fn try_from(number: u64) -> Result<NhsNumber, NhsNumberError> {
        NhsNumber::parse(&format!("{number:010}"))
    }
}

impl NhsNumber {
    /// Reads ten digits, with or without spaces and hyphens, and checks the last.
    ///
    /// # Errors
    /// [`NhsNumberError`] says what is wrong.
    pub fn parse(text: &str) -> Result<NhsNumber, NhsNumberError> {
        let mut digits = [0_u64; 10];
        let mut count = 0;
        for c in text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')) {
            let digit = c.to_digit(10).ok_or(NhsNumberError::NotTenDigits)?;
            *digits.get_mut(count).ok_or(NhsNumberError::NotTenDigits)? = u64::from(digit);
            count += 1;
        }
        if count != 10 {
            return Err(NhsNumberError::NotTenDigits);
        }
        if digits.iter().all(|d| *d == digits[0]) {
            return Err(NhsNumberError::Placeholder);
        }
        let weighted: u64 = digits.iter().take(9).zip((2..=10).rev()).map(|(d, w)| d * w).sum();
        // 11 stands for 0; 10 can be the check digit of no number.
        let check = match 11 - weighted % 11 {
            11 => 0,
            other => other,
        };
        if check != digits[9] {
            return Err(NhsNumberError::WrongCheckDigit);
        }
        Ok(NhsNumber(digits.iter().fold(0, |n, d| n * 10 + d)))
    }

    /// The number as an integer of at most ten digits.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The ten digits.
    pub fn digits(self) -> String {
        format!("{:010}", self.0)
    }
}

impl fmt::Debug for NhsNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NhsNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_checks() {
        assert_eq!(NhsNumber::parse("943 476 5919").map(NhsNumber::digits), Ok("9434765919".into()));
        assert_eq!(NhsNumber::parse("9434765918"), Err(NhsNumberError::WrongCheckDigit));
        assert_eq!(NhsNumber::parse("943476591"), Err(NhsNumberError::NotTenDigits));
        assert_eq!(NhsNumber::parse("94347659199"), Err(NhsNumberError::NotTenDigits));
        assert_eq!(NhsNumber::parse("943476591x"), Err(NhsNumberError::NotTenDigits));
        assert_eq!(NhsNumber::parse("0000000000"), Err(NhsNumberError::Placeholder));
        assert_eq!(NhsNumber::parse(""), Err(NhsNumberError::NotTenDigits));
        assert!(!format!("{:?}", NhsNumber::parse("9434765919")).contains("9434765919"));
    }
}
