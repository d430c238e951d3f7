//! The commands, against a broker made up in this process.
