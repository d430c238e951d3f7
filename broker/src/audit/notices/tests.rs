use super::*;
use crate::{
    facts::{Actor, ChangeKind, Subject},
    model::{EnterpriseId, LocalId, Located},
};
use severn_trust::MemoryDisk;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that a test sets.
struct Set(AtomicI64);

impl Clock for Set {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn at(ms: i64) -> Arc<Set> {
    Arc::new(Set(AtomicI64::new(ms)))
}

fn source(id: &str, ods: &str) -> Arc<Source> {
    let (name, kind) = (format!("Organisation {ods}"), "made up".into());
    Arc::new(Source { id: SourceId(id.into()), name, kind, ods: ods.into() })
}

fn claim(ods: &str, known_at: &[&str]) -> Change {
    let by = Actor {
        issuer: "https://login.example".into(),
        id: "u-1".into(),
        name: "Dr Ada Example".into(),
        role_code: "R8000".into(),
        organisation_ods: ods.into(),
    };
    let located = |source: &&str| Located { source: SourceId((*source).into()), local_id: LocalId("1".into()) };
    let registrations = known_at.iter().map(located).collect();
    let subject = Subject { person: EnterpriseId(Uuid::from_u128(9)), registrations, numbers: BTreeSet::new() };
    let kind = ChangeKind::RelationshipClaimed { reason: "walked in".into(), until_ms: 9 };
    Change { key: Uuid::from_u128(1), by, subject: Some(subject), kind }
}

fn told(change: &Change, sources: &[Arc<Source>]) -> Vec<Recipient> {
    recipients(change, sources).into_iter().collect()
}

#[test]
fn both_sides_are_told_and_nobody_else() {
    let sources = [source("GP1", "M1"), source("RXT", "RXT"), source("RRK", "RRK"), source("RRK-2", "rrk")];
    let to = |id: &str| Recipient::Source(id.into());
    assert_eq!(told(&claim("RRK", &["GP1"]), &sources), [to("GP1"), to("RRK"), to("RRK-2")]);
    let elsewhere = Recipient::Organisation("Y99".into());
    assert_eq!(told(&claim("Y99", &["GP1", "GONE"]), &sources), [to("GP1"), elsewhere]);
}

#[test]
fn what_was_delivered_is_known_after_a_restart_and_forgotten_after_its_life() {
    let (disk, clock) = (MemoryDisk::default(), at(1_000));
    let open = || Notices::open(Arc::new(disk.clone()), None, clock.clone()).unwrap();
    let (id, to) = (Uuid::from_u128(1), Recipient::Source("GP1".into()));
    let notices = open();
    assert_eq!(notices.delivered_at(id, &to), None);
    notices.note(id, &to).unwrap();
    assert_eq!(open().delivered_at(id, &to), Some(1_000));
    assert_eq!(open().delivered_at(id, &Recipient::Organisation("GP1".into())), None);
    clock.0.store(1_000 + NOTICE_LIFE_MS, Ordering::Relaxed);
    assert_eq!(open().delivered_at(id, &to), None);
    assert!(disk.files()["notices.log"].is_empty(), "and the file does not grow for ever");
}

#[test]
fn a_line_that_a_crash_left_unfinished_hides_no_other() {
    let (disk, clock) = (MemoryDisk::default(), at(1_000));
    let open = || Notices::open(Arc::new(disk.clone()), None, clock.clone()).unwrap();
    let to = Recipient::Source("GP1".into());
    open().note(Uuid::from_u128(1), &to).unwrap();
    let mut file = disk.open_append("notices.log").unwrap();
    file.append(b"{\"id\":\"0000").unwrap();
    let notices = open();
    notices.note(Uuid::from_u128(2), &to).unwrap();
    let again = open();
    assert!(
        again.delivered_at(Uuid::from_u128(1), &to).is_some() && again.delivered_at(Uuid::from_u128(2), &to).is_some()
    );
}
