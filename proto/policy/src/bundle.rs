//! What an owner signs: policies in Cedar, the roles they speak of, a version that only goes up, and an end.

use crate::{engine::Policy, laws::PolicyError};
use serde::{Deserialize, Serialize};
use severn_trust::{KeyError, PublicKey, SigningKey};

const TYPE: &str = "severn-policy+jwt";

/// Bytes of the largest signed bundle that is looked at.
pub const BUNDLE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A role, and the codes by which tokens name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleRole {
    /// Name, as policies use it: `Role::"clinician"`.
    pub name: String,
    /// Role codes in tokens that mean this role, whole.
    pub codes: Vec<String>,
}

/// A bundle, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Whose it is: a source's id in the federation, or `region` for the broker.
    pub owner: String,
    /// Its number: higher than that of any bundle before it.
    pub version: u64,
    /// When it was signed, seconds since 1970.
    pub issued_s: i64,
    /// When it ends, seconds since 1970. Then nothing is permitted until there is another.
    pub expires_s: i64,
    /// The roles.
    pub roles: Vec<BundleRole>,
    /// The policies, in Cedar.
    pub policies: String,
}

/// Why a bundle is refused. Then nothing is permitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// There is none.
    #[error("the policy bundle cannot be read: {0}")]
    Unreadable(String),
    /// Nobody signed it whose key is believed.
    #[error("the policy bundle is signed by none of the keys that are believed: {0}")]
    Key(#[from] KeyError),
    /// It is another's.
    #[error("the policy bundle is that of {0:?}; sign one for this owner")]
    OtherOwner(String),
    /// It has ended, or ends before it begins.
    #[error("the policy bundle has ended; sign a new one with a higher version")]
    Expired,
    /// A later one was in force already.
    #[error("the policy bundle has version {found}, and version {seen} was in force before; sign a higher one")]
    RolledBack {
        /// What lies there now.
        found: u64,
        /// The highest that was in force.
        seen: u64,
    },
    /// Its policies are not acceptable.
    #[error("the policy bundle is not acceptable: {0}")]
    Policy(#[from] PolicyError),
}

impl Bundle {
    /// Signs it.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot sign.
    pub fn sign(&self, key: &SigningKey) -> Result<String, KeyError> {
        key.sign(TYPE, self)
    }

    /// Opens what one of `keys` signed for `owner`. Whether it has ended is asked at each decision.
    ///
    /// # Errors
    /// [`BundleError`] says why it is refused.
    pub fn open(signed: &str, keys: &[PublicKey], owner: &str) -> Result<Bundle, BundleError> {
        if signed.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::Unreadable(format!("it has more than {BUNDLE_BYTES_MAX} bytes")));
        }
        let mut refused = BundleError::Unreadable("no key is configured by which to believe it".into());
        for key in keys {
            match key.verify::<Bundle>(&[TYPE], signed.trim()) {
                Ok(bundle) if bundle.owner == owner => return Ok(bundle),
                Ok(bundle) => return Err(BundleError::OtherOwner(bundle.owner)),
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// Reads its policies.
    ///
    /// # Errors
    /// [`PolicyError`] names the policy or the role at fault.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        Policy::read(&format!("{}/{}", self.owner, self.version), self.roles.clone(), &self.policies)
    }
}

/// That each role and each of its codes has a name, and no other has the same.
pub(crate) fn check_roles(roles: &[BundleRole]) -> Result<(), PolicyError> {
    for (at, role) in roles.iter().enumerate() {
        let place = || format!("roles[{at}]");
        if role.name.trim().is_empty() || role.codes.iter().any(|code| code.trim().is_empty()) {
            return Err(PolicyError::new(place(), "a role and each of its codes needs a name"));
        }
        let twice = |other: &BundleRole| other.name == role.name || other.codes.iter().any(|c| role.codes.contains(c));
        if roles[..at].iter().any(twice) {
            return Err(PolicyError::new(place(), format!("the name or a code of {:?} is used twice", role.name)));
        }
    }
    Ok(())
}
