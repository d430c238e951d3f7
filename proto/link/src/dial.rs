//! Reaching another party: over TCP and TLS, or in memory.

use crate::{
    clock_fault::report_clock_fault,
    conn::{Conn, Identity},
    open::Cuttable,
    tls::Tls,
};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
    sync::mpsc,
};
use tokio_rustls::TlsConnector;
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
        let wrong = || DialError::Address(address.to_owned());
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        port.parse::<u16>().map_err(|_| wrong())?;
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| wrong())?;
        let (address, expected, connect) = (address.to_owned(), identity.clone(), self.connect);
        let tls = self.tls.clone();
        let service = service_fn(move |_: Uri| {
            let (tls, name) = (tls.clone(), name.clone());
            let (address, expected) = (address.clone(), expected.clone());
            async move {
                let open = open(&tls, name, &address, &expected);
                let stream = tokio::time::timeout(connect, open).await;
                stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(TokioIo::new)
            }
        });
        Ok(endpoint()?.connect_with_connector_lazy(service))
    }
}

async fn open(
    tls: &Tls,
    name: ServerName<'static>,
    address: &str,
    expected: &Identity,
) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let connector = TlsConnector::from(Arc::clone(&tls.material().client));
    let connected = connector.connect(name, tcp).await;
    let stream = connected.inspect_err(|error| report_clock_fault(error, &address))?;
    let (found, cut) = tls.admit(stream.get_ref().1.peer_certificates())?;
    // A certificate of the federation is not enough: it must be that of the party meant.
    if found != *expected {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other end is not whom it should be"));
    }
    Ok(Cuttable::new(stream, cut))
}

fn endpoint() -> Result<Endpoint, DialError> {
    // The scheme is plain because TLS is done by the connector; nothing here goes over the network unencrypted.
    let endpoint = Endpoint::from_static("http://severn")
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true);
    Ok(endpoint)
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
        Ok(endpoint()?.connect_with_connector_lazy(service))
    }
}
