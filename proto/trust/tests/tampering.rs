//! A hundred thousand random tamperings with a trail, by a stranger who can reach its files and by its own operator, who
//! has its key too: every one is found.

#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use severn_trust::{
    Checkpoint, Clock, Disk as _, MemoryDisk, MerkleEdge, SigningKey, Trail, TrailEvent, TrailSettings, VerifyReport,
    Witnessed, archive_trail, hex, sha256, verify_witnessed,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Tamperings of each test; together with [`REWRITTEN`] a hundred thousand.
const BY_STRANGERS: usize = 40_000;
const REWRITTEN: usize = 10_000;

struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Numbers that are the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end as u64) as usize
    }
}

/// The trail's key; made once, since reading one takes longer than a check.
fn key() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    let make = || SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    KEY.get_or_init(make).clone()
}

/// A trail as it lies, and what witnesses have seen of it.
struct Laid {
    files: BTreeMap<String, Vec<u8>>,
    witnessed: Vec<Witnessed>,
}

/// Writes `events` events, of which witnesses see some states; the oldest segments are archived if `archived`.
async fn lay(events: usize, archived: bool) -> Laid {
    let (disk, key, clock) = (MemoryDisk::default(), key(), Arc::new(Ticking(AtomicI64::new(1))));
    let settings = TrailSettings { segment_kib: 1, ..TrailSettings::default() };
    let trail = Trail::open_with(Arc::new(disk.clone()), clock, key.clone(), settings).unwrap();
    let mut witnessed = Vec::new();
    for n in 1..=events {
        let event = TrailEvent { action: "seal".into(), person: format!("person {n}"), ..TrailEvent::default() };
        trail.record(event).await.unwrap();
        // One event behind the last witness: only the head vouches for it.
        if n + 1 == events || n == events {
            let checkpoint = loop {
                let shown = trail.checkpoint(0).ok();
                let read = shown.map(|shown| Checkpoint::read(&shown.checkpoint, key.public()).unwrap());
                match read {
                    Some(checkpoint) if checkpoint.seq == n as u64 => break checkpoint,
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            if n < events {
                witnessed.push(Witnessed { by: "A".into(), checkpoint });
            }
        }
    }
    if archived {
        archive_trail((&disk, &MemoryDisk::default()), &key, i64::MAX, 5).unwrap().unwrap();
    }
    Laid { files: disk.files(), witnessed }
}

fn check(files: &BTreeMap<String, Vec<u8>>, witnessed: &[Witnessed]) -> VerifyReport {
    let disk = MemoryDisk::default();
    files.iter().for_each(|(name, bytes)| disk.replace(name, bytes).unwrap());
    verify_witnessed(&disk, key().public(), witnessed).unwrap()
}

async fn laid() -> Vec<Laid> {
    let mut laid = Vec::new();
    for (events, archived) in [(3, false), (7, false), (12, false), (16, true)] {
        let one = lay(events, archived).await;
        assert_eq!(check(&one.files, &one.witnessed).faults, Vec::<String>::new(), "as it was laid it is whole");
        laid.push(one);
    }
    laid
}

/// One change of one file, at random; `None` where it would change nothing.
fn tampered(bytes: &[u8], last: bool, numbers: &mut Numbers) -> Option<Vec<u8>> {
    let mut changed = bytes.to_vec();
    let at = numbers.below(bytes.len());
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let (one, other) = (numbers.below(lines.len()), numbers.below(lines.len()));
    match numbers.below(9) {
        0 | 1 => changed[at] ^= 1 << numbers.below(8),
        2 => changed.insert(at, bytes[numbers.below(bytes.len())]),
        3 => drop(changed.remove(at)),
        4 => {
            let until = (one + 1 + numbers.below(3)).min(lines.len());
            drop(lines.drain(one..until));
            changed = lines.concat();
        }
        5 => {
            lines.swap(one, other);
            changed = lines.concat();
        }
        6 => {
            lines.insert(one, lines[other]);
            changed = lines.concat();
        }
        7 => changed.truncate(at),
        _ => changed[at..].reverse(),
    }
    // What a crash may leave behind the last line says nothing, and is not a change of history.
    let only_a_tail = last && changed.starts_with(bytes) && !changed[bytes.len()..].contains(&b'\n');
    (changed != bytes && !only_a_tail).then_some(changed)
}

async fn strangers(seed: u64) {
    let (laid, mut numbers, mut found) = (laid().await, Numbers(seed), 0);
    while found < BY_STRANGERS {
        let trail = &laid[numbers.below(laid.len())];
        let mut files = trail.files.clone();
        let names: Vec<&String> = trail.files.keys().collect();
        let name = names[numbers.below(names.len())];
        let newest = names.iter().filter(|name| name.ends_with(".log") && **name != "audit.log").max();
        let last = newest.map_or(name == "audit.log", |newest| *newest == name);
        if numbers.below(50) == 0 {
            files.remove(name);
        } else {
            let Some(changed) = tampered(&trail.files[name], last, &mut numbers) else { continue };
            files.insert(name.clone(), changed);
        }
        let report = check(&files, &trail.witnessed);
        assert!(!report.faults.is_empty(), "{name} was changed and nothing was found: {files:?}");
        found += 1;
    }
}

#[tokio::test]
async fn forty_thousand_changes_of_files_are_found() {
    strangers(20_261_123).await;
}

#[tokio::test]
async fn forty_thousand_more_changes_of_files_are_found() {
    strangers(7).await;
}

/// A whole trail with these events, chained and signed as its own operator can.
fn signed_anew(events: &[String]) -> (BTreeMap<String, Vec<u8>>, Checkpoint) {
    let (mut hash, mut tree, mut log) = ([0; 32], MerkleEdge::default(), String::new());
    for (event, seq) in events.iter().zip(1..) {
        let json = format!("{{\"seq\":{seq},\"at_ms\":{seq},\"event\":{event}}}");
        hash = sha256(&[&hash, json.as_bytes()]);
        tree.push(&hash);
        log += &format!("{} {json}\n", hex(&hash));
    }
    let head =
        Checkpoint { seq: events.len() as u64, hash: hex(&hash), root: hex(&tree.root()), at_ms: events.len() as i64 };
    let signed = head.sign(&key()).unwrap();
    let files = [("audit.log".to_owned(), log.into_bytes()), ("audit.head".to_owned(), signed.into_bytes())];
    (files.into(), head)
}

fn events(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{{\"action\":\"seal\",\"person\":\"person {n}\"}}")).collect()
}

/// Changes history before event `end`, in one of the ways in which an operator might.
fn rewritten(events: &[String], end: usize, numbers: &mut Numbers) -> Vec<String> {
    let mut changed = events.to_vec();
    let at = numbers.below(end);
    match numbers.below(5) {
        0 => changed[at] = changed[at].replace("person", "nobody"),
        1 => drop(changed.remove(at)),
        2 => changed.insert(at, changed[numbers.below(end)].replace("seal", "find")),
        3 if end > 1 => changed.swap(at, (at + 1) % end),
        // Cut, and gone on from there with other events, so that it is as long as before.
        _ => {
            changed.truncate(at);
            changed.extend((at..events.len()).map(|n| format!("{{\"action\":\"seal\",\"person\":\"other {n}\"}}")));
        }
    }
    changed
}

#[test]
fn ten_thousand_histories_rewritten_by_the_operator_are_found_by_what_a_witness_has_seen() {
    let mut numbers = Numbers(99);
    for _ in 0..REWRITTEN {
        let original = events(2 + numbers.below(12));
        let seen = 1 + numbers.below(original.len());
        let (_, checkpoint) = signed_anew(&original[..seen]);
        let witnessed = [Witnessed { by: "A".into(), checkpoint }];
        let (files, _) = signed_anew(&rewritten(&original, seen, &mut numbers));
        let report = check(&files, &witnessed);
        assert!(report.faults.iter().any(|fault| fault.contains("A has seen")), "{report:?}");
    }
}

#[test]
fn ten_thousand_forks_shown_to_two_witnesses_are_found_whichever_is_kept() {
    let mut numbers = Numbers(1234);
    let mut found = 0;
    while found < REWRITTEN {
        let one = events(2 + numbers.below(12));
        let forked = numbers.below(one.len()) + 1;
        let other = rewritten(&one, forked, &mut numbers);
        if one.starts_with(&other) || other.starts_with(&one) {
            continue;
        }
        let (one, other) = (signed_anew(&one), signed_anew(&other));
        let seen = [("A", &one.1), ("B", &other.1)];
        let witnessed = seen.map(|(by, checkpoint)| Witnessed { by: by.into(), checkpoint: checkpoint.clone() });
        for files in [&one.0, &other.0] {
            let report = check(files, &witnessed);
            assert!(!report.faults.is_empty(), "{report:?}");
            found += 1;
        }
    }
}

/// That what the tests above call whole is so, whoever builds it.
#[test]
fn a_trail_signed_anew_without_a_change_is_whole() {
    let (files, checkpoint) = signed_anew(&events(9));
    let (_, earlier) = signed_anew(&events(4));
    let witnessed = [earlier, checkpoint].map(|checkpoint| Witnessed { by: "A".into(), checkpoint });
    let report = check(&files, &witnessed);
    assert_eq!((report.witnessed_seq, report.faults), (9, vec![]));
}
