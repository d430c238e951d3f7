mod gp_connect;

use super::*;
use prost::Message;
use serde_json::{Value, json};
use severn_proto::v1::{
    Assertion, Dataset, EntryBody, EntryHead, EntryStatus, SensitivityLabel, Sex, entry_body::Detail, human_name,
};

fn context() -> MapContext {
    let source = SourceContext {
        source_id: "made-up".into(),
        organisation: "Made-up Trust".into(),
        ods: "M0001".into(),
        system: "Made-up System".into(),
    };
    MapContext { source, assigning_authority: "made-up".into(), retrieved_at_ms: 7 }
}

fn resource(raw: &str) -> Resource {
    Resource::parse(raw, "").expect("a readable resource")
}

fn mapped(value: &Value) -> Mapped {
    mapped_raw(&value.to_string())
}

fn mapped_raw(raw: &str) -> Mapped {
    map_resource(&resource(raw), &Pool::default(), &context())
}

fn parts(entry: &Entry) -> (EntryHead, EntryBody) {
    (entry.head.clone().expect("a head"), EntryBody::decode(entry.body.clone()).expect("a body"))
}

/// The one entry of a resource.
fn one(value: &Value) -> (Dataset, EntryHead, EntryBody) {
    let mapped = mapped(value);
    assert_eq!((mapped.entries.len(), mapped.unreadable.len()), (1, 0), "one entry and nothing unreadable");
    let (dataset, entry) = &mapped.entries[0];
    let (head, body) = parts(entry);
    assert_eq!(head.dataset, *dataset as i32);
    assert!(datasets_of(value["resourceType"].as_str().unwrap()).contains(dataset), "the table of types knows it");
    (*dataset, head, body)
}

fn penicillin() -> Value {
    json!({
        "resourceType": "AllergyIntolerance", "id": "a1",
        "meta": {"versionId": "3", "lastUpdated": "2024-02-03T10:00:00Z"},
        "identifier": [{"system": "urn:made-up", "value": "A-1",
            "assigner": {"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "M84001"}}}],
        "clinicalStatus": {"coding": [{"system": "x", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": "x", "code": "confirmed"}]},
        "type": "allergy", "criticality": "high",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "91936005", "display": "Allergy to penicillin"}]},
        "patient": {"reference": "Patient/p1"},
        "onsetDateTime": "2019-04", "recordedDate": "2019-04-03",
        "recorder": {"display": "Dr Made Up"},
        "reaction": [{"manifestation": [{"text": "Anaphylaxis"}], "severity": "severe"}],
        "note": [{"text": "told by\u{202e} mother"}],
    })
}

#[test]
fn an_allergy_keeps_everything() {
    let raw = penicillin().to_string();
    let (dataset, head, body) = one(&penicillin());
    assert_eq!(dataset, Dataset::Allergies);
    assert_eq!((head.entry_id.as_str(), head.text.as_str()), ("AllergyIntolerance/a1", "Allergy to penicillin"));
    assert_eq!((head.assertion(), head.status()), (Assertion::Present, EntryStatus::Active));
    assert_eq!(head.status_verbatim, "active");
    assert_eq!((head.effective_start.as_str(), head.recorded.as_str()), ("2019-04", "2019-04-03"));
    assert_eq!(head.last_changed, "2024-02-03T10:00:00Z");
    assert_eq!(head.origins[0].organisation_ods, "M84001");
    let provenance = head.provenance.expect("provenance");
    assert_eq!((provenance.author.as_str(), provenance.source_version.as_str()), ("Dr Made Up", "3"));
    assert_eq!((provenance.organisation_ods.as_str(), provenance.retrieved_at_ms), ("M0001", 7));
    assert_eq!((body.original, body.original_media_type.as_str()), (raw.into_bytes(), "application/fhir+json"));
    assert_eq!(body.narrative, "told by\u{202e} mother", "characters are left as they are; the client neutralises");
    let Some(Detail::Allergy(detail)) = body.detail else { panic!("an allergy") };
    assert_eq!((detail.criticality.as_str(), detail.certainty.as_str()), ("high", "confirmed"));
    assert_eq!(detail.reactions[0].manifestation, "Anaphylaxis");
}

#[test]
fn allergies_that_are_none_or_not_so() {
    let change = |path: &str, value: Value| {
        let mut changed = penicillin();
        *changed.pointer_mut(path).expect("a member") = value;
        one(&changed).1
    };
    assert_eq!(change("/code/coding/0/code", json!("716186003")).assertion(), Assertion::NoneKnown);
    let ips = json!([{"system": "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", "code": "no-known-allergies"}]);
    assert_eq!(change("/code/coding", ips).assertion(), Assertion::NoneKnown);
    assert_eq!(change("/code", json!({"text": "No known allergies."})).assertion(), Assertion::NoneKnown);
    assert_eq!(change("/code", json!({"text": "No known allergies to latex"})).assertion(), Assertion::Present);
    let verification = "/verificationStatus/coding/0/code";
    assert_eq!(change(verification, json!("refuted")).assertion(), Assertion::Refuted);
    let retracted = change(verification, json!("entered-in-error"));
    assert_eq!(
        (retracted.status(), retracted.status_verbatim.as_str()),
        (EntryStatus::EnteredInError, "active, entered-in-error")
    );
    let odd = change("/clinicalStatus/coding/0/code", json!("dormant"));
    assert_eq!((odd.status(), odd.status_verbatim.as_str()), (EntryStatus::Unspecified, "dormant, confirmed"));
}

#[test]
fn certainty_is_detail_and_a_suspected_allergy_is_an_allergy() {
    let mut suspected = penicillin();
    suspected["verificationStatus"]["coding"][0]["code"] = json!("unconfirmed");
    let (_, head, body) = one(&suspected);
    let proven = one(&penicillin()).1;
    assert_eq!(
        (head.assertion(), head.status(), &head.status_verbatim),
        (Assertion::Present, EntryStatus::Active, &proven.status_verbatim)
    );
    let Some(Detail::Allergy(detail)) = body.detail else { panic!("an allergy") };
    assert_eq!(detail.certainty, "unconfirmed");

    let problem = |certainty: &str, clinical: &str| {
        let value = json!({"resourceType": "Condition", "id": "c1", "code": {"text": "Pulmonary embolism"},
            "clinicalStatus": {"coding": [{"code": clinical}]}, "verificationStatus": {"coding": [{"code": certainty}]}});
        one(&value)
    };
    for certainty in ["provisional", "differential", "unconfirmed"] {
        let (_, head, body) = problem(certainty, "active");
        assert_eq!(head.status(), EntryStatus::Preliminary, "a tentative diagnosis is not an established one");
        assert_eq!(head.status_verbatim, format!("active, {certainty}"));
        let Some(Detail::Problem(detail)) = body.detail else { panic!("a problem") };
        assert_eq!(detail.certainty, certainty);
    }
    assert_eq!(problem("differential", "resolved").1.status(), EntryStatus::Ended);
    assert_eq!(problem("confirmed", "active").1.status(), EntryStatus::Active);
}

#[test]
fn an_empty_list_of_allergies_says_so_only_where_it_says_so() {
    let list = |reason: &str| {
        json!({"resourceType": "List", "id": "l1", "status": "current", "mode": "snapshot", "title": "Allergies",
               "subject": {"reference": "Patient/p1"}, "date": "2024-01-01",
               "emptyReason": {"coding": [{"system": "x", "code": reason}]}})
    };
    let (dataset, head, _) = one(&list("nilknown"));
    assert_eq!(
        (dataset, head.assertion(), head.status()),
        (Dataset::Allergies, Assertion::NoneKnown, EntryStatus::Active)
    );
    assert!(mapped(&list("no-content-recorded")).entries.is_empty());
    let withheld = mapped(&list("withheld"));
    assert_eq!((withheld.entries.len(), withheld.unreadable), (0, vec![Dataset::Allergies]), "not the same as none");
}

#[test]
fn a_medicine_with_its_drug_beside_it() {
    let drug = json!({"resourceType": "Medication", "id": "m1", "form": {"text": "Tablet"},
        "code": {"coding": [{"system": "https://dmd.nhs.uk", "code": "322236009", "display": "Paracetamol 500mg tablets"}]}});
    let order = json!({
        "resourceType": "MedicationRequest", "id": "r1", "status": "active", "intent": "order",
        "medicationReference": {"reference": "Medication/m1"}, "subject": {"reference": "Patient/p1"},
        "authoredOn": "2024-05-01", "requester": {"display": "Dr Made Up"},
        "dosageInstruction": [{"text": "1 g four times a day", "route": {"text": "Oral"},
            "timing": {"repeat": {"frequency": 4, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": 1000, "unit": "mg"}}]}],
    });
    let mut pool = Pool::default();
    pool.add(&resource(&drug.to_string()));
    let both = map_resource(&resource(&order.to_string()), &pool, &context());
    let (head, body) = parts(&both.entries[0].1);
    assert_eq!((head.text.as_str(), head.codings[0].code.as_str()), ("Paracetamol 500mg tablets", "322236009"));
    let told_apart: Vec<_> = head.distinguishing.iter().map(|f| (f.name.as_str(), f.value.as_str())).collect();
    let intent = ("intent", "order");
    assert_eq!(
        told_apart,
        [("dose", "1000 mg"), ("route", "Oral"), ("form", "Tablet"), ("frequency", "4 per 1 d"), intent]
    );
    let Some(Detail::Medication(detail)) = body.detail else { panic!("a medicine") };
    assert_eq!((detail.intent.as_str(), detail.dosage_instructions.as_str()), ("order", "1 g four times a day"));
    assert_eq!(detail.dose.and_then(|dose| dose.value), Some(1000.0));

    let alone = mapped(&order);
    assert_eq!((alone.entries.len(), alone.unreadable), (0, vec![Dataset::Medications]), "a medicine without a name");
    let mut forbidden = order;
    forbidden["doNotPerform"] = json!(true);
    forbidden["medicationReference"]["display"] = json!("Aspirin");
    assert_eq!(one(&forbidden).1.assertion(), Assertion::Refuted, "an order not to give it");
}

#[test]
fn numbers_keep_their_digits() {
    let raw = r#"{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"system":"x","code":"laboratory"}]}],
        "code":{"text":"Potassium"},"effectiveDateTime":"2024-01-01T08:00:00+00:00","subject":{"reference":"Patient/p1"},
        "valueQuantity":{"value":4.10,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"},
        "referenceRange":[{"low":{"value":3.50,"unit":"mmol/L"},"high":{"value":5.3,"unit":"mmol/L"}}]}"#;
    let mapped = mapped_raw(raw);
    let (dataset, (head, body)) = (mapped.entries[0].0, parts(&mapped.entries[0].1));
    assert_eq!(dataset, Dataset::Investigations);
    let Some(Detail::Investigation(detail)) = body.detail else { panic!("an investigation") };
    let value = detail.value.expect("a value");
    assert_eq!((value.text.as_str(), value.value, value.unit_code.as_str()), ("4.10", Some(4.1), "mmol/L"));
    assert_eq!(detail.reference_range, "3.50 mmol/L to 5.3 mmol/L");
    assert_eq!((head.distinguishing[0].value.as_str(), head.distinguishing[1].value.as_str()), ("4.10", "mmol/L"));
    assert_eq!(body.original, raw.as_bytes());

    for (number, text, value) in [
        ("1e400", "1e400", None),
        ("-0", "-0", Some(-0.0)),
        ("12345678901234567890.5", "12345678901234567890.5", Some(12_345_678_901_234_567_000.0)),
    ] {
        let entries = mapped_raw(&raw.replace("4.10", number)).entries;
        let Some(Detail::Investigation(detail)) = parts(&entries[0].1).1.detail else { panic!("an investigation") };
        let quantity = detail.value.expect("a value");
        assert_eq!((quantity.text.as_str(), quantity.value), (text, value));
    }
}

#[test]
fn a_comparator_is_no_plain_number() {
    let raw = json!({"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "Troponin"},
        "valueQuantity": {"value": 5, "comparator": "<", "unit": "ng/L"}});
    let Some(Detail::Observation(detail)) = one(&raw).2.detail else { panic!("an observation") };
    let value = detail.value.expect("a value");
    assert_eq!((value.text.as_str(), value.value, detail.value_text.as_str()), ("<5", None, "<5 ng/L"));
}

#[test]
fn observations_find_their_dataset() {
    let observation = |category: &str, code: &str| {
        json!({"resourceType": "Observation", "id": "o1", "status": "final",
               "category": [{"coding": [{"system": "x", "code": category}]}],
               "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": "Something"}]},
               "valueString": "as seen"})
    };
    assert_eq!(one(&observation("laboratory", "1")).0, Dataset::Investigations);
    assert_eq!(one(&observation("vital-signs", "1")).0, Dataset::Observations);
    assert_eq!(one(&observation("social-history", "1")).0, Dataset::SocialContext);
    assert_eq!(one(&observation("social-history", "82810-3")).0, Dataset::Pregnancy);
    let pressure = json!({"resourceType": "Observation", "id": "o2", "status": "final", "code": {"text": "Blood pressure"},
        "component": [{"code": {"text": "Systolic"}, "valueQuantity": {"value": 120, "unit": "mmHg"}},
                      {"code": {"text": "Diastolic"}, "valueQuantity": {"value": 80, "unit": "mmHg"}}]});
    assert_eq!(one(&pressure).1.distinguishing[0].value, "Systolic=120 mmHg; Diastolic=80 mmHg");
}

#[test]
fn flags_plans_and_consents_find_their_dataset() {
    let flag = |text: &str| {
        json!({"resourceType": "Flag", "id": "f1", "status": "active", "code": {"text": text},
                                   "category": [{"text": "Safety"}]})
    };
    assert_eq!(one(&flag("Dog at address")).0, Dataset::Alerts);
    assert_eq!(one(&flag("Safeguarding concern")).0, Dataset::Safeguarding);
    let plan = |title: &str| {
        json!({"resourceType": "CarePlan", "id": "c1", "status": "active", "intent": "plan", "title": title,
                                    "activity": [{"detail": {"description": "Ring the crisis line", "status": "scheduled"}}]})
    };
    assert_eq!(one(&plan("Crisis plan")).0, Dataset::CrisisPlans);
    assert_eq!(one(&plan("Advance care plan")).0, Dataset::EndOfLife);
    assert_eq!(one(&plan("Diabetes")).0, Dataset::CarePlans);
    let consent = |category: &str, scope: &str| {
        json!({"resourceType": "Consent", "id": "n1", "status": "active",
        "scope": {"coding": [{"system": "x", "code": scope}]}, "category": [{"text": category}], "provision": {"type": "deny"}})
    };
    assert_eq!(one(&consent("DNACPR decision", "treatment")).0, Dataset::EndOfLife);
    assert_eq!(one(&consent("Lasting power of attorney", "treatment")).0, Dataset::LegalStatus);
    assert_eq!(one(&consent("Advance decision (ADRT)", "adr")).0, Dataset::LegalStatus);
    assert!(mapped(&consent("Record sharing", "patient-privacy")).entries.is_empty(), "a directive, no entry");
}

#[test]
fn every_type_that_is_mapped_gives_an_entry_or_counts_as_unreadable() {
    for (kind, datasets) in KINDS {
        let bare = mapped(&json!({"resourceType": kind, "id": "x1", "status": "active"}));
        let accounted = !bare.entries.is_empty() || !bare.unreadable.is_empty();
        let may_say_nothing = matches!(kind, "List" | "DocumentReference");
        assert!(accounted || may_say_nothing, "{kind} vanished");
        assert!(bare.entries.iter().all(|(dataset, _)| datasets.contains(dataset)), "{kind} has a dataset of its own");
    }
    for (kind, datasets) in KINDS {
        let wrong = json!({"resourceType": kind, "id": "x1", "status": {"odd": [1]}, "code": 7, "category": true, "name": 3,
            "subject": [[]], "participant": "x", "component": [null], "content": 5, "meta": [], "identifier": "x"});
        let mapped = mapped(&wrong);
        assert!(
            mapped.unreadable.iter().all(|dataset| datasets.contains(dataset)),
            "{kind} of wrong types is read or counted"
        );
    }
}

#[test]
fn labels_fail_closed() {
    let labelled = |security: Value| {
        let mut value = penicillin();
        value["meta"]["security"] = security;
        one(&value).1.labels
    };
    let confidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let topic = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let (deny, mental) = (SensitivityLabel::Unspecified as i32, SensitivityLabel::MentalHealth as i32);
    assert_eq!(labelled(json!([{"system": confidentiality, "code": "N"}])), Vec::<i32>::new());
    assert_eq!(labelled(json!([{"system": confidentiality, "code": "R"}])), [deny]);
    assert_eq!(
        labelled(json!([{"system": confidentiality, "code": "V"}, {"system": topic, "code": "PSY"}])),
        [deny, mental]
    );
    assert_eq!(labelled(json!([{"system": confidentiality, "code": "R"}, {"system": topic, "code": "PSY"}])), [mental]);
    assert_eq!(labelled(json!([{"system": topic, "code": "NOPAT"}])), [deny]);
    assert_eq!(labelled(json!([{"system": "urn:local", "code": "N"}])), [deny]);
    assert_eq!(labelled(json!([{"display": "secret"}])), [deny]);
}

#[test]
fn dates_that_are_none_are_shown_as_recorded() {
    for date in ["2023-02-30", "31/12/2020", "2020-13", "10000-01-01", "2020-01-01T24:61:00Z"] {
        let mut value = penicillin();
        value["onsetDateTime"] = json!(date);
        let head = one(&value).1;
        assert!(head.not_validated && head.effective_start.is_empty(), "{date}");
        assert!(head.text.ends_with(&format!("(start as recorded: {date})")), "{date}");
    }
    for date in ["2020", "2020-02", "2020-02-29", "2020-02-29T10:15:00+01:00", "2020-02-29T10:15:00.123Z"] {
        let mut value = penicillin();
        value["onsetDateTime"] = json!(date);
        assert_eq!(one(&value).1.effective_start, date);
    }
}

#[test]
fn a_modifier_that_is_not_understood_is_marked() {
    let mut value = penicillin();
    value["modifierExtension"] = json!([{"url": "urn:made-up:negated", "valueBoolean": true}]);
    assert!(one(&value).1.not_validated);
}

#[test]
fn limits_of_a_resource() {
    let large =
        json!({"resourceType": "Condition", "id": "c1", "code": {"text": "x".repeat(bundle::RESOURCE_BYTES_MAX)}});
    assert_eq!(Resource::parse(&large.to_string(), "").unwrap_err(), Broken { kind: Some("Condition".into()) });
    let deep = format!(r#"{{"resourceType":"Condition","extension":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    assert_eq!(Resource::parse(&deep, "").unwrap_err(), Broken { kind: Some("Condition".into()) });
    assert_eq!(Resource::parse("{}", "").unwrap_err(), Broken { kind: None });
    let long_id = json!({"resourceType": "Condition", "id": "i".repeat(300), "code": {"text": "x"}});
    assert_eq!(mapped(&long_id).unreadable, [Dataset::Problems]);
}

#[test]
fn a_bundle_is_taken_apart_resource_by_resource() {
    let mut bytes = br#"{"resourceType":"Bundle","type":"searchset",
        "link":[{"relation":"self","url":"a"},{"relation":"next","url":"b"}],
        "entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Condition","id":"c1"}},
                 {"resource":{"resourceType":"Condition","id":"c2","id":"c3"}},
                 {"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"suppressed"}]}},
                 {"resource":{"resourceType":"Flag","id":"f1","code":{"text":"X"}}}, 5, {}]}"#
        .to_vec();
    let at = bytes.iter().position(|b| *b == b'X').expect("the mark");
    bytes[at] = 0xe9;
    let bundle = read_bundle(&bytes).expect("a bundle");
    assert_eq!((bundle.next.as_str(), bundle.incomplete), ("b", true));
    assert_eq!((bundle.resources.len(), bundle.broken.len()), (1, 4));
    assert_eq!(bundle.resources[0].reference(), "Condition/c1");
    assert!(
        bundle.broken.contains(&Broken { kind: Some("Flag".into()) }),
        "bytes that are not UTF-8 cost one resource"
    );
    assert!(read_bundle(b"{\"resourceType\":\"Patient\"}").is_err());
    assert!(read_bundle(b"[").is_err());
}

fn person() -> Value {
    json!({
        "resourceType": "Patient", "id": "p1", "active": true, "gender": "female", "birthDate": "1980-05",
        "identifier": [
            {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "943 476 5919", "extension": [
                {"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus",
                 "valueCodeableConcept": {"coding": [{"system": "x", "code": "01"}]}}]},
            {"system": "urn:made-up:hospital", "value": "H|1"}],
        "name": [{"use": "old", "family": "Earlier"}, {"use": "official", "family": "Now", "given": ["Ann", "Bea"], "prefix": ["Dr"]}],
        "telecom": [{"system": "phone", "value": "0121 496 0000", "use": "home"}, {"system": "email", "value": "ann@example.org"}],
        "address": [{"use": "old", "line": ["Old Road 1"], "postalCode": "B1 1AA", "period": {"end": "2010"}},
                    {"line": ["New Road 2"], "city": "Birmingham", "postalCode": "B2 2BB"}],
        "generalPractitioner": [{"display": "Made-up Surgery", "identifier":
            {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "M85001"}}],
        "contact": [{"relationship": [{"coding": [{"system": "x", "code": "N", "display": "Next-of-Kin"}]}],
                     "name": {"family": "Kin", "given": ["Kay"]}, "telecom": [{"system": "phone", "value": "0121 496 0001"}]}],
    })
}

#[test]
fn a_patient_is_a_registration() {
    let patient = resource(&person().to_string());
    assert_eq!(local_id(&patient, None).as_deref(), Some("p1"));
    assert_eq!(local_id(&patient, Some("urn:made-up:hospital")).as_deref(), Some("H|1"));
    assert_eq!(local_id(&patient, Some("urn:other")), None);
    let registration = registration(&patient, &Pool::default(), "p1", &context());
    let demographics = registration.demographics.expect("demographics");
    assert_eq!((demographics.nhs_number.as_str(), demographics.nhs_number_verified), ("9434765919", true));
    assert_eq!((demographics.birth_date.as_str(), demographics.sex()), ("1980-05", Sex::Female));
    assert_eq!(demographics.names[0].family, "Now");
    assert_eq!(demographics.names[1].r#use(), human_name::Use::Old);
    assert_eq!(
        (demographics.addresses[0].lines.join("/"), demographics.addresses[1].until.as_str()),
        ("New Road 2/Birmingham".into(), "2010")
    );
    assert_eq!((demographics.telecoms.len(), demographics.gp_practice_ods.as_str()), (2, "M85001"));
}

#[test]
fn a_patient_never_guesses_and_never_says_where_a_restricted_person_is() {
    let mut two = person();
    two["identifier"][1] = json!({"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9434765870"});
    let registered = registration(&resource(&two.to_string()), &Pool::default(), "p1", &context());
    assert_eq!(registered.demographics.expect("demographics").nhs_number, "", "two numbers are none");
    let mut restricted = person();
    restricted["meta"] =
        json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    let registered = registration(&resource(&restricted.to_string()), &Pool::default(), "p1", &context());
    let demographics = registered.demographics.expect("demographics");
    assert!(
        demographics.addresses.is_empty()
            && demographics.telecoms.is_empty()
            && demographics.gp_practice_ods.is_empty()
    );
    assert_eq!(demographics.nhs_number, "9434765919");
}

#[test]
fn a_patient_gives_each_dataset_only_its_own_part() {
    let mapped = mapped(&person());
    let datasets: Vec<Dataset> = mapped.entries.iter().map(|(dataset, _)| *dataset).collect();
    assert_eq!(datasets, [Dataset::Demographics, Dataset::GpPractice, Dataset::Contacts]);
    let all: Vec<(EntryHead, EntryBody)> = mapped.entries.iter().map(|(_, entry)| parts(entry)).collect();
    assert!(all.iter().all(|(_, body)| body.original.is_empty()), "the whole resource would tell more than was asked");
    assert_eq!(
        all.iter().map(|(head, _)| head.entry_id.as_str()).collect::<Vec<_>>(),
        ["Patient/p1", "Patient/p1#gp-practice", "Patient/p1#contact-0"]
    );
    let practice = &all[1].0.codings[0];
    let ods = ("https://fhir.nhs.uk/Id/ods-organization-code", "M85001");
    assert_eq!((practice.system.as_str(), practice.code.as_str()), ods, "one practice, from every source");
    let (head, body) = &all[2];
    let Some(Detail::Contact(contact)) = &body.detail else { panic!("a contact") };
    assert!(contact.next_of_kin && !contact.emergency_contact);
    assert_eq!(head.distinguishing.iter().map(|f| f.value.as_str()).collect::<Vec<_>>(), ["Kay Kin", "0121 496 0001"]);
}

#[test]
fn a_document_keeps_its_bytes_to_itself() {
    let value = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current", "type": {"text": "Letter"},
        "subject": {"reference": "Patient/p1"}, "date": "2024-01-02T03:04:05Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": "aGVsbG8=", "title": "Clinic letter"}},
                    {"attachment": {"contentType": "application/pdf", "url": "Binary/b1", "size": 12,
                        "hash": "qvTGHdzF6KLavt4PO0gs2a6pQ00="}}]});
    let mapped = mapped(&value);
    let (head, body) = parts(&mapped.entries[0].1);
    assert_eq!((head.text.as_str(), head.status(), body.original.len()), ("Clinic letter", EntryStatus::Active, 0));
    let Some(Detail::Document(detail)) = body.detail else { panic!("a document") };
    let hello = severn_trust::sha256(&[b"hello"]);
    assert_eq!((detail.size, detail.sha256), (5, hello.to_vec()));
    assert_eq!(
        (head.distinguishing[0].name.as_str(), &head.distinguishing[0].value),
        ("sha256", &severn_trust::hex(&hello))
    );
    let (second, body) = parts(&mapped.entries[1].1);
    assert!(second.distinguishing.is_empty(), "nothing is known of bytes that are elsewhere");
    let Some(Detail::Document(detail)) = body.detail else { panic!("a document") };
    assert!(detail.sha256.is_empty(), "SHA-1 is no SHA-256");
    assert_eq!(second.entry_id, "DocumentReference/d1#1");
    let document = resource(&value.to_string());
    assert_eq!(attachment(&document, "DocumentReference/d1#1").map(|a| a.at("url").text()), Some("Binary/b1"));
    assert!(attachment(&document, "DocumentReference/d1#9").is_none());
    assert!(attachment(&document, "DocumentReference/d2").is_none());
}

#[test]
fn a_hash_that_the_resource_gives_tells_documents_apart() {
    let value = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current", "type": {"text": "Letter"},
        "content": [{"attachment": {"url": "Binary/b1", "hash": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}}]});
    let head = one(&value).1;
    assert_eq!(head.distinguishing[0].value, severn_trust::hex(&severn_trust::sha256(&[b"hello"])));
}

#[test]
fn problems_are_told_apart_by_where_how_bad_and_how_certain() {
    let problem = |certainty: &str| {
        json!({"resourceType": "Condition", "id": "c1", "code": {"text": "Fracture"}, "severity": {"text": "Severe"},
            "clinicalStatus": {"coding": [{"code": "active"}]}, "verificationStatus": {"coding": [{"code": certainty}]},
            "bodySite": [{"text": "Radius", "extension": [{"url": "urn:made-up:bodySite-laterality", "valueCode": "left"}]}]})
    };
    let told_apart = |certainty: &str| {
        let fields = one(&problem(certainty)).1.distinguishing;
        fields.into_iter().map(|field| (field.name, field.value)).collect::<Vec<_>>()
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let confirmed = [field("site", "Radius"), field("laterality", "left"), field("severity", "Severe")];
    assert_eq!(told_apart("confirmed"), confirmed);
    assert_eq!(told_apart("differential"), [&confirmed[..], &[field("certainty", "differential")]].concat());
}

#[test]
fn references_of_another_server_are_another_resource() {
    let mut pool = Pool::default();
    pool.add(&resource(r#"{"resourceType":"Medication","id":"m1"}"#));
    assert!(pool.get("Medication/m1/_history/2").is_some());
    assert!(pool.get("https://elsewhere.example/fhir/Medication/m1").is_none());
    let about = |value: Value| subjects(&resource(&value.to_string()));
    assert_eq!(about(json!({"resourceType": "Condition", "subject": {"reference": "Patient/p1"}})), ["Patient/p1"]);
    assert_eq!(
        about(json!({"resourceType": "Appointment", "participant": [
        {"actor": {"reference": "Location/l1"}}, {"actor": {"reference": "Patient/p1"}}, {"actor": {"reference": "Patient/p2"}}]})),
        ["Patient/p1", "Patient/p2"]
    );
}

#[test]
fn every_dataset_comes_from_some_type_in_the_order_of_the_record() {
    let mapped = mapped_datasets();
    assert_eq!(mapped.len(), 30);
    assert_eq!(mapped[0], Dataset::Alerts);
    assert!(!mapped.contains(&Dataset::AboutMe));
}
