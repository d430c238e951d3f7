//! The whole federation on a simulated clock: what a reader is told, whatever the sources do.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use severn_adapter_sdk::quality::{QualityError, own_quality};
use severn_broker::index::store::Failure;
use severn_client::{Answer, Found, Record, Search};
use severn_link::Identity;
use severn_proto::v1::{
    Dataset, Demographics, LedgerRow, Outcome, PurposeOfUse, QualityFinding, ReasonCode, RegistrationRef,
};
use severn_trust::{ALL_DATASETS, NhsNumber, verify_trail};
use std::time::Duration;
use tests::{
    records::{allergy, anne, bert, no_known_allergies, plain},
    world::{Behaviour, MadeUp, World},
};
use tokio::time::Instant;

const PENICILLIN: (&str, &str) = ("91936005", "Allergy to penicillin");

const THREE_SECONDS: Duration = Duration::from_secs(3);

fn knowing_anne(id: &str) -> MadeUp {
    let entries = vec![allergy(id, "a1", PENICILLIN), plain(id, "p1", Dataset::Problems, &format!("asthma at {id}"))];
    MadeUp::new(id).knowing("1", anne(), entries)
}

async fn find(world: &World, search: Search) -> Found {
    world.client("R8000").find(search).await.expect("the broker answers")
}

fn by_number(person: &Demographics) -> Search {
    Search::NhsNumber { nhs_number: person.nhs_number.clone(), birth_date: person.birth_date.clone() }
}

async fn record(world: &World, person: &Demographics) -> Record {
    let id = world.id_of(person).await;
    complete(world.client("R8000").retrieve(&id, person, &[], THREE_SECONDS).await.expect("an answer"))
}

fn complete(answer: Answer) -> Record {
    match answer {
        Answer::Complete(record) => *record,
        Answer::Incomplete(incomplete) => panic!("not complete: {:?}", incomplete.flaw()),
    }
}

fn rows<'a>(record: &'a Record, source: &'a str) -> impl Iterator<Item = &'a LedgerRow> {
    record.ledger().rows.iter().filter(move |row| row.source_id == source)
}

fn outcome(record: &Record, source: &str, dataset: Dataset) -> Outcome {
    let row = rows(record, source).find(|row| row.dataset() == dataset);
    row.expect("every source and dataset has a row").outcome()
}

fn all_rows_are(record: &Record, source: &str, outcome: Outcome, reason: ReasonCode) -> bool {
    rows(record, source).count() == ALL_DATASETS.len()
        && rows(record, source)
            .all(|row| row.outcome() == outcome && row.reasons.first().map(|first| first.code()) == Some(reason))
}

#[tokio::test(start_paused = true)]
async fn one_question_many_sources_one_sealed_record() {
    let world = World::start(
        vec![
            knowing_anne("A"),
            knowing_anne("B"),
            MadeUp::new("C").knowing("9", anne(), vec![no_known_allergies("C", "n1")]),
            MadeUp::new("D").knowing("4", bert(), vec![allergy("D", "x", PENICILLIN)]),
        ],
        &[],
    )
    .await;
    let record = record(&world, &anne()).await;
    assert_eq!(record.ledger().rows.len(), 3 * ALL_DATASETS.len(), "D does not know her and has no row");
    let allergies = record.sections().iter().find(|s| s.dataset() == Dataset::Allergies).expect("allergies");
    assert_eq!(allergies.items.len(), 2, "one allergy said by two, one statement that none is known");
    assert!(allergies.items.iter().all(|item| !item.conflicts.is_empty()), "the two contradict each other");
    assert_eq!(record.sections()[0].dataset(), Dataset::Allergies, "crisis first");
    assert_eq!(outcome(&record, "A", Dataset::Problems), Outcome::Answered);
    assert_eq!(outcome(&record, "C", Dataset::Problems), Outcome::AnsweredNone);
    let seal = record.seal();
    assert_eq!((seal.received, seal.shown + seal.grouped), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn four_hundred_sources_and_one_hangs() {
    let sources: Vec<MadeUp> = (0..400).map(|n| knowing_anne(&format!("S{n:03}"))).collect();
    sources[17].behave(Behaviour::Hangs);
    let world = World::start(sources, &[]).await;
    let id = world.id_of(&anne()).await;
    let asked = Instant::now();
    let answer = world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    let waited = asked.elapsed();
    let record = complete(answer);
    assert!(waited <= THREE_SECONDS + Duration::from_millis(50), "the deadline holds: {waited:?}");
    assert_eq!(record.ledger().rows.len(), 400 * ALL_DATASETS.len());
    let silent = |row: &&LedgerRow| row.outcome() == Outcome::NoAnswer;
    assert!(record.ledger().rows.iter().filter(silent).all(|row| row.source_id == "S017"));
    assert!(all_rows_are(&record, "S017", Outcome::NoAnswer, ReasonCode::Timeout));
    assert!(record.summary().contains("S017"), "{}", record.summary());
    assert_eq!(record.seal().received, 399 * 2);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_source_does_has_its_own_outcome() {
    for (behaviour, expected, reason) in [
        (Behaviour::Hangs, Outcome::NoAnswer, ReasonCode::Timeout),
        (Behaviour::Slow(Duration::from_secs(30)), Outcome::NoAnswer, ReasonCode::Timeout),
        (Behaviour::Panics, Outcome::NoAnswer, ReasonCode::SourceFailed),
        (Behaviour::Fails, Outcome::NoAnswer, ReasonCode::SourceFailed),
        (Behaviour::Down, Outcome::NoAnswer, ReasonCode::RefusedConnection),
    ] {
        let world = World::start(vec![knowing_anne("A"), knowing_anne("B").behaving(behaviour)], &[]).await;
        let asked = Instant::now();
        let record = record(&world, &anne()).await;
        assert!(asked.elapsed() <= THREE_SECONDS + Duration::from_millis(100), "{behaviour:?}");
        assert!(all_rows_are(&record, "B", expected, reason), "{behaviour:?}: {:?}", rows(&record, "B").next());
        assert_eq!(outcome(&record, "A", Dataset::Allergies), Outcome::Answered, "{behaviour:?}");
        assert_eq!(record.seal().received, 2, "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_source_within_the_deadline_is_waited_for() {
    let slow = knowing_anne("B").behaving(Behaviour::Slow(Duration::from_secs(2)));
    let world = World::start(vec![knowing_anne("A"), slow], &[]).await;
    assert_eq!(record(&world, &anne()).await.seal().received, 4);
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_record_is_of_another_person_is_rejected_and_nothing_of_it_is_shown() {
    let world = World::start(vec![knowing_anne("A"), knowing_anne("B")], &[]).await;
    let id = world.id_of(&anne()).await;
    // The source re-uses the local id for somebody else, and its feed has not said so yet.
    world.sources["B"].know("1", bert(), vec![allergy("B", "of-bert", ("300916003", "Latex allergy"))]);
    let answer = world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    let record = complete(answer);
    assert_eq!(outcome(&record, "A", Dataset::Allergies), Outcome::Answered);
    assert!(rows(&record, "B").all(|row| row.shown == 0 && row.outcome() != Outcome::AnsweredNone));
    assert!(!format!("{:?}", record.sections()).contains("Latex"));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_still_gives_a_number_that_was_replaced_answers() {
    let before = Demographics { nhs_number: "9990000034".into(), ..anne() };
    let late = MadeUp::new("B").knowing("1", before, vec![allergy("B", "b1", ("300916003", "Latex allergy"))]);
    let world = World::start(vec![knowing_anne("A"), late], &[]).await;
    let [old, new] = ["9990000034", "9990000018"].map(|number| NhsNumber::parse(number).expect("a number"));
    world.broker.index.supersede(vec![[old, new]], "S1", "the national list").await.expect("it is taken");
    let Found::One(candidate) = find(&world, by_number(&anne())).await else { panic!("one person expected") };
    let golden = candidate.golden.expect("who it is");
    assert_eq!((&*golden.nhs_number, &*golden.replaced_nhs_numbers), ("9990000018", &["9990000034".to_owned()][..]));
    let client = world.client("R8000");
    let record =
        complete(client.retrieve(&candidate.enterprise_id, &golden, &[], THREE_SECONDS).await.expect("an answer"));
    assert_eq!(outcome(&record, "B", Dataset::Allergies), Outcome::Answered);
    // Whoever knows nothing of the old number is refused by whoever holds it, and told so.
    let refused = client.retrieve(&candidate.enterprise_id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    assert_eq!(outcome(&complete(refused), "B", Dataset::Allergies), Outcome::NoAnswer);
}

#[tokio::test(start_paused = true)]
async fn an_owner_decides_what_leaves_and_the_reader_is_told() {
    const OWNER: &str = r#"
        roles = [{ name = "doctor", codes = ["R8000"] }]
        rules = [
            { roles = ["doctor"], purposes = ["direct_care"], datasets = ["allergies", "problems"] },
            { roles = ["doctor"], purposes = ["direct_care"], datasets = ["problems"], withhold = true },
        ]
    "#;
    let world = World::start(vec![knowing_anne("A"), knowing_anne("B")], &[("B", OWNER)]).await;
    let record = record(&world, &anne()).await;
    assert_eq!(outcome(&record, "B", Dataset::Allergies), Outcome::Answered);
    assert_eq!(outcome(&record, "B", Dataset::Problems), Outcome::Withheld);
    assert_eq!(outcome(&record, "B", Dataset::Medications), Outcome::NotShared);
    assert_eq!(outcome(&record, "A", Dataset::Problems), Outcome::Answered);
    let shown = format!("{:?}", record.sections());
    assert!(shown.contains("asthma at A") && !shown.contains("asthma at B"));
}

#[tokio::test(start_paused = true)]
async fn the_region_decides_what_is_asked() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let id = world.id_of(&anne()).await;
    let answer = world.client("R9001").retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer");
    let record = complete(answer);
    assert_eq!(outcome(&record, "A", Dataset::Allergies), Outcome::NotAsked);
    assert_eq!(outcome(&record, "A", Dataset::Contacts), Outcome::AnsweredNone);
    assert_eq!(record.seal().received, 0);
    let other_purpose = world.client_for("R9001", PurposeOfUse::Emergency);
    let record = complete(other_purpose.retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer"));
    let row = rows(&record, "A").find(|row| row.dataset() == Dataset::Contacts).expect("a row");
    assert_eq!((row.outcome(), row.reasons[0].code()), (Outcome::NotAsked, ReasonCode::Purpose));
}

#[tokio::test(start_paused = true)]
async fn only_the_datasets_asked_for_are_in_scope() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let id = world.id_of(&anne()).await;
    let asked = [Dataset::Problems];
    let answer = world.client("R8000").retrieve(&id, &anne(), &asked, THREE_SECONDS).await.expect("an answer");
    let record = complete(answer);
    assert_eq!(record.ledger().rows.len(), 1);
    assert_eq!(record.seal().received, 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_guessed() {
    let world = World::start(vec![knowing_anne("A"), MadeUp::new("B").knowing("1", bert(), vec![])], &[]).await;
    let wrong_date = Search::NhsNumber { nhs_number: anne().nhs_number, birth_date: "1981-02-01".into() };
    assert!(!matches!(find(&world, wrong_date).await, Found::One(_)));
    let unknown = Search::NhsNumber { nhs_number: "9990000034".into(), birth_date: "1980-02-01".into() };
    assert_eq!(find(&world, unknown).await, Found::Nobody);
    let local = Search::LocalId { source_id: "B".into(), local_id: "1".into() };
    assert!(
        matches!(find(&world, local).await, Found::One(one) if one.golden.as_ref().is_some_and(|g| g.birth_date == bert().birth_date))
    );
    // The id of one person with the identity of another.
    let id = world.id_of(&bert()).await;
    let refused = world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await;
    match refused {
        Err(error) => assert!(error.to_string().contains("not the person"), "{error}"),
        Ok(Answer::Incomplete(incomplete)) => assert!(incomplete.received().sections.is_empty()),
        Ok(Answer::Complete(_)) => panic!("the record of another person was given"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_that_cannot_be_audited_and_all_that_was_is() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let id = world.id_of(&anne()).await;
    world.disk.set_full(true);
    let refused = world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await;
    assert!(
        refused.is_err() || matches!(refused, Ok(Answer::Incomplete(ref none)) if none.received().sections.is_empty())
    );
    world.disk.set_full(false);
    let answered = complete(world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await.expect("an answer"));
    assert_eq!(answered.seal().received, 2);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let report = verify_trail(&world.disk, world.trail_key.public()).expect("the trail can be read");
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(report.head_seq, report.events);
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    for word in ["\"find\"", "\"intent\"", "\"seal\"", "\"sections\""] {
        assert!(trail.contains(word), "{word} is missing from the trail");
    }
    assert!(!trail.contains("enicillin") && !trail.contains("asthma"), "the trail holds no content");
    let adapter = String::from_utf8(world.adapter_disks["A"].files()["audit.log"].clone()).expect("text");
    assert!(adapter.contains("\"release\"") && !adapter.contains("enicillin"));
}

#[tokio::test(start_paused = true)]
async fn an_index_that_may_be_wrong_answers_nothing() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let id = world.id_of(&anne()).await;
    world.store.set_failure(Some(Failure::Written));
    let steward = world.client("R9100");
    let decision = steward.decide("same person, seen at the desk").expect("a decision");
    let one = |local_id: &str| RegistrationRef { source_id: "A".into(), local_id: local_id.into() };
    world.sources["A"].know("2", bert(), vec![]);
    assert!(steward.link(one("1"), one("2"), &decision).await.is_err());
    // The store broke while the new registration was on its way: nobody knows what is durable.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let search = world.client("R8000").find(by_number(&anne())).await;
    let refused = search.expect_err("not an empty answer").to_string();
    assert!(refused.contains("the index cannot answer"), "{refused}");
    match world.client("R8000").retrieve(&id, &anne(), &[], THREE_SECONDS).await {
        Err(error) => assert!(error.to_string().contains("the index cannot answer"), "{error}"),
        Ok(answer) => assert!(matches!(answer, Answer::Incomplete(none) if none.received().sections.is_empty())),
    }
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_cannot_audit_releases_nothing() {
    let world = World::start(vec![knowing_anne("A"), knowing_anne("B")], &[]).await;
    world.adapter_disks["B"].set_full(true);
    let record = record(&world, &anne()).await;
    assert!(rows(&record, "B").all(|row| row.outcome() == Outcome::NoAnswer && row.received == 0));
    assert_eq!(outcome(&record, "A", Dataset::Allergies), Outcome::Answered);
}

#[tokio::test(start_paused = true)]
async fn who_looked_is_reported_to_those_who_may_know() {
    let world = World::start(vec![knowing_anne("A")], &[]).await;
    let looked = record(&world, &anne()).await;
    let id = world.id_of(&anne()).await;
    assert!(world.client("R8000").access_report(&id, &anne()).await.is_err(), "a clinician may not");
    let report = world.client_for("R9200", PurposeOfUse::Audit).access_report(&id, &anne()).await.expect("a report");
    let access =
        report.accesses.iter().find(|access| access.query_id == looked.seal().query_id).expect("the retrieval");
    assert_eq!((access.action.as_str(), access.shown, access.organisation_ods.as_str()), ("retrieve", 2, "RRK"));
    assert_eq!(access.sources, vec!["A".to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn a_steward_links_and_unlinks_and_nobody_else() {
    let unnumbered = Demographics { nhs_number: String::new(), ..anne() };
    let world = World::start(vec![knowing_anne("A"), MadeUp::new("B").knowing("7", unnumbered, vec![])], &[]).await;
    let reference =
        |source: &str, local_id: &str| RegistrationRef { source_id: source.into(), local_id: local_id.into() };
    let sources = async |world: &World| record(world, &anne()).await.ledger().rows.len() / ALL_DATASETS.len();
    assert_eq!(sources(&world).await, 1);
    let steward = world.client("R9100");
    let decision = steward.decide("same person, seen at the desk").expect("a decision");
    let nobody = world.client("R8000").link(reference("A", "1"), reference("B", "7"), &decision).await;
    assert!(nobody.is_err(), "a clinician may not");
    steward.link(reference("A", "1"), reference("B", "7"), &decision).await.expect("linked");
    assert_eq!(sources(&world).await, 2);
    let decision = steward.decide("two people after all").expect("a decision");
    steward.unlink(reference("B", "7"), &decision).await.expect("unlinked");
    assert_eq!(sources(&world).await, 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_steward_reads_or_decides_is_in_the_trail_and_can_be_taken_back() {
    let other = Demographics { birth_date: "2001-09-09".into(), names: Vec::new(), ..anne() };
    let world = World::start(vec![knowing_anne("A"), MadeUp::new("B").knowing("7", other, vec![])], &[]).await;
    let reference =
        |source: &str, local_id: &str| RegistrationRef { source_id: source.into(), local_id: local_id.into() };
    let pair = || (reference("A", "1"), reference("B", "7"));
    let (steward, clinician) = (world.client("R9100"), world.client("R8000"));
    let why = |words: &str| steward.decide(words).expect("a decision");
    let waiting = async || steward.review_queue(0, &[]).await.expect("a queue").pairs.len();
    assert_eq!(waiting().await, 1);
    let (a, b) = pair();
    let tomorrow_ms = steward.now_ms() + 24 * 3_600_000;
    assert!(clinician.postpone(a.clone(), b.clone(), tomorrow_ms, &why("not for a clinician")).await.is_err());
    steward.postpone(a, b, tomorrow_ms, &why("the practice will ring back")).await.expect("postponed");
    assert_eq!(waiting().await, 0);
    let (a, b) = pair();
    steward.tell_apart(a, b, &why("two people by their photographs")).await.expect("told apart");
    assert!(clinician.decisions("", 0, 0).await.is_err(), "a clinician may not");
    assert_eq!(world.client("R9200").decisions("", 0, 0).await.expect("for auditors too").len(), 2);
    let decisions = steward.decisions("", 0, 0).await.expect("decisions");
    let kinds: Vec<&str> = decisions.iter().map(|decision| decision.kind.as_str()).collect();
    assert_eq!(kinds, ["told-apart", "postponed"]);
    assert_eq!(steward.decisions("nobody", 0, 0).await.expect("decisions"), []);
    let told_apart = decisions[0].sequence;
    assert!(clinician.take_back(told_apart, &why("not for a clinician")).await.is_err());
    for _ in 0..2 {
        steward.take_back(told_apart, &why("the photographs were mixed up")).await.expect("taken back, once");
    }
    assert_eq!(steward.decisions("", 0, 0).await.expect("decisions").len(), 3);
    assert_eq!(waiting().await, 0, "it is decided later again");
    steward.history(&world.id_of(&anne()).await, 0).await.expect("a history");
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    for action in ["review_queue", "postpone", "tell_apart", "decisions", "take_back", "history"] {
        assert!(trail.contains(&format!("\"action\":\"{action}\"")), "{action} is in the trail");
    }
    for words in ["the practice will ring back", "two people by their photographs", "the photographs were mixed up"] {
        assert!(trail.contains(words), "so is why: {words}");
    }
    let refused = trail.lines().filter(|line| line.contains("\"action\":\"refused\"")).count();
    assert_eq!(refused, 3, "and so is who was refused");
}

#[tokio::test(start_paused = true)]
async fn a_source_is_told_of_its_own_registrations_only_and_a_steward_of_all() {
    let unnumbered = Demographics { nhs_number: String::new(), ..anne() };
    let world = World::start(vec![knowing_anne("A"), MadeUp::new("B").knowing("b-7", unnumbered, vec![])], &[]).await;
    let broker = Identity::Broker("broker-1".into());
    let of = async |own: Identity| own_quality(&world.network.party(own), "", &broker).await;
    let report = of(Identity::Source("B".into())).await.expect("a report");
    assert_eq!((report.source_id.as_str(), report.registrations), ("B", 1));
    let missing = report.rates.iter().find(|rate| rate.finding() == QualityFinding::NhsNumberMissing).expect("a rate");
    assert_eq!((missing.count, missing.of, &missing.local_ids), (1, 1, &vec!["b-7".to_owned()]));
    let other = of(Identity::Source("A".into())).await.expect("a report");
    assert!(!format!("{other:?}").contains("b-7"), "nothing of any other source");
    for stranger in [Identity::App("epr".into()), Identity::Source("Z".into())] {
        assert!(matches!(of(stranger).await, Err(QualityError::Refused(_))));
    }
    let all = world.client("R9100").source_quality(None).await.expect("reports");
    assert_eq!(all.iter().map(|report| report.source_id.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert!(all.iter().flat_map(|report| &report.rates).all(|rate| rate.local_ids.is_empty()), "rates only");
    let one = world.client("R9100").source_quality(Some("B")).await.expect("a report");
    assert!(format!("{one:?}").contains("b-7"));
    assert!(world.client("R9100").source_quality(Some("Z")).await.is_err(), "no such source");
    assert!(world.client("R8000").source_quality(None).await.is_err(), "a clinician may not");
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    assert!(trail.contains("\"action\":\"source_quality\""), "a steward's reading is in the trail");
}

#[tokio::test(start_paused = true)]
async fn a_steward_tells_two_registrations_apart_and_it_is_in_the_trail() {
    // One number on two people: a person must look.
    let other = Demographics { birth_date: "2001-09-09".into(), names: Vec::new(), ..anne() };
    let world = World::start(vec![knowing_anne("A"), MadeUp::new("B").knowing("7", other, vec![])], &[]).await;
    let reference =
        |source: &str, local_id: &str| RegistrationRef { source_id: source.into(), local_id: local_id.into() };
    let steward = world.client("R9100");
    assert_eq!(steward.review_queue(0, &[]).await.expect("a queue").pairs.len(), 1);
    let decision = steward.decide("two people, one mistyped number").expect("a decision");
    let nobody = world.client("R8000").tell_apart(reference("A", "1"), reference("B", "7"), &decision).await;
    assert!(nobody.is_err(), "a clinician may not");
    for _ in 0..2 {
        steward.tell_apart(reference("A", "1"), reference("B", "7"), &decision).await.expect("told apart, once");
    }
    assert_eq!(steward.review_queue(0, &[]).await.expect("a queue").pairs, []);
    let trail = String::from_utf8(world.disk.files()["audit.log"].clone()).expect("text");
    let told = trail.lines().filter(|line| line.contains("\"action\":\"tell_apart\"")).collect::<Vec<_>>();
    assert!(told.iter().any(|line| line.contains("two people, one mistyped number")), "{told:?}");
}
