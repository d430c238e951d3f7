//! Who is meant, in an index where each person stands once. Pure: it never guesses; whoever may be the twin of the one
//! found, or is not in the index at all, is nobody's.

use super::rules::may_be_twins;
use crate::bulk::ScoredPair;
use crate::levels::{Field, given};
use crate::model::Model;
use crate::population::{Population, Probe};

/// Whoever is found is at least so likely the one meant. Lower than for links, which join two histories for good.
const TRACED_MIN: f64 = 0.987;
/// By so many bits whoever is found fits better than anybody else.
const LEAD_BITS: f64 = 3.0;

/// The row of the person meant, if it is beyond doubt. The model is that of [`Model::for_tracing`].
#[must_use]
pub fn trace(population: &Population, model: &Model, asked: &Probe) -> Option<u32> {
    let rows = population.candidates_of(asked).rows;
    let mut fits: Vec<ScoredPair> = rows.into_iter().map(|row| fit(population, model, asked, row)).collect();
    fits.sort_unstable_by(|one, other| other.score.bits.total_cmp(&one.score.bits));
    let best = fits.first()?;
    let lead = fits.get(1).map_or(f64::INFINITY, |second| best.score.bits - second.score.bits);
    let is_meant = best.score.probability >= TRACED_MIN && lead >= LEAD_BITS && !is_the_twin(population, model, best);
    is_meant.then_some(best.one)
}

fn fit(population: &Population, model: &Model, asked: &Probe, row: u32) -> ScoredPair {
    let comparison = population.compare_with(asked, row);
    // Whoever is asked about stands in no row.
    ScoredPair { one: row, two: u32::MAX, comparison, score: model.score(&comparison) }
}

/// Whether a pair are possible twins whose names do not fit each other in any way.
fn is_the_twin(population: &Population, model: &Model, pair: &ScoredPair) -> bool {
    let given = pair.comparison.levels.get(Field::Given);
    matches!(given, given::SOUND | given::DIFFERENT) && may_be_twins(population, model, pair)
}
