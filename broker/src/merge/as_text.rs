//! An entry that breaks a rule but has words to show (CHECK-3): the broker writes it anew without what breaks the rule and
//! without its detail, and marks it as not validated.
//!
//! **Invariant:** nothing is made up, and nothing that restricts is lost: labels, retraction and ruling out stay.

use super::{
    check::{TEXT_MAX_BYTES, short},
    head::LIST_MAX,
};
use crate::model::Source;
use prost::Message as _;
use severn_proto::v1::{Assertion, Coding, Entry, EntryHead, EntryStatus, Field, OriginIdentifier, Provenance};

/// The entry as text, serialised. `source` is who sent it.
pub(super) fn as_text(entry: &[u8], source: &Source) -> Vec<u8> {
    let mut head = Entry::decode(entry).unwrap_or_default().head.unwrap_or_default();
    if Assertion::try_from(head.assertion).is_err() {
        // Whether it is so is not known, so neither is whether it is now.
        head.status_verbatim = format!("assertion {} is not recognised", head.assertion);
        head.assertion = Assertion::Unspecified.into();
        if head.status() != EntryStatus::EnteredInError {
            head.status = EntryStatus::Unspecified.into();
        }
    }
    if head.text.trim().is_empty() {
        let mut displays = head.codings.iter().map(|coding| coding.display.as_str());
        let said = displays.find(|display| !display.trim().is_empty() && display.len() <= TEXT_MAX_BYTES);
        head.text = said.unwrap_or_default().to_owned();
    }
    for text in [
        &mut head.status_verbatim,
        &mut head.effective_start,
        &mut head.effective_end,
        &mut head.recorded,
        &mut head.last_changed,
    ] {
        if !short(text) {
            text.clear();
        }
    }
    keep(&mut head.codings, |Coding { system, code, display }| are_short([system, code, display]));
    keep(&mut head.distinguishing, |Field { name, value }| short(name) && value.len() <= TEXT_MAX_BYTES);
    keep(&mut head.origins, |OriginIdentifier { system, value, organisation_ods }| {
        are_short([system, value, organisation_ods])
    });
    let unsaid = || Provenance { organisation: source.name.clone(), ..Provenance::default() };
    head.provenance = Some(head.provenance.filter(names_are_short).unwrap_or_else(unsaid));
    Entry { head: Some(EntryHead { not_validated: true, ..head }), ..Entry::default() }.encode_to_vec()
}

fn keep<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) {
    list.retain(fits);
    list.truncate(LIST_MAX);
}

fn names_are_short(provenance: &Provenance) -> bool {
    let Provenance { organisation, organisation_ods, system, author, author_role, location, recorder, .. } = provenance;
    are_short([organisation, organisation_ods, system, author, author_role, location, recorder])
        && short(&provenance.source_version)
}

fn are_short<const N: usize>(texts: [&String; N]) -> bool {
    texts.into_iter().all(|text| short(text))
}
