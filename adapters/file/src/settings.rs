//! The section `[file]` of an adapter's configuration, and its checks.

use serde::Deserialize;
use severn_adapter_fhir::map::mapped_datasets;
use severn_adapter_sdk::{
    cells::MappingError,
    dates::{DateSettings, Dates},
    mapping::{EntryMapping, EntryPlan, RegistrationMapping, RegistrationPlan},
    source::SourceError,
};
use severn_proto::v1::Dataset;
use severn_trust::{ALL_DATASETS, dataset_from_word};
use std::path::PathBuf;

/// A folder, and what lies in it: `[file.bundles]`, `[file.csv]`, or both.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// The folder. Its own files are read, no folders below it and no symbolic links.
    pub folder: PathBuf,
    /// A file is read once it has not changed for so long: milliseconds. Whoever writes slowly should write under
    /// another name and rename.
    #[serde(default = "default_settle_ms")]
    pub settle_ms: i64,
    /// The folder is looked at for changes at most so often: milliseconds.
    #[serde(default = "default_look_ms")]
    pub look_ms: u64,
    /// Every file `*.json` is a FHIR R4 bundle.
    pub bundles: Option<BundleSettings>,
    /// Extracts with a header line.
    pub csv: Option<CsvSettings>,
}

/// The section `[file.bundles]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleSettings {
    /// Where the local id is an identifier of this system; left out, the local id is the id of the Patient resource.
    pub patient_identifier_system: Option<String>,
    /// The datasets that the bundles hold, by their words (`allergies`); left out, all that FHIR has a place for.
    pub datasets: Option<Vec<String>>,
}

/// The section `[file.csv]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvSettings {
    /// The character between two values; a comma if left out.
    #[serde(default = "default_delimiter")]
    pub delimiter: char,
    /// `utf-8` (the default) or `cp1252`.
    #[serde(default)]
    pub encoding: Encoding,
    /// How dates are written.
    pub dates: DateSettings,
    /// Who is known.
    pub registrations: CsvRegistrationSettings,
    /// What is kept about them, one table for each extract.
    #[serde(default)]
    pub datasets: Vec<CsvDatasetSettings>,
}

/// How an extract writes its characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a mark at its beginning.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows code page 1252.
    #[serde(rename = "cp1252")]
    Cp1252,
}

/// The section `[file.csv.registrations]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvRegistrationSettings {
    /// Name of the extract: one row for each person.
    pub file: String,
    /// Whether the registration is also what the dataset `demographics` holds.
    #[serde(default)]
    pub show_as_demographics: bool,
    /// How a row becomes a registration.
    pub person: RegistrationMapping,
}

/// One `[[file.csv.datasets]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvDatasetSettings {
    /// The dataset: `allergies`, `medications` …
    pub dataset: String,
    /// Name of the extract.
    pub file: String,
    /// Column with the local id of the person whom the row is about.
    pub person: String,
    /// How a row becomes an entry.
    pub entry: EntryMapping,
}

fn default_settle_ms() -> i64 {
    2_000
}

fn default_look_ms() -> u64 {
    1_000
}

fn default_delimiter() -> char {
    ','
}

/// The settings after every check.
pub(crate) struct Plan {
    pub bundles: Option<BundlePlan>,
    pub csv: Option<CsvPlan>,
}

/// How bundles are read.
pub(crate) struct BundlePlan {
    pub identifier_system: Option<String>,
    pub datasets: Vec<Dataset>,
}

/// How extracts are read.
pub(crate) struct CsvPlan {
    pub delimiter: u8,
    pub encoding: Encoding,
    pub people: PeoplePlan,
    pub tables: Vec<TablePlan>,
}

/// The extract of people.
pub(crate) struct PeoplePlan {
    pub file: String,
    pub show_as_demographics: bool,
    pub person: RegistrationPlan,
}

/// An extract of entries.
pub(crate) struct TablePlan {
    pub dataset: Dataset,
    pub file: String,
    pub person: String,
    pub entry: EntryPlan,
}

impl FileSettings {
    /// Checks every setting.
    pub(crate) fn plan(&self) -> Result<Plan, SourceError> {
        if self.bundles.is_none() && self.csv.is_none() {
            return Err(SourceError::Config("file: add [file.bundles] or [file.csv], or both".into()));
        }
        if !(0..=600_000).contains(&self.settle_ms) {
            return Err(SourceError::Config("file.settle_ms must be from 0 to 600000".into()));
        }
        if !(10..=600_000).contains(&self.look_ms) {
            return Err(SourceError::Config("file.look_ms must be from 10 to 600000".into()));
        }
        let bundles = self.bundles.as_ref().map(BundleSettings::plan).transpose()?;
        let csv = self.csv.as_ref().map(CsvSettings::plan).transpose()?;
        Ok(Plan { bundles, csv })
    }
}

impl BundleSettings {
    fn plan(&self) -> Result<BundlePlan, SourceError> {
        let all = mapped_datasets();
        let Some(words) = &self.datasets else {
            return Ok(BundlePlan { identifier_system: self.patient_identifier_system.clone(), datasets: all });
        };
        let mut datasets = Vec::new();
        for word in words {
            let known = dataset_from_word(word).filter(|dataset| all.contains(dataset));
            let problem =
                || SourceError::Config(format!("file.bundles.datasets: {word} is no dataset that FHIR can hold"));
            datasets.push(known.ok_or_else(problem)?);
        }
        Ok(BundlePlan { identifier_system: self.patient_identifier_system.clone(), datasets })
    }
}

impl CsvSettings {
    fn plan(&self) -> Result<CsvPlan, SourceError> {
        let delimiter =
            u8::try_from(self.delimiter).ok().filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n'));
        let delimiter = delimiter
            .ok_or_else(|| SourceError::Config("file.csv.delimiter must be one ASCII character, not a quote".into()))?;
        let dates = Dates::new(&self.dates).map_err(|error| wrong("file.csv.dates", error))?;
        let people = PeoplePlan {
            file: plain_name("file.csv.registrations.file", &self.registrations.file)?,
            show_as_demographics: self.registrations.show_as_demographics,
            person: self
                .registrations
                .person
                .compile(&dates)
                .map_err(|error| wrong("file.csv.registrations", error))?,
        };
        let tables = self.datasets.iter().map(|settings| settings.plan(&dates)).collect::<Result<_, _>>()?;
        Ok(CsvPlan { delimiter, encoding: self.encoding, people, tables })
    }
}

impl CsvDatasetSettings {
    fn plan(&self, dates: &Dates) -> Result<TablePlan, SourceError> {
        let unknown = || SourceError::Config(format!("file.csv.datasets: {} is no dataset", self.dataset));
        let dataset = dataset_from_word(&self.dataset).ok_or_else(unknown)?;
        let key = format!("file.csv.datasets.{}", self.dataset);
        Ok(TablePlan {
            dataset,
            file: plain_name(&format!("{key}.file"), &self.file)?,
            person: self.person.clone(),
            entry: self.entry.compile(dataset, dates).map_err(|error| wrong(&key, error))?,
        })
    }
}

impl Plan {
    /// The datasets that are kept, in the order of a record.
    pub(crate) fn datasets(&self) -> Vec<Dataset> {
        ALL_DATASETS.into_iter().filter(|dataset| self.in_bundles(*dataset) || self.in_tables(*dataset)).collect()
    }

    /// Whether bundles may hold the dataset.
    pub(crate) fn in_bundles(&self, dataset: Dataset) -> bool {
        self.bundles.as_ref().is_some_and(|plan| plan.datasets.contains(&dataset))
    }

    /// Whether an extract holds the dataset.
    pub(crate) fn in_tables(&self, dataset: Dataset) -> bool {
        self.csv.as_ref().is_some_and(|plan| {
            let shown = plan.people.show_as_demographics && dataset == Dataset::Demographics;
            shown || plan.tables.iter().any(|table| table.dataset == dataset)
        })
    }
}

fn wrong(key: &str, error: MappingError) -> SourceError {
    SourceError::Config(error.within(key).to_string())
}

// A name with a folder in it could lead out of the folder.
fn plain_name(key: &str, name: &str) -> Result<String, SourceError> {
    let plain = !name.is_empty() && !name.contains(['/', '\\', ':', '\0']) && name != "." && name != "..";
    if plain {
        return Ok(name.to_owned());
    }
    Err(SourceError::Config(format!("{key} must be the name of a file in file.folder, without a folder before it")))
}
