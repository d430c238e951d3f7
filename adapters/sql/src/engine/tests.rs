use super::*;
use crate::settings::SqlSettings;

fn settings(url: &str) -> SqlSettings {
    let text = format!(
        "url = \"{url}\"\nlocal_id_type = \"text\"\ndates = {{ order = \"iso\", time_zone = \"Europe/London\" }}\n\
         statement_timeout_ms = 500\n\
         [registrations]\nall = \"\"\none = \"\"\n[registrations.person]\nassigning_authority = \"a\"\nlocal_id = \"b\"\n"
    );
    toml::from_str(&text).expect("settings")
}

#[tokio::test]
async fn sqlite_cannot_be_written_even_if_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made-up.sqlite");
    let writer = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let writer = sqlx::SqlitePool::connect_with(writer).await.expect("a database");
    sqlx::query("CREATE TABLE t (a TEXT)").execute(&writer).await.expect("a table");
    for mode in ["", "?mode=rwc", "?mode=rw"] {
        let engine = Engine::open(&settings(&format!("sqlite://{}{mode}", path.display()))).expect("opened");
        assert_eq!(engine.own("SELECT 'x' FROM t").await, Ok(Vec::new()));
        let refused = engine.own("INSERT INTO t VALUES ('x') RETURNING a").await;
        assert!(refused.is_err_and(|e| e.to_string().contains("readonly")), "{mode}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_unreachable_and_not_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("absent.sqlite");
    let engine = Engine::open(&settings(&format!("sqlite://{}?mode=rwc", path.display()))).expect("opened");
    assert!(matches!(engine.own("SELECT '1'").await, Err(SourceError::Unreachable(_))));
    assert!(!path.exists());
    // Port 9 (discard) of this machine answers nobody.
    for url in ["postgres://r@127.0.0.1:9/d", "mysql://r@127.0.0.1:9/d"] {
        let engine = Engine::open(&settings(url)).expect("opened without connecting");
        assert!(matches!(engine.own("SELECT '1'").await, Err(SourceError::Unreachable(_))), "{url}");
    }
}

#[tokio::test]
async fn passwords_and_unknown_schemes_are_refused() {
    for url in ["postgres://r:secret@h/d", "mysql://r:secret@h/d", "postgres://h/d?password=secret", "oracle://h", "x"]
    {
        let error = Engine::open(&settings(url)).map(|_| ()).expect_err(url).to_string();
        assert!(error.contains("sql.url") && !error.contains("secret"), "{error}");
    }
    let mut with_file = settings("postgres://r@h/d");
    with_file.password_file = Some("/nonexistent/made-up".into());
    let error = Engine::open(&with_file).map(|_| ()).expect_err("no file").to_string();
    assert!(error.contains("sql.password_file"), "{error}");
}
