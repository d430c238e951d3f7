//! Who asks: the peer, tokens and proofs that are not what they should be.

use super::{Attempt, Call, Ends, Loot, Script, fetch};
use crate::serve::tests::hostile::{
    weakened::Defence,
    world::{AUDIENCE, Ask, CLINICIAN, Held, ISSUER, OKAFOR, SOURCE, Scene, jws_payload},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use severn_link::Identity;
use severn_proto::v1::{
    Dataset::{Allergies, Medications},
    PurposeOfUse, RequestContext,
};

pub(super) fn scripts() -> Vec<Script> {
    [peers(), made_up(), altered(), untimely(), shared(), proofs(), missing()].into_iter().flatten().collect()
}

/// Refused before anybody is known.
fn stranger(name: &'static str, defence: Defence, loot: Loot, attack: fn(&Scene) -> Attempt) -> Script {
    Script { name, defence, ends: Ends::Stranger, loot, attack }
}

fn script(name: &'static str, defence: Defence, loot: Loot, attack: fn(&Scene) -> Attempt) -> Script {
    Script { ends: Ends::Refused, ..stranger(name, defence, loot, attack) }
}

/// An honest call in all but what `change` does to what the app sent.
fn with(s: &Scene, ask: Ask, change: impl FnOnce(&mut RequestContext)) -> Attempt {
    let mut held = s.app_asks(ask);
    change(&mut held.context);
    Attempt::of(&held, fetch(s, &held, |_| ()))
}

/// A JWS whose parts are changed and whose signature is kept.
fn tampered(jws: &str, header: impl FnOnce(&mut Value), payload: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<&str> = jws.split('.').collect();
    let mut head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).unwrap()).unwrap();
    let mut body = jws_payload(jws).unwrap();
    header(&mut head);
    payload(&mut body);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&head), part(&body), parts[2])
}

fn unsigned(jws: &str) -> String {
    let whole = tampered(jws, |head| head["alg"] = "none".into(), |_| ());
    format!("{}.", whole.rsplit_once('.').unwrap().0)
}

/// A user that the broker makes up, with a token and a proof by keys of its own.
fn forged(s: &Scene, issuer: &str) -> Held {
    let truth = s.app_asks(Ask::clinician(&[Medications]));
    let key = s.own_key();
    let mut claims = jws_payload(&truth.context.user_token).unwrap();
    claims["iss"] = issuer.into();
    claims["cnf"] = json!({ "jwk": key.public().jwk() });
    let proof = jws_payload(&truth.context.request_proof).unwrap();
    let user_token = key.sign("JWT", &claims).unwrap();
    let request_proof = key.sign("severn-proof+jwt", &proof).unwrap();
    Held { context: RequestContext { user_token, request_proof }, ..truth }
}

fn peers() -> Vec<Script> {
    fn by(s: &Scene, caller: Identity) -> Attempt {
        with(s, Ask::clinician(&[Allergies]), |_| ()).by(caller)
    }
    use Defence::Peer;
    let loot = Loot::Entry("alg-anna");
    vec![
        stranger("a source's certificate", Peer, loot, |s| by(s, Identity::Source("OTHER".into()))),
        stranger("this source's own certificate", Peer, loot, |s| by(s, Identity::Source(SOURCE.into()))),
        stranger("an app's certificate", Peer, loot, |s| by(s, Identity::App("the-broker".into()))),
        stranger("another broker's certificate", Peer, loot, |s| by(s, Identity::Broker("the-broker-2".into()))),
    ]
}

fn made_up() -> Vec<Script> {
    use Defence::TokenSignature;
    let loot = Loot::Entry("med-anna");
    vec![
        stranger("a user of an issuer of its own", TokenSignature, loot, |s| {
            let held = forged(s, "the-brokers-gateway");
            Attempt::of(&held, fetch(s, &held, |_| ()))
        }),
        stranger("a user in the true issuer's name", TokenSignature, loot, |s| {
            let held = forged(s, ISSUER);
            Attempt::of(&held, fetch(s, &held, |_| ()))
        }),
        stranger("a token without algorithm", TokenSignature, loot, |s| {
            with(s, Ask::clinician(&[Medications]), |c| c.user_token = unsigned(&c.user_token))
        }),
        stranger("a token by a shared secret", TokenSignature, loot, |s| {
            with(s, Ask::clinician(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |head| head["alg"] = "HS256".into(), |_| ());
            })
        }),
        stranger("a token that brings its key", TokenSignature, loot, |s| {
            let key = serde_json::to_value(s.own_key().public().jwk()).unwrap();
            with(s, Ask::clinician(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |head| head["jwk"] = key, |_| ());
            })
        }),
        stranger("a token that names a place for its key", TokenSignature, loot, |s| {
            with(s, Ask::clinician(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |head| head["jku"] = "https://broker.example".into(), |_| ());
            })
        }),
        stranger("a token of a key that nobody knows", TokenSignature, loot, |s| {
            with(s, Ask::clinician(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |head| head["kid"] = "../../keys".into(), |_| ());
            })
        }),
    ]
}

fn altered() -> Vec<Script> {
    use Defence::TokenSignature;
    vec![
        stranger("a clerk made a clinician", TokenSignature, Loot::Entry("med-anna"), |s| {
            with(s, Ask::clerk(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |_| (), |claims| claims["role"] = CLINICIAN.into());
            })
        }),
        stranger("a stranger made one of us", TokenSignature, Loot::Entry("med-anna-mind"), |s| {
            with(s, Ask::clinician(&[Medications]), |c| {
                c.user_token = tampered(&c.user_token, |_| (), |claims| claims["org"] = SOURCE.into());
            })
        }),
        stranger("a token bound to the broker's key", TokenSignature, Loot::Entry("med-anna"), |s| {
            let key = s.own_key().clone();
            with(s, Ask::clinician(&[Allergies]), |c| {
                let cnf = json!({ "jwk": key.public().jwk() });
                c.user_token = tampered(&c.user_token, |_| (), |claims| claims["cnf"] = cnf);
                let mut proof = jws_payload(&c.request_proof).unwrap();
                proof["datasets"] = json!(["medications"]);
                c.request_proof = key.sign("severn-proof+jwt", &proof).unwrap();
            })
            .for_medicines(s)
        }),
        stranger("another user's name", TokenSignature, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| {
                c.user_token = tampered(&c.user_token, |_| (), |claims| claims["sub"] = "u-innocent".into());
            })
        }),
    ]
}

fn untimely() -> Vec<Script> {
    use Defence::{ProofTime, TokenAudience, TokenClaims, TokenTime};
    let loot = Loot::Entry("alg-anna");
    vec![
        stranger("an expired token", TokenTime, loot, |s| {
            with(
                s,
                Ask::clinician(&[Allergies]).but(|claims, _| {
                    (claims.iat, claims.nbf, claims.exp) = (claims.iat - 400, claims.iat - 400, claims.iat - 100);
                }),
                |_| (),
            )
        }),
        stranger("a token of tomorrow", TokenTime, loot, |s| {
            with(
                s,
                Ask::clinician(&[Allergies]).but(|claims, _| {
                    (claims.iat, claims.nbf, claims.exp) =
                        (claims.iat + 86_400, claims.iat + 86_400, claims.iat + 86_700);
                }),
                |_| (),
            )
        }),
        stranger("a token for a day", TokenTime, loot, |s| {
            with(s, Ask::clinician(&[Allergies]).but(|claims, _| claims.exp = claims.iat + 86_400), |_| ())
        }),
        stranger("a token for another federation", TokenAudience, loot, |s| {
            with(s, Ask::clinician(&[Allergies]).but(|claims, _| claims.aud = "another-federation".into()), |_| ())
        }),
        stranger("a token for a federation of a longer name", TokenAudience, loot, |s| {
            with(s, Ask::clinician(&[Allergies]).but(|claims, _| claims.aud = format!("{AUDIENCE}-2")), |_| ())
        }),
        stranger("the user called system", TokenClaims, loot, |s| {
            with(s, Ask::clinician(&[Allergies]).but(|claims, _| claims.sub = "SYSTEM".into()), |_| ())
        }),
        script("a question of a minute ago", ProofTime, loot, |s| {
            let held = s.app_asks(Ask::clinician(&[Allergies]));
            s.clock.forward(60);
            Attempt::of(&held, fetch(s, &held, |_| ()))
        }),
        script("a question of the next minute", ProofTime, loot, |s| {
            with(s, Ask::clinician(&[Allergies]).but(|_, proof| proof.issued_s += 60), |_| ())
        }),
    ]
}

/// Users of one app, which signs with one key for all of them.
fn shared() -> Vec<Script> {
    use Defence::ProofToken;
    vec![
        script("a question under an insider's token", ProofToken, Loot::Entry("med-anna-mind"), |s| {
            let outsider = s.app_asks(Ask::clinician(&[Medications]));
            let ask = Ask { organisation: SOURCE, ..Ask::clinician(&[Allergies]) };
            let insider = with(s, ask, |c| c.request_proof = outsider.context.request_proof);
            let mixed = Held { query_id: outsider.query_id, ..insider.truth.clone() };
            Attempt { call: fetch(s, &mixed, |said| said.datasets = vec![Medications.into()]), ..insider }
        }),
        script("a question under a colleague's token", ProofToken, Loot::Entry("alg-anna"), |s| {
            let other = s.app_asks(Ask::clinician(&[Allergies]));
            with(s, Ask::clinician(&[Allergies]), |c| c.request_proof = other.context.request_proof.clone())
                .of_query(s, &other)
        }),
    ]
}

fn proofs() -> Vec<Script> {
    use Defence::{ProofPurpose, ProofSignature};
    vec![
        script("datasets added to the proof", ProofSignature, Loot::Entry("med-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| {
                let wide = json!(["allergies", "medications"]);
                c.request_proof = tampered(&c.request_proof, |_| (), |proof| proof["datasets"] = wide);
            })
            .for_medicines(s)
        }),
        script("another person in the proof", ProofSignature, Loot::Entry("alg-okafor"), |s| {
            let other = s.app_asks(Ask::clerk(&[Allergies]).about(OKAFOR));
            let person = jws_payload(&other.context.request_proof).unwrap()["person"].clone();
            let mut held = s.app_asks(Ask::clinician(&[Allergies]));
            let jws = &held.context.request_proof;
            held.context.request_proof = tampered(jws, |_| (), |proof| proof["person"] = person);
            let call = fetch(s, &held, |said| said.local_id = OKAFOR.into());
            Attempt::of(&held, call)
        }),
        script("a proof by the broker's key", ProofSignature, Loot::Entry("med-anna"), |s| {
            let key = s.own_key().clone();
            with(s, Ask::clinician(&[Allergies]), |c| {
                let mut proof = jws_payload(&c.request_proof).unwrap();
                proof["datasets"] = json!(["medications"]);
                c.request_proof = key.sign("severn-proof+jwt", &proof).unwrap();
            })
            .for_medicines(s)
        }),
        script("a proof without algorithm", ProofSignature, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| c.request_proof = unsigned(&c.request_proof))
        }),
        script("a proof without its signature", ProofSignature, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| {
                c.request_proof.truncate(c.request_proof.rfind('.').unwrap() + 1);
            })
        }),
        script("half a signature", ProofSignature, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| c.request_proof.truncate(c.request_proof.len() - 46))
        }),
        script("a proof in the place of a proof of another kind", ProofSignature, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]), |c| {
                c.request_proof = tampered(&c.request_proof, |head| head["typ"] = "JWT".into(), |_| ());
            })
        }),
        script("a new query id in an old proof", ProofSignature, Loot::Entry("alg-anna"), |s| {
            let mut held = s.app_asks(Ask::clinician(&[Allergies]));
            let first = fetch(s, &held, |_| ());
            held.query_id = uuid::Uuid::from_u128(77);
            let jws = &held.context.request_proof;
            held.context.request_proof = tampered(jws, |_| (), |p| p["qid"] = held.query_id.to_string().into());
            Attempt::of(&held, fetch(s, &held, |_| ())).after(vec![first])
        }),
        script("a clinician's token with a clerk's question", ProofSignature, Loot::Entry("med-anna"), |s| {
            let clerk = s.app_asks(Ask::clerk(&[Medications]));
            with(s, Ask::clinician(&[Medications]), |c| c.request_proof = clerk.context.request_proof.clone())
                .of_query(s, &clerk)
        }),
        script("a clerk's token with a clinician's question", ProofSignature, Loot::Entry("alg-anna"), |s| {
            let clinician = s.app_asks(Ask::clinician(&[Allergies]));
            with(s, Ask::clerk(&[Allergies]), |c| c.request_proof = clinician.context.request_proof.clone())
                .of_query(s, &clinician)
        }),
        script("another purpose than the token's", ProofPurpose, Loot::Entry("alg-anna"), |s| {
            with(s, Ask::clinician(&[Allergies]).but(|_, proof| proof.purpose = PurposeOfUse::Emergency), |_| ())
        }),
    ]
}

fn missing() -> Vec<Script> {
    let (inherent, loot) = (Defence::Inherent, Loot::Answer);
    vec![
        stranger("nothing of what the app sent", inherent, loot, |s| {
            let attempt = with(s, Ask::clinician(&[Allergies]), |_| ());
            let Call::Fetch(_, statement) = attempt.call.clone() else { return attempt };
            Attempt { call: Call::Fetch(None, statement), ..attempt }
        }),
        stranger("no token", inherent, loot, |s| with(s, Ask::clinician(&[Allergies]), |c| c.user_token.clear())),
        script("no proof", inherent, loot, |s| with(s, Ask::clinician(&[Allergies]), |c| c.request_proof.clear())),
        stranger("a token that is none", inherent, loot, |s| {
            with(s, Ask::clinician(&[Allergies]), |c| c.user_token = "e30.e30.".repeat(4000))
        }),
    ]
}

impl Attempt {
    /// The statement asks for medicines, as the proof now seems to.
    fn for_medicines(self, s: &Scene) -> Attempt {
        Attempt { call: fetch(s, &self.truth, |said| said.datasets = vec![Medications.into()]), ..self }
    }

    /// The statement speaks of the query of `other`.
    fn of_query(self, s: &Scene, other: &Held) -> Attempt {
        let mixed = Held { query_id: other.query_id, ..self.truth.clone() };
        Attempt { call: fetch(s, &mixed, |_| ()), ..self }
    }
}
