//! A DPoP proof (RFC 9449): an app shows that it holds a key to whoever is to bind a token to it.
//!
//! **Invariant:** such a proof says nothing but that its sender held the private half of the key in its own header, a
//! moment ago, for one request to one address.

use crate::{
    SKEW_MAX_S,
    keys::{KeyError, PublicKey, SigningKey},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const TYPE: &str = "dpop+jwt";

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    /// Signature, header or payload are not acceptable.
    #[error("the DPoP proof is not acceptable: {0}")]
    Key(#[from] KeyError),
    /// Signed too long ago, or in the future.
    #[error("the DPoP proof was signed more than 30 s ago or in the future; check the clock")]
    WrongTime,
    /// For another request.
    #[error("the DPoP proof is for another address or method")]
    OtherRequest,
}

/// What was shown.
#[derive(Clone, Debug)]
pub struct Possession {
    /// The key that its sender holds.
    pub key: PublicKey,
    /// Names the proof: good once.
    pub id: String,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
}

/// Shows for a POST to `address` that the caller holds `key`.
///
/// # Errors
/// [`KeyError`] if the key cannot sign.
pub fn prove_possession(key: &SigningKey, address: &str, id: Uuid, now_s: i64) -> Result<String, KeyError> {
    let payload = Payload { jti: id.to_string(), htm: "POST".into(), htu: address.into(), iat: now_s };
    key.sign_with_own_key(TYPE, &payload)
}

/// Checks a proof for a POST to `address`. That it is not used twice is the caller's to see to.
///
/// # Errors
/// [`PossessionError`] says what is wrong, in words that may be shown to the caller.
pub fn verify_possession(jws: &str, address: &str, now_s: i64) -> Result<Possession, PossessionError> {
    let (key, payload) = PublicKey::verify_own::<Payload>(TYPE, jws)?;
    if payload.iat.abs_diff(now_s) > SKEW_MAX_S.unsigned_abs() {
        return Err(PossessionError::WrongTime);
    }
    if payload.htm != "POST" || payload.htu != address {
        return Err(PossessionError::OtherRequest);
    }
    Ok(Possession { key, id: payload.jti })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::RawKey;
    use serde_json::json;

    const NOW_S: i64 = 1_800_000_000;
    const HERE: &str = "https://gateway.example/token";

    #[test]
    fn a_proof_shows_its_key_once_here_and_now() {
        let app = RawKey::new();
        let jws = prove_possession(&app.key(), HERE, Uuid::from_u128(7), NOW_S).unwrap();
        let shown = verify_possession(&jws, HERE, NOW_S + 30).unwrap();
        assert_eq!((shown.key.kid(), shown.id), (app.key().public().kid(), Uuid::from_u128(7).to_string()));
        let refused = |address: &str, now_s| verify_possession(&jws, address, now_s).err();
        assert_eq!(refused(HERE, NOW_S + 31), Some(PossessionError::WrongTime));
        assert_eq!(refused("https://other.example/token", NOW_S), Some(PossessionError::OtherRequest));
    }

    #[test]
    fn a_proof_by_another_key_than_it_brings_is_refused() {
        let (app, other) = (RawKey::new(), RawKey::new());
        let payload = json!({ "jti": "1", "htm": "POST", "htu": HERE, "iat": NOW_S }).to_string();
        let header = |jwk| json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk }).to_string();
        let own = serde_json::to_value(app.key().public().jwk()).unwrap();
        let verify = |jws: &str| verify_possession(jws, HERE, NOW_S).err();
        assert_eq!(verify(&app.sign(&header(own.clone()), &payload)), None);
        let key = |error| Some(PossessionError::Key(error));
        assert_eq!(verify(&other.sign(&header(own.clone()), &payload)), key(KeyError::WrongSignature));
        assert_eq!(verify(&app.sign(r#"{"alg":"ES256","typ":"dpop+jwt"}"#, &payload)), key(KeyError::WrongHeader));
        let token = json!({ "alg": "ES256", "typ": "JWT", "jwk": own }).to_string();
        assert_eq!(verify(&app.sign(&token, &payload)), key(KeyError::WrongHeader));
    }
}
