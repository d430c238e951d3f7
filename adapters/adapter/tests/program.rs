//! The program as its owner runs it: a process, its exit code, what it prints, and its door under real TLS.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use severn_adapter_sdk::inbox::{Inbox, Taken};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles};
use severn_proto::v1::{ChallengeState, DescribeRequest, source_adapter_client::SourceAdapterClient};
use severn_trust::{Issuer, SigningKey, SystemDisk};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// A folder with everything that the example configuration names.
struct Place {
    folder: TempDir,
    config: PathBuf,
    port: u16,
}

const TABLES: &str = "
    CREATE TABLE patients (id INTEGER PRIMARY KEY, nhs_number TEXT, first_name TEXT, last_name TEXT, date_of_birth TEXT,
        gender TEXT, postcode TEXT);
    CREATE TABLE allergyintolerance (id INTEGER PRIMARY KEY, patientRef INTEGER, concept_code TEXT, concept_display TEXT,
        clinicalStatus TEXT, assertedDate TEXT);
    CREATE TABLE medication_statements (id INTEGER PRIMARY KEY, patientId INTEGER, text TEXT, dosageText TEXT,
        statusCode TEXT, startDate TEXT, endDate TEXT);
    INSERT INTO patients VALUES (1, '9434765919', 'Ann', 'Brien', '1980-02-01', 'F', 'B1 1AA');
    INSERT INTO allergyintolerance VALUES (5, 1, '91936005', 'Allergy to penicillin', 'active', '2019-04-03');
    INSERT INTO medication_statements VALUES (7, 1, 'Ramipril 5 mg capsules', '5 mg', 'active', '2020-01-01', NULL);
";

impl Place {
    async fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_certificates(folder.path());
        let issuer = Issuer::new(signing_key(&at("issuer.pem")));
        fs::write(at("gateway.jwks"), issuer.jwks_json()).unwrap();
        let broker = signing_key(&at("broker.pem"));
        fs::write(at("broker-statement.jwk"), serde_json::to_string(&broker.public().jwk()).unwrap()).unwrap();
        signing_key(&at("audit-key.pem"));
        make_database(&at("gp.sqlite")).await;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let example = include_str!("../../../deploy/adapter.example.toml");
        let text = example
            .replace("/etc/severn/adapter/", &format!("{}/", folder.path().display()))
            .replace("/var/lib/severn-adapter", &at("data").display().to_string())
            .replace("/var/lib/gp/", &format!("{}/", folder.path().display()))
            .replace("127.0.0.1:7101", &format!("127.0.0.1:{port}"));
        let config = at("adapter.toml");
        fs::write(&config, text).unwrap();
        Place { folder, config, port }
    }

    fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(&self.config, text.replacen(from, to, 1)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_severn-adapter"));
        command.args(arguments).arg("--config").arg(&self.config);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts to serve and waits until it does.
    fn serve(&self) -> Child {
        let mut child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("adapter serves")), "it does not serve");
        // Somebody must go on reading, or the program would block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    fn broker_tls(&self) -> Tls {
        let at = |name: &str| self.folder.path().join(name);
        let files = TlsFiles {
            certificate: at("broker-certificate.pem"),
            key: at("broker-key.pem"),
            authorities: at("authorities.pem"),
            denied: None,
        };
        Tls::load(&files).unwrap()
    }
}

fn private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn signing_key(file: &Path) -> SigningKey {
    let pem = KeyPair::generate().unwrap().serialize_pem();
    private(file, &pem);
    SigningKey::from_pem(&pem).unwrap()
}

fn write_certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "made-up authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("authorities.pem"), authority.pem()).unwrap();
    let parties = [
        (Identity::Source("M85001".into()), "certificate.pem", "key.pem"),
        (Identity::Broker("broker-1".into()), "broker-certificate.pem", "broker-key.pem"),
    ];
    for (identity, certificate, key) in parties {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.subject_alt_names.push(SanType::URI(identity.uri().try_into().unwrap()));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let pair = KeyPair::generate().unwrap();
        let signed = params.signed_by(&pair, &authority).unwrap();
        fs::write(folder.join(certificate), signed.pem()).unwrap();
        private(&folder.join(key), &pair.serialize_pem());
    }
}

async fn make_database(file: &Path) {
    use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(TABLES).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn check_says_what_is_wrong() {
    let place = Place::new().await;
    let output = place.run(&["check"]);
    assert!(output.status.success() && text(&output).contains("Nothing is wrong."), "{}", text(&output));
    type Spoil = fn(&Place);
    let cases: [(Spoil, &str); 6] = [
        (|p| p.change("[limits]", "[limit]"), "unknown field"),
        (|p| p.change("id = \"M85001\" ", "id = \"M85002\" "), "tls.certificate"),
        (|p| fs::remove_file(p.folder.path().join("gateway.jwks")).unwrap(), "tokens.issuers[0].jwks_file"),
        (|p| fs::write(p.folder.path().join("broker-statement.jwk"), "{}").unwrap(), "broker.statement_key"),
        (
            |p| {
                let open = fs::Permissions::from_mode(0o644);
                fs::set_permissions(p.folder.path().join("audit-key.pem"), open).unwrap();
            },
            "chmod 600",
        ),
        (|p| p.change("concept_display, clinicalStatus", "concept_displey, clinicalStatus"), "concept_displ"),
    ];
    for (spoil, said) in cases {
        let place = Place::new().await;
        spoil(&place);
        let output = place.run(&["check"]);
        assert_eq!(output.status.code(), Some(1), "{said}: {}", text(&output));
        assert!(text(&output).contains(said), "{said}: {}", text(&output));
    }
}

#[tokio::test]
async fn preview_shows_what_would_be_released() {
    let place = Place::new().await;
    let shown = text(&place.run(&["preview", "1"]));
    for words in ["Ann Brien, born 1980-02-01", "Allergy to penicillin [91936005] · active", "Ramipril 5 mg capsules"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let social = text(&place.run(&["preview", "1", "--role", "S8005:G8005:R8005"]));
    assert!(social.contains("withheld (by_owner)") && social.contains("not shared (agreement)"), "{social}");
    assert!(!social.contains("Ramipril") && !social.contains("penicillin"), "{social}");
    let unknown = place.run(&["preview", "1", "--role", "R1"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&place.run(&["preview", "99"])).contains("does not know this local id"));
}

#[tokio::test]
async fn it_serves_under_tls_and_stops_when_told() {
    let place = Place::new().await;
    let mut child = place.serve();
    let dialler = TlsDialler::new(place.broker_tls(), Duration::from_secs(5));
    let source = Identity::Source("M85001".into());
    let channel = dialler.dial(&format!("127.0.0.1:{}", place.port), &source).unwrap();
    let described = SourceAdapterClient::new(channel).describe(DescribeRequest {}).await.unwrap().into_inner();
    assert_eq!((described.source_id.as_str(), described.adapter_kind.as_str()), ("M85001", "sql"));
    assert_eq!(described.datasets.len(), 3);
    let second = place.run(&["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second).contains("another severn-adapter"), "{}", text(&second));
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    let verified = place.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

#[tokio::test]
async fn challenges_are_listed_and_answered_while_it_serves() {
    let place = Place::new().await;
    assert!(text(&place.run(&["challenges"])).starts_with("No challenge waits"));
    let mut child = place.serve();
    let inbox = Inbox::new(Arc::new(SystemDisk::open(place.folder.path().join("data")).unwrap()));
    let id = uuid::Uuid::from_u128(7);
    let taken = Taken {
        id,
        at_ms: 1_795_341_600_000,
        issuer: "https://gateway.example".into(),
        organisation: "RRK".into(),
        user: "u-1".into(),
        name: "Dr Ada Example".into(),
        role: "R8000".into(),
        local_id: "1".into(),
        dataset: "allergies".into(),
        entry_id: "5".into(),
        labels: Vec::new(),
        kind: "other_person".into(),
        note: String::new(),
    };
    inbox.take(taken).unwrap();
    let listed = text(&place.run(&["challenges"]));
    assert!(listed.contains("\"this is not about this person\"") && listed.contains("allergies, entry 5"), "{listed}");
    assert!(text(&place.run(&["check"])).contains("challenges: 1 wait for your decision"));
    let answer = |id: &str, note: &str| place.run(&["challenges", "answer", id, "corrected", "--note", note]);
    for (refused, said) in [
        (answer(&uuid::Uuid::from_u128(8).to_string(), "x"), "no challenge has this id"),
        (answer("7", "x"), "invalid value"),
        (answer(&id.to_string(), &"x".repeat(4097)), "4096 bytes"),
        (place.run(&["challenges", "answer", &id.to_string(), "corrected"]), "--note"),
        (place.run(&["challenges", "answer", &id.to_string(), "received", "--note", "x"]), "possible values"),
    ] {
        assert!(!refused.status.success() && text(&refused).contains(said), "{said}: {}", text(&refused));
    }
    let answered = answer(&id.to_string(), "it was another's");
    assert!(answered.status.success(), "{}", text(&answered));
    let held = inbox.contents().unwrap().held.remove(0);
    assert_eq!((held.state(), held.answered.unwrap().note.as_str()), (ChallengeState::Corrected, "it was another's"));
    assert!(text(&place.run(&["challenges"])).starts_with("No challenge waits"));
    assert!(text(&place.run(&["challenges", "--all"])).contains("it was another's"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn the_command_line_is_checked() {
    let place = Place::new().await;
    assert_eq!(place.run(&["serv"]).status.code(), Some(2));
    assert_eq!(place.run(&["preview"]).status.code(), Some(2));
    assert_eq!(place.run(&["--help"]).status.code(), Some(0));
}
