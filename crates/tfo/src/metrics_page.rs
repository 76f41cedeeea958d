//! Prometheus' text format (version 0.0.4), for every command that has metrics.

use std::fmt::{self, Display, Write};

/// A page of metrics as it grows.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

impl Page {
    /// Begins a metric; its samples follow.
    pub(crate) fn metric<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Metric<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.write(format_args!(
            "# HELP {name} {}\n# TYPE {name} {kind}\n",
            escaped(help, false)
        ));
        Metric { page: self, name }
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = self.0.write_fmt(text);
    }
}

/// A metric whose samples are being written.
#[derive(Debug)]
pub(crate) struct Metric<'a> {
    page: &'a mut Page,
    name: &'a str,
}

impl Metric<'_> {
    pub(crate) fn sample(&mut self, labels: &[(&str, &dyn Display)], value: u64) {
        let name = self.name;
        if labels.is_empty() {
            return self.page.write(format_args!("{name} {value}\n"));
        }
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", escaped(&text.to_string(), true)))
            .collect();
        self.page
            .write(format_args!("{name}{{{}}} {value}\n", labels.join(",")));
    }
}

fn escaped(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', r"\\").replace('\n', r"\n");
    if quoted { text.replace('"', r#"\""#) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.metric("a_total", Kind::Counter, "One \"line\"\nwith a \\.")
            .sample(&[], 7);
        let mut metric = page.metric("b", Kind::Gauge, "Two.");
        metric.sample(&[("x", &"1"), ("y", &"say \"hi\"\\\n")], u64::MAX);
        metric.sample(&[("x", &2)], 0);
        assert_eq!(
            page.into_text(),
            "# HELP a_total One \"line\"\\nwith a \\\\.\n# TYPE a_total counter\na_total 7\n\
             # HELP b Two.\n# TYPE b gauge\n\
             b{x=\"1\",y=\"say \\\"hi\\\"\\\\\\n\"} 18446744073709551615\nb{x=\"2\"} 0\n"
        );
    }
}
