use super::*;
use severn_trust::PublicKey;
use tempfile::TempDir;

const NOW: i64 = 1_795_000_000;

/// The commands as somebody types them.
#[derive(clap::Parser)]
struct Typed {
    #[command(subcommand)]
    command: Workbench,
}

fn run(folder: &TempDir, line: &str) -> Result<String, String> {
    let words = line.split(' ').map(|word| match word.strip_prefix('@') {
        Some(file) => folder.path().join(file).display().to_string(),
        None => word.to_owned(),
    });
    let typed = <Typed as clap::Parser>::try_parse_from(std::iter::once("policy".to_owned()).chain(words));
    let typed = typed.map_err(|error| error.to_string())?;
    typed.command.run(NOW).map_err(|error| error.to_string())
}

fn change(folder: &TempDir, file: &str, from: &str, to: &str) {
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds no {from:?}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn every_starter_is_good_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (name, ..) in STARTERS {
        run(&folder, &format!("starter {name} @{name}")).unwrap();
        let said = run(&folder, &format!("check @{name}")).unwrap();
        assert!(said.contains("good;"), "{said}");
    }
    assert!(run(&folder, "starter prison @prison").unwrap_err().contains("there are region, safeguarding"));
    assert!(run(&folder, "starter council @council").is_err(), "a folder that is there is not written over");
}

#[test]
fn a_bundle_is_signed_and_explained_as_its_folder_is() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder, "starter region @region").unwrap();
    fs::write(folder.path().join("key"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let said = run(&folder, "sign @region --key @key --out @region.bundle").unwrap();
    assert!(said.contains("version 1 of region"), "{said}");
    let key = PublicKey::from_json(run(&folder, "key @key").unwrap().trim()).unwrap();
    let signed = fs::read_to_string(folder.path().join("region.bundle")).unwrap();
    let opened = Bundle::open(&signed, &[key], "region").unwrap();
    assert_eq!((opened.version, opened.issued_s), (1, NOW));
    assert!(run(&folder, "check @region.bundle").unwrap().contains("good;"));
    assert_eq!(run(&folder, "diff @region @region.bundle").unwrap(), "Nobody sees more or less.\n");

    let of = |more: &str| {
        run(&folder, &format!("explain @region.bundle --role S8000:G8000:R8000 --dataset allergies{more}")).unwrap()
    };
    assert!(of("").contains("withheld; may be opened with a reason"), "{}", of(""));
    assert!(of("").contains("by \"only with a relationship\": Nobody looks at people"), "{}", of(""));
    let related = of(" --relationship registered");
    assert!(
        related.contains("allergies                seen\n") && related.contains("clinicians in direct care"),
        "{related}"
    );
    assert!(of(" --breaking-glass").contains("seen (banner, log_sensitive)"));
    assert!(of(" --relationship registered --label sexual_health").contains("not for this role"));
    let workgroup = of(" --relationship registered --label sexual_health --workgroup sexual-health");
    assert!(workgroup.contains("seen\n"), "{workgroup}");
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder, "starter council @council").unwrap();
    for (file, from, to, expected) in [
        ("council/policy.cedar", "permit", "allow", "cannot be read as Cedar"),
        ("council/policy.cedar", "context.purpose", "context.reason", "attribute `reason`"),
        ("council/bundle.toml", "version", "versoin", "unknown field"),
        ("council/bundle.toml", "2027-12-31", "2025-12-31", "it has ended"),
        ("council/bundle.toml", "\"social worker\"", "\"clinician\"", "is used twice"),
    ] {
        let before = fs::read(folder.path().join(file)).unwrap();
        change(&folder, file, from, to);
        let said = run(&folder, "check @council").unwrap_err();
        assert!(said.contains(expected), "{said}");
        fs::write(folder.path().join(file), before).unwrap();
    }
    for (line, expected) in [
        ("check @nowhere", "nowhere"),
        ("check @council/bundle.toml", "neither a folder of policies nor a signed bundle"),
        ("explain @council --role R --dataset allergy", "--dataset: \"allergy\" is not known"),
        ("explain @council --role R --purpose fun", "is not known; see --help"),
        ("sign @council --key @council/bundle.toml --out @out", "bundle.toml"),
    ] {
        let said = run(&folder, line).unwrap_err();
        assert!(said.contains(expected), "{line}: {said}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_comparison_names_who_sees_more_and_who_sees_less() {
    let folder = tempfile::tempdir().unwrap();
    run(&folder, "starter mental-health-trust @old").unwrap();
    run(&folder, "starter mental-health-trust @new").unwrap();
    change(&folder, "new/policy.cedar", r#"["normal", "mental_health"].contains"#, r#"["normal", "custody"].contains"#);
    let said = run(&folder, "diff @old @new").unwrap();
    assert!(said.contains("clinician, direct_care\n"), "{said}");
    assert!(said.contains("  MORE  problems (custody): "), "{said}");
    assert!(said.contains("  less  problems (mental_health): such as no workgroup"), "{said}");
    assert!(!said.contains("social worker") && said.contains("clinician, emergency\n"), "{said}");
    let back = run(&folder, "diff @new @old").unwrap();
    assert!(back.contains("  less  problems (custody)") && back.contains("  MORE  problems (mental_health)"), "{back}");
}
