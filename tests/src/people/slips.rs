//! What goes wrong when somebody writes a name, a date or an address down. Each slip takes what is right and gives what
//! was written.

use super::{draw::Draw, names::Sex};
use jiff::civil::{Date, date};

/// What is heard for what is said.
const HEARD: [(&str, &str); 22] = [
    ("ph", "f"),
    ("ck", "k"),
    ("c", "k"),
    ("k", "c"),
    ("ie", "y"),
    ("y", "ie"),
    ("ey", "y"),
    ("ll", "l"),
    ("nn", "n"),
    ("ee", "ea"),
    ("ea", "ee"),
    ("ai", "ay"),
    ("ou", "u"),
    ("th", "t"),
    ("z", "s"),
    ("s", "z"),
    ("i", "y"),
    ("tt", "t"),
    ("ss", "s"),
    ("rr", "r"),
    ("dd", "d"),
    ("oo", "u"),
];

const KEY_ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];

/// A slip of the finger, or of the ear, in a name or an address.
pub fn typed(draw: &mut Draw, right: &str) -> String {
    let mut letters: Vec<char> = right.chars().collect();
    if letters.len() < 3 {
        return format!("{right}{}", draw.of(&['a', 'e', 'h', 'n', 's']));
    }
    // A first letter is seldom wrong.
    let at = 1 + draw.below(letters.len() - 1);
    match draw.below(10) {
        0 | 1 if at + 1 < letters.len() => letters.swap(at, at + 1),
        0..=3 => drop(letters.remove(at)),
        4 | 5 => letters.insert(at, letters[at]),
        6 | 7 => letters[at] = beside(draw, letters[at]),
        _ => {
            let start = draw.below(HEARD.len());
            let heard = (0..HEARD.len()).map(|step| HEARD[(start + step) % HEARD.len()]);
            let slip = heard.into_iter().find_map(|(said, written)| {
                let found = right.get(1..).and_then(|rest| rest.find(said)).map(|found| found + 1)?;
                Some(format!("{}{written}{}", &right[..found], &right[found + said.len()..]))
            });
            return slip.unwrap_or_else(|| right[..right.floor_char_boundary(right.len() - 1)].to_owned());
        }
    }
    letters.into_iter().collect()
}

/// The key beside a letter.
fn beside(draw: &mut Draw, letter: char) -> char {
    let lower = letter.to_ascii_lowercase();
    let row = KEY_ROWS.iter().find(|row| row.contains(lower));
    let Some(row) = row else { return 'e' };
    let at = row.find(lower).unwrap_or_default();
    let next = if at == 0 || (at + 1 < row.len() && draw.chance(0.5)) { at + 1 } else { at - 1 };
    row[next..].chars().next().unwrap_or('e')
}

/// One digit replaced, or two neighbours exchanged.
pub fn mistyped_digits(draw: &mut Draw, right: &str) -> String {
    let mut characters: Vec<char> = right.chars().collect();
    let digits: Vec<usize> = (0..characters.len()).filter(|&at| characters[at].is_ascii_digit()).collect();
    if digits.is_empty() {
        return right.to_owned();
    }
    let at = *draw.of(&digits);
    let swaps =
        at + 1 < characters.len() && characters[at + 1].is_ascii_digit() && characters[at] != characters[at + 1];
    if swaps && draw.chance(0.4) {
        characters.swap(at, at + 1);
    } else {
        let digit = characters[at].to_digit(10).unwrap_or_default();
        characters[at] = char::from_digit((digit + 1 + draw.below(9) as u32) % 10, 10).unwrap_or('0');
    }
    characters.into_iter().collect()
}

/// Day and month exchanged; none where that is no other date.
#[must_use]
pub fn swapped(born: Date) -> Option<Date> {
    let swapped = Date::new(born.year(), born.day(), born.month()).ok()?;
    (swapped != born).then_some(swapped)
}

/// One part of a date mistyped: day, month or the last digits of the year.
pub fn mistyped_date(draw: &mut Draw, born: Date) -> Date {
    for _ in 0..20 {
        let (mut year, mut month, mut day) = (born.year(), born.month(), born.day());
        let part = draw.below(3);
        let right = [(year % 100) as i8, month, day][part];
        let written = mistyped_digits(draw, &format!("{right:02}")).parse().unwrap_or(right);
        match part {
            0 => year = year / 100 * 100 + i16::from(written),
            1 => month = written,
            _ => day = written,
        }
        match Date::new(year, month, day) {
            Ok(written) if written != born && (1900..=2026).contains(&year) => return written,
            _ => {}
        }
    }
    born.tomorrow().unwrap_or(date(1970, 1, 1))
}

/// A street written short.
#[must_use]
pub fn abbreviated(line1: &str) -> String {
    const SHORT: [(&str, &str); 10] = [
        (" Street", " St"),
        (" Road", " Rd"),
        (" Avenue", " Ave"),
        (" Close", " Cl"),
        (" Drive", " Dr"),
        (" Lane", " Ln"),
        (" Crescent", " Cres"),
        (" Terrace", " Terr"),
        (" Grove", " Gr"),
        (" Court", " Ct"),
    ];
    let short = SHORT.iter().find_map(|(long, short)| line1.strip_suffix(long).map(|stem| format!("{stem}{short}")));
    short.unwrap_or_else(|| line1.replace("Flat ", "Apt "))
}

/// A name with the letters that a British keyboard has.
#[must_use]
pub fn folded(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            'ł' => 'l',
            'Ł' => 'L',
            'ą' | 'ă' | 'â' => 'a',
            'ć' => 'c',
            'ę' => 'e',
            'ń' => 'n',
            'ó' => 'o',
            'ś' | 'ș' => 's',
            'Ș' | 'Ś' => 'S',
            'ț' => 't',
            'ź' | 'ż' => 'z',
            'Ż' | 'Ź' => 'Z',
            'î' => 'i',
            other => other,
        })
        .collect()
}

/// How a source writes an administrative gender.
#[must_use]
pub const fn written(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "F",
        Sex::Male => "M",
    }
}
