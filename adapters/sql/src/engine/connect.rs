//! Opens the three kinds of database so that nothing can be written and no statement runs for ever.

use super::{Engine, Pools};
use crate::{settings::SqlSettings, statement::Dialect};
use severn_adapter_sdk::source::SourceError;
use sqlx::{
    ConnectOptions, Connection, Executor, Postgres, Sqlite,
    mysql::{MySql, MySqlConnectOptions, MySqlPoolOptions},
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions},
};
use std::{fs, str::FromStr, time::Duration};

/// Which SQL a url's database speaks.
pub(crate) fn dialect_of(url: &str) -> Result<Dialect, SourceError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => Ok(Dialect::Sqlite),
        Some("postgres" | "postgresql") => Ok(Dialect::Postgres),
        Some("mysql" | "mariadb") => Ok(Dialect::Mysql),
        _ => Err(config("url", "must begin with sqlite:, postgres: or mysql:")),
    }
}

impl Engine {
    /// Prepares the connections; none is made before it is needed, so that the adapter may start before its database.
    pub(crate) fn open(settings: &SqlSettings) -> Result<Engine, SourceError> {
        let dialect = dialect_of(&settings.url)?;
        refuse_password(&settings.url)?;
        let password = settings.password_file.as_deref().map(|path| {
            let text = fs::read_to_string(path).map_err(|e| config("password_file", &e.kind().to_string()))?;
            Ok(text.lines().next().unwrap_or_default().to_owned())
        });
        let password = password.transpose()?;
        match dialect {
            Dialect::Sqlite => open_sqlite(settings),
            Dialect::Postgres => open_postgres(settings, password.as_deref()),
            Dialect::Mysql => open_mysql(settings, password.as_deref()),
        }
    }
}

fn refuse_password(url: &str) -> Result<(), SourceError> {
    let after = url.split_once("://").map(|(_, after)| after).unwrap_or_default();
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let login = authority.rsplit_once('@').map(|(login, _)| login).unwrap_or_default();
    if login.contains(':') || url.contains("password=") {
        return Err(config("url", "must not contain a password; put it into a file and name that in password_file"));
    }
    Ok(())
}

fn open_sqlite(settings: &SqlSettings) -> Result<Engine, SourceError> {
    let options = SqliteConnectOptions::from_str(&settings.url).map_err(|_| not_accepted())?;
    let options = options.read_only(true).create_if_missing(false).disable_statement_logging();
    let pool = |timeout: Duration, connections: u32| {
        let pool = limits::<Sqlite>(SqlitePoolOptions::new(), settings, connections);
        let pool = pool.after_connect(move |connection, _| Box::pin(stop_after(connection, timeout)));
        let pool = pool.before_acquire(move |connection, _| {
            Box::pin(async move {
                stop_after(connection, timeout).await?;
                Ok(true)
            })
        });
        pool.connect_lazy_with(options.clone())
    };
    let (asks, bulk) = timeouts(settings);
    Ok(Engine::Sqlite(Pools { asks: pool(asks, settings.connections_max), bulk: pool(bulk, 1) }))
}

/// SQLite has no timeout of its own: a handler that it calls as it works ends what is running when the time is over.
async fn stop_after(connection: &mut SqliteConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(10_000, move || tokio::time::Instant::now() < deadline);
    Ok(())
}

fn open_postgres(settings: &SqlSettings, password: Option<&str>) -> Result<Engine, SourceError> {
    let mut options = PgConnectOptions::from_str(&settings.url).map_err(|_| not_accepted())?;
    options = options.application_name("severn-adapter").disable_statement_logging();
    if let Some(password) = password {
        options = options.password(password);
    }
    let pool = |timeout: Duration, connections: u32| {
        let milliseconds = timeout.as_millis().to_string();
        let pool = limits::<Postgres>(PgPoolOptions::new(), settings, connections);
        let pool = pool.after_connect(move |connection, _| {
            let milliseconds = milliseconds.clone();
            Box::pin(async move {
                connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").await?;
                let set = sqlx::query("SELECT set_config('statement_timeout', $1, false)").bind(milliseconds);
                set.execute(connection).await?;
                Ok(())
            })
        });
        pool.connect_lazy_with(options.clone())
    };
    let (asks, bulk) = timeouts(settings);
    Ok(Engine::Postgres(Pools { asks: pool(asks, settings.connections_max), bulk: pool(bulk, 1) }))
}

fn open_mysql(settings: &SqlSettings, password: Option<&str>) -> Result<Engine, SourceError> {
    let url = settings.url.replacen("mariadb:", "mysql:", 1);
    let mut options = MySqlConnectOptions::from_str(&url).map_err(|_| not_accepted())?;
    options = options.disable_statement_logging();
    if let Some(password) = password {
        options = options.password(password);
    }
    let pool = |timeout: Duration, connections: u32| {
        let pool = limits::<MySql>(MySqlPoolOptions::new(), settings, connections);
        let pool = pool.after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute("SET SESSION TRANSACTION READ ONLY").await?;
                let mariadb = sqlx::query("SET SESSION max_statement_time = ?").bind(timeout.as_secs_f64());
                if mariadb.execute(&mut *connection).await.is_err() {
                    // MySQL has another name and another unit for it.
                    let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                    let mysql = sqlx::query("SET SESSION max_execution_time = ?").bind(milliseconds);
                    mysql.execute(&mut *connection).await?;
                }
                connection.ping().await
            })
        });
        pool.connect_lazy_with(options.clone())
    };
    let (asks, bulk) = timeouts(settings);
    Ok(Engine::Mysql(Pools { asks: pool(asks, settings.connections_max), bulk: pool(bulk, 1) }))
}

fn limits<DB: sqlx::Database>(pool: PoolOptions<DB>, settings: &SqlSettings, connections: u32) -> PoolOptions<DB> {
    let pool = pool.min_connections(0).max_connections(connections);
    pool.acquire_timeout(Duration::from_millis(settings.connect_timeout_ms)).idle_timeout(Duration::from_secs(300))
}

fn timeouts(settings: &SqlSettings) -> (Duration, Duration) {
    (Duration::from_millis(settings.statement_timeout_ms), Duration::from_millis(settings.registrations_timeout_ms))
}

fn not_accepted() -> SourceError {
    config("url", "the driver does not accept it; write postgres://login@host:5432/database or the like")
}

fn config(key: &str, problem: &str) -> SourceError {
    SourceError::Config(format!("sql.{key}: {problem}"))
}
