//! Connections to the three databases, opened so that they cannot write, and rows read through them as text. What a
//! column means is not known here.

mod connect;

use crate::statement::{Column, Dialect, Parameter, Query, Wanted};
use futures::{Stream, StreamExt, stream};
use severn_adapter_sdk::{cells::Row, source::SourceError};
use sqlx::{
    Arguments, AssertSqlSafe, Column as _, ColumnIndex, Connection as _, Database, Decode, Encode, Executor,
    IntoArguments, MySql, Pool, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, Statement as _, Type, TypeInfo,
    database::HasStatementCache, error::DatabaseError,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// A database.
pub(crate) enum Engine {
    Sqlite(Pools<Sqlite>),
    Postgres(Pools<Postgres>),
    Mysql(Pools<MySql>),
}

/// Connections for questions about one person, and one for reading all registrations, which may take longer.
pub(crate) struct Pools<DB: Database> {
    pub(crate) asks: Pool<DB>,
    pub(crate) bulk: Pool<DB>,
}

/// Which connections a statement uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Asks,
    Bulk,
}

/// A value to bind.
#[derive(Clone)]
pub(crate) enum Bind {
    Text(String),
    Integer(i64),
}

/// A query of the mapping with what is wanted of it.
pub(crate) struct Statement {
    /// The key in the configuration, for messages.
    pub(crate) name: String,
    pub(crate) query: Query,
    /// The columns wanted as text, sorted.
    pub(crate) texts: Vec<String>,
    pub(crate) bytes: Option<(String, u64)>,
    pub(crate) rows_max: u64,
    pub(crate) lane: Lane,
    // Kept while the database accepts it. A std mutex: nothing is awaited while it is held.
    wrapped: Mutex<Option<Arc<str>>>,
}

impl Statement {
    pub(crate) fn new(name: impl Into<String>, query: Query, mut texts: Vec<String>) -> Statement {
        texts.sort_unstable();
        let (name, wrapped) = (name.into(), Mutex::new(None));
        Statement { name, query, texts, bytes: None, rows_max: u64::from(u32::MAX), lane: Lane::Asks, wrapped }
    }

    fn wrapped(&self) -> Option<Arc<str>> {
        self.wrapped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_wrapped(&self, sql: Option<Arc<str>>) {
        *self.wrapped.lock().unwrap_or_else(PoisonError::into_inner) = sql;
    }

    fn problem(&self, text: &str) -> SourceError {
        SourceError::Mapping(format!("{}: {text}", self.name))
    }
}

/// One row, as text; and the size and the bytes of its content where they were asked for.
pub(crate) struct TextRow {
    statement: Arc<Statement>,
    texts: Vec<Option<String>>,
    /// Size in bytes, and the bytes unless they are too many.
    pub(crate) content: Option<(u64, Option<Vec<u8>>)>,
}

impl Row for TextRow {
    fn text(&self, column: &str) -> Option<&str> {
        let at = self.statement.texts.binary_search_by(|name| name.as_str().cmp(column)).ok()?;
        self.texts.get(at)?.as_deref()
    }
}

/// Rows as they come. Dropping it ends the query.
pub(crate) struct Rows {
    receiver: mpsc::Receiver<Item>,
    ended: bool,
}

/// A row, or `None` at the end: a reader must know a whole result from one whose task is gone.
type Item = Result<Option<TextRow>, SourceError>;

impl Rows {
    /// The next row; nothing follows an error.
    pub(crate) async fn next(&mut self) -> Option<Result<TextRow, SourceError>> {
        if self.ended {
            return None;
        }
        let item = self.receiver.recv().await;
        self.ended = !matches!(item, Some(Ok(Some(_))));
        let gone = || Err(SourceError::Unreachable("the reading stopped before its end".into()));
        item.unwrap_or_else(gone).transpose()
    }

    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<TextRow, SourceError>> + Send + 'static {
        stream::unfold(self, |mut rows| async { rows.next().await.map(|row| (row, rows)) })
    }
}

impl Engine {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
            Engine::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Runs a statement. Errors come as the last item.
    pub(crate) fn rows(&self, statement: &Arc<Statement>, values: &BTreeMap<Parameter, Bind>) -> Rows {
        // Few rows ahead of the reader: reading ten million registrations takes no more memory than reading ten.
        let (sender, receiver) = mpsc::channel(16);
        let binds = statement.query.binds.iter().filter_map(|parameter| values.get(parameter).cloned()).collect();
        let task = Reading { statement: statement.clone(), binds, sender };
        match self {
            Engine::Sqlite(pools) => task.spawn(pools),
            Engine::Postgres(pools) => task.spawn(pools),
            Engine::Mysql(pools) => task.spawn(pools),
        }
        Rows { receiver, ended: false }
    }

    /// Runs one of this crate's own statements, which has no parameters, and gives the first column of every row.
    pub(crate) async fn own(&self, sql: &'static str) -> Result<Vec<String>, SourceError> {
        match self {
            Engine::Sqlite(pools) => own(&pools.asks, sql).await,
            Engine::Postgres(pools) => own(&pools.asks, sql).await,
            Engine::Mysql(pools) => own(&pools.asks, sql).await,
        }
    }
}

/// The owner's query as SQL. The one place where text becomes SQL: it was checked by `Query::parse`, and what was added
/// are names that the database gave, quoted, and numbers. Values are bound, always.
fn mapped_sql(text: &str) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

/// A driver whose values are read as text and bytes.
pub(crate) trait Driver: Database<Arguments: IntoArguments<Self>> + HasStatementCache {
    fn bind(arguments: &mut Self::Arguments, bind: Bind) -> Result<(), sqlx::Error>;
    fn type_of(bind: &Bind) -> Self::TypeInfo;
    fn text(row: &Self::Row, at: usize) -> Result<Option<String>, sqlx::Error>;
    fn bytes(row: &Self::Row, at: usize) -> Result<Option<Vec<u8>>, sqlx::Error>;
}

impl<DB> Driver for DB
where
    DB: Database<Arguments: IntoArguments<DB>> + HasStatementCache,
    usize: ColumnIndex<DB::Row>,
    for<'v> String: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> i64: Encode<'v, DB> + Type<DB>,
    for<'v> Vec<u8>: Decode<'v, DB> + Type<DB>,
{
    fn bind(arguments: &mut Self::Arguments, bind: Bind) -> Result<(), sqlx::Error> {
        let added = match bind {
            Bind::Text(text) => arguments.add(text),
            Bind::Integer(number) => arguments.add(number),
        };
        added.map_err(sqlx::Error::Encode)
    }

    fn type_of(bind: &Bind) -> Self::TypeInfo {
        match bind {
            Bind::Text(_) => <String as Type<DB>>::type_info(),
            Bind::Integer(_) => <i64 as Type<DB>>::type_info(),
        }
    }

    fn text(row: &Self::Row, at: usize) -> Result<Option<String>, sqlx::Error> {
        row.try_get(at)
    }

    fn bytes(row: &Self::Row, at: usize) -> Result<Option<Vec<u8>>, sqlx::Error> {
        // A document may also be kept as text.
        row.try_get(at).or_else(|_| row.try_get::<Option<String>, _>(at).map(|text| text.map(String::into_bytes)))
    }
}

struct Reading {
    statement: Arc<Statement>,
    binds: Vec<Bind>,
    sender: mpsc::Sender<Item>,
}

impl Reading {
    fn spawn<DB: Driver>(self, pools: &Pools<DB>)
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let pool = match self.statement.lane {
            Lane::Asks => pools.asks.clone(),
            Lane::Bulk => pools.bulk.clone(),
        };
        tokio::spawn(async move {
            let result = tokio::select! {
                () = self.sender.closed() => return,
                result = self.run(&pool) => result,
            };
            // Nobody listening any more is no error.
            let _ = self.sender.send(result.map(|()| None)).await;
        });
    }

    async fn run<DB: Driver>(&self, pool: &Pool<DB>) -> Result<(), SourceError>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let mut connection = pool.acquire().await.map_err(|error| self.explain(&error, Phase::Connect))?;
        let sql = match self.statement.wrapped() {
            Some(sql) => sql,
            None => self.prepare::<DB>(&mut connection).await?,
        };
        let mut arguments = DB::Arguments::default();
        for bind in &self.binds {
            DB::bind(&mut arguments, bind.clone()).map_err(|error| self.explain(&error, Phase::Run))?;
        }
        let mut rows = sqlx::query_with::<DB, _>(mapped_sql(&sql), arguments).fetch(&mut *connection);
        while let Some(row) = rows.next().await {
            let row = row.and_then(|row| self.read::<DB>(&row)).map_err(|error| {
                // The database may have changed its shape: the next reading looks at it anew.
                self.statement.set_wrapped(None);
                self.explain(&error, Phase::Run)
            })?;
            if self.sender.send(Ok(Some(row))).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn prepare<DB: Driver>(&self, connection: &mut DB::Connection) -> Result<Arc<str>, SourceError>
    where
        for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    {
        let statement = &self.statement;
        let types: Vec<DB::TypeInfo> = self.binds.iter().map(DB::type_of).collect();
        // What an earlier look at the database's shape gave must not answer for this one.
        let cleared = connection.clear_cached_statements().await;
        cleared.map_err(|error| self.explain(&error, Phase::Connect))?;
        if statement.query.dialect == Dialect::Sqlite {
            // SQLite prepares against the shape it last saw, and looks anew only when it runs something.
            let look = sqlx::query::<DB>("SELECT COUNT(*) FROM sqlite_schema").fetch_all(&mut *connection).await;
            look.map_err(|error| self.explain(&error, Phase::Connect))?;
        }
        let prepared = connection.prepare_with(mapped_sql(&statement.query.sql), &types).await;
        let prepared = prepared.map_err(|error| self.explain(&error, Phase::Prepare))?;
        let column = |column: &DB::Column| Column {
            name: column.name().to_owned(),
            type_name: column.type_info().name().to_owned(),
        };
        let columns: Vec<Column> = prepared.columns().iter().map(column).collect();
        let bytes = statement.bytes.as_ref().map(|(name, bytes_max)| (name.as_str(), *bytes_max));
        let wanted = Wanted { texts: &statement.texts, bytes };
        let sql = statement.query.wrap(&columns, &wanted, statement.rows_max);
        let sql: Arc<str> = sql.map_err(|problem| statement.problem(&problem))?.into();
        statement.set_wrapped(Some(sql.clone()));
        Ok(sql)
    }

    fn read<DB: Driver>(&self, row: &DB::Row) -> Result<TextRow, sqlx::Error> {
        let count = self.statement.texts.len();
        let texts = (0..count).map(|at| DB::text(row, at)).collect::<Result<_, _>>()?;
        let content = match self.statement.bytes {
            Some(_) => {
                let size = DB::text(row, count)?.and_then(|size| size.parse().ok()).unwrap_or(0);
                Some((size, DB::bytes(row, count + 1)?))
            }
            None => None,
        };
        Ok(TextRow { statement: self.statement.clone(), texts, content })
    }

    fn explain(&self, error: &sqlx::Error, phase: Phase) -> SourceError {
        explain(&self.statement.name, error, phase)
    }
}

async fn own<DB: Driver>(pool: &Pool<DB>, sql: &'static str) -> Result<Vec<String>, SourceError>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut connection = pool.acquire().await.map_err(|error| explain("connection", &error, Phase::Connect))?;
    let rows = sqlx::query::<DB>(sql).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| explain("connection", &error, Phase::Prepare))?;
    let texts = rows.iter().map(|row| Ok(DB::text(row, 0)?.unwrap_or_default())).collect::<Result<_, _>>();
    texts.map_err(|error| explain("connection", &error, Phase::Run))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connect,
    Prepare,
    Run,
}

/// An error in words that may be logged. A database's own message is passed on only where nothing was bound or read
/// yet: later, it may quote a value.
fn explain(name: &str, error: &sqlx::Error, phase: Phase) -> SourceError {
    let unreachable = |text: &str| SourceError::Unreachable(text.to_owned());
    match error {
        sqlx::Error::Database(error) => explain_database(name, error.as_ref(), phase),
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => SourceError::Timeout,
        sqlx::Error::Io(error) => unreachable(&format!("the connection failed: {}", error.kind())),
        sqlx::Error::Tls(_) => unreachable("no secure connection could be made; look at the certificates and sslmode"),
        sqlx::Error::PoolTimedOut => unreachable("no connection was made or became free in time"),
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => {
            unreachable("the connection broke")
        }
        sqlx::Error::Configuration(_) => SourceError::Config("url: the driver does not accept it".into()),
        _ => SourceError::Mapping(format!("{name}: a value could not be read as text; convert it in the query")),
    }
}

fn explain_database(name: &str, error: &dyn DatabaseError, phase: Phase) -> SourceError {
    let code = error.code().unwrap_or_default().into_owned();
    let number = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number());
    let sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
    // 57014 and 9 are PostgreSQL's and SQLite's for a cancelled statement; the numbers are MariaDB's and MySQL's.
    if code == "57014" || (sqlite && code == "9") || matches!(number, Some(1317 | 1969 | 3024)) {
        return SourceError::Timeout;
    }
    // SQLite: busy, locked, cannot open, not a database. Others: connection, login, resources, shutting down.
    let sqlite_unreachable = sqlite && matches!(code.as_str(), "5" | "6" | "14" | "26");
    let classes = ["08", "28", "3D", "53", "57"];
    if phase == Phase::Connect || sqlite_unreachable || (!sqlite && classes.iter().any(|class| code.starts_with(class)))
    {
        return SourceError::Unreachable(format!("the database refused the connection (code {code})"));
    }
    let message = if phase == Phase::Prepare { format!(": {}", error.message()) } else { String::new() };
    SourceError::Mapping(format!("{name}: the database refused the query (code {code}){message}"))
}

#[cfg(test)]
mod tests;
