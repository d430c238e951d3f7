//! What makes two entries of a dataset the same statement, one rule for each dataset (RULES.md). Data only: how a rule is
//! applied stands in `content`.
//!
//! **Invariant:** every rule asks for more than a name. A dataset of which nothing told so little apart would be grouped
//! by origin only.

use severn_proto::v1::Dataset;

/// How entries of one dataset are told to say the same. Assertion, status and all distinguishing fields must agree beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct ContentRule {
    /// The rule's id.
    pub id: &'static str,
    /// What names the thing.
    pub thing: Thing,
    /// Which dates must agree.
    pub when: When,
    /// Distinguishing fields without which an entry says too little.
    pub needs: &'static [&'static str],
    /// Whether it must have been recorded by one organisation, named by its ODS code.
    pub one_organisation: bool,
}

/// What names the thing that an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    /// A code where there is one, else the words.
    CodeOrWords,
    /// The product for which the code, or else the words, stand; else as above.
    Medicine,
    /// The causative agent for which the code, or else the words, stand; else as above.
    Agent,
    /// The code, if any, and the words: codes are mere categories.
    CodeAndWords,
    /// The field `name`, else the words.
    Name,
    /// Nothing but the distinguishing fields that the rule needs.
    Fields,
}

/// Which dates must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// None.
    Never,
    /// Start and end, by day. Without either only what is active says enough.
    Standing,
    /// Start and end, by day; without a start nothing says enough. What lasts is possibly one thing though its starts
    /// differ.
    Since,
    /// The same, of what happened on one day.
    On,
    /// The start to the second, where it gives a time of day, and the end by day; without a start nothing says enough.
    Timed,
}

const fn rule(id: &'static str, thing: Thing, when: When) -> ContentRule {
    ContentRule { id, thing, when, needs: &[], one_organisation: false }
}

impl ContentRule {
    /// Whether it is of what happened on a day, so that one day alone makes nothing possibly the same.
    pub(super) const fn is_dated(&self) -> bool {
        matches!(self.when, When::On | When::Timed) || matches!(self.thing, Thing::Fields)
    }

    const fn needing(self, needs: &'static [&'static str]) -> ContentRule {
        ContentRule { needs, ..self }
    }

    const fn of_one_organisation(self) -> ContentRule {
        ContentRule { one_organisation: true, ..self }
    }
}

/// The rule of a dataset; `None` if its entries are grouped by origin only.
pub(super) const fn content_rule(dataset: Dataset) -> Option<ContentRule> {
    use {Dataset as D, Thing::*, When::*};
    Some(match dataset {
        D::Alerts => rule("ALERT-1", CodeAndWords, Never),
        D::Allergies => rule("ALLERGY-1", Agent, Never),
        D::Risks | D::Safeguarding | D::LegalStatus | D::EndOfLife => rule("SAFETY-1", CodeAndWords, Since),
        D::CrisisPlans | D::CarePlans | D::Goals => rule("PLAN-1", CodeAndWords, Since),
        D::Medications => rule("MEDICINE-1", Medicine, Standing).needing(&["dose"]),
        D::Problems => rule("PROBLEM-1", CodeOrWords, Standing),
        D::Procedures | D::Immunisations => rule("PROCEDURE-1", CodeOrWords, On),
        D::Investigations | D::Observations => rule("RESULT-1", CodeOrWords, Timed).needing(&["value"]),
        D::Pregnancy | D::FamilyHistory => rule("HISTORY-1", CodeAndWords, Standing),
        D::Documents => rule("DOCUMENT-1", Fields, Never).needing(&["sha256"]),
        D::Encounters | D::Appointments | D::Referrals => rule("EVENT-1", CodeAndWords, Timed).of_one_organisation(),
        D::GpPractice => rule("PRACTICE-1", CodeOrWords, Never),
        D::Contacts => rule("CONTACT-1", Name, Never).needing(&["phone"]),
        D::CareTeam => rule("TEAM-1", Name, Never).needing(&["role"]),
        D::Services | D::PrimarySupportReason | D::Equipment => {
            rule("CARE-1", CodeAndWords, Since).of_one_organisation()
        }
        D::Assessments => rule("CARE-1", CodeAndWords, On).of_one_organisation(),
        D::SocialContext | D::AboutMe | D::IndividualRequirements | D::Research => {
            rule("PERSON-1", CodeAndWords, Standing)
        }
        // Each source's own word for who somebody is stands beside the others'.
        D::Demographics | D::Unspecified => return None,
    })
}
