//! Two readings of who may see what, against each other: see `tests::oracle`. `SEVERN_ORACLE_QUERIES` asks more of it,
//! `SEVERN_ORACLE_SEED` begins with another seed.

use std::env;
use tests::oracle::{
    generate::Size,
    run::{DECIDES_MIN, Planted, Ran, run},
};

/// The worlds of a run: each of another size.
const SIZES: [Size; 5] = [
    Size { sources: 3, people: 20, staff: 14 },
    Size { sources: 4, people: 30, staff: 16 },
    Size { sources: 3, people: 60, staff: 20 },
    Size { sources: 6, people: 30, staff: 16 },
    Size { sources: 10, people: 40, staff: 16 },
];

/// Queries of one world, before the next is made.
const QUERIES_OF_WORLD: u64 = 2_000;

fn asked(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn run_world(seed: u64, size: Size, queries: u64, planted: Planted) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map(|runtime| runtime.block_on(run(seed, size, queries, planted))).unwrap_or_default()
}

#[test]
fn the_whole_system_shows_what_the_oracle_permits_and_nothing_else() {
    let (queries, first) = (asked("SEVERN_ORACLE_QUERIES", 10_000), asked("SEVERN_ORACLE_SEED", 1));
    let worlds = queries.div_ceil(QUERIES_OF_WORLD);
    let (mut done, mut faults, mut untried, mut rules) = (0, 0, 0, 0);
    for (seed, size) in (first..first + worlds).zip(SIZES.into_iter().cycle()) {
        let ran = run_world(seed, size, QUERIES_OF_WORLD.min(queries), Planted::Nothing);
        done += ran.queries;
        rules += ran.tally.len();
        println!("seed {seed}: {} queries, changes {:?}", ran.queries, ran.changes);
        for (query, difference) in &ran.differences {
            println!("  {difference:?}\n    {query}");
        }
        for (owner, rule, [not, applied]) in ran.untried() {
            println!("  {owner}: {rule:?} applied {applied} times and did not {not} times");
            untried += 1;
        }
        faults += ran.differences.len();
    }
    println!(
        "{done} queries, {rules} rules, {faults} differences, {untried} rules tried less than {DECIDES_MIN} times"
    );
    assert_eq!(faults, 0, "the real system and the oracle differ");
    assert!(done >= queries, "only {done} queries");
    assert_eq!(untried, 0, "a rule did not decide both ways often enough");
}

#[test]
fn every_planted_fault_is_found() {
    for planted in Planted::ALL {
        // A world may have nothing that the fault would change; of these, one has.
        let found = (7..11).find_map(|seed| {
            let ran = run_world(seed, SIZES[0], 400, planted);
            println!("{planted:?}, seed {seed}: {} differences in {} queries", ran.differences.len(), ran.queries);
            (!ran.differences.is_empty()).then_some(ran)
        });
        let releases = |ran: Ran| ran.differences.iter().any(|(_, difference)| difference.is_release());
        let shows_more = found.map(releases);
        assert!(shows_more.is_some(), "{planted:?} was not found");
        // These two keep too much back, or now too much and now too little.
        let either_way = [Planted::KeepsDirectives, Planted::IgnoresEdits].contains(&planted);
        assert!(shows_more == Some(true) || either_way, "{planted:?}: nothing more was shown");
    }
}
