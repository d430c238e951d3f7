//! `Oversight`: what the trail shows to privacy officers that nobody reported.

use super::{audit_status, context_of, from_app};
use crate::{
    access::Act,
    audit::{Finding, Known, Rule, fold},
    model::{EnterpriseId, SourceId},
    retrieve::Broker,
};
use jiff::civil::Date;
use severn_proto::v1::{
    Demographics, FindPatternsRequest, FindPatternsResponse, HumanName, PatternFinding, PatternRule, Registration,
    oversight_server::Oversight,
};
use severn_trust::Details;
use std::{collections::BTreeMap, sync::Arc};
use tonic::{Request, Response, Status};

/// How far back is looked where nobody says: 7 days in milliseconds.
const SINCE_DEFAULT_MS: i64 = 7 * 86_400_000;

/// The last day of a relationship that lasts.
const NEVER: i64 = i64::MAX;

pub(super) struct Overseeing {
    broker: Arc<Broker>,
}

impl Overseeing {
    pub(super) fn new(broker: Arc<Broker>) -> Overseeing {
        Overseeing { broker }
    }
}

#[tonic::async_trait]
impl Oversight for Overseeing {
    async fn find_patterns(
        &self,
        request: Request<FindPatternsRequest>,
    ) -> Result<Response<FindPatternsResponse>, Status> {
        from_app(&request)?;
        let request = request.into_inner();
        let now_ms = self.broker.index.now_ms();
        let until_ms = if request.until_ms == 0 { now_ms.saturating_add(1) } else { request.until_ms };
        let since_ms = if request.since_ms == 0 { until_ms.saturating_sub(SINCE_DEFAULT_MS) } else { request.since_ms };
        if since_ms >= until_ms {
            return Err(Status::invalid_argument("since_ms: give a moment before until_ms, and before now"));
        }
        let what = Details::default().with("since_ms", &since_ms).with("until_ms", &until_ms);
        let context = context_of(request.context)?;
        let (user, _) = self.broker.admit_act(&context, Act::Oversee, "patterns", ("", what)).await?;
        let own = (!self.broker.access.oversees_all(&user)).then_some(user.organisation_ods);
        let broker = Arc::clone(&self.broker);
        // The whole trail is read: that belongs on a thread of its own.
        let reading = tokio::task::spawn_blocking(move || {
            broker.audit.patterns(own.as_deref(), since_ms..until_ms, |person| broker.known(person))
        });
        let failed = |_| Status::unavailable("the patterns could not be looked for; try again");
        let found = reading.await.map_err(failed)?.map_err(audit_status)?;
        Ok(Response::new(FindPatternsResponse {
            findings: found.findings.into_iter().map(to_wire).collect(),
            more: found.more,
            events: found.events,
            left_out: found.left_out,
            since_ms,
            until_ms,
        }))
    }
}

impl Broker {
    /// Who a person is, as far as patterns ask; `None` for one whom nobody knows any more.
    fn known(&self, person: &str) -> Option<Known> {
        let announced = self.index.announced(EnterpriseId(person.parse().ok()?)).ok()?;
        (!announced.is_empty()).then(|| known_of(&announced, |id| Some(self.source(id)?.ods.clone())))
    }
}

/// What sources announce, as patterns read it. `ods` gives the organisation of a source.
fn known_of(announced: &[(SourceId, Registration)], ods: impl Fn(&SourceId) -> Option<String>) -> Known {
    let mut known = Known::default();
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    for (source, registration) in announced {
        let said = registration.demographics.clone().unwrap_or_default();
        note_names(&said, &mut known);
        known.died_on = known.died_on.or_else(|| last_day(&said.death_date));
        for relationship in &registration.relationships {
            let own = || ods(source).unwrap_or_default();
            let of = Some(relationship.organisation_ods.clone()).filter(|of| !of.is_empty()).unwrap_or_else(own);
            let day = if relationship.until.is_empty() { Some(NEVER) } else { last_day(&relationship.until) };
            let latest = last.entry(of).or_insert(i64::MIN);
            *latest = (*latest).max(day.unwrap_or(NEVER));
        }
        if registration.relationships.is_empty() && !registration.relationships_listed {
            // A source that lists no relationships knows the person all the same.
            last.insert(ods(source).unwrap_or_default(), NEVER);
        }
    }
    known.left = last.into_iter().filter(|(_, day)| *day != NEVER).collect();
    known
}

fn note_names(said: &Demographics, known: &mut Known) {
    for HumanName { family, given, .. } in &said.names {
        let (family, given) = (fold(family), given.iter().flat_map(|g| g.split_whitespace()).next());
        let given = given.map(fold).unwrap_or_default();
        if known.given.is_empty() {
            known.given = given;
        }
        if !family.is_empty() && !known.families.contains(&family) {
            known.families.push(family);
        }
    }
}

/// The last day of a date that may be partial: days since 1970-01-01; `None` if it is no date.
fn last_day(iso: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| iso.get(range).and_then(|digits| digits.parse::<i16>().ok());
    let year = part(0..4)?;
    let date = match iso.len() {
        4 => Date::new(year, 12, 31).ok()?,
        7 => Date::new(year, i8::try_from(part(5..7)?).ok()?, 1).ok()?.last_of_month(),
        _ => iso.get(..10)?.parse().ok()?,
    };
    Some(i64::from(date.since(Date::constant(1970, 1, 1)).ok()?.get_days()))
}

fn to_wire(finding: Finding) -> PatternFinding {
    let rule = match finding.rule {
        Rule::Enumeration => PatternRule::Enumeration,
        Rule::Crowd => PatternRule::Crowd,
        Rule::Colleague => PatternRule::Colleague,
        Rule::OwnName => PatternRule::OwnName,
        Rule::SameFamilyName => PatternRule::SameFamilyName,
        Rule::AfterDeath => PatternRule::AfterDeath,
        Rule::AfterLeaving => PatternRule::AfterLeaving,
        Rule::Overrides => PatternRule::Overrides,
        Rule::NoRelationship => PatternRule::NoRelationship,
    };
    PatternFinding {
        rule: rule.into(),
        organisation_ods: finding.organisation,
        user: finding.user,
        enterprise_ids: finding.persons,
        from_ms: finding.from_ms,
        until_ms: finding.until_ms,
        count: finding.count,
        baseline: finding.baseline,
        words: finding.words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_proto::v1::CareRelationship;

    fn name(given: &str, family: &str) -> HumanName {
        HumanName { given: vec![given.into()], family: family.into(), ..HumanName::default() }
    }

    fn until(ods: &str, until: &str) -> CareRelationship {
        CareRelationship { organisation_ods: ods.into(), until: until.into(), ..CareRelationship::default() }
    }

    #[test]
    fn a_person_has_left_an_organisation_once_nothing_joins_them_to_it() {
        let names = vec![name("Vera Ann", "Ash"), name("Vera", "O'Brien")];
        let demographics = Demographics { names, death_date: "2026-02".into(), ..Demographics::default() };
        let relationships =
            vec![until("", "1970-01-11"), until("RXX", "2026-05-01"), until("RXX", ""), until("RYY", "1970")];
        let listed = Registration { demographics: Some(demographics), relationships, ..Registration::default() };
        let unlisted = Registration::default();
        let announced = [(SourceId("A".into()), listed), (SourceId("B".into()), unlisted)];
        let known = known_of(&announced, |id| Some(format!("ods-{id}")));
        assert_eq!(
            (known.given.as_str(), known.families.as_slice()),
            ("vera", ["ash", "obrien"].map(String::from).as_slice())
        );
        assert_eq!(known.left, [("RYY".to_owned(), 364), ("ods-A".to_owned(), 10)]);
        assert_eq!(known.died_on, last_day("2026-02-28"));
        assert_eq!((last_day("1970-01-02T10:00:00Z"), last_day("soon"), last_day("")), (Some(1), None, None));
    }
}
