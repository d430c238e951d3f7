//! Tables in memory, and how they become a SQLite database or CSV files. Knows no shape.

use super::WriteError;
use sqlx::{
    Connection as _, QueryBuilder, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use std::{fs, path::Path};

/// Rows written by one statement; SQLite takes 32,766 bound values at most.
const ROWS_PER_STATEMENT: usize = 200;

/// A table: every value is text, and an empty one is NULL.
pub struct Table {
    name: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with `columns`, divided by commas. One whose name is followed by ` INTEGER` holds numbers.
    pub fn new(name: &'static str, columns: &'static str) -> Table {
        Table { name, columns: columns.split(',').map(str::trim).collect(), rows: Vec::new() }
    }

    fn column_names(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|column| column.split(' ').next().unwrap_or_default())
    }
}

/// Adds a row to the table of this name: one value for each column, in their order. `false` if it does not fit.
pub fn put(tables: &mut [Table], name: &str, values: &[&str]) -> bool {
    let found = tables.iter_mut().find(|table| table.name == name);
    let Some(table) = found.filter(|table| table.columns.len() == values.len()) else { return false };
    table.rows.push(values.iter().map(|value| (*value).to_owned()).collect());
    true
}

/// Writes `tables` into a new database.
///
/// # Errors
/// [`WriteError::Database`] as SQLite gives it.
pub async fn write_database(tables: &[Table], file: &Path) -> Result<(), WriteError> {
    // Made anew by every run: a database that a crash left half-written is never used.
    let options =
        SqliteConnectOptions::new().filename(file).create_if_missing(true).synchronous(SqliteSynchronous::Off);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let mut transaction = connection.begin().await?;
    for table in tables {
        let columns = table.columns.join(", ");
        let create = format!("CREATE TABLE {} ({columns})", table.name);
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut *transaction).await?;
        for rows in table.rows.chunks(ROWS_PER_STATEMENT) {
            let names = table.column_names().collect::<Vec<_>>().join(", ");
            let mut insert = QueryBuilder::<Sqlite>::new(format!("INSERT INTO {} ({names}) ", table.name));
            insert.push_values(rows, |mut row, values| {
                for value in values {
                    row.push_bind(Some(value.as_str()).filter(|value| !value.is_empty()));
                }
            });
            insert.build().persistent(false).execute(&mut *transaction).await?;
        }
        for column in table.column_names().filter(|name| name.to_ascii_lowercase().ends_with("id")) {
            let index = format!("CREATE INDEX {0}_{column} ON {0} ({column})", table.name);
            sqlx::query(sqlx::AssertSqlSafe(index)).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// Writes each table as a CSV file with a header line (RFC 4180, UTF-8).
///
/// # Errors
/// [`WriteError::Disk`] as the operating system gives it.
pub fn write_extracts(tables: &[Table], folder: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(folder)?;
    for table in tables {
        let mut text = line(table.column_names());
        for row in &table.rows {
            text.push_str(&line(row.iter().map(String::as_str)));
        }
        fs::write(folder.join(format!("{}.csv", table.name)), text)?;
    }
    Ok(())
}

fn line<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = values.map(quote).collect();
    format!("{}\r\n", quoted.join(","))
}

fn quote(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}
