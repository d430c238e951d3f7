use super::*;
use crate::bulk::link_all;
use crate::identity::{Address, Identity, Name, NhsNumber, Sex};

/// One registration in plain words; what is empty is missing.
#[derive(Clone, Copy, Debug, Default)]
struct Told<'a> {
    nhs: &'a str,
    verified: bool,
    given: &'a str,
    middle: &'a str,
    family: &'a str,
    born: &'a str,
    female: bool,
    line: &'a str,
    postcode: &'a str,
    phone: &'a str,
    died: &'a str,
}

const ROSE: Told<'_> = Told {
    nhs: "",
    verified: false,
    given: "Rosalind",
    middle: "",
    family: "Featherstone",
    born: "1958-03-14",
    female: true,
    line: "14 Rise Road",
    postcode: "LS6 2AB",
    phone: "07700900123",
    died: "",
};

fn population(told: &[Told<'_>]) -> Population {
    let mut population = Population::new();
    for (own, row) in told.iter().zip(0..) {
        insert(&mut population, row, own);
    }
    population
}

fn insert(population: &mut Population, row: u32, own: &Told<'_>) {
    own.with_identity(|identity| population.insert(row, identity));
}

impl Told<'_> {
    fn with_identity<T>(&self, then: impl FnOnce(&Identity<'_>) -> T) -> T {
        then(&Identity {
            nhs_number: NhsNumber::parse(self.nhs),
            nhs_number_verified: self.verified,
            names: &[Name { family: self.family, given: &[self.given, self.middle], ..Name::default() }],
            birth_date: self.born,
            sex: if self.female { Sex::Female } else { Sex::Male },
            addresses: &[Address { lines: &[self.line], postcode: self.postcode }],
            phones: &[self.phone],
            emails: &[],
            death_date: self.died,
        })
    }
}

fn decided(told: &[Told<'_>], decisions: &[PersonsDecision]) -> Decided {
    let population = population(told);
    let (model, policy) = (Model::default_uk(), Policy::default());
    let members: Vec<Member> = (0..told.len() as u32).map(|row| Member { row, key: u128::from(row) }).collect();
    let rows: Vec<u32> = (0..told.len() as u32).collect();
    let pairs = closure(&population, &model, &policy, &rows, &|_| Vec::new()).pairs;
    let component =
        Component { population: &population, model: &model, members: &members, outside: &[], pairs: &pairs, decisions };
    decide(&component, &policy)
}

fn reasons(decided: &Decided) -> Vec<ReviewReason> {
    decided.reviews.iter().map(|review| review.reason).collect()
}

#[test]
fn a_correction_is_told_from_somebody_else_under_one_local_id() {
    let (one, other) = (Told { nhs: ONE, verified: true, ..ROSE }, Told { nhs: OTHER, verified: true, ..ROSE });
    let stranger = Told { given: "Tom", family: "Iqbal", born: "1990-11-02", female: false, ..Told::default() };
    let baby = Told { given: "Baby", family: "Smith", born: "2024-03-14", ..ROSE };
    for (what, before, now, expected) in [
        ("a slip", ROSE, Told { given: "Roslind", family: "Fetherstone", ..ROSE }, false),
        ("married and moved", ROSE, Told { family: "Iqbal", line: "3 Mill Lane", postcode: "HU1 1AA", ..ROSE }, false),
        ("named", baby, Told { given: "Olivia", family: "Jones", ..baby }, false),
        ("birth date corrected", ROSE, Told { born: "1963-11-02", ..ROSE }, false),
        ("sex corrected", ROSE, Told { female: false, ..ROSE }, false),
        ("number replaced", one, other, false),
        ("name and date corrected under one number", one, Told { given: "Tara", born: "1963-11-02", ..one }, false),
        ("a new name altogether", ROSE, Told { given: "Tara", family: "Iqbal", ..ROSE }, false),
        ("identified", Told { given: "Unknown", family: "Unknown", born: "1900-01-01", ..ROSE }, stranger, false),
        ("blanked", ROSE, Told { given: "", family: "", born: "", ..ROSE }, false),
        ("everything", ROSE, stranger, true),
        ("everything but the number", one, Told { nhs: ONE, verified: true, ..stranger }, true),
        ("another of the family", ROSE, Told { given: "Tara", born: "1990-11-02", ..ROSE }, true),
        ("a twin with a number of her own", one, Told { given: "Tara", ..other }, true),
        ("a father for his son", one, Told { born: "1931-07-07", ..other }, true),
    ] {
        let levels = population(&[before, now]).compare(0, 1).levels;
        assert_eq!(is_somebody_else(levels), expected, "{what}: {levels:?}");
    }
}

const ONE: &str = "9434765919";
const OTHER: &str = "4010232137";

#[test]
fn one_person_told_twice_is_one() {
    let decided = decided(&[ROSE, Told { given: "ROSE", line: "14 Rise Rd", ..ROSE }], &[]);
    assert_eq!(decided.persons, [[0, 1]]);
    assert_eq!(decided.links[0].rule, LinkRule::Automatic);
}

#[test]
fn two_verified_numbers_are_never_linked_automatically() {
    let told = [Told { nhs: ONE, verified: true, ..ROSE }, Told { nhs: OTHER, verified: true, ..ROSE }];
    let decided = decided(&told, &[]);
    assert_eq!(decided.persons, [[0], [1]]);
    assert_eq!(reasons(&decided), [ReviewReason::NumbersDiffer]);
}

#[test]
fn two_verified_numbers_do_not_meet_by_way_of_a_third() {
    let told = [Told { nhs: ONE, verified: true, ..ROSE }, ROSE, Told { nhs: OTHER, verified: true, ..ROSE }];
    let decided = decided(&told, &[]);
    assert!(decided.persons.iter().all(|person| !(person.contains(&0) && person.contains(&2))));
    assert!(reasons(&decided).contains(&ReviewReason::NumbersDiffer));
}

#[test]
fn a_number_on_two_people_is_an_overlay() {
    let other = Told {
        given: "Mohammed",
        family: "Iqbal",
        born: "1990-11-02",
        female: false,
        line: "3 Mill Lane",
        postcode: "HU1 1AA",
        phone: "",
        ..ROSE
    };
    let told = [Told { nhs: ONE, verified: true, ..ROSE }, Told { nhs: ONE, verified: true, ..other }];
    let decided = decided(&told, &[]);
    assert_eq!(decided.persons, [[0], [1]]);
    assert_eq!(reasons(&decided), [ReviewReason::NumberOverlaid]);
}

#[test]
fn twins_stay_two() {
    for (one, two) in
        [("Amelia", "Amelie"), ("Jon", "Joan"), ("Mohammed", "Ahmed"), ("Nell", "Ellie"), ("Carol", "Carole")]
    {
        let decided = decided(&[Told { given: one, ..ROSE }, Told { given: two, ..ROSE }], &[]);
        assert_eq!(decided.persons, [[0], [1]], "{one} {two}");
    }
    let told =
        [Told { given: "Mohammed", middle: "Bilal", ..ROSE }, Told { given: "Mohammed", middle: "Usman", ..ROSE }];
    assert_eq!(decided(&told, &[]).persons, [[0], [1]]);
}

#[test]
fn father_and_son_stay_two() {
    let told = [ROSE, Told { born: "1985-07-02", ..ROSE }];
    assert_eq!(decided(&told, &[]).persons, [[0], [1]]);
}

#[test]
fn father_and_son_whose_birth_dates_differ_in_one_digit_stay_two() {
    let father = Told { given: "Gordon", middle: "Aloysius", born: "1963-05-12", female: false, ..ROSE };
    let decided = decided(&[father, Told { born: "1993-05-12", ..father }], &[]);
    assert_eq!(decided.persons.len(), 2);
    assert_eq!(reasons(&decided), [ReviewReason::Possible]);
    // Of neither is it known when he was born.
    let undated = self::decided(&[father, Told { born: "", ..father }], &[]);
    assert_eq!(undated.persons.len(), 2);
    // Nobody has a child at six.
    let slip = self::decided(&[father, Told { born: "1969-05-12", ..father }], &[]);
    assert_eq!(slip.persons, [[0, 1]]);
}

#[test]
fn cousins_of_one_name_under_one_roof_are_left_to_a_person() {
    let born = |born| Told { given: "Araminta", born, ..ROSE };
    let cousins = decided(&[born("1963-05-12"), born("1969-05-12")], &[]);
    assert_eq!((cousins.persons.len(), reasons(&cousins)), (2, vec![ReviewReason::Possible]));
    // Two digits exchanged are a slip.
    assert_eq!(decided(&[born("1963-05-12"), born("1963-05-21")], &[]).persons, [[0, 1]]);
}

#[test]
fn who_has_another_family_name_elsewhere_is_left_to_a_person() {
    let before = Told { given: "Araminta", middle: "Philippa", ..ROSE };
    let after = Told { family: "Iqbal", line: "3 Mill Lane", postcode: "HU1 1AA", phone: "", ..before };
    let likely = |one, two| Model::default_uk().score(&population(&[one, two]).compare(0, 1)).probability;
    assert!(likely(before, after) >= 0.999, "or the rule is not asked");
    let adopted = decided(&[before, after], &[]);
    assert_eq!((adopted.persons.len(), reasons(&adopted)), (2, vec![ReviewReason::Possible]));
    assert_eq!(decided(&[before, Told { phone: before.phone, ..after }], &[]).persons, [[0, 1]]);
    // Of a change of name and address a steward is told where a number lets him find out.
    let (before, after) = (
        Told { given: "Anna", middle: "", ..before },
        Told { given: "Anna", middle: "", phone: "07700900777", ..after },
    );
    assert!((0.25..0.5).contains(&likely(before, after)), "or the rule is not asked");
    assert_eq!(reasons(&decided(&[before, after], &[])), []);
    assert_eq!(reasons(&decided(&[Told { nhs: ONE, ..before }, after], &[])), [ReviewReason::Possible]);
}

#[test]
fn a_middle_initial_or_all_but_one_digit_of_a_telephone_number_tells_who_a_namesake_is() {
    let there = Told { middle: "Jane", ..ROSE };
    let here = Told { line: "3 Mill Lane", postcode: "HU1 1AA", phone: "", ..ROSE };
    for (what, here, linked) in [
        ("nothing", here, false),
        ("an initial", Told { middle: "J", ..here }, true),
        ("another initial", Told { middle: "K", ..here }, false),
        ("a mistyped telephone number", Told { phone: "07700900132", ..here }, true),
    ] {
        assert_eq!(decided(&[there, here], &[]).persons.len() == 1, linked, "{what}");
    }
}

#[test]
fn namesakes_born_on_one_day_are_left_to_a_person() {
    let told = [Told { phone: "", ..ROSE }, Told { phone: "", line: "9 Hill View", postcode: "S8 4QQ", ..ROSE }];
    let decided = decided(&told, &[]);
    assert_eq!(decided.persons, [[0], [1]]);
    assert!(
        reasons(&decided)
            .iter()
            .all(|reason| { matches!(reason, ReviewReason::NamesAndBirthOnly | ReviewReason::Possible) })
    );
    assert!(!decided.reviews.is_empty());
}

#[test]
fn the_dead_are_not_born_again() {
    let told = [Told { died: "2001-05-05", ..ROSE }, Told { died: "2019-05-05", ..ROSE }];
    assert_eq!(reasons(&decided(&told, &[])), [ReviewReason::DatesOfDeath]);
    let told = [Told { died: "2001-05-05", ..ROSE }, Told { died: "2001-05-09", ..ROSE }];
    assert_eq!(decided(&told, &[]).persons, [[0, 1]]);
}

#[test]
fn what_a_person_decided_outranks_every_score() {
    let apart = PersonsDecision { one: 1, two: 0, says: Says::Different };
    assert_eq!(decided(&[ROSE, ROSE], &[apart]).persons, [[0], [1]]);
    let stranger =
        Told { given: "Ian", family: "Ogden", born: "1971-01-09", line: "", postcode: "", phone: "", ..ROSE };
    let same = PersonsDecision { one: 0, two: 1, says: Says::Same };
    let decided_same = decided(&[ROSE, stranger], &[same]);
    assert_eq!(decided_same.persons, [[0, 1]]);
    assert_eq!(decided_same.links[0].rule, LinkRule::Person);
}

#[test]
fn nobody_is_joined_by_way_of_others_to_whom_a_person_said_he_is_not() {
    let apart = PersonsDecision { one: 0, two: 2, says: Says::Different };
    let decided = decided(&[ROSE, ROSE, ROSE], &[apart]);
    assert!(decided.persons.iter().all(|person| !(person.contains(&0) && person.contains(&2))));
}

#[test]
fn contradicting_decisions_are_shown() {
    let decisions = [
        PersonsDecision { one: 0, two: 1, says: Says::Same },
        PersonsDecision { one: 1, two: 2, says: Says::Same },
        PersonsDecision { one: 0, two: 2, says: Says::Different },
    ];
    let decided = decided(&[ROSE, ROSE, ROSE], &decisions);
    assert!(reasons(&decided).contains(&ReviewReason::DecisionsContradict));
    assert!(decided.persons.iter().all(|person| !(person.contains(&0) && person.contains(&2))));
}

#[test]
fn registrations_that_say_nothing_are_persons_of_their_own() {
    let decided = decided(&[Told::default(), Told::default(), ROSE], &[]);
    assert_eq!(decided.persons.len(), 3);
    assert!(decided.links.is_empty() && decided.reviews.is_empty());
}

/// The row that a trace finds in an index of these persons.
fn traced(index: &[Told<'_>], asked: &Told<'_>) -> Option<u32> {
    let population = population(index);
    let asked = asked.with_identity(|identity| population.probe(identity));
    trace(&population, &Model::default_uk().for_tracing(1_000_000), &asked)
}

#[test]
fn a_trace_finds_one_person_and_neither_a_twin_nor_one_of_two() {
    let stranger = Told { given: "Tom", family: "Iqbal", born: "1990-11-02", female: false, ..Told::default() };
    let moved = Told { line: "3 Mill Lane", postcode: "HU1 1AA", ..ROSE };
    assert_eq!(traced(&[stranger, ROSE], &moved), Some(1));
    assert_eq!(traced(&[stranger], &ROSE), None);
    assert_eq!(traced(&[ROSE, ROSE], &ROSE), None);
    let maiden = Told { middle: "Rosamund", ..ROSE };
    assert_eq!(traced(&[maiden], &maiden), Some(0));
    assert_eq!(traced(&[maiden], &Told { given: "Tara", ..maiden }), None);
    assert_eq!(traced(&[Told { given: "Elsie", ..ROSE }], &Told { given: "Ellie", ..ROSE }), None);
}

/// People made of few words, so that names, dates and houses meet in every way.
fn told() -> impl proptest::strategy::Strategy<Value = Told<'static>> {
    use proptest::prelude::*;
    use proptest::sample::select;
    let names = (
        select(&["Rosalind", "Rose", "Mohammed", "Md", "", "Rosalnid"][..]),
        select(&["", "Ann", "A"][..]),
        select(&["Featherstone", "Fetherstone", "Khan", "Featherstone-Khan"][..]),
    );
    let facts = (
        select(&["1958-03-14", "1958-14-03", "1958-03-04", "1985-07-02", ""][..]),
        select(&["", "07700900123", "07700900777"][..]),
        select(&[("14 Rise Road", "LS6 2AB"), ("9 Hill View", "S8 4QQ"), ("", "")][..]),
        select(&[("", false), (ONE, true), (OTHER, true), (ONE, false)][..]),
    );
    (names, facts).prop_map(|((given, middle, family), (born, phone, (line, postcode), (nhs, verified)))| Told {
        nhs,
        verified,
        given,
        middle,
        family,
        born,
        female: true,
        line,
        postcode,
        phone,
        died: "",
    })
}

/// Persons, links and reviews in terms of keys, which do not depend on rows.
fn by_key(all: &[Decided], key: impl Fn(u32) -> usize) -> [Vec<Vec<usize>>; 3] {
    let mut parts = [const { Vec::new() }; 3];
    for decided in all {
        parts[0].extend(
            decided
                .persons
                .iter()
                .filter(|person| person.len() > 1)
                .map(|person| person.iter().map(|row| key(*row)).collect::<Vec<_>>()),
        );
        parts[1]
            .extend(decided.links.iter().map(|link| vec![key(link.one), key(link.two), link.bits.to_bits() as usize]));
        parts[2].extend(
            decided
                .reviews
                .iter()
                .map(|own| vec![key(own.one), key(own.two), own.reason as usize, own.bits.to_bits() as usize]),
        );
    }
    for part in &mut parts {
        part.iter_mut().for_each(|own| own[..2].sort_unstable());
        part.sort_unstable();
        // A pair of two components is listed with either.
        part.dedup();
    }
    parts
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(60))]

    #[test]
    fn order_of_arrival_threads_and_bulk_change_nothing(
        (people, order) in proptest::collection::vec(told(), 2..40).prop_flat_map(|people| {
            let order: Vec<usize> = (0..people.len()).collect();
            (proptest::strategy::Just(people), proptest::strategy::Just(order).prop_shuffle())
        })
    ) {
        use proptest::prelude::*;
        let (model, policy) = (Model::default_uk(), Policy::default());
        let straight = population(&people);
        let bulk = link_all(&straight, &model, &policy, 2, &|row| u128::from(row));
        let expected = by_key(&bulk.decided, |row| row as usize);

        let shuffled: Vec<Told<'_>> = order.iter().map(|place| people[*place]).collect();
        let other = population(&shuffled);
        let again = link_all(&other, &model, &policy, 1, &|row| order[row as usize] as u128);
        prop_assert_eq!(&by_key(&again.decided, |row| order[row as usize]), &expected);

        // One at a time: each component is closed over the newcomers and decided.
        let mut online = Vec::new();
        let mut done = rustc_hash::FxHashSet::default();
        for row in 0..people.len() as u32 {
            let Closure { rows, pairs } = closure(&other, &model, &policy, &[row], &|_| Vec::new());
            if done.insert(rows.clone()) {
                let member = |row: u32| Member { row, key: order[row as usize] as u128 };
                let members: Vec<Member> = rows.iter().copied().map(member).collect();
                let mut near: Vec<u32> = pairs.iter().flat_map(|pair| [pair.one, pair.two]).collect();
                near.sort_unstable();
                near.dedup();
                near.retain(|row| rows.binary_search(row).is_err());
                let outside: Vec<Member> = near.into_iter().map(member).collect();
                let component =
                    Component { population: &other, model: &model, members: &members, outside: &outside, pairs: &pairs, decisions: &[] };
                online.push(decide(&component, &policy));
            }
        }
        prop_assert_eq!(&by_key(&online, |row| order[row as usize]), &expected);
    }
}

use proptest::strategy::Strategy as _;
