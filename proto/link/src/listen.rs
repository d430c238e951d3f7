//! The accept loop: one task per handshake, limits on how many may be open, nobody let in without an identity.

use crate::{
    clock_fault::report_clock_fault,
    conn::{Conn, Stranger},
    open::Cuttable,
    tls::{Material, Tls},
};
use rustls::ServerConfig;
use serde::Deserialize;
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, warn};

/// Limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenLimits {
    /// Open connections, all together.
    pub connections_max: usize,
    /// Handshakes under way from one address.
    pub handshakes_per_address_max: usize,
    /// Milliseconds a handshake may take.
    pub handshake_ms: u64,
}

impl Default for ListenLimits {
    fn default() -> Self {
        ListenLimits { connections_max: 2048, handshakes_per_address_max: 512, handshake_ms: 5000 }
    }
}

/// Accepts connections of parties of the federation on `listener` until the returned stream is dropped.
pub fn listen(listener: TcpListener, tls: &Tls, limits: ListenLimits) -> ReceiverStream<io::Result<Conn>> {
    let door = Door {
        config: |material| Arc::clone(&material.server),
        admit: |tls, stream, _| {
            let (identity, cut) = tls.admit(stream.get_ref().1.peer_certificates())?;
            Ok(Conn::new(Cuttable::new(stream, cut), identity))
        },
    };
    accept(listener, tls.clone(), limits, door)
}

/// Accepts connections of anybody, who learns only whom this end is. Not for a port where anything can be asked.
pub fn listen_to_strangers(
    listener: TcpListener,
    tls: &Tls,
    limits: ListenLimits,
) -> ReceiverStream<io::Result<Conn<Stranger>>> {
    let door = Door {
        config: |material| Arc::clone(&material.for_strangers),
        admit: |_, stream, address| Ok(Conn::with_stranger(stream, address)),
    };
    accept(listener, tls.clone(), limits, door)
}

/// What is asked of whoever connects, and what they are then.
struct Door<P> {
    config: fn(&Material) -> Arc<ServerConfig>,
    admit: fn(&Tls, TlsStream<TcpStream>, SocketAddr) -> io::Result<Conn<P>>,
}

impl<P> Clone for Door<P> {
    fn clone(&self) -> Door<P> {
        *self
    }
}

impl<P> Copy for Door<P> {}

fn accept<P: Send + 'static>(
    listener: TcpListener,
    tls: Tls,
    limits: ListenLimits,
    door: Door<P>,
) -> ReceiverStream<io::Result<Conn<P>>> {
    let (ready, accepted) = mpsc::channel(64);
    let gate =
        Arc::new(Gate { limits, open: Arc::new(Semaphore::new(limits.connections_max)), handshakes: Mutex::default() });
    tokio::spawn(async move {
        loop {
            let incoming = tokio::select! {
                incoming = listener.accept() => incoming,
                () = ready.closed() => return,
            };
            // Running out of file handles must not end the loop, nor spin it.
            let Ok((tcp, address)) = incoming else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (tls, gate, ready) = (tls.clone(), Arc::clone(&gate), ready.clone());
            tokio::spawn(async move {
                if let Some(conn) = gate.admit((tcp, address), &tls, door).await {
                    drop(ready.send(Ok(conn)).await);
                }
            });
        }
    });
    ReceiverStream::new(accepted)
}

struct Gate {
    limits: ListenLimits,
    open: Arc<Semaphore>,
    handshakes: Mutex<HashMap<IpAddr, usize>>,
}

impl Gate {
    async fn admit<P>(
        self: Arc<Self>,
        (tcp, address): (TcpStream, SocketAddr),
        tls: &Tls,
        door: Door<P>,
    ) -> Option<Conn<P>> {
        let permit = Arc::clone(&self.open).try_acquire_owned().ok()?;
        let _slot = Slot::take(Arc::clone(&self), address.ip())?;
        tcp.set_nodelay(true).ok()?;
        let acceptor = TlsAcceptor::from((door.config)(&tls.material()));
        let handshake = timeout(Duration::from_millis(self.limits.handshake_ms), acceptor.accept(tcp)).await;
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                report_clock_fault(&error, &address);
                debug!(%address, %error, "handshake failed");
                return None;
            }
            Err(_) => {
                debug!(%address, "handshake took too long");
                return None;
            }
        };
        match (door.admit)(tls, stream, address) {
            Ok(conn) => Some(conn.counted(permit)),
            Err(error) => {
                warn!(%address, %error, "not let in");
                None
            }
        }
    }
}

/// A place among one address's handshakes, given back when dropped.
struct Slot {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Slot {
    fn take(gate: Arc<Gate>, address: IpAddr) -> Option<Slot> {
        let mut handshakes = gate.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        let count = handshakes.entry(address).or_default();
        if *count >= gate.limits.handshakes_per_address_max {
            return None;
        }
        *count += 1;
        drop(handshakes);
        Some(Slot { gate, address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut handshakes = self.gate.handshakes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = handshakes.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                handshakes.remove(&self.address);
            }
        }
    }
}
