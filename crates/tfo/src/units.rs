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
