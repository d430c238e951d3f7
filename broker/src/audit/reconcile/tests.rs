use super::*;
use severn_trust::{Clock, Details, MemoryDisk, SigningKey, Trail};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const DAY_MS: i64 = 86_400_000;

/// Goes on by a minute with every event.
struct Minutes(AtomicI64);

impl Clock for Minutes {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(60_000, Ordering::Relaxed)
    }
}

fn event(action: &str, query_id: &str, details: Details) -> TrailEvent {
    let (action, query_id, organisation) = (action.into(), query_id.into(), "RRK".into());
    TrailEvent { action, query_id, organisation, details, ..TrailEvent::default() }
}

fn seal(query_id: &str, from: &[(&str, &[(Dataset, u32)])]) -> TrailEvent {
    let counts = |counts: &[(Dataset, u32)]| counts.iter().map(|(d, n)| (*d as i32, *n)).collect::<BTreeMap<_, _>>();
    let from: BTreeMap<&str, BTreeMap<i32, u32>> = from.iter().map(|(source, n)| (*source, counts(n))).collect();
    event("seal", query_id, Details::default().with("received_from", &from))
}

async fn trail_of(events: Vec<TrailEvent>) -> (MemoryDisk, SigningKey) {
    let disk = MemoryDisk::default();
    let key = SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let clock = Arc::new(Minutes(AtomicI64::new(DAY_MS / 2)));
    let trail = Trail::open(Arc::new(disk.clone()), clock, key.clone()).unwrap();
    for event in events {
        trail.record(event).await.unwrap();
    }
    (disk, key)
}

/// Query, entries by dataset, documents.
type Row<'r> = (&'r str, &'r [(&'r str, u32)], u32);

fn extract(source_id: &str, released: &[Row<'_>]) -> Extract {
    let one = |(query, entries, documents): &Row<'_>| {
        let entries = entries.iter().map(|(dataset, count)| ((*dataset).to_owned(), *count)).collect();
        ((*query).to_owned(), Released { at_ms: DAY_MS / 2, entries, documents: *documents })
    };
    let released = released.iter().map(one).collect();
    Extract { source_id: source_id.into(), since_ms: 0, until_ms: DAY_MS, released }
}

#[tokio::test]
async fn what_agrees_is_counted_and_nothing_is_said() {
    let sent = Details::default().with("source", &"A");
    let (disk, key) = trail_of(vec![
        event("intent", "q1", Details::default()),
        seal("q1", &[("A", &[(Dataset::Allergies, 2), (Dataset::Problems, 1)]), ("B", &[(Dataset::Problems, 4)])]),
        event("intent", "q2", Details::default()),
        seal("q2", &[]),
        event("document-sent", "q3", sent),
    ])
    .await;
    let extracts = [
        extract("A", &[("q1", &[("allergies", 2), ("problems", 1)], 0), ("q2", &[], 0), ("q3", &[], 1)]),
        extract("B", &[("q1", &[("problems", 4)], 0)]),
    ];
    let found = reconcile(&disk, key.public(), &extracts).unwrap();
    assert_eq!(found, Reconciliation { compared: 4, ..Reconciliation::default() });
}

#[tokio::test]
async fn every_mismatch_is_told_with_source_query_and_what_it_is() {
    let refused = Details::default().with("why", &"the person is another");
    let (disk, key) = trail_of(vec![
        event("intent", "unsealed", Details::default()),
        event("intent", "refused", Details::default()),
        event("refused", "refused", refused),
        seal("differs", &[("A", &[(Dataset::Allergies, 2)])]),
        seal("unreleased", &[("A", &[(Dataset::Problems, 3)])]),
        seal("others", &[("B", &[(Dataset::Problems, 3)])]),
        event("seal", "old", Details::default()),
    ])
    .await;
    let released: &[Row<'_>] = &[
        ("unsealed", &[("problems", 1)], 0),
        ("refused", &[("problems", 1)], 0),
        ("differs", &[("allergies", 3)], 0),
        ("unknown", &[("allergies", 5)], 0),
        ("old", &[("allergies", 5)], 0),
        ("others", &[], 1),
    ];
    let found = reconcile(&disk, key.public(), &[extract("A", released)]).unwrap();
    for (query, said) in [
        ("unsealed", "1 entries were released without the broker's seal"),
        ("refused", "the person is another"),
        ("differs", "3 entries of allergies were released, 2 came"),
        ("unknown", "a query that this broker does not know"),
        ("unreleased", "sealed without a release: the broker says that 3 entries"),
        ("others", "1 documents were released, 0 came"),
    ] {
        let of_query: Vec<&String> =
            found.mismatches.iter().filter(|m| m.starts_with(&format!("A, query {query}:"))).collect();
        assert_eq!(of_query.len(), 1, "{query}: {:?}", found.mismatches);
        assert!(of_query[0].contains(said), "{query}: {of_query:?}");
    }
    assert_eq!(found.mismatches.len(), 6, "an older seal counts nothing: {:?}", found.mismatches);
}

#[tokio::test]
async fn what_came_late_is_told_apart_where_the_ledger_says_so() {
    let late = BTreeMap::from([("A", BTreeMap::from([(Outcome::NoAnswer as i32, 1)]))]);
    let mut seal_of = seal("late", &[("A", &[(Dataset::Allergies, 1), (Dataset::Problems, 4)])]);
    seal_of.details.set("outcomes", &late);
    let (disk, key) = trail_of(vec![seal_of]).await;
    let released: &[Row<'_>] = &[("late", &[("allergies", 3), ("problems", 2)], 0)];
    let found = reconcile(&disk, key.public(), &[extract("A", released)]).unwrap();
    assert_eq!((found.late.len(), found.mismatches.len()), (1, 1), "{found:?}");
    assert!(found.late[0].contains("3 entries of allergies"), "{found:?}");
    assert!(found.mismatches[0].contains("2 entries of problems were released, 4 came"), "more than left: {found:?}");
}
