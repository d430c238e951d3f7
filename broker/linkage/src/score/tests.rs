use super::*;
use crate::identity::{Address, Identity, Name, Sex};
use crate::population::Population;

/// A woman's first and family name, birth date, address in one postcode and telephone number; what is empty is missing.
type Told<'a> = [&'a str; 5];

fn compared(one: Told<'_>, two: Told<'_>) -> Comparison {
    let mut population = Population::new();
    for ([given, family, born, line, phone], row) in [one, two].into_iter().zip(0..) {
        let identity = Identity {
            names: &[Name { family, given: &[given], ..Name::default() }],
            birth_date: born,
            sex: Sex::Female,
            addresses: &[Address { lines: &[line], postcode: if line.is_empty() { "" } else { "LS6 2AB" } }],
            phones: &[phone],
            ..Identity::default()
        };
        population.insert(row, &identity);
    }
    population.compare(0, 1)
}

/// What a field says of two strangers' or one woman's registrations, of which no address is known, in bits.
fn weight(of: Field, [one, two]: [&str; 2], family: &str, born: &str) -> f64 {
    let comparison = compared([one, family, born, "", ""], [two, family, born, "", ""]);
    let reasons = Model::default_uk().explain(&comparison);
    reasons.into_iter().find(|reason| reason.field == of).unwrap().weight_bits
}

#[test]
fn names_of_one_origin_say_less_together_however_they_are_spelt() {
    let given = |family| weight(Field::Given, ["Mohammed", "Muhammad"], family, "1980-05-12");
    assert!(given("Khan") < given("Featherstone") - 1.0, "{} {}", given("Khan"), given("Featherstone"));
}

#[test]
fn a_name_in_fashion_says_less_of_those_born_then() {
    let birth = |name, born| weight(Field::Birth, [name, name], "", born);
    let in_fashion = |name, born| birth("Xanthippe", born) - birth(name, born);
    assert!(in_fashion("Julie", "1975-05-12") > 1.0, "{}", in_fashion("Julie", "1975-05-12"));
    assert!(in_fashion("Julie", "1945-05-12") < 0.1, "{}", in_fashion("Julie", "1945-05-12"));
}

#[test]
fn twins_are_of_one_family_and_one_telephone() {
    let twin = |given| [given, "Featherstone", "2012-05-12", "14 Rise Road", "07700900123"];
    let score = Model::default_uk().score(&compared(twin("Tara"), twin("Rosalind")));
    assert!(score.probability < 0.75, "{score:?}");
}
