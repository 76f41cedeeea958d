//! One of the tables: its columns as far as there is room, and the rows that are seen.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Row, Table as Grid};

use super::super::text;
use super::palette::{BOLD, DIM, Palette};
use super::state::{Focus, State};
use super::table::{Column, Key, Table};
use crate::units::grouped;

/// The lines of a table above its rows: what there is in all, and the headings.
pub(super) const HEAD: u16 = 2;
/// From this width on headings are written out.
const WIDE: u16 = 100;
/// The least room for a number.
const NUMBER: usize = 5;
/// The least room for an address: any of IPv4.
const ADDRESS: u16 = 15;

/// Draws a table, and takes note of what there was room for.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &mut State, table: Table, palette: Palette) {
    let rows = state.rows(table);
    let page = usize::from(area.height.saturating_sub(HEAD));
    state.fit(table, page, rows.len());
    let view = state.view(table);
    let wide = area.width >= WIDE;
    let columns = shown(table.columns(), area.width, wide);
    let widths = columns.iter().map(|column| width(column, wide));
    let address = area
        .width
        .saturating_sub(widths.clone().map(|width| width + 1).sum());

    let above = view.scroll.above;
    let seen = above..rows.len().min(above + page);
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

/// The first columns, as many as there is room for beside an address.
fn shown(columns: &[Column], room: u16, wide: bool) -> &[Column] {
    let mut taken = ADDRESS;
    let fit = columns.iter().take_while(|column| {
        taken += 1 + width(column, wide);
        taken <= room
    });
    &columns[..fit.count()]
}

fn width(column: &Column, wide: bool) -> u16 {
    column.heading(wide).len().max(NUMBER) as u16
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
    let (style, mark) = match state.focus == Focus::Table(table) {
        true => (palette.focus(), "▶ "),
        false => (Style::new(), ""),
    };
    // The border's.
    let style = style.remove_modifier(Modifier::DIM);
    let place = match !seen.is_empty() && seen.len() < rows {
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

/// A cell whose text stands at its right edge.
pub(super) fn right<'a>(text: impl Into<Span<'a>>, style: Style) -> Cell<'a> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_addresses_lose_their_middle() {
        assert_eq!(elided("192.0.2.1", 9), "192.0.2.1");
        assert_eq!(elided("2001:db8:1:2:3:4:5:6", 11), "2001:…4:5:6");
        assert_eq!(elided("2001:db8::1", 1), "…");
        assert_eq!(clipped("outgoing 7", 9), "outgoing…");
    }

    #[test]
    fn columns_for_which_there_is_no_room_are_left_out() {
        for table in [Table::Listeners, Table::Peers] {
            let columns = table.columns();
            assert_eq!(shown(columns, 80, false).len(), columns.len(), "{table:?}");
            assert_eq!(shown(columns, WIDE, true).len(), columns.len(), "{table:?}");
            assert!(
                (1..columns.len()).contains(&shown(columns, 40, false).len()),
                "{table:?}"
            );
            assert!(shown(columns, ADDRESS, false).is_empty(), "{table:?}");
        }
    }
}
