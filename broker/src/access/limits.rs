//! How often people may be looked for: so often that nobody at work notices, and not often enough to list a town. And
//! how often what privacy officers review may be done.

use governor::{Quota, RateLimiter, clock as governed, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use serde::Deserialize;
use severn_trust::{Clock, User};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

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
pub struct Searches {
    users: Limiter,
    organisations: Limiter,
    clock: TimeOfDay,
}

type Limiter = RateLimiter<Box<str>, HashMapStateStore<Box<str>>, TimeOfDay, NoOpMiddleware<Duration>>;

/// Users and organisations remembered before those are forgotten who have saved up all they may.
const REMEMBERED: usize = 10_000;

impl Searches {
    /// Counts against `limits`.
    pub fn new(limits: SearchLimits, clock: Arc<dyn Clock>) -> Searches {
        let clock = TimeOfDay(clock);
        let limiter =
            |per_minute| RateLimiter::new(Quota::per_minute(per_minute), HashMapStateStore::default(), clock.clone());
        let (users, organisations) = (limiter(limits.user_per_minute), limiter(limits.organisation_per_minute));
        Searches { users, organisations, clock }
    }

    /// Counts one search.
    ///
    /// # Errors
    /// How long to wait if there were too many: whole seconds, 1 at least.
    pub fn take(&self, user: &User) -> Result<(), u64> {
        let user_key = format!("{}/{}", user.issuer, user.id);
        for (limiter, key) in [(&self.users, user_key.as_str()), (&self.organisations, &user.organisation_ods)] {
            if limiter.len() > REMEMBERED {
                limiter.retain_recent();
            }
            let wait = |not: governor::NotUntil<_>| not.wait_time_from(governed::Clock::now(&self.clock));
            limiter
                .check_key(&key.into())
                .map_err(wait)
                .map_err(|wait: Duration| wait.as_secs_f64().ceil().max(1.0) as u64)?;
        }
        Ok(())
    }
}

/// The clock passed in, as the limiter reads it: time since 1970.
#[derive(Clone)]
struct TimeOfDay(Arc<dyn Clock>);

impl governed::Clock for TimeOfDay {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or(0))
    }
}
