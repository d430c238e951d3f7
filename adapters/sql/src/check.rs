//! What `severn-adapter check` finds: can the database be reached, could its login write, does every query give the
//! columns that its mapping names, and what would a sample of persons look like. Findings name columns and status words,
//! never a person.

use crate::{
    dataset::MappedDataset,
    engine::{Bind, Engine, Statement},
    settings::IdType,
    source::SqlSource,
    statement::Parameter,
};
use severn_adapter_sdk::{cells::Row, source::Finding, source::SourceError};
use severn_trust::dataset_word;
use std::{collections::BTreeMap, sync::Arc};

/// Persons of whom a sample is read, and registrations that are looked at.
const SAMPLE_PERSONS: usize = 25;
const SAMPLE_REGISTRATIONS: usize = 1_000;
/// Unknown words that are named; characters of each that are shown.
const WORDS_SHOWN: usize = 10;
const WORD_CHARS_SHOWN: usize = 40;

pub(crate) async fn check(source: &SqlSource) -> Vec<Finding> {
    let mut findings = vec![check_connection(&source.engine).await];
    if !findings.iter().all(|finding| finding.good) {
        return findings;
    }
    findings.push(check_rights(&source.engine).await);
    let (finding, persons) = check_registrations(source).await;
    findings.push(finding);
    findings.push(check_statement(source, &source.registrations.one, IdType::Text).await);
    for mapped in &source.datasets {
        let checked = check_statement(source, &mapped.statement, IdType::Text).await;
        let fits = checked.good;
        findings.push(checked);
        if let Some(document) = &mapped.document {
            findings.push(check_statement(source, &document.statement, document.entry_id_type).await);
        }
        if fits {
            findings.push(check_sample(source, mapped, &persons).await);
        }
    }
    if source.holds_demographics() {
        findings.push(good("demographics are taken from the registrations".into()));
    }
    findings
}

async fn check_connection(engine: &Engine) -> Finding {
    let (name, sql) = match engine {
        Engine::Sqlite(_) => ("SQLite", "SELECT sqlite_version()"),
        Engine::Postgres(_) => ("PostgreSQL", "SELECT current_setting('server_version')"),
        Engine::Mysql(_) => ("MariaDB or MySQL", "SELECT VERSION()"),
    };
    match engine.own(sql).await {
        Ok(version) => good(format!("connected to {name} {}", version.first().map(String::as_str).unwrap_or_default())),
        Err(error) => bad(format!("{error}; look at sql.url, sql.password_file and whether the database runs")),
    }
}

async fn check_rights(engine: &Engine) -> Finding {
    let could_write = match engine {
        // The file is opened read only, whatever the rights on it are.
        Engine::Sqlite(_) => return good("the file is opened read only".into()),
        Engine::Postgres(_) => engine.own(POSTGRES_WRITABLE).await,
        Engine::Mysql(_) => {
            engine.own("SHOW GRANTS").await.map(|grants| grants.iter().filter_map(|grant| writing(grant)).collect())
        }
    };
    match could_write {
        Ok(rights) if rights.is_empty() => good("the login can only read".into()),
        Ok(rights) => {
            let rights = rights.into_iter().take(3).collect::<Vec<_>>().join(", ");
            bad(format!("the login could write ({rights}); give it SELECT on the tables it needs and nothing else"))
        }
        Err(error) => bad(format!("the rights of the login could not be read: {error}")),
    }
}

const POSTGRES_WRITABLE: &str = "SELECT 'superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL
    (SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
       AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') LIMIT 3)";

/// The rights in a line of SHOW GRANTS that are more than reading.
fn writing(grant: &str) -> Option<String> {
    let rights = grant.strip_prefix("GRANT ")?.split_once(" ON ")?.0;
    // SELECT (`a`, `b`) ON … : the columns are no rights.
    let mut plain = String::new();
    let mut depth = 0_u32;
    for c in rights.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let reads = ["SELECT", "USAGE", "SHOW VIEW", "SHOW DATABASES", "PROCESS", "REPLICATION CLIENT"];
    let more: Vec<&str> = plain.split(',').map(str::trim).filter(|right| !reads.contains(right)).collect();
    if more.is_empty() { None } else { Some(more.join(", ")) }
}

/// Also gives some local ids to try the other queries with.
async fn check_registrations(source: &SqlSource) -> (Finding, Vec<String>) {
    let registrations = &source.registrations;
    let mut rows = source.engine.rows(&registrations.all, &BTreeMap::new());
    let (mut persons, mut seen, mut without_id, mut wrong_numbers) = (Vec::new(), 0, 0, 0);
    while let Some(row) = rows.next().await {
        let row = match row {
            Ok(row) => row,
            Err(error) => return (bad(error.to_string()), persons),
        };
        seen += 1;
        match registrations.plan.local_id(&row) {
            Some(local_id) if persons.len() < SAMPLE_PERSONS => persons.push(local_id.to_owned()),
            Some(_) => {}
            None => without_id += 1,
        }
        wrong_numbers += usize::from(registrations.plan.has_wrong_nhs_number(&row));
        if seen == SAMPLE_REGISTRATIONS {
            break;
        }
    }
    let name = &registrations.all.name;
    let text = format!(
        "{name}: of {seen} rows looked at, {without_id} have no local id, {wrong_numbers} an NHS number that is wrong"
    );
    if seen == 0 {
        return (bad(format!("{name}: the query gives no rows")), persons);
    }
    (Finding { good: without_id == 0, text }, persons)
}

/// Runs a statement for somebody who does not exist.
async fn check_statement(source: &SqlSource, statement: &Arc<Statement>, entry_id_type: IdType) -> Finding {
    let ids = [(Parameter::LocalId, source.local_id_type), (Parameter::EntryId, entry_id_type)];
    let nobody = |id_type: IdType| match id_type {
        IdType::Text => Bind::Text("severn-check".into()),
        IdType::Integer => Bind::Integer(-1),
    };
    let values: BTreeMap<Parameter, Bind> = ids.into_iter().map(|(id, id_type)| (id, nobody(id_type))).collect();
    let mut rows = source.engine.rows(statement, &values);
    match rows.next().await.transpose() {
        Ok(_) => good(format!("{}: the query gives every column that its mapping names", statement.name)),
        Err(SourceError::Timeout) => bad(format!(
            "{}: the query takes longer than statement_timeout_ms for somebody who is not there; an index is missing",
            statement.name
        )),
        Err(error) => bad(error.to_string()),
    }
}

async fn check_sample(source: &SqlSource, mapped: &MappedDataset, persons: &[String]) -> Finding {
    let (mut rows_seen, mut unreadable, mut not_validated) = (0, 0, 0);
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for person in persons {
        let Some(bind) = source.bind_local_id(person) else {
            return bad("sql.local_id_type: the local ids are no whole numbers as the database writes them".into());
        };
        let mut rows = source.engine.rows(&mapped.statement, &BTreeMap::from([(Parameter::LocalId, bind)]));
        while let Some(row) = rows.next().await {
            let row = match row {
                Ok(row) => row,
                Err(error) => return bad(error.to_string()),
            };
            if !mapped.is_about(&row, person) {
                return bad(format!("{}: the query gives rows of another person", mapped.statement.name));
            }
            rows_seen += 1;
            match mapped.plan.map_row(&row, &source.read_at()) {
                Ok(entry) => not_validated += usize::from(entry.head.is_some_and(|head| head.not_validated)),
                Err(_) => unreadable += 1,
            }
            if let Some(word) = mapped.plan.unknown_status(&row as &dyn Row) {
                let word: String = word.chars().take(WORD_CHARS_SHOWN).collect();
                *unknown.entry(word).or_default() += 1;
            }
        }
    }
    let name = dataset_word(mapped.dataset);
    let persons = persons.len();
    let mut text = format!(
        "{name}: of {rows_seen} rows of {persons} persons, {unreadable} are unreadable, {not_validated} not valid"
    );
    if !unknown.is_empty() {
        let words = unknown.iter().take(WORDS_SHOWN).map(|(word, count)| format!("\"{word}\" ({count})"));
        let words = words.collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; status_values lacks {words}, which will be shown as not recognised"));
    }
    Finding { good: unreadable == 0 && not_validated == 0 && unknown.is_empty(), text }
}

fn good(text: String) -> Finding {
    Finding { good: true, text }
}

fn bad(text: String) -> Finding {
    Finding { good: false, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_that_write_are_seen() {
        let cases = [
            ("GRANT USAGE ON *.* TO `r`@`%`", None),
            ("GRANT SELECT, SHOW VIEW ON `d`.* TO `r`@`%`", None),
            ("GRANT SELECT (`a`, `b`) ON `d`.`t` TO `r`@`%`", None),
            ("GRANT ALL PRIVILEGES ON *.* TO `r`@`%`", Some("ALL PRIVILEGES")),
            ("GRANT SELECT, INSERT ON `d`.* TO `r`@`%`", Some("INSERT")),
            ("GRANT SELECT, UPDATE (`a`) ON `d`.`t` TO `r`@`%`", Some("UPDATE")),
        ];
        for (grant, expected) in cases {
            assert_eq!(writing(grant).as_deref(), expected, "{grant}");
        }
    }
}
