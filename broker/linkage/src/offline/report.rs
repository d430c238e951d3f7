//! What is said about a run: counts only, never a value of a person.

use crate::bulk::Scored;
use crate::decide::{Corroboration, Decided, Policy};
use crate::model::{Classes, Model, Reliability, Trained};
use crate::normalise::date::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// What came of linking a file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Registrations read.
    pub registrations: usize,
    /// Persons found, those of one registration included.
    pub persons: usize,
    /// Persons of two or more registrations.
    pub persons_linked: usize,
    /// Most registrations of one person.
    pub registrations_of_one_max: usize,
    /// Pairs compared.
    pub pairs_compared: u64,
    /// Links made automatically.
    pub links: usize,
    /// Pairs for a steward, by why.
    pub reviews: BTreeMap<&'static str, usize>,
    /// Registrations with a key too common even at its finest, which may have more candidates than were compared.
    pub registrations_cut: usize,
    /// Whether something beside names and birth date had to agree; not where the file holds nothing else.
    pub corroboration_needed: bool,
    /// Linked from this probability on.
    pub threshold: f64,
    /// The model's name.
    pub model_version: String,
    /// How the model was learned.
    pub model_trained: Trained,
    /// How many pairs of each class the model counts on.
    pub model_classes: Classes,
    /// What the model's scores were worth where the truth was known.
    pub model_reliability: Vec<Reliability>,
    /// What was missing or malformed.
    pub quality: Quality,
}

/// What was missing or malformed, in registrations.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Quality {
    /// Read in all.
    pub registrations: usize,
    /// Without an NHS number.
    pub nhs_number_missing: usize,
    /// With one whose check digit or shape is wrong; it is not used.
    pub nhs_number_malformed: usize,
    /// Without a birth date.
    pub birth_date_missing: usize,
    /// With one that is no date, or stands for "unknown".
    pub birth_date_malformed: usize,
    /// Without a family name.
    pub family_missing: usize,
}

impl Quality {
    pub(crate) fn count(&mut self, nhs_number: &str, nhs_number_right: bool, birth_date: &str, family: &str) {
        let blank = |text: &str| text.trim().is_empty();
        self.registrations += 1;
        self.nhs_number_missing += usize::from(blank(nhs_number));
        self.nhs_number_malformed += usize::from(!blank(nhs_number) && !nhs_number_right);
        self.birth_date_missing += usize::from(blank(birth_date));
        self.birth_date_malformed += usize::from(!blank(birth_date) && Date::parse(birth_date).is_missing());
        self.family_missing += usize::from(blank(family));
    }

    /// Adds what was counted elsewhere.
    pub(crate) const fn add(&mut self, other: &Self) {
        self.registrations += other.registrations;
        self.nhs_number_missing += other.nhs_number_missing;
        self.nhs_number_malformed += other.nhs_number_malformed;
        self.birth_date_missing += other.birth_date_missing;
        self.birth_date_malformed += other.birth_date_malformed;
        self.family_missing += other.family_missing;
    }
}

impl Report {
    pub(crate) fn of(model: &Model, policy: &Policy, decided: &[Decided], scored: &Scored, quality: Quality) -> Self {
        let mut reviews = BTreeMap::new();
        for review in decided.iter().flat_map(|decided| &decided.reviews) {
            *reviews.entry(review.reason.words()).or_default() += 1;
        }
        let persons = || decided.iter().flat_map(|decided| &decided.persons);
        let linked = || persons().filter(|person| person.len() > 1);
        let joined: usize = linked().map(|person| person.len() - 1).sum();
        let file = model.file();
        Self {
            registrations: quality.registrations,
            persons: quality.registrations - joined,
            persons_linked: linked().count(),
            registrations_of_one_max: persons().map(Vec::len).max().unwrap_or(usize::from(quality.registrations > 0)),
            pairs_compared: scored.compared,
            links: decided.iter().map(|decided| decided.links.len()).sum(),
            reviews,
            registrations_cut: scored.cut.len(),
            corroboration_needed: policy.corroboration == Corroboration::Needed,
            threshold: policy.automatic_min,
            model_version: file.version.clone(),
            model_trained: file.trained.clone(),
            model_classes: file.classes,
            model_reliability: file.reliability.clone(),
            quality,
        }
    }
}
