//! Notices: durable, once, and seen by somebody with a name.

use super::*;
use severn_trust::MemoryDisk;
use std::sync::Arc;

fn told(id: u128) -> Told {
    let notice = Notice {
        id: Uuid::from_u128(id).to_string(),
        user: "Dr Ada Example (u-1)".into(),
        local_ids: vec!["4711".into()],
        ..Notice::default()
    };
    Told::read(notice, 7).expect("a notice")
}

fn seen(id: u128, by: &str) -> Seen {
    Seen { id: Uuid::from_u128(id), at_ms: 8, by: by.into() }
}

#[test]
fn a_notice_is_there_once_after_a_restart_too() {
    let disk = MemoryDisk::default();
    let inbox = Inbox::new(Arc::new(disk.clone()));
    assert!(!inbox.tell(&told(1)).unwrap());
    assert!(inbox.tell(&told(1)).unwrap(), "a repetition");
    let inbox = Inbox::new(Arc::new(disk));
    assert!(inbox.tell(&told(1)).unwrap(), "a repetition after a restart");
    assert!(!inbox.tell(&told(2)).unwrap());
    let ids: Vec<Uuid> = inbox.notices().unwrap().told.into_iter().map(|(told, _)| told.id).collect();
    assert_eq!(ids, [1, 2].map(Uuid::from_u128));
}

#[test]
fn who_saw_it_first_stands() {
    let inbox = Inbox::new(Arc::new(MemoryDisk::default()));
    assert!(matches!(inbox.see(&seen(1, "P. Officer")), Err(InboxError::UnknownNotice)));
    inbox.tell(&told(1)).unwrap();
    assert!(matches!(inbox.see(&seen(1, " ")), Err(InboxError::Answer(_))), "nobody is no name");
    inbox.see(&seen(1, "P. Officer")).unwrap();
    inbox.see(&seen(1, "Somebody Else")).unwrap();
    let notices = inbox.notices().unwrap();
    assert_eq!(notices.told[0].1.as_ref().unwrap().by, "P. Officer");
}

#[test]
fn a_notice_that_breaks_the_contract_is_refused_by_its_field() {
    let of = |notice: Notice| Told::read(notice, 7).unwrap_err();
    assert_eq!(of(Notice::default()), "id");
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(of(Notice { user: long.clone(), ..Notice::default() }), "user");
    assert_eq!(of(Notice { local_ids: vec![long], ..Notice::default() }), "local_ids");
}

#[test]
fn what_the_broker_says_hides_nothing_of_what_the_adapter_sees() {
    let inbox = Inbox::new(Arc::new(MemoryDisk::default()));
    inbox.tell(&told(1)).unwrap();
    let somebody_else = Told { user: "Mallory (u-9)".into(), ..told(1) };
    assert!(!inbox.tell(&somebody_else).unwrap());
    let another_person = Told { local_ids: vec!["815".into()], ..told(1) };
    assert!(!inbox.tell(&another_person).unwrap());
    let both = Told { local_ids: vec!["4711".into(), "4712".into()], person: "0190".into(), ..told(1) };
    assert!(inbox.tell(&both).unwrap(), "the same act about the same person");
    assert_eq!(inbox.notices().unwrap().told.len(), 3);
}

#[test]
fn more_than_may_wait_are_refused_until_some_are_seen() {
    let disk = MemoryDisk::default();
    let inbox = Inbox::new(Arc::new(disk.clone()));
    let lines = (1..=UNSEEN_MAX as u128).map(|id| serde_json::to_string(&told(id)).unwrap() + "\n");
    severn_trust::Disk::replace(&disk, NOTICES, lines.collect::<String>().as_bytes()).unwrap();
    assert!(inbox.tell(&told(7)).unwrap(), "one that is there needs no room");
    let next = told(UNSEEN_MAX as u128 + 1);
    assert!(matches!(inbox.tell(&next), Err(InboxError::Full)));
    inbox.see(&seen(7, "P. Officer")).unwrap();
    assert!(!inbox.tell(&next).unwrap());
}
