//! What privacy officers look into: patterns in the trail, and who looked at a person's record.

use crate::{
    args::{Cli, ReportArgs},
    command::{Target, say_found, target},
    said::{Exit, Failure, Said},
    show::{self, Style},
    steward::read_moment,
};
use clap::Args;
use serde_json::{Value, json};
use severn_client::Client;
use severn_proto::v1::{
    Access, AccessPart, AccessReportResponse, Dataset, FindPatternsResponse, PatternFinding, PurposeOfUse, ReasonCode,
};
use severn_trust::{dataset_word, purpose_word, reason_word};

#[derive(Args, Debug)]
pub(crate) struct PatternsArgs {
    /// From this day or moment on: 2026-11-22, 2026-11-22T14:30; the last 7 days if left out.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this day or moment; now if left out.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(crate) async fn patterns(cli: &Cli, client: &Client, style: &Style, args: &PatternsArgs) -> Result<Said, Failure> {
    let moment = |option: &str, text: &Option<String>| {
        text.as_ref().map_or(Ok(0), |text| read_moment(option, text, &style.zone))
    };
    let (since_ms, until_ms) = (moment("--since", &args.since)?, moment("--until", &args.until)?);
    let found = client.find_patterns(since_ms, until_ms).await?;
    Ok(Said::either(cli, Exit::Done, &patterns_view(&found), || show::render_patterns(&found, style)))
}

pub(crate) async fn report(cli: &Cli, client: &Client, style: &Style, args: &ReportArgs) -> Result<Said, Failure> {
    let (id, person) = match target(client, args.enterprise_id.as_ref(), &args.person).await? {
        Target::Person(id, person) => (id, person),
        Target::NotOne(found) => return Ok(say_found(cli, style, &found)),
    };
    let report = client.whole_access_report(&id, &person, args.safe).await?;
    Ok(Said::either(cli, Exit::Done, &report_view(&report), || show::render_report(&report, style)))
}

fn patterns_view(found: &FindPatternsResponse) -> Value {
    let finding = |finding: &PatternFinding| {
        let rule = finding.rule().as_str_name();
        json!({
            "rule": rule.strip_prefix("PATTERN_RULE_").unwrap_or(rule).to_ascii_lowercase(),
            "organisation_ods": finding.organisation_ods,
            "user": finding.user,
            "enterprise_ids": finding.enterprise_ids,
            "from_ms": finding.from_ms,
            "until_ms": finding.until_ms,
            "count": finding.count,
            "baseline": finding.baseline,
            "words": finding.words,
        })
    };
    json!({
        "findings": found.findings.iter().map(finding).collect::<Vec<_>>(),
        "more": found.more,
        "events": found.events,
        "left_out": found.left_out,
        "since_ms": found.since_ms,
        "until_ms": found.until_ms,
    })
}

fn report_view(report: &AccessReportResponse) -> Value {
    let part = |part: &AccessPart| {
        let why = part.why();
        json!({
            "dataset": Dataset::try_from(part.dataset).map(dataset_word).ok(),
            "source_id": part.source_id,
            "source_name": part.source_name,
            "shown": part.shown,
            "kept_back": part.kept_back,
            "why": (why != ReasonCode::Unspecified).then(|| reason_word(why)),
        })
    };
    let access = |access: &Access| {
        json!({
            "seq": access.seq,
            "at_ms": access.at_ms,
            "user": access.user,
            "role": access.role,
            "role_name": access.role_name,
            "organisation_ods": access.organisation_ods,
            "organisation_name": access.organisation_name,
            "purpose": PurposeOfUse::try_from(access.purpose).map(purpose_word).ok(),
            "action": access.action,
            "query_id": access.query_id,
            "relationship": access.relationship,
            "glass_broken": access.glass_broken,
            "reason": access.reason,
            "sources": access.sources,
            "shown": access.shown,
            "withheld": access.withheld,
            "parts": access.parts.iter().map(part).collect::<Vec<_>>(),
        })
    };
    json!({
        "truncated": report.truncated,
        "left_out": report.left_out,
        "accesses": report.accesses.iter().map(access).collect::<Vec<_>>(),
    })
}
