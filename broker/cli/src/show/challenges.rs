//! What was reported to sources, and what their owners answer.

use super::page::{Ink, Page, Style};
use crate::dates::show_moment;
use severn_proto::v1::{
    ChallengeKind, ChallengeResponse, ChallengeState, ListChallengesResponse, ReportedChallenge, TakenChallenge,
};
use severn_trust::dataset_word;

/// That a source has taken a challenge.
pub(crate) fn render_delivered(taken: &ChallengeResponse, source: &str, style: &Style) -> String {
    let mut page = Page::new(style);
    let when = show_moment(taken.taken_at_ms, &style.zone);
    if taken.already_taken {
        let first = "You reported this already, and its owner has not decided yet; your first note stands.";
        page.put(0, Ink::Strong, &format!("{first} It is at {source} since {when}."));
    } else {
        page.put(0, Ink::Strong, &format!("Delivered to {source}, {when}. Its owner reads it there."));
    }
    page.put(
        0,
        Ink::Plain,
        "The record still shows the entry; `severn challenges` shows the answer when there is one.",
    );
    page.put(0, Ink::Quiet, &format!("challenge {}", taken.challenge_id));
    page.finish()
}

/// What was reported, newest first.
pub(crate) fn render_challenges(listed: &ListChallengesResponse, style: &Style) -> String {
    let mut page = Page::new(style);
    for challenge in &listed.challenges {
        put_challenge(&mut page, challenge);
    }
    page.put(0, Ink::Plain, &format!("{} reported", listed.challenges.len()));
    for source in &listed.silent_source_ids {
        let unknown = "did not answer: what it says of your organisation's reports is not known now. Ask again.";
        page.put(0, Ink::Loud, &format!("{source} {unknown}"));
    }
    if listed.truncated {
        page.put(0, Ink::Loud, "There are older ones, which are not in this list.");
    }
    page.finish()
}

fn put_challenge(page: &mut Page<'_>, challenge: &ReportedChallenge) {
    let taken = challenge.taken.clone().unwrap_or_default();
    let when = show_moment(taken.taken_at_ms, &page.style.zone);
    let what = match taken.entry_id.as_str() {
        "" => "the whole record".to_owned(),
        entry_id => format!("{} {entry_id}", dataset_word(taken.dataset())),
    };
    page.put(0, Ink::Strong, &format!("{when} {}, {what}: “{}”", challenge.source_id, says(taken.kind())));
    let (ink, state) = state(taken.state());
    page.put(4, ink, &format!("{state}{}", answer(&taken, page.style)));
    let person = match challenge.enterprise_id.as_str() {
        "" => "the person is not known to this broker".to_owned(),
        id => format!("person {id}"),
    };
    page.put(4, Ink::Quiet, &format!("reported by {}; {person}", taken.reported_by));
    page.put(4, Ink::Quiet, &format!("challenge {}", taken.challenge_id));
    page.note_altered(4);
}

fn says(kind: ChallengeKind) -> &'static str {
    match kind {
        ChallengeKind::Wrong => "this is wrong",
        ChallengeKind::OtherPerson => "this is not about this person",
        ChallengeKind::Unspecified => "something that this program does not know",
    }
}

fn state(state: ChallengeState) -> (Ink, &'static str) {
    match state {
        ChallengeState::Received => (Ink::Plain, "the owner has not answered yet"),
        ChallengeState::LookedAt => (Ink::Plain, "the owner is looking into it"),
        ChallengeState::Corrected => (Ink::Strong, "CORRECTED at its source"),
        ChallengeState::Stands => (Ink::Strong, "IT STANDS, says the owner"),
        ChallengeState::NotFound => (Ink::Strong, "the owner finds NO SUCH ENTRY"),
        ChallengeState::NoAnswer => (Ink::Loud, "the source does not answer now; ask again later"),
        ChallengeState::NotListed => (Ink::Loud, "the source no longer shows this to you; telephone it"),
        ChallengeState::Unspecified => (Ink::Loud, "a state that this program does not know; telephone the source"),
    }
}

fn answer(taken: &TakenChallenge, style: &Style) -> String {
    let when = show_moment(taken.answered_at_ms, &style.zone);
    let when = if when.is_empty() { when } else { format!(", {when}") };
    let said = if taken.answer.is_empty() { String::new() } else { format!(": “{}”", taken.answer) };
    format!("{when}{said}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::Dataset;

    fn taken(state: ChallengeState, answer: &str) -> TakenChallenge {
        TakenChallenge {
            challenge_id: "c1".into(),
            dataset: Dataset::Allergies.into(),
            entry_id: "a1".into(),
            kind: ChallengeKind::Wrong.into(),
            reported_by: "Dr Ada Example (u-1)".into(),
            taken_at_ms: 1_795_341_600_000,
            state: state.into(),
            answer: answer.into(),
            answered_at_ms: if answer.is_empty() { 0 } else { 1_795_341_660_000 },
        }
    }

    #[test]
    fn reports_and_answers_are_read_in_plain_words_and_steer_no_terminal() {
        let reported = |taken: TakenChallenge| ReportedChallenge {
            enterprise_id: "e1".into(),
            source_id: "RRK".into(),
            taken: Some(taken),
        };
        let whole = TakenChallenge {
            entry_id: String::new(),
            kind: ChallengeKind::OtherPerson.into(),
            ..taken(ChallengeState::NoAnswer, "")
        };
        let listed = ListChallengesResponse {
            challenges: vec![
                reported(taken(ChallengeState::Corrected, "struck out\u{1b}[2J \u{202e}x")),
                ReportedChallenge { enterprise_id: String::new(), ..reported(whole) },
            ],
            truncated: true,
            silent_source_ids: vec!["RRK".into()],
        };
        let expected = "\
22-Nov-2026 10:00 RRK, allergies a1: “this is wrong”
    CORRECTED at its source, 22-Nov-2026 10:01: “struck out␛[2J ⟨U+202E⟩x”
    reported by Dr Ada Example (u-1); person e1
    challenge c1
    ⚑ Characters in this text were replaced: they could hide or reorder what it says.
22-Nov-2026 10:00 RRK, the whole record: “this is not about this person”
    the source does not answer now; ask again later
    reported by Dr Ada Example (u-1); the person is not known to this broker
    challenge c1
2 reported
RRK did not answer: what it says of your organisation's reports is not known now. Ask again.
There are older ones, which are not in this list.
";
        assert_eq!(render_challenges(&listed, &Style::default()), expected);
    }

    #[test]
    fn a_repetition_is_said_to_be_one() {
        let mut response =
            ChallengeResponse { challenge_id: "c1".into(), taken_at_ms: 1_795_341_600_000, already_taken: false };
        assert!(
            render_delivered(&response, "RRK", &Style::default()).starts_with("Delivered to RRK, 22-Nov-2026 10:00.")
        );
        response.already_taken = true;
        assert!(render_delivered(&response, "RRK", &Style::default()).starts_with("You reported this already"));
    }
}
