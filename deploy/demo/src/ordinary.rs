//! What the sources hold about ordinary people: plausible, and of no consequence.

use crate::{
    codes::{self, ALLERGIES, CONDITIONS, Code, Condition},
    facts::{Fact, Standing},
    organisations::{
        AMBULANCE, COMMUNITY, HOSPICE, Organisation, PRISON, SANDWELL, SANDWELL_HOSPITALS, Shape, UHB,
        WORCESTERSHIRE_ACUTE,
    },
    population::{Household, Person, TODAY},
    random::Draw,
    world::Identity,
};
use jiff::ToSpan as _;
use severn_proto::v1::{Dataset, Sex};

/// What is so about a person, whoever knows it.
pub struct Health {
    conditions: Vec<(&'static Condition, String)>,
    allergy: Option<(Code, &'static str)>,
}

/// What is so about a person.
pub fn health(seed: u64, person: &Person) -> Health {
    let mut draw = Draw::new(seed, "health", person.number);
    let mut conditions = Vec::new();
    for condition in &CONDITIONS {
        if person.age() >= condition.from_age && draw.chance(condition.percent) {
            let years = draw.between(0, i64::from(person.age() - condition.from_age).min(20));
            conditions.push((condition, day_ago(years * 365 + draw.between(5, 300))));
        }
    }
    let allergy = draw.chance(18).then(|| *draw.pick(&ALLERGIES));
    Health { conditions, allergy }
}

/// In how many of 100 cases an organisation knows such a person.
pub fn percent_known(organisation: &Organisation, person: &Person, home: &Household) -> usize {
    let (age, in_sandwell) = (person.age(), home.council == SANDWELL);
    match organisation.shape {
        Shape::GpDatabase => 100 * usize::from(home.practice == organisation.ods),
        Shape::CouncilDatabase if home.council != organisation.ods => 0,
        Shape::CouncilDatabase => [9, 26][usize::from(age > 75)],
        Shape::MentalHealthDatabase => [0, 8][usize::from(age > 16)],
        Shape::PrisonDatabase => [0, 3][usize::from(person.sex == Sex::Male && (21..60).contains(&age))],
        Shape::HospiceExtracts => [0, 4][usize::from(age > 64)],
        Shape::AmbulanceExtracts => [7, 22][usize::from(age > 70)],
        Shape::FhirBundles | Shape::HospitalDatabase => match organisation.ods {
            UHB => [44, 18][usize::from(in_sandwell)],
            SANDWELL_HOSPITALS => [14, 47][usize::from(in_sandwell)],
            COMMUNITY => [8, 30][usize::from(age > 70)],
            WORCESTERSHIRE_ACUTE => 6,
            _ => 0,
        },
    }
}

/// Makes an identity as imperfect as real ones are: no NHS number, an old name, no telephone.
pub fn blur(organisation: &Organisation, person: &Person, identity: &mut Identity, draw: &mut Draw) {
    let without_number = match organisation.ods {
        PRISON => 45,
        AMBULANCE => 15,
        _ if organisation.shape == Shape::GpDatabase => 0,
        _ => 3,
    };
    if draw.chance(without_number) {
        identity.nhs_number.clear();
    }
    let by_former_name = organisation.shape != Shape::GpDatabase && draw.chance(10);
    if let Some(former) = person.former_family.as_ref().filter(|_| by_former_name) {
        identity.family.clone_from(former);
    }
    if draw.chance(20) {
        identity.phone.clear();
    }
}

/// What an organisation holds about such a person.
pub fn facts(organisation: &Organisation, person: &Person, health: &Health, draw: &mut Draw) -> Vec<Fact> {
    match organisation.shape {
        Shape::GpDatabase => practice(person, health, draw),
        Shape::FhirBundles if organisation.ods == COMMUNITY => community(draw),
        Shape::FhirBundles | Shape::HospitalDatabase => hospital(health, draw),
        Shape::CouncilDatabase => council(person, draw),
        Shape::MentalHealthDatabase => mental_health(draw),
        Shape::PrisonDatabase => prison(draw),
        Shape::AmbulanceExtracts => ambulance(draw),
        Shape::HospiceExtracts if organisation.ods == HOSPICE => hospice(draw),
        Shape::HospiceExtracts => Vec::new(),
    }
}

fn day_ago(days: i64) -> String {
    TODAY.checked_sub(days.days()).unwrap_or(TODAY).to_string()
}

fn medicines(health: &Health) -> impl Iterator<Item = Fact> {
    health.conditions.iter().filter_map(|(condition, since)| {
        let (code, dose, instructions) = condition.medicine?;
        let fact = Fact::coded(Dataset::Medications, code, since.clone());
        Some(fact.with("dose_text", dose).with("dosage_instructions", instructions).with("route", "Oral"))
    })
}

fn practice(person: &Person, health: &Health, draw: &mut Draw) -> Vec<Fact> {
    let mut facts: Vec<Fact> = health
        .conditions
        .iter()
        .map(|(condition, since)| Fact::coded(Dataset::Problems, condition.code, since.clone()))
        .collect();
    facts.extend(medicines(health).map(|fact| fact.with("course", "repeat")));
    match health.allergy {
        Some((code, reaction)) => facts.push(
            Fact::coded(Dataset::Allergies, code, day_ago(draw.between(300, 9000)))
                .with("reaction", reaction)
                .with("severity", *draw.pick(&["mild", "moderate"])),
        ),
        None if draw.chance(50) => facts.push(no_known_allergy(day_ago(draw.between(30, 3000)))),
        None => {}
    }
    if person.age() > 64 || draw.chance(20) {
        facts.push(Fact::coded(Dataset::Immunisations, codes::IMMUNISATIONS[0], day_ago(draw.between(5, 40))));
    }
    for _ in 0..draw.below(4) {
        facts.push(observation(draw));
    }
    facts
}

/// A statement that no allergy is known.
pub fn no_known_allergy(recorded: impl Into<String>) -> Fact {
    Fact::coded(Dataset::Allergies, codes::NO_KNOWN_ALLERGY, recorded).standing(Standing::NoneKnown)
}

fn observation(draw: &mut Draw) -> Fact {
    let (code, unit, lowest, highest) = *draw.pick(&codes::OBSERVATIONS);
    Fact::coded(Dataset::Observations, code, day_ago(draw.between(1, 900)))
        .with("value", draw.between(lowest, highest).to_string())
        .with("unit", unit)
}

fn hospital(health: &Health, draw: &mut Draw) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (condition, since) in &health.conditions {
        if draw.chance(60) {
            facts.push(Fact::coded(Dataset::Problems, condition.code, since.clone()).by(1));
        }
    }
    facts.extend(medicines(health).filter(|_| draw.chance(50)).map(|fact| fact.by(1)));
    for _ in 0..=draw.below(3) {
        let begun = draw.between(3, 2000);
        let kind = *draw.pick(&["Emergency attendance", "Outpatient attendance", "Admission"]);
        facts.push(
            Fact::text(Dataset::Encounters, kind, day_ago(begun)).until(day_ago(begun - draw.between(0, 2))).by(1),
        );
    }
    if draw.chance(25) {
        let code = *draw.pick(&codes::PROCEDURES);
        let fact = Fact::coded(Dataset::Procedures, code, day_ago(draw.between(40, 5000)));
        facts.push(fact.standing(Standing::Ended).by(4));
    }
    if let Some((code, reaction)) = health.allergy.filter(|_| draw.chance(70)) {
        let fact = Fact::coded(Dataset::Allergies, code, day_ago(draw.between(10, 3000))).by(1);
        facts.push(fact.with("reaction", reaction).with("severity", "moderate"));
    }
    facts
}

fn community(draw: &mut Draw) -> Vec<Fact> {
    let mut facts = vec![
        Fact::text(Dataset::Encounters, "Home visit, district nursing", day_ago(draw.between(2, 200))).by(3).until(""),
    ];
    if draw.chance(60) {
        let plan = *draw.pick(&["Wound care plan", "Catheter care plan", "Falls prevention plan"]);
        facts.push(Fact::text(Dataset::CarePlans, plan, day_ago(draw.between(20, 400))).by(3));
    }
    facts.push(observation(draw).by(3));
    facts
}

fn council(person: &Person, draw: &mut Draw) -> Vec<Fact> {
    let reason = match person.age() {
        ..18 => "Child in need",
        18..65 => "Learning disability support",
        _ => "Physical support: personal care",
    };
    let mut facts = vec![
        Fact::text(Dataset::PrimarySupportReason, reason, day_ago(draw.between(60, 1500))).by(5),
        Fact::text(Dataset::CareTeam, "Allocated social worker", day_ago(draw.between(30, 900)))
            .by(5)
            .with("phone", format!("0121 496 0{:03}", draw.below(1000))),
    ];
    if draw.chance(40) {
        let service =
            *draw.pick(&["Home care, twice a day", "Meals service", "Day centre, two days a week", "Short breaks"]);
        facts.push(Fact::text(Dataset::Services, service, day_ago(draw.between(20, 800))).by(5));
    }
    if draw.chance(8) {
        facts.push(
            Fact::text(Dataset::Alerts, "Visit in pairs: dog at the address", day_ago(draw.between(20, 800))).by(5),
        );
    }
    facts
}

fn mental_health(draw: &mut Draw) -> Vec<Fact> {
    let code = *draw.pick(&codes::MENTAL_HEALTH_CONDITIONS);
    let mut facts = vec![
        Fact::coded(Dataset::Problems, code, day_ago(draw.between(100, 4000))).by(2),
        Fact::text(Dataset::CareTeam, "Care co-ordinator", day_ago(draw.between(30, 600)))
            .by(7)
            .with("phone", format!("0121 496 0{:03}", draw.below(1000))),
        Fact::text(Dataset::Encounters, "Community team contact", day_ago(draw.between(3, 120))).by(7).until(""),
    ];
    if draw.chance(30) {
        facts.push(
            Fact::text(Dataset::Risks, "Risk of self-neglect", day_ago(draw.between(20, 300)))
                .by(7)
                .with("level", *draw.pick(&["low", "medium"])),
        );
    }
    facts
}

fn prison(draw: &mut Draw) -> Vec<Fact> {
    let begun = draw.between(20, 900);
    let mut facts = vec![Fact::text(Dataset::Encounters, "In custody", day_ago(begun)).by(9)];
    if draw.chance(30) {
        facts.push(
            Fact::text(Dataset::Alerts, "Lower bunk, ground floor", day_ago(begun - 1)).by(9).with("code", "MLB"),
        );
    }
    facts
}

fn ambulance(draw: &mut Draw) -> Vec<Fact> {
    let complaint = *draw.pick(&["Fall at home", "Chest pain", "Breathlessness", "Collapse", "Abdominal pain"]);
    let disposal = *draw.pick(&["Conveyed to emergency department", "Treated at the scene", "Referred to practice"]);
    let fact = Fact::text(Dataset::Encounters, complaint, day_ago(draw.between(3, 1200))).by(6);
    vec![fact.standing(Standing::Ended).with("outcome", disposal)]
}

fn hospice(draw: &mut Draw) -> Vec<Fact> {
    let since = day_ago(draw.between(10, 200));
    vec![
        Fact::text(Dataset::EndOfLife, "Preferred place of care: home", since.clone())
            .by(8)
            .with("kind", "preferred place of care")
            .with("decision", *draw.pick(&["Home", "Hospice", "Care home"])),
        Fact::text(Dataset::CarePlans, "Symptom management plan", since).by(8),
    ]
}
