//! Judges what a client printed, whatever its format. Pure.
//!
//! A text is read as a row of words: letters and digits in lower case, everything else parts them. Of a JSON document
//! each value is read behind its key; `false` reads "not" before the key, what is empty does not count. Of a page of HTML
//! what a browser shows is read. The sentence on what is missing is taken out before anything else is looked for, so that
//! it cannot stand for the rest.

use serde_json::Value;
use severn_client::is_deceptive;

/// Words that two things that belong together may be apart.
const NEAR_WORDS: usize = 60;

/// Combining marks upon one character that may reach a screen: what Unicode's stream-safe format takes (UAX #15).
const MARKS_MAX: usize = 30;

/// Any of these phrases.
pub type AnyOf = &'static [&'static str];

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// One phrase of each list stands near one of the first list.
    Near(&'static [AnyOf]),
    /// None of these phrases stands anywhere.
    Nowhere(AnyOf),
    /// The first of these stands before the first of those.
    Before(AnyOf, AnyOf),
    /// The sentence on what is missing stands there, word for word.
    Summary,
    /// It stands before the first of these. In a JSON document the order of keys says nothing.
    SummaryBefore(AnyOf),
    /// Nothing that could deceive a reader or drive a terminal or a browser.
    Harmless,
    /// It is visible that characters were replaced.
    Marked,
    /// It ends with 0.
    EndsWell,
    /// It ends with something else.
    EndsBadly,
}

/// What a client printed, and how it ended.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// Its exit code; `None` if it was ended.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Printed {
    /// Whether the rule is kept, for an answer with this `summary`.
    pub fn keeps(&self, rule: Rule, summary: &str) -> bool {
        let all = self.words();
        let words = || without(&all, &words_of(summary));
        match rule {
            Rule::Near(lists) => stand_near(&words(), lists),
            Rule::Nowhere(phrases) => places(&words(), phrases).is_empty(),
            Rule::Before(first, second) => {
                let words = words();
                let first = places(&words, first).first().copied();
                first.is_some_and(|first| places(&words, second).iter().all(|second| first < *second))
            }
            Rule::Summary => !places_of(&all, &words_of(summary)).is_empty(),
            Rule::SummaryBefore(_) if self.json().is_some() => true,
            Rule::SummaryBefore(content) => {
                let said = places_of(&all, &words_of(summary)).first().copied();
                said.is_some_and(|said| places(&all, content).iter().all(|place| said < *place))
            }
            Rule::Harmless => is_harmless(&self.out) && is_harmless(&self.err),
            Rule::Marked => {
                let raw = self.out.to_lowercase();
                // The number of the character, as it is usually written, or a word that says so.
                let number = ["u202e", "u+202e", "u{202e}", "x202e"].iter().any(|number| raw.contains(number));
                number || !places(&all, &["replaced", "altered", "neutralised", "removed"]).is_empty()
            }
            Rule::EndsWell => self.code == Some(0),
            Rule::EndsBadly => self.code.is_some_and(|code| code != 0),
        }
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.out).ok()
    }

    fn words(&self) -> Vec<String> {
        let mut text = String::new();
        match self.json() {
            Some(json) => read_json("", &json, &mut text),
            None if is_html(&self.out) => read_html(&self.out, &mut text),
            None => text.push_str(&self.out),
        }
        words_of(&format!("{text} {}", self.err))
    }
}

fn read_json(key: &str, value: &Value, text: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(true) => text.push_str(&format!("{key} true\n")),
        Value::Bool(false) => text.push_str(&format!("not {key}\n")),
        Value::Number(number) => text.push_str(&format!("{key} {number}\n")),
        Value::String(said) if said.is_empty() => {}
        Value::String(said) => text.push_str(&format!("{key} {said}\n")),
        Value::Array(list) => list.iter().for_each(|value| read_json(key, value, text)),
        Value::Object(fields) => fields.iter().for_each(|(key, value)| read_json(key, value, text)),
    }
}

fn is_html(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// The text between the tags, without the commonest escapes.
fn read_html(page: &str, text: &mut String) {
    for piece in page.split('<') {
        text.push_str(piece.split_once('>').map_or("", |(_, shown)| shown));
        text.push(' ');
    }
    for (escape, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
    {
        *text = text.replace(escape, c);
    }
}

fn words_of(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Where a phrase begins. "Not retracted" does not say "retracted".
fn places_of(words: &[String], phrase: &[String]) -> Vec<usize> {
    let begins = |(at, window): (usize, &[String])| {
        let denied = at.checked_sub(1).is_some_and(|before| words[before] == "not");
        (window == phrase && !denied).then_some(at)
    };
    words.windows(phrase.len().max(1)).enumerate().filter_map(begins).collect()
}

fn places(words: &[String], phrases: &[&str]) -> Vec<usize> {
    let mut places: Vec<usize> = phrases.iter().flat_map(|phrase| places_of(words, &words_of(phrase))).collect();
    places.sort_unstable();
    places
}

fn without(words: &[String], phrase: &[String]) -> Vec<String> {
    let mut left = words.to_vec();
    for at in places_of(words, phrase).into_iter().rev() {
        left.drain(at..at + phrase.len());
    }
    left
}

fn stand_near(words: &[String], lists: &[AnyOf]) -> bool {
    let mut lists = lists.iter().map(|phrases| places(words, phrases));
    let first = lists.next().unwrap_or_default();
    let others: Vec<Vec<usize>> = lists.collect();
    let near = |at: usize| others.iter().all(|places| places.iter().any(|place| place.abs_diff(at) <= NEAR_WORDS));
    first.into_iter().any(near)
}

fn is_harmless(text: &str) -> bool {
    let text = text.replace("\r\n", "\n");
    let flood = "\u{30d}".repeat(MARKS_MAX + 1);
    let acts = is_html(&text) && text.contains("<script>alert");
    !(acts || text.contains(is_deceptive) || text.contains(&flood))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(out: &str, rule: Rule) -> bool {
        Printed { code: Some(0), out: out.into(), err: String::new() }.keeps(rule, "No answer from A (risks).")
    }

    #[test]
    fn a_page_and_a_document_are_read_alike() {
        let near = Rule::Near(&[&["Aspirin"], &["retracted", "withdrawn"]]);
        for (out, kept) in [
            ("RETRACTED: aspirin", true),
            ("aspirin\n    withdrawn", true),
            (r#"{"retracted": true, "text": "Aspirin"}"#, true),
            (r#"{"retracted": false, "text": "Aspirin"}"#, false),
            ("<p>Aspirin</p><b class=\"x\">retracted</b>", true),
            ("<p class=\"retracted\">Aspirin</p>", false),
            ("aspirin", false),
            ("withdrawn", false),
        ] {
            assert_eq!(keeps(out, near), kept, "{out}");
        }
        assert!(!keeps(&format!("aspirin {} withdrawn", "x ".repeat(100)), near), "too far apart");
        assert!(keeps(r#"{"none_known": []}"#, Rule::Nowhere(&["none known"])), "an empty list says nothing");
        assert!(!keeps(r#"{"outcome": "NONE_KNOWN"}"#, Rule::Nowhere(&["none known"])));
    }

    #[test]
    fn a_page_of_html_that_escapes_is_harmless_and_reads_the_same() {
        let name = "O'Brien <script>alert(1)</script> \u{202e}";
        let page = |shown: &str| format!("<!doctype html><p title=\"{shown}\">{shown}</p>");
        let escaped = page(&severn_client::for_html(name).text);
        assert!(keeps(&escaped, Rule::Harmless) && !keeps(&page(name), Rule::Harmless));
        assert!(keeps(&escaped, Rule::Marked) && keeps(&escaped, Rule::Near(&[&["O'Brien script alert"]])));
    }

    #[test]
    fn the_sentence_on_what_is_missing_does_not_stand_for_the_rest() {
        let silent = Rule::Near(&[&["A"], &["no answer"]]);
        let summary = "No answer from A\n  (risks).";
        assert!(keeps(summary, Rule::Summary) && !keeps("No answer from A.", Rule::Summary));
        let first = Rule::SummaryBefore(&["penicillin"]);
        assert!(keeps(&format!("{summary} Penicillin"), first) && !keeps(&format!("Penicillin {summary}"), first));
        assert!(keeps(r#"{"items": "Penicillin", "summary": "No answer from A (risks)."}"#, first));
        assert!(!keeps(summary, silent) && keeps(&format!("{summary}\nA: NO_ANSWER"), silent));
    }

    #[test]
    fn order_harm_marks_and_the_end_are_judged() {
        assert!(keeps("one two", Rule::Before(&["one"], &["two"])));
        assert!(!keeps("two one", Rule::Before(&["one"], &["two"])) && !keeps("two", Rule::Before(&["one"], &["two"])));
        for harmful in ["a\u{1b}[2J", "a\u{202e}", "<p><script>alert(1)</script>", &"\u{30d}".repeat(31)] {
            assert!(!keeps(harmful, Rule::Harmless), "{harmful:?}");
        }
        assert!(keeps("⟨U+202E⟩ <script>alert(1)", Rule::Harmless), "no page of HTML");
        assert!(keeps("⟨U+202E⟩", Rule::Marked) && keeps("\\u202e", Rule::Marked) && !keeps("gm 5", Rule::Marked));
        assert!(keeps("", Rule::EndsWell) && !keeps("", Rule::EndsBadly));
        assert!(!Printed::default().keeps(Rule::EndsBadly, ""), "whoever is ended by others did not say so itself");
    }
}
