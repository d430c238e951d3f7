//! A million people at one address, under one telephone: the worst that a source can say of where people are.

use severn_linkage::{
    identity::{Address, Identity, Name},
    population::Population,
};

const PEOPLE: u32 = 1_000_000;

/// Candidates of one search, at most: each of about twenty keys gives a hundred or fewer.
const CANDIDATES_MAX: usize = 2_000;

const SYLLABLES: [&str; 24] = [
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta", "ve", "wi", "xo",
    "yu", "za", "bre", "cli", "dro",
];

/// Spreads a number over all bits (SplitMix64).
fn spread(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

fn word(mut n: u64) -> String {
    let syllable = |n: &mut u64| {
        let syllable = SYLLABLES[(*n % 24) as usize];
        *n /= 24;
        syllable
    };
    (0..3).map(|_| syllable(&mut n)).collect()
}

/// Who lives there: a name and a birth date by the number, and the one address and telephone.
fn with_resident<T>(n: u32, with: impl FnOnce(&Identity<'_>) -> T) -> T {
    let n = spread(u64::from(n));
    let (given, family) = (word(n), word(n >> 20));
    let born = format!("{}-{:02}-{:02}", 1930 + n % 90, 1 + (n >> 8) % 12, 1 + (n >> 16) % 28);
    with(&Identity {
        names: &[Name { family: &family, given: &[&given], ..Name::default() }],
        birth_date: &born,
        addresses: &[Address { lines: &["1 Infinite Loop"], postcode: "B15 2TH" }],
        phones: &["0121 496 0000"],
        ..Identity::default()
    })
}

#[test]
fn a_million_at_one_address_do_not_explode() {
    let mut crowd = Population::new();
    (0..PEOPLE).for_each(|row| with_resident(row, |own| crowd.insert_bulk(row, own)));
    crowd.index_bulk(2);
    for row in (0..PEOPLE).step_by(997) {
        // Whoever is registered again is found among all of them, and few others are looked at.
        let again = with_resident(row, |own| crowd.candidates_of(&crowd.probe(own)));
        assert!(again.rows.binary_search(&row).is_ok(), "{row}");
        assert!(again.rows.len() <= CANDIDATES_MAX, "{}", again.rows.len());
    }
    let stranger = Identity {
        addresses: &[Address { lines: &["1 Infinite Loop"], postcode: "B15 2TH" }],
        phones: &["0121 496 0000"],
        names: &[Name { family: "", given: &["babaBA"], ..Name::default() }],
        ..Identity::default()
    };
    let found = crowd.candidates_of(&crowd.probe(&stranger));
    assert!(found.cut, "whose birth date is not known may be any of hundreds there, and that is said");
    assert!(found.rows.len() <= CANDIDATES_MAX);
    // One by one, too: nobody who comes makes many others be looked at again.
    let mut affected = 0;
    for row in PEOPLE..PEOPLE + 2_000 {
        affected += with_resident(row, |own| crowd.insert(row, own)).affected.len();
    }
    assert!(affected < 2_000 * 100, "{affected}");
}
