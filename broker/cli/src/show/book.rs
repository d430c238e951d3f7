//! What the parts of a page look up. Pure.

use severn_client::Received;
use severn_proto::v1::Item;
use std::collections::HashMap;

/// Names of sources, and items by their ids.
pub(super) struct Book<'a> {
    names: HashMap<&'a str, &'a str>,
    items: HashMap<&'a str, (&'a Item, i32)>,
    pub(super) enterprise_id: &'a str,
}

impl<'a> Book<'a> {
    pub(super) fn new(received: &'a Received) -> Book<'a> {
        let rows = received.rows().iter().filter(|row| !row.source_name.is_empty());
        let sections = received.sections.iter();
        Book {
            names: rows.map(|row| (row.source_id.as_str(), row.source_name.as_str())).collect(),
            items: sections.flat_map(|s| s.items.iter().map(|i| (i.item_id.as_str(), (i, s.dataset)))).collect(),
            enterprise_id: received.opened.as_ref().map(|o| o.enterprise_id.as_str()).unwrap_or_default(),
        }
    }

    /// A source's name; its id where the ledger has none.
    pub(super) fn name<'b>(&'b self, source_id: &'b str) -> &'b str {
        self.names.get(source_id).copied().unwrap_or(source_id)
    }

    /// An item of this answer, and its dataset.
    pub(super) fn item(&self, item_id: &str) -> Option<(&'a Item, i32)> {
        self.items.get(item_id).copied()
    }
}
