//! A second reading of who may see what: rules as data (`words`), printed as Cedar for the real system (`print`) and read
//! directly by a slow evaluator (`judge`, `model`) that shares nothing with the real one. A run makes a world from a seed
//! (`generate`, `rules`), asks the real federation (`system`) while policies, wishes and relationships change, and
//! compares every answer entry by entry (`compare`, `run`).
//!
//! **Invariant:** nothing in `judge` and `model` calls the policy engine, the broker or an adapter.

pub mod compare;
pub mod dice;
pub mod generate;
pub mod judge;
pub mod model;
pub mod print;
pub mod rules;
pub mod run;
pub mod system;
pub mod words;
