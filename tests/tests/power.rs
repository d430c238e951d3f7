//! Real processes and sockets: an adapter that loses power or freezes while a query runs, and a client in another
//! language that retrieves a record from the real broker.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

use severn_client::{Answer, Client, FixedToken, Found, Record, Search};
use severn_link::{Dialler as _, Tls, TlsDialler};
use severn_proto::v1::{Outcome, PurposeOfUse, ReasonCode};
use severn_trust::{ALL_DATASETS, SystemClock, SystemEntropy};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tests::bench::{
    canned::{HELD, person},
    rig::{Process, Rig},
};
use tokio::time::Instant;

const DEADLINE: Duration = Duration::from_secs(3);

/// Three adapters in processes of their own, the third of which answers after a while, and a broker.
struct Federation {
    rig: Rig,
    _folder: TempDir,
    adapters: Vec<Process>,
    _broker: Process,
    port: u16,
}

async fn start(third_delay_ms: u64) -> Federation {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(folder.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 3).expect("a rig");
    let started = [0, 0, third_delay_ms].into_iter().enumerate().map(|(n, delay)| rig.adapter(n, delay));
    let (adapters, ports): (Vec<_>, Vec<_>) = started.map(|started| started.expect("an adapter")).unzip();
    let (broker, port) = rig.broker_over(&ports).await.expect("a broker");
    Federation { rig, _folder: folder, adapters, _broker: broker, port }
}

impl Federation {
    fn token(&self) -> String {
        self.rig.gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1)
    }

    fn client(&self) -> Client {
        let tls = Tls::load(&Rig::tls_files(&self.rig.folder, &Rig::app())).expect("the app's certificate");
        let dialler = TlsDialler::new(tls, Duration::from_secs(2));
        let channel = dialler.dial(&format!("127.0.0.1:{}", self.port), &Rig::broker()).expect("an address");
        let token = FixedToken(self.token());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
        Client::new(channel, self.rig.gateway.app_key.clone(), token, clock, entropy)
    }

    /// Asks, and while the query runs lets `happen` to the third adapter; gives the record and how long it took.
    async fn ask_while(&mut self, happen: fn(&mut Process)) -> (Record, Duration) {
        let client = self.client();
        let (nhs_number, birth_date) = (person().nhs_number, person().birth_date);
        let found = client.find(Search::NhsNumber { nhs_number, birth_date }).await.expect("an answer");
        let Found::One(candidate) = found else { panic!("one person: {found:?}") };
        // Every adapter is connected before anything happens to one, however slow the machine is.
        client.list_sources().await.expect("the sources");
        let asked = Instant::now();
        let (id, meant) = (candidate.enterprise_id, person());
        let asking = client.retrieve(&id, &meant, &[], DEADLINE);
        let third = &mut self.adapters[2];
        let happening = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            happen(third);
        };
        let (answer, ()) = tokio::join!(asking, happening);
        match answer.expect("an answer") {
            Answer::Complete(record) => (*record, asked.elapsed()),
            Answer::Incomplete(incomplete) => panic!("not sealed: {:?}", incomplete.flaw()),
        }
    }
}

fn third_did_not_answer(record: &Record, reasons: &[ReasonCode]) {
    let (third, others): (Vec<_>, Vec<_>) = record.ledger().rows.iter().partition(|row| row.source_id == "S002");
    assert_eq!((third.len(), others.len()), (ALL_DATASETS.len(), 2 * ALL_DATASETS.len()));
    for row in third {
        assert_eq!(row.outcome(), Outcome::NoAnswer);
        assert!(reasons.contains(&row.reasons[0].code()), "{:?}", row.reasons);
    }
    assert!(others.iter().all(|row| matches!(row.outcome(), Outcome::Answered | Outcome::AnsweredNone)));
    assert_eq!(record.sections().len(), HELD.len());
    assert!(record.summary().contains("Source 2"), "{}", record.summary());
}

#[tokio::test]
async fn an_adapter_that_loses_power_while_a_query_runs_is_told_and_the_rest_is_sealed() {
    let mut federation = start(2_000).await;
    let (record, took) = federation.ask_while(|third| third.kill().expect("it ran")).await;
    third_did_not_answer(&record, &[ReasonCode::BrokenStream, ReasonCode::Unreachable, ReasonCode::RefusedConnection]);
    assert!(took < Duration::from_secs(2), "nobody waits for the dead: {took:?}");
}

#[tokio::test]
async fn an_adapter_that_freezes_while_a_query_runs_is_told_by_the_deadline() {
    let mut federation = start(1_000).await;
    let (record, took) = federation.ask_while(|third| third.freeze().expect("it ran")).await;
    third_did_not_answer(&record, &[ReasonCode::Timeout]);
    assert!(took < DEADLINE + Duration::from_secs(1), "the deadline holds: {took:?}");
}

#[tokio::test]
async fn a_client_in_another_language_retrieves_a_sealed_record() {
    let federation = start(0).await;
    let folder = &federation.rig.folder;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(folder.join("app-signing.key"), &federation.rig.gateway.app_pem).expect("the app's key");
    std::fs::write(folder.join("token.jwt"), federation.token()).expect("the token");
    let tls = Rig::tls_files(folder, &Rig::app());
    let (person, address) = (person(), format!("127.0.0.1:{}", federation.port));
    let run = Command::new(tests.join(".tools/venv/bin/python"))
        .arg(tests.join("clients/python/retrieve.py"))
        .args(["--address", &address, "--server-name", "localhost"])
        .arg("--ca")
        .arg(&tls.authorities)
        .arg("--cert")
        .arg(&tls.certificate)
        .arg("--key")
        .arg(&tls.key)
        .arg("--app-key")
        .arg(folder.join("app-signing.key"))
        .arg("--token")
        .arg(folder.join("token.jwt"))
        .args(["--nhs", &person.nhs_number, "--born", &person.birth_date])
        .output()
        .expect("tests/.tools/venv is there: run `tests/run --install`");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    let json: serde_json::Value = serde_json::from_str(&said).expect("one JSON document");
    assert_eq!(json["complete"], true, "{said}");
    assert!(said.contains("everywhere"), "the record's content is there");
}
