//! A person whom one source holds as restricted is found through none: what the others send says nothing of where they
//! are either, and a reader is told that something is kept back.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use prost::Message as _;
use severn_client::{Answer, Record};
use severn_proto::v1::{
    ContactDetail, Dataset, Demographics, Entry, EntryBody, EntryHead, Outcome, entry_body::Detail,
};
use std::time::Duration;
use tests::{
    records::{anne, plain},
    world::{MadeUp, World},
};

const REFUGE: &str = "12 Refuge Lane";

fn contact(source: &str) -> Entry {
    let detail = ContactDetail {
        name: "Carol Ash".into(),
        phone: "07700 900123".into(),
        address: REFUGE.into(),
        ..ContactDetail::default()
    };
    let plain = plain(source, "c1", Dataset::Contacts, "Carol Ash, sister");
    let mut head: EntryHead = plain.head.expect("a head");
    head.provenance.get_or_insert_default().location = REFUGE.into();
    let body = EntryBody { detail: Some(Detail::Contact(detail)), ..EntryBody::default() };
    Entry { head: Some(head), body: body.encode_to_vec().into() }
}

/// What a reader sees of source B, where `restricted` is what source A says of the person.
async fn seen(restricted: bool) -> Record {
    let of_a = Demographics { restricted, ..anne() };
    let a = MadeUp::new("A").knowing("1", of_a, vec![plain("A", "p1", Dataset::Problems, "asthma")]);
    let practice = plain("B", "g1", Dataset::GpPractice, "Refuge Lane Surgery");
    let b = MadeUp::new("B").knowing("7", anne(), vec![contact("B"), practice]);
    let world = World::start(vec![a, b], &[]).await;
    let client = world.client("R8000");
    let id = world.id_of(&anne()).await;
    let answer = client.retrieve(&id, &anne(), &[], Duration::from_secs(3)).await;
    match answer.expect("an answer") {
        Answer::Complete(record) => *record,
        Answer::Incomplete(incomplete) => panic!("not complete: {:?}", incomplete.flaw()),
    }
}

fn outcome(record: &Record, dataset: Dataset) -> Outcome {
    let row = record.ledger().rows.iter().find(|row| row.source_id == "B" && row.dataset() == dataset);
    row.expect("a row").outcome()
}

#[tokio::test(start_paused = true)]
async fn what_one_source_restricts_no_source_gives_away() {
    let open = seen(false).await;
    assert!(format!("{:?}", open.sections()).contains(REFUGE), "nobody restricts this person");
    assert_eq!(outcome(&open, Dataset::Contacts), Outcome::Answered);

    let closed = seen(true).await;
    let shown = format!("{:?}", closed.sections());
    assert!(!shown.contains("Refuge Lane") && !shown.contains("900123"), "{shown}");
    assert!(shown.contains("Carol Ash") && shown.contains("asthma"), "the rest is there");
    assert_eq!(outcome(&closed, Dataset::Contacts), Outcome::AnsweredPartial, "and the reader is told");
}
