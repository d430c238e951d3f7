//! How much of what is a pattern. Pure: numbers, each with its unit and a default.

use serde::Deserialize;

/// Thresholds of the patterns that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PatternSettings {
    /// Users of one organisation who look at one person on one day, at least,
    pub crowd_users_min: u32,
    /// and so many times what is usual in that organisation.
    pub crowd_factor: f64,
    /// Persons without a known relationship that one user opens, at least,
    pub no_relationship_persons_min: u32,
    /// and so many times the share of the user's colleagues.
    pub no_relationship_factor: f64,
    /// Persons that one user opens with broken glass, at least,
    pub override_persons_min: u32,
    /// and so many times the share of the user's colleagues.
    pub override_factor: f64,
    /// Persons that one user opens within one hour of the clock, at least.
    pub hour_persons_min: u32,
    /// Searches of one user within one hour of the clock, at least.
    pub hour_searches_min: u32,
    /// Persons of the user's own family name that chance alone would bring: where it would bring more, none is told.
    pub same_name_chance_max: f64,
    /// Persons of one colleague's name that chance alone would bring: where it would bring more, none is told.
    pub colleague_chance_max: f64,
    /// The same of both, where no relationship with the person is known.
    pub chance_without_relationship_max: f64,
    /// Days after which it is told that somebody who had left the organisation's care is opened.
    pub after_leaving_days: u32,
    /// Days after which it is told that somebody who had died is opened.
    pub after_death_days: u32,
}

impl Default for PatternSettings {
    fn default() -> PatternSettings {
        PatternSettings {
            crowd_users_min: 10,
            crowd_factor: 5.0,
            no_relationship_persons_min: 10,
            no_relationship_factor: 3.0,
            override_persons_min: 5,
            override_factor: 3.0,
            hour_persons_min: 60,
            hour_searches_min: 120,
            same_name_chance_max: 0.05,
            colleague_chance_max: 0.02,
            chance_without_relationship_max: 1.0,
            after_leaving_days: 90,
            after_death_days: 30,
        }
    }
}

impl PatternSettings {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The key at fault, and what to do.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        for (key, number) in [
            ("crowd_users_min", self.crowd_users_min),
            ("no_relationship_persons_min", self.no_relationship_persons_min),
            ("override_persons_min", self.override_persons_min),
            ("hour_persons_min", self.hour_persons_min),
            ("hour_searches_min", self.hour_searches_min),
        ] {
            if number < 2 {
                return Err((key, "must be at least 2; fewer than that is no pattern"));
            }
        }
        for (key, number) in [
            ("crowd_factor", self.crowd_factor),
            ("no_relationship_factor", self.no_relationship_factor),
            ("override_factor", self.override_factor),
        ] {
            if !number.is_finite() || number < 1.0 {
                return Err((key, "must be at least 1"));
            }
        }
        for (key, number) in [
            ("same_name_chance_max", self.same_name_chance_max),
            ("colleague_chance_max", self.colleague_chance_max),
            ("chance_without_relationship_max", self.chance_without_relationship_max),
        ] {
            if !number.is_finite() || number < 0.0 {
                return Err((key, "must be 0 or more"));
            }
        }
        Ok(())
    }
}
