//! One JSON document for other programs: the contract's words in snake case, everything that arrived, nothing altered.
//! Characters that could deceive a terminal are written as `\u` escapes, which mean the same. Where a text holds such
//! characters, `"deceptive": true` stands beside it, in its contribution, and at the top if there are any at all: whoever
//! shows it has to neutralise it and to say so, as `severn_client::neutralise` does.

use crate::{
    detail::{Value as Detail, open},
    undo::Undone,
};
use serde_json::{Map, Value, json};
use severn_client::{Answer, Found, characters, neutralise};
use severn_proto::v1::*;
use severn_trust::{Obligations, dataset_word, hex};

/// The document as text, with a line feed at its end.
pub(crate) fn write(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut out = String::with_capacity(text.len() + 1);
    for (c, harmful) in characters(&text) {
        if harmful {
            // Only strings can hold such a character, and there an escape is the same character.
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}

/// A record with its ledger and seal. `complete` is true only behind a valid seal; `incomplete_because` says why not.
pub fn record_json(answer: &Answer) -> Value {
    let received = answer.received();
    let opened = received.opened.as_ref();
    with_warning(json!({
        "complete": answer.flaw().is_none(),
        "incomplete_because": answer.flaw().map(|flaw| flaw.to_string()),
        "query_id": opened.map(|o| &o.query_id),
        "enterprise_id": opened.map(|o| &o.enterprise_id),
        "person": received.person().map(demographics),
        "datasets": opened.map(|o| o.datasets.iter().map(|d| dataset(*d)).collect::<Vec<_>>()),
        "summary": received.ledger.as_ref().map(|ledger| &ledger.summary),
        "discrepancies": received.discrepancies().iter().map(discrepancy).collect::<Vec<_>>(),
        "headings": received.headings().iter().map(heading).collect::<Vec<_>>(),
        "sections": received.sections.iter().map(section).collect::<Vec<_>>(),
        "ledger": received.rows().iter().map(row).collect::<Vec<_>>(),
        "seal": received.seal.as_ref().map(seal),
    }))
}

/// Says in an object whether a text within it is not to be shown as it is.
fn with_warning(mut object: Value) -> Value {
    object["deceptive"] = holds_deceptive(&object).into();
    object
}

fn holds_deceptive(value: &Value) -> bool {
    match value {
        Value::String(text) => neutralise(text).altered,
        Value::Array(list) => list.iter().any(holds_deceptive),
        Value::Object(fields) => fields.values().any(holds_deceptive),
        _ => false,
    }
}

/// `entered_in_error` for `ENTRY_STATUS_ENTERED_IN_ERROR`; a number this version does not know as that number.
fn word<E: TryFrom<i32>>(number: i32, prefix: &str, name: fn(&E) -> &'static str) -> Value {
    match E::try_from(number) {
        Ok(known) => Value::from(name(&known).strip_prefix(prefix).unwrap_or_default().to_ascii_lowercase()),
        Err(_) => Value::from(number),
    }
}

fn dataset(number: i32) -> Value {
    Dataset::try_from(number).map_or_else(|_| Value::from(number), |d| Value::from(dataset_word(d)))
}

fn outcome(number: i32) -> Value {
    word::<Outcome>(number, "OUTCOME_", Outcome::as_str_name)
}

fn demographics(person: &Demographics) -> Value {
    let name = |n: &HumanName| {
        json!({
            "use": word::<human_name::Use>(n.r#use, "USE_", human_name::Use::as_str_name),
            "family": n.family, "given": n.given, "prefix": n.prefix, "text": n.text,
        })
    };
    let address = |a: &Address| json!({ "lines": a.lines, "postcode": a.postcode, "from": a.from, "until": a.until });
    let telecom = |t: &Telecom| {
        json!({
            "system": word::<telecom::System>(t.system, "SYSTEM_", telecom::System::as_str_name),
            "value": t.value, "use": t.r#use,
        })
    };
    json!({
        "nhs_number": person.nhs_number,
        "nhs_number_verified": person.nhs_number_verified,
        "replaced_nhs_numbers": person.replaced_nhs_numbers,
        "names": person.names.iter().map(name).collect::<Vec<_>>(),
        "birth_date": person.birth_date,
        "restricted": person.restricted,
        "sex": word::<Sex>(person.sex, "SEX_", Sex::as_str_name),
        "addresses": person.addresses.iter().map(address).collect::<Vec<_>>(),
        "telecoms": person.telecoms.iter().map(telecom).collect::<Vec<_>>(),
        "deceased": person.deceased,
        "death_date": person.death_date,
        "gp_practice_ods": person.gp_practice_ods,
        "preferred_name": person.preferred_name,
    })
}

fn section(section: &Section) -> Value {
    json!({ "dataset": dataset(section.dataset), "items": section.items.iter().map(item).collect::<Vec<_>>() })
}

fn item(item: &Item) -> Value {
    let conflict = |c: &Conflict| json!({ "rule": c.rule, "text": c.text, "other_item_ids": c.other_item_ids });
    json!({
        "item_id": item.item_id,
        "retracted": item.retracted,
        "grouped_by": item.grouped_by,
        "conflicts": item.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "possibly_same": item.possibly_same,
        "contributions": item.contributions.iter().map(contribution).collect::<Vec<_>>(),
    })
}

fn contribution(contribution: &Contribution) -> Value {
    let entry = contribution.entry.as_ref();
    with_warning(json!({
        "source_id": contribution.source_id,
        "entry": entry.and_then(|e| e.head.as_ref()).map(head),
        "body": entry.map(|e| body(&e.body)),
    }))
}

fn head(head: &EntryHead) -> Value {
    let coding = |c: &Coding| json!({ "system": c.system, "code": c.code, "display": c.display });
    let origin =
        |o: &OriginIdentifier| json!({ "system": o.system, "value": o.value, "organisation_ods": o.organisation_ods });
    let label = |l: &i32| word::<SensitivityLabel>(*l, "SENSITIVITY_LABEL_", SensitivityLabel::as_str_name);
    json!({
        "entry_id": head.entry_id,
        "dataset": dataset(head.dataset),
        "codings": head.codings.iter().map(coding).collect::<Vec<_>>(),
        "text": head.text,
        "assertion": word::<Assertion>(head.assertion, "ASSERTION_", Assertion::as_str_name),
        "status": word::<EntryStatus>(head.status, "ENTRY_STATUS_", EntryStatus::as_str_name),
        "status_verbatim": head.status_verbatim,
        "effective_start": head.effective_start,
        "effective_end": head.effective_end,
        "recorded": head.recorded,
        "last_changed": head.last_changed,
        "labels": head.labels.iter().map(label).collect::<Vec<_>>(),
        "distinguishing": head.distinguishing.iter().map(|f| json!({ "name": f.name, "value": f.value })).collect::<Vec<_>>(),
        "provenance": head.provenance.as_ref().map(provenance),
        "origins": head.origins.iter().map(origin).collect::<Vec<_>>(),
        "not_validated": head.not_validated,
    })
}

fn provenance(p: &Provenance) -> Value {
    json!({
        "organisation": p.organisation,
        "organisation_ods": p.organisation_ods,
        "system": p.system,
        "author": p.author,
        "author_role": p.author_role,
        "location": p.location,
        "recorder": p.recorder,
        "retrieved_at_ms": p.retrieved_at_ms,
        "source_version": p.source_version,
    })
}

fn body(bytes: &prost::bytes::Bytes) -> Value {
    let body = open(bytes);
    json!({
        "kind": body.kind,
        "detail": fields(&body.fields),
        "narrative": body.narrative,
        "original_media_type": body.original_media_type,
        // Text as it came; anything else as hexadecimal digits.
        "original": std::str::from_utf8(&body.original).ok(),
        "original_hex": std::str::from_utf8(&body.original).is_err().then(|| hex(&body.original)),
        "not_understood": body.not_understood,
    })
}

fn fields(fields: &[(String, Detail)]) -> Value {
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), detail(value))).collect::<Map<_, _>>())
}

fn detail(value: &Detail) -> Value {
    match value {
        Detail::Text(text) => Value::from(text.as_str()),
        Detail::Number(number) => Value::Number(number.clone()),
        Detail::Flag(flag) => Value::from(*flag),
        Detail::Bytes(bytes) => Value::from(hex(bytes)),
        Detail::Group(group) => fields(group),
        Detail::List(list) => Value::Array(list.iter().map(detail).collect()),
    }
}

fn row(row: &LedgerRow) -> Value {
    let reason = |r: &Reason| {
        json!({
            "code": word::<ReasonCode>(r.code, "REASON_CODE_", ReasonCode::as_str_name), "count": r.count,
        })
    };
    json!({
        "source_id": row.source_id,
        "source_name": row.source_name,
        "source_kind": row.source_kind,
        "dataset": dataset(row.dataset),
        "outcome": outcome(row.outcome),
        "reasons": row.reasons.iter().map(reason).collect::<Vec<_>>(),
        "received": row.received,
        "shown": row.shown,
        "grouped": row.grouped,
        "withheld": row.withheld,
        "rejected": row.rejected,
        "as_of_ms": row.as_of_ms,
        "waited_ms": row.waited_ms,
        "obligations": Obligations::said(&row.obligations).words(),
    })
}

fn discrepancy(discrepancy: &Discrepancy) -> Value {
    let said = |said: &Said| json!({ "value": said.value, "source_ids": said.source_ids });
    json!({ "field": discrepancy.field, "said": discrepancy.said.iter().map(said).collect::<Vec<_>>() })
}

fn heading(heading: &Heading) -> Value {
    let stated =
        |n: &NoneKnown| json!({ "source_id": n.source_id, "source_name": n.source_name, "stated_on": n.stated_on });
    json!({
        "dataset": dataset(heading.dataset),
        "outcome": word::<HeadingOutcome>(heading.outcome, "HEADING_OUTCOME_", HeadingOutcome::as_str_name),
        "whole": heading.whole,
        "none_known": heading.none_known.iter().map(stated).collect::<Vec<_>>(),
    })
}

fn seal(seal: &Seal) -> Value {
    json!({
        "query_id": seal.query_id,
        "sections": seal.sections,
        "rows": seal.rows,
        "received": seal.received,
        "shown": seal.shown,
        "grouped": seal.grouped,
        "withheld": seal.withheld,
        "rejected": seal.rejected,
        "digest": hex(&seal.digest),
        "rules_version": seal.rules_version,
    })
}

/// What a search found.
pub(crate) fn found(found: &Found) -> Value {
    let (resolution, candidates) = match found {
        Found::One(one) => ("one", std::slice::from_ref(one.as_ref())),
        Found::Possible(candidates) => ("possible", candidates.as_slice()),
        Found::Nobody => ("nobody", [].as_slice()),
        Found::TooMany => ("too_many", [].as_slice()),
    };
    let candidate = |c: &Candidate| {
        json!({
            "enterprise_id": c.enterprise_id,
            "person": c.golden.as_ref().map(demographics),
            "score": c.score,
            "why": c.why,
            "sources": c.sources,
        })
    };
    json!({ "resolution": resolution, "candidates": candidates.iter().map(candidate).collect::<Vec<_>>() })
}

/// The federation's sources.
pub(crate) fn sources(sources: &[SourceState]) -> Value {
    let source = |s: &SourceState| {
        json!({
            "source_id": s.source_id,
            "name": s.name,
            "kind": s.kind,
            "ods": s.ods,
            "reachable": s.reachable,
            "feed_heard_at_ms": s.feed_heard_at_ms,
            "registrations": s.registrations,
            "datasets": s.datasets.iter().map(|d| dataset(*d)).collect::<Vec<_>>(),
            "last_outcome": outcome(s.last_outcome),
            "last_called_at_ms": s.last_called_at_ms,
        })
    };
    json!({ "sources": sources.iter().map(source).collect::<Vec<_>>() })
}

/// Pairs to decide.
pub(crate) fn review(queue: &ReviewQueueResponse) -> Value {
    let registration = |r: &Registration| {
        json!({
            "source_id": r.source_id,
            "local_id": r.local_id.as_ref().map(|id| &id.value),
            "assigning_authority": r.local_id.as_ref().map(|id| &id.assigning_authority),
            "person": r.demographics.as_ref().map(demographics),
        })
    };
    let reason = |r: &FieldReason| json!({ "field": r.field, "level": r.level, "weight_bits": r.weight_bits });
    let pair = |p: &ReviewPair| {
        json!({
            "a": p.a.as_ref().map(registration),
            "b": p.b.as_ref().map(registration),
            "kind": word::<ReviewKind>(p.kind, "REVIEW_KIND_", ReviewKind::as_str_name),
            "why": p.why,
            "probability": p.probability,
            "bits": p.bits,
            "reasons": p.reasons.iter().map(reason).collect::<Vec<_>>(),
            "model_version": p.model_version,
        })
    };
    let count = |c: &ReviewCount| (review_kind_word(c.kind()), Value::from(c.pairs));
    let counts: Map<_, _> = queue.counts.iter().map(count).collect();
    json!({
        "pairs": queue.pairs.iter().map(pair).collect::<Vec<_>>(),
        "waiting": counts,
        "postponed": queue.postponed,
    })
}

/// A kind of task as a word: "number_overlaid".
pub(crate) fn review_kind_word(kind: ReviewKind) -> String {
    let name = kind.as_str_name();
    name.strip_prefix("REVIEW_KIND_").unwrap_or(name).to_ascii_lowercase()
}

/// What happened to a person, and who it was at the moment asked for.
pub(crate) fn history(history: &HistoryResponse) -> Value {
    let event = |e: &IndexEvent| {
        json!({
            "sequence": e.sequence,
            "at_ms": e.at_ms,
            "kind": e.kind,
            "source_id": e.registration.as_ref().map(|r| &r.source_id),
            "local_id": e.registration.as_ref().map(|r| &r.local_id),
            "enterprise_id": e.enterprise_id,
            "why": e.why,
        })
    };
    let registration = |then: &RegistrationThen| {
        json!({
            "source_id": then.registration.as_ref().map(|r| &r.source_id),
            "local_id": then.registration.as_ref().and_then(|r| r.local_id.as_ref()).map(|id| &id.value),
            "since_ms": then.since_ms,
            "why": then.why,
        })
    };
    let then = |then: &PersonThen| {
        json!({
            "enterprise_id": then.enterprise_id,
            "golden": then.golden.as_ref().map(demographics),
            "registrations": then.registrations.iter().map(registration).collect::<Vec<_>>(),
        })
    };
    let events: Vec<Value> = history.events.iter().map(event).collect();
    json!({ "events": events, "then": history.then.as_ref().map(then) })
}

/// How good what sources announce is.
pub(crate) fn quality(reports: &[QualityReport]) -> Value {
    let rate = |r: &QualityRate| {
        json!({
            "finding": word::<QualityFinding>(r.finding, "QUALITY_FINDING_", QualityFinding::as_str_name),
            "count": r.count,
            "of": r.of,
            "local_ids": r.local_ids,
        })
    };
    let report = |r: &QualityReport| {
        json!({
            "source_id": r.source_id,
            "registrations": r.registrations,
            "at_ms": r.at_ms,
            "rates": r.rates.iter().map(rate).collect::<Vec<_>>(),
        })
    };
    json!({ "sources": reports.iter().map(report).collect::<Vec<_>>() })
}

/// What stewards decided.
pub(crate) fn decisions(decisions: &[StewardDecision]) -> Value {
    json!({ "decisions": decisions.iter().map(decision).collect::<Vec<_>>() })
}

/// What became of decisions that were to be taken back.
pub(crate) fn undone(undone: &[(StewardDecision, Undone)]) -> Value {
    let one = |(of, became): &(StewardDecision, Undone)| {
        let (became, why) = match became {
            Undone::Would => ("would_be_taken_back", None),
            Undone::Done => ("taken_back", None),
            Undone::Refused(why) => ("stays", Some(why)),
        };
        json!({ "decision": decision(of), "became": became, "why": why })
    };
    json!({ "undone": undone.iter().map(one).collect::<Vec<_>>() })
}

fn decision(d: &StewardDecision) -> Value {
    let registration = |r: &RegistrationRef| json!({ "source_id": r.source_id, "local_id": r.local_id });
    json!({
        "sequence": d.sequence,
        "at_ms": d.at_ms,
        "kind": d.kind,
        "registrations": d.registrations.iter().map(registration).collect::<Vec<_>>(),
        "by": d.by,
        "reason": d.reason,
        "taken_back_by": d.taken_back_by,
        "takes_back": d.takes_back,
        "until_ms": d.until_ms,
        "can_be_taken_back": d.can_be_taken_back,
    })
}
