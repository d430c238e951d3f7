//! The Severn broker. It holds who is who and who may ask what, and no clinical or social-care content.
//!
//! # The laws
//!
//! 1. **Zero copy.** No entry outlives the query that asked for it: not on disk, in a log, in `moka` or in a panic message.
//! 2. **Everything is accounted for.** Every (source, dataset) in scope has exactly one outcome in the ledger, and an
//!    answer ends in a seal. If the index cannot answer, the whole query fails loudly.
//! 3. **Nothing is lost in merging.** `received = shown + grouped + withheld + rejected`.
//! 4. **Conflicts are shown, not settled.** A retracted entry never reads as active and takes its own copies with it.
//! 5. **Order does not matter.** The same replies in any order give the same record and digest.
//! 6. **Never guess an identity.** Two different verified NHS numbers are never linked automatically; a person's
//!    decision outranks every rule; every link can be undone.
//! 7. **No audit, no answer.** The intent is durable before anything is read, the manifest of a record before it leaves.
//! 8. **The owner decides.** Every adapter verifies user, app and broker for itself and applies its owner's policy.
//! 9. **Fail closed.** No policy, unknown dataset, unknown label, error: deny.
//! 10. **Every query ends by its deadline**, and one sick source never delays the healthy ones.
//! 11. **A source is told only its own local identifier** and a salted commitment to who is meant.
//! 12. **Everything has a limit**, named with its unit, and reaching it is an outcome that is shown.
//!
//! # The modules, in the order in which a query meets them
//!
//! A module imports only modules below it. The stages `audit`, `access`, `index`, `fanout` and `merge` never call each
//! other; they share the words of `model` and `facts`. `merge`, `facts`, `model` and the deciding parts of `access` and
//! `index` are pure.

pub mod program;
pub mod config;
pub mod service;
pub mod notify;
pub mod retrieve;
pub mod feed;
pub mod mesh;
pub mod audit;
pub mod access;
pub mod index;
pub mod fanout;
pub mod merge;
pub mod facts;
pub mod model;
