//! The values that settings may have.

use std::convert::Infallible;
use std::net::IpAddr;

use toml::Spanned;
use toml::de::DeValue;

use super::super::rules::{Places, Ports, is_path};

/// What is wrong with a value, in place of what its setting may be in general.
pub(super) type Wrong = Option<String>;

/// One value, or those of an array.
pub(super) fn several<T>(
    value: &Spanned<DeValue<'_>>,
    one: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let Some(list) = value.get_ref().as_array() else {
        return Ok(vec![one(value.get_ref())?]);
    };
    if list.is_empty() {
        return Err(Some("an empty array would be every listener".to_owned()));
    }
    list.iter().map(|value| one(value.get_ref())).collect()
}

pub(super) fn text(value: &DeValue<'_>) -> Result<String, Wrong> {
    value
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .ok_or(None)
}

pub(super) fn number<T: TryFrom<i64>>(value: &DeValue<'_>, most: i64) -> Result<T, Wrong> {
    let integer = value.as_integer().ok_or(None)?;
    let number = i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| None)?;
    T::try_from(number).ok().filter(|_| number <= most).ok_or(None)
}

pub(super) fn port(value: &DeValue<'_>) -> Result<Ports, Wrong> {
    let port = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(None)
    };
    let Some(text) = value.as_str() else {
        let number: u16 = number(value, i64::from(u16::MAX))?;
        return port(&number.to_string()).map(Ports::from);
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (port(first)?, port(last)?) {
        (first, last) if first <= last => Ok(Ports(first..=last)),
        (first, last) => Err(Some(format!("a range goes upwards: \"{last}-{first}\""))),
    }
}

pub(super) fn address(value: &DeValue<'_>) -> Result<IpAddr, Wrong> {
    text(value)?.parse().map_err(|_| None)
}

pub(super) fn program(value: &DeValue<'_>) -> Result<String, Wrong> {
    let program = text(value)?;
    match is_path(&program) && !program.starts_with('/') {
        true => Err(Some("a path begins with /".to_owned())),
        false => Ok(program),
    }
}

pub(super) fn places(value: &DeValue<'_>) -> Result<Places, Wrong> {
    match text(value)?.as_str() {
        "all" => Ok(Places::All),
        text => {
            let namespace = text.parse().unwrap_or_else(|never: Infallible| match never {});
            Places::named(namespace).map_err(|error| Some(error.to_string()))
        }
    }
}
