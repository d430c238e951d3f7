//! What an entry must be like to be shown, by its head alone. Limits are named with their units; what breaks one is
//! counted, and kept as text or rejected, never cut short in silence.

use super::head::{Coding, Frame, Head};
use severn_proto::v1::{Assertion, Dataset};

/// Bytes of an entry id.
pub(super) const ENTRY_ID_MAX_BYTES: usize = 256;
/// Bytes of the text a reader is shown, and of the value of a distinguishing field.
pub(super) const TEXT_MAX_BYTES: usize = 64 * 1024;
/// Bytes of any other text in a head.
pub(super) const SHORT_TEXT_MAX_BYTES: usize = 4 * 1024;
/// Bytes of a body.
pub(super) const BODY_MAX_BYTES: usize = 1024 * 1024;

/// What an entry is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Worth {
    /// It keeps every rule.
    Whole,
    /// It breaks one, but its words can be read and shown as such (CHECK-3).
    Words,
    /// Nobody knows what it is, or it has no words to show (CHECK-1).
    Nothing,
}

/// What an entry received under `dataset` is good for. A status that is not understood is shown as such; who does not
/// understand the assertion does not know whether the thing is said to be so.
pub(super) fn worth(head: &Head<'_>, frame: Frame, dataset: Dataset) -> Worth {
    if !frame.has_head || !names_itself(head, dataset) || !has_words(head) {
        return Worth::Nothing;
    }
    let is_whole = Assertion::try_from(head.assertion).is_ok()
        && !frame.overfull
        && frame.body_bytes <= BODY_MAX_BYTES
        && texts_fit(head)
        && head.provenance.is_some_and(|provenance| provenance.longest <= SHORT_TEXT_MAX_BYTES);
    if is_whole { Worth::Whole } else { Worth::Words }
}

fn names_itself(head: &Head<'_>, dataset: Dataset) -> bool {
    !head.entry_id.is_empty() && head.entry_id.len() <= ENTRY_ID_MAX_BYTES && head.dataset == dataset as i32
}

fn has_words(head: &Head<'_>) -> bool {
    let said = |text: &str| !text.trim().is_empty();
    let display = |coding: &Coding<'_>| said(coding.display) && coding.display.len() <= TEXT_MAX_BYTES;
    head.text.len() <= TEXT_MAX_BYTES && (said(head.text) || head.codings.iter().any(display))
}

fn texts_fit(head: &Head<'_>) -> bool {
    let dates = [head.effective_start, head.effective_end, head.recorded, head.last_changed];
    head.codings.iter().all(|c| short(c.system) && short(c.code) && short(c.display))
        && head.distinguishing.iter().all(|f| short(f.name) && f.value.len() <= TEXT_MAX_BYTES)
        && head.origins.iter().all(|o| short(o.system) && short(o.value) && short(o.organisation_ods))
        && short(head.status_verbatim)
        && dates.into_iter().all(short)
}

/// Whether a text other than the one shown fits.
pub(super) fn short(text: &str) -> bool {
    text.len() <= SHORT_TEXT_MAX_BYTES
}
