use super::*;
use crate::{disk::MemoryDisk, keys::tests::es256_key as key};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

const LOG: &str = "audit.log";

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
    let report = verify_trail(&disk, key.public()).unwrap();
    assert_eq!((report.events, report.head_seq, report.faults), (6, 6, vec![]));
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

/// Segments of a kibibyte, which hold about eight events.
fn small() -> TrailSettings {
    TrailSettings { segment_kib: 1, ..TrailSettings::default() }
}

fn open_small(disk: &MemoryDisk, key: &SigningKey) -> Trail {
    let clock = Arc::new(Ticking(AtomicI64::new(0)));
    Trail::open_with(Arc::new(disk.clone()), clock, key.clone(), small()).unwrap()
}

/// A trail of `count` events in small segments, its head signed.
async fn in_segments(key: &SigningKey, count: usize) -> (MemoryDisk, Trail) {
    let disk = MemoryDisk::default();
    let trail = open_small(&disk, key);
    for n in 0..count {
        trail.record(event(n)).await.unwrap();
    }
    signed(&disk, key, count as u64).await;
    (disk, trail)
}

async fn signed(disk: &MemoryDisk, key: &SigningKey, seq: u64) {
    for _ in 0..1000 {
        if verify_trail(disk, key.public()).is_ok_and(|r| r.head_seq == seq) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the head was not signed");
}

fn segments(disk: &MemoryDisk) -> Vec<String> {
    disk.files().into_keys().filter(|name| name.ends_with(".log")).collect()
}

fn read(trail: &Trail) -> Vec<u64> {
    let mut seen = Vec::new();
    trail.scan(|seq, _, _| seen.push(seq)).unwrap();
    seen
}

#[tokio::test(start_paused = true)]
async fn the_chain_runs_on_from_segment_to_segment() {
    let key = key();
    let (disk, trail) = in_segments(&key, 40).await;
    assert_eq!(segments(&disk)[..3], ["audit-000002.log", "audit-000003.log", "audit-000004.log"]);
    let report = verify_trail(&disk, key.public()).unwrap();
    assert_eq!((report.events, report.segments as usize, report.faults), (40, segments(&disk).len(), vec![]));
    assert_eq!(read(&trail), (1..=40).collect::<Vec<_>>());
    drop(trail);
    let again = open_small(&disk, &key);
    assert_eq!(again.record(event(40)).await.unwrap(), 41);
    signed(&disk, &key, 41).await;
    // A trail in one file goes on in segments.
    let old = written(&key, 30).await;
    let trail = open_small(&old, &key);
    assert_eq!(trail.record(event(30)).await.unwrap(), 31);
    assert_eq!(segments(&old), ["audit-000002.log", LOG]);
    assert_eq!(read(&trail).len(), 31);
}

#[tokio::test]
async fn a_segment_that_is_missing_cut_or_changed_is_named() {
    let key = key();
    let (disk, trail) = in_segments(&key, 40).await;
    drop(trail);
    let files = disk.files();
    for (name, change, said) in [
        (LOG, None, "the segment audit.log is missing"),
        ("audit-000002.log", None, "the segment audit-000002.log is missing"),
        ("audit-000002.log", Some(&files["audit-000002.log"][..50]), "audit-000002.log ends within a line"),
        ("audit-000002.log", Some(b"".as_slice()), "audit-000003.log: events from"),
        ("audit-000003.log", Some(&files["audit-000002.log"][..]), "is there again"),
    ] {
        match change {
            None => disk.remove(name).unwrap(),
            Some(bytes) => disk.replace(name, bytes).unwrap(),
        }
        let faults = verify_trail(&disk, key.public()).unwrap().faults.join("\n");
        assert!(faults.contains(said), "{name}: {said:?} is not in {faults:?}");
        let clock = Arc::new(Ticking(AtomicI64::new(0)));
        let opened = Trail::open(Arc::new(disk.clone()), clock, key.clone());
        assert!(matches!(opened, Err(TrailError::Damaged(_))), "{name} was taken for whole");
        disk.replace(name, &files[name]).unwrap();
    }
    let last = segments(&disk).into_iter().rfind(|name| name != LOG).unwrap();
    disk.remove(&last).unwrap();
    assert!(verify_trail(&disk, key.public()).unwrap().faults[0].contains("the tail was cut"));
}

#[tokio::test]
async fn the_event_at_fault_is_named_with_its_time_and_kind() {
    let key = key();
    let disk = written(&key, 6).await;
    let log = String::from_utf8(disk.read(LOG).unwrap()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let without =
        |n: usize| lines.iter().enumerate().filter(move |(at, _)| *at != n).map(|(_, line)| format!("{line}\n"));
    for (text, said) in [
        (log.replace("p3", "p9"), "event 4 (intent, 1970-01-01T00:00:00"),
        (without(2).collect(), "events from 3 to 3 were removed"),
        (log.replace(lines[4], &format!("{}\n{}", lines[4], lines[4])), "event 5 (intent, 1970-01-01"),
        (log.replace("\"seq\":2", "\"sequ\":2"), "event 2 cannot be read"),
    ] {
        disk.replace(LOG, text.as_bytes()).unwrap();
        let faults = verify_trail(&disk, key.public()).unwrap().faults;
        assert!(faults[0].contains(said), "{said:?} is not in {faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn archived_segments_leave_a_note_from_which_the_chain_goes_on() {
    let key = key();
    let (disk, trail) = in_segments(&key, 60).await;
    let whole = trail.checkpoint(0).unwrap();
    let mut times = Vec::new();
    trail.scan(|_, at_ms, _| times.push(at_ms)).unwrap();
    let archive = MemoryDisk::default();
    assert_eq!(archive_trail((&disk, &archive), &key, times[3], 99).unwrap(), None, "no whole segment is that old");
    let removed = archive_trail((&disk, &archive), &key, times[30], 99).unwrap().unwrap();
    assert!((8..=30).contains(&removed.seq), "{removed:?}");
    let report = verify_trail(&disk, key.public()).unwrap();
    assert_eq!((report.events, report.removed.as_ref(), report.faults), (60, Some(&removed), vec![]));
    assert_eq!(read(&trail), (removed.seq + 1..=60).collect::<Vec<_>>(), "also while it is written to");
    assert_eq!(trail.record(event(60)).await.unwrap(), 61);
    signed(&disk, &key, 61).await;
    let seen = Witnessed { by: "A".into(), checkpoint: Checkpoint::read(&whole.checkpoint, key.public()).unwrap() };
    let report = verify_witnessed(&disk, key.public(), &[seen]).unwrap();
    assert_eq!((report.witnessed_seq, report.faults), (60, vec![]), "the tree is still the one that was seen");
    drop(trail);
    // What was removed can be checked by itself, and a second time goes on behind the first.
    assert_eq!(verify_trail(&archive, key.public()).unwrap().head_seq, removed.seq);
    let again = archive_trail((&disk, &archive), &key, times[50], 100).unwrap().unwrap();
    let kept = verify_trail(&archive, key.public()).unwrap();
    assert_eq!((kept.events, kept.removed, kept.faults), (again.seq, None, vec![]));
    // A writer that was killed may have left a head from before what was archived since.
    let before = Checkpoint { seq: 1, hash: "00".repeat(32), root: String::new(), at_ms: 1 }.sign(&key).unwrap();
    disk.replace("audit.head", before.as_bytes()).unwrap();
    assert_eq!(verify_trail(&disk, key.public()).unwrap().faults, Vec::<String>::new());
    assert_eq!(open_small(&disk, &key).record(event(61)).await.unwrap(), 62);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_cut_off_is_finished_and_one_without_a_good_note_is_found() {
    let key = key();
    let (disk, trail) = in_segments(&key, 40).await;
    drop(trail);
    let (first, archive) = (disk.read(LOG).unwrap(), MemoryDisk::default());
    archive_trail((&disk, &archive), &key, i64::MAX, 99).unwrap().unwrap();
    disk.replace(LOG, &first).unwrap();
    assert_eq!(verify_trail(&disk, key.public()).unwrap().faults, Vec::<String>::new());
    assert_eq!(archive_trail((&disk, &archive), &key, i64::MAX, 99).unwrap(), None);
    assert!(!disk.files().contains_key(LOG));
    let note = disk.read("audit.removed").unwrap();
    let forged =
        super::super::keys::tests::es256_key().sign("severn-trail-removed+jwt", &serde_json::json!({})).unwrap();
    for note in [None, Some(forged.into_bytes()), Some(note[1..].to_vec())] {
        match note {
            None => disk.remove("audit.removed").unwrap(),
            Some(bytes) => disk.replace("audit.removed", &bytes).unwrap(),
        }
        let faults = verify_trail(&disk, key.public()).unwrap().faults;
        assert!(faults[0].contains("the segment audit.log is missing"), "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_shown_to_go_on_from_every_older_one() {
    let key = key();
    let (_, trail) = in_segments(&key, 20).await;
    let older = trail.checkpoint(0).unwrap();
    assert_eq!(older.consistency, Vec::<Digest>::new());
    let before = Checkpoint::read(&older.checkpoint, key.public()).unwrap();
    for n in 20..50 {
        trail.record(event(n)).await.unwrap();
    }
    let newer = loop {
        let shown = trail.checkpoint(before.seq).unwrap();
        let after = Checkpoint::read(&shown.checkpoint, key.public()).unwrap();
        let sizes = ((before.seq, &before.root().unwrap()), (after.seq, &after.root().unwrap()));
        assert!(crate::merkle::is_consistent(sizes.0, sizes.1, &shown.consistency), "{after:?}");
        if after.seq == 50 {
            break after;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(matches!(trail.checkpoint(newer.seq + 1), Err(NotShown::NotFrom(_))));
    assert_eq!(trail.tile(0).unwrap().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_history_rewritten_by_its_own_writer_is_not_the_one_that_was_witnessed() {
    let key = key();
    let (_, trail) = in_segments(&key, 20).await;
    let signed_20 = Checkpoint::read(&trail.checkpoint(0).unwrap().checkpoint, key.public()).unwrap();
    // The same key, the same times, one event another: a whole trail, with a head of its own.
    let rewritten = MemoryDisk::default();
    let forged = open_small(&rewritten, &key);
    for n in 0..30 {
        forged.record(event(if n == 12 { 99 } else { n })).await.unwrap();
    }
    signed(&rewritten, &key, 30).await;
    let by = |by: &str, checkpoint: &Checkpoint| Witnessed { by: by.into(), checkpoint: checkpoint.clone() };
    assert_eq!(verify_trail(&rewritten, key.public()).unwrap().faults, Vec::<String>::new());
    let report = verify_witnessed(&rewritten, key.public(), &[by("A", &signed_20)]).unwrap();
    assert!(report.faults[0].contains("rewritten: this is not the trail that A has seen up to event 20"), "{report:?}");
    assert!(report.faults[0].contains("events 1 to 20"), "{report:?}");
    // What the rewriter showed to somebody else stands against the true trail, too.
    let fork = Checkpoint::read(&forged.checkpoint(0).unwrap().checkpoint, key.public()).unwrap();
    let both = [by("A", &signed_20), by("B", &fork)];
    let report = verify_witnessed(&rewritten, key.public(), &both).unwrap();
    assert_eq!((report.witnessed_seq, report.faults.len()), (30, 1));
    drop(forged);
    // A trail that was cut and signed anew before what was seen.
    let (cut, _trail) = in_segments(&key, 12).await;
    let report = verify_witnessed(&cut, key.public(), &[by("A", &signed_20)]).unwrap();
    assert!(report.faults[0].contains("events from 13 to 20 were removed: A has seen"), "{report:?}");
}

/// A disk that stops for good after so many operations; of an append that it stops at, a half is written.
#[derive(Clone)]
struct Dying {
    disk: MemoryDisk,
    left: Arc<AtomicI64>,
}

impl Dying {
    fn lives(&self) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    }
}

struct DyingFile(Dying, Box<dyn crate::disk::Append>);

impl crate::disk::Append for DyingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let lived = self.0.lives();
        let written = if lived.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        // Behind its last operation nothing reaches the disk.
        if self.0.left.load(Ordering::SeqCst) >= -1 {
            self.1.append(written)?;
        }
        lived
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lives()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.lives()?;
        self.1.truncate(length)
    }
}

impl Disk for Dying {
    fn open_append(&self, name: &str) -> io::Result<Box<dyn crate::disk::Append>> {
        self.lives()?;
        Ok(Box::new(DyingFile(self.clone(), self.disk.open_append(name)?)))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.lives()?;
        self.disk.replace(name, bytes)
    }

    fn open_read(&self, name: &str) -> io::Result<Box<dyn io::Read + Send>> {
        self.disk.open_read(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.lives()?;
        self.disk.remove(name)
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let key = key();
    let mut rotated = 0;
    for operations in 0..90 {
        let disk = MemoryDisk::default();
        let dying = Dying { disk: disk.clone(), left: Arc::new(AtomicI64::new(operations)) };
        let clock = Arc::new(Ticking(AtomicI64::new(0)));
        let opened = Trail::open_with(Arc::new(dying), clock, key.clone(), small());
        let mut acknowledged = 0;
        if let Ok(trail) = &opened {
            while trail.record(event(acknowledged)).await.is_ok() {
                acknowledged += 1;
            }
        }
        drop(opened);
        rotated += usize::from(segments(&disk).len() > 1);
        let again = open_small(&disk, &key);
        let (seen, next) = (read(&again).len(), again.record(event(99)).await.unwrap());
        assert!(seen >= acknowledged, "after {operations}: {acknowledged} acknowledged, {seen} there");
        assert_eq!(next, seen as u64 + 1);
        signed(&disk, &key, next).await;
        assert_eq!(verify_trail(&disk, key.public()).unwrap().faults, Vec::<String>::new());
    }
    assert!(rotated > 20, "{rotated} crashes behind a rotation are too few to tell");
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_operation_of_an_archive_leaves_the_trail_whole() {
    let key = key();
    let (whole, trail) = in_segments(&key, 40).await;
    drop(trail);
    let mut archived = 0;
    for operations in 0..14 {
        let disk = MemoryDisk::default();
        whole.files().iter().for_each(|(name, bytes)| disk.replace(name, bytes).unwrap());
        let dying = Dying { disk: disk.clone(), left: Arc::new(AtomicI64::new(operations)) };
        let archive = MemoryDisk::default();
        drop(archive_trail((&dying, &archive), &key, i64::MAX, 9));
        let report = verify_trail(&disk, key.public()).unwrap();
        assert_eq!((report.events, report.faults), (40, vec![]), "after {operations}");
        archived += usize::from(report.removed.is_some());
        drop(archive_trail((&disk, &archive), &key, i64::MAX, 10).unwrap());
        let left = verify_trail(&disk, key.public()).unwrap();
        assert_eq!((left.segments, left.faults), (1, vec![]), "the second time it comes to its end");
        assert_eq!(verify_trail(&archive, key.public()).unwrap().faults, Vec::<String>::new());
    }
    assert!(archived > 2, "{archived}");
}

#[tokio::test(start_paused = true)]
async fn the_head_of_an_older_program_is_taken_and_replaced_by_a_checkpoint() {
    let key = key();
    let disk = written(&key, 3).await;
    let new = read_head(&disk, key.public()).unwrap().unwrap();
    let payload = serde_json::json!({ "seq": 3, "hash": new.hash, "at_ms": 5 });
    disk.replace("audit.head", key.sign("severn-trail+jwt", &payload).unwrap().as_bytes()).unwrap();
    assert_eq!(verify_trail(&disk, key.public()).unwrap().faults, Vec::<String>::new());
    let trail = open(&disk, &key);
    assert!(matches!(trail.checkpoint(0), Err(NotShown::NothingYet)));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shown = Checkpoint::read(&trail.checkpoint(0).unwrap().checkpoint, key.public()).unwrap();
    assert_eq!((shown.seq, shown.root), (3, new.root));
}
