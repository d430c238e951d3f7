//! Medicines: what is planned, stated, ordered and issued. A regimen that is told several times is one: each resource is
//! an entry of its own, and those that belong together carry the identifiers of their plan.

use super::{
    absence,
    clinical::signed,
    draft::{Draft, origins},
    json::Json,
    parts::{
        View, When, code, concept, concepts, extension, first_of, joined, period, quantity, quantity_text, range_text,
        value, when,
    },
    status::status,
};
use severn_proto::v1::{Assertion, Dataset, EntryStatus, MedicationDetail, entry_body::Detail};

/// MedicationStatement, MedicationRequest.
pub(crate) fn medication(view: &View<'_>) -> Vec<Draft> {
    let reference = view.at("medicationReference");
    let target = view.target(reference);
    let mut named = concept(view.at("medicationCodeableConcept"));
    if named.text.is_empty() {
        named = concept(target.at("code"));
    }
    if named.text.is_empty() {
        named.text = view.display(reference);
    }
    let is_request = view.resource.kind() == "MedicationRequest";
    let dosages = view.at(if is_request { "dosageInstruction" } else { "dosage" }).items();
    let detail = MedicationDetail { form: concept(target.at("form")).text, ..detail(view, dosages) };
    let told_apart = vec![
        ("dose", joined(dosages.iter().map(dose_or_words), "; ")),
        ("route", detail.route.clone()),
        ("form", detail.form.clone()),
        ("frequency", joined(dosages.iter().map(frequency_or_words), "; ")),
        ("intent", intent(&detail.intent).to_owned()),
    ];
    let assertion = absence::assertion(&named);
    let mut draft = Draft::of(view, Dataset::Medications, named, Detail::Medication(detail));
    // An order not to give something is the opposite of an order.
    draft.assertion = if view.at("doNotPerform").is_true() { Assertion::Refuted } else { assertion };
    draft.distinguishing = told_apart;
    draft.when = if is_request { validity(view.resource.json()) } else { when(view.resource.json(), "effective") };
    not_taken(&mut draft, view);
    if let Some(plan) = plan_of(view) {
        join(&mut draft, view, plan);
    }
    draft.status_verbatim = joined([std::mem::take(&mut draft.status_verbatim), status_reason(view)], ": ");
    let author = if is_request { "requester" } else { "informationSource" };
    vec![signed(draft, view, &["authoredOn", "dateAsserted"], author)]
}

fn detail(view: &View<'_>, dosages: &[Json]) -> MedicationDetail {
    let json = view.resource.json();
    let kind = value(extension(json, "PrescriptionType")).text;
    MedicationDetail {
        course: first_of([concept(view.at("courseOfTherapyType")).text, kind]),
        intent: if view.resource.kind() == "MedicationStatement" { "stated" } else { view.at("intent").text() }
            .to_owned(),
        indication: concepts(view.at("reasonCode")),
        last_issued: value(extension(json, "MedicationStatementLastIssueDate")).text,
        prescribed_elsewhere: prescribed_elsewhere(view),
        quantity: quantity_text(view.at("dispenseRequest").at("quantity")),
        ..dosage(dosages)
    }
}

// The merge tells these apart, whatever kind of order or plan it is (MEDICINE-3).
fn intent(verbatim: &str) -> &'static str {
    match verbatim {
        "" => "",
        "stated" => "statement",
        "plan" | "proposal" => "plan",
        _ => "order",
    }
}

fn validity(request: &Json) -> When {
    period(request.at("dispenseRequest").at("validityPeriod"))
}

// GP Connect: any agency but the practice itself.
fn prescribed_elsewhere(view: &View<'_>) -> String {
    let agency = extension(view.resource.json(), "PrescribingAgency").at("valueCodeableConcept");
    if code(agency) == "prescribed-at-gp-practice" { String::new() } else { concept(agency).text }
}

// What R4 says in the status, STU3 says beside it.
fn not_taken(draft: &mut Draft, view: &View<'_>) {
    if view.at("taken").text() == "n" && draft.status != EntryStatus::EnteredInError {
        draft.status = EntryStatus::Cancelled;
        draft.status_verbatim.push_str(", not taken");
    }
}

fn status_reason(view: &View<'_>) -> String {
    let given = extension(view.resource.json(), "MedicationStatusReason");
    let reason = first_of([concepts(view.at("statusReason")), value(extension(given, "statusReason")).text]);
    joined([reason, value(extension(given, "statusChangeDate")).text], ", ")
}

// The plan of the same medicine that a statement or an order is based on.
fn plan_of<'a>(view: &View<'a>) -> Option<&'a Json> {
    let [based_on] = view.at("basedOn").items() else { return None };
    let plan = view.target(based_on);
    let is_plan = plan.at("resourceType").text() == "MedicationRequest" && plan.at("intent").text() == "plan";
    let same = ["medicationReference", "medicationCodeableConcept"].iter().all(|key| view.at(key) == plan.at(key));
    (is_plan && same).then_some(plan)
}

// GP Connect tells of a regimen as a plan, as a statement that repeats it, and once for each issue. What says something
// else, such as that the person does not take it or that one issue was stopped, stays beside the plan.
fn join(draft: &mut Draft, view: &View<'_>, plan: &Json) {
    let of_plan = status("MedicationRequest", plan.at("status").text());
    let stood = matches!(of_plan, EntryStatus::Active | EntryStatus::Suspended | EntryStatus::Ended);
    if !stood || draft.assertion != Assertion::Present {
        return;
    }
    let is_order = view.resource.kind() == "MedicationRequest" && view.at("intent").text() == "order";
    if is_order && view.at("status").text() == "completed" {
        // An issue that is used up does not end the regimen: the plan says whether it goes on.
        let issued = std::mem::replace(&mut draft.when, validity(plan));
        draft.status = of_plan;
        draft.status_verbatim = format!("completed: issue of {}", joined([issued.start, issued.end], " to "));
    } else if is_order || draft.status != of_plan || view.at("dosage") != plan.at("dosageInstruction") {
        return;
    }
    draft.restates = origins(view, plan, Vec::new());
}

// Several dosages are one regimen, so each field holds all of them: another taper is another medicine entry.
fn dosage(dosages: &[Json]) -> MedicationDetail {
    let each = |field: fn(&Json) -> String| joined(dosages.iter().map(field), "; ");
    let single = match dosages {
        [one] => quantity(one.at("doseAndRate").at("doseQuantity")).or_else(|| quantity(one.at("doseQuantity"))),
        _ => None,
    };
    MedicationDetail {
        dose_text: each(dose_text),
        dose: single,
        route: each(|d| concept(d.at("route")).text),
        frequency: each(frequency),
        dosage_instructions: each(|d| {
            let text = d.at("text").text().to_owned();
            joined([text, concepts(d.at("additionalInstruction")), d.at("patientInstruction").text().to_owned()], ". ")
        }),
        ..MedicationDetail::default()
    }
}

// Practices give the dose in words alone.
fn dose_or_words(dosage: &Json) -> String {
    first_of([dose_text(dosage), dosage.at("text").text().to_owned()])
}

// Where the dose is a number and the frequency is not, only the words tell once a day from twice.
fn frequency_or_words(dosage: &Json) -> String {
    let words = if dose_text(dosage).is_empty() { "" } else { dosage.at("text").text() };
    first_of([frequency(dosage), words.to_owned()])
}

fn dose_text(dosage: &Json) -> String {
    let rate = dosage.at("doseAndRate");
    let dose = first_of([
        quantity_text(rate.at("doseQuantity")),
        quantity_text(dosage.at("doseQuantity")),
        range_text(rate.at("doseRange")),
    ]);
    joined([dose, quantity_text(rate.at("rateQuantity"))], " at ")
}

fn frequency(dosage: &Json) -> String {
    let timing = dosage.at("timing");
    let repeat = timing.at("repeat");
    let of = |key: &str| repeat.at(key).text().to_owned();
    let times = joined([of("frequency"), of("frequencyMax")], " to ");
    let every = joined([of("period"), of("periodUnit")], " ");
    let counted = if times.is_empty() && every.is_empty() { String::new() } else { format!("{times} per {every}") };
    let at = joined(
        repeat.at("when").items().iter().chain(repeat.at("timeOfDay").items()).map(|w| w.text().to_owned()),
        ", ",
    );
    let needed = first_of([
        concept(dosage.at("asNeededCodeableConcept")).text,
        if dosage.at("asNeededBoolean").is_true() { "as needed".to_owned() } else { String::new() },
    ]);
    joined([first_of([concept(timing.at("code")).text, counted]), at, needed], ", ")
}
