//! Reading from and writing to one client, counted and bounded in time.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One client's connection.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: TcpStream,
    idle_timeout: Duration,
    /// Bytes that the client sent and this server read.
    pub(super) received: u64,
    /// Bytes handed to the kernel.
    pub(super) sent: u64,
    /// Whether the client has closed its side. Only one that knows the server's sequence number can do so.
    pub(super) client_finished: bool,
}

/// How a conversation ended, unless both sides closed it.
#[derive(Debug)]
pub(super) enum End {
    /// Nothing was sent or received for too long.
    Idle,
    /// The system reported an error.
    Broken(io::Error),
}

impl Conversation {
    pub(super) fn new(stream: TcpStream, idle_timeout: Duration) -> Self {
        Self {
            stream,
            idle_timeout,
            received: 0,
            sent: 0,
            client_finished: false,
        }
    }

    /// Reads what is there, or waits for it; 0 when the client has closed its side.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, End> {
        let n = within(self.idle_timeout, self.stream.read(buffer)).await?;
        self.received += n as u64;
        self.client_finished |= n == 0;
        Ok(n)
    }

    pub(super) async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            let n = within(self.idle_timeout, self.stream.write(bytes)).await?;
            self.sent += n as u64;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    /// Closes this side. What the client still sends can be read.
    pub(super) async fn finish(&mut self) -> Result<(), End> {
        within(self.idle_timeout, self.stream.shutdown()).await
    }
}

async fn within<T>(time: Duration, io: impl Future<Output = io::Result<T>>) -> Result<T, End> {
    match timeout(time, io).await {
        Err(_) => Err(End::Idle),
        Ok(result) => result.map_err(End::Broken),
    }
}
