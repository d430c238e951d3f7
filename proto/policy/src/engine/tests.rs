use super::*;
use crate::{
    facts::{Evidence, RelationshipKind},
    laws::SCHEMA,
};
use cedar_policy::Schema;
use proptest::prelude::*;

const CLINICIAN: &str = "R8000";

fn roles() -> Vec<BundleRole> {
    [("clinician", CLINICIAN), ("clerk", "R8008")]
        .map(|(name, code)| BundleRole { name: name.into(), codes: vec![code.into()] })
        .to_vec()
}

fn policy(text: &str) -> Policy {
    Policy::read("test/1", roles(), text).unwrap()
}

fn clinician() -> Asker {
    Asker::new(CLINICIAN, PurposeOfUse::DirectCare)
}

const EVERYTHING: &str = r#"
    @id("clinicians see everything")
    permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all")
    when { context.purpose == "direct_care" };
"#;

#[test]
fn the_facts_fit_the_schema_and_every_dataset_has_its_group() {
    let policy = policy(EVERYTHING);
    let decisions = policy.decisions(&clinician(), "GP practice");
    let entities = decisions.user_among(&policy.rules.entities).unwrap();
    let schema = Schema::from_str(SCHEMA).unwrap();
    let context = decisions.moment(SensitivityLabel::Normal).context(&PersonFacts::default(), "GP practice").unwrap();
    for (action, resource) in [("read", uid(&TYPES.dataset, "allergies")), ("know", uid(&TYPES.source, "asked"))] {
        let action = uid(&TYPES.action, action);
        Request::new(decisions.user.clone(), action, resource, context.clone(), Some(&schema)).unwrap();
    }
    Entities::from_entities(entities.iter().cloned().collect::<Vec<_>>(), Some(&schema)).unwrap();
    let groups: HashSet<&str> = ALL_DATASETS.into_iter().map(group).collect();
    assert_eq!(groups.len(), 7, "one of the groups of the schema has no dataset");
}

#[test]
fn what_no_policy_permits_is_denied_and_the_reason_says_what_is_missing() {
    let text = format!(
        "{EVERYTHING}\n{}",
        r#"@id("clerks of the practice") permit (principal in Role::"clerk", action == Action::"read", resource == Dataset::"contacts")
           when { context.relationship.kind == "registered" };"#
    );
    let policy = policy(&text);
    let of = |code: &str, purpose, dataset| policy.decisions(&Asker::new(code, purpose), "").of(dataset);
    assert!(of(CLINICIAN, PurposeOfUse::DirectCare, Dataset::Allergies).permits());
    for (code, purpose, dataset, missing) in [
        (CLINICIAN, PurposeOfUse::Audit, Dataset::Allergies, Missing::Purpose),
        ("R8008", PurposeOfUse::DirectCare, Dataset::Contacts, Missing::Relationship),
        ("R8008", PurposeOfUse::DirectCare, Dataset::Allergies, Missing::Role),
    ] {
        assert_eq!(of(code, purpose, dataset), Ruling::new(Verdict::Denied, Why::Unpermitted));
        assert_eq!(
            policy.decisions(&Asker::new(code, purpose), "").missing(dataset, SensitivityLabel::Normal),
            missing
        );
    }
    assert!(policy.shares(Dataset::Contacts) && policy.shares(Dataset::Allergies));
    for unknown in ["", "clinician", "r8000", "R1"] {
        let decisions = policy.decisions(&Asker::new(unknown, PurposeOfUse::DirectCare), "");
        assert!(ALL_DATASETS.into_iter().all(|dataset| !decisions.of(dataset).permits()), "{unknown:?}");
        assert!(!decisions.permits_anything());
    }
    let nothing = Policy::nothing("none").decisions(&clinician(), "");
    assert_eq!(nothing.of(Dataset::Allergies).verdict, Verdict::Denied);
    assert_eq!(policy.decisions(&clinician(), "").of(Dataset::Unspecified).verdict, Verdict::Denied);
}

#[test]
fn of_several_policies_that_forbid_the_strictest_holds() {
    let with = |outcomes: &[&str]| {
        let forbids = outcomes.iter().enumerate().map(|(at, outcome)| {
            format!(r#"@id("f{at}") @outcome("{outcome}") forbid (principal, action == Action::"read", resource);"#)
        });
        let text = format!("{EVERYTHING}{}", forbids.collect::<String>());
        policy(&text).decisions(&clinician(), "").of(Dataset::Allergies).verdict
    };
    assert_eq!(with(&[]), Verdict::Permit);
    assert_eq!(with(&["may_be_opened"]), Verdict::MayBeOpened);
    assert_eq!(with(&["withheld", "may_be_opened"]), Verdict::Withheld);
    assert_eq!(with(&["may_be_opened", "denied", "withheld"]), Verdict::Denied);
    let bare = format!(r#"{EVERYTHING}@id("f") forbid (principal, action == Action::"read", resource);"#);
    assert_eq!(policy(&bare).decisions(&clinician(), "").of(Dataset::Allergies).verdict, Verdict::Denied);
}

#[test]
fn obligations_of_all_that_permit_add_up() {
    let text = format!(
        "{EVERYTHING}{}",
        r#"@id("safeguarding is told on") @obligation("notify_social_worker, log_sensitive")
           permit (principal in Role::"clinician", action == Action::"read", resource == Dataset::"safeguarding");"#
    );
    let ruling = policy(&text).decisions(&clinician(), "").of(Dataset::Safeguarding);
    let expected = Obligations::default().with(Obligation::NotifySocialWorker).with(Obligation::LogSensitive);
    assert!(ruling.permits());
    assert_eq!(ruling.obligations, expected);
    assert_eq!(ruling.obligations.iter().count(), 2);
}

/// A forbid that fails is skipped by Cedar, and a skipped forbid would show what it forbids.
#[test]
fn a_policy_that_fails_denies() {
    let text = format!(
        "{EVERYTHING}{}",
        r#"@id("overflows") forbid (principal, action == Action::"read", resource)
           when { context.person.age * 9223372036854775807 > 5 };"#
    );
    let mut asker = clinician();
    asker.person.age_years = 40;
    let ruling = policy(&text).decisions(&asker, "").of(Dataset::Allergies);
    assert_eq!(ruling, Ruling::new(Verdict::Denied, Why::Fault));
}

#[test]
fn a_reason_opens_what_may_be_opened_and_nothing_else() {
    let text = format!(
        "{EVERYTHING}{}",
        r#"
        @id("no relationship") @outcome("may_be_opened") forbid (principal, action == Action::"read", resource)
        when { context.relationship.kind == "none" } unless { context.breaking_glass };
        @id("statute") @outcome("withheld") forbid (principal, action == Action::"read", resource == Dataset::"pregnancy");
        "#
    );
    let policy = policy(&text);
    let opening = Asker { breaking_glass: true, ..clinician() };
    let (closed, opened) = (policy.decisions(&clinician(), ""), policy.decisions(&opening, ""));
    assert_eq!(closed.of(Dataset::Allergies).verdict, Verdict::MayBeOpened);
    assert!(opened.of(Dataset::Allergies).permits());
    assert_eq!(opened.of(Dataset::Allergies).obligations.iter().count(), 2, "a banner and a mark in the trail");
    assert_eq!(opened.of(Dataset::Pregnancy).verdict, Verdict::Withheld);
    assert_eq!(opened.of_entry(Dataset::Allergies, &[SensitivityLabel::Sealed as i32]).verdict, Verdict::Withheld);
    let dissent = Asker { directive: Directive::Dissent, ..opening.clone() };
    assert_eq!(policy.decisions(&dissent, "").of(Dataset::Allergies), Ruling::new(Verdict::Withheld, Why::Person));
    let restricted = Asker { directive: Directive::Restricted, ..clinician() };
    let related = Relationship { kind: RelationshipKind::Registered, evidence: Evidence::Feed };
    let of_kin =
        |asker: &Asker| policy.decisions(&Asker { relationship: related, ..asker.clone() }, "").of(Dataset::Allergies);
    assert_eq!(of_kin(&restricted), Ruling::new(Verdict::MayBeOpened, Why::Person));
    assert!(of_kin(&Asker { breaking_glass: true, ..restricted }).permits());
    let nobody = Asker { role_code: "R1".into(), ..opening };
    assert_eq!(policy.decisions(&nobody, "").of(Dataset::Allergies).verdict, Verdict::Denied);
}

#[test]
fn a_source_can_be_hidden_by_its_kind_and_no_reason_shows_it() {
    let text = format!(
        "{EVERYTHING}{}",
        r#"
        @id("prisons") forbid (principal, action == Action::"know", resource)
        when { context.source_kind == "prison" } unless { principal.workgroups.contains("custody") };
        @id("practices of people at risk") forbid (principal, action == Action::"know", resource)
        when { context.source_kind == "GP practice" && context.person.restricted };
        "#
    );
    let policy = policy(&text);
    let known = |asker: &Asker, kind: &str| policy.decisions(asker, kind).may_know();
    let opening = Asker { breaking_glass: true, ..clinician() };
    assert!(known(&clinician(), "council") && known(&clinician(), "GP practice"));
    assert!(!known(&clinician(), "prison") && !known(&opening, "prison"));
    let of_custody = Asker { workgroups: BTreeSet::from(["custody".to_owned()]), ..clinician() };
    assert!(known(&of_custody, "prison"));
    let mut at_risk = clinician();
    at_risk.person.restricted = true;
    assert!(!known(&at_risk, "GP practice") && known(&at_risk, "council"));
}

#[test]
fn an_exception_of_one_restriction_never_undoes_another() {
    let of = |when: &str, asker: Asker| {
        let forbid = format!(r#"@id("f") forbid (principal, action == Action::"read", resource) when {{ {when} }};"#);
        policy(&format!("{EVERYTHING}{forbid}")).decisions(&asker, "").of(Dataset::Allergies).verdict
    };
    let restricted = Asker { directive: Directive::Restricted, breaking_glass: true, ..clinician() };
    let dissent = Asker { directive: Directive::Dissent, ..clinician() };
    let mild = r#"context.directive == "restricted""#;
    assert_eq!(of(mild, restricted.clone()), Verdict::Denied);
    assert_eq!(of(mild, dissent), Verdict::Denied, "dissent is no milder than a restriction");
    let but_at_risk = r#"context.directive != "none" && !context.person.restricted"#;
    assert_eq!(of(but_at_risk, restricted.clone()), Verdict::Denied);
    let person = PersonFacts { restricted: true, ..PersonFacts::default() };
    assert_eq!(of(but_at_risk, Asker { person, ..restricted }), Verdict::Denied, "being at risk shows no more");
}

#[test]
fn who_differs_in_what_no_policy_speaks_of_is_decided_once() {
    let policy = policy(EVERYTHING);
    let other = Asker { organisation: "RXT".into(), assurance: 3, ..clinician() };
    assert!(Arc::ptr_eq(&policy.decisions(&clinician(), "council"), &policy.decisions(&other, "GP practice")));
    let other = Asker { purpose: PurposeOfUse::Emergency, ..clinician() };
    assert!(!Arc::ptr_eq(&policy.decisions(&clinician(), ""), &policy.decisions(&other, "")));
    let speaks = self::policy(&format!(
        "{EVERYTHING}{}",
        r#"@id("own") permit (principal in Role::"clerk", action == Action::"read", resource) when { principal.organisation == "RXT" };"#
    ));
    let clerk =
        |organisation: &str| Asker { organisation: organisation.into(), ..Asker::new("R8008", PurposeOfUse::Audit) };
    assert!(speaks.decisions(&clerk("RXT"), "").of(Dataset::Alerts).permits());
    assert!(!speaks.decisions(&clerk("RJC"), "").of(Dataset::Alerts).permits());
}

#[test]
fn how_a_relationship_is_known_counts_where_a_policy_speaks_of_nothing_else() {
    let policy = policy(&format!(
        "{EVERYTHING}{}",
        r#"@id("claims") forbid (principal, action == Action::"read", resource)
           when { context.relationship.evidence == "claimed" };"#
    ));
    let known = |evidence| {
        let relationship = Relationship { kind: RelationshipKind::SelfClaimed, evidence };
        policy.decisions(&Asker { relationship, ..clinician() }, "").of(Dataset::Allergies).permits()
    };
    assert!(known(Evidence::None) && known(Evidence::Feed));
    assert!(!known(Evidence::Claimed), "a claim is not taken for nothing");
}

#[test]
fn the_version_changes_with_every_change() {
    let version = |text: &str, roles: Vec<BundleRole>| Policy::read("RXT/3", roles, text).unwrap().version().to_owned();
    let first = version(EVERYTHING, roles());
    assert!(first.starts_with("RXT/3+"));
    assert_eq!(first, version(EVERYTHING, roles()));
    assert_ne!(first, version(&EVERYTHING.replace("direct_care", "emergency"), roles()));
    assert_ne!(first, version(EVERYTHING, roles()[..1].to_vec()));
}

/// A dataset that policies name, one of the group they name, and one of neither.
const SOME: [Dataset; 3] = [Dataset::Risks, Dataset::Allergies, Dataset::Medications];

/// Conditions that policies may have, some of them unwise.
const CONDITIONS: [&str; 12] = [
    "true",
    r#"context.purpose == "direct_care""#,
    r#"context.label == "normal""#,
    r#"context.label == "mental_health""#,
    r#"context.label != "custody""#,
    r#"context.directive == "restricted""#,
    r#"context.directive == "none""#,
    "context.person.restricted",
    "!context.person.restricted",
    r#"context.relationship.kind != "none""#,
    "context.person.age >= 0 && context.person.age < 18",
    r#"context.source_kind == "council""#,
];

/// Any policies that pass the check.
fn any_policy() -> impl Strategy<Value = Policy> {
    let scope = prop_oneof![
        Just("principal"),
        Just(r#"principal in Role::"clinician""#),
        Just(r#"principal in Role::"clerk""#)
    ];
    let resource =
        prop_oneof![Just("resource"), Just(r#"resource in Group::"crisis""#), Just(r#"resource == Dataset::"risks""#)];
    let groups = prop_oneof![Just(""), Just("grown"), Just("group")];
    let one = (0..4_u8, scope, resource, 0..CONDITIONS.len(), 0..CONDITIONS.len(), groups);
    proptest::collection::vec(one, 1..8).prop_map(|all| {
        let mut text = String::new();
        for (at, (effect, scope, resource, when, unless, group)) in all.into_iter().enumerate() {
            let member = r#"principal.workgroups.contains("w")"#;
            let (effect, when_member, unless_member) = match effect {
                0 => (r#"permit"#.to_owned(), member, "false"),
                other => {
                    let outcome = ["denied", "withheld", "may_be_opened"][usize::from(other - 1)];
                    (format!(r#"@outcome("{outcome}") forbid"#), "true", member)
                }
            };
            let (when_member, unless_member) = if group.is_empty() { ("true", "false") } else { (when_member, unless_member) };
            // A permit under an empty `unless` and a forbid under an empty `when` both always apply.
            let unless = if unless % 2 == 0 { "false" } else { CONDITIONS[unless] };
            let when = CONDITIONS[when];
            text.push_str(&format!(
                "@id(\"p{at}\") {effect} ({scope}, action == Action::\"read\", {resource})\nwhen {{ {when} && {when_member} }} unless {{ {unless} || {unless_member} }};\n"
            ));
        }
        Policy::read("any", roles(), &text).unwrap()
    })
}

fn any_asker() -> impl Strategy<Value = Asker> {
    let directive = prop_oneof![Just(Directive::None), Just(Directive::Restricted), Just(Directive::Dissent)];
    (0..3_usize, 1..6_i32, directive, any::<[bool; 4]>(), -1..90_i64).prop_map(
        |(role, purpose, directive, [restricted, member, related, breaking_glass], age_years)| {
            let mut asker = Asker::new([CLINICIAN, "R8008", "R1"][role], PurposeOfUse::try_from(purpose).unwrap());
            asker.directive = directive;
            asker.person = PersonFacts { restricted, age_years, ..PersonFacts::default() };
            asker.workgroups = member.then(|| "w".to_owned()).into_iter().collect();
            asker.relationship.kind = if related { RelationshipKind::Registered } else { RelationshipKind::None };
            asker.breaking_glass = breaking_glass;
            asker
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_restriction_ever_shows_more(policy in any_policy(), asker in any_asker(), labels in proptest::collection::vec(1..9_i32, 0..3), more in 0..12_i32) {
        let seen = |asker: &Asker, labels: &[i32]| -> Vec<Dataset> {
            let decisions = policy.decisions(asker, "council");
            SOME.into_iter().filter(|dataset| decisions.of_entry(*dataset, labels).permits()).collect()
        };
        let before = seen(&asker, &labels);
        let within = |what: &str, after: Vec<Dataset>| {
            prop_assert!(after.iter().all(|dataset| before.contains(dataset)), "{} showed more: {:?} {:?}", what, before, after);
            Ok(())
        };
        let mut labelled = labels.clone();
        labelled.push(more);
        within("a label", seen(&asker, &labelled))?;
        for directive in [Directive::Restricted, Directive::Dissent].into_iter().filter(|d| *d > asker.directive) {
            within("a directive", seen(&Asker { directive, ..asker.clone() }, &labels))?;
        }
        let person = PersonFacts { restricted: true, ..asker.person };
        within("a restriction", seen(&Asker { person, ..asker.clone() }, &labels))?;
        within("leaving a workgroup", seen(&Asker { workgroups: BTreeSet::new(), ..asker.clone() }, &labels))?;
        within("losing a role", seen(&Asker { role_code: String::new(), ..asker.clone() }, &labels))?;
        within("not breaking the glass", seen(&Asker { breaking_glass: false, ..asker }, &labels))?;
    }

    #[test]
    fn a_reason_never_opens_what_is_withheld_without_it_for_good(policy in any_policy(), asker in any_asker(), label in 1..9_i32) {
        let closed = policy.decisions(&Asker { breaking_glass: false, ..asker.clone() }, "council");
        let opened = policy.decisions(&Asker { breaking_glass: true, ..asker }, "council");
        for dataset in SOME {
            let (without, with) = (closed.of_entry(dataset, &[label]), opened.of_entry(dataset, &[label]));
            if without.verdict > Verdict::MayBeOpened || without.permits() {
                prop_assert_eq!(without.verdict, with.verdict);
            }
        }
    }
}
