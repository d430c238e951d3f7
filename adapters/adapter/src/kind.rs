//! Opens the source that the configuration chooses.

use crate::config::{Config, Kind};
use anyhow::Context as _;
use severn_adapter_fhir::FhirSource;
use severn_adapter_file::FileSource;
use severn_adapter_sdk::{mapping::SourceContext, sensitive::Labelled, source::Source};
use severn_adapter_sql::SqlSource;
use severn_trust::Clock;
use std::sync::Arc;

/// Opens the source of the configured kind; what gives a sensitive condition away is labelled when it is read.
///
/// # Errors
/// What is wrong with the kind's section, or with the source.
pub fn open_source(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Source>> {
    let context = SourceContext {
        source_id: config.source.id.clone(),
        organisation: config.source.name.clone(),
        ods: config.source.ods.clone(),
        system: config.source.system.clone(),
    };
    let missing = || format!("[{}] is missing", config.kind.word());
    let source: Arc<dyn Source> = match config.kind {
        Kind::Sql => Arc::new(SqlSource::open(config.sql.as_ref().with_context(missing)?, context, clock)?),
        Kind::Fhir => Arc::new(FhirSource::open(config.fhir.clone().with_context(missing)?, context, clock)?),
        Kind::File => Arc::new(FileSource::open(config.file.clone().with_context(missing)?, context, clock)?),
    };
    Ok(Labelled::around(source, config.labels.table()?))
}
