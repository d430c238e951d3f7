//! What is known of each heading over all sources (HEAD-1, HEAD-2): a reader who sees nothing under a heading must see why.
//! Silence is never "none".

use super::{Accepted, Scoped, content::in_force, group::is_absence, item::Shape};
use crate::model::{Row, Source};
use severn_proto::v1::{Dataset, Heading, HeadingOutcome, NoneKnown};
use severn_trust::{gravity, is_whole, why_empty};

/// What was found under one heading.
#[derive(Default)]
pub(super) struct Found<'r> {
    /// Whether there is any item but statements that none are known.
    any: bool,
    /// Who states in force that none are known, and when.
    none_known: Vec<(&'r Source, &'r str)>,
}

/// What the items of a dataset come to.
pub(super) fn found<'r>(scoped: &Scoped<'_, 'r>, entries: &[Accepted<'r>], shapes: &[Shape]) -> Found<'r> {
    let mut found = Found::default();
    for (shape, lead) in shapes.iter().filter_map(|shape| Some((shape, &entries[shape.leading()?]))) {
        match is_absence(&lead.head) {
            true if in_force(&lead.head) && !shape.is_retracted() => {
                let stated = [lead.head.recorded, lead.head.last_changed, lead.head.effective_start];
                let on = stated.into_iter().find(|date| !date.is_empty()).unwrap_or_default();
                found.none_known.push((scoped.sources[lead.source as usize], on));
            }
            true => {}
            false => found.any = true,
        }
    }
    found.none_known.sort_unstable_by_key(|(source, on)| (&source.id, *on));
    found
}

/// The headings of a record: one for each dataset, in order; `found` stands beside each.
pub(super) fn headings(datasets: &[Dataset], rows: &[Row<'_>], found: &[Found<'_>]) -> Vec<Heading> {
    let heading = |(dataset, found): (&Dataset, &Found<'_>)| {
        let outcomes = || rows.iter().filter(|row| row.dataset == *dataset).map(|row| row.outcome);
        let none_known = found.none_known.iter().map(|(source, on)| NoneKnown {
            source_id: source.id.to_string(),
            source_name: source.name.clone(),
            stated_on: (*on).to_owned(),
        });
        let outcome = match found {
            Found { any: true, .. } => HeadingOutcome::Items,
            Found { none_known, .. } if !none_known.is_empty() => HeadingOutcome::NoneKnown,
            _ => outcomes().map(why_empty).max_by_key(|why| gravity(*why)).unwrap_or(HeadingOutcome::NotHeld),
        };
        Heading {
            dataset: (*dataset).into(),
            outcome: outcome.into(),
            whole: outcomes().all(is_whole),
            none_known: none_known.collect(),
        }
    };
    datasets.iter().zip(found).map(heading).collect()
}
