//! How good what each source announces is: what is missing, malformed or a placeholder, and what disagrees with the rest
//! of its person. Counted when it is asked for, in one pass over the index, a small slice at a time, so that the writer
//! waits for one slice at most; what arrives meanwhile may or may not be counted. A registration costs a few
//! microseconds: 3 million take some ten seconds of one thread.
//!
//! **Invariant:** a source's report holds its own local ids, and of other sources nothing but that somebody disagrees.

use super::{IndexError, Shared, normalise};
use crate::model::{LocalId, SourceId};
use severn_linkage::levels::{Field, Levels};
use severn_proto::v1::{
    Demographics, QualityFinding as Finding, QualityRate, QualityReport, Sex, human_name::Use, telecom::System,
};
use severn_trust::{NhsNumber, NhsNumberError, sha256};
use std::collections::{BTreeMap, HashMap};

/// Registrations that are looked at before the writer may go on: some 10 ms.
const SLICE: usize = 2_048;

/// Local ids of one finding, at most.
pub const LOCAL_IDS_MAX: usize = 1_000;

/// Registrations of one source that share a phone before it is nobody's own.
const PHONE_SHARED_MIN: usize = 20;

/// Every finding, in the order of their numbers.
const FINDINGS: [Finding; 21] = [
    Finding::NhsNumberMissing,
    Finding::NhsNumberMalformed,
    Finding::NhsNumberPlaceholder,
    Finding::NhsNumberUnverified,
    Finding::BirthDateMissing,
    Finding::BirthDatePlaceholder,
    Finding::BirthDatePartial,
    Finding::BirthDateFirstOfJanuary,
    Finding::NameMissing,
    Finding::NamePlaceholder,
    Finding::PostcodeMissing,
    Finding::PostcodeMalformed,
    Finding::PostcodeZz99,
    Finding::PhoneSharedByMany,
    Finding::SexUnknown,
    Finding::BirthDateDisagrees,
    Finding::SexDisagrees,
    Finding::FamilyNameDisagrees,
    Finding::NhsNumberDisagrees,
    Finding::DuplicateInSource,
    Finding::InReview,
];

/// What is looked at of one registration.
pub struct Looked<'a> {
    /// Its name at its source.
    pub local_id: &'a LocalId,
    /// What its source says.
    pub demographics: Demographics,
    /// What the linkage engine can compare of it: levels against itself.
    pub own: Levels,
    /// Levels against others of its person, some at most.
    pub others: Vec<Levels>,
    /// Its person has another registration of this source.
    pub is_duplicate: bool,
    /// It is in the review queue.
    pub in_review: bool,
}

/// Which local ids a report names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// Rates only.
    Nobody,
    /// So many of each finding as one may.
    LocalIds,
}

/// Counts every source, or one. Blocks its thread: it is for one that may wait.
///
/// # Errors
/// As [`Shared::read`].
pub fn count(shared: &Shared, source: Option<&SourceId>, naming: Naming) -> Result<Vec<QualityReport>, IndexError> {
    let at_ms = shared.clock.now_ms();
    let mut tallies: BTreeMap<SourceId, Tally> = BTreeMap::new();
    let mut from = 0;
    loop {
        let state = shared.read()?;
        if from == 0 {
            let known = state.feeds().keys().filter(|known| source.is_none_or(|one| one == *known));
            tallies.extend(known.map(|known| (known.clone(), Tally::default())));
        }
        let looked = state.look(from..from + SLICE, &mut |source, read| {
            if let Some(tally) = tallies.get_mut(source) {
                tally.take(&read(), naming);
            }
        });
        match looked {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok(tallies.into_iter().map(|(source, tally)| tally.report(&source, at_ms)).collect())
}

/// What was counted of one source.
#[derive(Default)]
struct Tally {
    registrations: u64,
    rates: HashMap<Finding, (u64, u64, Vec<String>)>,
    /// Digests of phones, and who gives them.
    phones: Vec<(u64, Option<LocalId>)>,
}

impl Tally {
    fn take(&mut self, looked: &Looked<'_>, naming: Naming) {
        self.registrations += 1;
        let mut note = |finding, told: Option<bool>| {
            let Some(is_true) = told else { return };
            let (count, of, local_ids) = self.rates.entry(finding).or_default();
            *of += 1;
            *count += u64::from(is_true);
            if is_true && naming == Naming::LocalIds && local_ids.len() < LOCAL_IDS_MAX {
                local_ids.push(looked.local_id.0.to_string());
            }
        };
        of_number(&looked.demographics, &mut note);
        of_birth(&looked.demographics, looked.own, &mut note);
        of_names(&looked.demographics, looked.own, &mut note);
        of_postcode(&looked.demographics, &mut note);
        note(Finding::SexUnknown, Some(matches!(looked.demographics.sex(), Sex::Unspecified | Sex::Unknown)));
        for (finding, field) in [
            (Finding::BirthDateDisagrees, Field::Birth),
            (Finding::SexDisagrees, Field::Sex),
            (Finding::FamilyNameDisagrees, Field::Family),
            (Finding::NhsNumberDisagrees, Field::Nhs),
        ] {
            note(finding, agrees_with_somebody(&looked.others, field).map(|agrees| !agrees));
        }
        note(Finding::DuplicateInSource, Some(looked.is_duplicate));
        note(Finding::InReview, Some(looked.in_review));
        let named = || (naming == Naming::LocalIds).then(|| looked.local_id.clone());
        self.phones.extend(phone(&looked.demographics).map(|digest| (digest, named())));
    }

    fn report(mut self, source: &SourceId, at_ms: i64) -> QualityReport {
        self.phones.sort_unstable_by_key(|(digest, _)| *digest);
        let shared = self.phones.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() >= PHONE_SHARED_MIN);
        let (count, of, local_ids) = self.rates.entry(Finding::PhoneSharedByMany).or_default();
        *of = self.phones.len() as u64;
        for (_, local_id) in shared.flatten() {
            *count += 1;
            let room = local_ids.len() < LOCAL_IDS_MAX;
            local_ids.extend(local_id.iter().filter(|_| room).map(|id| id.0.to_string()));
        }
        let rate = |finding: Finding| {
            let (count, of, local_ids) = self.rates.remove(&finding).unwrap_or_default();
            QualityRate { finding: finding.into(), count, of, local_ids }
        };
        let rates = FINDINGS.map(rate).into();
        QualityReport { source_id: source.to_string(), registrations: self.registrations, at_ms, rates }
    }
}

type Note<'a> = &'a mut dyn FnMut(Finding, Option<bool>);

fn of_number(said: &Demographics, note: Note<'_>) {
    let given = !said.nhs_number.trim().is_empty();
    let wrong = NhsNumber::parse(&said.nhs_number).err().filter(|_| given);
    note(Finding::NhsNumberMissing, Some(!given));
    let malformed = matches!(wrong, Some(NhsNumberError::NotTenDigits | NhsNumberError::WrongCheckDigit));
    note(Finding::NhsNumberMalformed, given.then_some(malformed));
    note(Finding::NhsNumberPlaceholder, given.then_some(wrong == Some(NhsNumberError::Placeholder)));
    note(Finding::NhsNumberUnverified, (given && wrong.is_none()).then_some(!said.nhs_number_verified));
}

fn of_birth(said: &Demographics, own: Levels, note: Note<'_>) {
    let (given, comparable) = (!said.birth_date.is_empty(), own.get(Field::Birth) != 0);
    let whole = normalise::whole_date(&said.birth_date).filter(|_| comparable);
    note(Finding::BirthDateMissing, Some(!given));
    note(Finding::BirthDatePlaceholder, given.then_some(!comparable));
    note(Finding::BirthDatePartial, (given && comparable).then_some(whole.is_none()));
    note(Finding::BirthDateFirstOfJanuary, whole.map(|date| date.month() == 1 && date.day() == 1));
}

fn of_names(said: &Demographics, own: Levels, note: Note<'_>) {
    let current = said.names.iter().find(|name| !matches!(name.r#use(), Use::Old | Use::Alias));
    let read = current.map(normalise::Name::of).unwrap_or_default();
    let (given, family) = (!read.given.is_empty(), !read.family.is_empty());
    note(Finding::NameMissing, Some(!(given && family)));
    // Something is written, and the engine knows it for no name.
    let no_name = |written: bool, field: Field| written && own.get(field) == 0;
    note(Finding::NamePlaceholder, Some(no_name(given, Field::Given) || no_name(family, Field::Family)));
}

fn of_postcode(said: &Demographics, note: Note<'_>) {
    let code = said.addresses.iter().find(|address| address.until.is_empty()).map(|address| address.postcode.trim());
    let code = code.unwrap_or_default();
    let given = !code.is_empty();
    let elsewhere = code.to_ascii_uppercase().starts_with("ZZ99");
    note(Finding::PostcodeMissing, Some(!given));
    note(Finding::PostcodeMalformed, given.then(|| !elsewhere && normalise::postcode(code).is_none()));
    note(Finding::PostcodeZz99, given.then_some(elsewhere));
}

/// Whether anybody of those who say something says the same; `None` if nobody says anything.
fn agrees_with_somebody(others: &[Levels], field: Field) -> Option<bool> {
    let mut said = others.iter().filter_map(|levels| levels.agrees(field)).peekable();
    said.peek()?;
    Some(said.any(|agrees| agrees))
}

/// A digest of the first phone, if it has enough digits to be one.
fn phone(said: &Demographics) -> Option<u64> {
    let is_phone = |system: System| matches!(system, System::Phone | System::Unspecified);
    let phones = said.telecoms.iter().filter(|telecom| is_phone(telecom.system()) && !telecom.value.contains('@'));
    let mut digits = phones.map(|telecom| telecom.value.chars().filter(char::is_ascii_digit).collect::<String>());
    let digits = digits.find(|digits| digits.len() >= 7)?;
    let mut first = [0; 8];
    first.copy_from_slice(&sha256(&[digits.as_bytes()])[..8]);
    Some(u64::from_be_bytes(first))
}
