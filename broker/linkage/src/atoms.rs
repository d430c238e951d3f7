//! The words of names and streets, each kept once, with what comparing needs worked out in advance.

use crate::names::{GROUPS_MAX, groups_of, root_of};
use crate::normalise::hash_bytes;
use crate::similarity::soundex;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Number of a word in [`Atoms`]; zero is "missing".
pub(crate) type AtomId = u32;

/// Ids from here on belong to a [`Layer`] over the shared words: those of an identity that is only asked about.
const LAYER_START: AtomId = 1 << 31;

/// What is known of one word or words ("MARY", "SMITH JONES").
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Atom {
    /// Hash of the letters without gaps: "SMITH JONES" and "SMITHJONES" are one. Zero only for the missing word.
    pub whole: u64,
    /// Hash of the spelling that stands for all spellings of this name.
    pub root: u64,
    start: u32,
    length: u16,
    /// Soundex of the root.
    pub sound: u16,
    /// Groups of familiar forms.
    groups: [u16; GROUPS_MAX],
    /// Hash of the first letter alone, if the word is longer than that, else zero.
    pub initial: u8,
}

impl Atom {
    /// Whether both are familiar forms of one name.
    pub fn is_nickname_of(&self, other: &Self) -> bool {
        self.groups[0] != 0 && self.groups.iter().any(|group| *group != 0 && other.groups.contains(group))
    }

    /// Whether the word is one letter.
    pub const fn is_initial(&self) -> bool {
        self.length == 1
    }
}

/// All words, by number. Words are never taken out: a population's vocabulary is small and soon complete.
#[derive(Serialize, Deserialize)]
pub(crate) struct Atoms {
    atoms: Vec<Atom>,
    text: Vec<u8>,
    /// Follows from the rest.
    #[serde(skip)]
    ids: FxHashMap<u64, AtomId>,
}

const WORD_SEED: u64 = 5;

impl Atoms {
    pub fn new() -> Self {
        Self { atoms: vec![Atom::default()], text: Vec::new(), ids: FxHashMap::default() }
    }

    /// The word's number, given out now if it is new.
    pub fn intern(&mut self, word: &str) -> AtomId {
        if word.is_empty() {
            return 0;
        }
        let next = self.atoms.len() as AtomId;
        let id = *self.ids.entry(hash_bytes(word.as_bytes(), WORD_SEED)).or_insert(next);
        if id == next {
            let atom = describe(word, self.text.len());
            self.text.extend_from_slice(word.as_bytes());
            self.atoms.push(atom);
        }
        id
    }

    /// Finds all words again, where they were read without that.
    pub fn index(&mut self) {
        let Self { atoms, text, ids } = self;
        let word = |atom: &Atom| &text[atom.start as usize..][..usize::from(atom.length)];
        *ids = (1..).zip(atoms.iter().skip(1)).map(|(id, atom)| (hash_bytes(word(atom), WORD_SEED), id)).collect();
    }

    fn find(&self, word: &str) -> Option<AtomId> {
        if word.is_empty() { Some(0) } else { self.ids.get(&hash_bytes(word.as_bytes(), WORD_SEED)).copied() }
    }

    pub fn get(&self, id: AtomId) -> &Atom {
        &self.atoms[id as usize]
    }

    pub fn text(&self, atom: &Atom) -> &[u8] {
        let start = atom.start as usize;
        &self.text[start..start + usize::from(atom.length)]
    }

    /// Numbers given out, the missing word's among them.
    pub const fn count(&self) -> usize {
        self.atoms.len()
    }

    /// The letters of a word.
    pub fn word(&self, id: AtomId) -> String {
        String::from_utf8_lossy(self.text(self.get(id))).into_owned()
    }

    /// Bytes held, for the accounts of a population.
    pub fn bytes(&self) -> usize {
        self.atoms.capacity() * size_of::<Atom>() + self.text.capacity() + self.ids.capacity() * 17
    }
}

fn describe(word: &str, start: usize) -> Atom {
    let joined: String = word.chars().filter(|letter| *letter != ' ').collect();
    let root = root_of(&joined);
    Atom {
        whole: hash_bytes(joined.as_bytes(), WORD_SEED).max(1),
        root: hash_bytes(root.as_bytes(), WORD_SEED).max(1),
        start: start as u32,
        length: word.len() as u16,
        sound: soundex(root.as_bytes()),
        groups: groups_of(&joined),
        initial: joined.as_bytes().first().copied().unwrap_or_default(),
    }
}

/// The hash by which a model file knows a word.
pub(crate) fn hash_of_word(word: &str) -> u64 {
    let joined: String = word.chars().filter(|letter| *letter != ' ').collect();
    hash_bytes(joined.as_bytes(), WORD_SEED).max(1)
}

/// A few words over the shared ones, so that asking about an identity changes nothing.
pub(crate) struct Layer<'a> {
    base: &'a Atoms,
    own: Atoms,
}

impl<'a> Layer<'a> {
    pub fn over(base: &'a Atoms) -> Self {
        Self { base, own: Atoms::new() }
    }

    pub fn intern(&mut self, word: &str) -> AtomId {
        self.base.find(word).unwrap_or_else(|| self.own.intern(word) | LAYER_START)
    }

    pub fn finish(self) -> Atoms {
        self.own
    }
}

/// Where the words of a registration are found.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The shared words.
    pub base: &'a Atoms,
    /// The words of an identity that is only asked about, if it is one.
    pub layer: Option<&'a Atoms>,
}

impl<'a> Words<'a> {
    fn home(&self, id: AtomId) -> (&'a Atoms, AtomId) {
        match self.layer {
            Some(layer) if id >= LAYER_START => (layer, id & !LAYER_START),
            _ => (self.base, id),
        }
    }

    pub fn get(&self, id: AtomId) -> Word<'a> {
        let (atoms, id) = self.home(id);
        let atom = atoms.get(id);
        Word { atom, text: atoms.text(atom) }
    }
}

/// One word, looked up.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    /// What is known of it.
    pub atom: &'a Atom,
    /// Its letters, parts separated by single gaps.
    pub text: &'a [u8],
}

impl<'a> Word<'a> {
    /// The parts of a name such as SMITH JONES that could stand alone.
    pub fn parts(&self) -> impl Iterator<Item = &'a [u8]> {
        self.text.split(|byte| *byte == b' ').filter(|part| part.len() > 2)
    }

    pub fn has_parts(&self) -> bool {
        self.text.contains(&b' ')
    }
}
