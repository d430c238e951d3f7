use super::*;
use bytes::Bytes;
use prost::Message as _;
use severn_proto::v1::{Coding, EntryBody, EntryHead, Field};

fn entry(dataset: Dataset, text: &str) -> Entry {
    let head = EntryHead { entry_id: "e".into(), dataset: dataset.into(), text: text.into(), ..EntryHead::default() };
    Entry { head: Some(head), body: Bytes::new() }
}

fn labels(mut entry: Entry) -> Vec<SensitivityLabel> {
    Sensitive::built_in().unwrap().label(&mut entry);
    let head = entry.head.unwrap();
    head.labels().collect()
}

#[test]
fn what_gives_a_condition_away_gets_its_label() {
    use SensitivityLabel::{MentalHealth, SexualHealth, SubstanceUse};
    for (dataset, text, expected) in [
        (Dataset::Medications, "Biktarvy 50mg/200mg/25mg tablets", vec![SexualHealth]),
        (Dataset::Medications, "DOLUTEGRAVIR 50 mg", vec![SexualHealth]),
        (Dataset::Appointments, "GUM clinic, follow-up", vec![SexualHealth]),
        (Dataset::Documents, "Letter: CD4 count and HIV viral load", vec![SexualHealth]),
        (Dataset::Encounters, "Drug and Alcohol Service", vec![SubstanceUse]),
        (Dataset::Medications, "Methadone 1mg/ml oral solution", vec![SubstanceUse]),
        (Dataset::Medications, "Clozapine 100mg tablets", vec![MentalHealth]),
        (Dataset::Problems, "Schizophrenia, paranoid; alcohol dependence syndrome", vec![MentalHealth, SubstanceUse]),
        (Dataset::Problems, "Gonorrhoea", vec![SexualHealth]),
        (Dataset::Medications, "Metformin 500mg tablets", vec![]),
        (Dataset::Medications, "Nicotine 4mg chewing gum", vec![]),
        (Dataset::Equipment, "Hearing aids", vec![]),
        (Dataset::Problems, "Archived: shivering, hives, CD40", vec![]),
        (Dataset::Problems, "Hörgerät", vec![]),
    ] {
        assert_eq!(labels(entry(dataset, text)), expected, "{text}");
    }
}

#[test]
fn it_is_found_wherever_an_entry_says_it() {
    let sexual = vec![SensitivityLabel::SexualHealth];
    let mut coded = entry(Dataset::Procedures, "Blood test");
    let coding = Coding { display: "HIV screening".into(), ..Coding::default() };
    coded.head.as_mut().unwrap().codings.push(coding);
    assert_eq!(labels(coded), sexual);
    let mut field = entry(Dataset::Appointments, "Follow-up");
    field.head.as_mut().unwrap().distinguishing.push(Field { name: "clinic".into(), value: "Sexual health".into() });
    assert_eq!(labels(field), sexual);
    let mut inside = entry(Dataset::Documents, "Letter");
    let body = EntryBody { narrative: "Seen for PrEP (emtricitabine).".into(), ..EntryBody::default() };
    inside.body = body.encode_to_vec().into();
    assert_eq!(labels(inside), sexual);
}

#[test]
fn labels_are_only_added_and_what_an_emergency_needs_stays_as_it_is() {
    assert!(labels(entry(Dataset::Allergies, "Abacavir hypersensitivity")).is_empty());
    assert!(labels(entry(Dataset::Alerts, "HIV: precautions")).is_empty());
    let mut labelled = entry(Dataset::Problems, "HIV");
    labelled.head.as_mut().unwrap().labels =
        vec![SensitivityLabel::Custody.into(), SensitivityLabel::SexualHealth.into()];
    assert_eq!(labels(labelled), [SensitivityLabel::Custody, SensitivityLabel::SexualHealth]);
    assert_eq!(Sensitive::built_in().unwrap().codes.len(), 0);
}

#[test]
fn a_table_of_the_owners_own_is_read_and_its_mistakes_are_named() {
    let own = r#"group = [{ label = "custody", words = ["HMP*"], codes = [{ system = "s", code = "1" }] }]"#;
    let table = Sensitive::read(own).unwrap();
    let mut seen = entry(Dataset::Encounters, "HMP Birmingham");
    table.label(&mut seen);
    assert_eq!(seen.head.unwrap().labels().collect::<Vec<_>>(), [SensitivityLabel::Custody]);
    let mut coded = entry(Dataset::Encounters, "Transfer");
    coded.head.as_mut().unwrap().codings.push(Coding { system: "s".into(), code: "1".into(), ..Coding::default() });
    table.label(&mut coded);
    assert_eq!(coded.head.unwrap().labels().collect::<Vec<_>>(), [SensitivityLabel::Custody]);
    assert!(Sensitive::read("").unwrap().labels.is_empty(), "an empty table spreads nothing");
    for (wrong, says) in [
        (r#"group = [{ label = "secret" }]"#, "group 1: \"secret\" is no sensitivity label"),
        (r#"group = [{ label = "normal" }]"#, "is no sensitivity label"),
        (r#"group = [{ label = "custody", words = ["a"] }]"#, "shorter than 3 letters"),
        (r#"groups = []"#, "unknown field"),
    ] {
        let error = Sensitive::read(wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
