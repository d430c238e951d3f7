//! What goes wrong on the way: what a route leaves out or says otherwise, and how it spells the rest.

use super::{
    headings::Time,
    sources::{SOURCES, UNSEEN},
    told::{Coded, Exact, Fate, Route, Said, Told, UNKNOWN_STATUS},
    truth::{DAY, Part, Statement},
};
use crate::people::draw::Draw;
use jiff::{Timestamp, tz::TimeZone};
use severn_proto::v1::{
    Assertion, Coding, Dataset, EntryHead, EntryStatus, Field, OriginIdentifier, Provenance, SensitivityLabel,
};

/// How often a route leaves out, or says otherwise, any one part.
const SLIP: f64 = 0.04;

/// How much later a stay begins that is told from its later part on: minutes.
const LATER: i64 = DAY;

/// 2010-01-01T00:00:00Z, in seconds since 1970.
const EPOCH: i64 = 1_262_304_000;

/// A SNOMED CT code that says only that something is an allergy.
const ALLERGY_TO_SUBSTANCE: &str = "419199007";

/// What a route leaves of a statement.
pub(super) fn said(draw: &mut Draw, statement: &Statement, route: Route) -> Said {
    let kept = statement.kept;
    let absence = statement.assertion == Assertion::NoneKnown;
    let timed = statement.heading.time == Time::Moment || statement.is_given();
    let exact = if timed { Exact::Minute } else { Exact::Day };
    let mut said = Said {
        code: if absence { Coded::No } else { Coded::Thing },
        usual_words: true,
        fields: if absence { vec![None; statement.fields.len()] } else { statement.fields.clone() },
        start: exact,
        late: false,
        status: statement.status as i32,
        organisation: true,
    };
    if draw.chance(SLIP) {
        said.code = Coded::No;
    } else if draw.chance(SLIP) && !absence {
        said.code = Coded::Category;
    }
    said.usual_words = !draw.chance(SLIP);
    for at in 0..said.fields.len() {
        if kept != Some(Part::Field(at)) && draw.chance(SLIP) {
            said.fields[at] = None;
        }
    }
    match kept {
        Some(Part::Minute) => {}
        Some(Part::Start) if draw.chance(SLIP) => said.start = Exact::Day,
        Some(Part::Start) => {}
        _ if draw.chance(SLIP) => said.start = *draw.of(&[Exact::No, Exact::Year, Exact::Day]),
        _ => {}
    }
    let long_stay = statement.heading.dataset == Dataset::Encounters && statement.end.is_some();
    said.late =
        long_stay && route != Route::Own && !matches!(kept, Some(Part::Start | Part::Minute)) && draw.chance(SLIP);
    if kept != Some(Part::Status) && draw.chance(SLIP) {
        let others = [EntryStatus::Active, EntryStatus::Ended, EntryStatus::Suspended, EntryStatus::Preliminary];
        said.status = *draw.of(&others.map(|status| status as i32));
    }
    if kept != Some(Part::Status) && draw.chance(SLIP / 4.0) {
        said.status = UNKNOWN_STATUS;
    }
    if draw.chance(SLIP) {
        said.status = EntryStatus::EnteredInError as i32;
    }
    said.organisation = route == Route::Own || !draw.chance(SLIP);
    said
}

pub(super) fn fate(draw: &mut Draw) -> Fate {
    *draw.weighted(&[(Fate::Shown, 0.96), (Fate::Withheld, 0.02), (Fate::Rejected, 0.02)])
}

pub(super) fn reaction(draw: &mut Draw, statement: &Statement) -> Option<&'static str> {
    let seen = statement.heading.dataset == Dataset::Allergies
        && statement.assertion != Assertion::NoneKnown
        && draw.chance(0.7);
    seen.then(|| *draw.of(&["Rash", "Anaphylaxis", "Nausea", "Wheeze"]))
}

/// The entry as its source writes it.
pub(super) fn head(draw: &mut Draw, statement: &Statement, one: &Told, id: usize) -> EntryHead {
    let said = &one.said;
    let absence = statement.assertion == Assertion::NoneKnown;
    let mut head = EntryHead {
        entry_id: format!("{}-{id}", statement.heading.dataset as i32),
        dataset: statement.heading.dataset.into(),
        codings: codings(draw, statement, said),
        text: words(draw, statement, said),
        assertion: statement.assertion.into(),
        status: said.status,
        status_verbatim: status_words(draw, said.status).into(),
        effective_start: date(draw, statement.start + i64::from(said.late) * LATER, said.start),
        effective_end: statement.end.filter(|_| !absence).map(|end| date(draw, end, Exact::Day)).unwrap_or_default(),
        recorded: date(draw, statement.start + DAY, Exact::Day),
        distinguishing: distinguishing(draw, statement, said),
        provenance: Some(provenance(statement, one)),
        origins: origins(statement, one, id),
        not_validated: draw.chance(0.02),
        ..EntryHead::default()
    };
    match one.fate {
        Fate::Shown if draw.chance(0.05) => head.labels = vec![SensitivityLabel::MentalHealth.into()],
        Fate::Shown => {}
        Fate::Withheld => head.labels = vec![*draw.of(&[UNSEEN as i32, SensitivityLabel::Unspecified as i32, 99])],
        Fate::Rejected if draw.chance(0.5) => head.labels = vec![SensitivityLabel::Normal.into(); 65],
        Fate::Rejected => head.text.clear(),
    }
    head
}

fn words(draw: &mut Draw, statement: &Statement, said: &Said) -> String {
    let usual = match statement.assertion {
        Assertion::NoneKnown => "None known".to_owned(),
        _ => statement.heading.words(statement.thing),
    };
    match statement.listed() {
        _ if !said.usual_words => spelt(draw, &format!("{usual} (as recorded elsewhere)")),
        Some(listed) => {
            let words = *draw.of(listed.words);
            spelt(draw, words)
        }
        None => spelt(draw, &usual),
    }
}

fn codings(draw: &mut Draw, statement: &Statement, said: &Said) -> Vec<Coding> {
    let coding = |system: &str, code: String| Coding { system: system.into(), code, display: String::new() };
    let of_thing = match statement.listed() {
        Some(listed) => (*draw.of(listed.codes)).into(),
        None => statement.heading.code(statement.thing),
    };
    let mut codings = match said.code {
        Coded::Thing if statement.heading.dataset == Dataset::Medications && draw.chance(0.5) => {
            vec![coding("https://dmd.nhs.uk", of_thing)]
        }
        Coded::Thing => vec![coding("http://snomed.info/sct", of_thing)],
        Coded::Category => vec![coding("http://hl7.org/fhir/sid/icd-10", format!("Z{}", statement.thing))],
        Coded::No if statement.heading.dataset == Dataset::Allergies => {
            vec![coding("http://snomed.info/sct", ALLERGY_TO_SUBSTANCE.into())]
        }
        Coded::No => Vec::new(),
    };
    if said.code == Coded::Thing && draw.chance(0.2) {
        // A local code says nothing beside one that everybody knows.
        codings.insert(draw.below(2), coding("https://local.example/codes", format!("L{}", draw.below(1000))));
    }
    codings
}

fn status_words(draw: &mut Draw, status: i32) -> &'static str {
    let words: &[&'static str] = match EntryStatus::try_from(status) {
        Ok(EntryStatus::Active) => &["active", "Active", "current", ""],
        Ok(EntryStatus::Ended) => &["ended", "resolved", "completed"],
        Ok(EntryStatus::EnteredInError) => &["entered in error"],
        Ok(_) => &["pending", "on hold"],
        Err(_) => &["as per protocol"],
    };
    words[draw.below(words.len())]
}

/// A date as exactly as it is told; a time of day in the zone of the writer's choice.
fn date(draw: &mut Draw, minutes: i64, exact: Exact) -> String {
    let at = |seconds: i64| Timestamp::from_second(EPOCH + seconds).unwrap_or_default().to_zoned(TimeZone::UTC);
    match exact {
        Exact::No => String::new(),
        Exact::Year => at(minutes * 60).strftime("%Y").to_string(),
        Exact::Day => at(minutes * 60).strftime("%Y-%m-%d").to_string(),
        Exact::Minute if draw.chance(0.3) => at(minutes * 60 + 3600).strftime("%Y-%m-%dT%H:%M:%S+01:00").to_string(),
        Exact::Minute => at(minutes * 60).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

fn distinguishing(draw: &mut Draw, statement: &Statement, said: &Said) -> Vec<Field> {
    let given = said.fields.iter().enumerate().filter_map(|(at, value)| {
        let (name, _) = statement.heading.fields[at];
        Some((name, statement.heading.value(statement.thing, at, (*value)?)))
    });
    let mut fields: Vec<Field> = given
        .map(|(name, value)| Field {
            name: (*draw.of(&[name, &name.to_uppercase()])).into(),
            value: field(draw, name, &value),
        })
        .collect();
    if draw.chance(0.1) {
        // A field without a value is one that is not given.
        fields.push(Field { name: "comment".into(), value: " ".into() });
    }
    draw.shuffle(&mut fields);
    fields
}

fn field(draw: &mut Draw, name: &str, value: &str) -> String {
    match name {
        "phone" => {
            let digits: String = value.split_whitespace().collect();
            let abroad = &digits[1..];
            let forms = [
                value.to_owned(),
                format!("+44 {abroad}"),
                format!("0044{abroad}"),
                value.replace(' ', "-"),
                digits.clone(),
            ];
            draw.of(&forms).clone()
        }
        "dose" if value.starts_with(|c: char| c.is_ascii_digit()) => {
            draw.of(&[value.to_owned(), value.replace(' ', ""), value.to_uppercase()]).clone()
        }
        "value" if value.contains('.') => draw.of(&[value.to_owned(), format!("{value}0")]).clone(),
        "value" => draw.of(&[value.to_owned(), format!("{value}.0")]).clone(),
        _ => spelt(draw, value),
    }
}

/// The same words in another spelling: case and spaces.
fn spelt(draw: &mut Draw, words: &str) -> String {
    match draw.below(8) {
        0 => words.to_uppercase(),
        1 => words.to_lowercase(),
        2 => words.replace(' ', "  "),
        3 => format!(" {words} "),
        _ => words.to_owned(),
    }
}

fn provenance(statement: &Statement, one: &Told) -> Provenance {
    let maker = if one.route == Route::Other { one.source } else { statement.home };
    let (ods, name) = SOURCES[maker];
    let organisation_ods = if one.said.organisation { ods.into() } else { String::new() };
    Provenance { organisation: name.into(), organisation_ods, ..Provenance::default() }
}

fn origins(statement: &Statement, one: &Told, id: usize) -> Vec<OriginIdentifier> {
    let origin = |source: usize, value: String| {
        let ods = SOURCES[source].0;
        OriginIdentifier { system: format!("https://{ods}.example/id"), value, organisation_ods: ods.into() }
    };
    let of_maker = || origin(statement.home, format!("s{}", one.statement));
    match one.route {
        Route::Own | Route::Again | Route::Copy if one.linked => vec![of_maker()],
        Route::SecondRegion if one.linked => vec![origin(one.source, format!("r{id}")), of_maker()],
        Route::Own | Route::Again | Route::Copy | Route::SecondRegion => Vec::new(),
        Route::Minted | Route::Other => vec![origin(one.source, format!("m{id}"))],
        Route::Reissued => vec![origin(statement.home, format!("n{id}"))],
    }
}
