//! What a reader says back to a source, as app, broker and adapter each check it for themselves: the bytes that the
//! app's proof covers, opened, and refused if a field is not as the contract says. Pure.

use crate::words::{name, word};
use prost::Message as _;
use severn_proto::v1::{Challenge, ChallengeKind, ChallengeState, Dataset};

/// Bytes of the longest note, and of the longest answer.
pub const NOTE_BYTES_MAX: usize = 4096;

/// Bytes of the longest serialised challenge.
pub const CHALLENGE_BYTES_MAX: usize = 8192;

const SOURCE_CHARS_MAX: usize = 64;
const ENTRY_CHARS_MAX: usize = 256;

/// What is wrong with a challenge: the field and what to do, in words that may be shown to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ChallengeError(pub &'static str);

/// Opens a serialised challenge and checks every field.
///
/// # Errors
/// [`ChallengeError`] names the first field at fault.
pub fn read_challenge(bytes: &[u8]) -> Result<Challenge, ChallengeError> {
    if bytes.len() > CHALLENGE_BYTES_MAX {
        return Err(ChallengeError("challenge: at most 8192 bytes; shorten the note"));
    }
    let challenge = Challenge::decode(bytes).map_err(|_| ChallengeError("challenge: not a serialised Challenge"))?;
    let plain = |text: &str, chars_max| text.chars().count() <= chars_max && !text.contains(char::is_control);
    if challenge.source_id.is_empty() || !plain(&challenge.source_id, SOURCE_CHARS_MAX) {
        return Err(ChallengeError("source_id: required, at most 64 characters; take it from the record"));
    }
    if challenge.dataset() == Dataset::Unspecified {
        return Err(ChallengeError("dataset: required, one that is known; take it from the record"));
    }
    if !plain(&challenge.entry_id, ENTRY_CHARS_MAX) {
        return Err(ChallengeError(
            "entry_id: at most 256 characters, none of them a control; take it from the record",
        ));
    }
    check_note(&challenge.note)?;
    match challenge.kind() {
        ChallengeKind::Unspecified => Err(ChallengeError("kind: required, WRONG or OTHER_PERSON")),
        ChallengeKind::Wrong if challenge.note.trim().is_empty() => {
            Err(ChallengeError("note: required; say what is wrong, so that the owner can look into it"))
        }
        ChallengeKind::Wrong if challenge.entry_id.is_empty() => {
            Err(ChallengeError("entry_id: required; only an entry can be wrong, a whole record is of another person"))
        }
        ChallengeKind::OtherPerson if challenge.entry_id.is_empty() && challenge.dataset() != Dataset::Demographics => {
            Err(ChallengeError("dataset: demographics for a whole record, or give the entry_id"))
        }
        ChallengeKind::Wrong | ChallengeKind::OtherPerson => Ok(challenge),
    }
}

/// Checks a note, or an owner's answer.
///
/// # Errors
/// [`ChallengeError`] says what is wrong with it.
pub fn check_note(note: &str) -> Result<(), ChallengeError> {
    if note.len() > NOTE_BYTES_MAX {
        return Err(ChallengeError("note: at most 4096 bytes; shorten it"));
    }
    if note.contains(|c: char| c.is_control() && c != '\n') {
        return Err(ChallengeError("note: control characters are not allowed; remove them"));
    }
    Ok(())
}

/// `other_person` for [`ChallengeKind::OtherPerson`].
pub fn challenge_kind_word(kind: ChallengeKind) -> String {
    word(kind.as_str_name(), "CHALLENGE_KIND_")
}

/// [`ChallengeKind::OtherPerson`] for `other_person`; `None` for anything unknown.
pub fn challenge_kind_from_word(text: &str) -> Option<ChallengeKind> {
    ChallengeKind::from_str_name(&name(text, "CHALLENGE_KIND_")).filter(|k| *k != ChallengeKind::Unspecified)
}

/// `looked_at` for [`ChallengeState::LookedAt`].
pub fn challenge_state_word(state: ChallengeState) -> String {
    word(state.as_str_name(), "CHALLENGE_STATE_")
}

/// [`ChallengeState::LookedAt`] for `looked_at`; `None` for anything unknown.
pub fn challenge_state_from_word(text: &str) -> Option<ChallengeState> {
    ChallengeState::from_str_name(&name(text, "CHALLENGE_STATE_")).filter(|s| *s != ChallengeState::Unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Challenge {
        Challenge {
            source_id: "RRK".into(),
            dataset: Dataset::Allergies.into(),
            entry_id: "a1".into(),
            kind: ChallengeKind::Wrong.into(),
            note: "She took penicillin\nin May.".into(),
        }
    }

    fn fault(change: impl FnOnce(&mut Challenge)) -> &'static str {
        let mut challenge = wrong();
        change(&mut challenge);
        let refused = read_challenge(&challenge.encode_to_vec());
        refused.err().map_or("nothing", |error| error.0.split(':').next().unwrap_or_default())
    }

    #[test]
    fn every_field_is_checked_and_named() {
        assert_eq!(read_challenge(&wrong().encode_to_vec()), Ok(wrong()));
        let other = ChallengeKind::OtherPerson as i32;
        assert_eq!(fault(|c| (c.kind, c.note) = (other, String::new())), "nothing", "it says enough");
        let whole = |c: &mut Challenge| (c.kind, c.entry_id) = (other, String::new());
        assert_eq!(fault(whole), "dataset");
        assert_eq!(fault(|c| (whole(c), c.dataset = Dataset::Demographics.into()).1), "nothing");
        assert_eq!(fault(|c| c.source_id.clear()), "source_id");
        assert_eq!(fault(|c| c.source_id = "x".repeat(65)), "source_id");
        assert_eq!(fault(|c| c.dataset = 0), "dataset");
        assert_eq!(fault(|c| c.dataset = 9999), "dataset");
        assert_eq!(fault(|c| c.entry_id.clear()), "entry_id");
        assert_eq!(fault(|c| c.entry_id = "x".repeat(257)), "entry_id");
        assert_eq!(fault(|c| c.entry_id.push('\u{1b}')), "entry_id");
        assert_eq!(fault(|c| c.kind = 0), "kind");
        assert_eq!(fault(|c| c.kind = 77), "kind");
        assert_eq!(fault(|c| c.note = " \n".into()), "note");
        assert_eq!(fault(|c| c.note = "é".repeat(2049)), "note");
        assert_eq!(fault(|c| c.note.push('\u{1b}')), "note");
        assert_eq!(fault(|c| c.note = "x".repeat(9000)), "challenge");
        assert_eq!(read_challenge(&[0xff]), Err(ChallengeError("challenge: not a serialised Challenge")));
    }

    #[test]
    fn kinds_and_states_have_one_word() {
        for kind in [ChallengeKind::Wrong, ChallengeKind::OtherPerson] {
            assert_eq!(challenge_kind_from_word(&challenge_kind_word(kind)), Some(kind));
        }
        for state in (1..=7).filter_map(|number| ChallengeState::try_from(number).ok()) {
            assert_eq!(challenge_state_from_word(&challenge_state_word(state)), Some(state));
        }
        assert_eq!(challenge_state_from_word("unspecified"), None);
    }
}
