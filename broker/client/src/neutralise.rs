//! Makes text from sources safe to show: characters that could hide, reorder or fake what a reader sees become visible
//! marks, and the reader can be told so. For showing only; content in transit is never altered.
//!
//! What stays as it is, though it may mislead: a letter that looks like another (Cyrillic р for p) reads as what it looks
//! like, and merging never takes the two for one; `=cmd` and `{{x}}` are plain text here, and whoever writes a spreadsheet
//! or fills a template that computes guards against them there.

use std::{borrow::Cow, fmt};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Combining marks that are shown upon one character. Written languages need four or so; hundreds would run over the
/// lines above and below and deface what others say.
const MARKS_MAX: usize = 8;

/// A text as it may be shown. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown<'t> {
    /// The text, harmless.
    pub text: Cow<'t, str>,
    /// Whether characters were replaced or left out: a reader is to be told so.
    pub altered: bool,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("altered", &self.altered).finish_non_exhaustive()
    }
}

/// Whether a character could deceive a reader or drive a terminal: controls (C0 but tab and line feed, C1), bidirectional
/// controls (CVE-2021-42574), characters of no width, lines that strike out what they stand upon, and line separators
/// that not every program breaks at.
pub fn is_deceptive(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        _ if c.is_control() => true,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{334}'..='\u{338}' | '\u{20d2}' | '\u{20d3}' | '\u{20d8}'..='\u{20da}' | '\u{20e5}'..='\u{20eb}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// The characters of `text`, each with whether it must not be shown as it is: because it is deceptive, or because it is
/// one combining mark too many, or has nothing to stand upon.
pub fn characters(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut room = 0;
    text.chars().map(move |c| {
        if !is_mark(c) {
            room = if matches!(c, '\n' | '\t') { 0 } else { MARKS_MAX };
            return (c, is_deceptive(c));
        }
        let too_many = room == 0;
        room = room.saturating_sub(1);
        (c, too_many || is_deceptive(c))
    })
}

fn is_mark(c: char) -> bool {
    // Below are no marks; most text ends the question here.
    let category = || c.general_category();
    c >= '\u{300}' && matches!(category(), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// `text` as it may be shown. `ESC` becomes ␛, a right-to-left override ⟨U+202E⟩, combining marks beyond the eighth upon
/// one character ⟨492 marks⟩. CR LF counts as one line end, which alters nothing; a lone CR, which would let a line
/// overwrite itself, becomes ␍.
pub fn neutralise(text: &str) -> Shown<'_> {
    if !characters(text).any(|(_, harmful)| harmful) {
        return Shown { text: Cow::Borrowed(text), altered: false };
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut altered = false;
    let mut cut = 0_usize;
    let mut rest = characters(text).peekable();
    while let Some((c, harmful)) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '\r' if next.is_some_and(|(next, _)| next == '\n') => continue,
            '\u{0}'..='\u{1f}' if harmful => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => shown.push('␡'),
            _ if is_deceptive(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            _ if harmful => {
                cut += 1;
                if !next.is_some_and(|(next, harmful)| harmful && !is_deceptive(next)) {
                    shown.push_str(&format!("⟨{cut} {}⟩", if cut == 1 { "mark" } else { "marks" }));
                    cut = 0;
                }
            }
            _ => shown.push(c),
        }
        altered |= harmful;
    }
    Shown { text: Cow::Owned(shown), altered }
}

/// The same for a page of HTML: also inert as the text of an element and as a quoted value of an attribute that holds
/// plain text. Not for `href`, `style`, scripts or event handlers, where any text from a source can act. Escaping alone
/// is no alteration: a browser shows the characters as they came.
pub fn for_html(text: &str) -> Shown<'_> {
    const ESCAPES: [(char, &str); 5] = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
    let Shown { text, altered } = neutralise(text);
    let escape = |c: char| ESCAPES.iter().find(|(escaped, _)| *escaped == c).map(|(_, escape)| *escape);
    if !text.contains(|c| escape(c).is_some()) {
        return Shown { text, altered };
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match escape(c) {
            Some(escape) => escaped.push_str(escape),
            None => escaped.push(c),
        }
    }
    Shown { text: Cow::Owned(escaped), altered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a reader sees of text that could deceive, kind by kind.
    const CASES: [(&str, &str, &str); 22] = [
        ("line ends and tabs", "two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("a line that overwrites itself", "no known\rpenicillin", "no known␍penicillin"),
        ("commands to a terminal", "\u{1b}[2J\u{1b}]0;x\u{7}", "␛[2J␛]0;x␇"),
        ("the same in one character", "\u{9b}31m", "⟨U+009B⟩31m"),
        ("characters that rub out", "a\u{0}b\u{8}c\u{7f}", "a␀b␈c␡"),
        ("a faked line of a log", "x\n2026-11-23 INFO all is well", "x\n2026-11-23 INFO all is well"),
        ("bidirectional override", "\u{202e}gm 5\u{202c}", "⟨U+202E⟩gm 5⟨U+202C⟩"),
        ("bidirectional isolate", "\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"),
        ("characters of no width", "peni\u{200b}cillin\u{feff}", "peni⟨U+200B⟩cillin⟨U+FEFF⟩"),
        ("line separators", "line\u{2028}sep\u{85}", "line⟨U+2028⟩sep⟨U+0085⟩"),
        ("invisible tags and selectors", "tag\u{e0041}\u{e0100}", "tag⟨U+E0041⟩⟨U+E0100⟩"),
        ("struck out", "5\u{336}0\u{336} mg", "5⟨U+0336⟩0⟨U+0336⟩ mg"),
        ("marks that languages need", "Zoe\u{308} đo\u{302}\u{301}i", "Zoe\u{308} đo\u{302}\u{301}i"),
        ("marks upon nothing", "\u{301}\u{302}x\n\u{303}y", "⟨2 marks⟩x\n⟨1 mark⟩y"),
        ("letters of other scripts", "plain, ünïcödé, 漢字, 👍, 5 μg", "plain, ünïcödé, 漢字, 👍, 5 μg"),
        ("letters that look like others", "\u{440}aracetamol", "\u{440}aracetamol"),
        ("elements of HTML", "<b>bold</b>", "<b>bold</b>"),
        ("scripts", "<svg onload=alert(1)>", "<svg onload=alert(1)>"),
        ("addresses that act", "javascript:alert(1)", "javascript:alert(1)"),
        ("templates", "{{7*7}}", "{{7*7}}"),
        ("formulas", "=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"),
        ("nothing", "", ""),
    ];

    #[test]
    fn what_could_deceive_is_shown_and_said() {
        for (name, text, expected) in CASES {
            let shown = neutralise(text);
            assert_eq!(shown.text, expected, "{name}");
            assert_eq!(shown.altered, text != expected, "{name}");
            assert_eq!(matches!(shown.text, Cow::Borrowed(_)), !shown.altered, "{name}: copied for nothing");
        }
        let dos = neutralise("dos\r\nline");
        assert_eq!((dos.text.as_ref(), dos.altered), ("dos\nline", false));
    }

    #[test]
    fn a_flood_of_marks_is_cut_and_counted() {
        let flood = format!("x{}y", "\u{30d}".repeat(500));
        let shown = neutralise(&flood);
        assert_eq!(shown.text, format!("x{}⟨492 marks⟩y", "\u{30d}".repeat(8)));
        assert!(shown.altered);
    }

    #[test]
    fn what_is_shown_holds_nothing_deceptive() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let shown = neutralise(&text);
            assert!(!shown.text.contains(is_deceptive), "U+{:04X}", u32::from(c));
            assert_eq!(is_deceptive(c), shown.altered, "U+{:04X}", u32::from(c));
            assert_eq!(!shown.altered, shown.text == text, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn html_is_inert_as_text_and_as_a_quoted_value_and_reads_the_same() {
        let shown = for_html("<img src=x onerror='alert(1)'> \"A & B\" \u{202e}");
        assert_eq!(shown.text, "&lt;img src=x onerror=&#39;alert(1)&#39;&gt; &quot;A &amp; B&quot; ⟨U+202E⟩");
        assert!(shown.altered);
        assert!(!for_html("BP < 90").altered, "what a browser shows as it came is not altered");
        assert!(matches!(for_html("Aspirin 75 mg").text, Cow::Borrowed(_)));
    }

    /// What a browser makes of it.
    fn unescaped(html: &str) -> String {
        let decoded = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        decoded.replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn any_text_is_harmless_once_shown(text in "([a-z<&>\"'\\r\\n\\t]|\\PC|\\p{M}|\\p{C}){0,40}") {
            let shown = neutralise(&text);
            prop_assert!(characters(&shown.text).all(|(_, harmful)| !harmful), "{:?}", shown.text);
            prop_assert_eq!(neutralise(&shown.text).text, shown.text.clone(), "once is enough");
            prop_assert_eq!(shown.altered, shown.text != text.replace("\r\n", "\n"));
            let html = for_html(&text);
            prop_assert!(!html.text.contains(['<', '>', '"', '\'']));
            prop_assert_eq!(unescaped(&html.text), shown.text);
            prop_assert_eq!(html.altered, shown.altered);
        }
    }
}
