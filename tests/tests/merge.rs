//! The laws of the merge over made-up records with a known truth, whatever the seed.

use severn_trust::ALL_DATASETS;
use tests::{
    merge::{
        hold_laws, laws,
        shown::{Open, Shown},
    },
    region::Region,
};

/// What holds of one record holds of ten thousand, of few headings and of many. A failure names the law and the seed.
#[test]
fn the_laws_hold_over_ten_thousand_records() {
    let entries = hold_laws(0..10_000).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(entries > 100_000, "{entries} entries are too few to say much");
}

/// The laws can fail: an entry that is left out is missed.
#[test]
fn a_lost_entry_is_missed() {
    let region = Region::of(5, 20, &ALL_DATASETS);
    let plan = region.plan();
    let mut fewer = region.replies(&plan);
    let mut batches = fewer.iter_mut().flat_map(|reply| &mut reply.batches);
    batches.next().expect("a batch").entries.pop();
    let open = Open::of(&plan, &fewer).expect("a record");
    assert!(laws::nothing_is_lost(&region, &open, &Shown::of(&region, &open)).is_err());
}
