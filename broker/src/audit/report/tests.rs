//! Every access of a person is in some page, once, and in the words of what became of it.

use super::*;
use severn_trust::{MemoryDisk, SigningKey, SystemClock, Trail};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

const PERSON: EnterpriseId = EnterpriseId(Uuid::from_u128(9));

fn event(action: &str, query: usize, details: Details) -> TrailEvent {
    TrailEvent {
        action: action.into(),
        query_id: format!("q{query}"),
        user: "Dr Ada Example (u-1)".into(),
        person: PERSON.to_string(),
        details,
        ..TrailEvent::default()
    }
}

async fn audit_of(events: Vec<TrailEvent>) -> Audit {
    let key = SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let trail = Trail::open(Arc::new(MemoryDisk::default()), Arc::new(SystemClock), key).unwrap();
    for event in events {
        trail.record(event).await.unwrap();
    }
    Audit::new(trail, b"secret")
}

#[tokio::test]
async fn pages_hold_every_access_once_newest_first() {
    let looks = REPORT_MAX * 2 + 7;
    let seal = Details::default().with("shown", &2).with("grouped", &1);
    let each = |n| [event("intent", n, Details::default()), event("seal", n, seal.clone())];
    let audit = audit_of((0..looks).flat_map(each).collect()).await;
    let (mut before, mut seen, mut pages) = (0, Vec::new(), 0);
    loop {
        let (page, more) = audit.report(&[PERSON], before).unwrap();
        assert!(page.len() <= REPORT_MAX && page.iter().all(|access| access.shown == 3), "with what became of it");
        seen.extend(page.iter().map(|access| access.query_id.clone()));
        (before, pages) = (page.last().unwrap().seq, pages + 1);
        if !more {
            break;
        }
    }
    let expected: Vec<String> = (0..looks).rev().map(|n| format!("q{n}")).collect();
    assert_eq!((seen, pages), (expected, 3));
    assert_eq!(audit.report(&[EnterpriseId(Uuid::nil())], 0).unwrap(), (Vec::new(), false));
}

#[tokio::test]
async fn a_look_says_what_was_shown_and_kept_back_and_under_which_glass() {
    let broken = Details::default().with("override", &"o1").with("reason", &"emergency");
    let sections = serde_json::json!([
        { "dataset": 2, "entries": { "A": ["a1", "a2"], "B": ["b1"] }, "hash": "00" },
        { "dataset": 3, "entries": { "A": ["a3"] }, "hash": "00" },
    ]);
    let seal = Details::default()
        .with("sections", &sections)
        .with("kept_back", &serde_json::json!({ "A": { "2": 41, "7": 0 } }))
        .with("override", &"o1")
        .with("relationship", &"admitted");
    let refused = Details::default().with("refused", &"override").with("why", &"sign in again");
    let audit = audit_of(vec![
        event("override", 1, broken.clone()),
        event("intent", 2, Details::default()),
        event("seal", 2, seal),
        event("override", 3, broken),
        event("refused", 3, refused),
        event("intent", 4, Details::default()),
        event("refused", 4, Details::default().with("why", &"another person is meant")),
        event("intent", 5, Details::default()),
    ])
    .await;
    let (accesses, _) = audit.report(&[PERSON], 0).unwrap();
    let said: Vec<(&str, &str)> = accesses.iter().map(|a| (a.action.as_str(), a.reason.as_str())).collect();
    let refused = [("refused", "another person is meant"), ("refused", "sign in again")];
    assert_eq!(said[0], ("unanswered", ""), "nobody is said to have seen what was not sealed");
    assert_eq!(said[1..3], refused, "what was refused is listed once, as refused");
    assert_eq!(said[3..], [("retrieve", "emergency"), ("override", "emergency")]);
    let look = &accesses[3];
    assert!(look.glass_broken && look.relationship == "admitted");
    let part = |dataset, source: &str, shown, kept_back: bool, why| AccessPart {
        dataset,
        source_id: source.into(),
        shown,
        kept_back,
        why,
        ..AccessPart::default()
    };
    let expected =
        [part(2, "A", 2, true, 41), part(2, "B", 1, false, 0), part(3, "A", 1, false, 0), part(7, "A", 0, true, 0)];
    assert_eq!(look.parts, expected);
    assert_eq!(look.parts.iter().map(|part| &part.source_id).collect::<BTreeSet<_>>().len(), 2);
}
