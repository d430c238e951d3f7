//! Deciding later, taking back, and what stewards decided.

use super::{
    steps::{PLACES, Step, everything, known_at_place, run, step, take},
    *,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const HOUR_MS: i64 = 3_600_000;

fn all() -> Wanted {
    Wanted { until_ms: i64::MAX, limit: 1_000, ..Wanted::default() }
}

fn listed(index: &Index) -> usize {
    index.review_queue(100, &[]).unwrap().pairs.len()
}

/// "linked A/1 B/1", newest first.
fn told(index: &Index, wanted: &Wanted) -> Vec<String> {
    let (decisions, _) = index.decisions(wanted).unwrap();
    let names = |d: &severn_proto::v1::StewardDecision| {
        d.registrations.iter().map(|r| format!(" {}/{}", r.source_id, r.local_id)).collect::<String>()
    };
    decisions.iter().map(|d| format!("{}{}", d.kind, names(d))).collect()
}

/// The numbers of decisions that stand, newest first.
fn standing(index: &Index) -> Vec<u64> {
    let (decisions, _) = index.decisions(&all()).unwrap();
    decisions.iter().filter(|d| d.can_be_taken_back).map(|d| d.sequence).collect()
}

/// John and Zoe under one number.
async fn overlaid() -> (MemoryStore, Index) {
    let (store, index) = memory().await;
    register(&index, "A/1", &numbered(ANNA, "John")).await;
    register(&index, "B/1", &Demographics { birth_date: "1990-03-03".into(), ..numbered(ANNA, "Zoe") }).await;
    assert_eq!(listed(&index), 1);
    (store, index)
}

#[tokio::test]
async fn a_pair_is_decided_later_until_its_time_or_until_it_changes() {
    let (store, index) = overlaid().await;
    let later = |until_ms: i64, key: u128| index.postpone(at("B/1"), at("A/1"), until_ms, decision(key));
    later(NOW_MS + HOUR_MS, 1).await.unwrap();
    let queue = index.review_queue(9, &[]).unwrap();
    assert_eq!((queue.pairs.len(), queue.counts.len(), queue.postponed), (0, 0, 1));
    // A retry changes nothing, and a reopened index hides it too.
    let events = store.events().len();
    later(NOW_MS + HOUR_MS, 1).await.unwrap();
    assert_eq!(store.events().len(), events);
    assert_eq!(listed(&open(Arc::new(store.clone()), 9).await), 0);
    // Its time comes.
    later(NOW_MS + 1, 2).await.unwrap();
    assert_eq!(listed(&index), 1);
    // What is known of one changes, if only where it lives.
    later(NOW_MS + HOUR_MS, 3).await.unwrap();
    assert_eq!(listed(&index), 0);
    register(&index, "C/1", &smith("Carl")).await;
    assert_eq!(index.review_queue(9, &[ReviewKind::NumberOverlaid]).unwrap().pairs.len(), 0, "another's news is none");
    let moved = vec![Address { postcode: "M1 1AE".into(), ..Address::default() }];
    register(&index, "A/1", &Demographics { addresses: moved, ..numbered(ANNA, "John") }).await;
    assert_eq!(index.review_queue(9, &[ReviewKind::NumberOverlaid]).unwrap().pairs.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_decided_later_is_refused() {
    let (_, index) = overlaid().await;
    register(&index, "C/1", &Demographics { birth_date: "1933-07-07".into(), ..smith("Carl") }).await;
    let later = |b: &str, until_ms: i64| index.postpone(at("A/1"), at(b), until_ms, decision(1));
    assert!(matches!(later("C/1", NOW_MS + HOUR_MS).await, Err(IndexError::Conflict(_))), "not in the queue");
    assert_eq!(later("C/9", NOW_MS + HOUR_MS).await, Err(IndexError::UnknownRegistration));
    let years = NOW_MS + 3 * POSTPONED_MAX_MS;
    assert!(matches!(later("B/1", years).await, Err(IndexError::Invalid { field: "until_ms", .. })));
    assert_eq!(listed(&index), 1);
}

#[tokio::test]
async fn stewards_decisions_are_told_by_whom_and_when() {
    let (store, index) = overlaid().await;
    register(&index, "C/1", &Demographics { birth_date: "1933-07-07".into(), ..smith("Carl") }).await;
    let by = |name: &str, key| Decision { by: name.into(), ..decision(key) };
    index.tell_apart(at("A/1"), at("B/1"), by("Ann (s1) at M91", 1)).await.unwrap();
    index.link(at("C/1"), at("B/1"), by("Bo (s10) at RBK", 2)).await.unwrap();
    index.unlink(at("C/1"), by("Ann (s1) at M91", 3)).await.unwrap();
    let whole = ["unlinked C/1 B/1", "linked C/1 B/1", "told-apart A/1 B/1"];
    assert_eq!(told(&index, &all()), whole);
    assert_eq!(told(&index, &Wanted { by: "s1".into(), ..all() }), [whole[0], whole[2]], "and not s10");
    assert_eq!(told(&index, &Wanted { by: "Bo (s10) at RBK".into(), ..all() }), [whole[1]]);
    let (decisions, _) = index.decisions(&all()).unwrap();
    let middle = Wanted { since_ms: decisions[1].at_ms, until_ms: decisions[0].at_ms, ..all() };
    assert_eq!(told(&index, &middle), [whole[1]]);
    let (first, more) = index.decisions(&Wanted { limit: 2, ..all() }).unwrap();
    assert_eq!((first.len(), more), (2, true));
    assert_eq!(told(&index, &Wanted { before: first[1].sequence, ..all() }), [whole[2]]);
    assert_eq!(told(&open(Arc::new(store), 9).await, &all()), whole);
    assert_eq!((decisions[0].by.as_str(), decisions[0].reason.as_str()), ("Ann (s1) at M91", "seen both passports"));
}

#[tokio::test]
async fn taking_back_a_link_leaves_no_separation_behind() {
    let (store, index) = overlaid().await;
    let (john, zoe) = (who(&index, "A/1"), who(&index, "B/1"));
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    let [linked] = standing(&index)[..] else { panic!("one decision stands") };
    index.take_back(linked, decision(2)).await.unwrap();
    assert_eq!((who(&index, "A/1"), who(&index, "B/1"), listed(&index)), (john, zoe, 1));
    assert_eq!(told(&index, &all()), ["taken-back A/1", "linked A/1 B/1"]);
    let (decisions, _) = index.decisions(&all()).unwrap();
    assert_eq!((decisions[1].taken_back_by, decisions[0].takes_back), (decisions[0].sequence, linked));
    let story: Vec<_> = index.history(john).unwrap().into_iter().map(|e| (e.kind, e.why)).collect();
    let line = ("taken-back".to_owned(), format!("decision {linked}, S1: seen both passports"));
    assert!(story.contains(&line), "{story:?}");
    // Twice is once, with whatever key.
    let events = store.events().len();
    for key in [2, 3] {
        index.take_back(linked, decision(key)).await.unwrap();
    }
    assert_eq!(store.events().len(), events);
}

#[tokio::test]
async fn a_decision_on_which_a_later_one_rests_stays_and_is_named() {
    let (_, index) = memory().await;
    for name in ["A/1", "B/1", "C/1"] {
        register(&index, name, &numbered(ANNA, "Anna")).await;
    }
    let before = known_at(&index, who(&index, "A/1"));
    index.unlink(at("B/1"), decision(1)).await.unwrap();
    let other = Decision { by: "Bo (s2) at RBK".into(), ..decision(2) };
    register(&index, "D/1", &smith("Dora")).await;
    index.link(at("C/1"), at("D/1"), other).await.unwrap();
    let [link, unlink] = standing(&index)[..] else { panic!("two decisions stand") };
    let rests = Err(IndexError::RestsOn { sequence: link, by: "Bo (s2) at RBK".into() });
    assert_eq!(index.take_back(unlink, decision(3)).await, rests, "C was parted from B");
    index.take_back(link, decision(4)).await.unwrap();
    index.take_back(unlink, decision(5)).await.unwrap();
    assert_eq!(known_at(&index, who(&index, "A/1")), before);
    assert_eq!(standing(&index), Vec::<u64>::new());
    let (decisions, _) = index.decisions(&all()).unwrap();
    assert!(matches!(index.take_back(decisions[0].sequence, decision(6)).await, Err(IndexError::Conflict(_))));
    assert!(matches!(index.take_back(1, decision(7)).await, Err(IndexError::Invalid { field: "decision", .. })));
    assert!(matches!(index.take_back(u64::MAX, decision(8)).await, Err(IndexError::Invalid { .. })));
    index.shared.read().unwrap().check_whole();
}

#[tokio::test]
async fn taking_back_says_again_that_it_was_changed_into_somebody_else() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    register(&index, "B/1", &Demographics { birth_date: "1933-07-07".into(), ..smith("Zoe") }).await;
    let kinds = |index: &Index| index.review_queue(9, &[]).unwrap().counts;
    let before = kinds(&index);
    index.tell_apart(at("A/1"), at("B/1"), decision(2)).await.unwrap();
    assert_eq!(kinds(&index), []);
    index.take_back(standing(&index)[0], decision(3)).await.unwrap();
    assert_eq!(kinds(&index), before);
    // And the link that rested meanwhile holds again when it is changed back.
    register(&index, "B/1", &smith("Beth")).await;
    assert_eq!(known_at(&index, who(&index, "A/1")), ["A/1", "B/1"]);
    index.shared.read().unwrap().check_whole();
}

/// Who is who under which ids, and what is to be decided.
fn snapshot(index: &Index) -> String {
    let place = |name: &&str| {
        (known_at_place(index, name), (!known_at_place(index, name).is_empty()).then(|| who(index, name)))
    };
    let persons: Vec<_> = PLACES.iter().map(place).collect();
    format!("{persons:?} {:?}", index.review_queue(100, &[]).unwrap())
}

fn decides(step: &Step) -> bool {
    matches!(step, Step::Link(..) | Step::Unlink(_) | Step::TellApart(..))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn taking_back_the_newest_first_restores_exactly_what_was(
        before in prop::collection::vec(step(), 1..30),
        decisions in prop::collection::vec(step().prop_filter("decides", decides), 1..8),
    ) {
        run(async {
            let (store, index) = memory().await;
            for (n, step) in before.iter().enumerate() {
                take(&index, n, step).await;
            }
            let mut seen = vec![(standing(&index).first().copied(), snapshot(&index))];
            for (n, step) in decisions.iter().enumerate() {
                take(&index, 100 + n, step).await;
                let newest = standing(&index).first().copied();
                if seen.last().is_some_and(|(known, _)| *known != newest) {
                    seen.push((newest, snapshot(&index)));
                }
            }
            while let Some((newest, then)) = seen.pop() {
                assert_eq!(snapshot(&index), then);
                index.shared.read().unwrap().check_whole();
                if !seen.is_empty() {
                    index.take_back(newest.unwrap(), decision(1000 + seen.len() as u128)).await.unwrap();
                }
            }
            let persons: BTreeSet<EnterpriseId> =
                PLACES.iter().filter(|p| !known_at_place(&index, p).is_empty()).map(|p| who(&index, p)).collect();
            assert_eq!(everything(&index, &persons), everything(&open(Arc::new(store), 9).await, &persons));
        });
    }

    #[test]
    fn whatever_is_taken_back_everything_follows_from_what_is_left(
        steps in prop::collection::vec((step(), any::<prop::sample::Index>(), 0..4_u8), 1..40),
    ) {
        run(async {
            let (store, index) = memory().await;
            for (n, (step, which, turn)) in steps.iter().enumerate() {
                take(&index, n, step).await;
                let standing = standing(&index);
                if *turn == 0 && !standing.is_empty() {
                    let result = index.take_back(standing[which.index(standing.len())], decision(1000 + n as u128)).await;
                    assert!(matches!(result, Ok(()) | Err(IndexError::RestsOn { .. })), "{result:?}");
                }
                index.shared.read().unwrap().check_whole();
            }
            let reopened = open(Arc::new(store), 9).await;
            assert_eq!(snapshot(&index), snapshot(&reopened));
            assert_eq!(told(&index, &all()), told(&reopened, &all()));
        });
    }
}
