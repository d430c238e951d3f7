//! Addresses: the postcode packed, house numbers and street apart, so that "Flat 3, 12 High St" and
//! "3/12 High Street" are one place.

use crate::identity::Address;
use crate::normalise::{fold, hash_bytes};
use crate::similarity::is_number_slip;
use serde::{Deserialize, Serialize};

/// A postcode in 32 bits. UK postcodes keep their parts (area, district, sector, unit); others are their digits, or a
/// hash of the text.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Postcode(u32);

const FOREIGN: u32 = 1 << 31;
const DIGITS: u32 = 1 << 30;
const INWARD_CODES: u32 = 10 * 26 * 26;

impl Postcode {
    /// Reads a postcode. Missing if empty or a pseudo-postcode (`ZZ99`: no fixed abode, overseas, unknown).
    pub fn parse(text: &str) -> Self {
        let mut letters = [0_u8; 12];
        let mut count = 0;
        for byte in text.bytes().filter(u8::is_ascii_alphanumeric).take(letters.len()) {
            letters[count] = byte.to_ascii_uppercase();
            count += 1;
        }
        let code = &letters[..count];
        if code.is_empty() || code.starts_with(b"ZZ99") || code.iter().all(|byte| *byte == b'0' || *byte == b'X') {
            return Self(0);
        }
        Self::pack(code).unwrap_or_else(|| Self(FOREIGN | Self::foreign(code)))
    }

    fn foreign(code: &[u8]) -> u32 {
        if code.len() < 9 && code.iter().all(u8::is_ascii_digit) {
            DIGITS | code.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
        } else {
            (hash_bytes(code, POSTCODE_SEED) >> 34) as u32
        }
    }

    /// Outward code (area of one or two letters, district of a digit and perhaps a digit or letter) and inward code.
    fn pack(code: &[u8]) -> Option<Self> {
        let (outward, inward) = code.split_at_checked(code.len().checked_sub(3)?)?;
        let letter = |byte: u8| byte.is_ascii_uppercase().then(|| u32::from(byte - b'A'));
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
        let &[sector, unit_first, unit_second] = inward else { return None };
        let inward = digit(sector)? * 676 + letter(unit_first)? * 26 + letter(unit_second)?;
        let area_length = outward.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let area = match *outward.get(..area_length)? {
            [first] => letter(first)? + 1,
            [first, second] => (letter(first)? + 1) * 27 + letter(second)? + 1,
            _ => return None,
        };
        let district = match *outward.get(area_length..)? {
            [first] => digit(first)? * 37,
            [first, second] => digit(first)? * 37 + 1 + digit(second).or_else(|| letter(second).map(|l| l + 10))?,
            _ => return None,
        };
        Some(Self((area * 370 + district + 1) * INWARD_CODES + inward))
    }

    pub const fn is_missing(self) -> bool {
        self.0 == 0
    }

    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether it is not of UK shape.
    pub const fn is_foreign(self) -> bool {
        self.0 & FOREIGN != 0
    }

    /// The outward code ("LS6"); a foreign postcode is its own.
    pub const fn outward(self) -> u32 {
        if self.is_foreign() { self.0 } else { self.0 / INWARD_CODES }
    }

    /// Outward code and sector ("LS6 2").
    pub const fn sector(self) -> u32 {
        if self.is_foreign() { self.0 } else { self.0 / 676 }
    }

    /// The letters before the district ("LS").
    pub const fn area(self) -> u32 {
        if self.is_foreign() { self.0 } else { (self.0 / INWARD_CODES - 1) / 370 }
    }

    /// One number for all foreign postcodes of the same digits, in whatever order they were typed, zeros left out; any
    /// other postcode is its own.
    pub fn unordered(self) -> u32 {
        if self.0 & (FOREIGN | DIGITS) != FOREIGN | DIGITS {
            return self.0;
        }
        let digits = std::iter::successors(Some(self.0 & !(FOREIGN | DIGITS)), |rest| Some(rest / 10));
        // Eight digits at most: in base 9 the count of each has a place of its own, and nine places fit.
        digits.take_while(|rest| *rest != 0).filter(|rest| rest % 10 != 0).map(|rest| 9_u32.pow(rest % 10 - 1)).sum()
    }

    /// Whether exactly one of the parts (area, district, sector, either letter of the unit) differs, or one digit of a
    /// foreign one: a typing slip.
    pub fn nearly(self, other: Self) -> bool {
        if self.is_missing() || other.is_missing() {
            return false;
        }
        if self.is_foreign() || other.is_foreign() {
            let digits = |code: Self| {
                (code.0 & FOREIGN != 0 && code.0 & DIGITS != 0).then_some(u64::from(code.0 & !FOREIGN & !DIGITS))
            };
            return matches!((digits(self), digits(other)), (Some(one), Some(two)) if one != two && is_number_slip(one, two));
        }
        let parts = |code: Self| {
            let (outward, inward) = (code.0 / INWARD_CODES - 1, code.0 % INWARD_CODES);
            [outward / 370, outward % 370, inward / 676, inward / 26 % 26, inward % 26]
        };
        parts(self).iter().zip(parts(other)).filter(|(one, two)| **one != *two).count() == 1
    }
}

const POSTCODE_SEED: u64 = 3;
const NUMBERS_SEED: u64 = 4;

/// The lines of one address, normalised.
#[derive(Default)]
pub(crate) struct PlaceParts {
    /// All numbers of the lines in order, hashed; zero if there are none.
    pub numbers: u32,
    /// The words of the lines without the numbers.
    pub street: String,
    /// The postcode.
    pub postcode: Postcode,
    folded: String,
}

impl PlaceParts {
    /// Reads one address into these parts, whose memory is used again.
    pub fn read(&mut self, address: &Address<'_>) {
        self.street.clear();
        self.folded.clear();
        self.numbers = 0;
        self.postcode = Postcode::parse(address.postcode);
        for line in address.lines {
            if !self.folded.is_empty() {
                self.folded.push(' ');
            }
            let mut start = self.folded.len();
            fold(line, &mut self.folded);
            start = start.min(self.folded.len());
            // Two lines that fold to nothing leave no trailing gap.
            if self.folded.len() == start {
                self.folded.truncate(self.folded.trim_end().len());
            }
        }
        if self.folded.starts_with("NO FIXED ABODE") || self.folded == "NFA" || self.folded == "UNKNOWN" {
            self.folded.clear();
        }
        self.part_words();
    }

    fn part_words(&mut self) {
        let mut digits = [0_u8; 16];
        let mut count = 0;
        for word in self.folded.split(' ').filter(|word| !word.is_empty()) {
            // "F3" is flat 3; "12A" is one number.
            let number = word.strip_prefix(['F', 'A']).filter(|rest| is_number(rest)).unwrap_or(word);
            if number.as_bytes().first().is_some_and(u8::is_ascii_digit) {
                for byte in number.bytes().chain([b'/']) {
                    if count < digits.len() {
                        digits[count] = byte;
                        count += 1;
                    }
                }
            } else if !matches!(word, "FLAT" | "APT" | "APARTMENT" | "UNIT" | "ROOM" | "NO") {
                if !self.street.is_empty() {
                    self.street.push(' ');
                }
                self.street.push_str(unabbreviated(word));
            }
        }
        if count > 0 {
            self.numbers = (hash_bytes(&digits[..count], NUMBERS_SEED) as u32).max(1);
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The kinds of street, written in full; "ST" before a name is a saint, but both sides are read alike.
fn unabbreviated(word: &str) -> &str {
    match word {
        "ST" | "STR" => "STREET",
        "RD" => "ROAD",
        "AV" | "AVE" => "AVENUE",
        "CL" => "CLOSE",
        "DR" => "DRIVE",
        "LN" | "LA" => "LANE",
        "CRES" | "CR" => "CRESCENT",
        "TERR" | "TER" | "TCE" => "TERRACE",
        "GR" | "GRV" => "GROVE",
        "CT" | "CRT" => "COURT",
        "PL" => "PLACE",
        "SQ" => "SQUARE",
        "GDNS" | "GDN" => "GARDENS",
        "PK" => "PARK",
        "HSE" => "HOUSE",
        "BLDG" | "BLDGS" => "BUILDINGS",
        _ => word,
    }
}

/// Whether a word of an address tells it from others: it is not short, as a state is, and no kind of street.
pub(crate) fn is_telling(word: &[u8]) -> bool {
    let kinds =
        "STREET ROAD AVENUE CLOSE DRIVE LANE CRESCENT TERRACE GROVE COURT PLACE SQUARE GARDENS PARK HOUSE CIRCUIT";
    word.len() > 3 && !kinds.split(' ').any(|kind| kind.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_keep_their_parts() {
        let code = Postcode::parse("ls6 2ab");
        assert!(code == Postcode::parse("LS62AB"));
        assert_eq!(code.sector(), Postcode::parse("LS6 2XX").sector());
        assert_ne!(code.sector(), Postcode::parse("LS6 3AB").sector());
        assert_eq!(code.outward(), Postcode::parse("LS6 9ZZ").outward());
        assert_ne!(code.outward(), Postcode::parse("LS16 2AB").outward());
        assert_eq!(code.area(), Postcode::parse("LS29 9ZZ").area());
        assert!(code.nearly(Postcode::parse("LS6 2AD")) && !code.nearly(Postcode::parse("LS6 3AD")));
        assert!(Postcode::parse("EC1A 1BB").outward() != Postcode::parse("EC1 1BB").outward());
    }

    #[test]
    fn pseudo_postcodes_are_missing_and_foreign_ones_are_text() {
        for text in ["", "ZZ99 3VZ", "ZZ993CZ", "XXXX", " "] {
            assert!(Postcode::parse(text).is_missing(), "{text}");
        }
        assert!(
            Postcode::parse("2134") == Postcode::parse(" 2134 ") && Postcode::parse("2134") != Postcode::parse("2135")
        );
    }

    #[test]
    fn the_digits_of_a_foreign_postcode_may_be_exchanged() {
        let unordered = |text: &str| Postcode::parse(text).unordered();
        for (one, two, expected) in [
            ("2112", "2121", true),
            ("0461", "4016", true),
            ("99999999", "99999999", true),
            ("2112", "2122", false),
            ("99999999", "11111111", false),
            ("LS6 2AB", "LS6 2BA", false),
            ("D02 X285", "D02 X258", false),
        ] {
            assert_eq!(unordered(one) == unordered(two), expected, "{one} {two}");
        }
    }

    #[test]
    fn one_place_has_one_form() {
        let read = |line: &str| {
            let mut parts = PlaceParts::default();
            parts.read(&Address { lines: &[line], postcode: "" });
            (parts.numbers, parts.street)
        };
        let place = read("Flat 3 12 High Street");
        for same in ["F3 12 High St", "Apt 3, 12 HIGH ST.", "3/12 High Street"] {
            assert_eq!(read(same), place, "{same}");
        }
        assert_ne!(read("Flat 4 12 High Street").0, place.0);
        assert_eq!(read("NO FIXED ABODE"), (0, String::new()));
    }
}
