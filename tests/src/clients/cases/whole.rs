//! Answers that are sealed and whole, in which something is missing, contradicts itself, is withdrawn or not understood:
//! all of it must be seen.

use super::{Case, Check, End};
use crate::clients::{
    judge::{AnyOf, Rule},
    story::{COUNCIL, HOSPITAL, PRACTICE, head},
};
use severn_proto::v1::{Assertion, Dataset, EntryStatus, Field, Obligation, Outcome, ReasonCode};

/// Words for silence.
const SILENT: AnyOf = &["no answer", "did not answer", "not answered", "not reached", "no reply", "not respond"];
/// Words for "it was asked for, and nothing is there".
const NOTHING: AnyOf = &["nothing recorded", "nothing is recorded", "none recorded", "no entries recorded"];
/// Words for "somebody states that there is none".
const NONE_KNOWN: AnyOf = &["none known", "none are known", "no known allergies"];
/// Words for "no source keeps this".
const NOT_KEPT: AnyOf = &["not held", "not kept", "kept by no source", "no source keeps", "held by no source"];
/// Words for what was withdrawn.
const WITHDRAWN: AnyOf = &["retracted", "withdrawn", "entered in error"];

/// Every case.
pub(super) const CASES: [&[Case]; 4] = [OF_SOURCES, OF_HEADINGS, OF_ITEMS, OF_TEXTS];

const WHOLE: Case = Case { name: "", story: |_| (), spoil: |_| (), end: End::Complete, checks: &[] };

const fn near(name: &'static str, lists: &'static [AnyOf], reason: &'static str) -> Check {
    Check { name, rule: Rule::Near(lists), reason }
}

const fn nowhere(name: &'static str, phrases: AnyOf, reason: &'static str) -> Check {
    Check { name, rule: Rule::Nowhere(phrases), reason }
}

const fn before(name: &'static str, first: AnyOf, second: AnyOf, reason: &'static str) -> Check {
    Check { name, rule: Rule::Before(first, second), reason }
}

/// What became of a source under a heading.
const OF_SOURCES: &[Case] = &[
    Case {
        name: "no-answer",
        story: |story| {
            story.summary = "No answer from Sandwell District Hospital (allergies, medications).";
            for dataset in [Dataset::Allergies, Dataset::Medications] {
                story.outcome(&HOSPITAL, dataset, Outcome::NoAnswer, Some(ReasonCode::Timeout));
                story.outcome(&PRACTICE, dataset, Outcome::AnsweredNone, None);
            }
        },
        checks: &[
            near(
                "names who is silent, and on allergies",
                &[&["Sandwell District Hospital"], SILENT, &["allergies", "allergy"]],
                "the client did not say that Sandwell did not answer on allergies: silence reads as absence",
            ),
            near(
                "names who is silent, and on medicines",
                &[&["Sandwell District Hospital"], SILENT, &["medicines", "medications", "medication"]],
                "the client did not say that Sandwell did not answer on medicines: silence reads as absence",
            ),
            nowhere("does not say none", NONE_KNOWN, "the client says that none are known, and nobody stated it"),
        ],
        ..WHOLE
    },
    Case {
        name: "withheld",
        story: |story| {
            story.summary = "Items withheld at Sandwell District Hospital (risks).";
            story.outcome(&HOSPITAL, Dataset::Risks, Outcome::Withheld, Some(ReasonCode::ByOwner));
        },
        checks: &[
            near(
                "says who withholds, and what",
                &[&["Sandwell District Hospital"], &["withheld", "withholds"], &["risks", "risk"]],
                "a reader does not learn that Sandwell holds risks that are not shown",
            ),
            nowhere("does not say nothing recorded", NOTHING, "what is withheld is called not recorded"),
        ],
        ..WHOLE
    },
    Case {
        name: "a-part",
        story: |story| {
            story.summary = "Only part from Sandwell District Hospital (documents).";
            story.tell(Dataset::Documents, &HOSPITAL, "Discharge letter");
            story.outcome(&HOSPITAL, Dataset::Documents, Outcome::AnsweredPartial, Some(ReasonCode::Unreadable));
        },
        checks: &[
            near(
                "says who gave only a part, and of what",
                &[&["Sandwell District Hospital"], &["part", "partial"], &["documents"]],
                "a reader takes the documents of Sandwell for all there are",
            ),
            Check {
                name: "says what is missing before anything else",
                rule: Rule::SummaryBefore(&["Discharge letter"]),
                reason: "the sentence on what is missing stands beneath the content, where nobody looks in a hurry",
            },
        ],
        ..WHOLE
    },
    Case {
        name: "old-data",
        story: |story| {
            story.summary = "Earlier data from Sandwell District Hospital (observations).";
            story.tell(Dataset::Observations, &HOSPITAL, "Weight 70 kg");
            story.outcome(&HOSPITAL, Dataset::Observations, Outcome::Stale, Some(ReasonCode::AsOf));
        },
        checks: &[near(
            "says whose data is old",
            &[
                &["Sandwell District Hospital"],
                &["stale", "old data", "earlier data", "out of date"],
                &["observations"],
            ],
            "a reader takes what Sandwell said at an earlier time for what is so now",
        )],
        ..WHOLE
    },
    Case {
        name: "rejected",
        story: |story| {
            story.summary = "An answer that failed checks from Sandwell District Hospital (alerts).";
            story.outcome(&HOSPITAL, Dataset::Alerts, Outcome::Rejected, Some(ReasonCode::OtherPerson));
        },
        checks: &[near(
            "says whose answer was rejected",
            &[&["Sandwell District Hospital"], &["rejected"], &["alerts"]],
            "a reader does not learn that what Sandwell said of alerts is not here",
        )],
        ..WHOLE
    },
    Case {
        name: "nobody-to-ask",
        story: |story| {
            story.summary = "No source is known to hold this person's record.";
            story.located = false;
        },
        checks: &[nowhere("does not say nothing recorded", NOTHING, "nobody was asked, and it reads as nothing found")],
        ..WHOLE
    },
];

/// Why there is nothing under a heading.
const OF_HEADINGS: &[Case] = &[
    Case {
        name: "nothing-recorded",
        story: |story| {
            for source in [&COUNCIL, &PRACTICE, &HOSPITAL] {
                story.outcome(source, Dataset::Allergies, Outcome::AnsweredNone, None);
            }
        },
        checks: &[
            near(
                "says that nothing is recorded",
                &[NOTHING, &["allergies"]],
                "the heading is not accounted for: a reader cannot tell whether allergies were asked for at all",
            ),
            nowhere(
                "does not say none are known",
                NONE_KNOWN,
                "nobody stated that there are no allergies, and the client says so",
            ),
            nowhere("does not say silent", SILENT, "everybody answered, and the client says that somebody did not"),
            near(
                "says what no source keeps",
                &[NOT_KEPT, &["procedures"]],
                "a heading that no source keeps is not accounted for",
            ),
        ],
        ..WHOLE
    },
    Case {
        name: "none-known",
        story: |story| {
            head(story.tell(Dataset::Allergies, &PRACTICE, "No known allergies")).assertion =
                Assertion::NoneKnown.into();
        },
        checks: &[
            near(
                "says who states it",
                &[&["no known allergies"], &["Tower Hill Partnership"]],
                "a positive statement that there is none is not shown with who made it",
            ),
            near(
                "says when it was stated",
                &[&["no known allergies"], &["2019"]],
                "a reader cannot tell how old the statement is",
            ),
            nowhere("does not say nothing recorded", NOTHING, "a positive statement is called nothing recorded"),
        ],
        ..WHOLE
    },
    Case {
        name: "not-shared",
        story: |story| {
            story.summary = "Not shared by Dudley Council (safeguarding).";
            story.outcome(&COUNCIL, Dataset::Safeguarding, Outcome::NotShared, Some(ReasonCode::Agreement));
        },
        checks: &[
            near(
                "says who does not share, and what",
                &[&["not shared", "does not share"], &["safeguarding"], &["Dudley Council"]],
                "a reader does not learn that the council may hold safeguarding concerns",
            ),
            nowhere("does not say nothing recorded", NOTHING, "what is not shared is called not recorded"),
        ],
        ..WHOLE
    },
    Case {
        name: "not-asked",
        story: |story| {
            story.summary = "Not asked of Sandwell District Hospital (legal status).";
            story.outcome(&HOSPITAL, Dataset::LegalStatus, Outcome::NotAsked, Some(ReasonCode::Role));
        },
        checks: &[
            near(
                "says what was not asked",
                &[&["not asked"], &["legal status"]],
                "a reader does not learn that nobody was asked for the legal status",
            ),
            nowhere("does not say nothing recorded", NOTHING, "what was not asked is called not recorded"),
        ],
        ..WHOLE
    },
];

/// What is said of items beside their content.
const OF_ITEMS: &[Case] = &[
    Case {
        name: "entries",
        story: |story| {
            story.tell(Dataset::Allergies, &PRACTICE, "Penicillin");
            story.tell(Dataset::Problems, &HOSPITAL, "Osteoarthritis of knee");
        },
        checks: &[
            near(
                "says who the person is",
                &[&["O'Brien-Müller"], &["9434765919", "943 476 5919"], &["1980"]],
                "a reader cannot compare the record with the person in front of them",
            ),
            near(
                "shows an entry with who said it",
                &[&["penicillin"], &["Tower Hill Partnership"]],
                "an entry is not shown, or not with its source",
            ),
            before(
                "shows what matters most first",
                &["penicillin"],
                &["osteoarthritis"],
                "the order in which the broker sends headings, crisis first, is lost",
            ),
        ],
        ..WHOLE
    },
    Case {
        name: "none-known-beside-an-entry",
        story: |story| {
            story.tell(Dataset::Allergies, &PRACTICE, "Penicillin");
            let none = story.tell(Dataset::Allergies, &HOSPITAL, "No known allergies");
            head(none).assertion = Assertion::NoneKnown.into();
            story.tell(Dataset::Problems, &HOSPITAL, "Osteoarthritis of knee");
            story.conflict("CONFLICT-1", "One entry says that none are known, another records one.");
        },
        checks: &[
            near(
                "shows the conflict",
                &[&["One entry says that none are known, another records one"], &["penicillin"]],
                "the sources contradict each other on an allergy, and a reader is not told",
            ),
            near(
                "shows both sides",
                &[&["no known allergies"], &["Sandwell District Hospital"]],
                "one side of a conflict is left out: the client settled what it may only show",
            ),
            before(
                "shows it first",
                &["One entry says that none are known, another records one"],
                &["osteoarthritis"],
                "a conflict on an allergy stands beneath what matters less",
            ),
        ],
        ..WHOLE
    },
    Case {
        name: "two-doses",
        story: |story| {
            for (source, dose) in [(&PRACTICE, "500 mg"), (&HOSPITAL, "1 g")] {
                let field = Field { name: "dose".into(), value: dose.into() };
                head(story.tell(Dataset::Medications, source, "Metformin tablets")).distinguishing = vec![field];
            }
            story.conflict("CONFLICT-3", "Same medicine, different dose. Check which dose the person takes.");
        },
        checks: &[
            near(
                "shows the conflict",
                &[&["Same medicine, different dose"], &["metformin"]],
                "two doses of one medicine stand there unmarked",
            ),
            near("shows one dose", &[&["500 mg"]], "a dose is left out: a reader sees the other, and believes it"),
            near("shows the other dose", &[&["1 g"]], "a dose is left out: a reader sees the other, and believes it"),
        ],
        ..WHOLE
    },
    Case {
        name: "withdrawn",
        story: |story| story.tell(Dataset::Allergies, &PRACTICE, "Aspirin").retracted = true,
        checks: &[near(
            "does not read as in force",
            &[&["aspirin"], WITHDRAWN],
            "what its author withdrew as entered in error reads as in force",
        )],
        ..WHOLE
    },
    Case {
        name: "possibly-the-same",
        story: |story| {
            story.tell(Dataset::Medications, &PRACTICE, "Furosemide 40 mg tablets");
            story.tell(Dataset::Medications, &HOSPITAL, "Frusemide 40 mg");
            story.possibly_same();
        },
        checks: &[near(
            "says so",
            &[&["furosemide"], &["possibly same", "possibly the same", "may be the same"], &["frusemide"]],
            "a reader counts one medicine twice",
        )],
        ..WHOLE
    },
    Case {
        name: "who-this-is",
        story: |story| {
            story.tell(Dataset::Demographics, &PRACTICE, "Zoë O'Brien-Müller");
            story.differ("address", (&PRACTICE, "7 Canal Row"), (&HOSPITAL, "12 Lock Street"));
        },
        checks: &[near(
            "shows where the sources differ",
            &[&["address"], &["7 Canal Row"], &["12 Lock Street"]],
            "the sources differ on who the person is, and a reader is not told: this may be the wrong person",
        )],
        ..WHOLE
    },
];

/// What is in the texts, and whether it is understood.
const OF_TEXTS: &[Case] = &[
    Case {
        name: "unknown-status",
        story: |story| {
            let status = head(story.tell(Dataset::Safeguarding, &COUNCIL, "Financial abuse suspected"));
            status.status = EntryStatus::Unspecified.into();
            status.status_verbatim = "S42-OPEN".into();
        },
        checks: &[near(
            "shows the source's word, as not recognised",
            &[&["S42-OPEN"], &["not recognised", "unrecognised", "unspecified", "unknown", "not understood"]],
            "a status that nobody understands is left out, or read as one that is understood",
        )],
        ..WHOLE
    },
    Case {
        name: "status-of-a-newer-contract",
        story: |story| {
            let status = head(story.tell(Dataset::Medications, &PRACTICE, "Lithium 400 mg tablets"));
            status.status = 99;
            status.status_verbatim = "paused-by-family".into();
        },
        checks: &[near(
            "shows the source's word, as not recognised",
            &[
                &["paused-by-family"],
                &["not recognised", "unrecognised", "unknown", "not known", "not understood", "99"],
            ],
            "a status that this client does not know is left out, or read as one that it knows",
        )],
        ..WHOLE
    },
    Case {
        name: "ruled-out",
        story: |story| head(story.tell(Dataset::Problems, &HOSPITAL, "Asthma")).assertion = Assertion::Refuted.into(),
        checks: &[near(
            "does not read as a finding",
            &[&["asthma"], &["ruled out", "refuted", "excluded"]],
            "what was considered and ruled out reads as a diagnosis",
        )],
        ..WHOLE
    },
    Case {
        name: "on-conditions",
        story: |story| {
            story.tell(Dataset::Safeguarding, &COUNCIL, "Child protection plan");
            story.owes(&COUNCIL, Dataset::Safeguarding, Obligation::NoPrint);
            story.owes(&COUNCIL, Dataset::Safeguarding, Obligation::NotifySocialWorker);
        },
        checks: &[
            near(
                "says not to print it",
                &[&["no print", "not print", "do not print"], &["Safeguarding"]],
                "a reader is not told that what is shown must not be printed, and prints it",
            ),
            near(
                "says who is told",
                &[&["social worker", "social workers"], &["Safeguarding"]],
                "a reader is not told that the social worker learns of this access",
            ),
        ],
        ..WHOLE
    },
    Case {
        name: "not-validated",
        story: |story| head(story.tell(Dataset::Documents, &HOSPITAL, "Discharge letter")).not_validated = true,
        checks: &[near(
            "says so",
            &[&["Discharge letter"], &["not validated true", "not validated", "not checked", "not verified"]],
            "what its source could not validate reads as sound",
        )],
        ..WHOLE
    },
    Case {
        name: "deceptive-text",
        story: |story| {
            let text = "Fracture of wrist\u{202e}tfel\u{202c}\u{1b}[2J\u{200b}\u{7f}\u{9b}8m <script>alert(1)</script>";
            story.tell(Dataset::Problems, &HOSPITAL, text);
        },
        checks: &[
            near("shows the text", &[&["Fracture of wrist"]], "a text is left out because of what is in it"),
            Check {
                name: "marks what was replaced",
                rule: Rule::Marked,
                reason: "characters were replaced or left out, and a reader cannot tell",
            },
        ],
        ..WHOLE
    },
    Case {
        name: "flood-of-marks",
        story: |story| {
            story.tell(Dataset::Problems, &HOSPITAL, &format!("Gout{}", "\u{30d}".repeat(500)));
        },
        checks: &[near(
            "shows the text",
            &[&["Gout"], &["Sandwell District Hospital"]],
            "a text is left out because of the marks upon it",
        )],
        ..WHOLE
    },
];
