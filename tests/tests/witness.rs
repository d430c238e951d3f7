//! The broker's audit trail and its witnesses, over the broker's own door: what adapters sign is kept by both, and a trail
//! that was rewritten behind their backs is not the one they have seen.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_adapter_sdk::witness::{Kept, Witness, WitnessParts};
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{CheckpointRequest, CosignRequest, audit_witness_client::AuditWitnessClient};
use severn_trust::{Checkpoint, Cosigned, MemoryDisk, SigningKey, Trail, Witnessed, verify_trail, verify_witnessed};
use std::{sync::Arc, time::Duration};
use tests::{
    keys::{Seeded, signing_key},
    records::{anne, plain},
    world::{MadeUp, World},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};

const TEN_SECONDS: Duration = Duration::from_secs(10);

fn knowing_anne(id: &str) -> MadeUp {
    MadeUp::new(id).knowing("1", anne(), vec![plain(id, "p1", severn_proto::v1::Dataset::Problems, "asthma")])
}

fn broker() -> Identity {
    Identity::Broker("broker-1".into())
}

/// A witness beside adapter `id`, which keeps what it sees in a folder of its own.
fn witness(world: &World, id: &str, key: &SigningKey, stop: &CancellationToken) -> MemoryDisk {
    let disk = MemoryDisk::default();
    let own = Arc::new(MemoryDisk::default());
    let parts = WitnessParts {
        source_id: id.into(),
        disk: Arc::new(disk.clone()),
        dialler: Arc::new(world.network.party(Identity::Source(id.into()))),
        address: String::new(),
        broker: broker(),
        broker_key: world.statement_key.clone(),
        key: key.clone(),
        trail: Trail::open(own, world.clock.clone(), key.clone()).expect("a new trail"),
        clock: world.clock.clone(),
        entropy: Arc::new(Seeded::new(3)),
        every: TEN_SECONDS,
    };
    tokio::spawn(Witness::open(parts).expect("nothing is kept yet").run(stop.clone()));
    disk
}

async fn asked(world: &World) {
    let id = world.id_of(&anne()).await;
    let answer = world.client("R8000").retrieve(&id, &anne(), &[], Duration::from_secs(3)).await;
    answer.expect("an answer");
}

fn stored(world: &World) -> Vec<Witnessed> {
    let kept = Cosigned::kept(&world.disk).expect("what is kept can be read");
    kept.iter().map(|kept| kept.read(world.trail_key.public()).expect("and holds")).collect()
}

#[tokio::test(start_paused = true)]
async fn adapters_sign_what_the_broker_shows_and_both_keep_it() {
    let world = World::start(vec![knowing_anne("A"), knowing_anne("B")], &[]).await;
    let stop = CancellationToken::new();
    let keys = [signing_key(), signing_key()];
    let disks = [witness(&world, "A", &keys[0], &stop), witness(&world, "B", &keys[1], &stop)];
    for _ in 0..3 {
        asked(&world).await;
        tokio::time::sleep(TEN_SECONDS * 2).await;
    }
    let whole = verify_trail(&world.disk, world.trail_key.public()).expect("a trail");
    assert_eq!((whole.faults, whole.events == whole.head_seq), (vec![], true));
    for disk in &disks {
        let kept = Kept::read(disk).expect("readable").expect("it has seen something");
        assert_eq!(kept.checkpoint.seq, whole.head_seq, "within two rounds everything is witnessed");
    }
    let report = verify_witnessed(&world.disk, world.trail_key.public(), &stored(&world)).expect("a trail");
    assert_eq!((report.witnessed_seq, report.faults), (whole.head_seq, vec![]));
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    assert_eq!(trail.matches("\"action\":\"witness\"").count(), 2, "each witness's key is on record, once");
    stop.cancel();
}

#[tokio::test(start_paused = true)]
async fn a_history_that_its_operator_rewrote_and_signed_anew_is_told_by_what_a_witness_keeps() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let (stop, key) = (CancellationToken::new(), signing_key());
    let disk = witness(&world, "A", &key, &stop);
    asked(&world).await;
    tokio::time::sleep(TEN_SECONDS * 2).await;
    stop.cancel();
    // The operator has every key and the folder: one query is taken out, the chain made anew and signed.
    let rewritten = MemoryDisk::default();
    let trail =
        Trail::open(Arc::new(rewritten.clone()), world.clock.clone(), world.trail_key.clone()).expect("a trail");
    let mut events = Vec::new();
    severn_trust::scan_trail(&world.disk, world.trail_key.public(), 0..i64::MAX, |_, _, event| events.push(event))
        .expect("whole");
    for event in events.into_iter().filter(|event| event.action != "intent") {
        trail.record(event).await.expect("durable");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let faults = |witnessed: &[Witnessed]| {
        verify_witnessed(&rewritten, world.trail_key.public(), witnessed).expect("a trail").faults
    };
    assert_eq!(faults(&[]), Vec::<String>::new(), "by itself it is a whole trail");
    let kept = Kept::read(&disk).expect("readable").expect("seen");
    let seen = kept.cosigned.read(world.trail_key.public()).expect("both signatures hold");
    let found = faults(&[seen]);
    assert!(found[0].contains("A has seen"), "{found:?}");
}

fn client(world: &World, party: Identity) -> AuditWitnessClient<Channel> {
    AuditWitnessClient::new(world.network.party(party).dial("", &broker()).expect("any address will do in memory"))
}

#[tokio::test(start_paused = true)]
async fn only_adapters_may_witness_and_only_what_is_so_is_kept() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    asked(&world).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ask = CheckpointRequest { since: 0 };
    for stranger in [Identity::App("epr".into()), Identity::Source("Z".into())] {
        let refused = client(&world, stranger).checkpoint(ask).await.expect_err("not for them");
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    let mut own = client(&world, Identity::Source("A".into()));
    let ahead = own.checkpoint(CheckpointRequest { since: 1_000_000 }).await.expect_err("the trail is not that long");
    assert_eq!(ahead.code(), Code::FailedPrecondition);
    let shown = own.checkpoint(ask).await.expect("a checkpoint").into_inner();
    let (key, other) = (signing_key(), signing_key());
    let forged = Checkpoint { seq: 9, hash: "00".repeat(32), root: "00".repeat(32), at_ms: 1 }.sign(&other);
    let forged = forged.expect("signed by another key");
    let request = |cosigned: &Cosigned, key: &SigningKey| CosignRequest {
        cosignature: cosigned.cosignature.clone(),
        key: serde_json::to_string(&key.public().jwk()).expect("JSON"),
    };
    for (witness, checkpoint, signer, said) in [
        ("B", &shown.checkpoint, &key, "cosignature"),
        ("A", &forged, &key, "cosignature"),
        ("A", &shown.checkpoint, &other, "cosignature"),
    ] {
        let cosigned = Cosigned::sign(signer, witness, checkpoint, 1).expect("signed");
        let refused = own.cosign(request(&cosigned, &key)).await.expect_err("it does not hold");
        assert!(refused.code() == Code::InvalidArgument && refused.message().contains(said), "{refused:?}");
    }
    assert!(stored(&world).is_empty());
    let good = Cosigned::sign(&key, "A", &shown.checkpoint, 1).expect("signed");
    own.cosign(request(&good, &key)).await.expect("it is taken");
    assert_eq!(stored(&world).len(), 1);
}
