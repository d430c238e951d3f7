//! Reaching another party: over TCP and TLS, or in memory.

use crate::{
    certificate::Certificate,
    clock_fault::report_clock_fault,
    conn::{Conn, Identity},
    open::Cuttable,
    tls::{Tls, TlsError, roots},
};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName, version::TLS13};
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
    sync::mpsc,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Why a party cannot be dialled at all. Whether it answers shows at the first call.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Not an address.
    #[error("{0:?} is no address; write host:port")]
    Address(String),
}

/// Makes channels to other parties. A channel connects when it is first used, and again after it broke.
pub trait Dialler: Send + Sync + 'static {
    /// A channel to whoever listens at `address` (host:port) and proves to be `identity`.
    ///
    /// # Errors
    /// [`DialError`] if the address makes no sense.
    fn dial(&self, address: &str, identity: &Identity) -> Result<Channel, DialError>;
}

/// Dials over TCP with mutual TLS.
#[derive(Clone, Debug)]
pub struct TlsDialler {
    tls: Tls,
    connect: Duration,
}

impl TlsDialler {
    /// Dials with `tls`; a connection that takes longer than `connect` has failed.
    pub fn new(tls: Tls, connect: Duration) -> TlsDialler {
        TlsDialler { tls, connect }
    }
}

impl Dialler for TlsDialler {
    fn dial(&self, address: &str, identity: &Identity) -> Result<Channel, DialError> {
        let to = Destination::read(address, identity)?;
        let tls = self.tls.clone();
        Ok(channel(self.connect, move || {
            let (tls, to) = (tls.clone(), to.clone());
            async move {
                let stream = to.connect(Arc::clone(&tls.material().client)).await?;
                let (found, cut) = tls.admit(stream.get_ref().1.peer_certificates())?;
                to.refuse_other(Some(&found))?;
                Ok(Cuttable::new(stream, cut))
            }
        }))
    }
}

/// Dials over TCP as somebody who has no certificate yet. The other end must have one all the same.
#[derive(Clone)]
pub struct StrangerDialler {
    client: Arc<ClientConfig>,
    connect: Duration,
}

impl StrangerDialler {
    /// Believes whom the PEM file `authorities` vouches for; a connection that takes longer than `connect` has failed.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn new(authorities: &Path, connect: Duration) -> Result<StrangerDialler, TlsError> {
        let mut client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(StrangerDialler { client: Arc::new(client), connect })
    }
}

impl Dialler for StrangerDialler {
    fn dial(&self, address: &str, identity: &Identity) -> Result<Channel, DialError> {
        let to = Destination::read(address, identity)?;
        let client = Arc::clone(&self.client);
        Ok(channel(self.connect, move || {
            let (client, to) = (Arc::clone(&client), to.clone());
            async move {
                let stream = to.connect(client).await?;
                let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                to.refuse_other(shown.and_then(Certificate::read).and_then(|shown| shown.identity).as_ref())?;
                Ok(stream)
            }
        }))
    }
}

/// Where to, and who must be there.
#[derive(Clone)]
struct Destination {
    address: String,
    name: ServerName<'static>,
    expected: Identity,
}

impl Destination {
    fn read(address: &str, identity: &Identity) -> Result<Destination, DialError> {
        let wrong = || DialError::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        port.parse::<u16>().map_err(|_| wrong())?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| wrong())?;
        Ok(Destination { address: address.to_owned(), name, expected: identity.clone() })
    }

    async fn connect(&self, client: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let connected = TlsConnector::from(client).connect(self.name.clone(), tcp).await;
        connected.inspect_err(|error| report_clock_fault(error, &self.address))
    }

    /// A certificate of the federation is not enough: it must be that of the party meant.
    fn refuse_other(&self, found: Option<&Identity>) -> io::Result<()> {
        match found == Some(&self.expected) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other end is not whom it should be")),
        }
    }
}

/// A channel that connects by `open`, and again after it broke.
fn channel<S, Opening>(connect: Duration, open: impl Fn() -> Opening + Send + 'static) -> Channel
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    Opening: Future<Output = io::Result<S>> + Send + 'static,
{
    let service = service_fn(move |_: Uri| {
        let opened = tokio::time::timeout(connect, open());
        async move { opened.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new) }
    });
    endpoint().connect_with_connector_lazy(service)
}

fn endpoint() -> Endpoint {
    // The scheme is plain because TLS is done by the connector; nothing here goes over the network unencrypted.
    Endpoint::from_static("http://severn")
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
}

/// Dials parties of the same process over memory. The listening end gets connections from [`InMemory::accept`].
#[derive(Clone)]
pub struct InMemory {
    own: Identity,
    parties: Arc<std::sync::RwLock<Parties>>,
}

type Parties = std::collections::HashMap<Identity, mpsc::UnboundedSender<io::Result<Conn>>>;

/// Bytes under way in one direction of a connection in memory.
const PIPE_BYTES: usize = 256 * 1024;

impl InMemory {
    /// A network of which `own` is the first party.
    pub fn new(own: Identity) -> InMemory {
        InMemory { own, parties: Arc::default() }
    }

    /// The same network, seen from another party.
    pub fn party(&self, own: Identity) -> InMemory {
        InMemory { own, parties: Arc::clone(&self.parties) }
    }

    /// Starts to accept connections for this party; an earlier acceptor gets no more.
    pub fn accept(&self) -> mpsc::UnboundedReceiver<io::Result<Conn>> {
        let (ready, accepted) = mpsc::unbounded_channel();
        self.parties.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(self.own.clone(), ready);
        accepted
    }

    fn connect(&self, identity: &Identity) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let parties = self.parties.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let party = parties.get(identity).ok_or_else(refused)?;
        party.send(Ok(Conn::new(theirs, self.own.clone()))).map_err(|_| refused())?;
        Ok(ours)
    }
}

impl Dialler for InMemory {
    fn dial(&self, _address: &str, identity: &Identity) -> Result<Channel, DialError> {
        let (network, identity) = (self.clone(), identity.clone());
        let service = service_fn(move |_: Uri| {
            let connected = network.connect(&identity).map(TokioIo::new);
            async move { connected }
        });
        Ok(endpoint().connect_with_connector_lazy(service))
    }
}
