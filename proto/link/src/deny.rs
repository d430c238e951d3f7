//! The deny-list: whom the mesh no longer lets in, although their certificates still hold.
//!
//! **Invariant:** a list is taken whole or not at all: a line that cannot be read denies the list, not the line, so that
//! a slip of the pen never lets anybody back in.

use crate::{
    certificate::{Certificate, without_zeros},
    conn::Identity,
};
use std::{
    collections::HashMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// One entry: a party, or a single certificate of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// Whoever shows a certificate that names this party, also one issued later.
    Identity(Identity),
    /// The certificate with this SHA-256 of its DER; its holder may come with another.
    Fingerprint([u8; 32]),
    /// Certificates with this serial number (big-endian, no leading zeros), whoever issued them.
    Serial(Vec<u8>),
}

/// What is no entry, and how one is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} denies nobody; write spiffe://severn/<broker|source|app>/<id>, sha256:<64 hexadecimal digits> or \
     serial:<hexadecimal digits>"
)]
pub struct NotDenied(String);

impl FromStr for Denied {
    type Err = NotDenied;

    /// Reads an entry as the list writes it. Digits may be parted by colons, as other programs print them.
    fn from_str(text: &str) -> Result<Denied, NotDenied> {
        let wrong = || NotDenied(text.to_owned());
        if let Some(identity) = Identity::from_uri(text) {
            return Ok(Denied::Identity(identity));
        }
        if let Some(serial) = text.strip_prefix("serial:") {
            let serial = bytes_of(serial).ok_or_else(wrong)?;
            let significant = without_zeros(&serial);
            return if significant.is_empty() { Err(wrong()) } else { Ok(Denied::Serial(significant.to_vec())) };
        }
        let fingerprint = text.strip_prefix("sha256:").and_then(bytes_of);
        let fingerprint = fingerprint.and_then(|bytes| bytes.try_into().ok());
        fingerprint.map(Denied::Fingerprint).ok_or_else(wrong)
    }
}

/// The bytes of pairs of hexadecimal digits; an odd one stands at the beginning.
fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits.chars().filter(|c| *c != ':').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let value = |pair: &[u32]| pair.iter().fold(0, |value, digit| value << 4 | digit);
    Some(digits.rchunks(2).rev().map(|pair| value(pair) as u8).collect())
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes) = match self {
            Denied::Identity(identity) => return f.write_str(&identity.uri()),
            Denied::Fingerprint(bytes) => ("sha256:", &bytes[..]),
            Denied::Serial(bytes) => ("serial:", &bytes[..]),
        };
        f.write_str(kind)?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a deny-list cannot be used. Names the file.
#[derive(Debug, thiserror::Error)]
pub enum DenyListError {
    /// The file cannot be read, or written.
    #[error("the deny-list {0} cannot be used: {1}; where nobody is denied, make an empty file")]
    Unreadable(PathBuf, io::Error),
    /// A line is no entry.
    #[error("the deny-list {0}, line {1}: {2}")]
    Line(PathBuf, usize, NotDenied),
}

/// Everybody who is denied. The file has one entry on each line; what follows a `#` is a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyList {
    /// Each with its comment.
    entries: HashMap<Denied, String>,
}

impl DenyList {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DenyListError`] names the file and the first line that is no entry.
    pub fn read(file: &Path) -> Result<DenyList, DenyListError> {
        let text = fs::read_to_string(file).map_err(|error| DenyListError::Unreadable(file.to_owned(), error))?;
        let mut entries = HashMap::new();
        for (line, number) in text.lines().zip(1..) {
            let (entry, comment) = line.split_once('#').unwrap_or((line, ""));
            let entry = entry.trim();
            if !entry.is_empty() {
                let denied = entry.parse().map_err(|wrong| DenyListError::Line(file.to_owned(), number, wrong))?;
                entries.insert(denied, comment.trim().to_owned());
            }
        }
        Ok(DenyList { entries })
    }

    /// Whether this very entry is there.
    pub fn contains(&self, entry: &Denied) -> bool {
        self.entries.contains_key(entry)
    }

    /// Every entry with its comment, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Denied, &str)> {
        self.entries.iter().map(|(entry, comment)| (entry, comment.as_str()))
    }

    /// Whether whoever showed `chain`, their own certificate first, is denied. So is who was vouched for by a denied
    /// certificate.
    pub(crate) fn denies(&self, chain: &[Certificate]) -> bool {
        let named = chain.first().and_then(|own| own.identity.clone()).map(Denied::Identity);
        let certificates =
            chain.iter().flat_map(|one| [Denied::Fingerprint(one.fingerprint), Denied::Serial(one.serial.clone())]);
        named.into_iter().chain(certificates).any(|entry| self.contains(&entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn list(text: &str) -> Result<DenyList, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        DenyList::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn entries_are_read_however_they_are_written_and_printed_one_way() {
        let colons = FINGERPRINT.replace("sha256:0011", "sha256:00:11").replace("aabb", "AA:BB");
        for (written, printed) in [
            ("spiffe://severn/source/M85001", "spiffe://severn/source/M85001"),
            (&colons, FINGERPRINT),
            ("serial:0:0a:bc", "serial:0abc"),
            ("serial:abc", "serial:0abc"),
        ] {
            let entry: Denied = written.parse().unwrap();
            assert_eq!(entry.to_string(), printed);
            assert_eq!(printed.parse(), Ok(entry));
        }
        for wrong in
            ["M85001", "spiffe://severn/root/a", "sha256:00", "serial:", "serial:0", "serial:xy", &FINGERPRINT[7..]]
        {
            assert_eq!(wrong.parse::<Denied>(), Err(NotDenied(wrong.to_owned())));
        }
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let text = format!("# who left\n\nspiffe://severn/app/epr # stolen laptop\r\n  {FINGERPRINT}\n");
        let read = list(&text).unwrap();
        let app = "spiffe://severn/app/epr".parse().unwrap();
        assert_eq!(read.iter().count(), 2);
        assert!(read.iter().any(|entry| entry == (&app, "stolen laptop")));
        assert_eq!(list("").unwrap(), DenyList::default());
        let fault = list("spiffe://severn/app/epr\nsource M85001\n").unwrap_err();
        assert!(fault.contains("line 2") && fault.contains("spiffe://severn/<broker|source|app>/<id>"), "{fault}");
    }

    #[test]
    fn party_certificate_and_issuer_are_denied() {
        let certificate = |name: &str, mark: u8| Certificate {
            identity: Some(Identity::Source(name.into())),
            holds_s: 0..=1,
            fingerprint: [mark; 32],
            serial: vec![mark],
        };
        let chain = [certificate("A", 1), certificate("issuer", 2)];
        let denies = |entry: Denied| DenyList { entries: HashMap::from([(entry, String::new())]) }.denies(&chain);
        assert!(denies(Denied::Identity(Identity::Source("A".into()))));
        assert!(denies(Denied::Fingerprint([1; 32])) && denies(Denied::Fingerprint([2; 32])));
        assert!(denies(Denied::Serial(vec![1])) && denies(Denied::Serial(vec![2])));
        assert!(!denies(Denied::Identity(Identity::App("A".into()))));
        assert!(!denies(Denied::Identity(Identity::Source("issuer".into()))), "an issuer's name is not who came");
        assert!(!denies(Denied::Fingerprint([3; 32])) && !denies(Denied::Serial(vec![3])));
    }
}
