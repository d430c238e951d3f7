//! Source kind fhir: reads and maps, nothing else.
