//! Under which sub-heading a medicine stands, in the order of the record: what is taken now, and apart from it what was.

use severn_proto::v1::{EntryHead, EntryStatus, Item};

/// As the merge puts them in order (ORDER-3).
const STAGES: [&str; 4] = ["In force", "To come, on hold or unclear", "Given", "Past"];

/// The sub-heading of one item: that of whichever contribution stands first.
pub(super) fn stage(item: &Item) -> &'static str {
    let heads = item.contributions.iter().filter_map(|contribution| contribution.entry.as_ref()?.head.as_ref());
    STAGES[heads.map(stage_of).min().unwrap_or(0)]
}

fn stage_of(head: &EntryHead) -> usize {
    let given =
        |(name, value): (&str, &str)| name.eq_ignore_ascii_case("intent") && value.eq_ignore_ascii_case("given");
    match head.status() {
        _ if head.distinguishing.iter().any(|field| given((field.name.trim(), field.value.trim()))) => 2,
        EntryStatus::Active => 0,
        EntryStatus::Ended | EntryStatus::Cancelled | EntryStatus::EnteredInError => 3,
        _ => 1,
    }
}
