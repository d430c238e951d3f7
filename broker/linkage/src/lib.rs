//! The arithmetic of Severn's master patient index: which registrations are one person.
//!
//! Pure: no clock, no disk, no network; randomness is a seed that is passed in. The same registrations give the same
//! answer in whatever order they come, on however many threads, one at a time or all at once.
//!
//! # How a registration becomes part of a person
//!
//! ```
//! use severn_linkage::decide::{Closure, Component, Member, Policy, closure, decide};
//! use severn_linkage::identity::{Address, Identity, Name, Sex};
//! use severn_linkage::model::Model;
//! use severn_linkage::population::{Changed, Population};
//!
//! let (model, policy) = (Model::default_uk(), Policy::default());
//! let mut population = Population::new();
//! let mut changed = Changed::default();
//! for (row, given) in [(0, "Rosalind"), (1, "Rose")] {
//!     let identity = Identity {
//!         names: &[Name { family: "Achebe", given: &[given], ..Name::default() }],
//!         birth_date: "1958-03-14",
//!         sex: Sex::Female,
//!         addresses: &[Address { lines: &["14 Lockkeeper's Rise"], postcode: "B42 1RZ" }],
//!         ..Identity::default()
//!     };
//!     changed = population.insert(row, &identity);
//! }
//!
//! // What must be decided again: the newcomer, and whoever stood under a key that became too common.
//! let start: Vec<u32> = [1].into_iter().chain(changed.affected).collect();
//! let Closure { rows, pairs } = closure(&population, &model, &policy, &start, &|_| Vec::new());
//! let members: Vec<Member> = rows.iter().map(|row| Member { row: *row, key: u128::from(*row) }).collect();
//! let component = Component {
//!     population: &population,
//!     model: &model,
//!     members: &members,
//!     outside: &[],
//!     pairs: &pairs,
//!     decisions: &[],
//! };
//! let decided = decide(&component, &policy);
//! assert_eq!(decided.persons, [[0, 1]]);
//!
//! // Why, field by field.
//! for reason in model.explain(&population.compare(0, 1)) {
//!     println!("{}: {} ({:+.1} bits)", reason.field.name(), reason.level, reason.weight_bits);
//! }
//! ```
//!
//! [`bulk::link_all`] gives the same for everybody at once; [`offline::link`] does it for a file.
//!
//! # The modules, in the order in which a registration meets them
//!
//! A module uses only modules above it, save that [`population`] has [`bulk`] build its index.

pub mod identity;
mod normalise;
pub mod superseded;
mod names;
mod similarity;
mod atoms;
mod record;
pub mod levels;
pub mod compare;
mod keys;
pub mod population;
mod frequencies;
pub mod model;
pub mod score;
pub mod train;
pub mod decide;
pub mod bulk;
pub mod offline;
