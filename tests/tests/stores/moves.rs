//! The way of an index from one store to another and into a backup and back, by the broker's own program.

use super::section;
use crate::servers::{ROOT_PASSWORD, Server};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};
use tests::bench::{load::Target, rig::Rig};

/// Runs `severn-broker index …`; gives what it said, and whether it succeeded.
fn index(action: &str, data: &Path, file: &Path) -> (bool, String) {
    let direction = if ["export", "backup"].contains(&action) { "--out" } else { "--in" };
    let run = Command::new(env!("CARGO_BIN_EXE_party"))
        .args(["severn-broker", "index", action, "--config"])
        .arg(data.join("broker.toml"))
        .arg(direction)
        .arg(file)
        .output()
        .expect("the program runs");
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn done(action: &str, data: &Path, file: &Path) -> String {
    let (success, said) = index(action, data, file);
    assert!(success, "{action}: {said}");
    said
}

fn refused(action: &str, data: &Path, file: &Path) -> String {
    let (success, said) = index(action, data, file);
    assert!(!success, "{action} should have been refused: {said}");
    said
}

/// A broker's folder with a configuration; the broker that made it has ended.
pub async fn folder(rig: &Rig, name: &str, ports: &[String]) -> PathBuf {
    let data = rig.folder.join(name);
    fs::create_dir_all(&data).expect("a folder");
    drop(rig.broker_in(&data, ports).await.expect("the broker starts"));
    data
}

async fn knows_the_person(rig: &Rig, data: &Path, ports: &[String]) -> bool {
    let (_broker, port) = rig.broker_in(data, ports).await.expect("the broker starts");
    let target = Target::new(rig, port, true).expect("a target");
    target.knows(Rig::source_id(0), "1".into()).await
}

#[tokio::test]
async fn an_index_moves_to_a_database_and_back_and_out_of_a_backup() {
    let temporary = tempfile::tempdir().expect("a folder");
    let server = Server::postgres();
    let mut rig = Rig::new(temporary.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 2).expect("a rig");
    let (_adapters, ports) = rig.adapters(2).expect("adapters");
    let file = |name: &str| temporary.path().join(name);

    // While the broker runs.
    let (broker, _) = rig.broker_over(&ports).await.expect("the broker starts");
    let embedded = file("broker-2");
    let counts = "3 events and the positions of 2 feeds";
    assert!(done("export", &embedded, &file("export")).contains(&format!("{counts} exported")));
    assert!(done("backup", &embedded, &file("backup")).contains(&format!("{counts} backed up")));
    for made in ["export", "backup"] {
        let mode = fs::metadata(file(made)).expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{made} is for its owner only");
    }
    assert!(refused("export", &embedded, &file("export")).contains("is there already"));
    assert!(refused("import", &embedded, &file("export")).contains("another process has the index"));
    assert!(refused("restore", &embedded, &file("backup")).contains("another process has the index"));
    drop(broker);
    assert!(refused("import", &embedded, &file("export")).contains("not empty: it holds 3 events"));

    // Into a database, and out of it: the same file.
    let password = file("database-password");
    fs::write(&password, ROOT_PASSWORD).expect("a file");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("may close the file");
    rig.index = format!("[index.postgres]\npassword_file = {password:?}\n{}", section(&server, "severn"));
    let shared = folder(&rig, "shared", &ports).await;
    spoilt_files_change_nothing(&shared, &file("export"), &file("spoilt"));
    assert!(done("import", &shared, &file("export")).contains(&format!("{counts} imported")));
    assert!(knows_the_person(&rig, &shared, &ports).await);
    done("backup", &shared, &file("second"));
    assert_eq!(fs::read(file("second")).expect("a file"), fs::read(file("export")).expect("a file"));
    assert!(refused("import", &shared, &file("export")).contains("not empty"));
    assert!(done("restore", &shared, &file("second")).contains(&format!("{counts} restored")));
    assert!(knows_the_person(&rig, &shared, &ports).await);
    assert!(refused("restore", &shared, &file("backup")).contains("is no export of an index"));

    // Into another folder, by import and by restore.
    rig.index.clear();
    for (action, from) in [("import", "second"), ("restore", "backup")] {
        let data = folder(&rig, action, &ports).await;
        assert!(!knows_the_person(&rig, &data, &ports).await);
        assert!(done(action, &data, &file(from)).contains(counts));
        assert!(knows_the_person(&rig, &data, &ports).await);
    }
    let said = refused("restore", &file("restore"), &file("export"));
    assert!(said.contains("nothing was restored, the index is as it was"), "{said}");
    assert!(knows_the_person(&rig, &file("restore"), &ports).await);
}

fn spoilt_files_change_nothing(data: &Path, good: &Path, spoilt: &Path) {
    let text = fs::read_to_string(good).expect("a file");
    for changed in [&text[..text.len() / 2], &text.replacen("\"sequence\":2", "\"sequence\":3", 1), ""] {
        fs::write(spoilt, changed).expect("a file");
        for action in ["import", "restore"] {
            let said = refused(action, data, spoilt);
            assert!(said.contains("nothing was"), "{said}");
        }
    }
}
