//! Attacks on tokens and transport, kinds 1 to 22 of `SAFETY.md` section 9, as one list. Kinds 1 to 13 are what somebody
//! without the issuer's key, or with a token that says something wrong, may try: 1,000 variants of each at what broker and
//! adapter check by, and some of them at both doors, with what the trail keeps. The others stand where they are shown.
//!
//! | kind | expected | shown by |
//! | --- | --- | --- |
//! | 1 `alg: none` | unauthenticated | `no_bad_token_opens_a_door`, `Kind::NoAlgorithm` |
//! | 2 another algorithm over the public key | unauthenticated | `Kind::OtherAlgorithm` |
//! | 3 wrong key, unknown `kid`, `kid` as a path, `jku`, `x5u`, `jwk`, `x5c` | unauthenticated, one text for every unknown key | `Kind::OtherKey`, `Kind::NamesAKey` |
//! | 4 times | unauthenticated | `Kind::WrongTime` |
//! | 5 audience | unauthenticated | `Kind::WrongAudience` |
//! | 6 replay, here or at another adapter | unauthenticated, refused | `doors.rs`; `adapters/sdk`: the hostile broker's `again` |
//! | 7 twice the same claim, giants, depth, no base64, any byte changed | unauthenticated | `Kind::Damaged`, `Kind::Malformed` |
//! | 8 `sub` other than the practitioner's id | there is one id only: no claim names a second | `Kind::Generic` for what it may be |
//! | 9 generic users | unauthenticated | `Kind::Generic` |
//! | 10 no role, two roles, one that no policy knows, one taken away | unauthenticated; denied | `Kind::NoRole`; `oracle.rs`, which also changes roles from query to query |
//! | 11 spelling of what is asked for | denied | `proto/trust`: `payloads_that_do_not_hold_are_refused` |
//! | 12 a claim that says the user is the patient | no claim beside those of the contract has any effect | `a_claim_of_another_federation_has_no_effect` |
//! | 13 purpose absent, unknown, two | unauthenticated | `Kind::WrongPurpose` |
//! | 14 relationships forged, over, self-claimed, of another | as if there were none | `oracle.rs`; the hostile broker's `powers` |
//! | 15 override without reason, with a used one, on statute | refused; stays closed | `governance.rs`, `access.rs`, `healthshare.rs` |
//! | 16 client certificates | no connection | `proto/link/tests/mesh.rs`; who knocks at another's door: `doors.rs` |
//! | 17 TLS below 1.3, weak suites, renegotiation | no connection: only TLS 1.3 is compiled into the configuration | `proto/link/src/tls.rs` |
//! | 18 floods of resets | the next caller is answered | `a_flood_of_resets_leaves_the_door_open` |
//! | 19 giant header, 10,000 headers, line breaks, no ASCII | refused, and the next caller is answered | `headers_out_of_bounds_are_refused` |
//! | 20 `grpc-timeout` | invalid argument | `doors.rs`, `proto/link/src/server.rs` |
//! | 21 compression, nested, wrong length | unimplemented, refused | `bodies_out_of_bounds_are_refused` |
//! | 22 a connection or a body that never goes on | cut off, or kept within the limits; others are answered | `who_says_nothing_keeps_nobody_waiting` |

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use futures::future::join_all;
use http::{HeaderName, HeaderValue, Request as HttpRequest};
use serde_json::{Value, json};
use severn_link::{Dialler as _, Identity};
use severn_proto::v1::{
    FetchRequest, FindPersonRequest, ListSourcesRequest, PurposeOfUse, RequestContext,
    record_broker_client::RecordBrokerClient, source_adapter_client::SourceAdapterClient,
};
use severn_trust::{Clock as _, TokenVerifier};
use std::{collections::BTreeSet, time::Duration};
use tests::{
    keys::{AUDIENCE, ISSUER, signing_pem},
    oracle::dice::Dice,
    records::{anne, plain},
    world::{MadeUp, World},
};
use tonic::{Code, Status, transport::Channel};
use tower::{Service as _, ServiceExt as _};

/// Variants of each kind, and how many of them knock at both doors.
const VARIANTS: usize = 1_000;
const AT_DOORS: usize = 12;

/// Stands in claims of tokens that no refusal may repeat.
const SECRET: &str = "CLAIM-CANARY-41c7";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoAlgorithm,
    OtherAlgorithm,
    OtherKey,
    NamesAKey,
    WrongTime,
    WrongAudience,
    Damaged,
    Malformed,
    Generic,
    NoRole,
    WrongPurpose,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::NoAlgorithm,
        Kind::OtherAlgorithm,
        Kind::OtherKey,
        Kind::NamesAKey,
        Kind::WrongTime,
        Kind::WrongAudience,
        Kind::Damaged,
        Kind::Malformed,
        Kind::Generic,
        Kind::NoRole,
        Kind::WrongPurpose,
    ];
}

/// Whoever holds the issuer's key, and signs what no issuer would.
struct Forger {
    issuer: EcdsaKeyPair,
    stranger: EcdsaKeyPair,
    jwk: Value,
    kid: String,
    claims: Value,
    now_s: i64,
}

fn pair(pem: &str) -> EcdsaKeyPair {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(body).expect("a PEM is base64");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("a P-256 key")
}

fn encoded(header: &str, payload: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

fn signed(key: &EcdsaKeyPair, header: &str, payload: &str) -> String {
    let text = encoded(header, payload);
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Forger {
    fn of(world: &World) -> Forger {
        let gateway = &world.gateway;
        let set: Value = serde_json::from_str(&gateway.jwks_json()).expect("a set of keys");
        let claims = gateway.claims("R8000", PurposeOfUse::DirectCare, world.clock.as_ref(), 1);
        Forger {
            issuer: pair(&gateway.issuer_pem),
            stranger: pair(&signing_pem()),
            kid: set["keys"][0]["kid"].as_str().expect("a key id").to_owned(),
            jwk: set["keys"][0].clone(),
            claims: serde_json::to_value(claims).expect("claims are JSON"),
            now_s: world.clock.now_s(),
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid })
    }

    fn good(&self) -> String {
        signed(&self.issuer, &self.header().to_string(), &self.claims.to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
            value => claims[name] = value,
        }
        signed(&self.issuer, &self.header().to_string(), &claims.to_string())
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        signed(&self.issuer, &header.to_string(), &self.claims.to_string())
    }

    /// One of the variants of a kind.
    fn token(&self, kind: Kind, dice: &Dice) -> String {
        match kind {
            Kind::NoAlgorithm | Kind::OtherAlgorithm | Kind::OtherKey | Kind::NamesAKey => self.of_key(kind, dice),
            Kind::Damaged => damaged(dice, &self.good()),
            Kind::Malformed => self.malformed(dice),
            _ => self.of_claims(kind, dice),
        }
    }

    /// One that is not signed as it must be.
    fn of_key(&self, kind: Kind, dice: &Dice) -> String {
        match kind {
            Kind::NoAlgorithm => {
                let name = cased(dice, "none");
                let text = encoded(
                    &json!({ "alg": name, "typ": "JWT", "kid": self.kid }).to_string(),
                    &self.claims.to_string(),
                );
                let own = self.good();
                let signature = own.rsplit_once('.').map_or("", |(_, signature)| signature).to_owned();
                format!("{text}.{}", dice.one(&[String::new(), "AA".into(), signature]))
            }
            Kind::OtherAlgorithm => {
                let name = dice.word(&["HS256", "HS384", "HS512", "RS256", "PS256", "ES384", "EdDSA", "ES256K", "dir"]);
                let text = encoded(
                    &json!({ "alg": name, "typ": "JWT", "kid": self.kid }).to_string(),
                    &self.claims.to_string(),
                );
                let secrets = [self.jwk.to_string(), self.kid.clone(), String::new(), something(dice)];
                let key = hmac::Key::new(hmac::HMAC_SHA256, dice.one(&secrets).as_bytes());
                format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
            }
            Kind::OtherKey => match dice.below(3) {
                0 => signed(&self.stranger, &self.header().to_string(), &self.claims.to_string()),
                1 => self.with_header(
                    "kid",
                    json!(dice.one(&[
                        something(dice),
                        format!("../../{}", something(dice)),
                        format!("{}\0", self.kid)
                    ])),
                ),
                _ => self.with_claim("iss", json!(format!("https://{}.example", something(dice)))),
            },
            _ => {
                let name = dice.word(&["jku", "x5u", "jwk", "x5c", "crit"]);
                let value = match name {
                    "jwk" => self.jwk.clone(),
                    "x5c" | "crit" => json!([something(dice)]),
                    _ => json!(format!("https://{}.example/keys", something(dice))),
                };
                self.with_header(name, value)
            }
        }
    }

    /// One that is signed well, and says something wrong.
    fn of_claims(&self, kind: Kind, dice: &Dice) -> String {
        match kind {
            Kind::WrongTime => self.untimely(dice),
            Kind::WrongAudience => {
                let audience = match dice.below(6) {
                    0 => json!([AUDIENCE]),
                    1 => json!(&AUDIENCE[..dice.below(AUDIENCE.len())]),
                    2 => json!(format!("{AUDIENCE}{}", something(dice))),
                    3 => json!(AUDIENCE.to_uppercase()),
                    4 => Value::Null,
                    _ => json!(something(dice)),
                };
                self.with_claim("aud", audience)
            }
            Kind::Generic => {
                let name = cased(dice, dice.word(&["system", "unk", "unknown", "anonymous", "admin"]));
                let spaced = format!("{}{name}{}", " ".repeat(dice.below(3)), " ".repeat(dice.below(3)));
                let broken = format!("u-1{}{}", dice.word(&["\n", "\r", "\u{1b}[2J", "\0", "\u{7f}"]), something(dice));
                self.with_claim(
                    "sub",
                    json!(dice.one(&[spaced, broken, " ".repeat(dice.below(9)), "u".repeat(257 + dice.below(9))])),
                )
            }
            Kind::NoRole => {
                let values = [
                    json!(""),
                    json!(" \t"),
                    json!(["R8000", "R8001"]),
                    json!({ "code": "R8000" }),
                    json!(8000),
                    Value::Null,
                    json!(format!("R8000\n{}", something(dice))),
                ];
                self.with_claim(dice.word(&["role", "org"]), dice.one(&values).clone())
            }
            _ => {
                let other = cased(dice, "direct_care");
                let other = if other == "direct_care" { "directcare".to_owned() } else { other };
                let values = [
                    json!(other),
                    json!(something(dice)),
                    json!(""),
                    json!(["direct_care", "emergency"]),
                    json!("unspecified"),
                    Value::Null,
                ];
                self.with_claim("purpose", dice.one(&values).clone())
            }
        }
    }

    fn untimely(&self, dice: &Dice) -> String {
        let off = i64::try_from(31 + dice.below(1_000_000)).expect("it is small");
        match dice.below(6) {
            0 => self.with_claim("exp", json!(self.now_s - off)),
            1 => self.with_claim("exp", json!(self.now_s + 300 + off)),
            2 => self.with_claim("iat", json!(self.now_s + off)),
            3 => self.with_claim("nbf", json!(self.now_s + off)),
            4 => self.with_claim(dice.word(&["exp", "iat", "nbf"]), Value::Null),
            // A token may have been valid since the beginning of time.
            _ => self.with_claim(
                dice.word(&["exp", "iat", "nbf"]),
                dice.one(&[json!(i64::MAX), json!(1e300), json!("soon"), json!([self.now_s]), json!({})]).clone(),
            ),
        }
    }

    fn malformed(&self, dice: &Dice) -> String {
        let (header, claims) = (self.header().to_string(), self.claims.to_string());
        match dice.below(6) {
            0 => {
                let twice = dice.word(&[r#""sub":"u-2""#, r#""role":"R9100""#, r#""aud":"severn""#, r#""org":"A""#]);
                signed(&self.issuer, &header, &claims.replacen('{', &format!("{{{twice},"), 1))
            }
            1 => signed(&self.issuer, &header, &dice.word(&["[", "{\"a\":"]).repeat(1_000 + dice.below(1_000))),
            2 => "x".repeat(8_193 + dice.below(1 << 16)),
            3 => self.good().replacen('.', dice.word(&["", "..", " ."]), 1),
            4 => format!("{}{}", dice.word(&["Bearer ", " ", "\"", "%"]), self.good()),
            _ => {
                let good = self.good();
                good[..dice.below(good.len())].to_owned()
            }
        }
    }
}

/// What no refusal may repeat.
fn something(dice: &Dice) -> String {
    format!("{SECRET}-{}", dice.below(1_000_000))
}

/// A word with some letters of the other case.
fn cased(dice: &Dice, word: &str) -> String {
    word.chars().map(|letter| if dice.percent(50) { letter.to_ascii_uppercase() } else { letter }).collect()
}

/// A token with one character changed into another that base64 knows. The very last one may carry no bit at all.
fn damaged(dice: &Dice, good: &str) -> String {
    let mut bytes = good.as_bytes().to_vec();
    let at = dice.below(bytes.len() - 1);
    let others: Vec<u8> = (b'A'..=b'Z').filter(|byte| *byte != bytes[at]).collect();
    bytes[at] = *dice.one(&others);
    String::from_utf8(bytes).expect("it was ASCII")
}

async fn world() -> World {
    let entry = plain("A", "p1", severn_proto::v1::Dataset::Problems, "asthma");
    World::start(vec![MadeUp::new("A").knowing("1", anne(), vec![entry])], &[]).await
}

fn to_broker(world: &World) -> Channel {
    let app = world.network.party(Identity::App("epr".into()));
    app.dial("", &Identity::Broker("broker-1".into())).expect("any address will do in memory")
}

fn to_adapter(world: &World) -> Channel {
    world.network.dial("", &Identity::Source("A".into())).expect("any address will do in memory")
}

/// What broker and adapter say to a token.
async fn said(world: &World, token: String) -> [Status; 2] {
    let context = Some(RequestContext { user_token: token, request_proof: "no proof".into() });
    let (nhs_number, birth_date) = (anne().nhs_number, anne().birth_date);
    let find = FindPersonRequest { context: context.clone(), nhs_number, birth_date, ..FindPersonRequest::default() };
    let broker = RecordBrokerClient::new(to_broker(world)).find_person(find).await;
    let adapter = SourceAdapterClient::new(to_adapter(world)).fetch(FetchRequest { context, statement: None }).await;
    [broker.map(drop).expect_err("the broker refuses"), adapter.map(drop).expect_err("the adapter refuses")]
}

fn refusals(disk: &severn_trust::MemoryDisk) -> usize {
    trail(disk).matches("\"action\":\"refused\"").count()
}

fn trail(disk: &severn_trust::MemoryDisk) -> String {
    String::from_utf8_lossy(&disk.files()["audit.log"]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn no_bad_token_opens_a_door() {
    let world = world().await;
    let (forger, verifier): (Forger, TokenVerifier) = (Forger::of(&world), world.gateway.verifier());
    assert!(verifier.verify(&forger.good(), forger.now_s).is_ok(), "the forger can sign a good one");
    let dice = Dice::new(9);
    let mut unknown = BTreeSet::new();
    for kind in Kind::ALL {
        let mut texts = BTreeSet::new();
        for _ in 0..VARIANTS {
            let token = forger.token(kind, &dice);
            let refused = verifier.verify(&token, forger.now_s);
            assert!(refused.is_err(), "{kind:?} was taken: {token}");
            texts.extend(refused.err().map(|error| error.to_string()));
        }
        for _ in 0..AT_DOORS {
            let (at_broker, at_adapter) = (refusals(&world.disk), refusals(&world.adapter_disks["A"]));
            for status in said(&world, forger.token(kind, &dice)).await {
                assert_eq!(status.code(), Code::Unauthenticated, "{kind:?}: {status:?}");
                assert!(texts.contains(status.message()), "{kind:?}: {status:?} is none of {texts:?}");
            }
            assert_eq!(refusals(&world.disk), at_broker + 1, "{kind:?} is in the broker's trail");
            assert_eq!(refusals(&world.adapter_disks["A"]), at_adapter + 1, "{kind:?} is in the adapter's trail");
        }
        for text in &texts {
            let reveals = [SECRET, ISSUER, AUDIENCE, &forger.kid, "R8000", "RRK", "clinician"];
            assert!(!reveals.iter().any(|word| text.contains(word)), "{kind:?}: {text}");
        }
        println!("{kind:?}: {VARIANTS} variants, {} texts", texts.len());
        if kind == Kind::OtherKey {
            unknown = texts;
        }
    }
    // A key that is not known, an issuer that is not known, and a known key that signed for another: one text. A signature
    // that does not fit a known key is another, since the key's id is public.
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    for disk in [&world.disk, &world.adapter_disks["A"]] {
        assert!(!trail(disk).contains("eyJ") && !trail(disk).contains(SECRET), "no trail keeps a token or its claims");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_another_federation_has_no_effect() {
    let world = world().await;
    let (forger, verifier) = (Forger::of(&world), world.gateway.verifier());
    let plain = format!("{:?}", verifier.verify(&forger.good(), forger.now_s).expect("a good token"));
    for claim in ["requesting_patient", "requesting_user", "requested_scope", "scope", "act", "requesting_organization"]
    {
        for value in [json!("patient/*.read"), json!({ "sub": "somebody" }), json!(["organization/*.write"])] {
            let user = verifier.verify(&forger.with_claim(claim, value), forger.now_s).expect("it says nothing here");
            assert_eq!(
                (user.id.as_str(), user.role_code.as_str(), user.organisation_ods.as_str()),
                ("u-1", "R8000", "RRK")
            );
            assert_eq!(format!("{user:?}"), plain, "{claim}");
        }
    }
}

/// Whether somebody who keeps the rules is answered at both doors.
async fn still_answers(world: &World) {
    let listed = world.client("R8000").list_sources().await.expect("the broker answers");
    assert!(listed[0].reachable, "and so does the adapter");
}

async fn knock(
    channel: &mut Channel,
    request: HttpRequest<tonic::body::Body>,
) -> Result<http::response::Parts, String> {
    let sent = async {
        let ready = channel.ready().await.map_err(|error| error.to_string())?;
        ready.call(request).await.map_err(|error| error.to_string())
    };
    let answered = tokio::time::timeout(Duration::from_secs(20), sent).await;
    answered.map_err(|_| "no answer".to_owned())?.map(|response| response.into_parts().0)
}

/// A request to list the sources, with this body and these headers.
fn list(body: Vec<u8>, headers: &[(&str, &str)]) -> HttpRequest<tonic::body::Body> {
    let mut request = HttpRequest::post("http://severn/severn.v1.RecordBroker/ListSources")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(tonic::body::Body::new(axum::body::Body::from(body))).expect("a request")
}

fn grpc_code(parts: &http::response::Parts) -> Option<Code> {
    Status::from_header_map(&parts.headers).map(|status| status.code())
}

#[tokio::test(start_paused = true)]
async fn headers_out_of_bounds_are_refused() {
    let world = world().await;
    let giant = "x".repeat(1 << 20);
    let answer = knock(&mut to_broker(&world), list(vec![0; 5], &[("x-giant", &giant)])).await;
    assert!(!answer.is_ok_and(|parts| parts.status.is_success()), "a megabyte of header");
    let mut many = list(vec![0; 5], &[]);
    for number in 0..10_000 {
        let name = HeaderName::from_bytes(format!("x-{number}").as_bytes()).expect("a name");
        many.headers_mut().insert(name, HeaderValue::from_static("1"));
    }
    let answer = knock(&mut to_broker(&world), many).await;
    assert!(!answer.is_ok_and(|parts| parts.status.is_success()), "ten thousand headers");
    still_answers(&world).await;
    // Line breaks cannot be sent at all; bytes that are no ASCII are carried, and mean nothing.
    assert!(HeaderValue::from_bytes(b"a\r\nb").is_err());
    let mut odd = list(vec![0; 5], &[]);
    odd.headers_mut().insert("x-odd", HeaderValue::from_bytes(&[0xe9, 0xff]).expect("opaque bytes"));
    let answer = knock(&mut to_broker(&world), odd).await.expect("an answer");
    let without = knock(&mut to_broker(&world), list(vec![0; 5], &[])).await.expect("an answer");
    assert_eq!(grpc_code(&answer), grpc_code(&without), "as without them");
}

#[tokio::test(start_paused = true)]
async fn bodies_out_of_bounds_are_refused() {
    let world = world().await;
    let message = |flag: u8, length: u32, content: &[u8]| [&[flag], &length.to_be_bytes()[..], content].concat();
    let bomb = vec![0x1f; 10_000];
    for (what, body, headers) in [
        ("compressed", message(1, 10_000, &bomb), &[("grpc-encoding", "gzip")][..]),
        ("nested", message(1, 10_000, &bomb), &[("grpc-encoding", "gzip, gzip")]),
        ("compressed, but not said", message(1, 10_000, &bomb), &[]),
        ("longer than it is", message(0, 500, b"short"), &[]),
        ("longer than anything", message(0, u32::MAX, b"short"), &[]),
        ("cut", vec![0, 0, 0], &[]),
        ("no message", message(0, 4, &[0xff; 4]), &[]),
        ("nothing", vec![], &[]),
    ] {
        let answer = knock(&mut to_broker(&world), list(body, headers)).await;
        let code = answer.as_ref().ok().and_then(grpc_code);
        assert!(!matches!(code, Some(Code::Ok)), "{what}: {answer:?}");
        assert!(answer.is_err() || code.is_some(), "{what} has a status: {answer:?}");
    }
    still_answers(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_resets_leaves_the_door_open() {
    let world = world().await;
    for _ in 0..20 {
        let channel = to_broker(&world);
        let calls = (0..200).map(|_| {
            let mut client = RecordBrokerClient::new(channel.clone());
            async move {
                let call = client.list_sources(ListSourcesRequest { context: None });
                // Begun, and dropped before it can be answered.
                drop(tokio::time::timeout(Duration::ZERO, call).await);
            }
        });
        join_all(calls).await;
    }
    still_answers(&world).await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_keeps_nobody_waiting() {
    let world = world().await;
    let forever = (0..50).map(|_| {
        let mut channel = to_broker(&world);
        let body = axum::body::Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let mut request = list(vec![], &[]);
        *request.body_mut() = tonic::body::Body::new(body);
        async move { knock(&mut channel, request).await }
    });
    let (waited, ()) = futures::join!(join_all(forever), still_answers(&world));
    assert!(waited.iter().all(|answer| !answer.as_ref().is_ok_and(|parts| grpc_code(parts) == Some(Code::Ok))));
    still_answers(&world).await;
}
