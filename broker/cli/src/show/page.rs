//! A page of text: wraps lines, neutralises everything that is put on it, says where that altered something, and colours
//! it last.

use jiff::tz::TimeZone;
use severn_client::{Shown, neutralise};

/// Whether a view is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// With ANSI colours, for a terminal.
    Always,
}

/// How a view is laid out.
#[derive(Clone, Debug)]
pub struct Style {
    /// Characters in a line.
    pub width: usize,
    /// Whether it is coloured.
    pub colour: Colour,
    /// The time zone in which times of day are shown. Dates from sources are never shifted.
    pub zone: TimeZone,
    /// Whether source, dataset and id of every entry of a record are shown.
    pub ids: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { width: 100, colour: Colour::Never, zone: TimeZone::UTC, ids: false }
    }
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    /// Names and headings.
    Strong,
    /// What must not be missed.
    Loud,
    /// What should be noticed.
    Warn,
    /// What can wait.
    Quiet,
}

impl Ink {
    fn code(self) -> Option<&'static str> {
        match self {
            Ink::Plain => None,
            Ink::Strong => Some("1"),
            Ink::Loud => Some("1;31"),
            Ink::Warn => Some("1;33"),
            Ink::Quiet => Some("2"),
        }
    }
}

/// Characters of text in a line, however deep it is indented.
const TEXT_MIN: usize = 20;

/// Characters of a mark that has a column of its own; a longer one runs on into its text.
const MARK_MAX: usize = 28;

/// What a reader is told where a text is not as its source gave it.
const ALTERED: &str = "⚑ Characters in this text were replaced: they could hide or reorder what it says.";

/// A page that is being written.
pub(crate) struct Page<'a> {
    pub(crate) style: &'a Style,
    text: String,
    /// Whether something put since the last note was altered.
    altered: bool,
}

impl<'a> Page<'a> {
    pub(crate) fn new(style: &'a Style) -> Page<'a> {
        Page { style, text: String::new(), altered: false }
    }

    /// The page as text.
    pub(crate) fn finish(mut self) -> String {
        self.note_altered(0);
        self.text
    }

    /// Says that characters were replaced, where they were in what was put since this was last called.
    pub(crate) fn note_altered(&mut self, indent: usize) {
        if std::mem::take(&mut self.altered) {
            self.put(indent, Ink::Warn, ALTERED);
        }
    }

    /// `text` as it may be shown, on lines of its own making.
    fn harmless(&mut self, text: &str) -> String {
        let Shown { text, altered } = neutralise(text);
        self.altered |= altered;
        text.replace('\t', " ")
    }

    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line over the whole width.
    pub(crate) fn rule(&mut self, ink: Ink, c: char) {
        let line: String = std::iter::repeat_n(c, self.style.width).collect();
        self.line("", ink, &line);
    }

    /// `── Title ─────`
    pub(crate) fn heading(&mut self, ink: Ink, title: &str) {
        let mut line = format!("── {title} ");
        while line.chars().count() < self.style.width {
            line.push('─');
        }
        self.line("", ink, &line);
    }

    /// Puts text, wrapped, `indent` characters from the left.
    pub(crate) fn put(&mut self, indent: usize, ink: Ink, text: &str) {
        self.put_marked(indent, "", ink, text);
    }

    /// Puts text behind a mark of ours, such as a bullet; further lines stand beneath the text, never in the mark's
    /// column, so that no text can look like a line of its own.
    pub(crate) fn put_marked(&mut self, indent: usize, mark: &str, ink: Ink, text: &str) {
        let length = mark.chars().count();
        if length > MARK_MAX {
            return self.put_marked(indent, "", ink, &format!("{mark}{text}"));
        }
        let hang = indent + length;
        let room = self.style.width.saturating_sub(hang).max(TEXT_MIN);
        let shown = self.harmless(text);
        let mut first = true;
        for line in shown.lines().flat_map(|line| wrap(line, room)) {
            let margin = if first { format!("{:indent$}{mark}", "") } else { format!("{:hang$}", "") };
            first = false;
            self.line(&margin, ink, &line);
        }
    }

    /// Puts texts beside each other, each wrapped in a column of its own, two characters apart.
    pub(crate) fn put_row(&mut self, indent: usize, ink: Ink, cells: &[Cell<'_>]) {
        let mut column = |cell: &Cell<'_>| {
            let shown = self.harmless(cell.text);
            shown.lines().flat_map(|line| wrap(line, cell.width)).collect()
        };
        let columns: Vec<Vec<String>> = cells.iter().map(&mut column).collect();
        let margin = format!("{:indent$}", "");
        for at in 0..columns.iter().map(Vec::len).max().unwrap_or_default() {
            let texts =
                cells.iter().zip(&columns).map(|(cell, lines)| cell.pad(lines.get(at).map_or("", String::as_str)));
            let line = texts.collect::<Vec<_>>().join("  ");
            self.line(&margin, ink, line.trim_end());
        }
    }

    fn line(&mut self, margin: &str, ink: Ink, line: &str) {
        let code = ink.code().filter(|_| self.style.colour == Colour::Always);
        match code {
            Some(code) => self.text.push_str(&format!("\u{1b}[{code}m{margin}{line}\u{1b}[0m")),
            None => self.text.push_str(format!("{margin}{line}").trim_end()),
        }
        self.text.push('\n');
    }
}

/// A text in a column.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    text: &'a str,
    width: usize,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl<'a> Cell<'a> {
    /// A text that begins where its column does.
    pub(crate) fn left(width: usize, text: &'a str) -> Cell<'a> {
        Cell { text, width, side: Side::Left }
    }

    /// A text that ends where its column does.
    pub(crate) fn right(width: usize, text: &'a str) -> Cell<'a> {
        Cell { text, width, side: Side::Right }
    }

    fn pad(&self, line: &str) -> String {
        let width = self.width;
        match self.side {
            Side::Left => format!("{line:width$}"),
            Side::Right => format!("{line:>width$}"),
        }
    }
}

/// Breaks a line at spaces into pieces of at most `room` characters; a longer word is broken anywhere.
fn wrap(line: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let characters: Vec<char> = word.chars().collect();
        let fits = used + usize::from(used > 0) + characters.len() <= room;
        if used > 0 && !fits {
            lines.push(std::mem::take(&mut current));
            used = 0;
        }
        if used > 0 {
            current.push(' ');
            used += 1;
        }
        for c in characters {
            if used == room {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            current.push(c);
            used += 1;
        }
    }
    if used > 0 {
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_beneath_itself_and_made_harmless() {
        let style = Style { width: 30, ..Style::default() };
        let mut page = Page::new(&style);
        page.put_marked(2, "• ", Ink::Loud, "one two three four five six\nX did not answer\u{1b}[2J \u{202e}x");
        page.put(0, Ink::Plain, &"y".repeat(32));
        page.put(0, Ink::Plain, "");
        let text = page.finish();
        let expected = "  • one two three four five\n    six\n    X did not answer␛[2J\n    ⟨U+202E⟩x\n";
        let note = "⚑ Characters in this text were\nreplaced: they could hide or\nreorder what it says.\n";
        assert_eq!(text, format!("{expected}{}\nyy\n{note}", "y".repeat(30)));
    }

    #[test]
    fn columns_stay_columns_whatever_is_in_them() {
        let style = Style::default();
        let mut page = Page::new(&style);
        let cells = [Cell::left(4, "a b c"), Cell::right(6, "one two"), Cell::left(5, "x\u{1b}y\nzz")];
        page.put_row(1, Ink::Plain, &cells);
        let text = page.finish();
        assert!(text.starts_with(" a b      one  x␛y\n c        two  zz\n⚑ Characters"), "{text}");
    }

    #[test]
    fn colour_is_put_on_last() {
        let style = Style { colour: Colour::Always, ..Style::default() };
        let mut page = Page::new(&style);
        page.put(1, Ink::Loud, "no\u{1b}[0m");
        page.put(1, Ink::Plain, "yes");
        let text = page.finish();
        assert!(text.starts_with("\u{1b}[1;31m no␛[0m\u{1b}[0m\n yes\n\u{1b}[1;33m⚑ Characters"), "{text}");
    }
}
