//! Makes up one person's record as a region's sources tell it: statements with a known truth, told by several routes with
//! the slips of real systems, and for any two entries whether they are the same statement.
//!
//! **Invariant:** the same seed gives the same entries on every machine, and no label looks at what the merge did.

pub mod headings;
mod slips;
pub mod sources;
#[cfg(test)]
mod tests;
pub mod told;
pub mod truth;

use crate::people::draw::Draw;
use severn_broker::model::{Plan, Reply};
use severn_proto::v1::{Assertion, Dataset};
use severn_trust::ALL_DATASETS;
use sources::SECOND_REGION;
use std::ops::Range;
use told::{Fate, Route, Told, says_same};
use truth::Statement;

/// What two entries are to each other, by the truth and by what their routes left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// One statement: they belong into one item.
    Same,
    /// One statement, but a route left out or changed what a reader needs to be sure: shown side by side.
    Possibly,
    /// Never one item: two statements, or one of which somebody withdrew his part.
    Different,
}

/// One person's record, with its truth.
#[derive(Debug)]
pub struct Region {
    /// What it was drawn from.
    pub seed: u64,
    /// The headings that are asked about, in the order of a record.
    pub datasets: Vec<Dataset>,
    /// What is so.
    pub statements: Vec<Statement>,
    /// What is told, those of one statement together, in the order of the statements.
    pub told: Vec<Told>,
    of_statement: Vec<Range<usize>>,
}

impl Region {
    /// A record of about `size` statements under headings drawn from `among`, which is not empty.
    #[must_use]
    pub fn of(seed: u64, size: usize, among: &[Dataset]) -> Region {
        let mut draw = Draw::new(seed);
        let statements = truth::statements(&mut draw, among, size, SECOND_REGION);
        let (mut told, mut of_statement, mut next_id) = (Vec::new(), Vec::new(), 0);
        for (place, statement) in statements.iter().enumerate() {
            let from = told.len();
            told.extend(told::tell(&mut draw, place, statement, &mut next_id));
            of_statement.push(from..told.len());
        }
        let datasets = ALL_DATASETS.into_iter().filter(|dataset| among.contains(dataset)).collect();
        Region { seed, datasets, statements, told, of_statement }
    }

    /// A small record, of one to six headings and up to eight statements: all by chance.
    #[must_use]
    pub fn small(seed: u64) -> Region {
        let mut draw = Draw::new(seed);
        let mut among = ALL_DATASETS;
        draw.shuffle(&mut among);
        let (headings, size) = (draw.between(1, 6) as usize, draw.between(1, 8) as usize);
        Region::of(seed, size, &among[..headings])
    }

    /// What is asked: every source about every heading of this record.
    #[must_use]
    pub fn plan(&self) -> Plan {
        sources::plan(&self.datasets)
    }

    /// The entries as they come, in reply to `plan`.
    #[must_use]
    pub fn replies(&self, plan: &Plan) -> Vec<Reply> {
        sources::replies(plan, &self.told.iter())
    }

    /// The statement that an entry tells of.
    #[must_use]
    pub fn statement(&self, one: &Told) -> &Statement {
        &self.statements[one.statement]
    }

    /// Whether the statement, as this entry has it, was withdrawn: by itself, by another version with the same origin, or
    /// by its source under the same id. What is withheld counts, what is rejected says nothing.
    #[must_use]
    pub fn is_retracted(&self, one: &Told) -> bool {
        one.in_error() || self.beside(one).any(|other| other.in_error() && is_version(one, other))
    }

    /// What two entries that are both shown are to each other.
    #[must_use]
    pub fn label(&self, a: &Told, b: &Told) -> Label {
        let statement = self.statement(a);
        if a.statement != b.statement || statement.assertion == Assertion::NoneKnown {
            return Label::Different;
        }
        let sent_again = a.head == b.head && a.source == b.source;
        if (a.linked && b.linked) || sent_again {
            return Label::Same;
        }
        if self.is_retracted(a) || self.is_retracted(b) || statement.heading.by_origin_only {
            return Label::Different;
        }
        let same = says_same(statement, &a.said, &b.said) && self.versions_agree(a) && self.versions_agree(b);
        if same && !self.is_disputed(a) { Label::Same } else { Label::Possibly }
    }

    /// Whether all that came of the same origin says the same: what has versions that differ says two things.
    fn versions_agree(&self, one: &Told) -> bool {
        let mut versions = self.beside(one).filter(|other| other.fate == Fate::Shown && is_version(one, other));
        versions.all(|other| says_same(self.statement(one), &one.said, &other.said))
    }

    /// Whether what says the same came under several identifiers of which one was given in the name of whoever made the
    /// statement (ORIGIN-2), or by others to what that organisation is known to have recorded (ORIGIN-3).
    fn is_disputed(&self, one: &Told) -> bool {
        let alike = |other: &&Told| {
            other.fate == Fate::Shown
                && !self.is_retracted(other)
                && says_same(self.statement(one), &one.said, &other.said)
        };
        let alike: Vec<&Told> = self.beside(one).filter(alike).collect();
        let count = |route: Route, of: fn(&Told) -> bool| alike.iter().filter(|o| o.route == route && of(o)).count();
        let linked = |of: fn(&Told) -> bool| alike.iter().any(|o| o.linked && of(o) && self.versions_agree(o));
        let in_its_name = usize::from(linked(|_| true)) + count(Route::Reissued, |_| true);
        let known: fn(&Told) -> bool = |other| other.said.organisation;
        let recorded = usize::from(linked(known)) + count(Route::Reissued, known) + count(Route::Minted, known);
        in_its_name > 1 || recorded > 1
    }

    /// All that tells of the same statement and is not rejected, the entry itself too.
    fn beside(&self, one: &Told) -> impl Iterator<Item = &Told> {
        self.told[self.of_statement[one.statement].clone()].iter().filter(|other| other.fate != Fate::Rejected)
    }
}

/// Whether both are versions of one statement: by the identifier given at origin, or by their source's own id.
fn is_version(a: &Told, b: &Told) -> bool {
    (a.linked && b.linked) || (a.source == b.source && a.head.entry_id == b.head.entry_id)
}
