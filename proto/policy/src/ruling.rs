//! What a decision says. Shapes only.

use severn_proto::v1::ReasonCode;
use severn_trust::Obligations;

/// What may be done with entries, the mildest first: of two, the greater is the more restrictive and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// They may be seen.
    Permit,
    /// They are withheld, the reader is told so, and they may be opened with a reason.
    MayBeOpened,
    /// They are withheld, and the reader is told so. No reason opens them.
    Withheld,
    /// They are not shared.
    Denied,
}

/// Why a verdict is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// A rule says so.
    Rule,
    /// No rule permits it.
    Unpermitted,
    /// The person's own directive.
    Person,
    /// Something could not be decided; the operator must look.
    Fault,
}

/// What would have to be otherwise for a rule to permit something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Another role.
    Role,
    /// Another purpose.
    Purpose,
    /// A relationship between the user's organisation and the person.
    Relationship,
}

/// A decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ruling {
    /// What may be done.
    pub verdict: Verdict,
    /// Why.
    pub why: Why,
    /// What comes with it, where it permits.
    pub obligations: Obligations,
}

impl Ruling {
    /// A decision that brings no obligation.
    pub fn new(verdict: Verdict, why: Why) -> Ruling {
        Ruling { verdict, why, obligations: Obligations::default() }
    }

    /// Whether it permits.
    pub fn permits(self) -> bool {
        self.verdict == Verdict::Permit
    }

    /// What the ledger says of what is withheld: a person's own wish before that a reason would open it.
    pub fn why_withheld(self) -> ReasonCode {
        match (self.why, self.verdict) {
            (Why::Person, _) => ReasonCode::ByPerson,
            (_, Verdict::MayBeOpened) => ReasonCode::MayBeOpened,
            _ => ReasonCode::ByOwner,
        }
    }

    /// The stricter of the two, with the obligations of both.
    #[must_use]
    pub fn stricter(self, other: Ruling) -> Ruling {
        let held = if other.verdict > self.verdict { other } else { self };
        Ruling { obligations: self.obligations.and(other.obligations), ..held }
    }
}
