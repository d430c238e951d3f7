//! The connections that are open, each with a handle by which it is ended from outside: once its peer is denied, and once
//! its peer's certificate no longer holds.
//!
//! **Invariant:** nobody slips in between a look at the list and the list's change: both happen under one lock.

use crate::{certificate::Certificate, conn::Identity, deny::DenyList};
use futures::task::AtomicWaker;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};
use tracing::warn;

/// Why somebody whose certificate was believed is not let in, or not kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// The certificate names nobody.
    #[error("the certificate names no party of the federation")]
    Unnamed,
    /// The deny-list names them.
    #[error("the deny-list names them")]
    Denied,
    /// The certificate has ended.
    #[error("the certificate has ended")]
    Ended,
}

/// Who is denied, and who is in.
#[derive(Default)]
pub(crate) struct Doors {
    denied: watch::Sender<Arc<DenyList>>,
    open: Mutex<Vec<Open>>,
}

struct Open {
    chain: Vec<Certificate>,
    cut: Weak<Cut>,
}

impl Doors {
    /// Lets somebody in who showed `chain`, or not.
    pub fn admit(&self, chain: Vec<Certificate>, now_s: i64) -> Result<(Identity, Arc<Cut>), NotAdmitted> {
        let mut open = self.open();
        let identity = chain.first().and_then(|own| own.identity.clone()).ok_or(NotAdmitted::Unnamed)?;
        if let Some(why) = fault_of(&chain, &self.denied.borrow(), now_s) {
            return Err(why);
        }
        if open.len() == open.capacity() {
            open.retain(|one| one.cut.strong_count() > 0);
        }
        let cut = Arc::new(Cut::default());
        open.push(Open { chain, cut: Arc::downgrade(&cut) });
        Ok((identity, cut))
    }

    /// Puts another list in force, if there is another, and ends every connection that may no longer be.
    pub fn look(&self, denied: Option<DenyList>, now_s: i64) {
        let mut open = self.open();
        if let Some(denied) = denied {
            self.denied.send_if_modified(|held| {
                let changes = **held != denied;
                *held = Arc::new(denied);
                changes
            });
        }
        let denied = self.denied.borrow();
        open.retain(|one| {
            let (Some(cut), fault) = (one.cut.upgrade(), fault_of(&one.chain, &denied, now_s)) else { return false };
            if let Some(why) = fault {
                let peer = one.chain.first().and_then(|own| own.identity.as_ref());
                warn!(?peer, %why, "connection ended");
                cut.end();
            }
            fault.is_none()
        });
    }

    /// The list in force, now and whenever it changes.
    pub fn denied(&self) -> watch::Receiver<Arc<DenyList>> {
        self.denied.subscribe()
    }

    // A std mutex: nothing is awaited while it is held.
    fn open(&self) -> MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fault_of(chain: &[Certificate], denied: &DenyList, now_s: i64) -> Option<NotAdmitted> {
    // The last second counts to the certificate, as in RFC 5280. A session that is resumed shows a certificate that rustls
    // looked at long ago, so its end is looked at here, too.
    match chain.first() {
        _ if denied.denies(chain) => Some(NotAdmitted::Denied),
        Some(own) if now_s > *own.holds_s.end() => Some(NotAdmitted::Ended),
        _ => None,
    }
}

/// Ends one connection, from outside.
#[derive(Default)]
pub(crate) struct Cut {
    ended: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Cut {
    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    fn check(&self) -> io::Result<()> {
        match self.ended.load(Ordering::Acquire) {
            true => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the other end may no longer be connected")),
            false => Ok(()),
        }
    }

    /// What a poll says in the end: `waker` is only registered, and the end looked at again, where there is nothing to do.
    fn or_ended<T>(&self, polled: Poll<io::Result<T>>, waker: &AtomicWaker, cx: &Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            return polled;
        }
        waker.register(cx.waker());
        match self.check() {
            Ok(()) => Poll::Pending,
            Err(ended) => Poll::Ready(Err(ended)),
        }
    }
}

/// A stream that fails once it is cut.
pub(crate) struct Cuttable<S> {
    stream: S,
    cut: Arc<Cut>,
}

impl<S> Cuttable<S> {
    pub fn new(stream: S, cut: Arc<Cut>) -> Cuttable<S> {
        Cuttable { stream, cut }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cuttable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.cut.or_ended(polled, &self.cut.reader, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cuttable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.cut.or_ended(polled, &self.cut.writer, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.cut.or_ended(polled, &self.cut.writer, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.cut.or_ended(polled, &self.cut.writer, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.cut.or_ended(polled, &self.cut.writer, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
