//! The counters, with how fast they rise and what they count.

use fastopen_host::counters::Counter;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Cell, Row, Table};

use super::super::report::{CounterRow, Report};
use super::grid::right;
use super::palette::{BOLD, DIM, Palette};
use super::table::Meaning;
use crate::units::grouped;

/// From this width on there is room for what a counter counts.
const EXPLAINED: u16 = 78;

/// Which of them are seen, and whether the keys are for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// How many are above the first one that is seen.
    pub(super) above: usize,
    /// How many are seen.
    pub(super) count: usize,
    pub(super) focused: bool,
}

/// Draws those that are to be shown.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, report: &Report, shown: Shown, palette: Palette) {
    let name = match (shown.focused, shown.count < report.counters.len()) {
        (true, true) => {
            let last = report.counters.len().min(shown.above + shown.count);
            let all = report.counters.len();
            format!("▶ counter {}–{last} of {all}", shown.above + 1)
        }
        (true, false) => "▶ counter".to_owned(),
        (false, _) => "counter".to_owned(),
    };
    let heading = [&name[..], "total", "per second", "what it counts"];
    let seen = report.counters.iter().skip(shown.above).take(shown.count);
    let rows = seen.map(|row| {
        let name = row.counter.name();
        let (total, rate) = (grouped(row.value), row.per_second.map_or_else(String::new, rate));
        let style = palette.number(row.rise.unwrap_or(0), meaning(row));
        Row::new([
            Cell::new(name),
            right(total, palette.number(row.value, Meaning::Neutral)),
            right(rate, style),
            Cell::new(row.counter.summary()).style(DIM),
        ])
    });
    // A narrow screen would cut the explanations off: it shows names and numbers alone.
    let columns = if area.width < EXPLAINED { 3 } else { 4 };
    let widths = [
        Constraint::Length(25),
        Constraint::Length(11),
        Constraint::Length(10),
        Constraint::Fill(1),
    ];
    let heading = Row::new(heading.iter().enumerate().map(|(column, &text)| match column {
        1 | 2 => right(text, BOLD),
        0 if shown.focused => Cell::new(text).style(palette.focus()),
        _ => Cell::new(text).style(BOLD),
    }));
    frame.render_widget(Table::new(rows, &widths[..columns]).header(heading), area);
}

fn meaning(row: &CounterRow) -> Meaning {
    match row.counter {
        Counter::Active | Counter::Passive | Counter::PassiveAltKey => Meaning::Good,
        Counter::CookieRequested => Meaning::Neutral,
        _ => Meaning::Bad,
    }
}

/// A rate with as many digits as matter.
fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate >= 99.95 => grouped(rate.round() as u64),
        rate => format!("{rate:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_digits_that_matter() {
        assert_eq!(
            [0.0, 0.25, 99.94, 99.96, 12_345.6].map(rate),
            ["0.0", "0.2", "99.9", "100", "12,346"]
        );
    }
}
