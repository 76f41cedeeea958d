//! The measurement as a plot: every request a dot, with the medians and what lies between them.

use std::fmt::Write;
use std::time::Duration;

use super::histogram::round_width;
use super::report::{Report, Times};
use super::text::conclusion;
use crate::units::time;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 730.0;
const AXIS: f64 = 240.0;
/// The strips' middles, and how far dots stray from them.
const STRIPS: [f64; 2] = [120.0, 195.0];
const STRAY: f64 = 17.0;
const PLAIN: &str = "#6b7280";
const FAST: &str = "#0f766e";

/// The plot, as the text of an SVG file.
pub(super) fn draw(report: &Report) -> String {
    let times = report.times();
    let scale = Scale::new(times.iter().flat_map(|(fast, plain)| [*fast, *plain]));
    let mut svg = String::new();
    // Writing to a string can't fail.
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="#1f2937">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="20" y="32" font-size="17" font-weight="600">{}</text>
<text x="20" y="54" fill="#4b5563">{}</text>
"##,
        escaped(&title(report)),
        escaped(&conclusion(report)),
    );
    axis(&mut svg, &scale);
    let plain = times.iter().map(|(_, plain)| *plain);
    let fast = times.iter().map(|(fast, _)| *fast);
    strip(&mut svg, &scale, STRIPS[0], PLAIN, "plain", plain, report.plain);
    strip(&mut svg, &scale, STRIPS[1], FAST, "fast", fast, report.fast);
    svg.push_str("</svg>\n");
    svg
}

fn title(report: &Report) -> String {
    format!(
        "Time to the first byte from {}, with and without TCP Fast Open",
        report.target
    )
}

fn axis(svg: &mut String, scale: &Scale) {
    for tick in scale.ticks() {
        let x = scale.x(tick);
        let _ = writeln!(
            svg,
            r##"<line x1="{x:.1}" y1="78" x2="{x:.1}" y2="{AXIS}" stroke="#e5e7eb"/><text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"##,
            AXIS + 20.0,
            scale.label(tick),
        );
    }
    let _ = writeln!(
        svg,
        r#"<text x="{}" y="{}" text-anchor="middle" fill="{PLAIN}">milliseconds from the SYN to the first byte of the answer</text>"#,
        f64::midpoint(LEFT, RIGHT),
        AXIS + 42.0,
    );
}

fn strip(
    svg: &mut String,
    scale: &Scale,
    middle: f64,
    colour: &str,
    name: &str,
    values: impl Iterator<Item = f64>,
    times: Option<Times>,
) {
    let _ = writeln!(
        svg,
        r#"<g fill="{colour}"><text x="20" y="{:.1}" font-weight="600">{name}</text><g fill-opacity="0.45">"#,
        middle + 4.0
    );
    for (number, value) in values.enumerate() {
        let y = middle + STRAY * stray(number);
        let _ = writeln!(svg, r#"<circle cx="{:.1}" cy="{y:.1}" r="3"/>"#, scale.x(value));
    }
    svg.push_str("</g>");
    if let Some(times) = times {
        let x = scale.x(times.median_ms);
        let (top, bottom) = (middle - STRAY - 6.0, middle + STRAY + 6.0);
        let _ = writeln!(
            svg,
            r#"<line x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="{colour}" stroke-width="2.5"/><text x="{x:.1}" y="{:.1}" text-anchor="{}" font-weight="600">{}</text>"#,
            top - 3.0,
            anchor(x),
            time(Duration::from_secs_f64(times.median_ms / 1000.0)),
        );
    }
    svg.push_str("</g>\n");
}

/// Keeps a text within the picture.
fn anchor(x: f64) -> &'static str {
    match x {
        _ if x < LEFT + 40.0 => "start",
        _ if x > RIGHT - 40.0 => "end",
        _ => "middle",
    }
}

/// How far from the middle the dot of that number lies, from -1 to 1: evenly, and never the same twice in a row.
fn stray(number: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    2.0 * (number as f64 * GOLDEN).fract() - 1.0
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// From milliseconds to places in the picture.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low > high {
            return Self {
                low: 0.0,
                high: 1.0,
                step: 0.5,
            };
        }
        // From zero where that wastes little room: lengths can then be compared.
        let low = if low < 0.6 * high { 0.0 } else { low };
        let step = round_width((high - low).max(high * 1e-3).max(1e-3) / 6.0);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil().max((low / step).floor() + 1.0) * step,
            step,
        }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.low) / (self.high - self.low) * (RIGHT - LEFT)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|number| self.low + number as f64 * self.step)
    }

    fn label(&self, value: f64) -> String {
        let places = (-self.step.log10().floor()).max(0.0) as usize;
        format!("{value:.places$}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::sample;
    use super::*;

    #[test]
    fn every_request_is_a_dot_within_the_picture() {
        let report = sample((0..50).map(|n| (20.0 + f64::from(n % 5), 40.0 + f64::from(n % 7))));
        let svg = draw(&report);
        assert_eq!(svg.matches("<circle").count(), 100);
        let places = svg
            .split("cx=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        for x in places.map(|x| x.parse::<f64>().unwrap()) {
            assert!((LEFT..=RIGHT).contains(&x), "{x}");
        }
        assert!(svg.contains(">22.0 ms<"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_a_picture_too() {
        let svg = draw(&sample([]));
        assert!(svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn what_a_target_says_stays_text() {
        let mut report = sample([(20.0, 40.0); 10]);
        report.target = "http://h/<script>&".to_owned();
        assert!(draw(&report).contains("http://h/&lt;script&gt;&amp;"));
    }
}
