//! Registrations understood on several threads, each at a desk of its own with its own words.
//!
//! **Invariant.** They come into the population in the order of their rows, and words are numbered there: what comes of
//! it does not depend on which desk understood what.

use super::Population;
use crate::atoms::{AtomId, Atoms};
use crate::identity::Identity;
use crate::record::{Former, NameIds, PlaceIds, Reader, Record};

/// Where one thread understands registrations.
pub(crate) struct Desk {
    words: Atoms,
    reader: Reader,
    /// Words that were handed over already.
    told: usize,
}

/// Registrations as a desk understood them, in order, and the words that it had not met before.
#[derive(Default)]
pub(crate) struct Understood {
    rows: Vec<(Record, Option<Former>)>,
    words: Vec<String>,
}

impl Desk {
    pub fn new() -> Self {
        Self { words: Atoms::new(), reader: Reader::default(), told: 1 }
    }

    /// Understands one more registration.
    pub fn read(&mut self, identity: &Identity<'_>, into: &mut Understood) {
        into.rows.push(self.reader.read(identity, &mut self.words));
        let told = self.told as AtomId..self.words.count() as AtomId;
        into.words.extend(told.map(|id| self.words.word(id)));
        self.told = self.words.count();
    }
}

/// A desk's words as the population numbers them.
pub(crate) struct Dictionary {
    words: Vec<String>,
    /// Zero until a word is needed.
    ids: Vec<AtomId>,
}

impl Dictionary {
    pub fn new() -> Self {
        // Zero is the missing word at every desk.
        Self { words: vec![String::new()], ids: vec![0] }
    }

    fn translate(&mut self, id: &mut AtomId, into: &mut Atoms) {
        let own = &mut self.ids[*id as usize];
        if *own == 0 {
            *own = into.intern(&self.words[*id as usize]);
        }
        *id = *own;
    }

    fn translate_name(&mut self, name: &mut NameIds, into: &mut Atoms) {
        for id in [&mut name.given, &mut name.middle, &mut name.family] {
            self.translate(id, into);
        }
    }

    fn translate_place(&mut self, place: &mut PlaceIds, into: &mut Atoms) {
        self.translate(&mut place.street, into);
    }
}

impl Population {
    /// Puts registrations into rows from `first` on without making them findable ([`Population::index_bulk`]).
    pub(crate) fn insert_understood(&mut self, first: u32, understood: Understood, dictionary: &mut Dictionary) {
        dictionary.ids.resize(dictionary.ids.len() + understood.words.len(), 0);
        dictionary.words.extend(understood.words);
        for ((mut record, mut former), row) in understood.rows.into_iter().zip(first..) {
            dictionary.translate_name(&mut record.name, &mut self.atoms);
            dictionary.translate_place(&mut record.place, &mut self.atoms);
            if let Some(former) = &mut former {
                former.names.iter_mut().for_each(|name| dictionary.translate_name(name, &mut self.atoms));
                former.places.iter_mut().for_each(|place| dictionary.translate_place(place, &mut self.atoms));
            }
            self.put(row, record, former);
        }
    }
}
