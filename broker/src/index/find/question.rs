//! A search by names and birth date, made ready, and what it finds. Pure.

use super::{CANDIDATES_MAX, Found, Resolved, shown};
use crate::index::{
    decide::{Means, Row},
    evidence::with_identity,
    normalise::whole_date,
    state::State,
};
use jiff::{ToSpan as _, civil::Date};
use severn_linkage::{
    bulk::ScoredPair,
    decide::rules::{Verdict, judge},
    levels::Field,
    population::Probe,
    postcode_part::{PartAgreement, PostcodePart},
    score::Score,
};
use severn_proto::v1::Demographics;
use std::collections::{BTreeMap, BTreeSet};

/// Registrations compared for one search by demographics, at most.
const COMPARED_MAX: usize = 50_000;

/// Who is less likely than this is not shown, nor who is unlikely and fits a hundred times worse than somebody else.
const SHOWN_MIN: f64 = 0.01;

/// Days of an interval of birth dates, at most: five years, of which two may be leap years.
const DAYS_MAX: usize = 5 * 365 + 2;

/// Parts the first from the last birth date of an interval (ISO 8601).
const UNTIL: char = '/';

/// Finds the persons whom `asked` may mean. `part` is what is known of a postcode that is not known whole.
pub(super) fn resolve(state: &State, asked: &Demographics, part: Option<PostcodePart>) -> Resolved {
    let Some(question) = Question::new(state, asked, part) else { return Resolved::Nobody };
    let Some(fits) = question.fits() else { return Resolved::TooMany };
    let found = |fit: &Fit, score| Some(Found { person: state.person_at(fit.row)?, score, why: question.why(fit.row) });
    if let Some(one) = question.only(&fits) {
        return found(one, one.score.probability).map_or(Resolved::Nobody, |found| Resolved::One(Box::new(found)));
    }
    if fits.len() > CANDIDATES_MAX {
        return Resolved::TooMany;
    }
    // One of them at most is meant, or somebody who is not here: they share what is certain.
    let odds: f64 = fits.iter().map(|fit| fit.score.bits.exp2()).sum();
    shown(fits.iter().filter_map(|fit| found(fit, fit.score.bits.exp2() / (1.0 + odds))).collect())
}

/// How well a person fits a question: as well as the best of their registrations.
struct Fit {
    row: Row,
    score: Score,
    /// Whether the rules would link the question with the registration.
    would_link: bool,
    /// Whether no registration of theirs has a postcode or phone to compare with the question's.
    is_silent: bool,
}

/// What is asked, made ready. A birth date known in part is the question for each of its days, of which one is right.
struct Question<'a> {
    state: &'a State,
    means: Means<'a>,
    asked: Probe,
    days: Vec<(Date, Probe)>,
    /// Whether the days are an interval, outside of which a birth date is compared with the nearest of them.
    is_interval: bool,
    part: Option<PostcodePart>,
}

impl<'a> Question<'a> {
    /// `None` if the birth date is none.
    fn new(state: &'a State, asked: &Demographics, part: Option<PostcodePart>) -> Option<Question<'a>> {
        let means = state.means();
        let probe = |demographics: &Demographics| with_identity(demographics, |own| means.population.probe(own));
        let born = |birth_date: String| probe(&Demographics { birth_date, ..asked.clone() });
        let days = days_of(&asked.birth_date)?.into_iter().map(|date| (date, born(date.to_string()))).collect();
        let is_interval = asked.birth_date.contains(UNTIL);
        // The engine knows no intervals.
        let asked = if is_interval { born(String::new()) } else { probe(asked) };
        Some(Question { state, means, asked, days, is_interval, part })
    }

    /// Everybody who may be meant, the likeliest first; `None` if there are too many to look at.
    fn fits(&self) -> Option<Vec<Fit>> {
        let mut rows = BTreeSet::new();
        let mut cut = false;
        for probe in self.days.iter().map(|(_, probe)| probe).chain([&self.asked]) {
            let candidates = self.means.population.candidates_of(probe);
            rows.extend(candidates.rows.into_iter().map(Row));
            cut |= candidates.cut;
            if rows.len() > COMPARED_MAX {
                return None;
            }
        }
        let mut persons: BTreeMap<Row, Fit> = BTreeMap::new();
        // Whom any source holds as restricted is passed over as if they were not here.
        for own in rows.into_iter().filter(|row| !self.state.is_restricted(*row)).map(|row| self.fit(row)) {
            let person = self.state.person_row(own.row);
            let Some(known) = persons.get_mut(&person) else {
                persons.insert(person, own);
                continue;
            };
            let is_silent = known.is_silent && own.is_silent;
            if own.score.bits > known.score.bits {
                *known = own;
            }
            known.is_silent = is_silent;
        }
        let mut fits: Vec<Fit> = persons.into_values().filter(|fit| fit.score.probability >= SHOWN_MIN).collect();
        fits.sort_by(|a, b| b.score.bits.total_cmp(&a.score.bits));
        let best = fits.first().map_or(0.0, |best| best.score.bits);
        let review_min = self.means.policy.review_min;
        fits.retain(|fit| fit.score.probability >= review_min || (fit.score.bits - best).exp2() >= SHOWN_MIN);
        // Who shares a value with too many was not looked at, so that "nobody" would be a guess.
        if cut && fits.is_empty() { None } else { Some(fits) }
    }

    /// Who is meant beyond doubt, if anybody is.
    fn only<'f>(&self, fits: &'f [Fit]) -> Option<&'f Fit> {
        let policy = self.means.policy;
        let (best, others) = fits.split_first()?;
        let rivals = |other: &Fit| {
            let is_namesake = other.is_silent && other.score.probability >= policy.review_min;
            is_namesake || best.score.bits - other.score.bits < policy.lead_bits
        };
        (best.would_link && !others.iter().any(rivals)).then_some(best)
    }

    fn fit(&self, row: Row) -> Fit {
        let Means { population, model, policy } = self.means;
        let day = self.day_for(row);
        // A registration agrees with one day of those asked for; each of them was as likely to be meant.
        let (probe, days) = day.map_or((&self.asked, 1), |day| (&self.days[day].1, self.days.len()));
        let comparison = population.compare_with(probe, row.0);
        let district = self.district(row);
        let score = district.map_or_else(|| model.score(&comparison), |d| model.score_with_part(&comparison, d));
        let score = Score::of_bits(score.bits - (days as f64).log2());
        // The question stands in no row.
        let pair = ScoredPair { one: row.0, two: u32::MAX, comparison, score };
        let says = |field| comparison.levels.get(field) != 0;
        let says_where = says(Field::Place) || district.is_some_and(PartAgreement::is_known);
        // Who is asked for as a man is not found to be a woman without a human's look, however well the rest fits.
        let is_of_that_sex = comparison.levels.agrees(Field::Sex) != Some(false);
        let is_whole = is_of_that_sex && [Field::Given, Field::Family, Field::Birth].into_iter().all(says);
        Fit {
            row,
            score,
            would_link: is_whole && judge(population, model, &pair, policy) == Verdict::Automatic,
            is_silent: !says_where && !says(Field::Phone),
        }
    }

    /// The day of those asked for with which a registration's birth date is to be compared, if any is.
    fn day_for(&self, row: Row) -> Option<usize> {
        let born = self.state.claim(row).0.birth?;
        match self.days.binary_search_by_key(&born, |(date, _)| *date) {
            Ok(day) => Some(day),
            Err(next) => self.is_interval.then(|| next.min(self.days.len() - 1)),
        }
    }

    /// How far the part of a postcode that is known agrees with a registration.
    fn district(&self, row: Row) -> Option<PartAgreement> {
        self.part.map(|part| self.means.population.postcode_part(part, row.0))
    }

    /// How far each field agrees with a registration, in words.
    fn why(&self, row: Row) -> Vec<String> {
        let reasons = self.means.model.explain(&self.means.population.compare_with(&self.asked, row.0));
        let mut why: Vec<String> = reasons.iter().map(|r| format!("{}: {}", r.field.name(), r.level)).collect();
        let district = self.district(row).filter(|district| district.is_known());
        why.extend(district.map(|district| format!("{}: {}", Field::Place.name(), district.words())));
        if self.is_interval {
            let born = self.state.claim(row).0.birth;
            let is_within = born.map(|born| self.days.binary_search_by_key(&born, |(date, _)| *date).is_ok());
            why.extend(is_within.map(|within| {
                let words = if within { "within the dates asked for" } else { "not within the dates asked for" };
                format!("{}: {words}", Field::Birth.name())
            }));
        }
        why
    }
}

/// Whether a text is a birth date to search by: whole, partial, or an interval of either that is not too long.
pub fn is_birth_date(text: &str) -> bool {
    days_of(text).is_some_and(|days| !days.is_empty())
}

/// The days that a birth date may mean, in order; none if it is not known, `None` if it is no date.
fn days_of(birth_date: &str) -> Option<Vec<Date>> {
    if birth_date.is_empty() {
        return Some(Vec::new());
    }
    let (first, last) = match birth_date.split_once(UNTIL) {
        Some((from, until)) => (span_of(from)?.0, span_of(until)?.1),
        None => span_of(birth_date)?,
    };
    let days: Vec<Date> = first.series(1.day()).take_while(|day| *day <= last).take(DAYS_MAX + 1).collect();
    (1..=DAYS_MAX).contains(&days.len()).then_some(days)
}

/// The first and the last day of a whole or partial date.
fn span_of(date: &str) -> Option<(Date, Date)> {
    match date.len() {
        4 => whole_date(&format!("{date}-01-01")).map(|first| (first, first.last_of_year())),
        7 => whole_date(&format!("{date}-01")).map(|first| (first, first.last_of_month())),
        _ => whole_date(date).map(|date| (date, date)),
    }
}
