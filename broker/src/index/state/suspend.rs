//! Registrations that their source changed into somebody else under one local id. They leave their person, join nobody
//! by score, and persons' earlier links of them rest, until a person decides or the source changes them back.
//!
//! **Invariant:** however often a source changes its mind, what is remembered is what stood before the first time.

use super::State;
use crate::index::{
    decide::{Row, Suspended},
    evidence::with_identity,
};
use bytes::Bytes;
use prost::Message as _;
use severn_linkage::decide::is_somebody_else;
use severn_proto::v1::Registration;

impl State {
    /// Compares a registration's new content with what it said `before`, or with what it said when it was last trusted.
    pub(super) fn watch(&mut self, row: Row, before: &Bytes) {
        let suspended = self.decisions.suspended.get(&row);
        let trusted = suspended.map_or(before, |suspended| &suspended.trusted);
        let other = !trusted.is_empty() && self.is_somebody_else(row, trusted);
        match suspended {
            None if other => self.suspend(row, before.clone()),
            Some(_) if !other => self.resume(row),
            _ => {}
        }
    }

    fn is_somebody_else(&self, row: Row, trusted: &Bytes) -> bool {
        let said = Registration::decode(trusted.clone()).unwrap_or_default().demographics.unwrap_or_default();
        let before = with_identity(&said, |identity| self.population.probe(identity));
        is_somebody_else(self.population.compare_with(&before, row.0).levels)
    }

    fn suspend(&mut self, row: Row, trusted: Bytes) {
        let companions = self.members(row).iter().copied().filter(|other| *other != row).collect();
        let links = self.links_of.remove(&row).unwrap_or_default();
        let links = links.into_iter().filter_map(|sequence| Some((sequence, self.drop_link(sequence)?))).collect();
        let suspended = Suspended { trusted, companions, links };
        for other in suspended.others() {
            self.suspended_with.entry(other).or_default().insert(row);
        }
        self.decisions.suspended.insert(row, suspended);
    }

    /// It is whom it was: what rested holds again.
    pub(super) fn resume(&mut self, row: Row) {
        let Some(suspended) = self.dismiss(row) else { return };
        for (sequence, link) in suspended.links {
            for end in [link.a, link.b] {
                self.links_of.entry(end).or_default().push(sequence);
            }
            self.decisions.links.insert(sequence, link);
        }
    }

    /// It is somebody else, by a person's decision: what rested is gone.
    pub(super) fn dismiss(&mut self, row: Row) -> Option<Suspended> {
        let suspended = self.decisions.suspended.remove(&row)?;
        for other in suspended.others() {
            if let Some(rows) = self.suspended_with.get_mut(&other) {
                rows.remove(&row);
                if rows.is_empty() {
                    self.suspended_with.remove(&other);
                }
            }
        }
        Some(suspended)
    }

    /// A person linked two registrations: of one that was changed into somebody else, that says who it is now. Where it
    /// is whom it was, what it says misleads, and joins nobody by score.
    pub(super) fn settle_suspended(&mut self, a: Row, b: Row) {
        for (row, other) in [(a, b), (b, a)] {
            match self.decisions.suspended.get(&row).map(|suspended| suspended.was_with(self.members(other))) {
                Some(true) => {
                    self.resume(row);
                    self.decisions.disputed.insert(row, self.get(row).facts.said);
                }
                Some(false) => drop(self.dismiss(row)),
                None => {}
            }
        }
    }

    /// A person told a registration apart from whom it was before: it is somebody else.
    pub(super) fn part_suspended(&mut self, a: Row, b: Row) {
        for (row, other) in [(a, b), (b, a)] {
            if self.decisions.suspended.get(&row).is_some_and(|suspended| suspended.was_with(self.members(other))) {
                self.dismiss(row);
            }
        }
    }

    /// Forgets the links of `row` that rest because the other was changed into somebody else.
    pub(super) fn forget_resting(&mut self, row: Row) {
        for other in self.suspended_with.get(&row).cloned().unwrap_or_default() {
            if let Some(suspended) = self.decisions.suspended.get_mut(&other) {
                suspended.links.retain(|_, link| link.a != row && link.b != row);
            }
        }
    }

    /// Whom a registration has to do with because one of them was changed into somebody else.
    pub(super) fn suspended_others(&self, row: Row) -> impl Iterator<Item = Row> {
        let own = self.decisions.suspended.get(&row).into_iter().flat_map(Suspended::others);
        own.chain(self.suspended_with.get(&row).into_iter().flatten().copied())
    }
}
