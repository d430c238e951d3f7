//! The client in Python, against a broker of a few lines that tells the truth or a lie: what it sends passes the checks
//! that broker and adapters make, and it calls no answer complete that is not. The real broker is asked elsewhere.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use prost::Message as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer as Authority, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::Value;
use severn_link::{ListenLimits, ServerLimits, Tls, TlsFiles, listen, server};
use severn_proto::v1::{
    AccessReportRequest, AccessReportResponse, Candidate, Contribution, Dataset, Demographics, Entry, EntryHead,
    FetchDocumentRequest, FetchDocumentResponse, FindPersonRequest, FindPersonResponse, Heading, HeadingOutcome,
    HumanName, Item, Ledger, LedgerRow, ListSourcesRequest, ListSourcesResponse, Opened, Outcome, Provenance,
    RequestContext, RetrieveRecordRequest, RetrieveRecordResponse, RetrieveRecordUnaryRequest,
    RetrieveRecordUnaryResponse, Seal, Section,
    find_person_response::Resolution,
    record_broker_server::{RecordBroker, RecordBrokerServer},
    retrieve_record_response::Part,
};
use severn_trust::{
    ALL_DATASETS, Clock as _, Issuer, PersonKeys, Proof, RecordDigest, SigningKey, SystemClock, TokenVerifier, User,
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Output};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};
use tokio_stream::{Iter, iter};
use tonic::{Request, Response, Status, async_trait};

const AUDIENCE: &str = "a-federation";
const NHS: &str = "9434765919";
const BORN: &str = "1980-02-01";

/// What the broker does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lie {
    None,
    NoSeal,
    OtherText,
    EntryLost,
    SectionLost,
    OtherQuery,
    SectionAfterLedger,
    CountsChanged,
}

struct SmallBroker {
    verifier: TokenVerifier,
    lie: Lie,
}

type Parts = Iter<std::vec::IntoIter<Result<RetrieveRecordResponse, Status>>>;

impl SmallBroker {
    fn check(&self, context: Option<RequestContext>) -> Result<(User, Proof), Status> {
        let context = context.unwrap_or_default();
        let now_s = SystemClock.now_s();
        let refused = |e: &dyn std::error::Error| Status::unauthenticated(e.to_string());
        let user = self.verifier.verify(&context.user_token, now_s).map_err(|e| refused(&e))?;
        let proof = Proof::verify(&context.request_proof, &user, now_s).map_err(|e| refused(&e))?;
        Ok((user, proof))
    }
}

#[async_trait]
impl RecordBroker for SmallBroker {
    type RetrieveRecordStream = Parts;
    type FetchDocumentStream = Iter<std::vec::IntoIter<Result<FetchDocumentResponse, Status>>>;

    async fn find_person(&self, request: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        let request = request.into_inner();
        let (user, proof) = self.check(request.context)?;
        assert_eq!(
            (user.id.as_str(), user.role_code.as_str(), user.organisation_ods.as_str()),
            ("u-1", "R8000", "RRK")
        );
        assert!(proof.person.is_empty() && proof.datasets.is_empty(), "a search commits to nobody and reads nothing");
        assert_eq!((request.nhs_number.as_str(), request.birth_date.as_str()), (NHS, BORN));
        let one = Candidate { enterprise_id: "e-1".into(), golden: Some(golden()), ..Candidate::default() };
        let resolution = Resolution::One.into();
        Ok(Response::new(FindPersonResponse { resolution, candidates: vec![one] }))
    }

    async fn retrieve_record(&self, request: Request<RetrieveRecordRequest>) -> Result<Response<Parts>, Status> {
        let request = request.into_inner();
        let (_, proof) = self.check(request.context)?;
        assert_eq!(request.enterprise_id, "e-1");
        assert!(proof.person.agrees_with(&PersonKeys::of(&golden())));
        let without_number = Demographics { nhs_number: String::new(), ..golden() };
        assert!(proof.person.agrees_with(&PersonKeys::of(&without_number)), "birth date and family name do not agree");
        let parts = answer(&proof, self.lie).into_iter().map(|part| Ok(RetrieveRecordResponse { part: Some(part) }));
        Ok(Response::new(iter(parts.collect::<Vec<_>>())))
    }

    async fn retrieve_record_unary(
        &self,
        _: Request<RetrieveRecordUnaryRequest>,
    ) -> Result<Response<RetrieveRecordUnaryResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn fetch_document(
        &self,
        _: Request<FetchDocumentRequest>,
    ) -> Result<Response<Self::FetchDocumentStream>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn access_report(&self, _: Request<AccessReportRequest>) -> Result<Response<AccessReportResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }

    async fn list_sources(&self, _: Request<ListSourcesRequest>) -> Result<Response<ListSourcesResponse>, Status> {
        Err(Status::unimplemented("not asked here"))
    }
}

fn golden() -> Demographics {
    let name = HumanName { family: "O'Brien-Müller".into(), given: vec!["Zoë".into()], ..HumanName::default() };
    Demographics { nhs_number: NHS.into(), birth_date: BORN.into(), names: vec![name], ..Demographics::default() }
}

/// A sealed record of two entries in two sections, then what the lie makes of it.
fn answer(proof: &Proof, lie: Lie) -> Vec<Part> {
    let mut sections =
        vec![section(Dataset::Allergies, "Penicillin"), section(Dataset::Medications, "Amoxicillin 1.10 g")];
    let rows = sections.iter().map(|s| LedgerRow {
        source_id: "RRK".into(),
        dataset: s.dataset,
        outcome: Outcome::Answered.into(),
        received: 1,
        shown: 1,
        as_of_ms: 1_800_000_000_000,
        waited_ms: 12,
        ..LedgerRow::default()
    });
    let heading = |s: &Section| Heading {
        dataset: s.dataset,
        outcome: HeadingOutcome::Items.into(),
        whole: true,
        ..Heading::default()
    };
    let headings = sections.iter().map(heading).collect();
    let mut ledger =
        Ledger { rows: rows.collect(), summary: "Nothing is missing.".into(), headings, ..Ledger::default() };
    let mut digest = RecordDigest::default();
    for section in &sections {
        digest.add_section(&section.encode_to_vec());
    }
    let mut seal = Seal {
        query_id: proof.query_id.to_string(),
        sections: 2,
        rows: 2,
        received: 2,
        shown: 2,
        digest: digest.finish(&mut ledger).to_vec(),
        ..Seal::default()
    };
    match lie {
        Lie::OtherText => first_head(&mut sections).text = "Nothing of note".into(),
        Lie::SectionLost => drop(sections.pop()),
        Lie::EntryLost => sections[1].items.clear(),
        Lie::OtherQuery => seal.query_id = "another".into(),
        Lie::CountsChanged => ledger.rows[0].received = 2,
        Lie::None | Lie::NoSeal | Lie::SectionAfterLedger => {}
    }
    let opened = Opened { query_id: proof.query_id.to_string(), ..Opened::default() };
    let mut parts = vec![Part::Opened(opened)];
    parts.extend(sections.into_iter().map(Part::Section));
    parts.extend([Part::Ledger(ledger), Part::Seal(seal)]);
    match lie {
        Lie::NoSeal => drop(parts.pop()),
        Lie::SectionAfterLedger => parts.swap(2, 3),
        _ => {}
    }
    parts
}

fn section(dataset: Dataset, text: &str) -> Section {
    let provenance =
        Provenance { retrieved_at_ms: 1_800_000_000_000, organisation: "A".into(), ..Provenance::default() };
    let head = EntryHead {
        entry_id: text.into(),
        dataset: dataset.into(),
        text: text.into(),
        labels: vec![1, 2],
        provenance: Some(provenance),
        ..EntryHead::default()
    };
    let entry = Entry { head: Some(head), body: b"\x0a\x00unopened".as_slice().into() };
    let contribution = Contribution { source_id: "RRK".into(), entry: Some(entry) };
    let item = Item { item_id: "0123456789abcdef".into(), contributions: vec![contribution], ..Item::default() };
    Section { dataset: dataset.into(), items: vec![item] }
}

fn first_head(sections: &mut [Section]) -> &mut EntryHead {
    sections[0].items[0].contributions[0].entry.as_mut().unwrap().head.as_mut().unwrap()
}

/// Certificates and keys, as files.
struct Files(TempDir);

impl Files {
    fn new() -> Files {
        let files = Files(tempfile::tempdir().unwrap());
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        // A name of its own: with that of the leaves, other TLS libraries take a leaf for self-signed.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        files.write("ca.pem", &params.self_signed(&key).unwrap().pem());
        let authority = Authority::new(params, key);
        for (name, uri) in [("broker", "spiffe://severn/broker/b1"), ("app", "spiffe://severn/app/viewer")] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            params.use_authority_key_identifier_extension = true;
            files.write(&format!("{name}.pem"), &params.signed_by(&key, &authority).unwrap().pem());
            files.write(&format!("{name}.key"), &key.serialize_pem());
        }
        for name in ["signs-proofs.pem", "signs-tokens.pem"] {
            files.write(name, &KeyPair::generate().unwrap().serialize_pem());
        }
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn tls(&self) -> Tls {
        let [certificate, key, authorities] = ["broker.pem", "broker.key", "ca.pem"].map(|name| self.path(name).into());
        Tls::load(&TlsFiles { certificate, key, authorities }).unwrap()
    }

    fn verifier(&self) -> TokenVerifier {
        let key = SigningKey::from_pem(&fs::read_to_string(self.path("signs-tokens.pem")).unwrap()).unwrap();
        let mut verifier = TokenVerifier::new(AUDIENCE);
        verifier.trust("https://sign-in.example", &Issuer::new(key).jwks_json()).unwrap();
        verifier
    }
}

/// Asks a broker that lies so, with further arguments.
async fn ask(files: &Files, lie: Lie, more: &[&str]) -> (Output, Value) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let incoming = listen(listener, &files.tls(), ListenLimits::default());
    let service = RecordBrokerServer::new(SmallBroker { verifier: files.verifier(), lie });
    let serving = tokio::spawn(server(ServerLimits::default()).add_service(service).serve_with_incoming(incoming));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join(".tools/venv/bin/python");
    assert!(python.exists(), "{} is missing; run tests/run --install", python.display());
    let mut command = Command::new(python);
    command.arg(folder.join("clients/python/retrieve.py")).args(["--address", &address, "--audience", AUDIENCE]);
    for (option, file) in [
        ("--ca", "ca.pem"),
        ("--cert", "app.pem"),
        ("--key", "app.key"),
        ("--app-key", "signs-proofs.pem"),
        ("--issuer-key", "signs-tokens.pem"),
    ] {
        command.args([option, &files.path(file)]);
    }
    command.args(["--issuer", "https://sign-in.example", "--user", "u-1", "--role", "R8000", "--org", "RRK"]);
    let output = command.args(["--nhs", NHS, "--born", BORN]).args(more).output().await.unwrap();
    serving.abort();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, json)
}

#[tokio::test]
async fn a_true_answer_is_complete() {
    let (output, json) = ask(&Files::new(), Lie::None, &["--server-name", "localhost"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((&json["complete"], json["sections"].as_array().map(Vec::len)), (&Value::Bool(true), Some(2)));
    let text = &json["sections"][1]["items"][0]["contributions"][0]["entry"]["head"]["text"];
    assert_eq!(text, "Amoxicillin 1.10 g");
}

#[tokio::test]
async fn every_lie_makes_the_answer_incomplete() {
    let files = Files::new();
    for (lie, fault) in [
        (Lie::NoSeal, "the stream is not"),
        (Lie::SectionAfterLedger, "the stream is not"),
        (Lie::OtherText, "the digest"),
        (Lie::SectionLost, "other sections"),
        (Lie::EntryLost, "other entries"),
        (Lie::OtherQuery, "another query"),
        (Lie::CountsChanged, "disagree on received"),
    ] {
        let (output, json) = ask(&files, lie, &[]).await;
        assert_eq!(output.status.code(), Some(1), "{lie:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(json["complete"], Value::Bool(false), "{lie:?}");
        assert!(json["faults"].to_string().contains(fault), "{lie:?}: {}", json["faults"]);
    }
}

#[tokio::test]
async fn what_is_refused_is_said_in_words() {
    let files = Files::new();
    for (more, said) in [
        (&["--purpose", "research"][..], "UNAUTHENTICATED: the user token names no person"),
        (&["--audience", "another"], "UNAUTHENTICATED: the user token is for another audience"),
        (&["--datasets", "everything"], "UNAUTHENTICATED: the request proof names an unknown"),
    ] {
        let (output, _) = ask(&files, Lie::None, more).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(said), "{more:?}: {stderr}");
        assert!(!stderr.contains("Traceback"), "{more:?}: {stderr}");
    }
}

#[test]
fn the_words_for_datasets_are_those_of_the_enum_so_that_any_language_can_make_them() {
    for dataset in ALL_DATASETS {
        let from_name = dataset.as_str_name().trim_start_matches("DATASET_").to_lowercase();
        assert_eq!(severn_trust::dataset_word(dataset), from_name);
    }
}
