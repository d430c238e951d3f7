//! Wishes, claims, broken glass and the queue, against a broker made up in this process.

use super::*;
use severn_proto::v1::governance_server::Governance;

const NOON_MS: i64 = 1_774_008_000_000;

fn directive(terms: DirectiveTerms) -> Directive {
    Directive {
        id: "d1".into(),
        terms: Some(terms),
        version: 1,
        entered_at_ms: NOON_MS,
        entered_by: "Ann (s1), R9100 at M91".into(),
        in_force: true,
        ..Directive::default()
    }
}

fn queued(kind: OversightKind, reason: OverrideReason) -> OversightEntry {
    OversightEntry {
        id: "o1".into(),
        kind: kind.into(),
        at_ms: NOON_MS,
        until_ms: NOON_MS + 3_600_000,
        user: "Dr Sam (u1)".into(),
        role: "R8000".into(),
        organisation_ods: "RBK".into(),
        reason: reason.into(),
        text: "brought in by ambulance".into(),
        enterprise_id: made::PERSON.into(),
        registrations: vec![RegistrationRef { source_id: "RBK".into(), local_id: "7".into() }],
        waiting: true,
        ..OversightEntry::default()
    }
}

#[tonic::async_trait]
impl Governance for Fake {
    async fn enter_directive(
        &self,
        asked: Request<EnterDirectiveRequest>,
    ) -> Result<Response<EnterDirectiveResponse>, Status> {
        let asked = asked.into_inner();
        assert!(proof(&asked.context.unwrap())["person"]["nhs"].is_string(), "the proof names the person");
        Ok(Response::new(EnterDirectiveResponse { directive: asked.terms.map(directive) }))
    }

    async fn withdraw_directive(
        &self,
        asked: Request<WithdrawDirectiveRequest>,
    ) -> Result<Response<WithdrawDirectiveResponse>, Status> {
        let asked = asked.into_inner();
        if asked.directive_id != "d1" {
            return Err(Status::not_found("there is no such directive; list the person's directives first"));
        }
        let withdrawn = Directive {
            version: 2,
            in_force: false,
            withdrawn_at_ms: NOON_MS + 60_000,
            withdrawn_by: "Bo (s2), R9100 at M91".into(),
            withdrawn_reason: asked.reason,
            ..directive(DirectiveTerms { kind: DirectiveKind::OptOut.into(), ..DirectiveTerms::default() })
        };
        Ok(Response::new(WithdrawDirectiveResponse { directive: Some(withdrawn) }))
    }

    async fn list_directives(
        &self,
        _: Request<ListDirectivesRequest>,
    ) -> Result<Response<ListDirectivesResponse>, Status> {
        Ok(Response::new(ListDirectivesResponse::default()))
    }

    async fn claim_relationship(
        &self,
        _: Request<ClaimRelationshipRequest>,
    ) -> Result<Response<ClaimRelationshipResponse>, Status> {
        Ok(Response::new(ClaimRelationshipResponse { claim_id: "c1".into(), until_ms: NOON_MS }))
    }

    async fn open_override(
        &self,
        asked: Request<OpenOverrideRequest>,
    ) -> Result<Response<OpenOverrideResponse>, Status> {
        let asked = asked.into_inner();
        assert_eq!((asked.reason(), asked.minutes), (OverrideReason::BestInterests, 30));
        Ok(Response::new(OpenOverrideResponse { override_id: "o1".into(), expires_ms: NOON_MS }))
    }

    async fn oversight_queue(
        &self,
        asked: Request<OversightQueueRequest>,
    ) -> Result<Response<OversightQueueResponse>, Status> {
        let mut broken = queued(OversightKind::Override, OverrideReason::EmergencyTreatment);
        let notice = |source: &str, state: NoticeState, delivered_at_ms| NoticeDelivery {
            source_id: source.into(),
            organisation_ods: "RBK".into(),
            state: state.into(),
            delivered_at_ms,
        };
        broken.notices = vec![
            notice("RBK", NoticeState::Delivered, NOON_MS),
            notice("RBK-2", NoticeState::NotDelivered, 0),
            notice("", NoticeState::NoWay, 0),
        ];
        let mut entries = vec![broken];
        if asked.into_inner().with_reviewed {
            let review = OversightReview {
                by: "Jo (s3), R9200 at RBK".into(),
                at_ms: NOON_MS,
                verdict: OversightVerdict::Justified.into(),
                ..OversightReview::default()
            };
            let claim = queued(OversightKind::Claim, OverrideReason::Unspecified);
            entries.push(OversightEntry { reviews: vec![review], waiting: false, ..claim });
        }
        Ok(Response::new(OversightQueueResponse { entries, more: 3 }))
    }

    async fn record_review(
        &self,
        asked: Request<RecordReviewRequest>,
    ) -> Result<Response<RecordReviewResponse>, Status> {
        match asked.into_inner().verdict() {
            OversightVerdict::FollowUp => Ok(Response::new(RecordReviewResponse {})),
            _ => Err(Status::failed_precondition("this is your own act; another privacy officer must review it")),
        }
    }
}

#[tokio::test]
async fn a_wish_is_shown_as_it_was_understood() {
    let who = "--nhs 9434765919 --born 03-Mar-1951 --reason asked-by-letter";
    for (wish, shown) in [
        ("--opt-out", "Nothing is shared with anybody: in force"),
        ("--dissent M91", "Nothing that M91 holds is shared; no broken glass lifts it"),
        ("--not-organisation RXX", "Nothing is shown to users of RXX"),
        ("--not-user https://in.example u7", "Nothing is shown to user u7 of https://in.example"),
        ("--not-datasets risks,documents", "Shown to nobody: Risks, Documents"),
    ] {
        let said = run(SOUND, &format!("directive enter {who} {wish}")).await.unwrap();
        assert!(said.text.starts_with(shown), "{}", said.text);
        assert!(said.text.contains("until withdrawn\n"), "{}", said.text);
        assert!(said.text.contains("entered 20-Mar-2026 12:00 by Ann (s1), R9100 at M91: asked-by-letter"));
        assert!(said.text.ends_with("1 entered, 1 in force\n"), "{}", said.text);
    }
    let said = run(SOUND, "directive withdraw d1 --reason rang-the-practice").await.unwrap();
    assert!(said.text.contains("NOT IN FORCE") && said.text.contains("by Bo (s2), R9100 at M91: rang-the-practice"));
    let json = run(SOUND, "directive withdraw d1 --reason rang-the-practice --json").await.unwrap();
    let json: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!((&json["directives"][0]["kind"], &json["directives"][0]["version"]), (&"opt_out".into(), &2.into()));
    assert!(run(SOUND, "directive withdraw d9 --reason rang-the-practice").await.is_err());
    for line in [format!("directive enter {who}"), format!("directive enter {who} --opt-out --dissent M91")] {
        assert!(Cli::try_parse_from(std::iter::once("severn").chain(line.split(' '))).is_err(), "{line}");
    }
    let wrong = run(SOUND, &format!("directive enter {who} --not-datasets risk")).await.unwrap_err();
    assert_eq!((wrong.exit(), wrong.to_string().contains("\"risk\" is no dataset")), (Exit::Usage, true));
}

#[tokio::test]
async fn broken_glass_has_a_banner_that_nobody_overlooks() {
    let line = "break-glass --nhs 9434765919 --born 03-Mar-1951 --reason nobody-is-with-her --minutes 30 --code";
    let said = run(SOUND, &format!("{line} best_interests")).await.unwrap();
    let first = said.text.lines().next().unwrap();
    assert_eq!(first, "THE GLASS IS BROKEN for this one person, for you alone, until 20-Mar-2026 12:00.");
    for words in ["BRIGGS, Alice", "privacy officers", "access report, with your name", "with --override and this id"] {
        assert!(said.text.contains(words), "{words}: {}", said.text);
    }
    let wrong = run(SOUND, &format!("{line} court_order")).await.unwrap_err();
    assert!(wrong.to_string().contains("is no reason to break the glass; there are emergency_treatment, safeg"));
    assert!(Cli::try_parse_from(["severn", "break-glass", "--code", "x", "--reason", "y", "--minutes", "61"]).is_err());
    let said = run(SOUND, "claim --nhs 9434765919 --born 03-Mar-1951 --reason walked-in-today").await.unwrap();
    assert!(said.text.starts_with("Claimed: your organisation cares for this person until 20-Mar-2026 12:00."));
    let possible = Fake { resolution: Resolution::Possible, ..SOUND };
    let nobody = run(possible, &format!("{line} best_interests")).await.unwrap();
    assert_eq!(nobody.exit, Exit::NotOne, "nobody is guessed");
}

#[tokio::test]
async fn the_queue_says_who_did_what_and_is_reviewed() {
    let said = run(SOUND, "queue --all").await.unwrap();
    for words in [
        "20-Mar-2026 12:00 until 20-Mar-2026 13:00  Dr Sam (u1) (R8000, RBK) BROKE THE GLASS (emergency",
        "why: brought in by ambulance",
        "known as RBK 7",
        "claimed to care for the person",
        "justified by Jo (s3), R9200 at RBK",
        "notice delivered to RBK (RBK) 20-Mar-2026 12:00",
        "NOTICE NOT DELIVERED to RBK-2 (RBK) within 60 s: telephone its privacy officer; the broker goes on trying",
        "no notice to RBK: it has no adapter here, and the broker writes no files for mail. Its privacy officers see",
        "2 entries, 1 waiting",
        "There are 3 older ones",
    ] {
        let flat = said.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&words.split_whitespace().collect::<Vec<_>>().join(" ")), "{words}: {}", said.text);
    }
    let json: serde_json::Value = serde_json::from_str(&run(SOUND, "queue --json").await.unwrap().text).unwrap();
    assert_eq!((&json["entries"][0]["reason"], &json["more"]), (&"emergency_treatment".into(), &3.into()));
    assert_eq!(json["entries"][0]["notices"][1]["state"], "not_delivered");
    assert_eq!(
        run(SOUND, "queue review o1 --verdict follow_up --note rang-the-ward").await.unwrap().text,
        "Reviewed.\n"
    );
    let own = run(SOUND, "queue review o1 --verdict justified").await.unwrap_err();
    assert!(own.to_string().contains("your own act"), "{own}");
    let wrong = run(SOUND, "queue review o1 --verdict fine").await.unwrap_err();
    assert!(wrong.to_string().contains("there are justified, not_justified, follow_up"), "{wrong}");
}
