//! The services that a first request is known for.

use serde::Serialize;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Service {
    Http,
    Tls,
    Dns,
    Redis,
}

impl Service {
    /// What usually listens on a port; HTTP where nothing else does.
    pub(super) fn on_port(port: u16) -> Self {
        match port {
            443 | 465 | 563 | 636 | 853 | 989..=995 | 5061 | 8443 => Self::Tls,
            53 => Self::Dns,
            6379 => Self::Redis,
            _ => Self::Http,
        }
    }

    /// A URL's scheme: the service, and its port unless another is given.
    pub(super) fn by_scheme(scheme: &str) -> Option<(Self, u16)> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "http" => (Self::Http, 80),
            "https" | "tls" => (Self::Tls, 443),
            "dns" => (Self::Dns, 53),
            "redis" => (Self::Redis, 6379),
            "rediss" => (Self::Tls, 6379),
            _ => return None,
        })
    }

    /// What is sent to it first, in words.
    pub(super) fn request(self) -> &'static str {
        match self {
            Self::Http => "HTTP request",
            Self::Tls => "TLS ClientHello",
            Self::Dns => "DNS query",
            Self::Redis => "Redis PING",
        }
    }
}
