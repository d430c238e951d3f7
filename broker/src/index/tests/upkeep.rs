//! Which model scores, and NHS numbers that were replaced.

use super::*;

fn number(text: &str) -> NhsNumber {
    NhsNumber::parse(text).unwrap()
}

async fn supersede(index: &Index, old: &str, new: &str) -> Result<usize, IndexError> {
    index.supersede(vec![[number(old), number(new)]], "S1", "the national service's own list").await
}

const CORA: &str = "9990000026";

#[tokio::test]
async fn a_history_begins_with_the_model_that_decides() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    let kinds: Vec<&str> = store.events().iter().map(|event| event.about.kind()).collect();
    assert_eq!(kinds, ["model-taken", "registered"]);
    index.close().await;
    open(Arc::new(store.clone()), 2).await;
    assert_eq!(store.events().len(), 2, "opened again, it has one");
}

/// A model that wants to see more than the built-in one before it links.
fn strict() -> ScoringModel {
    ScoringModel::changed("strict", |file| file.thresholds.automatic_min = 0.999_999)
}

#[tokio::test]
async fn another_model_decides_about_everybody_anew_and_histories_name_who_decided() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Anna")).await;
    register(&index, "A/2", &numbered(BETH, "Beth")).await;
    register(&index, "B/2", &Demographics { nhs_number_verified: true, ..numbered(BETH, "Beth") }).await;
    let [anna, beth] = [who(&index, "A/1"), who(&index, "A/2")];
    assert_eq!((who(&index, "B/1"), who(&index, "B/2")), (anna, beth));
    let would = index.would_change(&strict()).unwrap();
    assert_eq!((would.links_made, would.links_lost), (0, 1));
    assert_eq!((would.persons_before, would.persons_after), (2, 3));
    assert_eq!(who(&index, "B/1"), anna, "asking changes nothing");

    assert_eq!(index.take_model(strict()).await, Ok(true));
    assert_eq!(index.take_model(strict()).await, Ok(false), "it scores already");
    assert_ne!(who(&index, "B/1"), anna);
    assert_eq!(who(&index, "B/2"), beth);
    assert_eq!(index.model().unwrap().version(), "strict");
    assert!(index.review_queue(10, &[]).unwrap().pairs.iter().all(|pair| pair.model_version == "strict"));
    let built_in = ScoringModel::built_in().model().version().to_owned();
    let why: Vec<String> = index.history(who(&index, "B/1")).unwrap().into_iter().map(|line| line.why).collect();
    assert!(why[1].starts_with("score ") && why[1].ends_with(&format!("model {built_in}")), "{why:?}");
    assert!(why[2].ends_with("any more, model strict"), "{why:?}");
    // Whoever comes later is decided about by the model of the day, and a program that starts anew by the same ones.
    register(&index, "C/2", &Demographics { nhs_number_verified: true, ..numbered(BETH, "Beth") }).await;
    index.shared.read().unwrap().check_whole();
    let again = open(Arc::new(store), 9).await;
    for person in [anna, beth, who(&index, "B/1")] {
        assert_eq!(index.history(person).unwrap(), again.history(person).unwrap());
        assert_eq!(known_at(&index, person), known_at(&again, person));
    }
}

#[tokio::test]
async fn a_superseded_number_is_its_successor() {
    let (_, index) = memory().await;
    let verified = |number: &str, given: &str| Demographics { nhs_number_verified: true, ..numbered(number, given) };
    register(&index, "A/1", &verified(ANNA, "Anna")).await;
    register(&index, "B/1", &verified(BETH, "Anna")).await;
    assert_ne!(who(&index, "A/1"), who(&index, "B/1"), "two verified numbers are two persons");
    assert_eq!(supersede(&index, ANNA, BETH).await, Ok(1));
    let person = who(&index, "A/1");
    assert_eq!(known_at(&index, person), ["A/1", "B/1"]);
    for number in [ANNA, BETH] {
        assert_eq!(found(&index, &by_number(number, "1980-02-01")), "one A/1+B/1");
        assert_eq!(found(&index, &by_number(number, "1980-02-02")), "nobody");
    }
    assert_eq!(index.locate(person).unwrap().unwrap().golden.nhs_number, BETH, "shown is the number in use");
    assert_eq!(
        index.locate(person).unwrap().unwrap().golden.replaced_nhs_numbers,
        [ANNA],
        "and what sources still give"
    );
    let kinds: Vec<String> = index.history(person).unwrap().into_iter().map(|line| line.kind).collect();
    assert!(kinds.contains(&"superseded".to_owned()), "{kinds:?}");
    // A chain, and one who comes later with the first number.
    assert_eq!(supersede(&index, BETH, CORA).await, Ok(1));
    register(&index, "C/1", &verified(ANNA, "Anna")).await;
    register(&index, "C/2", &verified(CORA, "Anna")).await;
    for number in [ANNA, BETH, CORA] {
        assert_eq!(found(&index, &by_number(number, "1980-02-01")), "one A/1+B/1+C/1+C/2");
    }
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn superseded_numbers_are_taken_once_and_contradictions_refused() {
    let (store, index) = memory().await;
    let all = || vec![[number(ANNA), number(BETH)], [number(BETH), number(CORA)], [number(ANNA), number(BETH)]];
    let reason = "the national service's own list";
    assert_eq!(index.supersede(all(), "S1", reason).await, Ok(2));
    assert_eq!(index.supersede(all(), "S1", reason).await, Ok(0));
    for (old, new, said) in [
        (ANNA, ANNA, "replaced by another number already"),
        (CORA, ANNA, "replaced by the old one"),
        (CORA, CORA, "replaced by the old one"),
        (ANNA, CORA, "replaced by another number already"),
    ] {
        let error = supersede(&index, old, new).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains(&old[..6]), "no message names a number");
    }
    assert_eq!(store.events().len(), 3);
    let again = open(Arc::new(store), 9).await;
    register(&again, "A/1", &numbered(CORA, "Anna")).await;
    assert_eq!(found(&again, &by_number(ANNA, "1980-02-01")), "one A/1");
}

#[tokio::test]
async fn a_persons_link_holds_when_the_number_it_saw_is_replaced() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &Demographics { birth_date: "1990-03-03".into(), ..numbered(BETH, "Zoe") }).await;
    let person = index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    supersede(&index, BETH, CORA).await.unwrap();
    assert_eq!(known_at(&index, person), ["A/1", "B/1"]);
    assert_eq!(index.review_queue(10, &[]).unwrap().pairs.len(), 0);
}
