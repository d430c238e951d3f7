//! A whole federation in one process, house rules, golden tables, benchmarks.
