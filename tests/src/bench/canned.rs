//! Adapters that answer at once with a canned slice of 40 entries, about 12 KB, ten of which every source has: so that a
//! measurement sees the broker and not a database. They check nothing; the real adapters are measured elsewhere.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::stream::{self, BoxStream, StreamExt as _};
use prost::Message as _;
use severn_link::{ListenLimits, ServerLimits, Tls, listen, server};
use severn_proto::v1::{
    BrokerStatement, Coding, Dataset, DatasetOutcome, DatasetOutcomes, Demographics, DescribeRequest, DescribeResponse,
    Entry, EntryBatch, EntryBody, EntryHead, EntryStatus, FetchBytesRequest, FetchBytesResponse, FetchEnd, FetchOpened,
    FetchRequest, FetchResponse, Field, HumanName, MedicationDetail, OriginIdentifier, Outcome, Provenance,
    RequestContext, SignedStatement,
    entry_body::Detail,
    fetch_response::Part,
    source_adapter_server::{SourceAdapter, SourceAdapterServer},
};
use severn_trust::{Commitments, PersonKeys};
use std::{io, time::Duration};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status};

/// The one person the canned adapters know.
pub fn person() -> Demographics {
    let name = HumanName { family: "Bench".into(), given: vec!["Mark".into()], ..HumanName::default() };
    Demographics {
        nhs_number: "9990000018".into(),
        birth_date: "1970-01-02".into(),
        names: vec![name],
        ..Demographics::default()
    }
}

/// The datasets that hold entries, four in each.
pub const HELD: [Dataset; 10] = [
    Dataset::Alerts,
    Dataset::Allergies,
    Dataset::Medications,
    Dataset::Problems,
    Dataset::Procedures,
    Dataset::Immunisations,
    Dataset::Investigations,
    Dataset::Encounters,
    Dataset::Contacts,
    Dataset::CareTeam,
];

const ENTRIES_PER_DATASET: usize = 4;

/// The slice of one source: of the four entries of a dataset, the first is the same everywhere.
pub fn slice(source: &str) -> Vec<EntryBatch> {
    let batch = |dataset: Dataset| EntryBatch {
        dataset: dataset.into(),
        entries: (0..ENTRIES_PER_DATASET).map(|n| entry(source, dataset, n)).collect(),
    };
    HELD.map(batch).to_vec()
}

fn entry(source: &str, dataset: Dataset, n: usize) -> Entry {
    let whose = if n == 0 { "everywhere" } else { source };
    let detail = MedicationDetail {
        dose_text: format!("{} mg", 5 * (n + 1)),
        route: "oral".into(),
        form: "tablet".into(),
        frequency: "twice a day".into(),
        dosage_instructions: "Take one tablet twice a day with food for three months".into(),
        ..MedicationDetail::default()
    };
    let head = EntryHead {
        entry_id: format!("{source}-{}-{n}", dataset as i32),
        dataset: dataset.into(),
        codings: vec![Coding {
            system: "http://snomed.info/sct".into(),
            code: format!("{}{n}{}", 300_000 + dataset as i32, whose.len()),
            display: format!("Concept of {whose}"),
        }],
        text: format!("Concept of {whose}"),
        status: EntryStatus::Active.into(),
        status_verbatim: "active".into(),
        effective_start: "2024-03-01".into(),
        recorded: "2024-03-02".into(),
        distinguishing: vec![Field { name: "dose".into(), value: detail.dose_text.clone() }],
        provenance: Some(Provenance {
            organisation: format!("Trust {source}"),
            organisation_ods: source.into(),
            system: "canned".into(),
            author: "Dr A Author".into(),
            author_role: "GP".into(),
            ..Provenance::default()
        }),
        origins: vec![OriginIdentifier {
            system: "urn:items".into(),
            value: format!("{whose}-{}-{n}", dataset as i32),
            organisation_ods: whose.into(),
        }],
        ..EntryHead::default()
    };
    let body = EntryBody { detail: Some(Detail::Medication(detail)), ..EntryBody::default() };
    Entry { head: Some(head), body: body.encode_to_vec().into() }
}

/// One canned adapter.
pub struct Canned {
    source: String,
    batches: Vec<EntryBatch>,
    delay: Duration,
}

/// Serves one canned adapter, which answers after `delay`, on a free port of loopback, and gives the port.
///
/// # Errors
/// As the listener gives them.
pub async fn serve(source: &str, tls: &Tls, delay: Duration) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let incoming = listen(listener, tls, ListenLimits::default());
    let canned = SourceAdapterServer::new(Canned { source: source.to_owned(), batches: slice(source), delay });
    tokio::spawn(server(ServerLimits::default()).add_service(canned).serve_with_incoming(incoming));
    Ok(port)
}

/// What a broker says of a call, and the opening of an answer from a source that knows the person as `own`. Nothing is
/// verified; `None` if statement or proof cannot be read.
pub fn opened_about(
    (context, statement): (Option<&RequestContext>, Option<&SignedStatement>),
    own: &Demographics,
) -> Option<(BrokerStatement, FetchOpened)> {
    let statement = BrokerStatement::decode(statement?.statement.as_slice()).ok()?;
    let proof = context?.request_proof.split('.').nth(1)?;
    let payload: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(proof).ok()?).ok()?;
    let commitments: Commitments = serde_json::from_value(payload.get("person")?.clone()).ok()?;
    let (nhs, demographics) = commitments.echo(&PersonKeys::of(own));
    let opened = FetchOpened {
        local_id: statement.local_id.clone(),
        nhs_commitment: nhs.map(Vec::from).unwrap_or_default(),
        demographics_commitment: demographics.map(Vec::from).unwrap_or_default(),
    };
    Some((statement, opened))
}

impl Canned {
    fn answer(&self, request: &FetchRequest) -> Option<Vec<Result<FetchResponse, Status>>> {
        let (statement, opened) = opened_about((request.context.as_ref(), request.statement.as_ref()), &person())?;
        let mut parts = vec![Part::Opened(opened)];
        let (mut sent, mut outcomes) = (0, Vec::with_capacity(statement.datasets.len()));
        for dataset in &statement.datasets {
            let batch = self.batches.iter().find(|batch| batch.dataset == *dataset);
            let entries = batch.map_or(0, |batch| batch.entries.len() as u32);
            parts.extend(batch.cloned().map(Part::Batch));
            let outcome = if entries == 0 { Outcome::AnsweredNone } else { Outcome::Answered };
            let (dataset, outcome) = (*dataset, outcome.into());
            outcomes.push(DatasetOutcome { dataset, outcome, entries, ..DatasetOutcome::default() });
            sent += entries;
        }
        parts.push(Part::Outcomes(DatasetOutcomes { outcomes }));
        parts.push(Part::End(FetchEnd { entries: sent, ..FetchEnd::default() }));
        Some(parts.into_iter().map(|part| Ok(FetchResponse { part: Some(part) })).collect())
    }
}

#[tonic::async_trait]
impl SourceAdapter for Canned {
    type FetchStream = BoxStream<'static, Result<FetchResponse, Status>>;
    type FetchBytesStream = BoxStream<'static, Result<FetchBytesResponse, Status>>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse { source_id: self.source.clone(), ..DescribeResponse::default() }))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let parts = self.answer(&request.into_inner());
        let parts = parts.ok_or_else(|| Status::invalid_argument("statement and proof: required"))?;
        Ok(Response::new(stream::iter(parts).boxed()))
    }

    async fn fetch_bytes(&self, _: Request<FetchBytesRequest>) -> Result<Response<Self::FetchBytesStream>, Status> {
        Err(Status::not_found("a canned adapter has no documents"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_forty_entries_of_about_twelve_kilobytes_a_third_of_it_detail() {
        let slice = slice("S001");
        let entries: Vec<&Entry> = slice.iter().flat_map(|batch| &batch.entries).collect();
        let bytes: usize = slice.iter().map(EntryBatch::encoded_len).sum();
        let detail: usize = entries.iter().map(|entry| entry.body.len()).sum();
        assert_eq!(entries.len(), 40);
        assert!((11_000..=13_200).contains(&bytes), "{bytes}");
        assert!((bytes / 4..=bytes * 2 / 5).contains(&detail), "{detail} of {bytes}");
    }
}
