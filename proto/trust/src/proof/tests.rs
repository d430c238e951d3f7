use super::*;
use crate::keys::tests::RawKey;
use serde_json::{Value, json};

const NOW_S: i64 = 1_800_000_000;
const TOKEN: &str = "the token";

fn user(app: &RawKey) -> User {
    User {
        id: "u-123".into(),
        issuer: "https://sign-in.example".into(),
        name: "Dr A Example".into(),
        role_code: "R8000".into(),
        organisation_ods: "RRK".into(),
        assurance: 3,
        activities: std::collections::BTreeSet::new(),
        workgroups: std::collections::BTreeSet::new(),
        purpose: PurposeOfUse::DirectCare,
        token_id: "t-1".into(),
        token_sha256: sha256(&[TOKEN.as_bytes()]),
        expires_s: NOW_S + 200,
        app_key: app.key().public().clone(),
        authenticated_s: None,
    }
}

fn proof() -> Proof {
    Proof {
        query_id: Uuid::from_u128(7),
        issued_s: NOW_S,
        datasets: vec![Dataset::Allergies, Dataset::Medications],
        purpose: PurposeOfUse::DirectCare,
        person: Commitments { salt: "AAAAAAAAAAAAAAAAAAAAAA".into(), nhs: Some("n".into()), ..Commitments::default() },
        challenge: None,
        opening: None,
    }
}

fn payload() -> Value {
    json!({
        "ath": URL_SAFE_NO_PAD.encode(sha256(&[TOKEN.as_bytes()])), "qid": Uuid::from_u128(7), "iat": NOW_S, "datasets": ["allergies"], "purpose": "direct_care",
        "person": { "salt": "AAAAAAAAAAAAAAAAAAAAAA", "nhs": "n" },
    })
}

const HEADER: &str = r#"{"alg":"ES256","typ":"severn-proof+jwt"}"#;

#[test]
fn what_was_signed_is_what_is_read() {
    let app = RawKey::new();
    let jws = proof().sign(&app.key(), TOKEN).unwrap();
    assert_eq!(Proof::verify(&jws, &user(&app), NOW_S), Ok(proof()));
    let by_hand = app.sign(HEADER, &payload().to_string());
    assert!(Proof::verify(&by_hand, &user(&app), NOW_S).is_ok());
}

#[test]
fn a_proof_of_another_key_or_kind_is_refused() {
    let (app, other) = (RawKey::new(), RawKey::new());
    let verify = |jws: &str| Proof::verify(jws, &user(&app), NOW_S).err();
    let good = proof().sign(&app.key(), TOKEN).unwrap();
    assert_eq!(verify(""), Some(ProofError::Missing));
    assert_eq!(verify(&proof().sign(&other.key(), TOKEN).unwrap()), Some(ProofError::Key(KeyError::WrongSignature)));
    let token = app.sign(r#"{"alg":"ES256","typ":"JWT"}"#, &payload().to_string());
    assert_eq!(verify(&token), Some(ProofError::Key(KeyError::WrongHeader)));
    let unsigned = crate::keys::tests::encode(r#"{"alg":"none","typ":"severn-proof+jwt"}"#, &payload().to_string());
    assert_eq!(verify(&format!("{unsigned}.")), Some(ProofError::Key(KeyError::WrongHeader)));
    let (_, signature) = good.rsplit_once('.').unwrap();
    let widened = crate::keys::tests::encode(HEADER, &payload().to_string());
    assert_eq!(verify(&format!("{widened}.{signature}")), Some(ProofError::Key(KeyError::WrongSignature)));
    assert_eq!(verify(&"x".repeat(1 << 20)), Some(ProofError::Key(KeyError::Malformed)));
}

#[test]
fn payloads_that_do_not_hold_are_refused() {
    use ProofError::{Key, OtherToken, WrongPayload, WrongPurpose, WrongTime};
    let app = RawKey::new();
    let unreadable = Key(KeyError::WrongPayload);
    for (name, value, expected) in [
        ("iat", json!(NOW_S - 31), WrongTime),
        ("iat", json!(NOW_S + 31), WrongTime),
        ("iat", json!(i64::MIN), WrongTime),
        ("iat", json!(i64::MAX), WrongTime),
        ("iat", json!("1800000000"), unreadable),
        ("iat", Value::Null, unreadable),
        ("ath", json!(""), WrongPayload),
        ("ath", json!("%"), WrongPayload),
        ("ath", Value::Null, unreadable),
        ("ath", json!(URL_SAFE_NO_PAD.encode(sha256(&[b"another token"]))), OtherToken),
        ("qid", json!("7"), unreadable),
        ("qid", json!(""), unreadable),
        ("datasets", json!(["allergies", "everything"]), WrongPayload),
        ("datasets", json!(["Allergies"]), WrongPayload),
        ("datasets", json!(["unspecified"]), WrongPayload),
        ("datasets", json!(["DATASET_ALLERGIES"]), WrongPayload),
        ("datasets", json!(["*"]), WrongPayload),
        ("datasets", json!(["allergies", "allergies"]), WrongPayload),
        ("datasets", json!("allergies"), unreadable),
        ("purpose", json!("emergency"), WrongPurpose),
        ("purpose", json!("research"), WrongPayload),
        ("purpose", json!("DIRECT_CARE"), WrongPayload),
        ("purpose", json!(""), WrongPayload),
        ("person", json!("n"), unreadable),
        ("person", json!({}), unreadable),
        ("person", json!({ "salt": "A", "enterprise_id": "x" }), unreadable),
        ("surplus", json!(1), unreadable),
    ] {
        let mut changed = payload();
        changed[name] = value.clone();
        let jws = app.sign(HEADER, &changed.to_string());
        assert_eq!(Proof::verify(&jws, &user(&app), NOW_S).err(), Some(expected), "{name}: {value}");
    }
    let twice = payload().to_string().replacen('{', r#"{"datasets":["allergies"],"#, 1);
    assert_eq!(Proof::verify(&app.sign(HEADER, &twice), &user(&app), NOW_S).err(), Some(unreadable));
}

#[test]
fn a_proof_holds_for_the_skew_and_no_longer() {
    let app = RawKey::new();
    let jws = proof().sign(&app.key(), TOKEN).unwrap();
    for (off_s, accepted) in
        [(-SKEW_MAX_S - 1, false), (-SKEW_MAX_S, true), (SKEW_MAX_S, true), (SKEW_MAX_S + 1, false)]
    {
        assert_eq!(Proof::verify(&jws, &user(&app), NOW_S + off_s).is_ok(), accepted, "{off_s}");
    }
}

#[test]
fn a_proof_goes_with_one_token() {
    let app = RawKey::new();
    let jws = proof().sign(&app.key(), "a colleague's token").unwrap();
    assert_eq!(Proof::verify(&jws, &user(&app), NOW_S), Err(ProofError::OtherToken));
    let mut nameless = payload();
    nameless.as_object_mut().unwrap().remove("ath");
    let jws = app.sign(HEADER, &nameless.to_string());
    assert_eq!(Proof::verify(&jws, &user(&app), NOW_S), Err(ProofError::Key(KeyError::WrongPayload)));
}

#[test]
fn a_query_is_taken_once() {
    let app = RawKey::new();
    let (user, replays) = (user(&app), Replays::default());
    assert_eq!(replays.take(&user, &proof()), Ok(()));
    assert_eq!(replays.take(&user, &proof()), Err(ProofError::Replayed));
    let resigned = Proof { issued_s: NOW_S + 5, datasets: vec![Dataset::Risks], ..proof() };
    assert_eq!(replays.take(&user, &resigned), Err(ProofError::Replayed), "another question under the same id");
    assert_eq!(replays.take(&user, &Proof { query_id: Uuid::from_u128(8), ..proof() }), Ok(()));
    assert_eq!(replays.take(&User { token_id: "t-2".into(), ..user }, &proof()), Ok(()));
}

#[test]
fn a_challenge_is_signed_by_its_digest() {
    let app = RawKey::new();
    let challenged = Proof { challenge: Some([7; 32]), ..proof() };
    let jws = challenged.sign(&app.key(), TOKEN).unwrap();
    assert_eq!(Proof::verify(&jws, &user(&app), NOW_S), Ok(challenged));
    for digest in ["", "AAAA", "%"] {
        let mut odd = payload();
        odd["challenge"] = json!(digest);
        let jws = app.sign(HEADER, &odd.to_string());
        assert_eq!(Proof::verify(&jws, &user(&app), NOW_S), Err(ProofError::WrongPayload), "{digest:?}");
    }
}
