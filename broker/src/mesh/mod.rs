//! Who belongs to the mesh: adapters that join with a token and a person's approval, the certificates that they are given,
//! and whom the broker's operator cut off. Nothing here decides who may see what, or looks at a connection.

mod authority;
mod denials;
mod enrolments;
mod registrar;

pub use authority::{Authority, AuthorityError, Issued, RequestError, Requested};
pub use denials::record_denials;
pub use enrolments::{
    Asked, DECISION_MAX_MS, Decision, Enrolled, Enrolments, EnrolmentsError, JoinToken, Made, TOKEN_LIFE_MAX_MS,
};
pub use registrar::{Answer, EnrolError, Offer, Place, Refusal, Registrar, RegistrarParts};

#[cfg(test)]
mod tests;
