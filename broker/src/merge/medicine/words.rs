//! What a medicine's words say: its name, and after it strength and form. A number with its unit and a known form word
//! are understood, in either order; where anything else follows them, nothing is: the whole text is then the name.

/// A medicine's words, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Worded<'w> {
    /// What stands before strength and form.
    pub(super) name: &'w str,
    /// Number and unit.
    pub(super) strength: Option<Strength>,
    /// In the words of dm+d.
    pub(super) form: Option<&'static str>,
}

/// How much of the substance is in how much of the medicine, comparable: millionths, and the smallest unit of its kind.
/// What there is less of is empty at the end.
pub(in crate::merge) type Strength = [(u64, &'static str); PARTS_MAX];

/// Forms as dm+d writes them, each with how else it is written.
const FORMS: [(&str, &[&str]); 30] = [
    ("tablets", &["tablet", "tabs", "tab", "oral tablets", "oral tablet"]),
    ("capsules", &["capsule", "caps", "cap", "oral capsules", "oral capsule"]),
    (
        "modified-release tablets",
        &[
            "modified-release tablet",
            "modified release tablets",
            "modified release tablet",
            "mr tablets",
            "m/r tablets",
        ],
    ),
    (
        "modified-release capsules",
        &[
            "modified-release capsule",
            "modified release capsules",
            "modified release capsule",
            "mr capsules",
            "m/r capsules",
        ],
    ),
    (
        "gastro-resistant tablets",
        &["gastro-resistant tablet", "gastro resistant tablets", "gastro resistant tablet", "e/c tablets"],
    ),
    (
        "gastro-resistant capsules",
        &["gastro-resistant capsule", "gastro resistant capsules", "gastro resistant capsule", "e/c capsules"],
    ),
    ("dispersible tablets", &["dispersible tablet"]),
    ("soluble tablets", &["soluble tablet"]),
    ("effervescent tablets", &["effervescent tablet"]),
    ("orodispersible tablets", &["orodispersible tablet"]),
    ("chewable tablets", &["chewable tablet"]),
    ("oral solution", &[]),
    ("oral solution sugar free", &[]),
    ("oral suspension", &[]),
    ("oral suspension sugar free", &[]),
    ("oral suspension paediatric sugar free", &[]),
    ("eye drops", &[]),
    ("eye ointment", &[]),
    ("ear drops", &[]),
    ("nasal spray", &[]),
    ("inhaler", &[]),
    ("inhaler cfc free", &["cfc free inhaler"]),
    ("cream", &[]),
    ("ointment", &[]),
    ("solution for injection", &[]),
    ("solution for injection pre-filled syringes", &["solution for injection pre-filled syringe"]),
    ("infusion bags", &["infusion bag"]),
    ("suppositories", &["suppository"]),
    ("transdermal patches", &["transdermal patch"]),
    ("medicated chewing gum sugar free", &[]),
];

/// Units with what one of them is in the smallest of its kind.
const UNITS: [(&[&str], &str, u64); 12] = [
    (&["mg", "milligram", "milligrams"], "ng", 1_000_000),
    (&["microgram", "micrograms", "mcg", "\u{b5}g", "\u{3bc}g"], "ng", 1_000),
    (&["g", "gram", "grams"], "ng", 1_000_000_000),
    (&["nanogram", "nanograms", "ng"], "ng", 1),
    (&["ml", "millilitre", "millilitres"], "ml", 1),
    (&["l", "litre", "litres"], "ml", 1_000),
    (&["%"], "%", 1),
    (&["unit", "units"], "unit", 1),
    (&["iu"], "iu", 1),
    (&["mmol"], "mmol", 1),
    (&["dose", "doses"], "dose", 1),
    (&["hour", "hours"], "hour", 1),
];

/// Parts of a strength: "2.5mg/5ml" has two.
const PARTS_MAX: usize = 3;

/// Decimal places that are understood, and a whole in the last of them.
const PLACES: usize = 6;
const ONE: u64 = 10_u64.pow(PLACES as u32);

/// Takes folded words apart.
pub(super) fn worded(words: &str) -> Worded<'_> {
    let unread = Worded { name: words, ..Worded::default() };
    let mut read = Worded::default();
    let mut at = 0;
    while at < words.len() {
        let rest = &words[at..];
        let length = if let Some((strength, length)) = strength_at(rest).filter(|_| read.strength.is_none()) {
            read.strength = Some(strength);
            length
        } else if let Some((form, length)) = form_at(rest).filter(|_| read.form.is_none()) {
            read.form = Some(form);
            length
        } else if read.strength.is_none() && read.form.is_none() && !begins_with_amount(rest) {
            let length = rest.find(' ').unwrap_or(rest.len());
            read.name = &words[..at + length];
            length
        } else {
            return unread;
        };
        at += length + 1;
    }
    if read.name.is_empty() { unread } else { read }
}

/// A strength that stands alone.
pub(super) fn strength(text: &str) -> Option<Strength> {
    strength_at(text).filter(|(_, length)| *length == text.len()).map(|(strength, _)| strength)
}

/// A form that stands alone, in the words of dm+d.
pub(super) fn form(text: &str) -> Option<&'static str> {
    form_at(text).filter(|(_, length)| *length == text.len()).map(|(form, _)| form)
}

/// The longest form with which `text` begins, and its length.
fn form_at(text: &str) -> Option<(&'static str, usize)> {
    let own_and_others = |(form, others): &(&'static str, &'static [&'static str])| {
        let form = *form;
        std::iter::once(form).chain(others.iter().copied()).map(move |spelling| (form, spelling.len(), spelling))
    };
    let spellings = FORMS.iter().flat_map(own_and_others);
    // Nearly all words begin otherwise, and this is asked of each.
    let may_fit = spellings.filter(|(_, _, spelling)| spelling.as_bytes().first() == text.as_bytes().first());
    let fits = may_fit.filter(|(_, _, spelling)| text.strip_prefix(spelling).is_some_and(ends_word));
    fits.map(|(form, length, _)| (form, length)).max_by_key(|(_, length)| *length)
}

/// The strength with which `text` begins, and its length: "40mg", "2.5 mg / 5 ml", "100micrograms/dose".
fn strength_at(text: &str) -> Option<(Strength, usize)> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut strength = Strength::default();
    let mut rest = text;
    for (at, part) in strength.iter_mut().enumerate() {
        let (number, after) = match number(rest) {
            Some(read) => read,
            // What a strength is per may stand without a number: "100units/ml".
            None if at > 0 => (ONE, rest),
            None => return None,
        };
        let (unit, factor, after) = unit(after.trim_start())?;
        *part = (number.checked_mul(factor)?, unit);
        let Some(next) = after.trim_start().strip_prefix('/') else {
            return ends_word(after).then(|| (strength, text.len() - after.len()));
        };
        rest = next.trim_start();
    }
    None
}

/// Whether `text` begins with a number and a unit, whatever follows.
fn begins_with_amount(text: &str) -> bool {
    let after = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ',');
    after.len() < text.len() && unit(after.trim_start()).is_some()
}

/// A number in millionths, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let value: u64 = text[..whole].parse().ok()?;
    let value = value.checked_mul(ONE)?;
    let Some(decimals) = text[whole..].strip_prefix('.') else { return Some((value, &text[whole..])) };
    let places = digits(decimals);
    let scale = 10_u64.pow(PLACES.checked_sub(places)? as u32);
    let part: u64 = decimals[..places].parse().ok()?;
    Some((value.checked_add(part.checked_mul(scale)?)?, &decimals[places..]))
}

/// A unit, what it is in the smallest of its kind, and what follows it.
fn unit(text: &str) -> Option<(&'static str, u64, &str)> {
    let length = text.find(|c: char| !c.is_alphabetic() && c != '%').unwrap_or(text.len());
    let (word, after) = text.split_at(length);
    let (_, unit, factor) = UNITS.iter().find(|(words, _, _)| words.contains(&word))?;
    Some((unit, *factor, after))
}

fn ends_word(after: &str) -> bool {
    after.is_empty() || after.starts_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_strength_and_form_are_told_apart() {
        for (words, name, amount, form) in [
            ("furosemide 40mg tablets", "furosemide", "40mg", "tablets"),
            ("furosemide tabs 40 mg", "furosemide", "40mg", "tablets"),
            ("digoxin 62.5 micrograms tablets", "digoxin", "0.0625mg", "tablets"),
            ("co-amilofruse 5mg/40mg tablets", "co-amilofruse", "5 mg / 40 mg", "tablets"),
            ("bendroflumethiazide 2.5mg/5ml oral suspension", "bendroflumethiazide", "2.5mg/5ml", "oral suspension"),
            ("salbutamol 100micrograms/dose inhaler cfc free", "salbutamol", "100mcg/dose", "inhaler cfc free"),
            ("timolol 0.25% eye drops", "timolol", "0.25 %", "eye drops"),
            ("enoxaparin 100mg/1ml solution for injection", "enoxaparin", "100mg/ml", "solution for injection"),
        ] {
            let expected = Worded { name, strength: strength(amount), form: Some(form) };
            assert!(expected.strength.is_some(), "{amount}");
            assert_eq!(worded(words), expected);
        }
    }

    #[test]
    fn what_is_not_understood_is_a_name_as_a_whole() {
        for words in [
            "ethinylestradiol 30microgram / levonorgestrel 150microgram tablets",
            "furosemide 40mg tablets (as recorded elsewhere)",
            "furosemide 40mg tablets 20mg",
            "furosemide 40mg 28 tablets",
            "tablets",
            "40mg",
            "insulin 100units/ml/day/week cartridges",
            "digoxin 0.0000001mg tablets",
            "thing 99999999999999999999mg tablets",
            "thing 9999999999999g tablets",
            "",
        ] {
            assert_eq!(worded(words), Worded { name: words, ..Worded::default() });
        }
        for (words, name) in
            [("microgynon 30 tablets", "microgynon 30"), ("co-codamol 30/500 caps", "co-codamol 30/500")]
        {
            let Worded { name: found, strength, .. } = worded(words);
            assert_eq!((found, strength), (name, None));
        }
        assert_eq!(strength("40mg and more"), None);
        assert_eq!(form("tablets and more"), None);
    }

    #[test]
    fn any_text_is_read() {
        proptest::proptest!(|(words in "[a-z0-9 ./%\u{e9}\u{b5}]{0,40}")| {
            proptest::prop_assert!(words.starts_with(worded(&words).name));
        });
    }
}
