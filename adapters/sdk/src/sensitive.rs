//! Labels that spread: an entry that gives a sensitive condition away gets its label, though nobody in the source gave it
//! one. Whoever may not see that somebody has HIV must not read it off the medicines, the clinic or a letter's title.
//!
//! **Invariant:** labels are only added. Allergies and alerts keep the labels their source gave them: who treats in an
//! emergency must see them.

use crate::source::{Document, Finding, Reading, Source, SourceError};
use aho_corasick::{AhoCorasick, MatchKind};
use futures::stream::BoxStream;
use serde::Deserialize;
use severn_proto::v1::{Dataset, Entry, Registration, SensitivityLabel};
use severn_trust::label_from_word;
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

/// Words of one table.
const WORDS_MAX: usize = 10_000;
/// Letters of the shortest word; a shorter one would be found everywhere.
const WORD_CHARS_MIN: usize = 3;

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is no TOML of this shape.
    #[error("not a table of groups with a label, words and codes: {0}")]
    Shape(#[from] toml::de::Error),
    /// A group is wrong.
    #[error("group {0}: {1}")]
    Group(usize, String),
    /// The words cannot be searched for.
    #[error("its words cannot be searched for: {0}")]
    Words(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    label: String,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    codes: Vec<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    system: String,
    code: String,
}

/// Which words and codes give which label away.
pub struct Sensitive {
    words: AhoCorasick,
    /// For each word: the label, and whether more letters may follow.
    labels: Vec<(SensitivityLabel, bool)>,
    codes: HashMap<(String, String), SensitivityLabel>,
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sensitive({} words, {} codes)", self.labels.len(), self.codes.len())
    }
}

impl Sensitive {
    /// The table that is built in.
    ///
    /// # Errors
    /// [`TableError`]; a test reads it.
    pub fn built_in() -> Result<Sensitive, TableError> {
        Sensitive::read(include_str!("../data/sensitive.toml"))
    }

    /// Reads a table: groups of a `label`, `words` and `codes` (`system`, `code`).
    ///
    /// # Errors
    /// [`TableError`] says which group is wrong and why.
    pub fn read(text: &str) -> Result<Sensitive, TableError> {
        let written: Written = toml::from_str(text)?;
        let (mut words, mut labels, mut codes) = (Vec::new(), Vec::new(), HashMap::new());
        for (at, group) in written.group.into_iter().enumerate() {
            let wrong = |why: String| TableError::Group(at + 1, why);
            let label = label_from_word(&group.label).filter(|label| *label != SensitivityLabel::Normal);
            let label = label.ok_or_else(|| wrong(format!("{:?} is no sensitivity label", group.label)))?;
            for word in group.words {
                let (word, open) = word.strip_suffix('*').map_or((word.as_str(), false), |stem| (stem, true));
                if word.chars().filter(|c| c.is_alphanumeric()).count() < WORD_CHARS_MIN {
                    return Err(wrong(format!("the word {word:?} is shorter than {WORD_CHARS_MIN} letters")));
                }
                words.push(word.to_owned());
                labels.push((label, open));
            }
            codes.extend(group.codes.into_iter().map(|code| ((code.system, code.code), label)));
        }
        if words.len() > WORDS_MAX {
            return Err(TableError::Words(format!("more than {WORDS_MAX}")));
        }
        let mut searched = AhoCorasick::builder();
        let searched = searched.ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(&words);
        Ok(Sensitive { words: searched.map_err(|error| TableError::Words(error.to_string()))?, labels, codes })
    }

    /// Adds to an entry the labels of what it gives away.
    pub fn label(&self, entry: &mut Entry) {
        let Some(head) = &entry.head else { return };
        if matches!(head.dataset(), Dataset::Allergies | Dataset::Alerts) {
            return;
        }
        let mut found = BTreeSet::new();
        for coding in &head.codings {
            self.find(coding.display.as_bytes(), &mut found);
            found.extend(self.codes.get(&(coding.system.clone(), coding.code.clone())));
        }
        self.find(head.text.as_bytes(), &mut found);
        head.distinguishing.iter().for_each(|field| self.find(field.value.as_bytes(), &mut found));
        // Texts stand in a serialised body as they are, parted by bytes that are no letters.
        self.find(&entry.body, &mut found);
        let Some(head) = &mut entry.head else { return };
        for label in found {
            if !head.labels.contains(&label.into()) {
                head.labels.push(label.into());
            }
        }
    }

    fn find(&self, text: &[u8], found: &mut BTreeSet<SensitivityLabel>) {
        let letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
        for hit in self.words.find_overlapping_iter(text) {
            let (label, open) = self.labels[hit.pattern().as_usize()];
            let begins = hit.start() == 0 || !letter(text.get(hit.start() - 1));
            if begins && (open || !letter(text.get(hit.end()))) {
                found.insert(label);
            }
        }
    }
}

/// A source whose entries are labelled when they are read.
pub struct Labelled {
    source: Arc<dyn Source>,
    table: Sensitive,
}

impl Labelled {
    /// Labels what `source` reads by `table`.
    pub fn around(source: Arc<dyn Source>, table: Sensitive) -> Arc<Labelled> {
        Arc::new(Labelled { source, table })
    }
}

#[tonic::async_trait]
impl Source for Labelled {
    fn datasets(&self) -> Vec<Dataset> {
        self.source.datasets()
    }

    async fn registrations(&self) -> Result<BoxStream<'static, Result<Registration, SourceError>>, SourceError> {
        self.source.registrations().await
    }

    async fn registration(&self, local_id: &str) -> Result<Option<Registration>, SourceError> {
        self.source.registration(local_id).await
    }

    async fn read(&self, local_id: &str, datasets: &[Dataset], budget: Duration) -> Result<Vec<Reading>, SourceError> {
        let mut readings = self.source.read(local_id, datasets, budget).await?;
        readings.iter_mut().flat_map(|reading| &mut reading.entries).for_each(|entry| self.table.label(entry));
        Ok(readings)
    }

    async fn document(&self, local_id: &str, entry_id: &str) -> Result<Option<Document>, SourceError> {
        self.source.document(local_id, entry_id).await
    }

    async fn check(&self) -> Vec<Finding> {
        self.source.check().await
    }

    async fn changed(&self, every: Duration) {
        self.source.changed(every).await;
    }
}

#[cfg(test)]
mod tests;
