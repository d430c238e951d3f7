use super::*;

const EXAMPLE: &str = include_str!("../../../../deploy/adapter.example.toml");

fn fault(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn the_example_is_a_configuration() {
    let config = Config::parse(EXAMPLE).unwrap();
    assert_eq!((config.kind, config.source.id.as_str()), (Kind::Sql, "M85001"));
    assert_eq!(config.limits, Limits::usual());
    assert_eq!(config.feed, FeedSettings::default());
    assert_eq!(config.policy.table().policy().unwrap().role_name("S8005:G8005:R8005"), Some("social-worker"));
}

#[test]
fn the_examples_commented_keys_are_keys_with_their_defaults() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ").filter(|rest| is_default(rest)) {
            Some(key) => format!("{key}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    assert!(uncommented.lines().count() == EXAMPLE.lines().count() && uncommented != EXAMPLE);
    let config = Config::parse(&uncommented).unwrap();
    assert_eq!(config.limits, Limits::usual());
    assert_eq!(config.feed, FeedSettings::default());
    assert_eq!(config.audit, TrailSettings::default());
    assert_eq!(config.serve, Config::parse(EXAMPLE).unwrap().serve);
}

/// `every_ms = 10000`, with or without a comment behind it.
fn is_default(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, value)| {
        let words = ["connections", "calls"].contains(&key);
        key.ends_with("_max")
            || key.ends_with("_ms")
            || key.ends_with("_kib")
            || key.ends_with("_days")
            || (words && value.starts_with('{'))
            || key.ends_with("_ms_max")
    })
}

#[tokio::test]
async fn the_ten_lines_of_the_guide_are_a_configuration() {
    let guide = include_str!("../../../README.md");
    let lines = guide.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(lines.lines().count() <= 10);
    let shared = EXAMPLE.split("[sql]").next().unwrap().replace("kind = \"sql\"\n", "");
    let (kind, own) = lines.split_once('\n').unwrap();
    let config = Config::parse(&format!("{kind}\n{shared}{own}")).unwrap();
    crate::kind::open_source(&config, std::sync::Arc::new(severn_trust::SystemClock)).unwrap();
}

#[test]
fn what_is_misspelt_or_missing_is_named() {
    for (from, to, said) in [
        ("[feed]", "[fed]", "fed"),
        ("audience = ", "audence = ", "audence"),
        ("kind = \"sql\"", "kind = \"sqll\"", "sqll"),
        ("kind = \"sql\"", "kind = \"fhir\"", "sql: kind is \"fhir\""),
        ("id = \"M85001\" ", "id = \"M 85001\" ", "source.id"),
        ("datasets = [\"medications\"]", "datasets = [\"medication\"]", "policy.rules[2].datasets"),
        ("labels = [\"safeguarding\"]", "labels = [\"safe\"]", "policy.roles[1].labels"),
        ("# every_ms = 10000", "every_ms = 1", "feed.every_ms"),
        ("# segment_kib = 65536", "segment_kib = 0", "audit.segment_kib"),
        ("# entries_max = 5000", "entries_max = 0", "limits.entries_max"),
        ("address = \"127.0.0.1:7100\"", "address = \"127.0.0.1\"", "broker.address"),
        ("listen = \"127.0.0.1:7101\"", "listen = \"here\"", "listen"),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let fault = fault(&EXAMPLE.replacen(from, to, 1));
        assert!(fault.contains(said), "{said}: {fault}");
    }
    assert!(fault("kind = \"fhir\"").contains("missing field"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let fault = Config::load(Path::new("/nowhere/adapter.toml")).unwrap_err().to_string();
    assert!(fault.contains("/nowhere/adapter.toml") && fault.contains("--config"));
}
