//! SHA-256, and the digest that seals a record.

use aws_lc_rs::digest::{Context, SHA256, digest};
use prost::Message as _;
use severn_proto::v1::Ledger;
use std::mem::take;

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// SHA-256 of `parts`, one after the other.
pub fn sha256(parts: &[&[u8]]) -> Digest {
    if let [one] = parts {
        return to_array(digest(&SHA256, one).as_ref());
    }
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    to_array(context.finish().as_ref())
}

fn to_array(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(bytes);
    out
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

/// Bytes of lower-case hexadecimal digits; `None` if `text` is anything else, so that bytes have one spelling.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The digest of a record, as `Seal.digest` defines it: sections in the order sent, then the ledger.
pub struct RecordDigest(Context);

impl Default for RecordDigest {
    fn default() -> Self {
        RecordDigest(Context::new(&SHA256))
    }
}

impl RecordDigest {
    /// Adds a section, serialised as it is sent, and gives its own digest.
    pub fn add_section(&mut self, section: &[u8]) -> Digest {
        let digest = sha256(&[section]);
        self.0.update(&digest);
        digest
    }

    /// Adds the ledger and gives the digest. Times and waits are cleared while it is encoded and put back after.
    pub fn finish(self, ledger: &mut Ledger) -> Digest {
        let times: Vec<(i64, u32)> =
            ledger.rows.iter_mut().map(|row| (take(&mut row.as_of_ms), take(&mut row.waited_ms))).collect();
        let encoded = ledger.encode_to_vec();
        for (row, (as_of_ms, waited_ms)) in ledger.rows.iter_mut().zip(times) {
            (row.as_of_ms, row.waited_ms) = (as_of_ms, waited_ms);
        }
        self.finish_encoded(&encoded)
    }

    /// Adds the ledger, serialised without times and waits, and gives the digest.
    pub fn finish_encoded(mut self, ledger: &[u8]) -> Digest {
        self.0.update(&sha256(&[ledger]));
        to_array(self.0.finish().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_one_spelling() {
        assert_eq!(unhex(&hex(&[0, 15, 160, 255])), Some(vec![0, 15, 160, 255]));
        assert_eq!(unhex(""), Some(vec![]));
        for wrong in ["0", "0F", "+f", "0x", " f", "é", "00 "] {
            assert_eq!(unhex(wrong), None, "{wrong:?}");
        }
    }
}
