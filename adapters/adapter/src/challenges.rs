//! Shows the owner what readers report back, and keeps the owner's answers. Works beside the serving adapter: only this
//! command writes answers, only the adapter writes challenges.

use crate::{
    arguments::{AnswerArguments, AnswerState, Challenges, ChallengesArguments},
    config::Config,
    preview::plain,
};
use anyhow::Context as _;
use severn_adapter_sdk::inbox::{Answered, Contents, Held, Inbox};
use severn_proto::v1::{ChallengeKind, ChallengeState};
use severn_trust::{Clock as _, SystemClock, challenge_state_word};
use std::{fs::File, io::Write, sync::Arc};

/// Lists the challenges in the inbox, or answers one.
///
/// # Errors
/// If the inbox cannot be read or written, there is no such challenge, or `out` cannot be written.
pub(crate) fn challenges(config: &Config, asked: &ChallengesArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let inbox = Inbox::new(Arc::new(config.data.disk()?));
    match &asked.command {
        None => list(&inbox.contents()?, asked.all, out),
        Some(Challenges::Answer(answer)) => {
            let path = config.data.folder.join("answers.lock");
            let lock =
                File::create(&path).with_context(|| format!("data.folder: {} cannot be made", path.display()))?;
            // Two answers at the same moment would run into each other in one file.
            lock.lock().context("data.folder: cannot be locked")?;
            inbox.answer(&answered(answer))?;
            Ok(writeln!(out, "Answered. The reporter's organisation reads it the next time it asks.")?)
        }
    }
}

fn answered(answer: &AnswerArguments) -> Answered {
    let state = match answer.state {
        AnswerState::Looking => ChallengeState::LookedAt,
        AnswerState::Corrected => ChallengeState::Corrected,
        AnswerState::Stands => ChallengeState::Stands,
        AnswerState::NotFound => ChallengeState::NotFound,
    };
    let (at_ms, state) = (SystemClock.now_ms(), challenge_state_word(state));
    Answered { id: answer.id, at_ms, state, note: answer.note.clone() }
}

fn list(contents: &Contents, all: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let open = contents.held.iter().filter(|held| held.is_open()).count();
    match open {
        0 => writeln!(out, "No challenge waits for your decision.")?,
        1 => writeln!(out, "1 challenge waits for your decision.")?,
        more => writeln!(out, "{more} challenges wait for your decision.")?,
    }
    if contents.damaged > 0 {
        writeln!(
            out,
            "WRONG  {} line(s) of the inbox cannot be read; look at the files in data.folder",
            contents.damaged
        )?;
    }
    for held in contents.held.iter().filter(|held| all || held.is_open()) {
        writeln!(out)?;
        print(held, out)?;
    }
    if open > 0 {
        writeln!(
            out,
            "\nTo answer: severn-adapter challenges answer ID looking|corrected|stands|not-found --note TEXT"
        )?;
    }
    Ok(())
}

fn print(held: &Held, out: &mut impl Write) -> anyhow::Result<()> {
    let taken = &held.taken;
    let says = match taken.kind() {
        ChallengeKind::Wrong => "this is wrong",
        ChallengeKind::OtherPerson => "this is not about this person",
        ChallengeKind::Unspecified => "a kind that is not known",
    };
    let what = if taken.entry_id.is_empty() { "the whole record".into() } else { format!("entry {}", taken.entry_id) };
    writeln!(out, "{}  {}  \"{says}\"  {}", taken.id, moment(taken.at_ms), state(held.state()))?;
    writeln!(out, "    {}", plain(&format!("{}, {what}, of local id {}", taken.dataset, taken.local_id)))?;
    let reporter = format!("{} ({}), role {}, of {}", taken.name, taken.user, taken.role, taken.organisation);
    writeln!(out, "    reported by {}", plain(&reporter))?;
    if !taken.note.is_empty() {
        writeln!(out, "    says: {}", plain(&taken.note))?;
    }
    if let Some(answered) = &held.answered {
        writeln!(out, "    you answered on {}: {}", moment(answered.at_ms), plain(&answered.note))?;
    }
    Ok(())
}

fn state(state: ChallengeState) -> &'static str {
    match state {
        ChallengeState::Received => "WAITS",
        ChallengeState::LookedAt => "being looked into",
        ChallengeState::Corrected => "corrected",
        ChallengeState::Stands => "stands as it is",
        ChallengeState::NotFound => "no such entry",
        ChallengeState::Unspecified | ChallengeState::NoAnswer | ChallengeState::NotListed => {
            "a state that is not known"
        }
    }
}

pub(crate) fn moment(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.strftime("%d-%b-%Y %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_adapter_sdk::inbox::Taken;
    use uuid::Uuid;

    fn held(answered: Option<Answered>) -> Held {
        let taken = Taken {
            id: Uuid::from_u128(7),
            at_ms: 1_795_341_600_000,
            issuer: "https://login.example".into(),
            organisation: "RRK".into(),
            user: "u-1".into(),
            name: "Dr Ada Example".into(),
            role: "R8000".into(),
            local_id: "4711".into(),
            dataset: "allergies".into(),
            entry_id: "a1".into(),
            labels: Vec::new(),
            kind: "wrong".into(),
            note: "she took it\nin May\u{1b}[2J\u{202e}".into(),
        };
        Held { taken, answered }
    }

    fn listed(contents: &Contents, all: bool) -> String {
        let mut out = Vec::new();
        list(contents, all, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_owner_sees_who_says_what_and_nothing_steers_the_terminal() {
        let contents = Contents { held: vec![held(None)], damaged: 0 };
        let expected = "\
1 challenge waits for your decision.

00000000-0000-0000-0000-000000000007  22-Nov-2026 10:00 UTC  \"this is wrong\"  WAITS
    allergies, entry a1, of local id 4711
    reported by Dr Ada Example (u-1), role R8000, of RRK
    says: she took it in May [2J 

To answer: severn-adapter challenges answer ID looking|corrected|stands|not-found --note TEXT
";
        assert_eq!(listed(&contents, false), expected);
    }

    #[test]
    fn what_is_decided_is_listed_when_asked_for() {
        let answered = Answered {
            id: Uuid::from_u128(7),
            at_ms: 1_795_341_660_000,
            state: "stands".into(),
            note: "as dictated".into(),
        };
        let contents = Contents { held: vec![held(Some(answered))], damaged: 2 };
        let short = listed(&contents, false);
        assert!(short.starts_with("No challenge waits for your decision.\nWRONG  2 line(s)"), "{short}");
        assert!(!short.contains("a1"));
        let all = listed(&contents, true);
        assert!(all.contains("stands as it is") && all.contains("you answered on 22-Nov-2026 10:01 UTC: as dictated"));
    }
}
