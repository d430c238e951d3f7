//! What went wrong in a real product, by its published advisories (`SAFETY.md` 2.4), each row as a test through the whole
//! system. What is tested elsewhere already is named at its row:
//!
//! | advisory | shown by |
//! | --- | --- |
//! | an empty consent group inverted a rule | `an_emptied_list_never_shows_more`; `proto/policy`: `an_empty_or_restricting_rule_never_shows_more`; Cedar refuses empty sets in policies |
//! | an override could not be blocked at one level | `every_switch_of_an_override_has_its_own_effect`; who may and until when: `governance.rs`, `access.rs` |
//! | a policy for an unknown person held for another later | `a_directive_needs_its_person_and_goes_where_they_go`; `broker/src/index/tests/facts.rs`, with the law that nobody loses a directive |
//! | a user's group was wrong between large charts | `many_users_of_big_and_small_records_each_see_their_own` |
//! | a session's data crossed users after a restart | `a_broker_that_dies_under_load_mixes_no_answers`; with real processes: `kill.rs`, `power.rs` |
//! | the audit's queue grew without bound | `what_cannot_be_audited_is_refused_and_nothing_waits_for_it`; `federation.rs`: broker and adapter each refuse |
//! | a negation dropped whole entries | `a_negation_drops_no_entry` |
//! | status words were wrong for clinical use | `every_status_comes_back_as_it_was_said` |

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use futures::{StreamExt as _, future::join_all, stream};
use severn_client::{Answer, Client, ClientError, Glass, Record};
use severn_link::ServerLimits;
use severn_policy::AccessTable;
use severn_proto::v1::{
    Assertion, Dataset, Demographics, DirectiveKind, DirectiveTerms, Entry, EntryStatus, HumanName, Outcome,
    OverrideReason, PurposeOfUse, ReasonCode, RegistrationRef,
};
use severn_trust::Clock as _;
use std::{collections::BTreeSet, env, sync::Arc, time::Duration};
use tests::{
    oracle::{
        compare::{differences, entries},
        dice::Dice,
        generate::{HOT, Size, query, world},
        judge::Tally,
        model::{EntryModel, Expected, Model, Query},
        system::{Came, System},
    },
    records::{allergy, anne, no_known_allergies, plain},
    world::{MadeUp, TABLE, World},
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

const THREE_SECONDS: Duration = Duration::from_secs(3);

async fn record(client: &Client, id: &str, person: &Demographics) -> Record {
    match client.retrieve(id, person, &[], THREE_SECONDS).await.expect("an answer") {
        Answer::Complete(record) => *record,
        Answer::Incomplete(incomplete) => panic!("not complete: {:?}", incomplete.flaw()),
    }
}

fn told(record: &Record, source: &str, dataset: Dataset) -> (Outcome, Option<ReasonCode>) {
    let mut rows = record.ledger().rows.iter();
    let row = rows.find(|row| row.source_id == source && row.dataset() == dataset).expect("a row");
    (row.outcome(), row.reasons.first().map(|reason| reason.code()))
}

/// The region's table with a rule that withholds the risks, and one list of one rule emptied; `None` for none.
fn emptied(at: Option<usize>) -> AccessTable {
    let mut table: AccessTable = toml::from_str(TABLE).expect("the table can be read");
    let mut withheld = table.rules[0].clone();
    (withheld.datasets, withheld.withhold) = (vec!["risks".into()], true);
    table.rules.push(withheld);
    if let Some(at) = at {
        let rule = &mut table.rules[at / 3];
        let lists = [&mut rule.roles, &mut rule.purposes, &mut rule.datasets];
        lists.into_iter().nth(at % 3).expect("a rule has three lists").clear();
    }
    table
}

fn as_toml(table: &AccessTable) -> String {
    let roles = table.roles.iter().map(|role| {
        format!("[[roles]]\nname = {:?}\ncodes = {:?}\nlabels = {:?}\n", role.name, role.codes, role.labels)
    });
    let rules = table.rules.iter().map(|rule| {
        format!(
            "[[rules]]\nroles = {:?}\npurposes = {:?}\ndatasets = {:?}\nwithhold = {}\n",
            rule.roles, rule.purposes, rule.datasets, rule.withhold
        )
    });
    roles.chain(rules).collect()
}

#[tokio::test(start_paused = true)]
async fn an_emptied_list_never_shows_more() {
    let entries: Vec<Entry> = HOT.into_iter().chain([Dataset::Risks]).map(entry_of).collect();
    let mut before: Option<BTreeSet<(String, String)>> = None;
    for at in [None].into_iter().chain((0..9).map(Some)) {
        let table = emptied(at);
        if table.rules.iter().any(|rule| {
            rule.withhold && [&rule.roles, &rule.purposes, &rule.datasets].iter().any(|list| list.is_empty())
        }) {
            assert!(table.check().is_err(), "what withholds nothing is refused when it is loaded: {at:?}");
            continue;
        }
        let source = MadeUp::new("A").knowing("1", anne(), entries.clone());
        let world = World::start_under(&as_toml(&table), vec![source], &[]).await;
        let mut shown = BTreeSet::new();
        let id = world.broker.index.resolve(&severn_broker::index::Search::Registration {
            source: severn_broker::model::SourceId("A".into()),
            local_id: severn_broker::model::LocalId("1".into()),
        });
        let Ok(severn_broker::index::Resolved::One(found)) = id else { panic!("Anne is known") };
        for role in ["R8000", "R9001"] {
            let record = record(&world.client(role), &found.person.id.to_string(), &anne()).await;
            let of_role = entries_of(&record).into_iter().map(|(_, id)| (role.to_owned(), id));
            shown.extend(of_role);
        }
        match &before {
            None => assert!(shown.len() > HOT.len() && !shown.contains(&("R8000".into(), "Risks".into()))),
            Some(before) => assert!(shown.is_subset(before) && shown != *before, "{at:?} showed {shown:?}"),
        }
        before.get_or_insert(shown);
    }
}

fn entry_of(dataset: Dataset) -> Entry {
    plain("A", &format!("{dataset:?}"), dataset, &format!("noted of {dataset:?}"))
}

fn entries_of(record: &Record) -> BTreeSet<(String, String)> {
    entries(record.sections())
}

/// The region lets plans be opened with a reason, and withholds risks; it permits the rest.
const REGION: &str = r#"
    @id("care") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
    @id("plans") @outcome("may_be_opened") forbid (principal, action == Action::"read", resource == Dataset::"crisis_plans")
    unless { context.breaking_glass };
    @id("risks") @outcome("withheld") forbid (principal, action == Action::"read", resource == Dataset::"risks");
"#;

/// An owner who permits everything.
const OPEN: &str = r#"
    @id("all") permit (principal in Role::"clinician", action == Action::"read", resource in Group::"all");
"#;

/// Another lets everything be opened with a reason, and a third withholds everything.
fn owner(outcome: &str, unless: &str) -> String {
    format!(
        "{OPEN} @id(\"f\") @outcome({outcome:?}) forbid (principal, action == Action::\"read\", resource) {unless};"
    )
}

#[tokio::test(start_paused = true)]
async fn every_switch_of_an_override_has_its_own_effect() {
    use Dataset::{Allergies, CrisisPlans, Risks};
    let datasets = [Allergies, CrisisPlans, Risks];
    let source = |id: &str| MadeUp::new(id).knowing("1", anne(), datasets.map(entry_of).to_vec());
    let (opens, withholds) = (owner("may_be_opened", "unless { context.breaking_glass }"), owner("withheld", ""));
    let owners = [("A", OPEN), ("B", opens.as_str()), ("C", withholds.as_str())];
    let world = World::start_under(REGION, ["A", "B", "C"].map(source).into(), &owners).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    let closed = record(&doctor, &id, &anne()).await;
    let glass = Glass { reason: OverrideReason::EmergencyTreatment, text: "unconscious on arrival".into(), minutes: 0 };
    let opened = doctor.open_override(&id, &anne(), &glass, &doctor.new_act()).await.expect("opened");
    let opening = opened.override_id.parse().expect("an id");
    let open = record(&doctor.clone().opening(opening), &id, &anne()).await;
    let seen = (Outcome::Answered, None);
    let reason = (Outcome::Withheld, Some(ReasonCode::MayBeOpened));
    let withheld = (Outcome::Withheld, Some(ReasonCode::ByOwner));
    // Of region and owner the stricter holds, and a reason opens what either lets be opened, and nothing else.
    for (dataset, source, without, with) in [
        (Allergies, "A", seen, seen),
        (Allergies, "B", reason, seen),
        (Allergies, "C", withheld, withheld),
        (CrisisPlans, "A", reason, seen),
        (CrisisPlans, "B", reason, seen),
        (CrisisPlans, "C", reason, withheld),
        (Risks, "A", withheld, withheld),
        (Risks, "B", withheld, withheld),
        (Risks, "C", withheld, withheld),
    ] {
        assert_eq!(told(&closed, source, dataset), without, "{dataset:?} of {source} without a reason");
        assert_eq!(told(&open, source, dataset), with, "{dataset:?} of {source} with one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_directive_needs_its_person_and_goes_where_they_go() {
    let unnumbered = Demographics {
        nhs_number: String::new(),
        names: vec![HumanName { family: "Birch".into(), given: vec!["Bo".into()], ..HumanName::default() }],
        birth_date: "1975-05-05".into(),
        ..Demographics::default()
    };
    let source =
        |id: &str, who| MadeUp::new(id).knowing("1", who, vec![entry_of(Dataset::Risks), entry_of(Dataset::Allergies)]);
    let world = World::start(vec![source("A", anne()), source("B", unnumbered.clone())], &[]).await;
    let (doctor, clerk) = (world.client("R8000"), world.client("R9100"));
    let enter = async |id: &str, person: &Demographics, kind: DirectiveKind, of: &str, datasets: &[Dataset]| {
        let terms = DirectiveTerms {
            kind: kind.into(),
            source_id: of.into(),
            datasets: datasets.iter().map(|dataset| *dataset as i32).collect(),
            reason: "asked for it by letter".into(),
            ..DirectiveTerms::default()
        };
        clerk.enter_directive(id, person, terms, &clerk.new_act()).await
    };
    let nobody = "0190b5b0-0000-7000-8000-000000000009";
    let refused = enter(nobody, &anne(), DirectiveKind::OptOut, "", &[]).await;
    assert!(matches!(refused, Err(ClientError::Refused { code: Code::NotFound, .. })), "{refused:?}");
    let anne_id = world.id_of(&anne()).await;
    let by_local_id = severn_client::Search::LocalId { source_id: "B".into(), local_id: "1".into() };
    let severn_client::Found::One(other) = doctor.find(by_local_id).await.expect("a search") else { panic!("one") };
    enter(&anne_id, &anne(), DirectiveKind::Datasets, "", &[Dataset::Risks]).await.expect("entered");
    enter(&other.enterprise_id, &unnumbered, DirectiveKind::Dissent, "B", &[]).await.expect("entered");
    let by_person = (Outcome::Withheld, Some(ReasonCode::ByPerson));

    let reference = |source: &str| RegistrationRef { source_id: source.into(), local_id: "1".into() };
    let decision = clerk.decide("same person, seen at the desk").expect("a decision");
    clerk.link(reference("A"), reference("B"), &decision).await.expect("linked");
    // Whose name and birth date the joined person goes by is not what is asked here.
    let by_number = Demographics { nhs_number: anne().nhs_number, ..Demographics::default() };
    let joined = record(&doctor, &anne_id, &by_number).await;
    assert_eq!(told(&joined, "A", Dataset::Risks), by_person, "Anne's own");
    assert_eq!(told(&joined, "A", Dataset::Allergies).0, Outcome::Answered);
    for dataset in [Dataset::Risks, Dataset::Allergies] {
        assert_eq!(told(&joined, "B", dataset), by_person, "the stricter of both, at {dataset:?}");
    }
    let decision = clerk.decide("two people after all").expect("a decision");
    clerk.unlink(reference("B"), &decision).await.expect("unlinked");
    let parted = record(&doctor, &anne_id, &anne()).await;
    assert_eq!(told(&parted, "A", Dataset::Risks), by_person, "parted, she keeps her own");
    let severn_client::Found::One(other) = doctor
        .find(severn_client::Search::LocalId { source_id: "B".into(), local_id: "1".into() })
        .await
        .expect("a search")
    else {
        panic!("one")
    };
    let parted = record(&doctor, &other.enterprise_id, &unnumbered).await;
    assert_eq!(told(&parted, "B", Dataset::Allergies), by_person, "and so does the other");
}

/// A world of many users, in which the first two people have far larger records than the others.
fn big_and_small(users: usize) -> Model {
    let dice = Dice::new(2023);
    let now_ms = tests::keys::TokioClock::start().now_ms();
    let mut model = world(&dice, Size { sources: 4, people: 12, staff: users }, now_ms);
    let mut added = 0;
    for known in model.people[..2].iter_mut().flat_map(|person| person.at.values_mut()) {
        for dataset in HOT.into_iter().cycle().take(150) {
            added += 1;
            let labels = if dice.percent(30) { dice.some(&[2, 3, 4, 6, 8], 1) } else { vec![] };
            known.entries.push(EntryModel { id: format!("big{added}"), dataset, labels, locates: false });
        }
    }
    model
}

/// Two queries of one user: about somebody with a big record, and about somebody with a small one.
fn of_user(model: &Model, staff: usize) -> [Query; 2] {
    let dice = Dice::new(staff as u64);
    [dice.below(2), dice.between(2, 11)].map(|person| {
        let query = query(&dice, model, 0);
        Query { staff, seat: 0, person, purpose: PurposeOfUse::DirectCare, datasets: HOT.to_vec(), ..query }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_users_of_big_and_small_records_each_see_their_own() {
    let users = env::var("SEVERN_RACE_USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(250);
    let (model, mut shown) = (Arc::new(big_and_small(users)), 0);
    let system = Arc::new(System::start(&model).await);
    let mut answers = stream::iter(0..users)
        .map(|staff| {
            let (model, system) = (Arc::clone(&model), Arc::clone(&system));
            tokio::spawn(async move {
                let mut shown = 0;
                for query in of_user(&model, staff) {
                    let came = system.ask(&model, &query).await;
                    shown += check(&model, &system, &query, &came);
                }
                shown
            })
        })
        .buffer_unordered(16);
    while let Some(of_user) = answers.next().await {
        shown += of_user.expect("each user sees their own");
    }
    println!("{users} users, {shown} entries shown");
    assert!(shown > users, "there was something to mix up");
}

fn check(model: &Model, system: &System, query: &Query, came: &Came) -> usize {
    let expected = model.expect(query, system.world.clock.now_ms(), &mut Tally::new());
    let restricted = model.people[query.person].at.values().any(|known| known.demographics.restricted);
    let found = differences(&expected, came, restricted);
    assert!(found.is_empty(), "user {} about {}: {found:?}", query.staff, query.person);
    if let Came::Record(record) = came { entries_of(record).len() } else { 0 }
}

/// Serves the broker of `system` on threads of its own, which die with it, as a process would.
fn serve_apart(system: &System) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("threads");
    let incoming = UnboundedReceiverStream::new(system.world.network.accept());
    let broker = Arc::clone(&system.world.broker);
    let never = std::future::pending();
    runtime.spawn(async move { severn_broker::service::serve(broker, incoming, ServerLimits::default(), never).await });
    runtime
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_dies_under_load_mixes_no_answers() {
    const LIVES: usize = 8;
    let model = big_and_small(40);
    let system = System::start(&model).await;
    let (mut whole, mut broken) = (0, 0);
    for life in 0..LIVES {
        let runtime = serve_apart(&system);
        let asking = (0..24).map(|turn| {
            let [big, small] = of_user(&model, (life * 24 + turn) % 40);
            ask_of_mortal(&system, &model, if turn % 2 == 0 { big } else { small })
        });
        let dying = async {
            tokio::time::sleep(Duration::from_millis(20 + 25 * life as u64)).await;
            runtime.shutdown_background();
        };
        let (answers, ()) = futures::join!(join_all(asking), dying);
        whole += answers.iter().filter(|is_whole| **is_whole).count();
        broken += answers.iter().filter(|is_whole| !**is_whole).count();
    }
    println!("{LIVES} deaths: {whole} whole answers, {broken} cut off");
    assert!(broken > LIVES, "the broker died under load");
    let after = serve_apart(&system);
    let [big, _] = of_user(&model, 0);
    assert!(ask_of_mortal(&system, &model, big).await, "and answers when it is there again");
    after.shutdown_background();
}

/// Asks; gives whether a whole answer came. Of one that was cut off, what came is what this user may see of this person.
async fn ask_of_mortal(system: &System, model: &Model, query: Query) -> bool {
    let expected = model.expect(&query, system.world.clock.now_ms(), &mut Tally::new());
    let (client, person) = (system.fresh_client(model, &query), &model.people[query.person].demographics);
    match client.retrieve(&system.ids[query.person], person, &query.datasets, THREE_SECONDS).await {
        Ok(Answer::Complete(record)) => check(model, system, &query, &Came::Record(record)) < usize::MAX,
        Ok(Answer::Incomplete(incomplete)) => {
            let Expected::Record { shown, .. } = expected else { panic!("nothing may come of {query:?}") };
            let came = entries(&incomplete.received().sections);
            assert!(came.is_subset(&shown), "of another: {:?}", came.difference(&shown).collect::<Vec<_>>());
            false
        }
        Err(ClientError::Refused { code: Code::NotFound | Code::PermissionDenied, .. }) => {
            assert!(!matches!(expected, Expected::Record { .. }), "refused");
            true
        }
        Err(_) => false,
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_audited_is_refused_and_nothing_waits_for_it() {
    let world = World::start(vec![MadeUp::new("A").knowing("1", anne(), vec![entry_of(Dataset::Risks)])], &[]).await;
    let (id, doctor) = (world.id_of(&anne()).await, world.client("R8000"));
    let events = |world: &World| world.disk.files()["audit.log"].iter().filter(|byte| **byte == b'\n').count();
    let before = events(&world);
    world.disk.set_full(true);
    for _ in 0..50 {
        let refused = doctor.retrieve(&id, &anne(), &[], THREE_SECONDS).await;
        let Err(ClientError::Refused { code, .. }) = &refused else { panic!("{refused:?}") };
        assert_eq!(*code, Code::Unavailable);
    }
    world.disk.set_full(false);
    let answered = record(&doctor, &id, &anne()).await;
    assert_eq!(entries_of(&answered).len(), 1);
    let written = events(&world) - before;
    assert!(written <= 6, "what was refused was not kept back to be written later: {written} events");
}

#[tokio::test(start_paused = true)]
async fn a_negation_drops_no_entry() {
    let told_at = [
        vec![no_known_allergies("A", "none")],
        vec![allergy("B", "b1", ("91936005", "Allergy to penicillin")), no_known_allergies("B", "b2")],
        vec![
            allergy("C", "c1", ("91936005", "Allergy to penicillin")),
            refuted("c2"),
            plain("C", "c3", Dataset::Problems, "no asthma"),
        ],
    ];
    let all: usize = told_at.iter().map(Vec::len).sum();
    let sources = ["A", "B", "C"].into_iter().zip(told_at);
    let sources = sources.map(|(id, entries)| MadeUp::new(id).knowing("1", anne(), entries)).collect();
    let world = World::start(sources, &[]).await;
    let record = record(&world.client("R8000"), &world.id_of(&anne()).await, &anne()).await;
    assert_eq!(entries_of(&record).len(), all, "every entry is shown, alone or in a group");
    for row in &record.ledger().rows {
        assert_eq!(row.received, row.shown + row.grouped + row.withheld + row.rejected, "{row:?}");
        assert_eq!((row.withheld, row.rejected), (0, 0), "{row:?}");
    }
}

/// Somebody looked, and it is not so.
fn refuted(id: &str) -> Entry {
    let mut entry = allergy("C", id, ("372687004", "Amoxicillin"));
    if let Some(head) = entry.head.as_mut() {
        head.assertion = Assertion::Refuted.into();
    }
    entry
}

#[tokio::test(start_paused = true)]
async fn every_status_comes_back_as_it_was_said() {
    let words = ["active", "resolved", "on hold", "VOID?", "stopped\u{a0}", "zurückgezogen"];
    let numbers: Vec<i32> = (0..=7).chain([99]).collect();
    let said: Vec<Entry> = numbers
        .iter()
        .flat_map(|number| words.map(|word| (*number, word)))
        .enumerate()
        .map(|(at, (number, word))| {
            let mut entry = plain("A", &format!("s{at}"), Dataset::Problems, &format!("problem {at}"));
            let head = entry.head.get_or_insert_default();
            (head.status, head.status_verbatim) = (number, word.to_owned());
            entry
        })
        .collect();
    let world = World::start(vec![MadeUp::new("A").knowing("1", anne(), said.clone())], &[]).await;
    let record = record(&world.client("R8000"), &world.id_of(&anne()).await, &anne()).await;
    let items = record.sections().iter().flat_map(|section| &section.items).flat_map(|item| &item.contributions);
    let mut came: Vec<(String, i32, String)> = items.filter_map(|one| status_of(one.entry.as_ref()?)).collect();
    let mut sent: Vec<(String, i32, String)> = said.iter().filter_map(status_of).collect();
    came.sort();
    sent.sort();
    assert_eq!(came, sent, "neither the number nor the word of a status is changed or lost");
    assert_eq!(EntryStatus::try_from(99).ok(), None, "one of them is not known");
}

fn status_of(entry: &Entry) -> Option<(String, i32, String)> {
    let head = entry.head.as_ref()?;
    Some((head.entry_id.clone(), head.status, head.status_verbatim.clone()))
}
