//! Who may see a person, through the broker's own doors: a wish that is entered and withdrawn, a claim, broken glass, the
//! privacy officers' queue, and what the person reads of it. Every act is in the trail, refused ones too.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use severn_broker::facts::{CareKind, PersonFacts};
use severn_client::{Client, ClientError, Glass};
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    Demographics, DirectiveKind, DirectiveTerms, OverrideReason, OversightKind, OversightVerdict, PurposeOfUse,
};
use severn_trust::{Clock as _, SystemEntropy, TokenVerifier, User, UserClaims};
use std::sync::Arc;
use tests::{
    keys::Seeded,
    records::{anne, bert},
    world::{MadeUp, World},
};
use tonic::Code;

/// What no trail and no log may keep.
const TEXT: &str = "found in the street TEXT-CANARY-5d1c";

async fn world() -> World {
    World::start(vec![MadeUp::new("A").knowing("1", anne(), vec![]), MadeUp::new("RRK")], &[]).await
}

/// A client of a user whose claims are changed.
fn client_of(world: &World, role: &str, purpose: PurposeOfUse, change: impl Fn(&mut UserClaims)) -> Client {
    let app = world.network.party(Identity::App("epr".into()));
    let channel = app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory");
    let (gateway, clock, tokens) = (world.gateway.clone(), world.clock.clone(), Seeded::new(77));
    let mut claims = gateway.claims(role, purpose, clock.as_ref(), 0);
    change(&mut claims);
    let token = move || {
        let mut fresh = claims.clone();
        fresh.jti = format!("other-{}", tokens.next());
        Ok(gateway.sign(&fresh))
    };
    Client::new(channel, world.gateway.app_key.clone(), token, clock, Arc::new(SystemEntropy::default()))
}

fn officer(world: &World) -> Client {
    client_of(world, "R9200", PurposeOfUse::Audit, |claims| claims.sub = "u-officer".into())
}

fn user(world: &World, claims: &UserClaims) -> User {
    let verifier: TokenVerifier = world.gateway.verifier();
    verifier.verify(&world.gateway.sign(claims), world.clock.now_s()).expect("a good token")
}

/// What the broker knows of the clinician's standing with Anne.
async fn standing(world: &World) -> PersonFacts {
    let id = world.id_of(&anne()).await.parse().map(severn_broker::model::EnterpriseId).expect("an id");
    let person = world.broker.index.locate(id).expect("an index").expect("Anne");
    let claims = world.gateway.claims("R8000", PurposeOfUse::DirectCare, world.clock.as_ref(), 1);
    let own_ods = |source: &severn_broker::model::SourceId| Some(source.to_string());
    world.broker.index.facts(&person, &user(world, &claims), own_ods).expect("facts")
}

fn glass(text: &str) -> Glass {
    Glass { reason: OverrideReason::EmergencyTreatment, text: text.into(), minutes: 0 }
}

async fn break_glass(client: &Client, id: &str, person: &Demographics, text: &str) -> Result<String, ClientError> {
    client.open_override(id, person, &glass(text), &client.new_act()).await.map(|opened| opened.override_id)
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>, expected: Code, words: &str) {
    match result {
        Err(ClientError::Refused { code, message }) => {
            assert!(code == expected && message.contains(words), "{code:?} {message}");
        }
        other => panic!("{words}: {other:?}"),
    }
}

fn trail(world: &World) -> String {
    String::from_utf8_lossy(&world.disk.files()["audit.log"]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn broken_glass_is_in_force_at_once_in_the_queue_and_in_the_report() {
    let world = world().await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    let key = doctor.new_act();
    let opened = doctor.open_override(&id, &anne(), &glass(TEXT), &key).await.expect("opened");
    assert_eq!(opened.expires_ms, world.clock.now_ms() + 3_600_000);
    assert_eq!(doctor.open_override(&id, &anne(), &glass(TEXT), &key).await.expect("a retry"), opened);
    let known = standing(&world).await.overrides[0];
    assert_eq!((known.id.to_string(), known.expires_ms), (opened.override_id.clone(), opened.expires_ms));

    let officer = officer(&world);
    let queue = officer.oversight_queue(false, 0).await.expect("a queue");
    let [entry] = queue.entries.as_slice() else { panic!("{queue:?}") };
    assert_eq!((entry.kind(), entry.reason()), (OversightKind::Override, OverrideReason::EmergencyTreatment));
    assert_eq!((entry.text.as_str(), entry.enterprise_id.as_str(), entry.waiting), (TEXT, id.as_str(), true));
    assert_eq!(entry.registrations, [], "an officer of RRK does not learn who else knows her");
    refused(doctor.oversight_queue(false, 0).await, Code::PermissionDenied, "review claims and overrides");
    let elsewhere = client_of(&world, "R9200", PurposeOfUse::Audit, |claims| claims.org = "RXX".into());
    assert_eq!(elsewhere.oversight_queue(true, 0).await.expect("a queue").entries, [], "nobody else's officer");
    let wrong = OversightVerdict::NotJustified;
    let unseen = elsewhere.record_review(&entry.id, wrong, "none of our people", &elsewhere.new_act()).await;
    refused(unseen, Code::NotFound, "no such entry");
    let own = client_of(&world, "R9200", PurposeOfUse::Audit, |_| ());
    let own = own.record_review(&entry.id, OversightVerdict::Justified, "", &own.new_act()).await;
    refused(own, Code::FailedPrecondition, "your own act");
    let of_source = client_of(&world, "R9200", PurposeOfUse::Audit, |claims| claims.org = "A".into());
    let seen = of_source.oversight_queue(false, 0).await.expect("a queue").entries;
    assert_eq!(seen[0].registrations.len(), 1, "the source's own officer is told whom it concerns");

    officer.record_review(&entry.id, wrong, "nobody was brought in", &officer.new_act()).await.expect("reviewed");
    assert_eq!(standing(&world).await.overrides, vec![], "closed at once");
    assert_eq!(officer.oversight_queue(false, 0).await.expect("a queue").entries.len(), 0);
    assert_eq!(officer.oversight_queue(true, 0).await.expect("a queue").entries[0].reviews.len(), 1);

    let report = officer.access_report(&id, &anne()).await.expect("a report");
    let told: Vec<(&str, &str)> =
        report.accesses.iter().map(|access| (access.action.as_str(), access.reason.as_str())).collect();
    assert!(told.contains(&("override", "emergency treatment that could not wait")), "{told:?}");
    let reviews = told.iter().filter(|(action, _)| *action == "review").count();
    assert_eq!(reviews, 1, "what was refused is no review: {told:?}");
    assert!(told.iter().any(|(action, why)| *action == "refused" && why.contains("your own act")), "{told:?}");
    assert!(!trail(&world).contains("CANARY"), "the user's words lie in the index's history only");
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_break_the_glass_is_refused_in_the_same_detail() {
    let world = world().await;
    let (id, care) = (world.id_of(&anne()).await, PurposeOfUse::DirectCare);
    let no_sign_in = client_of(&world, "R8000", care, |claims| claims.auth_time = None);
    let long_ago = client_of(&world, "R8000", care, |claims| claims.auth_time = Some(claims.iat - 121));
    let auditor = client_of(&world, "R8000", PurposeOfUse::Audit, |_| ());
    let doctor = world.client("R8000");
    for (client, text, code, why) in [
        (&no_sign_in, TEXT, Code::Unauthenticated, "sign in again"),
        (&long_ago, TEXT, Code::Unauthenticated, "sign in again"),
        (&world.client("R9001"), TEXT, Code::PermissionDenied, "may not break the glass"),
        (&auditor, TEXT, Code::PermissionDenied, "may not break the glass"),
        (&doctor, "too short", Code::InvalidArgument, "text: say why"),
    ] {
        refused(break_glass(client, &id, &anne(), text).await, code, why);
    }
    refused(break_glass(&doctor, &id, &bert(), TEXT).await, Code::PermissionDenied, "not the person");
    let nobody = Demographics::default();
    refused(break_glass(&doctor, &id, &nobody, TEXT).await, Code::InvalidArgument, "commits to nobody");
    let stranger = "0190b5b0-0000-7000-8000-000000000009";
    refused(break_glass(&doctor, stranger, &anne(), TEXT).await, Code::NotFound, "does not know this person");
    assert_eq!(standing(&world).await.overrides, vec![]);
    let report = officer(&world).access_report(&id, &anne()).await.expect("a report");
    let refusals = report.accesses.iter().filter(|access| access.action == "refused").count();
    assert_eq!(refusals, 7, "every refusal about her is told: {:?}", report.accesses);
    assert!(report.accesses.iter().all(|access| access.action != "override"), "and none as if it had been done");

    for n in 0..5 {
        break_glass(&doctor, &id, &anne(), &format!("found in street {n}")).await.expect("opened");
    }
    refused(break_glass(&doctor, &id, &anne(), "found once more").await, Code::ResourceExhausted, "5 overrides in 24");
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_entered_listed_and_withdrawn_by_those_who_may() {
    let world = world().await;
    let (id, clerk) = (world.id_of(&anne()).await, world.client("R9100"));
    let terms = |kind: DirectiveKind, source: &str| DirectiveTerms {
        kind: kind.into(),
        source_id: source.into(),
        reason: "asked for it by letter".into(),
        ..DirectiveTerms::default()
    };
    let dissent = || terms(DirectiveKind::Dissent, "A");
    let doctor = world.client("R8000");
    let not_for_doctors = doctor.enter_directive(&id, &anne(), dissent(), &doctor.new_act()).await;
    refused(not_for_doctors, Code::PermissionDenied, "people's directives");
    refused(doctor.list_directives(&id).await, Code::PermissionDenied, "people's directives");
    let unknown = terms(DirectiveKind::Dissent, "Z");
    refused(clerk.enter_directive(&id, &anne(), unknown, &clerk.new_act()).await, Code::InvalidArgument, "source_id");
    let bert = clerk.enter_directive(&id, &bert(), dissent(), &clerk.new_act()).await;
    refused(bert, Code::PermissionDenied, "not the person");
    let key = clerk.new_act();
    let entered = clerk.enter_directive(&id, &anne(), dissent(), &key).await.expect("entered");
    assert_eq!(clerk.enter_directive(&id, &anne(), dissent(), &key).await.expect("a retry"), entered);
    assert!(entered.in_force && entered.version == 1 && entered.entered_by.contains("R9100 at RRK"), "{entered:?}");
    let known = standing(&world).await.directives;
    assert_eq!((known.len(), known[0].kind.yields_to_override()), (1, false));
    let withdrawn = clerk.withdraw_directive(&entered.id, "changed her mind by telephone", &clerk.new_act()).await;
    assert!(withdrawn.is_ok_and(|directive| directive.version == 2 && !directive.in_force));
    assert_eq!(standing(&world).await.directives, vec![]);
    assert_eq!(clerk.list_directives(&id).await.expect("a list").len(), 1);
    let again = clerk.withdraw_directive(&entered.id, "changed her mind by telephone", &clerk.new_act()).await;
    refused(again, Code::FailedPrecondition, "withdrawn already");
    let report = officer(&world).access_report(&id, &anne()).await.expect("a report");
    for (action, reason) in [("directive", "by letter"), ("withdraw-directive", "by telephone")] {
        let told = report.accesses.iter().any(|a| a.action == action && a.reason.contains(reason));
        assert!(told, "{action}: {:?}", report.accesses);
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_holds_for_the_organisation_for_a_day_and_is_queued() {
    let world = world().await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    assert_eq!(standing(&world).await.best_relationship(), None);
    let claim = async |person: &Demographics| {
        doctor.claim_relationship(&id, person, "walked into the ward", &doctor.new_act()).await
    };
    refused(claim(&bert()).await, Code::PermissionDenied, "not the person");
    let claimed = claim(&anne()).await.expect("claimed");
    assert_eq!(claimed.until_ms, world.clock.now_ms() + 24 * 3_600_000);
    assert_eq!(standing(&world).await.best_relationship(), Some(CareKind::SelfClaimed));
    let queue = officer(&world).oversight_queue(false, 0).await.expect("a queue");
    assert_eq!(queue.entries.iter().map(|entry| entry.kind()).collect::<Vec<_>>(), [OversightKind::Claim]);
    tokio::time::advance(std::time::Duration::from_secs(24 * 3600)).await;
    assert_eq!(standing(&world).await.best_relationship(), None, "a day is over");
}
