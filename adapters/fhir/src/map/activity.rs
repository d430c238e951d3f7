//! Encounters, appointments, referrals and requests.

use super::{
    draft::Draft,
    json::Json,
    parts::{Concept, View, code, concept, concepts, first_of, joined, period},
};
use severn_proto::v1::{
    AppointmentDetail, Assertion, Dataset, EncounterDetail, EntryStatus, GoalDetail, InvestigationDetail,
    ReferralDetail, entry_body::Detail,
};

// SNOMED CT categories of a request that asks for an investigation: laboratory procedure, imaging.
const INVESTIGATION_CATEGORIES: [&str; 2] = ["108252007", "363679005"];

/// Encounter.
pub(crate) fn encounter(view: &View<'_>) -> Vec<Draft> {
    let class = concept(view.at("class"));
    let kind = concept(view.at("type"));
    let specialty = concept(view.at("serviceType")).text;
    // Whoever wrote it down need not have seen the person.
    let wrote = |one: &&Json| one.at("type").items().iter().any(|kind| code(kind) == "REC");
    let names = |recorders: bool| {
        let of_kind = view.at("participant").items().iter().filter(|one| wrote(one) == recorders);
        joined(of_kind.map(|one| view.display(one.at("individual"))), ", ")
    };
    let professional = names(false);
    let location = joined(view.at("location").items().iter().map(|l| view.display(l.at("location"))), ", ");
    let provider = view.display(view.at("serviceProvider"));
    let location = first_of([location, provider]);
    let reason = first_of([concepts(view.at("reasonCode")), concepts(view.at("reason"))]);
    let detail = EncounterDetail {
        kind: class.text.clone(),
        reason: reason.clone(),
        outcome: concept(view.at("hospitalization").at("dischargeDisposition")).text,
        location: location.clone(),
        professional: professional.clone(),
        specialty: specialty.clone(),
    };
    let text = first_of([kind.text, class.text, specialty, reason, "Encounter".to_owned()]);
    let mut draft =
        Draft::of(view, Dataset::Encounters, Concept { text, codings: kind.codings }, Detail::Encounter(detail));
    draft.when = period(view.at("period"));
    draft.author = professional;
    draft.recorder = names(true);
    draft.location = location;
    vec![draft]
}

/// Appointment.
pub(crate) fn appointment(view: &View<'_>) -> Vec<Draft> {
    let taking_part = |kind: &str| {
        let of_kind = view.at("participant").items().iter().map(|p| p.at("actor")).filter(|actor| {
            let target = actor.at("reference").text();
            target.contains(&format!("{kind}/")) || actor.at("type").text() == kind
        });
        joined(of_kind.map(|actor| view.display(actor)), ", ")
    };
    let service = concept(view.at("serviceType"));
    let location = taking_part("Location");
    let professional = first_of([taking_part("Practitioner"), taking_part("PractitionerRole")]);
    let detail = AppointmentDetail {
        location: location.clone(),
        professional: professional.clone(),
        service: first_of([concepts(view.at("serviceType")), taking_part("HealthcareService")]),
        reason: concepts(view.at("reasonCode")),
    };
    let description = view.at("description").text().to_owned();
    let kind = concept(view.at("appointmentType")).text;
    let text = first_of([description, service.text, kind, concepts(view.at("specialty")), "Appointment".to_owned()]);
    let mut draft =
        Draft::of(view, Dataset::Appointments, Concept { text, codings: service.codings }, Detail::Appointment(detail));
    draft.when.start = view.at("start").text().to_owned();
    draft.when.end = view.at("end").text().to_owned();
    draft.recorded = view.at("created").text().to_owned();
    draft.author = professional;
    draft.location = location;
    draft.narrative = joined(["comment", "patientInstruction"].map(|key| view.at(key).text().to_owned()), "\n");
    vec![draft]
}

/// ServiceRequest, ReferralRequest, ProcedureRequest: a requested investigation where its category says so, else a
/// referral. A ProcedureRequest is no referral but something to be done.
pub(crate) fn request(view: &View<'_>) -> Vec<Draft> {
    let from = first_of([view.display(view.at("requester")), view.display(view.at("requester").at("agent"))]);
    let to = first_of([
        view.displays(view.at("performer")),
        view.displays(view.at("recipient")),
        concept(view.at("performerType")).text,
        concept(view.at("specialty")).text,
    ]);
    let mut when = period(view.at("occurrencePeriod"));
    when.start = first_of([when.start, view.at("occurrenceDateTime").text().to_owned()]);
    let reason = first_of([concepts(view.at("reasonCode")), view.at("description").text().to_owned()]);
    let mut named = asked_for(view);
    let is_referral = view.resource.kind() != "ProcedureRequest";
    let nameless = if is_referral { first_of([to.clone(), "Referral".to_owned()]) } else { String::new() };
    named.text = first_of([named.text, reason.clone(), nameless]);
    let (dataset, detail) = if is_investigation(view.at("category")) {
        let specimen = view.displays(view.at("specimen"));
        let detail = InvestigationDetail { laboratory: to, specimen, ..InvestigationDetail::default() };
        (Dataset::Investigations, Detail::Investigation(detail))
    } else if is_referral {
        let urgency = view.at("priority").text().to_owned();
        let detail = ReferralDetail { from_service: from.clone(), to_service: to, urgency, reason };
        (Dataset::Referrals, Detail::Referral(detail))
    } else {
        let detail = GoalDetail { owner: to, due: when.start.clone(), progress: String::new() };
        (Dataset::Goals, Detail::Goal(detail))
    };
    let mut draft = Draft::of(view, dataset, named, detail);
    if view.at("doNotPerform").is_true() {
        draft.assertion = Assertion::Refuted;
    }
    // What is only planned is in force as a plan; it must not read as being done.
    if draft.status == EntryStatus::Active && matches!(view.at("intent").text(), "proposal" | "plan") {
        draft.status = EntryStatus::Planned;
    }
    draft.when = when;
    draft.recorded = view.at("authoredOn").text().to_owned();
    draft.author = from;
    vec![draft]
}

// Practices name a referral by its reason alone.
fn asked_for(view: &View<'_>) -> Concept {
    let members = ["code", "serviceRequested", "category", "type", "reasonCode"];
    members.iter().map(|key| concept(view.at(key))).find(|one| !one.text.is_empty()).unwrap_or_default()
}

fn is_investigation(categories: &Json) -> bool {
    categories.items().iter().any(|one| INVESTIGATION_CATEGORIES.contains(&code(one)))
}
