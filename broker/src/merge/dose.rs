//! Medicines in force of one substance that differ in how much is taken: in dose, or, where doses cannot be compared, in
//! strength. Shown, never averaged.

use super::{
    content,
    fold::fold_value,
    head::Head,
    medicine::{self, Medicines, Product, Strength},
    relate::{Buckets, Relation, Relations},
};
use std::borrow::Cow;

/// How a dose is told, as far as doses can be compared: words ("one to be taken each day") say the same in many ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Measure {
    /// By mass, volume or activity.
    Amount,
    /// By pieces.
    Count,
}

/// Units of either measure.
const UNITS: [(Measure, &[&str]); 2] = [
    (
        Measure::Amount,
        &[
            "mg",
            "g",
            "microgram",
            "micrograms",
            "mcg",
            "nanogram",
            "nanograms",
            "ng",
            "ml",
            "l",
            "unit",
            "units",
            "iu",
            "mmol",
        ],
    ),
    (
        Measure::Count,
        &[
            "tablet", "tablets", "capsule", "capsules", "puff", "puffs", "drop", "drops", "spray", "sprays", "patch",
            "patches",
        ],
    ),
];

/// How much is taken at a time.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Amount<'e> {
    /// A number with its unit: 0.5 mg is 500 micrograms.
    Exact(Strength),
    /// As it stands.
    Words(Cow<'e, str>),
}

/// The dose, comparable with others of one measure.
fn dose<'e>(head: &'e Head<'_>) -> Option<(Measure, Amount<'e>)> {
    let dose = fold_value("dose", content::field(head, "dose")?);
    let unit = dose.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    let unit = unit.split(|c: char| !c.is_alphabetic()).next().filter(|unit| *unit != dose)?;
    let measure = UNITS.into_iter().find(|(_, units)| units.contains(&unit))?.0;
    Some((measure, medicine::amount(&dose).map_or(Amount::Words(dose), Amount::Exact)))
}

/// What an item in force says of how much is taken.
pub(super) struct Taken<'e> {
    /// The dose, if it is of a measure.
    dose: Option<(Measure, Amount<'e>)>,
    /// Strength and form, if they are known.
    product: Option<Product>,
}

impl<'e> Taken<'e> {
    /// Of the entries of one item that are in force.
    pub(super) fn of<'h: 'e>(
        medicines: &Medicines,
        mut heads: impl Iterator<Item = &'e Head<'h>> + Clone,
    ) -> Taken<'e> {
        Taken { dose: heads.clone().find_map(dose), product: heads.find_map(|head| medicines.product(head)) }
    }
}

/// Relates items of one substance.
pub(super) fn relate(items: &[(usize, Taken<'_>)], relations: &mut Relations) {
    let (mut amounts, mut counts): (Buckets<&Amount<'_>>, Buckets<&Amount<'_>>) = Default::default();
    let mut forms: Buckets<&str> = Buckets::default();
    for (at, (item, Taken { dose, product })) in items.iter().enumerate() {
        match dose {
            Some((Measure::Amount, dose)) => amounts.put(dose, *item),
            Some((Measure::Count, dose)) => counts.put(dose, *item),
            None => {}
        }
        if let Some(product) = product {
            forms.put(product.form(), at);
        }
    }
    relations.across(Relation::Dose, &amounts.members);
    relations.across(Relation::Dose, &counts.members);
    for of_one_form in forms.members.iter().filter(|members| members.len() > 1) {
        let of_one_form: Vec<&(usize, Taken<'_>)> = of_one_form.iter().map(|at| &items[*at]).collect();
        relate_strengths(&of_one_form, relations);
    }
}

/// Relates items of one substance and form that differ in strength, unless their doses can be compared: two tablets of
/// 20 mg and one of 40 mg are one dose.
fn relate_strengths(items: &[&(usize, Taken<'_>)], relations: &mut Relations) {
    let read = |(item, taken): &&(usize, Taken<'_>)| {
        let measure = taken.dose.as_ref().map(|(measure, _)| *measure);
        Some((*item, measure, taken.product?.strength()))
    };
    // By measure of the dose, of which only equal ones can be compared, and then by strength.
    let mut by_measure = [None, Some(Measure::Amount), Some(Measure::Count)].map(|of| (of, Buckets::default()));
    for (item, measure, strength) in items.iter().filter_map(read) {
        let of_measure = by_measure.iter_mut().filter(|(of, _)| *of == measure);
        of_measure.for_each(|(_, strengths)| strengths.put(strength, item));
    }
    for (item, measure, strength) in items.iter().filter_map(read) {
        let not_comparable = by_measure.iter().filter(|(of, _)| *of != measure || of.is_none());
        relations.add(Relation::Strength, item, not_comparable.flat_map(|(_, others)| others.without(&strength)));
    }
}
