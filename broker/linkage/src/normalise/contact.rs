//! Telephone numbers and e-mail addresses: one number each, so that comparing them is comparing numbers.

use crate::normalise::hash_bytes;

/// A telephone number as one number: its digits where it is of UK shape, else a hash of what was written.
/// Zero if missing, too short to tell anybody apart, or a placeholder such as 00000 000000.
pub(crate) fn phone(text: &str) -> u64 {
    let mut digits = [0_u8; 24];
    let mut count = 0;
    for byte in text.bytes().filter(u8::is_ascii_digit).take(digits.len()) {
        digits[count] = byte;
        count += 1;
    }
    let digits = &digits[..count];
    let international = text.trim_start().starts_with('+');
    let national = match digits {
        [b'0', b'0', b'4', b'4', rest @ ..] => rest,
        [b'4', b'4', rest @ ..] if international || rest.len() == 10 => rest,
        _ => digits,
    };
    let significant = national.strip_prefix(b"0").unwrap_or(national);
    let distinct = significant.iter().fold(0_u16, |seen, digit| seen | 1 << (digit - b'0')).count_ones();
    if significant.len() < 6 || distinct < 3 {
        return 0;
    }
    if significant.len() <= 15 {
        significant.iter().fold(1, |number, digit| number * 10 + u64::from(digit - b'0'))
    } else {
        hash_bytes(significant, PHONE_SEED) | 1 << 63
    }
}

const PHONE_SEED: u64 = 1;
const EMAIL_SEED: u64 = 2;

/// An e-mail address as one number: a hash of it in lower case. Zero if it is none.
pub(crate) fn email(text: &str) -> u64 {
    let text = text.trim();
    let Some((name, domain)) = text.split_once('@') else { return 0 };
    let placeholder = ["NONE", "NOEMAIL", "NO", "NA", "NOREPLY", "UNKNOWN", "TEST"];
    if name.is_empty() || !domain.contains('.') || placeholder.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        return 0;
    }
    hash_bytes(text.to_ascii_lowercase().as_bytes(), EMAIL_SEED).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_form() {
        let expected = phone("0113 496 0123");
        for text in ["+44 113 4960123", "00441134960123", "(0113) 496-0123", "441134960123", "1134960123", "+44 (0)1134960123"] {
            assert_eq!(phone(text), expected, "{text}");
        }
        assert_ne!(phone("0113 496 0124"), expected);
    }

    #[test]
    fn placeholders_are_missing() {
        for text in ["", "00000000000", "0", "12345", "07777777777", "n/a"] {
            assert_eq!(phone(text), 0, "{text}");
        }
        for text in ["", "none", "none@example.org", "@example.org", "a@b"] {
            assert_eq!(email(text), 0, "{text}");
        }
        assert_eq!(email("Ann@Example.org"), email(" ann@example.ORG "));
    }
}
