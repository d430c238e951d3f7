use super::*;

fn fault(text: &str) -> String {
    read(text).err().map(|error| error.to_string()).unwrap_or_default()
}

const SEES: &str = r#"permit (principal in Role::"r", action == Action::"read", resource)"#;
const KEEPS: &str = r#"forbid (principal, action == Action::"read", resource)"#;

#[test]
fn each_fault_is_named_by_its_policy_and_says_what_to_do() {
    let cases = [
        ("permit (principal, action, resource".to_owned(), "policies: cannot be read as Cedar"),
        (format!("{SEES};"), "has no @id; give each policy one"),
        (format!(r#"@id("a") {SEES}; @id("a") {KEEPS};"#), "a: two policies have this @id"),
        (r#"@id("a") permit (principal, action, resource);"#.to_owned(), "a: say for which action it is"),
        (
            r#"@id("a") permit (principal, action == Action::"know", resource);"#.to_owned(),
            "a: that a source knows the person",
        ),
        (format!(r#"@id("a") {KEEPS} when {{ context.nothing }};"#), "attribute `nothing`"),
        (format!(r#"@id("a") {KEEPS} when {{ context.person.age == "18" }};"#), "a: "),
        (
            r#"@id("a") permit (principal in Role::"r", action == Action::"write", resource);"#.to_owned(),
            "a: say for which action",
        ),
        (format!(r#"@id("a") @outcome("secret") {KEEPS};"#), r#"a: @outcome("secret") is not understood here"#),
        (format!(r#"@id("a") @outcome("withheld") {SEES};"#), r#"a: @outcome("withheld") is not understood here"#),
        (format!(r#"@id("a") @obligation("banner") {KEEPS};"#), r#"a: @obligation("banner") is not understood here"#),
        (format!(r#"@id("a") @obligation("banner, shout") {SEES};"#), "is not understood here"),
        (format!(r#"@id("a") @outcom("withheld") {KEEPS};"#), "is not understood here"),
        (
            r#"@id("a") @outcome("withheld") forbid (principal, action == Action::"know", resource);"#.to_owned(),
            "is not understood here",
        ),
        (
            r#"@id("a") forbid (principal, action == Action::"know", resource) when { context.directive == "dissent" };"#
                .to_owned(),
            "a: whether a source may be known does not depend on context.directive",
        ),
        (r#"@id("a") permit (principal == ?principal, action == Action::"read", resource);"#.to_owned(), "templates"),
        (format!(r#"@id("a") {SEES} when {{ context.breaking_glass }};"#), "only a forbid with"),
        (
            format!(r#"@id("a") @outcome("withheld") {KEEPS} unless {{ context.breaking_glass }};"#),
            "only a forbid with",
        ),
    ];
    for (text, expected) in cases {
        assert!(fault(&text).contains(expected), "{text}\n{:?}", fault(&text));
    }
    let long = format!("// {}", "x".repeat(TEXT_BYTES_MAX));
    assert!(fault(&long).contains("bytes, at most"));
    let many: String = (0..=POLICIES_MAX).map(|at| format!("@id(\"{at}\") {KEEPS};")).collect();
    assert!(fault(&many).contains("more than 2000 policies"));
}

/// To be in one group fewer must never show more.
#[test]
fn groups_may_only_ever_add() {
    let member = r#"principal.workgroups.contains("w")"#;
    let acts = r#"["a", "b"].containsAny(principal.activities)"#;
    for (lawful, text) in [
        (true, format!("{SEES} when {{ {member} }};")),
        (true, format!("{SEES} when {{ {member} && context.purpose == \"x\" || principal.assurance >= 2 }};")),
        (true, format!("{KEEPS} unless {{ {member} }};")),
        (true, format!("{KEEPS} when {{ !{member} }};")),
        (true, format!("{KEEPS} when {{ principal.assurance < 3 }};")),
        (true, format!("{KEEPS} when {{ 3 > principal.assurance }};")),
        (true, format!("{KEEPS} when {{ principal.workgroups.isEmpty() }};")),
        (true, format!("{SEES} when {{ if context.person.restricted then {member} else true }};")),
        (false, format!("{SEES} when {{ !{member} }};")),
        (false, format!("{SEES} unless {{ {member} }};")),
        (false, format!("{KEEPS} when {{ {member} }};")),
        (false, format!("{KEEPS} when {{ principal.assurance >= 1 }};")),
        (false, format!("{SEES} when {{ principal.assurance < 1 }};")),
        (false, format!("{SEES} when {{ principal.assurance == 1 }};")),
        (false, format!("{SEES} when {{ principal.workgroups == [\"w\"] }};")),
        (false, format!("{SEES} when {{ {member} == false }};")),
        (false, format!("{SEES} when {{ if {member} then false else true }};")),
        (false, format!("{SEES} when {{ {acts} }};")),
        (false, format!("{SEES} when {{ principal.workgroups.isEmpty() }};")),
        (false, format!("{SEES} unless {{ !(principal.assurance < 2) }};")),
    ] {
        let fault = fault(&format!("@id(\"a\") {text}"));
        assert_eq!(fault.is_empty(), lawful, "{text}\n{fault}");
        assert!(lawful || fault.contains("may only ever add to what is seen"), "{text}\n{fault}");
    }
}

#[test]
fn what_policies_speak_of_is_known() {
    let text = format!(
        r#"@id("a") {SEES} when {{ context.relationship == {{ kind: "none", evidence: "none" }} && principal in Role::"q" }};
           @id("b") {KEEPS} unless {{ [context.source_kind].contains("x") || context.label == "y" }};"#
    );
    let mut mentions = Mentions::default();
    read(&text).ok().unwrap().mentions.values().for_each(|of_one| mentions.and(of_one));
    for (path, expected) in [
        ("context.relationship", true),
        ("context.relationship.kind", true),
        ("context.source_kind", true),
        ("context.person.age", false),
        ("context.purpose", false),
        ("principal.organisation", false),
        ("context.relationships", false),
    ] {
        assert_eq!(mentions.has(path), expected, "{path}");
    }
    assert_eq!(mentions.words("context.label"), BTreeSet::from(["y".to_owned()]));
    assert_eq!(mentions.numbers("context.label"), BTreeSet::new());
}
