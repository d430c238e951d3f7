//! How often a registration that its source changed is taken for somebody else's, on made-up people with all their
//! slips, marriages and moves: seldom for one's own, nearly always for a stranger's. Two registrations of one person
//! differ more than one registration does before and after a correction, so the first is a bound from above.

use severn_linkage::{
    decide::is_somebody_else,
    identity::{Address, Identity, Name, NhsNumber, Sex},
    population::Population,
};
use std::collections::HashMap;
use tests::people::{Plan, Registration, make};

fn insert(population: &mut Population, row: u32, said: &Registration) {
    let sex = match said.sex {
        "F" => Sex::Female,
        "M" => Sex::Male,
        _ => Sex::Unknown,
    };
    let identity = Identity {
        nhs_number: NhsNumber::parse(&said.nhs_number),
        nhs_number_verified: said.nhs_number_verified,
        names: &[Name { family: &said.family, given: &[&said.given, &said.middle], ..Name::default() }],
        birth_date: &said.birth_date,
        sex,
        addresses: &[Address { lines: &[&said.line1], postcode: &said.postcode }],
        phones: &[&said.phone],
        emails: &[&said.email],
        death_date: &said.death_date,
    };
    population.insert(row, &identity);
}

#[test]
fn ones_own_is_seldom_taken_for_somebody_elses_and_a_strangers_nearly_always() {
    let people = make(Plan { registrations: 20_000, seed: 71 });
    let mut population = Population::new();
    let mut own: HashMap<u32, Vec<u32>> = HashMap::new();
    for ((said, truth), row) in people.registrations.iter().zip(&people.truth).zip(0..) {
        insert(&mut population, row, said);
        own.entry(truth.person).or_default().push(row);
    }
    let taken_for_another = |a: u32, b: u32| is_somebody_else(population.compare(a, b).levels);
    let (mut same, mut mistaken) = (0, 0);
    for rows in own.values() {
        for pair in rows.windows(2) {
            same += 1;
            mistaken += u32::from(taken_for_another(pair[0], pair[1]));
        }
    }
    let rows = people.registrations.len() as u32;
    let person = |row: u32| people.truth[row as usize].person;
    let strangers: Vec<u32> = (0..rows - 7).filter(|row| person(*row) != person(row + 7)).collect();
    let found = strangers.iter().filter(|row| taken_for_another(**row, **row + 7)).count();
    let (mistaken, found) = (f64::from(mistaken) / f64::from(same), found as f64 / strangers.len() as f64);
    println!(
        "of one person {:.3}% are taken for somebody else's, of strangers {:.2}%",
        mistaken * 100.0,
        found * 100.0
    );
    assert!(mistaken < 0.001, "{mistaken}");
    assert!(found > 0.98, "{found}");
}
