//! What is done to an index from files, by the broker's own program: loading people, superseding numbers, and learning,
//! signing and taking a model.

use super::moves::folder;
use std::{fs, path::Path, path::PathBuf, process::Command};
use tests::bench::rig::Rig;

/// Runs `severn-broker …`; gives what it said, and whether it succeeded.
fn run(data: &Path, arguments: &[&str], file: Option<&Path>) -> (bool, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_party"))
        .arg("severn-broker")
        .args(arguments)
        .args(file)
        .arg("--config")
        .arg(data.join("broker.toml"))
        .output()
        .expect("the program runs");
    let said = [run.stdout, run.stderr].concat();
    (run.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn done(data: &Path, arguments: &[&str], file: Option<&Path>) -> String {
    let (success, said) = run(data, arguments, file);
    assert!(success, "{arguments:?}: {said}");
    said
}

fn refused(data: &Path, arguments: &[&str], file: Option<&Path>) -> String {
    let (success, said) = run(data, arguments, file);
    assert!(!success, "{arguments:?} should have been refused: {said}");
    said
}

const PEOPLE: &str = "\
local_id,source,nhs_number,nhs_number_verified,given,family,birth_date,sex,line1,postcode
1,RRK,9434765919,01,Rosalind,Featherstone,14/03/1958,F,14 Rise Road,LS6 2AB
2,RRK,,,Ian,Ogden,1971-01-09,M,3 Mill Lane,HU1 1AA
3,,9990000018,01,Rosalind,Featherstone,19580314,F,14 Rise Road,LS6 2AB
4,RRK,,,Ian,Ogden,9th of January,M,3 Mill Lane,HU1 1AA
2,RRK,,,Another,Ogden,1971-01-09,M,3 Mill Lane,HU1 1AA
,RRK,,,Nobody,Ogden,1971-01-09,M,3 Mill Lane,HU1 1AA
";

#[tokio::test]
async fn an_index_is_looked_after_from_files() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(temporary.path(), PathBuf::from(env!("CARGO_BIN_EXE_party")), 1).expect("a rig");
    rig.index = "[index]\nmodel_keys = [\"statement.jwk\"]\n".into();
    let data = folder(&rig, "broker", &[]).await;
    let file = |name: &str, text: &str| {
        let path = temporary.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };

    let people = file("people.csv", PEOPLE);
    let load = ["index", "load", "--source", "GP", "--in"];
    let said = done(&data, &load, Some(&people));
    assert!(said.contains("6 lines read, 3 registrations new or changed, 3 lines refused"), "{said}");
    for named in ["line 5: registered.demographics.birth_date", "line 6: stands twice", "line 7: registered.local_id"] {
        assert!(said.contains(named), "{said}");
    }
    assert!(!said.contains("Ogden"), "nothing of a person is repeated: {said}");
    assert!(done(&data, &load, Some(&people)).contains("0 registrations new or changed"));
    assert!(refused(&data, &["index", "load", "--in"], Some(&people)).contains("line 4: no source"));

    let numbers =
        file("numbers.csv", "old,current\n9434765919,9990000018\n9434765918,9990000018\n9990000018,9434765919\n");
    let supersede = ["index", "supersede", "--by", "S1", "--in"];
    let said = done(&data, &supersede, Some(&numbers));
    assert!(said.contains("1 numbers superseded, 0 known before, 2 lines refused"), "{said}");
    assert!(said.contains("line 3: `old` is no NHS number") && said.contains("line 4: the new number was"), "{said}");
    assert!(done(&data, &supersede, Some(&numbers)).contains("0 numbers superseded, 1 known before"));

    assert!(done(&data, &["index", "model", "show"], None).starts_with("model uk-"));
    let model = temporary.path().join("model.json");
    let said = done(&data, &["index", "train", "--version", "ours", "--out"], Some(&model));
    assert!(said.contains("model ours, learned on 3 registrations") && said.contains("signed by"), "{said}");
    let take = ["index", "model", "take"];
    let key = data.join("statement.jwk");
    assert!(refused(&data, &take, Some(&model)).contains("index.model_keys"), "the key is not there");
    fs::write(&key, done(&data, &["key"], None)).expect("a file");
    let said = done(&data, &take, Some(&model));
    assert!(said.contains(" to ours: ") && said.contains("nothing was changed"), "{said}");
    assert!(done(&data, &["index", "model", "show"], None).starts_with("model uk-"));
    done(&data, &["index", "model", "take", "--yes"], Some(&model));
    assert!(done(&data, &["index", "model", "show"], None).starts_with("model ours\n"));
    assert!(done(&data, &take, Some(&model)).contains("scores already"));

    let text = fs::read_to_string(&model).expect("a file");
    let changed = file("changed.json", &text.replacen("\"review_min\": 0.5", "\"review_min\": 0.6", 1));
    assert!(refused(&data, &take, Some(&changed)).contains("changed after it was signed"));
    let signature = text.find("  \"signature\"").expect("it is signed");
    let unsigned = format!("{}\n}}", text[..signature].trim_end().trim_end_matches(','));
    let unsigned = file("unsigned.json", &unsigned);
    assert!(refused(&data, &take, Some(&unsigned)).contains("not signed"));
    let other =
        Rig::new(&temporary.path().join("other"), PathBuf::from(env!("CARGO_BIN_EXE_party")), 1).expect("a rig");
    let other = folder(&other, "broker", &[]).await;
    fs::write(&key, done(&other, &["key"], None)).expect("a file");
    assert!(refused(&data, &take, Some(&model)).contains("none of the keys"));
    done(&data, &["index", "model", "take", "--yes", "built-in"], None);
    assert!(done(&data, &["index", "model", "show"], None).starts_with("model uk-"));
}
