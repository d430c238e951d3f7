//! Two ways, one answer: thousands of people with every trap come to the same persons whether they are announced one by
//! one, in any order, loaded, or linked as a file by the offline tool.

use super::{EPOCH, at, open, source, who};
use severn_broker::index::{Index, LoadedLine, ScoringModel, store::MemoryStore};
use severn_linkage::{
    identity::NhsNumber as OfflineNumber,
    model::Model,
    offline::{ModelChoice, Options, Outputs, link, read_superseded},
    superseded::Superseded,
};
use severn_proto::v1::{
    Address, Demographics, FeedAnnounce, HumanName, Registration, Sex, Telecom, feed_announce::Change, telecom::System,
};
use severn_trust::NhsNumber;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    sync::Arc,
};
use tests::{
    keys::Seeded,
    people::{self, Files, People, Plan},
    records::registration,
};

fn announced(person: &people::Registration) -> Registration {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    // Where only the middle name is known it stays the second.
    let mut given = vec![person.given.clone(), person.middle.clone()];
    given.truncate(given.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    let name = HumanName { family: person.family.clone(), given, ..HumanName::default() };
    let address = Address {
        lines: some(&person.line1).into_iter().collect(),
        postcode: person.postcode.clone(),
        ..Address::default()
    };
    let telecom = |value: &str, system: System| {
        some(value).map(|value| Telecom { value, system: system.into(), ..Telecom::default() })
    };
    let sex = match person.sex {
        "F" => Sex::Female,
        "M" => Sex::Male,
        _ => Sex::Unspecified,
    };
    let demographics = Demographics {
        nhs_number: person.nhs_number.clone(),
        nhs_number_verified: person.nhs_number_verified,
        names: vec![name],
        birth_date: person.birth_date.clone(),
        sex: sex.into(),
        addresses: vec![address],
        telecoms: telecom(&person.phone, System::Phone)
            .into_iter()
            .chain(telecom(&person.email, System::Email))
            .collect(),
        death_date: person.death_date.clone(),
        ..Demographics::default()
    };
    registration(person.source, &person.local_id, demographics)
}

type Persons = BTreeSet<BTreeSet<(String, String)>>;

fn persons(keys: impl Iterator<Item = (String, (String, String))>) -> Persons {
    let mut persons: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for (person, key) in keys {
        persons.entry(person).or_default().insert(key);
    }
    persons.into_values().collect()
}

fn persons_of(index: &Index, people: &People) -> Persons {
    let person = |own: &people::Registration| who(index, &at(own.source, &own.local_id)).expect("it is known");
    persons(people.registrations.iter().map(|own| (person(own), (own.source.to_owned(), own.local_id.clone()))))
}

fn superseded(people: &People) -> Vec<[NhsNumber; 2]> {
    let number = |text: &str| NhsNumber::parse(text).expect("an NHS number");
    people.superseded.iter().map(|(old, new)| [number(old), number(new)]).collect()
}

/// Announces all of them, in an order of chance.
async fn online(people: &People, seed: u64, is_superseded_first: bool) -> Persons {
    let index = open(Arc::new(MemoryStore::default()), seed).await;
    let reason = "the national list";
    if is_superseded_first {
        index.supersede(superseded(people), "S1", reason).await.expect("they are taken");
    }
    let random = Seeded::new(seed);
    let mut order: Vec<(u64, &people::Registration)> =
        people.registrations.iter().map(|person| (random.next(), person)).collect();
    order.sort_by_key(|(place, _)| *place);
    let mut cursors: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, person) in order {
        let cursor = cursors.entry(person.source).or_default();
        *cursor += 1;
        let change = FeedAnnounce { cursor: *cursor, change: Some(Change::Registered(announced(person))) };
        assert_eq!(index.announce(&source(person.source), EPOCH, vec![change]).await, Ok(vec![]));
    }
    if !is_superseded_first {
        index.supersede(superseded(people), "S1", reason).await.expect("they are taken");
    }
    persons_of(&index, people)
}

async fn loaded(people: &People) -> Persons {
    let index = open(Arc::new(MemoryStore::default()), 1).await;
    index.supersede(superseded(people), "S1", "the national list").await.expect("they are taken");
    let lines: Vec<LoadedLine> =
        (1..).zip(&people.registrations).map(|(line, own)| LoadedLine { line, registration: announced(own) }).collect();
    let (news, refused) = index.load(lines).await.expect("they are taken");
    assert_eq!((news, refused), (people.registrations.len(), vec![]));
    // Deciding about everybody anew, all at once, changes nobody: not even by way of another model and back.
    let would = index.would_change(&ScoringModel::built_in()).expect("the index answers");
    assert_eq!((would.links_made, would.links_lost, would.reviews_before), (0, 0, would.reviews_after));
    persons_of(&index, people)
}

fn offline(people: &People) -> Persons {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::within(folder.path());
    people::write(people, &files, true).expect("files");
    let mut known = Superseded::default();
    let numbers = fs::read_to_string(&files.superseded).expect("a file").replacen("new", "current", 1);
    let read = read_superseded(numbers.as_bytes(), &mut known, OfflineNumber::parse).expect("numbers");
    assert_eq!((read.news.len(), read.refused), (people.superseded.len(), vec![]));
    let model = ModelChoice::Given(Box::new(Model::default_uk()));
    let options = Options { model, threshold: 0.999, threads: 2, superseded: known };
    let mut links = Vec::new();
    let outputs = Outputs { links: &mut links, pairs: None };
    link(File::open(&files.registrations).expect("a file"), outputs, &options, &|_| ()).expect("it links");
    let mut rows = csv::Reader::from_reader(&links[..]);
    let rows = rows.records().map(|row| row.expect("a row"));
    persons(rows.map(|row| (row[2].to_owned(), (row[0].to_owned(), row[1].to_owned()))))
}

fn same(found: &Persons, expected: &Persons, how: &str) {
    let others: Vec<_> = found.symmetric_difference(expected).collect();
    assert!(others.is_empty(), "{how}: {others:?}");
}

#[tokio::test]
async fn announced_in_any_order_loaded_and_linked_as_a_file_people_are_the_same_persons() {
    for seed in [3, 4] {
        let people = people::make(Plan { registrations: 2_500, seed });
        assert!(!people.superseded.is_empty(), "somebody's number was replaced");
        let expected = offline(&people);
        assert!(expected.len() < people.registrations.len() * 3 / 4, "many are linked");
        same(&loaded(&people).await, &expected, "loaded");
        same(&online(&people, seed, true).await, &expected, "one by one");
        same(&online(&people, seed + 10, false).await, &expected, "in another order");
    }
}
