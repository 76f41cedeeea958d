//! What the person at the screen chose.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::report::Report;
use super::table::{Row, Sort, Table};

#[derive(Debug)]
pub(super) struct State {
    /// What is watched, and how often.
    pub(super) subject: String,
    pub(super) report: Option<Report>,
    /// The table that the keys are for.
    pub(super) focus: Table,
    listeners: View,
    peers: View,
}

/// How a table is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) sort: Sort,
    /// How many rows are above the first one that is seen.
    pub(super) above: usize,
    /// How many rows there was room for.
    page: usize,
}

/// Whether to go on after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    Quit,
}

impl State {
    pub(super) fn new(subject: String) -> Self {
        let view = View {
            sort: Sort::BUSIEST_FIRST,
            above: 0,
            page: 1,
        };
        Self {
            subject,
            report: None,
            focus: Table::Peers,
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
        let view = self.view_mut(table);
        view.page = page.max(1);
        view.above = view.above.min(rows.saturating_sub(page));
    }

    /// Does what a key says.
    pub(super) fn handle(&mut self, event: &Event) -> Wish {
        let Event::Key(key) = event else {
            return Wish::Stay;
        };
        if key.kind == KeyEventKind::Release {
            return Wish::Stay;
        }
        if asks_to_quit(key) {
            return Wish::Quit;
        }
        let focus = self.focus;
        let view = self.view_mut(focus);
        match key.code {
            KeyCode::Left => view.sort = view.sort.step(focus, false),
            KeyCode::Right => view.sort = view.sort.step(focus, true),
            KeyCode::Char('r') => view.sort.reversed = !view.sort.reversed,
            KeyCode::Up => view.above = view.above.saturating_sub(1),
            KeyCode::Down => view.above += 1,
            KeyCode::PageUp => view.above = view.above.saturating_sub(view.page),
            KeyCode::PageDown => view.above += view.page,
            KeyCode::Home => view.above = 0,
            KeyCode::End => view.above = usize::MAX / 2,
            KeyCode::Tab | KeyCode::BackTab => {
                self.focus = match focus {
                    Table::Listeners => Table::Peers,
                    Table::Peers => Table::Listeners,
                };
            }
            _ => {}
        }
        Wish::Stay
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

    fn press(state: &mut State, code: KeyCode) -> Wish {
        state.handle(&Event::Key(code.into()))
    }

    #[test]
    fn three_keys_quit_and_others_do_not() {
        let mut state = State::new(String::new());
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(state.handle(&Event::Key(ctrl_c)), Wish::Quit);
        assert_eq!(press(&mut state, KeyCode::Char('q')), Wish::Quit);
        assert_eq!(press(&mut state, KeyCode::Esc), Wish::Quit);
        assert_eq!(press(&mut state, KeyCode::Char('c')), Wish::Stay);
        assert_eq!(state.handle(&Event::Resize(1, 1)), Wish::Stay);
    }

    #[test]
    fn each_table_has_its_own_order() {
        let mut state = State::new(String::new());
        press(&mut state, KeyCode::Right);
        press(&mut state, KeyCode::Char('r'));
        assert_eq!(state.view(Table::Peers).sort.name(Table::Peers), "by address ▼");
        press(&mut state, KeyCode::Tab);
        assert_eq!(state.focus, Table::Listeners);
        press(&mut state, KeyCode::Left);
        assert_eq!(
            state.view(Table::Listeners).sort.name(Table::Listeners),
            "by to-accept ▼"
        );
    }

    #[test]
    fn one_cannot_scroll_past_the_ends() {
        let mut state = State::new(String::new());
        press(&mut state, KeyCode::Up);
        assert_eq!(state.view(Table::Peers).above, 0);
        for code in [KeyCode::End, KeyCode::Down, KeyCode::PageDown] {
            press(&mut state, code);
            state.fit(Table::Peers, 4, 10);
            assert_eq!(state.view(Table::Peers).above, 6);
        }
        press(&mut state, KeyCode::PageUp);
        assert_eq!(state.view(Table::Peers).above, 2);
        state.fit(Table::Peers, 4, 3);
        assert_eq!(state.view(Table::Peers).above, 0);
    }
}
