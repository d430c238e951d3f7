//! The planted findings and their known truth: what is put into the sources for the cast, and what a record of each of
//! them must therefore show.

use crate::{
    codes,
    facts::{Fact, Origin, Standing},
    ordinary::no_known_allergy,
    organisations::{
        AMBULANCE, BIRMINGHAM, COMMUNITY, MENTAL_HEALTH, NORVIC, PRISON, SANDWELL, SANDWELL_HOSPITALS, TOWER_HILL, UHB,
        WEOLEY_PARK,
    },
    population::{DANIEL, GURPREET, Person, ROSALIND, ZOFIA, ZUZANNA},
    world::World,
};
use severn_proto::v1::Dataset;

/// The source that is stopped before anybody is asked for.
pub const STOPPED: &str = SANDWELL_HOSPITALS;
/// The source that answers too late.
pub const SLOW: &str = AMBULANCE;
/// The source whose owner withholds [`WITHHELD`] from clinicians in direct care.
pub const WITHHOLDING: &str = MENTAL_HEALTH;
/// What it withholds.
pub const WITHHELD: [Dataset; 2] = [Dataset::Risks, Dataset::Assessments];

/// System of electronic prescription identifiers.
pub const PRESCRIPTION_SYSTEM: &str = "https://fhir.nhs.uk/Id/prescription-order-number";
/// The prescription that the practice wrote and the hospital copied.
pub const PRESCRIPTION: &str = "24F80D-M85019-5814DT";
/// System of the hospital's problem identifiers.
pub const PROBLEM_SYSTEM: &str = "https://uhb.severn.example/Id/problem";
/// The diagnosis that the hospital retracted after the community trust had copied it.
pub const RETRACTED_PROBLEM: &str = "UHB-PROBLEM-88213";

/// Something that a record must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The ledger has rows of exactly these sources.
    KnownTo(Vec<&'static str>),
    /// Two items of a dataset stand beside each other in conflict: for each side the source and part of its text or dose.
    Conflict(Dataset, [(&'static str, &'static str); 2]),
    /// One item has contributions of these sources, which carry this identifier of origin.
    OneByTwoRoutes(Dataset, &'static str, [&'static str; 2]),
    /// Every entry with this identifier of origin is retracted, at these sources.
    Retracted(Dataset, &'static str, [&'static str; 2]),
    /// An item with this text comes from this source and from no other.
    OnlyFrom(Dataset, &'static str, &'static str),
    /// No entry of any source has this text.
    Nowhere(Dataset, &'static str),
    /// The ledger says that the source withholds the dataset.
    Withheld(Dataset, &'static str),
    /// The ledger says that the source did not answer.
    NoAnswer(&'static str),
    /// This other member of the cast is another person.
    Apart(usize),
    /// The sources give this many different postcodes.
    Postcodes(usize),
}

/// A member of the cast and what their record must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Short name, for commands and tests.
    pub name: &'static str,
    /// What it is about, for a reader.
    pub title: &'static str,
    /// The person's number in the population.
    pub person: usize,
    /// What must be seen.
    pub findings: Vec<Finding>,
}

impl Scenario {
    /// Whom it is about.
    pub fn of<'a>(&self, world: &'a World) -> &'a Person {
        &world.population.people[self.person]
    }
}

/// Every scenario, the richest first.
pub fn scenarios() -> Vec<Scenario> {
    vec![rosalind(), zofia(), zuzanna(), gurpreet(), daniel()]
}

fn rosalind() -> Scenario {
    Scenario {
        name: "seven-providers",
        title: "known to seven providers, one of which is down and one slow",
        person: ROSALIND,
        findings: vec![
            Finding::KnownTo(vec![
                TOWER_HILL,
                UHB,
                SANDWELL_HOSPITALS,
                MENTAL_HEALTH,
                COMMUNITY,
                BIRMINGHAM,
                AMBULANCE,
            ]),
            Finding::Conflict(
                Dataset::Allergies,
                [(UHB, codes::PENICILLIN.term), (TOWER_HILL, codes::NO_KNOWN_ALLERGY.term)],
            ),
            Finding::Conflict(Dataset::Medications, [(TOWER_HILL, "500 mg"), (UHB, "1 g")]),
            Finding::OneByTwoRoutes(Dataset::Medications, PRESCRIPTION, [TOWER_HILL, UHB]),
            Finding::Retracted(Dataset::Problems, RETRACTED_PROBLEM, [UHB, COMMUNITY]),
            Finding::OnlyFrom(Dataset::Safeguarding, BIRMINGHAM, SAFEGUARDING),
            Finding::OnlyFrom(Dataset::CrisisPlans, MENTAL_HEALTH, CRISIS_PLAN),
            Finding::Withheld(Dataset::Risks, MENTAL_HEALTH),
            Finding::Withheld(Dataset::Assessments, MENTAL_HEALTH),
            Finding::Nowhere(Dataset::Risks, WITHHELD_RISK),
            Finding::NoAnswer(STOPPED),
            Finding::NoAnswer(SLOW),
        ],
    }
}

fn zofia() -> Scenario {
    Scenario {
        name: "twin-zofia",
        title: "a twin; her sister at the same address has the peanut allergy, she has not",
        person: ZOFIA,
        findings: vec![
            Finding::KnownTo(vec![NORVIC, UHB, SANDWELL]),
            Finding::Apart(ZUZANNA),
            Finding::OnlyFrom(Dataset::Allergies, NORVIC, codes::NO_KNOWN_ALLERGY.term),
            Finding::Nowhere(Dataset::Allergies, PEANUT),
        ],
    }
}

fn zuzanna() -> Scenario {
    Scenario {
        name: "twin-zuzanna",
        title: "the other twin, with the peanut allergy",
        person: ZUZANNA,
        findings: vec![
            Finding::KnownTo(vec![NORVIC, UHB, SANDWELL]),
            Finding::Apart(ZOFIA),
            Finding::OnlyFrom(Dataset::Allergies, NORVIC, PEANUT),
        ],
    }
}

fn gurpreet() -> Scenario {
    Scenario {
        name: "three-addresses",
        title: "another address at every provider",
        person: GURPREET,
        findings: vec![Finding::KnownTo(vec![WEOLEY_PARK, UHB, BIRMINGHAM]), Finding::Postcodes(3)],
    }
}

fn daniel() -> Scenario {
    Scenario {
        name: "no-nhs-number",
        title: "the prison has no NHS number for him and is linked by exact demographics",
        person: DANIEL,
        findings: vec![
            Finding::KnownTo(vec![TOWER_HILL, MENTAL_HEALTH, PRISON]),
            Finding::OnlyFrom(Dataset::Alerts, PRISON, PRISON_ALERT),
        ],
    }
}

const SAFEGUARDING: &str =
    "Section 42 enquiry open: financial abuse suspected. Do not give appointment times to callers";
const CRISIS_PLAN: &str = "Crisis plan: early signs of relapse and whom to call";
const WITHHELD_RISK: &str = "Risk to self when unwell: formulation by the care team";
const PRISON_ALERT: &str = "ACCT open: risk of self-harm, observed hourly";
const PEANUT: &str = codes::ALLERGIES[1].0.term;

/// Puts the findings into the sources.
pub fn plant(world: &mut World) {
    plant_rosalind(world);
    plant_rosalind_social_and_mental_health(world);
    plant_twins(world);
    plant_gurpreet(world);
    plant_daniel(world);
}

fn plant_rosalind(world: &mut World) {
    let prescription =
        Origin { system: PRESCRIPTION_SYSTEM, value: PRESCRIPTION.to_owned(), organisation_ods: TOWER_HILL };
    let problem = Origin { system: PROBLEM_SYSTEM, value: RETRACTED_PROBLEM.to_owned(), organisation_ods: UHB };
    let metformin = |dose: &str, instructions: &str| {
        Fact::coded(Dataset::Medications, codes::METFORMIN, "2017-02-06")
            .with("dose_text", dose)
            .with("dosage_instructions", instructions)
            .with("route", "Oral")
    };
    let ramipril = Fact::coded(Dataset::Medications, codes::RAMIPRIL, "2026-09-14")
        .with("dose_text", "1.25 mg")
        .with("dosage_instructions", "One to be taken each day")
        .with("route", "Oral")
        .from_origin(&prescription);
    let renal_failure = Fact::coded(Dataset::Problems, codes::RENAL_FAILURE, "2026-03-02").from_origin(&problem);
    let diabetes = Fact::coded(Dataset::Problems, codes::DIABETES, "2017-02-06");
    world.make_known(
        TOWER_HILL,
        ROSALIND,
        vec![
            no_known_allergy("2019-05-02"),
            metformin("500 mg", "One to be taken twice a day with food").with("course", "repeat"),
            ramipril.clone().with("course", "repeat"),
            diabetes.clone(),
            Fact::coded(Dataset::Problems, codes::HYPERTENSION, "2021-10-11"),
            Fact::coded(Dataset::Immunisations, codes::IMMUNISATIONS[0], "2026-10-03"),
        ],
    );
    let anaphylaxis = Fact::coded(Dataset::Allergies, codes::PENICILLIN, "2024-08-19")
        .with("reaction", "Anaphylaxis")
        .with("severity", "severe")
        .with("criticality", "high");
    let admission = Fact::text(Dataset::Encounters, "Admission: anaphylaxis after amoxicillin", "2024-08-19");
    world.make_known(
        UHB,
        ROSALIND,
        vec![
            anaphylaxis.by(1),
            metformin("1 g", "Two to be taken twice a day with food").by(1),
            ramipril.by(1),
            diabetes.by(1),
            renal_failure.clone().standing(Standing::EnteredInError).by(1),
            admission.until("2024-08-22").by(1),
        ],
    );
    let plan = Fact::text(Dataset::CarePlans, "Diabetic foot care plan", "2026-05-11");
    world.make_known(COMMUNITY, ROSALIND, vec![renal_failure.by(3), plan.by(3)]);
    let clinic = Fact::text(Dataset::Encounters, "Outpatient attendance: ophthalmology", "2026-06-09");
    world.make_known(STOPPED, ROSALIND, vec![clinic.until("2026-06-09").by(4)]);
    let incident = Fact::text(Dataset::Encounters, "Fall at home", "2026-10-21").standing(Standing::Ended).by(6);
    world.make_known(SLOW, ROSALIND, vec![incident.with("outcome", "Treated at the scene")]);
}

fn plant_rosalind_social_and_mental_health(world: &mut World) {
    world.make_known(
        BIRMINGHAM,
        ROSALIND,
        vec![
            Fact::text(Dataset::Safeguarding, SAFEGUARDING, "2026-10-05")
                .by(5)
                .with("category", "Financial or material abuse")
                .with("review_date", "2026-12-01"),
            Fact::text(Dataset::CareTeam, "Allocated social worker", "2026-10-05").by(5).with("phone", "0121 496 0117"),
            Fact::text(Dataset::Services, "Home care, twice a day", "2026-04-20").by(5),
            Fact::text(Dataset::PrimarySupportReason, "Physical support: personal care", "2026-04-01").by(5),
        ],
    );
    world.make_known(
        MENTAL_HEALTH,
        ROSALIND,
        vec![
            Fact::coded(Dataset::Problems, codes::BIPOLAR, "1994-11-30").by(2),
            Fact::text(Dataset::CrisisPlans, CRISIS_PLAN, "2026-02-17")
                .by(7)
                .with("warning_signs", "Sleeps under four hours for three nights; gives money away")
                .with("what_helps", "Speak slowly, one person at a time; call her sister Ngozi")
                .with("what_to_avoid", "Uniformed visitors without a call beforehand")
                .with("contacts", "Crisis line 0121 496 0142; care co-ordinator 0121 496 0143")
                .with("agreed", "yes")
                .with("review_date", "2027-02-17"),
            Fact::text(Dataset::Risks, WITHHELD_RISK, "2026-02-17").by(2).with("level", "medium"),
            Fact::text(Dataset::Assessments, "Care Act assessment, made jointly with the council", "2026-01-29").by(2),
            Fact::text(Dataset::CareTeam, "Care co-ordinator", "2024-06-03").by(7).with("phone", "0121 496 0143"),
        ],
    );
}

fn plant_twins(world: &mut World) {
    let (peanut, reaction) = codes::ALLERGIES[1];
    let visit = |text: &str, on: &str| Fact::text(Dataset::Encounters, text, on).until(on).by(4);
    let support = || Fact::text(Dataset::PrimarySupportReason, "Child in need", "2026-01-12").by(5);
    let allergy = Fact::coded(Dataset::Allergies, peanut, "2019-09-09").with("reaction", reaction);
    world.make_known(NORVIC, ZOFIA, vec![no_known_allergy("2019-09-09")]);
    world.make_known(NORVIC, ZUZANNA, vec![allergy.with("severity", "moderate")]);
    world.make_known(UHB, ZOFIA, vec![visit("Outpatient attendance: audiology", "2025-03-18")]);
    world.make_known(UHB, ZUZANNA, vec![visit("Emergency attendance: allergic reaction", "2025-08-02")]);
    world.make_known(SANDWELL, ZOFIA, vec![support()]);
    world.make_known(SANDWELL, ZUZANNA, vec![support()]);
}

fn plant_gurpreet(world: &mut World) {
    let asthma = || Fact::coded(Dataset::Problems, codes::ASTHMA, "1996-04");
    world.make_known(WEOLEY_PARK, GURPREET, vec![asthma()]);
    let at_hospital = world.make_known(UHB, GURPREET, vec![asthma().by(1)]);
    if let Some(identity) = at_hospital {
        identity.lines = ["112 Withybed Walk".to_owned(), "Northfield, Birmingham".to_owned()];
        "B31 1LG".clone_into(&mut identity.postcode);
    }
    let worker = Fact::text(Dataset::CareTeam, "Allocated social worker", "2023-05-15").by(5);
    let at_council = world.make_known(BIRMINGHAM, GURPREET, vec![worker.with("phone", "0121 496 0155")]);
    if let Some(identity) = at_council {
        identity.lines = ["5a Gunlock Grove".to_owned(), "Harborne, Birmingham".to_owned()];
        "B17 0PR".clone_into(&mut identity.postcode);
    }
}

fn plant_daniel(world: &mut World) {
    world.make_known(TOWER_HILL, DANIEL, vec![no_known_allergy("2020-01-20")]);
    let team = Fact::text(Dataset::CareTeam, "Care co-ordinator", "2025-11-04").by(7).with("phone", "0121 496 0148");
    world.make_known(
        MENTAL_HEALTH,
        DANIEL,
        vec![Fact::coded(Dataset::Problems, codes::MENTAL_HEALTH_CONDITIONS[1], "2018-06").by(2), team],
    );
    let custody = Fact::text(Dataset::Encounters, "In custody", "2026-08-03").by(9);
    let alert = Fact::text(Dataset::Alerts, PRISON_ALERT, "2026-10-26").by(9).with("code", "HA");
    if let Some(identity) = world.make_known(PRISON, DANIEL, vec![custody, alert]) {
        identity.nhs_number.clear();
        identity.phone.clear();
    }
}
