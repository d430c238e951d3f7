use super::*;
use crate::identity::{Address, Name, Sex};
use crate::levels::{Field, place};
use proptest::prelude::*;

fn insert(population: &mut Population, row: u32, [given, family, born, postcode]: [&str; 4]) -> Changed {
    let identity = Identity {
        names: &[Name { family, given: &[given], ..Name::default() }],
        birth_date: born,
        sex: Sex::Female,
        addresses: &[Address { lines: &["1 High Street"], postcode }],
        ..Identity::default()
    };
    population.insert(row, &identity)
}

#[test]
fn a_former_name_still_finds_its_bearer() {
    let mut population = Population::new();
    insert(&mut population, 0, ["Rosalind", "Okafor", "1958-03-14", "LS6 2AB"]);
    let names = [
        Name { family: "Featherstone", given: &["Rosalind"], ..Name::default() },
        Name { family: "Okafor", given: &["Rosalind"], ..Name::default() },
    ];
    let identity = Identity { names: &names, ..Identity::default() };
    assert!(population.insert(1, &identity).affected.is_empty());
    assert_eq!(population.candidates(1).rows, [0]);
    assert_eq!(population.candidates(0).rows, [1]);
    assert_eq!(population.compare(0, 1), population.compare(1, 0));
    let probe = population.probe(&Identity { names: &names[1..], ..Identity::default() });
    assert_eq!(population.candidates_of(&probe).rows, [0, 1]);
    assert_eq!(population.compare_with(&probe, 0).levels.get(Field::Family), 1);
}

#[test]
fn an_identity_that_is_asked_about_leaves_no_trace() {
    let mut population = Population::new();
    insert(&mut population, 0, ["Rosalind", "Okafor", "1958-03-14", "LS6 2AB"]);
    let before = population.bytes();
    let asked = [Name { family: "Zzyzx", given: &["Qwerty"], ..Name::default() }];
    let probe = population.probe(&Identity { names: &asked, ..Identity::default() });
    assert_eq!(population.candidates_of(&probe), Candidates::default());
    assert_eq!(population.bytes(), before);
}

#[test]
fn a_million_at_one_address_are_narrowed_and_a_cut_is_said() {
    let mut population = Population::new();
    for row in 0..3000 {
        let born = format!("{}-0{}-1{}", 1950 + row % 50, 1 + row % 9, row % 10);
        insert(&mut population, row, ["Ann", "Smith", &born, "LS6 2AB"]);
    }
    assert!(population.candidates(7).rows.len() < 700);
    for row in 3000..3500 {
        insert(&mut population, row, ["Ann", "Smith", "1958-03-14", "LS6 2AB"]);
    }
    assert!(population.candidates(3100).cut, "500 who are alike in everything are too many, and that is said");
}

/// Few values, so that keys are shared by many.
fn people() -> impl Strategy<Value = Vec<(u8, u8, u8, u8)>> {
    proptest::collection::vec((0..3_u8, 0..2_u8, 0..12_u8, 0..4_u8), 1..60)
}

fn put(population: &mut Population, row: u32, (given, family, day, code): (u8, u8, u8, u8)) -> Changed {
    let given = ["Ann", "Anne", "Zoe"][usize::from(given)];
    let family = ["Smith", "Khan"][usize::from(family)];
    let born = format!("1958-03-{:02}", 1 + day);
    insert(population, row, [given, family, &born, ["LS6 2AB", "LS6 2AC", "", "2134"][usize::from(code)]])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn candidates_are_a_function_of_the_set(people in people(), seed in 0..1000_u32) {
        let mut bulk = Population::new();
        for (own, row) in people.iter().zip(0..) {
            put(&mut bulk, row, *own);
        }
        // Other people come and go, and everybody is registered twice, in another order.
        let mut online = Population::new();
        let count = people.len() as u32;
        for step in 0..count {
            let row = (step * 7 + seed) % count;
            put(&mut online, row, people[((row + 1) % count) as usize]);
        }
        for row in (0..count).rev() {
            put(&mut online, row, people[row as usize]);
        }
        for row in 0..count {
            prop_assert_eq!(bulk.candidates(row), online.candidates(row));
        }
        bulk.index_bulk(2);
        let mut pairs = Vec::new();
        bulk.pairs(&(0..count), &mut pairs, &mut Vec::new());
        pairs.sort_unstable();
        pairs.dedup();
        let mut expected = Vec::new();
        for row in 0..count {
            let above = online.candidates(row).rows.into_iter().filter(|other| *other > row);
            expected.extend(above.map(|other| (row, other)));
        }
        prop_assert_eq!(pairs, expected);
    }

    #[test]
    fn whose_candidates_change_is_said(people in people()) {
        let mut population = Population::new();
        let mut kept: Vec<Vec<u32>> = Vec::new();
        for (own, row) in people.iter().zip(0..) {
            let changed = put(&mut population, row, *own);
            let newcomers = population.candidates(row).rows;
            for other in &newcomers {
                kept[*other as usize].push(row);
            }
            kept.push(newcomers);
            for affected in changed.affected {
                kept[affected as usize] = population.candidates(affected).rows;
            }
            for (kept, row) in kept.iter().zip(0..) {
                prop_assert_eq!(kept, &population.candidates(row).rows);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_down_goes_on_as_if_it_never_was(
        said in prop::collection::vec((0..12_u32, 0..5_usize, 0..4_usize, any::<bool>()), 1..60),
        cut in 0..60_usize,
    ) {
        let take = |population: &mut Population, (row, given, family, stays): (u32, usize, usize, bool)| {
            if !stays {
                return population.remove(row);
            }
            let given = ["Rosalind", "Rose", "John", "Ann Mary", ""][given];
            insert(population, row, [given, ["Okafor", "O'Brien", "Smith-Jones", ""][family], "1958-03-14", "LS6 2AB"])
        };
        let written = |population: &Population| {
            let rows = serde_json::to_string(&population.rows_to_save()).unwrap();
            let postings: Vec<String> =
                population.postings_to_save().map(|postings| serde_json::to_string(&postings).unwrap()).collect();
            (rows, postings)
        };
        let read = |(rows, postings): (String, Vec<String>)| {
            let postings = postings.iter().map(|postings| serde_json::from_str(postings).unwrap()).collect();
            Population::from_saved(serde_json::from_str(&rows).unwrap(), postings).unwrap()
        };
        let mut whole = Population::new();
        let mut cut_off = Population::new();
        for (nth, said) in said.into_iter().enumerate() {
            if nth == cut {
                cut_off = read(written(&cut_off));
            }
            prop_assert_eq!(take(&mut whole, said), take(&mut cut_off, said));
        }
        prop_assert_eq!(whole.len(), cut_off.len());
        for row in whole.rows() {
            prop_assert_eq!(whole.candidates(row), cut_off.candidates(row));
        }
        prop_assert_eq!(written(&whole), written(&cut_off));
    }
}

/// Somebody abroad, of whom not everything is known.
fn insert_abroad(population: &mut Population, row: u32, [given, family, born, line, postcode]: [&str; 5]) {
    let identity = Identity {
        names: &[Name { family, given: &[given], ..Name::default() }],
        birth_date: born,
        addresses: &[Address { lines: &[line], postcode }],
        ..Identity::default()
    };
    population.insert_bulk(row, &identity);
}

#[test]
fn sparse_registrations_abroad_meet_by_their_address() {
    let pairs = [
        // No given name, one family name mistyped, one birth date missing and one house number, the postcode exchanged.
        ["", "Bloggs", "1931-02-17", "wattle tree street kurrajong bendigo vic", "3551"],
        ["", "Blorgs", "", "7 kurrajong wattl etree street bendigo vic", "3515"],
        // Another name and no birth date: nothing but the house.
        ["Ruth", "Adler", "", "23 ellen quay crescent bellview perth wa", "6021"],
        ["Noah", "Quist", "", "23 ellen quay crescent belview perth wa", "6201"],
        // All but the house number and one word mistyped or another.
        ["Mia", "Tran", "1960-04-05", "88 banksia street dromana vic", "3936"],
        ["Zoe", "Poulos", "1988-12-01", "88 bankia stret drommana nsw", "2111"],
    ];
    let mut population = Population::new();
    for (pair, row) in pairs.iter().zip(0..) {
        insert_abroad(&mut population, row, *pair);
    }
    population.index_bulk(1);
    for row in 0..pairs.len() as u32 {
        assert_eq!(population.candidates(row).rows, [row ^ 1], "{row}");
    }
}

#[test]
fn ten_thousand_at_one_foreign_postcode_are_narrowed() {
    let mut population = Population::new();
    for row in 0..10_000 {
        let place = format!("{} harbour view promenade fremantle wa", 1 + row % 300);
        let name =
            |n: u32| ["ba", "ce", "di", "fo", "gu", "ha", "ki", "lo", "mu", "ro"].map(|part| part)[n as usize % 10];
        let given = [name(row), name(row / 10), "n"].concat();
        let family = [name(row / 100), name(row / 1000), "t"].concat();
        let born = format!("{}-{:02}-{:02}", 1930 + row % 90, 1 + row % 12, 1 + row % 28);
        insert_abroad(&mut population, row, [&given, &family, if row % 5 == 0 { "" } else { &born }, &place, "6160"]);
    }
    population.index_bulk(2);
    let most = (0..10_000).step_by(7).map(|row| population.candidates(row).rows.len()).max();
    assert!(most < Some(500), "{most:?}");
}

#[test]
fn a_long_foreign_address_is_one_with_a_slip_in_its_postcode_or_words_left_out() {
    let mut population = Population::new();
    let places = [
        ("12 old brewery yard mill lane sandy bay tas", "7005"),
        ("12 old brewer yyard mill lane sandy bay tas", "7050"),
        ("12 mill lane sandy bay tas", "7005"),
        ("12 kookaburra parade upper ferntree vic", "7050"),
        ("40 mill lane old brewery yard sandy bay tas", "7005"),
        ("40 old brewery yard mill lane sandy bay tas", "3112"),
    ];
    for ((line, postcode), row) in places.into_iter().zip(0..) {
        insert_abroad(&mut population, row, ["Ann", "Smith", "", line, postcode]);
    }
    let place = |other| population.compare(0, other).levels.get(Field::Place);
    let expected = [place::SAME, place::SAME, place::NEARLY_POSTCODE, place::NEIGHBOUR, place::LONG_STREET];
    assert_eq!([1, 2, 3, 4, 5].map(place), expected);
}
