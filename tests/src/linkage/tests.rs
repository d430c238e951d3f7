use super::{
    quality::{Outcome, Scored, calibration, clustered, components, recall_by_group, sweep, traps},
    set::{self, Origin, Set},
    table::{Bound, Row},
    truth::{Trap, Truth},
    *,
};
use crate::people::Plan;

/// Registrations of persons given by number.
fn truth(person: &[u32]) -> Truth {
    let mut truth = Truth::default();
    truth.person = person.to_vec();
    truth.group = vec![0; person.len()];
    truth.groups = vec!["all".to_owned()];
    truth
}

fn pair(a: u32, b: u32, probability: f64) -> Scored {
    Scored { a, b, probability }
}

#[test]
fn recall_counts_true_pairs_that_were_never_scored() {
    // Three registrations of one person and two of another: four true pairs, two scored.
    let truth = truth(&[1, 1, 1, 2, 2]);
    let mut scored = vec![pair(0, 1, 0.5), pair(3, 4, 0.9), pair(2, 3, 0.2)];
    let curve = sweep(&mut scored, &truth);
    assert_eq!((curve.at_precision_999.recall, curve.at_precision_999.probability), (0.5, 0.5));
    assert_eq!((curve.best.links, curve.best.wrong, curve.best.recall), (2, 0, 0.5));
    assert_eq!(curve.blocked, 0.5);
}

#[test]
fn a_wrong_link_among_ties_counts_before_the_threshold_is_taken() {
    let truth = truth(&[1, 1, 2, 2]);
    let mut scored = vec![pair(0, 1, 0.99), pair(1, 2, 0.99), pair(2, 3, 0.999)];
    let curve = sweep(&mut scored, &truth);
    assert_eq!(curve.at_precision_999.links, 1);
    assert_eq!((curve.best.links, curve.best.wrong), (3, 1));
    assert_eq!((curve.from_999.links, curve.from_95.links), (1, 3));
}

#[test]
fn calibration_sets_promise_beside_truth() {
    let truth = truth(&[1, 1, 2, 3]);
    let bands = calibration(&[pair(0, 1, 0.999), pair(2, 3, 0.999), pair(0, 3, 0.5)], &truth);
    let sure = bands.iter().find(|band| band.from == 0.999).unwrap();
    assert_eq!((sure.pairs, sure.kept), (2, 0.5));
    assert_eq!(bands.iter().map(|band| band.pairs).sum::<u64>(), 3);
}

#[test]
fn clusters_are_measured_by_pairs_and_by_group() {
    let mut truth = truth(&[1, 1, 1, 2, 2]);
    truth.groups = vec!["x".into(), "y".into()];
    truth.group = vec![0, 0, 0, 1, 1];
    let cluster = components(&[pair(0, 1, 0.9), pair(2, 3, 0.9), pair(3, 4, 0.1)], 0.5, 5);
    let point = clustered(&cluster, &truth);
    assert_eq!((point.links, point.wrong, point.recall), (2, 1, 0.25));
    let groups = recall_by_group(&cluster, &truth);
    assert_eq!((groups["x"], groups["y"]), (1.0 / 3.0, 0.0));
}

#[test]
fn a_trap_is_linked_in_review_or_unseen() {
    let mut truth = truth(&[1, 2, 3, 4]);
    let trap = |a, b| Trap { kind: "household".into(), a, b, same_person: false };
    truth.traps = vec![trap(0, 1), trap(1, 2), trap(0, 3), trap(2, 3)];
    let cluster = components(&[pair(0, 1, 0.9999)], 0.999, 4);
    // Somebody is asked about the first and the third; so it is known of the second, who is the first.
    let asked = [quality::both(&cluster, 2, 0)].into();
    let outcome = traps(&asked, &cluster, &truth)["household"];
    assert_eq!(outcome, Outcome { pairs: 4, same_person: false, linked: 0.25, review: 0.25, none: 0.5 });
}

#[test]
fn a_cluster_under_two_numbers_is_counted_once() {
    let numbers = [Some(1), None, Some(2), Some(3), Some(4), Some(4)];
    assert_eq!(quality::under_two_numbers(&[0, 0, 0, 0, 4, 4], &numbers), 1);
}

#[test]
fn a_bound_is_met_or_not_and_an_absent_figure_neither() {
    assert_eq!(Row::new("a", 0.5, Bound::AtLeast(0.5)).met, Some(true));
    assert_eq!(Row::new("a", 0.5, Bound::AtMost(0.4)).met, Some(false));
    assert_eq!(Row::new("a", None, Bound::AtMost(0.4)).met, None);
    let mut out = Vec::new();
    table::print(&mut out, &[Row::new("wrong links", 0.5, Bound::AtMost(0.4)).beside(Some(3.0))]).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("0.5000") && text.contains("NOT MET") && text.contains("3.0"), "{text}");
}

fn made(folder: &std::path::Path) -> Set {
    Origin::Made(Plan { registrations: 3000, seed: 9 }).set(folder, true).unwrap()
}

#[test]
fn a_set_is_read_back_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let set = made(folder.path());
    assert_eq!(set.truth.registrations(), 3000);
    assert!(set.truth.traps.iter().all(|trap| set.truth.same(trap.a, trap.b) == trap.same_person));
    assert!(set.truth.pairs_by_group().iter().sum::<u64>() > 2000);
}

#[test]
fn a_split_keeps_absent_people_out_of_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let set = made(folder.path());
    let (index, queries) = (folder.path().join("index.csv"), folder.path().join("queries.csv"));
    let indexed = set::split(&set, &index, &queries).unwrap();
    let persons = |path| -> Vec<u32> {
        let rows = truth::rows(path, ["source", "local_id"]).unwrap();
        let places = rows.map(|row| row.unwrap()).map(|[source, id]| set.truth.place(&source, &id).unwrap());
        places.map(|place| set.truth.person[place as usize]).collect()
    };
    let (once, asked) = (persons(&index), persons(&queries));
    assert_eq!(once.len() + asked.len(), 3000);
    let distinct: std::collections::HashSet<u32> = once.iter().copied().collect();
    assert_eq!(distinct.len(), once.len());
    assert!((0..).zip(&indexed).all(|(person, &is)| is == distinct.contains(&person)));
    let absent = asked.iter().filter(|&&person| !indexed[person as usize]).count();
    assert!(absent > 50 && absent * 4 < asked.len(), "{absent} of {}", asked.len());
}

#[test]
fn a_yardstick_file_is_put_into_our_columns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("uk.csv");
    let text = "rec_id,person_id,provider,nhs_number,nhs_status,given,dob,group\n\
                R1,P1,GP,9990000018,01,Ann,1950-01-02,irish\nR2,P1,TR,9990000018,02,Anne,1950-01-02,irish\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("uk_traps.csv"), "rec_a,rec_b,kind,same_person\nR1,R2,nick,1\n").unwrap();
    let set = Origin::Given(file).set(&folder.path().join("out"), true).unwrap();
    let written = std::fs::read_to_string(&set.files.registrations).unwrap();
    assert!(written.contains("GP,R1,9990000018,true,Ann,,,1950-01-02,,,,,,\n"), "{written}");
    assert!(written.contains("TR,R2,9990000018,false,Anne"), "{written}");
    let trap = Trap { kind: "nickname".into(), a: 0, b: 1, same_person: true };
    assert_eq!((set.truth.traps, set.truth.groups), (vec![trap], vec!["irish".to_owned()]));
}
