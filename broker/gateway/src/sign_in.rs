//! What the organisation's own sign-in says: an ID token of OpenID Connect with the role claims of NHS CIS2. Pure.
//!
//! **Invariant:** algorithms are pinned by the kind of the issuer's key; what is not said is not guessed.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};
use serde::Deserialize;
use severn_trust::{JWS_BYTES_MAX, SKEW_MAX_S};
use std::collections::{BTreeSet, HashSet};

/// Why an ID token is refused. Shows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Not a JWT of the issuer.
    #[error(
        "the sign-in cannot be believed: its signature, issuer or algorithm is not the one expected; sign in again"
    )]
    NotBelieved,
    /// For another client.
    #[error("the sign-in is for another program; sign in with `severn login`")]
    OtherClient,
    /// Over.
    #[error("the sign-in is over or lies in the future; sign in again")]
    WrongTime,
    /// Lacks what a token must say.
    #[error("the sign-in does not say who the user is; its ID token needs a name and an id")]
    Nameless,
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's id.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// Identity assurance level, 0 to 3.
    pub assurance: u8,
    /// When they signed in themselves, seconds since 1970; `None` if it is not said.
    pub at_s: Option<i64>,
    /// When the sign-in ends, seconds since 1970.
    pub until_s: i64,
    /// The roles they hold.
    pub roles: Vec<HeldRole>,
    /// The role they chose at sign-in, by its `person_roleid`.
    pub chosen: Option<String>,
}

/// A role that somebody holds: an element of CIS2's `nhsid_nrbac_roles`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HeldRole {
    /// Names this role of this person.
    #[serde(rename = "person_roleid", default)]
    pub id: String,
    /// ODS code of the organisation.
    #[serde(rename = "org_code")]
    pub organisation: String,
    /// The role code, such as `S8000:G8000:R8000`.
    #[serde(rename = "role_code")]
    pub code: String,
    /// Its name, for readers.
    #[serde(rename = "role_name", default)]
    pub name: String,
    /// Activity codes.
    #[serde(rename = "activity_codes", default)]
    pub activities: BTreeSet<String>,
    /// Workgroup codes.
    #[serde(rename = "workgroups_codes", default)]
    pub workgroups: BTreeSet<String>,
}

/// An audience: a text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// A level: a text in CIS2, a number elsewhere.
#[derive(Deserialize)]
#[serde(untagged)]
enum Level {
    Number(u8),
    Text(String),
}

#[derive(Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    auth_time: Option<i64>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    nhsid_useruid: Option<String>,
    #[serde(default)]
    idassurancelevel: Option<Level>,
    #[serde(default)]
    selected_roleid: Option<String>,
    #[serde(default)]
    nhsid_nrbac_roles: Vec<HeldRole>,
}

/// Whose ID tokens are believed.
#[derive(Clone, Copy, Debug)]
pub struct Believed<'a> {
    /// The issuer's name (`iss`).
    pub issuer: &'a str,
    /// The client that users sign in to (`aud`).
    pub client_id: &'a str,
    /// The issuer's keys.
    pub keys: &'a JwkSet,
}

impl Believed<'_> {
    /// Whether a token names a key that the issuer had not when its keys were read: it may have rotated.
    pub fn lacks_key_of(&self, token: &str) -> bool {
        let named = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        named.is_some_and(|kid| self.keys.find(&kid).is_none())
    }

    /// Checks an ID token at `now_s`, seconds since 1970.
    ///
    /// # Errors
    /// [`SignInError`] says what is wrong, in words that may be shown to the caller.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<SignedIn, SignInError> {
        let said = self.signed(token).ok_or(SignInError::NotBelieved)?;
        if said.iss != self.issuer {
            return Err(SignInError::NotBelieved);
        }
        let (meant, several) = match &said.aud {
            Audience::One(one) => (one == self.client_id, false),
            Audience::Several(all) => (all.iter().any(|one| one == self.client_id), all.len() > 1),
        };
        let by_another = said.azp.as_deref().map_or(several, |party| party != self.client_id);
        if !meant || by_another {
            return Err(SignInError::OtherClient);
        }
        if said.iat > now_s + SKEW_MAX_S || said.exp <= now_s {
            return Err(SignInError::WrongTime);
        }
        let id = said.nhsid_useruid.unwrap_or(said.sub);
        if id.trim().is_empty() || said.name.trim().is_empty() {
            return Err(SignInError::Nameless);
        }
        let assurance = match said.idassurancelevel {
            None => 0,
            Some(Level::Number(level)) => level,
            Some(Level::Text(level)) => level.parse().unwrap_or(0),
        };
        Ok(SignedIn {
            id,
            name: said.name,
            assurance,
            // Nobody signed in tomorrow, nor has just now who says so.
            at_s: said.auth_time.filter(|at_s| *at_s <= now_s + SKEW_MAX_S),
            until_s: said.exp,
            roles: said.nhsid_nrbac_roles,
            chosen: said.selected_roleid,
        })
    }

    fn signed(&self, token: &str) -> Option<IdToken> {
        if token.len() > JWS_BYTES_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let named = |jwk: &&Jwk| header.kid.is_none() || jwk.common.key_id == header.kid;
        self.keys.keys.iter().filter(named).find_map(|jwk| {
            if !algorithms(jwk).contains(&header.alg) || header.crit.is_some() {
                return None;
            }
            let mut validation = Validation::new(header.alg);
            validation.required_spec_claims = HashSet::new();
            validation.validate_exp = false;
            validation.validate_nbf = false;
            validation.validate_aud = false;
            let key = DecodingKey::from_jwk(jwk).ok()?;
            Some(jsonwebtoken::decode::<IdToken>(token, &key, &validation).ok()?.claims)
        })
    }
}

/// The algorithms by which a key may have signed.
fn algorithms(jwk: &Jwk) -> &'static [Algorithm] {
    match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[Algorithm::RS256, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => &[Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
