use super::*;
use crate::index::normalise::Profile;
use proptest::prelude::*;
use severn_proto::v1::{Address, Demographics, HumanName, Sex};

const NUMBERS: [&str; 3] = ["9434765919", "9990000018", "4857773406"];

/// A registration in few words: which number, birth date, given name and postcode.
#[derive(Clone, Copy, Debug)]
struct Said {
    number: Option<usize>,
    verified: bool,
    birth: &'static str,
    given: &'static str,
    postcode: &'static str,
}

fn facts(said: Said) -> Facts {
    let demographics = Demographics {
        nhs_number: said.number.map(|n| NUMBERS[n].to_owned()).unwrap_or_default(),
        nhs_number_verified: said.verified,
        birth_date: said.birth.into(),
        sex: Sex::Female.into(),
        names: vec![HumanName { family: "Smith".into(), given: vec![said.given.into()], ..HumanName::default() }],
        addresses: vec![Address { postcode: said.postcode.into(), ..Address::default() }],
        ..Demographics::default()
    };
    Profile::of(&demographics).facts
}

const ANNA: Said = Said { number: None, verified: false, birth: "1980-02-01", given: "Anna", postcode: "B15 2TH" };

fn check(said: &[Said], persons: &[&[u32]], doubts: &[Doubt]) {
    check_decided(said, &Decisions::default(), persons, doubts);
}

fn check_decided(said: &[Said], decisions: &Decisions, persons: &[&[u32]], doubts: &[Doubt]) {
    let known: Vec<(Row, Facts)> = (0..).map(Row).zip(said.iter().map(|s| facts(*s))).collect();
    let verdict = decide(&known, decisions);
    let found: Vec<Vec<u32>> = verdict.persons.iter().map(|p| p.iter().map(|(row, _)| row.0).collect()).collect();
    assert_eq!(found, persons, "{said:?}");
    let found: Vec<Doubt> = verdict.reviews.iter().map(|r| r.doubt).collect();
    assert_eq!(found, doubts, "{said:?}");
}

fn number(n: usize) -> Said {
    Said { number: Some(n), ..ANNA }
}

#[test]
fn the_test_numbers_are_valid() {
    assert!(NUMBERS.iter().all(|n| NhsNumber::parse(n).is_ok()));
}

#[test]
fn a_number_links_with_its_birth_date_only() {
    check(&[number(0), number(0)], &[&[0, 1]], &[]);
    check(&[number(0), Said { given: "Other", postcode: "", ..number(0) }], &[&[0, 1]], &[]);
    check(&[number(0), Said { birth: "1980-02-02", ..number(0) }], &[&[0], &[1]], &[Doubt::BirthDateDiffers]);
    for partial in ["", "1980", "1980-02", "1900-01-01"] {
        check(&[number(0), Said { birth: partial, ..number(0) }], &[&[0], &[1]], &[Doubt::BirthDateMissing]);
    }
    let undated = Said { birth: "", ..number(0) };
    check(&[undated, undated], &[&[0], &[1]], &[Doubt::BirthDateMissing]);
    check(&[number(0), number(1)], &[&[0], &[1]], &[Doubt::DifferentNumbers]);
}

#[test]
fn without_a_number_all_five_must_agree_with_one_person() {
    check(&[ANNA, ANNA], &[&[0, 1]], &[]);
    check(&[number(0), ANNA], &[&[0, 1]], &[]);
    check(&[number(0), ANNA, ANNA], &[&[0, 1, 2]], &[]);
    let doubts = [Doubt::DifferentNumbers, Doubt::Ambiguous, Doubt::Ambiguous];
    check(&[number(0), number(1), ANNA], &[&[0], &[1], &[2]], &doubts);
    for other in [
        Said { given: "Beth", ..ANNA },
        Said { birth: "1980-02-02", ..ANNA },
        Said { birth: "1980", ..ANNA },
        Said { birth: "", ..ANNA },
        Said { postcode: "", ..ANNA },
        Said { postcode: "B15 2TG", ..ANNA },
        Said { postcode: "ZZ99 3VZ", ..ANNA },
    ] {
        check(&[number(0), other], &[&[0], &[1]], &[]);
        check(&[ANNA, other], &[&[0], &[1]], &[]);
    }
}

#[test]
fn placeholders_link_with_nobody() {
    for given in ["Unknown", "Baby", "Test", ""] {
        let nobody = Said { given, ..ANNA };
        check(&[nobody, nobody], &[&[0], &[1]], &[]);
    }
    let born_never = Said { birth: "1900-01-01", ..ANNA };
    check(&[born_never, born_never], &[&[0], &[1]], &[]);
}

#[test]
fn a_persons_link_holds_until_numbers_contradict_it() {
    let other = Said { given: "Beth", ..ANNA };
    let links = |seen: &[usize]| {
        let seen = seen.iter().filter_map(|n| NhsNumber::parse(NUMBERS[*n]).ok()).collect();
        Decisions { links: [(1, Link { a: Row(0), b: Row(1), seen })].into(), ..Decisions::default() }
    };
    check_decided(&[ANNA, other], &links(&[]), &[&[0, 1]], &[]);
    check_decided(&[number(0), other], &links(&[]), &[&[0, 1]], &[]);
    // Two numbers that nobody had seen together.
    let beth = Said { number: Some(1), ..other };
    check_decided(&[number(0), beth], &links(&[0]), &[&[0], &[1]], &[Doubt::LinkRests]);
    check_decided(&[number(0), beth], &links(&[0, 1]), &[&[0, 1]], &[]);
    let verified = |said: Said| Said { verified: true, ..said };
    check_decided(&[verified(number(0)), verified(beth)], &links(&[0, 1]), &[&[0], &[1]], &[Doubt::LinkRests]);
    // It joins whatever the rules made of either.
    check_decided(&[ANNA, other, ANNA, other], &links(&[]), &[&[0, 1, 2, 3]], &[]);
}

#[test]
fn who_was_taken_out_stays_out() {
    let taken = |others: &[u32]| Decisions {
        apart: [(Row(0), others.iter().copied().map(Row).collect())].into(),
        disputed: [(Row(0), facts(number(0)))].into(),
        ..Decisions::default()
    };
    check_decided(&[number(0), number(0), number(0)], &taken(&[1]), &[&[0], &[1, 2]], &[]);
    // Also of somebody who came later, when the first has gone.
    check_decided(&[number(0), number(0)], &taken(&[7]), &[&[0], &[1]], &[]);
    // A corrected number is another matter, but never with those it was taken from.
    check_decided(&[number(1), number(0), number(1)], &taken(&[1]), &[&[0, 2], &[1]], &[]);
    check_decided(&[number(1), number(1)], &taken(&[1]), &[&[0], &[1]], &[]);
}

fn said() -> impl Strategy<Value = Said> {
    (prop::option::of(0..3_usize), any::<bool>(), 0..4_usize, 0..3_usize, 0..2_usize).prop_map(
        |(number, verified, b, g, p)| Said {
            number,
            verified,
            birth: ["1980-02-01", "1980-02-02", "1980", "1900-01-01"][b],
            given: ["Anna", "Beth", "Unknown"][g],
            postcode: ["B15 2TH", ""][p],
        },
    )
}

fn decisions() -> impl Strategy<Value = Decisions> {
    let row = || (0..8_u32).prop_map(Row);
    let links = prop::collection::vec((row(), row(), prop::collection::vec(0..3_usize, 0..2)), 0..3);
    let apart = prop::collection::vec((row(), row(), any::<bool>(), said()), 0..3);
    (links, apart).prop_map(|(links, apart)| {
        let mut decisions = Decisions::default();
        for (i, (a, b, seen)) in (0..).zip(links) {
            let seen = seen.into_iter().filter_map(|n| NhsNumber::parse(NUMBERS[n]).ok()).collect();
            decisions.links.insert(i, Link { a, b, seen });
        }
        for (a, b, disputed, misled) in apart.into_iter().filter(|(a, b, ..)| a != b) {
            decisions.apart.entry(a).or_default().insert(b);
            if disputed {
                decisions.disputed.insert(a, facts(misled));
            }
        }
        decisions
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn order_does_not_matter(said in prop::collection::vec(said(), 0..8), decisions in decisions(), seed in any::<u64>()) {
        let known: Vec<(Row, Facts)> = (0..).map(Row).zip(said.into_iter().map(facts)).collect();
        let mut shuffled = known.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let (one, other) = (decide(&known, &decisions), decide(&shuffled, &decisions));
        prop_assert_eq!(&one.persons, &other.persons);
        prop_assert_eq!(&one.reviews, &other.reviews);
        let mut everybody: Vec<Row> = one.persons.concat().into_iter().map(|(row, _)| row).collect();
        everybody.sort_unstable();
        prop_assert_eq!(everybody, known.iter().map(|(row, _)| *row).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_separated_is_never_together_and_numbers_never_mix(
        said in prop::collection::vec(said(), 0..8),
        decisions in decisions(),
    ) {
        let known: Vec<(Row, Facts)> = (0..).map(Row).zip(said.into_iter().map(facts)).collect();
        for person in decide(&known, &decisions).persons {
            let person: Vec<Row> = person.into_iter().map(|(row, _)| row).collect();
            for a in &person {
                prop_assert!(person.iter().all(|b| !decisions.separates(*a, *b)));
            }
            let numbers = |verified: bool| -> BTreeSet<NhsNumber> {
                let own = person.iter().map(|row| known[row.0 as usize].1);
                own.filter(|f| f.verified || !verified).filter_map(|f| f.number).collect()
            };
            prop_assert!(numbers(true).len() <= 1);
            let is_linked = decisions.links.values().any(|l| person.contains(&l.a) || person.contains(&l.b));
            prop_assert!(is_linked || numbers(false).len() <= 1);
        }
    }
}
