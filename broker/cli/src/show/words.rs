//! The contract's values in a reader's words. Exhaustive, so that a new value cannot be forgotten. Pure.

use severn_proto::v1::{
    Dataset, EntryStatus, HeadingOutcome, Obligation, Outcome, PurposeOfUse, Reason, ReasonCode, SensitivityLabel, Sex,
};
use severn_trust::is_crisis_dataset;

/// The heading of a dataset; a number this version does not know as such.
pub(crate) fn heading(number: i32) -> String {
    Dataset::try_from(number)
        .map_or_else(|_| format!("Heading {number} (not known to this program)"), |d| title(d).into())
}

/// Whether a dataset is one that a reader acts on at once: crisis first, and medicines.
pub(super) fn matters_most(dataset: i32) -> bool {
    Dataset::try_from(dataset).is_ok_and(|d| is_crisis_dataset(d) || d == Dataset::Medications)
}

/// What a reader must know of a condition; a banner says no more than that there is one.
pub(super) fn obligation(obligation: Obligation) -> Option<&'static str> {
    match obligation {
        Obligation::Unspecified | Obligation::Banner => None,
        Obligation::NoPrint => Some("Do not print, export or copy it."),
        Obligation::LogSensitive => Some("That you saw it is noted as sensitive."),
        Obligation::NotifySocialWorker => Some("The social worker is told."),
    }
}

/// Why a heading has no items, the gravest first.
pub(super) const EMPTY: [(HeadingOutcome, &str); 6] = [
    (HeadingOutcome::NoAnswer, "NOT KNOWN, a source did not answer or not in whole"),
    (HeadingOutcome::Withheld, "Withheld"),
    (HeadingOutcome::NotShared, "Not shared"),
    (HeadingOutcome::NotAsked, "Not asked"),
    (HeadingOutcome::NothingRecorded, "Nothing recorded"),
    (HeadingOutcome::NotHeld, "Kept by no source"),
];

fn title(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Unspecified => "No heading",
        Dataset::Alerts => "Alerts",
        Dataset::Allergies => "Allergies",
        Dataset::Risks => "Risks",
        Dataset::Safeguarding => "Safeguarding",
        Dataset::CrisisPlans => "Crisis plans",
        Dataset::LegalStatus => "Legal status",
        Dataset::EndOfLife => "End of life and CPR",
        Dataset::Medications => "Medicines",
        Dataset::Problems => "Problems and diagnoses",
        Dataset::Procedures => "Procedures and treatments",
        Dataset::Immunisations => "Immunisations",
        Dataset::Investigations => "Investigations and results",
        Dataset::Observations => "Observations",
        Dataset::Pregnancy => "Pregnancy",
        Dataset::FamilyHistory => "Family history",
        Dataset::Documents => "Documents",
        Dataset::Encounters => "Contacts and admissions",
        Dataset::Appointments => "Appointments",
        Dataset::Referrals => "Referrals",
        Dataset::Demographics => "Demographics",
        Dataset::GpPractice => "GP practice",
        Dataset::Contacts => "Personal contacts",
        Dataset::CareTeam => "Care team",
        Dataset::CarePlans => "Care plans",
        Dataset::Goals => "Goals and actions",
        Dataset::Services => "Social-care services",
        Dataset::Assessments => "Social-care assessments",
        Dataset::PrimarySupportReason => "Primary support reason",
        Dataset::Equipment => "Equipment and adaptations",
        Dataset::SocialContext => "Social context",
        Dataset::AboutMe => "About me",
        Dataset::IndividualRequirements => "Individual requirements",
        Dataset::Research => "Research",
    }
}

/// The state of an entry; the source's own word where it says something else, or where ours is not understood.
pub(crate) fn status(number: i32, verbatim: &str) -> String {
    let Ok(status) = EntryStatus::try_from(number) else {
        // From a source that speaks a later version of the contract.
        return format!("status not recognised: “{}”", if verbatim.is_empty() { "no word given" } else { verbatim });
    };
    let ours = match status {
        EntryStatus::Unspecified if verbatim.is_empty() => return "status not given".into(),
        EntryStatus::Unspecified => return format!("status not recognised: “{verbatim}”"),
        EntryStatus::Active => "active",
        EntryStatus::Ended => "ended",
        EntryStatus::Planned => "planned",
        EntryStatus::Suspended => "on hold",
        EntryStatus::Preliminary => "not yet confirmed",
        EntryStatus::EnteredInError => "ENTERED IN ERROR",
        EntryStatus::Cancelled => "cancelled",
    };
    let same = verbatim.is_empty() || verbatim.eq_ignore_ascii_case(ours);
    if same { ours.into() } else { format!("{ours} (“{verbatim}”)") }
}

/// A sensitivity that a reader should know of; `None` for ordinary.
pub(crate) fn sensitivity(number: i32) -> Option<&'static str> {
    match SensitivityLabel::try_from(number).unwrap_or(SensitivityLabel::Unspecified) {
        SensitivityLabel::Normal => None,
        SensitivityLabel::Unspecified => Some("not known to this program"),
        SensitivityLabel::MentalHealth => Some("mental health"),
        SensitivityLabel::SexualHealth => Some("sexual health"),
        SensitivityLabel::SubstanceUse => Some("substance use"),
        SensitivityLabel::Safeguarding => Some("safeguarding"),
        SensitivityLabel::ThirdParty => Some("third party"),
        SensitivityLabel::Location => Some("whereabouts"),
        SensitivityLabel::Custody => Some("custody"),
        SensitivityLabel::Sealed => Some("sealed"),
    }
}

/// What became of a call, short, for the list of sources.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unspecified => "not called yet",
        Outcome::Answered => "answered",
        Outcome::AnsweredNone => "nothing recorded",
        Outcome::AnsweredPartial => "answered in part",
        Outcome::Stale => "answered with old data",
        Outcome::Withheld => "withheld",
        Outcome::NotShared => "not shared",
        Outcome::NotHeld => "not kept there",
        Outcome::NotAsked => "not asked",
        Outcome::NoAnswer => "DID NOT ANSWER",
        Outcome::Rejected => "ANSWER REJECTED",
    }
}

/// Why, in a reader's words.
pub(crate) fn reason(reason: &Reason) -> String {
    let items = if reason.count == 1 { "1 item".to_owned() } else { format!("{} items", reason.count) };
    let counted = |words: &str| if reason.count == 0 { format!("items {words}") } else { format!("{items} {words}") };
    let Ok(code) = ReasonCode::try_from(reason.code) else {
        return format!("reason {} (not known to this program)", reason.code);
    };
    match code {
        ReasonCode::Unspecified => "no reason given",
        ReasonCode::Timeout => "took too long",
        ReasonCode::Unreachable => "cannot be reached",
        ReasonCode::BreakerOpen => "not tried: it failed too often just before",
        ReasonCode::Overloaded => "too many requests to it at the moment",
        ReasonCode::RefusedConnection => "refused the connection",
        ReasonCode::BrokenStream => "broke off in the middle",
        ReasonCode::SourceFailed => "its own system could not be read",
        ReasonCode::Internal => "the broker failed while asking",
        ReasonCode::OverLimit => "more items than the limit",
        ReasonCode::DateRange => "only a range of dates",
        ReasonCode::Unreadable => return counted("could not be read"),
        ReasonCode::TransferIncomplete => "the person's record is still being transferred",
        ReasonCode::NotYetFiled => return counted("not yet filed"),
        ReasonCode::EntriesRejected => return counted("failed checks and not shown"),
        ReasonCode::KeptAsText => return counted("failed checks and shown as text only"),
        ReasonCode::ByOwner => "by the owner's policy",
        ReasonCode::ByPerson => "at the person's wish",
        ReasonCode::MayBeOpened => "may be opened with a reason",
        ReasonCode::Label => "too sensitive for your role",
        ReasonCode::Role => "your role may not see it",
        ReasonCode::Purpose => "not for your purpose",
        ReasonCode::NoRelationship => "no relationship with this person is known",
        ReasonCode::Directive => "the person's own wish forbids it",
        ReasonCode::Agreement => "the local agreement does not cover it",
        ReasonCode::AdapterRefused => "it refused the request",
        ReasonCode::OtherPerson if reason.count > 0 => return counted("about another person, and left out"),
        ReasonCode::OtherPerson => "the answer was about another person",
        ReasonCode::Invalid => "the answer broke the rules",
        ReasonCode::TooLarge => "the answer was too large",
        ReasonCode::AsOf => "its data is of an earlier time",
        ReasonCode::UnknownLocalId => "it no longer knows the person by that number",
    }
    .to_owned()
}

/// Why somebody asked.
pub(crate) fn purpose(number: i32) -> &'static str {
    match PurposeOfUse::try_from(number).unwrap_or(PurposeOfUse::Unspecified) {
        PurposeOfUse::Unspecified => "purpose not known",
        PurposeOfUse::DirectCare => "direct care",
        PurposeOfUse::Emergency => "emergency",
        PurposeOfUse::Safeguarding => "safeguarding",
        PurposeOfUse::Audit => "audit",
        PurposeOfUse::SubjectAccess => "the person's own request",
    }
}

/// What was done, as the person concerned should read it.
pub(crate) fn action(word: &str) -> &str {
    match word {
        "retrieve" => "looked at the record",
        "unanswered" => "asked for the record, which came to no whole answer",
        "document" => "fetched a document",
        "found" => "searched and found this person",
        "found-among-others" => "searched and was shown this person among others",
        "refused" => "tried, and was REFUSED",
        "report" => "read who looked at this record",
        "history" => "read who this person was in the index",
        "challenge" => "told a source that something is wrong",
        "override" => "BROKE THE GLASS",
        "claim" => "claimed to care for the person",
        "directive" => "entered a wish of the person",
        "withdraw-directive" => "withdrew a wish of the person",
        "directives" => "read the person's wishes",
        "review" => "reviewed a claim or broken glass",
        other => other,
    }
}

/// Sex as registered.
pub(crate) fn sex(number: i32) -> &'static str {
    match Sex::try_from(number).unwrap_or(Sex::Unspecified) {
        Sex::Unspecified => "sex not recorded",
        Sex::Female => "female",
        Sex::Male => "male",
        Sex::Other => "sex other",
        Sex::Unknown => "sex unknown",
    }
}
