//! What an allergy is to: its causative agent, whether a code names the finding ("Allergy to penicillin"), the substance
//! ("Penicillin") or words alone do ("H/O: penicillin allergy"). One agent is one allergy (ALLERGY-2).
//!
//! **Invariant:** a class and its member ("penicillin", "amoxicillin") are never one agent. Nothing is guessed: words that
//! are not of a known pattern name themselves.

use super::{
    content::{self, Code},
    fold::fold,
    head::Head,
};
use foldhash::HashMap;
use std::borrow::Cow;

const BUILT_IN: &str = include_str!("data/agents.csv");

/// How the words for an allergy begin, before its agent.
const BEFORE: [&str; 8] = [
    "allergy to ",
    "adverse reaction to ",
    "adverse reaction caused by ",
    "allergic reaction to ",
    "h/o: allergy to ",
    "history of allergy to ",
    "personal history of allergy to ",
    "[v]personal history of allergy to ",
];

/// How they begin where they also end in one of [`AFTER`], or not at all.
const HISTORY: [&str; 6] = ["", "h/o: ", "h/o ", "history of ", "personal history of ", "[v]personal history of "];

/// How they end, after the agent.
const AFTER: [&str; 2] = [" allergy", " adverse reaction"];

/// Codes and other words for agents.
#[derive(Clone, Debug, Default)]
pub(super) struct Agents {
    of_code: HashMap<&'static str, &'static str>,
    of_words: HashMap<Box<str>, &'static str>,
    class_of: HashMap<&'static str, &'static str>,
    classes: Vec<&'static str>,
}

impl Agents {
    /// The table that is built in.
    pub(super) fn built_in() -> Agents {
        let mut agents = Agents::default();
        for line in BUILT_IN.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&'static str> = line.splitn(4, ',').collect();
            let [code, agent, class, words] = cells[..] else { continue };
            if !code.is_empty() {
                agents.of_code.insert(code, agent);
            }
            agents.of_words.insert(bare(&fold(words)).into(), agent);
            if !class.is_empty() {
                agents.class_of.insert(agent, class);
                if !agents.classes.contains(&class) {
                    agents.classes.push(class);
                }
            }
        }
        agents
    }

    /// The agent that an entry names: by the code that names it, if that is listed, else by the words. `None` where a code
    /// that is not listed names it.
    pub(super) fn key<'e>(&'e self, head: &'e Head<'_>) -> Option<Cow<'e, str>> {
        match content::key_code(head) {
            Some(code) => self.coded(code).map(Cow::Borrowed),
            None => self.said(head),
        }
    }

    /// The agent that a code names, if it is listed.
    pub(super) fn coded(&self, code: Code<'_>) -> Option<&'static str> {
        code.snomed().and_then(|code| self.of_code.get(code).copied())
    }

    /// The agent that an entry's words name.
    pub(super) fn said<'e>(&'e self, head: &'e Head<'_>) -> Option<Cow<'e, str>> {
        let words = content::words(head)?;
        let agent = bare(&words);
        if let Some(agent) = self.of_words.get(agent) {
            return Some(Cow::Borrowed(agent));
        }
        Some(match words {
            Cow::Borrowed(words) => Cow::Borrowed(bare(words)),
            Cow::Owned(words) => match bare(&words).len() {
                length if length == words.len() => Cow::Owned(words),
                _ => Cow::Owned(bare(&words).to_owned()),
            },
        })
    }

    /// The classes to which others belong.
    pub(super) fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.classes.iter().copied()
    }

    /// The agent itself, if it is such a class.
    pub(super) fn class(&self, agent: &str) -> Option<&'static str> {
        self.classes().find(|class| *class == agent)
    }

    /// The class to which an agent belongs, if it is listed.
    pub(super) fn class_of(&self, agent: &str) -> Option<&'static str> {
        self.class_of.get(agent).copied()
    }
}

/// Folded words without what says only that it is an allergy.
fn bare(words: &str) -> &str {
    let agent = |agent: &&str| !agent.is_empty();
    if let Some(agent) = BEFORE.iter().find_map(|before| words.strip_prefix(before)).filter(agent) {
        return agent;
    }
    let without_end = AFTER.iter().find_map(|after| words.strip_suffix(after));
    let named = without_end.and_then(|rest| HISTORY.iter().rev().find_map(|before| rest.strip_prefix(before)));
    named.filter(agent).unwrap_or(words)
}
