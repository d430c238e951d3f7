//! Which names are one name: spellings of a transliterated name, and familiar forms; and which are two, though one
//! letter apart. Data, read once from `data/spellings.txt`, `data/nicknames.txt` and `data/names.txt`.

use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::LazyLock;

/// How many nicknames' groups one name may belong to; "Chris" belongs to five.
pub(crate) const GROUPS_MAX: usize = 6;

static SPELLINGS: LazyLock<FxHashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = lines_of(include_str!("../data/spellings.txt"));
    lines.flat_map(|line| line.iter().map(|name| (*name, line[0])).collect::<Vec<_>>()).collect()
});

static GROUPS: LazyLock<FxHashMap<&'static str, [u16; GROUPS_MAX]>> = LazyLock::new(|| {
    let mut groups: FxHashMap<&'static str, [u16; GROUPS_MAX]> = FxHashMap::default();
    for (line, number) in lines_of(include_str!("../data/nicknames.txt")).zip(1..) {
        for name in line {
            let own = groups.entry(name).or_default();
            if let Some(free) = own.iter_mut().find(|group| **group == 0 || **group == number) {
                *free = number;
            }
        }
    }
    groups
});

static OWN: LazyLock<FxHashSet<&'static str>> =
    LazyLock::new(|| lines_of(include_str!("../data/names.txt")).flatten().collect());

/// The first name of each line of familiar forms.
static FORMAL: LazyLock<FxHashSet<&'static str>> =
    LazyLock::new(|| lines_of(include_str!("../data/nicknames.txt")).map(|line| line[0]).collect());

fn lines_of(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect())
}

/// The name that stands for all spellings of `name`, or `name` itself.
pub(crate) fn root_of(name: &str) -> &str {
    SPELLINGS.get(name).copied().unwrap_or(name)
}

/// The groups of familiar forms that the name belongs to; zero is none.
pub(crate) fn groups_of(name: &str) -> [u16; GROUPS_MAX] {
    GROUPS.get(name).or_else(|| GROUPS.get(root_of(name))).copied().unwrap_or_default()
}

/// Whether the name is one of those that are a letter from another, and no slip of the keyboard.
pub(crate) fn is_name_of_its_own(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| OWN.contains(name))
}

/// Whether both names are familiar forms, neither of them a formal name of which the other may be short.
pub(crate) fn are_both_familiar(one: &[u8], two: &[u8]) -> bool {
    [one, two].into_iter().all(|name| std::str::from_utf8(name).is_ok_and(|name| !FORMAL.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_a_group(one: &str, two: &str) -> bool {
        let two = groups_of(two);
        groups_of(one).iter().any(|group| *group != 0 && two.contains(group))
    }

    #[test]
    fn spellings_and_nicknames_are_known() {
        assert_eq!(root_of("MUHAMMAD"), root_of("MD"));
        assert_eq!(root_of("NOBODYSNAME"), "NOBODYSNAME");
        assert!(share_a_group("WILLIAM", "BILL") && share_a_group("CHRIS", "CHRISTOPHER"));
        assert!(is_name_of_its_own(b"AMELIE") && !is_name_of_its_own(b"AMLIE"));
        assert!(share_a_group("CHRIS", "CHRISTINE") && !share_a_group("CHRISTOPHER", "CHRISTINE"));
    }

    #[test]
    fn no_spelling_stands_on_two_lines() {
        let names = lines_of(include_str!("../data/spellings.txt")).flatten().count();
        assert_eq!(names, SPELLINGS.len());
    }
}
