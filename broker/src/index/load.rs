//! Loading many registrations at once: the same events as if each source had announced them, only more of them to a
//! batch. No feed's position moves, and a registration that is known as it stands makes no event, so that a load that
//! was cut off is run again.

use super::{
    Refusal,
    check::{Wrong, latest_date},
    event::About,
    plan::{Means, Pending, Planned, take_registered},
    state::State,
};
use crate::model::SourceId;
use severn_proto::v1::Registration;
use std::collections::HashMap;

/// A registration to be loaded.
pub struct LoadedLine {
    /// Where it stands in the file.
    pub line: u64,
    /// What its source would announce.
    pub registration: Registration,
}

/// Plans a load. What is refused is named by its line.
pub fn plan_load(state: &State, lines: &[LoadedLine], means: Means<'_>) -> Planned {
    let latest = latest_date(means.clock.now_ms());
    let mut pending: HashMap<&str, Pending> = HashMap::new();
    let mut planned = Planned::default();
    for LoadedLine { line, registration } in lines {
        let source = SourceId(registration.source_id.as_str().into());
        let pending = pending.entry(&registration.source_id).or_default();
        match take_registered(state, registration, (&source, &latest), pending) {
            Ok(taken) => {
                planned.events.extend(taken.map(|(key, kind)| About::Registration(key, kind.into_what(means))));
            }
            Err(Wrong { field, message }) => planned.refusals.push(Refusal { cursor: *line, field, message }),
        }
    }
    planned
}
