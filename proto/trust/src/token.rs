//! The user's token: who asks, in which role, for which organisation and purpose. A JWT of the requesting
//! organisation's gateway, made after its own sign-in (RFC 8693), for at most 300 s.

use crate::{
    SKEW_MAX_S,
    digest::{Digest, sha256},
    keys::{KeyError, PublicKey, SigningKey, named_kid},
    words::purpose_from_word,
};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::{Deserialize, Serialize};
use severn_proto::v1::PurposeOfUse;
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

/// Seconds a token may live.
pub const TOKEN_LIFE_MAX_S: i64 = 300;

/// Bytes of the longest claim about the user.
const CLAIM_BYTES_MAX: usize = 256;

/// Activities and workgroups of one token.
const GROUPS_MAX: usize = 256;

const TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// The claims of a user's token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UserClaims {
    /// The issuer: the requesting organisation's gateway.
    pub iss: String,
    /// The user's id at the issuer. Never a generic account.
    pub sub: String,
    /// The audience: exactly the federation's name.
    pub aud: String,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not before, seconds since 1970.
    pub nbf: i64,
    /// Expires, seconds since 1970.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// The user's name, for the audit and the access report.
    pub name: String,
    /// The role code selected at sign-in, such as `S8000:G8000:R8000`.
    pub role: String,
    /// ODS code of the organisation the request originates from.
    pub org: String,
    /// Why: `direct_care`, `emergency`, `safeguarding`, `audit`, `subject_access`.
    pub purpose: String,
    /// Identity assurance level at sign-in, 0 to 3, as CIS2's `idassurancelevel`.
    #[serde(default)]
    pub assurance: u8,
    /// Activity codes of the selected role.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub activities: BTreeSet<String>,
    /// Workgroups of the selected role.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub workgroups: BTreeSet<String>,
    /// The asking app's key, by which its proofs are checked (RFC 7800).
    pub cnf: Confirmation,
    /// When the user last signed in themselves, seconds since 1970 (OpenID Connect Core, section 2). Breaking the glass
    /// needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// The key a token is bound to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Confirmation {
    /// The public key as a JWK.
    pub jwk: Jwk,
}

/// A user whose token was checked.
#[derive(Clone)]
pub struct User {
    /// The user's id at the issuer.
    pub id: String,
    /// The issuer.
    pub issuer: String,
    /// The user's name.
    pub name: String,
    /// The role code.
    pub role_code: String,
    /// ODS code of the organisation.
    pub organisation_ods: String,
    /// Identity assurance level at sign-in, 0 to 3.
    pub assurance: u8,
    /// Activity codes of the role.
    pub activities: BTreeSet<String>,
    /// Workgroups of the role.
    pub workgroups: BTreeSet<String>,
    /// Why the user asks.
    pub purpose: PurposeOfUse,
    /// The token's own id.
    pub token_id: String,
    /// SHA-256 of the token as it was sent: what a proof that goes with it names.
    pub token_sha256: Digest,
    /// When the token expires, seconds since 1970.
    pub expires_s: i64,
    /// The asking app's key.
    pub app_key: PublicKey,
    /// When the user last signed in themselves, seconds since 1970; `None` if the token does not say.
    pub authenticated_s: Option<i64>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({} at {})", self.role_code, self.organisation_ods)
    }
}

/// Why a token is refused. Reveals nothing of keys or of what would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no token.
    #[error("no user token was sent; sign in and try again")]
    Missing,
    /// Signature, header or payload are not acceptable.
    #[error("the user token is not acceptable: {0}")]
    Key(#[from] KeyError),
    /// Signed by nobody this federation trusts.
    #[error("the user token is signed by an issuer that this federation does not trust")]
    UnknownIssuer,
    /// For somebody else.
    #[error("the user token is for another audience")]
    WrongAudience,
    /// Expired, not yet valid, or valid for longer than 300 s.
    #[error("the user token is expired, not yet valid, or valid for longer than 300 s; sign in again")]
    WrongTime,
    /// Of an organisation that is not its issuer's to speak for.
    #[error("the user token is of an organisation that its issuer does not speak for")]
    OtherOrganisation,
    /// A claim is empty, generic or unknown.
    #[error("the user token names no person, role, organisation or known purpose")]
    WrongClaims,
}

/// Those whose tokens a party believes: issuer and key id to key.
#[derive(Clone)]
pub struct TokenVerifier {
    audience: String,
    keys: HashMap<(String, String), PublicKey>,
    /// The organisations that an issuer speaks for, where it does not speak for all.
    organisations: HashMap<String, BTreeSet<String>>,
}

impl TokenVerifier {
    /// Believes nobody yet. `audience` is the federation's name.
    pub fn new(audience: impl Into<String>) -> TokenVerifier {
        TokenVerifier { audience: audience.into(), keys: HashMap::new(), organisations: HashMap::new() }
    }

    /// Believes every usable key of a JWK set when it signs for `issuer`; the issuer's earlier keys are forgotten.
    ///
    /// # Errors
    /// [`KeyError::UnsupportedJwk`] if the set cannot be read or has no usable key.
    pub fn trust(&mut self, issuer: &str, jwks_json: &str) -> Result<(), KeyError> {
        let set: JwkSet = serde_json::from_str(jwks_json).map_err(|_| KeyError::UnsupportedJwk)?;
        let usable: Vec<PublicKey> = set.keys.into_iter().filter_map(|jwk| PublicKey::from_jwk(jwk).ok()).collect();
        if usable.is_empty() {
            return Err(KeyError::UnsupportedJwk);
        }
        self.distrust(issuer);
        self.keys.extend(usable.into_iter().map(|key| ((issuer.to_owned(), key.kid().to_owned()), key)));
        Ok(())
    }

    /// Believes `issuer` only for users of these organisations, by their ODS codes.
    pub fn speaks_for(&mut self, issuer: &str, organisations: impl IntoIterator<Item = String>) {
        self.organisations.insert(issuer.to_owned(), organisations.into_iter().collect());
    }

    /// Believes nothing that `issuer` signs any more.
    pub fn distrust(&mut self, issuer: &str) {
        self.keys.retain(|(name, _), _| name != issuer);
    }

    /// Whether a token names a key that is not known: then an issuer may have rotated.
    pub fn names_unknown_key(&self, token: &str) -> bool {
        matches!(named_kid(token), Ok(Some(kid)) if !self.keys.keys().any(|(_, known)| *known == kid))
    }

    /// Checks signature, times, audience and claims.
    ///
    /// # Errors
    /// [`TokenError`] says what is wrong, in words that may be shown to the caller.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<User, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        let kid = named_kid(token)?.ok_or(TokenError::UnknownIssuer)?;
        let named = self.keys.iter().filter(|((_, known), _)| *known == kid);
        let mut refused = TokenError::UnknownIssuer;
        for ((issuer, _), key) in named {
            match key.verify::<UserClaims>(&TYPES, token) {
                Ok(claims) if claims.iss == *issuer => return self.check_claims(claims, token, now_s),
                Ok(_) => refused = TokenError::UnknownIssuer,
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    fn check_claims(&self, claims: UserClaims, token: &str, now_s: i64) -> Result<User, TokenError> {
        if claims.aud != self.audience {
            return Err(TokenError::WrongAudience);
        }
        check_times(claims.iat, claims.nbf, claims.exp, now_s)?;
        if self.organisations.get(&claims.iss).is_some_and(|own| !own.contains(&claims.org)) {
            return Err(TokenError::OtherOrganisation);
        }
        let purpose = purpose_from_word(&claims.purpose).ok_or(TokenError::WrongClaims)?;
        let texts = [&claims.sub, &claims.name, &claims.role, &claims.org, &claims.jti];
        let groups = || claims.activities.iter().chain(&claims.workgroups);
        if groups().count() > GROUPS_MAX || !groups().all(|text| is_acceptable(text)) {
            return Err(TokenError::WrongClaims);
        }
        if is_generic(&claims.sub) || !texts.iter().all(|text| is_acceptable(text)) {
            return Err(TokenError::WrongClaims);
        }
        let app_key = PublicKey::from_jwk(claims.cnf.jwk).map_err(TokenError::Key)?;
        Ok(User {
            id: claims.sub,
            issuer: claims.iss,
            name: claims.name,
            role_code: claims.role,
            organisation_ods: claims.org,
            assurance: claims.assurance,
            activities: claims.activities,
            workgroups: claims.workgroups,
            purpose,
            token_id: claims.jti,
            token_sha256: sha256(&[token.as_bytes()]),
            expires_s: claims.exp,
            app_key,
            authenticated_s: claims.auth_time,
        })
    }
}

/// Whether an id stands for no person: an audit trail that names "system" names nobody.
fn is_generic(user_id: &str) -> bool {
    let id = user_id.trim().to_ascii_lowercase();
    ["system", "unk", "unknown", "anonymous", "admin"].contains(&id.as_str())
}

/// Whether a claim may go into a trail and a report: not empty, not endless, no line breaks or terminal commands.
fn is_acceptable(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= CLAIM_BYTES_MAX && !text.chars().any(char::is_control)
}

fn check_times(iat: i64, nbf: i64, exp: i64, now_s: i64) -> Result<(), TokenError> {
    let life = exp.checked_sub(iat).ok_or(TokenError::WrongTime)?;
    let too_early = now_s.saturating_add(SKEW_MAX_S) < nbf.max(iat);
    let too_late = now_s.saturating_sub(SKEW_MAX_S) > exp;
    if too_early || too_late || !(1..=TOKEN_LIFE_MAX_S).contains(&life) {
        return Err(TokenError::WrongTime);
    }
    Ok(())
}

/// Makes tokens: the development issuer of the demo and the tests, or an organisation's gateway.
#[derive(Clone, Debug)]
pub struct Issuer {
    key: SigningKey,
}

impl Issuer {
    /// Issues with `key`.
    pub fn new(key: SigningKey) -> Issuer {
        Issuer { key }
    }

    /// The JWK set to publish, as JSON.
    pub fn jwks_json(&self) -> String {
        serde_json::json!({ "keys": [self.key.public().jwk()] }).to_string()
    }

    /// Signs `claims` as they are.
    ///
    /// # Errors
    /// [`KeyError::WrongPayload`] if they cannot be written as JSON.
    pub fn issue(&self, claims: &UserClaims) -> Result<String, KeyError> {
        self.key.sign(TYPES[0], claims)
    }
}

#[cfg(test)]
mod tests;
