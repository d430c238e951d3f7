//! Writes messages of the contract straight into bytes, without making them first: fields in the order of their
//! numbers and nothing for an empty value, as every protobuf library writes them.

use prost::encoding::{WireType, encode_varint, encoded_len_varint, key_len};

/// A text; none if it is empty.
pub(super) fn text(out: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        bytes(out, field, text.as_bytes());
    }
}

/// A number or an enum's value; none if it is zero.
pub(super) fn number(out: &mut Vec<u8>, field: u32, number: u64) {
    if number != 0 {
        key(out, field, WireType::Varint);
        varint(out, number);
    }
}

/// A message that is serialised already, or one of several texts.
pub(super) fn bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    open(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// The beginning of a message of `length` bytes, which follow.
pub(super) fn open(out: &mut Vec<u8>, field: u32, length: usize) {
    key(out, field, WireType::LengthDelimited);
    varint(out, length as u64);
}

fn key(out: &mut Vec<u8>, field: u32, wire_type: WireType) {
    varint(out, u64::from(field << 3 | wire_type as u32));
}

/// Most numbers take one byte.
fn varint(out: &mut Vec<u8>, number: u64) {
    match number {
        0..0x80 => out.push(number as u8),
        _ => encode_varint(number, out),
    }
}

/// Bytes that a field of `length` bytes takes, with its key.
pub(super) fn length_of(field: u32, length: usize) -> usize {
    key_len(field) + encoded_len_varint(length as u64) + length
}
