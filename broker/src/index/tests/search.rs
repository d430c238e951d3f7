//! Searches by demographics: the right person where the evidence is whole, possible persons where it is not.

use super::*;

/// What is asked, and how: every field by itself.
fn asked(change: impl FnOnce(&mut Asked)) -> Search {
    let mut asked = Asked {
        family: "Achebe",
        given: "Elizabeth",
        birth_date: "1958-03-11",
        sex: Sex::Unspecified,
        postcode: "",
        phone: "",
    };
    change(&mut asked);
    let Asked { family, given, birth_date, sex, postcode, phone } = asked;
    let (family, given, birth_date) = (family.into(), given.into(), birth_date.into());
    Search::Demographics { family, given, birth_date, sex, postcode: postcode.into(), phone: phone.into() }
}

struct Asked {
    family: &'static str,
    given: &'static str,
    birth_date: &'static str,
    sex: Sex,
    postcode: &'static str,
    phone: &'static str,
}

fn person(family: &str, given: &str, postcode: &str) -> Demographics {
    let demographics = smith(given);
    Demographics {
        names: vec![HumanName { family: family.into(), ..demographics.names[0].clone() }],
        birth_date: "1958-03-11".into(),
        addresses: vec![Address { postcode: postcode.into(), ..Address::default() }],
        ..demographics
    }
}

fn with_phone(phone: &str, demographics: Demographics) -> Demographics {
    let phone = wire::Telecom { value: phone.into(), ..wire::Telecom::default() };
    Demographics { telecoms: vec![phone], ..demographics }
}

/// The score and the reasons of whoever was found first.
fn first(index: &Index, search: &Search) -> (f64, Vec<String>) {
    match index.resolve(search).unwrap() {
        Resolved::One(found) => (found.score, found.why),
        Resolved::Possible(mut found) => (found[0].score, found.swap_remove(0).why),
        other => panic!("{other:?}"),
    }
}

/// Elizabeth Achebe, once Okafor, who moved from LS6 to B42; and people who are not she.
async fn somewhere() -> Index {
    let (_, index) = memory().await;
    let mut elizabeth = with_phone("0121 496 0123", person("Achebe", "Elizabeth", "B42 1RZ"));
    let maiden =
        HumanName { family: "Okafor".into(), r#use: wire::human_name::Use::Old.into(), ..elizabeth.names[0].clone() };
    elizabeth.names.push(maiden);
    elizabeth.addresses.push(Address { postcode: "LS6 2AB".into(), until: "2020".into(), ..Address::default() });
    register(&index, "A/elizabeth", &elizabeth).await;
    register(&index, "B/elizabeth", &elizabeth).await;
    register(
        &index,
        "A/son",
        &Demographics { birth_date: "1985-06-20".into(), ..person("Achebe", "Daniel", "B42 1RZ") },
    )
    .await;
    register(
        &index,
        "A/stranger",
        &Demographics { birth_date: "1958-07-30".into(), ..person("Wilson", "Margaret", "CF10 1AA") },
    )
    .await;
    index
}

#[tokio::test]
async fn one_person_is_found_whatever_form_the_question_has() {
    let index = somewhere().await;
    for (search, reason) in [
        (asked(|a| a.postcode = "B42 1RZ"), "address: the same postcode, house not known"),
        (asked(|a| a.postcode = "LS6 2AB"), "address: the same postcode, house not known"),
        (asked(|a| a.phone = "+44 121 496 0123"), "phone: the same"),
        (asked(|a| (a.given, a.postcode) = ("Liz", "B42 1RZ")), "given name: a familiar form of one name"),
        (asked(|a| (a.family, a.postcode) = ("Okafor", "b421rz")), "family name: the same"),
        (
            asked(|a| (a.birth_date, a.postcode, a.phone) = ("1958-11-03", "B42 1RZ", "01214960123")),
            "birth date: day and month exchanged",
        ),
    ] {
        let (score, why) = first(&index, &search);
        assert_eq!(found(&index, &search), "one A/elizabeth+B/elizabeth", "{reason}");
        assert!(score >= 0.999, "{reason}: {score}");
        assert!(why.iter().any(|line| line == reason), "{why:?}");
    }
}

#[tokio::test]
async fn who_is_not_certain_is_possible_and_nobody_is_made_up() {
    let index = somewhere().await;
    for (what, search) in [
        ("names and birth date alone", asked(|_| ())),
        ("a familiar form alone", asked(|a| a.given = "Liz")),
        ("day and month exchanged alone", asked(|a| a.birth_date = "1958-11-03")),
        ("a month", asked(|a| a.birth_date = "1958-03")),
        ("a year and a familiar form", asked(|a| (a.birth_date, a.given) = ("1958", "Liz"))),
        (
            "a month, postcode and phone",
            asked(|a| (a.birth_date, a.postcode, a.phone) = ("1958-03", "B42 1RZ", "01214960123")),
        ),
        (
            "a year, postcode and phone",
            asked(|a| (a.birth_date, a.postcode, a.phone) = ("1958", "B42 1RZ", "01214960123")),
        ),
        ("another sex", asked(|a| (a.postcode, a.sex) = ("B42 1RZ", Sex::Male))),
        ("no given name, but a phone", asked(|a| (a.given, a.phone) = ("Unknown", "01214960123"))),
        ("no birth date, but a phone", asked(|a| (a.birth_date, a.phone) = ("1900-01-01", "01214960123"))),
    ] {
        assert_eq!(found(&index, &search), "possible A/elizabeth+B/elizabeth", "{what}");
    }
    for (what, search) in [
        ("another year", asked(|a| a.birth_date = "1943")),
        ("another name", asked(|a| (a.given, a.family) = ("Xanthe", "Quill"))),
        ("no date", asked(|a| a.birth_date = "last year")),
    ] {
        assert_eq!(found(&index, &search), "nobody", "{what}");
    }
}

#[tokio::test]
async fn namesakes_share_what_is_certain() {
    let (_, index) = memory().await;
    register(&index, "A/1", &person("Achebe", "Elizabeth", "B42 1RZ")).await;
    register(&index, "A/2", &person("Achebe", "Elizabeth", "LS6 2AB")).await;
    assert_eq!(found(&index, &asked(|_| ())), "possible A/1 A/2");
    let (score, _) = first(&index, &asked(|_| ()));
    assert!((0.45..0.501).contains(&score), "{score}");
    // So rare a name, born on one day: perhaps one person who moved. Where names are common, the postcode tells.
    assert_eq!(found(&index, &asked(|a| a.postcode = "LS6 2AB")), "possible A/1 A/2");
    let smith = |code: &str| person("Smith", "Susan", code);
    register(&index, "B/1", &smith("B42 1RZ")).await;
    register(&index, "B/2", &smith("LS6 2AB")).await;
    let susan = asked(|a| (a.family, a.given, a.postcode) = ("Smith", "Susan", "LS6 2AB"));
    assert_eq!(found(&index, &susan), "one B/2");
    // A third of whom nothing else is known may live there too.
    register(&index, "B/3", &smith("")).await;
    assert_eq!(found(&index, &susan), "possible B/1 B/2 B/3");
    let (_, why) = first(&index, &susan);
    assert!(why.contains(&"address: the same postcode, house not known".to_owned()), "the best comes first: {why:?}");
}

#[tokio::test]
async fn twins_are_never_taken_for_each_other() {
    let (_, index) = memory().await;
    let at_home = |given| with_phone("0121 496 0123", person("Achebe", given, "B42 1RZ"));
    register(&index, "A/1", &at_home("Daniel")).await;
    let daniela = asked(|a| (a.given, a.postcode, a.phone) = ("Daniela", "B42 1RZ", "0121 496 0123"));
    assert_eq!(found(&index, &daniela), "possible A/1");
    register(&index, "A/2", &at_home("Daniela")).await;
    let (_, why) = first(&index, &daniela);
    assert!(why.contains(&"given name: the same".to_owned()), "{why:?}");
}

#[tokio::test]
async fn too_many_are_not_listed_and_a_better_question_finds_one() {
    let (_, index) = memory().await;
    let born = |n: usize| Demographics {
        birth_date: format!("1958-{:02}-{:02}", 1 + n % 12, 13 + n % 15),
        ..person("Achebe", "Elizabeth", &format!("{}1 1AA", ["B", "LS", "CF", "M", "L"][n % 5]))
    };
    for n in 0..=CANDIDATES_MAX {
        register(&index, &format!("A/{n}"), &born(n)).await;
    }
    assert_eq!(found(&index, &asked(|a| a.birth_date = "1958")), "too many");
    assert_eq!(found(&index, &asked(|a| (a.birth_date, a.postcode) = ("1958-04-16", "M1 1AA"))), "one A/3");
}

#[tokio::test]
async fn who_hides_among_too_many_is_not_said_to_be_nobody() {
    let (_, index) = memory().await;
    let somewhere = |n: usize| person("Achebe", "Elizabeth", &format!("B{} {}AA", 1 + n % 60, n % 9));
    let announce =
        |n: usize| FeedAnnounce { cursor: n as u64 + 1, change: Some(registered(&format!("A/{n}"), &somewhere(n))) };
    index.announce(&source("A"), EPOCH, (0..130).map(announce).collect()).await.unwrap();
    assert_eq!(found(&index, &asked(|_| ())), "too many");
}

#[tokio::test]
async fn what_is_known_in_part_is_enough_to_be_shown_somebody() {
    let index = somewhere().await;
    for (what, search, reason) in [
        ("a district", asked(|a| a.postcode = "B42"), "address: the same postcode district"),
        ("a sector", asked(|a| a.postcode = "b42 1"), "address: the same postcode sector"),
        ("a former district", asked(|a| a.postcode = "LS6*"), "address: the same postcode district"),
        ("a span of dates", asked(|a| a.birth_date = "1957/1959"), "birth date: within the dates asked for"),
        ("a given name", asked(|a| (a.family, a.phone) = ("", "01214960123")), "phone: the same"),
        (
            "no birth date, but an address",
            asked(|a| (a.birth_date, a.postcode) = ("", "B42 1RZ")),
            "address: the same postcode, house not known",
        ),
        ("no birth date, but a phone", asked(|a| (a.birth_date, a.phone) = ("", "01214960123")), "phone: the same"),
    ] {
        assert_eq!(found(&index, &search), "possible A/elizabeth+B/elizabeth", "{what}");
        let (_, why) = first(&index, &search);
        assert!(why.iter().any(|line| line == reason), "{what}: {why:?}");
    }
    let beyond = asked(|a| a.birth_date = "1959/1963");
    assert_eq!(found(&index, &beyond), "nobody", "who was born before the span");
    register(&index, "C/b42", &person("Smith", "Susan", "B42 1RZ")).await;
    register(&index, "C/ls6", &person("Smith", "Susan", "LS6 2AB")).await;
    for (postcode, likelier) in [("B42", "C/b42"), ("LS6 2", "C/ls6")] {
        let susan = asked(|a| (a.family, a.given, a.postcode) = ("Smith", "Susan", postcode));
        let Resolved::Possible(found) = index.resolve(&susan).unwrap() else { panic!("possible") };
        assert_eq!(known_at(&index, found[0].person.id), [likelier], "{:?}", found[0].why);
        assert!(found.len() == 1 || found[0].score > 10.0 * found[1].score, "{found:?}");
    }
}

#[tokio::test]
async fn whom_any_source_restricts_is_found_by_exact_identifiers_only() {
    let (_, index) = memory().await;
    let number = "9990000018";
    let elizabeth = |code: &str| Demographics {
        nhs_number: number.into(),
        nhs_number_verified: true,
        ..with_phone("0121 496 0123", person("Achebe", "Elizabeth", code))
    };
    register(&index, "A/1", &elizabeth("B42 1RZ")).await;
    register(&index, "B/1", &elizabeth("B42 1RZ")).await;
    let liz = Demographics { birth_date: "1958-07-30".into(), ..person("Achebe", "Eliza", "LS6 2AB") };
    register(&index, "C/1", &liz).await;
    let search = asked(|a| (a.postcode, a.phone) = ("B42 1RZ", "01214960123"));
    assert_eq!(found(&index, &search), "one A/1+B/1");
    let restricted = Demographics { restricted: true, gp_practice_ods: "M85001".into(), ..elizabeth("B42 1RZ") };
    register(&index, "B/1", &restricted).await;
    for search in [search, asked(|_| ()), asked(|a| a.birth_date = "1958"), asked(|a| a.given = "Liz")] {
        let found = found(&index, &search);
        assert!(!found.contains("A/1"), "one source is enough: {found}");
    }
    for exact in [by_number(number, "1958-03-11"), at_source("A/1"), at_source("B/1")] {
        assert_eq!(found(&index, &exact), "one A/1+B/1");
        let Resolved::One(shown) = index.resolve(&exact).unwrap() else { panic!("one") };
        let Demographics { addresses, telecoms, gp_practice_ods, restricted, .. } = shown.person.golden;
        assert_eq!((addresses.len(), telecoms.len(), gp_practice_ods.as_str(), restricted), (0, 0, "", true));
    }
    register(&index, "B/1", &elizabeth("B42 1RZ")).await;
    assert_eq!(found(&index, &asked(|a| a.postcode = "B42 1RZ")), "one A/1+B/1", "no longer restricted");
}

fn at_source(name: &str) -> Search {
    let RegistrationKey { source, local_id } = at(name);
    Search::Registration { source, local_id }
}
