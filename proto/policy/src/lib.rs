//! Who may see what. Policies are written in Cedar, checked when they are loaded, and decided alike at the broker (for the
//! region) and at every adapter (for its owner): `facts` is what a decision may depend on, `engine` decides, `laws` refuses
//! policies that could show more when a restriction is added, `bundle` is what an owner signs, `table` the short form.
//!
//! **Invariant:** what is not permitted is denied, and so is everything when anything goes wrong: an unknown role or
//! label, an evaluation error, a bundle that is missing, changed, expired or older than one seen before.

mod bundle;
mod current;
mod engine;
mod facts;
mod laws;
mod ruling;
mod settings;
mod table;
mod workbench;

pub use bundle::{BUNDLE_BYTES_MAX, Bundle, BundleError, BundleRole};
pub use current::CurrentPolicy;
pub use engine::{Change, Decisions, Explained, Policy, diff};
pub use facts::{Asker, Directive, Evidence, LABELS, PersonFacts, Relationship, RelationshipKind};
pub use laws::PolicyError;
pub use ruling::{Missing, Ruling, Verdict, Why};
pub use settings::{PolicySettings, SettingsError};
pub use table::{AccessTable, RoleDefinition, Rule};
pub use workbench::{Workbench, WorkbenchError};
