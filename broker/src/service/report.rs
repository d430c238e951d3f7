//! A person's access report as it leaves: who looked, in words, and nothing that may not be told. The name of a source
//! that whoever asks may not know of is in no report; a safe report tells nothing of where the person is or was.

use super::{audit_status, context_of, enterprise_id, index_status};
use crate::{
    access::Act,
    model::{EnterpriseId, LocalId, Located, Person, Source, SourceId},
    retrieve::Broker,
};
use severn_proto::v1::{Access, AccessPart, AccessReportRequest, AccessReportResponse, Demographics, PurposeOfUse};
use severn_trust::{Details, User};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tonic::Status;

/// What stands for a source that whoever asks may not know of.
const NOT_NAMED: &str = "a source that is not named here";

/// What a safe report calls an organisation of a kind of which there are few.
const SOME_ORGANISATION: &str = "a care organisation";

const DAY_MS: i64 = 86_400_000;

/// Makes the report; recorded before anything is read.
pub(super) async fn report(broker: &Arc<Broker>, request: AccessReportRequest) -> Result<AccessReportResponse, Status> {
    let person = enterprise_id(&request.enterprise_id)?;
    let context = context_of(request.context)?;
    let what = Details::default().with("safe", &request.safe);
    let (user, _) = broker.admit_act(&context, Act::Report, "report", (&request.enterprise_id, what)).await?;
    let names: Vec<_> = broker.index.ids(person).map_err(index_status)?.into_iter().collect();
    let golden = broker.index.locate(person).map_err(index_status)?.map(|found| found.golden).unwrap_or_default();
    let at_risk = golden.restricted && user.purpose == PurposeOfUse::SubjectAccess;
    let reader = Reader::of(broker, &user, golden, person);
    let (reading, before_seq) = (Arc::clone(broker), request.before_seq);
    // The whole trail is read: that belongs on a thread of its own.
    let report = tokio::task::spawn_blocking(move || reading.audit.report(&names, before_seq));
    let failed = |_| Status::unavailable("the report could not be made; try again");
    let (accesses, truncated) = report.await.map_err(failed)?.map_err(audit_status)?;
    let named = accesses.into_iter().map(|access| reader.named(broker, access));
    if request.safe || at_risk {
        let accesses = named.map(|access| reader.safe(access)).collect();
        return Ok(AccessReportResponse { accesses, truncated, left_out: left_out() });
    }
    Ok(AccessReportResponse { accesses: named.collect(), truncated, left_out: Vec::new() })
}

/// What is not in a safe report.
fn left_out() -> Vec<String> {
    [
        "Names of staff and of their organisations: only what kind of organisation it was, since the name may tell where \
         you are. Your organisation's privacy officer can tell you more where it is safe.",
        "Names of the organisations whose records were looked at.",
        "Times of the day.",
        "What staff wrote in their own words.",
    ]
    .map(str::to_owned)
    .into()
}

/// What whoever reads the report may know.
struct Reader {
    /// Every source that may be named, by id.
    sources: BTreeMap<String, Arc<Source>>,
    /// Organisations all of whose sources may not be named.
    unnamed: BTreeSet<String>,
}

impl Reader {
    fn of(broker: &Broker, user: &User, golden: Demographics, id: EnterpriseId) -> Reader {
        let all = broker.sources();
        let located = |source: &Arc<Source>| Located { source: source.id.clone(), local_id: LocalId("".into()) };
        let anywhere = Person { id, golden, located: all.iter().map(located).collect() };
        let hidden: BTreeSet<SourceId> = broker.access.hidden(user, &anywhere, |id| broker.source(id));
        let (unnamed, named): (Vec<_>, Vec<_>) = all.into_iter().partition(|source| hidden.contains(&source.id));
        let ods = |source: &Arc<Source>| source.ods.to_ascii_uppercase();
        let known: BTreeSet<String> = named.iter().map(ods).collect();
        let unnamed = unnamed.iter().map(ods).filter(|ods| !known.contains(ods)).collect();
        Reader { sources: named.into_iter().map(|source| (source.id.to_string(), source)).collect(), unnamed }
    }

    /// An access with everything called by its name, as far as it may be named.
    fn named(&self, broker: &Broker, access: Access) -> Access {
        let role_name = broker.access.role_name(&access.role).unwrap_or_default();
        let hidden = self.unnamed.contains(&access.organisation_ods.to_ascii_uppercase());
        let own = self.sources.values().find(|source| source.ods.eq_ignore_ascii_case(&access.organisation_ods));
        let organisation_name = own.map(|source| source.name.clone()).unwrap_or_default();
        let part = |part: AccessPart| match self.sources.get(&part.source_id) {
            Some(source) => AccessPart { source_name: source.name.clone(), ..part },
            None => AccessPart { source_id: String::new(), source_name: NOT_NAMED.into(), ..part },
        };
        let access = Access {
            role_name,
            organisation_name,
            parts: access.parts.into_iter().map(part).collect(),
            sources: access.sources.into_iter().filter(|source| self.sources.contains_key(source)).collect(),
            ..access
        };
        if !hidden {
            return access;
        }
        let organisation_name = "an organisation that is not named here".into();
        Access { user: String::new(), organisation_ods: String::new(), organisation_name, ..access }
    }

    /// The same without whatever tells where the person is or was.
    fn safe(&self, access: Access) -> Access {
        let own = self.sources.values().find(|source| source.ods.eq_ignore_ascii_case(&access.organisation_ods));
        let kind = own.map(|source| source.kind.as_str()).unwrap_or_default();
        let organisation_name = kind_of_organisation(kind);
        // The name of a role may tell what kind of place it was, too.
        let role_name = if organisation_name == SOME_ORGANISATION { String::new() } else { access.role_name };
        // Words of a closed list only: whatever somebody wrote may tell a place.
        let fixed = matches!(access.action.as_str(), "retrieve" | "override");
        let mut parts: BTreeMap<(i32, bool), AccessPart> = BTreeMap::new();
        for part in access.parts {
            let whole = parts.entry((part.dataset, part.kept_back)).or_default();
            whole.shown = whole.shown.saturating_add(part.shown);
        }
        let part = |((dataset, kept_back), part): ((i32, bool), AccessPart)| AccessPart { dataset, kept_back, ..part };
        Access {
            at_ms: access.at_ms.div_euclid(DAY_MS) * DAY_MS,
            user: String::new(),
            role: String::new(),
            organisation_ods: String::new(),
            role_name,
            organisation_name: organisation_name.into(),
            query_id: String::new(),
            reason: if fixed { access.reason } else { String::new() },
            sources: Vec::new(),
            parts: parts.into_iter().map(part).collect(),
            ..access
        }
    }
}

/// A kind that tells no place: there are many of each.
fn kind_of_organisation(kind: &str) -> &'static str {
    let kind = kind.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if says(&["gp ", "practice"]) || kind == "gp" {
        "a GP practice"
    } else if says(&["council", "social care", "local authority"]) {
        "a council"
    } else if says(&["ambulance"]) {
        "an ambulance service"
    } else if says(&["acute", "hospital"]) {
        "a hospital"
    } else {
        SOME_ORGANISATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_says_no_more_than_what_many_are() {
        for (kind, said) in [
            ("GP practice", "a GP practice"),
            ("acute trust", "a hospital"),
            ("council", "a council"),
            ("ambulance service", "an ambulance service"),
            ("prison", "a care organisation"),
            ("mental-health trust", "a care organisation"),
            ("hospice", "a care organisation"),
            ("", "a care organisation"),
        ] {
            assert_eq!(kind_of_organisation(kind), said, "{kind}");
        }
    }
}
