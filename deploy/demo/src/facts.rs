//! What a source holds about a person, before it is written in any shape.

use crate::{codes::Code, names::PROFESSIONALS};
use severn_proto::v1::Dataset;

/// The state of a fact at its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In force.
    Active,
    /// Over.
    Ended,
    /// To come.
    Planned,
    /// Retracted by its author.
    EnteredInError,
    /// A positive statement that there is none.
    NoneKnown,
}

/// The identifier a fact was given where it was first made.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// Who assigned it: a URI.
    pub system: &'static str,
    /// The identifier.
    pub value: String,
    /// ODS code of the organisation where it originated.
    pub organisation_ods: &'static str,
}

/// One fact.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact {
    /// Identifier, unique within its source.
    pub id: String,
    /// The kind of content.
    pub dataset: Dataset,
    /// The code, where it has one.
    pub code: Option<Code>,
    /// What a reader is shown.
    pub text: String,
    /// The state.
    pub standing: Standing,
    /// When it began or happened: ISO 8601.
    pub start: String,
    /// When it ended: ISO 8601, empty where it goes on.
    pub end: String,
    /// Who said so: name and role.
    pub author: (&'static str, &'static str),
    /// Further fields by name, as the contract names them: dose, route, severity ...
    pub details: Vec<(&'static str, String)>,
    /// The identifier given at origin.
    pub origin: Option<Origin>,
}

impl Fact {
    /// An active fact that is said in words.
    pub fn text(dataset: Dataset, text: impl Into<String>, start: impl Into<String>) -> Fact {
        Fact {
            id: String::new(),
            dataset,
            code: None,
            text: text.into(),
            standing: Standing::Active,
            start: start.into(),
            end: String::new(),
            author: PROFESSIONALS[0],
            details: Vec::new(),
            origin: None,
        }
    }

    /// An active fact that is said by a code and shown by its term.
    pub fn coded(dataset: Dataset, code: Code, start: impl Into<String>) -> Fact {
        Fact { code: Some(code), ..Fact::text(dataset, code.term, start) }
    }

    /// The same with a detail more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Fact {
        self.details.push((name, value.into()));
        self
    }

    /// The same in another state.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Fact {
        self.standing = standing;
        self
    }

    /// The same, said by another professional: an index into [`PROFESSIONALS`].
    #[must_use]
    pub fn by(mut self, professional: usize) -> Fact {
        self.author = PROFESSIONALS[professional % PROFESSIONALS.len()];
        self
    }

    /// The same, ended.
    #[must_use]
    pub fn until(mut self, end: impl Into<String>) -> Fact {
        self.end = end.into();
        self.standing = Standing::Ended;
        self
    }

    /// The same, with the identifier it was given at origin.
    #[must_use]
    pub fn from_origin(mut self, origin: &Origin) -> Fact {
        self.origin = Some(origin.clone());
        self
    }

    /// A detail by its name; empty where there is none.
    pub fn detail(&self, name: &str) -> &str {
        self.details.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}
