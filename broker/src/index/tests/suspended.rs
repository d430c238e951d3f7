//! Registrations that their source changed into somebody else under one local id.

use super::*;

fn zoe() -> Demographics {
    Demographics {
        birth_date: "1990-03-03".into(),
        addresses: vec![Address {
            postcode: "LS6 2AB".into(),
            lines: vec!["3 Mill Lane".into()],
            ..Address::default()
        }],
        names: vec![HumanName { family: "Iqbal".into(), given: vec!["Zoe".into()], ..HumanName::default() }],
        nhs_number: BETH.into(),
        ..smith("Zoe")
    }
}

/// The queue: why, and the two registrations.
fn queue(index: &Index) -> Vec<String> {
    let name = |r: &Option<Registration>| {
        let r = r.clone().unwrap_or_default();
        format!("{}/{}", r.source_id, r.local_id.unwrap_or_default().value)
    };
    let queue = index.review_queue(100, &[]).unwrap().pairs;
    queue.iter().map(|pair| format!("{} {}: {}", name(&pair.a), name(&pair.b), pair.why)).collect()
}

fn was(name: &str, other: &str) -> String {
    format!("{name} {other}: its source changed it into somebody else; this is whose it was before")
}

fn fits(name: &str, other: &str) -> String {
    format!("{name} {other}: its source changed it into somebody else; this is whom it fits now")
}

/// Anna at A, B and C; Zoe at D and E; then B changes Anna into Zoe.
async fn changed() -> (MemoryStore, Index) {
    let (store, index) = memory().await;
    for name in ["A/1", "B/1", "C/1"] {
        register(&index, name, &numbered(ANNA, "Anna")).await;
    }
    for name in ["D/1", "E/1"] {
        register(&index, name, &zoe()).await;
    }
    register(&index, "B/1", &zoe()).await;
    (store, index)
}

#[tokio::test]
async fn somebody_else_under_one_local_id_is_a_task_and_not_a_silent_move() {
    let (store, index) = changed().await;
    let anna = who(&index, "A/1");
    assert_eq!(known_at(&index, anna), ["A/1", "C/1"]);
    assert_eq!(known_at(&index, who(&index, "B/1")), ["B/1"], "it joins nobody by itself");
    assert_eq!(known_at(&index, who(&index, "D/1")), ["D/1", "E/1"]);
    assert_eq!(queue(&index), [was("B/1", "A/1"), fits("B/1", "D/1")], "one for each person concerned");
    let story: Vec<String> = index.history(who(&index, "B/1")).unwrap().into_iter().map(|e| e.why).collect();
    assert!(
        story.contains(&"its source changed it into somebody else; a person decides whose it is".into()),
        "{story:?}"
    );
    // Whoever comes is not joined with it either, and it does not stand in others' way.
    register(&index, "F/1", &zoe()).await;
    register(&index, "G/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(known_at(&index, anna), ["A/1", "C/1", "G/1"]);
    assert_eq!(known_at(&index, who(&index, "F/1")), ["D/1", "E/1", "F/1"]);
    assert_eq!(queue(&index).len(), 2);
    let reopened = open(Arc::new(store), 9).await;
    assert_eq!(queue(&reopened), queue(&index));
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn changing_it_back_gives_back_what_was_however_often() {
    let (_, index) = changed().await;
    let (anna, zoe_id) = (who(&index, "A/1"), who(&index, "D/1"));
    for round in 0..20 {
        // By way of a third person, whom nobody knows.
        register(&index, "B/1", &Demographics { birth_date: "1933-07-07".into(), ..smith("Edna") }).await;
        register(&index, "B/1", &zoe()).await;
        assert_eq!(queue(&index).len(), 2, "round {round}");
        // A slip is no other person.
        register(&index, "B/1", &numbered(ANNA, ["Anna", "Ana"][round % 2])).await;
        assert_eq!(queue(&index), Vec::<String>::new());
        assert_eq!(known_at(&index, anna), ["A/1", "B/1", "C/1"]);
        register(&index, "B/1", &zoe()).await;
    }
    assert_eq!((who(&index, "A/1"), who(&index, "D/1")), (anna, zoe_id));
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn a_link_says_who_it_is_now() {
    let (_, index) = changed().await;
    let zoe_id = who(&index, "D/1");
    assert_eq!(index.link(at("B/1"), at("E/1"), decision(1)).await, Ok(zoe_id));
    assert_eq!(known_at(&index, zoe_id), ["B/1", "D/1", "E/1"]);
    assert_eq!(queue(&index), Vec::<String>::new());
    // Or that it is who it was, whatever it says.
    let (_, index) = changed().await;
    let anna = who(&index, "A/1");
    register(&index, "B/1", &Demographics { nhs_number: String::new(), ..zoe() }).await;
    assert_eq!(index.link(at("B/1"), at("C/1"), decision(1)).await, Ok(anna));
    assert_eq!(known_at(&index, anna), ["A/1", "B/1", "C/1"]);
    assert!(queue(&index).iter().all(|task| !task.contains("changed it into")), "{:?}", queue(&index));
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn undoing_the_link_that_said_who_it_is_sets_the_task_again() {
    // Whichever of the two is taken out.
    for (with, taken_out) in [("E/1", "B/1"), ("E/1", "E/1")] {
        let (store, index) = changed().await;
        let before = queue(&index);
        index.link(at("B/1"), at(with), decision(1)).await.unwrap();
        assert_eq!(queue(&index), Vec::<String>::new(), "{with}");
        index.unlink(at(taken_out), decision(2)).await.unwrap();
        assert_eq!(known_at(&index, who(&index, "B/1")), ["B/1"], "{with} {taken_out}");
        assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "C/1"], "{with} {taken_out}");
        assert_eq!(known_at(&index, who(&index, "D/1")), ["D/1", "E/1"], "{with} {taken_out}");
        // To those whom it was parted from it is not proposed again.
        let task = if taken_out == "B/1" { &before[..1] } else { &before[..] };
        assert_eq!(queue(&index), task, "{with} {taken_out}");
        index.shared.read().unwrap().check_whole();
        assert_eq!(queue(&open(Arc::new(store), 9).await), task);
    }
}

#[tokio::test]
async fn telling_it_apart_from_whom_it_was_lets_the_scores_speak() {
    let (_, index) = changed().await;
    index.tell_apart(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    assert_eq!(known_at(&index, who(&index, "B/1")), ["B/1", "D/1", "E/1"]);
    assert_eq!(queue(&index), Vec::<String>::new());
    // From whom it would fit: that person is not proposed again.
    let (_, index) = changed().await;
    index.tell_apart(at("B/1"), at("D/1"), decision(1)).await.unwrap();
    assert_eq!(queue(&index), [was("B/1", "A/1")]);
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn a_persons_link_rests_while_it_is_somebody_else() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    register(&index, "B/1", &zoe()).await;
    assert_eq!(queue(&index), [was("B/1", "A/1")]);
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1"]);
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "B/1"]);
    // Undone meanwhile, it does not come back.
    register(&index, "C/1", &smith("Anna")).await;
    register(&index, "B/1", &zoe()).await;
    index.tell_apart(at("B/1"), at("A/1"), decision(2)).await.unwrap();
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "B/1")), ["B/1"]);
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn who_stood_alone_is_no_silent_move_either() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "D/1", &zoe()).await;
    register(&index, "A/1", &zoe()).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1"]);
    assert_eq!(queue(&index), [fits("A/1", "D/1")]);
    withdraw(&index, "D/1").await;
    assert_eq!(queue(&index), Vec::<String>::new());
    register(&index, "E/1", &zoe()).await;
    assert_eq!(queue(&index), [fits("A/1", "E/1")]);
    withdraw(&index, "A/1").await;
    assert_eq!(queue(&index), Vec::<String>::new());
    register(&index, "A/1", &zoe()).await;
    assert_eq!(queue(&index), [fits("A/1", "E/1")], "going and coming again is no decision");
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn another_model_keeps_it_suspended() {
    let (store, index) = changed().await;
    let before = queue(&index);
    let mut file = severn_linkage::model::Model::default_uk().file().clone();
    file.version = "another".into();
    let bytes = serde_json::to_vec(&file).unwrap();
    index.take_model(ScoringModel::read(bytes.into()).unwrap()).await.unwrap();
    assert_eq!(queue(&index), before);
    assert_eq!(index.review_queue(9, &[]).unwrap().counts[0].pairs, 2);
    index.shared.read().unwrap().check_whole();
    register(&index, "B/1", &numbered(ANNA, "Anna")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "B/1", "C/1"]);
    assert_eq!(queue(&open(Arc::new(store), 9).await), Vec::<String>::new());
}
