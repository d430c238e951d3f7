//! The 13 organisations of the demo, with real codes and names, and real postcodes to live at.
//!
//! Source: NHS Organisation Data Service and ONS Postcode Directory, Open Government Licence v3. What the demo says
//! that these organisations hold is made up.

/// The shape in which an organisation keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// SQLite as the GP Connect demonstrator's tables are.
    GpDatabase,
    /// SQLite as a hospital's patient administration and pharmacy tables may be.
    HospitalDatabase,
    /// SQLite as a council's social-care case system is.
    CouncilDatabase,
    /// SQLite as the Mental Health Services Data Set is.
    MentalHealthDatabase,
    /// SQLite as a prison's offender system is.
    PrisonDatabase,
    /// A folder of FHIR R4 bundles, one for each person.
    FhirBundles,
    /// CSV extracts of an ambulance service.
    AmbulanceExtracts,
    /// CSV extracts of a hospice.
    HospiceExtracts,
}

/// An organisation and its one source.
#[derive(Clone, Copy, Debug)]
pub struct Organisation {
    /// ODS code, or the ONS code of a council. The source's id in the federation too.
    pub ods: &'static str,
    /// Name.
    pub name: &'static str,
    /// Kind, for readers.
    pub kind: &'static str,
    /// The shape of its data.
    pub shape: Shape,
    /// Name of its system, for provenance.
    pub system: &'static str,
}

/// Tower Hill Partnership, Great Barr.
pub const TOWER_HILL: &str = "M85019";
/// Weoley Park Surgery, Selly Oak.
pub const WEOLEY_PARK: &str = "M85056";
/// Norvic Family Practice, Smethwick.
pub const NORVIC: &str = "M88009";
/// University Hospitals Birmingham.
pub const UHB: &str = "RRK";
/// Sandwell and West Birmingham Hospitals: the source that is stopped on purpose.
pub const SANDWELL_HOSPITALS: &str = "RXK";
/// Worcestershire Acute Hospitals.
pub const WORCESTERSHIRE_ACUTE: &str = "RWP";
/// Birmingham and Solihull Mental Health.
pub const MENTAL_HEALTH: &str = "RXT";
/// Birmingham Community Healthcare.
pub const COMMUNITY: &str = "RYW";
/// Birmingham City Council.
pub const BIRMINGHAM: &str = "E08000025";
/// Sandwell Council.
pub const SANDWELL: &str = "E08000028";
/// West Midlands Ambulance Service: the source that is slow on purpose.
pub const AMBULANCE: &str = "RYA";
/// HMP Birmingham.
pub const PRISON: &str = "Y00613";
/// Kemp Hospice.
pub const HOSPICE: &str = "Y00460";

/// Every organisation, in the order in which they are shown.
pub const ORGANISATIONS: [Organisation; 13] = [
    practice(TOWER_HILL, "Tower Hill Partnership"),
    practice(WEOLEY_PARK, "Weoley Park Surgery"),
    practice(NORVIC, "Norvic Family Practice"),
    Organisation {
        ods: UHB,
        name: "University Hospitals Birmingham NHS Foundation Trust",
        kind: "hospital trust",
        shape: Shape::FhirBundles,
        system: "Hospital record, FHIR export",
    },
    Organisation {
        ods: SANDWELL_HOSPITALS,
        name: "Sandwell and West Birmingham Hospitals NHS Trust",
        kind: "hospital trust",
        shape: Shape::HospitalDatabase,
        system: "Patient administration system",
    },
    Organisation {
        ods: WORCESTERSHIRE_ACUTE,
        name: "Worcestershire Acute Hospitals NHS Trust",
        kind: "hospital trust",
        shape: Shape::FhirBundles,
        system: "Hospital record, FHIR export",
    },
    Organisation {
        ods: MENTAL_HEALTH,
        name: "Birmingham and Solihull Mental Health NHS Foundation Trust",
        kind: "mental-health trust",
        shape: Shape::MentalHealthDatabase,
        system: "Mental-health record",
    },
    Organisation {
        ods: COMMUNITY,
        name: "Birmingham Community Healthcare NHS Foundation Trust",
        kind: "community trust",
        shape: Shape::FhirBundles,
        system: "Community record, FHIR export",
    },
    council(BIRMINGHAM, "Birmingham City Council"),
    council(SANDWELL, "Sandwell Metropolitan Borough Council"),
    Organisation {
        ods: AMBULANCE,
        name: "West Midlands Ambulance Service University NHS Foundation Trust",
        kind: "ambulance trust",
        shape: Shape::AmbulanceExtracts,
        system: "Incident extracts",
    },
    Organisation {
        ods: PRISON,
        name: "HMP Birmingham",
        kind: "prison",
        shape: Shape::PrisonDatabase,
        system: "Offender management system",
    },
    Organisation {
        ods: HOSPICE,
        name: "Kemp Hospice",
        kind: "hospice",
        shape: Shape::HospiceExtracts,
        system: "Hospice register",
    },
];

const fn practice(ods: &'static str, name: &'static str) -> Organisation {
    Organisation { ods, name, kind: "GP practice", shape: Shape::GpDatabase, system: "GP system" }
}

const fn council(ods: &'static str, name: &'static str) -> Organisation {
    Organisation { ods, name, kind: "council", shape: Shape::CouncilDatabase, system: "Social-care case system" }
}

/// The organisation with this code.
pub fn organisation(ods: &str) -> Option<&'static Organisation> {
    ORGANISATIONS.iter().find(|organisation| organisation.ods == ods)
}

/// A part of the conurbation, with the practice and the council that serve it.
pub struct Area {
    /// Place name for the address.
    pub place: &'static str,
    /// ODS code of the practice.
    pub practice: &'static str,
    /// Code of the council.
    pub council: &'static str,
    /// Postcodes in it.
    pub postcodes: &'static [&'static str],
}

/// Where people live.
pub const AREAS: [Area; 9] = [
    Area {
        place: "Great Barr, Birmingham",
        practice: TOWER_HILL,
        council: BIRMINGHAM,
        postcodes: &["B42 1AJ", "B42 1DU", "B42 1LY", "B42 1PY", "B42 1RZ", "B42 1UF"],
    },
    Area {
        place: "Kingstanding, Birmingham",
        practice: TOWER_HILL,
        council: BIRMINGHAM,
        postcodes: &["B44 0AH", "B44 0DJ", "B44 0HL", "B44 0LN", "B44 0PU", "B44 0RX", "B44 0TY"],
    },
    Area {
        place: "Handsworth Wood, Birmingham",
        practice: TOWER_HILL,
        council: BIRMINGHAM,
        postcodes: &["B20 1AH", "B20 1DJ", "B20 1HD", "B20 1LE", "B20 1WA", "B20 2BJ", "B20 2EL"],
    },
    Area {
        place: "Selly Oak, Birmingham",
        practice: WEOLEY_PARK,
        council: BIRMINGHAM,
        postcodes: &["B29 4AH", "B29 4DJ", "B29 4HR", "B29 4NB", "B29 4QL", "B29 5BA", "B29 5EG"],
    },
    Area {
        place: "Harborne, Birmingham",
        practice: WEOLEY_PARK,
        council: BIRMINGHAM,
        postcodes: &["B17 0AH", "B17 0DJ", "B17 0HN", "B17 0LP", "B17 0PR", "B17 0RU", "B17 0TU"],
    },
    Area {
        place: "Northfield, Birmingham",
        practice: WEOLEY_PARK,
        council: BIRMINGHAM,
        postcodes: &["B31 1AH", "B31 1DL", "B31 1HA", "B31 1LG", "B31 1PP", "B31 1RU", "B31 1UF"],
    },
    Area {
        place: "Smethwick",
        practice: NORVIC,
        council: SANDWELL,
        postcodes: &["B66 1AH", "B66 1DJ", "B66 1HR", "B66 1LS", "B66 1PT", "B66 1TB", "B66 2AY"],
    },
    Area {
        place: "Bearwood, Smethwick",
        practice: NORVIC,
        council: SANDWELL,
        postcodes: &["B67 5AH", "B67 5DN", "B67 5HN", "B67 5LP", "B67 5PP", "B67 5RS", "B67 6BG"],
    },
    Area {
        place: "West Bromwich",
        practice: NORVIC,
        council: SANDWELL,
        postcodes: &["B70 0AH", "B70 0DJ", "B70 0FN", "B70 0JN", "B70 0NN", "B70 0QR", "B70 0SX"],
    },
];
