//! A database as a source.

use crate::{
    check,
    dataset::MappedDataset,
    engine::{Bind, Engine, Lane, Statement},
    settings::{IdType, SqlSettings},
    statement::{Parameter, Query},
};
use futures::{StreamExt, stream, stream::BoxStream};
use severn_adapter_sdk::{
    cells::MappingError,
    dates::Dates,
    mapping::{ReadAt, RegistrationPlan, RowError, SourceContext, demographics_entry},
    source::{Document, Finding, Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, Registration};
use severn_trust::{ALL_DATASETS, Clock, dataset_word};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// A SQLite, PostgreSQL or MariaDB/MySQL database.
pub struct SqlSource {
    pub(crate) engine: Engine,
    pub(crate) context: SourceContext,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registrations: MappedRegistrations,
    pub(crate) datasets: Vec<MappedDataset>,
    pub(crate) local_id_type: IdType,
    connections_max: usize,
    // For what has no budget of its caller: one connection and one statement.
    one_statement: Duration,
}

pub(crate) struct MappedRegistrations {
    pub(crate) all: Arc<Statement>,
    pub(crate) one: Arc<Statement>,
    pub(crate) plan: Arc<RegistrationPlan>,
    show_as_demographics: bool,
}

impl SqlSource {
    /// Checks the configuration and prepares the connections. None is made yet, so that an adapter may start before its
    /// database. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SourceError::Config`] with the key and what to write instead.
    pub fn open(
        settings: &SqlSettings,
        context: SourceContext,
        clock: Arc<dyn Clock>,
    ) -> Result<SqlSource, SourceError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(SourceError::Config("sql: must be opened within a tokio runtime".into()));
        }
        check_limits(settings)?;
        let engine = Engine::open(settings)?;
        let config = |error: MappingError| SourceError::Config(error.to_string());
        let dates = Dates::new(&settings.dates).map_err(|error| config(error.within("sql")))?;
        let registrations = MappedRegistrations::compile(settings, &engine, &dates).map_err(config)?;
        let mut datasets: Vec<MappedDataset> = Vec::new();
        for own in &settings.datasets {
            let mapped = MappedDataset::compile(own, settings, engine.dialect(), &dates).map_err(config)?;
            let taken = mapped.dataset == Dataset::Demographics && registrations.show_as_demographics;
            if taken || datasets.iter().any(|other| other.dataset == mapped.dataset) {
                let problem = "is there twice; combine the queries with UNION ALL, with ids that differ";
                return Err(SourceError::Config(format!("sql.datasets.{}: {problem}", own.dataset)));
            }
            datasets.push(mapped);
        }
        Ok(SqlSource {
            engine,
            context,
            clock,
            registrations,
            datasets,
            local_id_type: settings.local_id_type,
            connections_max: usize::try_from(settings.connections_max).unwrap_or(1),
            one_statement: Duration::from_millis(
                settings.connect_timeout_ms.saturating_add(settings.statement_timeout_ms),
            ),
        })
    }

    /// The value to bind for a local id; `None` if no row can have it.
    pub(crate) fn bind_local_id(&self, local_id: &str) -> Option<Bind> {
        bind(local_id, self.local_id_type)
    }

    pub(crate) fn read_at(&self) -> ReadAt<'_> {
        ReadAt { context: &self.context, retrieved_at_ms: self.clock.now_ms() }
    }

    pub(crate) fn holds_demographics(&self) -> bool {
        self.registrations.show_as_demographics
    }

    async fn find(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        let Some(bind) = self.bind_local_id(local_id) else { return Ok(None) };
        let one = &self.registrations.one;
        let mut rows = self.engine.rows(one, &BTreeMap::from([(Parameter::LocalId, bind)]));
        let mut found = None;
        while let Some(row) = rows.next().await.transpose()? {
            // A database may compare more loosely than letter by letter; another spelling is another person.
            if self.registrations.plan.local_id(&row) != Some(local_id.trim()) {
                continue;
            }
            if found.is_some() {
                let problem = format!("{}: the query gave more than one row for one local id", one.name);
                return Err(SourceError::Mapping(problem));
            }
            let registration = self.registrations.plan.map_row(&row, &self.context);
            found = Some(registration.map_err(|error| unreadable(&one.name, error))?);
        }
        Ok(found)
    }

    async fn read_one(&self, local_id: &str, dataset: Dataset) -> Result<Reading, SourceError> {
        if dataset == Dataset::Demographics && self.registrations.show_as_demographics {
            let registration = self.find(local_id).await?;
            let entry = registration.and_then(|registration| demographics_entry(&registration, &self.read_at()));
            return Ok(Reading { dataset, entries: entry.into_iter().collect(), ..Default::default() });
        }
        let Some(mapped) = self.datasets.iter().find(|mapped| mapped.dataset == dataset) else {
            return Ok(Reading { dataset, not_held: true, ..Default::default() });
        };
        match self.bind_local_id(local_id) {
            Some(bind) => mapped.read(&self.engine, (local_id, bind), self.read_at()).await,
            None => Ok(Reading { dataset, ..Default::default() }),
        }
    }
}

#[tonic::async_trait]
impl Source for SqlSource {
    fn datasets(&self) -> Vec<Dataset> {
        let held = |dataset: &Dataset| {
            let from_registration = *dataset == Dataset::Demographics && self.registrations.show_as_demographics;
            from_registration || self.datasets.iter().any(|mapped| mapped.dataset == *dataset)
        };
        ALL_DATASETS.into_iter().filter(held).collect()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        let mut rows = self.engine.rows(&self.registrations.all, &BTreeMap::new());
        // The first row is awaited here, so that a database that is not there is an error of the call.
        let first = rows.next().await.transpose()?;
        let (plan, context) = (self.registrations.plan.clone(), self.context.clone());
        let name = self.registrations.all.name.clone();
        let rows = stream::iter(first.map(Ok)).chain(rows.into_stream());
        let registrations = rows.map(move |row| {
            // Later items are of the kind Mapping only where a row costs itself: a query that broke off, for whatever
            // reason, must not look like one bad row followed by nobody.
            let row = row.map_err(|error| SourceError::Unreachable(format!("the reading broke off: {error}")))?;
            let registration = plan.map_row(&row, &context);
            registration.map_err(|error| unreadable(&name, error))
        });
        Ok(registrations.boxed())
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        let found = tokio::time::timeout(self.one_statement, self.find(local_id)).await;
        found.unwrap_or(Err(SourceError::Timeout))
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError> {
        let deadline = Instant::now() + budget;
        let reads = datasets.iter().copied().map(|dataset| async move {
            let reading = timeout_at(deadline, self.read_one(local_id, dataset)).await;
            (dataset, reading.unwrap_or(Err(SourceError::Timeout)))
        });
        // No more at a time than there are connections, so that none waits for one behind its back.
        let results: Vec<_> = stream::iter(reads).buffered(self.connections_max).collect().await;
        gather(results)
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        let Some(mapped) = self.datasets.iter().find_map(|mapped| mapped.document.as_ref()) else { return Ok(None) };
        let (bound, entry) = (self.bind_local_id(local_id), bind(entry_id, mapped.entry_id_type));
        let (Some(bound), Some(entry)) = (bound, entry) else { return Ok(None) };
        let read = mapped.read(&self.engine, (local_id, bound), entry);
        let document = tokio::time::timeout(self.one_statement, read).await;
        document.unwrap_or(Err(SourceError::Timeout))
    }

    async fn check(&self) -> Vec<Finding> {
        check::check(self).await
    }
}

impl MappedRegistrations {
    fn compile(settings: &SqlSettings, engine: &Engine, dates: &Dates) -> Result<MappedRegistrations, MappingError> {
        let own = &settings.registrations;
        let plan = own.person.compile(dates).map_err(|error| error.within("sql.registrations"))?;
        let columns: Vec<String> = plan.columns().into_iter().map(str::to_owned).collect();
        let statement = |key: &str, text: &str, needs: &[Parameter]| {
            let name = format!("sql.registrations.{key}");
            let query = Query::parse(engine.dialect(), text, needs);
            let query = query.map_err(|problem| MappingError::new(&name, problem))?;
            Ok::<_, MappingError>(Statement::new(name, query, columns.clone()))
        };
        let mut all = statement("all", &own.all, &[])?;
        all.lane = Lane::Bulk;
        let mut one = statement("one", &own.one, &[Parameter::LocalId])?;
        one.rows_max = 100;
        let show_as_demographics = own.show_as_demographics;
        Ok(MappedRegistrations { all: Arc::new(all), one: Arc::new(one), plan: Arc::new(plan), show_as_demographics })
    }
}

fn check_limits(settings: &SqlSettings) -> Result<(), SourceError> {
    let limits = [
        ("connections_max", u64::from(settings.connections_max)),
        ("connect_timeout_ms", settings.connect_timeout_ms),
        ("statement_timeout_ms", settings.statement_timeout_ms),
        ("registrations_timeout_ms", settings.registrations_timeout_ms),
        ("rows_max", u64::from(settings.rows_max)),
        ("document_bytes_max", settings.document_bytes_max),
    ];
    match limits.into_iter().find(|(_, value)| *value == 0) {
        Some((key, _)) => Err(SourceError::Config(format!("sql.{key}: must be 1 or more"))),
        None => Ok(()),
    }
}

fn bind(id: &str, id_type: IdType) -> Option<Bind> {
    match id_type {
        IdType::Text => Some(Bind::Text(id.to_owned())).filter(|_| !id.is_empty() && !id.contains('\0')),
        // Only as the database itself would write it: "007" and "7 or 1" are nobody's number.
        IdType::Integer => id.parse::<i64>().ok().filter(|number| number.to_string() == id).map(Bind::Integer),
    }
}

fn unreadable(name: &str, error: RowError) -> SourceError {
    SourceError::Mapping(format!("{name}: {error}"))
}

/// One failed dataset costs only itself; where none could be read for one common reason, the source could not.
fn gather(results: Vec<(Dataset, Result<Reading, SourceError>)>) -> Result<Vec<Reading>, SourceError> {
    let tried = results.iter().filter(|(_, result)| !matches!(result, Ok(reading) if reading.not_held));
    let errors: Vec<Option<&SourceError>> = tried.map(|(_, result)| result.as_ref().err()).collect();
    let whole = |error: &&SourceError| matches!(error, SourceError::Unreachable(_) | SourceError::Timeout);
    if let Some(first) = errors.first().copied().flatten().filter(whole)
        && errors.iter().all(|error| error.as_ref().is_some_and(whole))
    {
        return Err(first.clone());
    }
    let reading = |(dataset, result): (Dataset, Result<Reading, SourceError>)| {
        result.unwrap_or_else(|error| {
            warn!(dataset = dataset_word(dataset), %error, "dataset could not be read");
            Reading { dataset, failed: true, ..Default::default() }
        })
    };
    Ok(results.into_iter().map(reading).collect())
}
