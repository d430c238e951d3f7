//! The section `[fhir]` of an adapter's configuration, and its checks.

use serde::Deserialize;
use severn_adapter_sdk::source::SourceError;
use severn_proto::v1::Dataset;
use severn_trust::dataset_from_word;
use std::path::PathBuf;

/// How to reach a FHIR server, and how much of it to read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FhirSettings {
    /// The server's base address, for example `https://fhir.trust.example/r4`.
    pub base_url: String,
    /// `tls` (the default) or `plain`. Plain HTTP is refused without it, except to this machine.
    #[serde(default)]
    pub transport: Transport,
    /// A PEM file of certificate authorities to trust beside the machine's own.
    pub ca_file: Option<PathBuf>,
    /// A file that holds the bearer token, re-read for every request, so that it can be renewed.
    pub bearer_token_file: Option<PathBuf>,
    /// Longest wait for one request: milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Resources asked for in one page.
    #[serde(default = "default_page_size")]
    pub page_size: u32,
    /// Pages read of one resource type for one person. More than these are reported as left out.
    #[serde(default = "default_pages_max")]
    pub pages_max: u32,
    /// Requests under way at the same time.
    #[serde(default = "default_connections_max")]
    pub connections_max: u32,
    /// Where the local id is an identifier of this system; left out, the local id is the id of the Patient resource.
    pub patient_identifier_system: Option<String>,
    /// The datasets to offer, by their words (`allergies`); left out, all that FHIR has a place for.
    pub datasets: Option<Vec<String>>,
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// HTTPS only.
    #[default]
    Tls,
    /// Plain HTTP is allowed.
    Plain,
}

fn default_timeout_ms() -> u64 {
    2_000
}

fn default_page_size() -> u32 {
    100
}

fn default_pages_max() -> u32 {
    20
}

fn default_connections_max() -> u32 {
    16
}

impl FhirSettings {
    /// The base address, ending in `/`, after checking every setting.
    ///
    /// # Errors
    /// [`SourceError::Config`] names the key and says what to write.
    pub fn check(&self) -> Result<reqwest::Url, SourceError> {
        let wrong = |text: String| Err(SourceError::Config(text));
        let limits = [
            ("timeout_ms", self.timeout_ms, 60_000),
            ("page_size", self.page_size.into(), 1_000),
            ("pages_max", self.pages_max.into(), 1_000),
            ("connections_max", self.connections_max.into(), 64),
        ];
        for (key, value, most) in limits {
            if value == 0 || value > most {
                return wrong(format!("fhir.{key} must be from 1 to {most}"));
            }
        }
        self.offered()?;
        if self.patient_identifier_system.as_ref().is_some_and(|system| system.trim().is_empty()) {
            return wrong("fhir.patient_identifier_system must be a URI; leave it out to use the id of Patient".into());
        }
        let Ok(url) = reqwest::Url::parse(&format!("{}/", self.base_url.trim_end_matches('/'))) else {
            return wrong("fhir.base_url must be an address such as https://fhir.trust.example/r4".into());
        };
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return wrong("fhir.base_url must have no user, password, query or fragment".into());
        }
        match (url.scheme(), self.transport) {
            ("https", _) | ("http", Transport::Plain) => Ok(url),
            ("http", Transport::Tls) if is_this_machine(&url) => Ok(url),
            ("http", Transport::Tls) => wrong(
                "fhir.base_url is not encrypted; use https, or set fhir.transport = \"plain\" if the network is trusted".into(),
            ),
            _ => wrong("fhir.base_url must begin with https://".into()),
        }
    }

    /// The datasets to offer.
    ///
    /// # Errors
    /// [`SourceError::Config`] for a word that is no dataset, or one that FHIR has no place for.
    pub fn offered(&self) -> Result<Vec<Dataset>, SourceError> {
        let all = crate::map::mapped_datasets();
        let Some(words) = &self.datasets else {
            return Ok(all);
        };
        let mut wanted = Vec::new();
        for word in words {
            match dataset_from_word(word).filter(|dataset| all.contains(dataset)) {
                Some(dataset) => wanted.push(dataset),
                None => {
                    return Err(SourceError::Config(format!("fhir.datasets: {word} is no dataset that FHIR can hold")));
                }
            }
        }
        Ok(all.into_iter().filter(|dataset| wanted.contains(dataset)).collect())
    }
}

fn is_this_machine(url: &reqwest::Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
