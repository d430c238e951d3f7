//! Whoever may not know that a source knows a person sees, in every answer, what they would see if it did not. Worlds in
//! pairs: one as it is, one in which the hidden sources never heard of these people, one in which they say other things;
//! every answer to one asker is the same, byte for byte, but for query ids, enterprise ids and times.
//!
//! What is told all the same, and so kept equal within a pair: that a person is restricted (any source's mark counts), that
//! the asker's own organisation cares for them (its own fact), and who the person is, sex and date of death included: what a
//! hidden source knows of a person's identity joins registrations or keeps them apart, for everybody alike.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_client::{Client, Found, Search};
use severn_proto::v1::{Address, CareRelationship, Dataset, PurposeOfUse, RelationshipKind, Sex, Telecom};
use severn_trust::{ALL_DATASETS, Clock as _};
use std::{collections::BTreeSet, env, time::Duration};
use tests::{
    keys::TokioClock,
    oracle::{
        dice::Dice,
        generate::{Size, query, world},
        model::{Known, Model, Query},
        system::{Came, System},
        words::{Effect, Fact},
    },
    world::Behaviour,
};
use tokio::time::Instant;

const SIZE: Size = Size { sources: 5, people: 12, staff: 6 };

/// How long a hidden source would keep an answer waiting, were it asked.
const SLOW: Duration = Duration::from_millis(700);

/// A world, an asker, and for every person what is hidden from the asker.
struct Case {
    model: Model,
    asker: Query,
    hidden: Vec<BTreeSet<String>>,
}

impl Case {
    /// The case of a seed; `None` where nothing is hidden from anybody.
    fn of(seed: u64) -> Option<Case> {
        let dice = Dice::new(seed);
        let now_ms = TokioClock::start().now_ms();
        let mut model = world(&dice, SIZE, now_ms);
        model.failing.clear();
        let kinds: Vec<&'static str> = model.kinds.values().copied().collect();
        let hiding = model.region.rules.iter_mut().filter(|rule| rule.effect == Effect::Hide);
        for rule in hiding {
            // For everybody: otherwise few of the askers were concerned.
            rule.role = None;
            rule.when = vec![Fact::Kind(dice.word(&kinds))];
        }
        let mut asker = query(&dice, &model, now_ms);
        asker.purpose = PurposeOfUse::DirectCare;
        asker.datasets = ALL_DATASETS.to_vec();
        let hidden = (0..model.people.len()).map(|person| even_out(&mut model, &asker, person, now_ms)).collect();
        let case = Case { model, asker, hidden };
        case.hidden.iter().any(|hidden| !hidden.is_empty()).then_some(case)
    }

    /// The world in which hidden sources know nobody who is hidden.
    fn without(&self) -> Model {
        let mut model = self.model.clone();
        for (person, hidden) in model.people.iter_mut().zip(&self.hidden) {
            person.at.retain(|source, _| !hidden.contains(source));
        }
        model
    }

    /// The world in which hidden sources say other things of them.
    fn otherwise(&self) -> Model {
        let mut model = self.model.clone();
        for (person, hidden) in model.people.iter_mut().zip(&self.hidden) {
            let dead = |known: &Known| known.demographics.deceased || !known.demographics.death_date.is_empty();
            let others_say_dead = person.at.iter().any(|(source, known)| !hidden.contains(source) && dead(known));
            for (_, known) in person.at.iter_mut().filter(|(source, _)| hidden.contains(*source)) {
                let told = &mut known.demographics;
                told.addresses = vec![Address { lines: vec!["1 Prison Road".into()], ..Address::default() }];
                told.telecoms = vec![Telecom { value: "0121 496 0999".into(), ..Telecom::default() }];
                told.preferred_name = "Ash".into();
                told.gp_practice_ods = "Y99999".into();
                // Dates of death that do not fit part registrations.
                if !others_say_dead {
                    told.deceased = !told.deceased;
                    told.death_date = if told.deceased { "2026-01-02".into() } else { String::new() };
                }
                let dissenting = |dataset: &Dataset| known.entries.iter().any(|entry| entry.dataset == *dataset);
                let others: Vec<Dataset> = ALL_DATASETS.into_iter().filter(|dataset| !dissenting(dataset)).collect();
                let numbered = known.entries.iter_mut().zip(others.into_iter().cycle());
                numbered.for_each(|(entry, dataset)| (entry.dataset, entry.labels) = (dataset, vec![2]));
                known.relationships.get_or_insert_default().push(CareRelationship {
                    kind: RelationshipKind::Registered.into(),
                    organisation_ods: "ELSEWHERE".into(),
                    ..CareRelationship::default()
                });
            }
        }
        model
    }
}

/// Gives what is hidden of a person, of whom the hidden sources tell the asker's own organisation nothing, and nothing of
/// whether the person is restricted that others do not.
fn even_out(model: &mut Model, asker: &Query, person: usize, now_ms: i64) -> BTreeSet<String> {
    let own = model.staff[asker.staff].seats[asker.seat].organisation.clone();
    let asker = Query { person, ..asker.clone() };
    loop {
        let hidden = model.hidden(&asker, now_ms);
        let mut changed = false;
        let known = &mut model.people[person].at;
        let restricted = known.values().any(|known| known.demographics.restricted);
        for (source, known) in known.iter_mut() {
            changed |= known.demographics.restricted != restricted;
            known.demographics.restricted = restricted;
            if hidden.contains(source) {
                let listed = known.relationships.get_or_insert_default();
                let before = listed.len();
                listed.retain(|said| {
                    said.organisation_ods != own && !(said.organisation_ods.is_empty() && *source == own)
                });
                changed |= listed.len() < before;
            }
        }
        if !changed {
            return hidden;
        }
    }
}

/// One of the worlds of a pair, seen by its asker.
struct Seen<'a> {
    case: &'a Case,
    model: Model,
    system: System,
}

impl Seen<'_> {
    async fn start(case: &Case, model: Model) -> Seen<'_> {
        let system = System::start(&model).await;
        let anywhere: BTreeSet<&String> = case.hidden.iter().flatten().collect();
        for source in anywhere {
            system.world.sources[source].behave(Behaviour::Slow(SLOW));
        }
        Seen { case, model, system }
    }

    /// Everything that the asker can see, in words, and how long each answer took: virtual milliseconds.
    async fn everything(&self) -> (Vec<String>, Vec<u128>) {
        let (mut seen, mut waited) = (Vec::new(), Vec::new());
        let client = self.system.client(&self.case.model, &self.case.asker);
        let sources = client.list_sources().await.map(|states| {
            let timeless = states.into_iter().map(|mut state| {
                (state.feed_heard_at_ms, state.last_called_at_ms) = (0, 0);
                format!("{state:?}")
            });
            timeless.collect::<Vec<_>>()
        });
        seen.push(format!("{sources:?}"));
        for person in 0..self.model.people.len() {
            let asked = Query { person, ..self.case.asker.clone() };
            let began = Instant::now();
            seen.push(self.record(&asked).await);
            waited.push(began.elapsed().as_millis());
            for search in self.searches(person) {
                let began = Instant::now();
                seen.push(self.found(&client, search).await);
                waited.push(began.elapsed().as_millis());
            }
            let demographics = &self.case.model.people[person].demographics;
            for source in self.case.model.people[person].at.keys() {
                // A document that is none, and of a source that is hidden: in the same words.
                let none = client.fetch_document(&self.system.ids[person], demographics, source, "none").await;
                seen.push(format!("{none:?}"));
            }
            let (id, reason) = (&self.system.ids[person], "walked into the ward");
            let claimed = client.claim_relationship(id, demographics, reason, &client.new_act()).await;
            seen.push(format!("{:?}", claimed.map(|_| "claimed")));
            let text = format!("unconscious on arrival, case {person}");
            let opened = self.system.break_glass(&self.case.model, &asked, text).await;
            seen.push(format!("{:?}", opened.map(|_| "opened")));
            if let Some((opening, _)) = opened {
                seen.push(self.record(&Query { opening: Some(opening), ..asked }).await);
            }
        }
        (seen.into_iter().map(|text| self.normalised(text)).collect(), waited)
    }

    async fn record(&self, query: &Query) -> String {
        match self.system.ask(&self.case.model, query).await {
            Came::Record(record) => {
                let mut ledger = record.ledger().clone();
                for row in &mut ledger.rows {
                    (row.as_of_ms, row.waited_ms) = (0, 0);
                }
                format!("{:?} {:?} {ledger:?}", record.person(), record.sections())
            }
            none => format!("{none:?}"),
        }
    }

    fn searches(&self, person: usize) -> Vec<Search> {
        let (known, at) = (&self.case.model.people[person].demographics, &self.case.model.people[person].at);
        let name = &known.names[0];
        let by_number =
            Search::NhsNumber { nhs_number: known.nhs_number.clone(), birth_date: known.birth_date.clone() };
        let by_name = Search::Demographics {
            family: name.family.clone(),
            given: name.given.concat(),
            birth_date: known.birth_date.clone(),
            sex: Sex::Unspecified,
            postcode: String::new(),
            phone: String::new(),
        };
        let of_source = |source: &String| Search::LocalId { source_id: source.clone(), local_id: format!("p{person}") };
        [by_number, by_name].into_iter().chain(at.keys().map(of_source)).collect()
    }

    async fn found(&self, client: &Client, search: Search) -> String {
        let candidates = match client.find(search).await {
            Ok(Found::One(found)) => vec![*found],
            Ok(Found::Possible(found)) => found,
            other => return format!("{other:?}"),
        };
        format!("{candidates:?}")
    }

    /// The text without ids that are different in every world.
    fn normalised(&self, text: String) -> String {
        let ids = self.system.ids.iter().enumerate();
        ids.fold(text, |text, (person, id)| text.replace(id.as_str(), &format!("person {person}")))
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_changes_no_byte_and_no_moment_of_any_answer() {
    let (mut cases, mut answers, mut concerned) = (0, 0, 0);
    for case in (1..).filter_map(Case::of).take(asked("SEVERN_PAIRS", 5)) {
        let (as_it_is, waited) = Seen::start(&case, case.model.clone()).await.everything().await;
        for (word, model) in [("without", case.without()), ("otherwise", case.otherwise())] {
            let (seen, waited_there) = Seen::start(&case, model).await.everything().await;
            assert_eq!(as_it_is.len(), seen.len(), "{word}: as many answers");
            for (one, other) in as_it_is.iter().zip(&seen) {
                let from = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
                let part = |text: &str| text.chars().skip(from.saturating_sub(200)).take(500).collect::<String>();
                assert!(one == other, "{word}, {:?}:\n  {}\n  {}", case.hidden, part(one), part(other));
            }
            assert_eq!(waited, waited_there, "{word}: a hidden source takes no time");
        }
        cases += 1;
        answers += as_it_is.len();
        concerned += case.hidden.iter().filter(|hidden| !hidden.is_empty()).count();
    }
    println!("{cases} triples of worlds, {answers} answers each, {concerned} people of whom something was hidden");
    assert!(concerned > cases, "in most worlds somebody is concerned");
}

#[tokio::test(start_paused = true)]
async fn where_no_rule_hides_them_the_same_worlds_differ() {
    let case = (1..).find_map(Case::of).expect("somebody is concerned");
    let mut seen = Vec::new();
    for mut model in [case.model.clone(), case.without(), case.otherwise()] {
        model.region.rules.retain(|rule| rule.effect != Effect::Hide);
        seen.push(Seen::start(&case, model).await.everything().await);
    }
    let [as_it_is, without, otherwise] = seen.as_slice() else { unreachable!("three worlds") };
    assert!(as_it_is.0 != without.0 && as_it_is.0 != otherwise.0, "the worlds are not the same");
    assert_ne!(as_it_is.1, without.1, "and a slow source takes its time");
}

fn asked(name: &str, default: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Where the two lie apart, and on which side the first kind lies: learnt from these times.
fn learnt(times: &[(f64, bool)]) -> (f64, bool) {
    let right = |(threshold, above): (f64, bool)| {
        times.iter().filter(|(time, hidden)| ((*time > threshold) == above) == *hidden).count()
    };
    let thresholds = times.iter().flat_map(|(time, _)| [(*time, true), (*time, false)]);
    thresholds.max_by_key(|learnt| right(*learnt)).expect("there are times")
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Tells worlds apart by how long the machine itself takes. The bound holds on a machine that does nothing else, so only
/// `tests/release` asks for it, by `SEVERN_TIMING_BATCHES`; here the way is tried on a few, and the result printed.
#[tokio::test]
async fn a_classifier_of_times_does_not_tell_worlds_apart() {
    const BATCH: usize = 5;
    let batches = asked("SEVERN_TIMING_BATCHES", 0);
    let hides_of = |case: &Case| case.hidden.iter().position(|hidden| hidden.len() == 1);
    let found = (1..)
        .filter_map(Case::of)
        .find(|case| hides_of(case).is_some_and(|person| case.model.people[person].at.len() > 1));
    let case = found.expect("somebody is known to one hidden source, and to others");
    let person = hides_of(&case).expect("somebody is");
    let worlds = [
        Seen { case: &case, model: case.model.clone(), system: System::start(&case.model).await },
        Seen { case: &case, model: case.without(), system: System::start(&case.without()).await },
    ];
    let query = Query { person, ..case.asker.clone() };
    let mut times = Vec::new();
    for batch in 0..batches.max(4) {
        let mut of_batch = [Vec::new(), Vec::new()];
        for turn in 0..2 * BATCH {
            // Which comes first changes, so that neither warms the other's caches.
            let at = (turn + batch + turn / 2) % 2;
            let began = Instant::now();
            drop(worlds[at].record(&query).await);
            of_batch[at].push(began.elapsed().as_secs_f64());
        }
        for (at, of_world) in of_batch.into_iter().enumerate() {
            times.push((median(of_world), at == 0));
        }
    }
    let (train, test) = times.split_at(times.len() / 2);
    let (threshold, above) = learnt(train);
    let right = test.iter().filter(|(time, hidden)| ((*time > threshold) == above) == *hidden).count();
    let accuracy = right as f64 / test.len() as f64;
    println!("{} medians of {BATCH}: told apart {:.1} %", times.len(), accuracy * 100.0);
    assert!(times.iter().all(|(time, _)| *time > 0.0));
    assert!(batches == 0 || accuracy <= 0.52, "told apart {accuracy}");
}
