//! What pages come by.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    H2,
}

impl Protocol {
    pub(crate) const ALL: [Self; 3] = [Self::Http, Self::Https, Self::H2];

    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https | Self::H2 => "https",
        }
    }

    /// One for each, since the browser asks for HTTP/2 wherever there is TLS.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 8443,
            Self::H2 => 443,
        }
    }

    /// What the browser calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http | Self::Https => "http/1.1",
            Self::H2 => "h2",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http, HTTP/1.1",
            Self::Https => "https, HTTP/1.1",
            Self::H2 => "https, HTTP/2",
        })
    }
}
