//! The signed head of a trail: how many events there are, the hash of the last line, and the root of the Merkle tree
//! over the hashes of all lines. Whoever keeps one can later tell whether the trail still begins with the same events.

use super::segments::{Place, digits};
use crate::{
    digest::{Digest, hex, unhex},
    disk::Disk,
    keys::{KeyError, PublicKey, SigningKey},
    merkle::MerkleEdge,
};
use serde::{Deserialize, Serialize};
use std::io;

pub(super) const HEAD: &str = "audit.head";
const HEAD_TYPE: &str = "severn-trail+jwt";

/// What the trail's key signs of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The last event; also how many leaves the tree has.
    pub seq: u64,
    /// The hash of its line, in hexadecimal digits.
    pub hash: String,
    /// The root of the tree (RFC 6962) whose leaves are the hashes of all lines, in hexadecimal digits. Empty in the head
    /// of a trail that an older program wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root: String,
    /// When it was signed: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
}

impl Checkpoint {
    pub(super) fn new(hash: &Digest, tree: &MerkleEdge, at_ms: i64) -> Checkpoint {
        Checkpoint { seq: tree.size(), hash: hex(hash), root: hex(&tree.root()), at_ms }
    }

    /// Signs it.
    ///
    /// # Errors
    /// [`KeyError`] as the key gives it.
    pub fn sign(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign(HEAD_TYPE, self)
    }

    /// Reads one that `key` signed.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong.
    pub fn read(jws: &str, key: &PublicKey) -> Result<Checkpoint, KeyError> {
        key.verify(&[HEAD_TYPE], jws)
    }

    /// The root of the tree; `None` if it has none.
    pub fn root(&self) -> Option<Digest> {
        unhex(&self.root)?.try_into().ok()
    }

    /// Whether a trail that has come to `place`, with `tree` over all its lines, is the one that was signed.
    pub(super) fn is_of(&self, place: &Place, tree: &MerkleEdge) -> bool {
        let same_line = self.seq == place.seq && self.hash.as_bytes() == digits(&place.hash);
        same_line && (self.root.is_empty() || self.root == hex(&tree.root()))
    }
}

/// The head in `disk`, if there is one that `key` signed.
pub(super) fn read_head(disk: &dyn Disk, key: &PublicKey) -> io::Result<Option<Checkpoint>> {
    Ok(read_signed(disk, HEAD)?.and_then(|jws| Checkpoint::read(&jws, key).ok()))
}

/// A file that holds one JWS.
pub(super) fn read_signed(disk: &dyn Disk, name: &str) -> io::Result<Option<String>> {
    match disk.read(name) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
