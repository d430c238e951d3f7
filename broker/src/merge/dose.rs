//! Medicines in force of one substance that differ in how much is taken: in dose, or, where doses cannot be compared, in
//! strength. Shown, never averaged.

use super::{
    content::Measure,
    medicine::Product,
    relate::{Buckets, Relation, Relations},
};
use std::borrow::Cow;

/// What an item in force says of how much is taken.
#[derive(Default)]
pub(super) struct Taken<'e> {
    /// The dose, if it is of a measure.
    pub(super) dose: Option<(Measure, Cow<'e, str>)>,
    /// Strength and form, if they are known.
    pub(super) product: Option<Product>,
}

/// Relates items of one substance.
pub(super) fn relate(items: &[(usize, Taken<'_>)], relations: &mut Relations) {
    let (mut amounts, mut counts): (Buckets<&str>, Buckets<&str>) = Default::default();
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
