use super::*;
use crate::identity::{Address, Identity, Name};
use crate::normalise::mix;

const PERSONS: u64 = 3_000;

fn word(number: u64) -> String {
    let syllables = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ro", "su", "ta", "ve"];
    [8, 4, 0].map(|shift| syllables[(number >> shift & 15) as usize]).concat()
}

/// A share of registrations, the same every time.
fn is_one_of(registration: u64, salt: u64, share: f64) -> bool {
    (mix(registration ^ mix(salt)) as f64) < share * u64::MAX as f64
}

/// Everybody registered twice abroad, a letter of the family name wrong in one of ten; so many birth dates are missing,
/// and half as many family names.
fn matches_per_registration(missing: f64) -> f64 {
    let mut population = Population::new();
    for row in 0..2 * PERSONS {
        let own = mix(row / 2);
        let slip = if is_one_of(row, 1, 0.1) { "x" } else { "" };
        let family = if is_one_of(row, 2, missing / 2.0) { String::new() } else { word(own >> 16) + slip };
        let born = format!("{}-{:02}-{:02}", 1930 + own % 80, 1 + (own >> 32) % 12, 1 + (own >> 40) % 28);
        let line = format!("{} {} street {} town", 1 + own % 90, word(own >> 48), word(own >> 28));
        let identity = Identity {
            names: &[Name { family: &family, given: &[&word(own)], ..Name::default() }],
            birth_date: if is_one_of(row, 3, missing) { "" } else { &born },
            addresses: &[Address { lines: &[&line], postcode: &(2000 + own % 700).to_string() }],
            ..Identity::default()
        };
        population.insert_bulk(row as u32, &identity);
    }
    population.index_bulk(2);
    train(&population, &Training::new(1, 2)).unwrap().file().classes.matches_per_registration
}

#[test]
fn missing_fields_do_not_hide_matches() {
    for missing in [0.0, 0.2, 0.4] {
        let matches = matches_per_registration(missing);
        assert!((0.485..0.515).contains(&matches), "{matches} with {missing} missing; 0.5 is true");
    }
}
