//! How alike two words are: one slip of the keyboard, Jaro-Winkler, Soundex. Words are upper-case ASCII.

/// Whether the words differ by exactly one inserted, left out, wrong or transposed letter
/// (optimal string alignment distance 1).
pub(crate) fn is_one_slip(one: &[u8], two: &[u8]) -> bool {
    let (short, long) = if one.len() <= two.len() { (one, two) } else { (two, one) };
    if long.len() - short.len() > 1 || long.len() < 3 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (short, long) = (&short[same..], &long[same..]);
    if short.len() < long.len() {
        return short == &long[1..];
    }
    match (short, long) {
        ([], []) => false,
        ([a, b, short_rest @ ..], [c, d, long_rest @ ..]) => {
            short[1..] == long[1..] || (a == d && b == c && short_rest == long_rest)
        }
        _ => true,
    }
}

/// Jaro-Winkler similarity in 0..=1 (prefix weight 0.1, at most four letters). Words are cut at 64 letters.
pub(crate) fn jaro_winkler(one: &[u8], two: &[u8]) -> f64 {
    let (one, two) = (&one[..one.len().min(64)], &two[..two.len().min(64)]);
    let jaro = jaro(one, two);
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = one.iter().zip(two).take(4).take_while(|(a, b)| a == b).count();
    jaro + prefix as f64 * 0.1 * (1.0 - jaro)
}

fn jaro(one: &[u8], two: &[u8]) -> f64 {
    if one.is_empty() || two.is_empty() {
        return 0.0;
    }
    let window = (one.len().max(two.len()) / 2).saturating_sub(1);
    let (mut used, mut matched, mut taken) = (0_u64, [0_u8; 64], 0);
    for (place, letter) in one.iter().enumerate() {
        let (from, to) = (place.saturating_sub(window), (place + window + 1).min(two.len()));
        if let Some(hit) = (from..to).find(|other| used >> other & 1 == 0 && two[*other] == *letter) {
            used |= 1 << hit;
            matched[taken] = *letter;
            taken += 1;
        }
    }
    if taken == 0 {
        return 0.0;
    }
    let in_order = two.iter().enumerate().filter(|(place, _)| used >> place & 1 == 1).map(|(_, letter)| letter);
    let moved = in_order.zip(&matched[..taken]).filter(|(a, b)| a != b).count();
    let hits = taken as f64;
    (hits / one.len() as f64 + hits / two.len() as f64 + (hits - moved as f64 / 2.0) / hits) / 3.0
}

/// One digit wrong, or two adjacent digits exchanged, in numbers of equal length.
pub(crate) fn is_number_slip(mut one: u64, mut two: u64) -> bool {
    while one % 10 == two % 10 && one != 0 {
        one /= 10;
        two /= 10;
    }
    let exchanged = one / 10 % 10 == two % 10 && two / 10 % 10 == one % 10 && one / 100 == two / 100;
    one / 10 == two / 10 || exchanged
}

/// How many pairs of adjacent letters two texts share; words may stand in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct SharedBigrams {
    /// As a share of those of both (Dice), in 0..=1.
    pub of_all: f64,
    /// As a share of those of the shorter text, in 0..=1.
    pub of_shorter: f64,
}

/// Counts the pairs of adjacent letters that two texts share, gaps left out.
pub(crate) fn shared_bigrams(one: &[u8], two: &[u8]) -> SharedBigrams {
    let (ours, theirs) = (bigrams(one), bigrams(two));
    let shorter = ours.len().min(theirs.len());
    if shorter == 0 {
        return SharedBigrams::default();
    }
    let (mut own, mut other, mut shared) = (0, 0, 0);
    while let (Some(first), Some(second)) = (ours.get(own), theirs.get(other)) {
        match first.cmp(second) {
            std::cmp::Ordering::Less => own += 1,
            std::cmp::Ordering::Greater => other += 1,
            std::cmp::Ordering::Equal => (own, other, shared) = (own + 1, other + 1, shared + 1),
        }
    }
    let shared = f64::from(shared);
    SharedBigrams { of_all: 2.0 * shared / (ours.len() + theirs.len()) as f64, of_shorter: shared / shorter as f64 }
}

fn bigrams(text: &[u8]) -> Vec<[u8; 2]> {
    let letters: Vec<u8> = text.iter().copied().filter(|letter| *letter != b' ').collect();
    let mut bigrams: Vec<[u8; 2]> = letters.windows(2).map(|pair| [pair[0], pair[1]]).collect();
    bigrams.sort_unstable();
    bigrams
}

/// Soundex of a word (American, as NHS systems use it), packed in 16 bits; zero for a word without letters.
pub(crate) fn soundex(word: &[u8]) -> u16 {
    let mut letters = word.iter().copied().filter(u8::is_ascii_uppercase);
    let Some(first) = letters.next() else { return 0 };
    let (mut code, mut count, mut last) = (u16::from(first - b'A') + 1, 0, sound(first));
    for letter in letters {
        let own = sound(letter);
        if own != 0 && own != last && count < 3 {
            code = code * 7 + own;
            count += 1;
        }
        // H and W do not part two letters of one sound; vowels do.
        if !matches!(letter, b'H' | b'W') {
            last = own;
        }
    }
    for _ in count..3 {
        code *= 7;
    }
    code
}

const fn sound(letter: u8) -> u16 {
    match letter {
        b'B' | b'F' | b'P' | b'V' => 1,
        b'C' | b'G' | b'J' | b'K' | b'Q' | b'S' | b'X' | b'Z' => 2,
        b'D' | b'T' => 3,
        b'L' => 4,
        b'M' | b'N' => 5,
        b'R' => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_one() {
        for (one, two, expected) in [
            ("SMITH", "SMTIH", true),
            ("SMITH", "SMIT", true),
            ("SMITH", "SMITHE", true),
            ("SMITH", "SMYTH", true),
            ("SMITH", "SMITH", false),
            ("SMITH", "SMYTHE", false),
            ("JO", "AL", false),
            ("", "", false),
        ] {
            assert_eq!(is_one_slip(one.as_bytes(), two.as_bytes()), expected, "{one} {two}");
            assert_eq!(is_one_slip(two.as_bytes(), one.as_bytes()), expected, "{two} {one}");
        }
    }

    #[test]
    fn jaro_winkler_is_winklers() {
        for (one, two, expected) in
            [("MARTHA", "MARHTA", 0.9611), ("DWAYNE", "DUANE", 0.84), ("DIXON", "DICKSONX", 0.8133), ("", "A", 0.0)]
        {
            assert!((jaro_winkler(one.as_bytes(), two.as_bytes()) - expected).abs() < 0.0001, "{one} {two}");
        }
    }

    #[test]
    fn words_may_be_exchanged_or_left_out() {
        let shared = |one: &str, two: &str| shared_bigrams(one.as_bytes(), two.as_bytes());
        let exchanged = shared("MILL LANE SANDY BAY", "SANDY BAY MILL LANE");
        assert!(exchanged.of_all > 0.8 && exchanged.of_all == exchanged.of_shorter, "{exchanged:?}");
        let left_out = shared("MILL LANE OLD BREWERY YARD SANDY BAY", "MILL LANE SANDY BAY");
        assert!(left_out.of_all < 0.7 && left_out.of_shorter > 0.9, "{left_out:?}");
        assert_eq!(shared("", "MILL LANE"), SharedBigrams::default());
    }

    #[test]
    fn soundex_is_the_archives() {
        assert_eq!(soundex(b"ROBERT"), soundex(b"RUPERT"));
        assert_eq!(soundex(b"ASHCRAFT"), soundex(b"ASHCROFT"));
        assert_ne!(soundex(b"RUBIN"), soundex(b"ROBERT"));
        assert_eq!(soundex(b""), 0);
    }
}
