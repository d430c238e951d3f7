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
        ("datasets = [\"*\"]", "datasets = [\"alergies\"]", "access.table.rules[0].datasets"),
        ("stewards = [\"steward\"]", "stewards = [\"stuart\"]", "access.stewards"),
        ("purposes = [\"direct_care\", \"emergency\"]", "purposes = [\"research\"]", "access.table.rules[0].purposes"),
    ] {
        let changed = EXAMPLE.replacen(from, to, 1);
        assert_ne!(changed, EXAMPLE, "{from} is not in the example");
        let error = load(&changed).unwrap_err().to_string();
        assert!(error.contains(named), "{from} → {to}: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("nowhere/broker.toml")).unwrap_err().to_string();
    assert!(error.contains("nowhere/broker.toml"), "{error}");
}
