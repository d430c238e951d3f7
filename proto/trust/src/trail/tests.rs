use super::*;
use crate::{disk::MemoryDisk, keys::tests::es256_key as key};
use std::sync::atomic::{AtomicI64, Ordering};

struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

fn event(n: usize) -> TrailEvent {
    TrailEvent { action: "intent".into(), person: format!("p{n}"), ..TrailEvent::default() }
}

fn open(disk: &MemoryDisk, key: &SigningKey) -> Trail {
    Trail::open(Arc::new(disk.clone()), Arc::new(Ticking(AtomicI64::new(0))), key.clone()).unwrap()
}

async fn written(key: &SigningKey, count: usize) -> MemoryDisk {
    let disk = MemoryDisk::default();
    let trail = open(&disk, key);
    for n in 0..count {
        assert_eq!(trail.record(event(n)).await.unwrap(), n as u64 + 1);
    }
    drop(trail);
    // The writer signs the head when its queue closes.
    for _ in 0..1000 {
        if verify_trail(&disk, key.public()).is_ok_and(|r| r.head_seq == count as u64) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    disk
}

#[tokio::test]
async fn what_is_recorded_is_there_after_a_restart() {
    let key = key();
    let disk = written(&key, 5).await;
    let trail = open(&disk, &key);
    assert_eq!(trail.record(event(5)).await.unwrap(), 6);
    let mut seen = Vec::new();
    trail.scan(|seq, _, event| seen.push((seq, event.person))).unwrap();
    assert_eq!(seen, (0..6).map(|n| (n as u64 + 1, format!("p{n}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_changed_removed_reordered_or_cut_line_is_found() {
    let key = key();
    let disk = written(&key, 6).await;
    assert_eq!(verify_trail(&disk, key.public()).unwrap(), VerifyReport { events: 6, head_seq: 6, faults: vec![] });
    let log = disk.read(LOG).unwrap();
    let tampered = |bytes: Vec<u8>| {
        disk.replace(LOG, &bytes).unwrap();
        let report = verify_trail(&disk, key.public()).unwrap();
        disk.replace(LOG, &log).unwrap();
        !report.faults.is_empty()
    };
    for at in 0..log.len() {
        // 32 changes the case of a letter, also of a hexadecimal digit.
        for bits in [1, 32] {
            let mut changed = log.clone();
            changed[at] ^= bits;
            assert!(tampered(changed), "a change of byte {at} was not found");
        }
        let mut longer = log.clone();
        longer.insert(at, b'\n');
        assert!(tampered(longer), "a line break before byte {at} was not found");
    }
    assert!(tampered(log[..log.len() - 1].to_vec()), "the removal of the last line break was not found");
    let lines: Vec<&[u8]> = log.split_inclusive(|b| *b == b'\n').collect();
    for at in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(at);
        assert!(tampered(removed.concat()), "the removal of line {at} was not found");
        let mut swapped = lines.clone();
        swapped.swap(at, (at + 1) % lines.len());
        assert!(tampered(swapped.concat()), "a swap at line {at} was not found");
        assert!(tampered(lines[..at].concat()), "a cut before line {at} was not found");
    }
}

#[tokio::test]
async fn a_head_of_another_key_vouches_for_nothing() {
    let disk = written(&key(), 2).await;
    assert!(!verify_trail(&disk, key().public()).unwrap().faults.is_empty());
}

#[tokio::test]
async fn a_full_disk_refuses_and_recovers_when_there_is_room() {
    let key = key();
    let disk = MemoryDisk::default();
    let trail = open(&disk, &key);
    trail.record(event(0)).await.unwrap();
    disk.set_full(true);
    assert!(matches!(trail.record(event(1)).await, Err(TrailError::Storage(_))));
    disk.set_full(false);
    assert_eq!(trail.record(event(2)).await.unwrap(), 2);
}

#[tokio::test]
async fn an_unfinished_last_line_is_cut_off_and_a_changed_line_is_refused() {
    let key = key();
    let disk = written(&key, 3).await;
    let mut log = disk.read(LOG).unwrap();
    log.extend_from_slice(b"0123 {\"seq\":");
    disk.replace(LOG, &log).unwrap();
    assert_eq!(open(&disk, &key).record(event(3)).await.unwrap(), 4);
    log[80] ^= 1;
    disk.replace(LOG, &log).unwrap();
    let reopened = Trail::open(Arc::new(disk), Arc::new(Ticking(AtomicI64::new(0))), key);
    assert!(matches!(reopened, Err(TrailError::Damaged(_))));
}

#[tokio::test]
async fn a_cut_tail_is_not_continued() {
    let key = key();
    let disk = written(&key, 3).await;
    let log = disk.read(LOG).unwrap();
    let lines: Vec<&[u8]> = log.split_inclusive(|b| *b == b'\n').collect();
    for kept in 0..3 {
        disk.replace(LOG, &lines[..kept].concat()).unwrap();
        let opened = Trail::open(Arc::new(disk.clone()), Arc::new(Ticking(AtomicI64::new(0))), key.clone());
        assert!(matches!(opened, Err(TrailError::Damaged(_))), "{kept} of 3 lines were taken for the whole trail");
    }
}
