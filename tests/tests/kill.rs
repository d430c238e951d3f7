//! What was acknowledged survives `kill -9` with writes in flight: registrations of the feed, and the audit of every
//! answer that was sealed.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use futures::{StreamExt as _, stream};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler};
use severn_proto::v1::{
    Demographics, FeedAnnounce, FeedHello, FeedRequest, HumanName, feed_announce::Change, feed_request, feed_response,
    patient_index_client::PatientIndexClient,
};
use severn_trust::{SystemDisk, verify_trail};
use std::{path::PathBuf, time::Duration};
use tests::{
    bench::{load::Target, rig::Rig},
    keys::Seeded,
    records::registration,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const LOOPS: usize = 50;
const EPOCH: &str = "0190b5b0-0000-7000-8000-000000000001";

fn person(n: u64) -> Demographics {
    // Letters only: digits are no part of a name, and all would be namesakes.
    let letters: String = n.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
    let name = HumanName { family: format!("Family{letters}"), given: vec!["Given".into()], ..HumanName::default() };
    let birth_date = format!("{}-{:02}-{:02}", 1930 + n % 71, 1 + n % 12, 1 + n % 28);
    Demographics { birth_date, names: vec![name], ..Demographics::default() }
}

/// Announces from where the broker says until the connection breaks, and notes the last acknowledged cursor. Gives the
/// cursor the broker resumed from; `None` if it was killed before it could say.
async fn announce(rig: &Rig, port: u16, acknowledged: &mut u64) -> Option<u64> {
    let source = Identity::Source(Rig::source_id(0));
    let tls = Tls::load(&Rig::tls_files(&rig.folder, &source)).expect("the source's certificate");
    let dialler = TlsDialler::new(tls, Duration::from_secs(2));
    let channel = dialler.dial(&format!("127.0.0.1:{port}"), &Rig::broker()).expect("an address");
    let (send, outgoing) = mpsc::channel(64);
    let hello = FeedHello { source_id: Rig::source_id(0), epoch: EPOCH.into() };
    send.send(FeedRequest { message: Some(feed_request::Message::Hello(hello)) }).await.expect("room for one");
    let answers = PatientIndexClient::new(channel).feed(ReceiverStream::new(outgoing)).await;
    let mut answers = answers.ok()?.into_inner();
    let resumed = match answers.message().await.ok()?.and_then(|answer| answer.message) {
        Some(feed_response::Message::Resume(resume)) => resume.cursor,
        other => panic!("resume expected: {other:?}"),
    };
    let announcing = async {
        for cursor in resumed + 1.. {
            let registered = registration(&Rig::source_id(0), &format!("k{cursor}"), person(cursor));
            let announce = FeedAnnounce { cursor, change: Some(Change::Registered(registered)) };
            if send.send(FeedRequest { message: Some(feed_request::Message::Announce(announce)) }).await.is_err() {
                return;
            }
            // Writes are in flight all the time, but each start has to read all that was ever written.
            if cursor % 64 == 0 {
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        }
    };
    let acknowledging = async {
        while let Ok(Some(answer)) = answers.message().await {
            match answer.message {
                Some(feed_response::Message::Ack(ack)) => *acknowledged = ack.cursor,
                other => panic!("only acknowledgements are expected: {other:?}"),
            }
        }
    };
    tokio::select! {
        () = announcing => (),
        () = acknowledging => (),
    }
    Some(resumed)
}

#[tokio::test]
async fn what_was_acknowledged_survives_fifty_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_party"));
    let rig = Rig::new(folder.path(), program, 1).expect("a rig");
    let (_adapters, ports) = rig.adapters(1).expect("an adapter");
    let data = folder.path().join("broker-1");
    let random = Seeded::new(20_261_122);
    let mut acknowledged = 0;
    let mut sealed = 0_u64;
    let mut first = true;
    for turn in 0..LOOPS {
        // The first start registers the one person whom queries are about; the others find everything in place.
        let (mut broker, port) = match std::mem::take(&mut first) {
            true => rig.broker_over(&ports).await.expect("the broker starts"),
            false => rig.broker_in(&data, &ports).await.expect("the broker starts again"),
        };
        let mut target = Target::new(&rig, port, true).expect("a target");
        let before = acknowledged;
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
        let (resumed, answered, ()) = tokio::join!(announce(&rig, port, &mut acknowledged), asking, killing);
        let resumed = resumed.unwrap_or(before);
        assert!(resumed >= before, "loop {turn}: acknowledged {before}, resumed from {resumed}");
        sealed += answered;
    }
    assert!(acknowledged > 1000 && sealed > 50, "{acknowledged} acknowledged and {sealed} sealed are too few to tell");
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
