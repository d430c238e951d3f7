//! From a row to a registration, and from a registration to an entry of the demographics dataset.

use super::{
    ID_BYTES_MAX, ReadAt, RowError, SourceContext,
    relationship::{self, Kinds, RelationshipMapping},
};
use crate::{
    cells::{Cell, Cells, MappingError, Row, flag},
    dates::Dates,
};
use prost::Message as _;
use serde::Deserialize;
use severn_proto::v1::{
    Address, Assertion, Dataset, Demographics, DemographicsDetail, Entry, EntryBody, EntryHead, EntryStatus, HumanName,
    LocalId, Provenance, Registration, Sex, Telecom, entry_body::Detail, human_name, telecom,
};
use severn_trust::NhsNumber;
use std::collections::{BTreeMap, BTreeSet};

/// How a row becomes a registration. Each value is a column's name, `{ column = … }` or `{ constant = … }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationMapping {
    /// Who assigns the local ids: a URI.
    pub assigning_authority: String,
    /// The person's identifier within this source.
    pub local_id: Cell,
    /// NHS number. One with a wrong check digit is left out.
    pub nhs_number: Option<Cell>,
    /// Whether the source traced the number against the national service: a column with yes or no, or a constant.
    pub nhs_number_verified: Option<Cell>,
    /// Names, the current one first.
    #[serde(default)]
    pub names: Vec<NameMapping>,
    /// Birth date.
    pub birth_date: Option<Cell>,
    /// Sex as registered, read by `sex_values`.
    pub sex: Option<Cell>,
    /// Source's word → `female`, `male`, `other` or `unknown`.
    #[serde(default)]
    pub sex_values: BTreeMap<String, String>,
    /// Addresses, the current one first.
    #[serde(default)]
    pub addresses: Vec<AddressMapping>,
    /// Telephone numbers.
    #[serde(default)]
    pub phones: Vec<TelecomMapping>,
    /// E-mail addresses.
    #[serde(default)]
    pub emails: Vec<TelecomMapping>,
    /// Whether the person has died: a column with yes or no. A date of death says so as well.
    pub deceased: Option<Cell>,
    /// Date of death.
    pub death_date: Option<Cell>,
    /// ODS code of the GP practice.
    pub gp_practice_ods: Option<Cell>,
    /// How the person wants to be addressed.
    pub preferred_name: Option<Cell>,
    /// Whether the person is restricted (PDS label R, S-flag): a column with yes or no. Such people are found by exact
    /// identifiers only, and nobody is told where they live.
    pub restricted: Option<Cell>,
    /// What joins the person to organisations that care for them. Left out, whoever is announced counts as registered with
    /// this source's organisation; listed, nobody is who has none.
    #[serde(default)]
    pub relationships: Vec<RelationshipMapping>,
    /// Source's word → `registered`, `admitted`, `caseload` or `referred`.
    #[serde(default)]
    pub relationship_values: BTreeMap<String, String>,
}

/// One name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameMapping {
    /// `usual`, `official`, `old` or `alias`; usual if left out.
    pub kind: Option<String>,
    /// Family name.
    pub family: Option<Cell>,
    /// Given names in order, one column for each.
    #[serde(default)]
    pub given: Cells,
    /// Title.
    pub prefix: Option<Cell>,
    /// The whole name, where the source keeps no parts.
    pub text: Option<Cell>,
}

/// One address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressMapping {
    /// Lines without the postcode.
    #[serde(default)]
    pub lines: Cells,
    /// Postcode.
    pub postcode: Option<Cell>,
    /// From when.
    pub from: Option<Cell>,
    /// Until when.
    pub until: Option<Cell>,
}

/// One telephone number or e-mail address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelecomMapping {
    /// The number or address.
    pub value: Cell,
    /// What it is for.
    pub kind: Option<Cell>,
}

/// A mapping that was checked.
#[derive(Clone, Debug)]
pub struct RegistrationPlan {
    mapping: RegistrationMapping,
    sexes: BTreeMap<String, Sex>,
    name_uses: Vec<human_name::Use>,
    kinds: Kinds,
    dates: Dates,
}

impl RegistrationMapping {
    /// Checks the mapping.
    ///
    /// # Errors
    /// The key, below `person`, and what to write instead.
    pub fn compile(&self, dates: &Dates) -> Result<RegistrationPlan, MappingError> {
        self.compile_parts(dates).map_err(|error| error.within("person"))
    }

    fn compile_parts(&self, dates: &Dates) -> Result<RegistrationPlan, MappingError> {
        if self.assigning_authority.trim().is_empty() {
            return Err(MappingError::new("assigning_authority", "empty; give a URI that names who assigns the ids"));
        }
        if matches!(self.local_id, Cell::Constant(_)) {
            return Err(MappingError::new("local_id", "name a column; a constant is no identifier"));
        }
        if self.sex.is_some() && self.sex_values.is_empty() {
            return Err(MappingError::new("sex_values", "missing; say what each value of the column means"));
        }
        if let Some(Cell::Constant(word)) = &self.nhs_number_verified
            && flag(word).is_none()
        {
            return Err(MappingError::new("nhs_number_verified", "a constant must be \"yes\" or \"no\""));
        }
        if self.nhs_number.is_some() != self.nhs_number_verified.is_some() {
            let problem = "name both nhs_number and nhs_number_verified, or neither; { constant = \"no\" } if the \
                           numbers are as somebody typed them";
            return Err(MappingError::new("nhs_number_verified", problem));
        }
        let mut sexes = BTreeMap::new();
        for (value, word) in &self.sex_values {
            let problem = || MappingError::new(format!("sex_values.{value}"), "give female, male, other or unknown");
            sexes.insert(value.trim().to_owned(), sex_from_word(word).ok_or_else(problem)?);
        }
        let name_uses = self.names.iter().map(name_use).collect::<Result<_, _>>()?;
        let kinds = relationship::compile(&self.relationships, &self.relationship_values)?;
        Ok(RegistrationPlan { mapping: self.clone(), sexes, name_uses, kinds, dates: dates.clone() })
    }
}

fn sex_from_word(word: &str) -> Option<Sex> {
    match word {
        "female" => Some(Sex::Female),
        "male" => Some(Sex::Male),
        "other" => Some(Sex::Other),
        "unknown" => Some(Sex::Unknown),
        _ => None,
    }
}

fn name_use(name: &NameMapping) -> Result<human_name::Use, MappingError> {
    match name.kind.as_deref() {
        None | Some("usual") => Ok(human_name::Use::Usual),
        Some("official") => Ok(human_name::Use::Official),
        Some("old") => Ok(human_name::Use::Old),
        Some("alias") => Ok(human_name::Use::Alias),
        Some(_) => Err(MappingError::new("names.kind", "give usual, official, old or alias")),
    }
}

impl RegistrationPlan {
    /// The columns that a row must have.
    pub fn columns(&self) -> BTreeSet<&str> {
        let m = &self.mapping;
        let mut columns = BTreeSet::new();
        m.local_id.note_column(&mut columns);
        let options = [&m.nhs_number, &m.nhs_number_verified, &m.birth_date, &m.sex, &m.deceased, &m.death_date];
        let options =
            options.into_iter().chain([&m.gp_practice_ods, &m.preferred_name, &m.restricted]).map(Option::as_ref);
        let names = m.names.iter().flat_map(|n| [n.family.as_ref(), n.prefix.as_ref(), n.text.as_ref()]);
        let addresses = m.addresses.iter().flat_map(|a| [a.postcode.as_ref(), a.from.as_ref(), a.until.as_ref()]);
        let telecoms = m.phones.iter().chain(&m.emails).flat_map(|t| [Some(&t.value), t.kind.as_ref()]);
        let cells = options.chain(names).chain(addresses).chain(telecoms).flatten();
        cells.for_each(|cell| cell.note_column(&mut columns));
        m.relationships.iter().for_each(|relationship| relationship.note_columns(&mut columns));
        m.names.iter().for_each(|name| name.given.note_columns(&mut columns));
        m.addresses.iter().for_each(|address| address.lines.note_columns(&mut columns));
        columns
    }

    /// The local id in a row; `None` if it has no usable one.
    pub fn local_id<'a>(&'a self, row: &'a dyn Row) -> Option<&'a str> {
        self.mapping.local_id.read(row).filter(|id| id.len() <= ID_BYTES_MAX)
    }

    /// Maps one row.
    ///
    /// # Errors
    /// [`RowError::NoId`] if the row has no local id.
    pub fn map_row(&self, row: &dyn Row, context: &SourceContext) -> Result<Registration, RowError> {
        let m = &self.mapping;
        let value = self.local_id(row).ok_or(RowError::NoId)?.to_owned();
        // A wrong number is no evidence of who somebody is: the person is announced without it.
        let nhs_number = m.nhs_number.as_ref().and_then(|cell| cell.read(row));
        let nhs_number = nhs_number.and_then(|text| NhsNumber::parse(text).ok()).map(NhsNumber::digits);
        let death = m.death_date.as_ref().and_then(|cell| cell.read(row));
        let demographics = Demographics {
            nhs_number_verified: nhs_number.is_some() && is_set(m.nhs_number_verified.as_ref(), row),
            nhs_number: nhs_number.unwrap_or_default(),
            names: self.names(row),
            birth_date: self.date(m.birth_date.as_ref(), row),
            sex: self.sex(row) as i32,
            addresses: m.addresses.iter().filter_map(|address| self.address(address, row)).collect(),
            telecoms: self.telecoms(row),
            deceased: death.is_some() || is_set(m.deceased.as_ref(), row),
            death_date: self.date(m.death_date.as_ref(), row),
            gp_practice_ods: text(m.gp_practice_ods.as_ref(), row),
            preferred_name: text(m.preferred_name.as_ref(), row),
            restricted: is_set(m.restricted.as_ref(), row),
            ..Demographics::default()
        };
        let local_id = LocalId { assigning_authority: m.assigning_authority.clone(), value };
        let source_id = context.source_id.clone();
        let words = (&self.kinds, &self.dates);
        Ok(Registration {
            source_id,
            local_id: Some(local_id),
            demographics: Some(demographics),
            relationships: m.relationships.iter().filter_map(|mapping| mapping.read(row, words)).collect(),
            relationships_listed: !m.relationships.is_empty(),
        })
    }

    /// Whether a row has an NHS number whose check digit is wrong, for a check.
    pub fn has_wrong_nhs_number(&self, row: &dyn Row) -> bool {
        let text = self.mapping.nhs_number.as_ref().and_then(|cell| cell.read(row));
        text.is_some_and(|text| NhsNumber::parse(text).is_err())
    }

    fn names(&self, row: &dyn Row) -> Vec<HumanName> {
        let name = |(mapping, kind): (&NameMapping, &human_name::Use)| {
            let name = HumanName {
                r#use: *kind as i32,
                family: text(mapping.family.as_ref(), row),
                given: mapping.given.read(row).into_iter().map(str::to_owned).collect(),
                prefix: text(mapping.prefix.as_ref(), row),
                text: text(mapping.text.as_ref(), row),
            };
            let says_something = !(name.family.is_empty() && name.given.is_empty() && name.text.is_empty());
            says_something.then_some(name)
        };
        self.mapping.names.iter().zip(&self.name_uses).filter_map(name).collect()
    }

    fn sex(&self, row: &dyn Row) -> Sex {
        let text = self.mapping.sex.as_ref().and_then(|cell| cell.read(row));
        text.and_then(|text| self.sexes.get(text)).copied().unwrap_or_default()
    }

    fn address(&self, mapping: &AddressMapping, row: &dyn Row) -> Option<Address> {
        let lines: Vec<String> = mapping.lines.read(row).into_iter().map(str::to_owned).collect();
        let postcode = text(mapping.postcode.as_ref(), row);
        if lines.is_empty() && postcode.is_empty() {
            return None;
        }
        let (from, until) = (self.date(mapping.from.as_ref(), row), self.date(mapping.until.as_ref(), row));
        Some(Address { lines, postcode, from, until })
    }

    fn telecoms(&self, row: &dyn Row) -> Vec<Telecom> {
        let phones = self.mapping.phones.iter().map(|mapping| (telecom::System::Phone, mapping));
        let emails = self.mapping.emails.iter().map(|mapping| (telecom::System::Email, mapping));
        let telecom = |(system, mapping): (telecom::System, &TelecomMapping)| {
            let value = mapping.value.read(row)?.to_owned();
            Some(Telecom { system: system as i32, value, r#use: text(mapping.kind.as_ref(), row) })
        };
        phones.chain(emails).filter_map(telecom).collect()
    }

    fn date(&self, cell: Option<&Cell>, row: &dyn Row) -> String {
        cell.and_then(|cell| cell.read(row)).and_then(|text| self.dates.read(text)).unwrap_or_default()
    }
}

/// A registration as the one entry of the demographics dataset; `None` if it says nothing.
pub fn demographics_entry(registration: &Registration, at: &ReadAt<'_>) -> Option<Entry> {
    let demographics = registration.demographics.clone()?;
    let local_id = registration.local_id.as_ref()?.value.clone();
    let full_name = full_name(demographics.names.first()?);
    let head = EntryHead {
        entry_id: local_id,
        dataset: Dataset::Demographics as i32,
        text: full_name,
        assertion: Assertion::Present as i32,
        status: EntryStatus::Active as i32,
        provenance: Some(Provenance {
            organisation: at.context.organisation.clone(),
            organisation_ods: at.context.ods.clone(),
            system: at.context.system.clone(),
            retrieved_at_ms: at.retrieved_at_ms,
            ..Default::default()
        }),
        ..Default::default()
    };
    let detail = Detail::Demographics(DemographicsDetail { demographics: Some(demographics) });
    let body = EntryBody { detail: Some(detail), ..Default::default() }.encode_to_vec();
    Some(Entry { head: Some(head), body: body.into() })
}

fn full_name(name: &HumanName) -> String {
    if !name.text.is_empty() {
        return name.text.clone();
    }
    let parts = [name.prefix.as_str()].into_iter().chain(name.given.iter().map(String::as_str));
    let parts: Vec<&str> = parts.chain([name.family.as_str()]).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn text(cell: Option<&Cell>, row: &dyn Row) -> String {
    cell.map(|cell| cell.read_text(row)).unwrap_or_default()
}

fn is_set(cell: Option<&Cell>, row: &dyn Row) -> bool {
    cell.and_then(|cell| cell.read(row)).and_then(flag) == Some(true)
}
