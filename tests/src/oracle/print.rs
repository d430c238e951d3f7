//! Prints rules as what the real system reads: Cedar, in a bundle.

use super::words::{About, Effect, Fact, ROLES, Rule, RuleSet, Verdict};
use severn_policy::{Bundle, BundleRole};
use severn_trust::{dataset_word, label_word, purpose_word};

/// How long a bundle holds: seconds. Longer than any run.
const LIFE_S: i64 = 10 * 365 * 86_400;

impl RuleSet {
    /// As a bundle of this version, signed at this time (seconds since 1970).
    pub fn bundle(&self, version: u64, now_s: i64) -> Bundle {
        let role = |name: &&'static str| {
            let codes = ROLES.iter().filter(|(known, _)| known == name).map(|(_, code)| (*code).to_owned());
            BundleRole { name: (*name).to_owned(), codes: codes.collect() }
        };
        Bundle {
            owner: self.owner.clone(),
            version,
            issued_s: now_s,
            expires_s: now_s + LIFE_S,
            roles: self.roles.iter().map(role).collect(),
            policies: self.rules.iter().map(cedar).collect(),
        }
    }
}

fn cedar(rule: &Rule) -> String {
    let (annotation, effect, action) = match rule.effect {
        Effect::Permit => ("", "permit", "read"),
        Effect::Forbid(Verdict::MayBeOpened) => ("@outcome(\"may_be_opened\") ", "forbid", "read"),
        Effect::Forbid(Verdict::Withheld) => ("@outcome(\"withheld\") ", "forbid", "read"),
        Effect::Forbid(_) => ("", "forbid", "read"),
        Effect::Hide => ("", "forbid", "know"),
    };
    let principal = rule.role.map_or("principal".to_owned(), |role| format!("principal in Role::{role:?}"));
    let about = match &rule.about {
        _ if rule.effect == Effect::Hide => String::new(),
        About::Everything => " when { resource in Group::\"all\" }".to_owned(),
        About::Group(group) => format!(" when {{ resource in Group::{group:?} }}"),
        About::Only(datasets) => {
            let each = datasets.iter().map(|dataset| format!("resource == Dataset::{:?}", dataset_word(*dataset)));
            format!(" when {{ {} }}", each.collect::<Vec<_>>().join(" || "))
        }
    };
    let when: String = rule.when.iter().map(|fact| format!(" when {{ {} }}", said(fact))).collect();
    let unless: String = rule.unless.iter().map(|fact| format!(" unless {{ {} }}", said(fact))).collect();
    let id = &rule.id;
    format!(
        "@id({id:?}) {annotation}{effect} ({principal}, action == Action::{action:?}, resource){about}{when}{unless};\n"
    )
}

fn said(fact: &Fact) -> String {
    let among = |words: Vec<String>, path: &str| format!("{words:?}.contains({path})");
    let plain = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match fact {
        Fact::Purpose(purposes) => among(purposes.iter().map(|p| purpose_word(*p)).collect(), "context.purpose"),
        Fact::Label(labels) => among(labels.iter().map(|l| label_word(*l)).collect(), "context.label"),
        Fact::Kind(kind) => format!("context.source_kind == {kind:?}"),
        Fact::Relationship(kinds) => among(plain(kinds), "context.relationship.kind"),
        Fact::Evidence(words) => among(plain(words), "context.relationship.evidence"),
        Fact::Organisation(codes) => among(codes.clone(), "principal.organisation"),
        Fact::Assurance(least) => format!("principal.assurance >= {least}"),
        Fact::Workgroup(word) => format!("principal.workgroups.contains({word:?})"),
        Fact::Activity(word) => format!("principal.activities.contains({word:?})"),
        Fact::YoungerThan(years) => format!("context.person.age < {years}"),
        Fact::Restricted => "context.person.restricted".to_owned(),
        Fact::Deceased => "context.person.deceased".to_owned(),
        Fact::DeadFor(days) => format!("context.person.days_since_death >= {days}"),
        Fact::Directive(words) => among(plain(words), "context.directive"),
        Fact::Glass => "context.breaking_glass".to_owned(),
    }
}
