//! Asks the broker as a care app does: waits until every source has announced whom it knows, finds the cast, retrieves
//! their records.

use crate::{
    findings::{self, Seen},
    population::CAST,
    settings::{APP, AUDIENCE, BROKER, CLINICIAN, ISSUER, Layout, USER, USER_NAME},
    truth::Scenario,
    world::World,
};
use anyhow::{Context as _, bail};
use prost::Message as _;
use severn_client::{Answer, Client, Found, Search, TokenUnavailable};
use severn_link::{Dialler as _, Identity, Tls, TlsDialler, TlsFiles};
use severn_proto::v1::{Candidate, Dataset, Demographics, EntryBody, Ledger, Section, SourceState, entry_body::Detail};
use severn_trust::{Clock as _, Issuer, SigningKey, SystemClock, SystemEntropy, UserClaims, new_uuid};
use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long the feeds may take.
const FEEDS_MAX: Duration = Duration::from_secs(60);
/// How long a retrieval waits for the sources.
const DEADLINE: Duration = Duration::from_secs(3);

/// A client of the demo's broker, on behalf of a clinician who does not exist.
///
/// # Errors
/// If keys or certificates cannot be read.
pub fn client(layout: &Layout, broker: SocketAddr) -> anyhow::Result<Client> {
    let keys = layout.keys();
    let tls = Tls::load(&TlsFiles {
        certificate: keys.join(format!("app-{APP}.pem")),
        key: keys.join(format!("app-{APP}.key")),
        authorities: keys.join("authority.pem"),
        denied: None,
    })?;
    let dialler = TlsDialler::new(tls, Duration::from_secs(5));
    let channel = dialler.dial(&broker.to_string(), &Identity::Broker(BROKER.to_owned()))?;
    let app_key = signing_key(&keys.join("app-signing.key"))?;
    let issuer = Issuer::new(signing_key(&keys.join("issuer.key"))?);
    let bound_to = app_key.clone();
    let tokens = move || token(&issuer, &bound_to);
    Ok(Client::new(channel, app_key, tokens, Arc::new(SystemClock), Arc::new(SystemEntropy::default())))
}

fn signing_key(file: &Path) -> anyhow::Result<SigningKey> {
    let pem = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(SigningKey::from_pem(&pem)?)
}

fn token(issuer: &Issuer, app_key: &SigningKey) -> Result<String, TokenUnavailable> {
    let now = SystemClock.now_s();
    let claims = serde_json::json!({
        "iss": ISSUER,
        "sub": USER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + 120,
        "jti": new_uuid(&SystemClock, &SystemEntropy::default()).to_string(),
        "name": USER_NAME,
        "role": CLINICIAN,
        "org": "RRK",
        "purpose": "direct_care",
        "cnf": { "jwk": app_key.public().jwk() },
    });
    let missing = |error: &dyn std::fmt::Display| TokenUnavailable::Missing(error.to_string());
    let claims: UserClaims = serde_json::from_value(claims).map_err(|error| missing(&error))?;
    issuer.issue(&claims).map_err(|error| missing(&error))
}

/// Waits until the broker knows everybody whom the sources know; `tell` hears of each source that is complete.
///
/// # Errors
/// After 60 s, with the sources that are not.
pub async fn wait_for_feeds(
    client: &Client,
    world: &World,
    mut tell: impl FnMut(&SourceState),
) -> anyhow::Result<Vec<SourceState>> {
    let until = Instant::now() + FEEDS_MAX;
    let mut complete: Vec<String> = Vec::new();
    loop {
        let sources = client.list_sources().await.context("cannot list the sources")?;
        for source in &sources {
            let there = expected(world, source) <= source.registrations;
            if there && source.feed_heard_at_ms > 0 && !complete.contains(&source.source_id) {
                complete.push(source.source_id.clone());
                tell(source);
            }
        }
        if complete.len() == world.holdings.len() {
            return Ok(sources);
        }
        if Instant::now() > until {
            let late = sources.iter().filter(|source| !complete.contains(&source.source_id)).map(|source| {
                format!("{} ({} of {})", source.source_id, source.registrations, expected(world, source))
            });
            bail!("after 60 s these feeds are not complete: {}", late.collect::<Vec<_>>().join(", "));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn expected(world: &World, source: &SourceState) -> u64 {
    world.holding(&source.source_id).map_or(0, |holding| holding.records.len() as u64)
}

/// Finds every member of the cast, in the order of their numbers; `None` for one who is not one person.
///
/// # Errors
/// If the broker refuses.
pub async fn find_cast(client: &Client, world: &World) -> anyhow::Result<Vec<Option<Candidate>>> {
    let mut cast = Vec::new();
    for person in world.population.people.iter().take(CAST.len()) {
        let (nhs_number, birth_date) = (person.nhs_number.clone(), person.birth_date.to_string());
        let found = client.find(Search::NhsNumber { nhs_number, birth_date }).await?;
        cast.push(match found {
            Found::One(candidate) => Some(*candidate),
            _ => None,
        });
    }
    Ok(cast)
}

/// What came of a scenario.
pub struct Outcome {
    /// The answer; `None` where the person was not found.
    pub answer: Option<Answer>,
    /// Each finding in words, and whether the record shows it.
    pub findings: Vec<(String, bool)>,
}

/// Retrieves the record of a scenario's person and compares it with the truth.
///
/// # Errors
/// If the broker refuses.
pub async fn ask(client: &Client, scenario: &Scenario, cast: &[Option<Candidate>]) -> anyhow::Result<Outcome> {
    let not_seen = || scenario.findings.iter().map(|finding| (findings::in_words(finding), false)).collect();
    let Some(candidate) = cast.get(scenario.person).and_then(Option::as_ref) else {
        return Ok(Outcome { answer: None, findings: not_seen() });
    };
    let person = candidate.golden.clone().unwrap_or_else(Demographics::default);
    let answer = client.retrieve(&candidate.enterprise_id, &person, &[], DEADLINE).await?;
    let received = answer.received();
    let ids: Vec<String> =
        cast.iter().map(|found| found.as_ref().map(|one| one.enterprise_id.clone()).unwrap_or_default()).collect();
    let nothing = Ledger::default();
    let seen = Seen {
        sections: &received.sections,
        ledger: received.ledger.as_ref().unwrap_or(&nothing),
        postcodes: &postcodes(&received.sections),
        enterprise_id: &candidate.enterprise_id,
        cast: &ids,
    };
    // A record without its seal shows nothing, whatever is in it.
    let sealed = answer.flaw().is_none();
    let judge = |finding| (findings::in_words(finding), sealed && findings::holds(finding, &seen));
    let findings = scenario.findings.iter().map(judge).collect();
    Ok(Outcome { answer: Some(answer), findings })
}

/// The postcodes in the demographics that the sources gave.
fn postcodes(sections: &[Section]) -> Vec<String> {
    let demographics = sections.iter().filter(|section| section.dataset() == Dataset::Demographics);
    let contributions = demographics.flat_map(|section| &section.items).flat_map(|item| &item.contributions);
    let bodies = contributions.filter_map(|c| EntryBody::decode(c.entry.as_ref()?.body.as_ref()).ok());
    let addresses = bodies.filter_map(|body| match body.detail? {
        Detail::Demographics(detail) => Some(detail.demographics?.addresses),
        _ => None,
    });
    addresses.flatten().map(|address| address.postcode).collect()
}
