//! What was acknowledged survives `kill -9` with writes in flight: registrations of the feed, and the audit of every
//! answer that was sealed.

use futures::{StreamExt as _, stream};
use severn_trust::{SystemDisk, verify_trail};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tests::{
    bench::{load::Target, rig::Rig},
    feeder::Feeder,
    keys::Seeded,
};
use uuid::Uuid;

const LOOPS: usize = 50;
const EPOCH: Uuid = Uuid::from_u128(0x0190_b5b0_0000_7000_8000_0000_0000_0001);

#[tokio::test]
async fn what_was_acknowledged_survives_fifty_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_party"));
    let rig = Rig::new(folder.path(), program, 1).expect("a rig");
    let (_adapters, ports) = rig.adapters(1).expect("an adapter");
    let data = folder.path().join("broker-1");
    let random = Seeded::new(20_261_122);
    // Writes are in flight all the time, but each start has to read all that was ever written.
    let pause = Duration::from_millis(15);
    let feeder = Feeder { rig: &rig, source_id: Rig::source_id(0), epoch: EPOCH, pause };
    let acknowledged = AtomicU64::new(0);
    let mut sealed = 0_u64;
    let mut first = true;
    for turn in 0..LOOPS {
        // The first start registers the one person whom queries are about; the others find everything in place.
        let (mut broker, port) = match std::mem::take(&mut first) {
            true => rig.broker_over(&ports).await.expect("the broker starts"),
            false => rig.broker_in(&data, &ports).await.expect("the broker starts again"),
        };
        let mut target = Target::new(&rig, port, true).expect("a target");
        let before = acknowledged.load(Ordering::SeqCst);
        let kill_after = Duration::from_millis(100 + random.next() % 300);
        let asking = async {
            let mut answered = 0;
            if target.find().await.is_err() {
                return answered;
            }
            while let Ok(cell) = target.run(2, Duration::from_millis(1)).await {
                answered += cell.queries;
            }
            answered
        };
        let killing = async {
            tokio::time::sleep(kill_after).await;
            broker.kill().expect("the broker was running");
        };
        let (resumed, answered, ()) = tokio::join!(feeder.announce(port, &acknowledged), asking, killing);
        let resumed = resumed.expect("the broker keeps the contract").unwrap_or(before);
        assert!(resumed >= before, "loop {turn}: acknowledged {before}, resumed from {resumed}");
        sealed += answered;
    }
    let acknowledged = acknowledged.into_inner();
    assert!(acknowledged > 500 && sealed > 50, "{acknowledged} acknowledged and {sealed} sealed are too few to tell");
    let (_broker, port) = rig.broker_in(&data, &ports).await.expect("the broker starts at last");
    let mut target = Target::new(&rig, port, true).expect("a target");
    target.find().await.expect("the one person is still known");
    let found = stream::iter([1, acknowledged / 2 + 1, acknowledged])
        .then(|cursor| target.knows(Rig::source_id(0), format!("k{cursor}")))
        .collect::<Vec<bool>>()
        .await;
    assert_eq!(found, vec![true; 3], "every acknowledged registration is known");
    let disk = SystemDisk::open(&data).expect("the broker's folder");
    let pem = std::fs::read_to_string(folder.path().join("audit.key")).expect("the trail's key");
    let key = severn_trust::SigningKey::from_pem(&pem).expect("the trail's key");
    let mut seals = 0;
    for _ in 0..50 {
        let report = verify_trail(&disk, key.public()).expect("the trail can be read");
        if report.faults.is_empty() {
            seals = String::from_utf8_lossy(&std::fs::read(data.join("audit.log")).expect("the trail"))
                .matches("\"action\":\"seal\"")
                .count() as u64;
            break;
        }
        // The head is signed a moment after the last event.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(seals >= sealed, "{sealed} answers were sealed, {seals} seals are in the trail");
}
