//! A store in one SQLite file: write-ahead log, fsync on every commit, one broker at a time. Others may read it meanwhile,
//! which is how a running broker is backed up.

use super::{
    Batch, Content, Counts, InSequence, Loaded, Mark, Store, StoreError, check_forward,
    columns::{EVENT, EVENTS_AFTER, EventRow, FEEDS_AFTER, FIRST_HEAD, FeedRow, HEAD, Head, SCHEMA, SCHEMA_VERSION},
};
use crate::index::event::{Event, FeedPosition};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{
    AssertSqlSafe, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{fs::File, io, path::Path, time::Duration};
use tokio::{fs, sync::Mutex};

const MOVE_HEAD: &str = "UPDATE index_head SET sequence = $1, batch = $2 WHERE sequence = $3 AND batch = $4";

/// A whole batch in one way to SQLite's thread and back, the rows as JSON arrays; a transaction of its own, unless it is
/// within one. A head that is not where the batch begins has no place to move to, which its column refuses.
const APPEND: &str = "SAVEPOINT batch; \
    UPDATE index_head SET sequence = CASE WHEN sequence = $3 AND batch = $4 THEN $1 END, batch = $2; \
    INSERT INTO index_events (sequence, at_ms, kind, source_id, local_id, body, enterprise_id, \
    other_source_id, other_local_id, undone, decided_by, reason, idempotency_key, nhs_number, superseded_by, \
    until_ms, decided) \
    SELECT value->>'sequence', value->>'at_ms', value->>'kind', value->>'source_id', value->>'local_id', \
    unhex(value->>'body'), value->>'enterprise_id', value->>'other_source_id', value->>'other_local_id', \
    value->>'undone', value->>'decided_by', value->>'reason', value->>'idempotency_key', \
    value->>'nhs_number', value->>'superseded_by', value->>'until_ms', value->>'decided' \
    FROM json_each($5); \
    INSERT INTO index_feeds (source_id, epoch, feed_cursor, heard_at_ms, batch) \
    SELECT value->>'source_id', value->>'epoch', value->>'feed_cursor', value->>'heard_at_ms', $2 \
    FROM json_each($6) WHERE true \
    ON CONFLICT (source_id) DO UPDATE SET epoch = excluded.epoch, feed_cursor = excluded.feed_cursor, \
    heard_at_ms = excluded.heard_at_ms, batch = excluded.batch; \
    RELEASE batch";

/// SQLite's SQLITE_CONSTRAINT_NOTNULL.
const NO_VALUE: &str = "1299";

/// How long to wait for another process that has the file for a moment.
const BUSY: Duration = Duration::from_secs(5);

/// Where a restore prepares the new file; there only while one runs.
const RESTORING: &str = "index.restoring";

/// What SQLite keeps beside `index.sqlite`, by the end of the name.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

/// A store in the file `index.sqlite` of a folder.
pub struct SqliteStore {
    // A tokio mutex: the connection is held across awaits. One connection, because the index calls one after the other.
    connection: Mutex<SqliteConnection>,
    // Two brokers on one file would each believe in their own history. The system lets go of it when the process ends.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the store in `folder` for the one broker that may write; makes folder and file where there are none, the
    /// file readable by its owner only.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it cannot be opened, another process has it, or a restore was cut off.
    pub async fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
        let lock = lock(folder).await?;
        if fs::try_exists(folder.join(RESTORING)).await.map_err(|e| at(folder, &e))? {
            return Err(StoreError::Refused(format!("{}: a restore was cut off; run it again", folder.display())));
        }
        SqliteStore::open_locked(folder, lock).await
    }

    async fn open_locked(folder: &Path, lock: File) -> Result<SqliteStore, StoreError> {
        let file = folder.join("index.sqlite");
        private(&file).await.map_err(|e| at(&file, &e))?;
        let options = SqliteConnectOptions::new()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let mut connection = connect(options, &file).await?;
        for statement in SCHEMA {
            // What is SQLite's own key of a row needs no index beside.
            let statement = statement.replace("BIGINT NOT NULL PRIMARY KEY", "INTEGER PRIMARY KEY");
            sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(|e| at(&file, &e))?;
        }
        let first = sqlx::query(FIRST_HEAD).bind(SCHEMA_VERSION).bind("");
        first.execute(&mut connection).await.map_err(|e| at(&file, &e))?;
        head(&mut connection).await?.check_version()?;
        Ok(SqliteStore { connection: Mutex::new(connection), _lock: Some(lock) })
    }

    /// Opens the store in `folder` to read it, beside the broker that writes.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is none.
    pub async fn open_to_read(folder: &Path) -> Result<SqliteStore, StoreError> {
        let file = folder.join("index.sqlite");
        SqliteStore::read(SqliteConnectOptions::new().busy_timeout(BUSY), &file).await
    }

    /// Opens a backup to read it; the file is not touched, and checked as SQLite checks files.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if it is not there, [`StoreError::Damaged`] if a page of it is.
    pub async fn open_backup(file: &Path) -> Result<SqliteStore, StoreError> {
        let store = SqliteStore::read(SqliteConnectOptions::new().read_only(true).immutable(true), file).await?;
        let mut connection = store.connection.lock().await;
        let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check").fetch_one(&mut *connection).await;
        drop(connection);
        match check.map_err(damaged)?.as_str() {
            "ok" => Ok(store),
            said => Err(StoreError::Damaged(format!("{}: {said}", file.display()))),
        }
    }

    async fn read(options: SqliteConnectOptions, file: &Path) -> Result<SqliteStore, StoreError> {
        let mut connection = connect(options.create_if_missing(false), file).await?;
        head(&mut connection).await.map_err(|e| at(file, &e))?.check_version()?;
        Ok(SqliteStore { connection: Mutex::new(connection), _lock: None })
    }

    /// Writes the store as it is at this moment into the new file `to`, while the broker goes on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] as SQLite gives it.
    pub async fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let written = sqlx::query("VACUUM INTO $1").bind(to.to_string_lossy()).execute(&mut *connection).await;
        written.map(drop).map_err(|e| at(to, &e))
    }

    /// Puts the backup `from` in the place of what `folder` holds, however damaged that is, and says what is in it. The
    /// copy is checked from end to end before anything is replaced; the old file is kept as `index.sqlite.replaced`.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if a broker has the store, [`StoreError::Damaged`] if the backup is; nothing is replaced
    /// then.
    pub async fn restore(folder: &Path, from: &Path) -> Result<Counts, StoreError> {
        let _lock = lock(folder).await?;
        let aside = folder.join(RESTORING);
        // Left by a restore that was cut off.
        if fs::try_exists(&aside).await.map_err(|e| at(&aside, &e))? {
            fs::remove_dir_all(&aside).await.map_err(|e| at(&aside, &e))?;
        }
        fs::create_dir(&aside).await.map_err(|e| at(&aside, &e))?;
        let copy = aside.join("index.sqlite");
        let restored = copy_checked(from, &copy).await;
        if restored.is_ok() {
            exchange(folder, &copy).await.map_err(|e| at(folder, &e))?;
        }
        fs::remove_dir_all(&aside).await.map_err(|e| at(&aside, &e))?;
        restored
    }

    /// Reads everything, and says what there is.
    ///
    /// # Errors
    /// As [`Store::load`].
    pub async fn count(&self) -> Result<Counts, StoreError> {
        let loaded = self.load(Mark::default(), &mut |_| ()).await?;
        Ok(Counts { events: loaded.mark.sequence, feeds: loaded.feeds.len() as u64 })
    }

    /// Gives the file back, once everything is written.
    ///
    /// # Errors
    /// [`StoreError::Refused`] as SQLite gives it.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection.into_inner().close().await.map_err(refused)
    }
}

async fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = folder.join("index.lock");
    fs::create_dir_all(folder).await.map_err(|e| at(folder, &e))?;
    let lock = private(&file).await.map_err(|e| at(&file, &e))?;
    let taken = lock.try_lock();
    let hint = "another process has the index; stop that one first";
    taken.map_err(|e| StoreError::Refused(format!("{}: {hint} ({e})", file.display())))?;
    Ok(lock)
}

/// SQLite gives the files beside it the rights of the first, which holds everybody's demographics.
async fn private(file: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    options.mode(0o600);
    Ok(options.open(file).await?.into_std().await)
}

async fn connect(options: SqliteConnectOptions, file: &Path) -> Result<SqliteConnection, StoreError> {
    SqliteConnection::connect_with(&options.filename(file)).await.map_err(|e| at(file, &e))
}

async fn copy_checked(from: &Path, copy: &Path) -> Result<Counts, StoreError> {
    let mut source = fs::File::open(from).await.map_err(|e| at(from, &e))?;
    let mut target = fs::File::from_std(private(copy).await.map_err(|e| at(copy, &e))?);
    tokio::io::copy(&mut source, &mut target).await.map_err(|e| at(copy, &e))?;
    target.sync_all().await.map_err(|e| at(copy, &e))?;
    SqliteStore::open_backup(copy).await?.count().await
}

/// Puts `new` in the place of the store in `folder`. Should it be cut off, the folder that `new` came from is still there,
/// and no broker opens the store until a restore has ended.
async fn exchange(folder: &Path, new: &Path) -> io::Result<()> {
    for end in FILES {
        let file = folder.join(format!("index.sqlite{end}"));
        if fs::try_exists(&file).await? {
            fs::rename(&file, folder.join(format!("index.sqlite.replaced{end}"))).await?;
        }
    }
    fs::rename(new, folder.join("index.sqlite")).await?;
    File::open(folder)?.sync_all()
}

#[tonic::async_trait]
impl Store for SqliteStore {
    async fn load(&self, after: Mark, each: &mut (dyn FnMut(Event) + Send)) -> Result<Loaded, StoreError> {
        let mut connection = self.connection.lock().await;
        // One transaction: all of it is of one moment, though another process may write.
        let mut transaction = connection.begin().await.map_err(refused)?;
        let mark = head(&mut transaction).await?.mark();
        check_forward(after, mark)?;
        let mut in_sequence = InSequence::after(after);
        let events = sqlx::query_as::<_, EventRow>(EVENTS_AFTER).bind(after.sequence.cast_signed());
        let mut rows = events.fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await.map_err(damaged)? {
            let event = Event::try_from(row)?;
            in_sequence.take(&event)?;
            each(event);
        }
        drop(rows);
        in_sequence.end(mark)?;
        let feeds = sqlx::query_as::<_, FeedRow>(FEEDS_AFTER).bind(after.batch.cast_signed());
        let feeds = feeds.fetch_all(&mut *transaction).await.map_err(damaged)?;
        let feeds: Result<Vec<FeedPosition>, _> = feeds.into_iter().map(FeedPosition::try_from).collect();
        transaction.rollback().await.map_err(refused)?;
        Ok(Loaded { mark, feeds: feeds? })
    }

    async fn read(&self, sequences: &[u64]) -> Result<Vec<Event>, StoreError> {
        let mut connection = self.connection.lock().await;
        let mut events = Vec::with_capacity(sequences.len());
        for sequence in sequences {
            let row = sqlx::query_as::<_, EventRow>(EVENT).bind(sequence.cast_signed());
            events.extend(row.fetch_optional(&mut *connection).await.map_err(damaged)?.map(Event::try_from));
        }
        events.into_iter().collect()
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let rows = Rows::of(batch)?;
        let mut connection = self.connection.lock().await;
        let Err(error) = insert(&mut connection, batch, rows).await else { return Ok(()) };
        // What can still be taken back was not stored; otherwise only the disk knows.
        let taken_back = sqlx::query("ROLLBACK").execute(&mut *connection).await.is_ok();
        let code = error.as_database_error().and_then(|error| error.code());
        match taken_back {
            true if code.as_deref() == Some(NO_VALUE) => Err(StoreError::Conflict),
            true => Err(refused(error)),
            false => Err(unknown(error)),
        }
    }

    async fn replace(&self, expected: Mark, content: &mut Content<'_>) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await.map_err(refused)?;
        move_head(&mut transaction, expected, Mark::default()).await?;
        for table in ["DELETE FROM index_events", "DELETE FROM index_feeds"] {
            sqlx::query(table).execute(&mut *transaction).await.map_err(refused)?;
        }
        for batch in content {
            let batch = batch?;
            let rows = Rows::of(&batch)?;
            insert(&mut transaction, &batch, rows).await.map_err(refused)?;
        }
        transaction.commit().await.map_err(unknown)
    }

    async fn changed(&self, _: Mark) {
        // The file is locked: nobody else writes.
        std::future::pending::<()>().await;
    }

    fn shared_for(&self) -> Option<Duration> {
        None
    }
}

async fn head(connection: &mut SqliteConnection) -> Result<Head, StoreError> {
    sqlx::query_as(HEAD).fetch_one(connection).await.map_err(damaged)
}

async fn move_head(connection: &mut SqliteConnection, from: Mark, to: Mark) -> Result<(), StoreError> {
    let moved = sqlx::query(MOVE_HEAD)
        .bind(to.sequence.cast_signed())
        .bind(to.batch.cast_signed())
        .bind(from.sequence.cast_signed())
        .bind(from.batch.cast_signed())
        .execute(connection)
        .await;
    match moved.map_err(refused)?.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::Conflict),
    }
}

async fn insert(connection: &mut SqliteConnection, batch: &Batch, rows: Rows) -> Result<(), sqlx::Error> {
    let (from, to) = (batch.after, batch.mark());
    sqlx::query(APPEND)
        .bind(to.sequence.cast_signed())
        .bind(to.batch.cast_signed())
        .bind(from.sequence.cast_signed())
        .bind(from.batch.cast_signed())
        .bind(rows.events)
        .bind(rows.feeds)
        .execute(connection)
        .await
        .map(drop)
}

/// A batch as JSON arrays.
struct Rows {
    events: String,
    feeds: String,
}

impl Rows {
    fn of(batch: &Batch) -> Result<Rows, StoreError> {
        let (events, feeds) = (batch.events.iter().map(EventRow::from), batch.feeds.iter().map(FeedRow::from));
        Ok(Rows { events: json(events)?, feeds: json(feeds)? })
    }
}

fn json(rows: impl Iterator<Item = impl Serialize>) -> Result<String, StoreError> {
    serde_json::to_string(&rows.collect::<Vec<_>>()).map_err(|e| StoreError::Refused(e.to_string()))
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Refused(format!("{}: {error}", path.display()))
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn refused(error: sqlx::Error) -> StoreError {
    StoreError::Refused(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn unknown(error: sqlx::Error) -> StoreError {
    StoreError::Unknown(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn damaged(error: sqlx::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}
