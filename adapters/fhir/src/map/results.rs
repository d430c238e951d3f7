//! Observations of every kind, reports, documents, assessments and risks.

use super::{
    bundle::Resource,
    document::{decoded, sha256_of},
    draft::{Draft, Original},
    json::Json,
    parts::{
        Concept, View, code, components, concept, concepts, distinct, first_of, joined, notes, period, quantity_text,
        range_text, value, when,
    },
    status::status,
};
use severn_proto::v1::{
    AssessmentDetail, Dataset, DocumentDetail, EntryStatus, InvestigationDetail, ObservationDetail, PregnancyDetail,
    RiskDetail, SocialContextDetail, entry_body::Detail,
};

// Pregnancy status, possible pregnancy, estimated date of delivery, gravidity, parity.
const PREGNANCY_CODES: [&str; 10] = [
    "82810-3",
    "77386006",
    "60001007",
    "289908002",
    "146799005",
    "152231000119106",
    "11778-8",
    "161714006",
    "11996-6",
    "11977-6",
];

/// Observation.
pub(crate) fn observation(view: &View<'_>) -> Vec<Draft> {
    let named = concept(view.at("code"));
    let value = value(view.resource.json());
    let components = components(view.at("component"));
    let told_apart = vec![
        ("value", distinct(&value, &components)),
        ("unit", value.quantity.as_ref().map(|q| q.unit.clone()).unwrap_or_default()),
    ];
    let dataset = observation_dataset(view);
    let interpretation = concepts(view.at("interpretation"));
    let performer = view.displays(view.at("performer"));
    let detail = match dataset {
        Dataset::Investigations => Detail::Investigation(InvestigationDetail {
            value: value.quantity,
            value_text: value.text,
            reference_range: joined(view.at("referenceRange").items().iter().map(reference_range), "; "),
            interpretation,
            specimen: view.display(view.at("specimen")),
            laboratory: performer.clone(),
            components,
        }),
        Dataset::Pregnancy => Detail::Pregnancy(PregnancyDetail {
            pregnancy_status: first_of([value.text, named.text.clone()]),
            estimated_due_date: if is_due_date(&named) {
                view.at("valueDateTime").text().to_owned()
            } else {
                String::new()
            },
            gravida_para: value.quantity.map(|q| format!("{}: {}", named.text, q.text)).unwrap_or_default(),
        }),
        Dataset::SocialContext => Detail::SocialContext(SocialContextDetail {
            kind: named.text.clone(),
            value_text: first_of([value.text, quantity_text(view.at("valueQuantity"))]),
        }),
        _ => Detail::Observation(ObservationDetail {
            value: value.quantity,
            value_text: value.text,
            method: concept(view.at("method")).text,
            interpretation,
            components,
        }),
    };
    let mut draft = Draft::of(view, dataset, named, detail);
    draft.distinguishing = told_apart;
    draft.when = when(view.resource.json(), "effective");
    draft.recorded = view.at("issued").text().to_owned();
    draft.author = performer;
    vec![draft]
}

fn observation_dataset(view: &View<'_>) -> Dataset {
    let codes = |json: &Json| -> Vec<String> {
        let of_one = |one: &Json| concept(one).codings.into_iter().map(|c| c.code).collect::<Vec<_>>();
        json.items().iter().flat_map(of_one).collect()
    };
    let is_pregnancy = |found: Vec<String>| found.iter().any(|one| PREGNANCY_CODES.contains(&one.as_str()));
    if is_pregnancy(codes(view.at("code"))) || is_pregnancy(codes(view.at("valueCodeableConcept"))) {
        return Dataset::Pregnancy;
    }
    let categories = view.at("category").items().iter().map(code).collect::<Vec<_>>();
    if categories.contains(&"laboratory") {
        return Dataset::Investigations;
    }
    if categories.contains(&"social-history") {
        return Dataset::SocialContext;
    }
    Dataset::Observations
}

fn is_due_date(named: &Concept) -> bool {
    named.codings.iter().any(|coding| matches!(coding.code.as_str(), "11778-8" | "161714006"))
}

fn reference_range(json: &Json) -> String {
    first_of([json.at("text").text().to_owned(), range_text(json)])
}

/// DiagnosticReport.
pub(crate) fn report(view: &View<'_>) -> Vec<Draft> {
    let conclusion = first_of([view.at("conclusion").text().to_owned(), concepts(view.at("conclusionCode"))]);
    let laboratory = view.displays(view.at("performer"));
    let detail = InvestigationDetail {
        value_text: conclusion.clone(),
        specimen: view.displays(view.at("specimen")),
        laboratory: laboratory.clone(),
        ..InvestigationDetail::default()
    };
    let mut draft = Draft::of(view, Dataset::Investigations, concept(view.at("code")), Detail::Investigation(detail));
    draft.distinguishing = vec![("value", conclusion)];
    draft.when = when(view.resource.json(), "effective");
    // A report without a date of its own is of the day its specimen was taken.
    let taken = view.target(view.at("specimen").first()).at("collection").at("collectedDateTime").text();
    draft.when.start = first_of([std::mem::take(&mut draft.when.start), taken.to_owned()]);
    draft.recorded = view.at("issued").text().to_owned();
    draft.author = first_of([view.displays(view.at("resultsInterpreter")), laboratory]);
    if view.at("presentedForm").items().iter().any(|form| !form.at("data").is_null()) {
        draft.original = Original::Omitted;
    }
    vec![draft]
}

/// DocumentReference: one entry for each attachment.
pub(crate) fn documents(view: &View<'_>) -> Vec<Draft> {
    let contents = view.at("content").items();
    let of_one = |(at, content): (usize, &Json)| document(view, content.at("attachment"), at);
    contents.iter().enumerate().map(of_one).collect()
}

fn document(view: &View<'_>, attachment: &Json, at: usize) -> Draft {
    let kind = concept(view.at("type"));
    let inline = decoded(attachment.at("data").text()).unwrap_or_default();
    let sha256 = sha256_of(attachment, &inline);
    let told_apart = vec![("sha256", severn_trust::hex(&sha256))];
    let context = view.at("context");
    let detail = DocumentDetail {
        kind: kind.text.clone(),
        media_type: attachment.at("contentType").text().to_owned(),
        size: attachment.at("size").text().parse().unwrap_or(inline.len() as u64),
        sha256,
        setting: concept(context.at("practiceSetting")).text,
    };
    let title = first_of([
        attachment.at("title").text().to_owned(),
        view.at("description").text().to_owned(),
        kind.text.clone(),
        "Document".to_owned(),
    ]);
    let named = Concept { text: title, codings: kind.codings };
    let mut draft = Draft::of(view, Dataset::Documents, named, Detail::Document(detail));
    draft.distinguishing = told_apart;
    // A document can be current and yet withdrawn, or current and not final: the more careful word counts.
    match status("", view.at("docStatus").text()) {
        EntryStatus::EnteredInError => draft.status = EntryStatus::EnteredInError,
        EntryStatus::Preliminary if draft.status == EntryStatus::Active => draft.status = EntryStatus::Preliminary,
        _ => {}
    }
    draft.status_verbatim = joined(["status", "docStatus"].map(|key| view.at(key).text().to_owned()), ", ");
    draft.part = if at == 0 { String::new() } else { format!("#{at}") };
    draft.when = period(context.at("period"));
    draft.when.start = first_of([
        std::mem::take(&mut draft.when.start),
        attachment.at("creation").text().to_owned(),
        view.at("created").text().to_owned(),
    ]);
    draft.recorded = view.text_of(&["date", "indexed"]);
    draft.author = view.displays(view.at("author"));
    draft.location = view.display(view.at("custodian"));
    let description = view.at("description").text();
    draft.narrative = if description == draft.concept.text { String::new() } else { description.to_owned() };
    if view.at("content").items().iter().any(|content| !content.at("attachment").at("data").is_null()) {
        draft.original = Original::Omitted;
    }
    draft
}

/// The attachment that an entry of the documents dataset stands for; `None` if the resource has no such one.
pub(crate) fn attachment<'a>(resource: &'a Resource, entry_id: &str) -> Option<&'a Json> {
    let part = entry_id.strip_prefix(&resource.reference())?;
    let at = if part.is_empty() { 0 } else { part.strip_prefix('#')?.parse::<usize>().ok()? };
    resource.json().at("content").items().get(at).map(|content| content.at("attachment"))
}

/// QuestionnaireResponse.
pub(crate) fn questionnaire(view: &View<'_>) -> Vec<Draft> {
    let canonical = view.at("questionnaire").text();
    let shown = view.at("_questionnaire").at("extension").items().iter().map(|e| e.at("valueString").text().to_owned());
    let last = canonical.rsplit('/').next().unwrap_or_default().split('|').next().unwrap_or_default();
    let title = joined(shown, ", ");
    let fallback = if last.is_empty() { "Questionnaire".to_owned() } else { format!("Questionnaire {last}") };
    let named = Concept { text: first_of([title, fallback]), codings: Vec::new() };
    let detail = AssessmentDetail {
        kind: last.to_owned(),
        assessor: view.display(view.at("author")),
        ..AssessmentDetail::default()
    };
    let mut draft = Draft::of(view, Dataset::Assessments, named, Detail::Assessment(detail));
    let mut lines = Vec::new();
    add_answers(view.at("item"), &mut lines);
    draft.narrative = lines.join("\n");
    draft.when.start = view.at("authored").text().to_owned();
    draft.recorded = view.at("authored").text().to_owned();
    draft.author = view.display(view.at("author"));
    vec![draft]
}

// Nesting is bounded by the reader of JSON.
fn add_answers(items: &Json, lines: &mut Vec<String>) {
    for item in items.items() {
        let question = first_of([item.at("text").text().to_owned(), item.at("linkId").text().to_owned()]);
        let answers = item.at("answer").items().iter().map(|answer| {
            let value = value(answer);
            first_of([
                value.text,
                value.quantity.map(|q| joined([q.text, q.unit], " ")).unwrap_or_default(),
                concept(answer.at("valueCoding")).text,
                answer.at("valueDecimal").text().to_owned(),
            ])
        });
        lines.push(format!("{question}: {}", joined(answers, ", ")));
        for answer in item.at("answer").items() {
            add_answers(answer.at("item"), lines);
        }
        add_answers(item.at("item"), lines);
    }
}

/// ClinicalImpression.
pub(crate) fn impression(view: &View<'_>) -> Vec<Draft> {
    let summary = view.at("summary").text().to_owned();
    let mut named = concept(view.at("code"));
    named.text = first_of([named.text, view.at("description").text().to_owned(), summary.clone()]);
    let assessor = view.display(view.at("assessor"));
    let detail = AssessmentDetail {
        kind: named.text.clone(),
        outcome: summary,
        assessor: assessor.clone(),
        team: String::new(),
    };
    let mut draft = Draft::of(view, Dataset::Assessments, named, Detail::Assessment(detail));
    draft.when = when(view.resource.json(), "effective");
    draft.recorded = view.at("date").text().to_owned();
    draft.author = assessor;
    draft.narrative = joined([view.at("description").text().to_owned(), std::mem::take(&mut draft.narrative)], "\n");
    vec![draft]
}

/// RiskAssessment.
pub(crate) fn risk(view: &View<'_>) -> Vec<Draft> {
    let predictions = view.at("prediction").items();
    let outcomes = joined(predictions.iter().map(|p| concept(p.at("outcome")).text), ", ");
    let level = predictions.iter().map(|p| {
        first_of([
            concept(p.at("qualitativeRisk")).text,
            p.at("probabilityDecimal").text().to_owned(),
            range_text(p.at("probabilityRange")),
        ])
    });
    let detail = RiskDetail {
        level: joined(level, ", "),
        tool: concept(view.at("method")).text,
        triggers: joined(predictions.iter().map(|p| p.at("rationale").text().to_owned()), "; "),
        protective_factors: view.at("mitigation").text().to_owned(),
        ..RiskDetail::default()
    };
    let mut named = concept(view.at("code"));
    named.text = first_of([named.text, outcomes.clone(), detail.tool.clone(), notes(view.resource.json())]);
    let level = detail.level.clone();
    let mut draft = Draft::of(view, Dataset::Risks, named, Detail::Risk(detail));
    draft.distinguishing = vec![("level", level)];
    draft.when = when(view.resource.json(), "occurrence");
    draft.recorded = draft.when.start.clone();
    draft.author = view.display(view.at("performer"));
    draft.narrative = joined([outcomes, std::mem::take(&mut draft.narrative)], "\n");
    vec![draft]
}
