//! The rules in a form of the oracle's own: data that is printed as Cedar for the real system (`print`), and read
//! directly by the oracle (`judge`). Neither is made from the other, and nothing here is shared with the real policies.

use severn_proto::v1::{Dataset, PurposeOfUse, SensitivityLabel};

/// What may be done with an entry, the mildest first: of two, the greater holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It may be seen.
    Permit,
    /// It is withheld visibly, and a reason opens it.
    MayBeOpened,
    /// It is withheld visibly.
    Withheld,
    /// It is not shared.
    Denied,
}

/// What a rule does where it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Permits.
    Permit,
    /// Forbids, with what becomes of the entry: anything but [`Verdict::Permit`].
    Forbid(Verdict),
    /// Hides the source altogether.
    Hide,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Every dataset.
    Everything,
    /// The datasets of one of [`GROUPS`].
    Group(&'static str),
    /// These.
    Only(Vec<Dataset>),
}

/// A condition. What is not known is a value of its own, as the facts are described in the policies' schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// One of these purposes.
    Purpose(Vec<PurposeOfUse>),
    /// The label in question is one of these.
    Label(Vec<SensitivityLabel>),
    /// The source is of this kind.
    Kind(&'static str),
    /// The best relationship is one of these, by their words.
    Relationship(Vec<&'static str>),
    /// It is known in one of these ways, by their words.
    Evidence(Vec<&'static str>),
    /// The request comes from one of these organisations.
    Organisation(Vec<String>),
    /// The user is known at least so well.
    Assurance(u8),
    /// The user is in this workgroup.
    Workgroup(&'static str),
    /// The user's role has this activity.
    Activity(&'static str),
    /// The person is younger: whole years, where -1 stands for not known.
    YoungerThan(i64),
    /// The person is restricted.
    Restricted,
    /// The person has died.
    Deceased,
    /// So many days ago at least.
    DeadFor(i64),
    /// The person's own directives say one of these, by their words.
    Directive(Vec<&'static str>),
    /// The user opens with a reason.
    Glass,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unlike any other's of its set.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// For whom; `None` for everybody whose role is known.
    pub role: Option<&'static str>,
    /// About what. A rule that hides is about the source, whatever stands here.
    pub about: About,
    /// It applies where all of these hold.
    pub when: Vec<Fact>,
    /// And none of these.
    pub unless: Vec<Fact>,
}

/// Everything that the region, or one owner, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// `region`, or the owner's source id.
    pub owner: String,
    /// The roles it knows, of [`ROLES`].
    pub roles: Vec<&'static str>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// Roles by name and code.
pub const ROLES: [(&str, &str); 5] = [
    ("clinician", "R8000"),
    ("nurse", "R8001"),
    ("social worker", "R9001"),
    ("steward", "R9100"),
    ("privacy officer", "R9200"),
];

/// The role that a code means.
pub fn role_of(code: &str) -> Option<&'static str> {
    ROLES.into_iter().find(|(_, known)| *known == code).map(|(name, _)| name)
}

/// Groups of datasets, as the policies' schema tells of them.
pub const GROUPS: [(&str, &[Dataset]); 7] = [
    (
        "crisis",
        &[
            Dataset::Alerts,
            Dataset::Allergies,
            Dataset::Risks,
            Dataset::Safeguarding,
            Dataset::CrisisPlans,
            Dataset::LegalStatus,
            Dataset::EndOfLife,
        ],
    ),
    ("activity", &[Dataset::Encounters, Dataset::Appointments, Dataset::Referrals]),
    ("people", &[Dataset::Demographics, Dataset::GpPractice, Dataset::Contacts, Dataset::CareTeam]),
    ("plans", &[Dataset::CarePlans, Dataset::Goals]),
    (
        "social_care",
        &[
            Dataset::Services,
            Dataset::Assessments,
            Dataset::PrimarySupportReason,
            Dataset::Equipment,
            Dataset::SocialContext,
        ],
    ),
    ("person", &[Dataset::AboutMe, Dataset::IndividualRequirements, Dataset::Research]),
    (
        "clinical",
        &[
            Dataset::Medications,
            Dataset::Problems,
            Dataset::Procedures,
            Dataset::Immunisations,
            Dataset::Investigations,
            Dataset::Observations,
            Dataset::Pregnancy,
            Dataset::FamilyHistory,
            Dataset::Documents,
        ],
    ),
];
