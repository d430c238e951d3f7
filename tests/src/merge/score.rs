//! How well entries are grouped, dataset by dataset: what the merge did with every pair of entries beside what the truth
//! says of it.

use super::{
    laws,
    shown::{Open, Shown},
};
use crate::region::{
    Label, Region,
    headings::{DOSE, DOSES_MEASURED, HEADINGS, Time},
    told::{Coded, Exact, Fate, Told, is_given, names_alike, names_substance, stands_for_thing},
    truth::{DAY, Statement},
};
use anyhow::Result;
use serde::Serialize;
use severn_proto::v1::{Assertion, Dataset, EntryStatus};
use severn_trust::dataset_word;
use std::ops::AddAssign;

/// What came of the pairs of one dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Entries shown.
    pub entries: u64,
    /// Pairs of entries of one record that are one statement, or name one thing.
    pub pairs: u64,
    /// Pairs that stand in one item.
    pub joined: u64,
    /// Of these, pairs that are not the same statement.
    pub wrongly_joined: u64,
    /// Pairs of the same statement that share a code or an origin identifier.
    pub sharing: u64,
    /// Of these, pairs that stand in one item.
    pub sharing_joined: u64,
    /// Pairs of one statement that share a code or an origin identifier, whatever their routes left out.
    pub of_truth: u64,
    /// Of these, pairs that stand in one item.
    pub of_truth_joined: u64,
    /// Pairs of one statement of which a route left out what a reader needs to be sure.
    pub possibly: u64,
    /// Of these, pairs whose items name each other: as possibly the same, or as in conflict.
    pub possibly_found: u64,
    /// Pairs that contradict each other.
    pub conflicts: u64,
    /// Of these, pairs that are marked, under the rule meant.
    pub conflicts_found: u64,
}

impl Score {
    /// Share of the pairs in one item that are one statement.
    #[must_use]
    pub fn precision(&self) -> f64 {
        1.0 - share(self.wrongly_joined, self.joined).unwrap_or(0.0)
    }

    /// Share of the pairs that share a code or an origin identifier, and are the same, that stand in one item.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.sharing_joined, self.sharing)
    }

    /// Whether precision is 1 and recall at least 0.95, over pairs that exist.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.wrongly_joined == 0 && self.recall().is_some_and(|recall| recall >= RECALL_MIN)
    }
}

/// The least recall that is asked for in each dataset.
pub const RECALL_MIN: f64 = 0.95;

/// `part` of `whole`; none if there is nothing to have a part of.
#[must_use]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Score) {
        self.entries += other.entries;
        self.pairs += other.pairs;
        self.joined += other.joined;
        self.wrongly_joined += other.wrongly_joined;
        self.sharing += other.sharing;
        self.sharing_joined += other.sharing_joined;
        self.of_truth += other.of_truth;
        self.of_truth_joined += other.of_truth_joined;
        self.possibly += other.possibly;
        self.possibly_found += other.possibly_found;
        self.conflicts += other.conflicts;
        self.conflicts_found += other.conflicts_found;
    }
}

/// A dataset's score.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The dataset's word.
    pub dataset: String,
    /// What came of it.
    pub score: Score,
}

/// Scores `records` made-up records of each dataset.
///
/// # Errors
/// If a merged record cannot be read, lacks an entry, or has one that was withdrawn and reads as active.
pub fn corpus(seed: u64, records: u64) -> Result<Vec<Line>> {
    let line = |dataset: Dataset| -> Result<Line> {
        let mut score = Score::default();
        for region in regions(seed, records, dataset) {
            score += of_region(&region)?;
        }
        Ok(Line { dataset: dataset_word(dataset), score })
    };
    HEADINGS.iter().map(|heading| line(heading.dataset)).collect()
}

/// The records of the corpus that are about one dataset.
pub fn regions(seed: u64, records: u64, dataset: Dataset) -> impl Iterator<Item = Region> {
    let from = seed.wrapping_add((dataset as u64) << 40);
    (0..records).map(move |at| Region::of(from.wrapping_add(at), STATEMENTS, &[dataset]))
}

/// Statements in one record of the corpus.
const STATEMENTS: usize = 8;

fn of_region(region: &Region) -> Result<Score> {
    let plan = region.plan();
    let open = Open::of(&plan, &region.replies(&plan))?;
    let shown = Shown::of(region, &open);
    laws::nothing_is_lost(region, &open, &shown)?;
    laws::nothing_retracted_reads_active(region, &open, &shown)?;
    let mut score = Score::default();
    let places = (0..region.told.len()).filter(|place| region.told[*place].fate == Fate::Shown);
    let places: Vec<usize> = places.collect();
    score.entries = places.len() as u64;
    for (at, a) in places.iter().enumerate() {
        for b in &places[..at] {
            score += of_pair(region, &shown, *a, *b);
        }
    }
    Ok(score)
}

fn of_pair(region: &Region, shown: &Shown<'_>, a: usize, b: usize) -> Score {
    let (one, other) = (&region.told[a], &region.told[b]);
    let statement = region.statement(one);
    let label = region.label(one, other);
    let joined = shown.together(a, b);
    let shares = one.linked && other.linked || one.said.code == other.said.code && one.said.code != Coded::No;
    let sharing = label == Label::Same && shares;
    let of_truth = label != Label::Different && shares;
    let possibly = label == Label::Possibly && names_alike(statement, &one.said, &other.said);
    let found = || shown.possibly(a, b) || shown.conflict(a, b, "");
    let conflict = contradiction(region, one, other);
    Score {
        entries: 0,
        pairs: u64::from(statement.thing == region.statement(other).thing),
        joined: joined.into(),
        wrongly_joined: u64::from(joined && label != Label::Same),
        sharing: sharing.into(),
        sharing_joined: u64::from(sharing && joined),
        of_truth: of_truth.into(),
        of_truth_joined: u64::from(of_truth && joined),
        possibly: possibly.into(),
        possibly_found: u64::from(possibly && found()),
        conflicts: conflict.is_some().into(),
        conflicts_found: conflict.is_some_and(|rule| shown.conflict(a, b, rule)).into(),
    }
}

/// The rule by which two entries cannot both be right (RULES.md, "What is marked as a conflict").
fn contradiction(region: &Region, one: &Told, other: &Told) -> Option<&'static str> {
    let versions = one.statement == other.statement && one.linked && other.linked;
    if versions && region.statement(one).assertion != Assertion::NoneKnown {
        return of_versions(region, one, other);
    }
    if [one, other].iter().any(|entry| region.is_retracted(entry)) {
        return None;
    }
    of_two(region, one, other).or_else(|| of_two(region, other, one))
}

/// Versions of one statement.
fn of_versions(region: &Region, one: &Told, other: &Told) -> Option<&'static str> {
    if region.is_retracted(one) {
        return (one.in_error() && other.in_force() || one.in_force() && other.in_error()).then_some("CONFLICT-6");
    }
    let (a, b) = (&one.said, &other.said);
    let recognised = |status: i32| EntryStatus::try_from(status).is_ok();
    let status = a.status != b.status && recognised(a.status) && recognised(b.status);
    let code = a.code != b.code && a.code != Coded::No && b.code != Coded::No;
    (status || code).then_some("CONFLICT-5")
}

/// What `one` says against `other`: of two statements, or of one from two sources.
fn of_two(region: &Region, one: &Told, other: &Told) -> Option<&'static str> {
    let (a, b) = (region.statement(one), region.statement(other));
    let dataset = a.heading.dataset;
    let present = |statement: &Statement| statement.assertion == Assertion::Present;
    let over_counts = dataset == Dataset::Allergies && other.said.status == EntryStatus::Ended as i32;
    if a.assertion == Assertion::NoneKnown {
        let against = one.in_force() && present(b) && (other.in_force() || over_counts);
        return against.then_some("CONFLICT-1");
    }
    let resuscitation = |thing: usize| thing % a.heading.things.len();
    if dataset == Dataset::EndOfLife && (resuscitation(a.thing), resuscitation(b.thing)) == (0, 1) {
        return (one.in_force() && other.in_force()).then_some("CONFLICT-8");
    }
    let alike =
        if a.thing == b.thing { names_alike(a, &one.said, &other.said) } else { one_substance(region, one, other) };
    if b.assertion == Assertion::NoneKnown || !alike {
        return None;
    }
    // What was given stands beside what was given that day, and says nothing of what is to be taken.
    let given = [is_given(a, &one.said), is_given(b, &other.said)];
    if given != [false; 2] {
        let one_day = one.said.start >= Exact::Day && other.said.start >= Exact::Day && a.start / DAY == b.start / DAY;
        let against = a.assertion == Assertion::Refuted && present(b) && other.in_force();
        return (given == [true; 2] && one_day && against).then_some("CONFLICT-2");
    }
    if a.assertion == Assertion::Refuted {
        // What was not given on one day may have been given on another: of what happens on a day both must tell it.
        let lasts = !matches!(a.heading.time, Time::Day | Time::Moment);
        let one_day = lasts || one.said.start >= Exact::Day && other.said.start >= Exact::Day;
        return (present(b) && other.in_force() && one_day).then_some("CONFLICT-2");
    }
    if !present(b) || !one.in_force() {
        return None;
    }
    if dataset == Dataset::Medications && other.in_force() {
        return of_two_medicines(region, one, other);
    }
    if dataset == Dataset::CrisisPlans && other.in_force() {
        let dated = |one| versions_in_force(region, one).iter().all(|version| version.said.start >= Exact::Day);
        return (dated(one) && dated(other) && a.start / DAY != b.start / DAY).then_some("PLAN-2");
    }
    let lasting =
        [Dataset::Medications, Dataset::Problems, Dataset::Allergies, Dataset::LegalStatus, Dataset::EndOfLife];
    let ended = other.said.status == EntryStatus::Ended as i32 && !any_version_in_force(region, other);
    let began = (one.said.start >= Exact::Day).then_some(a.start / DAY);
    let apart = matches!((b.end.map(|end| end / DAY), began), (Some(end), Some(began)) if end <= began);
    // One source that gives up one product for another contradicts nobody.
    let changed = dataset == Dataset::Medications && one.source == other.source && a.thing != b.thing;
    (lasting.contains(&dataset) && ended && !apart && !changed).then_some("CONFLICT-4")
}

/// Whether two things are products of one substance, or of one agent, and both entries name it.
fn one_substance(region: &Region, one: &Told, other: &Told) -> bool {
    let (a, b) = (region.statement(one), region.statement(other));
    let one_substance = matches!((a.listed(), b.listed()), (Some(a), Some(b)) if a.substance == b.substance);
    one_substance && names_substance(a, &one.said) && names_substance(b, &other.said)
}

/// Medicines in force of one substance: their doses, and where these cannot be compared their strengths.
fn of_two_medicines(region: &Region, one: &Told, other: &Told) -> Option<&'static str> {
    let measured = |one: &Told| one.said.fields[DOSE].filter(|dose| *dose < DOSES_MEASURED);
    if let (Some(dose), Some(another)) = (measured(one), measured(other)) {
        return (dose != another).then_some("CONFLICT-3");
    }
    let (a, b) = (region.statement(one).listed()?, region.statement(other).listed()?);
    let differ = a.form == b.form && a.strength != b.strength;
    // An item says what any of its versions in force says.
    let mut sides = [one, other].into_iter().map(|one| versions_in_force(region, one));
    let known = sides.all(|versions| versions.iter().any(|one| stands_for_thing(region.statement(one), &one.said)));
    let compared =
        [one, other].iter().all(|one| versions_in_force(region, one).into_iter().any(|one| measured(one).is_some()));
    (differ && known && !compared).then_some("CONFLICT-9")
}

/// The entry, and what is shown of its other versions in force.
fn versions_in_force<'r>(region: &'r Region, one: &'r Told) -> Vec<&'r Told> {
    let linked = |other: &&Told| other.statement == one.statement && other.linked && one.linked;
    let versions = region.told.iter().filter(linked).filter(|other| other.fate == Fate::Shown && other.in_force());
    versions.chain([one]).collect()
}

/// Whether a version of this entry says that it still holds: the item then reads so, and its versions conflict.
fn any_version_in_force(region: &Region, one: &Told) -> bool {
    let versions = region.told.iter().filter(|other| other.statement == one.statement && other.linked && one.linked);
    versions.filter(|other| other.fate == Fate::Shown).any(Told::in_force)
}
