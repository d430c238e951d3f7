//! How often something may be done in a minute, for each of several keys: so often that nobody at work notices, and not
//! often enough to take away what many people's records say.

use crate::{clock::Clock, token::User};
use governor::{Quota, RateLimiter, clock as governed, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};
use serde::Deserialize;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// Counts what is done against one limit for each kind of key. Whoever did less may save up as much as one minute allows.
pub struct Throttle {
    limiters: Vec<Limiter>,
    clock: TimeOfDay,
}

type Limiter = RateLimiter<Box<str>, HashMapStateStore<Box<str>>, TimeOfDay, NoOpMiddleware<Duration>>;

/// Keys of one kind remembered before those are forgotten that have saved up all they may.
const REMEMBERED: usize = 10_000;

impl Throttle {
    /// Counts against `per_minute`, a limit for each kind of key.
    pub fn new(per_minute: &[NonZeroU32], clock: Arc<dyn Clock>) -> Throttle {
        let clock = TimeOfDay(clock);
        let limiter = |limit: &NonZeroU32| {
            RateLimiter::new(Quota::per_minute(*limit), HashMapStateStore::default(), clock.clone())
        };
        Throttle { limiters: per_minute.iter().map(limiter).collect(), clock }
    }

    /// Counts one for each of `keys`, which stand in the order of the limits.
    ///
    /// # Errors
    /// How long to wait if there were too many for one of them: whole seconds, 1 at least.
    pub fn take(&self, keys: &[&str]) -> Result<(), u64> {
        for (limiter, key) in self.limiters.iter().zip(keys) {
            if limiter.len() > REMEMBERED {
                limiter.retain_recent();
            }
            let wait = |not: governor::NotUntil<_>| not.wait_time_from(governed::Clock::now(&self.clock));
            limiter
                .check_key(&(*key).into())
                .map_err(wait)
                .map_err(|wait: Duration| wait.as_secs_f64().ceil().max(1.0) as u64)?;
        }
        Ok(())
    }

    /// The key of a user: their id is their issuer's.
    pub fn key_of(user: &User) -> String {
        format!("{}/{}", user.issuer, user.id)
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

/// Records, and documents of records, that may be retrieved in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordLimits {
    /// By one user.
    pub user_per_minute: NonZeroU32,
    /// By all users of one organisation.
    pub organisation_per_minute: NonZeroU32,
    /// Of one person, by anybody.
    pub person_per_minute: NonZeroU32,
}

impl Default for RecordLimits {
    fn default() -> RecordLimits {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        RecordLimits {
            user_per_minute: number(120),
            organisation_per_minute: number(6_000),
            person_per_minute: number(600),
        }
    }
}

impl RecordLimits {
    /// What holds where a configuration says nothing. Simulations, whose minutes are short, have none.
    pub fn usual() -> Option<RecordLimits> {
        Some(RecordLimits::default())
    }
}

/// Counts retrievals.
pub struct Retrievals(Option<Throttle>);

impl Retrievals {
    /// Counts against `limits`, if there are any.
    pub fn new(limits: Option<RecordLimits>, clock: Arc<dyn Clock>) -> Retrievals {
        let three =
            |limits: RecordLimits| [limits.user_per_minute, limits.organisation_per_minute, limits.person_per_minute];
        Retrievals(limits.map(|limits| Throttle::new(&three(limits), clock)))
    }

    /// Counts one, by `user` of `person`.
    ///
    /// # Errors
    /// As [`Throttle::take`].
    pub fn take(&self, user: &User, person: &str) -> Result<(), u64> {
        let Some(throttle) = &self.0 else { return Ok(()) };
        throttle.take(&[&Throttle::key_of(user), &user.organisation_ods, person])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn each_kind_of_key_has_its_limit_and_saves_up_again() {
        let clock = Arc::new(Hand::default());
        let limit = |n| NonZeroU32::new(n).unwrap();
        let throttle = Throttle::new(&[limit(2), limit(3)], clock.clone());
        let take = |a, b| throttle.take(&[a, b]);
        assert_eq!((take("u1", "o"), take("u1", "o")), (Ok(()), Ok(())));
        assert_eq!(take("u1", "o"), Err(30), "the user's are used up");
        assert_eq!((take("u2", "o"), take("u2", "o")), (Ok(()), Err(20)), "then the organisation's");
        assert_eq!(take("u3", "other"), Ok(()));
        clock.0.store(30_000, Ordering::SeqCst);
        assert_eq!((take("u1", "o"), take("u1", "o")), (Ok(()), Err(30)));
    }
}
