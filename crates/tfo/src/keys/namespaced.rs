//! What is done in another network namespace.

use std::thread;

use anyhow::anyhow;

use crate::namespace::Namespace;

/// Does it on a thread in that namespace, or on this one where none is named. `command` is what a hint tells to run as root.
pub(super) fn run<T: Send>(
    namespace: Option<&Namespace>,
    command: &str,
    action: impl FnOnce() -> anyhow::Result<T> + Send,
) -> anyhow::Result<T> {
    let Some(namespace) = namespace else {
        return action();
    };
    thread::scope(|scope| {
        let done = thread::Builder::new().spawn_scoped(scope, || {
            namespace.enter(command)?;
            action()
        })?;
        done.join()
            .map_err(|_| anyhow!("the thread in the network namespace ended"))?
    })
}
