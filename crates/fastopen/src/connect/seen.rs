//! What programs and people see of connecting: counters, and events for `tracing`.

use super::connected::Connected;
use super::error::ConnectError;
use crate::counts;

/// Counts and traces how a connect ended, and returns it. Every connect ends here.
pub(crate) fn ended<S>(result: Result<Connected<S>, ConnectError>) -> Result<Connected<S>, ConnectError> {
    match &result {
        Ok(connected) => counts::count(connected.outcome),
        Err(_) => counts::count_failure(),
    }
    #[cfg(feature = "tracing")]
    trace(&result);
    result
}

#[cfg(feature = "tracing")]
fn trace<S>(result: &Result<Connected<S>, ConnectError>) {
    let attempts = match result {
        Ok(connected) => &connected.attempts[..],
        Err(error) => error.attempts(),
    };
    for attempt in attempts {
        tracing::trace!(target: "fastopen::connect", "{attempt}");
    }
    match result {
        Ok(connected) => {
            let winner = attempts.iter().find(|attempt| attempt.is_connected());
            tracing::debug!(
                target: "fastopen::connect",
                address = winner.map(|attempt| tracing::field::display(attempt.address)),
                outcome = %connected.outcome,
                attempts = attempts.len(),
                elapsed = winner.map(|attempt| tracing::field::debug(attempt.started + attempt.elapsed)),
                cut_short = connected.cut_short.map(tracing::field::display),
                "connected"
            );
        }
        Err(error) => {
            tracing::debug!(target: "fastopen::connect", attempts = attempts.len(), %error, "no connection");
        }
    }
}
