//! What scores are worth, measured without anybody's labels: where both NHS numbers are verified, they tell who is one
//! person, and the score without them is put to the test.

use crate::bulk::{ScoredPair, score_all};
use crate::levels::{Field, nhs};
use crate::model::{Model, Reliability};
use crate::population::Population;

/// Where the bands of the reliability table begin.
const BANDS: [f64; 8] = [0.0, 0.1, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999];

/// The reliability table of a model on a population, the lowest band first. All bands are empty where no two
/// candidates have a verified NHS number each.
#[must_use]
pub fn reliability(population: &Population, model: &Model, threads: usize) -> Vec<Reliability> {
    let mut bands = BANDS.map(|from| Reliability { from, pairs: 0, right: 0 });
    let number = |pair: &ScoredPair| pair.comparison.levels.get(Field::Nhs);
    let wanted = |pair: &ScoredPair| matches!(number(pair), nhs::VERIFIED | nhs::VERIFIED_DIFFERENT);
    score_all(population, model, threads, &wanted, &mut |pairs, _| {
        for pair in pairs {
            let right = number(pair) == nhs::VERIFIED;
            let probability = model.score_without_number(&pair.comparison).probability;
            if let Some(band) = bands.iter_mut().rev().find(|band| probability >= band.from) {
                band.pairs += 1;
                band.right += u64::from(right);
            }
        }
    });
    bands.into()
}
