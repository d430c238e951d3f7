//! Steps of a history that is asked of a whole index, store and tasks and all.

use super::{facts::opt_out, *};
use proptest::prelude::*;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub enum Step {
    Register(usize, Said),
    Withdraw(usize),
    Link(usize, usize),
    Unlink(usize),
    TellApart(usize, usize),
    OptOut(usize),
}

#[derive(Clone, Copy, Debug)]
pub struct Said {
    number: usize,
    verified: bool,
    given: usize,
    born: usize,
}

pub const PLACES: [&str; 8] = ["A/1", "A/2", "A/3", "B/1", "B/2", "C/1", "C/2", "C/3"];

fn demographics(said: Said) -> Demographics {
    Demographics {
        nhs_number_verified: said.verified,
        birth_date: ["1980-02-01", "1980-02-01", "1990-03-03", "1980"][said.born].into(),
        ..numbered(["", "", ANNA, BETH, "rubbish"][said.number], ["Anna", "Beth"][said.given])
    }
}

fn said() -> impl Strategy<Value = Said> {
    (0..5_usize, any::<bool>(), 0..2_usize, 0..4_usize).prop_map(|(number, verified, given, born)| Said {
        number,
        verified,
        given,
        born,
    })
}

pub fn step() -> impl Strategy<Value = Step> {
    let place = || 0..PLACES.len();
    prop_oneof![
        5 => (place(), said()).prop_map(|(place, said)| Step::Register(place, said)),
        1 => place().prop_map(Step::Withdraw),
        2 => (place(), place()).prop_map(|(a, b)| Step::Link(a, b)),
        2 => place().prop_map(Step::Unlink),
        1 => (place(), place()).prop_map(|(a, b)| Step::TellApart(a, b)),
        1 => place().prop_map(Step::OptOut),
    ]
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub async fn take(index: &Index, n: usize, step: &Step) {
    let allowed = |error: Option<IndexError>| match error {
        None | Some(IndexError::Conflict(_) | IndexError::UnknownRegistration | IndexError::Invalid { .. }) => {}
        Some(other) => panic!("{other}"),
    };
    let decision = decision(n as u128 + 1);
    match step {
        Step::Register(place, said) => register(index, PLACES[*place], &demographics(*said)).await,
        Step::Withdraw(place) => withdraw(index, PLACES[*place]).await,
        Step::Link(a, b) => {
            let result = index.link(at(PLACES[*a]), at(PLACES[*b]), decision).await;
            if result.is_ok() {
                assert_eq!(who(index, PLACES[*a]), who(index, PLACES[*b]), "a link that was taken joins");
            }
            allowed(result.err());
        }
        Step::Unlink(place) => {
            let companions = known_at_place(index, PLACES[*place]);
            let result = index.unlink(at(PLACES[*place]), decision).await;
            if result.is_ok() {
                // Another may join it again, whose link the undone one had contradicted.
                let now = known_at_place(index, PLACES[*place]);
                assert!(companions.iter().any(|companion| !now.contains(companion)), "an unlink takes out");
            }
            allowed(result.err());
        }
        Step::OptOut(place) => {
            if let Resolved::One(found) = find_at(index, PLACES[*place]) {
                index.change_facts(opt_out(n as u128 + 1, found.person.id)).await.unwrap();
            }
        }
        Step::TellApart(a, b) => {
            let result = index.tell_apart(at(PLACES[*a]), at(PLACES[*b]), decision).await;
            if result.is_ok() {
                assert_ne!(who(index, PLACES[*a]), who(index, PLACES[*b]), "they are apart");
                assert!(!is_listed(index, PLACES[*a], PLACES[*b]), "nobody is asked about them any more");
            }
            allowed(result.err());
        }
    }
}

fn find_at(index: &Index, name: &str) -> Resolved {
    let RegistrationKey { source, local_id } = at(name);
    index.resolve(&Search::Registration { source, local_id }).unwrap()
}

pub fn known_at_place(index: &Index, name: &str) -> Vec<String> {
    match find_at(index, name) {
        Resolved::One(found) => known_at(index, found.person.id),
        _ => vec![],
    }
}

fn is_listed(index: &Index, a: &str, b: &str) -> bool {
    let own = |r: &Option<Registration>| r.as_ref().map(|r| (r.source_id.clone(), r.local_id.clone().unwrap().value));
    let named = |name| Some((at(name).source.to_string(), at(name).local_id.0.to_string()));
    let ends = [named(a), named(b)];
    let queue = index.review_queue(100, &[]).unwrap().pairs;
    queue.iter().map(|pair| [own(&pair.a), own(&pair.b)]).any(|pair| pair.iter().all(|end| ends.contains(end)))
}

/// Everything that can be asked of an index, about everybody who ever was in it.
pub fn everything(index: &Index, persons: &BTreeSet<EnterpriseId>) -> String {
    let mut all = String::new();
    for person in persons {
        let found = index.locate(*person).unwrap();
        all += &format!("{person} is {:?} {:?}\n", found.as_ref().map(|p| p.id.to_string()), known_at(index, *person));
        all += &format!("{:?}\n{:?}\n", found.map(|p| p.golden), index.history(*person).unwrap());
        all += &format!("{:?}\n", index.directives(*person).unwrap());
    }
    for birth_date in ["1980-02-01", "1990-03-03"] {
        for number in [ANNA, BETH] {
            all += &format!("{}\n", found(index, &by_number(number, birth_date)));
        }
    }
    let feeds = index.feed_states().unwrap();
    all + &format!(
        "{:?}\n{:?}\n",
        index.review_queue(100, &[]).unwrap().pairs,
        feeds.values().map(|f| (f.position, f.registrations)).collect::<Vec<_>>()
    )
}
