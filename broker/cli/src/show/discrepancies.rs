//! Where sources differ on who the person is: somebody may have the wrong person, or an old address.

use super::page::{Ink, Page};
use crate::dates::show_date;
use severn_client::Received;
use severn_proto::v1::Said;

/// Puts every word that differs with who says it.
pub(super) fn put_discrepancies(page: &mut Page<'_>, received: &Received) {
    if received.discrepancies().is_empty() {
        return;
    }
    page.blank();
    page.heading(Ink::Warn, "WHO THIS IS: the sources do not agree");
    for discrepancy in received.discrepancies() {
        let said: Vec<String> = discrepancy.said.iter().map(|said| side(said, received)).collect();
        page.put_marked(0, &format!("{}: ", discrepancy.field), Ink::Warn, &said.join("; "));
    }
}

fn side(said: &Said, received: &Received) -> String {
    let name = |id: &String| {
        let row = received.rows().iter().find(|row| row.source_id == *id && !row.source_name.is_empty());
        row.map_or_else(|| id.clone(), |row| row.source_name.clone())
    };
    let names: Vec<String> = said.source_ids.iter().map(name).collect();
    format!("{} ({})", show_date(&said.value), names.join(", "))
}
