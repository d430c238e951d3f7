//! Statements that there is none: "no known allergies" and its kin. They are kept as statements of their own.

use super::parts::Concept;
use severn_proto::v1::Assertion;

const SNOMED: &str = "http://snomed.info/sct";

// SNOMED CT situations: no known allergy (also the retired UK one), drug, latex (two), environmental and food allergy;
// no known medications; no current problems or disability.
const SITUATIONS: [&str; 9] = [
    "716186003",
    "160244002",
    "409137002",
    "716184000",
    "1003774007",
    "428607008",
    "429625007",
    "787481004",
    "160245001",
];

// International Patient Summary, absent and unknown data. "No information" is not among them: it is no absence.
const PATIENT_SUMMARY: &str = "absent-unknown-uv-ips";

/// [`Assertion::NoneKnown`] for a statement of absence, else [`Assertion::Present`]. Words count only where no code does.
pub(crate) fn assertion(concept: &Concept) -> Assertion {
    let coded = concept.codings.iter().any(|coding| {
        (coding.system == SNOMED && SITUATIONS.contains(&coding.code.as_str()))
            || (coding.system.ends_with(PATIENT_SUMMARY) && coding.code.starts_with("no-known-"))
    });
    let has_code = concept.codings.iter().any(|coding| !coding.code.is_empty());
    if coded || (!has_code && words_say_none(&concept.text)) {
        return Assertion::NoneKnown;
    }
    Assertion::Present
}

fn words_say_none(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    matches!(
        text.as_str(),
        "no known allergies"
            | "no known allergy"
            | "no known drug allergies"
            | "no known drug allergy"
            | "nkda"
            | "nka"
            | "no known medications"
            | "no known problems"
    )
}
