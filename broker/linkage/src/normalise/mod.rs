//! From what a source wrote to what can be compared. Pure: the same text always gives the same value.
//!
//! Everything becomes upper-case A-Z and digits; the original is never needed again, because the caller keeps it.
//! Placeholders ("UNKNOWN", 1 January 1900, `ZZ99`, 00000 000000) become "missing": a value that says nothing must
//! not look like agreement.

pub mod contact;
pub mod date;
pub mod name;
pub mod place;

/// Folds text to upper-case A-Z, digits and single spaces, appending to `into`. Letters of other scripts are
/// transliterated; apostrophes vanish (O'Brien is OBRIEN), all other punctuation parts words.
pub(crate) fn fold(text: &str, into: &mut String) {
    // A name of 500 characters is compared by its beginning; nothing in an index may be without a limit.
    let text = limited(text);
    if text.is_ascii() {
        fold_ascii(text.bytes(), into);
    } else {
        let spelt = deunicode::deunicode_with_tofu(text, " ");
        fold_ascii(limited(&spelt).bytes(), into);
    }
}

const TEXT_BYTES_MAX: usize = 120;

fn limited(text: &str) -> &str {
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

fn fold_ascii(bytes: impl Iterator<Item = u8>, into: &mut String) {
    let start = into.len();
    let mut gap = false;
    for byte in bytes {
        if byte.is_ascii_alphanumeric() {
            if gap && into.len() > start {
                into.push(' ');
            }
            gap = false;
            into.push(char::from(byte.to_ascii_uppercase()));
        } else if !matches!(byte, b'\'' | b'`' | b'.') {
            gap = true;
        }
    }
}

/// A 64-bit hash of bytes that is the same on every machine and in every version: it stands in model files.
pub(crate) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    for chunk in bytes.chunks(8) {
        let mut word = [0_u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state ^ u64::from_le_bytes(word));
    }
    mix(state ^ bytes.len() as u64)
}

/// Spreads every bit of `value` over all 64 (the finaliser of MurmurHash3).
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded() {
        for (text, expected) in [
            ("O'Brien-Smith", "OBRIEN SMITH"),
            ("  Zoë  ", "ZOE"),
            ("Łukasz", "LUKASZ"),
            ("St. John", "ST JOHN"),
            ("Müller/Groß", "MULLER GROSS"),
            ("", ""),
            ("--", ""),
        ] {
            let mut folded = String::new();
            fold(text, &mut folded);
            assert_eq!(folded, expected, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_long() {
        let mut folded = String::new();
        fold(&"é".repeat(100_000), &mut folded);
        assert!(folded.len() <= TEXT_BYTES_MAX);
    }
}
