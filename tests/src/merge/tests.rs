//! Tests of the judges: the bounds hold on a small corpus, and each judge can say no.

use super::{
    peer, score,
    score::{RECALL_MIN, Score},
    shown::{Open, Shown},
};
use crate::region::{
    Label,
    told::{Exact, Fate, names_alike},
};
use severn_proto::v1::Dataset;

const SEED: u64 = 3;

#[test]
fn every_dataset_is_grouped_without_error_and_nearly_whole() {
    for line in score::corpus(SEED, 12).expect("a corpus") {
        let score = line.score;
        assert!(score.is_met(), "{}: {score:?}", line.dataset);
        assert_eq!(score.conflicts_found, score.conflicts, "{}", line.dataset);
    }
}

#[test]
fn a_bound_is_missed_by_one_wrong_pair_or_too_few() {
    let good = Score { joined: 100, sharing: 100, sharing_joined: 100, ..Score::default() };
    assert!(good.is_met());
    assert!(!Score { wrongly_joined: 1, ..good }.is_met());
    assert!(!Score { sharing_joined: (RECALL_MIN * 100.0) as u64 - 1, ..good }.is_met());
    assert!(!Score { sharing: 0, ..good }.is_met(), "of no pairs nothing is known");
}

#[test]
fn keys_that_leave_out_what_distinguishes_lose_what_we_say_they_lose() {
    let losses = peer::losses(SEED, 30);
    let of = |dataset: &str| losses.iter().find(|loss| loss.dataset == dataset).expect("a dataset");
    assert!(of("allergies").lost > 0 && of("allergies").absences_suppressed > 0);
    assert!(of("medications").wrongly_joined > 0 && of("medications").lost == of("medications").absences_suppressed);
    assert!(losses.iter().all(|loss| loss.lost <= loss.entries));
    assert!(of("problems").retracted_as_active > 0);
}

/// Whoever heard only of the later part of a stay tells of another beginning: the reader sees both side by side.
#[test]
fn a_stay_that_is_told_from_its_later_part_finds_the_whole() {
    let mut pairs = 0;
    for region in score::regions(SEED, 200, Dataset::Encounters) {
        let plan = region.plan();
        let open = Open::of(&plan, &region.replies(&plan)).expect("a record");
        let shown = Shown::of(&region, &open);
        for (at, one) in region.told.iter().enumerate() {
            for (before, other) in region.told[..at].iter().enumerate() {
                let one_stay = region.label(one, other) == Label::Possibly && one.said.late != other.said.late;
                let placed = [one, other]
                    .iter()
                    .all(|one| one.fate == Fate::Shown && one.said.start >= Exact::Day && one.said.organisation);
                if one_stay && placed && names_alike(region.statement(one), &one.said, &other.said) {
                    pairs += 1;
                    assert!(shown.possibly(at, before), "{:?} and {:?}", one.head, other.head);
                }
            }
        }
    }
    assert!(pairs > 10, "{pairs} pairs are too few to say much");
}
