//! Lets adapters in: a join token and a key ask, people decide, the authority signs; and gives those that are in their next
//! certificates. What has an effect is durable in the audit trail before it has it.

use super::{
    authority::{Authority, Issued, RequestError, Requested},
    enrolments::{Asked, Enrolled, Enrolments},
};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use severn_link::{Denied, DenyList, Identity};
use severn_trust::{Clock, Details, Entropy, Trail, TrailError, TrailEvent};
use std::{collections::BTreeMap, io, net::SocketAddr, num::NonZeroU32, sync::Arc};
use tokio::sync::{Mutex, watch};
use tracing::{error, info, warn};

/// What the trail calls it.
const ASKED: &str = "enrol-asked";
const REFUSED: &str = "enrol-refused";
const ISSUED: &str = "enrol-issued";
const RENEWED: &str = "renew";
const NOT_RENEWED: &str = "renew-refused";

/// Refusals that are recorded in a minute. Whoever has no certificate could fill the disk otherwise.
const REFUSALS_PER_MINUTE: u32 = 60;

/// What the broker knows of a source that may join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// ODS code of its organisation.
    pub ods: String,
    /// Where the broker reaches its adapter: the host, which the certificate must name.
    pub host: String,
}

/// What a registrar is made of.
pub struct RegistrarParts {
    /// Signs.
    pub authority: Authority,
    /// What was asked and decided.
    pub enrolments: Enrolments,
    /// Who may join, by source id.
    pub sources: BTreeMap<String, Place>,
    /// Who may not, whatever else.
    pub denied: watch::Receiver<Arc<DenyList>>,
    /// Where it is recorded.
    pub trail: Trail,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws serial numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// Lets adapters in.
pub struct Registrar {
    parts: RegistrarParts,
    refusals: DefaultDirectRateLimiter,
    /// Held from the look at an enrolment to its change: what is recorded in between must still be so.
    turn: Mutex<()>,
}

/// What an adapter offers.
#[derive(Clone, Copy)]
pub struct Offer<'a> {
    /// The join token.
    pub token: &'a str,
    /// The source it says it is.
    pub source_id: &'a str,
    /// The organisation it says it is of.
    pub ods: &'a str,
    /// PKCS #10, DER.
    pub certificate_request: &'a [u8],
    /// Where the call came from, where that is known.
    pub from: Option<SocketAddr>,
}

/// What becomes of it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The enrolment.
    pub enrolment_id: String,
    /// The certificate, once it is approved.
    pub issued: Option<Issued>,
}

/// Why an adapter is not let in. The words are for the adapter's operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Never made here, or a slip of the pen.
    #[error("token: not known at this broker; copy all of it, or ask the broker's operator for another")]
    UnknownToken,
    /// Made for another.
    #[error("token: was made for another source; set source.id to the one it was made for, or ask for another token")]
    OtherSource,
    /// Made for another organisation.
    #[error(
        "token: was made for another organisation; set source.ods to the one it was made for, or ask for another token"
    )]
    OtherOrganisation,
    /// It ran out.
    #[error("token: has expired; ask the broker's operator for another")]
    Expired,
    /// Another key used it.
    #[error("token: was used already, with another key; if that was not you, tell the broker's operator at once")]
    Used,
    /// Approved, or asked, too long ago.
    #[error("token: was used more than a day ago; ask the broker's operator for another")]
    Lapsed,
    /// People said no.
    #[error("the broker's operator refused: {0}")]
    Declined(String),
    /// The broker does not know the source.
    #[error("this source is not registered at the broker; ask its operator")]
    Unregistered,
    /// On the deny-list.
    #[error("this source is denied; ask the broker's operator")]
    Denied,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// So many were refused that no more are recorded.
    #[error("too many were refused; wait a minute")]
    TooOften,
    /// The request gets no certificate.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// It cannot be recorded.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The enrolments cannot be read or written.
    #[error("the broker cannot keep enrolments: {0}")]
    Storage(#[from] io::Error),
}

impl Registrar {
    /// A registrar of these parts.
    pub fn new(parts: RegistrarParts) -> Registrar {
        let per_minute = NonZeroU32::new(REFUSALS_PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        let refusals = RateLimiter::direct(Quota::per_minute(per_minute));
        Registrar { parts, refusals, turn: Mutex::default() }
    }

    /// Takes an offer, the first time and each time that it is repeated.
    ///
    /// # Errors
    /// [`EnrolError`]; a refusal is recorded.
    pub async fn enrol(&self, offer: Offer<'_>) -> Result<Answer, EnrolError> {
        let _turn = self.turn.lock().await;
        let enrolled = self.parts.enrolments.of_token(offer.token)?;
        let id = enrolled.as_ref().map_or_else(String::new, |enrolled| enrolled.id.clone());
        match self.take(enrolled, offer).await {
            Err(EnrolError::Refused(why)) => {
                let details = Details::default().with("enrolment", &id).with("from", &offer.from);
                self.refused(REFUSED, offer.source_id, details, &why).await?;
                Err(why.into())
            }
            taken => taken,
        }
    }

    async fn take(&self, enrolled: Option<Enrolled>, offer: Offer<'_>) -> Result<Answer, EnrolError> {
        // The token comes first: whoever has none learns nothing, and costs no arithmetic.
        let enrolled = enrolled.ok_or(Refusal::UnknownToken)?;
        let place = self.place_of(&enrolled, offer)?;
        let requested = Requested::read(offer.certificate_request)?;
        let (key, now_ms) = (requested.fingerprint(), self.parts.clock.now_ms());
        let Some(asked) = &enrolled.asked else {
            if now_ms >= enrolled.made.expires_ms {
                return Err(Refusal::Expired.into());
            }
            let details = about(&enrolled).with("key", &key).with("from", &offer.from);
            self.record(ASKED, offer.source_id, details).await?;
            let first = self.parts.enrolments.ask(&enrolled.id, &Asked { key, at_ms: now_ms })?;
            info!(
                enrolment_id = enrolled.id,
                source_id = offer.source_id,
                "an adapter asks to join; approve or refuse it"
            );
            return if first {
                Ok(Answer { enrolment_id: enrolled.id, issued: None })
            } else {
                Err(Refusal::Used.into())
            };
        };
        if asked.key != key {
            return Err(Refusal::Used.into());
        }
        if asked.has_lapsed(now_ms) {
            return Err(Refusal::Lapsed.into());
        }
        let issued = match &enrolled.decision {
            None => None,
            Some(decision) if !decision.approved => return Err(Refusal::Declined(decision.because.clone()).into()),
            Some(decision) => {
                let issued = self.sign(&requested, offer.source_id, place)?;
                let details = about(&enrolled).with("key", &key).with("approved_by", &decision.by);
                self.record(ISSUED, offer.source_id, said_of(&issued, details)).await?;
                info!(enrolment_id = enrolled.id, source_id = offer.source_id, "an adapter joined");
                Some(issued)
            }
        };
        Ok(Answer { enrolment_id: enrolled.id, issued })
    }

    fn place_of(&self, enrolled: &Enrolled, offer: Offer<'_>) -> Result<&Place, Refusal> {
        if enrolled.made.source_id != offer.source_id {
            return Err(Refusal::OtherSource);
        }
        if enrolled.made.ods != offer.ods {
            return Err(Refusal::OtherOrganisation);
        }
        let place = self.known(offer.source_id)?;
        // The broker's own configuration may have changed since.
        if place.ods == offer.ods { Ok(place) } else { Err(Refusal::Unregistered) }
    }

    /// A source that is registered and not denied.
    fn known(&self, source_id: &str) -> Result<&Place, Refusal> {
        if self.parts.denied.borrow().contains(&Denied::Identity(Identity::Source(source_id.to_owned()))) {
            return Err(Refusal::Denied);
        }
        self.parts.sources.get(source_id).ok_or(Refusal::Unregistered)
    }

    /// The next certificate of a source that proved to be `source_id`.
    ///
    /// # Errors
    /// [`EnrolError`]; a refusal is recorded.
    pub async fn renew(&self, source_id: &str, certificate_request: &[u8]) -> Result<Issued, EnrolError> {
        let place = match self.known(source_id) {
            Ok(place) => place,
            Err(why) => {
                self.refused(NOT_RENEWED, source_id, Details::default(), &why).await?;
                return Err(why.into());
            }
        };
        let requested = Requested::read(certificate_request)?;
        let issued = self.sign(&requested, source_id, place)?;
        let details = Details::default().with("key", &requested.fingerprint());
        self.record(RENEWED, source_id, said_of(&issued, details)).await?;
        Ok(issued)
    }

    fn sign(&self, requested: &Requested, source_id: &str, place: &Place) -> Result<Issued, RequestError> {
        let when = (self.parts.clock.now_s(), self.parts.entropy.as_ref());
        let signed = self.parts.authority.issue(requested, (source_id, &place.host), when);
        signed.inspect_err(|why| error!(source_id, %why, "no certificate was signed"))
    }

    async fn refused(&self, action: &str, source_id: &str, details: Details, why: &Refusal) -> Result<(), EnrolError> {
        self.refusals.check().map_err(|_| EnrolError::TooOften)?;
        warn!(source_id = readable(source_id), %why, "an adapter was refused");
        self.record(action, source_id, details.with("why", &why.to_string())).await
    }

    async fn record(&self, action: &str, source_id: &str, details: Details) -> Result<(), EnrolError> {
        let details = details.with("source", &readable(source_id));
        let event = TrailEvent { action: action.to_owned(), details, ..TrailEvent::default() };
        Ok(self.parts.trail.record(event).await.map(drop)?)
    }
}

fn about(enrolled: &Enrolled) -> Details {
    Details::default()
        .with("enrolment", &enrolled.id)
        .with("ods", &enrolled.made.ods)
        .with("made_by", &enrolled.made.by)
}

fn said_of(issued: &Issued, details: Details) -> Details {
    details.with("serial", &issued.serial).with("ends_s", &issued.ends_s)
}

/// A name that a stranger gave, as far as it can be one.
fn readable(source_id: &str) -> &str {
    let fits = Identity::from_uri(&Identity::Source(source_id.to_owned()).uri()).is_some();
    if fits { source_id } else { "(unreadable)" }
}
