//! An entry's head as the rules see it: a view into the bytes that its source sent. The bytes themselves are passed on as
//! they came, so what is read here must be what a reader's program will read: the walk takes nothing that a protobuf
//! decoder would refuse, and where a field comes twice it does as decoders do. One entry that cannot be read is refused
//! alone; passed on, it would make the whole answer unreadable.

use severn_proto::v1::{Assertion, EntryStatus};
use smallvec::{Array, SmallVec};

/// Codings, labels, distinguishing fields and origin identifiers of an entry: each at most this many.
pub(super) const LIST_MAX: usize = 64;

/// The bytes are not those of an entry, or it has more than [`LIST_MAX`] labels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// All of an entry's head that the rules read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head<'e> {
    pub(super) entry_id: &'e str,
    pub(super) dataset: i32,
    pub(super) codings: SmallVec<[Coding<'e>; 2]>,
    pub(super) text: &'e str,
    pub(super) assertion: i32,
    pub(super) status: i32,
    pub(super) status_verbatim: &'e str,
    pub(super) effective_start: &'e str,
    pub(super) effective_end: &'e str,
    pub(super) recorded: &'e str,
    pub(super) last_changed: &'e str,
    pub(super) labels: SmallVec<[i32; 4]>,
    pub(super) distinguishing: SmallVec<[Field<'e>; 4]>,
    pub(super) provenance: Option<Provenance<'e>>,
    pub(super) origins: SmallVec<[Origin<'e>; 1]>,
    /// Whether it is shown as text only (CHECK-3): then it says too little to be the same as another.
    pub(super) as_text: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coding<'e> {
    pub(super) system: &'e str,
    pub(super) code: &'e str,
    pub(super) display: &'e str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field<'e> {
    pub(super) name: &'e str,
    pub(super) value: &'e str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin<'e> {
    pub(super) system: &'e str,
    pub(super) value: &'e str,
    pub(super) organisation_ods: &'e str,
}

/// Of where an entry comes from the rules read who recorded it, by its code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Provenance<'e> {
    /// ODS code of the organisation that recorded it; empty if unknown.
    pub(super) organisation_ods: &'e str,
    /// Bytes of its longest text.
    pub(super) longest: usize,
    /// When the adapter read the entry: milliseconds since 1970.
    pub(super) retrieved_at_ms: i64,
}

impl Head<'_> {
    pub(super) fn status(&self) -> EntryStatus {
        EntryStatus::try_from(self.status).unwrap_or_default()
    }

    pub(super) fn assertion(&self) -> Assertion {
        Assertion::try_from(self.assertion).unwrap_or_default()
    }
}

/// What an entry has beside its head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Whether it has a head.
    pub(super) has_head: bool,
    /// Bytes of its body.
    pub(super) body_bytes: usize,
    /// Whether a list was longer than [`LIST_MAX`]; what was too much of it was not read.
    pub(super) overfull: bool,
}

/// Reads a serialised `Entry` into `head`, an empty one, where it lies: a head is too large to be moved about.
pub(super) fn read<'e>(head: &mut Head<'e>, entry: &'e [u8]) -> Result<Frame, Malformed> {
    let mut frame = Frame::default();
    for part in Walk(entry) {
        match part? {
            (1, value) => {
                frame.has_head = true;
                frame.overfull |= read_head(head, value.bytes()?)?;
            }
            (2, value) => frame.body_bytes = value.bytes()?.len(),
            _ => {}
        }
    }
    Ok(frame)
}

/// Whether a list was overfull.
fn read_head<'e>(head: &mut Head<'e>, bytes: &'e [u8]) -> Result<bool, Malformed> {
    let mut overfull = false;
    for part in Walk(bytes) {
        let (number, value) = part?;
        match number {
            1 => head.entry_id = value.text()?,
            2 => head.dataset = value.int32()?,
            3 => overfull |= !add(&mut head.codings, coding(value.bytes()?)?),
            4 => head.text = value.text()?,
            5 => head.assertion = value.int32()?,
            6 => head.status = value.int32()?,
            7 => head.status_verbatim = value.text()?,
            8 => head.effective_start = value.text()?,
            9 => head.effective_end = value.text()?,
            10 => head.recorded = value.text()?,
            11 => head.last_changed = value.text()?,
            12 => add_labels(&mut head.labels, value)?,
            13 => overfull |= !add(&mut head.distinguishing, field(value.bytes()?)?),
            14 => read_provenance(head.provenance.get_or_insert_default(), value.bytes()?)?,
            15 => overfull |= !add(&mut head.origins, origin(value.bytes()?)?),
            16 => drop(value.number()?),
            _ => {}
        }
    }
    Ok(overfull)
}

/// Adds to a list that has room.
fn add<A: Array>(list: &mut SmallVec<A>, item: A::Item) -> bool {
    let has_room = list.len() < LIST_MAX;
    if has_room {
        list.push(item);
    }
    has_room
}

/// Labels come packed from some programs and one by one from others.
fn add_labels(labels: &mut SmallVec<[i32; 4]>, value: Value<'_>) -> Result<(), Malformed> {
    match value {
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                add_label(labels, varint(&mut packed)? as i32)?;
            }
            Ok(())
        }
        one => add_label(labels, one.int32()?),
    }
}

/// A label that was not read might be one that withholds.
fn add_label(labels: &mut SmallVec<[i32; 4]>, label: i32) -> Result<(), Malformed> {
    add(labels, label).then_some(()).ok_or(Malformed)
}

fn coding(bytes: &[u8]) -> Result<Coding<'_>, Malformed> {
    let mut coding = Coding::default();
    for part in Walk(bytes) {
        match part? {
            (1, value) => coding.system = value.text()?,
            (2, value) => coding.code = value.text()?,
            (3, value) => coding.display = value.text()?,
            _ => {}
        }
    }
    Ok(coding)
}

fn field(bytes: &[u8]) -> Result<Field<'_>, Malformed> {
    let mut field = Field::default();
    for part in Walk(bytes) {
        match part? {
            (1, value) => field.name = value.text()?,
            (2, value) => field.value = value.text()?,
            _ => {}
        }
    }
    Ok(field)
}

fn origin(bytes: &[u8]) -> Result<Origin<'_>, Malformed> {
    let mut origin = Origin::default();
    for part in Walk(bytes) {
        match part? {
            (1, value) => origin.system = value.text()?,
            (2, value) => origin.value = value.text()?,
            (3, value) => origin.organisation_ods = value.text()?,
            _ => {}
        }
    }
    Ok(origin)
}

fn read_provenance<'e>(provenance: &mut Provenance<'e>, bytes: &'e [u8]) -> Result<(), Malformed> {
    for part in Walk(bytes) {
        match part? {
            (2, value) => {
                provenance.organisation_ods = value.text()?;
                provenance.longest = provenance.longest.max(provenance.organisation_ods.len());
            }
            (1 | 3..=7 | 9, value) => provenance.longest = provenance.longest.max(value.length_of_text()?),
            (8, value) => provenance.retrieved_at_ms = value.number()? as i64,
            _ => {}
        }
    }
    Ok(())
}

/// The fields of one message, one after the other.
struct Walk<'e>(&'e [u8]);

/// What a field holds, by its wire type.
enum Value<'e> {
    Number(u64),
    Bytes(&'e [u8]),
    /// Four or eight bytes, which nothing in an entry is.
    Fixed,
}

impl<'e> Iterator for Walk<'e> {
    type Item = Result<(u32, Value<'e>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match *self.0 {
            [] => None,
            // Most fields: a text or message of less than 128 bytes, with a number below 16.
            [key @ 8..0x80, length @ 0..0x80, ref rest @ ..] if key & 7 == 2 => {
                let Some((value, rest)) = rest.split_at_checked(usize::from(length)) else {
                    return Some(Err(Malformed));
                };
                self.0 = rest;
                Some(Ok((u32::from(key >> 3), Value::Bytes(value))))
            }
            _ => Some(self.step()),
        }
    }
}

impl<'e> Walk<'e> {
    fn step(&mut self) -> Result<(u32, Value<'e>), Malformed> {
        let key = u32::try_from(varint(&mut self.0)?).map_err(|_| Malformed)?;
        let number = key >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            // Groups are of another age; no entry has any.
            _ => return Err(Malformed),
        };
        Ok((number, value))
    }

    fn take(&mut self, length: usize) -> Result<&'e [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'e> Value<'e> {
    fn bytes(self) -> Result<&'e [u8], Malformed> {
        if let Value::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed) }
    }

    /// The length of a text that nobody reads here: plain letters need no decoding.
    fn length_of_text(self) -> Result<usize, Malformed> {
        let bytes = self.bytes()?;
        if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() { Ok(bytes.len()) } else { Err(Malformed) }
    }

    fn text(self) -> Result<&'e str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    fn number(self) -> Result<u64, Malformed> {
        if let Value::Number(number) = self { Ok(number) } else { Err(Malformed) }
    }

    /// Of a longer number the low 32 bits, as decoders have it.
    fn int32(self) -> Result<i32, Malformed> {
        Ok(self.number()? as i32)
    }
}

/// A number of at most 64 bits, seven to a byte.
#[inline]
fn varint(from: &mut &[u8]) -> Result<u64, Malformed> {
    match **from {
        [byte @ 0..0x80, ref rest @ ..] => {
            *from = rest;
            Ok(byte.into())
        }
        _ => long_varint(from),
    }
}

fn long_varint(from: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for (at, byte) in from.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            // Of the tenth byte there is room for one bit.
            if at == 9 && *byte > 1 {
                return Err(Malformed);
            }
            *from = &from[at + 1..];
            return Ok(number);
        }
    }
    Err(Malformed)
}
