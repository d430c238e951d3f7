//! The demo as a reader runs it: the broker and 13 adapters as processes of their own.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use demo::settings::{APP, AUDIENCE, BROKER, CLINICIAN, ISSUER, USER};
use serde_json::{Value, json};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles};
use severn_proto::v1::{FindPersonRequest, PurposeOfUse, RequestContext, record_broker_client::RecordBrokerClient};
use severn_trust::{Clock as _, Commitments, Proof, SigningKey, SystemClock, SystemEntropy, new_uuid};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};
use tonic::{Code, Status, transport::Channel};

fn demo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_demo"))
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn every_planted_finding_is_shown_and_the_trail_shows_tampering() {
    let folder = tempfile::tempdir().unwrap();
    // What is written at the most talkative level is searched below.
    let mut talkative = demo();
    talkative.env("RUST_LOG", "debug").args(["--once", "--json", "--people", "300", "--folder"]).arg(folder.path());
    let output = run(&mut talkative);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["all_findings_shown"], true, "{document:#}");
    assert_eq!(document["sources"].as_array().unwrap().len(), 13);
    let scenarios = document["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 5);
    for scenario in scenarios {
        assert_eq!(scenario["record"]["complete"], true, "{}", scenario["name"]);
    }
    assert!(nobody_listens(folder.path()), "a process was left behind");
    no_content_is_left(folder.path(), &document["scenarios"]);

    let config = folder.path().join("broker/broker.toml");
    let verify = || run(demo().args(["broker", "audit", "verify", "--config"]).arg(&config)).status.success();
    assert!(verify());
    reconciled_and_exported(folder.path(), &config);
    let trail = folder.path().join("broker/data/audit.log");
    let mut bytes = fs::read(&trail).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&trail, bytes).unwrap();
    assert!(!verify(), "one changed byte must be found");
}

/// Nothing that was shown stands in the broker's folder, or in the log of any process.
fn no_content_is_left(folder: &Path, shown: &Value) {
    let mut texts = BTreeSet::new();
    collect(shown, &mut texts);
    // An entry may name a practice, and so does the list of sources.
    let sources = fs::read_to_string(folder.join("broker/broker.toml")).unwrap();
    texts.retain(|text| !sources.contains(text));
    let read = |places: &[&str]| -> Vec<(PathBuf, Vec<u8>)> {
        let files = places.iter().flat_map(|place| files_below(&folder.join(place)));
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    };
    let stands_in = |text: &str, bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    let (left, held) = (read(&["broker", "logs"]), read(&["sources"]));
    for (file, bytes) in &left {
        let found = texts.iter().find(|text| stands_in(text, bytes));
        assert_eq!(found, None, "{}", file.display());
    }
    assert!(
        left.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 100_000,
        "the logs say less than they should here"
    );
    let there = texts.iter().filter(|text| held.iter().any(|(_, bytes)| stands_in(text, bytes)));
    assert!(there.count() > 12, "a search that finds nothing in the sources proves nothing: {texts:?}");
}

/// The words of entries, long enough that they stand nowhere by chance.
fn collect(shown: &Value, texts: &mut BTreeSet<String>) {
    match shown {
        Value::Array(all) => all.iter().for_each(|one| collect(one, texts)),
        Value::Object(all) => {
            for (key, value) in all {
                match value.as_str() {
                    Some(text) if ["text", "display", "narrative"].contains(&key.as_str()) && text.len() >= 12 => {
                        texts.insert(text.to_owned());
                    }
                    _ => collect(value, texts),
                }
            }
        }
        _ => {}
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Every adapter's own word on what it released agrees with the broker's trail, and both can be exported.
fn reconciled_and_exported(folder: &Path, broker: &Path) {
    let period = ["--since", "2000-01-01", "--until", "2100-01-01", "--out"];
    let out = folder.join("broker.ndjson");
    let exported = run(demo().args(["broker", "audit", "export", "--config"]).arg(broker).args(period).arg(&out));
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let events = fs::read_to_string(&out).unwrap();
    let first: serde_json::Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(first["resourceType"], "AuditEvent");
    let mut reconcile = demo();
    reconcile.args(["broker", "audit", "reconcile", "--config"]).arg(broker);
    let mut extracts = 0;
    for entry in fs::read_dir(folder.join("sources")).unwrap() {
        let config = entry.unwrap().path().join("adapter.toml");
        let out = config.with_file_name("released.json");
        let extract = run(demo().args(["adapter", "audit", "extract", "--config"]).arg(&config).args(period).arg(&out));
        if extract.status.success() {
            reconcile.arg("--adapter").arg(out);
            extracts += 1;
        }
    }
    let said = run(&mut reconcile);
    assert!(extracts >= 12 && said.status.success(), "{extracts}: {}", String::from_utf8_lossy(&said.stdout));
    assert!(String::from_utf8_lossy(&said.stdout).contains("broker and adapters agree on"));
}

#[test]
fn nothing_is_left_when_it_is_interrupted_or_killed() {
    for how in ["-INT", "-KILL"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = staying_up(folder.path());
        assert!(!nobody_listens(folder.path()), "it should be up now");
        let told = run(Command::new("kill").args([how, &child.id().to_string()]));
        assert!(told.status.success());
        let status = child.wait().unwrap();
        assert_eq!(status.success(), how == "-INT", "{how}: {status}");
        let gone = (0..100).any(|_| {
            sleep(Duration::from_millis(50));
            nobody_listens(folder.path())
        });
        assert!(gone, "{how}: a process was left behind");
    }
}

/// A demo that has shown its records and stays up.
fn staying_up(folder: &Path) -> Child {
    let mut command = demo();
    command.args(["--people", "100", "--folder"]).arg(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let stays = lines.by_ref().map_while(Result::ok).any(|line| line.contains("stays up until Ctrl-C"));
    std::thread::spawn(move || lines.for_each(drop));
    assert!(stays, "it ended before it had shown everything: {:?}", child.try_wait());
    child
}

/// Whether no party of the federation in `folder` takes connections.
fn nobody_listens(folder: &Path) -> bool {
    let config: toml::Table = toml::from_str(&fs::read_to_string(folder.join("broker/broker.toml")).unwrap()).unwrap();
    let sources = config["sources"].as_array().unwrap().iter().map(|source| &source["address"]);
    let addresses = sources.chain([&config["listen"]["address"]]).map(|address| address.as_str().unwrap());
    addresses.into_iter().all(|address| TcpStream::connect(address).is_err())
}

/// What the demo's own keys make of a question, with one thing wrong.
struct Asking {
    issuer: SigningKey,
    app: SigningKey,
    broker: RecordBrokerClient<Channel>,
}

impl Asking {
    fn of(folder: &Path) -> Asking {
        let keys = folder.join("keys");
        let key = |name: &str| SigningKey::from_pem(&fs::read_to_string(keys.join(name)).unwrap()).unwrap();
        let tls = Tls::load(&TlsFiles {
            certificate: keys.join(format!("app-{APP}.pem")),
            key: keys.join(format!("app-{APP}.key")),
            authorities: keys.join("authority.pem"),
            denied: None,
        });
        let config: toml::Table =
            toml::from_str(&fs::read_to_string(folder.join("broker/broker.toml")).unwrap()).unwrap();
        let dialler = TlsDialler::new(tls.unwrap(), Duration::from_secs(5));
        let address = config["listen"]["address"].as_str().unwrap();
        let channel = dialler.dial(address, &Identity::Broker(BROKER.into())).unwrap();
        Asking { issuer: key("issuer.key"), app: key("app-signing.key"), broker: RecordBrokerClient::new(channel) }
    }

    fn claims(&self) -> Value {
        let now = SystemClock.now_s();
        json!({
            "iss": ISSUER, "sub": USER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 120, "jti": new_id(),
            "name": "Dr Sam Hollis", "role": CLINICIAN, "org": "RRK", "purpose": "direct_care",
            "cnf": { "jwk": self.app.public().jwk() },
        })
    }

    fn context(&self, user_token: String) -> RequestContext {
        let person = Commitments::default();
        let proof = Proof {
            query_id: new_id().parse().unwrap(),
            issued_s: SystemClock.now_s(),
            datasets: Vec::new(),
            purpose: PurposeOfUse::DirectCare,
            person,
            challenge: None,
            opening: None,
        };
        let request_proof = proof.sign(&self.app, &user_token).unwrap();
        RequestContext { user_token, request_proof }
    }

    async fn ask(&mut self, context: RequestContext) -> Result<(), Status> {
        let (nhs_number, birth_date) = ("9990000018".into(), "1958-03-14".into());
        let question =
            FindPersonRequest { context: Some(context), nhs_number, birth_date, ..FindPersonRequest::default() };
        self.broker.find_person(question).await.map(drop)
    }
}

fn new_id() -> String {
    new_uuid(&SystemClock, &SystemEntropy::default()).to_string()
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_refused_in_words_that_reveal_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = staying_up(folder.path());
    let mut asking = Asking::of(folder.path());
    let sign = |key: &SigningKey, claims: &Value| key.sign("JWT", claims).unwrap();
    let (claims, issuer) = (asking.claims(), asking.issuer.clone());
    let with = |name: &str, value: Value| {
        let mut changed = claims.clone();
        changed[name] = value;
        changed
    };
    let good = asking.context(sign(&issuer, &claims));
    asking.ask(good.clone()).await.expect("the true one is answered");

    let long_ago = SystemClock.now_s() - 600;
    let mut expired = with("exp", json!(long_ago + 120));
    (expired["iat"], expired["nbf"]) = (json!(long_ago), json!(long_ago));
    let token = sign(&issuer, &claims);
    let rest = token.split_once('.').unwrap().1.rsplit_once('.').unwrap().0.to_owned();
    for (what, token, says) in [
        ("a stranger's", sign(&asking.app, &claims), "does not trust"),
        ("an expired one", sign(&issuer, &expired), "expired"),
        ("one with alg:none", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{rest}."), "another type or algorithm"),
        ("another organisation's", sign(&issuer, &with("org", json!("RXX"))), "does not speak for"),
        ("one for another federation", sign(&issuer, &with("aud", json!("elsewhere"))), "another audience"),
    ] {
        let refused = asking.ask(asking.context(token)).await.expect_err(what);
        assert_eq!(refused.code(), Code::Unauthenticated, "{what}: {}", refused.message());
        assert!(refused.message().contains(says), "{what}: {}", refused.message());
        for secret in ["9990000018", "RRK", "RXX", ISSUER, "Hollis", "1958"] {
            assert!(!refused.message().contains(secret), "{what}: {}", refused.message());
        }
    }
    let replayed = asking.ask(good).await.expect_err("a question that was answered");
    assert!(replayed.message().contains("answered before"), "{}", replayed.message());
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_command_line_is_signed_in_and_can_break_the_glass() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = staying_up(folder.path());
    let config = folder.path().join("severn.toml");
    let severn = |words: &[&str]| run(demo().args(["severn", "--config"]).arg(&config).args(words));
    let person = ["--nhs", "9990000018", "--born", "1958-03-14"];
    let asked = severn(&[&["find"], person.as_slice()].concat());
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let reason = ["--code", "emergency_treatment", "--reason", "found in the street"];
    let broken = severn(&[&["break-glass"], person.as_slice(), &reason].concat());
    assert!(broken.status.success(), "{}", String::from_utf8_lossy(&broken.stderr));
    assert!(severn(&["logout"]).status.success());
    let refused = severn(&["sources"]);
    assert!(!refused.status.success());
    assert_eq!(String::from_utf8_lossy(&refused.stderr), "severn: nobody is signed in; run `severn login`\n");
    let priya = severn(&["login", "--as", "u-200317"]);
    assert_eq!(String::from_utf8_lossy(&priya.stdout), "You are signed in as Priya Nair.\n");
    assert!(severn(&["sources"]).status.success());
    let no_role = severn(&["--role", CLINICIAN, "sources"]);
    assert!(String::from_utf8_lossy(&no_role.stderr).contains("you hold no such role here"), "{no_role:?}");
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "x").unwrap();
    let output = run(demo().args(["--once", "--folder"]).arg(folder.path()));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}
