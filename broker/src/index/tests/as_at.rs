//! Who a person was at a moment in the past.

use super::*;
use store::Mark;

/// Everything that happens to registrations: joins, moves, decisions, withdrawals and returns.
async fn story() -> (MemoryStore, Index) {
    let (store, index) = memory().await;
    let anna = numbered(ANNA, "Anna");
    for name in ["A/1", "B/1", "C/1"] {
        register(&index, name, &anna).await;
    }
    register(&index, "D/1", &smith("Beth")).await;
    register(&index, "E/1", &smith("Beth")).await;
    index.link(at("A/1"), at("D/1"), decision(1)).await.unwrap();
    index.unlink(at("D/1"), decision(2)).await.unwrap();
    // The oldest leaves its ids behind, and comes back as somebody new.
    withdraw(&index, "A/1").await;
    register(&index, "A/1", &anna).await;
    let moved = Address { postcode: "LS6 2AB".into(), ..Address::default() };
    register(&index, "B/1", &Demographics { addresses: vec![moved], ..anna.clone() }).await;
    index.unlink(at("C/1"), decision(3)).await.unwrap();
    register(&index, "C/1", &numbered(BETH, "Beth")).await;
    withdraw(&index, "B/1").await;
    withdraw(&index, "A/1").await;
    index.link(at("C/1"), at("D/1"), decision(4)).await.unwrap();
    (store, index)
}

/// The person as the index told it at the time: id, registrations, and what is best known.
fn told(index: &Index, person: EnterpriseId) -> Option<(EnterpriseId, Vec<String>, Demographics)> {
    let found = index.locate(person).unwrap()?;
    Some((found.id, known_at(index, person), found.golden))
}

#[tokio::test]
async fn every_moment_of_the_past_is_told_as_it_was() {
    let (store, index) = story().await;
    let events = store.events();
    let ids: Vec<EnterpriseId> = events
        .iter()
        .filter_map(|event| match event.registration() {
            Some((_, What::Registered { person, .. } | What::Changed { person, .. })) => Some(*person),
            _ => None,
        })
        .collect();
    let mut compared = 0;
    for (last, next) in events.iter().zip(events.iter().skip(1).map(Some).chain([None])) {
        if next.is_some_and(|next| next.at_ms == last.at_ms) {
            continue;
        }
        let then = MemoryStore::default();
        let after = Mark::default();
        let batch = store::Batch { after, events: events[..last.sequence as usize].to_vec(), feeds: vec![] };
        then.append(&batch).await.unwrap();
        let then = open(Arc::new(then), 2).await;
        for id in &ids {
            let said = index.as_at(*id, last.at_ms).await.unwrap().map(|then| {
                let name = |r: &wire::RegistrationThen| {
                    let registration = r.registration.clone().unwrap();
                    format!("{}/{}", registration.source_id, registration.local_id.unwrap().value)
                };
                let names = then.registrations.iter().map(name).collect();
                (EnterpriseId(then.enterprise_id.parse().unwrap()), names, then.golden.unwrap())
            });
            assert_eq!(said, told(&then, *id), "after event {}", last.sequence);
            compared += usize::from(said.is_some());
        }
    }
    assert!(compared > 50, "{compared}");
}

#[tokio::test]
async fn the_past_says_since_when_and_why() {
    let (_, index) = story().await;
    let now = index.history(who(&index, "E/1")).unwrap();
    let linked = now.iter().rfind(|event| event.kind == "linked").unwrap();
    let then = index.as_at(who(&index, "E/1"), linked.at_ms).await.unwrap().unwrap();
    let why: Vec<(i64, &str)> = then.registrations.iter().map(|r| (r.since_ms, r.why.as_str())).collect();
    assert!(why.contains(&(linked.at_ms, "follows from a person's decision")), "{why:?}");
    assert_eq!(index.as_at(who(&index, "E/1"), NOW_MS - 1).await, Ok(None), "before anybody was known");
    assert_eq!(index.as_at(EnterpriseId(Uuid::nil()), i64::MAX).await, Ok(None), "an id that never was");
}

#[tokio::test]
async fn a_person_has_all_the_ids_that_forward_to_it() {
    let (_, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    let (anna, beth) = (who(&index, "A/1"), who(&index, "B/1"));
    assert_eq!(index.ids(beth).unwrap(), [beth].into());
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    assert_eq!(index.ids(anna).unwrap(), [anna, beth].into());
    assert_eq!(index.ids(beth).unwrap(), [anna, beth].into());
    withdraw(&index, "A/1").await;
    assert_eq!(index.ids(anna).unwrap(), [anna, beth].into(), "ids mean the person, not the row at a source");
}
