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

/// Draws as many of them as are to be shown.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, report: &Report, shown: usize, palette: Palette) {
    let heading = ["counter", "total", "per second", "what it counts"];
    let rows = report.counters.iter().take(shown).map(|row| {
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
    let widths = [
        Constraint::Length(25),
        Constraint::Length(11),
        Constraint::Length(10),
        Constraint::Fill(1),
    ];
    let heading = Row::new(heading.iter().enumerate().map(|(column, &text)| match column {
        1 | 2 => right(text, BOLD),
        _ => Cell::new(text).style(BOLD),
    }));
    frame.render_widget(Table::new(rows, widths).header(heading), area);
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
