//! Makes text from sources safe to show: characters that could hide, reorder or fake what a reader sees become visible
//! marks. For showing only; content in transit is never altered.

use std::borrow::Cow;

/// Whether a character could deceive a reader or drive a terminal: controls (C0 but tab and line feed, C1), bidirectional
/// controls (CVE-2021-42574), characters of no width, and line separators that not every program breaks at.
pub fn is_deceptive(c: char) -> bool {
    match c {
        '\t' | '\n' => false,
        _ if c.is_control() => true,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// `text` as it may be shown. `ESC` becomes ␛, a right-to-left override ⟨U+202E⟩. CR LF counts as one line end; a lone
/// CR, which would let a line overwrite itself, becomes ␍.
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if !text.contains(is_deceptive) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\u{0}'..='\u{1f}' if is_deceptive(c) => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => shown.push('␡'),
            _ if is_deceptive(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            _ => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_shown() {
        for (text, shown) in [
            ("plain, ünïcödé, 漢字, 👍", "plain, ünïcödé, 漢字, 👍"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("dos\r\nline", "dos\nline"),
            ("no known\rpenicillin", "no known␍penicillin"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "␛[2J␛]0;x␇"),
            ("\u{9b}31m", "⟨U+009B⟩31m"),
            ("a\u{0}b\u{8}c\u{7f}", "a␀b␈c␡"),
            ("\u{202e}gm 5\u{202c}", "⟨U+202E⟩gm 5⟨U+202C⟩"),
            ("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"),
            ("peni\u{200b}cillin\u{feff}", "peni⟨U+200B⟩cillin⟨U+FEFF⟩"),
            ("line\u{2028}sep\u{85}", "line⟨U+2028⟩sep⟨U+0085⟩"),
            ("tag\u{e0041}", "tag⟨U+E0041⟩"),
        ] {
            assert_eq!(neutralise(text), shown);
        }
    }

    #[test]
    fn what_is_shown_holds_nothing_deceptive() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let shown = neutralise(&text);
            assert!(!shown.contains(is_deceptive), "U+{:04X}", u32::from(c));
            assert_eq!(!is_deceptive(c), shown == text, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(neutralise("Aspirin 75 mg"), Cow::Borrowed(_)));
    }
}
