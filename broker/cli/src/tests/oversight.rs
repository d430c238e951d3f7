//! Patterns and the access report, against a broker made up in this process.

use super::*;
use severn_proto::v1::oversight_server::Oversight;

/// Two pages of a report, the second of which is not the last; and what a safe one leaves out.
pub(super) fn page(asked: &AccessReportRequest, access: Access) -> AccessReportResponse {
    let left_out = if asked.safe { vec!["Times of the day.".to_owned()] } else { Vec::new() };
    let part = |source: &str, shown, kept_back| AccessPart {
        dataset: Dataset::Problems.into(),
        source_name: source.into(),
        shown,
        kept_back,
        why: if kept_back { ReasonCode::ByPerson.into() } else { 0 },
        ..AccessPart::default()
    };
    let broken = Access {
        role_name: "clinician".into(),
        organisation_name: "Royal Infirmary".into(),
        relationship: "admitted".into(),
        glass_broken: true,
        reason: "emergency treatment that could not wait".into(),
        parts: vec![part("Tower Hill", 2, false), part("Royal Infirmary", 0, true)],
        ..access.clone()
    };
    let (seq, access) = if asked.before_seq == 0 { (9, broken) } else { (0, access) };
    AccessReportResponse { accesses: vec![Access { seq, ..access }], truncated: true, left_out }
}

#[tonic::async_trait]
impl Oversight for Fake {
    async fn find_patterns(
        &self,
        asked: Request<FindPatternsRequest>,
    ) -> Result<Response<FindPatternsResponse>, Status> {
        let asked = asked.into_inner();
        let finding = |rule: PatternRule, user: &str, persons: u32| PatternFinding {
            rule: rule.into(),
            organisation_ods: "RBK".into(),
            user: user.into(),
            enterprise_ids: (0..persons).map(|n| format!("p{n}")).collect(),
            from_ms: 1_774_000_000_000,
            count: 3,
            baseline: 0.5,
            words: "looked at a person of the user's own family name".into(),
            ..PatternFinding::default()
        };
        let findings = vec![
            finding(PatternRule::Crowd, "", 1),
            finding(PatternRule::SameFamilyName, "Dr Sam Ash (u1)\u{1b}[2J", 7),
        ];
        let (since_ms, until_ms) = (asked.since_ms, 1_774_000_060_000);
        Ok(Response::new(FindPatternsResponse { findings, more: 2, events: 99, left_out: 1, since_ms, until_ms }))
    }
}

#[tokio::test]
async fn patterns_are_told_as_questions_with_what_is_not_known() {
    let said = run(SOUND, "patterns --since 2026-03-01").await.unwrap();
    let flat = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "MANY USERS, ONE PERSON: users of RBK, 20-Mar-2026 09:46",
        "THEIR OWN FAMILY NAME: Dr Sam Ash (u1)",
        "about p0, p1, p2, p3, p4 and 2 more",
        "2 findings in 99 events from 01-Mar-2026 00:00 until 20-Mar-2026 09:47",
        "There are 2 more; ask for a shorter time",
        "1 events were LEFT OUT",
        "a question to ask and no verdict",
        "where staff live",
    ] {
        assert!(flat.contains(words), "{words}: {}", said.text);
    }
    assert!(!said.text.contains('\u{1b}'), "nothing steers the terminal");
    let json: serde_json::Value = serde_json::from_str(&run(SOUND, "patterns --json").await.unwrap().text).unwrap();
    assert_eq!((&json["findings"][1]["rule"], &json["more"]), (&"same_family_name".into(), &2.into()));
    assert_eq!(json["findings"][1]["enterprise_ids"].as_array().unwrap().len(), 7);
    let wrong = run(SOUND, "patterns --since yesterday").await.unwrap_err();
    assert_eq!((wrong.exit(), wrong.to_string().contains("--since")), (Exit::Usage, true), "{wrong}");
}

#[tokio::test]
async fn a_report_reads_like_a_letter() {
    let said = run(SOUND, "report --nhs 9434765919 --born 1951-03-03").await.unwrap();
    let flat = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "u1, clinician, of Royal Infirmary (RBK) looked at the record, for direct care",
        "with BROKEN GLASS",
        "why: emergency treatment that could not wait",
        "the person was admitted there",
        "shown from Tower Hill: Problems and diagnoses (2)",
        "kept back from Royal Infirmary: Problems and diagnoses (at the person's wish)",
        "u1, role R1, of the organisation RBK looked at the record",
        "nothing was known that joined the person to the organisation",
    ] {
        assert!(flat.contains(words), "{words}: {}", said.text);
    }
    assert!(!flat.contains("leaves out on purpose"), "{}", said.text);
    let safe = run(SOUND, "report --nhs 9434765919 --born 1951-03-03 --safe").await.unwrap().text;
    assert!(safe.contains("leaves out on purpose") && safe.contains("Times of the day."), "{safe}");
    assert!(safe.contains("20-Mar-2026") && !safe.contains("09:46"), "{safe}");
    let line = "report --nhs 9434765919 --born 1951-03-03 --safe --json";
    let json: serde_json::Value = serde_json::from_str(&run(SOUND, line).await.unwrap().text).unwrap();
    assert_eq!((json["accesses"].as_array().unwrap().len(), &json["truncated"]), (2, &true.into()), "both pages");
    assert_eq!(json["accesses"][0]["parts"][1]["why"], "by_person");
    assert_eq!(json["left_out"][0], "Times of the day.");
}
