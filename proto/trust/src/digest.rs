//! SHA-256, and the digest that seals a record.

use aws_lc_rs::digest::{Context, SHA256, digest};
use severn_proto::v1::{Ledger, Section};

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

/// Bytes of hexadecimal digits; `None` if `text` is anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The digest of a record, as `Seal.digest` defines it: sections in the order sent, then the ledger.
pub struct RecordDigest(Context);

impl Default for RecordDigest {
    fn default() -> Self {
        RecordDigest(Context::new(&SHA256))
    }
}

impl RecordDigest {
    /// Adds a section and gives its own digest. Times of reading are cleared while it is encoded and put back after.
    pub fn add_section(&mut self, section: &mut Section) -> Digest {
        let times = take_times(section);
        let digest = self.add(section);
        put_times(section, times);
        digest
    }

    /// Adds the ledger and gives the digest.
    pub fn finish(mut self, ledger: &Ledger) -> Digest {
        let mut ledger = ledger.clone();
        for row in &mut ledger.rows {
            row.as_of_ms = 0;
            row.waited_ms = 0;
        }
        self.add(&ledger);
        to_array(self.0.finish().as_ref())
    }

    fn add(&mut self, message: &impl prost::Message) -> Digest {
        let digest = sha256(&[&message.encode_to_vec()]);
        self.0.update(&digest);
        digest
    }
}

fn provenances(section: &mut Section) -> impl Iterator<Item = &mut i64> {
    section
        .items
        .iter_mut()
        .flat_map(|item| item.contributions.iter_mut())
        .filter_map(|c| c.entry.as_mut()?.head.as_mut()?.provenance.as_mut())
        .map(|provenance| &mut provenance.retrieved_at_ms)
}

fn take_times(section: &mut Section) -> Vec<i64> {
    provenances(section).map(std::mem::take).collect()
}

fn put_times(section: &mut Section, times: Vec<i64>) {
    for (slot, time) in provenances(section).zip(times) {
        *slot = time;
    }
}
