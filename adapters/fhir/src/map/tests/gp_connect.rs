//! Records as practices send them: GP Connect, FHIR STU3. All of it is made up.

use super::*;

const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-";

/// An extension of a profile, with its version at the end of its address as STU3 writes it.
fn extra(name: &str, value: &Value) -> Value {
    let mut extension = json!({"url": format!("{PROFILE}{name}-1")});
    for (key, value) in value.as_object().expect("an object") {
        extension[key] = value.clone();
    }
    extension
}

fn words(text: &str) -> Value {
    json!({"coding": [{"system": "https://fhir.nhs.uk/made-up", "code": text.to_lowercase().replace(' ', "-"), "display": text}]})
}

fn plan() -> Value {
    json!({
        "resourceType": "MedicationRequest", "id": "r1", "status": "active", "intent": "plan",
        "extension": [extra("GPC-PrescriptionType", &json!({"valueCodeableConcept": words("Repeat dispensing")}))],
        "identifier": [{"system": "urn:made-up", "value": "R-1"}],
        "medicationReference": {"reference": "Medication/m1", "display": "Furosemide 40mg tablets"},
        "subject": {"reference": "Patient/p1"}, "authoredOn": "2020-11-02",
        "requester": {"agent": {"display": "Dr Made Up"}},
        "dosageInstruction": [{"text": "One To Be Taken Each Morning", "patientInstruction": "before noon"}],
        "dispenseRequest": {"validityPeriod": {"start": "2020-11-02"}, "quantity": {"value": 28, "unit": "tablet"}},
    })
}

fn statement() -> Value {
    json!({
        "resourceType": "MedicationStatement", "id": "s1", "status": "active", "taken": "unk",
        "extension": [
            extra("GPC-MedicationStatementLastIssueDate", &json!({"valueDateTime": "2020-12-01"})),
            extra("GPC-PrescribingAgency", &json!({"valueCodeableConcept": words("Prescribed at GP practice")}))],
        "identifier": [{"system": "urn:made-up", "value": "R-1-MS"}],
        "basedOn": [{"reference": "MedicationRequest/r1"}],
        "medicationReference": {"reference": "Medication/m1", "display": "Furosemide 40mg tablets"},
        "subject": {"reference": "Patient/p1"}, "effectivePeriod": {"start": "2020-11-02"}, "dateAsserted": "2020-11-02",
        "dosage": [{"text": "One To Be Taken Each Morning", "patientInstruction": "before noon"}],
    })
}

fn medicine(body: EntryBody) -> severn_proto::v1::MedicationDetail {
    let Some(Detail::Medication(detail)) = body.detail else { panic!("a medicine") };
    detail
}

fn told_apart(head: &EntryHead, name: &str) -> String {
    head.distinguishing.iter().filter(|field| field.name == name).map(|field| field.value.as_str()).collect()
}

#[test]
fn a_medicine_keeps_its_words_its_kind_and_who_prescribes_it() {
    let (_, head, body) = one(&plan());
    assert_eq!(
        told_apart(&head, "dose"),
        "One To Be Taken Each Morning",
        "words tell doses apart where no number does"
    );
    assert_eq!(head.provenance.expect("provenance").author, "Dr Made Up");
    let detail = medicine(body);
    assert_eq!((detail.course.as_str(), detail.dose_text.as_str()), ("Repeat dispensing", ""));
    assert_eq!(detail.dosage_instructions, "One To Be Taken Each Morning. before noon");

    let mut measured = plan();
    measured["dosageInstruction"][0]["doseQuantity"] = json!({"value": 40, "unit": "mg"});
    let head = one(&measured).1;
    let fields = (told_apart(&head, "dose"), told_apart(&head, "frequency"));
    assert_eq!(fields, ("40 mg".to_owned(), "One To Be Taken Each Morning".to_owned()), "words tell how often");

    let (_, head, body) = one(&statement());
    let detail = medicine(body);
    assert_eq!((detail.last_issued.as_str(), detail.prescribed_elsewhere.as_str()), ("2020-12-01", ""));
    assert_eq!(detail.intent, "stated");
    assert_eq!(head.status(), EntryStatus::Active);
    let mut elsewhere = statement();
    elsewhere["extension"][1]["valueCodeableConcept"] = words("Prescribed by another organisation");
    assert_eq!(medicine(one(&elsewhere).2).prescribed_elsewhere, "Prescribed by another organisation");
}

#[test]
fn a_medicine_that_is_stopped_or_not_taken_says_so() {
    let mut stopped = plan();
    stopped["status"] = json!("stopped");
    stopped["extension"] = json!([extra(
        "GPC-MedicationStatusReason",
        &json!({"extension": [
        {"url": "statusReason", "valueCodeableConcept": {"text": "Adverse reaction"}},
        {"url": "statusChangeDate", "valueDateTime": "2021-01-02"}]})
    )]);
    let head = one(&stopped).1;
    assert_eq!(
        (head.status(), head.status_verbatim.as_str()),
        (EntryStatus::Ended, "stopped: Adverse reaction, 2021-01-02")
    );
    let mut untaken = statement();
    untaken["taken"] = json!("n");
    let head = one(&untaken).1;
    assert_eq!((head.status(), head.status_verbatim.as_str()), (EntryStatus::Cancelled, "active, not taken"));
    untaken["status"] = json!("entered-in-error");
    assert_eq!(one(&untaken).1.status(), EntryStatus::EnteredInError);
}

/// A resource as an entry, beside another that it refers to.
fn beside(value: &Value, other: &Value) -> (EntryHead, EntryBody) {
    let mut pool = Pool::default();
    pool.add(&resource(&other.to_string()));
    let mapped = map_resource(&resource(&value.to_string()), &pool, &context());
    parts(&mapped.entries[0].1)
}

fn origins(head: &EntryHead) -> Vec<&str> {
    head.origins.iter().map(|origin| origin.value.as_str()).collect()
}

#[test]
fn a_plan_and_the_statement_that_repeats_it_share_an_origin() {
    assert_eq!(origins(&beside(&statement(), &plan()).0), ["R-1", "R-1-MS"]);
    let apart = |change: fn(&mut Value, &mut Value)| {
        let (mut statement, mut plan) = (statement(), plan());
        change(&mut statement, &mut plan);
        assert_eq!(origins(&beside(&statement, &plan).0), ["R-1-MS"], "they do not say the same");
    };
    apart(|statement, _| statement["status"] = json!("entered-in-error"));
    apart(|statement, _| statement["taken"] = json!("n"));
    apart(|statement, _| statement["dosage"][0]["text"] = json!("Two Each Morning"));
    apart(|statement, _| statement["medicationReference"]["reference"] = json!("Medication/m2"));
    apart(|_, plan| plan["intent"] = json!("order"));
    apart(|statement, plan| {
        statement["status"] = json!("entered-in-error");
        plan["status"] = json!("entered-in-error");
    });
}

fn issue() -> Value {
    let mut issue = plan();
    issue["id"] = json!("r2");
    issue["identifier"][0]["value"] = json!("R-2");
    issue["status"] = json!("completed");
    issue["intent"] = json!("order");
    issue["basedOn"] = json!([{"reference": "MedicationRequest/r1"}]);
    issue["dispenseRequest"]["validityPeriod"] = json!({"start": "2020-12-01", "end": "2020-12-29"});
    issue
}

#[test]
fn an_issue_that_is_used_up_does_not_end_its_regimen() {
    let head = beside(&issue(), &plan()).0;
    assert_eq!((origins(&head), head.status()), (vec!["R-1", "R-2"], EntryStatus::Active));
    assert_eq!(head.status_verbatim, "completed: issue of 2020-12-01 to 2020-12-29");
    assert_eq!((head.effective_start.as_str(), head.effective_end.as_str()), ("2020-11-02", ""));

    let mut over = plan();
    over["status"] = json!("stopped");
    over["dispenseRequest"]["validityPeriod"]["end"] = json!("2020-12-20");
    let head = beside(&issue(), &over).0;
    assert_eq!((head.status(), head.effective_end.as_str()), (EntryStatus::Ended, "2020-12-20"));

    let alone = one(&issue()).1;
    assert_eq!(
        (alone.status(), alone.effective_end.as_str()),
        (EntryStatus::Ended, "2020-12-29"),
        "its plan is not here"
    );
    let apart = |change: fn(&mut Value, &mut Value)| {
        let (mut issue, mut plan) = (issue(), plan());
        change(&mut issue, &mut plan);
        let head = beside(&issue, &plan).0;
        assert_eq!((origins(&head), head.effective_start.as_str()), (vec!["R-2"], "2020-12-01"));
        head.status()
    };
    assert_eq!(apart(|issue, _| issue["status"] = json!("stopped")), EntryStatus::Ended);
    assert_eq!(apart(|issue, _| issue["status"] = json!("entered-in-error")), EntryStatus::EnteredInError);
    assert_eq!(apart(|_, plan| plan["status"] = json!("entered-in-error")), EntryStatus::Ended);
    assert_eq!(apart(|_, plan| plan["status"] = json!("cancelled")), EntryStatus::Ended);
    assert_eq!(apart(|_, plan| plan["medicationReference"]["display"] = json!("Another")), EntryStatus::Ended);
}

fn vaccination() -> Value {
    json!({
        "resourceType": "Immunization", "id": "i1", "status": "completed", "notGiven": false, "primarySource": true,
        "extension": [
            extra("DateRecorded", &json!({"valueDateTime": "2020-11-03T11:12:41Z"})),
            extra("VaccinationProcedure", &json!({"valueCodeableConcept": {"coding": [
                {"system": "http://snomed.info/sct", "code": "170433008", "display": "Second MMR vaccination"}]}}))],
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/v3/NullFlavor", "code": "UNK", "display": "unknown"}]},
        "patient": {"reference": "Patient/p1"}, "date": "2020-11-02", "lotNumber": "B7",
        "practitioner": [{"role": {"coding": [{"code": "AP"}]}, "actor": {"display": "Nurse Made Up"}},
                         {"role": {"coding": [{"code": "EP"}]}, "actor": {"display": "Clerk Made Up"}}],
        "vaccinationProtocol": [{"doseSequence": 2}],
    })
}

#[test]
fn a_vaccination_is_named_by_what_was_done_where_the_product_is_unknown() {
    let (_, head, body) = one(&vaccination());
    assert_eq!((head.text.as_str(), head.codings.len()), ("Second MMR vaccination", 1));
    assert_eq!(head.codings[0].code, "170433008");
    assert_eq!((head.effective_start.as_str(), head.recorded.as_str()), ("2020-11-02", "2020-11-03T11:12:41Z"));
    assert_eq!(head.provenance.expect("provenance").author, "Nurse Made Up");
    let Some(Detail::Immunisation(detail)) = body.detail else { panic!("an immunisation") };
    assert_eq!((detail.product.as_str(), detail.batch.as_str(), detail.dose_number.as_str()), ("", "B7", "2"));

    let mut with_product = vaccination();
    with_product["vaccineCode"] =
        json!({"coding": [{"system": "https://dmd.nhs.uk", "code": "1", "display": "Priorix"}]});
    let head = one(&with_product).1;
    let codes: Vec<&str> = head.codings.iter().map(|coding| coding.code.as_str()).collect();
    assert_eq!(
        (head.text.as_str(), codes),
        ("Priorix", vec!["1", "170433008"]),
        "found by the product and by the procedure"
    );
}

#[test]
fn a_vaccine_that_was_not_given_never_reads_as_given() {
    let mut refused = vaccination();
    refused["notGiven"] = json!(true);
    refused["explanation"] = json!({"reasonNotGiven": [{"text": "Declined"}]});
    let mut refused_r4 = vaccination();
    refused_r4["status"] = json!("not-done");
    refused_r4["statusReason"] = json!({"text": "Declined"});
    for (value, verbatim) in [(refused.clone(), "not given"), (refused_r4, "not-done")] {
        let (_, head, body) = one(&value);
        assert_eq!((head.assertion(), head.status()), (Assertion::Refuted, EntryStatus::Cancelled));
        assert_eq!(
            (head.text.as_str(), head.status_verbatim.as_str()),
            ("Second MMR vaccination (not given)", verbatim)
        );
        let Some(Detail::Immunisation(detail)) = body.detail else { panic!("an immunisation") };
        assert_eq!(detail.reason_not_given, "Declined");
    }
    refused["status"] = json!("entered-in-error");
    assert_eq!(one(&refused).1.status(), EntryStatus::EnteredInError);
}

#[test]
fn an_allergy_that_ended_says_when_and_why() {
    let ended = json!({"resourceType": "AllergyIntolerance", "id": "a1", "clinicalStatus": "resolved",
        "verificationStatus": "unconfirmed", "code": {"text": "Penicillin"}, "assertedDate": "2019-02-03",
        "extension": [extra("AllergyIntoleranceEnd", &json!({"extension": [
            {"url": "endDate", "valueDateTime": "2020-01-02"}, {"url": "reasonEnded", "valueString": "Tolerated"}]}))]});
    let head = one(&ended).1;
    assert_eq!((head.status(), head.status_verbatim.as_str()), (EntryStatus::Ended, "resolved: Tolerated"));
    assert_eq!((head.effective_end.as_str(), head.recorded.as_str()), ("2020-01-02", "2019-02-03"));
    let problem = json!({"resourceType": "Condition", "id": "c1", "clinicalStatus": "active", "code": {"text": "Gout"},
        "assertedDate": "2018-07-06"});
    assert_eq!(one(&problem).1.recorded, "2018-07-06");
}

#[test]
fn what_is_to_be_done_is_planned_and_no_referral() {
    let recall = json!({"resourceType": "ProcedureRequest", "id": "q1", "status": "active", "intent": "plan",
        "code": {"text": "Influenza vaccination"}, "occurrenceDateTime": "2029-10-01", "authoredOn": "2020-10-01",
        "requester": {"agent": {"display": "Dr Made Up"}}, "note": [{"text": "Recall"}]});
    let (dataset, head, body) = one(&recall);
    assert_eq!((dataset, head.status()), (Dataset::Goals, EntryStatus::Planned));
    assert_eq!(
        (head.effective_start.as_str(), head.recorded.as_str(), body.narrative.as_str()),
        ("2029-10-01", "2020-10-01", "Recall")
    );
    let Some(Detail::Goal(detail)) = body.detail else { panic!("a requested action") };
    assert_eq!(detail.due, "2029-10-01");
    let mut test = recall;
    test["category"] = json!([{"coding": [{"system": "http://snomed.info/sct", "code": "108252007"}]}]);
    test["intent"] = json!("order");
    let (dataset, head, _) = one(&test);
    assert_eq!((dataset, head.status()), (Dataset::Investigations, EntryStatus::Active));

    let referral = json!({"resourceType": "ReferralRequest", "id": "f1", "status": "unknown", "intent": "order",
        "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "1", "display": "Refer to hand surgeon"}]}],
        "recipient": [{"display": "Mr Else Where"}], "priority": "urgent"});
    let (dataset, head, _) = one(&referral);
    assert_eq!((dataset, head.text.as_str(), head.codings.len()), (Dataset::Referrals, "Refer to hand surgeon", 1));
    assert_eq!((head.status(), head.status_verbatim.as_str()), (EntryStatus::Unspecified, "unknown"));
}

#[test]
fn a_report_is_of_the_day_its_specimen_was_taken() {
    let specimen = json!({"resourceType": "Specimen", "id": "s1", "collection": {"collectedDateTime": "2005-03-15"}});
    let report = |effective: Value| {
        let mut report = json!({"resourceType": "DiagnosticReport", "id": "d1", "status": "unknown",
            "code": {"text": "Report"}, "specimen": [{"reference": "Specimen/s1"}], "issued": "2005-03-16T06:01:00Z"});
        report["effectiveDateTime"] = effective;
        beside(&report, &specimen).0.effective_start
    };
    assert_eq!((report(json!(null)).as_str(), report(json!("2005-03-14")).as_str()), ("2005-03-15", "2005-03-14"));
}

#[test]
fn comments_and_dates_of_documents_have_other_names() {
    let finding = json!({"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "Pain in toe"},
        "comment": "since Sunday"});
    assert_eq!(one(&finding).2.narrative, "since Sunday");
    let letter = json!({"resourceType": "DocumentReference", "id": "d1", "status": "current", "type": {"text": "Letter"},
        "created": "2020-09-21", "indexed": "2020-09-22T10:00:00Z", "content": [{"attachment": {"url": "Binary/b1"}}]});
    let head = one(&letter).1;
    assert_eq!((head.effective_start.as_str(), head.recorded.as_str()), ("2020-09-21", "2020-09-22T10:00:00Z"));
}

fn list(code: &str, warnings: &[&str]) -> Value {
    let warned: Vec<Value> =
        warnings.iter().map(|warning| extra("GPC-ListWarningCode", &json!({"valueCode": warning}))).collect();
    json!({"resourceType": "List", "status": "current", "mode": "snapshot", "extension": warned,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code, "display": "A list"}]},
        "subject": {"reference": "Patient/p1"}, "emptyReason": {"coding": [{"code": "no-content-recorded"}]}})
}

#[test]
fn a_list_that_warns_is_never_the_whole_list() {
    use ReasonCode::{ByOwner, NotYetFiled, TransferIncomplete, Unreadable};
    let warned = |code: &str, warnings: &[&str]| {
        let mapped = mapped(&list(code, warnings));
        assert!(mapped.entries.is_empty() && mapped.unreadable.is_empty());
        mapped.partial
    };
    assert_eq!(warned("717711000000103", &["data-in-transit"]), [(Dataset::Problems, TransferIncomplete)]);
    let both = warned("886921000000105", &["confidential-items", "data-awaiting-filing"]);
    assert_eq!(both, [(Dataset::Allergies, ByOwner), (Dataset::Allergies, NotYetFiled)]);
    let within = warned("consultations-documents-contained-in-consultations", &["confidential-items"]);
    assert_eq!(within, [(Dataset::Documents, ByOwner)]);
    assert_eq!(warned("933361000000108", &["made-up"]), [(Dataset::Medications, Unreadable)], "what is not understood");
    assert_eq!(warned("933361000000108", &[]), []);
    let of_anything = warned("1", &["confidential-items"]);
    assert_eq!(of_anything.len(), lists::SPOKEN_OF.len(), "a list that is not known may be of anything");
    let mut in_words = list("", &["confidential-items"]);
    in_words["code"] = json!({"coding": [{"display": "A list"}]});
    assert_eq!(mapped(&in_words).partial.len(), lists::SPOKEN_OF.len(), "words without a code are no known list");
}

#[test]
fn an_allergy_that_only_its_list_contains_is_missing_and_counted() {
    let mut ended = list("1103671000000101", &[]);
    ended["contained"] = json!([{"resourceType": "AllergyIntolerance", "id": "1", "code": {"text": "Penicillin"}}]);
    assert_eq!(mapped(&ended).unreadable, [Dataset::Allergies]);
}

#[test]
fn who_wrote_of_a_contact_and_how_much_a_problem_matters() {
    let contact = json!({"resourceType": "Encounter", "id": "e1", "status": "finished", "type": [{"text": "GP Surgery"}],
        "participant": [{"type": [{"coding": [{"code": "PPRF"}]}], "individual": {"display": "Dr Made Up"}},
                        {"type": [{"coding": [{"code": "REC"}]}], "individual": {"display": "Clerk Made Up"}}]});
    let (_, head, body) = one(&contact);
    let provenance = head.provenance.expect("provenance");
    assert_eq!((provenance.author.as_str(), provenance.recorder.as_str()), ("Dr Made Up", "Clerk Made Up"));
    let Some(Detail::Encounter(detail)) = body.detail else { panic!("an encounter") };
    assert_eq!(detail.professional, "Dr Made Up");
    let problem = json!({"resourceType": "Condition", "id": "c1", "clinicalStatus": "active", "code": {"text": "Gout"},
        "category": [{"text": "Problem List Item"}],
        "extension": [extra("ProblemSignificance", &json!({"valueCode": "major"}))]});
    let Some(Detail::Problem(detail)) = one(&problem).2.detail else { panic!("a problem") };
    assert_eq!(detail.category, "Problem List Item, major");
}

#[test]
fn the_practice_is_whoever_keeps_the_patient() {
    let verified = json!({"valueCodeableConcept": {"coding": [{"code": "01"}]}});
    let patient = |profile: &str, registration: &str| {
        json!({"resourceType": "Patient", "id": "p1", "meta": {"profile": [format!("https://fhir.nhs.uk/{profile}-1")]},
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9434765919",
                "extension": [extra("GPC-NHSNumberVerificationStatus", &verified)]}],
            "extension": [extra("GPC-RegistrationDetails", &json!({"extension": [
                {"url": "registrationType", "valueCodeableConcept": {"coding": [{"code": registration}]}}]}))],
            "generalPractitioner": [{"reference": "Practitioner/d1", "display": "Dr Made Up"}],
            "managingOrganization": {"display": "Made-up Surgery", "identifier":
                {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "M85001"}}})
    };
    let registered = |patient: &Value| {
        let registration = registration(&resource(&patient.to_string()), &Pool::default(), "p1", &context());
        registration.demographics.expect("demographics")
    };
    let regular = registered(&patient("CareConnect-GPC-Patient", "R"));
    assert_eq!((regular.gp_practice_ods.as_str(), regular.nhs_number_verified), ("M85001", true));
    assert_eq!(registered(&patient("CareConnect-GPC-Patient", "T")).gp_practice_ods, "", "a temporary registration");
    assert_eq!(registered(&patient("UKCore-Patient", "R")).gp_practice_ods, "", "a hospital keeps its Patients, too");
}
