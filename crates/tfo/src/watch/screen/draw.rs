//! The screen: a title, the counters, the two tables, the keys.

use std::ops::Range;

use fastopen_host::counters::Counter;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table as Grid};

use super::super::report::{CounterRow, Report};
use super::super::text;
use super::palette::{BOLD, DIM, KEY, Palette};
use super::state::State;
use super::table::{Key, Meaning, Table};
use crate::units::grouped;

/// From this height on all counters are shown, not only Fast Open's own.
const TALL: u16 = 30;
/// From this width on headings are written out.
const WIDE: u16 = 100;
/// How many of the counters are Fast Open's own.
const OWN: usize = 8;
/// The lines of a table above its rows: what there is in all, and the headings.
const HEAD: u16 = 2;
/// The least room for a number.
const NUMBER: usize = 5;

pub(super) fn screen(frame: &mut Frame<'_>, state: &mut State, palette: Palette) {
    let shown = match frame.area().height {
        TALL.. => Counter::ALL.len(),
        _ => OWN,
    };
    let [title, counters, tables, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1 + shown as u16),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let rows = [Table::Listeners, Table::Peers].map(|table| state.rows(table).len());
    let [listeners, peers] =
        Layout::vertical(heights(tables.height, rows).map(Constraint::Length)).areas(tables);
    self::title(frame, title, state);
    if let Some(report) = &state.report {
        self::counters(frame, counters, report, shown, palette);
    }
    table(frame, listeners, state, Table::Listeners, palette);
    table(frame, peers, state, Table::Peers, palette);
    self::keys(frame, keys, state);
}

/// Each table gets half of the room, and what the other does not need.
fn heights(room: u16, rows: [usize; 2]) -> [u16; 2] {
    let [listeners, peers] = rows.map(|rows| u16::try_from(rows.max(1)).unwrap_or(room).saturating_add(HEAD));
    let half = room / 2;
    let listeners = listeners.min(half.max(room.saturating_sub(peers)));
    [listeners, room - listeners]
}

fn title(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let left = Line::from(vec![
        Span::styled("tfo watch", BOLD),
        Span::raw(format!("  {}", state.subject)),
    ]);
    let time = state.report.as_ref().map_or_else(String::new, |report| {
        humantime::format_rfc3339_seconds(report.time).to_string()
    });
    frame.render_widget(left, area);
    frame.render_widget(Paragraph::new(time).alignment(Alignment::Right), area);
}

fn counters(frame: &mut Frame<'_>, area: Rect, report: &Report, shown: usize, palette: Palette) {
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
    frame.render_widget(Grid::new(rows, widths).header(heading), area);
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

fn table(frame: &mut Frame<'_>, area: Rect, state: &mut State, table: Table, palette: Palette) {
    let rows = state.rows(table);
    let page = usize::from(area.height.saturating_sub(HEAD));
    state.fit(table, page, rows.len());
    let view = state.view(table);
    let wide = area.width >= WIDE;
    let columns = table.columns();
    let widths = columns
        .iter()
        .map(|column| column.heading(wide).len().max(NUMBER) as u16);
    let address = area
        .width
        .saturating_sub(widths.clone().map(|width| width + 1).sum());

    let seen = view.above..rows.len().min(view.above + page);
    let lines = rows[seen.clone()].iter().map(|row| {
        let numbers = std::iter::zip(&row.numbers, columns).map(|(number, column)| match number {
            Some(number) => right(grouped(*number), palette.number(*number, column.meaning)),
            None => right("?", DIM),
        });
        Row::new(std::iter::once(Cell::new(elided(&row.address, address.into()))).chain(numbers))
    });
    let sorted = |key| {
        if view.sort.key == key {
            palette.focus()
        } else {
            BOLD
        }
    };
    let name = match table {
        Table::Listeners => "listener",
        Table::Peers => "peer",
    };
    let headings = columns
        .iter()
        .enumerate()
        .map(|(place, column)| right(column.heading(wide), sorted(Key::Column(place))));
    let headings = std::iter::once(Cell::new(name).style(sorted(Key::Address))).chain(headings);
    let grid = Grid::new(
        lines,
        std::iter::once(address).chain(widths).map(Constraint::Length),
    )
    .header(Row::new(headings))
    .block(head(state, table, seen, rows.len(), area, palette));
    frame.render_widget(grid, area);
}

/// The line above a table: what there is in all, and which rows are seen where not all are.
fn head(
    state: &State,
    table: Table,
    seen: Range<usize>,
    rows: usize,
    area: Rect,
    palette: Palette,
) -> Block<'static> {
    let sum = match (table, &state.report) {
        (Table::Listeners, Some(report)) => format!("incoming {} ", text::incoming(&report.incoming)),
        (Table::Peers, Some(report)) => format!("outgoing {} ", text::outgoing(&report.outgoing)),
        (_, None) => String::new(),
    };
    let (style, mark) = match state.focus == table {
        true => (palette.focus(), "▶ "),
        false => (Style::new(), ""),
    };
    // The border's.
    let style = style.remove_modifier(Modifier::DIM);
    let place = match seen.len() < rows {
        true => format!(" {}–{} of {rows}", seen.start + 1, seen.end),
        false => String::new(),
    };
    let room = usize::from(area.width).saturating_sub(place.chars().count());
    Block::new()
        .borders(Borders::TOP)
        .border_style(DIM)
        .title_top(Line::styled(clipped(&format!("{mark}{sum}"), room), style))
        .title_top(Line::styled(place, style).right_aligned())
}

fn right<'a>(text: impl Into<Span<'a>>, style: Style) -> Cell<'a> {
    Cell::new(Line::from(text.into()).right_aligned()).style(style)
}

/// The text with its end left out where it is too long.
fn clipped(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// The text with its middle left out where it is too long.
fn elided(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width == 0 {
        return text.to_owned();
    }
    let (start, end) = (width / 2, width - width / 2 - 1);
    let head = text.chars().take(start);
    let tail = text.chars().skip(length - end);
    head.chain(['…']).chain(tail).collect()
}

fn keys(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let sort = state.view(state.focus).sort.name(state.focus);
    let keys = [
        ("q", "quit"),
        ("Tab", "other table"),
        ("←→", sort.as_str()),
        ("r", "reverse"),
        ("↑↓", "scroll"),
    ];
    let spans = keys.iter().flat_map(|(key, what)| {
        [
            Span::styled(format!(" {key} "), KEY),
            Span::raw(format!(" {what}  ")),
        ]
    });
    frame.render_widget(Line::from_iter(spans), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::super::sample;
    use super::*;

    fn drawn(width: u16, height: u16, state: &mut State) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| screen(frame, state, Palette::COLOURED))
            .unwrap();
        terminal.backend().clone()
    }

    fn state() -> State {
        let mut state = State::new("this network namespace, every 1s".to_owned());
        state.report = Some(sample::report());
        state
    }

    #[test]
    fn it_fits_the_usual_terminals() {
        insta::assert_snapshot!("80x24", drawn(80, 24, &mut state()));
        insta::assert_snapshot!("120x40", drawn(120, 40, &mut state()));
    }

    #[test]
    fn it_can_be_drawn_at_any_size_and_before_the_first_report() {
        for state in [&mut state(), &mut State::new("nothing yet".to_owned())] {
            for (width, height) in [(1, 1), (20, 5), (80, 3), (10, 60), (300, 100)] {
                drawn(width, height, state);
            }
        }
    }

    #[test]
    fn a_table_leaves_to_the_other_what_it_does_not_need() {
        for (rows, expected) in [
            ([100, 100], [10, 10]),
            ([3, 100], [5, 15]),
            ([100, 3], [15, 5]),
            ([3, 3], [5, 15]),
            ([0, 0], [3, 17]),
            ([usize::MAX, usize::MAX], [10, 10]),
        ] {
            assert_eq!(heights(20, rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn without_colour_nothing_is_coloured() {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        terminal
            .draw(|frame| screen(frame, &mut state(), Palette::PLAIN))
            .unwrap();
        let cells = terminal.backend().buffer().content();
        assert!(cells.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    }

    #[test]
    fn long_addresses_lose_their_middle() {
        assert_eq!(elided("192.0.2.1", 9), "192.0.2.1");
        assert_eq!(elided("2001:db8:1:2:3:4:5:6", 11), "2001:…4:5:6");
        assert_eq!(elided("2001:db8::1", 1), "…");
        assert_eq!(clipped("outgoing 7", 9), "outgoing…");
    }

    #[test]
    fn rates_have_the_digits_that_matter() {
        assert_eq!(
            [0.0, 0.25, 99.94, 99.96, 12_345.6].map(rate),
            ["0.0", "0.2", "99.9", "100", "12,346"]
        );
    }
}
