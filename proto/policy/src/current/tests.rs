use super::*;
use crate::{bundle::BundleRole, facts::Asker};
use severn_proto::v1::{Dataset, PurposeOfUse};
use severn_trust::{MemoryDisk, SigningKey};

const NOW: i64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap()
}

fn bundle(version: u64) -> Bundle {
    Bundle {
        owner: "RXT".into(),
        version,
        issued_s: NOW - 60,
        expires_s: NOW + 3600,
        roles: vec![BundleRole { name: "clinician".into(), codes: vec!["R8000".into()] }],
        policies: r#"@id("all") permit (principal in Role::"clinician", action == Action::"read", resource);"#.into(),
    }
}

fn sees(current: &CurrentPolicy, now_s: i64) -> bool {
    let asker = Asker::new("R8000", PurposeOfUse::DirectCare);
    current.at(now_s).decisions(&asker, "").of(Dataset::Allergies).permits()
}

struct Owner {
    key: SigningKey,
    disk: MemoryDisk,
    current: CurrentPolicy,
}

impl Owner {
    fn new() -> Owner {
        let (key, disk) = (key(), MemoryDisk::default());
        let current = Self::current(&key, &disk);
        Owner { key, disk, current }
    }

    fn current(key: &SigningKey, disk: &MemoryDisk) -> CurrentPolicy {
        CurrentPolicy::of_bundles("RXT", vec![key.public().clone()], Arc::new(disk.clone()))
    }

    fn show(&self, bundle: &Bundle, now_s: i64) -> Result<(), BundleError> {
        self.current.show(Ok(bundle.sign(&self.key).unwrap().into_bytes()), now_s)
    }
}

#[test]
fn nothing_is_permitted_before_a_bundle_is_there_or_after_it_has_ended() {
    let owner = Owner::new();
    assert!(!sees(&owner.current, NOW));
    owner.show(&bundle(1), NOW).unwrap();
    assert!(sees(&owner.current, NOW) && sees(&owner.current, NOW + 3599));
    assert!(!sees(&owner.current, NOW + 3600));
    assert_eq!(owner.show(&bundle(1), NOW + 3600), Err(BundleError::Expired));
    assert!(owner.current.at(NOW).version().contains("no acceptable"));
}

#[test]
fn whatever_is_wrong_puts_nothing_in_force_and_the_next_good_one_mends_it() {
    let owner = Owner::new();
    let other = key();
    let good = bundle(2).sign(&owner.key).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let cases: Vec<(&str, io::Result<Vec<u8>>)> = vec![
        ("missing", Err(io::ErrorKind::NotFound.into())),
        ("empty", Ok(Vec::new())),
        ("no text", Ok(vec![0xff, 0xfe])),
        ("unsigned", Ok(serde_json::to_vec(&bundle(2)).unwrap())),
        ("another's key", Ok(bundle(2).sign(&other).unwrap().into_bytes())),
        ("changed", Ok(format!("{head}.A{rest}").into_bytes())),
        ("too large", Ok(vec![b'a'; crate::BUNDLE_BYTES_MAX + 1])),
        ("another's", Ok(Bundle { owner: "RJC".into(), ..bundle(2) }.sign(&owner.key).unwrap().into_bytes())),
        ("ended", Ok(Bundle { expires_s: NOW, ..bundle(2) }.sign(&owner.key).unwrap().into_bytes())),
        ("no policy", Ok(Bundle { policies: "permit".into(), ..bundle(2) }.sign(&owner.key).unwrap().into_bytes())),
        ("rolled back", Ok(bundle(1).sign(&owner.key).unwrap().into_bytes())),
    ];
    for (name, found) in cases {
        owner.show(&bundle(2), NOW).unwrap();
        assert!(sees(&owner.current, NOW), "before {name}");
        assert!(owner.current.show(found, NOW).is_err(), "{name}");
        assert!(!sees(&owner.current, NOW), "{name}");
    }
}

#[test]
fn a_version_that_was_in_force_is_remembered_over_a_restart() {
    let owner = Owner::new();
    owner.show(&bundle(7), NOW).unwrap();
    let again = Owner { current: Owner::current(&owner.key, &owner.disk), ..owner };
    assert_eq!(again.show(&bundle(6), NOW), Err(BundleError::RolledBack { found: 6, seen: 7 }));
    assert!(!sees(&again.current, NOW));
    again.show(&bundle(7), NOW).unwrap();
    assert!(sees(&again.current, NOW));
    again.disk.replace(SEEN, b"many").unwrap();
    assert!(matches!(again.show(&bundle(8), NOW), Err(BundleError::Unreadable(_))));
    assert!(!sees(&again.current, NOW), "a memory that cannot be read begins nothing again");
}

#[test]
fn a_new_bundle_holds_from_the_next_decision() {
    let owner = Owner::new();
    owner.show(&bundle(1), NOW).unwrap();
    let before = owner.current.at(NOW).version().to_owned();
    owner.show(&Bundle { policies: String::new(), ..bundle(2) }, NOW).unwrap();
    assert!(!sees(&owner.current, NOW));
    assert_ne!(owner.current.at(NOW).version(), before);
    owner.show(&bundle(3), NOW).unwrap();
    assert!(sees(&owner.current, NOW));
}
