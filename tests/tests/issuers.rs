//! An issuer that publishes its keys at an address: they are fetched, fetched again when it rotates them, and kept while
//! the address is down.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use axum::{Router, extract::State, http::StatusCode, routing::get};
use severn_broker::access::{Access, AccessSettings};
use severn_proto::v1::{PurposeOfUse, RequestContext};
use severn_trust::{Clock as _, Commitments, IssuerKeys, IssuerSettings, Proof, SystemClock, SystemEntropy, new_uuid};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tests::{
    keys::{AUDIENCE, Gateway, ISSUER},
    policies::in_force,
    world::TABLE,
};
use tokio::net::TcpListener;

fn of(jwks_file: Option<PathBuf>, jwks_url: Option<String>) -> IssuerSettings {
    IssuerSettings { name: ISSUER.into(), jwks_file, jwks_url, organisations: vec!["*".into()] }
}

type Published = Arc<Mutex<Option<String>>>;

fn publish(published: &Published, jwks: Option<String>) {
    *published.lock().unwrap_or_else(PoisonError::into_inner) = jwks;
}

async fn keys(State(published): State<Published>) -> Result<String, StatusCode> {
    let jwks = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    jwks.ok_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn admitted(access: &Access, gateway: &Gateway) -> bool {
    let entropy = SystemEntropy::default();
    let proof = Proof {
        query_id: new_uuid(&SystemClock, &entropy),
        issued_s: SystemClock.now_s(),
        datasets: Vec::new(),
        purpose: PurposeOfUse::DirectCare,
        person: Commitments::default(),
        challenge: None,
        opening: None,
    };
    let user_token = gateway.token("R8000", PurposeOfUse::DirectCare, &SystemClock, 1);
    let request_proof = proof.sign(&gateway.app_key, &user_token).expect("the app's key signs");
    access.admit(&RequestContext { user_token, request_proof }).is_ok()
}

async fn becomes(access: &Access, gateway: &Gateway, expected: bool) -> bool {
    for _ in 0..150 {
        if admitted(access, gateway) == expected {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test]
async fn keys_are_fetched_rotated_and_kept_while_the_address_is_down() {
    let (old, new) = (Gateway::default(), Gateway::default());
    let published = Published::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = Router::new().route("/jwks", get(keys)).with_state(Arc::clone(&published));
    tokio::spawn(async move { axum::serve(listener, service).await });

    // The address is down when the broker starts: that is no error, and nobody is believed.
    let issuer = of(None, Some(format!("http://{address}/jwks")));
    let opened = IssuerKeys::open(AUDIENCE, &[issuer]).expect("an address is enough");
    tokio::spawn(Arc::clone(&opened).follow(Arc::new(SystemClock)));
    let policy = in_force(&toml::from_str(TABLE).expect("a table"));
    let access = Access::new(AccessSettings::default(), policy, opened, Arc::new(SystemClock));
    assert!(!admitted(&access, &old));

    publish(&published, Some(old.jwks_json()));
    assert!(becomes(&access, &old, true).await, "the keys are fetched when a token names one that is not known");

    publish(&published, Some(new.jwks_json()));
    assert!(becomes(&access, &new, true).await, "the new key is fetched");
    assert!(!admitted(&access, &old), "the old key is believed no more");

    publish(&published, None);
    assert!(!admitted(&access, &old));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(admitted(&access, &new), "the keys are kept while the address is down");
}

#[tokio::test]
async fn an_issuer_has_one_place_for_its_keys() {
    for (jwks_file, jwks_url) in [(None, None), (Some("a".into()), Some("b".into()))] {
        let issuer = of(jwks_file, jwks_url);
        let error = IssuerKeys::open(AUDIENCE, &[issuer]).err().expect("refused");
        assert!(error.to_string().contains("jwks_file"), "{error}");
    }
}
