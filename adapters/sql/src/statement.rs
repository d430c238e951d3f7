//! The owner's queries: checked when they are read, and wrapped so that every value comes back as text. Pure: no
//! connection, no rows.

use std::{collections::BTreeMap, fmt::Write as _, mem};

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
    Mysql,
}

/// What a query may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Parameter {
    LocalId,
    EntryId,
}

impl Parameter {
    fn name(self) -> &'static str {
        match self {
            Parameter::LocalId => "local_id",
            Parameter::EntryId => "entry_id",
        }
    }
}

/// A checked query with the driver's own placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) dialect: Dialect,
    /// The text for the driver.
    pub(crate) sql: String,
    /// What is bound, in the order of the placeholders.
    pub(crate) binds: Vec<Parameter>,
}

/// A column of a query's result, as the database names it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
}

impl Query {
    /// Checks a query: one statement that only reads, with exactly the parameters that it must have.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub(crate) fn parse(dialect: Dialect, text: &str, needs: &[Parameter]) -> Result<Query, String> {
        let mut scan = Scan::new(dialect, needs);
        scan.run(text.trim().trim_end_matches(';'))?;
        let first = scan.words.first().map(String::as_str).unwrap_or_default();
        if !matches!(first, "select" | "with") {
            return Err("must begin with SELECT or WITH".into());
        }
        if scan.words.iter().any(|word| word == "into") {
            return Err("must not contain INTO: it would write".into());
        }
        for parameter in needs {
            if !scan.numbers.contains_key(parameter) {
                return Err(format!("must contain :{} outside quotes", parameter.name()));
            }
        }
        Ok(Query { dialect, sql: scan.sql, binds: scan.binds })
    }

    /// The query around this one that gives the wanted columns as text, in their order, and the bytes of one column
    /// (its size before it, as text) where asked; at most `limit` rows.
    ///
    /// # Errors
    /// The wanted column that is not there and those that are, or a column of bytes.
    pub(crate) fn wrap(&self, columns: &[Column], wanted: &Wanted<'_>, limit: u64) -> Result<String, String> {
        let mut sql = String::from("SELECT ");
        for (at, name) in wanted.texts.iter().enumerate() {
            let column = find(columns, name)?;
            let comma = if at > 0 { ", " } else { "" };
            let text = self.as_text(column)?;
            let _ = write!(sql, "{comma}{text} AS c{at}");
        }
        if let Some((name, bytes_max)) = wanted.bytes {
            let quoted = self.quoted(find(columns, name)?);
            let size = match self.dialect {
                Dialect::Sqlite => format!("LENGTH(CAST({quoted} AS BLOB))"),
                Dialect::Postgres | Dialect::Mysql => format!("OCTET_LENGTH({quoted})"),
            };
            let size_text = self.cast(&size);
            let _ = write!(sql, ", {size_text} AS size, CASE WHEN {size} <= {bytes_max} THEN {quoted} END AS content");
        }
        // The line break ends a comment in the query's last line.
        let _ = write!(sql, " FROM ({}\n) AS q LIMIT {limit}", self.sql);
        Ok(sql)
    }

    fn as_text(&self, column: &Column) -> Result<String, String> {
        let quoted = self.quoted(column);
        let type_name = column.type_name.to_ascii_uppercase();
        if ["BYTEA", "BINARY", "VARBINARY", "GEOMETRY"].contains(&type_name.as_str()) || type_name.contains("BLOB") {
            return Err(format!("column {} holds bytes ({type_name}); convert it to text in the query", column.name));
        }
        Ok(match (self.dialect, type_name.as_str()) {
            // The session's zone is UTC, and a TIMESTAMP is shown in it; other types are as somebody wrote them.
            (Dialect::Mysql, "TIMESTAMP") => format!("CONCAT(CAST({quoted} AS CHAR), '+00:00')"),
            (Dialect::Mysql, "BIT") => format!("CAST({quoted} + 0 AS CHAR)"),
            _ => self.cast(&quoted),
        })
    }

    fn cast(&self, expression: &str) -> String {
        match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => format!("CAST({expression} AS TEXT)"),
            Dialect::Mysql => format!("CAST({expression} AS CHAR)"),
        }
    }

    fn quoted(&self, column: &Column) -> String {
        match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => format!("q.\"{}\"", column.name.replace('"', "\"\"")),
            Dialect::Mysql => format!("q.`{}`", column.name.replace('`', "``")),
        }
    }
}

/// What is wanted of a query's result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Columns as text.
    pub(crate) texts: &'a [String],
    /// A column as bytes, and how many at most.
    pub(crate) bytes: Option<(&'a str, u64)>,
}

/// The column of that name; where none is spelt the same, the one that differs in case only, since databases fold case.
pub(crate) fn find<'a>(columns: &'a [Column], name: &str) -> Result<&'a Column, String> {
    if let Some(column) = columns.iter().find(|column| column.name == name) {
        return Ok(column);
    }
    let mut alike = columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
    if let (Some(column), None) = (alike.next(), alike.next()) {
        return Ok(column);
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    Err(format!("column {name} is not in the result of the query; the columns are {}", names.join(", ")))
}

/// Walks a query once: outside quotes it finds the words and parameters, and refuses what it cannot be sure of.
struct Scan<'a> {
    dialect: Dialect,
    needs: &'a [Parameter],
    sql: String,
    word: String,
    words: Vec<String>,
    binds: Vec<Parameter>,
    numbers: BTreeMap<Parameter, usize>,
}

impl<'a> Scan<'a> {
    fn new(dialect: Dialect, needs: &'a [Parameter]) -> Scan<'a> {
        let (sql, word, words) = (String::new(), String::new(), Vec::new());
        Scan { dialect, needs, sql, word, words, binds: Vec::new(), numbers: BTreeMap::new() }
    }

    fn run(&mut self, text: &str) -> Result<(), String> {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c.is_alphanumeric() || c == '_' {
                self.word.extend(c.to_lowercase());
                self.sql.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
            self.end_word();
            let length = match c {
                '\'' | '"' | '`' => quoted_length(rest, c)?,
                '-' if rest.starts_with("--") => comment_length(rest)?,
                ':' if rest.starts_with("::") => 2,
                ':' => {
                    rest = self.parameter(rest)?;
                    continue;
                }
                _ => self.plain_length(rest, c)?,
            };
            let (part, after) = rest.split_at(length);
            self.sql.push_str(part);
            rest = after;
        }
        self.end_word();
        Ok(())
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.words.push(mem::take(&mut self.word));
        }
    }

    fn plain_length(&self, rest: &str, c: char) -> Result<usize, String> {
        let refused = match c {
            ';' => Some("must be one statement, without ;"),
            '/' if rest.starts_with("/*") => Some("must not contain /* */; write comments into the TOML with #"),
            '#' if self.dialect == Dialect::Mysql => Some("must not contain #; write comments into the TOML"),
            '$' => Some("must not contain $; write parameters as :local_id"),
            '?' if self.dialect != Dialect::Postgres => Some("must not contain ?; write parameters as :local_id"),
            '@' if self.dialect != Dialect::Postgres => Some("must not contain @; write parameters as :local_id"),
            '\\' | '\0' => Some("must not contain a backslash"),
            _ => None,
        };
        refused.map_or(Ok(c.len_utf8()), |problem| Err(problem.into()))
    }

    fn parameter<'t>(&mut self, rest: &'t str) -> Result<&'t str, String> {
        let after = rest.get(1..).unwrap_or_default();
        let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let Some(parameter) = self.needs.iter().copied().find(|parameter| parameter.name() == name) else {
            let known: Vec<String> = self.needs.iter().map(|parameter| format!(":{}", parameter.name())).collect();
            let known =
                if known.is_empty() { "none is allowed here".into() } else { format!("use {}", known.join(", ")) };
            return Err(format!("unknown parameter :{name}; {known}"));
        };
        let next = self.numbers.len() + 1;
        let known_before = self.numbers.contains_key(&parameter);
        let number = *self.numbers.entry(parameter).or_insert(next);
        match self.dialect {
            Dialect::Mysql => self.sql.push('?'),
            Dialect::Postgres => self.sql.push_str(&format!("${number}")),
            Dialect::Sqlite => self.sql.push_str(&format!("?{number}")),
        }
        // Where placeholders have no numbers, each is bound for itself.
        if self.dialect == Dialect::Mysql || !known_before {
            self.binds.push(parameter);
        }
        Ok(after)
    }
}

fn quoted_length(rest: &str, quote: char) -> Result<usize, String> {
    // A doubled quote reads as the end of one quoted part and the beginning of the next: the same text.
    let inner = rest.get(1..).unwrap_or_default();
    let end = inner.find(quote).ok_or("has a quote that is not closed")?;
    if inner.get(..end).is_some_and(|inner| inner.contains('\\')) {
        return Err("must not contain a backslash in quotes: databases read it differently".into());
    }
    Ok(end + 2)
}

fn comment_length(rest: &str) -> Result<usize, String> {
    // MariaDB reads "--" without a blank as two minus signs.
    if !rest.get(2..).unwrap_or_default().starts_with([' ', '\t', '\n']) && rest.len() > 2 {
        return Err("must have a blank after --".into());
    }
    Ok(rest.find('\n').unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    fn parse(dialect: Dialect, text: &str) -> Result<Query, String> {
        Query::parse(dialect, text, &[Parameter::LocalId])
    }

    #[test]
    fn parameters_become_the_drivers_own() {
        let text = "SELECT a::text, ':local_id' FROM t WHERE p = :local_id OR q = :local_id;";
        let postgres = parse(Postgres, text).expect("a query");
        assert_eq!(postgres.sql, "SELECT a::text, ':local_id' FROM t WHERE p = $1 OR q = $1");
        assert_eq!(postgres.binds.len(), 1);
        assert_eq!(parse(Sqlite, text).expect("a query").sql.matches("?1").count(), 2);
        let mysql = parse(Mysql, text).expect("a query");
        assert_eq!((mysql.sql.matches('?').count(), mysql.binds.len()), (2, 2));
        let both = [Parameter::LocalId, Parameter::EntryId];
        let document =
            Query::parse(Postgres, "SELECT 1 WHERE a = :entry_id AND b = :local_id", &both).expect("a query");
        assert_eq!(document.sql, "SELECT 1 WHERE a = $1 AND b = $2");
        assert_eq!(document.binds, [Parameter::EntryId, Parameter::LocalId]);
    }

    #[test]
    fn only_one_reading_statement_passes() {
        let good = [
            "SELECT 1 FROM t WHERE a = :local_id",
            "with x as (select 1) select * from x where a = :local_id",
            "SELECT 'a;b -- c' FROM t WHERE a = :local_id",
            "SELECT 'it''s', \"odd;name\", `other?` FROM t -- why ; not\n WHERE a = :local_id",
            "SELECT 'a' || :local_id",
        ];
        for text in good {
            for dialect in [Sqlite, Postgres, Mysql] {
                assert!(parse(dialect, text).is_ok(), "{text}: {:?}", parse(dialect, text));
            }
        }
        let bad = [
            ("DELETE FROM t WHERE a = :local_id", "must begin with SELECT"),
            ("SELECT 1 WHERE a = :local_id; DELETE FROM t", "must be one statement"),
            ("SELECT a INTO OUTFILE '/x' FROM t WHERE a = :local_id", "must not contain INTO"),
            ("SELECT 1", "must contain :local_id"),
            ("SELECT 1 WHERE a = ':local_id'", "must contain :local_id"),
            ("SELECT 1 -- :local_id", "must contain :local_id"),
            ("SELECT 1 WHERE a = :local_id AND b = :other", "unknown parameter :other; use :local_id"),
            ("SELECT 1 WHERE a = :local_ids", "unknown parameter :local_ids"),
            ("SELECT 1 /*! DELETE */ WHERE a = :local_id", "must not contain /* */"),
            ("SELECT 'a\\' OR :local_id", "must not contain a backslash in quotes"),
            ("SELECT 'a FROM t WHERE a = :local_id", "has a quote that is not closed"),
            ("SELECT $$ $$, :local_id", "must not contain $"),
            ("SELECT 1--:local_id", "must have a blank after --"),
            ("", "must begin with SELECT"),
        ];
        for (text, expected) in bad {
            for dialect in [Sqlite, Postgres, Mysql] {
                let error = parse(dialect, text).map(|_| ()).expect_err(text);
                assert!(error.starts_with(expected), "{text}: {error}");
            }
        }
        assert!(parse(Mysql, "SELECT 1 # x\n WHERE a = :local_id").is_err());
        assert!(parse(Sqlite, "SELECT ? WHERE a = :local_id").is_err());
    }

    #[test]
    fn wanted_columns_come_back_as_text() {
        let column = |name: &str, type_name: &str| Column { name: name.into(), type_name: type_name.into() };
        let columns =
            [column("id", "INT4"), column("odd\"name", "TEXT"), column("scan", "BYTEA"), column("Id2", "TEXT")];
        let query = parse(Postgres, "SELECT * FROM t WHERE a = :local_id -- all").expect("a query");
        let texts = ["ID".to_owned(), "odd\"name".to_owned()];
        let sql = query.wrap(&columns, &Wanted { texts: &texts, bytes: None }, 11).expect("wrapped");
        let expected = "SELECT CAST(q.\"id\" AS TEXT) AS c0, CAST(q.\"odd\"\"name\" AS TEXT) AS c1 FROM \
                        (SELECT * FROM t WHERE a = $1 -- all\n) AS q LIMIT 11";
        assert_eq!(sql, expected);
        let refused = |name: &str| {
            let texts = [name.to_owned()];
            query.wrap(&columns, &Wanted { texts: &texts, bytes: None }, 1).map(|_| ()).expect_err(name)
        };
        assert!(refused("nhs").starts_with("column nhs is not in the result of the query; the columns are id, odd"));
        assert!(refused("scan").starts_with("column scan holds bytes (BYTEA)"));
    }
}
