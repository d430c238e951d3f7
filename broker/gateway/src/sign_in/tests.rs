use super::*;
use serde_json::{Value, json};
use severn_trust::SigningKey;

const NOW_S: i64 = 1_800_000_000;
const ISSUER: &str = "https://sign-in.example";

fn key() -> SigningKey {
    SigningKey::from_pem(&rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap()
}

fn keys(of: &[&SigningKey]) -> JwkSet {
    JwkSet { keys: of.iter().map(|key| key.public().jwk()).collect() }
}

/// As NHS CIS2 writes it.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "910000000001", "aud": "severn", "iat": NOW_S, "exp": NOW_S + 3600, "auth_time": NOW_S - 5,
        "name": "Dr Asha Example", "nhsid_useruid": "555021935107", "idassurancelevel": "3",
        "selected_roleid": "555254240100",
        "nhsid_nrbac_roles": [{
            "person_orgid": "1", "person_roleid": "555254240100", "org_code": "RRK", "role_name": "Consultant",
            "role_code": "S8000:G8000:R8000", "activity_codes": ["B0264"], "workgroups_codes": ["WG1"],
        }],
    })
}

fn verify(token: &str, keys: &JwkSet) -> Result<SignedIn, SignInError> {
    Believed { issuer: ISSUER, client_id: "severn", keys }.verify(token, NOW_S)
}

#[test]
fn what_the_sign_in_says_is_read_with_its_roles() {
    let issuer = key();
    let said = verify(&issuer.sign("JWT", &claims()).unwrap(), &keys(&[&key(), &issuer])).unwrap();
    assert_eq!((said.id.as_str(), said.name.as_str(), said.assurance), ("555021935107", "Dr Asha Example", 3));
    assert_eq!((said.at_s, said.until_s), (Some(NOW_S - 5), NOW_S + 3600));
    let role = &said.roles[0];
    assert_eq!((role.code.as_str(), role.organisation.as_str()), ("S8000:G8000:R8000", "RRK"));
    assert!(role.activities.contains("B0264") && role.workgroups.contains("WG1"));
    assert_eq!(said.chosen.as_deref(), Some(role.id.as_str()));
}

#[test]
fn a_sign_in_that_does_not_hold_is_refused() {
    use SignInError::{Nameless, NotBelieved, OtherClient, WrongTime};
    let issuer = key();
    for (name, value, expected) in [
        ("iss", json!("https://other.example"), Some(NotBelieved)),
        ("aud", json!("another-client"), Some(OtherClient)),
        ("aud", json!(["severn"]), None),
        ("aud", json!(["severn", "another"]), Some(OtherClient)),
        ("aud", json!(7), Some(NotBelieved)),
        ("azp", json!("another"), Some(OtherClient)),
        ("exp", json!(NOW_S), Some(WrongTime)),
        ("iat", json!(NOW_S + 31), Some(WrongTime)),
        ("name", json!(" "), Some(Nameless)),
        ("nhsid_useruid", json!(""), Some(Nameless)),
        ("nhsid_nrbac_roles", json!([]), None),
        ("nhsid_nrbac_roles", json!([{ "role_code": "R1" }]), Some(NotBelieved)),
        ("idassurancelevel", json!("high"), None),
    ] {
        let mut changed = claims();
        changed[name] = value.clone();
        let verified = verify(&issuer.sign("JWT", &changed).unwrap(), &keys(&[&issuer]));
        assert_eq!(verified.err(), expected, "{name}: {value}");
    }
}

#[test]
fn keys_and_algorithms_are_those_of_the_issuer() {
    let (issuer, other) = (key(), key());
    let good = issuer.sign("JWT", &claims()).unwrap();
    let believed = keys(&[&issuer]);
    assert_eq!(verify(&other.sign("JWT", &claims()).unwrap(), &believed), Err(SignInError::NotBelieved));
    assert_eq!(verify(&good, &JwkSet { keys: Vec::new() }), Err(SignInError::NotBelieved));
    let (_, rest) = good.split_once('.').unwrap();
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"ES256","crit":["x"]}"#] {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        assert_eq!(verify(&forged, &believed), Err(SignInError::NotBelieved), "{header}");
    }
    assert_eq!(verify(&good[..good.len() - 8], &believed), Err(SignInError::NotBelieved));
    assert_eq!(verify(&"x".repeat(1 << 20), &believed), Err(SignInError::NotBelieved));
    let whose = Believed { issuer: ISSUER, client_id: "severn", keys: &believed };
    assert!(whose.lacks_key_of(&other.sign("JWT", &claims()).unwrap()) && !whose.lacks_key_of(&good));
}

#[test]
fn nobody_signed_in_tomorrow() {
    let issuer = key();
    let mut changed = claims();
    changed["auth_time"] = json!(NOW_S + 86_400);
    assert_eq!(verify(&issuer.sign("JWT", &changed).unwrap(), &keys(&[&issuer])).unwrap().at_s, None);
}
