//! What the broker is measured against: programs with the same front and the same connections to the same adapters that
//! check, record and promise nothing. `Functional` decodes everything, de-duplicates by hash and encodes again; `Bare`
//! only counts the bytes that come.

use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt as _};
use prost::Message as _;
use prost::bytes::{Buf as _, Bytes};
use severn_link::{ListenLimits, ServerLimits, Tls, listen, server};
use severn_proto::v1::{
    AccessReportRequest, AccessReportResponse, BrokerStatement, Contribution, Entry, EntryBody, FetchDocumentRequest,
    FetchDocumentResponse, FetchRequest, FetchResponse, FindPersonRequest, FindPersonResponse, Item,
    ListSourcesRequest, ListSourcesResponse, RequestContext, RetrieveRecordRequest, RetrieveRecordResponse,
    RetrieveRecordUnaryRequest, RetrieveRecordUnaryResponse, Section, SignedStatement,
    fetch_response::Part,
    record_broker_server::{RecordBroker, RecordBrokerServer},
    retrieve_record_response,
    source_adapter_client::SourceAdapterClient,
};
use severn_trust::ALL_DATASETS;
use std::{
    collections::{BTreeMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};
use tokio::net::TcpListener;
use tonic::{
    GrpcMethod, Request, Response, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// What a floor does with an adapter's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// Decodes, de-duplicates by hash, encodes again.
    Functional,
    /// Counts bytes.
    Bare,
}

struct FloorBroker {
    floor: Floor,
    adapters: Vec<(String, Channel)>,
}

/// Serves a floor over `adapters` (source id and channel) on a free port of loopback, for ever; `ready` gets the port.
///
/// # Errors
/// As listener and transport give them.
pub async fn serve(
    floor: Floor,
    adapters: Vec<(String, Channel)>,
    tls: &Tls,
    ready: impl FnOnce(u16),
) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?.port());
    let incoming = listen(listener, tls, ListenLimits::default());
    let service = RecordBrokerServer::new(FloorBroker { floor, adapters });
    Ok(server(ServerLimits::default()).add_service(service).serve_with_incoming(incoming).await?)
}

fn request(source: &str, context: &RequestContext) -> FetchRequest {
    let statement = BrokerStatement {
        source_id: source.to_owned(),
        local_id: "1".into(),
        datasets: ALL_DATASETS.map(|dataset| dataset as i32).to_vec(),
        ..BrokerStatement::default()
    };
    let statement = SignedStatement { statement: statement.encode_to_vec(), ..SignedStatement::default() };
    FetchRequest { context: Some(context.clone()), statement: Some(statement) }
}

async fn functional(adapters: &[(String, Channel)], context: &RequestContext) -> Result<Vec<Section>, Status> {
    let calls: FuturesUnordered<_> = adapters
        .iter()
        .map(|(source, channel)| async move {
            let mut client = SourceAdapterClient::new(channel.clone());
            let mut parts = client.fetch(request(source, context)).await?.into_inner();
            let mut entries = Vec::new();
            while let Some(part) = parts.message().await? {
                if let FetchResponse { part: Some(Part::Batch(batch)) } = part {
                    entries.extend(batch.entries);
                }
            }
            Ok::<_, Status>((source, entries))
        })
        .collect();
    let answers: Vec<_> = calls.collect().await;
    let mut seen = HashSet::new();
    let mut sections: BTreeMap<i32, Section> = BTreeMap::new();
    for answer in answers {
        let (source, entries) = answer?;
        for entry in entries {
            let Entry { head: Some(head), body } = entry else { continue };
            let body = EntryBody::decode(body).map_err(|_| Status::data_loss("body"))?;
            let mut hasher = DefaultHasher::new();
            head.codings.iter().for_each(|coding| (&coding.system, &coding.code).hash(&mut hasher));
            (&head.text, &head.effective_start, head.dataset).hash(&mut hasher);
            let body = body.encode_to_vec();
            body.hash(&mut hasher);
            if !seen.insert(hasher.finish()) {
                continue;
            }
            let section =
                sections.entry(head.dataset).or_insert_with(|| Section { dataset: head.dataset, items: vec![] });
            let entry = Entry { head: Some(head), body: body.into() };
            let contribution = Contribution { source_id: source.clone(), entry: Some(entry) };
            section.items.push(Item { contributions: vec![contribution], ..Item::default() });
        }
    }
    Ok(sections.into_values().collect())
}

async fn bare(adapters: &[(String, Channel)], context: &RequestContext) -> Result<usize, Status> {
    let calls: FuturesUnordered<_> = adapters
        .iter()
        .map(|(source, channel)| async move {
            let mut client = tonic::client::Grpc::new(channel.clone());
            client.ready().await.map_err(|_| Status::unavailable("adapter"))?;
            let path = http::uri::PathAndQuery::from_static("/severn.v1.SourceAdapter/Fetch");
            let mut raw = Request::new(Bytes::from(request(source, context).encode_to_vec()));
            raw.extensions_mut().insert(GrpcMethod::new("severn.v1.SourceAdapter", "Fetch"));
            let mut parts = client.server_streaming(raw, path, RawCodec).await?.into_inner();
            let mut bytes = 0;
            while let Some(part) = parts.message().await? {
                bytes += part.len();
            }
            Ok::<_, Status>(bytes)
        })
        .collect();
    let answers: Vec<Result<usize, Status>> = calls.collect().await;
    answers.into_iter().sum()
}

/// Passes messages as bytes.
#[derive(Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put(out, item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

#[tonic::async_trait]
impl RecordBroker for FloorBroker {
    type RetrieveRecordStream = BoxStream<'static, Result<RetrieveRecordResponse, Status>>;
    type FetchDocumentStream = BoxStream<'static, Result<FetchDocumentResponse, Status>>;

    async fn retrieve_record(
        &self,
        request: Request<RetrieveRecordRequest>,
    ) -> Result<Response<Self::RetrieveRecordStream>, Status> {
        let context = request.into_inner().context.unwrap_or_default();
        let sections = match self.floor {
            Floor::Functional => functional(&self.adapters, &context).await?,
            Floor::Bare => {
                bare(&self.adapters, &context).await?;
                Vec::new()
            }
        };
        let parts = sections.into_iter().map(retrieve_record_response::Part::Section);
        let parts = parts.map(|part| Ok(RetrieveRecordResponse { part: Some(part) }));
        Ok(Response::new(stream::iter(parts.collect::<Vec<_>>()).boxed()))
    }

    async fn find_person(&self, _: Request<FindPersonRequest>) -> Result<Response<FindPersonResponse>, Status> {
        Err(Status::unimplemented("a floor only retrieves"))
    }

    async fn retrieve_record_unary(
        &self,
        _: Request<RetrieveRecordUnaryRequest>,
    ) -> Result<Response<RetrieveRecordUnaryResponse>, Status> {
        Err(Status::unimplemented("a floor only retrieves"))
    }

    async fn fetch_document(
        &self,
        _: Request<FetchDocumentRequest>,
    ) -> Result<Response<Self::FetchDocumentStream>, Status> {
        Err(Status::unimplemented("a floor only retrieves"))
    }

    async fn access_report(&self, _: Request<AccessReportRequest>) -> Result<Response<AccessReportResponse>, Status> {
        Err(Status::unimplemented("a floor only retrieves"))
    }

    async fn list_sources(&self, _: Request<ListSourcesRequest>) -> Result<Response<ListSourcesResponse>, Status> {
        Err(Status::unimplemented("a floor only retrieves"))
    }
}
