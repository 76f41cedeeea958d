//! The connections of scrapers, no more than a limit.

use std::collections::VecDeque;
use std::future::Future;

use tokio::task::AbortHandle;

/// The connections that are served, the oldest first.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    connections: VecDeque<AbortHandle>,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            connections: VecDeque::new(),
        }
    }

    /// Serves one more, and closes the oldest if that is one too many.
    pub(super) fn add(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.connections.retain(|connection| !connection.is_finished());
        if self.connections.len() >= self.limit
            && let Some(oldest) = self.connections.pop_front()
        {
            oldest.abort();
        }
        self.connections
            .push_back(tokio::spawn(connection).abort_handle());
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    /// A connection that never ends by itself, and what closes with it.
    fn idle(connections: &mut Connections) -> oneshot::Receiver<()> {
        let (held, closed) = oneshot::channel();
        connections.add(async move {
            pending::<()>().await;
            drop(held);
        });
        closed
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_those_that_ended_take_none() {
        let mut connections = Connections::new(2);
        let mut oldest = idle(&mut connections);
        connections.add(async {});
        tokio::task::yield_now().await;
        let mut second = idle(&mut connections);
        tokio::task::yield_now().await;
        assert_eq!(oldest.try_recv(), Err(TryRecvError::Empty), "there is room");
        let _third = idle(&mut connections);
        assert!(oldest.await.is_err(), "closed");
        assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
    }
}
