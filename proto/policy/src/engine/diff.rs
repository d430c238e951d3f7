//! Says who sees more and who sees less under another policy, by asking both everything that either speaks of.

use super::Policy;
use crate::{
    facts::{Asker, Directive, Evidence, LABELS, Relationship, RelationshipKind},
    laws::Mentions,
    ruling::Verdict,
};
use severn_proto::v1::{PurposeOfUse, SensitivityLabel};
use severn_trust::{ALL_DATASETS, dataset_word, label_word, purpose_word};
use std::collections::{BTreeMap, BTreeSet};

/// What one role sees otherwise for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The role's name, or its code where the two policies name it differently.
    pub role: String,
    /// The purpose, as a word.
    pub purpose: String,
    /// The dataset, as a word.
    pub dataset: String,
    /// The sensitivity labels concerned, as words.
    pub labels: Vec<String>,
    /// Whether they see more.
    pub more: bool,
    /// In which circumstances; empty for all that were asked.
    pub when: Vec<String>,
}

/// Circumstances of an asker who has neither role nor purpose yet, with the words for them.
#[derive(Clone)]
struct Circumstances {
    asker: Asker,
    kind: String,
    words: Vec<String>,
}

/// Where, by role, purpose, dataset, direction and label, it changed, and in which circumstances.
type Seen = BTreeMap<(String, String, usize, bool), BTreeMap<usize, Vec<Vec<String>>>>;

/// What is seen otherwise under `new` than under `old`.
pub fn diff(old: &Policy, new: &Policy) -> Vec<Change> {
    let circumstances = circumstances(old, new);
    let mut seen = Seen::new();
    for code in codes(old, new) {
        for purpose in (1..).map_while(|number| PurposeOfUse::try_from(number).ok()) {
            for at in &circumstances {
                let asker = Asker { role_code: code.clone(), purpose, ..at.asker.clone() };
                compare((old, new), &Circumstances { asker, ..at.clone() }, &mut seen);
            }
        }
    }
    let change = |((role, purpose, dataset, more), labels): (_, BTreeMap<usize, Vec<Vec<String>>>)| {
        let always = labels.values().all(|when| when.len() == circumstances.len());
        let first = labels.values().next().and_then(|when| when.first()).cloned().unwrap_or_default();
        Change {
            role,
            purpose,
            dataset: dataset_word(ALL_DATASETS[dataset]),
            labels: labels.keys().map(|label| label_word(LABELS[*label])).collect(),
            more,
            when: if always { Vec::new() } else { first },
        }
    };
    seen.into_iter().map(change).collect()
}

fn compare((old, new): (&Policy, &Policy), at: &Circumstances, seen: &mut Seen) {
    let Circumstances { asker, kind, words } = at;
    let (before, after) = (old.decisions(asker, kind), new.decisions(asker, kind));
    let role = new.role_name(&asker.role_code).or(old.role_name(&asker.role_code)).unwrap_or(&asker.role_code);
    for (row, dataset) in ALL_DATASETS.into_iter().enumerate() {
        let never = [&before, &after].into_iter().all(|decisions| decisions.of(dataset).verdict == Verdict::Denied);
        for (column, label) in
            LABELS.into_iter().enumerate().filter(|(_, label)| !never && *label != SensitivityLabel::Sealed)
        {
            let rank = |verdict: Verdict, known: bool| (verdict, !known);
            let labels = [label as i32];
            let was = rank(before.of_entry(dataset, &labels).verdict, before.may_know());
            let is = rank(after.of_entry(dataset, &labels).verdict, after.may_know());
            if was != is {
                let place = (role.to_owned(), purpose_word(asker.purpose), row, is < was);
                seen.entry(place).or_default().entry(column).or_default().push(words.clone());
            }
        }
    }
}

/// One code for each pair of roles that a code means before and after.
fn codes(old: &Policy, new: &Policy) -> Vec<String> {
    let roles = old.roles().iter().chain(new.roles());
    let codes = roles.flat_map(|role| &role.codes);
    let by_roles: BTreeMap<_, &String> = codes.map(|code| ((old.role_name(code), new.role_name(code)), code)).collect();
    by_roles.into_values().cloned().collect()
}

/// What the policies speak of that are not the same in both.
fn changed(old: &Policy, new: &Policy) -> Mentions {
    let mut changed = Mentions::default();
    for (one, other) in [(old, new), (new, old)] {
        for (id, (policy, mentions)) in &one.rules.policies {
            let same =
                other.rules.policies.get(id).is_some_and(|(as_before, _)| as_before.to_string() == policy.to_string());
            if !same {
                changed.and(mentions);
            }
        }
    }
    changed
}

/// Every combination of circumstances that the changed policies may tell apart; in all else, those of somebody from whom
/// least is kept: with a relationship, asking about nobody restricted and nobody dead.
fn circumstances(old: &Policy, new: &Policy) -> Vec<Circumstances> {
    let changed = changed(old, new);
    let has = |path: &str| changed.has(path);
    let counted = |what: &str, path: &str| {
        let known = changed.numbers(path).into_iter().flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]);
        let known: BTreeSet<i64> = known.filter(|n| *n >= 0).collect();
        let known = known.into_iter().map(|n| (format!("{what} {n}"), n));
        known.chain([(String::new(), -1)]).collect::<Vec<_>>()
    };
    let named = |what: &str, path: &str| {
        let known = changed.words(path).into_iter().map(|word| (format!("{what} {word}"), word));
        known.chain([(String::new(), String::new())]).collect::<Vec<_>>()
    };
    let related = RelationshipKind::ALL.map(|kind| (format!("relationship: {}", kind.word()), kind));
    let levels = [0, 1, 2, 3].map(|level: u8| (format!("assurance {level}"), level));
    let groups = |path: &str| -> BTreeSet<String> {
        [old, new].iter().flat_map(|policy| policy.rules.mentions.words(path)).collect()
    };
    let (workgroups, activities) = (groups("principal.workgroups"), groups("principal.activities"));
    let open = Asker {
        relationship: Relationship::OWN,
        assurance: 3,
        workgroups: workgroups.clone(),
        activities: activities.clone(),
        ..Asker::new("", PurposeOfUse::Unspecified)
    };
    let mut all = vec![Circumstances { asker: open, kind: String::new(), words: Vec::new() }];
    all = spread(&all, &both("opened with a reason"), |c, on| c.asker.breaking_glass = *on);
    if has("context.relationship.kind") || has("context.relationship.evidence") {
        all = spread(&all, &related, |c, kind| {
            c.asker.relationship = Relationship { kind: *kind, evidence: evidence(*kind) }
        });
    }
    if has("context.person.restricted") {
        all = spread(&all, &both("a restricted person"), |c, on| c.asker.person.restricted = *on);
    }
    if has("context.person.deceased") {
        all = spread(&all, &both("after death"), |c, on| c.asker.person.deceased = *on);
    }
    if has("context.directive") {
        let ways = [Directive::None, Directive::Restricted].map(|d| (format!("directive: {}", d.word()), d));
        all = spread(&all, &ways, |c, directive| c.asker.directive = *directive);
    }
    if has("context.person.age") {
        all = spread(&all, &counted("age", "context.person.age"), |c, years| c.asker.person.age_years = *years);
    }
    if has("context.person.days_since_death") {
        all = spread(&all, &counted("days since death", "context.person.days_since_death"), |c, days| {
            c.asker.person.days_since_death = *days;
        });
    }
    if has("principal.assurance") {
        all = spread(&all, &levels, |c, level| c.asker.assurance = *level);
    }
    if has("context.source_kind") {
        all = spread(&all, &named("at a", "context.source_kind"), |c, kind| c.kind.clone_from(kind));
    }
    if has("principal.organisation") {
        all = spread(&all, &named("from", "principal.organisation"), |c, organisation| {
            c.asker.organisation.clone_from(organisation);
        });
    }
    // A group may see what others see by a changed policy only: with and without, whatever changed.
    if !workgroups.is_empty() {
        let ways = without("no workgroup", workgroups);
        all = spread(&all, &ways, |c, groups| c.asker.workgroups.clone_from(groups));
    }
    if !activities.is_empty() {
        let ways = without("no activity", activities);
        all = spread(&all, &ways, |c, activities| c.asker.activities.clone_from(activities));
    }
    all
}

/// Each of `all` in each of the ways, with the words for it.
fn spread<W>(
    all: &[Circumstances],
    ways: &[(String, W)],
    apply: impl Fn(&mut Circumstances, &W),
) -> Vec<Circumstances> {
    let each = |base: &Circumstances| {
        let mut spread = Vec::with_capacity(ways.len());
        for (words, way) in ways {
            let mut next = base.clone();
            apply(&mut next, way);
            next.words.extend((!words.is_empty()).then(|| words.clone()));
            spread.push(next);
        }
        spread
    };
    all.iter().flat_map(each).collect()
}

/// With all of a set, and with none of it.
fn without(words: &str, set: BTreeSet<String>) -> [(String, BTreeSet<String>); 2] {
    [(String::new(), set), (words.to_owned(), BTreeSet::new())]
}

fn both(words: &str) -> [(String, bool); 2] {
    [(String::new(), false), (words.to_owned(), true)]
}

fn evidence(kind: RelationshipKind) -> Evidence {
    match kind {
        RelationshipKind::None => Evidence::None,
        RelationshipKind::SelfClaimed => Evidence::Claimed,
        _ => Evidence::Feed,
    }
}
