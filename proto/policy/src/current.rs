//! The policy in force. Whoever looks after it shows it what lies on disk, at start and every few seconds; what is not
//! acceptable is never in force, and neither is what was in force before it.

use crate::{
    bundle::{Bundle, BundleError},
    engine::Policy,
};
use severn_trust::{Digest, Disk, PublicKey, sha256};
use std::{
    fmt, io,
    sync::{Arc, PoisonError, RwLock},
};

/// The file, in the owner's data folder, that remembers the highest version that was in force.
pub(crate) const SEEN: &str = "policy.seen";

/// The policy in force.
pub struct CurrentPolicy {
    held: RwLock<Held>,
    source: Option<Source>,
}

struct Held {
    policy: Arc<Policy>,
    /// What it came from; `None` for a policy that has no bundle.
    of: Option<Digest>,
    expires_s: i64,
}

/// Whose bundles are believed, and where the highest version is remembered.
struct Source {
    owner: String,
    keys: Vec<PublicKey>,
    disk: Arc<dyn Disk>,
}

impl fmt::Debug for CurrentPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CurrentPolicy({:?})", self.held.read().unwrap_or_else(PoisonError::into_inner).policy)
    }
}

impl CurrentPolicy {
    /// A policy that stays.
    pub fn fixed(policy: Policy) -> CurrentPolicy {
        let held = Held { policy: Arc::new(policy), of: None, expires_s: i64::MAX };
        CurrentPolicy { held: RwLock::new(held), source: None }
    }

    /// None yet: nothing is permitted until a bundle of `owner`, signed by one of `keys`, is shown. `disk` is the folder in
    /// which the highest version is remembered.
    pub fn of_bundles(owner: impl Into<String>, keys: Vec<PublicKey>, disk: Arc<dyn Disk>) -> CurrentPolicy {
        let nothing = Policy::nothing("no policy bundle was read yet");
        let held = Held { policy: Arc::new(nothing), of: None, expires_s: i64::MAX };
        CurrentPolicy { held: RwLock::new(held), source: Some(Source { owner: owner.into(), keys, disk }) }
    }

    /// The policy that holds at this time.
    pub fn at(&self, now_s: i64) -> Arc<Policy> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if now_s < held.expires_s {
            Arc::clone(&held.policy)
        } else {
            Arc::new(Policy::nothing("the policy has ended"))
        }
    }

    /// Takes what lies where the bundle should be. The same bytes again change nothing. What is not acceptable puts nothing
    /// in force, so that nothing is permitted; the next acceptable bundle puts that right.
    ///
    /// # Errors
    /// [`BundleError`] says why nothing is in force.
    pub fn show(&self, found: io::Result<Vec<u8>>, now_s: i64) -> Result<(), BundleError> {
        let Some(source) = &self.source else { return Ok(()) };
        let bytes = found.map_err(|error| BundleError::Unreadable(error.to_string()));
        let digest = bytes.as_ref().ok().map(|bytes| sha256(&[bytes]));
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if digest.is_some() && held.of == digest && now_s < held.expires_s {
                return Ok(());
            }
        }
        let taken = bytes.and_then(|bytes| source.take(&bytes, now_s));
        let (held, said) = match taken {
            Ok((policy, expires_s)) => (Held { policy: Arc::new(policy), of: digest, expires_s }, Ok(())),
            Err(error) => {
                let nothing = Policy::nothing("no acceptable policy bundle");
                (Held { policy: Arc::new(nothing), of: None, expires_s: i64::MAX }, Err(error))
            }
        };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        said
    }
}

impl Source {
    fn take(&self, bytes: &[u8], now_s: i64) -> Result<(Policy, i64), BundleError> {
        let signed = std::str::from_utf8(bytes).map_err(|_| BundleError::Unreadable("it is no text".into()))?;
        let bundle = Bundle::open(signed, &self.keys, &self.owner)?;
        if bundle.expires_s <= now_s || bundle.expires_s <= bundle.issued_s {
            return Err(BundleError::Expired);
        }
        let seen = self.seen()?;
        if bundle.version < seen {
            return Err(BundleError::RolledBack { found: bundle.version, seen });
        }
        let policy = bundle.policy()?;
        if bundle.version > seen {
            // Remembered before it is in force: whatever happens then, an older one is refused.
            let remembered = self.disk.replace(SEEN, bundle.version.to_string().as_bytes());
            remembered.map_err(|error| BundleError::Unreadable(format!("{SEEN} cannot be written: {error}")))?;
        }
        Ok((policy, bundle.expires_s))
    }

    /// The highest version that was in force. A memory that cannot be read is no reason to begin again at none.
    fn seen(&self) -> Result<u64, BundleError> {
        match self.disk.read(SEEN) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(BundleError::Unreadable(format!("{SEEN}: {error}"))),
            Ok(bytes) => {
                let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
                number.ok_or_else(|| BundleError::Unreadable(format!("{SEEN} holds no version; restore it")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
