//! The words: who did what to the facts, as it is stored for ever, and what is made of it for a query. Shapes only.
//! No `Debug` shows a person, a name or a text.

use super::{Relationship, relationship::CareKind};
use crate::model::{EnterpriseId, LocalId, Located, SourceId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use severn_proto::v1::Dataset;
use severn_trust::{NhsNumber, User, dataset_from_word, dataset_word};
use std::{collections::BTreeSet, fmt};
use uuid::Uuid;

/// Who did it, as their token said then.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who issued the token.
    pub issuer: String,
    /// The user's id at the issuer.
    pub id: String,
    /// The user's name.
    pub name: String,
    /// The role code.
    pub role_code: String,
    /// ODS code of the organisation.
    pub organisation_ods: String,
}

/// A change of the facts, as it is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Names the change for ever, and with it the directive, claim or override that it made. A retry has the same.
    pub key: Uuid,
    /// Who made it.
    pub by: Actor,
    /// Whom it is about; `None` for a withdrawal and a review, which are about an earlier change.
    pub subject: Option<Subject>,
    /// What it is.
    pub kind: ChangeKind,
}

/// Whom a change is about: who they were at that moment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The id by which the person went.
    pub person: EnterpriseId,
    /// The person's registrations.
    pub registrations: BTreeSet<Located>,
    /// The person's verified NHS numbers.
    pub numbers: BTreeSet<NhsNumber>,
}

/// What a change is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A person restricts who may see what is known of them.
    DirectiveEntered {
        /// What it keeps back.
        kind: DirectiveKind,
        /// From when: milliseconds since 1970-01-01T00:00:00Z; 0 for as soon as it was entered.
        from_ms: i64,
        /// Until when; `None` until it is withdrawn.
        until_ms: Option<i64>,
        /// Why and how the person asked for it, in the words of whoever entered it.
        reason: String,
    },
    /// A person takes a directive back.
    DirectiveWithdrawn {
        /// The directive.
        directive: Uuid,
        /// Why and how the person asked for it.
        reason: String,
    },
    /// A user says that their organisation cares for the person now. It is reviewed.
    RelationshipClaimed {
        /// Why.
        reason: String,
        /// Until when: milliseconds since 1970-01-01T00:00:00Z.
        until_ms: i64,
    },
    /// A user breaks the glass. It is reviewed.
    OverrideOpened {
        /// Why, by code.
        reason: OverrideReason,
        /// Why, in the user's words.
        text: String,
        /// Until when: milliseconds since 1970-01-01T00:00:00Z.
        expires_ms: i64,
        /// When the user had last signed in themselves: seconds since 1970.
        authenticated_s: i64,
    },
    /// A privacy officer looked at a claim or an override.
    Reviewed {
        /// The claim or override.
        of: Uuid,
        /// What came of it.
        verdict: Verdict,
        /// A note; may be empty where it was justified.
        note: String,
    },
}

/// What a directive keeps back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DirectiveKind {
    /// Everything, from everybody: the person opts out of sharing.
    OptOut,
    /// Everything that one source holds. No override lifts it.
    Dissent {
        /// The source.
        source: SourceId,
    },
    /// Something, or from somebody.
    Restriction(Restricted),
}

/// What or whom a restriction is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restricted {
    /// Everything is kept from the users of one organisation.
    Organisation {
        /// Its ODS code.
        ods: String,
    },
    /// Everything is kept from one user.
    User {
        /// Who issues the user's tokens.
        issuer: String,
        /// The user's id there.
        id: String,
    },
    /// These are kept from everybody.
    Datasets(#[serde(serialize_with = "to_words", deserialize_with = "from_words")] Vec<Dataset>),
}

/// Why somebody breaks the glass: a closed list. A court's order and a statutory request are no such reasons: they go
/// to the source that holds the record, by the way the law provides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideReason {
    /// Treatment that cannot wait.
    EmergencyTreatment,
    /// The person must be kept from harm.
    SafeguardingPerson,
    /// Others must be kept from harm.
    SafeguardingOthers,
    /// The person, who is there, asked for it.
    PersonAsked,
    /// The person cannot be asked, and it is in their best interests.
    BestInterests,
}

/// What came of a review.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was right. The entry leaves the queue.
    Justified,
    /// It was not. The entry leaves the queue, and what it opened is closed at once.
    NotJustified,
    /// Somebody must ask further. The entry stays.
    FollowUp,
}

/// A review.
#[derive(Clone, PartialEq, Eq)]
pub struct Review {
    /// Who reviewed.
    pub by: Actor,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// What came of it.
    pub verdict: Verdict,
    /// Their note.
    pub note: String,
}

/// A directive, as it is now.
#[derive(Clone, PartialEq, Eq)]
pub struct Directive {
    /// Names it for ever.
    pub id: Uuid,
    /// What it keeps back.
    pub kind: DirectiveKind,
    /// From when: milliseconds since 1970-01-01T00:00:00Z; 0 for as soon as it was entered.
    pub from_ms: i64,
    /// Until when; `None` until it is withdrawn.
    pub until_ms: Option<i64>,
    /// Who entered it.
    pub entered_by: Actor,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub entered_at_ms: i64,
    /// Why, in their words.
    pub reason: String,
    /// 1 as it was entered, 2 once it was withdrawn.
    pub version: u32,
    /// Its withdrawal.
    pub withdrawn: Option<Withdrawn>,
}

/// The withdrawal of a directive.
#[derive(Clone, PartialEq, Eq)]
pub struct Withdrawn {
    /// Who withdrew it.
    pub by: Actor,
    /// When: milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// Why, in their words.
    pub reason: String,
}

/// An override that is in force: what a broker's statement to a source needs of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Override {
    /// Names it for ever.
    pub id: Uuid,
    /// Why, by code.
    pub reason: OverrideReason,
    /// When it was opened: milliseconds since 1970-01-01T00:00:00Z.
    pub opened_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
    /// When the user had last signed in themselves: seconds since 1970.
    pub authenticated_s: i64,
}

/// What is known, at one moment, of one user's standing with one person.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PersonFacts {
    /// Every directive of the person that is in force, in the order in which they were entered.
    pub directives: Vec<Directive>,
    /// What joins the person to the user's organisation now; the best first, which is the order of [`CareKind`].
    pub relationships: Vec<Relationship>,
    /// The user's own overrides for this person that are in force, oldest first.
    pub overrides: Vec<Override>,
}

impl PersonFacts {
    /// The best kind of relationship; `None` if there is none.
    pub fn best_relationship(&self) -> Option<CareKind> {
        self.relationships.first().map(|relationship| relationship.kind)
    }

    /// The directives in force that keep a dataset of a source from `user`.
    pub fn keeping_back<'a>(
        &'a self,
        user: &'a User,
        source: &'a SourceId,
        dataset: Dataset,
    ) -> impl Iterator<Item = &'a Directive> {
        self.directives.iter().filter(move |directive| directive.kind.keeps_back(user, source, dataset))
    }
}

impl DirectiveKind {
    /// Whether it keeps a dataset of a source from `user`.
    pub fn keeps_back(&self, user: &User, source: &SourceId, dataset: Dataset) -> bool {
        match self {
            DirectiveKind::OptOut => true,
            DirectiveKind::Dissent { source: own } => own == source,
            DirectiveKind::Restriction(Restricted::Organisation { ods }) => {
                ods.eq_ignore_ascii_case(&user.organisation_ods)
            }
            DirectiveKind::Restriction(Restricted::User { issuer, id }) => *issuer == user.issuer && *id == user.id,
            DirectiveKind::Restriction(Restricted::Datasets(datasets)) => datasets.contains(&dataset),
        }
    }

    /// Whether an override may lift it, as far as the directive itself goes: a dissent never is.
    pub fn yields_to_override(&self) -> bool {
        !matches!(self, DirectiveKind::Dissent { .. })
    }
}

impl ChangeKind {
    /// As it is stored.
    pub fn word(&self) -> &'static str {
        match self {
            ChangeKind::DirectiveEntered { .. } => "directive-entered",
            ChangeKind::DirectiveWithdrawn { .. } => "directive-withdrawn",
            ChangeKind::RelationshipClaimed { .. } => "relationship-claimed",
            ChangeKind::OverrideOpened { .. } => "override-opened",
            ChangeKind::Reviewed { .. } => "reviewed",
        }
    }
}

impl OverrideReason {
    /// Every reason.
    pub const ALL: [OverrideReason; 5] = [
        OverrideReason::EmergencyTreatment,
        OverrideReason::SafeguardingPerson,
        OverrideReason::SafeguardingOthers,
        OverrideReason::PersonAsked,
        OverrideReason::BestInterests,
    ];

    /// As statements, trails and messages say it: `emergency_treatment`.
    pub fn word(self) -> &'static str {
        match self {
            OverrideReason::EmergencyTreatment => "emergency_treatment",
            OverrideReason::SafeguardingPerson => "safeguarding_person",
            OverrideReason::SafeguardingOthers => "safeguarding_others",
            OverrideReason::PersonAsked => "person_asked",
            OverrideReason::BestInterests => "best_interests",
        }
    }
}

impl Verdict {
    /// `not_justified`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Justified => "justified",
            Verdict::NotJustified => "not_justified",
            Verdict::FollowUp => "follow_up",
        }
    }
}

impl Actor {
    /// A user whose token was checked.
    pub fn of(user: &User) -> Actor {
        Actor {
            issuer: user.issuer.clone(),
            id: user.id.clone(),
            name: user.name.clone(),
            role_code: user.role_code.clone(),
            organisation_ods: user.organisation_ods.clone(),
        }
    }

    /// Whether it is this user, whatever their role.
    pub fn is(&self, other: &Actor) -> bool {
        (&self.issuer, &self.id) == (&other.issuer, &other.id)
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({} at {})", self.role_code, self.organisation_ods)
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({}, {} by {:?})", self.kind.word(), self.key, self.by)
    }
}

impl fmt::Debug for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directive({}, {:?}, version {})", self.id, self.kind, self.version)
    }
}

impl Serialize for SourceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SourceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<SourceId, D::Error> {
        String::deserialize(from).map(|id| SourceId(id.into()))
    }
}

impl Serialize for Located {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (&self.source, &*self.local_id.0).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Located, D::Error> {
        let (source, local_id) = <(SourceId, String)>::deserialize(from)?;
        Ok(Located { source, local_id: LocalId(local_id.into()) })
    }
}

/// Datasets by their words, which outlive their numbers.
fn to_words<S: Serializer>(datasets: &[Dataset], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(datasets.iter().map(|dataset| dataset_word(*dataset)))
}

fn from_words<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Dataset>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let known = |word: &String| dataset_from_word(word).ok_or_else(|| D::Error::custom("an unknown dataset"));
    words.iter().map(known).collect()
}
