//! The adapter program: one binary, the kind chosen in its configuration.
