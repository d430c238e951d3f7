//! Shows the owner's privacy officers what the broker told them, and keeps who has seen it. Works beside the serving
//! adapter: only this command writes what was seen, only the adapter writes notices.

use crate::{
    arguments::{Notices as NoticesCommand, NoticesArguments},
    challenges::moment,
    config::Config,
    preview::plain,
};
use anyhow::Context as _;
use severn_adapter_sdk::{
    inbox::Inbox,
    notices::{Notices, Seen, Told},
};
use severn_proto::v1::{OverrideReason, OversightKind};
use severn_trust::{Clock as _, SystemClock};
use std::{fs::File, io::Write, sync::Arc};

/// Lists the notices in the inbox, or keeps that one was seen.
///
/// # Errors
/// If the inbox cannot be read or written, there is no such notice, or `out` cannot be written.
pub(crate) fn notices(config: &Config, asked: &NoticesArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let inbox = Inbox::new(Arc::new(config.data.disk()?));
    let Some(NoticesCommand::Seen(seen)) = &asked.command else {
        return list(&inbox.notices()?, asked.all, out);
    };
    let path = config.data.folder.join("notices.lock");
    let lock = File::create(&path).with_context(|| format!("data.folder: {} cannot be made", path.display()))?;
    // Two commands at the same moment would run into each other in one file.
    lock.lock().context("data.folder: cannot be locked")?;
    inbox.see(&Seen { id: seen.id, at_ms: SystemClock.now_ms(), by: seen.by.clone() })?;
    Ok(writeln!(out, "Kept as seen. It is reviewed with `severn queue review`.")?)
}

fn list(notices: &Notices, all: bool, out: &mut impl Write) -> anyhow::Result<()> {
    match notices.told.iter().filter(|(_, seen)| seen.is_none()).count() {
        0 => writeln!(out, "No notice waits to be seen.")?,
        1 => writeln!(out, "1 notice waits to be seen.")?,
        more => writeln!(out, "{more} notices wait to be seen.")?,
    }
    if notices.damaged > 0 {
        let lines = notices.damaged;
        writeln!(out, "WRONG  {lines} line(s) of the notices cannot be read; look at the files in data.folder")?;
    }
    for (told, seen) in notices.told.iter().filter(|(_, seen)| all || seen.is_none()) {
        writeln!(out)?;
        print(told, seen.as_ref(), out)?;
    }
    if notices.told.iter().any(|(_, seen)| seen.is_none()) {
        writeln!(out, "\nTo keep that you have seen one: severn-adapter notices seen ID --by NAME")?;
    }
    Ok(())
}

fn print(told: &Told, seen: Option<&Seen>, out: &mut impl Write) -> anyhow::Result<()> {
    let what = match OversightKind::try_from(told.kind).unwrap_or_default() {
        OversightKind::Override => format!("BROKE THE GLASS: {}", reason(told.reason)),
        OversightKind::Claim => "CLAIMED to care for the person".into(),
        OversightKind::Unspecified => "did what this program does not know; update it".into(),
    };
    let who = format!("{}, role {}, of {}", told.user, told.role, told.organisation);
    let whom = match (told.local_ids.as_slice(), told.person.as_str()) {
        ([], person) => format!("person {person}, whom this source does not know"),
        (ids, "") => format!("local id {}", ids.join(", ")),
        (ids, person) => format!("local id {}, person {person}", ids.join(", ")),
    };
    writeln!(out, "{}  {}  {}", told.id, moment(told.at_ms), if seen.is_some() { "seen" } else { "WAITS" })?;
    writeln!(out, "    {}", plain(&who))?;
    writeln!(out, "    {what}; it holds until {} unless a review ends it", moment(told.until_ms))?;
    writeln!(out, "    about {}", plain(&whom))?;
    if told.restricted {
        writeln!(out, "    PROTECTED PERSON: where they are must not become known")?;
    }
    if let Some(seen) = seen {
        writeln!(out, "    seen by {} on {}", plain(&seen.by), moment(seen.at_ms))?;
    }
    Ok(())
}

fn reason(number: i32) -> &'static str {
    match OverrideReason::try_from(number).unwrap_or_default() {
        OverrideReason::EmergencyTreatment => "emergency treatment",
        OverrideReason::SafeguardingPerson => "to keep the person from harm",
        OverrideReason::SafeguardingOthers => "to keep others from harm",
        OverrideReason::PersonAsked => "the person asked for it",
        OverrideReason::BestInterests => "in the person's best interests",
        OverrideReason::Unspecified => "no reason that is known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn told() -> Told {
        Told {
            id: Uuid::from_u128(7),
            told_at_ms: 1_795_341_601_000,
            kind: OversightKind::Override.into(),
            at_ms: 1_795_341_600_000,
            until_ms: 1_795_345_200_000,
            user: "Dr Ada Example (u-1)\u{1b}[2J".into(),
            role: "R8000".into(),
            organisation: "RRK".into(),
            reason: OverrideReason::EmergencyTreatment.into(),
            person: "0190b5b0".into(),
            local_ids: vec!["4711".into()],
            restricted: true,
        }
    }

    fn listed(notices: &Notices, all: bool) -> String {
        let mut out = Vec::new();
        list(notices, all, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_officer_reads_who_did_what_and_to_whom() {
        let expected = "\
1 notice waits to be seen.

00000000-0000-0000-0000-000000000007  22-Nov-2026 10:00 UTC  WAITS
    Dr Ada Example (u-1) [2J, role R8000, of RRK
    BROKE THE GLASS: emergency treatment; it holds until 22-Nov-2026 11:00 UTC unless a review ends it
    about local id 4711, person 0190b5b0
    PROTECTED PERSON: where they are must not become known

To keep that you have seen one: severn-adapter notices seen ID --by NAME
";
        assert_eq!(listed(&Notices { told: vec![(told(), None)], damaged: 0 }, false), expected);
    }

    #[test]
    fn what_was_seen_is_listed_when_asked_for() {
        let seen = Seen { id: Uuid::from_u128(7), at_ms: 1_795_341_660_000, by: "P. Officer".into() };
        let told = Told { local_ids: vec![], kind: OversightKind::Claim.into(), restricted: false, ..told() };
        let notices = Notices { told: vec![(told, Some(seen))], damaged: 1 };
        let short = listed(&notices, false);
        assert!(short.starts_with("No notice waits to be seen.\nWRONG  1 line(s)"), "{short}");
        assert!(!short.contains("Ada"), "{short}");
        let all = listed(&notices, true);
        assert!(all.contains("whom this source does not know") && all.contains("CLAIMED"), "{all}");
        assert!(all.contains("seen by P. Officer on 22-Nov-2026 10:01 UTC"), "{all}");
    }
}
