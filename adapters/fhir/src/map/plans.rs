//! Alerts and safeguarding, legal status and end-of-life decisions, plans and goals, teams, services, equipment,
//! research. Where FHIR has one type for several headings of the standard, its words decide, and the more careful
//! heading wins.

use super::{
    draft::Draft,
    json::Json,
    parts::{Concept, View, concept, concepts, first_of, joined, period, quantity_text, telecom, when},
    status::status,
};
use severn_proto::v1::{
    AlertDetail, CarePlanDetail, CareTeamDetail, CrisisPlanDetail, Dataset, EndOfLifeDetail, EquipmentDetail,
    GoalDetail, LegalStatusDetail, ResearchDetail, SafeguardingDetail, ServiceDetail, entry_body::Detail,
};

const SAFEGUARDING_WORDS: [&str; 3] = ["safeguard", "child protection", "at risk of abuse"];
const CRISIS_WORDS: [&str; 3] = ["crisis", "contingency", "safety"];
const RESUSCITATION_WORDS: [&str; 9] = [
    "resuscitat",
    "cpr",
    "dnar",
    "end of life",
    "end-of-life",
    "respect form",
    "advance care plan",
    "preferred place",
    "palliative",
];
// Codes of HL7's consent categories that decide on life-sustaining treatment.
const RESUSCITATION_CODES: [&str; 3] = ["dnr", "acd", "polst"];

/// Flag: a safeguarding concern, else an alert.
pub(crate) fn flag(view: &View<'_>) -> Vec<Draft> {
    let category = concepts(view.at("category"));
    let named = concept(view.at("code"));
    let is_safeguarding = has_word(&said(view, &["category", "code"]), &SAFEGUARDING_WORDS);
    let (dataset, detail) = if is_safeguarding {
        let detail = SafeguardingDetail { category: category.clone(), ..SafeguardingDetail::default() };
        (Dataset::Safeguarding, Detail::Safeguarding(detail))
    } else {
        (Dataset::Alerts, Detail::Alert(AlertDetail { category: category.clone(), ..AlertDetail::default() }))
    };
    let mut draft = Draft::of(view, dataset, named, detail);
    draft.distinguishing = vec![("category", category)];
    draft.when = period(view.at("period"));
    draft.author = view.display(view.at("author"));
    vec![draft]
}

/// CarePlan: a crisis plan, an end-of-life plan, else a care and support plan.
pub(crate) fn care_plan(view: &View<'_>) -> Vec<Draft> {
    let title = view.at("title").text().to_owned();
    let category = concepts(view.at("category"));
    let description = view.at("description").text().to_owned();
    let words = format!("{} {}", said(view, &["category"]), title.to_lowercase());
    let actions: Vec<String> =
        view.at("activity").items().iter().map(|a| activity(view, a)).filter(|a| !a.is_empty()).collect();
    let owner = first_of([view.display(view.at("author")), view.displays(view.at("contributor"))]);
    let (dataset, detail) = if has_word(&words, &CRISIS_WORDS) {
        let contacts =
            view.at("careTeam").items().iter().map(|team| view.display(team)).filter(|c| !c.is_empty()).collect();
        let plan = CrisisPlanDetail { what_helps: actions, contacts, ..CrisisPlanDetail::default() };
        (Dataset::CrisisPlans, Detail::CrisisPlan(plan))
    } else if has_word(&words, &RESUSCITATION_WORDS) {
        let plan = EndOfLifeDetail {
            kind: category.clone(),
            decision: actions.join("; "),
            clinician: owner.clone(),
            ..EndOfLifeDetail::default()
        };
        (Dataset::EndOfLife, Detail::EndOfLife(plan))
    } else {
        let plan =
            CarePlanDetail { kind: category.clone(), actions, owner: owner.clone(), ..CarePlanDetail::default() };
        (Dataset::CarePlans, Detail::CarePlan(plan))
    };
    let codings = concept(view.at("category")).codings;
    let named = Concept { text: first_of([title, category, description.clone()]), codings };
    let mut draft = Draft::of(view, dataset, named, detail);
    draft.when = period(view.at("period"));
    draft.recorded = view.at("created").text().to_owned();
    draft.author = owner;
    draft.narrative = joined([description, std::mem::take(&mut draft.narrative)], "\n");
    vec![draft]
}

fn activity(view: &View<'_>, json: &Json) -> String {
    let detail = json.at("detail");
    let own = first_of([detail.at("description").text().to_owned(), concept(detail.at("code")).text]);
    let progress = joined(json.at("progress").items().iter().map(|p| p.at("text").text().to_owned()), "; ");
    first_of([own, view.display(json.at("reference")), progress])
}

/// Goal.
pub(crate) fn goal(view: &View<'_>) -> Vec<Draft> {
    let due = view
        .at("target")
        .items()
        .iter()
        .map(|t| first_of([t.at("dueDate").text().to_owned(), quantity_text(t.at("dueDuration"))]));
    let detail = GoalDetail {
        owner: view.display(view.at("expressedBy")),
        due: joined(due, ", "),
        progress: concept(view.at("achievementStatus")).text,
    };
    let author = detail.owner.clone();
    let mut draft = Draft::of(view, Dataset::Goals, concept(view.at("description")), Detail::Goal(detail));
    restate(&mut draft, view, view.at("lifecycleStatus").text());
    draft.when.start = view.at("startDate").text().to_owned();
    draft.recorded = view.at("statusDate").text().to_owned();
    draft.author = author;
    vec![draft]
}

/// CareTeam: one entry for each professional, or one for the team.
pub(crate) fn care_team(view: &View<'_>) -> Vec<Draft> {
    let team = first_of([view.at("name").text().to_owned(), concepts(view.at("category"))]);
    let organisation = view.displays(view.at("managingOrganization"));
    let entry = |named: Concept, detail: CareTeamDetail, part: String| {
        let mut draft = Draft::of(view, Dataset::CareTeam, named, Detail::CareTeam(detail));
        draft.part = part;
        draft.when = period(view.at("period"));
        draft
    };
    let participants = view.at("participant").items();
    if participants.is_empty() {
        let phone = telecom(view.at("telecom"), "phone");
        let named = Concept { text: team.clone(), codings: concept(view.at("category")).codings };
        return vec![entry(
            named,
            CareTeamDetail { team, organisation, phone, ..CareTeamDetail::default() },
            String::new(),
        )];
    }
    let mut drafts = Vec::new();
    for (at, participant) in participants.iter().enumerate() {
        let member = participant.at("member");
        if member.at("reference").text().contains("Patient/") {
            continue;
        }
        let (target, role) = (view.target(member), concept(participant.at("role")));
        let name = view.display(member);
        let detail = CareTeamDetail {
            name: name.clone(),
            role: role.text.clone(),
            team: team.clone(),
            organisation: first_of([view.display(participant.at("onBehalfOf")), organisation.clone()]),
            phone: first_of([telecom(target.at("telecom"), "phone"), telecom(view.at("telecom"), "phone")]),
            email: telecom(target.at("telecom"), "email"),
        };
        let named = Concept { text: first_of([name, role.text.clone(), team.clone()]), codings: Vec::new() };
        let mut draft = entry(named, detail, format!("#participant-{at}"));
        draft.distinguishing = vec![("role", role.text)];
        if !participant.at("period").is_null() {
            draft.when = period(participant.at("period"));
        }
        drafts.push(draft);
    }
    drafts
}

/// Consent: decisions on treatment. A consent to share data is no entry.
pub(crate) fn consent(view: &View<'_>) -> Vec<Draft> {
    let provision = view.at("provision");
    let words = said(view, &["category", "scope", "policyRule"]) + " " + &concepts(provision.at("code")).to_lowercase();
    let codes =
        |json: &Json| json.items().iter().flat_map(|one| concept(one).codings).map(|c| c.code).collect::<Vec<_>>();
    let scopes = codes(view.at("scope"));
    let decides_on_life = has_word(&words, &RESUSCITATION_WORDS)
        || codes(view.at("category")).iter().any(|one| RESUSCITATION_CODES.contains(&one.as_str()));
    let legal = [
        "advance decision",
        "adrt",
        "power of attorney",
        "lpa",
        "mental health act",
        "dols",
        "deprivation of liberty",
        "court",
    ];
    let shares_data = scopes.iter().any(|scope| matches!(scope.as_str(), "patient-privacy" | "research"));
    if shares_data && !decides_on_life && !has_word(&words, &legal) {
        return Vec::new();
    }
    let category = concept(view.at("category"));
    let decided = joined([provision.at("type").text().to_owned(), concepts(provision.at("code"))], ": ");
    let clinician = view.displays(view.at("performer"));
    let (dataset, detail) = if decides_on_life {
        let discussed_with = view.display(view.at("verification").at("verifiedWith"));
        let detail = EndOfLifeDetail {
            kind: category.text.clone(),
            decision: decided,
            clinician: clinician.clone(),
            discussed_with,
            ..EndOfLifeDetail::default()
        };
        (Dataset::EndOfLife, Detail::EndOfLife(detail))
    } else {
        let holder =
            joined(provision.at("actor").items().iter().map(|actor| view.display(actor.at("reference"))), ", ");
        let verified = view.at("verification").at("verified").text().to_owned();
        let act = concept(view.at("policyRule")).text;
        (
            Dataset::LegalStatus,
            Detail::LegalStatus(LegalStatusDetail {
                act,
                kind: category.text.clone(),
                holder,
                document_seen: verified,
            }),
        )
    };
    let text = first_of([category.text.clone(), concepts(provision.at("code")), concept(view.at("policyRule")).text]);
    let mut draft = Draft::of(view, dataset, Concept { text, codings: category.codings }, detail);
    draft.when = period(provision.at("period"));
    draft.recorded = view.at("dateTime").text().to_owned();
    draft.author = first_of([clinician, view.displays(view.at("organization"))]);
    vec![draft]
}

/// EpisodeOfCare.
pub(crate) fn episode(view: &View<'_>) -> Vec<Draft> {
    let kind = concept(view.at("type"));
    let provider = view.display(view.at("managingOrganization"));
    let detail = ServiceDetail {
        service_type: concepts(view.at("type")),
        provider: provider.clone(),
        ..ServiceDetail::default()
    };
    let text = first_of([kind.text, view.displays(view.at("team")), provider, "Episode of care".to_owned()]);
    let mut draft =
        Draft::of(view, Dataset::Services, Concept { text, codings: kind.codings }, Detail::Service(detail));
    draft.when = period(view.at("period"));
    draft.author = view.display(view.at("careManager"));
    vec![draft]
}

/// Device.
pub(crate) fn device(view: &View<'_>) -> Vec<Draft> {
    let mut named = concept(view.at("type"));
    named.text = first_of([
        named.text,
        view.at("deviceName").at("name").text().to_owned(),
        view.at("modelNumber").text().to_owned(),
    ]);
    let detail = EquipmentDetail {
        supplier: first_of([view.display(view.at("owner")), view.at("manufacturer").text().to_owned()]),
        location: view.display(view.at("location")),
        serial: view.at("serialNumber").text().to_owned(),
    };
    vec![Draft::of(view, Dataset::Equipment, named, Detail::Equipment(detail))]
}

/// DeviceUseStatement.
pub(crate) fn device_use(view: &View<'_>) -> Vec<Draft> {
    let device = view.target(view.at("device"));
    let named = Concept {
        text: first_of([view.display(view.at("device")), concept(device.at("type")).text]),
        codings: concept(device.at("type")).codings,
    };
    let detail = EquipmentDetail { serial: device.at("serialNumber").text().to_owned(), ..EquipmentDetail::default() };
    let mut draft = Draft::of(view, Dataset::Equipment, named, Detail::Equipment(detail));
    draft.when = when(view.resource.json(), "timing");
    draft.recorded = view.at("recordedOn").text().to_owned();
    draft.author = view.display(view.at("source"));
    vec![draft]
}

/// ResearchSubject.
pub(crate) fn research(view: &View<'_>) -> Vec<Draft> {
    let study = view.at("study");
    let target = view.target(study);
    let name = first_of([
        study.at("display").text().to_owned(),
        target.at("title").text().to_owned(),
        "Research study".to_owned(),
    ]);
    let contact = target.at("contact");
    let whom = joined([contact.at("name").text().to_owned(), telecom(contact.at("telecom"), "phone")], ", ");
    let detail = ResearchDetail { study: name.clone(), contact: whom };
    let mut draft =
        Draft::of(view, Dataset::Research, Concept { text: name, codings: Vec::new() }, Detail::Research(detail));
    draft.when = period(view.at("period"));
    vec![draft]
}

fn restate(draft: &mut Draft, view: &View<'_>, verbatim: &str) {
    draft.status = status(view.resource.kind(), verbatim);
    draft.status_verbatim = verbatim.to_owned();
}

// All words of some members in lower case: texts, and the displays of every code.
fn said(view: &View<'_>, members: &[&str]) -> String {
    let of_one = |one: &Json| {
        let named = concept(one);
        joined(named.codings.into_iter().map(|c| c.display).chain([named.text]), " ")
    };
    let texts = members.iter().flat_map(|member| view.at(member).items()).map(of_one);
    joined(texts, " ").to_lowercase()
}

fn has_word(words: &str, wanted: &[&str]) -> bool {
    wanted.iter().any(|word| words.contains(word))
}
