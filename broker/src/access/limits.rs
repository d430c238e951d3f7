//! How often people may be looked for: so often that nobody at work notices, and not often enough to list a town. And
//! how often what privacy officers review may be done.

use serde::Deserialize;
use severn_trust::{Clock, Throttle, User};
use std::{num::NonZeroU32, sync::Arc};

/// Searches for people, at most. Whoever has searched less may save up as many as one minute allows.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchLimits {
    /// Of one user, in a minute.
    pub user_per_minute: NonZeroU32,
    /// Of all users of one organisation, in a minute.
    pub organisation_per_minute: NonZeroU32,
}

impl Default for SearchLimits {
    fn default() -> SearchLimits {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        SearchLimits { user_per_minute: number(60), organisation_per_minute: number(3_000) }
    }
}

/// Acts that are reviewed, at most, of one user in 24 hours, at all brokers together.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActLimits {
    /// Overrides.
    pub overrides_per_user_per_day: u32,
    /// Claims of relationships.
    pub claims_per_user_per_day: u32,
}

impl Default for ActLimits {
    fn default() -> ActLimits {
        ActLimits { overrides_per_user_per_day: 5, claims_per_user_per_day: 20 }
    }
}

/// Counts searches. Each broker counts those that come to it.
pub struct Searches(Throttle);

impl Searches {
    /// Counts against `limits`.
    pub fn new(limits: SearchLimits, clock: Arc<dyn Clock>) -> Searches {
        Searches(Throttle::new(&[limits.user_per_minute, limits.organisation_per_minute], clock))
    }

    /// Counts one search.
    ///
    /// # Errors
    /// How long to wait if there were too many: whole seconds, 1 at least.
    pub fn take(&self, user: &User) -> Result<(), u64> {
        self.0.take(&[&Throttle::key_of(user), &user.organisation_ods])
    }
}
