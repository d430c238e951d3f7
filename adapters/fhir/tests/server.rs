//! The source against a real FHIR server: `tests/servers/fhir_server.py`, which shares no line with it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use futures::StreamExt;
use prost::Message;
use serde_json::{Value, json};
use severn_adapter_fhir::{FhirSettings, FhirSource};
use severn_adapter_sdk::{
    conformance::{Expectations, conformance},
    mapping::SourceContext,
    source::{Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, EntryBody, ReasonCode, entry_body::Detail};
use severn_trust::SystemClock;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

struct Server {
    process: Child,
    base: String,
    http: reqwest::Client,
}

impl Server {
    fn start(options: &[&str]) -> Server {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join("tests/.tools/venv/bin/python");
        assert!(
            python.exists(),
            "tests/.tools/venv is missing; run tests/run once, or: python3 -m venv tests/.tools/venv && tests/.tools/venv/bin/pip install fhir.resources"
        );
        let mut command = Command::new(python);
        command.arg(root.join("tests/servers/fhir_server.py")).args(options);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its first line");
        let port = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("the FHIR server did not start: {line:?}"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Server { base: format!("http://127.0.0.1:{port}/fhir"), process, http }
    }

    async fn put(&self, value: Value) {
        let kind = value["resourceType"].as_str().expect("a type");
        self.send(kind, value["id"].as_str().expect("an id"), value.to_string(), "no").await;
    }

    async fn send(&self, kind: &str, id: &str, text: String, unchecked: &str) {
        let request =
            self.http.put(format!("{}/{kind}/{id}", self.base)).header("X-Unchecked", unchecked).bearer_auth("made-up");
        let response = request.body(text).send().await.expect("the server answers");
        assert!(response.status().is_success(), "{kind}/{id}: {}", response.text().await.unwrap_or_default());
    }

    fn source(&self) -> FhirSource {
        self.source_with(|_| {})
    }

    fn source_with(&self, change: impl FnOnce(&mut FhirSettings)) -> FhirSource {
        let mut settings = settings(&self.base);
        change(&mut settings);
        open(settings)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn settings(base: &str) -> FhirSettings {
    toml::from_str(&format!("base_url = \"{base}\"\npage_size = 2\npages_max = 4")).expect("settings")
}

fn open(settings: FhirSettings) -> FhirSource {
    let context = SourceContext {
        source_id: "made-up".into(),
        organisation: "Made-up Trust".into(),
        ods: "M0001".into(),
        system: "Made-up System".into(),
    };
    FhirSource::open(settings, context, Arc::new(SystemClock)).expect("good settings")
}

const BUDGET: Duration = Duration::from_secs(5);

fn patient(id: &str, family: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "gender": "female", "birthDate": "1980-05-06",
        "name": [{"use": "official", "family": family, "given": ["Ann"]}],
        "identifier": [{"system": "urn:made-up:hospital", "value": format!("H|{id}")}],
        "generalPractitioner": [{"reference": "Organization/gp"}]})
}

fn condition(id: &str, about: &str) -> Value {
    json!({"resourceType": "Condition", "id": id, "code": {"text": format!("Problem {id}")},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "subject": {"reference": format!("Patient/{about}")}})
}

async fn read_one(source: &FhirSource, local_id: &str, dataset: Dataset) -> Reading {
    let mut readings = source.read(local_id, &[dataset], BUDGET).await.expect("a reading");
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

fn ids(reading: &Reading) -> Vec<String> {
    reading.entries.iter().map(|entry| entry.head.as_ref().expect("a head").entry_id.clone()).collect()
}

#[tokio::test]
async fn everybody_and_everything_page_by_page() {
    let server = Server::start(&[]);
    for at in 0..5 {
        server.put(patient(&format!("p{at}"), "Made")).await;
        server.put(condition(&format!("c{at}"), "p0")).await;
    }
    server.put(condition("other", "p1")).await;
    server
        .put(json!({"resourceType": "Organization", "id": "gp", "name": "Made-up Surgery",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "M85001"}]}))
        .await;
    let source = server.source();

    let people: Vec<_> = source.registrations().await.expect("people").collect().await;
    let mut known: Vec<String> =
        people.into_iter().map(|person| person.expect("readable").local_id.expect("an id").value).collect();
    known.sort();
    assert_eq!(known, ["p0", "p1", "p2", "p3", "p4"]);

    let one = source.registration("p0").await.expect("readable").expect("known");
    assert_eq!(one.demographics.expect("demographics").gp_practice_ods, "M85001", "the practice is looked up");

    let problems = read_one(&source, "p0", Dataset::Problems).await;
    assert_eq!(ids(&problems), ["Condition/c0", "Condition/c1", "Condition/c2", "Condition/c3", "Condition/c4"]);
    assert!(problems.partial.is_empty() && problems.unreadable == 0 && !problems.failed);
    assert_eq!(ids(&read_one(&source, "p0", Dataset::Problems).await), ids(&problems), "ids stay the same");

    let few = server.source_with(|settings| settings.pages_max = 2);
    let part = read_one(&few, "p0", Dataset::Problems).await;
    assert_eq!((part.entries.len(), part.partial[0].code()), (4, ReasonCode::OverLimit));

    let all = source.read("p0", &severn_trust::ALL_DATASETS, BUDGET).await.expect("readings");
    assert_eq!(all.iter().map(|reading| reading.dataset).collect::<Vec<_>>(), severn_trust::ALL_DATASETS);
    assert!(all.iter().all(|reading| !reading.failed));
    assert!(all.iter().any(|reading| reading.dataset == Dataset::AboutMe && reading.not_held));
    let asked_for = |reading: &Reading| {
        reading.entries.iter().all(|e| e.head.as_ref().is_some_and(|h| h.dataset == reading.dataset as i32))
    };
    assert!(all.iter().all(asked_for));
}

#[tokio::test]
async fn a_warning_of_a_list_makes_nothing_a_part() {
    let server = Server::start(&[]);
    server.put(patient("p1", "Made")).await;
    let warned = |id: &str| {
        json!({"resourceType": "List", "id": id, "status": "current", "mode": "snapshot",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "717711000000103", "display": "Problems"}]},
            "subject": {"reference": "Patient/p1"},
            "extension": [{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-ListWarningCode",
                "valueCode": "data-in-transit"}]})
    };
    server.put(warned("l1")).await;
    server.put(warned("l2")).await;
    let problems = read_one(&server.source(), "p1", Dataset::Problems).await;
    let reasons: Vec<_> = problems.partial.iter().map(severn_proto::v1::Reason::code).collect();
    assert_eq!((problems.entries.len(), reasons), (0, vec![ReasonCode::TransferIncomplete]));
    let allergies = read_one(&server.source(), "p1", Dataset::Allergies).await;
    assert!(allergies.partial.is_empty() && !allergies.not_held && !allergies.failed);

    let silent = Server::start(&["--refuse-patient", "List"]);
    silent.put(patient("p1", "Made")).await;
    let problems = read_one(&silent.source(), "p1", Dataset::Problems).await;
    let reasons: Vec<_> = problems.partial.iter().map(severn_proto::v1::Reason::code).collect();
    assert_eq!((problems.failed, reasons), (false, vec![ReasonCode::SourceFailed]), "a list might have warned");
}

#[tokio::test]
async fn nobody_by_that_id_is_no_error() {
    let server = Server::start(&[]);
    server.put(patient("p1", "Made")).await;
    let source = server.source();
    for unknown in ["p2", "", "../Patient/p1", "p1/_history/1", "p1?x=y", "..", "p1,p2"] {
        assert_eq!(source.registration(unknown).await.expect("no error"), None, "{unknown}");
        let reading = read_one(&source, unknown, Dataset::Problems).await;
        assert!(reading.entries.is_empty() && !reading.failed, "{unknown}");
        assert!(source.document(unknown, "DocumentReference/d1").await.expect("no error").is_none());
    }
}

#[tokio::test]
async fn keeps_what_every_source_promises() {
    let server = Server::start(&[]);
    server.put(json!({"resourceType": "Organization", "id": "gp", "name": "Made-up Surgery"})).await;
    for id in ["p1", "p2"] {
        server.put(patient(id, "Made")).await;
        server.put(condition(&format!("of-{id}"), id)).await;
    }
    let expected = Expectations {
        known: "p1".into(),
        unknown: "p9".into(),
        other: "p2".into(),
        with_entries: vec![Dataset::Problems, Dataset::Demographics, Dataset::GpPractice],
        registrations: 2,
    };
    let findings = conformance(&server.source(), &expected).await;
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.good).collect();
    assert!(findings.len() > 8 && broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn local_ids_that_are_identifiers() {
    let server = Server::start(&[]);
    server.put(patient("p1", "Made")).await;
    server.put(condition("c1", "p1")).await;
    let source =
        server.source_with(|settings| settings.patient_identifier_system = Some("urn:made-up:hospital".into()));
    assert_eq!(ids(&read_one(&source, "H|p1", Dataset::Problems).await), ["Condition/c1"]);
    assert!(
        read_one(&source, "p1", Dataset::Problems).await.entries.is_empty(),
        "the resource's id is not the local id"
    );
    let mut twice = patient("p2", "Twice");
    twice["identifier"][0]["value"] = json!("H|p1");
    server.put(twice).await;
    assert!(matches!(source.registration("H|p1").await, Err(SourceError::Mapping(_))), "two persons are never one");
}

#[tokio::test]
async fn one_broken_resource_costs_only_itself() {
    let server = Server::start(&[]);
    server.put(patient("p1", "Made")).await;
    server.put(patient("p2", "Other")).await;
    server.put(condition("good1", "p1")).await;
    server.put(condition("good2", "p1")).await;
    for (id, text) in [
        ("bad1", r#"{"resourceType":"Condition","id":"bad1","subject":{"reference":"Patient/p1"},"id":"again"}"#.to_owned()),
        ("bad2", r#"{"resourceType":"Condition","id":"bad2","subject":{"reference":"Patient/p1"}}"#.to_owned()),
        ("bad3", format!(r#"{{"resourceType":"Condition","id":"bad3","subject":{{"reference":"Patient/p1"}},"x":{}{}}}"#, "[".repeat(50), "]".repeat(50))),
        ("theirs", r#"{"resourceType":"Condition","id":"theirs","code":{"text":"x"},"subject":{"reference":"Patient/p2"},"note":[{"authorReference":{"reference":"Patient/p1"}}]}"#.to_owned()),
    ] {
        server.send("Condition", id, text, "yes").await;
    }
    let reading = read_one(&server.source(), "p1", Dataset::Problems).await;
    assert_eq!(ids(&reading), ["Condition/good1", "Condition/good2"]);
    assert_eq!((reading.unreadable, reading.other_person), (3, 1), "one is about somebody else");
}

#[tokio::test]
async fn a_dead_server_is_unreachable_and_a_slow_one_keeps_the_budget() {
    let server = Server::start(&["--slow", "Observation=3000"]);
    server.put(patient("p1", "Made")).await;
    server.put(condition("c1", "p1")).await;
    let source = server.source();
    let asked = [Dataset::Problems, Dataset::Observations];
    let started = Instant::now();
    let readings = source.read("p1", &asked, Duration::from_millis(1500)).await.expect("readings");
    assert!(started.elapsed() < Duration::from_millis(1500), "within the budget");
    assert_eq!((readings[0].entries.len(), readings[0].failed), (1, false), "the slow search costs only itself");
    assert!(readings[1].failed && readings[1].entries.is_empty());
    drop(server);
    assert!(matches!(source.read("p1", &asked, BUDGET).await, Err(SourceError::Unreachable(_))));
    assert!(matches!(source.registration("p1").await, Err(SourceError::Unreachable(_))));
    assert!(source.registrations().await.is_err());
    assert!(source.check().await.iter().any(|finding| !finding.good));
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_followed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("nonblocking");
    let elsewhere = format!("http://{}/fhir/Condition?page=2", listener.local_addr().expect("an address"));
    let server = Server::start(&["--foreign-next", &format!("Condition={elsewhere}")]);
    server.put(patient("p1", "Made")).await;
    for at in 0..3 {
        server.put(condition(&format!("c{at}"), "p1")).await;
    }
    let reading = read_one(&server.source(), "p1", Dataset::Problems).await;
    assert!(reading.failed && reading.entries.is_empty());
    assert!(listener.accept().is_err(), "nobody was told who is asked about");
}

#[tokio::test]
async fn a_type_the_server_does_not_keep_is_not_held() {
    let without = ["--without", "Flag", "--without", "MedicationStatement", "--without", "Immunization"];
    let server = Server::start(&[&without[..], &["--refuse-patient", "Goal"]].concat());
    server.put(patient("p1", "Made")).await;
    server.put(json!({"resourceType": "Medication", "id": "m1", "code": {"text": "Aspirin 75mg tablets"}})).await;
    server
        .put(json!({"resourceType": "MedicationRequest", "id": "r1", "status": "active", "intent": "order",
        "medicationReference": {"reference": "Medication/m1"}, "subject": {"reference": "Patient/p1"}}))
        .await;
    let source = server.source();
    assert!(read_one(&source, "p1", Dataset::Alerts).await.not_held);
    assert!(read_one(&source, "p1", Dataset::Immunisations).await.not_held, "lists of them hold none");
    let medicines = read_one(&source, "p1", Dataset::Medications).await;
    assert!(!medicines.not_held && !medicines.failed, "one of two types is enough");
    assert_eq!(medicines.entries[0].head.as_ref().map(|head| head.text.as_str()), Some("Aspirin 75mg tablets"));
    let goals = read_one(&source, "p1", Dataset::Goals).await;
    assert!(goals.failed && !goals.not_held, "kept, but not searchable: we do not know");
    let findings = source.check().await;
    assert!(findings.iter().all(|finding| finding.good), "{findings:?}");
    assert!(findings.iter().any(|finding| finding.text.starts_with("alerts: not held")));
    assert!(findings.iter().any(|finding| finding.text.starts_with("immunisations: not held")));
}

#[tokio::test]
async fn documents_come_inline_or_as_binary_and_only_of_their_person() {
    let server = Server::start(&["--token", "made-up"]);
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "made-up\n").expect("written");
    server.put(patient("p1", "Made")).await;
    server.put(patient("p2", "Other")).await;
    server
        .put(json!({"resourceType": "Binary", "id": "b1", "contentType": "application/pdf", "data": "JVBERi0="}))
        .await;
    server.put(json!({"resourceType": "DocumentReference", "id": "d1", "status": "current", "subject": {"reference": "Patient/p1"},
        "description": "Letters", "content": [
            {"attachment": {"contentType": "text/plain", "data": "aGVsbG8=", "title": "Clinic letter"}},
            {"attachment": {"contentType": "application/pdf", "url": "Binary/b1"}},
            {"attachment": {"contentType": "application/pdf", "url": "http://127.0.0.1:1/fhir/Binary/b1"}}]})).await;
    let source = server.source_with(|settings| settings.bearer_token_file = Some(token.clone()));
    let listed = read_one(&source, "p1", Dataset::Documents).await;
    assert_eq!(ids(&listed), ["DocumentReference/d1", "DocumentReference/d1#1", "DocumentReference/d1#2"]);
    let body = EntryBody::decode(listed.entries[0].body.clone()).expect("a body");
    assert!(matches!(body.detail, Some(Detail::Document(detail)) if detail.size == 5));
    let inline = source.document("p1", "DocumentReference/d1").await.expect("readable").expect("there");
    assert_eq!(
        (inline.media_type.as_str(), inline.title.as_str(), &inline.bytes[..]),
        ("text/plain", "Clinic letter", &b"hello"[..])
    );
    let binary = source.document("p1", "DocumentReference/d1#1").await.expect("readable").expect("there");
    assert_eq!((binary.media_type.as_str(), &binary.bytes[..]), ("application/pdf", &b"%PDF-"[..]));
    assert!(source.document("p1", "DocumentReference/d1#2").await.is_err(), "bytes on another host are not fetched");
    for (person, entry) in [
        ("p2", "DocumentReference/d1"),
        ("p1", "DocumentReference/d2"),
        ("p1", "Binary/b1"),
        ("p1", "DocumentReference/../Patient/p2"),
        ("p1", ""),
    ] {
        assert!(source.document(person, entry).await.expect("no error").is_none(), "{person} {entry}");
    }
    std::fs::write(&token, "wrong").expect("written");
    assert!(matches!(source.registration("p1").await, Err(SourceError::Config(_))));
}

#[tokio::test]
async fn a_server_that_is_none_says_nothing_about_a_person() {
    let server = Server::start(&[]);
    server.put(patient("p1", "Made")).await;
    let source = server.source_with(|settings| settings.base_url = settings.base_url.replace("/fhir", ""));
    assert!(source.check().await.iter().any(|finding| !finding.good));
}

#[test]
fn settings_are_checked() {
    let wrong = |text: &str| {
        toml::from_str::<FhirSettings>(text)
            .map_err(|e| e.to_string())
            .and_then(|s| s.check().map_err(|e| e.to_string()))
            .unwrap_err()
    };
    assert!(wrong("base_url = \"http://fhir.example/r4\"").contains("not encrypted"));
    assert!(wrong("base_url = \"ftp://fhir.example\"").contains("https://"));
    assert!(wrong("base_url = \"https://user:secret@fhir.example\"").contains("no user"));
    assert!(wrong("base_url = \"fhir\"").contains("base_url"));
    assert!(wrong("base_url = \"https://f.example\"\npage_size = 0").contains("page_size"));
    assert!(wrong("base_url = \"https://f.example\"\npages = 3").contains("unknown field"));
    assert!(wrong("base_url = \"https://f.example\"\ndatasets = [\"about_me\"]").contains("about_me"));
    let plain: FhirSettings =
        toml::from_str("base_url = \"http://fhir.example/r4/\"\ntransport = \"plain\"").expect("settings");
    assert_eq!(plain.check().expect("allowed").as_str(), "http://fhir.example/r4/");
}
