//! What a witness keeps of somebody else's trail: the newest checkpoint that it was shown, signed by itself. The broker
//! keeps what its witnesses signed beside its trail; each witness keeps its own, and that is the one which proves.

use crate::{
    disk::Disk,
    keys::{KeyError, PublicKey, SigningKey},
    trail::{Checkpoint, Witnessed},
};
use jsonwebtoken::jwk::Jwk;
use serde::{Deserialize, Serialize};
use std::io;

const COSIGNATURE_TYPE: &str = "severn-cosignature+jwt";
const TRAIL_KEY_TYPE: &str = "severn-trail-key+jwt";

/// The files in which a broker keeps what its witnesses signed begin and end like this.
const FILE_BEGIN: &str = "audit-witness-";
const FILE_END: &str = ".json";

/// A checkpoint with a witness's signature: one line of a file that witnesses give away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosigned {
    /// The witness's source id.
    pub witness: String,
    /// The public half of the witness's key.
    pub key: Jwk,
    /// The witness's JWS over the checkpoint.
    pub cosignature: String,
}

/// What a witness signs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    witness: String,
    checkpoint: String,
    at_ms: i64,
}

/// What the broker says of the key of its trail.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailKey {
    jwk: Jwk,
}

impl Cosigned {
    /// Signs a checkpoint, a JWS, that `witness` has checked.
    ///
    /// # Errors
    /// [`KeyError`] as the key gives it.
    pub fn sign(key: &SigningKey, witness: &str, checkpoint: &str, at_ms: i64) -> Result<Cosigned, KeyError> {
        let claims = Claims { witness: witness.to_owned(), checkpoint: checkpoint.to_owned(), at_ms };
        let cosignature = key.sign(COSIGNATURE_TYPE, &claims)?;
        Ok(Cosigned { witness: witness.to_owned(), key: key.public().jwk(), cosignature })
    }

    /// What was signed, if the witness's own key and then the trail's `key` hold. That the key is the witness's own is for
    /// the reader to know: from the witness, or from the connection by which it came.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong.
    pub fn read(&self, key: &PublicKey) -> Result<Witnessed, KeyError> {
        let own = PublicKey::from_jwk(self.key.clone())?;
        let claims: Claims = own.verify(&[COSIGNATURE_TYPE], &self.cosignature)?;
        if claims.witness != self.witness {
            return Err(KeyError::WrongPayload);
        }
        let checkpoint = Checkpoint::read(&claims.checkpoint, key)?;
        // One without a root says nothing of what came before its last line.
        checkpoint.root().ok_or(KeyError::WrongPayload)?;
        Ok(Witnessed { by: claims.witness, checkpoint })
    }

    /// Reads the lines of a file that witnesses gave.
    ///
    /// # Errors
    /// The number of the first line that cannot be read.
    pub fn read_lines(text: &str) -> Result<Vec<Cosigned>, usize> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(at, line)| serde_json::from_str(line).map_err(|_| at + 1)).collect()
    }

    /// Keeps it in the broker's folder, in place of an earlier one of the same witness. Source ids are names of files.
    ///
    /// # Errors
    /// As the storage gives them.
    pub fn keep(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.replace(&format!("{FILE_BEGIN}{}{FILE_END}", self.witness), &serde_json::to_vec(self)?)
    }

    /// All that are kept in the broker's folder, by witness.
    ///
    /// # Errors
    /// As the storage gives them; `InvalidData` names a file that cannot be read.
    pub fn kept(disk: &dyn Disk) -> io::Result<Vec<Cosigned>> {
        let mut names = disk.list()?;
        names.retain(|name| name.starts_with(FILE_BEGIN) && name.ends_with(FILE_END));
        names.sort_unstable();
        let read = |name: &String| serde_json::from_slice(&disk.read(name)?).map_err(|error| unreadable(name, &error));
        names.iter().map(read).collect()
    }
}

fn unreadable(name: &str, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name} cannot be read: {error}"))
}

/// Signs, with the key of the broker's statements, which key its trail has.
///
/// # Errors
/// [`KeyError`] as the key gives it.
pub fn sign_trail_key(statement_key: &SigningKey, trail_key: &PublicKey) -> Result<String, KeyError> {
    statement_key.sign(TRAIL_KEY_TYPE, &TrailKey { jwk: trail_key.jwk() })
}

/// The key of the broker's trail, if the key of its statements vouches for it.
///
/// # Errors
/// [`KeyError`] says what is wrong.
pub fn read_trail_key(signed: &str, statement_key: &PublicKey) -> Result<PublicKey, KeyError> {
    let said: TrailKey = statement_key.verify(&[TRAIL_KEY_TYPE], signed)?;
    PublicKey::from_jwk(said.jwk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryDisk, keys::tests::es256_key, merkle::MerkleEdge};

    fn checkpoint(key: &SigningKey) -> String {
        let mut tree = MerkleEdge::default();
        tree.push(&[7; 32]);
        Checkpoint { seq: 1, hash: "07".repeat(32), root: crate::hex(&tree.root()), at_ms: 5 }.sign(key).unwrap()
    }

    #[test]
    fn what_a_witness_signed_is_read_back_and_nothing_else() {
        let (trail, own) = (es256_key(), es256_key());
        let signed = Cosigned::sign(&own, "M85001", &checkpoint(&trail), 9).unwrap();
        let read = signed.read(trail.public()).unwrap();
        assert_eq!((read.by.as_str(), read.checkpoint.seq), ("M85001", 1));
        assert_eq!(signed.read(own.public()).unwrap_err(), KeyError::WrongSignature, "another trail's");
        let renamed = Cosigned { witness: "RRK".into(), ..signed.clone() };
        assert_eq!(renamed.read(trail.public()).unwrap_err(), KeyError::WrongPayload);
        let of_another = Cosigned { key: es256_key().public().jwk(), ..signed };
        assert_eq!(of_another.read(trail.public()).unwrap_err(), KeyError::WrongSignature);
        let by_itself = Cosigned::sign(&own, "M85001", &checkpoint(&own), 9).unwrap();
        assert_eq!(by_itself.read(trail.public()).unwrap_err(), KeyError::WrongSignature);
    }

    #[test]
    fn the_newest_of_each_witness_is_kept_and_a_damaged_file_is_named() {
        let (trail, own, disk) = (es256_key(), es256_key(), MemoryDisk::default());
        for (witness, at_ms) in [("B", 1), ("A", 2), ("B", 3)] {
            Cosigned::sign(&own, witness, &checkpoint(&trail), at_ms).unwrap().keep(&disk).unwrap();
        }
        let kept = Cosigned::kept(&disk).unwrap();
        assert_eq!(kept.iter().map(|kept| kept.witness.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        let lines: Vec<String> = kept.iter().map(|kept| serde_json::to_string(kept).unwrap()).collect();
        assert_eq!(Cosigned::read_lines(&lines.join("\n\n")).unwrap().len(), 2);
        assert_eq!(Cosigned::read_lines(&format!("{}\n{{", lines[0])).unwrap_err(), 2);
        disk.replace("audit-witness-A.json", b"{").unwrap();
        assert!(Cosigned::kept(&disk).unwrap_err().to_string().contains("audit-witness-A.json"));
    }

    #[test]
    fn the_key_of_the_trail_is_believed_from_the_broker_only() {
        let (statements, trail) = (es256_key(), es256_key());
        let signed = sign_trail_key(&statements, trail.public()).unwrap();
        assert_eq!(read_trail_key(&signed, statements.public()).unwrap().kid(), trail.public().kid());
        assert!(read_trail_key(&signed, trail.public()).is_err());
    }
}
