//! How the parties reach each other: mutual TLS with an identity in the certificate, an accept loop that no slow
//! handshake holds up, a deny-list that also ends what is open, a hardened gRPC server, and a dialler. Nothing here knows
//! what is said over the connection.
//!
//! **Invariant:** no call waits for a connection without a timer of its own: tonic's deadline does not run while a
//! channel is connecting.

mod certificate;
mod clock_fault;
mod conn;
mod deny;
mod dial;
mod listen;
mod memory;
mod open;
mod resend;
mod server;
mod tls;

pub use conn::{Conn, Identity, Peer, Stranger};
pub use deny::{Denied, DenyList, DenyListError, NotDenied};
pub use dial::{DialError, Dialler, InMemory, StrangerDialler, TlsDialler};
pub use listen::{ListenLimits, listen, listen_to_strangers};
pub use memory::no_core_files;
pub use resend::send;
pub use server::{RefuseMalformedTimeout, ServerLimits, server};
pub use tls::{Tls, TlsError, TlsFiles, certificate_holds_s, ends_soon, read_private};
