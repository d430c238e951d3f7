//! Who may see a person: directives that nobody loses, claims and overrides that widen for one person only, and
//! relationships from feeds that tell nobody who is who.

use super::{
    steps::run,
    world::{PLACES, Step, World, step},
    *,
};
use crate::{
    facts::{
        Actor, CareKind, ChangeKind, Directive, DirectiveKind, Evidence, OverrideReason, PersonFacts, Restricted,
        Verdict, Waiting, Wanted, WhoseQueue, Wish,
    },
    index::state::State,
    model::Person,
};
use proptest::prelude::*;
use severn_proto::v1::{CareRelationship, Dataset, PurposeOfUse, RelationshipKind};
use severn_trust::User;
use std::collections::BTreeSet;

pub fn actor(id: &str) -> Actor {
    Actor::of(&user(id))
}

/// A user of RRK.
fn user(id: &str) -> User {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    User {
        id: id.into(),
        issuer: "i".into(),
        name: format!("Dr {id}"),
        role_code: "R8000".into(),
        organisation_ods: "RRK".into(),
        purpose: PurposeOfUse::DirectCare,
        token_id: "t1".into(),
        token_sha256: [0; 32],
        expires_s: 0,
        app_key: severn_trust::PublicKey::from_json(jwk).unwrap(),
        authenticated_s: None,
        assurance: 3,
        activities: std::collections::BTreeSet::new(),
        workgroups: std::collections::BTreeSet::new(),
    }
}

fn wish(key: u128, by: &str, person: Option<EnterpriseId>, what: Wanted) -> Wish {
    Wish { key: Uuid::from_u128(key), by: actor(by), person, what }
}

fn directive(key: u128, person: EnterpriseId, kind: DirectiveKind) -> Wish {
    let what = Wanted::Directive { kind, from_ms: 0, until_ms: 0, reason: "asked for it by letter".into() };
    wish(key, "clerk", Some(person), what)
}

pub fn opt_out(key: u128, person: EnterpriseId) -> Wish {
    directive(key, person, DirectiveKind::OptOut)
}

fn withdrawal(key: u128, directive: u128) -> Wish {
    let what = Wanted::Withdrawal { directive: Uuid::from_u128(directive), reason: "asked for it by letter".into() };
    wish(key, "clerk", None, what)
}

fn claim(key: u128, by: &str, person: EnterpriseId) -> Wish {
    wish(key, by, Some(person), Wanted::Claim { reason: "came to the ward on foot".into(), per_day_max: 3 })
}

fn glass(key: u128, by: &str, person: EnterpriseId, text: &str) -> Wish {
    let what = Wanted::Override {
        reason: OverrideReason::EmergencyTreatment,
        text: text.into(),
        minutes: 60,
        authenticated_s: Some(NOW_MS / 1000),
        per_day_max: 3,
    };
    wish(key, by, Some(person), what)
}

fn review(key: u128, of: u128, verdict: Verdict) -> Wish {
    let what = Wanted::Review { of: Uuid::from_u128(of), verdict, note: "asked the ward about it".into() };
    wish(key, "officer", None, what)
}

fn person(index: &Index, name: &str) -> Person {
    index.locate(who(index, name)).unwrap().unwrap()
}

/// What is known of a user's standing with a registration's person. Every source is its own organisation.
fn standing(index: &Index, name: &str, by: &str) -> PersonFacts {
    index.facts(&person(index, name), &user(by), |source| Some(source.to_string())).unwrap()
}

fn in_force(index: &Index, name: &str) -> Vec<u128> {
    standing(index, name, "u1").directives.iter().map(|directive| directive.id.as_u128()).collect()
}

/// An index whose clock is set by the test.
async fn clocked(store: &MemoryStore) -> (Index, Arc<SetClock>) {
    let clock = Arc::new(SetClock(AtomicI64::new(NOW_MS)));
    let entropy = Arc::new(TestEntropy(AtomicI64::new(1 << 32)));
    (Index::open(Arc::new(store.clone()), clock.clone(), entropy).await.unwrap(), clock)
}

struct SetClock(AtomicI64);

impl SetClock {
    fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, IndexError>) -> String {
    match result {
        Err(IndexError::Facts(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_directive_holds_until_it_is_over_or_withdrawn_and_its_story_stays() {
    let store = MemoryStore::default();
    let (index, clock) = clocked(&store).await;
    register(&index, "A/1", &smith("Anna")).await;
    let anna = who(&index, "A/1");
    index.change_facts(opt_out(1, anna)).await.unwrap();
    let (from_ms, until_ms) = (NOW_MS + 1000, NOW_MS + 5000);
    let kind = DirectiveKind::Restriction(Restricted::Datasets(vec![Dataset::Risks, Dataset::Documents]));
    let what = Wanted::Directive { kind, from_ms, until_ms, reason: "asked for it by letter".into() };
    index.change_facts(wish(2, "clerk", Some(anna), what)).await.unwrap();
    assert_eq!(in_force(&index, "A/1"), [1]);
    clock.advance(1000);
    assert_eq!(in_force(&index, "A/1"), [1, 2]);
    index.change_facts(withdrawal(3, 1)).await.unwrap();
    assert_eq!(in_force(&index, "A/1"), [2]);
    clock.advance(4000);
    assert_eq!(in_force(&index, "A/1"), [0_u128; 0]);
    let told = |(d, _): &(Directive, bool)| (d.id.as_u128(), d.version, d.withdrawn.as_ref().map(|w| w.by.id.clone()));
    let listed: Vec<_> = index.directives(anna).unwrap().unwrap().iter().map(told).collect();
    assert_eq!(listed, [(1, 2, Some("clerk".to_owned())), (2, 1, None)]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    let anna = who(&index, "A/1");
    index.change_facts(opt_out(1, anna)).await.unwrap();
    index.change_facts(withdrawal(2, 1)).await.unwrap();
    let events = store.events().len();
    let nobody = EnterpriseId(Uuid::from_u128(77));
    let restricted = |restricted| directive(9, anna, DirectiveKind::Restriction(restricted));
    let ended =
        Wanted::Directive { kind: DirectiveKind::OptOut, from_ms: 0, until_ms: 1, reason: "by letter of May".into() };
    let brief = Wanted::Directive { kind: DirectiveKind::OptOut, from_ms: 0, until_ms: 0, reason: "letter".into() };
    for (wish, why) in [
        (opt_out(9, nobody), "does not know this person"),
        (claim(9, "u1", nobody), "does not know this person"),
        (glass(9, "u1", nobody, "unconscious in resus"), "does not know this person"),
        (withdrawal(9, 8), "no such directive"),
        (withdrawal(9, 1), "withdrawn already"),
        (review(9, 1, Verdict::Justified), "no such entry"),
        (restricted(Restricted::Datasets(vec![])), "datasets: name one"),
        (restricted(Restricted::Organisation { ods: " ".into() }), "organisation_ods: give it"),
        (restricted(Restricted::User { issuer: "i".into(), id: String::new() }), "user_id: give it"),
        (wish(9, "clerk", Some(anna), ended), "until_ms: this is over"),
        (wish(9, "clerk", Some(anna), brief), "reason: say why"),
    ] {
        let told = refused(index.change_facts(wish).await);
        assert!(told.contains(why), "{why}: {told}");
    }
    assert_eq!(store.events().len(), events);
    assert_eq!(index.directives(nobody).unwrap(), None);
}

#[tokio::test]
async fn a_retry_changes_nothing_and_a_restart_or_another_broker_knows_everything() {
    let (store, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    let anna = who(&index, "A/1");
    let dissent = || directive(1, anna, DirectiveKind::Dissent { source: source("A") });
    let entered = index.change_facts(dissent()).await.unwrap();
    index.change_facts(glass(2, "u1", anna, "unconscious in resus")).await.unwrap();
    index.change_facts(claim(3, "u1", anna)).await.unwrap();
    let events = store.events().len();
    assert_eq!(index.change_facts(dissent()).await, Ok(entered));
    index.change_facts(glass(2, "u1", anna, "unconscious in resus")).await.unwrap();
    assert_eq!(store.events().len(), events);
    for other in [opt_out(1, anna), claim(2, "u1", anna), claim(3, "u2", anna)] {
        assert!(matches!(index.change_facts(other).await, Err(IndexError::Conflict(_))), "the key is taken");
    }
    let beside = open(Arc::new(store.clone()), 2).await;
    let known = standing(&index, "A/1", "u1");
    assert_eq!(standing(&beside, "A/1", "u1"), known);
    assert_eq!(known.directives.len() + known.relationships.len(), 2);
    assert!(known.overrides.len() == 1);
    // What one broker writes the other follows, at once or when it writes itself.
    beside.change_facts(opt_out(4, anna)).await.unwrap();
    index.change_facts(opt_out(5, anna)).await.unwrap();
    assert_eq!(in_force(&index, "A/1"), [1, 4, 5]);
}

#[tokio::test]
async fn facts_survive_in_a_file_and_in_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = || Some(Snapshots::within(folder.path()).at_least_every(1));
    let start = async || {
        let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
        Index::open_with(snapshots(), store, clock, Arc::new(TestEntropy(AtomicI64::new(1 << 32)))).await.unwrap()
    };
    let index = start().await;
    register(&index, "A/1", &smith("Anna")).await;
    let anna = who(&index, "A/1");
    index.change_facts(opt_out(1, anna)).await.unwrap();
    index.change_facts(glass(2, "u1", anna, "unconscious in resus")).await.unwrap();
    index.change_facts(review(3, 2, Verdict::FollowUp)).await.unwrap();
    let known = standing(&index, "A/1", "u1");
    index.close().await;
    let index = start().await;
    assert_eq!(standing(&index, "A/1", "u1"), known);
    assert_eq!(index.change_facts(opt_out(1, anna)).await.map(|(at_ms, _)| at_ms > 0), Ok(true), "a retry is known");
    let (queue, more) = index.facts_queue(&WhoseQueue::All, Waiting::Only, 10).unwrap();
    assert_eq!((queue.len(), queue[0].reviews.len(), more), (1, 1, 0));
}

#[tokio::test]
async fn joined_persons_have_the_directives_of_both_and_parted_ones_keep_what_was_entered_for_them() {
    let (_, index) = memory().await;
    for (name, given) in [("A/1", "Anna"), ("B/1", "Beth"), ("C/1", "Cleo")] {
        register(&index, name, &smith(given)).await;
    }
    index.change_facts(opt_out(1, who(&index, "A/1"))).await.unwrap();
    index.change_facts(directive(2, who(&index, "B/1"), DirectiveKind::Dissent { source: source("B") })).await.unwrap();
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    assert_eq!(in_force(&index, "A/1"), [1, 2]);
    index.change_facts(opt_out(3, who(&index, "A/1"))).await.unwrap();
    index.unlink(at("B/1"), decision(2)).await.unwrap();
    assert_eq!((in_force(&index, "A/1"), in_force(&index, "B/1")), (vec![1, 3], vec![2, 3]));
    assert_eq!(in_force(&index, "C/1"), [0_u128; 0]);
}

#[tokio::test]
async fn who_stays_when_an_anchor_leaves_keeps_the_directives() {
    let (_, index) = memory().await;
    let anna = Demographics { nhs_number_verified: true, ..numbered(ANNA, "Anna") };
    register(&index, "A/1", &anna).await;
    index.change_facts(opt_out(1, who(&index, "A/1"))).await.unwrap();
    register(&index, "B/1", &smith("Anna")).await;
    withdraw(&index, "A/1").await;
    assert_eq!(in_force(&index, "B/1"), [1], "the practice has gone, the person has not");
    // Nobody was left; the number tells whose it is.
    withdraw(&index, "B/1").await;
    register(&index, "C/1", &anna).await;
    assert_eq!(in_force(&index, "C/1"), [1]);
    // A number that was not traced tells nothing.
    register(&index, "C/2", &Demographics { birth_date: "1951-01-01".into(), ..numbered(ANNA, "Zoe") }).await;
    assert_eq!(in_force(&index, "C/2"), [0_u128; 0]);
}

#[tokio::test]
async fn an_override_is_for_one_person_one_user_and_an_hour_and_within_limits() {
    let store = MemoryStore::default();
    let (index, clock) = clocked(&store).await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &Demographics { birth_date: "1951-01-01".into(), ..smith("Beth") }).await;
    let (anna, beth) = (who(&index, "A/1"), who(&index, "B/1"));
    let set = |wish: Wish, spoil: &dyn Fn(&mut u32, &mut Option<i64>)| {
        let Wanted::Override { reason, text, mut minutes, mut authenticated_s, per_day_max } = wish.what else {
            panic!()
        };
        spoil(&mut minutes, &mut authenticated_s);
        Wish { what: Wanted::Override { reason, text, minutes, authenticated_s, per_day_max }, ..wish }
    };
    let plain = || glass(9, "u1", anna, "unconscious in resus");
    for (wish, why) in [
        (glass(9, "u1", anna, "resus"), "text: say why"),
        (set(plain(), &|minutes, _| *minutes = 0), "1 to 60 minutes"),
        (set(plain(), &|minutes, _| *minutes = 61), "1 to 60 minutes"),
        (set(plain(), &|_, at| *at = None), "sign in again"),
        (set(plain(), &|_, at| *at = Some(NOW_MS / 1000 - 121)), "sign in again"),
        (set(plain(), &|_, at| *at = Some(NOW_MS / 1000 + 31)), "sign in again"),
    ] {
        let told = refused(index.change_facts(wish).await);
        assert!(told.contains(why), "{why}: {told}");
    }
    index.change_facts(glass(1, "u1", anna, "unconscious in resus")).await.unwrap();
    let opened = standing(&index, "A/1", "u1").overrides[0];
    assert_eq!((opened.id.as_u128(), opened.reason.word()), (1, "emergency_treatment"));
    assert_eq!(standing(&index, "A/1", "u2").overrides, vec![], "for one user");
    assert_eq!(standing(&index, "B/1", "u1").overrides, vec![], "for one person");
    assert!(refused(index.change_facts(glass(2, "u1", beth, "Unconscious, in RESUS!")).await).contains("very words"));
    for (key, text) in [(2, "found in the street"), (3, "brought in by police")] {
        index.change_facts(glass(key, "u1", beth, text)).await.unwrap();
    }
    assert!(
        refused(index.change_facts(glass(4, "u1", beth, "no relatives known")).await).contains("3 overrides in 24")
    );
    index.change_facts(glass(5, "u2", beth, "no relatives known")).await.unwrap();
    clock.advance(60 * 60_000 - 1);
    assert!(standing(&index, "A/1", "u1").overrides.len() == 1);
    clock.advance(1);
    assert_eq!(standing(&index, "A/1", "u1").overrides, vec![], "an hour is over");
}

#[tokio::test]
async fn what_widens_ends_where_the_person_goes_by_another_id() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &smith("Beth")).await;
    let beth = who(&index, "B/1");
    index.change_facts(glass(1, "u1", beth, "unconscious in resus")).await.unwrap();
    index.change_facts(claim(2, "u1", beth)).await.unwrap();
    let known = standing(&index, "B/1", "u2");
    assert!(matches!(&known.relationships[0].evidence, Evidence::Claim { by, .. } if by.id == "u1"));
    assert_eq!(known.best_relationship(), Some(CareKind::SelfClaimed), "a claim is for the organisation");
    index.link(at("A/1"), at("B/1"), decision(1)).await.unwrap();
    let known = standing(&index, "B/1", "u1");
    assert_eq!((known.overrides, known.relationships), (vec![], vec![]), "Anna was never meant");
}

#[tokio::test]
async fn claims_and_overrides_are_reviewed_by_somebody_else_and_what_was_wrong_ends() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    let anna = who(&index, "A/1");
    index.change_facts(claim(1, "u1", anna)).await.unwrap();
    index.change_facts(glass(2, "u1", anna, "unconscious in resus")).await.unwrap();
    index.change_facts(glass(3, "officer", anna, "found in the street")).await.unwrap();
    let queue = |whose: &WhoseQueue, waiting| -> Vec<u128> {
        index.facts_queue(whose, waiting, 10).unwrap().0.iter().map(|q| q.change.key.as_u128()).collect()
    };
    let all = WhoseQueue::All;
    assert_eq!(queue(&all, Waiting::Only), [3, 2, 1]);
    let of = |ods: &str, id: &str| WhoseQueue::Organisation { ods: ods.into(), sources: BTreeSet::from([source(id)]) };
    assert_eq!(queue(&of("RRK", "Z"), Waiting::Only).len(), 3, "the asking organisation's");
    assert_eq!(queue(&of("RXX", "A"), Waiting::Only).len(), 3, "and the source's");
    assert_eq!(queue(&of("RXX", "B"), Waiting::Only).len(), 0, "and nobody else's");
    assert!(refused(index.change_facts(review(9, 3, Verdict::Justified)).await).contains("your own act"));
    index.change_facts(review(4, 1, Verdict::FollowUp)).await.unwrap();
    index.change_facts(review(5, 2, Verdict::Justified)).await.unwrap();
    assert_eq!(queue(&all, Waiting::Only), [3, 1]);
    assert!(standing(&index, "A/1", "u1").overrides.len() == 1);
    index.change_facts(review(6, 2, Verdict::NotJustified)).await.unwrap();
    index.change_facts(review(7, 1, Verdict::NotJustified)).await.unwrap();
    assert_eq!((queue(&all, Waiting::Only), queue(&all, Waiting::And).len()), (vec![3], 3));
    let known = standing(&index, "A/1", "u1");
    assert_eq!((known.overrides, known.relationships), (vec![], vec![]));
}

/// A registration with relationships.
fn related(name: &str, demographics: &Demographics, relationships: Vec<CareRelationship>) -> Change {
    match registered(name, demographics) {
        Change::Registered(registration) => Change::Registered(Registration { relationships, ..registration }),
        other => other,
    }
}

fn care(kind: RelationshipKind, ods: &str, [since, until]: [&str; 2]) -> CareRelationship {
    CareRelationship {
        kind: kind.into(),
        organisation_ods: ods.into(),
        team: String::new(),
        since: since.into(),
        until: until.into(),
    }
}

#[tokio::test]
async fn relationships_come_from_feeds_day_by_day_and_the_best_is_first() {
    let (_, index) = memory().await;
    let kinds = async |relationships: Vec<CareRelationship>| -> Vec<CareKind> {
        announce(&index, &source("RRK"), related("RRK/1", &smith("Anna"), relationships)).await.unwrap();
        standing(&index, "RRK/1", "u1").relationships.iter().map(|r| r.kind).collect()
    };
    use RelationshipKind::{Admitted, Caseload, Referred};
    assert_eq!(kinds(vec![]).await, [CareKind::Registered], "who lists nothing knows the person");
    let Change::Registered(registration) = related("RRK/2", &smith("Cleo"), vec![]) else { panic!() };
    let nobody = Change::Registered(Registration { relationships_listed: true, ..registration });
    announce(&index, &source("RRK"), nobody).await.unwrap();
    assert_eq!(standing(&index, "RRK/2", "u1").relationships, vec![], "who lists them says that there is none");
    let today = "2026-05-01";
    for ([since, until], holds) in [
        (["", ""], true),
        ([today, today], true),
        (["2026-05", "2026-05"], true),
        (["2026", "2026"], true),
        (["2026-05-02", ""], false),
        (["2026-06", ""], false),
        (["", "2026-04-30"], false),
        (["", "2026-04"], false),
        (["", "2025"], false),
    ] {
        let found = kinds(vec![care(Admitted, "", [since, until])]).await;
        assert_eq!(found, vec![CareKind::Admitted; usize::from(holds)], "{since} to {until}");
    }
    let both = vec![care(Referred, "rrk", ["", ""]), care(Caseload, "", ["", ""]), care(Admitted, "RXX", ["", ""])];
    assert_eq!(kinds(both).await, [CareKind::Caseload, CareKind::Referred]);
    // Another source may say that somebody was referred to us.
    announce(&index, &source("GP"), related("GP/1", &smith("Beth"), vec![care(Referred, "RRK", ["", ""])]))
        .await
        .unwrap();
    let referred = standing(&index, "GP/1", "u1").relationships;
    assert_eq!((referred[0].kind, &referred[0].evidence), (CareKind::Referred, &Evidence::Feed(source("GP"))));
}

#[tokio::test]
async fn relationships_tell_nobody_who_is_who() {
    let (_, index) = memory().await;
    register(&index, "A/1", &smith("Anna")).await;
    register(&index, "B/1", &Demographics { birth_date: "1980-02-11".into(), ..smith("Anna") }).await;
    let pairs = || index.review_queue(9, &[]).unwrap().pairs.len();
    assert_eq!(pairs(), 1, "a steward should look");
    index.postpone(at("A/1"), at("B/1"), NOW_MS + 90_000_000, decision(1)).await.unwrap();
    let admitted = vec![care(RelationshipKind::Admitted, "", ["", ""])];
    assert_eq!(announce(&index, &source("A"), related("A/1", &smith("Anna"), admitted)).await.unwrap(), []);
    assert_eq!(pairs(), 0, "nothing that tells who they are has changed");
    let stored = index.history(who(&index, "A/1")).unwrap();
    assert_eq!(stored.last().map(|event| event.kind.as_str()), Some("changed"));
    register(&index, "A/1", &Demographics { deceased: true, ..smith("Anna") }).await;
    assert_eq!(pairs(), 1, "now it has");
}

/// Nobody loses a directive but by a decision that parts them, and joined persons have all of both.
fn check_kept(steps: &[Step]) {
    let mut world = World::new();
    let mut entered: Vec<(Uuid, BTreeSet<usize>)> = Vec::new();
    for step in steps {
        let had: Vec<BTreeSet<Uuid>> = (0..PLACES.len()).map(|place| world.directives(place)).collect();
        let ids: Vec<Option<EnterpriseId>> = (0..PLACES.len()).map(|place| world.id(place)).collect();
        world.take(step);
        if let (Step::OptOut(_), Some(Event { about: About::FactsChanged(change), .. })) = (step, world.events.last())
            && matches!(change.kind, ChangeKind::DirectiveEntered { .. })
            && !entered.iter().any(|(id, _)| *id == change.key)
        {
            let place = |name: &&str| {
                change
                    .subject
                    .as_ref()
                    .unwrap()
                    .registrations
                    .iter()
                    .any(|l| (&l.source, &l.local_id) == (&at(name).source, &at(name).local_id))
            };
            let places = (0..PLACES.len()).filter(|n| place(&PLACES[*n])).collect();
            entered.push((change.key, places));
        }
        for (id, places) in &entered {
            let lost = places.iter().find(|n| world.id(**n).is_some() && !world.directives(**n).contains(id));
            assert_eq!(lost, None, "an anchor holds whatever happens: {step:?}");
        }
        let parts = matches!(step, Step::Unlink(_) | Step::TellApart(..));
        for place in (0..PLACES.len()).filter(|place| world.id(*place).is_some() && !parts) {
            // Who was changed into somebody else leaves them with those who stay.
            let left = matches!(step, Step::Register(own, _) if *own == place) && ids[place] != world.id(place);
            let missing: Vec<_> = had[place].difference(&world.directives(place)).copied().collect();
            assert!(left || missing.is_empty(), "{} lost a directive by {step:?}", PLACES[place]);
        }
    }
    let mut again = State::default();
    world.events.iter().for_each(|event| again.apply(event));
    again.check_same(&world.state);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn nobody_loses_a_directive_by_joining_or_by_what_sources_do(steps in prop::collection::vec(step(), 1..40)) {
        check_kept(&steps);
    }
}

#[test]
fn a_change_is_stored_in_words_that_outlive_numbers() {
    run(async {
        let (store, index) = memory().await;
        register(&index, "A/1", &smith("Anna")).await;
        let kind = DirectiveKind::Restriction(Restricted::Datasets(vec![Dataset::Risks]));
        index.change_facts(directive(1, who(&index, "A/1"), kind)).await.unwrap();
        let events = store.events();
        let Some(About::FactsChanged(change)) = events.last().map(|event| &event.about) else { panic!() };
        let text = serde_json::to_string(change).unwrap();
        assert!(text.contains(r#"{"directive-entered":{"kind":{"restriction":{"datasets":["risks"]}}"#), "{text}");
        assert!(text.contains(r#""registrations":[["A","1"]]"#), "{text}");
    });
}
