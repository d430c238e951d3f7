//! Persons' decisions.

use super::*;

#[tokio::test]
async fn a_link_joins_and_its_unlink_gives_back_what_was() {
    let (_, index) = memory().await;
    for (name, demographics) in [
        ("A/1", numbered(ANNA, "Anna")),
        ("B/1", numbered(ANNA, "Anna")),
        ("C/1", smith("Beth")),
        ("D/1", smith("Beth")),
    ] {
        register(&index, name, &demographics).await;
    }
    let (anna, beth) = (who(&index, "A/1"), who(&index, "C/1"));
    for (round, taken_out) in (0..).zip(["C/1", "A/1"]) {
        assert_eq!(index.link(at("A/1"), at("C/1"), decision(10 * round)).await, Ok(anna));
        assert_eq!(known_at(&index, beth), ["A/1", "B/1", "C/1", "D/1"]);
        index.unlink(at(taken_out), decision(10 * round + 1)).await.unwrap();
        assert_eq!(known_at(&index, anna), ["A/1", "B/1"]);
        assert_eq!(known_at(&index, beth), ["C/1", "D/1"]);
        assert_eq!((who(&index, "B/1"), who(&index, "D/1")), (anna, beth));
    }
    let story: Vec<String> =
        index.history(beth).unwrap().into_iter().map(|e| format!("{} {}", e.kind, e.why)).collect();
    assert!(story.contains(&"unlinked S1: seen both passports".to_owned()), "{story:?}");
}

#[tokio::test]
async fn who_was_taken_out_stays_out_whoever_comes_and_goes() {
    let (_, index) = memory().await;
    for name in ["A/1", "B/1", "C/1"] {
        register(&index, name, &numbered(ANNA, "Anna")).await;
    }
    let anna = who(&index, "A/1");
    let other = index.unlink(at("B/1"), decision(1)).await.unwrap();
    assert_ne!(other, anna);
    assert_eq!(known_at(&index, anna), ["A/1", "C/1"]);
    register(&index, "D/1", &numbered(ANNA, "Anna")).await;
    withdraw(&index, "A/1").await;
    withdraw(&index, "C/1").await;
    register(&index, "B/1", &Demographics { deceased: true, ..numbered(ANNA, "Anna") }).await;
    assert_eq!(known_at(&index, anna), ["D/1"]);
    assert_eq!(known_at(&index, other), ["B/1"]);
    assert_eq!(found(&index, &by_number(ANNA, "1980-02-01")), "one D/1");
    // Back again, they are still apart.
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(known_at(&index, anna), ["A/1", "D/1"]);
    // Until a person says otherwise.
    index.link(at("B/1"), at("A/1"), decision(2)).await.unwrap();
    assert_eq!(known_at(&index, anna), ["A/1", "B/1", "D/1"]);
    assert_eq!(index.review_queue(9).unwrap(), []);
}

#[tokio::test]
async fn decisions_that_cannot_be_are_refused() {
    let (store, index) = memory().await;
    let verified = |number: &str, given: &str| Demographics { nhs_number_verified: true, ..numbered(number, given) };
    register(&index, "A/1", &verified(ANNA, "Anna")).await;
    register(&index, "B/1", &verified(BETH, "Beth")).await;
    register(&index, "C/1", &smith("Carl")).await;
    let events = written(&store);
    let conflict = |result: Result<EnterpriseId, IndexError>| matches!(result, Err(IndexError::Conflict(_)));
    let invalid = |result: Result<EnterpriseId, IndexError>| matches!(result, Err(IndexError::Invalid { .. }));
    assert!(conflict(index.link(at("A/1"), at("B/1"), decision(1)).await));
    assert!(conflict(index.unlink(at("C/1"), decision(1)).await));
    assert!(invalid(index.link(at("A/1"), at("A/1"), decision(1)).await));
    assert!(invalid(index.link(at("A/1"), at("C/1"), Decision { reason: "same".into(), ..decision(1) }).await));
    assert!(invalid(index.link(at("A/1"), at("C/1"), Decision { by: String::new(), ..decision(1) }).await));
    assert_eq!(index.link(at("A/1"), at("C/9"), decision(1)).await, Err(IndexError::UnknownRegistration));
    assert_eq!(index.unlink(at("Z/1"), decision(1)).await, Err(IndexError::UnknownRegistration));
    assert_eq!(written(&store), events, "nothing was written");
    // C belongs to A, so it cannot belong to B too.
    index.link(at("A/1"), at("C/1"), decision(2)).await.unwrap();
    assert!(conflict(index.link(at("B/1"), at("C/1"), decision(3)).await));
}

#[tokio::test]
async fn a_separation_stands_against_a_link_of_others() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    register(&index, "C/1", &smith("Carl")).await;
    index.unlink(at("B/1"), decision(1)).await.unwrap();
    index.link(at("C/1"), at("A/1"), decision(2)).await.unwrap();
    // B may come to C only by the door it was shown out of.
    let c = index.link(at("C/1"), at("B/1"), decision(3)).await;
    assert!(matches!(c, Err(IndexError::Conflict(_))), "{c:?}");
    let b = index.link(at("A/1"), at("B/1"), decision(4)).await.unwrap();
    assert_eq!(known_at(&index, b), ["A/1", "B/1", "C/1"]);
}

#[tokio::test]
async fn a_retry_changes_nothing_and_another_use_of_the_key_is_refused() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    let linked = index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    let events = written(&store);
    assert_eq!(index.link(at("A/1"), at("B/1"), decision(1)).await, Ok(linked));
    assert!(matches!(index.unlink(at("A/1"), decision(1)).await, Err(IndexError::Conflict(_))));
    assert!(matches!(index.link(at("B/1"), at("A/1"), decision(1)).await, Err(IndexError::Conflict(_))));
    assert_eq!(written(&store), events);
}

#[tokio::test]
async fn a_link_rests_when_the_numbers_come_to_contradict_it() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "B/1"]);
    register(&index, "B/1", &numbered(BETH, "Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1"]);
    assert_eq!(index.review_queue(9).unwrap()[0].why, "linked by a person, but their NHS numbers contradict that now");
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "B/1"]);
}

#[tokio::test]
async fn who_was_told_apart_leaves_the_queue_and_never_comes_back() {
    let (store, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "John")).await;
    let zoe = Demographics { birth_date: "1990-03-03".into(), ..numbered(ANNA, "Zoe") };
    register(&index, "B/1", &zoe).await;
    let (john, other) = (who(&index, "A/1"), who(&index, "B/1"));
    assert_eq!(index.review_queue(9).unwrap().len(), 1);
    index.tell_apart(at("B/1"), at("A/1"), decision(1)).await.unwrap();
    assert_eq!(index.review_queue(9).unwrap(), []);
    // Whatever they come to say, and though they go and come again.
    register(&index, "B/1", &numbered(ANNA, "John")).await;
    withdraw(&index, "A/1").await;
    register(&index, "A/1", &numbered(ANNA, "John")).await;
    assert_eq!((known_at(&index, john), known_at(&index, other)), (vec!["A/1".into()], vec!["B/1".into()]));
    assert_eq!(index.review_queue(9).unwrap(), []);
    // Who fits both is left to a person.
    register(&index, "C/1", &numbered(ANNA, "John")).await;
    assert_eq!(known_at(&index, who(&index, "C/1")), ["C/1"]);
    let queue = index.review_queue(9).unwrap();
    assert_eq!(queue.iter().map(|p| p.why.as_str()).collect::<Vec<_>>(), ["another person fits nearly as well"; 2]);
    for person in [john, other] {
        let story: Vec<_> = index.history(person).unwrap().into_iter().map(|e| (e.kind, e.why)).collect();
        let of = if person == john { "B/1" } else { "A/1" }.replace('/', " ");
        let line = ("told-apart".to_owned(), format!("from {of}, S1: seen both passports"));
        assert!(story.contains(&line), "{story:?}");
    }
    let reopened = open(Arc::new(store), 9).await;
    assert_eq!(reopened.review_queue(9).unwrap(), queue);
}

#[tokio::test]
async fn only_a_link_of_just_these_two_takes_back_that_they_are_apart() {
    let (_, index) = memory().await;
    for name in ["A/1", "B/1", "C/1"] {
        register(&index, name, &smith(["Anna", "Beth", "Carl"][usize::from(name.as_bytes()[0] - b'A')])).await;
    }
    index.tell_apart(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    index.link(at("A/1"), at("C/1"), decision(2)).await.unwrap();
    let by_way_of_c = index.link(at("B/1"), at("C/1"), decision(3)).await;
    assert!(matches!(by_way_of_c, Err(IndexError::Conflict(_))), "{by_way_of_c:?}");
    let all = index.link(at("B/1"), at("A/1"), decision(4)).await.unwrap();
    assert_eq!(known_at(&index, all), ["A/1", "B/1", "C/1"]);
    index.unlink(at("B/1"), decision(5)).await.unwrap();
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "C/1"]);
}

#[tokio::test]
async fn telling_apart_takes_back_a_link_that_rests() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    register(&index, "B/1", &numbered(BETH, "Beth")).await;
    index.tell_apart(at("A/1"), at("B/1"), decision(2)).await.unwrap();
    assert_eq!(index.review_queue(9).unwrap(), []);
    // The numbers do not contradict the link any more, but a person did.
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1"]);
}

#[tokio::test]
async fn telling_apart_is_refused_where_it_cannot_be_and_a_retry_changes_nothing() {
    let (store, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    register(&index, "C/1", &smith("Carl")).await;
    let tell = |a: &str, b: &str, key| index.tell_apart(at(a), at(b), decision(key));
    let one = "these two are one person now; unlink one of them first";
    assert_eq!(tell("A/1", "B/1", 1).await, Err(IndexError::Conflict(one)));
    assert!(matches!(tell("A/1", "A/1", 1).await, Err(IndexError::Invalid { field: "b", .. })));
    assert_eq!(tell("A/1", "C/9", 1).await, Err(IndexError::UnknownRegistration));
    assert_eq!(written(&store), 3, "nothing was written");
    assert_eq!(tell("A/1", "C/1", 1).await, Ok(()));
    assert_eq!(tell("A/1", "C/1", 1).await, Ok(()));
    assert_eq!(written(&store), 4);
    assert!(matches!(tell("C/1", "A/1", 1).await, Err(IndexError::Conflict(_))), "another use of the key");
    assert!(matches!(index.link(at("A/1"), at("C/1"), decision(1)).await, Err(IndexError::Conflict(_))));
}
