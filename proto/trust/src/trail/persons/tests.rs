//! What is looked up is what a reading of everything finds, whatever became of the files beside.

use super::*;
use crate::{Details, MemoryDisk, SigningKey, SystemClock, TrailSettings, archive_trail};
use std::sync::Arc;

const PERSONS: u32 = 7;

fn person(n: u32) -> String {
    format!("0190b5b0-0000-7000-9000-{n:012}")
}

fn open(disk: &MemoryDisk, key: &SigningKey) -> Trail {
    // Files of 4 KiB, so that there are many.
    let settings = TrailSettings { segment_kib: 4, ..TrailSettings::default() };
    Trail::open_with(Arc::new(disk.clone()), Arc::new(SystemClock), key.clone(), settings).unwrap()
}

async fn write(trail: &Trail, events: u32) {
    for n in 0..events {
        let (action, person) = match n % 5 {
            0 => ("found", String::new()),
            1 => ("list_sources", String::new()),
            _ => ("intent", person(n % PERSONS)),
        };
        let candidates = [person_of(n), self::person(n % PERSONS)];
        // One line is longer than what is read of a line at first.
        let text = "x".repeat(if n == 3 { 3 * LINE_BYTES } else { 40 });
        let details = Details::default().with("text", &text);
        let details = if action == "found" { details.with("candidates", &candidates) } else { details };
        let event = TrailEvent { action: action.into(), person, details, ..TrailEvent::default() };
        trail.record(event).await.unwrap();
    }
}

fn person_of(n: u32) -> String {
    person((n + 1) % PERSONS)
}

fn looked_up(trail: &Trail, persons: &[String]) -> Vec<u64> {
    let mut found = Vec::new();
    trail.scan_persons(persons, |seq, _, _| found.push(seq)).unwrap();
    found
}

/// The slow way.
fn read(trail: &Trail, persons: &[String]) -> Vec<u64> {
    let mut found = Vec::new();
    let scanned = trail.scan(|seq, _, event| {
        let candidates: Vec<String> =
            event.details.get("candidates").and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        if persons.contains(&event.person) || candidates.iter().any(|shown| persons.contains(shown)) {
            found.push(seq);
        }
    });
    scanned.unwrap();
    found
}

fn agrees(trail: &Trail) {
    for n in 0..PERSONS {
        let persons = [person(n), person((n + 3) % PERSONS)];
        let expected = read(trail, &persons);
        assert!(!expected.is_empty());
        assert_eq!(looked_up(trail, &persons), expected);
    }
    assert_eq!(looked_up(trail, &["nobody".into()]), Vec::<u64>::new());
    assert_eq!(looked_up(trail, &[]), Vec::<u64>::new());
}

#[tokio::test]
async fn what_is_looked_up_is_what_is_read_while_it_grows_and_after_a_restart() {
    let (disk, key) = (MemoryDisk::default(), SigningKey::from_pem(&rcgen_pem()).unwrap());
    let trail = open(&disk, &key);
    assert_eq!(looked_up(&trail, &[person(1)]), Vec::<u64>::new(), "an empty trail");
    for _ in 0..3 {
        write(&trail, 60).await;
        agrees(&trail);
    }
    assert!(disk.files().keys().filter(|name| name.ends_with(".persons")).count() > 3, "there are many files");
    drop(trail);
    tokio::task::yield_now().await;
    let trail = open(&disk, &key);
    trail.index_persons().unwrap();
    agrees(&trail);
}

#[tokio::test]
async fn a_file_that_is_damaged_or_missing_is_made_anew() {
    let (disk, key) = (MemoryDisk::default(), SigningKey::from_pem(&rcgen_pem()).unwrap());
    let trail = open(&disk, &key);
    write(&trail, 100).await;
    trail.index_persons().unwrap();
    let whole = disk.files();
    let beside: Vec<&String> = whole.keys().filter(|name| name.ends_with(".persons")).collect();
    for (n, name) in beside.iter().enumerate() {
        let mut bytes = whole[*name].clone();
        match n % 3 {
            0 => disk.remove(name).unwrap(),
            1 => {
                bytes[0] ^= 1;
                disk.replace(name, &bytes).unwrap();
            }
            _ => disk.replace(name, &bytes[..bytes.len() - ENTRY]).unwrap(),
        }
    }
    agrees(&trail);
    assert_eq!(disk.files(), whole);
}

#[tokio::test]
async fn what_was_archived_takes_its_files_along_and_a_missing_segment_is_an_error() {
    let (disk, key) = (MemoryDisk::default(), SigningKey::from_pem(&rcgen_pem()).unwrap());
    let trail = open(&disk, &key);
    write(&trail, 100).await;
    trail.index_persons().unwrap();
    let before = disk.files().len();
    archive_trail((&disk, &MemoryDisk::default()), &key, i64::MAX, 0).unwrap().unwrap();
    assert!(!disk.files().contains_key(&persons_name(1)) && disk.files().len() < before / 2);
    write(&trail, 60).await;
    agrees(&trail);
    let segments = trail.segments().unwrap();
    assert!(segments.len() > 2);
    disk.remove(&segment_name(segments[1])).unwrap();
    assert!(matches!(trail.scan_persons(&[person(1)], |_, _, _| ()), Err(TrailError::Damaged(_))));
}

fn rcgen_pem() -> String {
    rcgen::KeyPair::generate().unwrap().serialize_pem()
}
