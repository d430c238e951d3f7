//! The same made-up data in SQLite, PostgreSQL and MariaDB must give the same entries, and the same attacks must fail.

#![allow(clippy::expect_used, clippy::panic, reason = "a test ends where something it relies on is not so")]

#[path = "../../../tests/servers/databases.rs"]
#[expect(dead_code, reason = "other tests start them in other ways")]
mod servers;

use futures::StreamExt;
use prost::Message as _;
use serde::Deserialize;
use servers::{ROOT_PASSWORD, Server};
use severn_adapter_sdk::{
    conformance::{Expectations, conformance},
    mapping::SourceContext,
    source::{Finding, Reading, Source, SourceError},
};
use severn_adapter_sql::{SqlSettings, SqlSource};
use severn_proto::v1::{
    Assertion, Dataset, Entry, EntryBody, EntryHead, EntryStatus, ReasonCode, Registration, entry_body::Detail,
};
use severn_trust::Clock;
use sqlx::{AssertSqlSafe, MySqlPool, PgPool, SqlitePool};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::Instant;

const SCHEMA: &str = include_str!("made_up.sql");
const CONFIG: &str = include_str!("made_up.toml");
const BUDGET: Duration = Duration::from_secs(20);

struct FixedClock;

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000
    }
}

/// One database with the made-up data, a login that may read and one that may do anything.
struct Bench {
    kind: Kind,
    reader_url: String,
    root_url: String,
    reader_password: Option<PathBuf>,
    root_password: Option<PathBuf>,
    admin: Admin,
    _server: Option<Server>,
    _folder: Option<TempDir>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
    Mariadb,
}

enum Admin {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    Mariadb(MySqlPool),
}

impl Admin {
    async fn run(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        let result = match self {
            Admin::Sqlite(pool) => sql.execute(pool).await.map(|_| ()),
            Admin::Postgres(pool) => sql.execute(pool).await.map(|_| ()),
            Admin::Mariadb(pool) => sql.execute(pool).await.map(|_| ()),
        };
        result.unwrap_or_else(|e| panic!("{e}"));
    }

    async fn count(&self, sql: &'static str) -> i64 {
        match self {
            Admin::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
            Admin::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
            Admin::Mariadb(pool) => sqlx::query_scalar(sql).fetch_one(pool).await,
        }
        .expect("a count")
    }
}

impl Bench {
    async fn sqlite() -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("made-up.sqlite");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let admin = Admin::Sqlite(SqlitePool::connect_with(options).await.expect("a database"));
        let schema = [
            ("{bytes}", "BLOB"),
            ("{moment}", "TEXT"),
            ("{local}", "TEXT"),
            ("{decimal}", "TEXT"),
            ("{pdf}", "X'255044462d31'"),
        ];
        admin.run(&fill(SCHEMA, &[&schema[..], &[("{utc}", "+00"), ("{secret}", "X'00ff'")]].concat())).await;
        let url = format!("sqlite://{}?mode=ro", path.display());
        Bench {
            kind: Kind::Sqlite,
            reader_url: url.clone(),
            root_url: url,
            reader_password: None,
            root_password: None,
            admin,
            _server: None,
            _folder: Some(folder),
        }
    }

    async fn postgres() -> Bench {
        let server = Server::postgres();
        let root = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port);
        let options: sqlx::postgres::PgConnectOptions = root.parse().expect("options");
        let admin = Admin::Postgres(PgPool::connect_with(options.password(ROOT_PASSWORD)).await.expect("a login"));
        let schema = [
            ("{bytes}", "BYTEA"),
            ("{moment}", "TIMESTAMPTZ"),
            ("{local}", "TIMESTAMP"),
            ("{decimal}", "NUMERIC(6,2)"),
        ];
        let values =
            [("{pdf}", "decode('255044462d31', 'hex')"), ("{utc}", "+00"), ("{secret}", "decode('00ff', 'hex')")];
        admin.run(&fill(SCHEMA, &[&schema[..], &values].concat())).await;
        admin
            .run(
                "CREATE FUNCTION bump() RETURNS INTEGER LANGUAGE sql VOLATILE AS \
             $$ INSERT INTO touched VALUES (1) RETURNING 1 $$",
            )
            .await;
        admin.run("CREATE ROLE reader LOGIN PASSWORD 'made-up-reader'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
            .await;
        let reader = format!("postgres://reader@127.0.0.1:{}/postgres", server.port);
        Bench::with_server(Kind::Postgres, (reader, root), admin, server)
    }

    async fn mariadb() -> Bench {
        let server = Server::mariadb();
        let root = format!("mysql://root@127.0.0.1:{}/mysql", server.port);
        let options: sqlx::mysql::MySqlConnectOptions = root.parse().expect("options");
        let pool = MySqlPool::connect_with(options.password(ROOT_PASSWORD)).await.expect("a login");
        let admin = Admin::Mariadb(pool);
        admin.run("CREATE DATABASE made_up CHARACTER SET utf8mb4").await;
        let root = root.replace("/mysql", "/made_up");
        let options: sqlx::mysql::MySqlConnectOptions = root.parse().expect("options");
        let pool = MySqlPool::connect_with(options.password(ROOT_PASSWORD)).await.expect("a login");
        let admin = Admin::Mariadb(pool);
        let schema = [
            ("{bytes}", "LONGBLOB"),
            ("{moment}", "TIMESTAMP NULL"),
            ("{local}", "DATETIME"),
            ("{decimal}", "DECIMAL(6,2)"),
        ];
        let values = [("{pdf}", "X'255044462d31'"), ("{utc}", ""), ("{secret}", "X'00ff'")];
        admin.run(&fill(SCHEMA, &[&schema[..], &values].concat())).await;
        admin.run("CREATE FUNCTION bump() RETURNS INTEGER MODIFIES SQL DATA BEGIN INSERT INTO touched VALUES (1); RETURN 1; END")
            .await;
        admin.run("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'made-up-reader'").await;
        admin.run("GRANT SELECT ON made_up.* TO reader@'127.0.0.1'").await;
        let reader = format!("mysql://reader@127.0.0.1:{}/made_up", server.port);
        Bench::with_server(Kind::Mariadb, (reader, root), admin, server)
    }

    fn with_server(kind: Kind, urls: (String, String), admin: Admin, server: Server) -> Bench {
        let password = |name: &str, text: &str| {
            let path = server.folder.path().join(name);
            fs::write(&path, format!("{text}\n")).expect("a password file");
            Some(path)
        };
        Bench {
            kind,
            reader_url: urls.0,
            root_url: urls.1,
            reader_password: password("reader-password", "made-up-reader"),
            root_password: password("admin-password", ROOT_PASSWORD),
            admin,
            _server: Some(server),
            _folder: None,
        }
    }

    fn settings(&self) -> SqlSettings {
        let mut settings = parse(CONFIG);
        settings.url.clone_from(&self.reader_url);
        settings.password_file.clone_from(&self.reader_password);
        settings
    }

    fn source(&self, change: impl FnOnce(&mut SqlSettings)) -> SqlSource {
        let mut settings = self.settings();
        change(&mut settings);
        open(&settings).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The database's own way to do nothing for a minute.
    fn sleep(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "SELECT pg_sleep(60)",
            Kind::Mariadb => "SELECT SLEEP(60)",
            Kind::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        }
    }
}

#[derive(Deserialize)]
struct Config {
    sql: SqlSettings,
}

fn parse(text: &str) -> SqlSettings {
    toml::from_str::<Config>(text).unwrap_or_else(|e| panic!("{e}")).sql
}

fn open(settings: &SqlSettings) -> Result<SqlSource, SourceError> {
    let context = SourceContext {
        source_id: "gp1".into(),
        organisation: "Made-up Surgery".into(),
        ods: "M00001".into(),
        system: "Made-up System".into(),
    };
    SqlSource::open(settings, context, Arc::new(FixedClock))
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

async fn read(source: &SqlSource, local_id: &str, dataset: Dataset) -> Reading {
    let mut readings = source.read(local_id, &[dataset], BUDGET).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(readings.len(), 1);
    readings.remove(0)
}

async fn everything(source: &SqlSource, local_id: &str) -> Vec<Entry> {
    let datasets = source.datasets();
    let readings = source.read(local_id, &datasets, BUDGET).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(readings.iter().map(|r| r.dataset).collect::<Vec<_>>(), datasets);
    assert!(readings.iter().all(|r| !r.failed && !r.not_held), "{readings:?}");
    readings.into_iter().flat_map(|reading| reading.entries).collect()
}

fn heads(entries: &[Entry]) -> Vec<EntryHead> {
    entries.iter().filter_map(|entry| entry.head.clone()).collect()
}

async fn registrations(source: &SqlSource) -> Vec<Result<Registration, SourceError>> {
    let mut all: Vec<_> = source.registrations().await.unwrap_or_else(|e| panic!("{e}")).collect().await;
    all.sort_by_key(|r| r.as_ref().map(|r| r.local_id.clone().unwrap_or_default().value).unwrap_or_default());
    all
}

async fn reads_what_is_there(bench: &Bench) {
    let source = bench.source(|_| ());
    let allergies = read(&source, "P1", Dataset::Allergies).await;
    // The row without an id and the one without a text are counted, not dropped in silence.
    assert_eq!((allergies.entries.len(), allergies.unreadable), (3, 2));
    let heads = heads(&allergies.entries);
    assert_eq!(heads.iter().map(|head| head.entry_id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let first = &heads[0];
    assert_eq!(first.text, "Penicillin — anaphylaxis", "padded by the column's type");
    assert_eq!((first.status(), first.status_verbatim.as_str()), (EntryStatus::Active, "active"));
    assert_eq!((first.effective_start.as_str(), first.recorded.as_str()), ("2019-04-03", "2019-04-03T10:15:00+01:00"));
    assert_eq!(first.last_changed, "2024-07-01T09:00:00+00:00");
    assert!(!first.not_validated);
    assert_eq!(heads[1].assertion(), Assertion::NoneKnown);
    assert_eq!((heads[2].status(), heads[2].status_verbatim.as_str()), (EntryStatus::Unspecified, "dormant"));
    assert!(heads[2].not_validated && heads[2].effective_end.is_empty());
    assert_eq!(heads[2].text, "Nuts (end as recorded: 31/31/2020)");
    let medications = read(&source, "P1", Dataset::Medications).await;
    let body = EntryBody::decode(medications.entries[0].body.clone()).expect("a body");
    let Some(Detail::Medication(medicine)) = body.detail else { panic!("a medicine") };
    let dose = medicine.dose.expect("a dose");
    assert_eq!((dose.text.as_str(), dose.value, dose.unit.as_str()), ("1.10", Some(1.1), "mg"));
    assert_eq!(read(&source, "P1", Dataset::Demographics).await.entries.len(), 1);
    assert_eq!(read(&source, "P2", Dataset::Allergies).await.entries.len(), 0);
    assert!(read(&source, "P1", Dataset::Risks).await.not_held);
}

async fn knows_who_is_there(bench: &Bench) {
    let source = bench.source(|_| ());
    let all = registrations(&source).await;
    let (good, bad): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (3, 1), "a row without a local id costs only itself");
    let person = source.registration("P1").await.expect("read").expect("known");
    assert_eq!(good[0].as_ref().expect("good"), &person, "one by one as all together");
    let demographics = person.demographics.expect("demographics");
    assert_eq!((demographics.nhs_number.as_str(), demographics.nhs_number_verified), ("9990000018", true));
    assert_eq!(demographics.names[0].family, "O'Made-Up");
    assert_eq!(demographics.birth_date, "1980-05-01");
    for unknown in ["P9", "", " P1 x", "p1", "' OR 1=1 --", "P1' OR '1'='1", "\u{0}", "P1; DROP TABLE persons"] {
        assert_eq!(source.registration(unknown).await, Ok(None), "{unknown:?}");
        let reading = source.read(unknown, &[Dataset::Medications], BUDGET).await;
        // A database that compares without regard to case finds rows of another person: that fails, and shows nothing.
        assert!(reading.is_ok_and(|readings| readings[0].entries.is_empty()), "{unknown:?}");
    }
    assert_eq!(bench.admin.count("SELECT COUNT(*) FROM persons").await, 4);
}

async fn integer_ids_are_bound_as_numbers(bench: &Bench) {
    let source = bench.source(|settings| {
        settings.local_id_type = severn_adapter_sql::IdType::Integer;
        let one = "SELECT * FROM persons WHERE person_no = :local_id";
        settings.registrations.one = one.into();
        settings.registrations.all = "SELECT * FROM persons".into();
        settings.registrations.person.local_id = severn_adapter_sdk::cells::Cell::Column("person_no".into());
        settings.datasets.clear();
    });
    assert!(source.registration("101").await.expect("read").is_some());
    for unknown in ["101abc", "0101", "101.0", "+101", "1 OR 1=1", "-1", "P1", "99999999999999999999"] {
        assert_eq!(source.registration(unknown).await, Ok(None), "{unknown}");
    }
}

async fn ends_in_time(bench: &Bench) {
    let sleeping = |timeout_ms: u64| {
        bench.source(|settings| {
            settings.statement_timeout_ms = timeout_ms;
            let sleep = bench.sleep();
            settings.datasets[0].query = format!(
                "SELECT a.*, ({sleep}) AS slept FROM allergy a WHERE a.patientRef = :local_id AND ({sleep}) IS NOT NULL"
            );
        })
    };
    for (timeout_ms, budget_ms) in [(400, 8_000), (20_000, 400)] {
        let source = sleeping(timeout_ms);
        let began = Instant::now();
        let result = source.read("P1", &[Dataset::Allergies], Duration::from_millis(budget_ms)).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{timeout_ms} {:?}", began.elapsed());
        match result {
            Err(SourceError::Timeout) => {}
            // MariaDB ends a SLEEP early instead of the statement; then there is an answer, in time.
            Ok(_) if bench.kind == Kind::Mariadb && timeout_ms == 400 => {}
            other => panic!("{other:?}"),
        }
    }
    let source = sleeping(400);
    let both = source.read("P1", &[Dataset::Allergies, Dataset::Medications], Duration::from_secs(5)).await;
    let both = both.expect("the other dataset is not lost");
    assert_eq!((both[1].failed, both[1].entries.len()), (false, 1));
}

async fn cannot_write(bench: &Bench) {
    if bench.kind == Kind::Sqlite {
        return; // No query that passes the check can write there; the engine's own test tries with one that does not.
    }
    let source = bench.source(|settings| {
        settings.url.clone_from(&bench.root_url);
        settings.password_file.clone_from(&bench.root_password);
        settings.datasets[0].query = "SELECT a.*, bump() AS bumped FROM allergy a WHERE a.patientRef = :local_id \
                                      AND bump() = 1"
            .into();
    });
    assert!(read(&source, "P1", Dataset::Allergies).await.failed, "even a superuser's function is refused");
    assert_eq!(bench.admin.count("SELECT COUNT(*) FROM touched").await, 0);
    let findings = source.check().await;
    assert!(findings.iter().any(|f| !f.good && f.text.starts_with("the login could write")), "{findings:?}");
}

async fn a_column_may_vanish_and_return(bench: &Bench) {
    let source = bench.source(|_| ());
    assert_eq!(read(&source, "P1", Dataset::Medications).await.entries.len(), 1);
    bench.admin.run("ALTER TABLE medication DROP COLUMN route").await;
    for _ in 0..2 {
        let readings = source.read("P1", &[Dataset::Medications, Dataset::Allergies], BUDGET).await.expect("the rest");
        assert_eq!((readings[0].failed, readings[1].failed), (true, false));
    }
    let findings = source.check().await;
    let named = |f: &Finding| {
        !f.good && f.text.contains("column route is not in the result") && f.text.contains("the columns are")
    };
    assert!(findings.iter().any(named), "{findings:?}");
    bench.admin.run("ALTER TABLE medication ADD COLUMN route VARCHAR(20)").await;
    assert_eq!(read(&source, "P1", Dataset::Medications).await.entries.len(), 1);
}

async fn limits_and_other_persons(bench: &Bench) {
    let limited = bench.source(|settings| settings.rows_max = 2);
    let reading = read(&limited, "P1", Dataset::Allergies).await;
    assert_eq!(reading.entries.len() + reading.unreadable as usize, 2);
    assert_eq!(reading.partial[0].code(), ReasonCode::OverLimit);
    let exact = bench.source(|settings| settings.rows_max = 5);
    assert!(read(&exact, "P1", Dataset::Allergies).await.partial.is_empty());
    let leaky = bench.source(|s| s.datasets[0].query = "SELECT * FROM allergy WHERE :local_id = :local_id".into());
    let reading = read(&leaky, "P1", Dataset::Allergies).await;
    assert!(reading.failed && reading.other_person == 1);
    assert!(reading.entries.is_empty(), "a query that gives other persons' rows shows nothing");
    assert!(read(&leaky, "P2", Dataset::Allergies).await.failed);
}

async fn documents(bench: &Bench) {
    let source = bench.source(|_| ());
    let document = source.document("P1", "1").await.expect("read").expect("a document");
    assert_eq!((document.media_type.as_str(), document.title.as_str()), ("application/pdf", "Letter"));
    assert_eq!(&document.bytes[..], b"%PDF-1");
    for (local_id, entry_id) in [("P2", "1"), ("P1", "9"), ("P1", "1 OR 1=1"), ("' OR 1=1 --", "1")] {
        assert!(source.document(local_id, entry_id).await.expect("read").is_none(), "{local_id} {entry_id}");
    }
    let small = bench.source(|settings| settings.document_bytes_max = 5);
    assert!(
        matches!(small.document("P1", "1").await, Err(SourceError::Mapping(text)) if text.contains("document_bytes_max"))
    );
    let bytes = bench.source(|settings| {
        settings.datasets[2].entry.narrative = Some(severn_adapter_sdk::cells::Cell::Column("content".into()));
    });
    assert!(read(&bytes, "P1", Dataset::Documents).await.failed, "bytes are no text");
}

async fn check_says_what_is_wrong(bench: &Bench) {
    let findings = bench.source(|_| ()).check().await;
    let bad: Vec<&str> = findings.iter().filter(|f| !f.good).map(|f| f.text.as_str()).collect();
    // The made-up data have a row without a local id, and allergies with an unknown status, a bad date and no text.
    assert_eq!(bad.len(), 2, "{findings:#?}");
    assert!(bad[0].contains("1 have no local id, 1 an NHS number that is wrong"), "{}", bad[0]);
    assert!(bad[1].contains("2 are unreadable, 1 not valid; status_values lacks \"dormant\" (1)"), "{}", bad[1]);
    assert!(
        !findings.iter().any(|f| f.text.contains("Made-Up") || f.text.contains("999000")),
        "no person in a finding"
    );
    let wrong = bench
        .source(|settings| settings.datasets[1].query = "SELECT nothing FROM medication WHERE a = :local_id".into());
    let findings = wrong.check().await;
    assert!(
        findings.iter().any(|f| !f.good && f.text.contains("sql.datasets.medications.query: the database refused"))
    );
}

/// What every kind of source promises, on this engine.
async fn keeps_the_promises_of_a_source(bench: &Bench) {
    // The rows that are wrong on purpose have been looked at by the other checks.
    bench.admin.run("DELETE FROM persons WHERE person_ref IS NULL").await;
    bench.admin.run("DELETE FROM allergy WHERE id IS NULL OR concept_display IS NULL").await;
    let expected = Expectations {
        known: "P1".into(),
        unknown: "P9".into(),
        other: "P2".into(),
        with_entries: vec![Dataset::Medications, Dataset::Demographics],
        registrations: 3,
    };
    let findings = conformance(&bench.source(|_| ()), &expected).await;
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.good).collect();
    assert!(findings.len() > 8 && broken.is_empty(), "{broken:?}");
}

async fn acceptance(bench: &Bench) {
    reads_what_is_there(bench).await;
    knows_who_is_there(bench).await;
    integer_ids_are_bound_as_numbers(bench).await;
    documents(bench).await;
    limits_and_other_persons(bench).await;
    check_says_what_is_wrong(bench).await;
    a_column_may_vanish_and_return(bench).await;
    cannot_write(bench).await;
    keeps_the_promises_of_a_source(bench).await;
    ends_in_time(bench).await;
}

async fn same_as_sqlite(bench: &Bench) {
    let (own, reference) = (bench.source(|_| ()), Bench::sqlite().await);
    let sqlite = reference.source(|_| ());
    for person in ["P1", "P2", "P3"] {
        let (own, sqlite) = (everything(&own, person).await, everything(&sqlite, person).await);
        assert_eq!(heads(&own), heads(&sqlite), "{person}");
        assert_eq!(own, sqlite, "{person}");
    }
    assert_eq!(registrations(&own).await, registrations(&sqlite).await);
}

#[tokio::test]
async fn sqlite() {
    acceptance(&Bench::sqlite().await).await;
}

#[tokio::test]
async fn postgres() {
    let bench = Bench::postgres().await;
    same_as_sqlite(&bench).await;
    acceptance(&bench).await;
}

#[tokio::test]
async fn mariadb() {
    let bench = Bench::mariadb().await;
    same_as_sqlite(&bench).await;
    acceptance(&bench).await;
}

#[tokio::test]
async fn registrations_are_streamed_not_gathered() {
    let bench = Bench::sqlite().await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS ref FROM n";
    let source = bench.source(|settings| {
        settings.registrations.all = endless.into();
        settings.registrations.person =
            toml::from_str("assigning_authority = \"a\"\nlocal_id = \"ref\"").expect("a mapping");
    });
    let first: Vec<_> = source.registrations().await.expect("rows").take(5_000).collect().await;
    assert!(first.iter().all(Result::is_ok));
    let breaking = bench.source(|settings| {
        settings.registrations_timeout_ms = 300;
        settings.registrations.all = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                                      SELECT i AS ref FROM n WHERE i < 10 OR i < 0"
            .into();
        settings.registrations.person =
            toml::from_str("assigning_authority = \"a\"\nlocal_id = \"ref\"").expect("a mapping");
    });
    let all: Vec<_> = breaking.registrations().await.expect("rows").collect().await;
    assert_eq!(all.iter().filter(|registration| registration.is_ok()).count(), 9);
    assert!(
        matches!(all.last(), Some(Err(SourceError::Unreachable(_)))),
        "broken off is not the end: {:?}",
        all.last()
    );
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_its_key() {
    let bench = Bench::sqlite().await;
    type Change = fn(&mut SqlSettings);
    let cases: [(&str, Change); 9] = [
        ("sql.datasets.allergies.query: must be one statement", |s| {
            s.datasets[0].query.push_str("; DELETE FROM allergy");
        }),
        ("sql.datasets.allergies.query: must contain :local_id", |s| {
            s.datasets[0].query = "SELECT * FROM allergy".into();
        }),
        ("sql.registrations.one: must contain :local_id", |s| s.registrations.one = "SELECT 1".into()),
        ("sql.registrations.all: unknown parameter :local_id; none", |s| {
            s.registrations.all = "SELECT :local_id".into();
        }),
        ("sql.datasets.allergy.dataset: unknown dataset", |s| s.datasets[0].dataset = "allergy".into()),
        ("sql.datasets.medications: is there twice", |s| s.datasets[0] = s.datasets[1].clone()),
        ("sql.rows_max: must be 1 or more", |s| s.rows_max = 0),
        ("sql.dates.time_zone: unknown zone", |s| s.dates.time_zone = "Mars".into()),
        ("sql.datasets.allergies.document: only the dataset documents", |s| {
            s.datasets[0].document = s.datasets[2].document.clone();
        }),
    ];
    for (expected, change) in cases {
        let mut settings = bench.settings();
        change(&mut settings);
        let error = open(&settings).map(|_| ()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let misspelt = CONFIG.replace("rows_max", "row_max");
    assert!(toml::from_str::<Config>(&misspelt).is_err_and(|e| e.message().contains("unknown field `row_max`")));
}
