//! The network namespace that the settings belong to: how long they last, and where to make them permanent.

use serde::Serialize;

/// A file that is read at every boot.
pub(super) const SYSCTL_FILE: &str = "/etc/sysctl.d/60-fastopen.conf";

/// Whose network namespace this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    /// The machine's own.
    Machine,
    /// Another one, made by a program that is not known here.
    NetworkNamespace,
    Docker,
    Podman,
    Kubernetes,
}

/// What there is to see of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// Settings that the kernel shows in its first network namespace alone.
    pub(super) initial: bool,
    /// `KUBERNETES_SERVICE_HOST`, which the kubelet sets in every container.
    pub(super) kubernetes: bool,
    /// `/.dockerenv`.
    pub(super) docker: bool,
    /// `/run/.containerenv`.
    pub(super) podman: bool,
    /// Process 1 or an ancestor is known to be in another network namespace: this one was then made by a program within the container or
    /// the machine.
    pub(super) nested: bool,
}

/// Where a setting is kept, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Persist {
    #[serde(rename = "where")]
    pub(super) place: String,
    pub(super) what: String,
}

impl Place {
    pub(super) fn of(signs: Signs) -> Self {
        match signs {
            // A container that shares the machine's network is as good as the machine.
            Signs { initial: true, .. } => Self::Machine,
            Signs { kubernetes: true, .. } => Self::Kubernetes,
            Signs { nested: true, .. } => Self::NetworkNamespace,
            Signs { podman: true, .. } => Self::Podman,
            Signs { docker: true, .. } => Self::Docker,
            _ => Self::NetworkNamespace,
        }
    }

    pub(super) fn is_container(self) -> bool {
        !matches!(self, Self::Machine | Self::NetworkNamespace)
    }

    /// How long a setting lasts.
    pub(super) fn lifetime(self) -> &'static str {
        match self {
            Self::Machine => "until the next boot",
            Self::NetworkNamespace => "as long as this network namespace exists",
            _ => "until this container is replaced",
        }
    }

    /// The prefix of a command that needs root. Container images rarely have sudo.
    pub(super) fn sudo(self) -> &'static str {
        if self.is_container() { "" } else { "sudo " }
    }

    /// Where a setting is kept so that it lasts longer.
    pub(super) fn persist(self, setting: &str, value: &str) -> Vec<Persist> {
        let entry = |place: &str, what: String| Persist {
            place: place.to_owned(),
            what,
        };
        match self {
            Self::Machine => vec![entry(SYSCTL_FILE, format!("{setting} = {value}"))],
            Self::NetworkNamespace => vec![entry(
                "the program that makes this network namespace",
                format!("{setting} = {value}"),
            )],
            Self::Docker => vec![
                entry("docker run", format!("--sysctl {setting}={value}")),
                entry("compose.yaml", format!("sysctls: {{{setting}: \"{value}\"}}")),
            ],
            Self::Podman => vec![entry("podman run", format!("--sysctl {setting}={value}"))],
            Self::Kubernetes => {
                let mut entries = vec![entry(
                    "the pod's securityContext",
                    format!("sysctls: [{{name: {setting}, value: \"{value}\"}}]"),
                )];
                if !SAFE_IN_KUBERNETES.contains(&setting) {
                    entries.push(entry(
                        "the kubelet's options",
                        format!("--allowed-unsafe-sysctls={setting}"),
                    ));
                }
                entries
            }
        }
    }
}

/// Those of doctor's settings that Kubernetes calls safe, and that the kubelet need not allow:
/// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/>.
const SAFE_IN_KUBERNETES: &[&str] = &["net.ipv4.tcp_syncookies"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_network_namespace_makes_a_container() {
        let all = Signs {
            initial: true,
            kubernetes: true,
            docker: true,
            podman: true,
            nested: false,
        };
        let own = Signs {
            initial: false,
            ..all
        };
        for (signs, place) in [
            (all, Place::Machine),
            (own, Place::Kubernetes),
            (
                Signs {
                    kubernetes: false,
                    ..own
                },
                Place::Podman,
            ),
            (
                Signs {
                    docker: true,
                    ..Signs::default()
                },
                Place::Docker,
            ),
            (
                Signs {
                    docker: true,
                    nested: true,
                    ..Signs::default()
                },
                Place::NetworkNamespace,
            ),
            (Signs::default(), Place::NetworkNamespace),
        ] {
            assert_eq!(Place::of(signs), place, "{signs:?}");
        }
    }

    #[test]
    fn the_kubelet_has_to_allow_what_is_not_on_its_list() {
        let what = |setting| -> Vec<_> {
            let entries = Place::Kubernetes.persist(setting, "1");
            entries.into_iter().map(|entry| entry.what).collect()
        };
        assert_eq!(
            what("net.ipv4.tcp_fastopen"),
            [
                "sysctls: [{name: net.ipv4.tcp_fastopen, value: \"1\"}]",
                "--allowed-unsafe-sysctls=net.ipv4.tcp_fastopen"
            ]
        );
        assert_eq!(what("net.ipv4.tcp_syncookies").len(), 1);
    }
}
