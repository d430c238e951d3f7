//! What a person reads of who looked at them, and what an officer reads in the trail that nobody reported.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use prost::Message as _;
use severn_client::{Client, Glass};
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    Access, AccessReportResponse, Dataset, Demographics, DirectiveKind, DirectiveTerms, HumanName, OverrideReason,
    PatternRule, PurposeOfUse, ReasonCode,
};
use severn_trust::SystemEntropy;
use std::{sync::Arc, time::Duration};
use tests::{
    keys::Seeded,
    records::{anne, bert, plain},
    world::{MadeUp, World},
};

/// A prison's staff may know of it, an officer of another organisation may not.
const REGION: &str = r#"
    @id("care") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
    @id("prisons") forbid (principal, action == Action::"know", resource)
    when { context.source_kind == "prison" } unless { principal in Role::"clinician" };
"#;

fn source(id: &str, person: Demographics) -> MadeUp {
    let entries = [(Dataset::Problems, "p1"), (Dataset::Problems, "p2"), (Dataset::Risks, "r1")];
    MadeUp::new(id).knowing("1", person, entries.map(|(dataset, entry)| plain(id, entry, dataset, "noted")).to_vec())
}

async fn retrieve(client: &Client, id: &str) {
    client.retrieve(id, &anne(), &[], Duration::from_secs(3)).await.expect("an answer");
}

async fn report(world: &World, purpose: PurposeOfUse, safe: bool) -> AccessReportResponse {
    let (id, officer) = (world.id_of(&anne()).await, world.client_for("R9200", purpose));
    officer.whole_access_report(&id, &anne(), safe).await.expect("a report")
}

fn looks(report: &AccessReportResponse) -> Vec<&Access> {
    report.accesses.iter().filter(|access| access.action == "retrieve").collect()
}

#[tokio::test(start_paused = true)]
async fn a_person_reads_who_looked_why_and_what_was_shown_and_kept_back() {
    let sources = vec![source("A", anne()), source("B", anne()), MadeUp::new("RRK")];
    let world = World::start(sources, &[]).await;
    let (id, doctor, clerk) = (world.id_of(&anne()).await, world.client("R8000"), world.client("R9100"));
    let terms = DirectiveTerms {
        kind: DirectiveKind::Datasets.into(),
        datasets: vec![Dataset::Risks.into()],
        reason: "asked for it by letter".into(),
        ..DirectiveTerms::default()
    };
    clerk.enter_directive(&id, &anne(), terms, &clerk.new_act()).await.expect("entered");
    retrieve(&doctor, &id).await;
    let glass = Glass { reason: OverrideReason::EmergencyTreatment, text: "found in the street".into(), minutes: 0 };
    let opened = doctor.open_override(&id, &anne(), &glass, &doctor.new_act()).await.expect("opened");
    retrieve(&doctor.clone().opening(opened.override_id.parse().expect("an id")), &id).await;
    let nobody = world.client("R9100").retrieve(&id, &bert(), &[], Duration::from_secs(3)).await;
    assert!(nobody.is_err(), "another person is meant");

    let report = report(&world, PurposeOfUse::SubjectAccess, false).await;
    let looks = looks(&report);
    let [glass, plain] = looks.as_slice() else { panic!("{looks:?}") };
    assert_eq!((plain.user.as_str(), plain.role_name.as_str()), ("Dr Ada Example (u-1)", "clinician"));
    assert_eq!((plain.organisation_name.as_str(), plain.organisation_ods.as_str()), ("Organisation RRK", "RRK"));
    assert!(!plain.glass_broken && plain.reason.is_empty(), "{plain:?}");
    assert!(glass.glass_broken && glass.reason == "emergency treatment that could not wait", "{glass:?}");
    let part = |access: &Access, dataset: Dataset, source: &str| {
        let part = access.parts.iter().find(|part| part.dataset() == dataset && part.source_id == source);
        part.map(|part| (part.source_name.clone(), part.shown, part.kept_back, part.why()))
    };
    let named = |source: &str| format!("Organisation {source}");
    for at in ["A", "B"] {
        let shown = Some((named(at), 2, false, ReasonCode::Unspecified));
        assert_eq!(part(plain, Dataset::Problems, at), shown, "{at}");
        assert_eq!(part(plain, Dataset::Risks, at), Some((named(at), 0, true, ReasonCode::ByPerson)), "{at}");
        assert_eq!(part(glass, Dataset::Risks, at).map(|part| (part.1, part.2)), Some((1, false)), "{at}");
    }
    let refused = report.accesses.iter().find(|access| access.action == "refused").expect("a refusal");
    assert!(refused.reason.contains("not the person") && refused.role_name == "steward", "{refused:?}");
    assert!(report.accesses.is_sorted_by(|a, b| a.seq > b.seq), "newest first, each once");
    assert!(!report.truncated && report.left_out.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_safe_report_tells_nothing_of_where_the_person_is() {
    let at_risk = Demographics { restricted: true, ..anne() };
    let world = World::start(vec![source("A", at_risk), source("B", anne()), MadeUp::new("RRK")], &[]).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    doctor
        .claim_relationship(&id, &anne(), "walked into RRK from REFUGE LANE", &doctor.new_act())
        .await
        .expect("claimed");
    retrieve(&doctor, &id).await;
    let asked = report(&world, PurposeOfUse::Audit, true).await;
    let forced = report(&world, PurposeOfUse::SubjectAccess, false).await;
    for report in [&asked, &forced] {
        let said = format!("{report:?}") + &String::from_utf8_lossy(&report.encode_to_vec());
        for telling in ["RRK", "Organisation", "Ada", "REFUGE", "R8000", "\"A\"", "u-1"] {
            assert!(!said.contains(telling), "{telling}: {said}");
        }
        assert!(report.accesses.iter().all(|access| access.at_ms % 86_400_000 == 0), "days, and no times");
        assert!(report.left_out.len() >= 3, "what is left out is said: {:?}", report.left_out);
        let looks = looks(report);
        assert_eq!(looks.len(), 1);
        assert_eq!(looks[0].organisation_name, "a care organisation");
        assert!(looks[0].parts.iter().any(|part| part.dataset() == Dataset::Problems && part.shown == 4), "{looks:?}");
    }
    let whole = report(&world, PurposeOfUse::Audit, false).await;
    assert!(format!("{whole:?}").contains("Organisation RRK"), "an officer may read all of it");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_nobody_may_know_of_is_named_in_no_report() {
    let world = World::start_under(REGION, vec![source("A", anne()), source("PRISON", anne())], &[]).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    retrieve(&doctor, &id).await;
    for safe in [false, true] {
        let report = report(&world, PurposeOfUse::Audit, safe).await;
        assert!(!format!("{report:?}").contains("PRISON"), "{report:?}");
        assert!(
            looks(&report)[0].parts.iter().map(|part| part.shown).sum::<u32>() > 3,
            "though what it sent was shown"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_was_shown_among_others_reads_of_it() {
    let family = |given: &str, nhs: &str| Demographics {
        nhs_number: nhs.into(),
        names: vec![HumanName { family: "Ash".into(), given: vec![given.into()], ..HumanName::default() }],
        ..anne()
    };
    let twin = family("Anna", "9990000026");
    let world = World::start(vec![MadeUp::new("A").knowing("1", anne(), vec![]).knowing("2", twin, vec![])], &[]).await;
    let search = severn_client::Search::Demographics {
        family: "Ash".into(),
        given: "An".into(),
        birth_date: anne().birth_date,
        sex: severn_proto::v1::Sex::Unspecified,
        postcode: String::new(),
        phone: String::new(),
    };
    world.client("R8000").find(search).await.expect("the broker answers");
    let report = report(&world, PurposeOfUse::Audit, false).await;
    let among = report.accesses.iter().any(|access| access.action == "found-among-others");
    assert!(among, "{:?}", report.accesses);
}

/// A client of a user with this name, role and organisation.
fn client_of(world: &World, (name, role, org): (&str, &str, &str), purpose: PurposeOfUse) -> Client {
    let app = world.network.party(Identity::App("epr".into()));
    let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
    let (gateway, clock, tokens) = (world.gateway.clone(), world.clock.clone(), Seeded::new(79));
    let (name, role, org) = (name.to_owned(), role.to_owned(), org.to_owned());
    let token = move || {
        let mut claims = gateway.claims(&role, purpose, clock.as_ref(), tokens.next());
        (claims.name, claims.org) = (name.clone(), org.clone());
        Ok(gateway.sign(&claims))
    };
    Client::new(channel, world.gateway.app_key.clone(), token, world.clock.clone(), Arc::new(SystemEntropy::default()))
}

#[tokio::test(start_paused = true)]
async fn an_officer_finds_who_looked_at_their_own_family_in_their_own_organisation() {
    let world = World::start(vec![source("A", anne())], &[]).await;
    let id = world.id_of(&anne()).await;
    let (care, audit) = (PurposeOfUse::DirectCare, PurposeOfUse::Audit);
    retrieve(&client_of(&world, ("Nurse Joan Ash", "R8000", "RRK"), care), &id).await;
    retrieve(&client_of(&world, ("Nurse Joan Birch", "R8000", "RRK"), care), &id).await;
    let officer = client_of(&world, ("P Officer", "R9200", "RRK"), audit);
    let found = officer.find_patterns(0, 0).await.expect("patterns");
    let told: Vec<(PatternRule, &str)> = found.findings.iter().map(|f| (f.rule(), f.user.as_str())).collect();
    assert_eq!(told, [(PatternRule::SameFamilyName, "Nurse Joan Ash (u-1)")], "{found:?}");
    assert_eq!((found.findings[0].enterprise_ids.as_slice(), found.left_out), ([id].as_slice(), 0));
    let elsewhere = client_of(&world, ("P Officer", "R9200", "RXX"), audit);
    assert_eq!(elsewhere.find_patterns(0, 0).await.expect("patterns").findings, [], "another organisation's");
    assert!(client_of(&world, ("Nurse Joan Ash", "R8000", "RRK"), care).find_patterns(0, 0).await.is_err());
    assert!(officer.find_patterns(9, 8).await.is_err(), "a time that ends before it begins");
    let trail = String::from_utf8_lossy(&world.disk.files()["audit.log"]).into_owned();
    assert!(trail.contains("\"action\":\"patterns\""), "who looks for patterns is in the trail");
}
