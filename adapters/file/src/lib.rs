//! Source kind file: reads and maps, nothing else.
