//! People of the United Kingdom as its sources register them, with the truth of who is who. All of it is made up from a
//! seed: the same plan gives the same people. The NHS numbers begin with 9 and are never issued, the telephone numbers
//! are nobody's, the postcodes have the right shape and are nowhere.
//!
//! People live in households, so that relatives share family name, address and phone; that, and not the spelling, is
//! what makes linkage hard. The pairs on which it goes wrong are labelled as traps.

mod clerk;
mod csv;
pub mod draw;
mod homes;
mod names;
mod person;
mod places;
mod register;
mod slips;
mod stories;
pub mod traps;
#[cfg(test)]
mod tests;

pub use clerk::Registration;
pub use csv::{COLUMNS, Files, write};
pub use names::Origin;
pub use traps::Trap;

use register::Register;

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many registrations; a person has a little over two.
    pub registrations: usize,
    /// Another seed, other people.
    pub seed: u64,
}

/// Whose a registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The person, counted from 0.
    pub person: u32,
    /// Where the person's names come from.
    pub origin: Origin,
}

/// Registrations in an order of chance, and the truth about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// What the sources say.
    pub registrations: Vec<Registration>,
    /// Whose each registration is, in the same order.
    pub truth: Vec<Truth>,
    /// Pairs with a known answer.
    pub traps: Vec<Trap>,
    /// NHS numbers that have been replaced: old, new.
    pub superseded: Vec<(String, String)>,
}

/// Makes people.
#[must_use]
pub fn make(plan: Plan) -> People {
    let mut register = Register::new(plan);
    while !register.is_full() {
        homes::street(&mut register);
    }
    register.finish()
}
