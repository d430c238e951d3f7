use super::*;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// A P-256 key that signs whatever it is given, as an attacker's program would.
pub(crate) struct RawKey {
    pair: EcdsaKeyPair,
    pem: String,
}

impl RawKey {
    pub(crate) fn new() -> RawKey {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        RawKey { pair, pem: to_pem(document.as_ref()) }
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::from_pem(&self.pem).unwrap()
    }

    /// The public point, uncompressed: what an HS256 forger would take for the secret.
    pub(crate) fn public_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A compact JWS over any header and payload.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let signed = encode(header, payload);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// The part of a JWS that is signed.
pub(crate) fn encode(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// A new ES256 key.
pub(crate) fn es256_key() -> SigningKey {
    RawKey::new().key()
}

/// A new EdDSA key, read from both versions of PKCS#8.
fn ed25519_keys() -> [SigningKey; 2] {
    let version_2 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let version_1 = Ed25519KeyPair::from_pkcs8(version_2.as_ref()).unwrap().to_pkcs8v1().unwrap();
    [version_1.as_ref(), version_2.as_ref()].map(|der| SigningKey::from_pem(&to_pem(der)).unwrap())
}

fn to_pem(pkcs8: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8))
}

#[test]
fn both_kinds_of_key_sign_and_check() {
    let [version_1, version_2] = ed25519_keys();
    assert_eq!(version_1.public().kid(), version_2.public().kid());
    for key in [es256_key(), version_1, version_2] {
        let jws = key.sign("t", &json!({"a": 1})).unwrap();
        let published = PublicKey::from_json(&serde_json::to_string(&key.public().jwk()).unwrap()).unwrap();
        assert_eq!(published.verify::<Value>(&["t"], &jws), Ok(json!({"a": 1})));
        assert_eq!(published.kid(), key.public().kid());
        let other = es256_key();
        assert!(other.public().verify::<Value>(&["t"], &jws).is_err(), "another key took the signature");
    }
}

#[test]
fn the_key_id_is_the_thumbprint_of_the_rfc() {
    // RFC 8037, appendix A.3.
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(PublicKey::from_json(jwk).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let named = r#"{"kid":"k1","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(PublicKey::from_json(named).unwrap().kid(), "k1");
}

#[test]
fn other_kinds_of_key_are_refused() {
    for jwk in [
        "",
        "{}",
        r#"{"kty":"oct","k":"AAAA"}"#,
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
        r#"{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"!!","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
    ] {
        assert_eq!(PublicKey::from_json(jwk).map(|k| k.kid).err(), Some(KeyError::UnsupportedJwk), "{jwk}");
    }
    for pem in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "ten bytes\n"] {
        assert_eq!(SigningKey::from_pem(pem).map(|_| ()).err(), Some(KeyError::NotAKey), "{pem}");
    }
}

#[test]
fn a_header_that_brings_or_names_a_key_or_an_extension_is_refused() {
    let raw = RawKey::new();
    let public = raw.key().public().clone();
    let verify = |header: &Map<String, Value>| {
        public.verify::<Value>(&["t"], &raw.sign(&Value::Object(header.clone()).to_string(), "{}"))
    };
    let good: Map<String, Value> = serde_json::from_str(r#"{"alg":"ES256","typ":"t"}"#).unwrap();
    assert_eq!(verify(&good), Ok(json!({})));
    for (name, value) in [
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/chain")),
        ("x5c", json!(["AAAA"])),
        ("jwk", serde_json::to_value(public.jwk()).unwrap()),
        ("crit", json!(["b64"])),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("EdDSA")),
        ("alg", json!("es256")),
        ("alg", json!(["ES256"])),
        ("typ", json!("T")),
        ("typ", json!("t ")),
        ("typ", Value::Null),
    ] {
        let mut header = good.clone();
        header.insert(name.into(), value.clone());
        assert_eq!(verify(&header), Err(KeyError::WrongHeader), "{name}: {value}");
    }
    for twice in [r#"{"alg":"ES256","typ":"t","alg":"ES256"}"#, r#"{"alg":"none","typ":"t","alg":"ES256"}"#, "[]", ""] {
        assert_eq!(public.verify::<Value>(&["t"], &raw.sign(twice, "{}")), Err(KeyError::WrongHeader), "{twice}");
    }
}

#[test]
fn whatever_is_no_jws_is_refused() {
    let raw = RawKey::new();
    let public = raw.key().public().clone();
    let good = raw.sign(r#"{"alg":"ES256","typ":"t"}"#, "{}");
    let (signed, _) = good.rsplit_once('.').unwrap();
    for jws in [
        String::new(),
        ".".into(),
        "..".into(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{signed}.AAAA"),
        format!("{good}A"),
        format!("{good}="),
        format!("{good}.AAAA"),
        format!(" {good}"),
        format!("{good}\n"),
        "\u{0}".repeat(3),
        "é.é.é".into(),
        "a".repeat(JWS_BYTES_MAX + 1),
        "a.".repeat(500_000),
    ] {
        let shown: String = jws.chars().take(40).collect();
        assert!(public.verify::<Value>(&["t"], &jws).is_err(), "{shown}");
    }
    assert_eq!(
        public.verify::<Value>(&["t"], &raw.sign(r#"{"alg":"ES256","typ":"t"}"#, "{")),
        Err(KeyError::WrongPayload)
    );
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    assert_eq!(
        public.verify::<Value>(&["t"], &raw.sign(r#"{"alg":"ES256","typ":"t"}"#, &deep)),
        Err(KeyError::WrongPayload)
    );
}

#[test]
fn no_secret_is_shown() {
    assert_eq!(format!("{:?}", es256_key()), "SigningKey(…)");
}
