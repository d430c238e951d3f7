//! What concerns everybody: the model that scores, and the NHS numbers that were replaced.

use super::{Block, State};
use crate::{
    index::{
        decide::{Means, Row, Rule},
        event::Event,
        scoring::ScoringModel,
    },
    model::EnterpriseId,
};
use foldhash::HashSet;
use severn_linkage::{
    bulk::{ScoredPair, score_all},
    decide::{Policy, components, rules::is_of_concern},
    model::{ModelError, ModelFile},
    superseded::Superseded,
    train::{Training, reliability, train},
};
use severn_trust::NhsNumber;
use std::{
    collections::{BTreeMap, BTreeSet},
    thread::available_parallelism,
};

/// Registrations that one thread looks at sooner than several.
const ALONE_MAX: usize = 10_000;

/// What another model would change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelChanges {
    /// Links between registrations that it would make: as many as it takes to join those who are not one person now.
    pub links_made: usize,
    /// Links that it would not make: as many as it takes to join those who are one person now.
    pub links_lost: usize,
    /// Persons now.
    pub persons_before: usize,
    /// Persons then.
    pub persons_after: usize,
    /// Pairs for a steward now.
    pub reviews_before: usize,
    /// Pairs for a steward then.
    pub reviews_after: usize,
}

impl State {
    /// The model that scores.
    pub fn scoring(&self) -> &ScoringModel {
        &self.scoring
    }

    /// Learns a model on the registrations, and what its scores are worth.
    pub fn train(&self, training: &Training<'_>) -> Result<ModelFile, ModelError> {
        let model = train(&self.population, training)?;
        let reliability = reliability(&self.population, &model, training.threads);
        Ok(ModelFile { reliability, ..model.file().clone() })
    }

    /// What it would change if `model` scored from now on.
    pub fn would_change(&self, model: &ScoringModel) -> ModelChanges {
        let policy = Policy::from(model.model().file().thresholds);
        let means = Means { model: model.model(), policy: &policy, ..self.means() };
        let mut then: Vec<Row> = (0..self.held.len() as u32).map(Row).collect();
        let mut reviews_after = 0;
        for block in self.blocks(means) {
            let verdict = self.verdict(means, &block, &self.decisions_on(&block));
            reviews_after += verdict.doubted.len();
            for person in &verdict.persons {
                person.iter().for_each(|(row, _)| then[row.0 as usize] = person[0].0);
            }
        }
        let both = self.held.iter().zip(&then).filter(|(held, _)| held.live).map(|(held, then)| (held.person, *then));
        // Registrations of one person before and after hold together, in so many groups.
        let groups: HashSet<(Row, Row)> = both.collect();
        let persons_before = groups.iter().map(|(now, _)| now).collect::<HashSet<_>>().len();
        let persons_after = groups.iter().map(|(_, then)| then).collect::<HashSet<_>>().len();
        let groups = groups.len();
        ModelChanges {
            links_made: groups - persons_after,
            links_lost: groups - persons_before,
            persons_before,
            persons_after,
            reviews_before: self.reviews.len(),
            reviews_after,
        }
    }

    /// The model that the history took last; `None` if it took none yet, so that the built-in one scores.
    pub fn taken_model(&self) -> Option<&ScoringModel> {
        self.models.last().map(|_| &self.scoring)
    }

    /// The version of the model that decided when this event was taken.
    pub(super) fn model_version_at(&self, sequence: u64) -> &str {
        match self.models.iter().rev().find(|(since, _)| *since <= sequence) {
            Some((_, version)) => version,
            None => ScoringModel::built_in_version(),
        }
    }

    /// The NHS numbers that were replaced.
    pub fn superseded(&self) -> &Superseded<NhsNumber> {
        &self.superseded
    }

    /// Everybody is decided about anew by another model.
    pub(super) fn take_model(&mut self, event: &Event, model: &ScoringModel) {
        self.models.push((event.sequence, model.model().version().into()));
        if self.scoring == *model {
            return;
        }
        self.scoring = model.clone();
        self.policy = Policy::from(model.model().file().thresholds);
        let before = self.settle_all();
        self.keep_directives_of(BTreeMap::new(), None, &before);
        self.write_history(event, &[], &before);
    }

    /// The registrations that give a number take its successor for it.
    pub(super) fn supersede(&mut self, event: &Event, number: NhsNumber, by: NhsNumber) {
        // What contradicts is never planned.
        if self.superseded.replace(number, by) != Ok(true) {
            return;
        }
        let mut seeds = self.by_number.get(&number).cloned().unwrap_or_default();
        seeds.sort_unstable();
        let touched = self.block(&seeds);
        let rivals = touched.rivals(&seeds, &self.policy);
        let superseded = &self.superseded;
        self.decisions.renumber(|number| superseded.current(number));
        self.access_facts.renumber(number, superseded.current(number));
        let mut affected = Vec::new();
        for row in &seeds {
            let (body, changed) = (self.get(*row).body.clone(), self.get(*row).changed);
            affected.extend(self.drop_content(*row));
            affected.extend(self.set_content(*row, &body, changed));
        }
        let before = self.settle_around(&seeds, touched.rows.into_iter().chain(rivals), &affected);
        self.keep_directives_of(BTreeMap::new(), None, &before);
        self.write_history(event, &seeds, &before);
    }

    /// Decides about everybody anew, and gives the id by which each went before.
    pub(super) fn settle_all(&mut self) -> Vec<(Row, Option<EnterpriseId>)> {
        let everybody = || (0..self.held.len() as u32).map(Row);
        let before = everybody().map(|row| (row, self.id_of(row))).collect();
        let blocks = self.blocks(self.means());
        self.clusters.clear();
        self.reviews.clear();
        self.reviews_of.clear();
        self.review_counts.clear();
        for (held, row) in self.held.iter_mut().zip(0..) {
            held.person = Row(row);
            held.rule = Rule::Alone;
        }
        for block in blocks {
            self.settle(&block);
        }
        before
    }

    /// Everybody who hangs together with somebody, as `means` see it.
    fn blocks(&self, means: Means<'_>) -> Vec<Block> {
        let Means { population, model, policy } = means;
        let threads = if population.len() < ALONE_MAX { 1 } else { available_parallelism().map_or(1, usize::from) };
        let mut pairs = Vec::new();
        let wanted = |pair: &ScoredPair| is_of_concern(population, model, pair, policy);
        score_all(population, model, threads, &wanted, &mut |scored, _| pairs.extend(scored));
        let links: Vec<(u32, u32)> = self.decisions.bonds().map(|(one, two)| (one.0, two.0)).collect();
        let components = components(&pairs, &links, self.held.len());
        let block = |(rows, pairs): (Vec<u32>, _)| Block {
            rows: rows.into_iter().map(Row).collect(),
            outside: BTreeSet::new(),
            pairs,
        };
        components.into_iter().map(block).collect()
    }
}
