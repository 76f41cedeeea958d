//! Drawing downwards, in SVG.

use std::fmt::Write as _;
use std::io::{self, Write};

/// What it is drawn with. All of them stand out from the background, which is always drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    Ink,
    Faint,
    Good,
    Bad,
    Warning,
}

impl Colour {
    const ALL: [Self; 5] = [Self::Ink, Self::Faint, Self::Good, Self::Bad, Self::Warning];

    fn name(self) -> &'static str {
        match self {
            Self::Ink => "ink",
            Self::Faint => "faint",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Ink => "#1f2328",
            Self::Faint => "#59636e",
            Self::Good => "#1a7f37",
            Self::Bad => "#cf222e",
            Self::Warning => "#9a6700",
        }
    }
}

/// How text is set, and what stands at the given place: its start, its middle or its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Plain,
    Title,
    Address,
    Centred,
    CentredBold,
    AtEnd,
}

impl Text {
    fn attributes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Title => " font-size=\"18\" font-weight=\"bold\"",
            Self::Address => {
                " text-anchor=\"middle\" font-size=\"12\" font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\""
            }
            Self::Centred => " text-anchor=\"middle\"",
            Self::CentredBold => " text-anchor=\"middle\" font-weight=\"bold\"",
            Self::AtEnd => " text-anchor=\"end\"",
        }
    }
}

/// A picture that grows downwards.
#[derive(Debug)]
pub(super) struct Drawing {
    width: u32,
    y: u32,
    body: String,
}

impl Drawing {
    pub(super) fn new(width: u32) -> Self {
        Self {
            width,
            y: 0,
            body: String::new(),
        }
    }

    /// Its height so far.
    pub(super) fn here(&self) -> u32 {
        self.y
    }

    pub(super) fn down(&mut self, by: u32) {
        self.y += by;
    }

    pub(super) fn text(&mut self, x: u32, text: Text, colour: Colour, content: &str) {
        let (y, attributes, fill) = (self.y, text.attributes(), colour.code());
        let content = escaped(content);
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\"{attributes} fill=\"{fill}\">{content}</text>"
        ));
    }

    /// Text beside an arrow that begins or ends here.
    pub(super) fn text_beside(&mut self, x: u32, text: Text, content: &str) {
        self.y += 9;
        self.text(x, text, Colour::Faint, content);
        self.y -= 9;
    }

    pub(super) fn arrow(&mut self, from: u32, to: u32, slant: u32, colour: Colour, bold: bool) {
        let (y, end) = (self.y, self.y + slant);
        // The head ends at the line, not behind it.
        let tip = if from < to { to - 2 } else { to + 2 };
        let width = if bold { 2.5 } else { 1.5 };
        let (code, name) = (colour.code(), colour.name());
        self.push(format_args!(
            "<line x1=\"{from}\" y1=\"{y}\" x2=\"{tip}\" y2=\"{end}\" stroke=\"{code}\" stroke-width=\"{width}\" marker-end=\"url(#{name})\"/>"
        ));
    }

    /// A line from above down to here.
    pub(super) fn lifeline(&mut self, x: u32, top: u32) {
        let (y, code) = (self.y, Colour::Faint.code());
        self.push(format_args!(
            "<line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{y}\" stroke=\"{code}\" stroke-width=\"1.5\"/>"
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = writeln!(self.body, "{element}");
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            width,
            y: height,
            body,
        } = self;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"13\">"
        )?;
        writeln!(out, "<title>TCP handshakes, by tfo trace</title>\n<defs>")?;
        for colour in Colour::ALL {
            writeln!(
                out,
                "<marker id=\"{}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"10\" markerHeight=\"10\" \
                 markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 1 10 5 0 9z\" fill=\"{}\"/></marker>",
                colour.name(),
                colour.code()
            )?;
        }
        let [inner_width, inner_height] = [width, height].map(|length| length.saturating_sub(1));
        writeln!(
            out,
            "</defs>\n<rect x=\"0.5\" y=\"0.5\" width=\"{inner_width}\" height=\"{inner_height}\" rx=\"8\" fill=\"#ffffff\" stroke=\"#d1d9e0\"/>\n{body}</svg>"
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut drawing = Drawing::new(100);
        drawing.text(0, Text::Plain, Colour::Ink, "a<b & \"c\">");
        let mut svg = Vec::new();
        drawing.write(&mut svg).unwrap();
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.contains(">a&lt;b &amp; &quot;c&quot;&gt;</text>"), "{svg}");
    }
}
