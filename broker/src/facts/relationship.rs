//! What joins a person to those who care for them: what sources announce, read day by day, and what a user claimed.
//! Pure. Days are UTC days, since sources give days and no times.

use super::words::Actor;
use crate::model::SourceId;
use jiff::{Timestamp, tz::TimeZone};
use severn_proto::v1::{CareRelationship, Registration, RelationshipKind};
use std::fmt;
use uuid::Uuid;

/// How an organisation comes to care for a person; the best comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CareKind {
    /// Registered with it, as with a GP practice.
    Registered,
    /// Admitted to it.
    Admitted,
    /// On a caseload of one of its teams.
    Caseload,
    /// Referred to it.
    Referred,
    /// Claimed by a user of it.
    SelfClaimed,
}

/// One relationship that holds now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relationship {
    /// The kind.
    pub kind: CareKind,
    /// ODS code of the organisation.
    pub organisation_ods: String,
    /// Team or workgroup within it; empty for the whole organisation.
    pub team: String,
    /// ISO 8601 date of the first day, may be partial; empty if unknown.
    pub since: String,
    /// ISO 8601 date of the last day, may be partial; empty while it lasts.
    pub until: String,
    /// Who says so.
    pub evidence: Evidence,
}

/// Who says that a relationship holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A source's feed.
    Feed(SourceId),
    /// A user who claimed it, which is reviewed.
    Claim {
        /// Names the claim for ever.
        id: Uuid,
        /// Who claimed it.
        by: Actor,
        /// Until when: milliseconds since 1970-01-01T00:00:00Z.
        until_ms: i64,
    },
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evidence::Feed(source) => write!(f, "Feed({source})"),
            Evidence::Claim { id, by, .. } => write!(f, "Claim({id} by {by:?})"),
        }
    }
}

impl CareKind {
    /// The kind that a source announces; `None` for one that no source may announce, or that is not known here.
    pub fn announced(kind: RelationshipKind) -> Option<CareKind> {
        match kind {
            RelationshipKind::Registered => Some(CareKind::Registered),
            RelationshipKind::Admitted => Some(CareKind::Admitted),
            RelationshipKind::Caseload => Some(CareKind::Caseload),
            RelationshipKind::Referred => Some(CareKind::Referred),
            RelationshipKind::Unspecified | RelationshipKind::SelfClaimed => None,
        }
    }

    /// `registered`, `admitted`, `caseload`, `referred`, `self_claimed`.
    pub fn word(self) -> &'static str {
        match self {
            CareKind::Registered => "registered",
            CareKind::Admitted => "admitted",
            CareKind::Caseload => "caseload",
            CareKind::Referred => "referred",
            CareKind::SelfClaimed => "self_claimed",
        }
    }
}

/// The day of a moment (milliseconds since 1970-01-01T00:00:00Z) in ISO 8601.
pub fn day_of(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).date().to_string()
}

/// What joins the person of a registration to the organisation `ods` on the day `today`, by what the registration's
/// source says. `own_ods` is the source's own organisation, `None` if nobody knows it.
pub fn of_registration<'a>(
    registration: &'a Registration,
    (source, own_ods): (&'a SourceId, Option<&'a str>),
    (ods, today): (&'a str, &'a str),
) -> impl Iterator<Item = Relationship> + 'a {
    let made = move |kind, said: &CareRelationship| Relationship {
        kind,
        organisation_ods: ods.to_owned(),
        team: said.team.clone(),
        since: said.since.clone(),
        until: said.until.clone(),
        evidence: Evidence::Feed(source.clone()),
    };
    let is_own = own_ods.is_some_and(|own| own.eq_ignore_ascii_case(ods));
    // A source that lists no relationships knows the person all the same.
    let lists = registration.relationships_listed || !registration.relationships.is_empty();
    let implied = (!lists && is_own).then(|| made(CareKind::Registered, &CareRelationship::default()));
    let listed = registration.relationships.iter().filter_map(move |said| {
        let is_asked =
            if said.organisation_ods.is_empty() { is_own } else { said.organisation_ods.eq_ignore_ascii_case(ods) };
        let kind = CareKind::announced(said.kind())?;
        (is_asked && holds(said, today)).then(|| made(kind, said))
    });
    implied.into_iter().chain(listed)
}

/// Whether a relationship holds on a day. A month or a year as its end means the last day of it.
fn holds(said: &CareRelationship, today: &str) -> bool {
    let begun = said.since.is_empty() || today.get(..said.since.len()).is_some_and(|day| day >= said.since.as_str());
    let ended = !said.until.is_empty() && today.get(..said.until.len()).is_none_or(|day| day > said.until.as_str());
    begun && !ended
}
