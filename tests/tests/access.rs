//! Who sees what of a person over the whole way: the person's own directives, broken glass, an owner's policy in Cedar,
//! and a source that nobody may know of.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use severn_client::{Answer, Client, Found, Glass, Record, Search};
use severn_proto::v1::{
    Address, Dataset, Demographics, DirectiveKind, DirectiveTerms, Entry, Outcome, OverrideReason, ReasonCode,
};
use severn_trust::Obligations;
use std::time::Duration;
use tests::{
    records::{anne, plain},
    world::{MadeUp, TABLE, World},
};
use uuid::Uuid;

/// Clinicians see everything of whom their organisation cares for, and open the rest with a reason; the risks never.
const REGION: &str = r#"
    @id("care") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all")
    when { context.purpose == "direct_care" };
    @id("no relationship") @outcome("may_be_opened") forbid (principal, action == Action::"read", resource)
    when { context.relationship.kind == "none" } unless { context.breaking_glass };
    @id("statute") @outcome("withheld") forbid (principal, action == Action::"read", resource == Dataset::"risks");
    @id("prisons") forbid (principal, action == Action::"know", resource) when { context.source_kind == "prison" };
"#;

/// Plans are opened with a reason.
const OWNER: &str = r#"
    @id("all") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
    @id("plans") @outcome("may_be_opened") forbid (principal, action == Action::"read", resource == Dataset::"crisis_plans")
    unless { context.breaking_glass };
"#;

fn source(id: &str) -> MadeUp {
    MadeUp::new(id).knowing("1", anne(), source_entries(id))
}

fn source_entries(id: &str) -> Vec<Entry> {
    let entries = [(Dataset::Allergies, "a1"), (Dataset::CrisisPlans, "c1"), (Dataset::Risks, "r1")];
    entries.map(|(dataset, entry)| plain(id, entry, dataset, "noted")).to_vec()
}

async fn retrieve(client: &Client, id: &str) -> Record {
    match client.retrieve(id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer") {
        Answer::Complete(record) => *record,
        Answer::Incomplete(incomplete) => panic!("not complete: {:?}", incomplete.flaw()),
    }
}

fn row(record: &Record, source: &str, dataset: Dataset) -> (Outcome, Option<ReasonCode>) {
    let rows = &record.ledger().rows;
    let row = rows.iter().find(|row| row.source_id == source && row.dataset() == dataset).expect("a row");
    (row.outcome(), row.reasons.first().map(|reason| reason.code()))
}

async fn break_glass(client: &Client, id: &str, text: &str) -> Uuid {
    let glass = Glass { reason: OverrideReason::EmergencyTreatment, text: text.into(), minutes: 0 };
    let opened = client.open_override(id, &anne(), &glass, &client.new_act()).await.expect("opened");
    opened.override_id.parse().expect("an id")
}

#[tokio::test(start_paused = true)]
async fn broken_glass_opens_what_may_be_opened_at_broker_and_owner_and_nothing_else() {
    let world = World::start_under(REGION, vec![source("A"), source("B")], &[("B", OWNER)]).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    let closed = retrieve(&doctor, &id).await;
    for dataset in [Dataset::Allergies, Dataset::CrisisPlans] {
        assert_eq!(row(&closed, "A", dataset), (Outcome::Withheld, Some(ReasonCode::MayBeOpened)));
    }
    assert_eq!(row(&closed, "A", Dataset::Risks), (Outcome::Withheld, Some(ReasonCode::ByOwner)));

    let glass = break_glass(&doctor, &id, "unconscious on arrival").await;
    break_glass(&doctor, &id, "and still unconscious").await;
    let open = retrieve(&doctor.clone().opening(glass), &id).await;
    for (source, dataset) in [("A", Dataset::Allergies), ("B", Dataset::Allergies), ("B", Dataset::CrisisPlans)] {
        assert_eq!(row(&open, source, dataset), (Outcome::Answered, None), "{source} {dataset:?}");
    }
    assert_eq!(row(&open, "B", Dataset::Risks).0, Outcome::Withheld, "statute is no glass");
    assert_eq!(
        row(&retrieve(&doctor, &id).await, "A", Dataset::Allergies).0,
        Outcome::Withheld,
        "only if asked under it"
    );
    let another = doctor.clone().opening(Uuid::from_u128(7));
    assert_eq!(
        row(&retrieve(&another, &id).await, "A", Dataset::Allergies).0,
        Outcome::Withheld,
        "only under that one"
    );
    tokio::time::advance(Duration::from_secs(3601)).await;
    assert_eq!(
        row(&retrieve(&world.client("R8000").opening(glass), &id).await, "A", Dataset::Allergies).0,
        Outcome::Withheld,
        "an hour is over"
    );

    let text = |disk: &severn_trust::MemoryDisk| String::from_utf8_lossy(&disk.files()["audit.log"]).into_owned();
    assert!(text(&world.disk).contains("\"override\":\""), "the manifest names the override");
    assert!(
        text(&world.adapter_disks["B"]).contains("\"override_reason\":\"emergency_treatment\""),
        "and so does the owner's trail"
    );
}

/// The region asks that risks be not printed, the owner that the social worker be told of them.
const ON_CONDITIONS: [&str; 2] = [
    r#"
    @id("care") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
    @id("risks") @obligation("no_print") permit (principal in Role::"clinician", action == Action::"read", resource == Dataset::"risks");
    "#,
    r#"
    @id("all") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
    @id("risks") @obligation("notify_social_worker, log_sensitive")
    permit (principal in Role::"clinician", action == Action::"read", resource == Dataset::"risks");
    "#,
];

#[tokio::test(start_paused = true)]
async fn what_is_shown_on_a_condition_says_so_to_its_reader_and_in_both_trails() {
    let [region, owner] = ON_CONDITIONS;
    let world = World::start_under(region, vec![source("A"), source("B")], &[("B", owner)]).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    let record = retrieve(&doctor, &id).await;
    let owed = |source: &str, dataset: Dataset| {
        let row = record.ledger().rows.iter().find(|row| row.source_id == source && row.dataset() == dataset);
        Obligations::said(&row.expect("a row").obligations).words()
    };
    assert_eq!(owed("A", Dataset::Risks), ["no_print"], "what the region asks");
    assert_eq!(owed("B", Dataset::Risks), ["no_print", "log_sensitive", "notify_social_worker"], "and the owner");
    assert!(owed("B", Dataset::Allergies).is_empty());
    assert_eq!(record.obligations(Dataset::Risks).words(), owed("B", Dataset::Risks));

    let text = |disk: &severn_trust::MemoryDisk| String::from_utf8_lossy(&disk.files()["audit.log"]).into_owned();
    let (broker, owner) = (text(&world.disk), text(&world.adapter_disks["B"]));
    assert!(
        broker.contains(r#""obligations":{"A":{"3":["no_print"]},"B":{"3":["no_print","log_sensitive","#),
        "{broker}"
    );
    assert!(owner.contains(r#""obligations":["log_sensitive","notify_social_worker"]"#), "{owner}");
    let version = owner.split(r#""policy":""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a version");
    assert!(broker.contains(&format!(r#""B":"{version}""#)), "the manifest names the owner's policy: {version}");
}

#[tokio::test(start_paused = true)]
async fn what_a_person_keeps_back_is_withheld_from_the_next_query_on() {
    let world = World::start(vec![source("A"), source("B")], &[]).await;
    let (id, clerk, doctor) = (world.id_of(&anne()).await, world.client("R9100"), world.client("R8000"));
    assert_eq!(row(&retrieve(&doctor, &id).await, "A", Dataset::Risks).0, Outcome::Answered);
    let enter = async |kind: DirectiveKind, source: &str, datasets: &[Dataset]| {
        let terms = DirectiveTerms {
            kind: kind.into(),
            source_id: source.into(),
            datasets: datasets.iter().map(|dataset| (*dataset).into()).collect(),
            reason: "asked for it by letter".into(),
            ..DirectiveTerms::default()
        };
        clerk.enter_directive(&id, &anne(), terms, &clerk.new_act()).await.expect("entered")
    };
    let restricted = enter(DirectiveKind::Datasets, "", &[Dataset::Risks]).await;
    enter(DirectiveKind::Dissent, "B", &[]).await;
    let by_person = (Outcome::Withheld, Some(ReasonCode::ByPerson));
    let kept = retrieve(&doctor, &id).await;
    assert_eq!(row(&kept, "A", Dataset::Risks), by_person);
    assert_eq!(row(&kept, "A", Dataset::Allergies).0, Outcome::Answered, "nothing else");
    assert_eq!(row(&kept, "B", Dataset::Allergies), by_person);

    let opened =
        retrieve(&doctor.clone().opening(break_glass(&doctor, &id, "unconscious on arrival").await), &id).await;
    assert_eq!(row(&opened, "A", Dataset::Risks).0, Outcome::Answered, "a restriction yields to a reason");
    assert_eq!(row(&opened, "B", Dataset::Allergies), by_person, "dissent at a practice yields to none");
    clerk
        .withdraw_directive(&restricted.id, "changed her mind by telephone", &clerk.new_act())
        .await
        .expect("withdrawn");
    assert_eq!(row(&retrieve(&doctor, &id).await, "A", Dataset::Risks).0, Outcome::Answered);
}

/// An answer without what is different in every answer: the query, and the moments.
fn normalised(record: &Record) -> String {
    let mut ledger = record.ledger().clone();
    for row in &mut ledger.rows {
        (row.as_of_ms, row.waited_ms) = (0, 0);
    }
    format!("{:?} {:?} {:?}", record.person(), record.sections(), ledger)
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_hidden_source_is_that_of_a_world_without_it() {
    let mut seen = Vec::new();
    for hidden in [true, false] {
        let at_the_prison = Address { lines: vec!["1 Prison Road".into()], ..Address::default() };
        let inmate = Demographics { addresses: vec![at_the_prison], preferred_name: "Ash".into(), ..anne() };
        let prison = MadeUp::new("PRISON");
        let prison = if hidden { prison.knowing("1", inmate, source_entries("PRISON")) } else { prison };
        let region = format!(
            "{REGION}{}",
            r#"@id("anybody") permit (principal in Role::"clinician", action == Action::"read", resource);"#
        );
        let world = World::start_under(&region, vec![source("A"), prison], &[]).await;
        let client = world.client("R8000");
        let search = Search::NhsNumber { nhs_number: anne().nhs_number, birth_date: anne().birth_date };
        let Found::One(found) = client.find(search).await.expect("a search") else { panic!("one person") };
        let id = &found.enterprise_id;
        let record =
            retrieve(&client.clone().opening(break_glass(&client, id, "unconscious on arrival").await), id).await;
        seen.push(format!("{} {:?} {}", found.sources, found.golden, normalised(&record)));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(!seen[0].to_lowercase().contains("prison"));
    let world = World::start_under(TABLE, vec![source("A"), source("PRISON")], &[]).await;
    let open = retrieve(&world.client("R8000"), &world.id_of(&anne()).await).await;
    assert_eq!(row(&open, "PRISON", Dataset::Allergies).0, Outcome::Answered, "where no policy hides it, it is there");
}
