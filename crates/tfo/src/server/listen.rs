//! Listening where the user asked for it.

use std::io::ErrorKind;

use fastopen::{ListenError, ListenOptions, Listening};
use tokio::net::TcpListener;

use crate::address::Address;
use crate::hint;

/// Listens on every address when none is given, over IPv6 and IPv4 where the system has both.
///
/// # Errors
/// There can be no listener; with a hint.
pub(crate) async fn listen(
    address: &Address,
    options: &ListenOptions,
) -> anyhow::Result<Listening<TcpListener>> {
    try_to_listen(address, options)
        .await
        .map_err(|error| with_hint(error, address))
}

async fn try_to_listen(
    address: &Address,
    options: &ListenOptions,
) -> Result<Listening<TcpListener>, ListenError> {
    if let Some(host) = &address.host {
        return options.listen_tokio((host.as_str(), address.port)).await;
    }
    match options.listen_tokio(("::", address.port)).await {
        Err(error) if lacks_ipv6(&error) => options.listen_tokio(("0.0.0.0", address.port)).await,
        listening => listening,
    }
}

/// Whether the error may be that this system has no IPv6, for which there are several errors.
fn lacks_ipv6(error: &ListenError) -> bool {
    !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

fn with_hint(error: ListenError, address: &Address) -> anyhow::Error {
    let port = address.port;
    let hint = match error.kind() {
        ErrorKind::AddrInUse => {
            format!("choose another port, or see which program has this one: ss -ltnp 'sport = :{port}'")
        }
        ErrorKind::AddrNotAvailable => "choose an address that this machine has: see ip address".to_owned(),
        ErrorKind::PermissionDenied => "choose a port from 1024 up, or run it as root".to_owned(),
        _ => match error {
            ListenError::Resolve(_) | ListenError::NoAddress => {
                "choose an IP address that this machine has: see ip address".to_owned()
            }
            _ => return error.into(),
        },
    };
    hint::with(error, hint)
}
