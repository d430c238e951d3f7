//! One FHIR server over HTTP: requests with limits, searches page by page. Nothing is mapped here, and nothing that
//! identifies a person gets into an error.

use crate::{
    map::bundle::{Broken, Bundle, DOCUMENT_BYTES_MAX, Resource, read_bundle},
    settings::FhirSettings,
};
use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, RequestBuilder, StatusCode, Url,
    header::{ACCEPT, CONTENT_TYPE},
};
use severn_adapter_sdk::source::SourceError;
use std::{collections::BTreeSet, path::PathBuf, time::Duration};
use tokio::sync::Semaphore;

/// Largest answer to one search, in bytes.
const PAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

const FHIR_JSON: &str = "application/fhir+json";

/// A server.
pub(crate) struct Rest {
    client: Client,
    base: Url,
    token_file: Option<PathBuf>,
    permits: Semaphore,
    page_size: u32,
    pages_max: u32,
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RestError {
    /// No connection, or it broke.
    Unreachable(String),
    /// It took too long.
    Timeout,
    /// 404 or 410.
    NotFound,
    /// The server does not do this.
    NotSupported,
    /// Any other refusal, with its status.
    Refused(u16),
    /// The answer is not what it should be.
    Invalid(&'static str),
}

impl From<RestError> for SourceError {
    fn from(error: RestError) -> SourceError {
        match error {
            RestError::Unreachable(why) => SourceError::Unreachable(why),
            RestError::Timeout => SourceError::Timeout,
            RestError::NotFound => SourceError::Mapping("the server knows no such resource".into()),
            RestError::NotSupported => SourceError::Mapping("the server does not support this request".into()),
            RestError::Refused(401 | 403) => {
                SourceError::Config("the server refuses our token; check fhir.bearer_token_file and its rights".into())
            }
            RestError::Refused(status) => SourceError::Unreachable(format!("the server answered with status {status}")),
            RestError::Invalid(what) => SourceError::Mapping(what.into()),
        }
    }
}

/// All that a search brought.
#[derive(Default)]
pub(crate) struct Found {
    pub resources: Vec<Resource>,
    pub broken: Vec<Broken>,
    /// There are more pages than may be read.
    pub over_limit: bool,
    /// The server says that it left something out.
    pub incomplete: bool,
}

/// What a server says it can do.
pub(crate) struct Capabilities {
    /// `4.0.1` ...
    pub fhir_version: String,
    /// The resource types it keeps.
    pub kinds: BTreeSet<String>,
}

/// Bytes with their media type.
pub(crate) struct Body {
    pub media_type: String,
    pub bytes: Bytes,
}

impl Rest {
    /// A client by the settings, which are checked.
    pub(crate) fn open(settings: &FhirSettings) -> Result<Rest, SourceError> {
        let base = settings.check()?;
        let mut builder = Client::builder()
            // An address that an answer names is followed only by this program's own rules; and the source is beside
            // the adapter, not behind a proxy that an environment variable names.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_millis(settings.timeout_ms))
            .pool_max_idle_per_host(settings.connections_max as usize)
            .user_agent(concat!("severn-adapter/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &settings.ca_file {
            let unusable = || SourceError::Config("fhir.ca_file cannot be read as PEM certificates".into());
            let pem = std::fs::read(path).map_err(|_| unusable())?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unusable())?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|_| SourceError::Config("the HTTP client cannot be set up".into()))?;
        Ok(Rest {
            client,
            base,
            token_file: settings.bearer_token_file.clone(),
            permits: Semaphore::new(settings.connections_max as usize),
            page_size: settings.page_size,
            pages_max: settings.pages_max,
        })
    }

    /// The base address, ending in `/`.
    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// Reads one resource. `Ok(None)` if it is not there.
    pub(crate) async fn read(&self, kind: &str, id: &str) -> Result<Option<Resource>, RestError> {
        let body = match self.get(self.address(&[kind, id])?, FHIR_JSON, PAGE_BYTES_MAX).await {
            Ok(body) => body,
            Err(RestError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&body.bytes);
        let resource = Resource::parse(&text, "").map_err(|_| RestError::Invalid("a resource is unreadable"))?;
        if resource.kind() != kind || resource.id() != id {
            return Err(RestError::Invalid("the server answered with another resource than the one asked for"));
        }
        Ok(Some(resource))
    }

    /// One page of a search: the first of `kind` by `parameters`.
    pub(crate) fn first_page(&self, kind: &str, parameters: &[(&str, &str)]) -> Result<Url, RestError> {
        let mut url = self.address(&[kind])?;
        let count = self.page_size.to_string();
        url.query_pairs_mut().extend_pairs(parameters).append_pair("_count", &count);
        Ok(url)
    }

    /// Reads a page and says where the next one is.
    pub(crate) async fn page(&self, url: Url) -> Result<(Bundle, Option<Url>), RestError> {
        let body = self.get(url, FHIR_JSON, PAGE_BYTES_MAX).await?;
        let bundle = read_bundle(&body.bytes).map_err(|_| RestError::Invalid("a search did not bring a bundle"))?;
        let next = if bundle.next.is_empty() { None } else { Some(self.own_address(&bundle.next)?) };
        Ok((bundle, next))
    }

    /// All pages of a search, as many as may be read.
    pub(crate) async fn search(&self, kind: &str, parameters: &[(&str, &str)]) -> Result<Found, RestError> {
        let mut found = Found::default();
        let mut next = Some(self.first_page(kind, parameters)?);
        for _ in 0..self.pages_max {
            let Some(url) = next.take() else { return Ok(found) };
            let (bundle, following) = self.page(url).await?;
            found.resources.extend(bundle.resources);
            found.broken.extend(bundle.broken);
            found.incomplete |= bundle.incomplete;
            next = following;
        }
        found.over_limit = next.is_some();
        Ok(found)
    }

    /// What the server says it can do.
    pub(crate) async fn capabilities(&self) -> Result<Capabilities, RestError> {
        let body = self.get(self.address(&["metadata"])?, FHIR_JSON, PAGE_BYTES_MAX).await?;
        let json: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap_or_default();
        if json["resourceType"] != "CapabilityStatement" {
            return Err(RestError::Invalid(
                "metadata is no CapabilityStatement; is fhir.base_url the base of a FHIR server?",
            ));
        }
        let servers = json["rest"].as_array().into_iter().flatten();
        let resources = servers.flat_map(|rest| rest["resource"].as_array().into_iter().flatten());
        let kinds = resources.filter_map(|resource| resource["type"].as_str().map(str::to_owned)).collect();
        Ok(Capabilities { fhir_version: json["fhirVersion"].as_str().unwrap_or_default().to_owned(), kinds })
    }

    /// The bytes at an address that a resource names, which must lie on this server.
    pub(crate) async fn bytes(&self, address: &str) -> Result<Body, RestError> {
        let url = self.own_address(address)?;
        self.get(url, FHIR_JSON, DOCUMENT_BYTES_MAX).await
    }

    /// An address that an answer names. Only this server's own: another host would be told who is asked about.
    fn own_address(&self, address: &str) -> Result<Url, RestError> {
        let url =
            self.base.join(address).map_err(|_| RestError::Invalid("the server names an address that is none"))?;
        let is_own = url.origin() == self.base.origin() && url.username().is_empty() && url.password().is_none();
        if !is_own || !url.path().starts_with(self.base.path()) {
            return Err(RestError::Invalid("the server names an address outside fhir.base_url; it is not followed"));
        }
        Ok(url)
    }

    fn address(&self, parts: &[&str]) -> Result<Url, RestError> {
        let mut url = self.base.clone();
        let mut path = url.path_segments_mut().map_err(|()| RestError::Invalid("fhir.base_url has no path"))?;
        path.pop_if_empty().extend(parts);
        drop(path);
        Ok(url)
    }

    async fn get(&self, url: Url, accept: &str, bytes_max: usize) -> Result<Body, RestError> {
        let _permit = self.permits.acquire().await.map_err(|_| RestError::Unreachable("shutting down".into()))?;
        let request = self.authorised(self.client.get(url).header(ACCEPT, accept)).await?;
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = header.unwrap_or_default().to_owned();
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(RestError::Invalid("an answer is larger than this adapter reads"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok(Body { media_type, bytes: bytes.freeze() });
        }
        Err(refused(status, &bytes))
    }

    async fn authorised(&self, request: RequestBuilder) -> Result<RequestBuilder, RestError> {
        let Some(path) = &self.token_file else {
            return Ok(request);
        };
        let token = tokio::fs::read_to_string(path).await;
        let token = token.map_err(|_| RestError::Unreachable("fhir.bearer_token_file cannot be read".into()))?;
        Ok(request.bearer_auth(token.trim()))
    }
}

// The error's own text holds the address asked for, and so the person: only its kind is told.
fn failed(error: &reqwest::Error) -> RestError {
    if error.is_timeout() {
        return RestError::Timeout;
    }
    let why = if error.is_connect() { "no connection can be made to fhir.base_url" } else { "the connection broke" };
    RestError::Unreachable(why.into())
}

fn refused(status: StatusCode, body: &[u8]) -> RestError {
    let outcome = String::from_utf8_lossy(body);
    let outcome = Resource::parse(&outcome, "").ok().filter(|resource| resource.kind() == "OperationOutcome");
    let issues = outcome.as_ref().map(|outcome| outcome.json().at("issue").items()).unwrap_or_default();
    let unsupported = issues.iter().any(|issue| issue.at("code").text() == "not-supported");
    match status {
        StatusCode::NOT_IMPLEMENTED => RestError::NotSupported,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND if unsupported => RestError::NotSupported,
        // Without its own words of refusal it may not be a FHIR server at all: that is no statement about a person.
        StatusCode::NOT_FOUND if outcome.is_some() => RestError::NotFound,
        StatusCode::GONE => RestError::NotFound,
        other => RestError::Refused(other.as_u16()),
    }
}
