//! The readable views, on a made-up answer.

use super::*;
use crate::made::{alice, answer};
use severn_client::Found;
use severn_proto::v1::{Candidate, Dataset, Outcome, SourceState, retrieve_record_response::Part};

#[test]
fn a_record_reads_as_it_should() {
    let shown = render_record(&answer(|_| ()), &Style::default());
    assert_eq!(shown, include_str!("golden.txt"));
}
