//! Writes each organisation's holding in that organisation's shape. Nothing here decides what is held.

mod ambulance;
mod council;
mod fhir;
mod gp;
mod hospice;
mod hospital;
mod mental_health;
mod prison;
mod table;

use crate::{
    organisations::Shape,
    world::{Holding, World},
};
use std::{io, path::Path};
use table::Table;

/// Name of the database in a source's folder.
pub const DATABASE: &str = "source.sqlite";
/// Name of the folder of bundles in a source's folder.
pub const BUNDLES: &str = "bundles";
/// Name of the folder of extracts in a source's folder.
pub const EXTRACTS: &str = "extracts";

/// Why a source could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk refused.
    #[error("cannot write the made-up sources: {0}")]
    Disk(#[from] io::Error),
    /// The database refused.
    #[error("cannot write a made-up database: {0}")]
    Database(#[from] sqlx::Error),
    /// A fact has no place in the shape of its source.
    #[error("{ods}: a fact of dataset {dataset} has no place in this source's shape")]
    NoPlace {
        /// The source.
        ods: &'static str,
        /// The dataset.
        dataset: String,
    },
}

/// Writes all sources, each into a folder of its own that is named by its ODS code.
///
/// # Errors
/// [`WriteError`] names what could not be written.
pub async fn write_all(world: &World, folder: &Path) -> Result<(), WriteError> {
    for holding in &world.holdings {
        let own = folder.join(holding.organisation.ods);
        std::fs::create_dir_all(&own)?;
        write(holding, &own).await?;
    }
    Ok(())
}

async fn write(holding: &Holding, folder: &Path) -> Result<(), WriteError> {
    let tables = match holding.organisation.shape {
        Shape::GpDatabase => gp::tables(holding)?,
        Shape::HospitalDatabase => hospital::tables(holding)?,
        Shape::CouncilDatabase => council::tables(holding)?,
        Shape::MentalHealthDatabase => mental_health::tables(holding)?,
        Shape::PrisonDatabase => prison::tables(holding)?,
        Shape::FhirBundles => return fhir::write(holding, &folder.join(BUNDLES)),
        Shape::AmbulanceExtracts => return table::write_extracts(&ambulance::tables(holding)?, &folder.join(EXTRACTS)),
        Shape::HospiceExtracts => return table::write_extracts(&hospice::tables(holding)?, &folder.join(EXTRACTS)),
    };
    table::write_database(&tables, &folder.join(DATABASE)).await
}

/// Puts every fact where `place` says, and refuses what has no place, so that nothing that is held goes missing.
fn place_facts(
    holding: &Holding,
    tables: &mut [Table],
    place: fn(&mut [Table], &crate::world::Record, &crate::facts::Fact) -> bool,
) -> Result<(), WriteError> {
    for record in &holding.records {
        for fact in &record.facts {
            if !place(tables, record, fact) {
                let dataset = severn_trust::dataset_word(fact.dataset);
                return Err(WriteError::NoPlace { ods: holding.organisation.ods, dataset });
            }
        }
    }
    Ok(())
}
