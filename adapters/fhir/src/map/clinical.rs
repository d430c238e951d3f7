//! Allergies, problems, family history, procedures, immunisations.

use super::{
    absence,
    draft::Draft,
    json::Json,
    parts::{
        Concept, View, When, code, concept, concepts, extension, first_of, joined, notes, quantity_text, range_text,
        value, when,
    },
    status::status,
};
use severn_proto::v1::{
    AllergyDetail, Assertion, Dataset, EntryStatus, FamilyHistoryDetail, ImmunisationDetail, ProblemDetail,
    ProcedureDetail, Reaction, entry_body::Detail,
};

/// AllergyIntolerance.
pub(crate) fn allergy(view: &View<'_>) -> Vec<Draft> {
    let mut named = concept(view.at("code"));
    if named.text.is_empty() {
        named = concept(view.at("reaction").at("substance"));
    }
    let detail = AllergyDetail {
        kind: code(view.at("type")).to_owned(),
        criticality: code(view.at("criticality")).to_owned(),
        certainty: code(view.at("verificationStatus")).to_owned(),
        reactions: view.at("reaction").items().iter().map(reaction).collect(),
    };
    let assertion = absence::assertion(&named);
    let mut draft = Draft::of(view, Dataset::Allergies, named, Detail::Allergy(detail));
    draft.assertion = assertion;
    verify(&mut draft, view);
    draft.when = when(view.resource.json(), "onset");
    let ended = extension(view.resource.json(), "AllergyIntoleranceEnd");
    draft.when.end = first_of([std::mem::take(&mut draft.when.end), value(extension(ended, "endDate")).text]);
    let reason = value(extension(ended, "reasonEnded")).text;
    draft.status_verbatim = joined([std::mem::take(&mut draft.status_verbatim), reason], ": ");
    vec![signed(draft, view, &["recordedDate", "assertedDate"], "asserter")]
}

fn reaction(json: &Json) -> Reaction {
    Reaction {
        manifestation: first_of([concepts(json.at("manifestation")), json.at("description").text().to_owned()]),
        severity: json.at("severity").text().to_owned(),
        onset: json.at("onset").text().to_owned(),
    }
}

/// Condition.
pub(crate) fn problem(view: &View<'_>) -> Vec<Draft> {
    // Practices sort their problem lists by it: major, minor.
    let significance = value(extension(view.resource.json(), "ProblemSignificance")).text;
    let detail = ProblemDetail {
        certainty: code(view.at("verificationStatus")).to_owned(),
        category: joined([concepts(view.at("category")), significance], ", "),
        severity: concept(view.at("severity")).text,
        body_site: concepts(view.at("bodySite")),
    };
    let tentative = Some(&detail.certainty).filter(|word| TENTATIVE.contains(&word.as_str()));
    let told_apart = vec![
        ("site", detail.body_site.clone()),
        ("laterality", laterality(view)),
        ("severity", detail.severity.clone()),
        // That it is confirmed goes without saying: practices do not say it.
        ("certainty", tentative.cloned().unwrap_or_default()),
    ];
    let named = concept(view.at("code"));
    let assertion = absence::assertion(&named);
    let mut draft = Draft::of(view, Dataset::Problems, named, Detail::Problem(detail));
    draft.assertion = assertion;
    draft.distinguishing = told_apart;
    verify(&mut draft, view);
    let abated = when(view.resource.json(), "abatement");
    draft.when = when(view.resource.json(), "onset");
    draft.when.end = first_of([abated.start, abated.end, std::mem::take(&mut draft.when.end)]);
    let in_words = ["onsetString", "abatementString"].map(|key| view.at(key).text().to_owned());
    let ages = ["onsetAge", "abatementAge"].map(|key| quantity_text(view.at(key)));
    draft.narrative = joined([std::mem::take(&mut draft.narrative)].into_iter().chain(in_words).chain(ages), "\n");
    vec![signed(draft, view, &["recordedDate", "assertedDate"], "asserter")]
}

// FHIR has no member for it: it stands in an extension, of the problem or of its site, with a capital or without.
fn laterality(view: &View<'_>) -> String {
    let of_sites = view.at("bodySite").items().iter().map(|site| extension(site, "aterality"));
    let all = std::iter::once(extension(view.resource.json(), "aterality")).chain(of_sites);
    joined(all.map(|one| value(one).text), ", ")
}

// Words for a diagnosis that is not established.
const TENTATIVE: [&str; 3] = ["unconfirmed", "provisional", "differential"];

// Clinical status is what a reader reads. Of the certainty only what changes it stands beside it; the rest is detail.
fn verify(draft: &mut Draft, view: &View<'_>) {
    let clinical = code(view.at("clinicalStatus"));
    let certainty = code(view.at("verificationStatus"));
    let plain = status(view.resource.kind(), clinical);
    draft.status = match certainty {
        "entered-in-error" => EntryStatus::EnteredInError,
        // A tentative diagnosis must not read as an established one, but a suspected allergy is heeded like a proven one.
        word if TENTATIVE.contains(&word) && draft.dataset == Dataset::Problems && plain == EntryStatus::Active => {
            EntryStatus::Preliminary
        }
        _ => plain,
    };
    if certainty == "refuted" {
        draft.assertion = Assertion::Refuted;
    }
    let says_more = draft.status != plain || plain == EntryStatus::Unspecified;
    let beside = if says_more { certainty } else { "" };
    draft.status_verbatim = joined([clinical.to_owned(), beside.to_owned()], ", ");
}

/// FamilyMemberHistory: one entry for each condition of the relative, or one for the relative.
pub(crate) fn family_history(view: &View<'_>) -> Vec<Draft> {
    let relation = concept(view.at("relationship"));
    let deceased = value_or_words(view, "deceased");
    let entry = |named: Concept, age: String, part: String| {
        let detail =
            FamilyHistoryDetail { relation: relation.text.clone(), age_at_onset: age, deceased: deceased.clone() };
        let mut draft = Draft::of(view, Dataset::FamilyHistory, named, Detail::FamilyHistory(detail));
        draft.part = part;
        draft.recorded = view.at("date").text().to_owned();
        draft
    };
    let conditions = view.at("condition").items();
    if conditions.is_empty() {
        let text = first_of([notes(view.resource.json()), relation.text.clone()]);
        return vec![entry(Concept { text, codings: Vec::new() }, String::new(), String::new())];
    }
    let of_one = |(at, condition): (usize, &Json)| {
        let age = first_of([
            quantity_text(condition.at("onsetAge")),
            condition.at("onsetString").text().to_owned(),
            range_text(condition.at("onsetRange")),
        ]);
        entry(concept(condition.at("code")), age, format!("#condition-{at}"))
    };
    conditions.iter().enumerate().map(of_one).collect()
}

fn value_or_words(view: &View<'_>, stem: &str) -> String {
    let of = |suffix: &str| view.at(&format!("{stem}{suffix}"));
    first_of([
        of("String").text().to_owned(),
        of("Date").text().to_owned(),
        quantity_text(of("Age")),
        of("Boolean").text().to_owned(),
    ])
}

/// Procedure.
pub(crate) fn procedure(view: &View<'_>) -> Vec<Draft> {
    let performer = joined(view.at("performer").items().iter().map(|p| view.display(p.at("actor"))), ", ");
    let detail = ProcedureDetail {
        body_site: concepts(view.at("bodySite")),
        outcome: concept(view.at("outcome")).text,
        reason: concepts(view.at("reasonCode")),
        performer: performer.clone(),
    };
    let mut draft = Draft::of(view, Dataset::Procedures, concept(view.at("code")), Detail::Procedure(detail));
    draft.when = when(view.resource.json(), "performed");
    draft.location = view.display(view.at("location"));
    draft = signed(draft, view, &["recorded"], "asserter");
    draft.author = first_of([performer, draft.author]);
    vec![draft]
}

/// Immunization.
pub(crate) fn immunisation(view: &View<'_>) -> Vec<Draft> {
    let json = view.resource.json();
    let protocol = [view.at("protocolApplied"), view.at("vaccinationProtocol")];
    let dose_number = ["doseNumberPositiveInt", "doseNumberString", "doseSequence"];
    let dose_number = protocol.iter().flat_map(|one| dose_number.map(|key| one.at(key).text())).find(|n| !n.is_empty());
    let procedure = concept(extension(json, "VaccinationProcedure").at("valueCodeableConcept"));
    let vaccine = concept(view.at("vaccineCode"));
    // A practice that knows only what was done says "unknown" where the product belongs.
    let known = !vaccine.codings.iter().any(|coding| coding.system.ends_with("NullFlavor"));
    let product = if known { vaccine.text.clone() } else { String::new() };
    let detail = ImmunisationDetail {
        dose_number: dose_number.unwrap_or_default().to_owned(),
        product: product.clone(),
        batch: view.at("lotNumber").text().to_owned(),
        site: concept(view.at("site")).text,
        reason_not_given: concepts(match view.at("statusReason") {
            Json::Null => view.at("explanation").at("reasonNotGiven"),
            given => given,
        }),
    };
    let text = first_of([product, procedure.text, vaccine.text]);
    let codings = if known { [vaccine.codings, procedure.codings].concat() } else { procedure.codings };
    let named = Concept { text, codings };
    let mut draft = Draft::of(view, Dataset::Immunisations, named, Detail::Immunisation(detail));
    not_given(&mut draft, view);
    draft.when = When { start: view.text_of(&["occurrenceDateTime", "date"]), end: String::new() };
    let in_words = view.at("occurrenceString").text().to_owned();
    draft.narrative = joined([std::mem::take(&mut draft.narrative), in_words], "\n");
    draft.recorded = first_of([view.at("recorded").text().to_owned(), value(extension(json, "DateRecorded")).text]);
    draft.author = joined(["performer", "practitioner"].iter().flat_map(|key| givers(view, view.at(key))), ", ");
    draft.location = view.display(view.at("location"));
    vec![draft]
}

// STU3 marks a vaccine that was not given beside a status of "completed".
fn not_given(draft: &mut Draft, view: &View<'_>) {
    let marked = view.at("notGiven").is_true();
    if !(marked || view.at("status").text() == "not-done") || draft.status == EntryStatus::EnteredInError {
        return;
    }
    draft.assertion = Assertion::Refuted;
    draft.status = EntryStatus::Cancelled;
    if marked {
        draft.status_verbatim = "not given".to_owned();
    }
    if !draft.concept.text.is_empty() {
        draft.concept.text.push_str(" (not given)");
    }
}

// Whoever only wrote it down did not give it.
fn givers(view: &View<'_>, taking_part: &Json) -> impl Iterator<Item = String> {
    let wrote = |one: &&Json| ["role", "function"].iter().any(|key| code(one.at(key)) == "EP");
    taking_part.items().iter().filter(move |one| !wrote(one)).map(|one| view.display(one.at("actor")))
}

/// The time of writing, the author and the recorder, where `recorded` and `author` name the members that hold them.
pub(crate) fn signed(mut draft: Draft, view: &View<'_>, recorded: &[&str], author: &str) -> Draft {
    draft.recorded = view.text_of(recorded);
    draft.author = first_of([view.displays(view.at(author)), view.display(view.at(author).at("agent"))]);
    draft.recorder = view.display(view.at("recorder"));
    if draft.author.is_empty() {
        draft.author = std::mem::take(&mut draft.recorder);
    }
    draft
}
