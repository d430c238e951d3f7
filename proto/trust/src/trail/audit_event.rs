//! Events of a trail as FHIR R4 AuditEvent, after IHE's Basic Audit Log Patterns (BALP): PatientQuery where a person is
//! meant, Query where nobody is yet. A refusal, an alarm and an act of administration have no profile there and are plain
//! AuditEvents. What the trail does not know, such as network addresses of apps, is said to be unknown.

use super::{TrailError, event::TrailEvent, scan_trail, segments::time_of};
use crate::{disk::Disk, keys::PublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{io, ops::Range};

const BALP: &str = "https://profiles.ihe.net/ITI/BALP";
const TERMINOLOGY: &str = "http://terminology.hl7.org/CodeSystem";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// Details that say what was asked for.
const QUERY_DETAILS: [&str; 4] = ["datasets", "asked", "by", "relationship"];

/// Details that say why something was refused.
const WHY: [&str; 3] = ["why", "refusal", "refused"];

/// Who recorded the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observer {
    /// Its id in the federation.
    pub id: String,
    /// For an adapter, the id of the broker that asks it; a broker is asked by care apps.
    pub asked_by: Option<String>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The trail cannot be read.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The file cannot be written.
    #[error("cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes every event of the trail in `disk` at moments of `when`, milliseconds since 1970, to `out`: one AuditEvent on
/// each line (NDJSON). Gives how many.
///
/// # Errors
/// [`ExportError`] if the trail cannot be read or `out` not written.
pub fn export_trail(
    disk: &dyn Disk,
    key: &PublicKey,
    when: Range<i64>,
    observer: &Observer,
    out: &mut dyn io::Write,
) -> Result<u64, ExportError> {
    let (mut count, mut failed) = (0, None);
    scan_trail(disk, key, when, |seq, at_ms, event| {
        if failed.is_none() {
            failed = writeln!(out, "{}", audit_event((seq, at_ms), &event, observer)).err();
            count += 1;
        }
    })?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(count),
    }
}

/// One event, as FHIR R4 says it.
pub fn audit_event((seq, at_ms): (u64, i64), event: &TrailEvent, observer: &Observer) -> Value {
    let kind = Kind::of(event);
    let mut resource = json!({
        "resourceType": "AuditEvent",
        "id": format!("{}-{seq}", observer.id),
        "type": kind.event_type(),
        "subtype": kind.subtype(&event.action),
        "action": "E",
        "recorded": time_of(at_ms),
        "outcome": kind.outcome(),
        "agent": agents(event, observer),
        "source": {
            "site": "Severn",
            "observer": { "identifier": { "value": uri(observer) }, "display": observer.id },
            "type": [{ "system": format!("{TERMINOLOGY}/security-source-type"), "code": "4", "display": "Application Server" }],
        },
        "entity": entities(seq, event, observer),
    });
    if let Some(profile) = kind.profile() {
        resource["meta"] = json!({ "profile": [format!("{BALP}/StructureDefinition/{profile}")] });
    }
    if !event.purpose.is_empty() {
        resource["purposeOfEvent"] = json!([purpose(&event.purpose)]);
    }
    let why = WHY.iter().filter_map(|name| event.details.get(name)?.as_str().map(str::to_owned)).next();
    if let (Kind::Refusal | Kind::Alarm, Some(why)) = (kind, why) {
        resource["outcomeDesc"] = json!(why);
    }
    resource
}

/// What kind of event it is, as BALP sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    PatientQuery,
    Query,
    Refusal,
    Alarm,
    Operation,
}

impl Kind {
    fn of(event: &TrailEvent) -> Kind {
        match event.action.as_str() {
            "refused" => Kind::Refusal,
            alarm if alarm.starts_with("alarm") => Kind::Alarm,
            "intent" | "seal" | "release" | "report" | "document" | "document-sent" | "find" | "found" => {
                if event.person.is_empty() { Kind::Query } else { Kind::PatientQuery }
            }
            _ => Kind::Operation,
        }
    }

    fn profile(self) -> Option<&'static str> {
        match self {
            Kind::PatientQuery => Some("IHE.BasicAudit.PatientQuery"),
            Kind::Query => Some("IHE.BasicAudit.Query"),
            Kind::Refusal | Kind::Alarm | Kind::Operation => None,
        }
    }

    fn event_type(self) -> Value {
        match self {
            Kind::Alarm => json!({ "system": DICOM, "code": "110113", "display": "Security Alert" }),
            _ => {
                json!({ "system": format!("{TERMINOLOGY}/audit-event-type"), "code": "rest", "display": "Restful Operation" })
            }
        }
    }

    fn subtype(self, action: &str) -> Value {
        let code = if matches!(self, Kind::PatientQuery | Kind::Query) { "search" } else { "operation" };
        let interaction = json!({ "system": "http://hl7.org/fhir/restful-interaction", "code": code, "display": code });
        json!([interaction, { "system": "urn:severn:trail-action", "code": action, "display": action }])
    }

    /// Success, minor failure (it was refused), serious failure.
    fn outcome(self) -> &'static str {
        match self {
            Kind::PatientQuery | Kind::Query | Kind::Operation => "0",
            Kind::Refusal => "4",
            Kind::Alarm => "8",
        }
    }
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }] })
}

fn purpose(word: &str) -> Value {
    let reason = |code: &str, display: &str| {
        let coding = json!({ "system": format!("{TERMINOLOGY}/v3-ActReason"), "code": code, "display": display });
        json!({ "coding": [coding], "text": word })
    };
    match word {
        "direct_care" => reason("TREAT", "treatment"),
        "emergency" => reason("ETREAT", "emergency treatment"),
        "audit" => reason("HCOMPL", "health compliance"),
        "subject_access" => reason("PATRQT", "patient requested"),
        _ => json!({ "text": word }),
    }
}

/// The party's name, as its certificate spells it.
fn uri(observer: &Observer) -> String {
    let kind = if observer.asked_by.is_some() { "source" } else { "broker" };
    format!("spiffe://severn/{kind}/{}", observer.id)
}

/// The asking program, the one that recorded, the user and their organisation.
fn agents(event: &TrailEvent, observer: &Observer) -> Vec<Value> {
    let unknown = json!({
        "extension": [{ "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown" }]
    });
    let (asker, at) = match &observer.asked_by {
        Some(broker) => {
            let uri = format!("spiffe://severn/broker/{broker}");
            (json!({ "identifier": { "value": uri }, "display": broker }), json!({ "address": uri, "type": "5" }))
        }
        None if event.organisation.is_empty() => (json!({ "display": "a care app" }), unknown),
        None => (json!({ "display": format!("a care app of {}", event.organisation) }), unknown),
    };
    let own = uri(observer);
    let mut agents = vec![
        json!({ "type": concept(DICOM, "110153", "Source Role ID"), "who": asker, "requestor": false, "network": at }),
        json!({
            "type": concept(DICOM, "110152", "Destination Role ID"),
            "who": { "identifier": { "value": own }, "display": observer.id },
            "requestor": false,
            "network": { "address": own, "type": "5" },
        }),
    ];
    if !event.user.is_empty() {
        let mut user = json!({
            "type": concept(&format!("{TERMINOLOGY}/v3-ParticipationType"), "IRCP", "information recipient"),
            "who": { "identifier": { "value": event.user }, "display": event.user },
            "requestor": true,
            "name": event.user,
        });
        if !event.role.is_empty() {
            user["role"] = json!([{ "text": event.role }]);
        }
        if !event.token_id.is_empty() {
            user["policy"] = json!([event.token_id]);
        }
        if !event.purpose.is_empty() {
            user["purposeOfUse"] = json!([purpose(&event.purpose)]);
        }
        agents.push(user);
    }
    if !event.organisation.is_empty() {
        agents.push(json!({
            "type": { "text": "requesting organisation" },
            "who": { "identifier": { "system": ODS, "value": event.organisation } },
            "requestor": false,
        }));
    }
    agents
}

/// The query, the person, the query's id, and all else that the event says.
fn entities(seq: u64, event: &TrailEvent, observer: &Observer) -> Vec<Value> {
    let details: Vec<(&str, &str)> = event.details.iter().collect();
    let (asked, rest): (Vec<_>, Vec<_>) = details.into_iter().partition(|(name, _)| QUERY_DETAILS.contains(name));
    let asked: Vec<String> = asked.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if asked.is_empty() { event.action.clone() } else { format!("{}?{}", event.action, asked.join("&")) };
    let of_type = |code: &str, display: &str| json!({ "system": format!("{TERMINOLOGY}/audit-entity-type"), "code": code, "display": display });
    let role = |code: &str, display: &str| json!({ "system": format!("{TERMINOLOGY}/object-role"), "code": code, "display": display });
    let mut entities = vec![json!({
        "type": of_type("2", "System Object"),
        "role": role("24", "Query"),
        "query": STANDARD.encode(query),
    })];
    if !event.person.is_empty() {
        let identifier = match &observer.asked_by {
            None => json!({ "system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", event.person) }),
            Some(_) => json!({ "system": format!("urn:severn:source:{}", observer.id), "value": event.person }),
        };
        let what = json!({ "type": "Patient", "identifier": identifier });
        entities.push(json!({ "type": of_type("1", "Person"), "role": role("1", "Patient"), "what": what }));
    }
    if !event.query_id.is_empty() {
        let of_request = json!({ "system": format!("{BALP}/CodeSystem/BasicAuditEntityType"), "code": "XrequestId" });
        entities.push(json!({ "type": of_request, "what": { "identifier": { "value": event.query_id } } }));
    }
    let mut said = vec![json!({ "type": "seq", "valueString": seq.to_string() })];
    said.extend(rest.iter().map(|(name, value)| json!({ "type": name, "valueString": value })));
    entities.push(json!({ "type": of_type("4", "Other"), "name": "the event in the trail", "detail": said }));
    entities
}

#[cfg(test)]
mod tests;
