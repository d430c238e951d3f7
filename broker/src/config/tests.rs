use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/broker.example.toml");

fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file)
}

#[test]
fn the_example_is_a_configuration() {
    let config = load(EXAMPLE).unwrap();
    assert_eq!(config.fanout, AskLimits::default(), "the example shows the defaults");
    assert_eq!(config.audit, TrailSettings::default(), "the example shows the defaults");
    assert_eq!(config.access.records, severn_trust::RecordLimits::usual(), "the example shows the defaults");
    assert_eq!(config.oversight.patterns, PatternSettings::default(), "the example shows the defaults");
    assert_eq!(config.listen.limits, ListenLimits::default(), "the example shows the defaults");
    assert_eq!(config.listen.connection, ServerLimits::default(), "the example shows the defaults");
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, named) in [
        ("audience = ", "audiance = ", "audiance"),
        ("audience = \"severn\"", "audience = \"\"", "tokens.audience"),
        ("id = \"M85001\"", "id = \"\"", "sources[0].id"),
        ("id = \"RXT\"", "id = \"M85001\"", "sources[1].id: is used twice"),
        ("address = \"adapter.practice.example:7101\"", "address = \"adapter\"", "sources[0].address"),
        ("in_flight_max = 32", "in_flight_max = 0", "fanout.in_flight_max"),
        ("in_flight_max = 32", "in_flight_max = -1", "in_flight_max"),
        ("datasets = [\"*\"]", "datasets = [\"alergies\"]", "access.policy.rules[0].datasets"),
        ("segment_kib = 65536", "segment_kib = 0", "audit.segment_kib"),
        ("segment_days = 31", "segment_days = 0", "audit.segment_days"),
        ("retention_days = 2922", "retention_days = 0", "audit.retention_days"),
        ("retention_days = 2922", "retain_days = 1", "retain_days"),
        ("crowd_users_min = 10", "crowd_users_min = 1", "oversight.patterns.crowd_users_min: must be at least 2"),
        ("override_factor = 3.0", "override_factor = 0.5", "oversight.patterns.override_factor"),
        ("stewards = [\"steward\"]", "stewards = [\"stuart\"]", "access.stewards"),
        ("override_roles = [\"clinician\"]", "override_roles = [\"anybody\"]", "access.override_roles"),
        ("purposes = [\"direct_care\", \"emergency\"]", "purposes = [\"research\"]", "access.policy.rules[0].purposes"),
    ] {
        let changed = EXAMPLE.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE, "{from} is not in the example");
        let error = load(&changed).unwrap_err().to_string();
        assert!(error.contains(named), "{from} → {to}: {error}");
    }
}

/// The example with the section uncommented that most leave out.
fn with_postgres() -> String {
    let (before, rest) = EXAMPLE.split_once("# [index.postgres]").unwrap();
    let (section, after) = rest.split_once("\n\n").unwrap();
    format!("{before}[index.postgres]{}\n\n{after}", section.replace("\n# ", "\n"))
}

#[test]
fn the_example_shows_a_shared_index() {
    assert_eq!(load(EXAMPLE).unwrap().index.postgres, None);
    let settings = load(&with_postgres()).unwrap().index.postgres.unwrap();
    let least: PostgresSettings = toml::from_str("url = \"postgres://severn@db.example:5432/severn\"").unwrap();
    let files = (settings.password_file.clone(), settings.authorities.clone());
    assert_eq!(PostgresSettings { password_file: None, authorities: None, ..settings }, least, "it shows the defaults");
    assert!(files.0.unwrap().is_absolute() && files.1.unwrap().is_absolute(), "paths start from the file's folder");
}

#[test]
fn what_is_wrong_with_a_database_is_named() {
    let good = with_postgres();
    for (from, to, named) in [
        ("severn@db", "severn:secret@db", "index.postgres.url"),
        ("5432/severn\"", "5432/severn?sslmode=disable\"", "index.postgres.url"),
        ("5432/severn\"", "5432\"", "index.postgres.url: name the database"),
        ("postgres://", "mysql://", "index.postgres.url"),
        ("tls = \"verified\"", "tls = \"off\"", "index.postgres.tls"),
        ("tls = \"verified\"", "tls = \"prefer\"", "tls"),
        ("poll_ms = 500", "poll_ms = 0", "index.postgres.poll_ms"),
        ("poll_ms = 500", "poll_ms = 5000", "index.postgres.stale_ms_max"),
        ("answer_ms_max", "answer_max", "answer_max"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from} is not in the example");
        let error = load(&changed).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains("secret@"), "{from} → {to}: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("nowhere/broker.toml")).unwrap_err().to_string();
    assert!(error.contains("nowhere/broker.toml"), "{error}");
}

#[test]
fn a_table_of_medicines_lies_beside_the_file() {
    assert_eq!(load(EXAMPLE).unwrap().merge.medicines, None, "the example shows the default");
    let shown = EXAMPLE.replacen("# medicines = ", "medicines = ", 1);
    let file = load(&shown).unwrap().merge.medicines.unwrap();
    assert!(file.is_absolute() && file.ends_with("medicines.csv"));
}
