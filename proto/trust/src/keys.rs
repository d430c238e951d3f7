//! Signing and checking: JWS (RFC 7515) with ES256 or EdDSA, nothing else.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::HashSet, fmt};

/// Why a key or a signature is refused. Says nothing of what was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a PKCS#8 PEM of a P-256 or Ed25519 private key.
    #[error("not a PKCS#8 PEM private key for ES256 (P-256) or EdDSA (Ed25519)")]
    NotAKey,
    /// A JWK of another kind.
    #[error("not a JWK for ES256 (P-256) or EdDSA (Ed25519)")]
    UnsupportedJwk,
    /// Not a compact JWS, or over 8 KiB.
    #[error("not a compact JWS of at most 8192 bytes")]
    Malformed,
    /// Another type, algorithm or key reference than expected.
    #[error("the header names another type or algorithm, or carries a key of its own")]
    WrongHeader,
    /// The signature does not fit.
    #[error("the signature does not fit the key")]
    WrongSignature,
    /// The payload lacks a field, repeats one, or has one of the wrong kind.
    #[error("the payload lacks a field, repeats one, or has one of the wrong kind")]
    WrongPayload,
}

/// Bytes of the longest JWS that is looked at.
pub const JWS_BYTES_MAX: usize = 8 * 1024;

/// A private key that signs JWS. `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningKey {
    key: EncodingKey,
    algorithm: Algorithm,
    public: PublicKey,
}

/// A public key that checks JWS.
#[derive(Clone)]
pub struct PublicKey {
    jwk: Jwk,
    key: DecodingKey,
    algorithm: Algorithm,
    kid: String,
}

impl SigningKey {
    /// Reads a PKCS#8 PEM private key for ES256 or EdDSA.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] for anything else.
    pub fn from_pem(pem: &str) -> Result<SigningKey, KeyError> {
        let attempts = [
            (Algorithm::ES256, EncodingKey::from_ec_pem(pem.as_bytes()).ok()),
            (Algorithm::EdDSA, ed25519_from_pem(pem)),
        ];
        for (algorithm, key) in attempts {
            let Some(key) = key else { continue };
            if let Ok(jwk) = Jwk::from_encoding_key(&key, algorithm) {
                return Ok(SigningKey { key, algorithm, public: PublicKey::from_jwk(jwk)? });
            }
        }
        Err(KeyError::NotAKey)
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A compact JWS over `payload`, with `typ` in its header.
    ///
    /// # Errors
    /// [`KeyError::WrongPayload`] if the payload cannot be written as JSON.
    pub fn sign(&self, typ: &str, payload: &impl Serialize) -> Result<String, KeyError> {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.public.kid.clone());
        jsonwebtoken::encode(&header, payload, &self.key).map_err(|_| KeyError::WrongPayload)
    }

    /// The same with the public half in the header, for whoever is to learn it.
    pub(crate) fn sign_with_own_key(&self, typ: &str, payload: &impl Serialize) -> Result<String, KeyError> {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(typ.to_owned());
        header.jwk = Some(self.public.jwk.clone());
        jsonwebtoken::encode(&header, payload, &self.key).map_err(|_| KeyError::WrongPayload)
    }
}

fn ed25519_from_pem(pem: &str) -> Option<EncodingKey> {
    let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
    let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    // The library takes version 1 of PKCS#8 only; many programs write version 2, which carries the public key too.
    let version_1 = Ed25519KeyPair::from_pkcs8(&der).ok()?.to_pkcs8v1().ok()?;
    Some(EncodingKey::from_ed_der(version_1.as_ref()))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl PublicKey {
    /// Takes a JWK for ES256 or EdDSA.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedJwk`] for anything else.
    pub fn from_jwk(jwk: Jwk) -> Result<PublicKey, KeyError> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return Err(KeyError::UnsupportedJwk),
        };
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| KeyError::UnsupportedJwk)?;
        let kid = match &jwk.common.key_id {
            Some(kid) => kid.clone(),
            None => jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::UnsupportedJwk)?,
        };
        Ok(PublicKey { jwk, key, algorithm, kid })
    }

    /// Reads the JSON of a JWK.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedJwk`] for anything but a JWK for ES256 or EdDSA.
    pub fn from_json(json: &str) -> Result<PublicKey, KeyError> {
        PublicKey::from_jwk(serde_json::from_str(json).map_err(|_| KeyError::UnsupportedJwk)?)
    }

    /// The JWK, with its key id.
    pub fn jwk(&self) -> Jwk {
        let mut jwk = self.jwk.clone();
        jwk.common.key_id = Some(self.kid.clone());
        jwk
    }

    /// The key id: the JWK's own, or its thumbprint (RFC 7638, SHA-256), which any other program computes alike.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks a compact JWS of type `typ` and gives its payload. Times in the payload are the caller's to check.
    ///
    /// # Errors
    /// [`KeyError`] says what is wrong.
    pub fn verify<T: DeserializeOwned>(&self, typ: &[&str], jws: &str) -> Result<T, KeyError> {
        if jws.len() > JWS_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let header = jsonwebtoken::decode_header(jws).map_err(|_| KeyError::WrongHeader)?;
        if header.jwk.is_some() {
            return Err(KeyError::WrongHeader);
        }
        self.verify_under(&header, typ, jws)
    }

    /// Checks a compact JWS of type `typ` against the key in its own header, and gives both. It proves nothing but that its
    /// sender holds that key.
    pub(crate) fn verify_own<T: DeserializeOwned>(typ: &str, jws: &str) -> Result<(PublicKey, T), KeyError> {
        if jws.len() > JWS_BYTES_MAX {
            return Err(KeyError::Malformed);
        }
        let header = jsonwebtoken::decode_header(jws).map_err(|_| KeyError::WrongHeader)?;
        let key = PublicKey::from_jwk(header.jwk.clone().ok_or(KeyError::WrongHeader)?)?;
        let payload = key.verify_under(&header, &[typ], jws)?;
        Ok((key, payload))
    }

    fn verify_under<T: DeserializeOwned>(&self, header: &Header, typ: &[&str], jws: &str) -> Result<T, KeyError> {
        let carries_key = header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
        // Nothing here understands an extension, so whoever insists on one is refused (RFC 7515, section 4.1.11).
        let insists = header.crit.is_some();
        let typ_fits = header.typ.as_deref().is_some_and(|t| typ.contains(&t));
        if header.alg != self.algorithm || carries_key || insists || !typ_fits {
            return Err(KeyError::WrongHeader);
        }
        // The library would read the machine's clock and allow 60 s; the callers check times against their own clock.
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        match jsonwebtoken::decode::<T>(jws, &self.key, &validation) {
            Ok(data) => Ok(data.claims),
            Err(error) => Err(match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => KeyError::WrongSignature,
                jsonwebtoken::errors::ErrorKind::InvalidToken => KeyError::Malformed,
                _ => KeyError::WrongPayload,
            }),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

/// The key id a compact JWS names, before anything in it is believed.
pub(crate) fn named_kid(jws: &str) -> Result<Option<String>, KeyError> {
    if jws.len() > JWS_BYTES_MAX {
        return Err(KeyError::Malformed);
    }
    // `alg: none` and every algorithm the library does not know fail here already.
    jsonwebtoken::decode_header(jws).map(|header| header.kid).map_err(|_| KeyError::WrongHeader)
}

#[cfg(test)]
pub(crate) mod tests;
