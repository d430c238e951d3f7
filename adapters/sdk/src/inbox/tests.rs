use super::*;
use proptest::prelude::*;
use severn_trust::MemoryDisk;

fn taken(id: u128, user: &str, entry_id: &str) -> Taken {
    Taken {
        id: Uuid::from_u128(id),
        at_ms: i64::try_from(id).unwrap(),
        issuer: "https://login.example".into(),
        organisation: "RRK".into(),
        user: user.into(),
        name: "Dr Ada Example".into(),
        role: "R8000".into(),
        local_id: "p1".into(),
        dataset: "allergies".into(),
        entry_id: entry_id.into(),
        labels: Vec::new(),
        kind: "wrong".into(),
        note: "a note".into(),
    }
}

fn answered(id: u128, state: &str) -> Answered {
    Answered { id: Uuid::from_u128(id), at_ms: 99, state: state.into(), note: "an answer".into() }
}

fn inbox() -> (MemoryDisk, Inbox) {
    let disk = MemoryDisk::default();
    (disk.clone(), Inbox::new(Arc::new(disk)))
}

fn ids(inbox: &Inbox) -> Vec<u128> {
    inbox.contents().unwrap().held.iter().map(|held| held.taken.id.as_u128()).collect()
}

#[test]
fn what_is_taken_is_there_after_a_restart_and_its_last_answer_stands() {
    let (disk, inbox) = inbox();
    assert_eq!(inbox.contents().unwrap(), Contents::default());
    inbox.take(taken(1, "u-1", "a1")).unwrap();
    inbox.take(taken(2, "u-2", "a1")).unwrap();
    inbox.answer(&answered(1, "looked_at")).unwrap();
    inbox.answer(&answered(1, "corrected")).unwrap();
    let held = Inbox::new(Arc::new(disk)).contents().unwrap().held;
    assert_eq!(held.iter().map(|h| &h.taken).collect::<Vec<_>>(), [&taken(1, "u-1", "a1"), &taken(2, "u-2", "a1")]);
    assert_eq!(held[0].state(), ChallengeState::Corrected);
    assert!(!held[0].is_open());
    assert_eq!((held[1].state(), held[1].is_open()), (ChallengeState::Received, true));
}

#[test]
fn a_repetition_is_the_same_challenge_until_it_is_decided() {
    let (_, inbox) = inbox();
    inbox.take(taken(1, "u-1", "a1")).unwrap();
    let repeated = Taken { note: "other words".into(), ..taken(2, "u-1", "a1") };
    assert_eq!(inbox.take(repeated.clone()).unwrap(), taken(1, "u-1", "a1"), "the first note stands");
    inbox.answer(&answered(1, "looked_at")).unwrap();
    assert_eq!(inbox.take(repeated.clone()).unwrap().id, Uuid::from_u128(1), "it is not decided yet");
    for (id, other) in [
        (3, taken(3, "u-2", "a1")),
        (4, taken(4, "u-1", "a2")),
        (5, Taken { kind: "other_person".into(), ..taken(5, "u-1", "a1") }),
        (6, Taken { dataset: "problems".into(), ..taken(6, "u-1", "a1") }),
        (7, Taken { local_id: "p2".into(), ..taken(7, "u-1", "a1") }),
        (8, Taken { organisation: "RBK".into(), ..taken(8, "u-1", "a1") }),
    ] {
        assert_eq!(inbox.take(other).unwrap().id, Uuid::from_u128(id), "something else");
    }
    inbox.answer(&answered(1, "stands")).unwrap();
    assert_eq!(inbox.take(repeated).unwrap().id, Uuid::from_u128(2), "a decided one may be challenged again");
    assert_eq!(ids(&inbox), [1, 3, 4, 5, 6, 7, 8, 2]);
}

#[test]
fn what_waits_is_bounded() {
    let (_, inbox) = inbox();
    for id in 0..OPEN_OF_USER_MAX as u128 {
        inbox.take(taken(id, "u-1", &format!("a{id}"))).unwrap();
    }
    assert!(matches!(inbox.take(taken(9999, "u-1", "one more")), Err(InboxError::Full)));
    inbox.take(taken(9998, "u-2", "another's")).unwrap();
    inbox.answer(&answered(0, "stands")).unwrap();
    inbox.take(taken(9999, "u-1", "one more")).unwrap();

    let (disk, full) = self::inbox();
    let mut lines = Vec::new();
    for id in 0..OPEN_MAX as u128 {
        serde_json::to_writer(&mut lines, &taken(id, &format!("u-{id}"), "a1")).unwrap();
        lines.push(b'\n');
    }
    disk.replace(CHALLENGES, &lines).unwrap();
    assert!(matches!(full.take(taken(9999, "somebody else", "a1")), Err(InboxError::Full)));
    assert_eq!(ids(&full).len(), OPEN_MAX);
}

#[test]
fn an_unfinished_last_line_is_cut_off_and_a_damaged_one_hides_no_other() {
    let (disk, inbox) = inbox();
    inbox.take(taken(1, "u-1", "a1")).unwrap();
    let whole = disk.files()[CHALLENGES].clone();
    for cut in 1..whole.len() {
        disk.replace(CHALLENGES, &[&whole[..], &whole[..cut]].concat()).unwrap();
        assert_eq!(inbox.contents().unwrap().damaged, 0, "it was never acknowledged");
        inbox.take(taken(2, "u-1", "a2")).unwrap();
        assert_eq!(ids(&inbox), [1, 2], "cut at {cut}");
    }
    let damaged = [b"{\"id\":7}\n", &whole[..], b"not JSON\n", &[0xff, b'\n']].concat();
    disk.replace(CHALLENGES, &damaged).unwrap();
    let contents = inbox.contents().unwrap();
    assert_eq!((contents.held.len(), contents.damaged), (1, 3));
    inbox.take(taken(2, "u-1", "a2")).unwrap();
    assert!(disk.files()[CHALLENGES].starts_with(&damaged), "what is damaged stays as evidence");
}

#[test]
fn a_full_disk_takes_nothing_and_recovers() {
    let (disk, inbox) = inbox();
    inbox.take(taken(1, "u-1", "a1")).unwrap();
    disk.set_full(true);
    assert!(matches!(inbox.take(taken(2, "u-1", "a2")), Err(InboxError::Storage(_))));
    assert!(matches!(inbox.answer(&answered(1, "stands")), Err(InboxError::Storage(_))));
    disk.set_full(false);
    assert_eq!(ids(&inbox), [1]);
    inbox.take(taken(2, "u-1", "a2")).unwrap();
    assert_eq!(ids(&inbox), [1, 2]);
}

#[test]
fn an_answer_needs_a_challenge_and_fits() {
    let (_, inbox) = inbox();
    inbox.take(taken(1, "u-1", "a1")).unwrap();
    assert!(matches!(inbox.answer(&answered(7, "stands")), Err(InboxError::Unknown)));
    let long = Answered { note: "x".repeat(4097), ..answered(1, "stands") };
    assert!(matches!(inbox.answer(&long), Err(InboxError::Answer(why)) if why.contains("4096")));
    let bell = Answered { note: "\u{7}".into(), ..answered(1, "stands") };
    assert!(matches!(inbox.answer(&bell), Err(InboxError::Answer(_))));
    assert_eq!(inbox.contents().unwrap().held[0].answered, None);
}

#[test]
fn nothing_of_a_challenge_is_shown_by_debug() {
    let held = Held { taken: taken(1, "u-1", "a1"), answered: Some(answered(1, "stands")) };
    let shown = format!("{held:?}");
    for secret in ["a note", "an answer", "p1", "u-1", "Ada"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

proptest! {
    /// Whatever is taken and answered in whatever order, with the owner's command as another process: every challenge
    /// that was acknowledged is there once, with the last answer that was acknowledged.
    #[test]
    fn what_was_acknowledged_is_there(steps in prop::collection::vec((0_u128..6, 0_u8..4, any::<bool>()), 1..40)) {
        let disk = MemoryDisk::default();
        let serving = Inbox::new(Arc::new(disk.clone()));
        let command = Inbox::new(Arc::new(disk.clone()));
        let mut expected: Vec<(u128, ChallengeState)> = Vec::new();
        for (id, act, full) in steps {
            disk.set_full(full && act == 3);
            let known = expected.iter().position(|(known, _)| *known == id);
            match act {
                0 | 3 if known.is_none() => {
                    let kept = serving.take(taken(id, "u-1", &format!("a{id}"))).is_ok();
                    prop_assert_eq!(kept, act == 0 || !full);
                    expected.extend(kept.then_some((id, ChallengeState::Received)));
                }
                1 | 2 => {
                    let word = if act == 1 { "looked_at" } else { "corrected" };
                    let kept = command.answer(&answered(id, word)).is_ok();
                    prop_assert_eq!(kept, known.is_some());
                    if let Some(at) = known {
                        expected[at].1 = challenge_state_from_word(word).unwrap();
                    }
                }
                _ => {}
            }
            disk.set_full(false);
        }
        let held = serving.contents().unwrap().held;
        let found: Vec<(u128, ChallengeState)> = held.iter().map(|h| (h.taken.id.as_u128(), h.state())).collect();
        prop_assert_eq!(found, expected);
    }
}
