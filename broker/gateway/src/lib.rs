//! The gateway of a requesting organisation: whoever signed in there gets, for a few minutes, a token of the federation
//! that says who they are, in which role and why they ask, and that is bound to the key of their app (token exchange,
//! RFC 8693, with a DPoP proof, RFC 9449). It knows no patient.
//!
//! **Invariant:** a token says of its user what the organisation's own sign-in said, no role beside, and lives no longer
//! than that sign-in.
//!
//! The modules, in reading order; a module imports only modules below it.

pub mod program;
pub mod config;
pub mod serve;
pub mod development;
pub mod exchange;
pub mod sign_in;
