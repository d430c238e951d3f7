//! What persons decided, and what it rests on. Every decision, and every change by a source that bears on one, is an
//! [`Effect`] that was worked out when it was taken; from then on it depends on nothing else, so that what was decided
//! can be derived again without one that was taken back.

use super::{Row, Said};
use bytes::Bytes;
use foldhash::HashMap;
use serde::{Deserialize, Serialize};
use severn_trust::NhsNumber;
use std::collections::{BTreeMap, BTreeSet};

/// A person's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// One registration.
    pub a: Row,
    /// The other.
    pub b: Row,
    /// The NHS numbers of the two persons when it was decided.
    pub seen: BTreeSet<NhsNumber>,
    /// What `a` and `b` said of themselves then.
    pub said: [Said; 2],
}

impl Link {
    fn joins(&self, row: Row) -> bool {
        self.a == row || self.b == row
    }
}

/// What a registration was before its source changed it into somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspended {
    /// What it said then, serialised.
    pub trusted: Bytes,
    /// Those whose person it was.
    pub companions: BTreeSet<Row>,
    /// Persons' links of it, which rest meanwhile.
    pub links: BTreeMap<u64, Link>,
}

impl Suspended {
    /// Whom it had to do with.
    pub fn others(&self) -> impl Iterator<Item = Row> {
        self.companions.iter().copied().chain(self.links.values().flat_map(|link| [link.a, link.b]))
    }

    /// Whether any of a person's registrations was of its person then.
    pub fn was_with(&self, person: &[Row]) -> bool {
        person.iter().any(|row| self.companions.contains(row))
    }
}

/// Of a registration that its source changed into somebody else: what stood before a link settled whose it is. It
/// stands again once that link is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settled {
    row: Row,
    was: Suspended,
    /// What it said when a score had misled, if it had.
    disputed: Option<Said>,
}

/// What one event does to what was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// A person linked two.
    Link {
        /// The link.
        link: Link,
        /// The separations that it takes back.
        separations: Vec<(Row, BTreeSet<Row>)>,
        /// Those of the two that were changed into somebody else and are whom they were, and what they say meanwhile.
        resumed: Vec<(Row, Said)>,
        /// Those of the two that were changed into somebody else and are.
        dismissed: Vec<Row>,
    },
    /// A person took one out of its person; where a score had put it there, it says what misled.
    Unlink {
        /// Who was taken out.
        row: Row,
        /// What it says, if that misled.
        misled: Option<Said>,
    },
    /// It must never be with this one again.
    Part {
        /// Who was taken out.
        row: Row,
        /// With whom it must not be.
        other: Row,
    },
    /// A person told two apart.
    TellApart {
        /// One.
        a: Row,
        /// The other.
        b: Row,
        /// Those of the two that were changed into somebody else and are.
        dismissed: Vec<Row>,
    },
    /// A source changed one into somebody else.
    Suspend {
        /// Who was changed.
        row: Row,
        /// What it said before, serialised.
        trusted: Bytes,
        /// Those whose person it was.
        companions: BTreeSet<Row>,
    },
    /// A source changed it back.
    Resume {
        /// Who was changed back.
        row: Row,
    },
}

impl Effect {
    /// Whom it is about.
    pub fn rows(&self) -> BTreeSet<Row> {
        match self {
            Effect::Link { link, separations, .. } => {
                let parted = separations.iter().flat_map(|(row, others)| others.iter().chain([row]));
                parted.copied().chain([link.a, link.b]).collect()
            }
            Effect::Unlink { row, .. } | Effect::Resume { row } => BTreeSet::from([*row]),
            Effect::Part { row, other } => BTreeSet::from([*row, *other]),
            Effect::TellApart { a, b, .. } => BTreeSet::from([*a, *b]),
            Effect::Suspend { row, companions, .. } => companions.iter().chain([row]).copied().collect(),
        }
    }
}

/// What persons decided, as far as it concerns the registrations at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    links: BTreeMap<u64, Link>,
    links_of: HashMap<Row, BTreeSet<u64>>,
    /// For each registration that was taken out: those it must never be with.
    apart: HashMap<Row, BTreeSet<Row>>,
    /// For each registration that was told apart from others with which it was not: those. Stands at both ends.
    different: HashMap<Row, BTreeSet<Row>>,
    /// For each registration that was taken out of what a score made: what it said of itself then.
    disputed: HashMap<Row, Said>,
    /// Registrations that their source changed into somebody else, and nobody has decided about since.
    suspended: HashMap<Row, Suspended>,
    /// For each registration, those that had to do with it before they were changed into somebody else.
    suspended_with: HashMap<Row, BTreeSet<Row>>,
    /// For each link that said whose a registration is: what it settled.
    settled: BTreeMap<u64, Vec<Settled>>,
}

impl Decisions {
    /// Persons' links, by the event in which they were decided.
    pub fn links(&self) -> &BTreeMap<u64, Link> {
        &self.links
    }

    /// Registrations that were changed into somebody else.
    pub fn suspended(&self) -> &HashMap<Row, Suspended> {
        &self.suspended
    }

    /// Those it must never be with, because it was taken out of where they are.
    pub fn apart_from(&self, row: Row) -> impl Iterator<Item = &Row> {
        self.apart.get(&row).into_iter().flatten()
    }

    /// Those that it was told apart from.
    pub fn different_from(&self, row: Row) -> impl Iterator<Item = &Row> {
        self.different.get(&row).into_iter().flatten()
    }

    /// Whether it was taken out of what a score made.
    pub fn was_misled(&self, row: Row) -> bool {
        self.disputed.contains_key(&row)
    }

    /// Whether a registration still says what misled.
    pub fn disputes(&self, row: Row, said: &Said) -> bool {
        self.disputed.get(&row) == Some(said)
    }

    /// Those whom a registration must never be with by a decision that was made about it.
    pub fn separated_from(&self, row: Row) -> impl Iterator<Item = &Row> {
        self.apart_from(row).chain(self.different_from(row))
    }

    /// Whether two must never be one person.
    pub fn separates(&self, a: Row, b: Row) -> bool {
        let says = |x, y| self.separated_from(x).any(|other| *other == y);
        says(a, b) || says(b, a)
    }

    /// Whom a registration was linked with by a person, or had to do with before one of them was changed.
    pub fn bound_to(&self, row: Row) -> impl Iterator<Item = Row> {
        let links = self.links_of.get(&row).into_iter().flatten().filter_map(|sequence| self.links.get(sequence));
        let own = self.suspended.get(&row).into_iter().flat_map(Suspended::others);
        let with = self.suspended_with.get(&row).into_iter().flatten().copied();
        links.flat_map(|link| [link.a, link.b]).chain(own).chain(with)
    }

    /// Each two that are bound to each other.
    pub fn bonds(&self) -> impl Iterator<Item = (Row, Row)> {
        let changed = self.suspended.iter().flat_map(|(row, suspended)| suspended.others().map(|other| (*row, other)));
        self.links.values().map(|link| (link.a, link.b)).chain(changed)
    }

    /// What was decided about `rows`.
    pub fn about<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Decisions {
        let mut own = Decisions::default();
        for row in rows {
            for sequence in self.links_of.get(row).into_iter().flatten() {
                if let Some(link) = self.links.get(sequence) {
                    own.add_link(*sequence, link.clone());
                    own.settled.extend(self.settled.get(sequence).map(|settled| (*sequence, settled.clone())));
                }
            }
            own.apart.extend(self.apart.get(row).map(|others| (*row, others.clone())));
            own.different.extend(self.different.get(row).map(|others| (*row, others.clone())));
            own.disputed.extend(self.disputed.get(row).map(|said| (*row, *said)));
            if let Some(suspended) = self.suspended.get(row) {
                own.add_suspended(*row, suspended.clone());
            }
        }
        own
    }

    /// Puts `other`, which is all that was decided about `rows`, in the place of what is known of them.
    pub fn replace(&mut self, rows: &BTreeSet<Row>, other: Decisions) {
        for row in rows {
            self.drop_links(*row);
            self.lift(*row);
            self.apart.remove(row);
            self.different.remove(row);
            self.disputed.remove(row);
        }
        self.settled.retain(|_, settled| !settled.iter().any(|settled| rows.contains(&settled.row)));
        self.settled.extend(other.settled);
        self.apart.extend(other.apart);
        self.different.extend(other.different);
        self.disputed.extend(other.disputed);
        other.suspended.into_iter().for_each(|(row, suspended)| self.add_suspended(row, suspended));
        other.links.into_iter().for_each(|(sequence, link)| self.add_link(sequence, link));
    }

    /// Puts the number in use in the place of each that links have seen.
    pub fn renumber(&mut self, current: impl Fn(NhsNumber) -> NhsNumber) {
        let resting = self.suspended.values_mut().flat_map(|suspended| suspended.links.values_mut());
        let settled = self.settled.values_mut().flatten().flat_map(|settled| settled.was.links.values_mut());
        for link in self.links.values_mut().chain(resting).chain(settled) {
            link.seen = link.seen.iter().map(|number| current(*number)).collect();
        }
    }

    /// Takes what an event does.
    pub fn take(&mut self, sequence: u64, effect: &Effect) {
        match effect {
            Effect::Link { link, separations, resumed, dismissed } => {
                self.take_back(separations);
                let settles = resumed.iter().map(|(row, _)| row).chain(dismissed);
                let settled: Vec<Settled> = settles.filter_map(|row| self.settles(*row)).collect();
                if !settled.is_empty() {
                    self.settled.insert(sequence, settled);
                }
                for (row, said) in resumed {
                    self.resume(*row);
                    self.disputed.insert(*row, *said);
                }
                dismissed.iter().for_each(|row| drop(self.lift(*row)));
                self.add_link(sequence, link.clone());
            }
            Effect::Unlink { row, misled } => {
                let undone = self.drop_links(*row);
                for other in self.suspended_with.get(row).cloned().unwrap_or_default() {
                    if let Some(mut suspended) = self.lift(other) {
                        suspended.links.retain(|_, link| !link.joins(*row));
                        self.add_suspended(other, suspended);
                    }
                }
                undone.keys().for_each(|link| self.unsettle(*link, *row));
                if let Some(said) = misled {
                    self.disputed.insert(*row, *said);
                }
            }
            Effect::Part { row, other } => {
                self.apart.entry(*row).or_default().insert(*other);
            }
            Effect::TellApart { a, b, dismissed } => {
                dismissed.iter().for_each(|row| drop(self.lift(*row)));
                // A link of just these two, which rests, is taken back by it.
                let own = self.links_of.get(a).into_iter().flatten().filter(|s| self.links[*s].joins(*b));
                own.copied().collect::<Vec<_>>().into_iter().for_each(|sequence| drop(self.drop_link(sequence)));
                self.different.entry(*a).or_default().insert(*b);
                self.different.entry(*b).or_default().insert(*a);
            }
            Effect::Suspend { row, trusted, companions } => {
                let links = self.drop_links(*row);
                // It is suspended already if what had settled it was taken back: then what stood before that counts.
                let fresh =
                    || Suspended { trusted: trusted.clone(), companions: companions.clone(), links: BTreeMap::new() };
                let mut suspended = self.lift(*row).unwrap_or_else(fresh);
                suspended.links.extend(links);
                self.add_suspended(*row, suspended);
            }
            Effect::Resume { row } => self.resume(*row),
        }
    }

    /// Forgets separations: each of a registration from others.
    fn take_back(&mut self, separations: &[(Row, BTreeSet<Row>)]) {
        for (row, others) in separations {
            if forget(&mut self.apart, *row, others) {
                self.disputed.remove(row);
            }
            forget(&mut self.different, *row, others);
            for other in others {
                forget(&mut self.different, *other, &BTreeSet::from([*row]));
            }
        }
    }

    /// What a link settles by saying whose this one is.
    fn settles(&self, row: Row) -> Option<Settled> {
        let was = self.suspended.get(&row)?.clone();
        Some(Settled { row, was, disputed: self.disputed.get(&row).copied() })
    }

    /// Nobody says any more whose those are about whom a link had said it. Of links with `unlinked` none comes back to
    /// another.
    fn unsettle(&mut self, link: u64, unlinked: Row) {
        for Settled { row, mut was, disputed } in self.settled.remove(&link).unwrap_or_default() {
            // What its source changed since is a task already.
            if self.suspended.contains_key(&row) {
                continue;
            }
            was.links.extend(self.drop_links(row));
            was.links.retain(|_, link| row == unlinked || !link.joins(unlinked));
            self.disputed.remove(&row);
            self.disputed.extend(disputed.map(|said| (row, said)));
            self.add_suspended(row, was);
        }
    }

    /// It is whom it was: what rested holds again.
    fn resume(&mut self, row: Row) {
        let links = self.lift(row).map(|suspended| suspended.links).unwrap_or_default();
        links.into_iter().for_each(|(sequence, link)| self.add_link(sequence, link));
    }

    fn add_link(&mut self, sequence: u64, link: Link) {
        for end in [link.a, link.b] {
            self.links_of.entry(end).or_default().insert(sequence);
        }
        self.links.insert(sequence, link);
    }

    fn drop_link(&mut self, sequence: u64) -> Option<(u64, Link)> {
        let link = self.links.remove(&sequence)?;
        for end in [link.a, link.b] {
            forget(&mut self.links_of, end, &BTreeSet::from([sequence]));
        }
        Some((sequence, link))
    }

    fn drop_links(&mut self, row: Row) -> BTreeMap<u64, Link> {
        let own = self.links_of.get(&row).cloned().unwrap_or_default();
        own.into_iter().filter_map(|sequence| self.drop_link(sequence)).collect()
    }

    fn add_suspended(&mut self, row: Row, suspended: Suspended) {
        for other in suspended.others() {
            self.suspended_with.entry(other).or_default().insert(row);
        }
        self.suspended.insert(row, suspended);
    }

    fn lift(&mut self, row: Row) -> Option<Suspended> {
        let suspended = self.suspended.remove(&row)?;
        for other in suspended.others() {
            forget(&mut self.suspended_with, other, &BTreeSet::from([row]));
        }
        Some(suspended)
    }
}

/// Forgets `others` of what is known of `row`; whether there was any of it.
fn forget<T: Ord>(known_of: &mut HashMap<Row, BTreeSet<T>>, row: Row, others: &BTreeSet<T>) -> bool {
    let Some(known) = known_of.get_mut(&row) else { return false };
    let before = known.len();
    known.retain(|other| !others.contains(other));
    let (forgot, is_empty) = (known.len() < before, known.is_empty());
    if is_empty {
        known_of.remove(&row);
    }
    forgot
}
