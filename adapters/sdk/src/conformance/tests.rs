use super::*;
use crate::made_up::{MadeUp, Mood, entry, keys};

fn expectations() -> Expectations {
    Expectations {
        known: "p1".into(),
        unknown: "p9".into(),
        other: "p2".into(),
        with_entries: vec![Dataset::Allergies, Dataset::Medications],
        registrations: 2,
    }
}

fn bad(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter(|f| !f.good).map(|f| f.text.as_str()).collect()
}

#[tokio::test]
async fn a_good_source_passes() {
    let findings = conformance(&MadeUp::new(), &expectations()).await;
    assert_eq!(bad(&findings), Vec::<&str>::new());
    assert!(findings.len() > 15);
}

#[tokio::test]
async fn a_good_source_is_served_well() {
    let findings = served(Arc::new(MadeUp::new()), keys(), &expectations()).await;
    assert_eq!(bad(&findings), Vec::<&str>::new());
    assert!(findings.len() > 18);
}

#[tokio::test]
async fn what_a_source_does_wrong_is_found() {
    type Spoil = fn(&MadeUp);
    let cases: [(Spoil, &str); 6] = [
        (|s| s.remove("p1"), "registrations"),
        (|s| s.feel(Mood::ForgetsOne), "exactly one reading"),
        (|s| s.feel(Mood::Down), "registrations can be read"),
        (|s| s.add("p1", entry("a1", Dataset::Allergies, &[])), "entry ids are unique"),
        (|s| s.add_under("p1", Dataset::Allergies, entry("m9", Dataset::Medications, &[])), "another dataset"),
        (
            |s| {
                let mut bare = entry("m9", Dataset::Medications, &[]);
                bare.head.as_mut().unwrap().provenance = None;
                s.add("p1", bare);
            },
            "its organisation",
        ),
    ];
    for (spoil, said) in cases {
        let source = MadeUp::new();
        spoil(&source);
        let findings = conformance(&source, &expectations()).await;
        assert!(bad(&findings).iter().any(|text| text.contains(said)), "{said}: {:?}", bad(&findings));
    }
}
