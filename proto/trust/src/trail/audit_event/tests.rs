use super::*;
use crate::trail::Details;
use crate::{MemoryDisk, SystemClock, Trail, keys::tests::es256_key};
use std::sync::Arc;

fn broker() -> Observer {
    Observer { id: "broker-1".into(), asked_by: None }
}

fn adapter() -> Observer {
    Observer { id: "M85001".into(), asked_by: Some("broker-1".into()) }
}

fn event(action: &str, person: &str) -> TrailEvent {
    TrailEvent {
        action: action.into(),
        query_id: "0190b5b0-0000-7000-8000-000000000001".into(),
        user: "Dr Helen Marsh (u-1)".into(),
        role: "S8000:G8000:R8000".into(),
        organisation: "RRK".into(),
        purpose: "direct_care".into(),
        token_id: "t-1".into(),
        person: person.into(),
        details: Details::default().with("datasets", &["allergies"]).with("why", &"no such role"),
    }
}

fn coded(value: &Value, system: &str, code: &str) -> bool {
    value["system"].as_str().is_some_and(|said| said.ends_with(system)) && value["code"] == code
}

fn is_instant(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
}

/// What FHIR R4 requires of every AuditEvent.
fn check_resource(resource: &Value) {
    assert_eq!(resource["resourceType"], "AuditEvent");
    let id = resource["id"].as_str().unwrap();
    assert!(id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'), "{id}");
    assert!(resource["type"]["system"].is_string() && resource["type"]["code"].is_string());
    assert!(is_instant(&resource["recorded"]), "{resource}");
    assert!(["0", "4", "8", "12"].iter().any(|outcome| resource["outcome"] == *outcome));
    assert!(resource["source"]["observer"].is_object(), "1..1");
    let agents = resource["agent"].as_array().unwrap();
    assert!(!agents.is_empty() && agents.iter().all(|agent| agent["requestor"].is_boolean()));
    for entity in resource["entity"].as_array().unwrap() {
        // Constraint sev-1: either a name or a query.
        assert!(!(entity["name"].is_string() && entity["query"].is_string()), "{entity}");
        for detail in entity["detail"].as_array().into_iter().flatten() {
            assert!(detail["type"].is_string() && detail["valueString"].is_string(), "{detail}");
        }
    }
}

/// What BALP's Query, and PatientQuery where there is a patient, require besides.
fn check_query(resource: &Value, with_patient: bool) {
    let name = if with_patient { "IHE.BasicAudit.PatientQuery" } else { "IHE.BasicAudit.Query" };
    assert_eq!(resource["meta"]["profile"][0], format!("{BALP}/StructureDefinition/{name}"));
    assert!(coded(&resource["type"], "/audit-event-type", "rest"));
    let subtypes = resource["subtype"].as_array().unwrap();
    assert!(subtypes.iter().any(|subtype| coded(subtype, "/restful-interaction", "search")));
    assert_eq!((&resource["action"], &resource["outcome"]), (&json!("E"), &json!("0")));
    let agents = resource["agent"].as_array().unwrap();
    let of_type = |system: &str, code: &str| -> Vec<&Value> {
        agents.iter().filter(|agent| coded(&agent["type"]["coding"][0], system, code)).collect()
    };
    for (code, role) in [("110153", "client"), ("110152", "server")] {
        let found = of_type("/DCM", code);
        assert_eq!(found.len(), 1, "{role} 1..1");
        assert!(
            found[0]["who"].is_object() && found[0]["network"].is_object() && found[0]["media"].is_null(),
            "{role}"
        );
    }
    let users = of_type("/v3-ParticipationType", "IRCP");
    assert_eq!(users.len(), 1);
    assert_eq!((&users[0]["requestor"], &users[0]["network"]), (&json!(true), &Value::Null));
    assert!(users[0]["who"].is_object() && users[0]["name"].is_string() && users[0]["role"].is_array());
    assert!(coded(&users[0]["purposeOfUse"][0]["coding"][0], "/v3-ActReason", "TREAT"));
    let entities = resource["entity"].as_array().unwrap();
    let entities_of = |system: &str, code: &str| -> Vec<&Value> {
        entities.iter().filter(|entity| coded(&entity["type"], system, code)).collect()
    };
    let queries = entities_of("/audit-entity-type", "2");
    assert_eq!(queries.len(), 1, "query 1..1");
    assert!(coded(&queries[0]["role"], "/object-role", "24"));
    assert!(queries[0]["what"].is_null() && queries[0]["detail"].is_null() && queries[0]["lifecycle"].is_null());
    let query = STANDARD.decode(queries[0]["query"].as_str().unwrap()).unwrap();
    assert!(String::from_utf8(query).unwrap().contains("datasets=[\"allergies\"]"));
    let transactions = entities_of("/BasicAuditEntityType", "XrequestId");
    assert_eq!(transactions[0]["what"]["identifier"]["value"], "0190b5b0-0000-7000-8000-000000000001");
    let patients = entities_of("/audit-entity-type", "1");
    assert_eq!(patients.len(), usize::from(with_patient), "patient 1..1");
    if let Some(patient) = patients.first() {
        assert!(coded(&patient["role"], "/object-role", "1"));
        assert_eq!(patient["what"]["type"], "Patient");
        assert!(patient["what"]["identifier"]["value"].as_str().unwrap().ends_with("p-7"));
    }
}

#[test]
fn queries_have_what_their_profile_requires() {
    for observer in [broker(), adapter()] {
        for action in ["intent", "seal", "release", "report", "find", "found", "document-sent"] {
            for person in ["p-7", ""] {
                let resource = audit_event((3, 1_700_000_000_123), &event(action, person), &observer);
                check_resource(&resource);
                check_query(&resource, !person.is_empty());
            }
        }
    }
}

#[test]
fn refusals_and_alarms_are_failures_that_say_why() {
    for (action, outcome) in [("refused", "4"), ("alarm-witness", "8"), ("alarm-other-person", "8")] {
        let resource = audit_event((3, 0), &event(action, "p-7"), &broker());
        check_resource(&resource);
        assert_eq!((&resource["outcome"], &resource["outcomeDesc"]), (&json!(outcome), &json!("no such role")));
        assert!(resource["meta"].is_null(), "the profiles are those of successes");
    }
    let bare = TrailEvent { action: "witness".into(), ..TrailEvent::default() };
    let resource = audit_event((1, 0), &bare, &adapter());
    check_resource(&resource);
    assert_eq!((&resource["outcome"], resource["agent"].as_array().unwrap().len()), (&json!("0"), 2));
}

#[tokio::test]
async fn a_while_of_a_trail_is_written_line_by_line() {
    let (disk, key) = (MemoryDisk::default(), es256_key());
    let trail = Trail::open(Arc::new(disk.clone()), Arc::new(SystemClock), key.clone()).unwrap();
    for action in ["intent", "seal"] {
        trail.record(event(action, "p-7")).await.unwrap();
    }
    let mut out = Vec::new();
    let count = export_trail(&disk, key.public(), 0..i64::MAX, &broker(), &mut out).unwrap();
    let lines: Vec<Value> = out.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!((count, lines.len()), (2, 2));
    lines.iter().for_each(check_resource);
    assert_eq!(export_trail(&disk, key.public(), 0..1, &broker(), &mut Vec::new()).unwrap(), 0);
}
