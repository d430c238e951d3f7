//! Tests of the generator: it draws what it says, each kind of pair is there, and a seed means one record.

use super::{Label, Region, headings::HEADINGS, told::Fate};
use severn_trust::ALL_DATASETS;

#[test]
fn every_dataset_has_its_heading_and_the_same_seed_gives_the_same_record() {
    assert_eq!(HEADINGS.each_ref().map(|heading| heading.dataset), ALL_DATASETS);
    let bytes = |seed| Region::of(seed, 80, &ALL_DATASETS).told.iter().map(|one| one.bytes()).collect::<Vec<_>>();
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

#[test]
fn every_dataset_has_pairs_of_every_kind_that_it_can_have() {
    for heading in &HEADINGS {
        let regions: Vec<Region> = (0..30).map(|seed| Region::of(seed, 12, &[heading.dataset])).collect();
        for wanted in [Label::Same, Label::Possibly, Label::Different] {
            let found = regions.iter().any(|region| {
                let shown: Vec<_> = region.told.iter().filter(|one| one.fate == Fate::Shown).collect();
                shown.iter().enumerate().any(|(at, a)| shown[..at].iter().any(|b| region.label(a, b) == wanted))
            });
            let possible = wanted != Label::Possibly || !heading.by_origin_only;
            assert_eq!(found, possible, "{:?} {wanted:?}", heading.dataset);
        }
        let fates = [Fate::Shown, Fate::Withheld, Fate::Rejected];
        assert!(fates.iter().all(|fate| regions.iter().flat_map(|region| &region.told).any(|one| one.fate == *fate)));
    }
}
