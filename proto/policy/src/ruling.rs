//! What a decision says. Shapes only.

use severn_proto::v1::ReasonCode;
use std::fmt;

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

/// What comes with a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obligation {
    /// Show a banner above what is seen.
    Banner,
    /// Do not print or export it.
    NoPrint,
    /// Count the access as sensitive.
    LogSensitive,
    /// Tell the social worker who is responsible.
    NotifySocialWorker,
}

impl Obligation {
    /// Every obligation.
    pub const ALL: [Obligation; 4] =
        [Obligation::Banner, Obligation::NoPrint, Obligation::LogSensitive, Obligation::NotifySocialWorker];

    /// The word by which policies, ledger and trail name it.
    pub fn word(self) -> &'static str {
        match self {
            Obligation::Banner => "banner",
            Obligation::NoPrint => "no_print",
            Obligation::LogSensitive => "log_sensitive",
            Obligation::NotifySocialWorker => "notify_social_worker",
        }
    }

    /// The obligation that a word names.
    pub fn from_word(word: &str) -> Option<Obligation> {
        Obligation::ALL.into_iter().find(|obligation| obligation.word() == word)
    }
}

/// A set of obligations.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Obligations(u8);

impl Obligations {
    /// These and one more.
    #[must_use]
    pub fn with(self, obligation: Obligation) -> Obligations {
        Obligations(self.0 | 1 << obligation as u8)
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Obligations) -> Obligations {
        Obligations(self.0 | other.0)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Obligation> {
        Obligation::ALL.into_iter().filter(move |obligation| self.0 & 1 << *obligation as u8 != 0)
    }
}

impl fmt::Debug for Obligations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
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
