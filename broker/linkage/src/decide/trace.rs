//! Who is meant, in an index where each person stands once. Pure: it never guesses; whoever may be the twin of the one
//! found, or is not in the index at all, is nobody's.

use super::home::Two;
use crate::bulk::ScoredPair;
use crate::levels::{Field, given};
use crate::model::Model;
use crate::population::{Population, Probe};

/// Whoever is found is at least so likely the one meant. Lower than for links, which join two histories for good.
const TRACED_MIN: f64 = 0.986;
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
    let fits = best.score.probability >= TRACED_MIN && lead >= LEAD_BITS;
    (fits && !is_the_twin(population, model, asked, best)).then_some(best.one)
}

fn fit(population: &Population, model: &Model, asked: &Probe, row: u32) -> ScoredPair {
    let comparison = population.compare_with(asked, row);
    // Whoever is asked about stands in no row.
    ScoredPair { one: row, two: u32::MAX, comparison, score: model.score(&comparison) }
}

/// Whether the one found may be the twin of the one meant: the given name does not fit, or is known to be another name
/// (Ellie and Elsie).
fn is_the_twin(population: &Population, model: &Model, asked: &Probe, pair: &ScoredPair) -> bool {
    let levels = pair.comparison.levels;
    let two = Two { sides: [population.side_of(asked), population.side(pair.one)], levels, model };
    let is_another_name = match levels.get(Field::Given) {
        given::ALIKE | given::SOUND | given::DIFFERENT => true,
        given::NICKNAME | given::SLIP => two.are_names_of_their_own(),
        _ => false,
    };
    is_another_name && two.may_be_twins()
}
