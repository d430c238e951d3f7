use super::*;
use crate::bulk::link_all;
use crate::decide::Policy;
use crate::identity::{Address, Identity, Name};
use crate::normalise::mix;

fn word(number: u64) -> String {
    let syllables = ["ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ro", "su", "ta", "ve"];
    [8, 4, 0].map(|shift| syllables[(number >> shift & 15) as usize]).concat()
}

/// A share of registrations, the same every time.
fn is_one_of(registration: u64, salt: u64, share: f64) -> bool {
    (mix(registration ^ mix(salt)) as f64) < share * u64::MAX as f64
}

/// Everybody registered twice abroad, a letter of the family name wrong in one of ten, so many birth dates missing, and
/// half as many family names. So many people live at each address.
fn population(persons: u64, missing: f64, at_home: u64) -> Population {
    let mut population = Population::new();
    for row in 0..2 * persons {
        let (own, home) = (mix(row / 2), mix(row / 2 / at_home));
        let slip = if is_one_of(row, 1, 0.1) { "x" } else { "" };
        let family = if is_one_of(row, 2, missing / 2.0) { String::new() } else { word(home >> 16) + slip };
        let born = format!("{}-{:02}-{:02}", 1930 + own % 80, 1 + (own >> 32) % 12, 1 + (own >> 40) % 28);
        let line = format!("{} {} street {} town", 1 + home % 90, word(home >> 48), word(home >> 28));
        let identity = Identity {
            names: &[Name { family: &family, given: &[&word(own)], ..Name::default() }],
            birth_date: if is_one_of(row, 3, missing) { "" } else { &born },
            addresses: &[Address { lines: &[&line], postcode: &(2000 + home % 700).to_string() }],
            ..Identity::default()
        };
        population.insert_bulk(row as u32, &identity);
    }
    population.index_bulk(2);
    population
}

fn trained(population: &Population) -> Model {
    train(population, &Training::new(1, 2)).unwrap()
}

#[test]
fn missing_fields_do_not_hide_matches() {
    for missing in [0.0, 0.2, 0.4] {
        let matches = trained(&population(3_000, missing, 1)).file().classes.matches_per_registration;
        assert!((0.485..0.515).contains(&matches), "{matches} with {missing} missing; 0.5 is true");
    }
}

/// The share of persons whose registrations are linked, and of registrations linked to another person's.
fn linked(population: &Population, model: &Model) -> [f64; 2] {
    let all = link_all(population, model, &Policy::default(), 2, &|row| u128::from(row));
    let (mut right, mut wrong) = (0, 0);
    for link in all.decided.iter().flat_map(|decided| &decided.persons).filter(|person| person.len() > 1) {
        let is_one = link.len() == 2 && link[0] / 2 == link[1] / 2;
        right += usize::from(is_one);
        wrong += if is_one { 0 } else { link.len() };
    }
    [right as f64 * 2.0, wrong as f64].map(|count| count / population.len() as f64)
}

#[test]
fn who_is_undated_is_nobodys_father_where_no_families_are_registered() {
    let alone = population(2_000, 0.2, 1);
    let model = trained(&alone);
    assert!(model.rules_out_households());
    let [right, wrong] = linked(&alone, &model);
    assert!(right > 0.97 && wrong == 0.0, "{right} {wrong}");
    // Where they are, or where too few share an address to know, a person looks.
    let families = population(2_000, 0.2, 3);
    assert!(!trained(&families).rules_out_households());
    let few = population(100, 0.2, 1);
    assert!(!trained(&few).rules_out_households());
}
