//! The real programs, as processes: an adapter joins with a token and a person's approval, serves, renews its certificate,
//! goes on without the authority, and is cut off.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first thing that is not as it must be")]

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use severn_adapter::renew::Renewal;
use severn_client::{Answer, Client, FixedToken, Found, Search};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles};
use severn_proto::v1::{
    CheckpointRequest, Demographics, DescribeRequest, HumanName, Outcome, PurposeOfUse,
    audit_witness_client::AuditWitnessClient, source_adapter_client::SourceAdapterClient,
};
use severn_trust::{SigningKey, SystemClock, SystemDisk, SystemEntropy, hex, scan_trail, sha256};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tests::{
    bench::{canned::person, rig::Rig},
    keys::{AUDIENCE, Gateway, ISSUER},
};
use tokio::time::Instant;
use tonic::transport::Channel;

/// What a busy machine may need for what takes a moment.
const SOON: Duration = Duration::from_secs(40);

/// One of the federation's programs, ended when the test ends.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Federation {
    folder: TempDir,
    /// The broker's ordinary port, that for those who join, and the adapter's.
    ports: [u16; 3],
    gateway: Gateway,
}

impl Federation {
    fn new() -> Federation {
        let folder = tempfile::tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let federation = Federation { folder, ports: [free(), free(), free()], gateway: Gateway::default() };
        federation.write_keys();
        fs::create_dir_all(federation.at("extracts")).unwrap();
        fs::write(federation.at("denied"), "").unwrap();
        federation.configure_broker(true);
        fs::write(federation.at("adapter.toml"), federation.adapter()).unwrap();
        federation
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A root whose key is forgotten, the intermediate that the broker signs with, the broker's certificate, and keys.
    fn write_keys(&self) {
        let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
        fs::write(self.at("authorities.pem"), root.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let intermediate = authority("intermediate").signed_by(&key, &root).unwrap();
        fs::write(self.at("intermediate.pem"), intermediate.pem()).unwrap();
        private(&self.at("intermediate.key"), &key.serialize_pem());
        for name in ["broker", "app"] {
            let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
            let uri = format!("spiffe://severn/{name}/b");
            params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate().unwrap();
            fs::write(self.at(&format!("{name}.pem")), params.signed_by(&key, &root).unwrap().pem()).unwrap();
            private(&self.at(&format!("{name}.key")), &key.serialize_pem());
        }
        for name in ["audit", "statement", "adapter-audit"] {
            private(&self.at(&format!("{name}.key")), &KeyPair::generate().unwrap().serialize_pem());
        }
        let statement = self.signing_key("statement");
        fs::write(self.at("statement.jwk"), serde_json::to_string(&statement.public().jwk()).unwrap()).unwrap();
        fs::write(self.at("jwks.json"), self.gateway.jwks_json()).unwrap();
    }

    fn signing_key(&self, name: &str) -> SigningKey {
        SigningKey::from_pem(&fs::read_to_string(self.at(&format!("{name}.key"))).unwrap()).unwrap()
    }

    fn configure_broker(&self, joinable: bool) {
        let [ordinary, enrolment, adapter] = self.ports;
        let enrolment = format!(
            "[enrolment]\nlisten = \"127.0.0.1:{enrolment}\"\ncertificate = \"intermediate.pem\"\nkey = \"intermediate.key\"\n"
        );
        let text = format!(
            r#"
[listen]
address = "127.0.0.1:{ordinary}"
[tls]
certificate = "broker.pem"
key = "broker.key"
authorities = "authorities.pem"
denied = "denied"
[data]
folder = "data"
audit_key = "audit.key"
statement_key = "statement.key"
[tokens]
audience = "{AUDIENCE}"
issuers = [{{ name = "{ISSUER}", jwks_file = "jwks.json", organisations = ["*"] }}]
[access.records]
user_per_minute = 1000000
person_per_minute = 1000000
[access.policy]
roles = [{{ name = "clinician", codes = ["R8000"], labels = ["*"] }}]
rules = [{{ roles = ["clinician"], purposes = ["direct_care"], datasets = ["*"] }}]
{}
[[sources]]
id = "S1"
name = "Made-up Hospice"
kind = "hospice"
ods = "Y1"
address = "127.0.0.1:{adapter}"
"#,
            if joinable { &enrolment } else { "" }
        );
        fs::write(self.at("broker.toml"), text).unwrap();
    }

    fn adapter(&self) -> String {
        let ([ordinary, _, adapter], folder) = (self.ports, self.folder.path().display());
        format!(
            r#"
kind = "file"
[source]
id = "S1"
name = "Made-up Hospice"
ods = "Y1"
system = "Made-up System"
[serve]
listen = "127.0.0.1:{adapter}"
calls = {{ connection_age_max_s = 1 }}
[tls]
certificate = "{folder}/s1.pem"
key = "{folder}/s1.key"
authorities = "{folder}/authorities.pem"
[broker]
id = "b"
address = "127.0.0.1:{ordinary}"
statement_key = "{folder}/statement.jwk"
[tokens]
audience = "{AUDIENCE}"
issuers = [{{ name = "{ISSUER}", jwks_file = "{folder}/jwks.json", organisations = ["*"] }}]
[data]
folder = "{folder}/adapter-data"
audit_key = "{folder}/adapter-audit.key"
[feed]
every_ms = 500
[limits]
records = {{ user_per_minute = 1000000, person_per_minute = 1000000, organisation_per_minute = 1000000 }}
[policy]
roles = [{{ name = "clinician", codes = ["R8000"], labels = ["*"] }}]
rules = [{{ roles = ["clinician"], purposes = ["direct_care"], datasets = ["*"] }}]
[file]
folder = "{folder}/extracts"
settle_ms = 0
bundles = {{}}
"#
        )
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let config = self.at(if program == "severn-broker" { "broker.toml" } else { "adapter.toml" });
        let mut command = Command::new(env!("CARGO_BIN_EXE_party"));
        command.arg(program).args(arguments).arg("--config").arg(config).env("RUST_LOG", "error");
        command
    }

    /// What a command prints, and whether it succeeded.
    fn run(&self, program: &str, arguments: &[&str]) -> (String, bool) {
        let output = self.command(program, arguments).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        (String::from_utf8(printed).unwrap().trim().to_owned(), output.status.success())
    }

    fn start(&self, program: &str, arguments: &[&str]) -> Running {
        let mut child = self.command(program, arguments).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out }
    }

    async fn serve(&self, program: &str, port: u16) -> Running {
        let running = self.start(program, &["serve"]);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < SOON, "{program} does not serve");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running
    }

    fn tls(&self, name: &str) -> Tls {
        let at = |end: &str| self.at(&format!("{name}.{end}"));
        let authorities = self.at("authorities.pem");
        Tls::load(&TlsFiles { certificate: at("pem"), key: at("key"), authorities, denied: None }).unwrap()
    }

    /// Asks the broker for S1's next certificate, as its adapter does.
    fn renewal(&self) -> Renewal {
        let own = self.tls("s1");
        Renewal {
            tls: own.clone(),
            files: TlsFiles {
                certificate: self.at("s1.pem"),
                key: self.at("s1.key"),
                authorities: self.at("authorities.pem"),
                denied: None,
            },
            dialler: Arc::new(TlsDialler::new(own, SOON)),
            address: format!("127.0.0.1:{}", self.ports[0]),
            broker: Identity::Broker("b".into()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy::default()),
        }
    }

    /// A client of a clinician.
    fn client(&self) -> Client {
        let channel = self.dial(&self.tls("app"), self.ports[0], &Identity::Broker("b".into()));
        let gateway = self.gateway.clone();
        let made = AtomicU64::new(0);
        let token = move || {
            let number = made.fetch_add(1, Ordering::SeqCst);
            Ok(gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, number))
        };
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
        Client::new(channel, self.gateway.app_key.clone(), token, clock, entropy)
    }

    fn dial(&self, own: &Tls, port: u16, identity: &Identity) -> Channel {
        TlsDialler::new(own.clone(), SOON).dial(&format!("127.0.0.1:{port}"), identity).unwrap()
    }

    /// The actions on record at the broker that concern its mesh.
    fn recorded(&self) -> Vec<String> {
        let (disk, mut actions) = (SystemDisk::open(self.at("data")).unwrap(), Vec::new());
        let key = self.signing_key("audit");
        scan_trail(&disk, key.public(), i64::MIN..i64::MAX, |_, _, event| {
            if ["enrol", "renew", "revoke"].iter().any(|kind| event.action.starts_with(kind)) {
                let from = event.details.get("from").and_then(|from| Some(from.as_str()?.starts_with("127.0.0.1:")));
                let by_stranger = ["enrol-asked", "enrol-refused"].contains(&event.action.as_str());
                assert_eq!(from, by_stranger.then_some(true), "where a stranger called from is on record");
                actions.push(event.action);
            }
        })
        .unwrap();
        actions
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Running {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    async fn ends_well(&mut self) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success());
                return;
            }
            assert!(begun.elapsed() < SOON, "it does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Enrols S1 with a token by Ada; gives the token.
async fn join(federation: &Federation) -> String {
    let at = format!("127.0.0.1:{}", federation.ports[1]);
    let (token, made) =
        federation.run("severn-broker", &["enrol", "token", "--source", "S1", "--ods", "Y1", "--by", "Ada"]);
    assert!(made, "{token}");
    let enrol = || federation.start("severn-adapter", &["enrol", &token, "--at", &at]);
    let mut interrupted = enrol();
    let key = interrupted.line();
    assert!(interrupted.line().starts_with("enrolment "));
    drop(interrupted);
    let mut enrolling = enrol();
    assert_eq!(enrolling.line(), key, "an interrupted enrolment goes on with its key");
    let key = key.strip_prefix("key ").unwrap().split(':').next().unwrap().to_owned();
    let waits = enrolling.line();
    let id = waits.split_whitespace().nth(1).unwrap();
    let (listed, _) = federation.run("severn-broker", &["enrol", "list"]);
    assert!(listed.contains(&format!("ASKS TO JOIN with key {key}")), "the same key at both ends: {listed}");
    let (same, approved) = federation.run("severn-broker", &["enrol", "approve", id, "--by", "ada"]);
    assert!(!approved && same.contains("another person must approve"), "{same}");
    let (said, approved) = federation.run("severn-broker", &["enrol", "approve", id, "--by", "Brian"]);
    assert!(approved && said.contains(&key), "{said}");
    enrolling.ends_well().await;
    token
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_joins_serves_renews_and_is_cut_off() {
    let federation = Federation::new();
    let (checked, good) = federation.run("severn-broker", &["check"]);
    assert!(good, "{checked}");
    let serving = federation.serve("severn-broker", federation.ports[0]).await;
    let token = join(&federation).await;
    assert_eq!(fs::metadata(federation.at("s1.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read(federation.at("s1.key")).unwrap();
    let at = format!("127.0.0.1:{}", federation.ports[1]);
    let (again, joined) = federation.run("severn-adapter", &["enrol", &token, "--at", &at]);
    assert!(!joined && again.contains("--replace"), "{again}");
    let (again, joined) = federation.run("severn-adapter", &["enrol", &token, "--at", &at, "--replace"]);
    assert!(!joined && again.contains("used already, with another key"), "{again}");
    assert_eq!(fs::read(federation.at("s1.key")).unwrap(), key, "nothing was replaced");

    let adapter = federation.serve("severn-adapter", federation.ports[2]).await;
    let source = Identity::Source("S1".into());
    let channel = federation.dial(&federation.tls("broker"), federation.ports[2], &source);
    SourceAdapterClient::new(channel).describe(DescribeRequest {}).await.unwrap();

    let (own, broker) = (federation.tls("s1"), Identity::Broker("b".into()));
    let renewal = federation.renewal();
    let before = fs::read(federation.at("s1.pem")).unwrap();
    renewal.renew().await.unwrap();
    assert_ne!(fs::read(federation.at("s1.pem")).unwrap(), before, "another certificate");
    assert_eq!(fs::read(federation.at("s1.key")).unwrap(), key, "for the same key");

    let mut asking = AuditWitnessClient::new(federation.dial(&own, federation.ports[0], &broker));
    let answered = async |asking: &mut AuditWitnessClient<Channel>| {
        let answer = tokio::time::timeout(SOON, asking.checkpoint(CheckpointRequest { since: 0 })).await;
        answer.unwrap().is_ok()
    };
    assert!(answered(&mut asking).await);
    let (said, revoked) =
        federation.run("severn-broker", &["revoke", "spiffe://severn/source/S1", "--because", "the server was stolen"]);
    assert!(revoked, "{said}");
    let begun = Instant::now();
    while answered(&mut asking).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "promised: 60 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let why = renewal.renew().await.unwrap_err();
    assert!(!format!("{why:#}").is_empty());
    let channel = federation.dial(&own, federation.ports[0], &broker);
    assert!(!answered(&mut AuditWitnessClient::new(channel)).await, "nor is a new connection let in");
    drop((adapter, serving));
    assert_eq!(federation.recorded(), ["enrol-asked", "enrol-issued", "enrol-refused", "renew", "revoke"]);
}

/// Somebody whom the source knows, with an allergy.
fn somebody() -> Demographics {
    let name = HumanName { family: "Ash".into(), given: vec!["Anne".into()], ..HumanName::default() };
    Demographics {
        nhs_number: "9990000018".into(),
        birth_date: "1980-02-01".into(),
        names: vec![name],
        ..Demographics::default()
    }
}

const BUNDLE: &str = r#"{"resourceType": "Bundle", "type": "collection", "entry": [
    {"resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1980-02-01",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}],
        "name": [{"use": "official", "family": "Ash", "given": ["Anne"]}]}},
    {"resource": {"resourceType": "AllergyIntolerance", "id": "a1", "patient": {"reference": "Patient/p1"},
        "clinicalStatus": {"coding": [{"code": "active"}]}, "code": {"text": "Allergy to penicillin"}}}]}"#;

/// The person's enterprise id, once the feed has brought them.
async fn found(client: &Client) -> String {
    let begun = Instant::now();
    loop {
        let (nhs_number, birth_date) = (somebody().nhs_number, somebody().birth_date);
        if let Ok(Found::One(candidate)) = client.find(Search::NhsNumber { nhs_number, birth_date }).await {
            return candidate.enterprise_id;
        }
        assert!(begun.elapsed() < SOON, "the feed does not arrive");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// How many rows of the record's ledger are those of a source that did not answer.
async fn unanswered(client: &Client, person: &str) -> usize {
    let answer = client.retrieve(person, &somebody(), &[], Duration::from_secs(3)).await.unwrap();
    let Answer::Complete(record) = answer else { panic!("not sealed") };
    record.ledger().rows.iter().filter(|row| row.outcome() == Outcome::NoAnswer).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_is_lost_while_an_adapters_certificate_is_renewed() {
    let federation = Federation::new();
    fs::write(federation.at("extracts/p1.json"), BUNDLE).unwrap();
    let _serving = federation.serve("severn-broker", federation.ports[0]).await;
    join(&federation).await;
    let _adapter = federation.serve("severn-adapter", federation.ports[2]).await;
    let client = federation.client();
    let person = found(&client).await;
    let first = CertificateDer::from_pem_file(federation.at("s1.pem")).unwrap();

    let renewal = federation.renewal();
    let renewing = async {
        for _ in 0..3 {
            renewal.renew().await.unwrap();
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
    };
    let asking = async {
        let (mut asked, mut lost) = (0, 0);
        let begun = Instant::now();
        // The adapter ends each connection after a second, and looks at its certificate every five.
        while begun.elapsed() < Duration::from_secs(12) {
            let rows = tokio::join!(unanswered(&client, &person), unanswered(&client, &person));
            (asked, lost) = (asked + 2, lost + rows.0 + rows.1);
        }
        (asked, lost)
    };
    let ((), (asked, lost)) = tokio::join!(renewing, asking);
    assert_eq!(lost, 0, "of {asked} queries");
    assert!(asked > 100, "only {asked} queries");

    let list = format!("sha256:{} # replaced\n", hex(&sha256(&[&first])));
    fs::write(federation.at("denied"), list).unwrap();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(unanswered(&client, &person).await, 0, "the first certificate is in use no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_whose_authority_is_lost_goes_on() {
    let federation = Federation::new();
    let serving = federation.serve("severn-broker", federation.ports[0]).await;
    join(&federation).await;
    drop(serving);
    federation.configure_broker(false);
    for lost in ["intermediate.pem", "intermediate.key"] {
        fs::remove_file(federation.at(lost)).unwrap();
    }
    let _serving = federation.serve("severn-broker", federation.ports[0]).await;
    let _adapter = federation.serve("severn-adapter", federation.ports[2]).await;
    let (own, broker) = (federation.tls("s1"), Identity::Broker("b".into()));
    let channel = federation.dial(&federation.tls("broker"), federation.ports[2], &Identity::Source("S1".into()));
    SourceAdapterClient::new(channel).describe(DescribeRequest {}).await.unwrap();
    let mut asking = AuditWitnessClient::new(federation.dial(&own, federation.ports[0], &broker));
    // A broker signs its first checkpoint within seconds of its start, and says so until then.
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(status) = asking.checkpoint(CheckpointRequest { since: 0 }).await {
        assert!(status.message().contains("nothing is signed yet") && Instant::now() < until, "{status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (said, made) =
        federation.run("severn-broker", &["enrol", "token", "--source", "S1", "--ods", "Y1", "--by", "Ada"]);
    assert!(!made && said.contains("adapters cannot join this broker"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_retrieves_too_many_records_waits_and_it_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 1).unwrap();
    rig.records_per_minute = 2;
    let (_adapters, ports) = rig.adapters(1).unwrap();
    let (serving, port) = rig.broker_over(&ports).await.unwrap();
    let tls = Tls::load(&Rig::tls_files(&rig.folder, &Rig::app())).unwrap();
    let channel = TlsDialler::new(tls, SOON).dial(&format!("127.0.0.1:{port}"), &Rig::broker()).unwrap();
    let token = FixedToken(rig.gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1));
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
    let client = Client::new(channel, rig.gateway.app_key.clone(), token, clock, entropy);
    let (nhs_number, birth_date) = (person().nhs_number, person().birth_date);
    let found = client.find(Search::NhsNumber { nhs_number, birth_date }).await.unwrap();
    let Found::One(candidate) = found else { panic!("one person: {found:?}") };
    let retrieve = async || client.retrieve(&candidate.enterprise_id, &person(), &[], Duration::from_secs(3)).await;
    for _ in 0..2 {
        assert!(matches!(retrieve().await.unwrap(), Answer::Complete(_)));
    }
    let refused = retrieve().await.unwrap_err().to_string();
    assert!(refused.contains("too many records; wait "), "{refused}");
    drop(serving);
    let (disk, mut why) = (SystemDisk::open(rig.folder.join("broker-1")).unwrap(), Vec::new());
    let key = SigningKey::from_pem(&fs::read_to_string(rig.folder.join("audit.key")).unwrap()).unwrap();
    scan_trail(&disk, key.public(), i64::MIN..i64::MAX, |_, _, event| {
        if event.action == "refused" {
            why.extend(event.details.get("why"));
        }
    })
    .unwrap();
    assert_eq!(why.len(), 1);
    assert!(why[0].as_str().unwrap().contains("too many records"), "{why:?}");
}
