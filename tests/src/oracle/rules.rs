//! Makes rule sets: what a region, or an owner, may say. Each rule is one of a few shapes with its particulars drawn, so
//! that every kind of fact, and every outcome, decides something somewhere.

use super::{
    dice::Dice,
    generate::{ACTIVITIES, HOT, KINDS, WORKGROUPS},
    words::{About, Effect, Fact, ROLES, Rule, RuleSet, Verdict},
};
use severn_proto::v1::{PurposeOfUse, SensitivityLabel as Label};
use std::collections::BTreeMap;

const CARE: [PurposeOfUse; 2] = [PurposeOfUse::DirectCare, PurposeOfUse::Emergency];

/// Labels that rules speak of; a seal is no matter of rules.
const LABELS: [Label; 8] = [
    Label::Normal,
    Label::MentalHealth,
    Label::SexualHealth,
    Label::SubstanceUse,
    Label::Safeguarding,
    Label::ThirdParty,
    Label::Location,
    Label::Custody,
];

/// What the region says.
pub fn region(dice: &Dice, organisations: &[String], kinds: &[&'static str]) -> RuleSet {
    let mut rules = permits(dice, true);
    rules.extend(forbids(dice, organisations, dice.between(5, 8)));
    rules.push(hide(dice, organisations, kinds));
    named("region", ROLES.map(|(role, _)| role).to_vec(), rules)
}

/// What every owner says.
pub fn owners(dice: &Dice, ids: &[String], organisations: &[String]) -> BTreeMap<String, RuleSet> {
    ids.iter().map(|id| (id.clone(), owner(dice, id, organisations))).collect()
}

/// What one owner says.
pub fn owner(dice: &Dice, id: &str, organisations: &[String]) -> RuleSet {
    let mut rules = permits(dice, false);
    rules.extend(forbids(dice, organisations, dice.between(2, 4)));
    let mut roles = ROLES.map(|(role, _)| role).to_vec();
    if dice.percent(20) {
        roles.retain(|role| *role != "nurse");
        rules.retain(|rule| rule.role != Some("nurse"));
    }
    // What speaks of a source's kind, or of directives, is the region's: an owner is told of neither.
    rules.retain(|rule| {
        let mut facts = rule.when.iter().chain(&rule.unless);
        facts.all(|fact| !matches!(fact, Fact::Kind(_) | Fact::Directive(_)))
    });
    named(id, roles, rules)
}

fn named(owner: &str, roles: Vec<&'static str>, mut rules: Vec<Rule>) -> RuleSet {
    for (at, rule) in rules.iter_mut().enumerate() {
        rule.id = format!("{at} {}", rule.id);
    }
    RuleSet { owner: owner.to_owned(), roles, rules }
}

fn rule(id: &str, effect: Effect, role: Option<&'static str>, about: About) -> Rule {
    Rule { id: id.to_owned(), effect, role, about, when: vec![], unless: vec![] }
}

fn permits(dice: &Dice, region: bool) -> Vec<Rule> {
    let permit = |id, role, about, when| Rule { when, ..rule(id, Effect::Permit, role, about) };
    let most = Fact::Label(dice.some(&LABELS[1..], 5).into_iter().chain([Label::Normal]).collect());
    let some = Fact::Label(dice.some(&LABELS[1..], 2).into_iter().chain([Label::Normal]).collect());
    let related = Fact::Relationship(vec!["registered", "admitted", "caseload", "referred", "self_claimed"]);
    let mut clinician = vec![Fact::Purpose(CARE.to_vec()), most];
    let mut nurse = vec![Fact::Purpose(vec![PurposeOfUse::DirectCare]), some.clone()];
    match region && dice.percent(40) {
        true => nurse.push(related),
        false => clinician.push(Fact::Assurance(1)),
    }
    let carer = vec![Fact::Purpose(vec![PurposeOfUse::DirectCare, PurposeOfUse::Safeguarding]), some];
    vec![
        permit("clinicians", Some("clinician"), About::Everything, clinician),
        permit("nurses", Some("nurse"), About::Everything, nurse),
        permit("social workers", Some("social worker"), About::Only(dice.some(&HOT, 6)), carer),
        permit(
            "a workgroup",
            None,
            About::Only(dice.some(&HOT, 4)),
            vec![Fact::Workgroup(dice.word(&WORKGROUPS)), Fact::Label(dice.some(&LABELS, 5))],
        ),
        permit(
            "an activity",
            Some("nurse"),
            About::Group("crisis"),
            vec![Fact::Activity(dice.word(&ACTIVITIES)), Fact::Purpose(vec![PurposeOfUse::Emergency])],
        ),
        permit(
            "the person's own wish to see",
            None,
            About::Everything,
            vec![
                Fact::Purpose(vec![PurposeOfUse::SubjectAccess]),
                Fact::Label(vec![Label::Normal, Label::MentalHealth]),
            ],
        ),
    ]
}

/// So many rules that forbid, each of another shape.
fn forbids(dice: &Dice, organisations: &[String], how_many: usize) -> Vec<Rule> {
    let outcome = |dice: &Dice| *dice.one(&[Verdict::Denied, Verdict::Withheld, Verdict::MayBeOpened]);
    let shapes: Vec<usize> = (0..SHAPES).collect();
    let shaped = |shape: usize| {
        let verdict = outcome(dice);
        let about = match dice.below(3) {
            0 => About::Everything,
            1 => About::Group(dice.word(&["crisis", "people", "social_care", "activity", "clinical"])),
            _ => About::Only(dice.some(&HOT, dice.between(2, 5))),
        };
        let mut made = rule("", Effect::Forbid(verdict), dice.percent(30).then_some("clinician"), about);
        shape_of(dice, shape, organisations, &mut made);
        if verdict == Verdict::MayBeOpened {
            made.unless.push(Fact::Glass);
        }
        made
    };
    dice.some(&shapes, how_many).into_iter().map(shaped).collect()
}

const SHAPES: usize = 12;

fn shape_of(dice: &Dice, shape: usize, organisations: &[String], made: &mut Rule) {
    let (id, when, unless) = match shape {
        0 => ("no relationship", vec![Fact::Relationship(vec!["none"])], vec![]),
        1 => ("only a claim", vec![Fact::Evidence(vec!["claimed", "none"])], vec![Fact::Assurance(2)]),
        2 => (
            "children",
            vec![Fact::YoungerThan(*dice.one(&[13, 16, 18]))],
            vec![Fact::Workgroup(dice.word(&WORKGROUPS))],
        ),
        3 => ("restricted", vec![Fact::Restricted], vec![Fact::Assurance(3)]),
        4 => ("unless restricted", vec![], vec![Fact::Restricted]),
        5 => ("long dead", vec![Fact::Deceased, Fact::DeadFor(*dice.one(&[5, 30, 60]))], vec![]),
        6 => ("labels", vec![Fact::Label(dice.some(&LABELS[1..], 3))], vec![Fact::Workgroup(dice.word(&WORKGROUPS))]),
        7 => (
            "these organisations",
            vec![Fact::Organisation(dice.some(organisations, organisations.len() / 3 + 1))],
            vec![],
        ),
        8 => ("kind of source", vec![Fact::Kind(dice.word(&KINDS))], vec![Fact::Activity(dice.word(&ACTIVITIES))]),
        9 => ("a directive", vec![Fact::Directive(vec!["restricted"])], vec![]),
        10 => (
            "a directive, if not restricted",
            vec![Fact::Directive(vec!["restricted", "dissent"])],
            vec![Fact::Restricted],
        ),
        _ => (
            "a purpose",
            vec![Fact::Purpose(vec![PurposeOfUse::Emergency])],
            vec![Fact::Relationship(vec!["registered", "admitted"])],
        ),
    };
    made.id = id.to_owned();
    if shape == 4 {
        // It would forbid nearly everything to nearly everybody.
        made.about = About::Only(dice.some(&HOT, 1));
    }
    (made.when, made.unless) = (when, unless);
}

fn hide(dice: &Dice, organisations: &[String], kinds: &[&'static str]) -> Rule {
    let role = dice.percent(50).then(|| dice.word(&["nurse", "social worker"]));
    let mut made = rule("hide", Effect::Hide, role, About::Everything);
    made.when = vec![Fact::Kind(dice.word(kinds))];
    match dice.below(4) {
        0 => made.when.push(Fact::Restricted),
        1 => made.unless.push(Fact::Organisation(dice.some(organisations, 2))),
        2 => made.unless.push(Fact::Relationship(vec!["registered", "admitted", "caseload"])),
        _ => {}
    }
    made
}
