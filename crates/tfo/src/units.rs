//! Times and amounts as people read them.

use std::time::Duration;

/// A time with three significant digits or so: `0.12 ms`, `61.2 ms`, `1.25 s`.
pub fn time(time: Duration) -> String {
    let ms = milliseconds(time);
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        ..1000.0 => format!("{ms:.1} ms"),
        _ => format!("{:.2} s", ms / 1000.0),
    }
}

/// A time as JSON has it: in milliseconds, to the microsecond.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// Parses a time such as `250ms`, `10s` or `2m`; not 0, and not longer than a year.
///
/// # Errors
/// What is wrong, and how a time is written.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    match parse_time_or_zero(text)? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        time => Ok(time),
    }
}

/// As [`parse_time`], and 0 is allowed.
///
/// # Errors
/// Those of [`parse_time`].
pub fn parse_time_or_zero(text: &str) -> Result<Duration, String> {
    // Added to a clock, longer times may overflow.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match humantime::parse_duration(text) {
        Ok(time) if time > LONGEST => Err("it must not be longer than a year".to_owned()),
        Ok(time) => Ok(time),
        Err(_) => Err("a time is a number with a unit: 250ms, 10s, 2m".to_owned()),
    }
}

/// An amount of bytes: `1 byte`, `300,000 bytes`.
pub fn bytes(bytes: u64) -> String {
    count(bytes, "byte", "bytes")
}

/// An amount of anything.
pub fn count(amount: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(amount), if amount == 1 { one } else { many })
}

/// A number with its thousands set apart.
pub fn grouped(amount: u64) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_bounds() {
        for (text, ms) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1m30s", 90_000),
        ] {
            assert_eq!(parse_time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert_eq!(parse_time_or_zero("0s"), Ok(Duration::ZERO));
        for (text, said) in [
            ("5", "a number with a unit"),
            ("", "a number with a unit"),
            ("-1s", "a number with a unit"),
            ("0s", "more than 0"),
            ("0.4ns", ""),
            ("1000000years", "longer than a year"),
            ("99999999999999999999s", ""),
        ] {
            let error = parse_time(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn times_and_amounts() {
        assert_eq!(time(Duration::from_micros(123)), "0.12 ms");
        assert_eq!(time(Duration::from_micros(61_249)), "61.2 ms");
        assert_eq!(time(Duration::from_millis(1250)), "1.25 s");
        assert_eq!(milliseconds(Duration::from_nanos(1_234_567)), 1.234);
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(300_000), "300,000 bytes");
        assert_eq!(bytes(1_234_567), "1,234,567 bytes");
    }
}
