//! Against a real gateway with its development sign-in, over sockets of this machine.

use super::*;
use severn_gateway::{config::Config, program::serve_on};
use severn_trust::{Issuer, SystemClock, SystemEntropy, TokenVerifier};
use std::{os::unix::fs::PermissionsExt as _, sync::Arc};
use tempfile::TempDir;
use tokio_util::task::AbortOnDropHandle;

/// A gateway that serves, and somebody who may sign in there.
struct Stage {
    folder: TempDir,
    section: LoginSection,
    verifier: TokenVerifier,
    app: SigningKey,
    url: String,
    _serving: AbortOnDropHandle<()>,
}

fn key(folder: &Path, name: &str) -> SigningKey {
    let (pem, path) = (rcgen::KeyPair::generate().unwrap().serialize_pem(), folder.join(name));
    fs::write(&path, &pem).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    SigningKey::from_pem(&pem).unwrap()
}

impl Stage {
    async fn set() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let (tokens, _) = (key(folder.path(), "gateway.key"), key(folder.path(), "sign-in.key"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let text = format!(
            r#"
            listen = "{}"
            url = "{url}"
            name = "the-gateway"
            key = "gateway.key"
            audience = "severn"
            organisations = ["RRK"]
            [development]
            key = "sign-in.key"
            users = [{{ id = "u-1", name = "Dr \"A\" <b>", assurance = 3, roles = [
                {{ code = "R8000", org = "RRK", name = "clinician" }}, {{ code = "R8001", org = "RRK", name = "auditor" }},
            ] }}]
            "#,
            listener.local_addr().unwrap()
        );
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text).unwrap();
        let config = Config::load(&path).unwrap();
        let serving = tokio::spawn(async move {
            let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::default()));
            serve_on(listener, &config, clock, entropy, std::future::pending()).await.unwrap();
        });
        let mut verifier = TokenVerifier::new("severn");
        verifier.trust("the-gateway", &Issuer::new(tokens).jwks_json()).unwrap();
        let section = LoginSection {
            issuer: format!("{url}/development"),
            client_id: severn(),
            gateway: url.clone(),
            audience: severn(),
            purpose: direct_care(),
            session: folder.path().join("session.json"),
        };
        let app = key(folder.path(), "app.key");
        Stage { folder, section, verifier, app, url, _serving: AbortOnDropHandle::new(serving) }
    }

    async fn sign_in(&self) -> String {
        self.section.sign_in(Some("u-1"), &SystemEntropy::default(), |_| ()).await.unwrap()
    }

    async fn exchange(&self, purpose: &str, role: Option<&str>) -> anyhow::Result<String> {
        self.section.exchange((purpose, role), &self.app, (&SystemClock, &SystemEntropy::default())).await
    }
}

#[tokio::test]
async fn whoever_signed_in_gets_a_token_bound_to_the_app() {
    let stage = Stage::set().await;
    assert!(format!("{:#}", stage.exchange("direct_care", None).await.unwrap_err()).contains("severn login"));
    assert_eq!(stage.sign_in().await, "Dr \"A\" <b>");
    let mode = fs::metadata(&stage.section.session).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (purpose, role, expected) in [("direct_care", None, "R8000"), ("audit", Some("R8001"), "R8001")] {
        let token = stage.exchange(purpose, role).await.unwrap();
        let user = stage.verifier.verify(&token, SystemClock.now_s()).unwrap();
        assert_eq!(
            (user.id.as_str(), user.role_code.as_str(), user.organisation_ods.as_str()),
            ("u-1", expected, "RRK")
        );
        assert_eq!(severn_trust::purpose_word(user.purpose), purpose);
        assert_eq!(user.app_key.kid(), stage.app.public().kid());
        assert!(
            user.authenticated_s.is_some_and(|at_s| SystemClock.now_s() - at_s < 60),
            "good for breaking the glass"
        );
    }
    let refused = stage.exchange("direct_care", Some("R9999")).await.unwrap_err();
    assert!(format!("{refused:#}").contains("choose one of R8000, R8001"), "{refused:#}");
    assert!(stage.section.sign_out().unwrap() && !stage.section.sign_out().unwrap());
    assert!(stage.exchange("direct_care", None).await.is_err());
}

#[tokio::test]
async fn a_browser_signs_in_and_nobody_else_can_answer_for_it() {
    let stage = Stage::set().await;
    let (told, mut addresses) = tokio::sync::mpsc::unbounded_channel();
    let section = stage.section.clone();
    let signing_in = tokio::spawn(async move {
        section.sign_in(None, &SystemEntropy::default(), |address| told.send(address.clone()).unwrap()).await
    });
    let address = addresses.recv().await.unwrap();
    let http = http().unwrap();
    let page = http.get(address.clone()).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("For development only") && page.contains("Dr &quot;A&quot; &lt;b&gt;"), "{page}");

    let back = address.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    let posed = http.get(format!("{back}?code=stolen&state=guessed")).send().await.unwrap();
    assert_eq!(posed.status(), 404);
    let answer = choose(&http, &address, "u-1").await.unwrap();
    let shown = http.get(answer).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("signed in"));
    assert_eq!(signing_in.await.unwrap().unwrap(), "Dr \"A\" <b>");
    assert!(stage.exchange("direct_care", None).await.is_ok());
}

#[tokio::test]
async fn what_is_not_in_order_is_refused_in_words() {
    let stage = Stage::set().await;
    stage.sign_in().await;
    let unknown = stage.section.sign_in(Some("u-2"), &SystemEntropy::default(), |_| ()).await.unwrap_err();
    assert!(format!("{unknown:#}").contains("no such user"), "{unknown:#}");

    let kept: Session = serde_json::from_str(&fs::read_to_string(&stage.section.session).unwrap()).unwrap();
    let token = format!("{}/token", stage.url);
    let proof = |address: &str, n| prove_possession(&stage.app, address, uuid::Uuid::from_u128(n), SystemClock.now_s());
    let good = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", &kept.id_token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("audience", "severn"),
        ("scope", "purpose:direct_care"),
    ];
    let ask = async |proof: String, change: Option<(usize, &str)>| {
        let mut form = good;
        if let Some((at, value)) = change {
            form[at].1 = value;
        }
        let response = http().unwrap().post(&token).header("DPoP", proof).form(&form).send().await.unwrap();
        let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
        assert!(!body.contains(&kept.id_token[kept.id_token.len() - 20..]), "{body}");
        (status, body)
    };
    let first = proof(&token, 1).unwrap();
    assert_eq!(ask(first.clone(), None).await.0, 200);
    let tampered = format!("{}x", kept.id_token);
    for (proof, change, says) in [
        (first, None, "used before"),
        (String::new(), None, "invalid_dpop_proof"),
        (proof("https://other.example/token", 2).unwrap(), None, "another address"),
        (proof(&token, 3).unwrap(), Some((0, "password")), "unsupported_grant_type"),
        (proof(&token, 4).unwrap(), Some((1, tampered.as_str())), "cannot be believed"),
        (proof(&token, 5).unwrap(), Some((3, "another-federation")), "another federation"),
        (proof(&token, 6).unwrap(), Some((4, "purpose:curiosity")), "invalid_scope"),
    ] {
        let (status, body) = ask(proof, change).await;
        assert!(status == 400 && body.contains(says), "{says}: {status} {body}");
    }
    assert!(stage.folder.path().exists());
}
