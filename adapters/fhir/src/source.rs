//! [`FhirSource`]: one person's resources, searched type by type at the moment of asking. No copy outlives the answer.

mod read;

use crate::{
    map::{
        MapContext, Pool, Resource, attachment, binary, document_here, homes_of, local_id, or_octets, registration,
        title_of,
    },
    rest::{Rest, RestError},
    settings::FhirSettings,
};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use reqwest::Url;
use severn_adapter_sdk::{
    mapping::SourceContext,
    source::{Document, Finding, Reading, Source, SourceError},
};
use severn_proto::v1::{Dataset, Registration};
use severn_trust::Clock;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::OnceCell;

/// A FHIR server as a source.
pub struct FhirSource {
    rest: Arc<Rest>,
    settings: FhirSettings,
    context: SourceContext,
    clock: Arc<dyn Clock>,
    datasets: Vec<Dataset>,
    /// The resource types the server says it keeps. No person is in it, so it may be kept.
    kinds: OnceCell<BTreeSet<String>>,
}

impl FhirSource {
    /// A source by its settings. Does not speak to the server yet.
    ///
    /// # Errors
    /// [`SourceError::Config`] names the setting and says what to write.
    pub fn open(
        settings: FhirSettings,
        context: SourceContext,
        clock: Arc<dyn Clock>,
    ) -> Result<FhirSource, SourceError> {
        let rest = Arc::new(Rest::open(&settings)?);
        let datasets = settings.offered()?;
        Ok(FhirSource { rest, settings, context, clock, datasets, kinds: OnceCell::new() })
    }

    fn map_context(&self) -> MapContext {
        let system = self.settings.patient_identifier_system.clone();
        MapContext {
            assigning_authority: system.unwrap_or_else(|| self.context.source_id.clone()),
            source: self.context.clone(),
            retrieved_at_ms: self.clock.now_ms(),
        }
    }

    /// The Patient that a local id names; `None` if the server knows none.
    async fn patient(&self, local: &str) -> Result<Option<Resource>, RestError> {
        let Some(system) = &self.settings.patient_identifier_system else {
            return if is_fhir_id(local) { self.rest.read("Patient", local).await } else { Ok(None) };
        };
        if local.is_empty() || local.len() > 256 {
            return Ok(None);
        }
        let token = format!("{}|{}", escaped(system), escaped(local));
        let found = self.rest.search("Patient", &[("identifier", &token)]).await?;
        let mut exact = found.resources.into_iter().filter(|resource| {
            resource.kind() == "Patient" && local_id(resource, Some(system)).as_deref() == Some(local)
        });
        let first = exact.next();
        if exact.next().is_some() {
            return Err(RestError::Invalid("two Patient resources share one local id; correct them at the source"));
        }
        Ok(first)
    }

    async fn document_of(&self, patient: &Resource, entry_id: &str) -> Result<Option<Document>, RestError> {
        let name = entry_id.split('#').next().unwrap_or_default();
        let Some(id) = name.strip_prefix("DocumentReference/").filter(|id| is_fhir_id(id)) else {
            return Ok(None);
        };
        let Some(resource) = self.rest.read("DocumentReference", id).await? else {
            return Ok(None);
        };
        if !read::is_about(&resource, patient, self.rest.base()) {
            return Ok(None);
        }
        let Some(attachment) = attachment(&resource, entry_id) else {
            return Ok(None);
        };
        let mut here = Pool::default();
        here.add(&resource);
        match document_here(&resource, entry_id, &here) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(_) => return Err(RestError::Invalid("a document's bytes are not base64")),
        }
        let address = attachment.at("url").text();
        if address.is_empty() {
            return Ok(None);
        }
        let body = self.rest.bytes(address).await?;
        let unreadable = |_| RestError::Invalid("a document's bytes are not base64");
        let resource_of = |text: &str| Resource::parse(text, "").ok().filter(|resource| resource.kind() == "Binary");
        let wrapped = Some(&body).filter(|body| body.media_type.contains("json"));
        let wrapped = wrapped.and_then(|body| resource_of(std::str::from_utf8(&body.bytes).ok()?));
        let (media_type, bytes) = match wrapped {
            Some(resource) => binary(resource.json()).map_err(unreadable)?,
            None => (body.media_type, body.bytes),
        };
        let given = attachment.at("contentType").text();
        let media_type = or_octets(if given.is_empty() { &media_type } else { given });
        Ok(Some(Document { media_type, title: title_of(&resource, attachment), bytes }))
    }
}

#[tonic::async_trait]
impl Source for FhirSource {
    fn datasets(&self) -> Vec<Dataset> {
        self.datasets.clone()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        let first = self.rest.first_page("Patient", &[])?;
        let walk = Walk {
            rest: Arc::clone(&self.rest),
            context: self.map_context(),
            system: self.settings.patient_identifier_system.clone(),
        };
        // The first page is read before the stream is handed out, so that a dead server is an error and not an empty list.
        let (page, next) = walk.page(first).await?;
        let rest = stream::unfold((walk, next), |(walk, next)| async move {
            match walk.page(next?).await {
                Ok((page, next)) => Some((page, (walk, next))),
                Err(error) => Some((vec![Err(error.into())], (walk, None))),
            }
        });
        Ok(stream::iter([page]).chain(rest).flat_map(stream::iter).boxed())
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        let Some(patient) = self.patient(local_id).await? else {
            return Ok(None);
        };
        let mut pool = Pool::default();
        self.add_referred(std::slice::from_ref(&patient), &mut pool).await;
        Ok(Some(registration(&patient, &pool, local_id, &self.map_context())))
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError> {
        self.read_all(local_id, datasets, budget).await
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        let Some(patient) = self.patient(local_id).await? else {
            return Ok(None);
        };
        Ok(self.document_of(&patient, entry_id).await?)
    }

    async fn check(&self) -> Vec<Finding> {
        let good = |text: String| Finding { good: true, text };
        let bad = |text: String| Finding { good: false, text };
        let mut findings = Vec::new();
        if let Some(path) = &self.settings.bearer_token_file {
            findings.push(match tokio::fs::read_to_string(path).await {
                Ok(token) if !token.trim().is_empty() => good("fhir.bearer_token_file can be read".into()),
                _ => bad("fhir.bearer_token_file cannot be read or is empty; write the token into it".into()),
            });
        }
        let capabilities = match self.rest.capabilities().await {
            Ok(capabilities) => capabilities,
            Err(error) => {
                findings.push(bad(format!("metadata cannot be read: {}", SourceError::from(error))));
                return findings;
            }
        };
        let version = &capabilities.fhir_version;
        findings.push(if version.starts_with("4.") {
            good(format!("the server speaks FHIR {version}"))
        } else {
            bad(format!(
                "the server speaks FHIR {version}; this adapter reads R4 (4.0.1): give fhir.base_url of its R4 endpoint"
            ))
        });
        for dataset in &self.datasets {
            let missing: Vec<&str> = homes_of(*dataset).filter(|kind| !capabilities.kinds.contains(*kind)).collect();
            if missing.len() == homes_of(*dataset).count() {
                let word = severn_trust::dataset_word(*dataset);
                findings.push(good(format!("{word}: not held, since the server keeps no {}", missing.join(" or "))));
            }
        }
        findings.push(match self.registrations().await {
            Ok(mut people) => match people.next().await {
                Some(Ok(_)) => good("Patient can be searched, and the first one has a local id".into()),
                Some(Err(error)) => bad(format!("the first Patient is unusable: {error}")),
                None => bad("the server knows no Patient; check fhir.base_url and the rights of our token".into()),
            },
            Err(error) => bad(format!("Patient cannot be searched: {error}")),
        });
        findings
    }
}

/// The walk over everybody.
struct Walk {
    rest: Arc<Rest>,
    context: MapContext,
    system: Option<String>,
}

type People = Vec<Result<Registration, SourceError>>;

impl Walk {
    async fn page(&self, url: Url) -> Result<(People, Option<Url>), RestError> {
        let (bundle, next) = self.rest.page(url.clone()).await?;
        if next.as_ref() == Some(&url) {
            return Err(RestError::Invalid("the server names the same page again as the next one"));
        }
        let mut pool = Pool::default();
        bundle.resources.iter().for_each(|resource| pool.add(resource));
        let patients = bundle.resources.iter().filter(|resource| resource.kind() == "Patient");
        let read = patients.map(|patient| match local_id(patient, self.system.as_deref()) {
            Some(id) => Ok(registration(patient, &pool, &id, &self.context)),
            None => Err(SourceError::Mapping("a Patient has no local id, or several that differ".into())),
        });
        let unreadable =
            bundle.broken.iter().map(|_| Err(SourceError::Mapping("a Patient resource is unreadable".into())));
        Ok((read.chain(unreadable).collect(), next))
    }
}

/// FHIR R4, datatypes, `id`.
fn is_fhir_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    // A lone dot or two would name another place in an address.
    (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.bytes().all(|byte| byte == b'.')
}

/// FHIR R4, search: `\` before the characters that would end a value.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '|' | ',' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
