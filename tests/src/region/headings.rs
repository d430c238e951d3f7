//! What may stand under each heading: small tables of words, with what tells two statements about one thing apart. Written
//! from the words of `broker/src/merge/RULES.md`, not from its code, which they judge.

use severn_proto::v1::Dataset;

/// When a thing is so, and what a date of it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Whenever: dates do not tell such statements apart.
    Any,
    /// For a while. Without a date only what is in force says enough.
    Standing,
    /// For a while, from a day that must be told.
    Since,
    /// On a day that must be told whole.
    Day,
    /// At a time of day, or on a day, that must be told.
    Moment,
}

/// What names a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Its code, whatever the words; the words, if no source gave a code.
    Code,
    /// The code and the words: the code is a mere category.
    CodeAndWords,
    /// A name in words.
    Words,
    /// Neither: a distinguishing field does.
    Field,
}

/// One heading of a record.
#[derive(Debug)]
pub struct Heading {
    /// The kind of content.
    pub dataset: Dataset,
    /// What names a thing.
    pub named: Named,
    /// When it is so.
    pub time: Time,
    /// The things, in words.
    pub things: &'static [&'static str],
    /// Distinguishing fields with what they may say; the first `must` of them have to be told.
    pub fields: &'static [(&'static str, &'static [&'static str])],
    /// How many of the fields have to be told, if two statements are to be known as one.
    pub must: usize,
    /// Only the organisation that did it can tell of it; others repeat it.
    pub of_one_organisation: bool,
    /// Only a shared origin makes two statements one.
    pub by_origin_only: bool,
    /// The first things, as far as the published tables list them.
    pub listed: &'static [Listed],
}

/// A thing that has several codes and is written in several ways, of which each stands for it (RULES.md, MEDICINE-2 and
/// ALLERGY-2).
#[derive(Debug)]
pub struct Listed {
    /// Real codes, of a product, its brands or makers; of a finding or its causative agent.
    pub codes: &'static [&'static str],
    /// Words; the first are those of the thing.
    pub words: &'static [&'static str],
    /// The substance or agent, by which others find it.
    pub substance: &'static str,
    /// Of a medicine, how much of the substance is in it, and its form.
    pub strength: &'static str,
    /// What a medicine is, in the words of dm+d.
    pub form: &'static str,
}

const fn product(
    substance: &'static str,
    strength: &'static str,
    form: &'static str,
    codes: &'static [&'static str],
    words: &'static [&'static str],
) -> Listed {
    Listed { codes, words, substance, strength, form }
}

const fn agent(substance: &'static str, codes: &'static [&'static str], words: &'static [&'static str]) -> Listed {
    product(substance, "", "", codes, words)
}

const AGENTS: [Listed; 6] = [
    agent(
        "penicillin",
        &["91936005", "764146007", "292954005"],
        &["Penicillin", "Penicillin allergy", "Allergy to penicillin", "H/O: penicillin allergy"],
    ),
    agent("aspirin", &["293586001", "292044008"], &["Aspirin", "Aspirin allergy", "Adverse reaction to aspirin"]),
    agent("latex", &["300916003"], &["Latex", "Latex allergy"]),
    agent("peanut", &["91935009"], &["Peanut", "Allergy to peanuts", "Peanut allergy"]),
    agent("amoxicillin", &["372687004", "292967008"], &["Amoxicillin", "Adverse reaction to amoxycillin"]),
    agent("trimethoprim", &["292939004"], &["Trimethoprim", "[V]Personal history of trimethoprim allergy"]),
];

const PRODUCTS: [Listed; 6] = [
    product(
        "furosemide",
        "40 mg",
        "tablets",
        &["317972000", "42294811000001108"],
        &["Furosemide 40mg tablets", "FUROSEMIDE TABS 40 MG", "Furosemide 40 mg oral tablet"],
    ),
    product("furosemide", "20 mg", "tablets", &["317971007"], &["Furosemide 20mg tablets", "Furosemide tablet 20 mg"]),
    product(
        "amlodipine",
        "10 mg",
        "tablets",
        &["319284000", "39731911000001109"],
        &["Amlodipine 10mg tablets", "Amlodipine tabs 10mg"],
    ),
    product(
        "aspirin",
        "300 mg",
        "gastro-resistant tablets",
        &["322225002", "183311000001101"],
        &["Aspirin 300mg gastro-resistant tablets", "Aspirin e/c tablets 300 mg"],
    ),
    product(
        "sertraline",
        "100 mg",
        "tablets",
        &["9751511000001104"],
        &["Sertraline 100mg tablets", "Lustral 100 mg tablets"],
    ),
    product("sertraline", "50 mg", "tablets", &["936411000001108"], &["Lustral 50mg tablets", "Sertraline tabs 50mg"]),
];

/// The field of a medicine that says how much is taken.
pub const DOSE: usize = 0;

/// The field of a medicine that says of what kind the statement is.
pub const INTENT: usize = 3;

/// Doses in a measure; those after them are in words.
pub const DOSES_MEASURED: usize = 4;

/// The intent of what was given, once.
pub const GIVEN: usize = 3;

impl Heading {
    const fn new(dataset: Dataset, named: Named, time: Time, things: &'static [&'static str]) -> Heading {
        Heading {
            dataset,
            named,
            time,
            things,
            fields: &[],
            must: 0,
            of_one_organisation: false,
            by_origin_only: false,
            listed: &[],
        }
    }

    const fn listing(self, listed: &'static [Listed]) -> Heading {
        Heading { listed, ..self }
    }

    const fn told_by(self, must: usize, fields: &'static [(&'static str, &'static [&'static str])]) -> Heading {
        Heading { fields, must, ..self }
    }

    const fn of_one_organisation(self) -> Heading {
        Heading { of_one_organisation: true, ..self }
    }

    /// The code of a thing: made up, of the form of a SNOMED CT code, but for the two by which resuscitation is known.
    #[must_use]
    pub fn code(&self, thing: usize) -> String {
        match (self.dataset, thing) {
            (Dataset::EndOfLife, 0) => "450475007".into(),
            (Dataset::EndOfLife, 1) => "450476008".into(),
            _ => format!("9{:02}{:04}00", self.dataset as i32, thing),
        }
    }

    /// What the published tables say of a thing.
    #[must_use]
    pub fn listed(&self, thing: usize) -> Option<&'static Listed> {
        self.listed.get(thing)
    }

    /// What a distinguishing field says, by the places of field and value. Documents are told apart by it alone, so that
    /// each has its own.
    #[must_use]
    pub fn value(&self, thing: usize, field: usize, value: usize) -> String {
        let value = self.fields[field].1[value];
        if self.named == Named::Field { format!("{value}{thing:04}") } else { value.into() }
    }

    /// The words for a thing. After the last the first comes again, numbered.
    #[must_use]
    pub fn words(&self, thing: usize) -> String {
        let words = self.things[thing % self.things.len()];
        match thing / self.things.len() {
            0 => words.into(),
            again => format!("{words} {}", again + 1),
        }
    }
}

const SIDES: (&str, &[&str]) = ("laterality", &["left", "right", "both"]);

/// All of them, crisis first.
pub static HEADINGS: [Heading; 33] = {
    use {Dataset as D, Heading as H, Named::*, Time::*};
    [
        H::new(D::Alerts, CodeAndWords, Any, &["Dog bites", "Do not visit alone", "Key safe by the door", "Hoarding"])
            .told_by(0, &[("place", &["home", "clinic"])]),
        H::new(
            D::Allergies,
            Code,
            Any,
            &["Penicillin", "Aspirin", "Latex", "Peanut", "Amoxicillin", "Trimethoprim", "Wasp venom", "Nuts"],
        )
        .told_by(0, &[("kind", &["allergy", "intolerance"])])
        .listing(&AGENTS),
        H::new(D::Risks, CodeAndWords, Since, &["Risk of suicide", "Risk of self-neglect", "Risk of falls"])
            .told_by(0, &[("level", &["high", "medium", "low"])]),
        H::new(D::Safeguarding, CodeAndWords, Since, &["Adult at risk", "Child protection plan", "Domestic abuse"])
            .told_by(0, &[("category", &["neglect", "financial", "emotional"])]),
        H::new(D::CrisisPlans, CodeAndWords, Since, &["Crisis plan", "Safety plan", "Contingency plan"]),
        H::new(D::LegalStatus, CodeAndWords, Since, &["Detained under section 3", "DoLS", "Advance decision"])
            .told_by(0, &[("section", &["2", "3", "37"])]),
        H::new(
            D::EndOfLife,
            CodeAndWords,
            Since,
            &["For attempted CPR", "Not for attempted CPR", "Prefers to die at home"],
        ),
        H::new(
            D::Medications,
            Code,
            Standing,
            &[
                "Furosemide 40mg tablets",
                "Furosemide 20mg tablets",
                "Amlodipine 10mg tablets",
                "Aspirin 300mg gastro-resistant tablets",
                "Sertraline 100mg tablets",
                "Lustral 50mg tablets",
                "Metformin",
                "Warfarin",
            ],
        )
        .told_by(
            1,
            &[
                ("dose", &["5 mg", "10 mg", "40 mg", "2.5 mg", "one in the morning", "as directed"]),
                ("route", &["oral", "intravenous"]),
                ("form", &["tablets", "oral solution"]),
                ("intent", &["order", "plan", "statement", "given"]),
            ],
        )
        .listing(&PRODUCTS),
        H::new(D::Problems, Code, Standing, &["Asthma", "Hypertension", "Fracture of radius", "Heart failure", "Gout"])
            .told_by(0, &[SIDES, ("site", &["distal", "shaft"])]),
        H::new(D::Procedures, Code, Day, &["Hip replacement", "Cataract surgery", "Colonoscopy", "Appendicectomy"])
            .told_by(0, &[SIDES]),
        H::new(
            D::Immunisations,
            Code,
            Day,
            &["Influenza vaccine", "MMR vaccine", "Tetanus vaccine", "COVID-19 vaccine"],
        )
        .told_by(0, &[("batch", &["AB123", "AB124", "ZX9"])]),
        H::new(D::Investigations, Code, Moment, &["Potassium", "Haemoglobin", "Creatinine", "CRP", "Sodium"])
            .told_by(1, &[("value", &["4.1", "5", "12.5", "138"]), ("unit", &["mmol/L", "g/L"])]),
        H::new(D::Observations, Code, Moment, &["Pulse", "Body weight", "Temperature", "NEWS2 score"])
            .told_by(1, &[("value", &["72", "36.6", "80.5", "3"]), ("unit", &["bpm", "kg"])]),
        H::new(D::Pregnancy, CodeAndWords, Standing, &["Pregnant", "Not pregnant", "Breastfeeding"]),
        H::new(
            D::FamilyHistory,
            CodeAndWords,
            Standing,
            &["Heart attack at 50", "Breast cancer", "Huntington's disease"],
        )
        .told_by(0, &[("relation", &["father", "mother", "sister"])]),
        H::new(D::Documents, Field, Any, &["Discharge letter", "Clinic letter", "ReSPECT form"]).told_by(
            1,
            &[("sha256", &["5feceb66ffc86f38", "6b86b273ff34fce1", "d4735e3a265e16ee", "4e07408562bedb8b"])],
        ),
        H::new(D::Encounters, CodeAndWords, Moment, &["Attendance", "Ward admission", "999 call", "Home visit"])
            .of_one_organisation(),
        H::new(D::Appointments, CodeAndWords, Moment, &["Diabetes clinic", "Memory clinic", "Blood test"])
            .of_one_organisation(),
        H::new(D::Referrals, CodeAndWords, Moment, &["Referral to cardiology", "Referral to reablement"])
            .told_by(0, &[("urgency", &["urgent", "routine"])])
            .of_one_organisation(),
        Heading {
            by_origin_only: true,
            ..H::new(D::Demographics, Words, Any, &["As registered at the front desk", "As told by a relative"])
        },
        H::new(D::GpPractice, Code, Any, &["Tower Hill Partnership", "Lordswood House", "Ley Hill Surgery"]),
        H::new(D::Contacts, Words, Any, &["Grace Achebe", "Tom Bright", "Anil Patel", "Mary O'Neill"]).told_by(
            1,
            &[
                ("phone", &["07700 900123", "0121 496 0000", "07700 900456"]),
                ("relationship", &["daughter", "husband", "neighbour"]),
            ],
        ),
        H::new(D::CareTeam, Words, Any, &["Helen Marsh", "Tariq Anwar", "Joan Field"])
            .told_by(1, &[("role", &["care coordinator", "social worker", "consultant"])]),
        H::new(D::CarePlans, CodeAndWords, Since, &["Care and support plan", "Diabetes care plan", "Nutrition plan"]),
        H::new(D::Goals, CodeAndWords, Since, &["Walk to the shop", "Stop smoking", "Sleep through the night"])
            .told_by(0, &[("owner", &["the person", "physiotherapist"])]),
        H::new(D::Services, CodeAndWords, Since, &["Home care", "Reablement", "Meals at home"])
            .told_by(0, &[("frequency", &["daily", "twice a day"])])
            .of_one_organisation(),
        H::new(D::Assessments, CodeAndWords, Day, &["Care Act assessment", "Carer's assessment", "Mental capacity"])
            .of_one_organisation(),
        H::new(
            D::PrimarySupportReason,
            CodeAndWords,
            Since,
            &["Physical support", "Memory support", "Sensory support"],
        )
        .of_one_organisation(),
        H::new(D::Equipment, CodeAndWords, Since, &["Hoist", "Walking frame", "Pressure mattress"])
            .told_by(0, &[("serial", &["H-100", "H-101"])])
            .of_one_organisation(),
        H::new(D::SocialContext, CodeAndWords, Standing, &["Lives alone", "Smoker", "Carer for a parent", "Homeless"]),
        H::new(D::AboutMe, CodeAndWords, Standing, &["Please call me Rose", "I need time to answer", "I fear needles"]),
        H::new(
            D::IndividualRequirements,
            CodeAndWords,
            Standing,
            &["Needs a BSL interpreter", "Large print", "Wheelchair"],
        ),
        H::new(D::Research, CodeAndWords, Standing, &["In the RECOVERY study", "Agreed to be asked", "In a register"]),
    ]
};
