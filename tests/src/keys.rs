//! Keys made for one run and forgotten after it, and seeded randomness.

#![expect(clippy::expect_used, reason = "a test ends where something it relies on is not so")]

use severn_proto::v1::PurposeOfUse;
use severn_trust::{Clock, Entropy, Issuer, SigningKey, TokenVerifier, UserClaims, purpose_word};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A fresh P-256 signing key.
///
/// # Panics
/// If the machine gives no randomness.
pub fn signing_key() -> SigningKey {
    from_pem(&signing_pem())
}

/// A fresh P-256 private key, PKCS#8 PEM.
///
/// # Panics
/// If the machine gives no randomness.
pub fn signing_pem() -> String {
    rcgen::KeyPair::generate().expect("a key can be made").serialize_pem()
}

fn from_pem(pem: &str) -> SigningKey {
    SigningKey::from_pem(pem).expect("rcgen's key is a PKCS#8 P-256 key")
}

/// Randomness that a printed seed repeats (SplitMix64).
#[derive(Debug)]
pub struct Seeded(AtomicU64);

impl Seeded {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Seeded {
        Seeded(AtomicU64::new(seed))
    }

    /// The next number of the sequence.
    pub fn next(&self) -> u64 {
        let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The name of the one issuer of a test federation.
pub const ISSUER: &str = "https://login.example";

/// The federation's name.
pub const AUDIENCE: &str = "severn";

/// An organisation's gateway, and an app whose key its tokens are bound to.
#[derive(Clone)]
pub struct Gateway {
    issuer: Issuer,
    /// The app's key.
    pub app_key: SigningKey,
    /// The same, PKCS#8 PEM, for an app in another language.
    pub app_pem: String,
    /// The gateway's own key, PKCS#8 PEM, for whoever signs what no gateway would.
    pub issuer_pem: String,
}

impl Default for Gateway {
    fn default() -> Self {
        let (app_pem, issuer_pem) = (signing_pem(), signing_pem());
        Gateway { issuer: Issuer::new(from_pem(&issuer_pem)), app_key: from_pem(&app_pem), app_pem, issuer_pem }
    }
}

impl Gateway {
    /// Believes this gateway.
    ///
    /// # Panics
    /// Never: the gateway's own key set can be read.
    pub fn verifier(&self) -> TokenVerifier {
        let mut verifier = TokenVerifier::new(AUDIENCE);
        verifier.trust(ISSUER, &self.jwks_json()).expect("the gateway's own key set can be read");
        verifier
    }

    /// The gateway's JWK set, as JSON.
    pub fn jwks_json(&self) -> String {
        self.issuer.jwks_json()
    }

    /// A token for a user with `role`, for `purpose`, from now on.
    ///
    /// # Panics
    /// If the key cannot sign.
    pub fn token(&self, role: &str, purpose: PurposeOfUse, clock: &dyn Clock, token_id: u64) -> String {
        self.sign(&self.claims(role, purpose, clock, token_id))
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// If the key cannot sign.
    pub fn sign(&self, claims: &UserClaims) -> String {
        self.issuer.issue(claims).expect("the gateway's key can sign")
    }

    /// The claims of such a token.
    pub fn claims(&self, role: &str, purpose: PurposeOfUse, clock: &dyn Clock, token_id: u64) -> UserClaims {
        let now = clock.now_s();
        UserClaims {
            iss: ISSUER.into(),
            sub: "u-1".into(),
            aud: AUDIENCE.into(),
            iat: now,
            nbf: now,
            exp: now + 300,
            jti: format!("token-{token_id}"),
            name: "Dr Ada Example".into(),
            role: role.into(),
            org: "RRK".into(),
            assurance: 3,
            activities: BTreeSet::new(),
            workgroups: BTreeSet::new(),
            purpose: purpose_word(purpose),
            cnf: severn_trust::Confirmation { jwk: self.app_key.public().jwk() },
            auth_time: Some(now),
        }
    }
}

/// A clock on tokio's time, so that a paused runtime sets it.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    started: tokio::time::Instant,
    base_ms: i64,
}

impl TokioClock {
    /// Starts at 2026-11-22T10:00:00Z. Must be made within a runtime.
    pub fn start() -> Arc<TokioClock> {
        Arc::new(TokioClock { started: tokio::time::Instant::now(), base_ms: 1_795_341_600_000 })
    }
}

impl Clock for TokioClock {
    fn now_ms(&self) -> i64 {
        self.base_ms + i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
