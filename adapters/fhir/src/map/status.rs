//! Every status of every resource type in our words. A word that is not in these tables stays unrecognised and is
//! shown verbatim; it never reads as active.

use severn_proto::v1::EntryStatus::{self, *};

/// Our word for a status code of a resource type (FHIR R4 value sets).
pub(crate) fn status(kind: &str, code: &str) -> EntryStatus {
    if code == "entered-in-error" {
        return EnteredInError;
    }
    own_meaning(kind, code).unwrap_or_else(|| plain_meaning(code))
}

// Words that mean something of their own in one resource type.
fn own_meaning(kind: &str, code: &str) -> Option<EntryStatus> {
    let found = match (kind, code) {
        // The statement stands: a completed form or a final report is in force, not over.
        ("QuestionnaireResponse" | "ClinicalImpression" | "FamilyMemberHistory", "completed") => Active,
        ("QuestionnaireResponse" | "ClinicalImpression", "in-progress") => Preliminary,
        ("QuestionnaireResponse", "stopped") => Cancelled,
        // Prescribed, but the person does not take it.
        ("MedicationStatement", "not-taken") => Cancelled,
        ("Consent", "draft" | "proposed") => Preliminary,
        ("DocumentReference", "current") => Active,
        ("Appointment", "arrived" | "checked-in") => Active,
        ("Appointment", "waitlist") => Planned,
        ("ResearchSubject", "withdrawn" | "off-study") => Ended,
        ("FamilyMemberHistory", "partial") => Preliminary,
        _ => return None,
    };
    Some(found)
}

fn plain_meaning(code: &str) -> EntryStatus {
    match code {
        "active"
        | "recurrence"
        | "relapse"
        | "final"
        | "amended"
        | "corrected"
        | "appended"
        | "accepted"
        | "arrived"
        | "triaged"
        | "in-progress"
        | "on-study"
        | "on-study-intervention"
        | "on-study-observation"
        | "follow-up" => Active,
        "inactive" | "remission" | "resolved" | "completed" | "stopped" | "ended" | "finished" | "fulfilled"
        | "superseded" => Ended,
        "draft"
        | "proposed"
        | "planned"
        | "intended"
        | "preparation"
        | "pending"
        | "booked"
        | "waitlist"
        | "candidate"
        | "eligible"
        | "potential-candidate"
        | "pending-on-study"
        | "screening" => Planned,
        "on-hold" | "onhold" | "suspended" | "onleave" => Suspended,
        "registered" | "partial" | "preliminary" => Preliminary,
        "cancelled" | "revoked" | "rejected" | "not-done" | "abandoned" | "aborted" | "noshow" | "ineligible"
        | "not-registered" => Cancelled,
        _ => Unspecified,
    }
}
