//! What the broker says of each call of a query, signed once for all: a Merkle root over one leaf per source.

use crate::{
    SKEW_MAX_S,
    clock::Clock,
    digest::sha256,
    keys::{KeyError, PublicKey, SigningKey},
    merkle::MerkleTree,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use severn_proto::v1::{BrokerStatement, SignedStatement};

const TYPE: &str = "severn-statements+jwt";

/// Why a broker's statement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// There is none, or it cannot be read.
    #[error("the broker's statement is missing or cannot be read")]
    Malformed,
    /// The root's signature is not acceptable.
    #[error("the signature of the broker's statement is not acceptable: {0}")]
    Key(#[from] KeyError),
    /// The statement is not a leaf of the signed tree.
    #[error("the broker's statement is not what the broker signed")]
    NotInTree,
    /// Signed too long ago, or in the future.
    #[error("the broker's statement was signed more than 30 s ago or in the future; check the clocks")]
    WrongTime,
    /// For another source.
    #[error("the broker's statement is for another source")]
    OtherSource,
    /// Made for another request.
    #[error("the broker's statement belongs to another request")]
    OtherRequest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    root: String,
    iat: i64,
}

/// Signs `statements` with one signature; the results are in the same order.
///
/// # Errors
/// [`KeyError`] if the key cannot sign.
pub fn sign_statements(
    statements: &[BrokerStatement],
    key: &SigningKey,
    clock: &dyn Clock,
) -> Result<Vec<SignedStatement>, KeyError> {
    let leaves: Vec<Vec<u8>> = statements.iter().map(prost::Message::encode_to_vec).collect();
    let tree = MerkleTree::new(leaves.iter().map(Vec::as_slice));
    let root = Root { root: URL_SAFE_NO_PAD.encode(tree.root()), iat: clock.now_s() };
    let root_signature = key.sign(TYPE, &root)?;
    let leaf_count = u32::try_from(leaves.len()).unwrap_or(u32::MAX);
    let signed = leaves.into_iter().zip(0..).map(|(statement, leaf_index)| SignedStatement {
        statement,
        leaf_index,
        leaf_count,
        path: tree.path(leaf_index as usize).iter().map(|hash| hash.to_vec()).collect(),
        root_signature: root_signature.clone(),
    });
    Ok(signed.collect())
}

/// Checks that the broker said this, now, to `source_id`, of the request with this proof.
///
/// # Errors
/// [`StatementError`] says what is wrong.
pub fn verify_statement(
    signed: &SignedStatement,
    broker: &PublicKey,
    source_id: &str,
    request_proof: &str,
    now_s: i64,
) -> Result<BrokerStatement, StatementError> {
    let root: Root = broker.verify(&[TYPE], &signed.root_signature)?;
    let (index, count) = (signed.leaf_index as usize, signed.leaf_count as usize);
    let reached = MerkleTree::root_from(&signed.statement, index, count, &signed.path);
    if reached.map(|hash| URL_SAFE_NO_PAD.encode(hash)) != Some(root.root) {
        return Err(StatementError::NotInTree);
    }
    let statement = BrokerStatement::decode(signed.statement.as_slice()).map_err(|_| StatementError::Malformed)?;
    let said_s = statement.issued_at_ms.div_euclid(1000);
    if [root.iat, said_s].iter().any(|at| at.abs_diff(now_s) > SKEW_MAX_S.unsigned_abs()) {
        return Err(StatementError::WrongTime);
    }
    if statement.source_id != source_id {
        return Err(StatementError::OtherSource);
    }
    if statement.proof_sha256 != sha256(&[request_proof.as_bytes()]) {
        return Err(StatementError::OtherRequest);
    }
    Ok(statement)
}

#[cfg(test)]
mod tests;
