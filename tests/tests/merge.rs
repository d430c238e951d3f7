//! The laws of the merge over made-up records with a known truth, whatever the seed.

use severn_trust::ALL_DATASETS;
use std::thread;
use tests::{
    merge::{
        laws,
        shown::{Open, Shown},
    },
    region::Region,
};

const RECORDS: u64 = 10_000;

/// What holds of one record holds of ten thousand: of few headings with many statements, and of many with few.
#[test]
fn the_laws_hold_over_ten_thousand_records() {
    let lanes = thread::available_parallelism().map_or(1, |lanes| lanes.get() as u64);
    let run = |lane: u64| {
        let seeds = (0..RECORDS).filter(|seed| seed % lanes == lane);
        seeds.map(|seed| laws::hold(&Region::small(seed))).collect::<Result<Vec<()>, _>>().map(|held| held.len())
    };
    let held: usize = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|lane| scope.spawn(move || run(lane))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane").unwrap_or_else(|error| panic!("{error:#}"))).sum()
    });
    assert_eq!(held, RECORDS as usize);
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
