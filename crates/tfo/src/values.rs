//! Values of options, with errors that say what can be typed.

use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Parses a number in this range.
pub(crate) fn number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number: u64| T::try_from(number).ok());
        number.ok_or_else(|| match (range.start(), range.end()) {
            (least, &u64::MAX) => format!("it must be a number from {least}"),
            (least, most) => format!("it must be a number from {least} to {most}"),
        })
    }
}

/// Parses an IP address.
///
/// # Errors
/// How one is written.
pub(crate) fn ip(text: &str) -> Result<IpAddr, &'static str> {
    text.parse()
        .map_err(|_| "it must be an IP address without a port, such as 192.0.2.2 or 2001:db8::2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_refused_is_told_the_range() {
        let parse = number::<u16>(1..=65_535);
        assert_eq!(parse("65535"), Ok(65_535));
        for text in ["0", "65536", "-1", "1.5", "", "x", "99999999999999999999"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, "it must be a number from 1 to 65535", "{text}");
        }
        assert_eq!(number::<u64>(0..=u64::MAX)("0"), Ok(0));
    }
}
