//! Which medicines are one: by a table of codes in the shape of dm+d, and by what their words say of name, strength and
//! form. Of one substance (VTM) items find each other; only of one product (VMP) are they one (MEDICINE-2).
//!
//! **Invariant:** a brand or another spelling stands for a substance only where the table says so. Nothing is guessed.

mod words;

use super::{
    content::{self, Code},
    fold::fold,
    head::Head,
};
use foldhash::HashMap;
use std::{borrow::Cow, fmt::Write as _};
pub(super) use words::Strength;

/// The table that is used where no other is given: its head says what it is and whose.
const BUILT_IN: &str = include_str!("../data/medicines.csv");

/// Why a table of medicines cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct TableError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it, and what to write instead.
    pub fault: &'static str,
}

/// Codes of medicines, and the names under which their substances are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Medicines {
    by_code: HashMap<Box<str>, Row>,
    substances: HashMap<Box<str>, Box<str>>,
}

/// What a code stands for.
#[derive(Clone, Debug)]
struct Row {
    substance: Box<str>,
    /// The product, and all that must agree in two products that are one; none if the row leaves strength or form out.
    product: Option<(Product, Box<str>)>,
}

/// A medicine of one strength and form, comparable with others of its substance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Product {
    strength: Strength,
    form: &'static str,
}

impl Medicines {
    /// The table that is built in.
    pub(super) fn built_in() -> Medicines {
        // Every row of it is read by a test.
        Medicines::read(BUILT_IN).unwrap_or_default()
    }

    pub(super) const fn built_in_text() -> &'static str {
        BUILT_IN
    }

    /// Reads a table of rows `code,level,substance,strength,form,words`; lines that begin with `#` say what it is.
    pub(super) fn read(text: &str) -> Result<Medicines, TableError> {
        let mut medicines = Medicines::default();
        for (line, number) in text.lines().zip(1..) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                medicines.add(line).map_err(|fault| TableError { line: number, fault })?;
            }
        }
        if medicines.by_code.is_empty() {
            return Err(TableError { line: 1, fault: "the table has no rows; leave it out to use the one built in" });
        }
        Ok(medicines)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let cells: Vec<&str> = line.splitn(6, ',').map(str::trim).collect();
        let [code, level, substance, strength, form, words] = cells[..] else {
            return Err("write six cells: code,level,substance,strength,form,words");
        };
        if !(6..=18).contains(&code.len()) || !code.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err("code: write a dm+d identifier, 6 to 18 digits");
        }
        if !["VTM", "VMP", "AMP"].contains(&level) {
            return Err("level: write VTM, VMP or AMP");
        }
        if substance.is_empty() || words.is_empty() {
            return Err("substance, words: write both");
        }
        if level == "VTM" && !(strength.is_empty() && form.is_empty()) {
            return Err("strength, form: leave both empty for a VTM");
        }
        let substance = fold(substance);
        let without_maker = words.split(" (").next().unwrap_or_default();
        let folded = fold(without_maker);
        let worded = words::worded(&folded);
        let product = product(&fold(strength), &fold(form))?;
        if let (Some(Product { strength, .. }), Some(said)) = (product, worded.strength)
            && strength != said
        {
            return Err("strength: the words give another");
        }
        for name in [worded.name, &substance] {
            let known = self.substances.entry(name.into()).or_insert_with(|| (&*substance).into());
            if **known != *substance {
                return Err("substance: a row above gives these words, or this substance, to another substance");
            }
        }
        let product = product.map(|product| (product, product.key(&substance).into()));
        let row = Row { substance: (&*substance).into(), product };
        if self.by_code.insert(code.into(), row).is_some() {
            return Err("code: stands in a row above, too; leave one of them out");
        }
        Ok(())
    }

    /// What a code stands for, if the table lists it.
    fn of_code(&self, code: Code<'_>) -> Option<&Row> {
        code.snomed().and_then(|code| self.by_code.get(code))
    }

    /// What must agree in two medicines that are one product: of a listed code what it stands for, without a code what
    /// the words say. `None` if that is no product; a code then stands for itself.
    pub(super) fn product_key<'e>(&'e self, head: &'e Head<'_>) -> Option<Cow<'e, str>> {
        match content::key_code(head) {
            Some(code) => self.of_code(code)?.product.as_ref().map(|(_, key)| Cow::Borrowed(&**key)),
            None => {
                let words = content::words(head)?;
                let worded = words::worded(&words);
                let product = Product { strength: worded.strength?, form: worded.form? };
                Some(Cow::Owned(product.key(self.substance(worded.name))))
            }
        }
    }

    /// Strength and form of the medicine that an entry is about, by the same rule.
    pub(super) fn product(&self, head: &Head<'_>) -> Option<Product> {
        match content::key_code(head) {
            Some(code) => self.of_code(code)?.product.as_ref().map(|(product, _)| *product),
            None => {
                let words = content::words(head)?;
                let worded = words::worded(&words);
                Some(Product { strength: worded.strength?, form: worded.form? })
            }
        }
    }

    fn substance<'s>(&'s self, name: &'s str) -> &'s str {
        self.substances.get(name).map_or(name, |substance| substance)
    }

    /// The substance that a code stands for, if the table lists it.
    pub(super) fn substance_of(&self, code: Code<'_>) -> Option<&str> {
        self.of_code(code).map(|row| &*row.substance)
    }

    /// The substance that an entry's words name, or all of the words.
    pub(super) fn substance_said<'e>(&'e self, head: &'e Head<'_>) -> Option<Cow<'e, str>> {
        let words = content::words(head)?;
        let name = name_of(&words).len();
        Some(match (self.substances.get(&words[..name]), words) {
            (Some(substance), _) => Cow::Borrowed(substance),
            (None, Cow::Borrowed(words)) => Cow::Borrowed(&words[..name]),
            (None, Cow::Owned(mut words)) => {
                words.truncate(name);
                Cow::Owned(words)
            }
        })
    }
}

impl Product {
    fn key(&self, substance: &str) -> String {
        let Product { strength, form } = self;
        let mut key = format!("{substance}\n{form}");
        for (amount, unit) in strength {
            // Writing to a string cannot fail.
            let _ = write!(key, "\n{amount} {unit}");
        }
        key
    }

    /// How much of the substance is in it.
    pub(super) fn strength(&self) -> Strength {
        self.strength
    }

    /// What it is: "tablets", in the words of dm+d.
    pub(super) fn form(&self) -> &'static str {
        self.form
    }
}

/// What stands before strength and form. To find others by, what follows in brackets is left out: a maker, mostly.
fn name_of(words: &str) -> &str {
    let understood = |words| Some(words::worded(words)).filter(|read| read.strength.is_some() || read.form.is_some());
    let without_brackets = || words.split_once(" (").and_then(|(before, _)| understood(before));
    understood(words).or_else(without_brackets).map_or(words, |read| read.name)
}

/// A form in the words of dm+d, however it is written; other words as they stand.
pub(super) fn form(folded: Cow<'_, str>) -> Cow<'_, str> {
    words::form(&folded).map_or(folded, Cow::Borrowed)
}

/// A number with its unit that stands alone, comparable.
pub(super) fn amount(folded: &str) -> Option<Strength> {
    words::strength(folded)
}

/// Of folded cells; none if one of them is empty.
fn product(strength: &str, form: &str) -> Result<Option<Product>, &'static str> {
    if strength.is_empty() || form.is_empty() {
        return Ok(None);
    }
    let strength = words::strength(strength).ok_or("strength: write it as 40mg or 2.5mg/5ml, or leave it empty")?;
    let form = words::form(form).ok_or("form: write it as in dm+d, such as tablets, or leave it empty")?;
    Ok(Some(Product { strength, form }))
}
