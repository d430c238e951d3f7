//! A connection and who is at the other end.

use std::{
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
};
use tonic::transport::server::Connected;

/// Who a certificate names, from its URI SAN `spiffe://severn/<kind>/<id>`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// A broker replica.
    Broker(String),
    /// The adapter of a source: the source's id.
    Source(String),
    /// A care app.
    App(String),
}

impl Identity {
    /// Reads a URI SAN; `None` for anything that is no identity of this federation.
    pub fn from_uri(uri: &str) -> Option<Identity> {
        let (kind, id) = uri.strip_prefix("spiffe://severn/")?.split_once('/')?;
        let fits =
            !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        match kind {
            _ if !fits => None,
            "broker" => Some(Identity::Broker(id.to_owned())),
            "source" => Some(Identity::Source(id.to_owned())),
            "app" => Some(Identity::App(id.to_owned())),
            _ => None,
        }
    }

    /// The URI SAN of this identity.
    pub fn uri(&self) -> String {
        match self {
            Identity::Broker(id) => format!("spiffe://severn/broker/{id}"),
            Identity::Source(id) => format!("spiffe://severn/source/{id}"),
            Identity::App(id) => format!("spiffe://severn/app/{id}"),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.uri())
    }
}

/// What a handler finds in a request's extensions: who called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The identity in the caller's certificate.
    pub identity: Identity,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a handler finds there of a caller who showed no certificate: where the call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The other end's address.
    pub address: SocketAddr,
}

/// An accepted connection, and what is known of its peer.
pub struct Conn<P = Peer> {
    stream: Box<dyn Stream>,
    peer: P,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Conn {
    /// Wraps a stream whose other end has proved to be `identity`.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, identity: Identity) -> Conn {
        Conn { stream: Box::new(stream), peer: Peer { identity }, _permit: None }
    }
}

impl Conn<Stranger> {
    pub(crate) fn with_stranger(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        address: SocketAddr,
    ) -> Conn<Stranger> {
        Conn { stream: Box::new(stream), peer: Stranger { address }, _permit: None }
    }
}

impl<P> Conn<P> {
    pub(crate) fn counted(mut self, permit: OwnedSemaphorePermit) -> Conn<P> {
        self._permit = Some(permit);
        self
    }
}

impl<P: Clone + Send + Sync + 'static> Connected for Conn<P> {
    type ConnectInfo = P;

    fn connect_info(&self) -> P {
        self.peer.clone()
    }
}

impl<P: Unpin> AsyncRead for Conn<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<P: Unpin> AsyncWrite for Conn<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identities_of_this_federation_are_read() {
        assert_eq!(Identity::from_uri("spiffe://severn/source/M85001"), Some(Identity::Source("M85001".into())));
        assert_eq!(Identity::from_uri("spiffe://severn/app/epr-1"), Some(Identity::App("epr-1".into())));
        for other in [
            "spiffe://other/source/M85001",
            "spiffe://severn/source/",
            "spiffe://severn/source",
            "spiffe://severn/source/a/b",
            "spiffe://severn/root/a",
            "spiffe://severn/source/a b",
            "https://severn/source/a",
        ] {
            assert_eq!(Identity::from_uri(other), None, "{other}");
        }
    }
}
