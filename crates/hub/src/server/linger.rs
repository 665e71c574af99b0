//! The end of a connection whose client may still be sending.
//!
//! To close a socket that holds unread bytes is to reset the connection, and a client that is reset while it sends may never
//! see the answer that says why: a 413 above all. So the hub says that it has nothing more to say and reads on for a while.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Ends a connection; returns when the client has seen the end, or has had the time to.
pub(crate) async fn close(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.shutdown().await?;
    match tokio::time::timeout(TIME, read_out(stream)).await {
        Ok(result) => result,
        Err(_) => Ok(()),
    }
}

async fn read_out(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut taken = 0;
    while taken < MOST {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => taken += count,
        }
    }
    Ok(())
}

const TIME: Duration = Duration::from_secs(2);
/// Bytes of a body that was refused.
const MOST: usize = 64 << 20;
