//! Registrations that their source changed into somebody else under one local id. They leave their person, join nobody
//! by score, and persons' earlier links of them rest, until a person decides or the source changes them back.
//!
//! **Invariant:** however often a source changes its mind, what is remembered is what stood before the first time.

use super::State;
use crate::index::{
    decide::{Effect, Row},
    evidence::with_identity,
};
use bytes::Bytes;
use prost::Message as _;
use severn_linkage::decide::is_somebody_else;
use severn_proto::v1::Registration;
use severn_trust::NhsNumber;

impl State {
    /// Compares a registration's new content with what it said `before`, or with what it said when it was last trusted.
    pub(super) fn watch(&mut self, row: Row, before: &Bytes, sequence: u64) {
        let suspended = self.decisions.suspended().get(&row);
        let trusted = suspended.map_or(before, |suspended| &suspended.trusted);
        let other = !trusted.is_empty() && self.is_somebody_else(row, trusted);
        let effect = match suspended {
            None if other => {
                let companions = self.members(row).iter().copied().filter(|other| *other != row).collect();
                Effect::Suspend { row, trusted: before.clone(), companions }
            }
            Some(_) if !other => Effect::Resume { row },
            _ => return,
        };
        self.take_effect(sequence, effect);
    }

    fn is_somebody_else(&self, row: Row, trusted: &Bytes) -> bool {
        let mut said = Registration::decode(trusted.clone()).unwrap_or_default().demographics.unwrap_or_default();
        if let Ok(number) = NhsNumber::parse(&said.nhs_number) {
            said.nhs_number = self.superseded.current(number).digits();
        }
        let before = with_identity(&said, |identity| self.population.probe(identity));
        is_somebody_else(self.population.compare_with(&before, row.0).levels)
    }
}
