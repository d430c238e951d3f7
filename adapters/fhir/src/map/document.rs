//! A document's bytes, where a resource carries them itself or a Binary beside it does. Nothing is fetched here.

use super::{
    bundle::{Pool, Resource},
    json::Json,
    results::attachment,
};
use base64::{DecodeError, Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use severn_adapter_sdk::source::Document;

/// The document that an entry lists, if its bytes are in the DocumentReference or in a Binary of the pool; `None` if
/// they are elsewhere or the resource lists no such document.
///
/// # Errors
/// The bytes are not base64.
pub fn document_here(resource: &Resource, entry_id: &str, pool: &Pool) -> Result<Option<Document>, DecodeError> {
    let Some(attachment) = attachment(resource, entry_id) else {
        return Ok(None);
    };
    let given = attachment.at("contentType").text();
    let title = title_of(resource, attachment);
    let inline = attachment.at("data").text();
    if !inline.is_empty() {
        return Ok(Some(Document { media_type: or_octets(given), title, bytes: decoded(inline)? }));
    }
    let Some(beside) = pool.get(attachment.at("url").text()).filter(|found| found.kind() == "Binary") else {
        return Ok(None);
    };
    let (media_type, bytes) = binary(beside.json())?;
    let media_type = or_octets(if given.is_empty() { &media_type } else { given });
    Ok(Some(Document { media_type, title, bytes }))
}

/// The media type and the bytes of a Binary.
pub(crate) fn binary(json: &Json) -> Result<(String, Bytes), DecodeError> {
    Ok((json.at("contentType").text().to_owned(), decoded(json.at("data").text())?))
}

/// A document's name for a reader.
pub(crate) fn title_of(resource: &Resource, attachment: &Json) -> String {
    let candidates = [attachment.at("title").text(), resource.json().at("description").text(), "Document"];
    candidates.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default().to_owned()
}

/// The media type, or that of any bytes where none is given.
pub(crate) fn or_octets(media_type: &str) -> String {
    if media_type.is_empty() { "application/octet-stream".to_owned() } else { media_type.to_owned() }
}

/// SHA-256 of a document's bytes: of those that are here, else as the resource gives it. Empty if it is not known, as
/// where the resource gives another hash: FHIR asks for SHA-1.
pub(crate) fn sha256_of(attachment: &Json, here: &[u8]) -> Vec<u8> {
    if !here.is_empty() {
        return severn_trust::sha256(&[here]).to_vec();
    }
    let given = decoded(attachment.at("hash").text()).unwrap_or_default();
    if given.len() == 32 { given.to_vec() } else { Vec::new() }
}

/// The bytes that base64 stands for.
pub(crate) fn decoded(data: &str) -> Result<Bytes, DecodeError> {
    let compact: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(compact).map(Bytes::from)
}
