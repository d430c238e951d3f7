//! Files what the clerk writes, gives everybody a number, and labels the pairs of one person that are hard to link.

use super::{
    People, Plan, Truth,
    clerk::{self, Clerk, Marks, Registration, Visit},
    draw::Draw,
    names::{Names, variants::Variants},
    person::{Born, Home, Person},
    places::{self, NhsNumbers, PRACTICE_PHONE_SOURCE, SOURCES},
    traps::{self, Trap},
};
use std::collections::HashMap;

/// How many registrations a person has: this share of people has one, two, and so on.
const REGISTRATIONS: [(usize, f64); 6] = [(1, 0.38), (2, 0.28), (3, 0.17), (4, 0.1), (5, 0.05), (6, 0.02)];

/// What is planted in a person's second registration, and in how many people.
const PLANTED: [(Marks, f64); 5] = [
    (clerk::OLD_NUMBER, 0.004),
    (clerk::OVERLAID, 0.0015),
    (clerk::FORMER_GENDER, 0.0008),
    (clerk::DATE_SWAPPED, 0.0012),
    (clerk::FIRST_OF_JANUARY, 0.0008),
];

/// A mark by which two registrations of one person differ, and what such a pair is called.
const LABELS: [(Marks, traps::Kind); 12] = [
    (clerk::OLD_NUMBER, traps::Kind::Superseded),
    (clerk::OVERLAID, traps::Kind::OverlaidRightPerson),
    (clerk::FORMER_GENDER, traps::Kind::GenderChange),
    (clerk::DATE_SWAPPED, traps::Kind::BirthDateSwapped),
    (clerk::FIRST_OF_JANUARY, traps::Kind::FirstOfJanuary),
    (clerk::DATE_MISSING, traps::Kind::BirthDateMissing),
    (clerk::TRANSLITERATED, traps::Kind::Transliterated),
    (clerk::NICKNAME, traps::Kind::Nickname),
    (clerk::CROSSED_NAMES, traps::Kind::CrossedNames),
    (clerk::SWAPPED_NAMES, traps::Kind::SwappedNames),
    (clerk::NO_FAMILY_NAME, traps::Kind::NoFamilyName),
    (clerk::DECEASED, traps::Kind::Deceased),
];

/// People as they are filed.
#[derive(Debug)]
pub struct Register {
    /// Who writes, with the stream of chance.
    pub clerk: Clerk,
    /// Every home so far.
    pub homes: Vec<Home>,
    /// Persons so far.
    pub persons: u32,
    /// Households in streets so far.
    pub households: usize,
    /// Institutions so far, of each kind.
    pub institutions: [u32; 3],
    plan: Plan,
    people: People,
    marks: Vec<Marks>,
    local_ids: [u32; SOURCES.len()],
    /// NHS numbers that may be entered for somebody else, with a registration of their owner.
    lenders: Vec<(String, usize)>,
    under_practice_phone: HashMap<String, usize>,
}

impl Register {
    /// An empty one.
    #[must_use]
    pub fn new(plan: Plan) -> Register {
        let mut draw = Draw::new(plan.seed);
        let numbers = NhsNumbers::new(&mut draw);
        let clerk = Clerk { draw, names: Names::new(), variants: Variants::new(), numbers };
        Register {
            clerk,
            homes: Vec::new(),
            persons: 0,
            households: 0,
            institutions: [0; 3],
            plan,
            people: People::default(),
            marks: Vec::new(),
            local_ids: std::array::from_fn(|source| 1000 + 17 * source as u32),
            lenders: Vec::new(),
            under_practice_phone: HashMap::new(),
        }
    }

    /// Whether as many registrations are filed as were planned.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.people.registrations.len() >= self.plan.registrations
    }

    /// Somebody new, with an NHS number and a practice.
    pub fn person(&mut self, born: Born, family: &str) -> Person {
        let clerk = &mut self.clerk;
        let mut person = Person::draw(&mut clerk.draw, &clerk.names, born, family);
        self.persons += 1;
        person.number = self.persons;
        person.nhs_number = clerk.numbers.draw();
        person.practice = clerk.draw.below(places::PRACTICES);
        person
    }

    /// Registers somebody everywhere they have been. Returns the place of the first registration.
    pub fn enrol(&mut self, person: &mut Person) -> usize {
        let planted = self.planted(person);
        let draw = &mut self.clerk.draw;
        let mut visits = *draw.weighted(&REGISTRATIONS);
        if planted != 0 {
            visits = visits.max(2);
        }
        let time = 0.4 + 0.6 * draw.unit();
        let first = self.visit(person, Visit { source: person.practice, time, planted: 0, overlaid: None });
        for nth in 1..visits {
            let draw = &mut self.clerk.draw;
            let source = match *draw.weighted(&places::FURTHER) {
                0 => draw.below(places::PRACTICES),
                other => other,
            };
            let planted = if nth == 1 { planted } else { 0 };
            let time = if planted & clerk::FORMER_GENDER != 0 { 0.0 } else { draw.unit() };
            if planted == clerk::OVERLAID {
                self.overlay(person, Visit { source, time, planted: 0, overlaid: None });
            } else {
                self.visit(person, Visit { source, time, planted, overlaid: None });
            }
        }
        self.label(first);
        // Nobody can see that a number is lent whose owner is registered without it.
        let is_known = self.people.registrations[first].nhs_number == person.nhs_number;
        if is_known && (self.lenders.is_empty() || self.clerk.draw.chance(0.05)) {
            let at = self.clerk.draw.below(64);
            let lender = (person.nhs_number.clone(), first);
            match self.lenders.get_mut(at) {
                Some(lent) => *lent = lender,
                None => self.lenders.push(lender),
            }
        }
        first
    }

    /// Files one visit. Returns its place.
    pub fn visit(&mut self, person: &Person, visit: Visit<'_>) -> usize {
        let (registration, marks) = self.clerk.write(person, &self.homes, visit);
        let at = self.file(visit.source, registration, Truth { person: person.number, origin: person.origin });
        self.marks[at] = marks;
        if visit.source == PRACTICE_PHONE_SOURCE {
            let family = self.people.registrations[at].family.clone();
            if let Some(other) = self.under_practice_phone.insert(family, at) {
                self.trap_of_strangers(traps::Kind::PracticePhone, other, at);
            }
        }
        at
    }

    /// Files a registration as it is, under the next local id of its source. Returns its place.
    pub fn file(&mut self, source: usize, registration: Registration, truth: Truth) -> usize {
        self.local_ids[source] += 1;
        let local_id = format!("{}", self.local_ids[source]);
        self.people.registrations.push(Registration { source: SOURCES[source].0, local_id, ..registration });
        self.people.truth.push(truth);
        self.marks.push(0);
        self.marks.len() - 1
    }

    /// Labels a pair.
    pub fn trap(&mut self, kind: traps::Kind, a: usize, b: usize) {
        self.people.traps.push(Trap { kind, a, b });
    }

    /// Labels a pair unless it is one person's.
    pub fn trap_of_strangers(&mut self, kind: traps::Kind, a: usize, b: usize) {
        if self.people.truth[a].person != self.people.truth[b].person {
            self.trap(kind, a, b);
        }
    }

    /// What goes wrong for this person. The first few people have each thing in turn, so that small sets have all.
    fn planted(&mut self, person: &mut Person) -> Marks {
        let in_turn =
            PLANTED.get(self.persons as usize / 7).filter(|_| self.persons.is_multiple_of(7)).map(|(mark, _)| *mark);
        let by_chance = PLANTED.iter().find(|(_, share)| self.clerk.draw.chance(*share)).map(|(mark, _)| *mark);
        let planted = in_turn.or(by_chance).unwrap_or_default();
        match planted {
            clerk::OLD_NUMBER => {
                let old = self.clerk.numbers.draw();
                self.people.superseded.push((old.clone(), person.nhs_number.clone()));
                person.old_number = Some(old);
            }
            clerk::FORMER_GENDER if person.age() > 15 => {
                let clerk = &mut self.clerk;
                let from = clerk.names.given(&mut clerk.draw, person.origin, person.sex.other(), person.born.year());
                person.former_gender = Some(super::person::Changed { from, at: 0.35 });
            }
            // A child has no former gender here, and is asked for nothing.
            clerk::FORMER_GENDER => return 0,
            _ => {}
        }
        planted
    }

    /// Somebody is registered under the NHS number of somebody else.
    fn overlay(&mut self, person: &Person, visit: Visit<'_>) {
        let lent = self.clerk.draw.below(self.lenders.len());
        let Some((number, owner)) = self.lenders.get(lent).cloned() else { return };
        let at = self.visit(person, Visit { overlaid: Some(&number), ..visit });
        self.trap_of_strangers(traps::Kind::OverlaidWrongPerson, owner, at);
    }

    /// Labels the pairs of the person whose registrations begin here: the first with each further one.
    fn label(&mut self, first: usize) {
        for other in first + 1..self.marks.len() {
            let differ = self.marks[first] ^ self.marks[other];
            let found = LABELS.iter().filter(|(mark, _)| differ & mark != 0).map(|&(_, kind)| kind);
            let moved = match (differ & clerk::FORMER_NAME != 0, differ & clerk::FORMER_HOME != 0) {
                (true, true) => Some(traps::Kind::NameChangeMoved),
                (true, false) => Some(traps::Kind::NameChange),
                (false, true) => Some(traps::Kind::Moved),
                (false, false) => None,
            };
            // Where a number is missing there is none to follow.
            let numbers = [first, other].map(|at| &self.people.registrations[at].nhs_number);
            let numbered = !numbers.iter().any(|number| number.is_empty());
            let labels = found.chain(moved).filter(|kind| numbered || *kind != traps::Kind::Superseded);
            self.people.traps.extend(labels.map(|kind| Trap { kind, a: first, b: other }));
        }
    }

    /// The people, as many registrations as planned, in an order of chance.
    #[must_use]
    pub fn finish(mut self) -> People {
        let planned = self.plan.registrations;
        let People { mut registrations, mut truth, mut traps, superseded } = self.people;
        registrations.truncate(planned);
        truth.truncate(planned);
        traps.retain(|trap| trap.a < planned && trap.b < planned);
        let mut order: Vec<u32> = (0..planned as u32).collect();
        self.clerk.draw.shuffle(&mut order);
        let mut place = vec![0; planned];
        for (new, &old) in order.iter().enumerate() {
            place[old as usize] = new;
        }
        for trap in &mut traps {
            (trap.a, trap.b) = (place[trap.a], place[trap.b]);
        }
        let truth = order.iter().map(|&old| truth[old as usize]).collect();
        let registrations = order.iter().map(|&old| std::mem::take(&mut registrations[old as usize])).collect();
        People { registrations, truth, traps, superseded }
    }
}
