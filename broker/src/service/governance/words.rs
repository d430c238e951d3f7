//! The facts in the contract's words, and back.

use crate::{
    facts::{Actor, ChangeKind, Directive, DirectiveKind, OverrideReason, Queued, Restricted, Verdict, WhoseQueue},
    model::{Located, SourceId},
};
use severn_proto::v1::{self as wire, Dataset, DirectiveTerms, OversightKind, OversightVerdict, RegistrationRef};
use severn_trust::ALL_DATASETS;
use tonic::Status;

pub(super) fn directive_kind(terms: &DirectiveTerms) -> Result<DirectiveKind, Status> {
    let DirectiveTerms { source_id, organisation_ods, user_issuer, user_id, datasets, .. } = terms.clone();
    let restriction = |restricted| Ok(DirectiveKind::Restriction(restricted));
    match terms.kind() {
        wire::DirectiveKind::OptOut => Ok(DirectiveKind::OptOut),
        wire::DirectiveKind::Dissent => Ok(DirectiveKind::Dissent { source: SourceId(source_id.into()) }),
        wire::DirectiveKind::Organisation => restriction(Restricted::Organisation { ods: organisation_ods }),
        wire::DirectiveKind::User => restriction(Restricted::User { issuer: user_issuer, id: user_id }),
        wire::DirectiveKind::Datasets => {
            let known = |number: &i32| Dataset::try_from(*number).is_ok_and(|dataset| ALL_DATASETS.contains(&dataset));
            if !datasets.iter().all(known) {
                return Err(Status::invalid_argument("datasets: one is not known to this broker; name others"));
            }
            let named = ALL_DATASETS.into_iter().filter(|dataset| datasets.contains(&(*dataset as i32)));
            restriction(Restricted::Datasets(named.collect()))
        }
        wire::DirectiveKind::Unspecified => Err(Status::invalid_argument("kind: say what the directive keeps back")),
    }
}

/// A kind as the trail says it.
pub(super) fn kind_word(kind: &DirectiveKind) -> &'static str {
    match kind {
        DirectiveKind::OptOut => "opt_out",
        DirectiveKind::Dissent { .. } => "dissent",
        DirectiveKind::Restriction(Restricted::Organisation { .. }) => "organisation",
        DirectiveKind::Restriction(Restricted::User { .. }) => "user",
        DirectiveKind::Restriction(Restricted::Datasets(_)) => "datasets",
    }
}

pub(super) fn show_directive((directive, in_force): &(Directive, bool)) -> wire::Directive {
    let mut terms = DirectiveTerms {
        from_ms: directive.from_ms,
        until_ms: directive.until_ms.unwrap_or_default(),
        reason: directive.reason.clone(),
        ..DirectiveTerms::default()
    };
    let kind = match &directive.kind {
        DirectiveKind::OptOut => wire::DirectiveKind::OptOut,
        DirectiveKind::Dissent { source } => {
            terms.source_id = source.to_string();
            wire::DirectiveKind::Dissent
        }
        DirectiveKind::Restriction(Restricted::Organisation { ods }) => {
            terms.organisation_ods.clone_from(ods);
            wire::DirectiveKind::Organisation
        }
        DirectiveKind::Restriction(Restricted::User { issuer, id }) => {
            (terms.user_issuer, terms.user_id) = (issuer.clone(), id.clone());
            wire::DirectiveKind::User
        }
        DirectiveKind::Restriction(Restricted::Datasets(datasets)) => {
            terms.datasets = datasets.iter().map(|dataset| *dataset as i32).collect();
            wire::DirectiveKind::Datasets
        }
    };
    terms.kind = kind.into();
    let withdrawn = directive.withdrawn.as_ref();
    wire::Directive {
        id: directive.id.to_string(),
        terms: Some(terms),
        version: directive.version,
        entered_at_ms: directive.entered_at_ms,
        entered_by: by(&directive.entered_by),
        withdrawn_at_ms: withdrawn.map(|w| w.at_ms).unwrap_or_default(),
        withdrawn_by: withdrawn.map(|w| by(&w.by)).unwrap_or_default(),
        withdrawn_reason: withdrawn.map(|w| w.reason.clone()).unwrap_or_default(),
        in_force: *in_force,
    }
}

/// Who did it, for a reader.
fn by(actor: &Actor) -> String {
    format!("{} ({}), {} at {}", actor.name, actor.id, actor.role_code, actor.organisation_ods)
}

pub(super) fn override_reason(reason: wire::OverrideReason) -> Result<OverrideReason, Status> {
    match reason {
        wire::OverrideReason::EmergencyTreatment => Ok(OverrideReason::EmergencyTreatment),
        wire::OverrideReason::SafeguardingPerson => Ok(OverrideReason::SafeguardingPerson),
        wire::OverrideReason::SafeguardingOthers => Ok(OverrideReason::SafeguardingOthers),
        wire::OverrideReason::PersonAsked => Ok(OverrideReason::PersonAsked),
        wire::OverrideReason::BestInterests => Ok(OverrideReason::BestInterests),
        wire::OverrideReason::Unspecified => {
            Err(Status::invalid_argument("reason: say why by one of the codes; no other reason breaks the glass"))
        }
    }
}

fn shown_reason(reason: OverrideReason) -> wire::OverrideReason {
    match reason {
        OverrideReason::EmergencyTreatment => wire::OverrideReason::EmergencyTreatment,
        OverrideReason::SafeguardingPerson => wire::OverrideReason::SafeguardingPerson,
        OverrideReason::SafeguardingOthers => wire::OverrideReason::SafeguardingOthers,
        OverrideReason::PersonAsked => wire::OverrideReason::PersonAsked,
        OverrideReason::BestInterests => wire::OverrideReason::BestInterests,
    }
}

pub(super) fn verdict(verdict: OversightVerdict) -> Result<Verdict, Status> {
    match verdict {
        OversightVerdict::Justified => Ok(Verdict::Justified),
        OversightVerdict::NotJustified => Ok(Verdict::NotJustified),
        OversightVerdict::FollowUp => Ok(Verdict::FollowUp),
        OversightVerdict::Unspecified => Err(Status::invalid_argument("verdict: say what came of it")),
    }
}

fn shown_verdict(verdict: Verdict) -> OversightVerdict {
    match verdict {
        Verdict::Justified => OversightVerdict::Justified,
        Verdict::NotJustified => OversightVerdict::NotJustified,
        Verdict::FollowUp => OversightVerdict::FollowUp,
    }
}

/// An entry of the queue, with what became of its `notices`. An officer of one organisation is told the person's
/// registrations at its own sources.
pub(super) fn entry(queued: &Queued, whose: &WhoseQueue, notices: Vec<wire::NoticeDelivery>) -> wire::OversightEntry {
    let (kind, until_ms, reason, text) = match &queued.change.kind {
        ChangeKind::OverrideOpened { reason, text, expires_ms, .. } => {
            (OversightKind::Override, *expires_ms, shown_reason(*reason), text.clone())
        }
        ChangeKind::RelationshipClaimed { reason, until_ms } => {
            (OversightKind::Claim, *until_ms, wire::OverrideReason::Unspecified, reason.clone())
        }
        _ => (OversightKind::Unspecified, 0, wire::OverrideReason::Unspecified, String::new()),
    };
    let may_know = |located: &&Located| match whose {
        WhoseQueue::All => true,
        WhoseQueue::Organisation { sources, .. } => sources.contains(&located.source),
    };
    let subject = queued.change.subject.as_ref();
    let registrations = subject.iter().flat_map(|subject| &subject.registrations).filter(may_know);
    let reference = |located: &Located| RegistrationRef {
        source_id: located.source.to_string(),
        local_id: located.local_id.0.to_string(),
    };
    let review = |review: &crate::facts::Review| wire::OversightReview {
        by: by(&review.by),
        at_ms: review.at_ms,
        verdict: shown_verdict(review.verdict).into(),
        note: review.note.clone(),
    };
    let actor = &queued.change.by;
    wire::OversightEntry {
        id: queued.change.key.to_string(),
        kind: kind.into(),
        at_ms: queued.at_ms,
        until_ms,
        user: format!("{} ({})", actor.name, actor.id),
        role: actor.role_code.clone(),
        organisation_ods: actor.organisation_ods.clone(),
        reason: reason.into(),
        text,
        enterprise_id: subject.map(|subject| subject.person.to_string()).unwrap_or_default(),
        registrations: registrations.map(reference).collect(),
        reviews: queued.reviews.iter().map(review).collect(),
        waiting: queued.is_waiting(),
        notices,
    }
}
