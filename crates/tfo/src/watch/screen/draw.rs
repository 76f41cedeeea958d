//! The screen: a title, the counters, the two tables, the keys.

use fastopen_host::counters::Counter;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::palette::{BOLD, KEY, Palette};
use super::state::{Focus, State};
use super::table::Table;
use super::{counters, grid};
use counters::Shown;

/// With so much room between title and keys all counters are shown, not only Fast Open's own.
const TALL: u16 = 28;
/// How many of the counters are Fast Open's own; they come first.
const OWN: u16 = 8;
/// Lower screens show what the keys are for: the counters alone, or some of them and one table.
const LOW: u16 = 18;
/// How many lines the two tables need at least.
const TABLES: u16 = 10;

pub(super) fn screen(frame: &mut Frame<'_>, state: &mut State, palette: Palette) {
    let [title, middle, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    let low = frame.area().height < LOW;
    let all = Counter::ALL.len() as u16;
    let shown = match (middle.height, state.focus) {
        (room, Focus::Counters) if low => all.min(room.saturating_sub(1)),
        (room, _) if low => (room / 2).saturating_sub(1),
        (TALL.., _) => all,
        (room, _) => OWN.min(room.saturating_sub(1 + TABLES)),
    };
    let [counters, tables] =
        Layout::vertical([Constraint::Length(1 + shown), Constraint::Fill(1)]).areas(middle);
    self::title(frame, title, state);
    let above = state.fit_counters(shown.into(), Counter::ALL.len());
    if let Some(report) = &state.report {
        let shown = Shown {
            above,
            count: shown.into(),
            focused: state.focus == Focus::Counters,
        };
        counters::draw(frame, counters, report, shown, palette);
    }
    if low {
        if let Focus::Table(table) = state.focus {
            grid::draw(frame, tables, state, table, palette);
        }
    } else {
        let rows = [Table::Listeners, Table::Peers].map(|table| state.rows(table).len());
        let [listeners, peers] =
            Layout::vertical(heights(tables.height, rows).map(Constraint::Length)).areas(tables);
        grid::draw(frame, listeners, state, Table::Listeners, palette);
        grid::draw(frame, peers, state, Table::Peers, palette);
    }
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
    let sort = match state.focus {
        Focus::Table(table) => Some(state.view(table).sort.name(table)),
        Focus::Counters => None,
    };
    let order = sort.as_deref().map(|sort| [("←→", sort), ("r", "reverse")]);
    let keys = [("q", "quit"), ("Tab", "next part"), ("↑↓", "scroll")]
        .into_iter()
        .chain(order.into_iter().flatten());
    let spans = keys.flat_map(|(key, what)| {
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
        insta::assert_snapshot!("60x10", drawn(60, 10, &mut state()));
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
    fn every_counter_can_be_seen_on_every_screen() {
        use ratatui::crossterm::event::{Event, KeyCode};
        for (width, height) in [(80, 10), (60, 20), (60, 17), (60, 18), (80, 24), (40, 5)] {
            let mut state = state();
            let first = drawn(width, height, &mut state).to_string();
            let some = first.contains("TCPFastOpenActive ");
            assert!(some || height < 8, "{width}x{height}: {first}");
            for key in [KeyCode::Tab, KeyCode::End] {
                state.handle(&Event::Key(key.into()));
                drawn(width, height, &mut state);
            }
            let last = drawn(width, height, &mut state).to_string();
            assert!(last.contains("SyncookiesSent"), "{width}x{height}: {last}");
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
