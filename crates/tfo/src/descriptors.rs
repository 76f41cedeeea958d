//! How many connections there can be at once.

/// Raises the limit on descriptors from the usual 1,024 to what is allowed. Where that fails there is room for fewer connections at
/// once.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// Windows has no such limit.
#[cfg(windows)]
pub(crate) fn raise_limit() {}
