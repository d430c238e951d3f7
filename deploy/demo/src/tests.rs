use crate::{
    facts::{Fact, Standing},
    findings, organisations,
    organisations::ORGANISATIONS,
    population::{self, CAST, Population},
    settings::{self, Addresses, Layout},
    sources,
    truth::{self, Finding},
    world::{self, World},
};
use futures::StreamExt as _;
use severn_proto::v1::{Dataset, EntryStatus};
use severn_trust::{NhsNumber, SystemClock};
use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

const SEED: u64 = 42;

fn small() -> World {
    world::build(SEED, 300)
}

#[test]
fn the_same_seed_gives_the_same_people_and_another_gives_others() {
    let (a, b, c) = (population::generate(7, 500), population::generate(7, 500), population::generate(8, 500));
    assert!(a == b);
    assert!(a != c);
    let cast = |p: &Population| p.people[..CAST.len()].to_vec();
    assert!(cast(&a) == cast(&c), "the cast is the same for every seed");
}

#[test]
fn everybody_has_an_nhs_number_of_their_own_that_cannot_be_a_real_one() {
    let population = population::generate(SEED, 2000);
    assert_eq!(population.people.len(), 2000);
    let mut seen = BTreeSet::new();
    for person in &population.people {
        assert!(NhsNumber::parse(&person.nhs_number).is_ok());
        assert!(person.nhs_number.starts_with("999"));
        assert!(person.phone.starts_with("07700 900") && person.phone.len() == 12, "{}", person.phone);
        assert!(seen.insert(&person.nhs_number));
    }
    assert_eq!(population.people[3].nhs_number, population::nhs_number(3));
}

#[test]
fn nobody_is_a_namesake_and_households_are_whole() {
    let population = population::generate(SEED, 2000);
    let names: BTreeSet<_> = population.people.iter().map(|p| (&p.family, &p.given, p.birth_date)).collect();
    assert_eq!(names.len(), 2000);
    for area in &organisations::AREAS {
        assert!(
            organisations::organisation(area.practice).is_some() && organisations::organisation(area.council).is_some()
        );
    }
    assert!(
        population.people.iter().all(|p| p.household < population.households.len() && (0..=110).contains(&p.age()))
    );
}

#[test]
fn every_organisation_knows_somebody_and_facts_have_ids_of_their_own() {
    let world = world::build(SEED, 2000);
    assert_eq!(world.holdings.len(), ORGANISATIONS.len());
    for holding in &world.holdings {
        assert!(holding.records.len() > 3, "{}", holding.organisation.ods);
        let local_ids: BTreeSet<_> = holding.records.iter().map(|record| &record.local_id).collect();
        assert_eq!(local_ids.len(), holding.records.len());
        let facts: Vec<_> = holding.records.iter().flat_map(|record| &record.facts).collect();
        let ids: BTreeSet<_> = facts.iter().map(|fact| &fact.id).collect();
        assert_eq!(ids.len(), facts.len());
    }
}

/// What the generator put into the sources is what the scenarios claim.
#[test]
fn the_truth_is_planted() {
    let world = small();
    for scenario in truth::scenarios() {
        for finding in &scenario.findings {
            assert!(planted(&world, scenario.person, finding), "{}: {}", scenario.name, findings::in_words(finding));
        }
    }
}

fn planted(world: &World, person: usize, finding: &Finding) -> bool {
    let facts = |source: &str| world.record(source, person).map(|r| r.facts.clone()).unwrap_or_default();
    let knowing = || {
        world.holdings.iter().filter_map(|h| Some(h.organisation.ods).filter(|ods| world.record(ods, person).is_some()))
    };
    match finding {
        Finding::KnownTo(sources) => knowing().collect::<BTreeSet<_>>() == sources.iter().copied().collect(),
        Finding::Conflict(dataset, sides) => sides.iter().all(|(source, words)| {
            facts(source).iter().any(|f| f.dataset == *dataset && (f.text == *words || f.detail("dose_text") == *words))
        }),
        Finding::OneByTwoRoutes(dataset, value, sources) | Finding::Retracted(dataset, value, sources) => {
            let with_origin = |source: &&str| {
                let found = facts(source).into_iter().find(|f| f.origin.as_ref().is_some_and(|o| o.value == *value));
                found.filter(|f| f.dataset == *dataset)
            };
            let found: Vec<_> = sources.iter().filter_map(with_origin).collect();
            let retracted = matches!(finding, Finding::Retracted(..));
            found.len() == 2 && (found[0].standing == Standing::EnteredInError) == retracted
        }
        Finding::OnlyFrom(dataset, source, text) => {
            let says = |ods: &str| facts(ods).iter().any(|f| f.dataset == *dataset && f.text == *text);
            knowing().filter(|ods| says(ods)).eq([*source])
        }
        // Withheld by its owner, or a fact about the other twin.
        Finding::Nowhere(dataset, text) => knowing().all(|ods| {
            ods == truth::WITHHOLDING || !facts(ods).iter().any(|f| f.dataset == *dataset && f.text == *text)
        }),
        Finding::Withheld(dataset, source) => {
            *source == truth::WITHHOLDING
                && truth::WITHHELD.contains(dataset)
                && facts(source).iter().any(|f| f.dataset == *dataset)
        }
        Finding::NoAnswer(source) => {
            [truth::STOPPED, truth::SLOW].contains(source) && world.record(source, person).is_some()
        }
        Finding::Apart(other) => {
            let (a, b) = (&world.population.people[person], &world.population.people[*other]);
            a.nhs_number != b.nhs_number && a.birth_date == b.birth_date && a.household == b.household
        }
        Finding::Postcodes(count) => {
            let records = knowing().filter_map(|ods| world.record(ods, person));
            records.map(|record| &record.identity.postcode).collect::<BTreeSet<_>>().len() == *count
        }
    }
}

#[test]
fn the_prison_has_no_number_and_the_same_demographics() {
    let world = small();
    let prison = &world.record(organisations::PRISON, population::DANIEL).unwrap().identity;
    let practice = &world.record(organisations::TOWER_HILL, population::DANIEL).unwrap().identity;
    assert!(prison.nhs_number.is_empty());
    assert!(
        (&prison.family, &prison.given, &prison.birth_date, &prison.postcode, prison.sex)
            == (&practice.family, &practice.given, &practice.birth_date, &practice.postcode, practice.sex)
    );
}

#[tokio::test]
async fn every_fact_has_a_place_and_the_same_seed_gives_the_same_files() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &two] {
        sources::write_all(&small(), folder.path()).await.unwrap();
    }
    let files = files_below(one.path());
    assert!(files.len() > 100);
    for file in files {
        let relative = file.strip_prefix(one.path()).unwrap();
        assert!(fs::read(&file).unwrap() == fs::read(two.path().join(relative)).unwrap(), "{}", relative.display());
    }
    let text = fs::read_to_string(one.path().join("RRK/bundles").join(bundle_of(&small()))).unwrap();
    assert!(text.contains("Anaphylaxis") && text.contains(truth::PRESCRIPTION) && text.contains("entered-in-error"));
}

fn bundle_of(world: &World) -> String {
    format!("{}.json", world.record(organisations::UHB, population::ROSALIND).unwrap().local_id)
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn an_empty_record_shows_no_finding() {
    let ledger = severn_proto::v1::Ledger::default();
    let seen = findings::Seen {
        sections: &[],
        ledger: &ledger,
        postcodes: &[],
        enterprise_id: "a",
        cast: &["a".into(), "a".into()],
    };
    for finding in truth::scenarios().iter().flat_map(|scenario| &scenario.findings) {
        // Nothing shown is true of an empty record; all else is not.
        let empty_is_enough = matches!(finding, Finding::Nowhere(..));
        assert_eq!(findings::holds(finding, &seen), empty_is_enough, "{}", findings::in_words(finding));
    }
    assert!(findings::holds(&Finding::Nowhere(Dataset::Alerts, "x"), &seen));
}

/// Written in eight shapes and read through three kinds of adapter, no fact is lost, none is made up, none is odd.
#[tokio::test]
async fn what_the_sources_hold_is_what_their_adapters_read() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path().canonicalize().unwrap());
    let anywhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    settings::write(
        &layout,
        &Addresses { broker: anywhere, gateway: anywhere, adapters: vec![anywhere; ORGANISATIONS.len()] },
    )
    .unwrap();
    let world = small();
    sources::write_all(&world, &layout.sources()).await.unwrap();
    for holding in &world.holdings {
        let ods = holding.organisation.ods;
        let config = severn_adapter::config::Config::load(&layout.adapter(ods)).unwrap();
        let source = severn_adapter::open_source(&config, Arc::new(SystemClock)).unwrap();
        for finding in source.check().await {
            assert!(finding.good, "{ods}: {}", finding.text);
        }
        assert_eq!(source.registrations().await.unwrap().count().await, holding.records.len(), "{ods}");
        for record in &holding.records {
            let registration = source.registration(&record.local_id).await.unwrap().unwrap().demographics.unwrap();
            assert_eq!(registration.nhs_number, record.identity.nhs_number);
            assert_eq!(registration.birth_date, record.identity.birth_date);
            let readings = source.read(&record.local_id, &source.datasets(), Duration::from_secs(5)).await.unwrap();
            let mut texts: Vec<(Dataset, String)> = Vec::new();
            for reading in readings {
                assert!(!reading.failed && reading.unreadable == 0, "{ods}: {:?}", reading.dataset);
                // These two come from the registration, not from a fact.
                if matches!(reading.dataset, Dataset::Demographics | Dataset::GpPractice) {
                    continue;
                }
                for head in reading.entries.into_iter().filter_map(|entry| entry.head) {
                    assert!(!head.not_validated && head.status() != EntryStatus::Unspecified, "{ods}: {}", head.text);
                    texts.push((reading.dataset, head.text));
                }
            }
            let said = |fact: &Fact| texts.iter().any(|(d, text)| *d == fact.dataset && text.starts_with(&fact.text));
            assert_eq!(texts.len(), record.facts.len(), "{ods}: {texts:?}");
            assert!(record.facts.iter().all(said), "{ods}: {texts:?}");
        }
    }
}
