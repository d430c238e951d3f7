//! The source over real folders: bundles, extracts, and all that can happen to files.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use futures::StreamExt;
use serde_json::{Value, json};
use severn_adapter_file::{FileSettings, FileSource};
use severn_adapter_sdk::{
    conformance::{Expectations, conformance},
    mapping::SourceContext,
    source::{Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, EntryStatus, ReasonCode, Registration};
use severn_trust::{Clock, SystemClock};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio::time::Instant;

const BUDGET: Duration = Duration::from_secs(5);

/// A clock that the test sets.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

struct World {
    folder: TempDir,
    source: FileSource,
}

fn open(folder: &Path, settings: &str, clock: Arc<dyn Clock>) -> Result<FileSource, SourceError> {
    let text = format!("folder = {:?}\nlook_ms = 10\n{settings}", folder.display().to_string());
    let settings: FileSettings =
        toml::from_str(&text).map_err(|error| SourceError::Config(error.message().to_owned()))?;
    let context = SourceContext {
        source_id: "made-up".into(),
        organisation: "Made-up Hospice".into(),
        ods: "M0001".into(),
        system: "Made-up System".into(),
    };
    FileSource::open(settings, context, clock)
}

impl World {
    fn new(settings: &str) -> World {
        World::with(settings, Arc::new(SystemClock))
    }

    fn with(settings: &str, clock: Arc<dyn Clock>) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let source = open(folder.path(), settings, clock).expect("good settings");
        World { folder, source }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder.path().join(name), bytes).expect("written");
    }

    // Longer than `look_ms`, so that the next question looks at the folder again.
    async fn wait(&self) {
        tokio::time::sleep(Duration::from_millis(15)).await;
    }

    async fn read(&self, local_id: &str, dataset: Dataset) -> Reading {
        self.wait().await;
        let mut readings = self.source.read(local_id, &[dataset], BUDGET).await.expect("a reading");
        assert_eq!(readings.len(), 1);
        readings.remove(0)
    }

    async fn people(&self) -> Vec<Result<Registration, SourceError>> {
        self.wait().await;
        self.source.registrations().await.expect("people").collect().await
    }
}

const BUNDLES: &str = "settle_ms = 0\n[bundles]";

fn bundle(resources: &[Value]) -> String {
    let entries: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string()
}

fn patient(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": "Made", "given": ["Up"]}], "birthDate": "1980"})
}

fn condition(id: &str, about: &str, text: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "code": {"text": text}, "subject": {"reference": format!("Patient/{about}")},
           "clinicalStatus": {"coding": [{"code": "active"}]}})
}

fn texts(reading: &Reading) -> Vec<String> {
    reading.entries.iter().map(|entry| entry.head.as_ref().expect("a head").text.clone()).collect()
}

#[tokio::test]
async fn a_list_that_warns_makes_nothing_a_part() {
    let world = World::new("settle_ms = 0\n[bundles]");
    let warned = |dataset: &str, warning: &str| {
        json!({"resource": {"resourceType": "List", "status": "current", "mode": "snapshot",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": dataset}]},
            "subject": {"reference": "Patient/p1"},
            "extension": [{"url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-ListWarningCode-1",
                "valueCode": warning}]}})
    };
    let patient = json!({"resource": {"resourceType": "Patient", "id": "p1", "name": [{"family": "Made"}]}});
    let entries =
        [patient, warned("717711000000103", "data-in-transit"), warned("717711000000103", "confidential-items")];
    world.write("a.json", json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string());
    let problems = world.read("p1", Dataset::Problems).await;
    let reasons: Vec<_> = problems.partial.iter().map(severn_proto::v1::Reason::code).collect();
    assert_eq!((problems.entries.len(), reasons), (0, vec![ReasonCode::TransferIncomplete, ReasonCode::ByOwner]));
    assert!(world.read("p1", Dataset::Allergies).await.partial.is_empty());
}

#[tokio::test]
async fn bundles_of_one_person_and_of_several() {
    let world = World::new(BUNDLES);
    world.write("one.json", bundle(&[patient("p1"), condition("c1", "p1", "Asthma")]));
    world.write(
        "more.json",
        bundle(&[patient("p2"), patient("p3"), condition("c2", "p2", "Gout"), condition("c3", "p1", "Cough")]),
    );
    world.write("notes.txt", "not for us");
    world.write(".hidden.json", "not for us");
    assert_eq!(world.people().await.len(), 3);
    let one = world.read("p1", Dataset::Problems).await;
    assert_eq!(texts(&one), ["Cough", "Asthma"], "from both files");
    assert!(one.as_of_ms.is_some() && one.unreadable == 0 && one.partial.is_empty());
    assert_eq!(texts(&world.read("p2", Dataset::Problems).await), ["Gout"]);
    assert!(world.read("p3", Dataset::Problems).await.entries.is_empty());
    assert!(world.read("p1", Dataset::AboutMe).await.not_held);
    assert_eq!(world.source.registration("p9").await, Ok(None));
    assert!(world.read("p9", Dataset::Problems).await.entries.is_empty());
    let all = world.source.read("p1", &severn_trust::ALL_DATASETS, BUDGET).await.expect("readings");
    assert_eq!(all.iter().map(|r| r.dataset).collect::<Vec<_>>(), severn_trust::ALL_DATASETS);
    assert!(world.source.check().await.iter().all(|finding| finding.good));
}

#[tokio::test]
async fn persons_whom_only_the_bundle_names() {
    let world = World::new("settle_ms = 0\n[bundles]\npatient_identifier_system = \"urn:made-up:id\"");
    let person = json!({"resourceType": "Patient", "identifier": [{"system": "urn:made-up:id", "value": "H 1"}], "name": [{"text": "Up Made"}]});
    let problem = json!({"resourceType": "Condition", "id": "c1", "code": {"text": "Asthma"}, "subject": {"reference": "urn:uuid:1"}});
    let entries =
        json!([{"fullUrl": "urn:uuid:1", "resource": person}, {"fullUrl": "urn:uuid:2", "resource": problem}]);
    world.write("one.json", json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string());
    assert_eq!(texts(&world.read("H 1", Dataset::Problems).await), ["Asthma"]);
    let registration = world.source.registration("H 1").await.expect("readable").expect("known");
    assert_eq!(registration.local_id.expect("an id").assigning_authority, "urn:made-up:id");
}

#[tokio::test]
async fn what_is_about_nobody_or_cannot_be_read_is_counted() {
    let world = World::new(BUNDLES);
    let unclear = json!({"resourceType": "Condition", "id": "c2", "code": {"text": "x"}});
    let nameless = json!({"resourceType": "Condition", "id": "c3", "subject": {"reference": "Patient/p1"}});
    let elsewhere = json!({"resourceType": "Condition", "id": "c4", "code": {"text": "x"}, "subject": {"reference": "https://other.example/Patient/p1"}});
    world.write("one.json", bundle(&[patient("p1"), condition("c1", "p1", "Asthma"), unclear, nameless, elsewhere]));
    let reading = world.read("p1", Dataset::Problems).await;
    assert_eq!((texts(&reading), reading.unreadable), (vec!["Asthma".to_owned()], 3));
    assert_eq!(world.read("p1", Dataset::Allergies).await.unreadable, 0);

    world.write("two.json", "{ this is no bundle");
    let reading = world.read("p1", Dataset::Allergies).await;
    assert_eq!(reading.unreadable, 1, "a file that nobody could read may be about anybody");
    assert_eq!(world.people().await.iter().filter(|person| person.is_err()).count(), 1);
    assert!(world.source.check().await.iter().any(|finding| !finding.good && finding.text.contains("two.json")));
}

#[tokio::test]
async fn a_file_that_changes_is_read_again_and_a_bad_one_leaves_the_last_good() {
    let world = World::new(BUNDLES);
    world.write("one.json", bundle(&[patient("p1"), condition("c1", "p1", "Asthma")]));
    let first = world.read("p1", Dataset::Problems).await;
    world.write("one.json", bundle(&[patient("p1"), condition("c1", "p1", "Severe asthma")]));
    assert_eq!(texts(&world.read("p1", Dataset::Problems).await), ["Severe asthma"]);
    let good = world.read("p1", Dataset::Problems).await.as_of_ms;
    assert!(good >= first.as_of_ms);
    let whole = bundle(&[patient("p1"), condition("c1", "p1", "Other")]);
    world.write("one.json", &whole[..whole.len() / 2]);
    let stale = world.read("p1", Dataset::Problems).await;
    assert_eq!(
        (texts(&stale), stale.as_of_ms),
        (vec!["Severe asthma".to_owned()], good),
        "the last good version, with its time"
    );
    assert!(world.source.check().await.iter().any(|finding| !finding.good));
    world.write("one.json", &whole);
    assert_eq!(texts(&world.read("p1", Dataset::Problems).await), ["Other"]);
    world.write("two.json", bundle(&[patient("p2")]));
    fs::remove_file(world.folder.path().join("one.json")).expect("removed");
    assert_eq!(world.people().await.len(), 1, "who is in no file has gone");
    fs::remove_file(world.folder.path().join("two.json")).expect("removed");
    world.wait().await;
    assert!(
        matches!(world.source.registration("p2").await, Err(SourceError::Unreachable(_))),
        "an empty folder is not believed"
    );
}

#[tokio::test]
async fn a_file_is_read_only_when_it_has_settled() {
    let now = SystemClock.now_ms();
    let clock = Arc::new(Hand(AtomicI64::new(now)));
    let world = World::with("settle_ms = 60000\n[bundles]", clock.clone());
    let old = |name: &str| {
        let file = fs::File::options().append(true).open(world.folder.path().join(name)).expect("the file");
        let then = Duration::from_millis(u64::try_from(now).expect("after 1970")) - Duration::from_secs(120);
        file.set_modified(SystemTime::UNIX_EPOCH + then).expect("an older time");
    };
    world.write("one.json", bundle(&[patient("p1")]));
    world.wait().await;
    assert!(matches!(world.source.registration("p1").await, Err(SourceError::Unreachable(_))), "nothing is known yet");
    old("one.json");
    assert!(world.people().await[0].is_ok());
    world.write("two.json", bundle(&[patient("p2")]));
    let part = world.read("p1", Dataset::Problems).await;
    assert_eq!((part.partial[0].code(), part.partial[0].count), (ReasonCode::TransferIncomplete, 1));
    assert!(world.source.registration("p2").await.is_err(), "it cannot be said yet that p2 is unknown");
    assert_eq!(world.people().await.iter().filter(|person| person.is_err()).count(), 1);
    clock.0.fetch_add(61_000, Ordering::SeqCst);
    assert_eq!(world.people().await.iter().filter(|person| person.is_ok()).count(), 2);
    assert!(world.read("p1", Dataset::Problems).await.partial.is_empty());
}

#[tokio::test]
async fn one_id_for_two_persons_is_nobody() {
    let world = World::new("settle_ms = 0\n[bundles]\npatient_identifier_system = \"urn:made-up:id\"");
    let person = |id: &str| json!({"resourceType": "Patient", "id": id, "identifier": [{"system": "urn:made-up:id", "value": "H1"}]});
    world.write("one.json", bundle(&[person("a"), condition("c1", "a", "Asthma")]));
    world.write("two.json", bundle(&[person("b"), condition("c2", "b", "Gout")]));
    world.wait().await;
    assert!(matches!(world.source.registration("H1").await, Err(SourceError::Mapping(_))));
    let reading = world.read("H1", Dataset::Problems).await;
    assert!(reading.failed && reading.entries.is_empty());
}

#[tokio::test]
async fn the_same_resource_in_two_files_is_one_entry() {
    let world = World::new(BUNDLES);
    let dated = |text: &str, changed: &str| {
        let mut value = condition("c1", "p1", text);
        value["meta"] = json!({"lastUpdated": changed});
        value
    };
    world
        .write("a.json", bundle(&[patient("p1"), dated("New", "2024-02-01T00:00:00Z"), condition("c2", "p1", "Same")]));
    world.write(
        "b.json",
        bundle(&[dated("Old", "2024-01-01T00:00:00Z"), condition("c2", "p1", "Same"), condition("c3", "p1", "This")]),
    );
    world.write("c.json", bundle(&[condition("c3", "p1", "That")]));
    let reading = world.read("p1", Dataset::Problems).await;
    assert_eq!(
        (texts(&reading), reading.unreadable),
        (vec!["New".into(), "Same".into(), "This".into()], 1),
        "two that differ without a date: one is missing"
    );
}

#[tokio::test]
async fn documents_come_from_their_bundle_and_ids_are_never_paths() {
    let world = World::new(BUNDLES);
    let document = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": {"reference": "Patient/p1"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8=", "title": "Letter"}}, {"attachment": {"url": "Binary/b1"}}]});
    let binary = json!({"resourceType": "Binary", "id": "b1", "contentType": "application/pdf", "data": "JVBERi0="});
    world.write("one.json", bundle(&[patient("p1"), patient("p2"), document, binary]));
    world.write("secret.txt", "secret");
    assert_eq!(world.read("p1", Dataset::Documents).await.entries.len(), 2);
    let inline = world.source.document("p1", "DocumentReference/d1").await.expect("readable").expect("there");
    assert_eq!((&inline.bytes[..], inline.title.as_str()), (&b"hello"[..], "Letter"));
    let beside = world.source.document("p1", "DocumentReference/d1#1").await.expect("readable").expect("there");
    assert_eq!((&beside.bytes[..], beside.media_type.as_str()), (&b"%PDF-"[..], "application/pdf"));
    let outside = world.folder.path().join("secret.txt").display().to_string();
    for (person, entry) in [
        ("p2", "DocumentReference/d1"),
        ("p1", "../secret.txt"),
        ("p1", "secret.txt"),
        ("p1", outside.as_str()),
        ("../p1", "one.json"),
        ("", ""),
    ] {
        assert!(world.source.document(person, entry).await.expect("no error").is_none(), "{person} {entry}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_not_followed() {
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("theirs.json"), bundle(&[patient("p9")])).expect("written");
    let world = World::new(BUNDLES);
    world.write("one.json", bundle(&[patient("p1")]));
    std::os::unix::fs::symlink(elsewhere.path().join("theirs.json"), world.folder.path().join("link.json"))
        .expect("a link");
    assert_eq!(world.people().await.len(), 1);
}

const CSV: &str = r#"
settle_ms = 0
[csv]
dates = { order = "dmy", time_zone = "Europe/London" }
[csv.registrations]
file = "patients.csv"
show_as_demographics = true
[csv.registrations.person]
assigning_authority = "urn:made-up:id"
local_id = "ref"
nhs_number = "nhs"
nhs_number_verified = { constant = "no" }
names = [{ family = "surname", given = "forename" }]
birth_date = "dob"
[[csv.datasets]]
dataset = "problems"
file = "problems.csv"
person = "patient"
[csv.datasets.entry]
id = "id"
text = "what"
status = "state"
status_values = { A = "active", E = "ended" }
effective_start = "since"
"#;

const PEOPLE: &str = "ref,nhs,surname,forename,dob\n1,9434765919,O'Brien,Ann,03/04/1980\n2,,Made,Up,\n";
const PROBLEMS: &str = "id,patient,what,state,since\n10,1,\"Asthma, mild\",A,03/04/2019\n11,2,Gout,E,2020\n";

#[tokio::test]
async fn extracts() {
    let world = World::new(CSV);
    world.write("patients.csv", PEOPLE);
    world.write("problems.csv", PROBLEMS);
    assert_eq!(world.source.datasets(), [Dataset::Problems, Dataset::Demographics]);
    assert_eq!(world.people().await.len(), 2);
    let registration = world.source.registration("1").await.expect("readable").expect("known");
    let demographics = registration.demographics.expect("demographics");
    assert_eq!((demographics.nhs_number.as_str(), demographics.birth_date.as_str()), ("9434765919", "1980-04-03"));
    let reading = world.read("1", Dataset::Problems).await;
    let head = reading.entries[0].head.as_ref().expect("a head");
    assert_eq!(
        (head.entry_id.as_str(), head.text.as_str(), head.status()),
        ("10", "Asthma, mild", EntryStatus::Active)
    );
    assert_eq!(head.effective_start, "2019-04-03");
    assert!(reading.as_of_ms.is_some());
    assert_eq!(texts(&world.read("2", Dataset::Problems).await), ["Gout"]);
    assert_eq!(texts(&world.read("1", Dataset::Demographics).await), ["Ann O'Brien"]);
    assert!(world.read("1", Dataset::Allergies).await.not_held);
    assert_eq!(world.source.registration("3").await, Ok(None));
    let checked = world.source.check().await;
    assert!(checked.iter().all(|finding| finding.good), "{checked:?}");
}

async fn conforms(world: &World, known: &str, other: &str) {
    let expected = Expectations {
        known: known.into(),
        unknown: "77".into(),
        other: other.into(),
        with_entries: vec![Dataset::Problems, Dataset::Demographics],
        registrations: 2,
    };
    world.wait().await;
    let findings = conformance(&world.source, &expected).await;
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.good).collect();
    assert!(findings.len() > 8 && broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn keeps_what_every_source_promises() {
    let world = World::new(CSV);
    world.write("patients.csv", PEOPLE);
    world.write("problems.csv", PROBLEMS);
    conforms(&world, "1", "2").await;
    let world = World::new(BUNDLES);
    world.write("one.json", bundle(&[patient("p1"), condition("c1", "p1", "Asthma")]));
    world.write("two.json", bundle(&[patient("p2"), condition("c2", "p2", "Gout")]));
    conforms(&world, "p1", "p2").await;
}

#[tokio::test]
async fn a_bad_row_costs_only_itself() {
    let world = World::new(CSV);
    world.write("patients.csv", format!("{PEOPLE},,Nobody,N,\n"));
    let bad =
        b"12,1,,A,\n13,1,Caf\xe9,A,\n14,1,Cough,?,\n15,1,too,many,,values\n16,,Whose,A,\n17,1,Angina,A,31/02/2019\n";
    world.write("problems.csv", [PROBLEMS.as_bytes(), bad].concat());
    let reading = world.read("1", Dataset::Problems).await;
    assert_eq!(texts(&reading), ["Asthma, mild", "Cough", "Angina (start as recorded: 31/02/2019)"]);
    assert_eq!(reading.entries[1].head.as_ref().map(|head| head.status()), Some(EntryStatus::Unspecified));
    assert_eq!(reading.unreadable, 4, "one of this person, and three that may be anybody's");
    assert_eq!(world.read("2", Dataset::Problems).await.unreadable, 3);
    assert_eq!(world.read("2", Dataset::Demographics).await.unreadable, 0);
    assert_eq!(world.people().await.iter().filter(|person| person.is_err()).count(), 1);
    let findings = world.source.check().await;
    for line in [
        "problems.csv line 4",
        "problems.csv line 5",
        "problems.csv line 6",
        "problems.csv line 7",
        "problems.csv line 8",
        "patients.csv line 4",
    ] {
        assert!(findings.iter().any(|finding| !finding.good && finding.text.starts_with(line)), "{line}: {findings:?}");
    }
    assert!(!format!("{findings:?}").contains("Cough"), "no value gets into a finding");
}

#[tokio::test]
async fn code_page_1252_and_another_delimiter() {
    let settings = CSV.replace("[csv]\n", "[csv]\nencoding = \"cp1252\"\ndelimiter = \";\"\n");
    let world = World::new(&settings);
    world.write("patients.csv", b"ref;nhs;surname;forename;dob\n1;;Ren\xe9e;\x8ai\x9ek;\n".as_slice());
    world.write(
        "problems.csv",
        b"id;patient;what;state;since\n10;1;\x93Caf\xe9\x94 \x96 \x80 5;A;\n11;1;\x81;A;\n".as_slice(),
    );
    let reading = world.read("1", Dataset::Problems).await;
    assert_eq!(
        (texts(&reading), reading.unreadable),
        (vec!["“Café” – € 5".to_owned()], 1),
        "0x81 is no character of it"
    );
    let demographics =
        world.source.registration("1").await.expect("readable").expect("known").demographics.expect("demographics");
    assert_eq!((demographics.names[0].family.as_str(), demographics.names[0].given[0].as_str()), ("Renée", "Šižk"));
}

#[tokio::test]
async fn extracts_that_do_not_fit() {
    let world = World::new(CSV);
    world.write("patients.csv", PEOPLE);
    let missing = world.read("1", Dataset::Problems).await;
    assert!(missing.failed, "the extract is not there: we do not know");
    world.write("problems.csv", PROBLEMS.replace("what", "text"));
    assert!(world.read("1", Dataset::Problems).await.failed);
    assert!(world.source.check().await.iter().any(|f| !f.good && f.text.contains("problems.csv has no column what")));
    world.write("problems.csv", format!("\u{feff}{PROBLEMS}"));
    assert_eq!(world.read("1", Dataset::Problems).await.entries.len(), 1);
    world.write("problems.csv", "id,id\n");
    assert_eq!(world.read("1", Dataset::Problems).await.entries.len(), 1, "the last good version stands");
    fs::remove_file(world.folder.path().join("problems.csv")).expect("removed");
    assert_eq!(world.read("1", Dataset::Problems).await.entries.len(), 1, "it is being replaced");
    world.write("problems.csv", b"\xff\xfei\0d\0".as_slice());
    world.wait().await;
    assert!(world.source.check().await.iter().any(|f| !f.good && f.text.contains("UTF-16")));
}

#[tokio::test]
async fn a_quote_that_is_never_closed_is_seen() {
    let world = World::new(CSV);
    world.write("patients.csv", PEOPLE);
    let rows: String = (20..60).map(|id| format!("{id},2,Row,A,\n")).collect();
    world.write("problems.csv", format!("{PROBLEMS}12,1,\"open,A,\n{rows}"));
    assert!(world.read("2", Dataset::Problems).await.unreadable > 0, "what was swallowed is missing for anybody");
}

#[tokio::test]
async fn changes_are_noticed() {
    let world = World::new(BUNDLES);
    world.write("one.json", bundle(&[patient("p1")]));
    world.source.changed(Duration::from_secs(5)).await;
    let started = Instant::now();
    let (changed, ()) = tokio::join!(
        async {
            world.source.changed(Duration::from_secs(10)).await;
            started.elapsed()
        },
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.write("two.json", bundle(&[patient("p2")]));
        }
    );
    assert!(changed >= Duration::from_millis(100) && changed < Duration::from_secs(5), "{changed:?}");
    let started = Instant::now();
    world.source.changed(Duration::from_millis(100)).await;
    assert!(started.elapsed() >= Duration::from_millis(100), "nothing changed");
}

#[test]
fn settings_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = |settings: &str| match open(folder.path(), settings, Arc::new(SystemClock)) {
        Err(SourceError::Config(text)) => text,
        _ => panic!("settings that should be refused"),
    };
    assert!(wrong("").contains("[file.bundles] or [file.csv]"));
    assert!(wrong("settle_ms = -1\n[bundles]").contains("settle_ms"));
    assert!(wrong("[bundles]\nrecursive = 1").contains("unknown field"));
    assert!(wrong("[bundles]\ndatasets = [\"about_me\"]").contains("about_me"));
    for name in ["../patients.csv", "/etc/passwd", "..", "a\\\\b.csv", "C:x.csv", ""] {
        let text = wrong(&CSV.replace("\"patients.csv\"", &format!("\"{name}\"")));
        assert!(text.contains("without a folder before it"), "{name}: {text}");
    }
    assert!(wrong(&CSV.replace("\"problems\"", "\"problem\"")).contains("problem is no dataset"));
    assert!(wrong(&CSV.replace("[csv]\n", "[csv]\ndelimiter = \"\\\"\"\n")).contains("delimiter"));
    assert!(wrong(&CSV.replace("A = \"active\"", "A = \"alive\"")).contains("file.csv.datasets.problems.entry"));
}
