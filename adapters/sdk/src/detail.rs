//! Writes the typed detail of any dataset from a row, by the names of the contract's own fields. The fields are taken
//! from the contract's descriptors, so that a field added there can be mapped at once and an unknown name is refused
//! when the mapping is read. Nothing here is specific to one dataset.

use crate::{
    cells::{Cell, MappingError, Row, flag},
    dates::Dates,
};
use prost::{
    Message as _,
    encoding::{self, WireType},
};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use severn_proto::v1::{Dataset, Quantity};
use severn_trust::{ALL_DATASETS, dataset_word};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// How one dataset's detail is written.
#[derive(Clone, Debug)]
pub struct DetailPlan {
    number: u32,
    fields: Vec<FieldPlan>,
}

/// A value that did not fit its field: the field's name and the value as recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Oddity {
    /// Name of the field, dotted.
    pub field: String,
    /// The value, verbatim.
    pub value: String,
}

impl DetailPlan {
    /// Reads a table `field = source` for a dataset. A source is a column's name, `{ column = … }` or
    /// `{ constant = … }`; for a repeated text also `{ column = …, split = ";" }` or a list; for a quantity also
    /// `{ column = …, unit = …, unit_code = … }`; for a nested message a table; for a repeated one a list of tables.
    ///
    /// # Errors
    /// The key of the field and what is wrong; for an unknown field, the known ones.
    pub fn compile(dataset: Dataset, table: &toml::Table) -> Result<DetailPlan, MappingError> {
        let (number, message) = detail_of(dataset)?;
        if dataset == Dataset::Demographics && !table.is_empty() {
            let problem = "the detail of demographics comes from the registration; leave this out";
            return Err(MappingError::new("detail", problem));
        }
        let fields = compile_message(message, table).map_err(|e| e.within("detail"))?;
        Ok(DetailPlan { number, fields })
    }

    /// The columns that a row must have.
    pub fn note_columns<'a>(&'a self, columns: &mut BTreeSet<&'a str>) {
        self.fields.iter().for_each(|field| field.note_columns(columns));
    }

    /// Appends the detail to a body, as the oneof of `EntryBody`. Values that do not fit their field are left out and
    /// returned.
    pub fn write(&self, row: &dyn Row, dates: &Dates, body: &mut Vec<u8>) -> Vec<Oddity> {
        let mut oddities = Vec::new();
        let mut bytes = Vec::new();
        write_fields(&self.fields, &mut Writing { row, dates, oddities: &mut oddities }, &mut bytes);
        write_message(self.number, &bytes, body);
        oddities
    }
}

/// The names of the fields that a dataset's detail has, in the contract's order.
pub fn detail_fields(dataset: Dataset) -> Vec<String> {
    let message = detail_of(dataset).ok().and_then(|(_, message)| CONTRACT.get(message));
    message.map(|fields| fields.iter().map(|field| field.name.clone()).collect()).unwrap_or_default()
}

#[derive(Clone, Debug)]
struct FieldPlan {
    name: String,
    number: u32,
    write: Write,
}

#[derive(Clone, Debug)]
enum Write {
    Text(Cell),
    Date(Cell),
    Texts(Vec<(Cell, Option<String>)>),
    Flag(Cell),
    Count(Cell),
    Quantity { number: Cell, unit: Option<Cell>, unit_code: Option<Cell> },
    Message(Vec<FieldPlan>),
    Messages(Vec<Vec<FieldPlan>>),
}

struct FieldShape {
    name: String,
    number: u32,
    repeated: bool,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Date,
    Flag,
    Count,
    Message(String),
    NotMapped,
}

/// Fields that the contract says are ISO 8601; a test holds this list against the contract's comments.
const DATE_FIELDS: [&str; 5] = ["review_date", "onset", "last_issued", "estimated_due_date", "due"];

static CONTRACT: LazyLock<BTreeMap<String, Vec<FieldShape>>> = LazyLock::new(|| {
    let files = FileDescriptorSet::decode(severn_proto::DESCRIPTORS).unwrap_or_default().file;
    let messages = files.iter().flat_map(|file| &file.message_type);
    messages.map(|message| (message.name().to_owned(), shapes(message))).collect()
});

fn shapes(message: &DescriptorProto) -> Vec<FieldShape> {
    message.field.iter().map(shape).collect()
}

fn shape(field: &FieldDescriptorProto) -> FieldShape {
    let kind = match field.r#type() {
        Type::String if DATE_FIELDS.contains(&field.name()) => Kind::Date,
        Type::String => Kind::Text,
        Type::Bool => Kind::Flag,
        Type::Uint64 => Kind::Count,
        Type::Message => Kind::Message(field.type_name().rsplit('.').next().unwrap_or_default().to_owned()),
        _ => Kind::NotMapped,
    };
    FieldShape {
        name: field.name().to_owned(),
        number: u32::try_from(field.number()).unwrap_or(0),
        repeated: field.label() == Label::Repeated,
        kind,
    }
}

fn detail_of(dataset: Dataset) -> Result<(u32, &'static str), MappingError> {
    // The details of EntryBody are numbered from 1 in the order of the datasets; a test holds this.
    let position = ALL_DATASETS.iter().position(|d| *d == dataset);
    let fields = CONTRACT.get("EntryBody").map(Vec::as_slice).unwrap_or_default();
    match position.and_then(|at| fields.iter().find(|field| field.number as usize == at + 1)) {
        Some(FieldShape { number, kind: Kind::Message(message), .. }) => Ok((*number, message)),
        _ => Err(MappingError::new("dataset", format!("the contract has no detail for {}", dataset_word(dataset)))),
    }
}

fn compile_message(message: &str, table: &toml::Table) -> Result<Vec<FieldPlan>, MappingError> {
    let shapes = CONTRACT.get(message).map(Vec::as_slice).unwrap_or_default();
    let mut plans = Vec::new();
    for (name, source) in table {
        let Some(shape) = shapes.iter().find(|shape| shape.name == *name) else {
            let known: Vec<&str> = shapes.iter().map(|shape| shape.name.as_str()).collect();
            return Err(MappingError::new(name, format!("no such field; the fields are {}", known.join(", "))));
        };
        let write = compile_field(shape, source).map_err(|mut error| {
            error.key = if error.key.is_empty() { name.clone() } else { format!("{name}.{}", error.key) };
            error
        })?;
        plans.push(FieldPlan { name: name.clone(), number: shape.number, write });
    }
    // In the order of their numbers, as every encoder writes them, so that equal rows give equal bytes.
    plans.sort_by_key(|plan| plan.number);
    Ok(plans)
}

fn compile_field(shape: &FieldShape, source: &toml::Value) -> Result<Write, MappingError> {
    match (&shape.kind, shape.repeated) {
        (Kind::Text, false) => Ok(Write::Text(cell(source)?)),
        (Kind::Text, true) => compile_texts(source).map(Write::Texts),
        (Kind::Date, false) => Ok(Write::Date(cell(source)?)),
        (Kind::Flag, false) => Ok(Write::Flag(cell(source)?)),
        (Kind::Count, false) => Ok(Write::Count(cell(source)?)),
        (Kind::Message(message), false) if message == "Quantity" => compile_quantity(source),
        (Kind::Message(message), false) => {
            let table = source.as_table().ok_or_else(|| here("give a table of its fields"))?;
            compile_message(message, table).map(Write::Message)
        }
        (Kind::Message(message), true) => {
            let list = source.as_array().ok_or_else(|| here("give a list of tables, one for each part"))?;
            let tables = list.iter().map(|part| {
                let table = part.as_table().ok_or_else(|| here("give a list of tables, one for each part"))?;
                compile_message(message, table)
            });
            tables.collect::<Result<_, _>>().map(Write::Messages)
        }
        _ => Err(here("this field cannot be mapped from a column; leave it out")),
    }
}

fn compile_texts(source: &toml::Value) -> Result<Vec<(Cell, Option<String>)>, MappingError> {
    if let Some(list) = source.as_array() {
        let texts: Result<Vec<_>, _> = list.iter().map(compile_texts).collect();
        return texts.map(|texts| texts.into_iter().flatten().collect());
    }
    let mut source = source.clone();
    let split = source.as_table_mut().and_then(|table| table.remove("split"));
    let split = match split {
        None => None,
        Some(toml::Value::String(text)) if !text.is_empty() => Some(text),
        Some(_) => return Err(MappingError::new("split", "give the text between two items, for example \";\"")),
    };
    Ok(vec![(cell(&source)?, split)])
}

fn compile_quantity(source: &toml::Value) -> Result<Write, MappingError> {
    let mut source = source.clone();
    let mut take = |key: &str| -> Result<Option<Cell>, MappingError> {
        let part = source.as_table_mut().and_then(|table| table.remove(key));
        part.map(|part| cell(&part).map_err(|error| MappingError { key: key.to_owned(), ..error })).transpose()
    };
    let (unit, unit_code) = (take("unit")?, take("unit_code")?);
    Ok(Write::Quantity { number: cell(&source)?, unit, unit_code })
}

fn cell(source: &toml::Value) -> Result<Cell, MappingError> {
    source.clone().try_into().map_err(|error: toml::de::Error| here(error.message()))
}

fn here(problem: &str) -> MappingError {
    MappingError::new("", problem)
}

impl FieldPlan {
    fn note_columns<'a>(&'a self, columns: &mut BTreeSet<&'a str>) {
        match &self.write {
            Write::Text(cell) | Write::Date(cell) | Write::Flag(cell) | Write::Count(cell) => cell.note_column(columns),
            Write::Texts(cells) => cells.iter().for_each(|(cell, _)| cell.note_column(columns)),
            Write::Quantity { number, unit, unit_code } => {
                let cells = [Some(number), unit.as_ref(), unit_code.as_ref()];
                cells.into_iter().flatten().for_each(|cell| cell.note_column(columns));
            }
            Write::Message(fields) => fields.iter().for_each(|field| field.note_columns(columns)),
            Write::Messages(parts) => parts.iter().flatten().for_each(|field| field.note_columns(columns)),
        }
    }
}

struct Writing<'a> {
    row: &'a dyn Row,
    dates: &'a Dates,
    oddities: &'a mut Vec<Oddity>,
}

fn write_fields(fields: &[FieldPlan], writing: &mut Writing<'_>, out: &mut Vec<u8>) {
    for field in fields {
        write_field(field, writing, out);
    }
}

fn write_field(field: &FieldPlan, writing: &mut Writing<'_>, out: &mut Vec<u8>) {
    let row = writing.row;
    match &field.write {
        Write::Text(cell) => write_text(field.number, cell.read(row).unwrap_or_default(), out),
        Write::Date(cell) => {
            if let Some(date) = converted(field, cell, writing, |text, dates| dates.read(text)) {
                write_text(field.number, &date, out);
            }
        }
        Write::Texts(cells) => {
            for text in cells.iter().flat_map(|(cell, split)| items(cell.read(row), split.as_deref())) {
                write_text(field.number, text, out);
            }
        }
        Write::Flag(cell) => {
            if converted(field, cell, writing, |text, _| flag(text)) == Some(true) {
                encoding::bool::encode(field.number, &true, out);
            }
        }
        Write::Count(cell) => {
            let count = converted(field, cell, writing, |text, _| text.parse::<u64>().ok());
            if let Some(count) = count.filter(|count| *count > 0) {
                encoding::uint64::encode(field.number, &count, out);
            }
        }
        Write::Quantity { number, unit, unit_code } => {
            let Some(text) = number.read(row) else { return };
            let read = |cell: &Option<Cell>| cell.as_ref().map(|cell| cell.read_text(row)).unwrap_or_default();
            let quantity = quantity(text, read(unit), read(unit_code));
            encoding::message::encode(field.number, &quantity, out);
        }
        Write::Message(fields) => write_part(field.number, fields, writing, out),
        Write::Messages(parts) => parts.iter().for_each(|fields| write_part(field.number, fields, writing, out)),
    }
}

/// Reads a value that must have a form; one that has not is noted, verbatim.
fn converted<T>(
    field: &FieldPlan,
    cell: &Cell,
    writing: &mut Writing<'_>,
    read: impl Fn(&str, &Dates) -> Option<T>,
) -> Option<T> {
    let text = cell.read(writing.row)?;
    let value = read(text, writing.dates);
    if value.is_none() {
        writing.oddities.push(Oddity { field: field.name.clone(), value: text.to_owned() });
    }
    value
}

fn write_part(number: u32, fields: &[FieldPlan], writing: &mut Writing<'_>, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    write_fields(fields, writing, &mut bytes);
    // A part of which the row has nothing is not there.
    if !bytes.is_empty() {
        write_message(number, &bytes, out);
    }
}

fn write_message(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encoding::encode_key(number, WireType::LengthDelimited, out);
    encoding::encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write_text(number: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        write_message(number, text.as_bytes(), out);
    }
}

fn items<'a>(text: Option<&'a str>, split: Option<&str>) -> Vec<&'a str> {
    match (text, split) {
        (None, _) => Vec::new(),
        (Some(text), None) => vec![text],
        (Some(text), Some(split)) => text.split(split).map(str::trim).filter(|item| !item.is_empty()).collect(),
    }
}

fn quantity(text: &str, unit: String, unit_code: String) -> Quantity {
    // Only plain numbers: Rust would also read "inf" and "nan".
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
    let value = text.parse::<f64>().ok().filter(|value| plain && value.is_finite());
    Quantity { text: text.to_owned(), value, unit, unit_code }
}

#[cfg(test)]
mod tests;
