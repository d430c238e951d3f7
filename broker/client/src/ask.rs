//! The questions that are answered in one message: who a person is, who looked at a record, how the sources are doing.

use crate::client::{CALL_MAX, Client, ClientError, within};
use severn_proto::v1::{
    AccessReportRequest, AccessReportResponse, Candidate, Demographics, FindPersonRequest, FindPersonResponse,
    ListSourcesRequest, Sex, SourceState, find_person_response::Resolution,
};
use severn_trust::PersonKeys;
use std::fmt;

/// By what a person is looked for. `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub enum Search {
    /// By NHS number; the birth date must agree.
    NhsNumber {
        /// Ten digits, spaces allowed.
        nhs_number: String,
        /// ISO 8601, whole.
        birth_date: String,
    },
    /// By demographics.
    Demographics {
        /// Family name, current or former; empty where only the given name is known.
        family: String,
        /// Given name or names, parted by spaces; empty where only the family name is known.
        given: String,
        /// ISO 8601, whole or partial (YYYY-MM-DD, YYYY-MM, YYYY), or an interval of five years at most (FROM/UNTIL);
        /// may be empty where a phone or a whole postcode is given.
        birth_date: String,
        /// Sex, unspecified where it is not to be compared.
        sex: Sex,
        /// Postcode, whole or its district (B42) or sector (B42 1); empty where it is not to be compared.
        postcode: String,
        /// Telephone number as written; empty where it is not to be compared.
        phone: String,
    },
    /// By a source's own name for the person.
    LocalId {
        /// The source's id in the federation.
        source_id: String,
        /// The person's identifier within it.
        local_id: String,
    },
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Search::NhsNumber { .. } => "NhsNumber(…)",
            Search::Demographics { .. } => "Demographics(…)",
            Search::LocalId { .. } => "LocalId(…)",
        })
    }
}

/// What a search found. Never a guess.
#[derive(Clone, PartialEq)]
pub enum Found {
    /// One person.
    One(Box<Candidate>),
    /// Possible persons, best first; a human decides.
    Possible(Vec<Candidate>),
    /// Nobody.
    Nobody,
    /// Too many; the search must be narrowed.
    TooMany,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::One(_) => f.write_str("One(…)"),
            Found::Possible(candidates) => write!(f, "Possible({})", candidates.len()),
            Found::Nobody => f.write_str("Nobody"),
            Found::TooMany => f.write_str("TooMany"),
        }
    }
}

impl Client {
    /// Finds a person.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn find(&self, search: Search) -> Result<Found, ClientError> {
        let mut request = to_request(search);
        request.context = self.sign_for_nobody()?;
        let mut broker = self.broker();
        let found = within(CALL_MAX, broker.find_person(request)).await?;
        read_found(found)
    }

    /// Lists who asked about a person, newest first. `person` is who is meant.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn access_report(
        &self,
        enterprise_id: &str,
        person: &Demographics,
    ) -> Result<AccessReportResponse, ClientError> {
        let signed = self.sign(&PersonKeys::of(person), &[])?;
        let (context, enterprise_id) = (Some(signed.context), enterprise_id.to_owned());
        let request = AccessReportRequest { context, enterprise_id, ..AccessReportRequest::default() };
        let mut broker = self.broker();
        within(CALL_MAX, broker.access_report(request)).await
    }

    /// Lists the federation's sources and their state.
    ///
    /// # Errors
    /// [`ClientError`] says what is wrong and what to do.
    pub async fn list_sources(&self) -> Result<Vec<SourceState>, ClientError> {
        let request = ListSourcesRequest { context: self.sign_for_nobody()? };
        let mut broker = self.broker();
        Ok(within(CALL_MAX, broker.list_sources(request)).await?.sources)
    }
}

fn to_request(search: Search) -> FindPersonRequest {
    match search {
        Search::NhsNumber { nhs_number, birth_date } => {
            FindPersonRequest { nhs_number, birth_date, ..FindPersonRequest::default() }
        }
        Search::Demographics { family, given, birth_date, sex, postcode, phone } => FindPersonRequest {
            family,
            given,
            birth_date,
            sex: sex.into(),
            postcode,
            phone,
            ..FindPersonRequest::default()
        },
        Search::LocalId { source_id, local_id } => {
            FindPersonRequest { source_id, local_id, ..FindPersonRequest::default() }
        }
    }
}

/// A resolution and its candidates must fit: two persons called one would be a guess.
fn read_found(mut found: FindPersonResponse) -> Result<Found, ClientError> {
    let (resolution, count) = (found.resolution(), found.candidates.len());
    let nameless = found.candidates.iter().any(|c| c.enterprise_id.is_empty() || c.golden.is_none());
    if nameless {
        return Err(ClientError::Invalid("a person found has no id or no demographics"));
    }
    match (resolution, count) {
        (Resolution::One, 1) => Ok(Found::One(Box::new(found.candidates.swap_remove(0)))),
        (Resolution::Possible, 1..) => Ok(Found::Possible(found.candidates)),
        (Resolution::Nobody, 0) => Ok(Found::Nobody),
        (Resolution::TooMany, 0) => Ok(Found::TooMany),
        _ => Err(ClientError::Invalid("what was found and the number of persons do not fit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_that_does_not_fit_its_persons_is_refused() {
        let person =
            || Candidate { enterprise_id: "e".into(), golden: Some(Demographics::default()), ..Candidate::default() };
        for (resolution, count, fits) in [
            (Resolution::One, 1, true),
            (Resolution::One, 2, false),
            (Resolution::One, 0, false),
            (Resolution::Possible, 2, true),
            (Resolution::Possible, 0, false),
            (Resolution::Nobody, 0, true),
            (Resolution::Nobody, 1, false),
            (Resolution::TooMany, 0, true),
            (Resolution::Unspecified, 0, false),
        ] {
            let candidates = std::iter::repeat_with(person).take(count).collect();
            let found = read_found(FindPersonResponse { resolution: resolution.into(), candidates });
            assert_eq!(found.is_ok(), fits, "{resolution:?} with {count}");
        }
        let nameless = vec![Candidate::default()];
        assert!(read_found(FindPersonResponse { resolution: Resolution::One.into(), candidates: nameless }).is_err());
    }
}
