//! What concerns everybody in the index: which model scores, and which NHS numbers were replaced. Plans events; reads
//! the state, changes nothing.

use super::{
    IndexError,
    event::{About, Decision},
    plan::{Means, Planned, check_decision},
    scoring::ScoringModel,
    state::State,
};
use severn_linkage::superseded::Superseded;
use severn_trust::{NhsNumber, new_uuid};

/// What is to be done.
pub enum Upkeep {
    /// The built-in model becomes part of the history, if none is yet.
    FirstModel,
    /// Another model scores from now on.
    Model(ScoringModel),
    /// NHS numbers were replaced: each by its successor. Who said so, and why.
    Superseded(Vec<[NhsNumber; 2]>, String, String),
}

/// Plans it. What is so already plans nothing.
///
/// # Errors
/// [`IndexError`] if it contradicts what is known; nothing of it is planned then.
pub fn plan_upkeep(state: &State, upkeep: &Upkeep, means: Means<'_>) -> Result<Planned, IndexError> {
    let events = match upkeep {
        Upkeep::FirstModel => match state.taken_model() {
            Some(_) => Vec::new(),
            None => vec![About::ModelTaken(ScoringModel::built_in())],
        },
        Upkeep::Model(model) => match state.taken_model() {
            Some(taken) if taken == model => Vec::new(),
            _ => vec![About::ModelTaken(model.clone())],
        },
        Upkeep::Superseded(numbers, by, reason) => {
            let decision = || Decision {
                by: by.clone(),
                reason: reason.clone(),
                idempotency_key: new_uuid(means.clock, means.entropy),
            };
            plan_superseded(state.superseded().clone(), numbers, decision)?
        }
    };
    Ok(Planned { events, ..Planned::default() })
}

fn plan_superseded(
    mut known: Superseded<NhsNumber>,
    numbers: &[[NhsNumber; 2]],
    decision: impl Fn() -> Decision,
) -> Result<Vec<About>, IndexError> {
    check_decision(&decision())?;
    let mut events = Vec::new();
    for [number, by] in numbers {
        let refused =
            |error: &dyn std::fmt::Display| IndexError::Invalid { field: "numbers", message: error.to_string() };
        if known.replace(*number, *by).map_err(|error| refused(&error))? {
            events.push(About::Superseded { number: *number, by: *by, decision: decision() });
        }
    }
    Ok(events)
}
