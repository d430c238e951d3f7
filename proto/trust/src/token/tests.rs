use super::*;
use crate::keys::tests::{RawKey, encode};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const NOW_S: i64 = 1_800_000_000;
const AUDIENCE: &str = "severn-west-midlands";
const ISSUER: &str = "https://sign-in.example";

struct World {
    issuer: RawKey,
    app: RawKey,
    verifier: TokenVerifier,
}

impl World {
    fn new() -> World {
        let (issuer, app) = (RawKey::new(), RawKey::new());
        let mut verifier = TokenVerifier::new(AUDIENCE);
        verifier.trust(ISSUER, &Issuer::new(issuer.key()).jwks_json()).unwrap();
        World { issuer, app, verifier }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "sub": "u-123", "aud": AUDIENCE,
            "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 290, "jti": "t-1",
            "name": "Dr A Example", "role": "S8000:G8000:R8000", "org": "RRK", "purpose": "direct_care",
            "cnf": { "jwk": self.app.key().public().jwk() },
        })
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "JWT", "kid": self.issuer.key().public().kid() })
    }

    fn token(&self, claims: &Value) -> String {
        self.issuer.sign(&self.header().to_string(), &claims.to_string())
    }

    fn verify(&self, token: &str) -> Result<User, TokenError> {
        self.verifier.verify(token, NOW_S)
    }

    /// The verdict on the good claims with one of them set, or removed where `value` is null.
    fn with_claim(&self, name: &str, value: Value) -> Option<TokenError> {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        self.verify(&self.token(&claims)).err()
    }

    fn with_header(&self, name: &str, value: Value) -> Option<TokenError> {
        let mut header = self.header();
        header[name] = value;
        self.verify(&self.issuer.sign(&header.to_string(), &self.claims().to_string())).err()
    }
}

#[test]
fn a_good_token_gives_its_user() {
    let world = World::new();
    let user = world.verify(&world.token(&world.claims())).unwrap();
    assert_eq!((user.id.as_str(), user.issuer.as_str(), user.name.as_str()), ("u-123", ISSUER, "Dr A Example"));
    assert_eq!((user.role_code.as_str(), user.organisation_ods.as_str()), ("S8000:G8000:R8000", "RRK"));
    assert_eq!((user.purpose, user.expires_s), (PurposeOfUse::DirectCare, NOW_S + 290));
    assert_eq!(user.app_key.kid(), world.app.key().public().kid());
    assert_eq!(format!("{user:?}"), "User(S8000:G8000:R8000 at RRK)");
}

#[test]
fn an_issuer_of_ours_makes_tokens_that_are_taken() {
    let world = World::new();
    let claims: UserClaims = serde_json::from_value(world.claims()).unwrap();
    assert!(world.verify(&Issuer::new(world.issuer.key()).issue(&claims).unwrap()).is_ok());
}

#[test]
fn claims_that_do_not_hold_are_refused() {
    use KeyError::WrongPayload;
    use TokenError::{Key, UnknownIssuer, WrongAudience, WrongClaims, WrongTime};
    let world = World::new();
    let long = "x".repeat(257);
    for (name, value, expected) in [
        ("exp", json!(NOW_S - 31), WrongTime),
        ("exp", json!(NOW_S + 291), WrongTime),
        ("exp", json!(NOW_S - 10), WrongTime),
        ("exp", json!(NOW_S - 20), WrongTime),
        ("exp", json!(i64::MAX), WrongTime),
        ("exp", Value::Null, Key(WrongPayload)),
        ("exp", json!("1800000290"), Key(WrongPayload)),
        ("exp", json!(1e300), Key(WrongPayload)),
        ("iat", json!(NOW_S + 31), WrongTime),
        ("iat", json!(NOW_S - 11), WrongTime),
        ("iat", json!(i64::MIN), WrongTime),
        ("iat", Value::Null, Key(WrongPayload)),
        ("nbf", json!(NOW_S + 31), WrongTime),
        ("nbf", Value::Null, Key(WrongPayload)),
        ("aud", json!("severn"), WrongAudience),
        ("aud", json!("severn-west-midlands-2"), WrongAudience),
        ("aud", json!("Severn-West-Midlands"), WrongAudience),
        ("aud", json!(""), WrongAudience),
        ("aud", json!([AUDIENCE]), Key(WrongPayload)),
        ("aud", Value::Null, Key(WrongPayload)),
        ("iss", json!("https://other.example"), UnknownIssuer),
        ("iss", json!("https://sign-in.example/"), UnknownIssuer),
        ("iss", Value::Null, Key(WrongPayload)),
        ("sub", json!(""), WrongClaims),
        ("sub", json!("system"), WrongClaims),
        ("sub", json!("SYSTEM"), WrongClaims),
        ("sub", json!(" system "), WrongClaims),
        ("sub", json!("UNK"), WrongClaims),
        ("sub", json!("anonymous"), WrongClaims),
        ("sub", json!(long), WrongClaims),
        ("sub", json!("u-1\nu-2"), WrongClaims),
        ("name", json!("\u{1b}[2JDr A"), WrongClaims),
        ("name", json!("  "), WrongClaims),
        ("role", json!(""), WrongClaims),
        ("role", Value::Null, Key(WrongPayload)),
        ("role", json!(["R8000", "R8001"]), Key(WrongPayload)),
        ("org", json!(""), WrongClaims),
        ("org", Value::Null, Key(WrongPayload)),
        ("jti", json!(""), WrongClaims),
        ("jti", Value::Null, Key(WrongPayload)),
        ("purpose", json!("research"), WrongClaims),
        ("purpose", json!("Direct_Care"), WrongClaims),
        ("purpose", json!("directcare"), WrongClaims),
        ("purpose", json!("unspecified"), WrongClaims),
        ("purpose", json!(""), WrongClaims),
        ("purpose", json!(["direct_care", "emergency"]), Key(WrongPayload)),
        ("purpose", Value::Null, Key(WrongPayload)),
        ("cnf", Value::Null, Key(WrongPayload)),
        ("cnf", json!({}), Key(WrongPayload)),
        ("cnf", json!({ "jwk": { "kty": "oct", "k": "AAAA" } }), Key(KeyError::UnsupportedJwk)),
    ] {
        assert_eq!(world.with_claim(name, value.clone()), Some(expected), "{name}: {value}");
    }
}

#[test]
fn clocks_may_differ_by_the_skew_and_no_more() {
    let world = World::new();
    let token = world.token(&world.claims());
    let (earliest, latest) = (NOW_S - 10 - SKEW_MAX_S, NOW_S + 290 + SKEW_MAX_S);
    for (now_s, accepted) in [(earliest - 1, false), (earliest, true), (latest, true), (latest + 1, false)] {
        assert_eq!(world.verifier.verify(&token, now_s).is_ok(), accepted, "{}", now_s - NOW_S);
    }
}

#[test]
fn a_claim_given_twice_is_refused() {
    let world = World::new();
    let payload = world.claims().to_string();
    for twice in [r#""sub":"u-123""#, r#""role":"R1""#, r#""aud":"severn""#, r#""exp":1800000290"#, r#""iss":"x""#] {
        let token = world.issuer.sign(&world.header().to_string(), &payload.replacen('{', &format!("{{{twice},"), 1));
        assert_eq!(world.verify(&token).err(), Some(TokenError::Key(KeyError::WrongPayload)), "{twice}");
    }
}

#[test]
fn headers_that_do_not_hold_are_refused() {
    use TokenError::{Key, UnknownIssuer};
    let world = World::new();
    let header = Key(KeyError::WrongHeader);
    for (name, value, expected) in [
        ("alg", json!("none"), header),
        ("alg", json!("None"), header),
        ("alg", json!("HS256"), header),
        ("alg", json!("RS256"), header),
        ("typ", json!("severn-proof+jwt"), header),
        ("typ", json!("jwt"), header),
        ("kid", json!("another"), UnknownIssuer),
        ("kid", json!("../../etc/passwd"), UnknownIssuer),
        ("kid", json!(""), UnknownIssuer),
        ("jku", json!("https://attacker.example/keys"), header),
        ("x5u", json!("https://attacker.example/chain"), header),
        ("jwk", serde_json::to_value(world.issuer.key().public().jwk()).unwrap(), header),
        ("crit", json!(["exp"]), header),
    ] {
        assert_eq!(world.with_header(name, value.clone()), Some(expected), "{name}: {value}");
    }
    let without_kid = world.issuer.sign(r#"{"alg":"ES256","typ":"JWT"}"#, &world.claims().to_string());
    assert_eq!(world.verify(&without_kid).err(), Some(UnknownIssuer));
}

#[test]
fn signatures_that_do_not_hold_are_refused() {
    let world = World::new();
    let (header, claims) = (world.header().to_string(), world.claims().to_string());
    let unsigned = format!("{}.", encode(r#"{"alg":"none"}"#, &claims));
    assert_eq!(world.verify(&unsigned).err(), Some(TokenError::Key(KeyError::WrongHeader)));
    let foreign = RawKey::new().sign(&header, &claims);
    assert_eq!(world.verify(&foreign).err(), Some(TokenError::Key(KeyError::WrongSignature)));
    let good = world.token(&world.claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let widened = claims.replace("R8000", "R8001");
    let swapped = format!("{}.{signature}", encode(&header, &widened));
    assert_eq!(world.verify(&swapped).err(), Some(TokenError::Key(KeyError::WrongSignature)));
    let kid = world.issuer.key().public().kid().to_owned();
    let signed = encode(&json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string(), &claims);
    let jwk = serde_json::to_string(&world.issuer.key().public().jwk()).unwrap();
    for secret in [world.issuer.public_bytes(), jwk.as_bytes(), b""] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(world.verify(&token).err(), Some(TokenError::Key(KeyError::WrongHeader)));
    }
}

#[test]
fn whatever_is_no_token_is_refused() {
    let world = World::new();
    assert_eq!(world.verify("").err(), Some(TokenError::Missing));
    let huge = world.token(&json!({ "padding": "x".repeat(1 << 20) }));
    let deep = world.issuer.sign(&world.header().to_string(), &"[".repeat(5_000));
    for (token, expected) in [
        (huge, KeyError::Malformed),
        ("x".repeat(1 << 20), KeyError::Malformed),
        (deep, KeyError::WrongPayload),
        ("no token".into(), KeyError::WrongHeader),
        ("!!.!!.!!".into(), KeyError::WrongHeader),
        ("..".into(), KeyError::WrongHeader),
        (format!("Bearer {}", world.token(&world.claims())), KeyError::WrongHeader),
    ] {
        let shown: String = token.chars().take(30).collect();
        assert_eq!(world.verify(&token).err(), Some(TokenError::Key(expected)), "{shown}");
    }
}

#[test]
fn an_issuer_signs_for_itself_only() {
    let mut world = World::new();
    let other = RawKey::new();
    world.verifier.trust("https://other.example", &Issuer::new(other.key()).jwks_json()).unwrap();
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": other.key().public().kid() }).to_string();
    let posing = other.sign(&header, &world.claims().to_string());
    assert_eq!(world.verify(&posing).err(), Some(TokenError::UnknownIssuer));
    let own = other.sign(&header, &world.claims().to_string().replace(ISSUER, "https://other.example"));
    assert!(world.verify(&own).is_ok());
}

#[test]
fn two_issuers_may_give_their_keys_the_same_name() {
    let (mut world, other) = (World::new(), RawKey::new());
    let mut jwk = other.key().public().jwk();
    jwk.common.key_id = Some(world.issuer.key().public().kid().to_owned());
    world.verifier.trust("https://other.example", &json!({ "keys": [jwk] }).to_string()).unwrap();
    assert!(world.verify(&world.token(&world.claims())).is_ok());
    let posing = other.sign(&world.header().to_string(), &world.claims().to_string());
    assert!(world.verify(&posing).is_err());
}

#[test]
fn a_rotated_key_is_forgotten_and_an_unusable_set_changes_nothing() {
    let mut world = World::new();
    let old = world.token(&world.claims());
    for unusable in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#] {
        assert_eq!(world.verifier.trust(ISSUER, unusable), Err(KeyError::UnsupportedJwk), "{unusable}");
    }
    assert!(world.verify(&old).is_ok());
    world.issuer = RawKey::new();
    assert!(world.verifier.names_unknown_key(&world.token(&world.claims())));
    world.verifier.trust(ISSUER, &Issuer::new(world.issuer.key()).jwks_json()).unwrap();
    assert!(world.verify(&world.token(&world.claims())).is_ok());
    assert_eq!(world.verify(&old).err(), Some(TokenError::UnknownIssuer));
    assert!(!world.verifier.names_unknown_key("no token"));
}

#[test]
fn an_issuer_is_believed_for_its_own_organisations_only() {
    let mut world = World::new();
    let token = world.token(&world.claims());
    world.verifier.speaks_for(ISSUER, ["RNA".to_owned()]);
    assert_eq!(world.verify(&token).err(), Some(TokenError::OtherOrganisation));
    world.verifier.speaks_for(ISSUER, ["RNA".to_owned(), "RRK".to_owned()]);
    assert!(world.verify(&token).is_ok());
    let again = Issuer::new(world.issuer.key()).jwks_json();
    world.verifier.speaks_for(ISSUER, ["RNA".to_owned()]);
    world.verifier.trust(ISSUER, &again).unwrap();
    assert_eq!(world.verify(&token).err(), Some(TokenError::OtherOrganisation), "also after its keys were read again");
}
