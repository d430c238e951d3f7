//! What systems write where a number, a name or a date should be: nothing of it is lost, and nothing of it links.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Variants of each kind of bad input.
const VARIANTS: u32 = 1_000;

/// Tries `check` on many values.
fn for_all<S: Strategy>(strategy: S, check: impl Fn(&tokio::runtime::Runtime, S::Value) -> Result<(), TestCaseError>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let config = Config { cases: VARIANTS, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, |value| check(&runtime, value)).unwrap();
}

/// An index that knows Anna, verified, at A.
async fn anna() -> Index {
    let (_, index) = memory().await;
    register(&index, "A/anna", &Demographics { nhs_number_verified: true, ..numbered(ANNA, "Anna") }).await;
    index
}

fn somebody(given: &str, born: &str) -> Demographics {
    let name = HumanName { family: "Ferrers".into(), given: vec![given.into()], ..HumanName::default() };
    Demographics { birth_date: born.into(), names: vec![name], ..Demographics::default() }
}

#[test]
fn a_number_that_is_none_links_nobody_and_is_counted() {
    let digits = || prop::collection::vec(0_u8..10, 10);
    let text = |digits: Vec<u8>| digits.iter().map(|d| char::from(b'0' + d)).collect::<String>();
    let swapped = (0_usize..9).prop_map(|at| {
        let mut digits = ANNA.as_bytes().to_vec();
        digits.swap(at, at + 1);
        String::from_utf8(digits).unwrap()
    });
    let wrong = prop_oneof![
        digits().prop_map(text),
        swapped,
        (0_u8..10).prop_map(move |d| text(vec![d; 10])),
        digits().prop_map(move |d| text(d[..9].to_vec())),
        "[ -~]{0,20}",
        "\\PC{1,12}",
        (0_usize..10, 0_u8..10).prop_map(|(at, digit)| {
            let mut digits = ANNA.as_bytes().to_vec();
            digits[at] = b'0' + digit;
            String::from_utf8(digits).unwrap()
        }),
    ];
    for_all(wrong, |runtime, number| {
        runtime.block_on(async {
            let index = anna().await;
            let is_hers = severn_trust::NhsNumber::parse(&number).is_ok_and(|parsed| parsed.digits() == ANNA);
            register(&index, "B/other", &Demographics { nhs_number: number.clone(), ..somebody("Beth", "1955-07-09") })
                .await;
            prop_assert!(who(&index, "B/other") != who(&index, "A/anna"), "linked by {number:?}");
            let feed = index.feed_states().unwrap()[&source("B")].clone();
            let is_none = !number.trim().is_empty() && severn_trust::NhsNumber::parse(&number).is_err();
            prop_assert_eq!((feed.registrations, feed.unusable_numbers), (1, u64::from(is_none)));
            let hers = found(&index, &by_number(ANNA, "1980-02-01"));
            prop_assert_eq!(hers, "one A/anna", "her number and birth date are hers: {}", is_hers);
            Ok(())
        })
    });
}

#[test]
fn words_that_are_no_names_link_nobody() {
    let word = prop_oneof![
        Just(String::new()),
        Just("Unknown".into()),
        Just("UNKNOWN".into()),
        Just("Test".into()),
        Just("Baby".into()),
        Just("Baby Girl".into()),
        Just("Baby Boy".into()),
        Just("Male".into()),
        Just("Unidentified".into()),
        Just("ZZZTEST".into()),
        Just("x".repeat(500)),
        Just("O'Brien; DROP TABLE index_events; --".into()),
        Just("-".into()),
        Just("\u{202e}nnA".into()),
        Just("e\u{301}".repeat(100)),
        "\\PC{0,8}",
    ];
    let names = (word.clone(), word);
    let born = prop_oneof![Just(""), Just("1900-01-01"), Just("1901-01-01"), Just("2026"), Just("1980-01-01")];
    for_all((names, born), |runtime, ((given, family), born)| {
        runtime.block_on(async {
            let index = anna().await;
            let name = HumanName { family: family.clone(), given: vec![given.clone()], ..HumanName::default() };
            let nobody = Demographics { names: vec![name], birth_date: born.into(), ..Demographics::default() };
            for name in ["B/1", "C/1"] {
                register(&index, name, &nobody).await;
            }
            let persons = ["A/anna", "B/1", "C/1"].map(|name| who(&index, name));
            prop_assert!(persons[1] != persons[2], "{given:?} {family:?} {born:?} are two until somebody knows");
            prop_assert!(persons[0] != persons[1] && persons[0] != persons[2]);
            // Whatever it is, it can be asked for, and the answer is never a guess.
            let asked = Search::Demographics {
                family,
                given,
                birth_date: born.into(),
                sex: Sex::Unspecified,
                postcode: String::new(),
                phone: String::new(),
            };
            prop_assert!(!matches!(index.resolve(&asked).unwrap(), Resolved::One(_)));
            Ok(())
        })
    });
}

#[test]
fn dates_that_are_none_are_refused_or_link_nobody() {
    let date = prop_oneof![
        Just("1900-01-01".to_owned()),
        (2026_u16..2100, 6_u8..13, 1_u8..29).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}")),
        (1930_u16..2020, 0_u8..20, 0_u8..40).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}")),
        (1930_u16..2020, 1_u8..13, 1_u8..29).prop_map(|(year, month, day)| format!("{day:02}/{month:02}/{year}")),
        (0_u16..1890, 1_u8..13, 1_u8..29).prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}")),
        "[0-9-]{0,12}",
        "\\PC{0,10}",
    ];
    for_all(date, |runtime, born| {
        runtime.block_on(async {
            let index = anna().await;
            let said = somebody("Beth", &born);
            let refusals = announce(&index, &source("B"), registered("B/1", &said)).await.unwrap();
            let again = announce(&index, &source("C"), registered("C/1", &said)).await.unwrap();
            prop_assert_eq!(refusals.len(), again.len());
            if let [refusal] = refusals.as_slice() {
                prop_assert_eq!(refusal.field, "registered.demographics.birth_date");
                prop_assert!(born.len() < 4 || !refusal.message.contains(born.as_str()), "it repeats what was sent");
                let feed = index.feed_states().unwrap()[&source("B")].clone();
                prop_assert_eq!((feed.registrations, feed.position.unwrap().1), (0, 1), "the feed goes on");
            } else {
                // Names and a birth date alone, good or bad, are never enough.
                prop_assert!(who(&index, "B/1") != who(&index, "C/1"), "{born}");
            }
            Ok(())
        })
    });
}

#[tokio::test]
async fn triplets_stay_three() {
    let (_, index) = memory().await;
    let child = |given: &str| {
        let address = Address { lines: vec!["7 Canal Row".into()], postcode: "WS2 9XA".into(), ..Address::default() };
        let phone = wire::Telecom { value: "01922 496 000".into(), ..wire::Telecom::default() };
        let demographics = somebody(given, "2019-05-04");
        Demographics { addresses: vec![address], telecoms: vec![phone], ..demographics }
    };
    for (n, given) in ["Daniel", "Daniela", "Danielle"].iter().enumerate() {
        for source in ["A", "B"] {
            register(&index, &format!("{source}/{n}"), &child(given)).await;
        }
    }
    let persons: BTreeSet<EnterpriseId> = (0..3).map(|n| who(&index, &format!("A/{n}"))).collect();
    assert_eq!(persons.len(), 3);
    for n in 0..3 {
        let known = known_at(&index, who(&index, &format!("A/{n}")));
        assert!(!known.iter().any(|name| !name.ends_with(&n.to_string())), "{known:?}");
    }
}

#[tokio::test]
async fn links_in_a_ring_make_one_person_and_come_apart_again() {
    let (_, index) = memory().await;
    for (name, given) in [("A/1", "Ada"), ("B/1", "Bea"), ("C/1", "Cleo")] {
        register(&index, name, &somebody(given, "1980-02-01")).await;
    }
    let before = ["A/1", "B/1", "C/1"].map(|name| who(&index, name));
    for (n, (a, b)) in [("A/1", "B/1"), ("B/1", "C/1"), ("C/1", "A/1")].into_iter().enumerate() {
        index.link(at(a), at(b), decision(n as u128)).await.unwrap();
    }
    assert_eq!(known_at(&index, before[2]), ["A/1", "B/1", "C/1"]);
    let own = index.link(at("A/1"), at("A/1"), decision(9)).await.unwrap_err();
    assert!(own.to_string().contains("two different registrations"), "{own}");
    for (n, name) in ["A/1", "B/1"].into_iter().enumerate() {
        index.unlink(at(name), decision(10 + n as u128)).await.unwrap();
    }
    assert_eq!(["A/1", "B/1", "C/1"].map(|name| who(&index, name)), before);
}

/// Whoever asks while a person is joined and parted sees one or the other, and never half of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_in_the_middle_of_a_link_sees_one_side_of_it() {
    let (_, index) = memory().await;
    let index = Arc::new(index);
    for name in ["A/1", "B/1"] {
        register(&index, name, &numbered(ANNA, "Anna")).await;
    }
    for name in ["C/1", "D/1"] {
        register(&index, name, &somebody("Cleo", "1951-03-02")).await;
    }
    index.link(at("C/1"), at("D/1"), decision(1)).await.unwrap();
    let (anna, cleo) = (who(&index, "A/1"), who(&index, "C/1"));
    let reader = {
        let index = Arc::clone(&index);
        tokio::task::spawn_blocking(move || {
            let mut seen = BTreeSet::new();
            for _ in 0..20_000 {
                seen.insert([anna, cleo].map(|id| known_at(&index, id)));
            }
            seen
        })
    };
    let mut key = 100;
    while !reader.is_finished() {
        index.link(at("A/1"), at("C/1"), decision(key)).await.unwrap();
        index.unlink(at("C/1"), decision(key + 1)).await.unwrap();
        index.link(at("C/1"), at("D/1"), decision(key + 2)).await.ok();
        key += 3;
    }
    let whole = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let sides = [
        whole(&["A/1", "B/1"]),
        whole(&["A/1", "B/1", "C/1"]),
        whole(&["A/1", "B/1", "C/1", "D/1"]),
        whole(&["A/1", "B/1", "D/1"]),
        whole(&["C/1", "D/1"]),
        whole(&["C/1"]),
        whole(&["D/1"]),
    ];
    for known in reader.await.unwrap().iter().flatten() {
        assert!(sides.contains(known), "{known:?}");
    }
}

#[tokio::test]
async fn two_persons_under_one_local_id_are_never_mixed() {
    let (store, index) = memory().await;
    let (anna, beth) = (numbered(ANNA, "Anna"), numbered(BETH, "Beth"));
    register(&index, "A/anna", &anna).await;
    register(&index, "A/beth", &Demographics { birth_date: "1961-09-08".into(), ..beth.clone() }).await;
    let beth = Demographics { birth_date: "1961-09-08".into(), ..beth };
    for turn in 0..50 {
        register(&index, "B/1", if turn % 2 == 0 { &anna } else { &beth }).await;
        assert_ne!(who(&index, "A/anna"), who(&index, "A/beth"), "turn {turn}");
    }
    assert_eq!(written(&store), 52, "one event for each turn");
    assert!(index.history(who(&index, "B/1")).unwrap().len() < 200, "no history grows out of proportion");
}
