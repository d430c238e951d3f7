//! Answers that are no whole record: the stream breaks off, something is changed or lost on the way, or it is about
//! somebody else. Whatever else a client does with them, it does not call them complete.

#![expect(clippy::expect_used, reason = "every answer has the parts that are spoilt here")]

use super::{Case, Check, End, Served};
use crate::clients::{
    judge::Rule,
    story::{HOSPITAL, PRACTICE, Story, head, sealed, stranger},
};
use severn_proto::v1::{Dataset, Ledger, Opened, Seal, Section, retrieve_record_response::Part};
use tonic::Status;

/// Nothing of another person's may be seen.
const NOTHING_OF_ANOTHER: &[Check] = &[Check {
    name: "nothing of the other person is shown",
    rule: Rule::Nowhere(&["penicillin", "osteoarthritis", "Featherstone"]),
    reason: "content of another person's record reached the reader",
}];

/// Nor is there anything else to see.
const ANOTHER_FOUND: &[Check] = &[
    NOTHING_OF_ANOTHER[0],
    Check {
        name: "says that it is somebody else",
        rule: Rule::Near(&[&["another person", "other person", "not the person", "not the ones given"]]),
        reason: "the broker found somebody else than was asked for, and a reader is not told",
    },
];

/// What the broker said must be seen.
const REFUSAL: &[Check] = &[
    Check {
        name: "says why it was refused",
        rule: Rule::Near(&[&["your role may not see this person's record"]]),
        reason: "the broker's own words on what is wrong were swallowed",
    },
    Check {
        name: "does not say nothing recorded",
        rule: Rule::Nowhere(&["nothing recorded", "nothing is recorded", "no known", "none known"]),
        reason: "a refusal reads as if there were nothing",
    },
];

/// The broker's name for somebody else.
const OTHER_ID: &str = "0195b4c0-0000-7000-8000-0000000000bb";

/// Every case.
pub(super) const CASES: [&[Case]; 2] = [ON_THE_WAY, OF_ANOTHER];

const fn case(name: &'static str, spoil: fn(&mut Served), checks: &'static [Check]) -> Case {
    Case { name, story: two_entries, spoil, end: End::Incomplete, checks }
}

fn two_entries(story: &mut Story) {
    story.tell(Dataset::Allergies, &PRACTICE, "Penicillin");
    story.tell(Dataset::Problems, &HOSPITAL, "Osteoarthritis of knee");
}

/// Changed or lost on the way.
const ON_THE_WAY: &[Case] = &[
    case("no-seal", |served| drop(served.parts.pop()), &[]),
    case("cut-stream", cut, &[]),
    case("broken-seal", |served| seal(served).digest[0] ^= 1, &[]),
    case("two-seals", |served| served.parts.extend(served.parts.last().cloned()), &[]),
    case("after-seal", |served| served.parts.push(served.parts[1].clone()), &[]),
    case("wrong-order", |served| served.parts.swap(2, 3), &[]),
    case("text-changed", |served| head(&mut section(served).items[0]).text = "Nothing of note".into(), &[]),
    case("section-lost", |served| drop(served.parts.remove(1)), &[]),
    case("entry-lost", |served| section(served).items.clear(), &[]),
    case("counts-changed", |served| ledger(served).rows[0].received += 1, &[]),
    case("seal-counts-otherwise", |served| seal(served).withheld += 1, &[]),
    case("row-lost", |served| drop(ledger(served).rows.pop()), &[]),
    case("row-lost-and-sealed", |served| reseal(served, |parts| drop(ledger(parts).rows.pop())), &[]),
    case("heading-lost-and-sealed", |served| reseal(served, |parts| drop(ledger(parts).headings.pop())), &[]),
    case("section-twice-and-sealed", |served| reseal(served, empty_again), &[]),
    case("fewer-headings-than-asked", |served| opened(served).datasets.truncate(1), &[]),
];

/// Of another person or query, or none at all.
const OF_ANOTHER: &[Case] = &[
    Case { story: of_stranger, ..case("another-persons-record", |_| (), NOTHING_OF_ANOTHER) },
    case("another-enterprise-id", |served| opened(served).enterprise_id = OTHER_ID.into(), NOTHING_OF_ANOTHER),
    case("another-query-sealed", |served| seal(served).query_id = "another".into(), &[]),
    case("another-query-opened", |served| opened(served).query_id = "another".into(), NOTHING_OF_ANOTHER),
    Case {
        story: of_stranger,
        end: End::Refused,
        ..case("another-person-found", |served| served.found = Ok(stranger()), ANOTHER_FOUND)
    },
    Case { end: End::Refused, ..case("refused", refuse, REFUSAL) },
    Case { end: End::Refused, ..case("search-refused", |served| served.found = Err(refusal()), REFUSAL) },
];

fn of_stranger(story: &mut Story) {
    two_entries(story);
    story.golden = stranger();
}

/// The broker itself leaves something out, and seals what is left.
fn reseal(served: &mut Served, spoil: fn(&mut Served)) {
    spoil(served);
    let ledger = ledger(served).clone();
    let sections: Vec<Section> = served.parts.iter().filter_map(|part| as_section(part).cloned()).collect();
    *seal(served) = sealed(&seal(served).query_id.clone(), &sections, ledger);
}

/// The first section comes once more, without what is in it.
fn empty_again(served: &mut Served) {
    let dataset = section(served).dataset;
    served.parts.insert(2, Part::Section(Section { dataset, items: vec![] }));
}

fn as_section(part: &Part) -> Option<&Section> {
    if let Part::Section(section) = part { Some(section) } else { None }
}

/// The connection breaks after the first section.
fn cut(served: &mut Served) {
    served.parts.truncate(2);
    served.fault = Some(Status::unavailable("the connection is gone"));
}

fn refuse(served: &mut Served) {
    served.parts.clear();
    served.fault = Some(refusal());
}

/// What a broker says may deceive, too.
fn refusal() -> Status {
    Status::permission_denied("your role may not see this person's record \u{1b}[2J\u{202e}")
}

fn opened(served: &mut Served) -> &mut Opened {
    let found = served.parts.iter_mut().find_map(|part| if let Part::Opened(it) = part { Some(it) } else { None });
    found.expect("every answer is opened")
}

fn section(served: &mut Served) -> &mut Section {
    let found = served.parts.iter_mut().find_map(|part| if let Part::Section(it) = part { Some(it) } else { None });
    found.expect("the answer has sections")
}

fn ledger(served: &mut Served) -> &mut Ledger {
    let found = served.parts.iter_mut().find_map(|part| if let Part::Ledger(it) = part { Some(it) } else { None });
    found.expect("every answer has a ledger")
}

fn seal(served: &mut Served) -> &mut Seal {
    let found = served.parts.iter_mut().find_map(|part| if let Part::Seal(it) = part { Some(it) } else { None });
    found.expect("every answer is sealed")
}
