//! The screen's styles. No information is in the colour alone.

use std::env;

use ratatui::style::{Color, Modifier, Style};

use super::table::Meaning;

#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    coloured: bool,
}

impl Palette {
    pub(super) const PLAIN: Self = Self { coloured: false };
    pub(super) const COLOURED: Self = Self { coloured: true };

    /// Without colour where `NO_COLOR` is set.
    pub(super) fn from_environment() -> Self {
        match env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            true => Self::PLAIN,
            false => Self::COLOURED,
        }
    }

    /// A number's: dim when there is nothing.
    pub(super) fn number(self, number: u64, meaning: Meaning) -> Style {
        match (number, meaning) {
            (0, _) => DIM,
            (_, Meaning::Good) => self.colour(Color::Green),
            (_, Meaning::Bad) => self.colour(Color::Red),
            (_, Meaning::Neutral) => Style::new(),
        }
    }

    /// The head of the table that the keys are for.
    pub(super) fn focus(self) -> Style {
        self.colour(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    fn colour(self, colour: Color) -> Style {
        match self.coloured {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}

pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const KEY: Style = Style::new().add_modifier(Modifier::REVERSED);
