//! The screen: a title, the counters, the two tables, the keys.

use fastopen_host::counters::Counter;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::palette::{BOLD, KEY, Palette};
use super::state::State;
use super::table::Table;
use super::{counters, grid};

/// From this height on all counters are shown, not only Fast Open's own.
const TALL: u16 = 30;
/// How many of the counters are Fast Open's own.
const OWN: usize = 8;
/// On a small screen the counters leave so many lines to the rest.
const REST: u16 = 12;

pub(super) fn screen(frame: &mut Frame<'_>, state: &mut State, palette: Palette) {
    let shown = match frame.area().height {
        TALL.. => Counter::ALL.len(),
        height => OWN.min(height.saturating_sub(REST).into()),
    };
    let [title, counters_area, tables, keys] = Layout::vertical([
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
        counters::draw(frame, counters_area, report, shown, palette);
    }
    grid::draw(frame, listeners, state, Table::Listeners, palette);
    grid::draw(frame, peers, state, Table::Peers, palette);
    self::keys(frame, keys, state);
}

/// Each table gets half of the room, and what the other does not need.
fn heights(room: u16, rows: [usize; 2]) -> [u16; 2] {
    let [listeners, peers] = rows.map(|rows| {
        u16::try_from(rows.max(1))
            .unwrap_or(room)
            .saturating_add(grid::HEAD)
    });
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
    let [left_area, right_area] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(time.len() as u16)])
            .spacing(1)
            .areas(area);
    frame.render_widget(left, left_area);
    frame.render_widget(Paragraph::new(time).alignment(Alignment::Right), right_area);
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
}
