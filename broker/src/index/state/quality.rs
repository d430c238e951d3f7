//! What the report on data quality looks at, registration by registration.

use super::State;
use crate::{
    index::{decide::Row, quality::Looked},
    model::SourceId,
};
use severn_linkage::levels::Levels;
use std::ops::Range;

/// Others of one person with whom a registration is compared: one person may be known to hundreds of sources.
const OTHERS_MAX: usize = 16;

impl State {
    /// Hands over each registration in the places `range` with its source, to be read if it is wanted. Returns where to
    /// go on; `None` at the end.
    pub fn look<'a>(
        &'a self,
        range: Range<usize>,
        each: &mut dyn FnMut(&SourceId, &dyn Fn() -> Looked<'a>),
    ) -> Option<usize> {
        let end = range.end.min(self.held.len());
        for place in range.start..end {
            let held = &self.held[place];
            if held.live {
                each(&held.key.source, &|| self.looked(Row(place as u32)));
            }
        }
        (end < self.held.len()).then_some(end)
    }

    fn looked(&self, row: Row) -> Looked<'_> {
        let held = self.get(row);
        let levels = |other: Row| -> Levels { self.population.compare(row.0, other.0).levels };
        let companions = || self.members(row).iter().copied().filter(move |other| *other != row);
        Looked {
            local_id: &held.key.local_id,
            demographics: self.registration(row).demographics.unwrap_or_default(),
            own: levels(row),
            others: companions().take(OTHERS_MAX).map(levels).collect(),
            is_duplicate: companions().any(|other| self.get(other).key.source == held.key.source),
            in_review: self.reviews_of.contains_key(&row),
        }
    }
}
