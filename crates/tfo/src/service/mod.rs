//! What commands have in common that stay and run as services: [`notify`] tells the service manager, [`problems`] tells what is wrong
//! without repeating it, and [`textfile`] keeps metrics for Prometheus.

pub(crate) mod notify;
pub(crate) mod problems;
pub(crate) mod textfile;
