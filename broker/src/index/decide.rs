//! Decides which registrations are one person. Pure: the same registrations and decisions give the same persons,
//! in whatever order they came. The rules, of which a person's decision outranks every other:
//!
//! 1. The same NHS number **and** the same whole birth date: one person. Where a birth date is missing, partial or
//!    different, they stay apart and a human is asked.
//! 2. A registration without an NHS number joins the one person who has a number and the same family name, given
//!    names, birth date, sex and postcode. With two such persons it stays apart and a human is asked; with none it
//!    joins others without a number who share all five.
//! 3. A person's link joins whatever the rules made of the two. It rests while it would join two different verified
//!    numbers, a number that the person had not seen to another, or what a person separated; then a human is asked.
//! 4. What a person took out stays out for as long as its evidence is the one that misled, and is never again with
//!    those it was taken from.
//!
//! **Invariant:** no automatic cluster has two different NHS numbers.

use super::normalise::{Facts, Key};
use jiff::civil::Date;
use severn_trust::NhsNumber;
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[cfg(test)]
mod tests;

/// Registrations that share one number or key, at most. More than that and the value is taken for a placeholder.
/// Tests cross a lower limit, for the time it takes.
pub const SHARED_MAX: usize = if cfg!(test) { 100 } else { 1_000 };

/// Persons named to a human for one registration that could be any of them, at most.
const AMBIGUOUS_MAX: usize = 5;

/// The place of a registration in the index's memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Row(pub u32);

/// Why a registration is with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rule {
    /// It stands alone.
    #[default]
    Alone,
    /// Rule 1.
    Number,
    /// Rule 2.
    Demographics,
    /// Rule 3.
    Person,
}

/// Why a human should look at a pair; the strongest evidence first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Doubt {
    /// A person's link rests, because the numbers contradict it now.
    LinkRests,
    /// Same number, a birth date missing or partial.
    BirthDateMissing,
    /// Same demographics, different numbers.
    DifferentNumbers,
    /// Same demographics as several persons.
    Ambiguous,
    /// Same number, different birth dates.
    BirthDateDiffers,
}

/// A pair for a human.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Review {
    /// Why.
    pub doubt: Doubt,
    /// One registration.
    pub a: Row,
    /// The other.
    pub b: Row,
}

/// A person's link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One registration.
    pub a: Row,
    /// The other.
    pub b: Row,
    /// The NHS numbers of the two persons when it was decided.
    pub seen: BTreeSet<NhsNumber>,
}

/// What persons decided, as far as it concerns the registrations at hand.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Links by the sequence in which they were decided.
    pub links: BTreeMap<u64, Link>,
    /// For each registration that was taken out: those it must never be with.
    pub apart: HashMap<Row, BTreeSet<Row>>,
    /// For each registration that was taken out of what the rules made: the evidence that misled them.
    pub disputed: HashMap<Row, Facts>,
}

impl Decisions {
    /// Whether a person said that these two are not one.
    pub fn separates(&self, a: Row, b: Row) -> bool {
        let says = |x, y| self.apart.get(&x).is_some_and(|others| others.contains(&y));
        says(a, b) || says(b, a)
    }

    /// Whether the evidence by which the rules would join this registration is the one that misled.
    pub fn disputes(&self, row: Row, facts: &Facts) -> bool {
        let Some(misled) = self.disputed.get(&row) else { return false };
        match facts.number {
            Some(number) => misled.number == Some(number),
            None => facts.key.is_some() && misled.key == facts.key,
        }
    }
}

/// What was decided.
#[derive(Clone, Default)]
pub struct Verdict {
    /// The persons: each a sorted list of registrations, and why each of them is there; ordered by their first.
    pub persons: Vec<Vec<(Row, Rule)>>,
    /// What a human should look at.
    pub reviews: BTreeSet<Review>,
}

/// Decides over a set that is closed: whoever shares a number, a key or a link with one of `known` is in `known` too.
pub fn decide(known: &[(Row, Facts)], decisions: &Decisions) -> Verdict {
    let claims = Claims::of(known, decisions);
    let mut doubts = claims.doubts();
    let mut groups = part(claims.into_groups(), decisions);
    doubts.extend(join(&mut groups, known, decisions));
    groups.retain(|group| !group.rows.is_empty());
    groups.sort_unstable_by_key(|group| group.rows.first().copied());
    let reviews = worth_a_look(doubts, &groups, decisions);
    Verdict { persons: groups.into_iter().map(Group::into_person).collect(), reviews }
}

/// The doubts about two who are two persons still, though nobody has said that they are.
fn worth_a_look(doubts: Vec<Review>, groups: &[Group], decisions: &Decisions) -> BTreeSet<Review> {
    if doubts.is_empty() {
        return BTreeSet::new();
    }
    let mut home: HashMap<Row, usize> = HashMap::new();
    for (i, group) in groups.iter().enumerate() {
        home.extend(group.rows.iter().map(|row| (*row, i)));
    }
    let open = |d: &Review| home.get(&d.a) != home.get(&d.b) && !decisions.separates(d.a, d.b);
    doubts.into_iter().filter(open).collect()
}

/// A person by number: number and whole birth date. A disputed claim is a person of its own.
type NumberPerson = (NhsNumber, Date, Option<Row>);

/// The registrations by what they say.
#[derive(Default)]
struct Claims {
    numbered: BTreeMap<NumberPerson, BTreeSet<Row>>,
    /// Numbered, without a whole birth date.
    undated: BTreeMap<NhsNumber, BTreeSet<Row>>,
    unnumbered: BTreeMap<Key, BTreeSet<Row>>,
    alone: BTreeSet<Row>,
    /// The persons by number who have a key.
    holders: BTreeMap<Key, BTreeSet<NumberPerson>>,
}

/// Registrations that belong together so far.
#[derive(Default)]
struct Group {
    rows: BTreeSet<Row>,
    by_key: BTreeSet<Row>,
    by_person: bool,
}

impl Group {
    fn of(rows: BTreeSet<Row>) -> Group {
        Group { rows, ..Group::default() }
    }

    fn into_person(self) -> Vec<(Row, Rule)> {
        let alone = self.rows.len() == 1;
        let rule = |row: &Row| match (alone, self.by_person, self.by_key.contains(row)) {
            (true, ..) => Rule::Alone,
            (_, true, _) => Rule::Person,
            (.., true) => Rule::Demographics,
            _ => Rule::Number,
        };
        self.rows.iter().map(|row| (*row, rule(row))).collect()
    }
}

impl Claims {
    fn of(known: &[(Row, Facts)], decisions: &Decisions) -> Claims {
        let mut claims = Claims::default();
        for (row, facts) in known {
            let disputed = decisions.disputes(*row, facts);
            match (facts.number, facts.birth, facts.key) {
                (Some(number), Some(birth), key) => {
                    let person = (number, birth, disputed.then_some(*row));
                    claims.numbered.entry(person).or_default().insert(*row);
                    if let Some(key) = key {
                        claims.holders.entry(key).or_default().insert(person);
                    }
                }
                (Some(number), None, _) if !disputed => {
                    claims.undated.entry(number).or_default().insert(*row);
                }
                (None, _, Some(key)) if !disputed => {
                    claims.unnumbered.entry(key).or_default().insert(*row);
                }
                _ => {
                    claims.alone.insert(*row);
                }
            }
        }
        claims
    }

    /// What rules 1 and 2 make of them.
    fn into_groups(self) -> Vec<Group> {
        let mut persons: BTreeMap<NumberPerson, Group> =
            self.numbered.into_iter().map(|(person, rows)| (person, Group::of(rows))).collect();
        let lonely = self.alone.into_iter().chain(self.undated.into_values().flatten());
        let mut groups: Vec<Group> = lonely.map(|row| Group::of([row].into())).collect();
        for (key, rows) in self.unnumbered {
            let holders: Vec<&NumberPerson> = self.holders.get(&key).into_iter().flatten().collect();
            match holders.as_slice() {
                [] => groups.push(Group { rows: rows.clone(), by_key: rows, by_person: false }),
                [one] => {
                    if let Some(group) = persons.get_mut(*one) {
                        group.rows.extend(&rows);
                        group.by_key.extend(rows);
                    }
                }
                _ => groups.extend(rows.into_iter().map(|row| Group::of([row].into()))),
            }
        }
        groups.extend(persons.into_values());
        groups
    }

    /// The pairs for which the evidence is less than the rules want.
    fn doubts(&self) -> Vec<Review> {
        let mut doubts = Vec::new();
        // One registration stands for each person; a disputed claim has been looked at already.
        let mut by_number: BTreeMap<NhsNumber, Vec<Row>> = BTreeMap::new();
        for ((number, _, disputed), rows) in &self.numbered {
            if disputed.is_none() {
                by_number.entry(*number).or_default().extend(rows.first());
            }
        }
        for rows in by_number.values_mut() {
            rows.sort_unstable();
            let Some((first, rest)) = rows.split_first() else { continue };
            doubts.extend(rest.iter().map(|b| Review { doubt: Doubt::BirthDateDiffers, a: *first, b: *b }));
        }
        for (number, rows) in &self.undated {
            let Some(first) = by_number.get(number).and_then(|r| r.first()).or(rows.first()) else { continue };
            let rest = rows.iter().filter(|row| *row != first);
            doubts.extend(rest.map(|b| Review { doubt: Doubt::BirthDateMissing, a: *first, b: *b }));
        }
        for (key, holders) in self.holders.iter().filter(|(_, holders)| holders.len() > 1) {
            let stand_in = |person| self.numbered.get(person).and_then(BTreeSet::first).copied();
            let undisputed = holders.iter().filter(|(_, _, disputed)| disputed.is_none()).filter_map(stand_in);
            let mut undisputed = undisputed.take(AMBIGUOUS_MAX);
            if let Some(first) = undisputed.next() {
                doubts.extend(undisputed.map(|b| Review { doubt: Doubt::DifferentNumbers, a: first, b }));
            }
            let persons: Vec<Row> = holders.iter().filter_map(stand_in).take(AMBIGUOUS_MAX).collect();
            for row in self.unnumbered.get(key).into_iter().flatten() {
                doubts.extend(persons.iter().map(|b| Review { doubt: Doubt::Ambiguous, a: *row, b: *b }));
            }
        }
        doubts
    }
}

/// Takes out of each group whom a person had taken out of it.
fn part(groups: Vec<Group>, decisions: &Decisions) -> Vec<Group> {
    if decisions.apart.is_empty() {
        return groups;
    }
    let mut parted = Vec::with_capacity(groups.len());
    for mut group in groups {
        let is_out = |row: &Row| decisions.apart.get(row).is_some_and(|others| !others.is_disjoint(&group.rows));
        let out: Vec<Row> = group.rows.iter().filter(|row| is_out(row)).copied().collect();
        for row in out {
            group.rows.remove(&row);
            parted.push(Group::of([row].into()));
        }
        parted.push(group);
    }
    parted
}

/// Applies persons' links in the order in which they were decided. Returns those that rest.
fn join(groups: &mut [Group], known: &[(Row, Facts)], decisions: &Decisions) -> Vec<Review> {
    let mut resting = Vec::new();
    if decisions.links.is_empty() {
        return resting;
    }
    let facts: HashMap<Row, Facts> = known.iter().copied().collect();
    let mut home: HashMap<Row, usize> = HashMap::new();
    for (i, group) in groups.iter().enumerate() {
        home.extend(group.rows.iter().map(|row| (*row, i)));
    }
    for link in decisions.links.values() {
        let (Some(&a), Some(&b)) = (home.get(&link.a), home.get(&link.b)) else { continue };
        if a == b {
            continue;
        }
        if !may_join(link, [&groups[a].rows, &groups[b].rows], &facts, decisions) {
            resting.push(Review { doubt: Doubt::LinkRests, a: link.a.min(link.b), b: link.a.max(link.b) });
            continue;
        }
        let moved = std::mem::take(&mut groups[b]);
        home.extend(moved.rows.iter().map(|row| (*row, a)));
        groups[a].rows.extend(moved.rows);
        groups[a].by_person = true;
    }
    resting
}

fn may_join(link: &Link, sides: [&BTreeSet<Row>; 2], facts: &HashMap<Row, Facts>, decisions: &Decisions) -> bool {
    let both = || sides.into_iter().flatten().filter_map(|row| facts.get(row));
    let verified: BTreeSet<NhsNumber> = both().filter(|f| f.verified).filter_map(|f| f.number).collect();
    let numbers: BTreeSet<NhsNumber> = both().filter_map(|f| f.number).collect();
    let agreed = verified.len() <= 1 && (numbers.len() <= 1 || numbers.is_subset(&link.seen));
    let separated = |x: &BTreeSet<Row>, y: &BTreeSet<Row>| {
        x.iter().filter_map(|row| decisions.apart.get(row)).any(|others| !others.is_disjoint(y))
    };
    agreed && !separated(sides[0], sides[1]) && !separated(sides[1], sides[0])
}
