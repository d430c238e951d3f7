//! From what was seen to findings, each with what is usual beside it. Pure.

use super::{
    Crowd, DAY_MS, FINDINGS_MAX, Known, Pair, PatternSettings, Watch,
    names::{FullName, Shares},
};
use std::collections::{BTreeSet, HashMap};

/// Persons that one finding names.
const PERSONS_MAX: usize = 20;

/// The patterns, the gravest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// Very many people within an hour.
    Enumeration,
    /// Many users of an organisation, one person, one day.
    Crowd,
    /// A person who bears a colleague's name.
    Colleague,
    /// A person who bears the user's own name.
    OwnName,
    /// A person who bears the user's family name.
    SameFamilyName,
    /// A person who had died.
    AfterDeath,
    /// A person who had left the organisation's care.
    AfterLeaving,
    /// Much more broken glass than colleagues.
    Overrides,
    /// Many more people than colleagues with whom no relationship is known.
    NoRelationship,
}

/// Something to ask about.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The pattern.
    pub rule: Rule,
    /// ODS code of the organisation.
    pub organisation: String,
    /// The user as the trail names them; empty for a crowd.
    pub user: String,
    /// Whom it is about, `PERSONS_MAX` at most.
    pub persons: Vec<String>,
    /// When it began: milliseconds since 1970-01-01T00:00:00Z.
    pub from_ms: i64,
    /// When it was seen last.
    pub until_ms: i64,
    /// How much of it there was.
    pub count: u64,
    /// How much is usual, or would come by chance, in the same unit.
    pub baseline: f64,
    /// What an officer should know, in a sentence.
    pub words: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns {
    /// By pattern, then by time; `FINDINGS_MAX` at most.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// Events that were read.
    pub events: u64,
    /// Events that were left out, since more users and persons were seen than are remembered.
    pub left_out: u64,
}

/// What a share of a user's persons is measured by.
#[derive(Clone, Copy, Default)]
struct Counted {
    persons: u64,
    unrelated: u64,
    overridden: u64,
}

/// Everything that the rules read.
struct Seen<'w> {
    watch: &'w Watch,
    known: HashMap<u32, Known>,
    shares: Shares,
    of_user: Vec<Counted>,
    of_organisation: Vec<Counted>,
    /// Users by organisation and name; the first where two bear one.
    colleagues: HashMap<(u32, FullName), u32>,
    names: Vec<FullName>,
}

pub(super) fn findings(watch: &Watch, mut known: impl FnMut(&str) -> Option<Known>) -> Patterns {
    let seen = Seen::of(watch, &mut known);
    let mut found: Vec<Finding> = Vec::new();
    for (user, _) in watch.users.iter().enumerate() {
        found.extend(seen.enumeration(user));
        found.extend(seen.share(user, Rule::Overrides));
        found.extend(seen.share(user, Rule::NoRelationship));
    }
    found.extend(watch.crowds.iter().filter_map(|crowd| seen.crowd(crowd)));
    for ((user, person), pair) in &watch.pairs {
        let Some(known) = seen.known.get(person) else { continue };
        found.extend(seen.by_name((*user as usize, *person), pair, known));
        found.extend(seen.after_death((*user as usize, *person), pair, known));
        found.extend(seen.after_leaving((*user as usize, *person), pair, known));
    }
    found.sort_by(|a, b| (a.rule, a.from_ms, &a.user, &a.persons).cmp(&(b.rule, b.from_ms, &b.user, &b.persons)));
    let more = found.len().saturating_sub(FINDINGS_MAX) as u64;
    found.truncate(FINDINGS_MAX);
    Patterns { findings: found, more, events: watch.events, left_out: watch.left_out }
}

impl<'w> Seen<'w> {
    fn of(watch: &'w Watch, known: &mut impl FnMut(&str) -> Option<Known>) -> Seen<'w> {
        let persons: BTreeSet<u32> = watch.pairs.keys().map(|(_, person)| *person).collect();
        let (mut shares, mut known_by) = (Shares::default(), HashMap::new());
        for person in persons {
            if let Some(known) = known(&watch.persons[person as usize]) {
                shares.count(&known.given, &known.families);
                known_by.insert(person, known);
            }
        }
        let mut of_user = vec![Counted::default(); watch.users.len()];
        let mut of_organisation = vec![Counted::default(); watch.organisations.len()];
        for ((user, _), pair) in watch.pairs.iter().filter(|(_, pair)| pair.opened > 0) {
            let organisation = watch.users[*user as usize].organisation;
            for counted in [&mut of_user[*user as usize], &mut of_organisation[organisation as usize]] {
                counted.persons += 1;
                counted.unrelated += u64::from(!pair.related && !pair.overridden);
                counted.overridden += u64::from(pair.overridden);
            }
        }
        let names: Vec<FullName> = watch.users.iter().map(|user| FullName::of_user(&user.name)).collect();
        let mut colleagues = HashMap::new();
        for ((user, name), number) in watch.users.iter().zip(&names).zip(0..) {
            if name.is_whole() {
                colleagues.entry((user.organisation, name.clone())).or_insert(number);
            }
        }
        Seen { watch, known: known_by, shares, of_user, of_organisation, colleagues, names }
    }

    fn settings(&self) -> &PatternSettings {
        &self.watch.settings
    }

    fn ods(&self, user: usize) -> String {
        self.watch.organisations[self.watch.users[user].organisation as usize].ods.to_string()
    }

    fn person(&self, person: u32) -> String {
        self.watch.persons[person as usize].to_string()
    }

    /// A finding about one user and one person.
    fn about(
        &self,
        rule: Rule,
        (user, person): (usize, u32),
        pair: &Pair,
        (baseline, words): (f64, String),
    ) -> Finding {
        Finding {
            rule,
            organisation: self.ods(user),
            user: self.watch.users[user].name.to_string(),
            persons: vec![self.person(person)],
            from_ms: pair.first_ms,
            until_ms: pair.last_ms,
            count: u64::from(pair.opened + pair.searched),
            baseline,
            words,
        }
    }

    fn enumeration(&self, user: usize) -> Option<Finding> {
        let seen = &self.watch.users[user];
        let (persons, searches) = (seen.most_persons, seen.most_searches);
        let many_persons = persons.1 >= self.settings().hour_persons_min;
        if !many_persons && searches.1 < self.settings().hour_searches_min {
            return None;
        }
        let ((from_ms, count), max, what) = match many_persons {
            true => (persons, self.settings().hour_persons_min, "opened the records of {} people"),
            false => (searches, self.settings().hour_searches_min, "searched {} times"),
        };
        let did = what.replace("{}", &count.to_string());
        Some(Finding {
            rule: Rule::Enumeration,
            organisation: self.ods(user),
            user: seen.name.to_string(),
            persons: Vec::new(),
            from_ms,
            until_ms: from_ms + super::HOUR_MS,
            count: count.into(),
            baseline: max.into(),
            words: format!("{did} within one hour, as if to list them; {max} and more are told"),
        })
    }

    fn crowd(&self, crowd: &Crowd) -> Option<Finding> {
        let organisation = &self.watch.organisations[crowd.organisation as usize];
        // What is usual, but for this crowd.
        let days = organisation.person_days.saturating_sub(1);
        let users = organisation.user_days.saturating_sub(u64::from(crowd.users));
        let usual = if days == 0 { 1.0 } else { users as f64 / days as f64 };
        if f64::from(crowd.users) < self.settings().crowd_factor * usual {
            return None;
        }
        Some(Finding {
            rule: Rule::Crowd,
            organisation: organisation.ods.to_string(),
            user: String::new(),
            persons: vec![self.person(crowd.person)],
            from_ms: crowd.day * DAY_MS,
            until_ms: (crowd.day + 1) * DAY_MS,
            count: crowd.users.into(),
            baseline: usual,
            words: format!(
                "{} users of the organisation opened this one person's record on one day; usual there are {usual:.1}",
                crowd.users
            ),
        })
    }

    /// A user's share of what colleagues do less.
    fn share(&self, user: usize, rule: Rule) -> Option<Finding> {
        let settings = self.settings();
        let (of, min, factor): (fn(&Counted) -> u64, u32, f64) = match rule {
            Rule::Overrides => (|counted| counted.overridden, settings.override_persons_min, settings.override_factor),
            _ => (|counted| counted.unrelated, settings.no_relationship_persons_min, settings.no_relationship_factor),
        };
        let seen = &self.watch.users[user];
        let (own, all) = (self.of_user[user], self.of_organisation[seen.organisation as usize]);
        let colleagues = all.persons - own.persons;
        // With nobody to compare with, nobody can be told to do more than is usual.
        if of(&own) < u64::from(min) || colleagues == 0 {
            return None;
        }
        let usual = (of(&all) - of(&own)) as f64 / colleagues as f64;
        let share = of(&own) as f64 / own.persons as f64;
        if share < factor * usual || share <= usual {
            return None;
        }
        let is_of =
            |pair: &&Pair| if rule == Rule::Overrides { pair.overridden } else { !pair.related && !pair.overridden };
        let mut pairs: Vec<(u32, Pair)> =
            self.pairs_of(user).filter(|(_, pair)| pair.opened > 0 && is_of(&pair)).collect();
        pairs.sort_unstable_by_key(|(person, pair)| (pair.first_ms, *person));
        let what = match rule {
            Rule::Overrides => "were opened with broken glass",
            _ => "had no relationship with the organisation that a source announces",
        };
        Some(Finding {
            rule,
            organisation: self.ods(user),
            user: seen.name.to_string(),
            persons: pairs.iter().take(PERSONS_MAX).map(|(person, _)| self.person(*person)).collect(),
            from_ms: pairs.iter().map(|(_, pair)| pair.first_ms).min().unwrap_or_default(),
            until_ms: pairs.iter().map(|(_, pair)| pair.last_ms).max().unwrap_or_default(),
            count: of(&own),
            baseline: usual * own.persons as f64,
            words: format!(
                "of {} people opened, {} {what}: {:.0}%; of all colleagues' {:.1}%",
                own.persons,
                of(&own),
                share * 100.0,
                usual * 100.0
            ),
        })
    }

    fn pairs_of(&self, user: usize) -> impl Iterator<Item = (u32, Pair)> {
        self.watch
            .pairs
            .iter()
            .filter(move |((of, _), _)| *of as usize == user)
            .map(|((_, person), pair)| (*person, *pair))
    }

    /// A person who bears the user's own name, a colleague's, or the user's family name: the first of these. Told only
    /// where chance would hardly bring it, or where no relationship explains it.
    fn by_name(&self, (user, person): (usize, u32), pair: &Pair, known: &Known) -> Option<Finding> {
        let (own, settings) = (&self.names[user], self.settings());
        if own.family.is_empty() {
            return None;
        }
        let is_own_family = known.families.contains(&own.family);
        let persons = self.of_user[user].persons.max(1) as f64;
        let told = |chance: f64, max: f64| {
            chance <= max || (!pair.related && chance <= settings.chance_without_relationship_max)
        };
        if own.is_whole() && is_own_family && known.given == own.given {
            let chance = persons * self.shares.of_both(own);
            let words = "looked at a person of the user's own name: their own record, or a namesake's";
            return Some(self.about(Rule::OwnName, (user, person), pair, (chance, words.to_owned())));
        }
        if let Some((colleague, chance)) = self.colleague(user, known)
            && told(chance, settings.colleague_chance_max)
        {
            let colleague = &self.watch.users[colleague].name;
            let words = format!("looked at a person of the name of a colleague, {colleague}; or a namesake");
            return Some(self.about(Rule::Colleague, (user, person), pair, (chance, words)));
        }
        let chance = persons * self.shares.of_family(&own.family);
        (is_own_family && told(chance, settings.same_name_chance_max)).then(|| {
            let words = format!(
                "looked at a person of the user's own family name; of {persons} people chance would bring {chance:.2}{}",
                if pair.related { "" } else { ", and no relationship with the organisation is known" }
            );
            self.about(Rule::SameFamilyName, (user, person), pair, (chance, words))
        })
    }

    /// A colleague of the person's name, and how many such persons chance would bring all their colleagues together.
    fn colleague(&self, user: usize, known: &Known) -> Option<(usize, f64)> {
        let organisation = self.watch.users[user].organisation;
        known.families.iter().find_map(|family| {
            let name = FullName { given: known.given.clone(), family: family.clone() };
            let colleague = *self.colleagues.get(&(organisation, name.clone()))? as usize;
            let persons = self.of_organisation[organisation as usize].persons as f64;
            (colleague != user).then(|| (colleague, persons * self.shares.of_both(&name)))
        })
    }

    fn after_death(&self, (user, person): (usize, u32), pair: &Pair, known: &Known) -> Option<Finding> {
        let days = pair.last_ms.div_euclid(DAY_MS) - known.died_on?;
        let grace = self.settings().after_death_days;
        (pair.opened > 0 && days > i64::from(grace)).then(|| {
            let words = format!("opened {days} days after death; up to {grace} days are usual");
            self.about(Rule::AfterDeath, (user, person), pair, (0.0, words))
        })
    }

    fn after_leaving(&self, (user, person): (usize, u32), pair: &Pair, known: &Known) -> Option<Finding> {
        let ods = self.ods(user);
        let left = known.left.iter().filter(|(of, _)| of.eq_ignore_ascii_case(&ods)).map(|(_, day)| *day).max()?;
        if pair.unrelated_ms == i64::MIN {
            return None;
        }
        let days = pair.unrelated_ms.div_euclid(DAY_MS) - left;
        let grace = self.settings().after_leaving_days;
        (days > i64::from(grace)).then(|| {
            let words = format!("opened {days} days after the person had left the organisation's care");
            self.about(Rule::AfterLeaving, (user, person), pair, (0.0, words))
        })
    }
}
