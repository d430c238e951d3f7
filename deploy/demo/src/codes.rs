//! A small set of real codes with their terms: SNOMED CT UK and dm+d, as UK examples use them.
//!
//! SNOMED CT terms: (c) SNOMED International, used under the UK's national licence; dm+d: NHS Business Services
//! Authority, Open Government Licence v3.

/// URI of SNOMED CT.
pub const SNOMED: &str = "http://snomed.info/sct";
/// URI of the dictionary of medicines and devices.
pub const DMD: &str = "https://dmd.nhs.uk";

/// A code and its term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code system's URI.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
    /// The term.
    pub term: &'static str,
}

/// A SNOMED CT code.
pub const fn snomed(code: &'static str, term: &'static str) -> Code {
    Code { system: SNOMED, code, term }
}

const fn dmd(code: &'static str, term: &'static str) -> Code {
    Code { system: DMD, code, term }
}

/// A statement that there are no allergies.
pub const NO_KNOWN_ALLERGY: Code = snomed("716186003", "No known allergy");
/// Allergy to penicillin.
pub const PENICILLIN: Code = snomed("91936005", "Allergy to penicillin");
/// Type 2 diabetes.
pub const DIABETES: Code = snomed("44054006", "Type 2 diabetes mellitus");
/// High blood pressure.
pub const HYPERTENSION: Code = snomed("38341003", "Hypertensive disorder");
/// Bipolar disorder.
pub const BIPOLAR: Code = snomed("13746004", "Bipolar disorder");
/// Asthma.
pub const ASTHMA: Code = snomed("195967001", "Asthma");
/// Kidney failure.
pub const RENAL_FAILURE: Code = snomed("90688005", "Chronic renal failure");
/// Metformin.
pub const METFORMIN: Code = dmd("325278007", "Metformin 500mg tablets");
/// Ramipril.
pub const RAMIPRIL: Code = dmd("318900007", "Ramipril 1.25mg capsules");
/// Salbutamol.
pub const SALBUTAMOL: Code = dmd("35936511000001108", "Salbutamol 100micrograms/dose inhaler");

/// Allergies that ordinary people have: code, reaction.
pub const ALLERGIES: [(Code, &str); 7] = [
    (PENICILLIN, "Urticarial rash"),
    (snomed("91935009", "Allergy to peanut"), "Facial swelling"),
    (snomed("293586001", "Allergy to aspirin"), "Wheeze"),
    (snomed("300916003", "Allergy to latex"), "Contact rash"),
    (snomed("91931000", "Allergy to erythromycin"), "Diarrhoea and vomiting"),
    (snomed("91930004", "Allergy to eggs"), "Urticarial rash"),
    (snomed("300909004", "Allergic reaction to wasp sting"), "Local swelling"),
];

/// A long-term condition, how common it is, and what is taken for it.
pub struct Condition {
    /// The condition.
    pub code: Code,
    /// Youngest age at which it is given.
    pub from_age: i16,
    /// In how many of 100 people of that age.
    pub percent: usize,
    /// The medicine: code, dose, instructions; `None` for none.
    pub medicine: Option<(Code, &'static str, &'static str)>,
}

/// Conditions of ordinary people.
pub const CONDITIONS: [Condition; 14] = [
    condition(HYPERTENSION, 45, 30, Some((RAMIPRIL, "1.25 mg", "One to be taken each day"))),
    condition(DIABETES, 40, 14, Some((METFORMIN, "500 mg", "One to be taken twice a day with food"))),
    condition(ASTHMA, 4, 10, Some((SALBUTAMOL, "200 micrograms", "Two puffs when needed"))),
    condition(
        snomed("231504006", "Mixed anxiety and depressive disorder"),
        16,
        10,
        Some((dmd("9751511000001104", "Sertraline 100mg tablets"), "100 mg", "One to be taken each day")),
    ),
    condition(
        snomed("414545008", "Ischaemic heart disease"),
        55,
        9,
        Some((dmd("319775004", "Aspirin 75mg tablets"), "75 mg", "One to be taken each day")),
    ),
    condition(
        snomed("90560007", "Gout"),
        40,
        4,
        Some((dmd("330062008", "Allopurinol 300mg tablets"), "300 mg", "One to be taken each day")),
    ),
    condition(
        snomed("49436004", "Atrial fibrillation"),
        65,
        8,
        Some((dmd("42208511000001101", "Digoxin 125microgram tablets"), "125 micrograms", "One to be taken each day")),
    ),
    condition(RENAL_FAILURE, 60, 7, None),
    condition(snomed("279039007", "Low back pain"), 25, 12, None),
    condition(snomed("13645005", "Chronic obstructive lung disease"), 50, 5, None),
    condition(
        snomed("84114007", "Heart failure"),
        65,
        5,
        Some((dmd("317972000", "Furosemide 40mg tablets"), "40 mg", "One to be taken in the morning")),
    ),
    condition(snomed("52448006", "Dementia"), 72, 8, None),
    condition(
        snomed("69896004", "Rheumatoid arthritis"),
        35,
        2,
        Some((dmd("327550006", "Folic acid 5mg tablets"), "5 mg", "One to be taken once a week")),
    ),
    condition(
        snomed("21719001", "Allergic rhinitis due to pollen"),
        6,
        9,
        Some((dmd("320818006", "Cetirizine 10mg tablets"), "10 mg", "One to be taken each day")),
    ),
];

const fn condition(
    code: Code,
    from_age: i16,
    percent: usize,
    medicine: Option<(Code, &'static str, &'static str)>,
) -> Condition {
    Condition { code, from_age, percent, medicine }
}

/// Procedures of hospitals.
pub const PROCEDURES: [Code; 4] = [
    snomed("80146002", "Appendicectomy"),
    snomed("397956004", "Prosthetic arthroplasty of the hip"),
    snomed("73761001", "Colonoscopy"),
    snomed("38102005", "Cholecystectomy"),
];

/// Immunisations.
pub const IMMUNISATIONS: [Code; 3] = [
    snomed("86198006", "Influenza vaccination"),
    snomed("73701000119109", "Influenza vaccination given"),
    snomed("170433008", "Measles mumps and rubella vaccination - second dose"),
];

/// Observations with a unit: code, unit, lowest, highest.
pub const OBSERVATIONS: [(Code, &str, i64, i64); 3] = [
    (snomed("27113001", "Body weight"), "kg", 48, 118),
    (snomed("364075005", "Heart rate"), "/min", 54, 104),
    (snomed("60621009", "Body mass index"), "kg/m2", 18, 41),
];

/// Mental-health diagnoses.
pub const MENTAL_HEALTH_CONDITIONS: [Code; 4] = [
    BIPOLAR,
    snomed("35489007", "Depressive disorder"),
    snomed("58214004", "Schizophrenia"),
    snomed("47505003", "Posttraumatic stress disorder"),
];
