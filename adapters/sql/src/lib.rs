//! Source kind sql: reads and maps, nothing else.
