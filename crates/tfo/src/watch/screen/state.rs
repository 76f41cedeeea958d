//! What the user has chosen with keys.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::report::Report;
use super::table::{Row, Sort, Table};

#[derive(Debug)]
pub(super) struct State {
    /// What is watched, and how often.
    pub(super) subject: String,
    pub(super) report: Option<Report>,
    /// What the keys are for.
    pub(super) focus: Focus,
    counters: Scroll,
    listeners: View,
    peers: View,
}

/// A part of the screen, which keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Counters,
    Table(Table),
}

impl Focus {
    const ALL: [Self; 3] = [
        Self::Counters,
        Self::Table(Table::Listeners),
        Self::Table(Table::Peers),
    ];

    fn step(self, forwards: bool) -> Self {
        let place = Self::ALL.iter().position(|focus| *focus == self).unwrap_or(0);
        let count = Self::ALL.len();
        Self::ALL[(place + if forwards { 1 } else { count - 1 }) % count]
    }
}

/// Which rows of a list are seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scroll {
    /// How many rows are above the first one that is seen.
    pub(super) above: usize,
    /// How many rows there was room for.
    page: usize,
}

impl Scroll {
    const TOP: Self = Self { above: 0, page: 1 };

    /// Takes note that so many rows can be seen at once, and that there are no more than these.
    fn fit(&mut self, page: usize, rows: usize) {
        self.page = page.max(1);
        self.above = self.above.min(rows.saturating_sub(page));
    }

    fn handle(&mut self, code: KeyCode) {
        match code {
            KeyCode::Up => self.above = self.above.saturating_sub(1),
            KeyCode::Down => self.above += 1,
            KeyCode::PageUp => self.above = self.above.saturating_sub(self.page),
            KeyCode::PageDown => self.above += self.page,
            KeyCode::Home => self.above = 0,
            KeyCode::End => self.above = usize::MAX / 2,
            _ => {}
        }
    }
}

/// How a table is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) sort: Sort,
    pub(super) scroll: Scroll,
}

/// Whether to go on after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    Quit,
}

impl State {
    pub(super) fn new(subject: String) -> Self {
        let view = View {
            sort: Sort::BUSIEST_FIRST,
            scroll: Scroll::TOP,
        };
        Self {
            subject,
            report: None,
            focus: Focus::Table(Table::Peers),
            counters: Scroll::TOP,
            listeners: view,
            peers: view,
        }
    }

    pub(super) fn view(&self, table: Table) -> View {
        match table {
            Table::Listeners => self.listeners,
            Table::Peers => self.peers,
        }
    }

    fn view_mut(&mut self, table: Table) -> &mut View {
        match table {
            Table::Listeners => &mut self.listeners,
            Table::Peers => &mut self.peers,
        }
    }

    /// The table's rows in the order that was chosen.
    pub(super) fn rows(&self, table: Table) -> Vec<Row> {
        self.report
            .as_ref()
            .map_or_else(Vec::new, |report| table.rows(report, self.view(table).sort))
    }

    /// Takes note that so many of the table's rows can be seen at once, and that there are no more than these.
    pub(super) fn fit(&mut self, table: Table, page: usize, rows: usize) {
        self.view_mut(table).scroll.fit(page, rows);
    }

    /// The same of the counters; how many of them are above the first one that is seen.
    pub(super) fn fit_counters(&mut self, page: usize, rows: usize) -> usize {
        self.counters.fit(page, rows);
        self.counters.above
    }

    /// Handles a key.
    pub(super) fn handle(&mut self, event: &Event) -> Next {
        let Event::Key(key) = event else {
            return Next::Stay;
        };
        if key.kind == KeyEventKind::Release {
            return Next::Stay;
        }
        if asks_to_quit(key) {
            return Next::Quit;
        }
        match key.code {
            KeyCode::Tab => self.focus = self.focus.step(true),
            KeyCode::BackTab => self.focus = self.focus.step(false),
            code => self.handle_in_focus(code),
        }
        Next::Stay
    }

    fn handle_in_focus(&mut self, code: KeyCode) {
        let Focus::Table(table) = self.focus else {
            return self.counters.handle(code);
        };
        let view = self.view_mut(table);
        match code {
            KeyCode::Left => view.sort = view.sort.step(table, false),
            KeyCode::Right => view.sort = view.sort.step(table, true),
            KeyCode::Char('r') => view.sort.reversed = !view.sort.reversed,
            code => view.scroll.handle(code),
        }
    }
}

fn asks_to_quit(key: &KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(state: &mut State, code: KeyCode) -> Next {
        state.handle(&Event::Key(code.into()))
    }

    #[test]
    fn three_keys_quit_and_others_do_not() {
        let mut state = State::new(String::new());
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.handle(&Event::Key(ctrl_c)), Next::Quit);
        assert_eq!(press(&mut state, KeyCode::Char('q')), Next::Quit);
        assert_eq!(press(&mut state, KeyCode::Esc), Next::Quit);
        assert_eq!(press(&mut state, KeyCode::Char('c')), Next::Stay);
        assert_eq!(state.handle(&Event::Resize(1, 1)), Next::Stay);
    }

    #[test]
    fn each_table_has_its_own_order() {
        let mut state = State::new(String::new());
        press(&mut state, KeyCode::Right);
        press(&mut state, KeyCode::Char('r'));
        assert_eq!(state.view(Table::Peers).sort.name(Table::Peers), "by address ▼");
        press(&mut state, KeyCode::BackTab);
        assert_eq!(state.focus, Focus::Table(Table::Listeners));
        press(&mut state, KeyCode::Left);
        assert_eq!(
            state.view(Table::Listeners).sort.name(Table::Listeners),
            "by to-accept ▼"
        );
    }

    #[test]
    fn the_counters_can_be_scrolled_and_every_part_comes_round() {
        let mut state = State::new(String::new());
        press(&mut state, KeyCode::Tab);
        assert_eq!(state.focus, Focus::Counters);
        for (code, above) in [(KeyCode::Down, 1), (KeyCode::End, 9), (KeyCode::Home, 0)] {
            press(&mut state, code);
            assert_eq!(state.fit_counters(3, 12), above, "{code:?}");
        }
        press(&mut state, KeyCode::Right);
        for _ in 0..2 {
            press(&mut state, KeyCode::Tab);
        }
        assert_eq!(state.focus, Focus::Table(Table::Peers));
    }

    #[test]
    fn one_cannot_scroll_past_the_ends() {
        let mut state = State::new(String::new());
        press(&mut state, KeyCode::Up);
        assert_eq!(state.view(Table::Peers).scroll.above, 0);
        for code in [KeyCode::End, KeyCode::Down, KeyCode::PageDown] {
            press(&mut state, code);
            state.fit(Table::Peers, 4, 10);
            assert_eq!(state.view(Table::Peers).scroll.above, 6);
        }
        press(&mut state, KeyCode::PageUp);
        assert_eq!(state.view(Table::Peers).scroll.above, 2);
        state.fit(Table::Peers, 4, 3);
        assert_eq!(state.view(Table::Peers).scroll.above, 0);
    }
}
