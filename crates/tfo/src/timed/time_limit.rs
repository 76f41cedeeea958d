//! How long a connection may take, as it is given on the command line.

use std::time::Duration;

/// Reads a time such as `5s` or `300ms`.
///
/// # Errors
/// It is not a time, or it is zero.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let time: humantime::Duration = text
        .parse()
        .map_err(|error| format!("{error}; a time has a unit, as in 5s or 300ms"))?;
    match Duration::from(time) {
        Duration::ZERO => Err("it must be more than zero, as in 5s or 300ms".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_longer_than_nothing() {
        assert_eq!(parse("300ms"), Ok(Duration::from_millis(300)));
        for text in ["0s", "0ms", "", "5", "-1s", "soon"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
