//! JSON as the source wrote it: numbers keep their digits, nothing is rounded, and whatever is not there reads as
//! empty. No FHIR lives here.

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt};

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 32;

/// A JSON value. Numbers are kept as text.
#[derive(Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`, or a member that is not there.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Map(BTreeMap<String, Json>),
}

/// Why a text could not be read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or an object with one name twice.
    #[error("it is not valid JSON, or names a member twice")]
    Invalid,
    /// Nested deeper than 32.
    #[error("it is nested deeper than 32 levels")]
    TooDeep,
}

static NULL: Json = Json::Null;

impl Json {
    /// Reads a text.
    ///
    /// # Errors
    /// [`JsonError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Json, JsonError> {
        read(text, 0)
    }

    /// The member `key`; [`Json::Null`] where there is none. Of a list, the member of its first element.
    pub fn at(&self, key: &str) -> &Json {
        match self {
            Json::Map(members) => members.get(key).unwrap_or(&NULL),
            Json::List(items) => items.first().map_or(&NULL, |first| first.at(key)),
            _ => &NULL,
        }
    }

    /// The text, the number's digits, or `true` and `false`; empty for anything else.
    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) | Json::Number(text) => text,
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            _ => "",
        }
    }

    /// The elements of a list. A value that should have been a list counts as a list of one.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::Null => &[],
            Json::List(items) => items,
            one => std::slice::from_ref(one),
        }
    }

    /// The first element of a list; [`Json::Null`] where there is none.
    pub fn first(&self) -> &Json {
        self.items().first().unwrap_or(&NULL)
    }

    /// Whether there is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// Whether it is `true`.
    pub fn is_true(&self) -> bool {
        matches!(self, Json::Bool(true)) || matches!(self, Json::Text(text) if text == "true")
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(…)")
    }
}

// Level by level over raw slices: serde_json scans a raw value without recursion, so that nesting is bounded here and
// nowhere else, and a number's text is the source's own.
fn read(text: &str, depth: usize) -> Result<Json, JsonError> {
    if depth >= DEPTH_MAX {
        return Err(JsonError::TooDeep);
    }
    let text = text.trim_ascii();
    match text.as_bytes().first() {
        Some(b'{') => {
            let members = parse_with::<Members<'_>>(text)?;
            members
                .0
                .into_iter()
                .map(|(key, raw)| Ok((key, read(raw.get(), depth + 1)?)))
                .collect::<Result<_, _>>()
                .map(Json::Map)
        }
        Some(b'[') => {
            let items = parse_with::<Vec<&RawValue>>(text)?;
            items.into_iter().map(|raw| read(raw.get(), depth + 1)).collect::<Result<_, _>>().map(Json::List)
        }
        Some(b'"') => parse_with(text).map(Json::Text),
        Some(b't' | b'f') => parse_with(text).map(Json::Bool),
        Some(b'n') => parse_with::<()>(text).map(|()| Json::Null),
        Some(b'-' | b'0'..=b'9') => parse_with::<&RawValue>(text).map(|raw| Json::Number(raw.get().to_owned())),
        _ => Err(JsonError::Invalid),
    }
}

fn parse_with<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(|_| JsonError::Invalid)
}

/// The members of one object, each name once: a second one could mean that another reader sees another value.
pub(crate) struct Members<'a>(pub(crate) BTreeMap<String, &'a RawValue>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom("a member twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_the_absent_reads_as_empty() {
        let json = Json::parse(r#"{"a": [{"b": 1.10}], "c": "x", "d": {"e": true}, "f": -1e5}"#).unwrap();
        assert_eq!(json.at("a").first().at("b").text(), "1.10");
        assert_eq!(json.at("f").text(), "-1e5");
        assert_eq!(json.at("a").at("b").text(), "1.10");
        assert_eq!(json.at("c").items().len(), 1);
        assert_eq!(json.at("no").at("such").text(), "");
        assert!(json.at("d").at("e").is_true());
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        assert_eq!(Json::parse(r#"{"a": 1, "a": 2}"#), Err(JsonError::Invalid));
        assert_eq!(Json::parse(r#"{"a": 1} x"#), Err(JsonError::Invalid));
        assert_eq!(Json::parse(r#"{"a": 01}"#), Err(JsonError::Invalid));
        assert_eq!(Json::parse(r#"{"a": nul}"#), Err(JsonError::Invalid));
        assert_eq!(Json::parse(r#""\ud800""#), Err(JsonError::Invalid));
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(Json::parse(&deep), Err(JsonError::TooDeep));
        let bottomless = "[".repeat(100_000);
        assert_eq!(Json::parse(&bottomless), Err(JsonError::Invalid));
    }
}
