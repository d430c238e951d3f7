//! Privacy officers hear of broken glass and of claimed relationships within a minute, at both organisations, once, and
//! whatever was down meanwhile; and the broker can say who has not heard.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use severn_adapter_sdk::{
    inbox::Inbox,
    notices::{Told, UNSEEN_MAX},
};
use severn_client::{Answer, Client, Glass};
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    Dataset, Demographics, LedgerRow, Notice, NoticeDelivery, NoticeState, Outcome, OverrideReason, OversightKind,
    PurposeOfUse, TakeNoticeRequest, notice_inbox_client::NoticeInboxClient,
};
use severn_trust::{Clock as _, Disk as _, SystemEntropy};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tests::{
    keys::Seeded,
    records::{anne, plain},
    world::{Behaviour, MadeUp, World},
};
use tokio::time::sleep;
use tonic::Code;
use uuid::Uuid;

/// What the user says of it, which no notice repeats.
const TEXT: &str = "found in the street TEXT-CANARY-31aa";

fn knowing(id: &str, person: Demographics) -> MadeUp {
    MadeUp::new(id).knowing("1", person, vec![plain(id, "p1", Dataset::Problems, "asthma")])
}

/// A knows Anne; RRK, whose clinicians ask, does not; B has nothing to do with any of it.
async fn world(a: MadeUp) -> World {
    World::start(vec![a, MadeUp::new("B"), MadeUp::new("RRK")], &[]).await
}

async fn break_glass(world: &World) -> String {
    let (doctor, id) = (world.client("R8000"), world.id_of(&anne()).await);
    let glass = Glass { reason: OverrideReason::EmergencyTreatment, text: TEXT.into(), minutes: 0 };
    doctor.open_override(&id, &anne(), &glass, &doctor.new_act()).await.expect("opened").override_id
}

fn told(world: &World, source: &str) -> Vec<Told> {
    let inbox = Inbox::new(Arc::new(world.adapter_disks[source].clone()));
    inbox.notices().expect("the inbox can be read").told.into_iter().map(|(told, _)| told).collect()
}

/// A privacy officer of an organisation.
fn officer(world: &World, org: &str) -> Client {
    let app = world.network.party(Identity::App("epr".into()));
    let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
    let (gateway, clock, org, tokens) = (world.gateway.clone(), world.clock.clone(), org.to_owned(), Seeded::new(78));
    let token = move || {
        let mut claims = gateway.claims("R9200", PurposeOfUse::Audit, clock.as_ref(), tokens.next());
        (claims.sub, claims.org) = ("u-officer".into(), org.clone());
        Ok(gateway.sign(&claims))
    };
    Client::new(channel, world.gateway.app_key.clone(), token, world.clock.clone(), Arc::new(SystemEntropy::default()))
}

async fn deliveries(world: &World, org: &str) -> Vec<NoticeDelivery> {
    let queue = officer(world, org).oversight_queue(false, 0).await.expect("a queue");
    queue.entries.into_iter().flat_map(|entry| entry.notices).collect()
}

async fn states(world: &World, org: &str) -> Vec<(String, NoticeState)> {
    deliveries(world, org).await.into_iter().map(|d| (d.source_id.clone(), d.state())).collect()
}

#[tokio::test(start_paused = true)]
async fn both_organisations_hear_of_broken_glass_within_a_minute_and_nobody_else() {
    let world = world(knowing("A", Demographics { restricted: true, ..anne() })).await;
    let began_ms = world.clock.now_ms();
    let id = break_glass(&world).await;
    sleep(Duration::from_secs(5)).await;
    let (at_a, at_rrk) = (told(&world, "A"), told(&world, "RRK"));
    let ([at_a], [at_rrk]) = (at_a.as_slice(), at_rrk.as_slice()) else { panic!("{at_a:?} {at_rrk:?}") };
    assert_eq!((at_a.id.to_string(), at_rrk.id), (id, at_a.id));
    assert_eq!(at_a.kind, i32::from(OversightKind::Override));
    assert_eq!(at_a.reason, i32::from(OverrideReason::EmergencyTreatment));
    assert_eq!((at_a.user.as_str(), at_a.organisation.as_str()), ("Dr Ada Example (u-1)", "RRK"));
    assert_eq!((at_a.local_ids.as_slice(), at_rrk.local_ids.len()), (["1".to_owned()].as_slice(), 0));
    assert!(at_a.restricted && at_rrk.restricted, "an officer must know that this person is protected");
    assert!(at_a.told_at_ms - began_ms < 60_000, "{} ms", at_a.told_at_ms - began_ms);
    assert_eq!(told(&world, "B"), [], "nobody else is told");
    let kept = world.adapter_disks["A"].files();
    let kept = String::from_utf8_lossy(&kept["notices.log"]).into_owned();
    assert!(!kept.contains("CANARY"), "the user's words are read in the queue only: {kept}");
    // An officer of one organisation does not learn who else was told.
    assert_eq!(states(&world, "RRK").await, [("RRK".to_owned(), NoticeState::Delivered)]);
    assert_eq!(states(&world, "A").await, [("A".to_owned(), NoticeState::Delivered)]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_told_like_broken_glass() {
    let world = world(knowing("A", anne())).await;
    let (doctor, id) = (world.client("R8000"), world.id_of(&anne()).await);
    doctor.claim_relationship(&id, &anne(), "walked into the ward", &doctor.new_act()).await.expect("claimed");
    sleep(Duration::from_secs(5)).await;
    for source in ["A", "RRK"] {
        let told = told(&world, source);
        let kinds: Vec<i32> = told.iter().map(|told| told.kind).collect();
        assert_eq!(kinds, [i32::from(OversightKind::Claim)], "{source}");
        assert!(!told[0].restricted, "nobody protects her");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_delivered_is_said_after_a_minute_and_delivered_once_whatever_restarts() {
    let mut world = world(knowing("A", anne()).behaving(Behaviour::Down)).await;
    break_glass(&world).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(states(&world, "A").await, [("A".to_owned(), NoticeState::UnderWay)]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(states(&world, "A").await, [("A".to_owned(), NoticeState::NotDelivered)]);
    assert_eq!(states(&world, "RRK").await, [("RRK".to_owned(), NoticeState::Delivered)], "delayed by nobody");

    world.restart_broker().await;
    assert_eq!(states(&world, "A").await, [("A".to_owned(), NoticeState::NotDelivered)], "known after a restart");
    world.start_adapter("A");
    sleep(Duration::from_secs(60)).await;
    let delivered = deliveries(&world, "A").await;
    assert_eq!(delivered[0].state(), NoticeState::Delivered);
    assert_eq!(delivered[0].delivered_at_ms / 1000, told(&world, "A")[0].told_at_ms / 1000);

    // What the broker no longer knows to be delivered is delivered again, and told once.
    world.disk.replace("notices.log", b"").expect("a disk in memory");
    world.restart_broker().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(states(&world, "A").await, [("A".to_owned(), NoticeState::Delivered)]);
    assert_eq!((told(&world, "A").len(), told(&world, "RRK").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_organisation_without_an_adapter_is_told_by_a_file_for_its_mail_agent() {
    let mut world = World::start(vec![knowing("A", anne())], &[]).await;
    let id = break_glass(&world).await;
    sleep(Duration::from_secs(5)).await;
    let files = world.mail.files();
    let (name, said) = files.first_key_value().expect("a file");
    assert_eq!((files.len(), name), (1, &format!("{id}.json")));
    let said: serde_json::Value = serde_json::from_slice(said).expect("JSON");
    let words = ["to", "kind", "reason", "organisation", "at"].map(|key| said[key].as_str().unwrap_or_default());
    assert_eq!(words[..4], ["RRK", "override", "emergency_treatment", "RRK"]);
    assert!(words[4].starts_with("2026-11-22T10:00:"), "{said}");
    assert!(!said.to_string().contains("CANARY"), "not the user's words: {said}");
    assert_eq!(states(&world, "RRK").await, [(String::new(), NoticeState::Delivered)]);
    // The mail agent took it away: it is not written again.
    world.mail.remove(&format!("{id}.json")).expect("a disk in memory");
    world.restart_broker().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.mail.files().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_under_an_override_before_the_owners_own_officers_are_told() {
    let world = world(knowing("A", anne())).await;
    let opening = break_glass(&world).await;
    // A broker that tells nobody: what its notice left is taken away.
    sleep(Duration::from_secs(5)).await;
    world.adapter_disks["A"].replace("notices.log", b"").expect("a disk in memory");
    let doctor = world.client("R8000").opening(opening.parse().expect("a UUID"));
    let id = world.id_of(&anne()).await;
    doctor.retrieve(&id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer");
    doctor.retrieve(&id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer");
    let of_own = told(&world, "A");
    let ids: Vec<String> = of_own.iter().map(|told| told.id.to_string()).collect();
    assert_eq!(ids.as_slice(), std::slice::from_ref(&opening), "told by the adapter itself, once");
    assert_eq!(of_own[0].local_ids, ["1"]);

    // Where the notice cannot be kept, nothing is read.
    let many = (0..UNSEEN_MAX as u128).map(|n| Told { id: Uuid::from_u128(n), ..of_own[0].clone() });
    let lines: String = many.map(|told| serde_json::to_string(&told).expect("JSON") + "\n").collect();
    world.adapter_disks["A"].replace("notices.log", lines.as_bytes()).expect("a disk in memory");
    let answer = doctor.retrieve(&id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer");
    let outcomes = outcomes_of_a(&answer);
    assert_eq!(outcomes, BTreeSet::from([Outcome::NoAnswer]), "{outcomes:?}");
    let answer = world.client("R8000").retrieve(&id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer");
    assert!(outcomes_of_a(&answer).contains(&Outcome::Answered), "whoever breaks no glass is answered");
}

/// What became of everything asked of A.
fn outcomes_of_a(answer: &Answer) -> BTreeSet<Outcome> {
    let Answer::Complete(record) = answer else { panic!("not complete") };
    record.ledger().rows.iter().filter(|row| row.source_id == "A").map(LedgerRow::outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn an_adapter_takes_notices_from_its_broker_only() {
    let world = world(knowing("A", anne())).await;
    let notice = Notice { id: "0190b5b0-0000-7000-8000-000000000009".into(), ..Notice::default() };
    for stranger in [Identity::App("epr".into()), Identity::Source("B".into()), Identity::Broker("other".into())] {
        let party = world.network.party(stranger);
        let channel = party.dial("", &Identity::Source("A".into())).expect("any address will do in memory");
        let request = TakeNoticeRequest { notice: Some(notice.clone()) };
        let refused = NoticeInboxClient::new(channel).take_notice(request).await.expect_err("refused");
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    assert_eq!(told(&world, "A"), []);
}
