//! What privacy officers look into: patterns in the trail, and who looked at a person's record.

use crate::client::{CALL_MAX, Client, ClientError, within};
use severn_proto::v1::{
    AccessReportRequest, AccessReportResponse, Demographics, FindPatternsRequest, FindPatternsResponse,
};
use severn_trust::PersonKeys;
use std::time::Duration;

/// How long the trail may be read for patterns.
const READ_MAX: Duration = Duration::from_secs(300);

/// Accesses of a whole report, at most: ten pages of a hundred years of one a day each would not reach it.
const WHOLE_MAX: usize = 100_000;

impl Client {
    /// Looks for patterns of people who look where they should not, from `since_ms` until before `until_ms` (milliseconds
    /// since 1970-01-01T00:00:00Z); 0 for the last 7 days, and for now.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn find_patterns(&self, since_ms: i64, until_ms: i64) -> Result<FindPatternsResponse, ClientError> {
        let request = FindPatternsRequest { context: self.sign_for_nobody()?, since_ms, until_ms };
        let mut broker = self.oversight();
        within(READ_MAX, broker.find_patterns(request)).await
    }

    /// Everybody who looked at a person's record, newest first: every page of it. `safe` leaves out whatever tells where
    /// the person is or was. `truncated` only where there are more than a hundred thousand.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn whole_access_report(
        &self,
        enterprise_id: &str,
        person: &Demographics,
        safe: bool,
    ) -> Result<AccessReportResponse, ClientError> {
        let mut whole = AccessReportResponse::default();
        let mut before_seq = 0;
        loop {
            let context = Some(self.sign(&PersonKeys::of(person), &[])?.context);
            let request = AccessReportRequest { context, enterprise_id: enterprise_id.to_owned(), safe, before_seq };
            let mut broker = self.broker();
            let page = within(CALL_MAX, broker.access_report(request)).await?;
            let last = page.accesses.last().map_or(0, |access| access.seq);
            whole.accesses.extend(page.accesses);
            (whole.truncated, whole.left_out) = (page.truncated, page.left_out);
            // A broker that goes in circles, or an older one that knows no pages, is not asked on.
            let goes_on = last != 0 && (before_seq == 0 || last < before_seq);
            if !page.truncated || !goes_on || whole.accesses.len() >= WHOLE_MAX {
                return Ok(whole);
            }
            before_seq = last;
        }
    }
}
