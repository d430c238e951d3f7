use super::*;
use crate::dates::{DateOrder, DateSettings};
use prost_types::SourceCodeInfo;
use severn_proto::v1::{AllergyDetail, Coding, Component, EntryBody, Reaction, entry_body::Detail};

fn dates() -> Dates {
    Dates::new(&DateSettings { order: DateOrder::Iso, time_zone: "Europe/London".into() }).expect("a known zone")
}

fn row(cells: &[(&str, &str)]) -> BTreeMap<String, String> {
    cells.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn written(dataset: Dataset, mapping: &str, cells: &[(&str, &str)]) -> (EntryBody, Vec<Oddity>) {
    let table: toml::Table = mapping.parse().expect("TOML");
    let plan = DetailPlan::compile(dataset, &table).unwrap_or_else(|e| panic!("{e}"));
    let mut body = Vec::new();
    let oddities = plan.write(&row(cells), &dates(), &mut body);
    let decoded = EntryBody::decode(body.as_slice()).expect("a body");
    assert_eq!(decoded.encode_to_vec(), body, "written as every encoder writes it");
    (decoded, oddities)
}

#[test]
fn every_dataset_has_its_own_detail() {
    let fields = CONTRACT.get("EntryBody").expect("the contract");
    for dataset in ALL_DATASETS {
        let (number, _) = detail_of(dataset).unwrap_or_else(|e| panic!("{e}"));
        let field = fields.iter().find(|field| field.number == number).expect("a field");
        // alerts → alert, primary_support_reason → support_reason, individual_requirements → requirement.
        let word = dataset_word(dataset);
        let stem = field.name.trim_end_matches('y');
        assert!(word.contains(stem), "{word} is not {}", field.name);
        assert!(!detail_fields(dataset).is_empty(), "{word}");
    }
}

#[test]
fn the_dates_are_those_that_the_contract_calls_iso_8601() {
    let files = FileDescriptorSet::decode(severn_proto::DESCRIPTORS).expect("descriptors").file;
    let file = files.iter().find(|file| file.name() == "severn/v1/detail.proto").expect("detail.proto");
    let comments = file.source_code_info.clone().unwrap_or_else(SourceCodeInfo::default).location;
    let mut dates = BTreeSet::new();
    for location in comments.iter().filter(|location| location.leading_comments().contains("ISO 8601")) {
        let [4, message, 2, field] = location.path[..] else { continue };
        dates.insert(file.message_type[message as usize].field[field as usize].name().to_owned());
    }
    assert_eq!(dates, DATE_FIELDS.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn writes_texts_numbers_flags_and_parts() {
    let mapping = r#"
        criticality = "severity"
        kind = { constant = "allergy" }
        reactions = [{ manifestation = "reaction", onset = "seen" }, { manifestation = "second" }]
    "#;
    let (body, oddities) =
        written(Dataset::Allergies, mapping, &[("severity", "high  "), ("reaction", "rash"), ("seen", "2019-04")]);
    let reaction = Reaction { manifestation: "rash".into(), onset: "2019-04".into(), ..Default::default() };
    let expected = AllergyDetail {
        kind: "allergy".into(),
        criticality: "high".into(),
        reactions: vec![reaction],
        ..Default::default()
    };
    assert_eq!(body.detail, Some(Detail::Allergy(expected)));
    assert!(oddities.is_empty());

    let mapping = r#"warning_signs = { column = "signs", split = ";" }
        contacts = ["first", { column = "second" }]"#;
    let (body, _) = written(Dataset::CrisisPlans, mapping, &[("signs", "pacing; not eating ;"), ("second", "Ann")]);
    let Some(Detail::CrisisPlan(plan)) = body.detail else { panic!("a crisis plan") };
    assert_eq!(plan.warning_signs, ["pacing", "not eating"]);
    assert_eq!(plan.contacts, ["Ann"]);

    let mapping = r#"emergency_contact = "ice"
        next_of_kin = "nok""#;
    let (body, oddities) = written(Dataset::Contacts, mapping, &[("ice", "Y"), ("nok", "maybe")]);
    let Some(Detail::Contact(contact)) = body.detail else { panic!("a contact") };
    assert!(contact.emergency_contact && !contact.next_of_kin);
    assert_eq!(oddities.len(), 1);
    assert_eq!((oddities[0].field.as_str(), oddities[0].value.as_str()), ("next_of_kin", "maybe"));
}

#[test]
fn quantities_keep_the_digits() {
    let mapping = r#"value = { column = "v", unit = "u", unit_code = { constant = "mmol/L" } }
        components = [{ code = { display = { constant = "systolic" } }, value = "sys" }]"#;
    let (body, _) = written(Dataset::Investigations, mapping, &[("v", "1.10"), ("u", "mmol/L"), ("sys", "<5")]);
    let Some(Detail::Investigation(result)) = body.detail else { panic!("a result") };
    let value = Quantity { text: "1.10".into(), value: Some(1.1), unit: "mmol/L".into(), unit_code: "mmol/L".into() };
    assert_eq!(result.value, Some(value));
    let component = Component {
        code: Some(Coding { display: "systolic".into(), ..Default::default() }),
        value: Some(Quantity { text: "<5".into(), ..Default::default() }),
        ..Default::default()
    };
    assert_eq!(result.components, [component]);
    let (body, _) = written(Dataset::Investigations, "value = \"v\"", &[("v", "inf")]);
    let Some(Detail::Investigation(result)) = body.detail else { panic!("a result") };
    assert_eq!(result.value.and_then(|q| q.value), None);
    let (body, _) = written(Dataset::Documents, "size = \"n\"", &[("n", "12")]);
    assert!(matches!(body.detail, Some(Detail::Document(d)) if d.size == 12));
}

#[test]
fn what_cannot_be_written_is_refused_with_the_fields_there_are() {
    let cases = [
        (Dataset::Medications, "dosis = \"x\"", "detail.dosis: no such field; the fields are dose_text, dose, route"),
        (Dataset::Documents, "sha256 = \"x\"", "detail.sha256: this field cannot be mapped"),
        (Dataset::Allergies, "reactions = \"x\"", "detail.reactions: give a list of tables"),
        (Dataset::Allergies, "reactions = [{ rash = \"x\" }]", "detail.reactions.rash: no such field"),
        (Dataset::Medications, "route = { col = \"x\" }", "detail.route: unknown field `col`"),
        (Dataset::Medications, "dose = { column = \"x\", unit = 1 }", "detail.dose.unit: "),
        (Dataset::CrisisPlans, "contacts = { column = \"x\", split = \"\" }", "detail.contacts.split: "),
        (Dataset::Demographics, "demographics = \"x\"", "detail: the detail of demographics comes from"),
    ];
    for (dataset, mapping, expected) in cases {
        let table: toml::Table = mapping.parse().expect("TOML");
        let error = DetailPlan::compile(dataset, &table).map(|_| ()).expect_err(mapping).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
