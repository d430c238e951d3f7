//! Where the user's token comes from. Nothing here believes a token: only broker and adapters decide whether it holds.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use severn_proto::v1::PurposeOfUse;
use severn_trust::purpose_from_word;
use std::fmt;

/// Gives the token of the user who asks, anew for every call: tokens live for 300 s at most.
///
/// Implemented for functions, and for a token that stays the same ([`FixedToken`]).
pub trait TokenSource: Send + Sync + 'static {
    /// The user's token, a JWT.
    ///
    /// # Errors
    /// [`TokenUnavailable`] if nobody is signed in.
    fn token(&self) -> Result<String, TokenUnavailable>;
}

impl<F: Fn() -> Result<String, TokenUnavailable> + Send + Sync + 'static> TokenSource for F {
    fn token(&self) -> Result<String, TokenUnavailable> {
        self()
    }
}

/// A token that somebody else renews. `Debug` shows nothing.
#[derive(Clone)]
pub struct FixedToken(pub String);

impl TokenSource for FixedToken {
    fn token(&self) -> Result<String, TokenUnavailable> {
        Ok(self.0.trim().to_owned())
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken(…)")
    }
}

/// Why there is no usable token. Shows nothing of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenUnavailable {
    /// Nobody is signed in, or the token cannot be got.
    #[error("there is no user token: {0}")]
    Missing(String),
    /// Not a JWT with a known purpose.
    #[error("the user token is no JWT with a known `purpose`; sign in again")]
    Unreadable,
}

#[derive(Deserialize)]
struct Purpose {
    purpose: String,
}

/// The purpose a token names, read without checking the token: the proof must name the same one.
pub(crate) fn purpose_of(token: &str) -> Result<PurposeOfUse, TokenUnavailable> {
    let payload = token.split('.').nth(1).ok_or(TokenUnavailable::Unreadable)?;
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenUnavailable::Unreadable)?;
    let claims: Purpose = serde_json::from_slice(&json).map_err(|_| TokenUnavailable::Unreadable)?;
    purpose_from_word(&claims.purpose).ok_or(TokenUnavailable::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn the_purpose_is_read_and_nothing_else_is_needed() {
        assert_eq!(purpose_of(&token(r#"{"purpose":"emergency","x":1}"#)), Ok(PurposeOfUse::Emergency));
        for wrong in [token("{}"), token(r#"{"purpose":"curiosity"}"#), "a".into(), "a.%.b".into(), String::new()] {
            assert_eq!(purpose_of(&wrong), Err(TokenUnavailable::Unreadable), "{wrong}");
        }
    }
}
