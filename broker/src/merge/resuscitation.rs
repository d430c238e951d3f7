//! What an entry says of cardiopulmonary resuscitation. Two decisions in force that contradict each other cost a life or
//! force one on somebody, so they are found whatever their codes and words.

use super::{content, head::Head};

/// SNOMED CT: "For attempted cardiopulmonary resuscitation", "Not for attempted cardiopulmonary resuscitation" (UK
/// edition; PRSB end-of-life standard).
const CODES: [(&str, bool); 2] = [("450475007", true), ("450476008", false)];

/// How such decisions begin in words.
const WORDS: [(&str, bool); 8] = [
    ("for attempted cardiopulmonary resuscitation", true),
    ("for cardiopulmonary resuscitation", true),
    ("for attempted cpr", true),
    ("for cpr", true),
    ("not for attempted cardiopulmonary resuscitation", false),
    ("not for cardiopulmonary resuscitation", false),
    ("not for attempted cpr", false),
    ("dnacpr", false),
];

/// Whether it is to be attempted; `None` if the entry is no such decision, or not plainly one.
pub(super) fn is_attempted(head: &Head<'_>) -> Option<bool> {
    let coded = head.codings.iter().find_map(|coding| CODES.iter().find(|(code, _)| *code == coding.code.trim()));
    let said = || {
        let words = content::words(head)?;
        WORDS.iter().find(|(start, _)| words.starts_with(start))
    };
    coded.or_else(said).map(|(_, attempted)| *attempted)
}
