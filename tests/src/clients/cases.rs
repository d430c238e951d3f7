//! What is tried on a client: for each case what the broker serves, and what a reader must then see, with the reason.
//! `whole` holds the sealed answers, `broken` those that must not be taken for a whole record.

mod broken;
mod whole;

use super::{
    judge::Rule,
    story::{Story, golden},
};
use severn_proto::v1::{Demographics, retrieve_record_response::Part};
use tonic::Status;

/// What the broker sends.
pub struct Served {
    /// The person it finds, or why it looks for nobody.
    pub found: Result<Demographics, Status>,
    /// The parts of the answer.
    pub parts: Vec<Part>,
    /// What it fails with after them.
    pub fault: Option<Status>,
}

/// What a reader must see, or must not.
#[derive(Clone, Copy)]
pub struct Check {
    /// What it is called, after the case.
    pub name: &'static str,
    /// What is looked for.
    pub rule: Rule,
    /// What it means where it is not so.
    pub reason: &'static str,
}

/// Whether an answer may be called complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is sealed and whole.
    Complete,
    /// It is not.
    Incomplete,
    /// There is none, and it is said why.
    Refused,
}

/// One answer, and what a client has to make of it.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// Who says what.
    pub story: fn(&mut Story),
    /// What is done to it on the way.
    pub spoil: fn(&mut Served),
    /// Whether it may be called complete.
    pub end: End,
    /// What must be seen, beside what holds for every answer.
    pub checks: &'static [Check],
}

/// What holds for every answer.
const ALWAYS: [Check; 1] = [Check {
    name: "nothing can deceive",
    rule: Rule::Harmless,
    reason: "characters reached the output that drive a terminal or a browser, hide or reorder what is read, or run over \
             the lines around them",
}];

/// What holds for every answer that is complete.
const WHEN_COMPLETE: [Check; 2] = [
    Check {
        name: "ends with 0",
        rule: Rule::EndsWell,
        reason: "a whole, sealed answer was taken for a fault, and its reader has nothing",
    },
    Check {
        name: "the sentence on what is missing",
        rule: Rule::Summary,
        reason: "the ledger's summary is not there word for word: a reader does not see at once what is missing and who \
                 did not answer",
    },
];

/// What holds for every answer that is not.
const WHEN_NOT: [Check; 2] = [
    Check {
        name: "does not end with 0",
        rule: Rule::EndsBadly,
        reason: "what is no whole record was taken for one: a program that calls this one goes on with it",
    },
    Check {
        name: "is not called complete",
        rule: Rule::Nowhere(&["complete true", "is complete", "record complete"]),
        reason: "what is no whole record is called complete",
    },
];

/// What holds for an answer that came, and is not whole.
const WHEN_INCOMPLETE: [Check; 1] = [Check {
    name: "says that it is not whole",
    rule: Rule::Near(&[&["incomplete", "not complete", "not whole", "not the whole"]]),
    reason: "a reader is not told that this is not the whole record",
}];

impl Case {
    /// Every case.
    pub fn all() -> Vec<&'static Case> {
        whole::CASES.iter().chain(&broken::CASES).copied().flatten().collect()
    }

    /// All that is checked of it.
    pub fn checks(&self) -> Vec<Check> {
        let by_end = match self.end {
            End::Complete => WHEN_COMPLETE.to_vec(),
            End::Incomplete => [WHEN_NOT.as_slice(), &WHEN_INCOMPLETE].concat(),
            End::Refused => WHEN_NOT.to_vec(),
        };
        [&by_end, self.checks, &ALWAYS].concat()
    }

    /// Its sentence on what is missing.
    pub fn summary(&self) -> &'static str {
        self.told().summary
    }

    /// What is sent for a query.
    pub fn serve(&self, query_id: &str) -> Served {
        let mut served = Served { found: Ok(golden()), parts: self.told().parts(query_id), fault: None };
        (self.spoil)(&mut served);
        served
    }

    fn told(&self) -> Story {
        let mut story = Story::new();
        (self.story)(&mut story);
        story
    }
}
