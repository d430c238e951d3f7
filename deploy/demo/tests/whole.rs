//! The demo as a reader runs it: the broker and 13 adapters as processes of their own.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

fn demo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_demo"))
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn every_planted_finding_is_shown_and_the_trail_shows_tampering() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(demo().args(["--once", "--json", "--people", "300", "--folder"]).arg(folder.path()));
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

#[test]
fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine"), "x").unwrap();
    let output = run(demo().args(["--once", "--folder"]).arg(folder.path()));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not empty"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}
