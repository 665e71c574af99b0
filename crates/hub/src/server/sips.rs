//! The beginning of a connection, read a little at a time.
//!
//! The HTTP/2 library takes in all requests that it is given before it hands the first one on, and keeps the room that they
//! took for as long as the connection lasts: 32 KiB for a hundred streams that were opened at once, which is what a
//! proxy does that comes back. So it is given a few of them each time it is polled.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What may still be read before the next poll.
#[derive(Clone, Default)]
pub(super) struct Allowance(Arc<AtomicUsize>);

impl Allowance {
    /// The reader is about to be polled.
    pub(super) fn renewed_for<R>(&self, reader: R) -> R {
        self.0.store(SIP, Ordering::Relaxed);
        reader
    }
}

/// A connection that is read in sips at first.
pub(super) struct Sips<I> {
    io: I,
    allowance: Allowance,
    /// Bytes for which that still goes.
    careful: usize,
}

impl<I> Sips<I> {
    pub(super) fn new(io: I, allowance: Allowance) -> Self {
        Self { io, allowance, careful: BEGINNING }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Sips<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.careful == 0 {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let allowed = this.allowance.0.load(Ordering::Relaxed);
        if allowed == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut sip = [0; SIP];
        let mut sip = ReadBuf::new(&mut sip[..allowed.min(buf.remaining())]);
        std::task::ready!(Pin::new(&mut this.io).poll_read(cx, &mut sip))?;
        let read = sip.filled();
        buf.put_slice(read);
        this.allowance.0.store(allowed - read.len(), Ordering::Relaxed);
        this.careful = this.careful.saturating_sub(read.len());
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Sips<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// About ten requests after the first.
const SIP: usize = 256;

/// A few hundred requests; whoever has sent so much has opened its streams, or sends something else.
const BEGINNING: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_poll_gets_a_sip_at_first_and_every_byte_comes_in_order() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(BEGINNING * 2).collect();
        let allowance = Allowance::default();
        let mut sips = Sips::new(&bytes[..], allowance.clone());
        let (mut read, mut polls) = (vec![0; BEGINNING], 0);
        {
            let mut reading = std::pin::pin!(sips.read_exact(&mut read));
            poll_fn(|cx| {
                polls += 1;
                allowance.renewed_for(reading.as_mut()).poll(cx)
            })
            .await
            .unwrap();
        }
        assert_eq!((read.as_slice(), polls), (&bytes[..BEGINNING], BEGINNING / SIP));
        let mut rest = Vec::new();
        sips.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, &bytes[BEGINNING..]);
    }
}
