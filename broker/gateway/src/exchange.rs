//! From a sign-in to a token of the federation. Pure.
//!
//! **Invariant:** the role is one that the sign-in names, of an organisation that this gateway speaks for.

use crate::sign_in::{HeldRole, SignedIn};
use severn_trust::{Confirmation, PublicKey, TOKEN_LIFE_MAX_S, UserClaims, purpose_from_word};
use uuid::Uuid;

/// For whom a gateway speaks.
#[derive(Clone, Debug)]
pub struct Issuing {
    /// The gateway's name, as broker and adapters trust it (`iss`).
    pub name: String,
    /// The federation's name (`aud`).
    pub audience: String,
    /// ODS codes of the organisations in whose name it issues tokens.
    pub organisations: Vec<String>,
}

/// What is asked for, from the `scope` of a token request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Why: `direct_care` ...
    pub purpose: String,
    /// The role code to act in; `None` for the one chosen at sign-in.
    pub role: Option<String>,
}

/// Why no token is issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The scope cannot be read.
    #[error(
        "the scope must be `purpose:direct_care` (emergency, safeguarding, audit, subject_access) and may add `role:CODE`"
    )]
    Scope,
    /// The user holds no such role.
    #[error("your sign-in names no role here; ask your organisation's registration authority for one")]
    NoRole,
    /// The user holds others.
    #[error("you hold no such role here; choose one of {0}")]
    OtherRole(String),
    /// Several, and none was chosen.
    #[error("you hold several roles; choose one of {0}")]
    SeveralRoles(String),
    /// The sign-in ends too soon.
    #[error("the sign-in is over; sign in again")]
    Over,
}

impl Scope {
    /// Reads `purpose:direct_care role:S8000:G8000:R8000`.
    ///
    /// # Errors
    /// [`ExchangeError::Scope`] for anything else.
    pub fn read(text: &str) -> Result<Scope, ExchangeError> {
        let mut scope = Scope::default();
        for word in text.split_whitespace() {
            match word.split_once(':') {
                Some(("purpose", purpose)) if scope.purpose.is_empty() && purpose_from_word(purpose).is_some() => {
                    purpose.clone_into(&mut scope.purpose);
                }
                Some(("role", code)) if scope.role.is_none() && !code.is_empty() => scope.role = Some(code.to_owned()),
                _ => return Err(ExchangeError::Scope),
            }
        }
        if scope.purpose.is_empty() { Err(ExchangeError::Scope) } else { Ok(scope) }
    }
}

impl Issuing {
    /// The claims of a token named `id` for whoever signed in, bound to their app's key, at `now_s`, seconds since 1970.
    ///
    /// # Errors
    /// [`ExchangeError`] says why there is none.
    pub fn claims(
        &self,
        user: SignedIn,
        scope: Scope,
        (app, id): (&PublicKey, Uuid),
        now_s: i64,
    ) -> Result<UserClaims, ExchangeError> {
        let role = self.role(&user, scope.role.as_deref())?.clone();
        let expires_s = user.until_s.min(now_s + TOKEN_LIFE_MAX_S);
        if expires_s <= now_s {
            return Err(ExchangeError::Over);
        }
        Ok(UserClaims {
            iss: self.name.clone(),
            sub: user.id,
            aud: self.audience.clone(),
            iat: now_s,
            nbf: now_s,
            exp: expires_s,
            jti: id.to_string(),
            name: user.name,
            role: role.code,
            org: role.organisation,
            purpose: scope.purpose,
            assurance: user.assurance,
            activities: role.activities,
            workgroups: role.workgroups,
            cnf: Confirmation { jwk: app.jwk() },
            auth_time: user.at_s,
        })
    }

    fn role<'u>(&self, user: &'u SignedIn, wanted: Option<&str>) -> Result<&'u HeldRole, ExchangeError> {
        let held: Vec<&HeldRole> =
            user.roles.iter().filter(|role| self.organisations.contains(&role.organisation)).collect();
        let named = || held.iter().map(|role| role.code.as_str()).collect::<Vec<_>>().join(", ");
        let chosen = |role: &&&HeldRole| user.chosen.as_ref().is_some_and(|chosen| *chosen == role.id);
        match (held.as_slice(), wanted) {
            ([], _) => Err(ExchangeError::NoRole),
            (_, Some(code)) => {
                let mut of_code = held.iter().filter(|role| role.code == code);
                let first = of_code.clone().find(chosen).or_else(|| of_code.next());
                first.copied().ok_or_else(|| ExchangeError::OtherRole(named()))
            }
            ([only], None) => Ok(only),
            (_, None) => held.iter().find(chosen).copied().ok_or_else(|| ExchangeError::SeveralRoles(named())),
        }
    }
}

#[cfg(test)]
mod tests;
