//! What an entry must have, whatever its source.

use prost::Message as _;
use severn_proto::v1::{Dataset, Entry, EntryBody, entry_body::Detail};

/// Bytes of the longest entry id.
const ENTRY_ID_BYTES_MAX: usize = 256;

/// What is wrong with an entry read under `dataset`, if anything.
pub(super) fn fault_of(entry: &Entry, dataset: Dataset) -> Option<&'static str> {
    let Some(head) = &entry.head else { return Some("an entry has no head") };
    if head.entry_id.is_empty() || head.entry_id.len() > ENTRY_ID_BYTES_MAX {
        return Some("an entry id is empty or over 256 bytes");
    }
    if head.dataset() != dataset {
        return Some("an entry is of another dataset than it was read under");
    }
    if head.text.trim().is_empty() && head.codings.iter().all(|coding| coding.display.trim().is_empty()) {
        return Some("an entry has neither text nor a coding with a display");
    }
    let provenance = head.provenance.as_ref();
    if provenance.is_none_or(|p| p.organisation.is_empty() || p.system.is_empty() || p.retrieved_at_ms <= 0) {
        return Some("an entry does not say its organisation, its system and when it was read");
    }
    match EntryBody::decode(entry.body.as_ref()) {
        Err(_) => Some("a body is no EntryBody"),
        Ok(body) if body.detail.as_ref().is_some_and(|detail| dataset_of(detail) != dataset) => {
            Some("a detail is of another dataset")
        }
        Ok(_) => None,
    }
}

fn dataset_of(detail: &Detail) -> Dataset {
    match detail {
        Detail::Alert(_) => Dataset::Alerts,
        Detail::Allergy(_) => Dataset::Allergies,
        Detail::Risk(_) => Dataset::Risks,
        Detail::Safeguarding(_) => Dataset::Safeguarding,
        Detail::CrisisPlan(_) => Dataset::CrisisPlans,
        Detail::LegalStatus(_) => Dataset::LegalStatus,
        Detail::EndOfLife(_) => Dataset::EndOfLife,
        Detail::Medication(_) => Dataset::Medications,
        Detail::Problem(_) => Dataset::Problems,
        Detail::Procedure(_) => Dataset::Procedures,
        Detail::Immunisation(_) => Dataset::Immunisations,
        Detail::Investigation(_) => Dataset::Investigations,
        Detail::Observation(_) => Dataset::Observations,
        Detail::Pregnancy(_) => Dataset::Pregnancy,
        Detail::FamilyHistory(_) => Dataset::FamilyHistory,
        Detail::Document(_) => Dataset::Documents,
        Detail::Encounter(_) => Dataset::Encounters,
        Detail::Appointment(_) => Dataset::Appointments,
        Detail::Referral(_) => Dataset::Referrals,
        Detail::Demographics(_) => Dataset::Demographics,
        Detail::GpPractice(_) => Dataset::GpPractice,
        Detail::Contact(_) => Dataset::Contacts,
        Detail::CareTeam(_) => Dataset::CareTeam,
        Detail::CarePlan(_) => Dataset::CarePlans,
        Detail::Goal(_) => Dataset::Goals,
        Detail::Service(_) => Dataset::Services,
        Detail::Assessment(_) => Dataset::Assessments,
        Detail::SupportReason(_) => Dataset::PrimarySupportReason,
        Detail::Equipment(_) => Dataset::Equipment,
        Detail::SocialContext(_) => Dataset::SocialContext,
        Detail::AboutMe(_) => Dataset::AboutMe,
        Detail::Requirement(_) => Dataset::IndividualRequirements,
        Detail::Research(_) => Dataset::Research,
    }
}
