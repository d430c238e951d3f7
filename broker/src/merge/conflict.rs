//! Finds the items that cannot both be right and those that are possibly the same. Everything is shown; nothing is
//! settled. Items about the same thing find each other by a shared code or the same words, so that the work grows with
//! the number of items and not with its square.

use super::{
    Scoped,
    agent::Agents,
    canon::Canon,
    content::{self, Beside, Name, in_force},
    dose::{self, Taken},
    fold::{day, is_whole_day},
    group::{Group, Teller, is_absence},
    head::Head,
    medicine::Product,
    overlap,
    relate::{Buckets, Relation, Relations},
    rules::Rules,
    statement::{ContentRule, Thing, content_rule},
};
use foldhash::{HashMap, HashMapExt as _};
use severn_proto::v1::{Assertion, Dataset, EntryStatus};
use std::cmp::Reverse;

/// Rule and words of a conflict.
pub(super) fn rule_and_text(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::NoneKnown => {
            ("CONFLICT-1", "One entry says that none are known, another records one. Do not rely on \"none known\".")
        }
        Relation::Refuted => ("CONFLICT-2", "Recorded as present and, elsewhere, as ruled out. Rely on neither alone."),
        Relation::Dose => ("CONFLICT-3", "Same medicine, different dose. Check which dose the person takes."),
        Relation::Ended => ("CONFLICT-4", "Recorded as current and, elsewhere, as ended. Check which is so."),
        Relation::Versions => ("CONFLICT-5", "Versions of this one statement differ. Read every version."),
        Relation::Retracted => (
            "CONFLICT-6",
            "Entered in error and withdrawn by its author, but a copy still reads as current. Do not rely on it.",
        ),
        Relation::SameId => {
            ("CONFLICT-7", "One source gave the same identifier to entries with different content. Read all of them.")
        }
        Relation::Resuscitation => (
            "CONFLICT-8",
            "One decision in force says to attempt resuscitation, another says not to. Ask the responsible clinician now.",
        ),
        Relation::Strength => ("CONFLICT-9", "Same medicine, different strength. Check which the person takes."),
        Relation::Plans => (
            "PLAN-2",
            "Crisis plans of one kind but different dates read as current. Follow the newest, and ask if it replaced the rest.",
        ),
        Relation::Possibly => ("LIMIT-3", "More items than can be named here are concerned. Read the whole section."),
    }
}

/// What the items of one dataset relate to.
pub(super) fn relations(scoped: &Scoped<'_, '_>, canon: &Canon<'_, '_>, groups: &[Group]) -> Relations {
    let dataset = scoped.dataset;
    let mut relations = Relations::new(groups.len());
    relate_own(canon, groups, &mut relations);
    relate_same_ids(canon, groups, &mut relations);
    relate_absences(dataset, canon, groups, &mut relations);
    if scoped.decisions.any(scoped.at) {
        relate_resuscitation(scoped, canon, groups, &mut relations);
    }
    if let Some(rule) = content_rule(dataset) {
        let things = Things { dataset, rule: &rule, rules: scoped.rules, canon, groups };
        relate_things(&things, &mut relations);
        if dataset == Dataset::Encounters {
            overlap::relate((&rule, scoped.rules), canon, groups, &mut relations);
        }
    }
    relations
}

fn relate_own(canon: &Canon<'_, '_>, groups: &[Group], relations: &mut Relations) {
    for (item, group) in groups.iter().enumerate() {
        if group.versions_differ {
            relations.mark(Relation::Versions, item);
        }
        if group.retracted && group.members.iter().any(|position| in_force(canon.heads[*position])) {
            relations.mark(Relation::Retracted, item);
        }
    }
}

fn relate_same_ids(canon: &Canon<'_, '_>, groups: &[Group], relations: &mut Relations) {
    if canon.repeated.is_empty() {
        return;
    }
    let mut runs = Buckets::default();
    for (item, group) in groups.iter().enumerate() {
        for position in group.members.iter().filter(|position| canon.id_clashes(**position)) {
            if let Some(repeated) = canon.repeated.get(position) {
                runs.put(repeated.first, item);
            }
        }
    }
    for items in &runs.members {
        relations.among(Relation::SameId, items);
        // Versions that share an origin are one item: the clash is within it.
        if let [item] = items[..] {
            relations.mark(Relation::SameId, item);
        }
    }
}

fn relate_absences(dataset: Dataset, canon: &Canon<'_, '_>, groups: &[Group], relations: &mut Relations) {
    let mut absent = Vec::new();
    let mut present = Vec::new();
    for (item, group) in groups.iter().enumerate().filter(|(_, group)| !group.retracted) {
        for head in group.members.iter().map(|position| canon.heads[*position]) {
            // An allergy that is recorded as over still speaks against "no known allergies".
            let counts = in_force(head) || (dataset == Dataset::Allergies && head.status() == EntryStatus::Ended);
            let list = match head.assertion() {
                Assertion::NoneKnown if in_force(head) => &mut absent,
                Assertion::Present | Assertion::Unspecified if counts => &mut present,
                _ => continue,
            };
            if list.last() != Some(&item) {
                list.push(item);
            }
        }
    }
    relations.between(Relation::NoneKnown, &absent, &present);
}

fn relate_resuscitation(scoped: &Scoped<'_, '_>, canon: &Canon<'_, '_>, groups: &[Group], relations: &mut Relations) {
    let decided = |group: &Group, attempted: bool| {
        let mut heads = group.members.iter().map(|position| canon.heads[*position]);
        !group.retracted && heads.any(|head| scoped.decisions.decision(head) == Some(attempted))
    };
    let [attempted, not] = [true, false].map(|attempted| {
        let items = groups.iter().enumerate().filter(|(_, group)| decided(group, attempted));
        items.map(|(item, _)| item).collect::<Vec<usize>>()
    });
    relations.between(Relation::Resuscitation, &attempted, &not);
    for (items, attempted) in [(&attempted, true), (&not, false)] {
        if scoped.decisions.is_contradicted(scoped.at, attempted) {
            items.iter().for_each(|item| relations.mark(Relation::Resuscitation, *item));
        }
    }
}

/// What an item says of the thing it names.
enum Says<'e> {
    /// It is so now, since `start` (a whole day, or empty).
    Current { start: &'e str },
    /// It is ruled out.
    RuledOut,
    /// It is over: `start` as given, and the whole day on which it ended, or empty.
    Over { start: &'e str, end: &'e str, ended: bool },
}

/// The items of one dataset that has a rule, and what it is read by.
struct Things<'t, 'e> {
    dataset: Dataset,
    rule: &'t ContentRule,
    rules: &'t Rules,
    canon: &'t Canon<'t, 'e>,
    groups: &'t [Group],
}

fn relate_things(things: &Things<'_, '_>, relations: &mut Relations) {
    let Things { dataset, rule, rules, canon, groups } = things;
    let mut says = Vec::with_capacity(groups.len());
    let mut numbers: HashMap<(Name<'_>, Beside<'_>), usize> = HashMap::with_capacity(groups.len());
    let mut named: Vec<(usize, usize)> = Vec::with_capacity(groups.len());
    let mut classes = Classes::default();
    for (item, group) in groups.iter().enumerate() {
        let speaks = !group.retracted && !is_absence(canon.heads[group.members[0]]);
        says.push(speaks.then(|| what_it_says(rule.thing, canon, group)));
        for position in group.members.iter().filter(|_| speaks) {
            for name in content::names(rule, rules, canon.heads[*position]) {
                if let (Dataset::Allergies, Name::Text(agent), Some(Some(Says::Current { .. }))) =
                    (dataset, &name.0, says.last())
                {
                    classes.put(&rules.agents, agent, item);
                }
                let next = numbers.len();
                named.push((*numbers.entry(name).or_insert(next), item));
            }
        }
    }
    classes.relate(&rules.agents, relations);
    named.sort_unstable();
    named.dedup();
    for of_one_name in named.chunk_by(|a, b| a.0 == b.0).filter(|items| items.len() > 1) {
        let items: Vec<usize> = of_one_name.iter().map(|(_, item)| *item).collect();
        relate_bucket(things, &says, &items, relations);
    }
}

/// Allergies to a class of agents, such as penicillin, and to what is of that class.
#[derive(Default)]
struct Classes {
    /// By class, and whether it is the class itself.
    items: Buckets<(&'static str, bool)>,
}

impl Classes {
    fn put(&mut self, agents: &Agents, agent: &str, item: usize) {
        if let Some(class) = agents.class_of(agent) {
            self.items.put((class, false), item);
        }
        if let Some(class) = agents.class(agent) {
            self.items.put((class, true), item);
        }
    }

    /// What is to a class is possibly the same as what is to one of that class (ALLERGY-2).
    fn relate(&self, agents: &Agents, relations: &mut Relations) {
        for class in agents.classes() {
            let [members, own] = [false, true].map(|own| self.items.under(&(class, own)));
            relations.between(Relation::Possibly, own, members);
        }
    }
}

fn what_it_says<'e>(thing: Thing, canon: &Canon<'e, '_>, group: &Group) -> Says<'e> {
    let heads = || group.members.iter().map(|position| canon.heads[*position]);
    let stands = |assertion| assertion != Assertion::Refuted;
    let mut current = heads().filter(|head| stands(head.assertion()) && in_force(head)).peekable();
    if current.peek().is_some() {
        let starts = current.clone().map(|head| day(head.effective_start));
        let start = starts.map(|start| if is_whole_day(start) { start } else { "" }).min().unwrap_or("");
        return Says::Current { start };
    }
    if heads().any(|head| !stands(head.assertion())) {
        return Says::RuledOut;
    }
    let start = heads().map(|head| day(head.effective_start)).find(|start| !start.is_empty()).unwrap_or("");
    let ends = heads().map(|head| day(head.effective_end));
    // A missing end counts as the latest: it may reach into what is current.
    let end = ends.map(|end| if is_whole_day(end) { end } else { "" }).max_by_key(|end| (end.is_empty(), *end));
    // What was given is over, and ends nothing.
    let lasted = |head: &Head<'_>| thing != Thing::Medicine || !content::is_given(head);
    let ended = heads().any(|head| head.status() == EntryStatus::Ended && lasted(head));
    Says::Over { start, end: end.unwrap_or(""), ended }
}

impl<'t, 'e> Things<'t, 'e> {
    /// The one source that an item comes from, and the medicine's strength and form; `None` if either is not known.
    fn product(&self, item: usize) -> Option<(u32, Product)> {
        let Things { canon, groups, rules, .. } = *self;
        let mut heads = groups[item].members.iter().map(|position| canon.heads[*position]);
        Some((groups[item].source(canon)?, heads.find_map(|head| rules.medicines.product(head))?))
    }

    /// The entries of an item that say what is taken now.
    fn current(&self, item: usize) -> impl Iterator<Item = &'t Head<'e>> + Clone {
        let Things { canon, groups, .. } = *self;
        let heads = groups[item].members.iter().map(|position| canon.heads[*position]);
        let current = heads.filter(|head| in_force(head) && head.assertion() != Assertion::Refuted);
        current.filter(|head| !content::is_given(head))
    }
}

/// Relates the items that share one name.
fn relate_bucket(things: &Things<'_, '_>, says: &[Option<Says<'_>>], items: &[usize], relations: &mut Relations) {
    let dataset = things.dataset;
    let (mut current, mut ruled_out) = (Vec::new(), Vec::new());
    let (mut since, mut until) = (Vec::new(), Vec::new());
    let mut over: Buckets<&str> = Buckets::default();
    for &item in items {
        match &says[item] {
            Some(Says::Current { start }) => {
                current.push(item);
                since.push((*start, item));
            }
            Some(Says::RuledOut) => ruled_out.push(item),
            Some(Says::Over { start, end, ended }) => {
                over.put(start, item);
                if *ended {
                    until.push((*end, item));
                }
            }
            None => {}
        }
    }
    relations.between(Relation::Refuted, &current, &ruled_out);
    if dataset == Dataset::Medications && current.len() > 1 {
        let taken = current.iter().map(|item| (*item, Taken::of(&things.rules.medicines, things.current(*item))));
        dose::relate(&taken.collect::<Vec<_>>(), relations);
    }
    if dataset == Dataset::CrisisPlans {
        let mut of_day: Buckets<&str> = Buckets::default();
        let dated = since.iter().filter(|(start, _)| !start.is_empty());
        dated.for_each(|(start, item)| of_day.put(*start, *item));
        relations.across(Relation::Plans, &of_day.members);
    }
    match dataset {
        Dataset::Medications if !since.is_empty() && !until.is_empty() => {
            let ends = since.iter().chain(&until).map(|(_, item)| *item);
            let of: HashMap<usize, Option<(u32, Product)>> = ends.map(|item| (item, things.product(item))).collect();
            // One source that gives up one strength for another contradicts nobody.
            let apart = |one, other| matches!((of[&one], of[&other]), (Some(a), Some(b)) if a.0 == b.0 && a.1 != b.1);
            relate_ended((since, until), apart, relations);
        }
        Dataset::Problems | Dataset::Allergies | Dataset::LegalStatus | Dataset::EndOfLife => {
            relate_ended((since, until), |_, _| false, relations);
        }
        _ => {}
    }
    for same_kind in [&current, &ruled_out].into_iter().chain(&over.members).filter(|items| items.len() > 1) {
        if things.rule.is_dated() {
            // Whoever recorded two of one day told them apart.
            let mut told: Buckets<Result<Teller<'_>, usize>> = Buckets::default();
            same_kind.iter().for_each(|item| told.put(things.groups[*item].teller(things.canon).ok_or(*item), *item));
            relations.across(Relation::Possibly, &told.members);
        } else {
            relations.among(Relation::Possibly, same_kind);
        }
    }
}

/// A day, empty where it is not known, and an item.
type Dated<'e> = (&'e str, usize);

/// Current beside ended, unless the dates say that the one was over before the other began, or they are `apart`.
fn relate_ended(
    (mut since, mut until): (Vec<Dated<'_>>, Vec<Dated<'_>>),
    apart: impl Fn(usize, usize) -> bool,
    relations: &mut Relations,
) {
    // Unknown start first, then the earliest; unknown end first, then the latest: what overlaps comes first in both.
    since.sort_unstable();
    until.sort_unstable_by_key(|(end, item)| (!end.is_empty(), Reverse(*end), *item));
    let overlap = |start: &str, end: &str| start.is_empty() || end.is_empty() || end > start;
    for (start, item) in &since {
        let others = until.iter().take_while(|(end, _)| overlap(start, end)).map(|(_, other)| other);
        relations.add(Relation::Ended, *item, others.filter(|other| !apart(*item, **other)));
    }
    for (end, item) in &until {
        let others = since.iter().take_while(|(start, _)| overlap(start, end)).map(|(_, other)| other);
        relations.add(Relation::Ended, *item, others.filter(|other| !apart(*item, **other)));
    }
}
