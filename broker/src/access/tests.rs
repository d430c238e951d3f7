use super::*;
use crate::facts::PersonFacts;
use crate::model::{LocalId, Located, Source, SourceId};
use severn_proto::v1::{Demographics, HumanName, Outcome, PurposeOfUse, ReasonCode, SensitivityLabel};
use severn_trust::{ALL_DATASETS, Commitments, SystemEntropy, TokenVerifier};
use std::collections::BTreeSet;
use uuid::Uuid;

const TABLE: &str = r#"
stewards = ["steward"]
auditors = ["officer"]
directives = ["steward"]
privacy_officers = ["officer"]
override_roles = ["clinician"]
[policy]
roles = [
    { name = "clinician", codes = ["R8000"], labels = ["*"] },
    { name = "social worker", codes = ["R9001"], labels = ["safeguarding"] },
    { name = "steward", codes = ["R9100"] },
    { name = "officer", codes = ["R9200"] },
]
rules = [
    { roles = ["clinician"], purposes = ["direct_care"], datasets = ["*"] },
    { roles = ["social worker"], purposes = ["safeguarding"], datasets = ["alerts", "safeguarding"] },
    { roles = ["social worker"], purposes = ["safeguarding"], datasets = ["risks"], withhold = true },
]
"#;

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
    }
}

fn opened(settings: AccessSettings, clock: Arc<dyn Clock>) -> Access {
    let policy = Arc::new(CurrentPolicy::fixed(settings.policy.table().policy().unwrap()));
    Access::new(settings, policy, severn_trust::IssuerKeys::fixed(TokenVerifier::new("severn")), clock)
}

fn access() -> Access {
    let settings: AccessSettings = toml::from_str(TABLE).unwrap();
    settings.check().unwrap();
    opened(settings, Arc::new(Noon))
}

fn user(role_code: &str, purpose: PurposeOfUse) -> User {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    User {
        id: "u1".into(),
        issuer: "i".into(),
        name: "Dr A".into(),
        role_code: role_code.into(),
        organisation_ods: "RRK".into(),
        assurance: 3,
        activities: BTreeSet::new(),
        workgroups: BTreeSet::new(),
        purpose,
        token_id: "t1".into(),
        token_sha256: [0; 32],
        expires_s: 0,
        app_key: severn_trust::PublicKey::from_json(jwk).unwrap(),
        authenticated_s: None,
    }
}

fn anne() -> Demographics {
    let name = HumanName { family: "Ash".into(), given: vec!["Anne".into()], ..HumanName::default() };
    Demographics { birth_date: "1980-02-01".into(), names: vec![name], ..Demographics::default() }
}

fn person() -> Person {
    let located = ["A", "B"].map(|id| Located { source: SourceId(id.into()), local_id: LocalId("1".into()) });
    Person { id: EnterpriseId(Uuid::from_u128(1)), golden: anne(), located: located.to_vec() }
}

fn question(
    access: &Access,
    user: User,
    meant: &Demographics,
    datasets: Vec<Dataset>,
) -> Result<Question, AccessError> {
    let commitments = Commitments::new(&PersonKeys::of(meant), &SystemEntropy::default());
    let (query_id, purpose) = (Uuid::from_u128(7), user.purpose);
    let proof = Proof { query_id, issued_s: 0, datasets, purpose, person: commitments, challenge: None, opening: None };
    access.question((user, proof), person().id, RequestContext::default(), Duration::from_secs(3))
}

fn registered(id: &SourceId) -> Option<Arc<Source>> {
    (&*id.0 == "A").then(|| Arc::new(Source { id: id.clone(), name: "A".into(), kind: "k".into(), ods: "A".into() }))
}

#[test]
fn the_plan_covers_every_source_and_dataset_once() {
    let access = access();
    for (role, purpose, asked, refused) in [
        ("R8000", PurposeOfUse::DirectCare, 33, None),
        ("R8000", PurposeOfUse::Emergency, 0, Some(ReasonCode::Purpose)),
        ("R9100", PurposeOfUse::DirectCare, 0, Some(ReasonCode::Role)),
    ] {
        let question = question(&access, user(role, purpose), &anne(), ALL_DATASETS.to_vec()).unwrap();
        let plan = access.plan(&question, (&person(), &PersonFacts::default()), registered);
        assert_eq!(plan.sources.len(), 2, "a source that is not registered is planned, too");
        for planned in &plan.sources {
            assert_eq!(planned.ask.len(), asked);
            assert_eq!(planned.ask.len() + planned.not_asked.len(), 33);
            assert!(planned.not_asked.iter().all(|(_, _, reason)| Some(*reason) == refused));
        }
    }
}

#[test]
fn the_strictest_rule_wins_and_labels_follow_the_role() {
    let access = access();
    let asker = user("R9001", PurposeOfUse::Safeguarding);
    let datasets = vec![Dataset::Alerts, Dataset::Risks, Dataset::Allergies];
    let question = question(&access, asker, &anne(), datasets).unwrap();
    let plan = access.plan(&question, (&person(), &PersonFacts::default()), registered);
    assert_eq!(plan.datasets, vec![Dataset::Alerts, Dataset::Allergies, Dataset::Risks]);
    assert_eq!(plan.sources[0].ask, vec![Dataset::Alerts]);
    assert!(plan.sources[0].not_asked.contains(&(Dataset::Risks, Outcome::Withheld, ReasonCode::ByOwner)));
    assert!(plan.sources[0].not_asked.contains(&(Dataset::Allergies, Outcome::NotAsked, ReasonCode::Role)));
    let sees = |label: SensitivityLabel| plan.sources[0].decisions.of_entry(Dataset::Alerts, &[label as i32]).permits();
    assert!(sees(SensitivityLabel::Normal) && sees(SensitivityLabel::Safeguarding));
    assert!(!sees(SensitivityLabel::MentalHealth) && !sees(SensitivityLabel::Sealed));
}

#[test]
fn the_person_found_must_be_the_person_meant() {
    let access = access();
    let asker = || user("R8000", PurposeOfUse::DirectCare);
    let meant = question(&access, asker(), &anne(), ALL_DATASETS.to_vec()).unwrap();
    assert_eq!(access.confirm(&meant, &person()), Ok(()));
    let other = Demographics { birth_date: "1980-02-02".into(), ..anne() };
    let other = question(&access, asker(), &other, ALL_DATASETS.to_vec()).unwrap();
    assert_eq!(access.confirm(&other, &person()), Err(AccessError::OtherPerson));
    let nobody = question(&access, asker(), &Demographics::default(), ALL_DATASETS.to_vec());
    assert_eq!(nobody.unwrap_err(), AccessError::NobodyMeant);
    let nothing = question(&access, asker(), &anne(), vec![]);
    assert_eq!(nothing.unwrap_err(), AccessError::NothingAsked, "every adapter would refuse it, too");
    let unknown = question(&access, user("R1", PurposeOfUse::DirectCare), &anne(), ALL_DATASETS.to_vec());
    assert_eq!(unknown.unwrap_err(), AccessError::UnknownRole, "whoever knows the person is not told to nobody");
}

#[test]
fn acts_are_given_to_roles() {
    let access = access();
    for (role, find, steward, report) in [
        ("R8000", true, false, false),
        ("R9100", true, true, false),
        ("R9200", false, false, true),
        ("?", false, false, false),
    ] {
        let user = user(role, PurposeOfUse::DirectCare);
        for (act, may) in [(Act::Find, find), (Act::Sources, find), (Act::Steward, steward), (Act::Report, report)] {
            assert_eq!(access.may(&user, act).is_ok(), may, "{role} {act:?}");
        }
    }
}

#[test]
fn what_is_reviewed_is_given_to_roles_and_for_the_sake_of_care_only() {
    let (access, none) = (access(), AccessSettings::default());
    let nobody = opened(none, Arc::new(Noon));
    let care = PurposeOfUse::DirectCare;
    for (role, purpose, [directives, claim, glass, oversee]) in [
        ("R8000", care, [false, true, true, false]),
        ("R8000", PurposeOfUse::Audit, [false, false, false, false]),
        ("R9001", PurposeOfUse::Safeguarding, [false, true, false, false]),
        ("R9100", care, [true, false, false, false]),
        ("R9200", PurposeOfUse::Audit, [false, false, false, true]),
        ("?", care, [false, false, false, false]),
    ] {
        let user = user(role, purpose);
        let acts = [Act::Directives, Act::Claim, Act::BreakGlass, Act::Oversee];
        for (act, may) in acts.into_iter().zip([directives, claim, glass, oversee]) {
            assert_eq!(access.may(&user, act).is_ok(), may, "{role} {act:?}");
            assert!(nobody.may(&user, act).is_err(), "a role that nobody named may nothing");
        }
        assert!(!access.oversees_all(&user));
    }
}

#[test]
fn nobody_lists_a_town_by_searching() {
    struct Ticking(std::sync::atomic::AtomicI64);
    impl Clock for Ticking {
        fn now_ms(&self) -> i64 {
            self.0.load(std::sync::atomic::Ordering::SeqCst)
        }
    }
    let clock = Arc::new(Ticking(1_700_000_000_000.into()));
    let mut settings: AccessSettings = toml::from_str(TABLE).unwrap();
    settings.searches = toml::from_str("user_per_minute = 30\norganisation_per_minute = 60").unwrap();
    let access = opened(settings, clock.clone());
    let named = |id: &str| User { id: id.into(), ..user("R8000", PurposeOfUse::DirectCare) };
    let granted = |id: &str| {
        let user = named(id);
        (0..100_000).filter(|_| access.may(&user, Act::Find).is_ok()).count()
    };
    assert_eq!(
        (granted("u1"), granted("u2"), granted("u3")),
        (30, 30, 0),
        "two users take what their organisation has"
    );
    assert_eq!(access.may(&named("u1"), Act::Find), Err(AccessError::TooOften { what: "searches", wait_s: 2 }));
    assert_eq!(access.may(&named("u1"), Act::Sources), Ok(()), "what names nobody is not counted");
    clock.0.fetch_add(10_000, std::sync::atomic::Ordering::SeqCst);
    assert_eq!((granted("u1"), granted("u2"), granted("u3")), (5, 5, 0), "ten seconds are a sixth of a minute");
}

#[test]
fn without_a_token_nobody_is_admitted() {
    let refused = access().admit(&RequestContext::default()).unwrap_err();
    assert_eq!(refused, AccessError::Token(TokenError::Missing));
}
