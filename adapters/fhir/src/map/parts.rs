//! The building blocks of FHIR resources, read leniently: concepts, quantities, periods, names, references. What is not
//! understood reads as empty, never as something else. No resource type lives here.

use super::{
    bundle::{Pool, Resource},
    json::Json,
};
use severn_proto::v1::{Coding, Component, Quantity};

/// A thing named: its codes and the source's own words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Concept {
    /// The codes, the one the user chose first.
    pub codings: Vec<Coding>,
    /// The words; empty where there are none.
    pub text: String,
}

/// A value of any kind: a number where it is one, else words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Value {
    /// The number.
    pub quantity: Option<Quantity>,
    /// The words, where it is no plain number.
    pub text: String,
}

/// A start and an end, either of which may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub start: String,
    pub end: String,
}

/// One resource with those that it refers to.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub resource: &'a Resource,
    pub pool: &'a Pool,
}

impl<'a> View<'a> {
    pub(crate) fn at(&self, key: &str) -> &'a Json {
        self.resource.json().at(key)
    }

    /// The text of the first of these members that has one: R4's name for it, then STU3's.
    pub(crate) fn text_of(&self, keys: &[&str]) -> String {
        keys.iter().map(|key| self.at(key).text()).find(|text| !text.is_empty()).unwrap_or_default().to_owned()
    }

    /// What a reference points to; [`Json::Null`] if it is not here.
    pub(crate) fn target(&self, reference: &Json) -> &'a Json {
        static NOTHING: Json = Json::Null;
        self.pool.resolve(self.resource, reference).unwrap_or(&NOTHING)
    }

    /// A reader's name for what a reference points to; empty if none is known.
    pub(crate) fn display(&self, reference: &Json) -> String {
        let given = reference.at("display").text();
        if !given.is_empty() {
            return given.to_owned();
        }
        let target = self.target(reference);
        match target.at("resourceType").text() {
            "Practitioner" | "RelatedPerson" | "Patient" => human_name(current(target.at("name"))),
            "PractitionerRole" => {
                let practitioner = target.at("practitioner");
                first_of([
                    practitioner.at("display").text().to_owned(),
                    human_name(current(self.target(practitioner).at("name"))),
                ])
            }
            "Medication" => concept(target.at("code")).text,
            "Device" => {
                first_of([target.at("deviceName").at("name").text().to_owned(), concept(target.at("type")).text])
            }
            "Specimen" => concept(target.at("type")).text,
            _ => target.at("name").text().to_owned(),
        }
    }

    /// The names of several references.
    pub(crate) fn displays(&self, references: &Json) -> String {
        joined(references.items().iter().map(|reference| self.display(reference)), ", ")
    }
}

/// A CodeableConcept, a single Coding, or a plain text.
pub(crate) fn concept(json: &Json) -> Concept {
    let json = json.first();
    let mut from: Vec<&Json> = match json {
        Json::Map(_) if json.at("coding").is_null() && !json.at("code").is_null() => vec![json],
        _ => json.at("coding").items().iter().collect(),
    };
    from.sort_by_key(|coding| !coding.at("userSelected").is_true());
    let codings: Vec<Coding> = from.into_iter().filter_map(coding).collect();
    let own = if let Json::Text(text) = json { text } else { json.at("text").text() };
    let display = codings.iter().map(|c| c.display.as_str()).find(|display| !display.is_empty());
    let code = codings.iter().map(|c| c.code.as_str()).find(|code| !code.is_empty());
    let text = if own.trim().is_empty() { display.or(code).unwrap_or_default() } else { own };
    Concept { text: text.to_owned(), codings }
}

// A code without its system names nothing: it is kept as words.
fn coding(json: &Json) -> Option<Coding> {
    let (system, code, display) = (json.at("system").text(), json.at("code").text(), json.at("display").text());
    if system.is_empty() || code.is_empty() {
        let words = if display.is_empty() { code } else { display };
        return Some(Coding { display: words.to_owned(), ..Coding::default() }).filter(|c| !c.display.is_empty());
    }
    Some(Coding { system: system.to_owned(), code: code.to_owned(), display: display.to_owned() })
}

/// The words of several concepts.
pub(crate) fn concepts(json: &Json) -> String {
    joined(json.items().iter().map(|one| concept(one).text), ", ")
}

/// The code itself: of a plain code, or the first of a concept; its words where it has none.
pub(crate) fn code(json: &Json) -> &str {
    match json.first() {
        Json::Text(text) => text,
        one => match one.at("coding").at("code").text() {
            "" => one.at("text").text(),
            code => code,
        },
    }
}

/// A quantity with the digits the source wrote; `None` where there is no number. A comparator makes it no plain number.
pub(crate) fn quantity(json: &Json) -> Option<Quantity> {
    let digits = json.at("value").text();
    if digits.is_empty() {
        return None;
    }
    let comparator = json.at("comparator").text();
    let value = Some(digits).filter(|_| comparator.is_empty()).and_then(finite);
    let unit = if json.at("unit").text().is_empty() { json.at("code").text() } else { json.at("unit").text() };
    let ucum = json.at("system").text() == "http://unitsofmeasure.org";
    let unit_code = if ucum { json.at("code").text().to_owned() } else { String::new() };
    Some(Quantity { text: format!("{comparator}{digits}"), value, unit: unit.to_owned(), unit_code })
}

fn finite(digits: &str) -> Option<f64> {
    digits.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// A quantity in words: `500 mg`.
pub(crate) fn quantity_text(json: &Json) -> String {
    quantity(json).map(|q| words(&q)).unwrap_or_default()
}

fn words(quantity: &Quantity) -> String {
    joined([quantity.text.clone(), quantity.unit.clone()], " ")
}

/// A range in words: `2 mg to 4 mg`.
pub(crate) fn range_text(json: &Json) -> String {
    joined([quantity_text(json.at("low")), quantity_text(json.at("high"))], " to ")
}

/// `value[x]` of an observation, a component or an extension.
pub(crate) fn value(json: &Json) -> Value {
    if let Some(quantity) = quantity(json.at("valueQuantity")) {
        let plain = quantity.value.is_some();
        let text = if plain { String::new() } else { words(&quantity) };
        return Value { quantity: Some(quantity), text };
    }
    let whole = json.at("valueInteger").text();
    if !whole.is_empty() {
        let quantity = Quantity { text: whole.to_owned(), value: finite(whole), ..Quantity::default() };
        return Value { quantity: Some(quantity), text: String::new() };
    }
    let ratio = json.at("valueRatio");
    let ratio = joined([quantity_text(ratio.at("numerator")), quantity_text(ratio.at("denominator"))], " : ");
    let period = json.at("valuePeriod");
    let sampled = if json.at("valueSampledData").is_null() { "" } else { "sampled data; see the original" };
    let plain = ["valueString", "valueBoolean", "valueTime", "valueDateTime", "valueDate", "valueCode"];
    let plain = plain.iter().map(|key| json.at(key).text()).find(|text| !text.is_empty());
    let text = first_of([
        concept(json.at("valueCodeableConcept")).text,
        plain.unwrap_or_default().to_owned(),
        range_text(json.at("valueRange")),
        ratio,
        joined([period.at("start").text().to_owned(), period.at("end").text().to_owned()], " to "),
        sampled.to_owned(),
        concept(json.at("dataAbsentReason")).text,
    ]);
    Value { quantity: None, text }
}

/// The parts of a panel.
pub(crate) fn components(json: &Json) -> Vec<Component> {
    let part = |one: &Json| {
        let named = concept(one.at("code"));
        let mut code = named.codings.into_iter().next().unwrap_or_default();
        if code.display.is_empty() {
            code.display = named.text;
        }
        let value = value(one);
        Component { code: Some(code), value: value.quantity, value_text: value.text }
    };
    json.items().iter().map(part).collect()
}

/// A value in words, with those of its parts: what tells two results apart.
pub(crate) fn distinct(value: &Value, components: &[Component]) -> String {
    let own = value.quantity.as_ref().map_or_else(|| value.text.clone(), |q| q.text.clone());
    let parts = components.iter().map(|part| {
        let name = part.code.as_ref().map(|c| if c.code.is_empty() { &c.display } else { &c.code });
        let value = part.value.as_ref().map_or_else(|| part.value_text.clone(), words);
        format!("{}={value}", name.map_or("", String::as_str))
    });
    joined(std::iter::once(own).chain(parts), "; ")
}

/// `effective[x]`, `onset[x]` ...: a date, an instant, or a period.
pub(crate) fn when(json: &Json, stem: &str) -> When {
    let of = |suffix: &str| json.at(&format!("{stem}{suffix}"));
    let point = ["DateTime", "Date", "Instant"].iter().map(|s| of(s).text()).find(|text| !text.is_empty());
    if let Some(start) = point {
        return When { start: start.to_owned(), end: String::new() };
    }
    match of("Period") {
        Json::Null => of("Timing")
            .at("event")
            .items()
            .first()
            .map(|e| When { start: e.text().to_owned(), ..When::default() })
            .unwrap_or_default(),
        given => period(given),
    }
}

/// A period.
pub(crate) fn period(json: &Json) -> When {
    let json = json.first();
    When { start: json.at("start").text().to_owned(), end: json.at("end").text().to_owned() }
}

/// The notes that belong to a resource; STU3 calls those of an observation its comment.
pub(crate) fn notes(json: &Json) -> String {
    let notes = json.at("note").items().iter().map(|note| note.at("text"));
    joined(notes.chain([json.at("comment")]).map(|text| text.text().to_owned()), "\n")
}

/// A person's name on one line.
pub(crate) fn human_name(json: &Json) -> String {
    let json = json.first();
    if let Json::Text(name) = json {
        return name.clone();
    }
    if !json.at("text").text().is_empty() {
        return json.at("text").text().to_owned();
    }
    let given = json.at("given").items().iter().map(|part| part.text().to_owned());
    joined(
        [json.at("prefix").first().text().to_owned()]
            .into_iter()
            .chain(given)
            .chain([json.at("family").text().to_owned()]),
        " ",
    )
}

/// Of several names or addresses, the first that is still in use.
pub(crate) fn current(json: &Json) -> &Json {
    json.items().iter().find(|one| !is_past(one)).unwrap_or(json.first())
}

/// Whether a name or an address is marked as no longer used.
pub(crate) fn is_past(json: &Json) -> bool {
    matches!(json.at("use").text(), "old" | "maiden") || !json.at("period").at("end").text().is_empty()
}

/// The telephone numbers (`phone`) or e-mail addresses (`email`) of a telecom list.
pub(crate) fn telecom(json: &Json, system: &str) -> String {
    let of_kind = |one: &&Json| match system {
        "phone" => matches!(one.at("system").text(), "phone" | "sms" | ""),
        other => one.at("system").text() == other,
    };
    let in_use = json.items().iter().filter(|one| one.at("use").text() != "old").filter(of_kind);
    joined(in_use.map(|one| one.at("value").text().to_owned()), ", ")
}

/// An address on one line.
pub(crate) fn address_line(json: &Json) -> String {
    let json = current(json);
    if !json.at("text").text().is_empty() {
        return json.at("text").text().to_owned();
    }
    joined(address_lines(json).into_iter().chain([json.at("postalCode").text().to_owned()]), ", ")
}

/// The lines of an address without its postcode.
pub(crate) fn address_lines(json: &Json) -> Vec<String> {
    let lines = json.at("line").items().iter().map(Json::text);
    let rest = ["city", "district", "state"].map(|key| json.at(key).text());
    let mut out: Vec<String> = Vec::new();
    for line in lines.chain(rest).filter(|line| !line.trim().is_empty()) {
        if out.last().is_none_or(|last| last != line) {
            out.push(line.to_owned());
        }
    }
    out
}

/// The extension whose address ends in `name`, in whatever version; [`Json::Null`] where there is none.
pub(crate) fn extension<'a>(json: &'a Json, name: &str) -> &'a Json {
    static NOTHING: Json = Json::Null;
    extensions(json, name).next().unwrap_or(&NOTHING)
}

/// The extensions whose address ends in `name`, in whatever version.
pub(crate) fn extensions<'a>(json: &'a Json, name: &str) -> impl Iterator<Item = &'a Json> {
    json.at("extension").items().iter().filter(move |one| unversioned(one.at("url").text()).ends_with(name))
}

// Profiles of STU3 end their addresses in a version: `…-LastIssueDate-1`.
fn unversioned(url: &str) -> &str {
    match url.rsplit_once('-') {
        Some((name, version)) if version.parse::<u8>().is_ok() => name,
        _ => url,
    }
}

/// The texts that are not empty, with `between` between them.
pub(crate) fn joined(parts: impl IntoIterator<Item = String>, between: &str) -> String {
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(between)
}

/// The first text that is not empty.
pub(crate) fn first_of<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().find(|part| !part.trim().is_empty()).unwrap_or_default()
}

/// Whether a date or a time is a real one in ISO 8601: a year, a month, a day, or a day with a time.
pub(crate) fn is_iso(text: &str) -> bool {
    let digits_at =
        |range: std::ops::Range<usize>| text.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
    match text.len() {
        4 => digits_at(0..4),
        7 => digits_at(0..4) && format!("{text}-01").parse::<jiff::civil::Date>().is_ok(),
        10 => digits_at(0..4) && text.parse::<jiff::civil::Date>().is_ok(),
        _ if !digits_at(0..4) || text.as_bytes().get(10) != Some(&b'T') => false,
        _ => {
            text.parse::<jiff::Timestamp>().is_ok()
                || (text.len() <= 29 && text.parse::<jiff::civil::DateTime>().is_ok())
        }
    }
}
