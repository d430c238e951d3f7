//! The model that scores, as the index's history holds it: the bytes of its file, and what they say.
//!
//! **Invariant:** what cannot be followed is no [`ScoringModel`], so that a history is never replayed by another model
//! than the one that decided.

use bytes::Bytes;
use severn_linkage::model::{Model, ModelError};
use std::sync::{Arc, LazyLock};

/// Bytes of a model file, at most.
pub const MODEL_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A model and the file it came in.
#[derive(Clone)]
pub struct ScoringModel {
    file: Bytes,
    model: Arc<Model>,
}

static BUILT_IN: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::default_uk()));

impl ScoringModel {
    /// The version of the model that is part of this program.
    pub fn built_in_version() -> &'static str {
        BUILT_IN.version()
    }

    /// The model that is part of this program.
    pub fn built_in() -> ScoringModel {
        ScoringModel { file: Bytes::from_static(Model::DEFAULT_UK_FILE.as_bytes()), model: Arc::clone(&BUILT_IN) }
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// [`ModelError`] says what is wrong with it.
    pub fn read(file: Bytes) -> Result<ScoringModel, ModelError> {
        if file == Model::DEFAULT_UK_FILE.as_bytes() {
            return Ok(ScoringModel::built_in());
        }
        let model = Arc::new(Model::read(&file[..])?);
        Ok(ScoringModel { file, model })
    }

    /// The file's bytes.
    pub fn file(&self) -> &Bytes {
        &self.file
    }

    /// Its name.
    pub fn version(&self) -> &str {
        self.model.version()
    }

    /// What scores.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

#[cfg(test)]
impl ScoringModel {
    /// The built-in model under another name, without the names that it counts.
    pub fn small(version: &str) -> ScoringModel {
        ScoringModel::changed(version, |_| ())
    }

    /// The same, spoilt.
    pub fn changed(version: &str, change: impl FnOnce(&mut severn_linkage::model::ModelFile)) -> ScoringModel {
        let mut file = BUILT_IN.file().clone();
        version.clone_into(&mut file.version);
        for names in [&mut file.frequencies.given, &mut file.frequencies.family] {
            names.common.clear();
        }
        change(&mut file);
        ScoringModel::read(serde_json::to_vec(&file).unwrap().into()).unwrap()
    }
}

impl PartialEq for ScoringModel {
    fn eq(&self, other: &ScoringModel) -> bool {
        Arc::ptr_eq(&self.model, &other.model) || self.file == other.file
    }
}

impl Eq for ScoringModel {}
