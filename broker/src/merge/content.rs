//! What an entry says, as a key made by its dataset's rule: entries with equal keys say the same. Equality of keys is an
//! equivalence, so that groups do not depend on which entries were compared first.

use super::{
    fold::{day, fold, fold_value, has_time, has_year, is_whole_day, moment},
    head::{Coding, Head},
    rules::Rules,
    statement::{ContentRule, Thing, When},
};
use severn_proto::v1::{Assertion, EntryStatus};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The field that says whether a medicine is ordered, planned, stated to be taken, or was given.
const INTENT: &str = "intent";
const GIVEN: &str = "given";

/// Codes of an entry by which other items about the same thing are found.
const NAMES_MAX: usize = 8;

/// SNOMED CT codes that say of what kind a thing is but not what it is (CODE-2): the thing is in the text.
const GENERIC_CODES: [&str; 12] = [
    "196411000000103", // Transfer-degraded record entry
    "196421000000109", // Transfer-degraded medication entry
    "196461000000101", // Transfer-degraded drug allergy
    "196471000000108", // Transfer-degraded non-drug allergy
    "419199007",       // Allergy to substance
    "416098002",       // Allergy to drug
    "414285001",       // Allergy to food
    "418038007",       // Propensity to adverse reaction to substance
    "419511003",       // Propensity to adverse reaction to drug
    "418471000",       // Propensity to adverse reaction to food
    "420134006",       // Propensity to adverse reaction
    "281647001",       // Adverse reaction
];

/// A code in a code system.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Code<'e> {
    system: &'e str,
    code: &'e str,
}

impl<'e> Code<'e> {
    /// The code, if it is of SNOMED CT or dm+d.
    pub(super) fn snomed(&self) -> Option<&'e str> {
        (self.system == SNOMED).then_some(self.code)
    }
}

/// A name by which items about the same thing find each other.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Name<'e> {
    Code(Code<'e>),
    Text(Cow<'e, str>),
}

/// A distinguishing field: folded name and value.
pub(super) type FoldedField<'e> = (Cow<'e, str>, Cow<'e, str>);

/// Distinguishing fields in an order of their own.
pub(super) type Fields<'e> = SmallVec<[FoldedField<'e>; 4]>;

/// All that two entries must agree in to say the same.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct ContentKey<'e> {
    code: Option<Code<'e>>,
    text: Option<Cow<'e, str>>,
    refuted: bool,
    status: i32,
    status_verbatim: Option<Cow<'e, str>>,
    start: Cow<'e, str>,
    end: &'e str,
    organisation: &'e str,
    fields: Fields<'e>,
}

/// What an entry says by a rule; `None` if it says too little to be the same as another.
pub(super) fn content_key<'e>(rule: &ContentRule, rules: &'e Rules, head: &'e Head<'_>) -> Option<ContentKey<'e>> {
    let fields = fields(head);
    let was_given = rule.thing == Thing::Medicine && is_given(head);
    let when = if was_given { When::Timed } else { rule.when };
    let has = |name: &&str| fields.iter().any(|(field, _)| field == *name);
    let organisation = if rule.one_organisation { organisation(head) } else { "" };
    let (code, text) = thing(rule.thing, rules, head);
    let names_something = code.is_some() || text.is_some() || rule.thing == Thing::Fields;
    if !rule.needs.iter().all(has)
        || !is_placed(when, head)
        || (was_given && !has_time(head.effective_start))
        || !names_something
        || (rule.one_organisation && organisation.is_empty())
    {
        return None;
    }
    let unrecognised = head.status() == EntryStatus::Unspecified;
    let (start, end) = (head.effective_start, day(head.effective_end));
    let (start, end) = match when {
        When::Never => (Cow::Borrowed(""), ""),
        When::Standing | When::Since | When::On => (Cow::Borrowed(day(start)), end),
        When::Timed => (moment(start), end),
    };
    Some(ContentKey {
        code,
        text,
        refuted: head.assertion() == Assertion::Refuted,
        status: head.status,
        status_verbatim: unrecognised.then(|| fold(head.status_verbatim)),
        start,
        end,
        organisation,
        fields,
    })
}

/// Whether an entry tells that a medicine was given, once.
pub(super) fn is_given(head: &Head<'_>) -> bool {
    field(head, INTENT).is_some_and(|intent| fold(intent) == GIVEN)
}

fn is_placed(when: When, head: &Head<'_>) -> bool {
    let (start, end) = (has_year(head.effective_start.trim()), has_year(head.effective_end.trim()));
    match when {
        When::Never => true,
        When::Standing => head.status() == EntryStatus::Active || start || end,
        When::Since => start,
        When::On | When::Timed => is_whole_day(day(head.effective_start)),
    }
}

/// ODS code of the organisation that recorded the entry; empty if it is not known.
pub(super) fn organisation<'e>(head: &Head<'e>) -> &'e str {
    head.provenance.map_or("", |provenance| provenance.organisation_ods.trim())
}

/// What names the thing: a code, words or both.
fn thing<'e>(by: Thing, rules: &'e Rules, head: &'e Head<'_>) -> (Option<Code<'e>>, Option<Cow<'e, str>>) {
    let listed = stands_for(by, rules, head);
    if listed.is_some() {
        return (None, listed);
    }
    let code = key_code(head);
    match by {
        Thing::Name => (None, name(head)),
        Thing::CodeAndWords => (code, words(head)),
        Thing::CodeOrWords | Thing::Medicine | Thing::Agent if code.is_some() => (code, None),
        Thing::CodeOrWords | Thing::Medicine | Thing::Agent => (None, words(head)),
        Thing::Fields => (None, None),
    }
}

/// The product or agent for which an entry's code or words stand, if they do.
fn stands_for<'e>(by: Thing, rules: &'e Rules, head: &'e Head<'_>) -> Option<Cow<'e, str>> {
    match by {
        Thing::Medicine => rules.medicines.product_key(head),
        Thing::Agent => rules.agents.key(head),
        _ => None,
    }
}

/// The code that names the thing (CODE-1): SNOMED CT or dm+d before ICD-10 before others, each in the source's order.
pub(super) fn key_code<'e>(head: &'e Head<'_>) -> Option<Code<'e>> {
    codes(head).min_by_key(|code| match code.system {
        SNOMED => 0,
        "http://hl7.org/fhir/sid/icd-10" => 1,
        _ => 2,
    })
}

/// All codes that name a thing.
pub(super) fn codes<'e>(head: &'e Head<'_>) -> impl Iterator<Item = Code<'e>> {
    head.codings.iter().filter_map(code)
}

const SNOMED: &str = "http://snomed.info/sct";

fn code<'e>(coding: &Coding<'e>) -> Option<Code<'e>> {
    let (system, code) = (coding.system.trim(), coding.code.trim());
    if system.is_empty() || code.is_empty() {
        return None;
    }
    // dm+d identifiers are SNOMED CT identifiers: one number names one thing in both.
    let system = if system == "https://dmd.nhs.uk" { SNOMED } else { system };
    let names_nothing = system == SNOMED && GENERIC_CODES.contains(&code);
    (!names_nothing).then_some(Code { system, code })
}

/// The source's words, comparable; `None` if it gave none.
pub(super) fn words<'e>(head: &'e Head<'_>) -> Option<Cow<'e, str>> {
    let mut texts = std::iter::once(head.text).chain(head.codings.iter().map(|coding| coding.display));
    texts.find(|text| !text.trim().is_empty()).map(fold)
}

fn name<'e>(head: &'e Head<'_>) -> Option<Cow<'e, str>> {
    field(head, "name").map(fold).or_else(|| words(head))
}

/// The first distinguishing field of this name that says something.
pub(super) fn field<'e>(head: &'e Head<'_>, name: &str) -> Option<&'e str> {
    let mut said = head.distinguishing.iter().filter(|field| !field.value.trim().is_empty());
    said.find(|field| fold(field.name) == name).map(|field| field.value)
}

/// The distinguishing fields that say something, in an order of their own.
pub(super) fn fields<'e>(head: &'e Head<'_>) -> Fields<'e> {
    let said = head.distinguishing.iter().filter(|field| !field.value.trim().is_empty());
    let mut fields: Fields<'e> = said
        .map(|field| {
            let name = fold(field.name);
            let value = fold_value(&name, field.value);
            (name, value)
        })
        .collect();
    fields.sort_unstable();
    fields
}

/// The names by which other items about the same thing are found, each with the day and value that must agree beside:
/// first codes and words; of medicines the substance, of allergies the agent for which these stand.
pub(super) fn names<'e>(
    rule: &ContentRule,
    rules: &'e Rules,
    head: &'e Head<'_>,
) -> impl Iterator<Item = (Name<'e>, Beside<'e>)> {
    let thing = rule.thing;
    let (coded, text, when) = match thing {
        Thing::Name => (0, name(head), rule.when),
        // Words that name nothing by themselves, such as a letter's title, say something on their day.
        Thing::Fields => (0, words(head), When::On),
        Thing::Medicine if is_given(head) => (NAMES_MAX, rules.medicines.substance_said(head), When::On),
        Thing::Medicine => (NAMES_MAX, rules.medicines.substance_said(head), rule.when),
        Thing::Agent => (NAMES_MAX, rules.agents.said(head), rule.when),
        Thing::CodeOrWords | Thing::CodeAndWords => (NAMES_MAX, words(head), rule.when),
    };
    let stands_for = move |code: Code<'e>| match thing {
        Thing::Medicine => rules.medicines.substance_of(code),
        Thing::Agent => rules.agents.coded(code),
        _ => None,
    };
    let mut beside = beside(when, head);
    if thing == Thing::Medicine && when == When::On {
        // What was given stands beside what was given, and not beside what is to be taken (MEDICINE-3).
        beside.1 = Cow::Borrowed(GIVEN);
    }
    let named = move |code| stands_for(code).map_or(Name::Code(code), |word| Name::Text(Cow::Borrowed(word)));
    let names = codes(head).take(coded).map(named).chain(text.map(Name::Text));
    names.map(move |name| (name, beside.clone()))
}

/// What must agree, beside the name, for two things that happened to be possibly one: else every visit to a clinic would
/// be possibly the same as every other. Empty for what lasts.
pub(super) type Beside<'e> = (&'e str, Cow<'e, str>);

fn beside<'e>(when: When, head: &'e Head<'_>) -> Beside<'e> {
    match when {
        When::Never | When::Standing | When::Since => Beside::default(),
        When::On => (day(head.effective_start), Cow::default()),
        When::Timed => {
            let value = field(head, "value").map(|value| fold_value("value", value));
            (day(head.effective_start), value.unwrap_or_default())
        }
    }
}

/// Whether a statement holds now, or would: it is not over, cancelled or retracted.
pub(super) fn in_force(head: &Head<'_>) -> bool {
    !matches!(head.status(), EntryStatus::Ended | EntryStatus::Cancelled | EntryStatus::EnteredInError)
}

/// What versions of one statement have said so far, to see whether they differ (CONFLICT-5).
#[derive(Default)]
pub(super) struct Said<'e> {
    status: Option<EntryStatus>,
    refuted: Option<bool>,
    listed: Option<Cow<'e, str>>,
    codes: Vec<Code<'e>>,
    text: Option<Cow<'e, str>>,
    start: &'e str,
    end: &'e str,
    fields: Fields<'e>,
}

impl<'e> Said<'e> {
    /// Adds a version; true if it says something else than one before it. Silence is no difference.
    pub(super) fn differs(&mut self, by: Option<(Thing, &'e Rules)>, head: &'e Head<'_>) -> bool {
        let status = Some(head.status()).filter(|status| *status != EntryStatus::Unspecified);
        let refuted = head.assertion() == Assertion::Refuted;
        let status_differs = changed(&mut self.status, status);
        let assertion_differs = changed(&mut self.refuted, Some(refuted));
        let listed = by.and_then(|(thing, rules)| stands_for(thing, rules, head));
        let thing_differs = self.thing_differs(listed, head);
        let start_differs = date_differs(&mut self.start, day(head.effective_start));
        let end_differs = date_differs(&mut self.end, day(head.effective_end));
        let fields_differ = self.fields_differ(head);
        status_differs || assertion_differs || thing_differs || start_differs || end_differs || fields_differ
    }

    fn thing_differs(&mut self, listed: Option<Cow<'e, str>>, head: &'e Head<'_>) -> bool {
        let other_listed = self.listed.as_ref().zip(listed.as_ref()).map(|(before, now)| before != now);
        let mut own = codes(head).peekable();
        if own.peek().is_some() {
            let before = std::mem::replace(&mut self.codes, own.collect());
            self.listed = listed;
            let other_codes = !before.is_empty() && !before.iter().any(|code| self.codes.contains(code));
            return other_listed.unwrap_or(other_codes);
        }
        if self.codes.is_empty() && self.listed.is_none() {
            self.listed = listed;
        }
        other_listed.unwrap_or_else(|| self.codes.is_empty() && changed(&mut self.text, words(head)))
    }

    fn fields_differ(&mut self, head: &'e Head<'_>) -> bool {
        let own = fields(head);
        if self.fields.is_empty() {
            self.fields = own;
            return false;
        }
        let values = |fields: &[FoldedField<'e>], name: &str| -> Vec<Cow<'e, str>> {
            fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
        };
        let mut differs = false;
        let mut new = Vec::new();
        // A plan, its orders and what is stated of it may share an origin: they are then one regimen, told in each way.
        for (name, value) in own.iter().filter(|(name, _)| name != INTENT) {
            let before = values(&self.fields, name);
            if before.is_empty() {
                new.push((name.clone(), value.clone()));
            } else {
                differs |= before != values(&own, name);
            }
        }
        self.fields.extend(new);
        differs
    }
}

fn changed<T: PartialEq>(before: &mut Option<T>, now: Option<T>) -> bool {
    match (&before, now) {
        (_, None) => false,
        (Some(before), Some(now)) => *before != now,
        (None, now) => {
            *before = now;
            false
        }
    }
}

/// A date of less precision that fits is no difference: 2019 and 2019-04-03.
fn date_differs<'e>(before: &mut &'e str, now: &'e str) -> bool {
    if before.is_empty() || !has_year(before) {
        *before = now;
        return false;
    }
    if now.starts_with(*before) {
        *before = now;
        return false;
    }
    !before.starts_with(now)
}
