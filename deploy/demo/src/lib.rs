//! The demo federation: a made-up West Midlands with 13 sources, in one command.
//!
//! ```text
//! cargo run --release -p demo              generate, start, ask, print, and stay up until Ctrl-C
//! cargo run --release -p demo -- --once    the same, then stop and remove everything
//! cargo run --release -p demo -- --json    one JSON document instead of text
//! ```
//!
//! What happens: 2,000 people who do not exist are generated from a seed ([`population`]); a few of them carry the
//! planted findings whose truth is known ([`truth`]); each of 13 organisations with its real ODS code and name
//! ([`organisations`]) gets the share of people and facts that such an organisation would hold ([`world`]), written in
//! a shape of its own ([`sources`]): SQLite databases shaped as GP, council, prison, hospital and mental-health systems
//! are, folders of FHIR R4 bundles, CSV extracts. A certificate authority made on the spot ([`authority`]) names every
//! party, the configurations are written ([`settings`]), and the broker and the 13 adapters are started as processes
//! of their own ([`processes`]) by executing this program again in their roles ([`roles`]). Then one source is stopped,
//! another was slow from the start, the planted people are asked for, and what came is compared with the truth
//! ([`findings`]).
//!
//! Everybody in it is made up: NHS numbers are from 999 000 0000 on, telephone numbers from the ranges that Ofcom keeps
//! for drama, streets do not exist. Organisations, codes and postcodes are real and come from NHS ODS and the ONS
//! (Open Government Licence v3).
//!
//! **Invariant:** the same seed gives the same people, facts and files, byte for byte. Keys and certificates are new
//! each time.

pub mod random;

pub mod organisations;

pub mod names;

pub mod population;

pub mod codes;

pub mod facts;

mod ordinary;

pub mod world;

pub mod truth;

pub mod sources;

pub mod authority;

pub mod settings;

pub mod processes;

pub mod roles;

pub mod findings;

pub mod ask;

mod report;

pub mod program;

#[cfg(test)]
mod tests;
