//! Who may see a person: wishes, claims, broken glass and the queue, in words.

use super::{
    page::{Ink, Page, Style},
    record::who,
    words,
};
use crate::{dates::show_moment, governance::verdict_word};
use severn_proto::v1::{
    ClaimRelationshipResponse, Demographics, Directive, DirectiveKind, DirectiveTerms, NoticeDelivery, NoticeState,
    OpenOverrideResponse, OverrideReason, OversightEntry, OversightKind, OversightQueueResponse,
};

/// A person's wishes, in the order in which they were entered.
pub(crate) fn render_directives(directives: &[Directive], style: &Style) -> String {
    let mut page = Page::new(style);
    for directive in directives {
        put_directive(&mut page, directive);
    }
    let holding = directives.iter().filter(|directive| directive.in_force).count();
    page.put(0, Ink::Plain, &format!("{} entered, {holding} in force", directives.len()));
    page.finish()
}

fn put_directive(page: &mut Page<'_>, directive: &Directive) {
    let terms = directive.terms.clone().unwrap_or_default();
    let state = if directive.in_force { "in force" } else { "NOT IN FORCE" };
    page.put(0, Ink::Strong, &format!("{}: {state}", wish(&terms)));
    let moment = |at_ms| show_moment(at_ms, &page.style.zone);
    let from = if terms.from_ms == 0 { moment(directive.entered_at_ms) } else { moment(terms.from_ms) };
    let until = if terms.until_ms == 0 { "withdrawn".into() } else { moment(terms.until_ms) };
    let entered = format!("entered {} by {}", moment(directive.entered_at_ms), directive.entered_by);
    let withdrawn = (directive.withdrawn_at_ms != 0).then(|| {
        format!(
            "withdrawn {} by {}: {}",
            moment(directive.withdrawn_at_ms),
            directive.withdrawn_by,
            directive.withdrawn_reason
        )
    });
    page.put(4, Ink::Plain, &format!("from {from} until {until}"));
    page.put(4, Ink::Plain, &format!("{entered}: {}", terms.reason));
    if let Some(withdrawn) = withdrawn {
        page.put(4, Ink::Plain, &withdrawn);
    }
    page.put(4, Ink::Quiet, &format!("directive id {}", directive.id));
}

fn wish(terms: &DirectiveTerms) -> String {
    match terms.kind() {
        DirectiveKind::OptOut => "Nothing is shared with anybody".into(),
        DirectiveKind::Dissent => format!("Nothing that {} holds is shared; no broken glass lifts it", terms.source_id),
        DirectiveKind::Organisation => format!("Nothing is shown to users of {}", terms.organisation_ods),
        DirectiveKind::User => format!("Nothing is shown to user {} of {}", terms.user_id, terms.user_issuer),
        DirectiveKind::Datasets => {
            let headings: Vec<_> = terms.datasets.iter().map(|number| words::heading(*number)).collect();
            format!("Shown to nobody: {}", headings.join(", "))
        }
        DirectiveKind::Unspecified => "A wish that this program does not know".into(),
    }
}

/// What a claim means.
pub(crate) fn render_claimed(claimed: &ClaimRelationshipResponse, style: &Style) -> String {
    let mut page = Page::new(style);
    let until = show_moment(claimed.until_ms, &style.zone);
    page.put(0, Ink::Strong, &format!("Claimed: your organisation cares for this person until {until}."));
    page.put(0, Ink::Plain, "A privacy officer reviews it, and the person sees it in their access report.");
    page.put(0, Ink::Quiet, &format!("claim id {}", claimed.claim_id));
    page.finish()
}

/// The banner over broken glass.
pub(crate) fn render_broken(opened: &OpenOverrideResponse, person: &Demographics, style: &Style) -> String {
    let mut page = Page::new(style);
    let until = show_moment(opened.expires_ms, &style.zone);
    page.put(0, Ink::Loud, &format!("THE GLASS IS BROKEN for this one person, for you alone, until {until}."));
    page.put(4, Ink::Strong, &who(person));
    page.put(
        4,
        Ink::Warn,
        "The privacy officers of your organisation and of those that know the person are told, and review it.",
    );
    page.put(4, Ink::Warn, "The person sees it in their access report, with your name and your reason.");
    page.put(4, Ink::Plain, "What the law or the person's practice keeps back stays closed.");
    page.put(0, Ink::Plain, "Then ask for the record again, with --override and this id:");
    page.put(4, Ink::Strong, &opened.override_id);
    page.finish()
}

/// Claims and overrides to review, newest first.
pub(crate) fn render_queue(queue: &OversightQueueResponse, style: &Style) -> String {
    let mut page = Page::new(style);
    for entry in &queue.entries {
        put_entry(&mut page, entry);
    }
    let waiting = queue.entries.iter().filter(|entry| entry.waiting).count();
    page.put(0, Ink::Plain, &format!("{} entries, {waiting} waiting", queue.entries.len()));
    if queue.more > 0 {
        page.put(0, Ink::Loud, &format!("There are {} older ones; ask for more with --limit.", queue.more));
    }
    page.finish()
}

fn put_entry(page: &mut Page<'_>, entry: &OversightEntry) {
    let moment = |at_ms| show_moment(at_ms, &page.style.zone);
    let what = match entry.kind() {
        OversightKind::Override => format!("BROKE THE GLASS ({})", reason(entry.reason())),
        OversightKind::Claim => "claimed to care for the person".into(),
        OversightKind::Unspecified => "did what this program does not know".into(),
    };
    let who = format!("{} ({}, {})", entry.user, entry.role, entry.organisation_ods);
    let times = format!("{} until {}", moment(entry.at_ms), moment(entry.until_ms));
    let reviews: Vec<String> = entry
        .reviews
        .iter()
        .map(|review| {
            let note = if review.note.is_empty() { String::new() } else { format!(": {}", review.note) };
            format!("{} {} by {}{note}", moment(review.at_ms), verdict_word(review.verdict()), review.by)
        })
        .collect();
    let known: Vec<String> = entry.registrations.iter().map(|r| format!("{} {}", r.source_id, r.local_id)).collect();
    page.put(0, Ink::Strong, &format!("{times}  {who} {what}"));
    page.put(4, Ink::Plain, &format!("why: {}", entry.text));
    let known = if known.is_empty() { String::new() } else { format!("; known as {}", known.join(", ")) };
    page.put(4, Ink::Plain, &format!("person {}{known}", entry.enterprise_id));
    for review in &reviews {
        page.put(4, Ink::Plain, review);
    }
    for notice in &entry.notices {
        put_notice(page, notice);
    }
    page.put(4, Ink::Quiet, &format!("id {}", entry.id));
}

fn put_notice(page: &mut Page<'_>, notice: &NoticeDelivery) {
    let whom = match notice.source_id.as_str() {
        "" => notice.organisation_ods.clone(),
        source => format!("{source} ({})", notice.organisation_ods),
    };
    let (ink, said) = match notice.state() {
        NoticeState::Delivered => (
            Ink::Quiet,
            format!("notice delivered to {whom} {}", show_moment(notice.delivered_at_ms, &page.style.zone)),
        ),
        NoticeState::UnderWay => (Ink::Quiet, format!("notice to {whom} is under way")),
        NoticeState::NotDelivered => {
            let todo = "telephone its privacy officer; the broker goes on trying";
            (Ink::Loud, format!("NOTICE NOT DELIVERED to {whom} within 60 s: {todo}"))
        }
        NoticeState::NoWay => {
            let why = "it has no adapter here, and the broker writes no files for mail";
            (Ink::Warn, format!("no notice to {whom}: {why}. Its privacy officers see it in this queue only"))
        }
        NoticeState::Unspecified => {
            (Ink::Warn, format!("notice to {whom}: in a state that this program does not know"))
        }
    };
    page.put(4, ink, &said);
}

fn reason(reason: OverrideReason) -> &'static str {
    match reason {
        OverrideReason::EmergencyTreatment => "emergency treatment",
        OverrideReason::SafeguardingPerson => "to keep the person from harm",
        OverrideReason::SafeguardingOthers => "to keep others from harm",
        OverrideReason::PersonAsked => "the person asked for it",
        OverrideReason::BestInterests => "in the person's best interests",
        OverrideReason::Unspecified => "no reason known",
    }
}
