//! A store in PostgreSQL, for several brokers. Whoever appends moves the one row of `index_head`, on condition that it
//! is where they read it; PostgreSQL lets one at a time do so. The others hear of it by NOTIFY, and look now and then
//! should that fail. Any error gives up the connection, and the next call makes another.
//!
//! **Invariant:** one store holds to one history: if the database is put back to another, everything fails from then on.

use super::{
    Batch, Content, InSequence, Loaded, Mark, PostgresSettings, Store, StoreError, check_forward,
    columns::{
        EVENTS_AFTER, EventRow, FEEDS_AFTER, FIRST_HEAD, FeedRow, HEAD, Head, SCHEMA, SCHEMA_VERSION, UPSERT_FEED,
    },
};
use crate::index::event::{Event, FeedPosition};
use futures::TryStreamExt as _;
use sqlx::{
    Connection as _, Executor as _, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    sync::{Mutex as StdMutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Two brokers that start at once make the tables one after the other.
const LOCK_SCHEMA: &str = "SELECT pg_advisory_xact_lock(7311870021)";

/// All that is read in it is of one moment. Between two readings it may take as long as the reader needs.
const BEGIN_READING: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";

const NEW_HISTORY: &str = "SELECT gen_random_uuid()::text";

const SET_HISTORY: &str = "UPDATE index_head SET history = $1";

/// Moves the head, and tells the others of it once that is durable.
const MOVE_HEAD: &str = "WITH moved AS (UPDATE index_head SET sequence = $1, batch = $2 \
    WHERE sequence = $3 AND batch = $4 AND history = $5 RETURNING batch) \
    SELECT pg_notify('severn_index', batch::text)::text FROM moved";

const INSERT_EVENTS: &str = "INSERT INTO index_events (sequence, at_ms, kind, source_id, local_id, body, enterprise_id, \
    other_source_id, other_local_id, undone, decided_by, reason, idempotency_key, nhs_number, superseded_by) \
    SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], \
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])";

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    options: PgConnectOptions,
    // A tokio mutex: the connection is held across awaits. `None` after an error.
    connection: Mutex<Option<PgConnection>>,
    history: OnceLock<String>,
    /// The last batch that anybody told of.
    told: watch::Receiver<u64>,
    _listening: AbortOnDropHandle<()>,
    // A std mutex: nothing is awaited while it is held.
    looked: StdMutex<Looked>,
    poll: Duration,
    stale: Duration,
    answer: Duration,
}

/// The last attempt to read.
#[derive(Clone, Copy)]
struct Looked {
    at: Instant,
    /// What had been told by then.
    told: u64,
}

impl PostgresStore {
    /// Opens the store, and makes its tables where there are none. `password` is what the password file holds.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if the database cannot be reached, or may lose what it said is durable.
    pub async fn open(settings: &PostgresSettings, password: Option<&str>) -> Result<PostgresStore, StoreError> {
        let options = settings.options(password)?;
        let (tell, told) = watch::channel(0);
        let poll = Duration::from_millis(settings.poll_ms);
        let listening = tokio::spawn(listen(options.clone(), tell, poll));
        let store = PostgresStore {
            options,
            connection: Mutex::new(None),
            history: OnceLock::new(),
            told,
            _listening: AbortOnDropHandle::new(listening),
            looked: StdMutex::new(Looked { at: Instant::now(), told: 0 }),
            poll,
            stale: Duration::from_millis(settings.stale_ms_max),
            answer: Duration::from_millis(settings.answer_ms_max),
        };
        let mut slot = store.connection.lock().await;
        let mut connection = store.begin(&mut slot, "BEGIN").await?;
        store.within(prepare(&mut connection)).await?;
        let head = store.within(head(&mut connection)).await?;
        store.within(async { connection.execute("COMMIT").await.map_err(refused) }).await?;
        head.check_version()?;
        store.check_history(&head)?;
        *slot = Some(connection);
        drop(slot);
        Ok(store)
    }

    /// A connection in a transaction that `begin` begins.
    async fn begin(
        &self,
        slot: &mut MutexGuard<'_, Option<PgConnection>>,
        begin: &'static str,
    ) -> Result<PgConnection, StoreError> {
        if let Some(mut known) = slot.take()
            && let Ok(Ok(_)) = timeout(self.answer, known.execute(begin)).await
        {
            return Ok(known);
        }
        // The first call, or the database was started anew since the last.
        let connect = async { PgConnection::connect_with(&self.options).await.map_err(|e| self.unreachable(&e)) };
        let mut fresh = self.within(connect).await?;
        self.within(async { fresh.execute(begin).await.map_err(refused) }).await?;
        Ok(fresh)
    }

    /// The database's part of the work must end in time; nothing is written if it does not.
    async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        timeout(self.answer, work).await.unwrap_or_else(|_| Err(self.unreachable(&"no answer in time")))
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> StoreError {
        let (host, port) = (self.options.get_host(), self.options.get_port());
        StoreError::Refused(format!("the database at {host}:{port} cannot be used: {error}"))
    }

    fn check_history(&self, head: &Head) -> Result<(), StoreError> {
        match self.history.get_or_init(|| head.history.clone()) == &head.history {
            true => Ok(()),
            false => Err(StoreError::Damaged("its content was replaced; restart the broker".into())),
        }
    }

    fn look(&self) {
        let looked = Looked { at: Instant::now(), told: *self.told.borrow() };
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = looked;
    }

    async fn load_in(
        &self,
        connection: &mut PgConnection,
        after: Mark,
        each: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Loaded, StoreError> {
        let head = self.within(head(connection)).await?;
        let mark = head.mark();
        self.check_history(&head)?;
        check_forward(after, mark)?;
        let mut in_sequence = InSequence::after(after);
        let events = sqlx::query_as::<_, EventRow>(EVENTS_AFTER).bind(after.sequence.cast_signed());
        let mut rows = events.fetch(&mut *connection);
        while let Some(row) = self.within(async { rows.try_next().await.map_err(unreadable) }).await? {
            let event = Event::try_from(row)?;
            in_sequence.take(&event)?;
            each(event);
        }
        drop(rows);
        in_sequence.end(mark)?;
        let feeds = sqlx::query_as::<_, FeedRow>(FEEDS_AFTER).bind(after.batch.cast_signed());
        let feeds = self.within(async { feeds.fetch_all(&mut *connection).await.map_err(unreadable) }).await?;
        let feeds: Result<Vec<FeedPosition>, _> = feeds.into_iter().map(FeedPosition::try_from).collect();
        Ok(Loaded { mark, feeds: feeds? })
    }

    async fn move_head(&self, connection: &mut PgConnection, from: Mark, to: Mark) -> Result<(), StoreError> {
        let moved = sqlx::query_scalar::<_, Option<String>>(MOVE_HEAD)
            .bind(to.sequence.cast_signed())
            .bind(to.batch.cast_signed())
            .bind(from.sequence.cast_signed())
            .bind(from.batch.cast_signed())
            .bind(self.history.get())
            .fetch_optional(connection);
        match self.within(async { moved.await.map_err(refused) }).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Conflict),
        }
    }

    async fn write(&self, connection: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
        self.move_head(connection, batch.after, batch.mark()).await?;
        self.within(async { insert(connection, batch).await.map_err(refused) }).await
    }

    async fn write_anew(&self, connection: &mut PgConnection, content: &mut Content<'_>) -> Result<(), StoreError> {
        for table in ["DELETE FROM index_events", "DELETE FROM index_feeds"] {
            // As long as it takes: many rows go, and nobody waits for this but who asked for it.
            connection.execute(table).await.map_err(refused)?;
        }
        for batch in content {
            self.write(connection, &batch?).await?;
        }
        // Brokers that know the old content must not go on with the new.
        let history: String = sqlx::query_scalar(NEW_HISTORY).fetch_one(&mut *connection).await.map_err(refused)?;
        sqlx::query(SET_HISTORY).bind(history).execute(connection).await.map(drop).map_err(refused)
    }

    /// Ends a change. A connection that failed is dropped, and with it whatever it had begun.
    async fn end(
        &self,
        mut slot: MutexGuard<'_, Option<PgConnection>>,
        mut connection: PgConnection,
        written: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match written {
            Ok(()) => {
                // Up to here an error leaves nothing behind; from here on only the database knows.
                let committed = timeout(self.answer, connection.execute("COMMIT")).await;
                let committed = committed.map_err(|_| StoreError::Unknown("no answer in time".into()))?;
                committed.map_err(|e| StoreError::Unknown(e.to_string()))?;
            }
            Err(StoreError::Conflict) => {
                self.within(async { connection.execute("ROLLBACK").await.map_err(refused) }).await?;
            }
            Err(_) => return written,
        }
        *slot = Some(connection);
        written
    }
}

async fn prepare(connection: &mut PgConnection) -> Result<(), StoreError> {
    let commit: String =
        sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *connection).await.map_err(refused)?;
    if commit == "off" {
        return Err(StoreError::Refused(
            "synchronous_commit is off, so the database may lose what was acknowledged; \
            run ALTER ROLE … SET synchronous_commit = on"
                .into(),
        ));
    }
    connection.execute(LOCK_SCHEMA).await.map_err(refused)?;
    for statement in SCHEMA {
        connection.execute(statement).await.map_err(refused)?;
    }
    let history: String = sqlx::query_scalar(NEW_HISTORY).fetch_one(&mut *connection).await.map_err(refused)?;
    let first = sqlx::query(FIRST_HEAD).bind(SCHEMA_VERSION).bind(history);
    first.execute(connection).await.map(drop).map_err(refused)
}

/// Hears what is appended, for as long as the store is there. Where that fails, brokers look by themselves meanwhile.
async fn listen(options: PgConnectOptions, tell: watch::Sender<u64>, pause: Duration) {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(pause.max(Duration::from_secs(1)));
    let pool = pool.idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
    let mut failed = false;
    loop {
        let heard = hear(&pool, &tell).await;
        let failed_before = std::mem::replace(&mut failed, heard.is_err());
        if let Err(error) = heard
            && !failed_before
        {
            tracing::warn!(%error, "index does not hear of other brokers' changes and looks for them");
        }
        sleep(pause).await;
    }
}

async fn hear(pool: &sqlx::PgPool, tell: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("severn_index").await?;
    while let Some(told) = listener.try_recv().await? {
        tell.send_replace(told.payload().parse().unwrap_or_default());
    }
    Ok(())
}

#[tonic::async_trait]
impl Store for PostgresStore {
    async fn load(&self, after: Mark, each: &mut (dyn FnMut(Event) + Send)) -> Result<Loaded, StoreError> {
        self.look();
        let mut slot = self.connection.lock().await;
        let mut connection = self.begin(&mut slot, BEGIN_READING).await?;
        let loaded = self.load_in(&mut connection, after, each).await?;
        self.within(async { connection.execute("COMMIT").await.map_err(refused) }).await?;
        *slot = Some(connection);
        Ok(loaded)
    }

    async fn append(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut slot = self.connection.lock().await;
        let mut connection = self.begin(&mut slot, "BEGIN").await?;
        let written = self.write(&mut connection, batch).await;
        self.end(slot, connection, written).await
    }

    async fn replace(&self, expected: Mark, content: &mut Content<'_>) -> Result<(), StoreError> {
        let mut slot = self.connection.lock().await;
        let mut connection = self.begin(&mut slot, "BEGIN").await?;
        let mut written = self.move_head(&mut connection, expected, Mark::default()).await;
        if written.is_ok() {
            written = self.write_anew(&mut connection, content).await;
        }
        self.end(slot, connection, written).await
    }

    async fn changed(&self, after: Mark) {
        let mut told = self.told.clone();
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        tokio::select! {
            // What was told and could not be read is looked for when it is time, not at once again.
            Ok(_) = told.wait_for(|batch| *batch > after.batch.max(looked.told)) => (),
            () = sleep_until(looked.at + self.poll) => (),
        }
    }

    fn shared_for(&self) -> Option<Duration> {
        Some(self.stale)
    }
}

async fn head(connection: &mut PgConnection) -> Result<Head, StoreError> {
    sqlx::query_as(HEAD).fetch_one(connection).await.map_err(unreadable)
}

async fn insert(connection: &mut PgConnection, batch: &Batch) -> Result<(), sqlx::Error> {
    if !batch.events.is_empty() {
        insert_events(connection, batch.events.iter().map(EventRow::from).collect()).await?;
    }
    for feed in &batch.feeds {
        let row = FeedRow::from(feed);
        sqlx::query(UPSERT_FEED)
            .bind(row.source_id)
            .bind(row.epoch)
            .bind(row.feed_cursor)
            .bind(row.heard_at_ms)
            .bind(batch.mark().batch.cast_signed())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// All in one statement, column by column: one way to the database and back.
async fn insert_events(connection: &mut PgConnection, rows: Vec<EventRow>) -> Result<(), sqlx::Error> {
    let text = |column: fn(&EventRow) -> &Option<String>| rows.iter().map(|r| column(r).clone()).collect::<Vec<_>>();
    sqlx::query(INSERT_EVENTS)
        .bind(rows.iter().map(|r| r.sequence).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.at_ms).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.kind.clone()).collect::<Vec<_>>())
        .bind(text(|r| &r.source_id))
        .bind(text(|r| &r.local_id))
        .bind(rows.iter().map(|r| r.body.clone()).collect::<Vec<_>>())
        .bind(text(|r| &r.enterprise_id))
        .bind(text(|r| &r.other_source_id))
        .bind(text(|r| &r.other_local_id))
        .bind(text(|r| &r.undone))
        .bind(text(|r| &r.decided_by))
        .bind(text(|r| &r.reason))
        .bind(text(|r| &r.idempotency_key))
        .bind(text(|r| &r.nhs_number))
        .bind(text(|r| &r.superseded_by))
        .execute(connection)
        .await
        .map(drop)
}

/// What the database says; it names tables and settings, and repeats no value.
#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn refused(error: sqlx::Error) -> StoreError {
    StoreError::Refused(error.to_string())
}

/// A row of the wrong shape is damage; everything else may be better the next time.
fn unreadable(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
            StoreError::Damaged(error.to_string())
        }
        _ => refused(error),
    }
}
