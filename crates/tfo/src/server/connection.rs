//! One connection, from its arrival to its end.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use fastopen::Arrival;
use fastopen::for_tokio::Confirmation;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::conversation::{Conversation, End};
use super::mode::Mode;
use super::report::{Arrived, Ended, Ending};

/// Learns what happens to connections.
pub(crate) trait Observer: Clone + Send + 'static {
    /// One was accepted.
    fn arrived(&self, arrived: &Arrived) -> impl Future<Output = ()> + Send;
    /// One has ended, and its socket is closed.
    fn ended(&self, ended: &Ended) -> impl Future<Output = ()> + Send;
}

/// What a connection needs to know of the server.
#[derive(Clone, Debug)]
pub(crate) struct Context<O> {
    pub(crate) mode: Mode,
    pub(crate) idle_timeout: Duration,
    pub(crate) observer: O,
    /// Becomes `true` when all connections must end at once.
    pub(crate) cut_off: watch::Receiver<bool>,
}

/// Serves it, and reports its arrival and its end.
pub(crate) async fn follow<O: Observer>(
    id: u64,
    stream: TcpStream,
    peer: SocketAddr,
    mut context: Context<O>,
) -> Ended {
    let accepted = Instant::now();
    let arrival = arrival_of(&stream);
    let arrived = Arrived::new(id, peer, &arrival);
    let mut proof = Proof {
        after: arrival.confirmed.then_some(Duration::ZERO),
        failure: None,
    };
    let confirmation = Confirmation::new(&stream);
    context.observer.arrived(&arrived).await;

    let mut conversation = Conversation::new(stream, context.idle_timeout);
    let end = {
        let mut serving = pin!(context.mode.serve(&mut conversation, &arrived));
        let mut confirmed = pin!(async move { confirmation?.await });
        loop {
            tokio::select! {
                biased;
                result = &mut confirmed, if proof.is_awaited() => proof.note(result, accepted.elapsed()),
                result = &mut serving => break result.map_err(Some),
                _ = context.cut_off.wait_for(|cut_off| *cut_off) => break Err(None),
            }
        }
    };
    if conversation.client_finished {
        proof.note(Ok(()), accepted.elapsed());
    }
    let (end, error) = ending(end, &proof);
    let ended = Ended {
        arrived,
        confirmed: proof.verdict(),
        confirmed_after: proof.after,
        received: conversation.received,
        sent: conversation.sent,
        end,
        error,
        elapsed: Some(accepted.elapsed()),
    };
    drop(conversation);
    context.observer.ended(&ended).await;
    ended
}

fn arrival_of(stream: &TcpStream) -> Arrival {
    Arrival::of(stream).unwrap_or(Arrival::UNKNOWN)
}

/// Whether the client has proved its address, as far as is known.
#[derive(Debug)]
struct Proof {
    after: Option<Duration>,
    failure: Option<ErrorKind>,
}

impl Proof {
    fn is_awaited(&self) -> bool {
        self.after.is_none() && self.failure.is_none()
    }

    /// The first proof counts. A failure may only mean that the connection ended before it was looked at.
    fn note(&mut self, result: io::Result<()>, after: Duration) {
        match result {
            Ok(()) => self.after = self.after.or(Some(after)),
            Err(error) => self.failure = Some(error.kind()),
        }
    }

    fn verdict(&self) -> Option<bool> {
        match (self.after, self.failure) {
            (Some(_), _) => Some(true),
            (None, None | Some(ErrorKind::ConnectionAborted)) => Some(false),
            (None, Some(_)) => None,
        }
    }
}

fn ending(end: Result<(), Option<End>>, proof: &Proof) -> (Ending, Option<String>) {
    match end {
        Ok(()) => (Ending::Closed, None),
        Err(None) => (Ending::CutOff, None),
        Err(Some(End::Idle)) => (Ending::Idle, None),
        Err(Some(End::Broken(error))) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => (Ending::Reset, None),
            ErrorKind::TimedOut if proof.verdict() == Some(false) => (Ending::Unconfirmed, None),
            _ => (Ending::Failed, Some(error.to_string())),
        },
    }
}
