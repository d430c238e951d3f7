//! The contract's enum values as the words that configuration, proofs and messages use: `allergies`, `direct_care`.

use severn_proto::v1::{Dataset, Obligation, Outcome, PurposeOfUse, ReasonCode, SensitivityLabel};

/// Every dataset, crisis first, in the order in which a record shows them.
pub const ALL_DATASETS: [Dataset; 33] = [
    Dataset::Alerts,
    Dataset::Allergies,
    Dataset::Risks,
    Dataset::Safeguarding,
    Dataset::CrisisPlans,
    Dataset::LegalStatus,
    Dataset::EndOfLife,
    Dataset::Medications,
    Dataset::Problems,
    Dataset::Procedures,
    Dataset::Immunisations,
    Dataset::Investigations,
    Dataset::Observations,
    Dataset::Pregnancy,
    Dataset::FamilyHistory,
    Dataset::Documents,
    Dataset::Encounters,
    Dataset::Appointments,
    Dataset::Referrals,
    Dataset::Demographics,
    Dataset::GpPractice,
    Dataset::Contacts,
    Dataset::CareTeam,
    Dataset::CarePlans,
    Dataset::Goals,
    Dataset::Services,
    Dataset::Assessments,
    Dataset::PrimarySupportReason,
    Dataset::Equipment,
    Dataset::SocialContext,
    Dataset::AboutMe,
    Dataset::IndividualRequirements,
    Dataset::Research,
];

/// Whether a dataset is asked, sent and shown ahead of the rest.
pub fn is_crisis_dataset(dataset: Dataset) -> bool {
    matches!(dataset as i32, 1..=9)
}

/// `allergies` for [`Dataset::Allergies`].
pub fn dataset_word(dataset: Dataset) -> String {
    word(dataset.as_str_name(), "DATASET_")
}

/// [`Dataset::Allergies`] for `allergies`; `None` for anything unknown.
pub fn dataset_from_word(text: &str) -> Option<Dataset> {
    Dataset::from_str_name(&name(text, "DATASET_")).filter(|d| *d != Dataset::Unspecified)
}

/// `direct_care` for [`PurposeOfUse::DirectCare`].
pub fn purpose_word(purpose: PurposeOfUse) -> String {
    word(purpose.as_str_name(), "PURPOSE_OF_USE_")
}

/// [`PurposeOfUse::DirectCare`] for `direct_care`; `None` for anything unknown.
pub fn purpose_from_word(text: &str) -> Option<PurposeOfUse> {
    PurposeOfUse::from_str_name(&name(text, "PURPOSE_OF_USE_")).filter(|p| *p != PurposeOfUse::Unspecified)
}

/// `no_print` for [`Obligation::NoPrint`].
pub fn obligation_word(obligation: Obligation) -> String {
    word(obligation.as_str_name(), "OBLIGATION_")
}

/// [`Obligation::NoPrint`] for `no_print`; `None` for anything unknown.
pub fn obligation_from_word(text: &str) -> Option<Obligation> {
    Obligation::from_str_name(&name(text, "OBLIGATION_")).filter(|o| *o != Obligation::Unspecified)
}

/// `mental_health` for [`SensitivityLabel::MentalHealth`].
pub fn label_word(label: SensitivityLabel) -> String {
    word(label.as_str_name(), "SENSITIVITY_LABEL_")
}

/// [`SensitivityLabel::MentalHealth`] for `mental_health`; `None` for anything unknown.
pub fn label_from_word(text: &str) -> Option<SensitivityLabel> {
    SensitivityLabel::from_str_name(&name(text, "SENSITIVITY_LABEL_")).filter(|l| *l != SensitivityLabel::Unspecified)
}

/// `answered_partial` for [`Outcome::AnsweredPartial`].
pub fn outcome_word(outcome: Outcome) -> String {
    word(outcome.as_str_name(), "OUTCOME_")
}

/// `over_limit` for [`ReasonCode::OverLimit`].
pub fn reason_word(code: ReasonCode) -> String {
    word(code.as_str_name(), "REASON_CODE_")
}

pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

pub(crate) fn name(word: &str, prefix: &str) -> String {
    // Words are lower case only, so that a word has one spelling.
    let upper = if word.chars().any(|c| c.is_ascii_uppercase()) { "?".into() } else { word.to_ascii_uppercase() };
    format!("{prefix}{upper}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_has_one_word() {
        for dataset in ALL_DATASETS {
            assert_eq!(dataset_from_word(&dataset_word(dataset)), Some(dataset));
        }
        let known = (0..200).filter(|n| Dataset::try_from(*n).is_ok()).count();
        assert_eq!(known, ALL_DATASETS.len() + 1, "a dataset is missing from ALL_DATASETS");
        assert_eq!(dataset_from_word("Allergies"), None);
        assert_eq!(dataset_from_word("unspecified"), None);
        assert_eq!(purpose_from_word("direct_care"), Some(PurposeOfUse::DirectCare));
        assert_eq!(label_from_word("custody"), Some(SensitivityLabel::Custody));
    }
}
