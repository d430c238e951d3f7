//! Random histories: whatever happened, a fresh build of what it came to gives the same index, so does reading the
//! events again, and the order in which registrations arrived does not matter for who is who.

use super::world::{PLACES, Step, World, said, step};
use crate::index::state::State;
use proptest::{prelude::*, test_runner::RngAlgorithm};
use std::collections::BTreeSet;

/// Histories for each of the test functions, which run side by side: a hundred thousand together.
const HISTORIES: u32 = 10_000;

fn cases(cases: u32) -> ProptestConfig {
    let rng_algorithm = RngAlgorithm::XorShift;
    ProptestConfig { failure_persistence: None, rng_algorithm, ..ProptestConfig::with_cases(cases) }
}

/// What a person decided about two registrations stands until a person decides otherwise.
#[derive(Default)]
struct ToldApart(BTreeSet<[usize; 2]>);

impl ToldApart {
    fn follow(&mut self, world: &World, step: &Step) {
        if let Step::TellApart(a, b) = step
            && a != b
            && world.id(*a).is_some()
            && world.id(*b).is_some()
            && world.id(*a) != world.id(*b)
        {
            self.0.insert([*a, *b]);
        }
        if let Step::Link(..) = step {
            self.0.retain(|[a, b]| world.id(*a) != world.id(*b));
        }
        for [a, b] in &self.0 {
            assert!(world.id(*a).is_none() || world.id(*a) != world.id(*b), "told apart, they stay apart");
        }
    }
}

/// One history, looked at after each step and at its end.
fn check_history(steps: &[Step]) {
    let mut world = World::new();
    let mut told_apart = ToldApart::default();
    for step in steps {
        world.take(step);
        told_apart.follow(&world, step);
    }
    world.state.check_whole();
    world.state.check_rebuilt();
    let mut again = State::default();
    world.events.iter().for_each(|event| again.apply(event));
    again.check_same(&world.state);
}

macro_rules! random_histories_equal_a_fresh_build {
    ($($name:ident),*) => {
        proptest! {
            #![proptest_config(cases(HISTORIES))]
            $(#[test]
            fn $name(steps in prop::collection::vec(step(), 1..16)) {
                check_history(&steps);
            })*
        }
    };
}

random_histories_equal_a_fresh_build!(
    random_histories_equal_a_fresh_build_0,
    random_histories_equal_a_fresh_build_1,
    random_histories_equal_a_fresh_build_2,
    random_histories_equal_a_fresh_build_3,
    random_histories_equal_a_fresh_build_4,
    random_histories_equal_a_fresh_build_5,
    random_histories_equal_a_fresh_build_6,
    random_histories_equal_a_fresh_build_7,
    random_histories_equal_a_fresh_build_8,
    random_histories_equal_a_fresh_build_9
);

/// The answer to every question, after a history and after reading its events again.
fn check_told(steps: &[Step]) {
    let mut world = World::new();
    for step in steps {
        world.take(step);
        world.state.check_whole();
    }
    let mut again = World::new();
    for event in &world.events {
        again.state.apply(event);
        again.events.push(event.clone());
    }
    assert_eq!(world.told(), again.told());
}

/// Whether a step decides something about one of two registrations.
fn decides(step: &Step, about: [usize; 2]) -> bool {
    match step {
        Step::Link(a, b) | Step::TellApart(a, b) => about.contains(a) || about.contains(b),
        Step::Unlink(place) => about.contains(place),
        _ => false,
    }
}

/// Whether a step concerns nobody of a person that a link made, so that the link can be undone as if it had never been.
fn is_elsewhere(world: &World, step: &Step, linked: usize) -> bool {
    let is_with = |place: &usize| world.id(*place).is_some() && world.id(*place) == world.id(linked);
    match step {
        // Whoever leaves a person leaves the ids there, and who was there depends on the link.
        Step::Register(place, _) => world.id(*place).is_none(),
        Step::Withdraw(place) | Step::Unlink(place) => !is_with(place),
        Step::Link(a, b) | Step::TellApart(a, b) => !is_with(a) && !is_with(b),
        Step::Supersede(..) | Step::TakeModel(_) | Step::OptOut(_) => true,
    }
}

/// A link is undone after whatever else happened: everybody goes by the ids, and is with those, that they would be if it
/// had never been.
fn check_undone(before: &[Step], [a, b]: [usize; 2], after: &[Step]) -> bool {
    let (mut linked, mut never) = (World::new(), World::new());
    // An unlink undoes every link of a registration, and a link takes back what was decided against it.
    for step in before.iter().filter(|step| !decides(step, [a, b])) {
        linked.take(step);
        never.take(step);
    }
    if linked.id(a).is_none() || linked.id(a) == linked.id(b) {
        return false;
    }
    // A link says of one that was changed into somebody else who it is now: only taking the link back makes that unsaid.
    if [a, b].into_iter().any(|place| linked.is_suspended(place)) {
        return false;
    }
    linked.take(&Step::Link(a, b));
    if linked.id(a) != linked.id(b) {
        return false;
    }
    for step in after {
        if !is_elsewhere(&linked, step, a) {
            continue;
        }
        linked.take(step);
        never.take(step);
        if linked.id(a) != linked.id(b) || never.id(a) == never.id(b) {
            // The link rests, or is what everybody thinks by now.
            return false;
        }
    }
    linked.take(&Step::Unlink(b));
    assert_eq!(linked.who_is_who(), never.who_is_who(), "{before:?}, linked {a} {b}, {after:?}");
    true
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn reading_the_events_again_gives_the_same_answers(steps in prop::collection::vec(step(), 1..40)) {
        check_told(&steps);
    }

    #[test]
    fn an_unlink_at_any_time_gives_back_who_was_who(
        before in prop::collection::vec(step(), 4..16),
        link in [0..PLACES.len(), 0..PLACES.len()],
        after in prop::collection::vec(step(), 0..10),
    ) {
        check_undone(&before, link, &after);
    }

    #[test]
    fn one_by_one_in_any_order_and_all_at_once_give_the_same(said in prop::collection::vec(said(), PLACES.len()), turn in 1..PLACES.len()) {
        let (mut forward, mut turned) = (World::new(), World::new());
        let mut loaded = World::new();
        loaded.load(said.iter().copied().enumerate().rev());
        for n in 0..PLACES.len() {
            forward.take(&Step::Register(n, said[n]));
            // Every other place from the far end, so that both neighbours and order change.
            let m = PLACES.len() - 1 - (n * 3 + turn) % PLACES.len();
            turned.take(&Step::Register(m, said[m]));
        }
        // All at once gives the same too: persons, reviews and scores.
        for world in [&forward, &turned, &loaded] {
            world.state.check_rebuilt();
        }
        prop_assert_eq!(forward.partition(), turned.partition());
        prop_assert_eq!(forward.partition(), loaded.partition());
        prop_assert_eq!(forward.reviews(), turned.reviews());
        prop_assert_eq!(forward.reviews(), loaded.reviews());
    }
}
