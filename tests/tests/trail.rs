//! The audit trail on a real disk: no acknowledged event is lost and the chain is whole, however often its writer is
//! killed, also while a segment is begun, a checkpoint signed or old segments archived; and broker and adapters agree on
//! what was released.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_broker::audit::{Reconciliation, reconcile};
use severn_proto::v1::Dataset;
use severn_trust::{
    Cosigned, Disk as _, Extract, MemoryDisk, SigningKey, SystemClock, SystemDisk, Trail, TrailEvent, archive_trail,
    extract_releases, scan_trail, verify_trail,
};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tests::{
    bench::rig::Rig,
    keys::{Seeded, signing_key, signing_pem},
    recorder::settings,
    records::{allergy, anne, bert, plain},
    world::{MadeUp, World},
};

/// Kills, at least; more on a machine that is too busy for enough to be recorded between them.
const KILLS_MIN: u64 = 60;
const KILLS_MAX: u64 = 200;

/// Fewer events would tell too little.
const RECORDED_MIN: usize = 200;

/// Fewer archives made while a writer runs would tell too little.
const ARCHIVED_MIN: usize = 10;

/// Starts a writer, does `meanwhile` as soon as it has begun, and kills it; gives what it had said is durable.
fn written_until_killed(folder: &Path, key: &Path, run: u64, meanwhile: impl FnOnce()) -> Vec<(u64, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_party"));
    command.arg("trail").arg(folder).arg(key).arg(run.to_string()).stdout(Stdio::piped());
    let mut writer = command.spawn().expect("the writer starts");
    let mut out = BufReader::new(writer.stdout.take().expect("a pipe"));
    let mut said = String::new();
    out.read_line(&mut said).expect("a line");
    // A new trail has no head for as long as its first event takes to be signed.
    while !folder.join("audit.head").exists() {
        pause(1);
    }
    meanwhile();
    writer.kill().expect("it was running");
    out.read_to_string(&mut said).expect("text");
    writer.wait().expect("it has ended");
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    let parse = |line: &str| {
        let (seq, person) = line.split_once(' ').expect("number and person");
        (seq.parse().expect("a number"), person.to_owned())
    };
    whole.lines().map(parse).collect()
}

fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

#[test]
fn no_acknowledged_event_is_lost_by_kills_and_the_chain_is_whole_after_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, archive, key_file) = (folder.path().join("data"), folder.path().join("old"), folder.path().join("key"));
    let pem = signing_pem();
    std::fs::write(&key_file, &pem).expect("the key");
    let key = SigningKey::from_pem(&pem).expect("a key");
    let (disk, archive) = (SystemDisk::open(&data).expect("a folder"), SystemDisk::open(&archive).expect("a folder"));
    let (random, mut acknowledged) = (Seeded::new(20_261_123), BTreeMap::new());
    for run in 0..KILLS_MAX {
        if run >= KILLS_MIN && acknowledged.len() > RECORDED_MIN {
            break;
        }
        let said = written_until_killed(&data, &key_file, run, || pause(5 + random.next() % 90));
        assert!(!said.is_empty(), "run {run}: the writer starts again behind a kill");
        acknowledged.extend(said);
        let report = verify_trail(&disk, key.public()).expect("a trail");
        // Events that became durable behind the last head have nobody to vouch for them, and need nobody.
        assert_eq!(report.faults, Vec::<String>::new(), "run {run}");
        let newest = acknowledged.keys().next_back().copied().unwrap_or_default();
        assert!(report.events >= newest, "run {run}: {newest} was acknowledged, the trail ends at {}", report.events);
        // Now and then the oldest segments go, as an operator would have it.
        if run % 10 == 9 {
            archive_trail((&disk, &archive), &key, i64::MAX, 0).expect("the trail is whole");
        }
    }
    assert!(acknowledged.len() > RECORDED_MIN, "{} events are too few to tell", acknowledged.len());
    let mut there = BTreeMap::new();
    for part in [&archive, &disk] {
        if part.list().expect("a folder").is_empty() {
            continue;
        }
        let all = i64::MIN..i64::MAX;
        scan_trail(part, key.public(), all, |seq, _, event| drop(there.insert(seq, event.person))).expect("whole");
        assert_eq!(verify_trail(part, key.public()).expect("a trail").faults, Vec::<String>::new());
    }
    assert_eq!(there.len() as u64, there.keys().next_back().copied().unwrap_or_default(), "no number is left out");
    let lost: Vec<_> = acknowledged.iter().filter(|(seq, person)| there.get(seq) != Some(person)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

#[test]
fn archiving_while_a_writer_is_killed_leaves_both_parts_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, key_file) = (folder.path().join("data"), folder.path().join("key"));
    let pem = signing_pem();
    std::fs::write(&key_file, &pem).expect("the key");
    let key = SigningKey::from_pem(&pem).expect("a key");
    let disk = SystemDisk::open(&data).expect("a folder");
    let archive = SystemDisk::open(folder.path().join("old")).expect("a folder");
    let mut archived = 0;
    for run in 0..KILLS_MAX {
        if archived >= ARCHIVED_MIN {
            break;
        }
        let said = written_until_killed(&data, &key_file, run, || {
            for _ in 0..10 {
                let removed = archive_trail((&disk, &archive), &key, i64::MAX, 0).expect("a trail can be archived");
                archived += usize::from(removed.is_some());
                pause(10);
            }
        });
        let report = verify_trail(&disk, key.public()).expect("a trail");
        let newest = said.iter().map(|(seq, _)| *seq).max().unwrap_or_default();
        assert!(report.faults.is_empty() && report.events >= newest, "run {run}: {newest}, {report:?}");
        if archived > 0 {
            assert_eq!(verify_trail(&archive, key.public()).expect("a trail").faults, Vec::<String>::new());
        }
    }
    assert!(archived >= ARCHIVED_MIN, "{archived} are too few to tell");
}

#[tokio::test]
async fn a_trail_that_was_killed_is_gone_on_with_by_the_program_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, key_file) = (folder.path().join("data"), folder.path().join("key"));
    let pem = signing_pem();
    std::fs::write(&key_file, &pem).expect("the key");
    let said = written_until_killed(&data, &key_file, 1, || pause(50));
    let key = SigningKey::from_pem(&pem).expect("a key");
    let disk = Arc::new(SystemDisk::open(&data).expect("a folder"));
    let clock = Arc::new(SystemClock);
    let trail = Trail::open_with(disk, clock, key.clone(), settings()).expect("it opens");
    let shown = loop {
        match trail.checkpoint(0) {
            Ok(shown) => break shown,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let checkpoint = severn_trust::Checkpoint::read(&shown.checkpoint, key.public()).expect("its own");
    assert!(checkpoint.seq >= said.iter().map(|(seq, _)| *seq).max().unwrap_or_default());
}

fn knowing_both(id: &str) -> MadeUp {
    let entries = vec![
        allergy(id, "a1", ("91936005", "Allergy to penicillin")),
        plain(id, "p1", Dataset::Problems, "asthma"),
        plain(id, "letter", Dataset::Documents, "a letter"),
    ];
    MadeUp::new(id).knowing("1", anne(), entries).knowing("2", bert(), vec![])
}

fn extract_of(disk: &MemoryDisk, id: &str) -> Extract {
    // No note was left in it, so any key reads it.
    extract_releases(disk, signing_key().public(), id, 0..i64::MAX).expect("the adapter's trail is whole")
}

#[tokio::test(start_paused = true)]
async fn broker_and_adapters_agree_on_what_was_released_and_a_release_too_many_is_found() {
    let world = World::start(vec![knowing_both("A"), knowing_both("B")], &[]).await;
    let client = world.client("R8000");
    let mut ids = Vec::new();
    for person in [anne(), bert()] {
        let id = world.id_of(&person).await;
        client.retrieve(&id, &person, &[], Duration::from_secs(3)).await.expect("an answer");
        ids.push(id);
    }
    client.fetch_document(&ids[0], &anne(), "A", "letter").await.expect("the document");
    let extracts = |ids: [&str; 2]| ids.map(|id| extract_of(&world.adapter_disks[id], id));
    let found = reconcile(&world.disk, world.trail_key.public(), &extracts(["A", "B"])).expect("the trail is whole");
    assert_eq!(found, Reconciliation { compared: 5, ..Reconciliation::default() });
    let [mut a, b] = extracts(["A", "B"]);
    let with_entries = a.released.values_mut().find(|released| !released.entries.is_empty());
    *with_entries.expect("Anne's").entries.entry("allergies".into()).or_default() += 1;
    let found = reconcile(&world.disk, world.trail_key.public(), &[a, b]).expect("the trail is whole");
    assert!(found.mismatches.len() == 1 && found.mismatches[0].contains("2 entries of allergies"), "{found:?}");
    // As if another broker had asked with the same credentials.
    let forged = Extract { source_id: "A".into(), ..extract_of(&world.adapter_disks["B"], "B") };
    let empty = reconcile(&MemoryDisk::default(), world.trail_key.public(), &[forged]).expect("nothing is whole, too");
    assert_eq!(empty.mismatches.len(), 2, "{empty:?}");
}

/// A trail of twenty events, of which the twelfth is about `person`; gives its head.
async fn written_about(data: &Path, key: &SigningKey, person: &str) -> String {
    let disk = Arc::new(SystemDisk::open(data).expect("a folder"));
    let trail = Trail::open(disk, Arc::new(SystemClock), key.clone()).expect("a new trail");
    for n in 1..=20 {
        let person = if n == 12 { person.to_owned() } else { format!("p{n}") };
        let event = TrailEvent { action: "intent".into(), query_id: "q".into(), person, ..TrailEvent::default() };
        trail.record(event).await.expect("durable");
    }
    loop {
        match trail.checkpoint(20) {
            Ok(shown) => return shown.checkpoint,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn the_command_line_compares_with_what_a_witness_gives_and_archives_nothing_too_early() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 0).expect("a rig");
    let (data, seen, out) =
        (folder.path().join("data"), folder.path().join("seen.json"), folder.path().join("out.ndjson"));
    let config = rig.configured(&data).expect("a configuration");
    let pem = std::fs::read_to_string(folder.path().join("audit.key")).expect("the trail's key");
    let key = SigningKey::from_pem(&pem).expect("a key");
    let head = written_about(&data, &key, "somebody").await;
    let signed = Cosigned::sign(&signing_key(), "M85001", &head, 5).expect("a signature");
    std::fs::write(&seen, serde_json::to_string(&signed).expect("JSON")).expect("what the witness gives");
    let audit = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_party"));
        let ended = command.args(["severn-broker", "audit"]).args(arguments).arg("--config").arg(&config).output();
        let ended = ended.expect("the program");
        let said = [ended.stdout, ended.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        (ended.status.success(), said)
    };
    let (seen, out) = (seen.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
    let (good, said) = audit(&["verify", "--witness", &seen]);
    assert!(good && said.contains("1 co-signed checkpoints; witnessed up to event 20"), "{said}");
    let (good, said) = audit(&["export", "--since", "2020-01-01", "--until", "2100-01-01", "--out", &out]);
    assert!(good && said.contains("20 events"), "{said}");
    let old = folder.path().join("old").to_string_lossy().into_owned();
    let (good, said) = audit(&["archive", "--before", "2100-01-01", "--to", &old]);
    assert!(!good && said.contains("audit.retention_days keeps events"), "{said}");
    let (good, said) = audit(&["archive", "--before", "2000-01-01", "--to", &old]);
    assert!(good && said.contains("nothing to archive"), "{said}");
    // Its operator writes the trail anew, with the right key, and one person is another.
    for name in ["audit.log", "audit.head"] {
        std::fs::remove_file(data.join(name)).expect("it was there");
    }
    written_about(&data, &key, "nobody").await;
    let (good, said) = audit(&["verify"]);
    assert!(good && said.contains("no adapter has witnessed"), "{said}");
    let (good, said) = audit(&["verify", "--witness", &seen]);
    assert!(
        !good && said.contains("FAULT: history was rewritten: this is not the trail that M85001 has seen"),
        "{said}"
    );
}
