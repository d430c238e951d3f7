//! Opens the body of an entry by the contract's own descriptors, so that every field of every dataset can be shown,
//! with its name, in the contract's order. Pure.

use prost::{
    Message as _,
    bytes::{Buf, Bytes},
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use prost_types::{
    FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use std::{collections::HashMap, sync::OnceLock};

/// Groups within groups that are opened. The contract has four.
const DEPTH_MAX: usize = 8;

/// A value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(serde_json::Number),
    Flag(bool),
    Bytes(Bytes),
    /// The fields that are set, in the contract's order.
    Group(Vec<(String, Value)>),
    List(Vec<Value>),
}

/// A body, opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Body {
    /// The kind of detail: `allergy`, `medication` ...; empty if there is none.
    pub(crate) kind: String,
    /// Its fields.
    pub(crate) fields: Vec<(String, Value)>,
    /// Free text, verbatim.
    pub(crate) narrative: String,
    /// The source's own resource, untouched.
    pub(crate) original: Bytes,
    /// Its media type.
    pub(crate) original_media_type: String,
    /// Whether something in the body is not understood here: a newer contract, or not the contract at all.
    pub(crate) not_understood: bool,
}

/// Opens a body.
pub(crate) fn open(body: &Bytes) -> Body {
    let schema = schema();
    let mut opened = Body::default();
    let Some(fields) = schema.read(".severn.v1.EntryBody", body.clone(), DEPTH_MAX, &mut opened.not_understood) else {
        opened.not_understood = true;
        return opened;
    };
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("narrative", Value::Text(text)) => opened.narrative = text,
            ("original", Value::Bytes(bytes)) => opened.original = bytes,
            ("original_media_type", Value::Text(text)) => opened.original_media_type = text,
            (_, Value::Group(fields)) => (opened.kind, opened.fields) = (name, fields),
            _ => opened.not_understood = true,
        }
    }
    opened
}

struct Schema {
    messages: HashMap<String, HashMap<u32, Field>>,
    enums: HashMap<String, HashMap<i32, String>>,
}

struct Field {
    place: usize,
    name: String,
    kind: Type,
    type_name: String,
    repeated: bool,
}

fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let files = FileDescriptorSet::decode(severn_proto::DESCRIPTORS).unwrap_or_default().file;
        let mut schema = Schema { messages: HashMap::new(), enums: HashMap::new() };
        for file in files {
            let package = format!(".{}", file.package());
            for message in &file.message_type {
                let path = format!("{package}.{}", message.name());
                let fields =
                    message.field.iter().enumerate().map(|(place, f)| (f.number().unsigned_abs(), field(place, f)));
                schema.messages.insert(path.clone(), fields.collect());
                for inner in &message.enum_type {
                    schema.enums.insert(format!("{path}.{}", inner.name()), words(inner));
                }
            }
            for top in &file.enum_type {
                schema.enums.insert(format!("{package}.{}", top.name()), words(top));
            }
        }
        schema
    })
}

fn field(place: usize, descriptor: &FieldDescriptorProto) -> Field {
    Field {
        place,
        name: descriptor.name().to_owned(),
        kind: descriptor.r#type(),
        type_name: descriptor.type_name().to_owned(),
        repeated: descriptor.label() == Label::Repeated,
    }
}

/// The words of an enum, without the prefix that all its values share: `female` for `SEX_FEMALE`.
fn words(descriptor: &prost_types::EnumDescriptorProto) -> HashMap<i32, String> {
    let zero = descriptor.value.iter().find(|value| value.number() == 0).map(|value| value.name()).unwrap_or_default();
    let prefix = zero.strip_suffix("UNSPECIFIED").unwrap_or_default();
    let word = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase();
    descriptor.value.iter().map(|value| (value.number(), word(value.name()))).collect()
}

impl Schema {
    /// The fields of a message; `None` if the bytes are no such message.
    fn read(
        &self,
        message: &str,
        mut bytes: Bytes,
        depth: usize,
        not_understood: &mut bool,
    ) -> Option<Vec<(String, Value)>> {
        let known = self.messages.get(message).filter(|_| depth > 0)?;
        let mut found: Vec<(usize, &str, Value)> = Vec::new();
        while bytes.has_remaining() {
            let (number, wire) = decode_key(&mut bytes).ok()?;
            let Some(field) = known.get(&number) else {
                *not_understood = true;
                skip_field(wire, number, &mut bytes, DecodeContext::default()).ok()?;
                continue;
            };
            let value = self.value(field, wire, &mut bytes, (depth, not_understood))?;
            let before = found.iter_mut().find(|(place, ..)| *place == field.place);
            match (before, field.repeated) {
                (Some((_, _, Value::List(list))), true) => list.push(value),
                // As every reader of protobuf does: the last one counts.
                (Some((_, _, slot)), _) => *slot = value,
                (None, true) => found.push((field.place, &field.name, Value::List(vec![value]))),
                (None, false) => found.push((field.place, &field.name, value)),
            }
        }
        found.sort_by_key(|(place, ..)| *place);
        Some(found.into_iter().map(|(_, name, value)| (name.to_owned(), value)).collect())
    }

    fn value(
        &self,
        field: &Field,
        wire: WireType,
        bytes: &mut Bytes,
        (depth, not_understood): (usize, &mut bool),
    ) -> Option<Value> {
        match (field.kind, wire) {
            (Type::String, WireType::LengthDelimited) => String::from_utf8(take(bytes)?.to_vec()).ok().map(Value::Text),
            (Type::Bytes, WireType::LengthDelimited) => Some(Value::Bytes(take(bytes)?)),
            (Type::Message, WireType::LengthDelimited) => {
                let inner = take(bytes)?;
                self.read(&field.type_name, inner, depth - 1, not_understood).map(Value::Group)
            }
            (Type::Double, WireType::SixtyFourBit) => {
                let number = bytes.try_get_f64_le().ok()?;
                let not_finite = || Value::Text(number.to_string());
                Some(serde_json::Number::from_f64(number).map_or_else(not_finite, Value::Number))
            }
            (Type::Bool, WireType::Varint) => decode_varint(bytes).ok().map(|n| Value::Flag(n != 0)),
            (Type::Uint32 | Type::Uint64, WireType::Varint) => {
                decode_varint(bytes).ok().map(|n| Value::Number(n.into()))
            }
            (Type::Enum, WireType::Varint) => {
                // Enum values travel as sign-extended 32-bit numbers.
                let number = decode_varint(bytes).ok()? as i32;
                let word = self.enums.get(&field.type_name).and_then(|words| words.get(&number));
                Some(word.map_or_else(|| Value::Number(number.into()), |word| Value::Text(word.clone())))
            }
            _ => None,
        }
    }
}

fn take(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    (length <= bytes.remaining()).then(|| bytes.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::{
        AllergyDetail, Coding, Component, Demographics, DemographicsDetail, EntryBody, InvestigationDetail, Quantity,
        Reaction, Sex, entry_body::Detail,
    };

    fn opened(detail: Detail) -> Body {
        let body = EntryBody { detail: Some(detail), narrative: "as told".into(), ..EntryBody::default() };
        open(&body.encode_to_vec().into())
    }

    fn text(value: &str) -> Value {
        Value::Text(value.into())
    }

    #[test]
    fn every_field_comes_with_its_name() {
        let reactions = ["rash", "wheeze"].map(|m| Reaction { manifestation: m.into(), ..Reaction::default() });
        let allergy =
            AllergyDetail { certainty: "confirmed".into(), reactions: reactions.into(), ..Default::default() };
        let body = opened(Detail::Allergy(allergy));
        assert_eq!((body.kind.as_str(), body.narrative.as_str(), body.not_understood), ("allergy", "as told", false));
        let reaction = |m| Value::Group(vec![("manifestation".into(), text(m))]);
        let expected = vec![
            ("certainty".into(), text("confirmed")),
            ("reactions".into(), Value::List(vec![reaction("rash"), reaction("wheeze")])),
        ];
        assert_eq!(body.fields, expected);
    }

    #[test]
    fn numbers_enums_and_groups_are_read() {
        let value = Quantity { text: "1.10".into(), value: Some(1.1), unit: "mg".into(), unit_code: String::new() };
        let code = Coding { display: "Sodium".into(), ..Coding::default() };
        let part = Component { code: Some(code), value: Some(value), value_text: String::new() };
        let panel = InvestigationDetail { components: vec![part], ..InvestigationDetail::default() };
        let Value::List(parts) = &opened(Detail::Investigation(panel)).fields[0].1 else { panic!("no list") };
        let Value::Group(part) = &parts[0] else { panic!("no group") };
        assert_eq!(part[0], ("code".into(), Value::Group(vec![("display".into(), text("Sodium"))])));
        let number = Value::Number(serde_json::Number::from_f64(1.1).unwrap());
        let quantity = [("text", text("1.10")), ("value", number), ("unit", text("mg"))].map(|(n, v)| (n.into(), v));
        assert_eq!(part[1], ("value".into(), Value::Group(quantity.into())));

        let person = Demographics { sex: Sex::Female.into(), deceased: true, ..Demographics::default() };
        let detail = DemographicsDetail { demographics: Some(person) };
        let Value::Group(fields) = opened(Detail::Demographics(detail)).fields.remove(0).1 else { panic!("no group") };
        assert_eq!(fields, [("sex".into(), text("female")), ("deceased".into(), Value::Flag(true))]);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert!(!open(&Bytes::new()).not_understood);
        // Field 2000, a string; then bytes that are no message; then a length beyond the end.
        for bytes in [&[0x82, 0x7d, 1, b'x'][..], &[0xff, 0xff], &[0x12, 0x7f, 1]] {
            assert!(open(&Bytes::copy_from_slice(bytes)).not_understood, "{bytes:?}");
        }
    }
}
