use super::*;
use crate::{
    cells::{Cell, Cells, Row},
    dates::{DateOrder, DateSettings, Dates},
};
use prost::Message as _;
use severn_proto::v1::{
    Assertion, Entry, EntryBody, EntryHead, Registration, SensitivityLabel, Sex, entry_body::Detail,
};
use std::collections::BTreeMap;

const ALLERGIES: &str = r#"
id = ["book", "seq"]
text = ["what", "more"]
codings = [{ system = { constant = "http://snomed.info/sct" }, code = "code", display = "what" }]
status = "state"
status_values = { "Active" = "active", "Error" = "entered_in_error", "" = "active" }
assertion = "code"
assertion_values = { "716186003" = "none_known", "*" = "present" }
effective_start = "began"
labels = ["secret", { constant = "mental_health" }]
label_values = { "M" = "mental_health", "S" = "sexual_health" }
distinguishing = { substance = "what" }
origins = [{ system = { constant = "urn:made-up" }, value = "guid" }]
organisation = "place"
author = "who"
narrative = "note"
detail = { criticality = "harm" }
"#;

fn dates() -> Dates {
    Dates::new(&DateSettings { order: DateOrder::Iso, time_zone: "Europe/London".into() }).expect("a known zone")
}

fn context() -> SourceContext {
    SourceContext {
        source_id: "gp1".into(),
        organisation: "Made-up Surgery".into(),
        ods: "M00001".into(),
        system: "Made-up System".into(),
    }
}

fn row(cells: &[(&str, &str)]) -> BTreeMap<String, String> {
    cells.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn plan(mapping: &str) -> Result<EntryPlan, String> {
    let mapping: EntryMapping = toml::from_str(mapping).map_err(|e| e.message().to_owned())?;
    mapping.compile(Dataset::Allergies, &dates()).map_err(|e| e.to_string())
}

fn map(cells: &[(&str, &str)]) -> Result<Entry, RowError> {
    let at = ReadAt { context: &context(), retrieved_at_ms: 7 };
    plan(ALLERGIES).unwrap_or_else(|e| panic!("{e}")).map_row(&row(cells), &at)
}

fn head(cells: &[(&str, &str)]) -> EntryHead {
    map(&[&[("book", "1"), ("seq", "2"), ("what", "Penicillin")], cells].concat())
        .expect("an entry")
        .head
        .expect("a head")
}

#[test]
fn a_full_row_becomes_an_entry() {
    let entry = map(&[
        ("book", "12  "),
        ("seq", "3"),
        ("what", " Penicillin "),
        ("code", "91936005"),
        ("state", "Active"),
        ("began", "2019-04-03 00:00:00"),
        ("secret", "S"),
        ("guid", "g-1"),
        ("who", "Dr Made Up"),
        ("note", "as told"),
        ("harm", "high"),
    ]);
    let entry = entry.expect("an entry");
    let head = entry.head.expect("a head");
    assert_eq!(head.entry_id, "12/3");
    assert_eq!((head.text.as_str(), head.codings[0].code.as_str()), ("Penicillin", "91936005"));
    assert_eq!((head.status(), head.status_verbatim.as_str()), (EntryStatus::Active, "Active"));
    assert_eq!((head.assertion(), head.not_validated), (Assertion::Present, false));
    assert_eq!(head.effective_start, "2019-04-03");
    assert_eq!(head.labels, [SensitivityLabel::MentalHealth as i32, SensitivityLabel::SexualHealth as i32]);
    assert_eq!(
        (head.distinguishing[0].name.as_str(), head.distinguishing[0].value.as_str()),
        ("substance", "Penicillin")
    );
    assert_eq!(head.origins[0].value, "g-1");
    let provenance = head.provenance.expect("provenance");
    assert_eq!((provenance.organisation.as_str(), provenance.organisation_ods.as_str()), ("Made-up Surgery", "M00001"));
    assert_eq!((provenance.author.as_str(), provenance.retrieved_at_ms), ("Dr Made Up", 7));
    let body = EntryBody::decode(entry.body).expect("a body");
    assert!(matches!(body.detail, Some(Detail::Allergy(detail)) if detail.criticality == "high"));
    assert_eq!(body.narrative, "as told");
}

#[test]
fn what_is_not_foreseen_fails_safe() {
    assert_eq!(map(&[("seq", "2"), ("what", "x")]), Err(RowError::NoId), "half an id is none");
    assert_eq!(map(&[("book", "1"), ("seq", &"2".repeat(300)), ("what", "x")]), Err(RowError::NoId));
    assert_eq!(map(&[("book", "1"), ("seq", "2"), ("code", "5")]), Err(RowError::NoText));
    let unknown = head(&[("state", "dormant")]);
    assert_eq!((unknown.status(), unknown.status_verbatim.as_str()), (EntryStatus::Unspecified, "dormant"));
    assert_eq!(head(&[]).status(), EntryStatus::Active, "NULL has a key of its own");
    assert_eq!(head(&[("code", "716186003")]).assertion(), Assertion::NoneKnown);
    let no_code = head(&[]);
    assert_eq!((no_code.assertion(), no_code.not_validated), (Assertion::Unspecified, true), "\"*\" is not for NULL");
    assert!(head(&[("secret", "X")]).labels.contains(&(SensitivityLabel::Unspecified as i32)), "unknown means deny");
    let bad_date = head(&[("code", "5"), ("began", "31/02/2019")]);
    assert!(bad_date.not_validated && bad_date.effective_start.is_empty());
    assert_eq!(bad_date.text, "Penicillin (start as recorded: 31/02/2019)");
    let elsewhere = head(&[("place", "Other Surgery")]).provenance.expect("provenance");
    assert_eq!((elsewhere.organisation.as_str(), elsewhere.organisation_ods.as_str()), ("Other Surgery", ""));
}

#[test]
fn the_columns_are_all_that_the_mapping_names() {
    let plan = plan(ALLERGIES).expect("a plan");
    let expected =
        ["began", "book", "code", "guid", "harm", "more", "note", "place", "secret", "seq", "state", "what", "who"];
    assert_eq!(plan.columns().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(plan.unknown_status(&row(&[("state", "dormant")])), Some("dormant"));
    assert_eq!(plan.unknown_status(&row(&[])), None);
}

#[test]
fn a_wrong_mapping_is_refused_with_its_key() {
    let cases = [
        ("id = [\"book\", \"seq\"]", "id = []", "entry.id: name at least one column"),
        ("id = [\"book\", \"seq\"]", "id = { constant = \"1\" }", "entry.id: name a column"),
        ("status = \"state\"", "status = { constant = \"unknown\" }", "entry.status: a constant must be active"),
        ("\"Error\" = \"entered_in_error\"", "\"Error\" = \"wrong\"", "entry.status_values.Error: \"wrong\" is not"),
        ("\"Error\" = \"entered_in_error\"", "\"*\" = \"active\"", "entry.status_values: \"*\" is not allowed"),
        ("assertion = \"code\"", "", "entry.assertion: missing; name the column"),
        ("\"*\" = \"present\"", "\"*\" = \"so\"", "entry.assertion_values.*: \"so\" is not present"),
        ("constant = \"mental_health\"", "constant = \"mental\"", "entry.labels: a constant must be"),
        ("\"M\" = \"mental_health\"", "\"*\" = \"normal\"", "entry.label_values: \"*\" is not allowed"),
        ("criticality = \"harm\"", "harm = \"harm\"", "entry.detail.harm: no such field; the fields are kind,"),
        ("author = \"who\"", "autor = \"who\"", "unknown field `autor`"),
        ("author = \"who\"", "author = { column = \"a\", constant = \"b\" }", "give either column or constant"),
    ];
    for (from, to, expected) in cases {
        assert!(ALLERGIES.contains(from), "{from}");
        let error = plan(&ALLERGIES.replacen(from, to, 1)).map(|_| ()).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

const PERSON: &str = r#"
assigning_authority = "https://example.org/person"
local_id = "id"
nhs_number = "nhs"
nhs_number_verified = "traced"
names = [{ family = "last", given = ["first", "middle"], prefix = "title" }, { kind = "old", family = "born" }]
birth_date = "dob"
sex = "sex"
sex_values = { "F" = "female", "M" = "male" }
addresses = [{ lines = ["street", "town"], postcode = "postcode" }]
phones = [{ value = "phone", kind = { constant = "home" } }]
emails = [{ value = "email" }]
death_date = "died"
gp_practice_ods = "practice"
"#;

fn register(cells: &[(&str, &str)]) -> Result<Registration, RowError> {
    let mapping: RegistrationMapping = toml::from_str(PERSON).expect("a mapping");
    mapping.compile(&dates()).expect("a plan").map_row(&row(cells), &context())
}

#[test]
fn a_row_becomes_a_registration() {
    let cells = [
        ("id", "77"),
        ("nhs", "943 476 5919"),
        ("traced", "Y"),
        ("last", "Made"),
        ("first", "Up"),
        ("born", "Invented"),
        ("dob", "1980-05-01 00:00:00"),
        ("sex", "F"),
        ("street", "1 High Street"),
        ("postcode", "B1 1AA"),
        ("phone", "0121 496 0000"),
        ("practice", "M00001"),
    ];
    let registration = register(&cells).expect("a registration");
    let local_id = registration.local_id.as_ref().expect("a local id");
    assert_eq!((registration.source_id.as_str(), local_id.value.as_str()), ("gp1", "77"));
    let person = registration.demographics.clone().expect("demographics");
    assert_eq!((person.nhs_number.as_str(), person.nhs_number_verified), ("9434765919", true));
    assert_eq!((person.names.len(), person.names[1].family.as_str()), (2, "Invented"));
    assert_eq!((person.birth_date.as_str(), person.sex()), ("1980-05-01", Sex::Female));
    assert_eq!((person.addresses[0].lines.len(), person.telecoms.len()), (1, 1));
    assert!(!person.deceased);
    let entry = demographics_entry(&registration, &ReadAt { context: &context(), retrieved_at_ms: 7 });
    let entry = entry.expect("an entry");
    assert_eq!(entry.head.expect("a head").text, "Up Made");
    assert!(matches!(EntryBody::decode(entry.body).expect("a body").detail, Some(Detail::Demographics(_))));
}

const RELATIONSHIPS: &str = r#"
relationships = [
    { kind = { constant = "registered" }, organisation_ods = "practice", since = "joined" },
    { kind = "class", team = "ward", since = "came", until = "left" },
]
relationship_values = { "IP" = "admitted", "MH" = "caseload" }
"#;

#[test]
fn relationships_are_listed_and_none_is_guessed() {
    let mapping: RegistrationMapping = toml::from_str(&format!("{PERSON}{RELATIONSHIPS}")).expect("a mapping");
    let plan = mapping.compile(&dates()).expect("a plan");
    assert!(["practice", "joined", "class", "ward", "came", "left"].iter().all(|c| plan.columns().contains(c)));
    let listed = |cells: &[(&str, &str)]| {
        let all = [&[("id", "77")], cells].concat();
        let registration = plan.map_row(&row(&all), &context()).expect("a registration");
        assert!(registration.relationships_listed);
        let said = registration.relationships.iter();
        said.map(|r| format!("{:?} {} {} {}..{}", r.kind(), r.organisation_ods, r.team, r.since, r.until))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[("practice", "M00001"), ("joined", "2019")]), ["Registered M00001  2019.."]);
    let stay = [("class", "IP"), ("ward", "Ward 7"), ("came", "2026-05-01 23:10:00"), ("left", "2026-05-04")];
    assert_eq!(listed(&stay), ["Admitted  Ward 7 2026-05-01..2026-05-04"]);
    for lacking in [
        &[("practice", "M00001")][..],
        &[("joined", "2019-01-01")],
        &[("practice", "M00001"), ("joined", "long ago")],
        &[("class", "OP"), ("came", "2026-05-01")],
        &[("class", "IP"), ("came", "")],
        &[("class", "IP"), ("came", "2026-05-01"), ("left", "soon")],
    ] {
        assert_eq!(listed(lacking), Vec::<String>::new(), "{lacking:?}");
    }
    let plain = register(&[("id", "77")]).expect("a registration");
    assert!(plain.relationships.is_empty() && !plain.relationships_listed);
    for (from, to, expected) in [
        ("\"registered\"", "\"friend\"", "person.relationships.kind: give registered"),
        ("\"IP\" = \"admitted\"", "\"IP\" = \"self_claimed\"", "person.relationship_values.IP: give registered"),
        (
            "relationship_values = { \"IP\" = \"admitted\", \"MH\" = \"caseload\" }",
            "",
            "person.relationship_values: missing",
        ),
    ] {
        let wrong = format!("{PERSON}{}", RELATIONSHIPS.replacen(from, to, 1));
        let mapping: RegistrationMapping = toml::from_str(&wrong).expect("TOML");
        let error = mapping.compile(&dates()).map(|_| ()).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn rubbish_in_a_registration_is_no_evidence() {
    let registration = register(&[("id", "77"), ("nhs", "9434765918"), ("traced", "Y"), ("sex", "Q"), ("died", "?")]);
    let person = registration.expect("a registration").demographics.expect("demographics");
    assert_eq!((person.nhs_number.as_str(), person.nhs_number_verified), ("", false));
    assert_eq!(person.sex(), Sex::Unspecified);
    assert!(person.deceased && person.death_date.is_empty(), "a date of death that cannot be read is still a death");
    assert_eq!(register(&[("last", "Made")]), Err(RowError::NoId));
}

#[test]
fn a_wrong_registration_mapping_is_refused() {
    let cases = [
        ("local_id = \"id\"", "local_id = { constant = \"1\" }", "person.local_id: name a column"),
        ("nhs_number_verified = \"traced\"", "", "person.nhs_number_verified: name both"),
        ("\"F\" = \"female\"", "\"F\" = \"f\"", "person.sex_values.F: give female"),
        ("kind = \"old\"", "kind = \"maiden\"", "person.names.kind: give usual"),
        ("https://example.org/person", " ", "person.assigning_authority: empty"),
    ];
    for (from, to, expected) in cases {
        let mapping: RegistrationMapping = toml::from_str(&PERSON.replacen(from, to, 1)).expect("TOML");
        let error = mapping.compile(&dates()).map(|_| ()).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn cells_name_columns_or_constants() {
    let cells: BTreeMap<String, Cells> =
        toml::from_str("a = \"x\"\nb = { constant = \"y\" }\nc = [\"x\", { column = \"z\" }]").expect("cells");
    assert_eq!(cells["a"].0, [Cell::Column("x".into())]);
    assert_eq!(cells["b"].0, [Cell::Constant("y".into())]);
    assert_eq!(cells["c"].0, [Cell::Column("x".into()), Cell::Column("z".into())]);
    let row = row(&[("x", " 1 "), ("z", "  ")]);
    assert_eq!(row.text("x"), Some(" 1 "));
    assert_eq!(cells["c"].read(&row), ["1"]);
    assert_eq!(cells["c"].join_all(&row, "/"), None);
}
