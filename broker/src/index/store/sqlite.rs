//! A store in one SQLite file: write-ahead log, fsync on every commit, one process at a time. The SQL keeps to what
//! PostgreSQL reads too: text, bigint and bytes, keys given by the client, no triggers.

use super::{Batch, Store, StoreError};
use crate::{
    index::event::{Decision, Event, FeedPosition, RegistrationKey, Undone, What},
    model::{EnterpriseId, LocalId, SourceId},
};
use bytes::Bytes;
use futures::TryStreamExt as _;
use sqlx::{
    Connection as _, Row as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous},
};
use std::{path::Path, time::Duration};
use tokio::sync::Mutex;
use uuid::Uuid;

const SCHEMA: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS index_events (
        sequence BIGINT NOT NULL PRIMARY KEY,
        at_ms BIGINT NOT NULL,
        kind TEXT NOT NULL,
        source_id TEXT NOT NULL,
        local_id TEXT NOT NULL,
        body BYTEA,
        enterprise_id TEXT,
        other_source_id TEXT,
        other_local_id TEXT,
        undone TEXT,
        decided_by TEXT,
        reason TEXT,
        idempotency_key TEXT
    )",
    "CREATE TABLE IF NOT EXISTS index_feeds (
        source_id TEXT NOT NULL PRIMARY KEY,
        epoch TEXT NOT NULL,
        feed_cursor BIGINT NOT NULL,
        heard_at_ms BIGINT NOT NULL
    )",
];

const INSERT_EVENT: &str = "INSERT INTO index_events (sequence, at_ms, kind, source_id, local_id, body, enterprise_id, \
    other_source_id, other_local_id, undone, decided_by, reason, idempotency_key) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const UPSERT_FEED: &str = "INSERT INTO index_feeds (source_id, epoch, feed_cursor, heard_at_ms) \
    VALUES ($1, $2, $3, $4) \
    ON CONFLICT (source_id) DO UPDATE SET epoch = excluded.epoch, feed_cursor = excluded.feed_cursor, \
    heard_at_ms = excluded.heard_at_ms";

/// A store in the file `index.sqlite` of a folder.
pub struct SqliteStore {
    // A tokio mutex: the connection is held across awaits. One connection, because the index calls one after the other.
    connection: Mutex<SqliteConnection>,
}

impl SqliteStore {
    /// Opens the store in `folder`; makes folder and file where there are none, the file readable by its owner only.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it cannot be opened, or another process has it.
    pub async fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
        let file = folder.join("index.sqlite");
        make_private(folder, &file).await.map_err(|e| StoreError::Refused(format!("{}: {e}", file.display())))?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            // Two brokers on one file would each believe in their own history.
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|e| cannot_open(&file, &e))?;
        for statement in SCHEMA {
            sqlx::query(statement).execute(&mut connection).await.map_err(|e| cannot_open(&file, &e))?;
        }
        Ok(SqliteStore { connection: Mutex::new(connection) })
    }

    /// Gives the file back, once everything is written.
    ///
    /// # Errors
    /// [`StoreError::Refused`] as SQLite gives it.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection.into_inner().close().await.map_err(refused)
    }
}

/// SQLite gives the files beside it the rights of the first, which holds everybody's demographics.
async fn make_private(folder: &Path, file: &Path) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let mut options = tokio::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(file).await.map(drop)
}

fn cannot_open(file: &Path, error: &sqlx::Error) -> StoreError {
    let hint = if error.to_string().contains("locked") { "; another process has it, stop that one first" } else { "" };
    StoreError::Refused(format!("{}: {error}{hint}", file.display()))
}

#[tonic::async_trait]
impl Store for SqliteStore {
    async fn load(&self, each: &mut (dyn FnMut(Event) + Send)) -> Result<Vec<FeedPosition>, StoreError> {
        let mut connection = self.connection.lock().await;
        let mut rows = sqlx::query("SELECT * FROM index_events ORDER BY sequence").fetch(&mut *connection);
        let mut expected = 1;
        while let Some(row) = rows.try_next().await.map_err(damaged)? {
            let event = read_event(&row)?;
            if event.sequence != expected {
                return Err(StoreError::Damaged(format!("event {expected} is missing")));
            }
            expected += 1;
            each(event);
        }
        drop(rows);
        let feeds = sqlx::query("SELECT * FROM index_feeds ORDER BY source_id").fetch_all(&mut *connection).await;
        feeds.map_err(damaged)?.iter().map(read_feed).collect()
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await.map_err(refused)?;
        for event in &batch.events {
            insert_event(&mut transaction, event).await.map_err(refused)?;
        }
        for feed in &batch.feeds {
            sqlx::query(UPSERT_FEED)
                .bind(&*feed.source.0)
                .bind(feed.epoch.to_string())
                .bind(feed.cursor.cast_signed())
                .bind(feed.heard_at_ms)
                .execute(&mut *transaction)
                .await
                .map_err(refused)?;
        }
        // Up to here an error leaves nothing behind; from here on only the disk knows.
        transaction.commit().await.map_err(|e| StoreError::Unknown(e.to_string()))
    }
}

async fn insert_event(connection: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
    let (body, person) = match &event.what {
        What::Registered { body, person } | What::Changed { body, person } => (Some(&body[..]), Some(person)),
        What::Withdrawn | What::Linked { .. } | What::Unlinked { .. } | What::DoNotLink { .. } => (None, None),
    };
    let with = match &event.what {
        What::Linked { with, .. } | What::DoNotLink { with } => Some(with),
        _ => None,
    };
    let (undone, decision) = match &event.what {
        What::Unlinked { undone, decision } => (Some(undone_word(*undone)), Some(decision)),
        What::Linked { decision, .. } => (None, Some(decision)),
        _ => (None, None),
    };
    sqlx::query(INSERT_EVENT)
        .bind(event.sequence.cast_signed())
        .bind(event.at_ms)
        .bind(event.what.kind())
        .bind(&*event.registration.source.0)
        .bind(&*event.registration.local_id.0)
        .bind(body)
        .bind(person.map(ToString::to_string))
        .bind(with.map(|w| &*w.source.0))
        .bind(with.map(|w| &*w.local_id.0))
        .bind(undone)
        .bind(decision.map(|d| d.by.as_str()))
        .bind(decision.map(|d| d.reason.as_str()))
        .bind(decision.map(|d| d.idempotency_key.to_string()))
        .execute(connection)
        .await
        .map(drop)
}

fn undone_word(undone: Undone) -> &'static str {
    match undone {
        Undone::Link => "link",
        Undone::Rule => "rule",
    }
}

fn read_event(row: &SqliteRow) -> Result<Event, StoreError> {
    let sequence = row.try_get::<i64, _>("sequence").map_err(damaged)?.cast_unsigned();
    let what = match text(row, "kind")?.as_str() {
        "registered" => What::Registered { body: body(row)?, person: EnterpriseId(uuid(row, "enterprise_id")?) },
        "changed" => What::Changed { body: body(row)?, person: EnterpriseId(uuid(row, "enterprise_id")?) },
        "withdrawn" => What::Withdrawn,
        "linked" => What::Linked { with: other(row)?, decision: decision(row)? },
        "unlinked" => What::Unlinked { undone: read_undone(row, sequence)?, decision: decision(row)? },
        "do-not-link" => What::DoNotLink { with: other(row)? },
        _ => return Err(StoreError::Damaged(format!("event {sequence} is of a kind that this version does not know"))),
    };
    let at_ms = row.try_get("at_ms").map_err(damaged)?;
    Ok(Event { sequence, at_ms, registration: key(row, "source_id", "local_id")?, what })
}

fn read_feed(row: &SqliteRow) -> Result<FeedPosition, StoreError> {
    Ok(FeedPosition {
        source: SourceId(text(row, "source_id")?.into()),
        epoch: uuid(row, "epoch")?,
        cursor: row.try_get::<i64, _>("feed_cursor").map_err(damaged)?.cast_unsigned(),
        heard_at_ms: row.try_get("heard_at_ms").map_err(damaged)?,
    })
}

fn read_undone(row: &SqliteRow, sequence: u64) -> Result<Undone, StoreError> {
    match text(row, "undone")?.as_str() {
        "link" => Ok(Undone::Link),
        "rule" => Ok(Undone::Rule),
        _ => Err(StoreError::Damaged(format!("event {sequence} undoes what this version does not know"))),
    }
}

fn decision(row: &SqliteRow) -> Result<Decision, StoreError> {
    let idempotency_key = uuid(row, "idempotency_key")?;
    Ok(Decision { by: text(row, "decided_by")?, reason: text(row, "reason")?, idempotency_key })
}

fn other(row: &SqliteRow) -> Result<RegistrationKey, StoreError> {
    key(row, "other_source_id", "other_local_id")
}

fn key(row: &SqliteRow, source: &str, local_id: &str) -> Result<RegistrationKey, StoreError> {
    let source = SourceId(text(row, source)?.into());
    Ok(RegistrationKey { source, local_id: LocalId(text(row, local_id)?.into()) })
}

fn body(row: &SqliteRow) -> Result<Bytes, StoreError> {
    row.try_get::<Vec<u8>, _>("body").map(Bytes::from).map_err(damaged)
}

fn uuid(row: &SqliteRow, column: &str) -> Result<Uuid, StoreError> {
    text(row, column)?.parse().map_err(|_| StoreError::Damaged(format!("{column} holds no UUID")))
}

fn text(row: &SqliteRow, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(damaged)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn refused(error: sqlx::Error) -> StoreError {
    StoreError::Refused(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn damaged(error: sqlx::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}
