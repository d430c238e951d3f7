//! What is known of who may see a person, beside the policies: the person's own directives, relationships with those who
//! care for them, and overrides that somebody opened. Pure: words, the rules that a change of them must keep, and what
//! all changes so far come to. Where they are stored is told in `index`, what follows from them in `access`.
//!
//! **Directives restrict, and nothing but a withdrawal or their period ends one.** A directive is anchored to every
//! registration that the person had when it was entered, and to their verified NHS numbers, not to an enterprise id: it
//! holds for whoever holds one of these now. So persons who are joined have the directives of all of them, and where a
//! person is parted each part keeps them. Whoever stays behind when an anchored registration leaves becomes an anchor too.
//!
//! **Claims and overrides widen, so they hold for one person only:** the one that goes by the very enterprise id for
//! which they were made and still holds one of the registrations of then. They expire by themselves.

mod check;
mod held;
mod relationship;
mod words;

#[cfg(test)]
mod tests;

pub use check::{
    CLAIM_LIFE_MS, FactsError, OVERRIDE_LIFE_MS_MAX, REASON_BYTES_MAX, REASON_CHARS_MIN, SIGN_IN_AGE_MAX_S, Wanted,
    Wish,
};
pub use held::{Facts, Kept, Queued, Waiting, WhoseQueue, in_force};
pub use relationship::{CareKind, Evidence, Relationship, day_of, of_registration};
pub use words::{
    Actor, Change, ChangeKind, Directive, DirectiveKind, Override, OverrideReason, PersonFacts, Restricted, Review,
    Subject, Verdict, Withdrawn,
};
