//! The arithmetic of Severn's master patient index.



mod normalise;
mod names;
mod similarity;
mod atoms;
mod record;
mod keys;
mod frequencies;
pub mod identity;
pub mod population;
pub mod levels;
pub mod compare;
pub mod model;
pub mod train;
pub mod score;
pub mod bulk;
pub mod decide;
pub mod offline;
