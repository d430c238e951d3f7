//! Decides. A policy is a checked set of Cedar policies with the roles they speak of; what it says to one asker about one
//! kind of source is worked out when it is first needed, and kept for the next who is alike in everything that matters.
//!
//! **Invariant:** restrictions only add up. An entry is seen only if each of its labels, alone, may be; a directive, the
//! mark of a restricted person and a label can make a verdict stricter and nothing else, whatever the policies say; and a
//! reason opens only what the policies, without it, say may be opened with one.

use crate::{
    bundle::{BundleRole, check_roles},
    facts::{Asker, Directive, LABELS, PersonFacts, Relationship},
    laws::{Brings, Mentions, PolicyError, read},
    ruling::{Missing, Ruling, Verdict, Why},
};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicyId, PolicySet,
    PrincipalConstraint, Request, Response, RestrictedExpression,
};
use severn_proto::v1::{Dataset, Obligation, PurposeOfUse, SensitivityLabel};
use severn_trust::{ALL_DATASETS, Obligations, dataset_word, hex, is_crisis_dataset, label_word, purpose_word, sha256};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    str::FromStr as _,
    sync::{Arc, LazyLock, OnceLock},
};

/// Askers whose decisions are remembered.
const DECIDED_MAX: u64 = 10_000;

/// A policy, ready to decide.
pub struct Policy {
    rules: Arc<Rules>,
    decided: moka::sync::Cache<(Asker, String), Arc<Decisions>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.rules.version)
    }
}

/// What a policy is made of.
struct Rules {
    version: String,
    /// The policies that can apply to somebody in a role, by its name.
    sets: HashMap<String, PolicySet>,
    brings: HashMap<PolicyId, Brings>,
    /// What any of them speaks of.
    mentions: Mentions,
    /// Each of them, for whoever compares and explains.
    policies: HashMap<PolicyId, (cedar_policy::Policy, Mentions)>,
    entities: Entities,
    roles: Vec<BundleRole>,
    authoriser: Authorizer,
}

impl Policy {
    /// Reads a set of policies in Cedar and the roles they speak of. `name` and a digest of both make the version.
    ///
    /// # Errors
    /// [`PolicyError`] names the policy or the role at fault.
    pub fn read(name: &str, roles: Vec<BundleRole>, text: &str) -> Result<Policy, PolicyError> {
        check_roles(&roles)?;
        let lawful = read(text)?;
        let mut mentions = Mentions::default();
        lawful.mentions.values().for_each(|of_one| mentions.and(of_one));
        let named = |policy: &cedar_policy::Policy| {
            let of_one = lawful.mentions.get(policy.id()).cloned().unwrap_or_default();
            (policy.id().clone(), (policy.clone(), of_one))
        };
        let digest = sha256(&[text.as_bytes(), format!("{roles:?}").as_bytes()]);
        Ok(Policy::of(Rules {
            version: format!("{name}+{}", &hex(&digest)[..8]),
            sets: roles.iter().map(|role| (role.name.clone(), of_role(&lawful.set, &role.name))).collect(),
            brings: lawful.brings,
            mentions,
            policies: lawful.set.policies().map(named).collect(),
            entities: standing(&roles)?,
            roles,
            authoriser: Authorizer::new(),
        }))
    }

    /// The policy that permits nothing to anybody; `why` stands in the place of its version.
    pub fn nothing(why: impl Into<String>) -> Policy {
        Policy::of(Rules {
            version: why.into(),
            sets: HashMap::new(),
            brings: HashMap::new(),
            mentions: Mentions::default(),
            policies: HashMap::new(),
            entities: Entities::empty(),
            roles: Vec::new(),
            authoriser: Authorizer::new(),
        })
    }

    fn of(rules: Rules) -> Policy {
        Policy { rules: Arc::new(rules), decided: moka::sync::Cache::new(DECIDED_MAX) }
    }

    /// Name and number of the bundle, and a digest of what is in it.
    pub fn version(&self) -> &str {
        &self.rules.version
    }

    /// Whether somebody may see ordinary entries of a dataset, be it with a relationship and a reason.
    pub fn shares(&self, dataset: Dataset) -> bool {
        let codes = self.rules.roles.iter().filter_map(|role| role.codes.first());
        let purposes = || (1..).map_while(|number| PurposeOfUse::try_from(number).ok());
        let mut askers = codes.flat_map(|code| purposes().map(move |purpose| Asker::new(code, purpose)));
        askers.any(|asker| {
            let asker = Asker { relationship: Relationship::OWN, breaking_glass: true, ..asker };
            self.decisions(&asker, "").of(dataset).permits()
        })
    }

    /// The roles it speaks of.
    pub fn roles(&self) -> &[BundleRole] {
        &self.rules.roles
    }

    /// The name of the role that a code in a token means.
    pub fn role_name(&self, role_code: &str) -> Option<&str> {
        let role = self.rules.roles.iter().find(|role| role.codes.iter().any(|code| code == role_code))?;
        Some(&role.name)
    }

    /// What it says to `asker` about sources of this kind.
    pub fn decisions(&self, asker: &Asker, source_kind: &str) -> Arc<Decisions> {
        let key = self.alike(asker, source_kind);
        self.decided.get_with_by_ref(&key, || Arc::new(Decisions::new(Arc::clone(&self.rules), &key.0, &key.1)))
    }

    /// What matters of an asker: two who differ only in what no policy speaks of are one.
    fn alike(&self, asker: &Asker, source_kind: &str) -> (Asker, String) {
        let has = |path: &str| self.rules.mentions.has(path);
        let of = |path: &'static str, set: &BTreeSet<String>| if has(path) { set.clone() } else { BTreeSet::new() };
        let person = PersonFacts {
            age_years: if has("context.person.age") { asker.person.age_years } else { -1 },
            days_since_death: if has("context.person.days_since_death") { asker.person.days_since_death } else { -1 },
            deceased: asker.person.deceased && has("context.person.deceased"),
            restricted: asker.person.restricted && has("context.person.restricted"),
        };
        let alike = Asker {
            role_code: self.role_name(&asker.role_code).unwrap_or_default().to_owned(),
            organisation: if has("principal.organisation") { asker.organisation.clone() } else { String::new() },
            assurance: if has("principal.assurance") { asker.assurance } else { 0 },
            activities: of("principal.activities", &asker.activities),
            workgroups: of("principal.workgroups", &asker.workgroups),
            relationship: if has("context.relationship.kind") || has("context.relationship.evidence") {
                asker.relationship
            } else {
                Relationship::default()
            },
            person,
            ..*asker
        };
        (alike, if has("context.source_kind") { source_kind.to_owned() } else { String::new() })
    }
}

/// What a policy says to one asker about one kind of source; each answer is worked out once.
pub struct Decisions {
    rules: Arc<Rules>,
    asker: Asker,
    source_kind: String,
    user: EntityUid,
    entities: OnceLock<Option<Entities>>,
    /// By number of dataset, then label.
    rulings: Vec<OnceLock<Ruling>>,
    /// The same of what is missing.
    lacks: Vec<OnceLock<Missing>>,
    known: OnceLock<bool>,
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decisions({}, {:?})", self.rules.version, self.asker)
    }
}

impl PartialEq for Decisions {
    fn eq(&self, other: &Decisions) -> bool {
        let of = |decisions: &Decisions| (decisions.rules.version.clone(), decisions.source_kind.clone());
        of(self) == of(other) && self.asker == other.asker
    }
}

impl Decisions {
    /// `asker` names a role by its name, not by a code.
    fn new(rules: Arc<Rules>, asker: &Asker, source_kind: &str) -> Decisions {
        let last = ALL_DATASETS.into_iter().map(|dataset| dataset as usize).max().unwrap_or(0);
        let cells = (last + 1) * LABELS.len();
        Decisions {
            rules,
            asker: asker.clone(),
            source_kind: source_kind.to_owned(),
            user: uid(&TYPES.user, "asker"),
            entities: OnceLock::new(),
            rulings: (0..cells).map(|_| OnceLock::new()).collect(),
            lacks: (0..cells).map(|_| OnceLock::new()).collect(),
            known: OnceLock::new(),
        }
    }

    /// What is said where nothing is read.
    pub fn nothing() -> Arc<Decisions> {
        Policy::nothing("nothing is read").decisions(&Asker::new("", PurposeOfUse::Unspecified), "")
    }

    /// The policy that says it: name and number of its bundle, and a digest.
    pub fn policy_version(&self) -> &str {
        &self.rules.version
    }

    /// Whether the asker may know that such a source knows the person at all. If not, the source is hidden.
    pub fn may_know(&self) -> bool {
        *self.known.get_or_init(|| {
            let restricted = [false, self.asker.person.restricted];
            restricted.into_iter().all(|restricted| {
                let moment = Moment { restricted, ..self.moment(SensitivityLabel::Normal) };
                self.ask("know", &uid(&TYPES.source, "asked"), &moment).is_some_and(|r| r.decision() == Decision::Allow)
            })
        })
    }

    /// What may be done with ordinary entries of a dataset.
    pub fn of(&self, dataset: Dataset) -> Ruling {
        self.of_label(dataset, SensitivityLabel::Normal)
    }

    /// What may be done with an entry that carries these labels. One that is not understood denies.
    pub fn of_entry(&self, dataset: Dataset, labels: &[i32]) -> Ruling {
        labels.iter().fold(self.of(dataset), |ruling, number| match SensitivityLabel::try_from(*number) {
            Err(_) | Ok(SensitivityLabel::Unspecified) => ruling.stricter(Ruling::new(Verdict::Denied, Why::Fault)),
            Ok(label) => ruling.stricter(self.of_label(dataset, label)),
        })
    }

    /// Whether entries of any dataset may be seen.
    pub fn permits_anything(&self) -> bool {
        ALL_DATASETS.into_iter().any(|dataset| self.of(dataset).permits())
    }

    /// What would have to be otherwise for a rule to permit entries of a dataset and a label that no rule permits.
    pub fn missing(&self, dataset: Dataset, label: SensitivityLabel) -> Missing {
        let cell = self.lacks.get(place(dataset, label));
        cell.map_or(Missing::Role, |cell| *cell.get_or_init(|| self.what_is_missing(dataset, label)))
    }

    fn what_is_missing(&self, dataset: Dataset, label: SensitivityLabel) -> Missing {
        let resource = uid(&TYPES.dataset, &dataset_word(dataset));
        let moment = self.moment(label);
        let permits =
            |moment: &Moment| self.ask("read", &resource, moment).is_some_and(|r| r.decision() == Decision::Allow);
        if permits(&Moment { relationship: Relationship::OWN, ..moment }) {
            return Missing::Relationship;
        }
        let purposes = (1..).map_while(|number| PurposeOfUse::try_from(number).ok());
        let mut otherwise = purposes.map(|purpose| Moment { purpose, relationship: Relationship::OWN, ..moment });
        if otherwise.any(|moment| permits(&moment)) { Missing::Purpose } else { Missing::Role }
    }

    fn of_label(&self, dataset: Dataset, label: SensitivityLabel) -> Ruling {
        let known = dataset != Dataset::Unspecified && label != SensitivityLabel::Unspecified;
        match self.rulings.get(place(dataset, label)).filter(|_| known) {
            Some(cell) => *cell.get_or_init(|| self.decide(dataset, label)),
            None => Ruling::new(Verdict::Denied, Why::Fault),
        }
    }

    fn decide(&self, dataset: Dataset, label: SensitivityLabel) -> Ruling {
        if !self.rules.sets.contains_key(&self.asker.role_code) {
            // Nobody has a role where no policy is in force.
            let why = if self.rules.roles.is_empty() { Why::Fault } else { Why::Unpermitted };
            return Ruling::new(Verdict::Denied, why);
        }
        if label == SensitivityLabel::Sealed {
            return Ruling::new(Verdict::Withheld, Why::Rule);
        }
        let without = self.strictest(dataset, self.moment(label));
        if without.verdict != Verdict::MayBeOpened || !self.asker.breaking_glass {
            return without;
        }
        let opened = self.strictest(dataset, Moment { breaking_glass: true, ..self.moment(label) });
        let marks = Obligations::default().with(Obligation::Banner).with(Obligation::LogSensitive);
        match opened.verdict {
            Verdict::Permit => Ruling { obligations: opened.obligations.and(marks), ..opened },
            _ => without,
        }
    }

    /// The strictest of what holds with and without each restriction, so that no restriction shows more.
    fn strictest(&self, dataset: Dataset, moment: Moment) -> Ruling {
        let ruled = moment.with_and_without().map(|moment| self.at(dataset, &moment)).reduce(Ruling::stricter);
        let ruling = ruled.unwrap_or(Ruling::new(Verdict::Denied, Why::Fault));
        match moment.directive {
            Directive::None => ruling,
            Directive::Restricted if moment.breaking_glass => ruling,
            Directive::Restricted => ruling.stricter(Ruling::new(Verdict::MayBeOpened, Why::Person)),
            Directive::Dissent => ruling.stricter(Ruling::new(Verdict::Withheld, Why::Person)),
        }
    }

    fn at(&self, dataset: Dataset, moment: &Moment) -> Ruling {
        let denied = |why| Ruling::new(Verdict::Denied, why);
        let resource = uid(&TYPES.dataset, &dataset_word(dataset));
        let Some(response) = self.ask("read", &resource, moment) else { return denied(Why::Fault) };
        let brings = || response.diagnostics().reason().filter_map(|id| self.rules.brings.get(id));
        if response.decision() == Decision::Allow {
            let obligations = brings().fold(Obligations::default(), |all, one| all.and(one.obligations));
            return Ruling { obligations, ..Ruling::new(Verdict::Permit, Why::Rule) };
        }
        match brings().map(|one| one.verdict).max() {
            Some(verdict) => Ruling::new(verdict, Why::Rule),
            None => denied(Why::Unpermitted),
        }
    }

    fn moment(&self, label: SensitivityLabel) -> Moment {
        Moment {
            purpose: self.asker.purpose,
            label,
            relationship: self.asker.relationship,
            restricted: self.asker.person.restricted,
            directive: self.asker.directive,
            breaking_glass: false,
        }
    }

    /// What Cedar says. `None` if it cannot be asked, if the role is unknown or if any policy failed: then nothing is permitted.
    fn ask(&self, action: &str, resource: &EntityUid, moment: &Moment) -> Option<Response> {
        let set = self.rules.sets.get(&self.asker.role_code)?;
        let entities = self.entities.get_or_init(|| self.user_among(&self.rules.entities)).as_ref()?;
        let context = moment.context(&self.asker.person, &self.source_kind)?;
        let request =
            Request::new(self.user.clone(), uid(&TYPES.action, action), resource.clone(), context, None).ok()?;
        let response = self.rules.authoriser.is_authorized(&request, set, entities);
        let whole = response.diagnostics().errors().next().is_none();
        whole.then_some(response)
    }

    fn user_among(&self, standing: &Entities) -> Option<Entities> {
        let asker = &self.asker;
        let set = |words: &BTreeSet<String>| RestrictedExpression::new_set(words.iter().map(|word| text(word)));
        let attributes = HashMap::from([
            ("organisation".to_owned(), text(&asker.organisation)),
            ("assurance".to_owned(), RestrictedExpression::new_long(asker.assurance.into())),
            ("activities".to_owned(), set(&asker.activities)),
            ("workgroups".to_owned(), set(&asker.workgroups)),
        ]);
        let user =
            Entity::new(self.user.clone(), attributes, HashSet::from([uid(&TYPES.role, &asker.role_code)])).ok()?;
        standing.clone().add_entities([user], None).ok()
    }
}

/// Where a dataset and a label stand among the answers.
fn place(dataset: Dataset, label: SensitivityLabel) -> usize {
    dataset as usize * LABELS.len() + (label as usize).saturating_sub(1)
}

/// What can be otherwise from one question of a decision to the next.
#[derive(Clone, Copy)]
struct Moment {
    purpose: PurposeOfUse,
    label: SensitivityLabel,
    relationship: Relationship,
    restricted: bool,
    directive: Directive,
    breaking_glass: bool,
}

impl Moment {
    /// This moment, and the same with every part of what restricts, from nothing on: no rule that makes an exception of one
    /// restriction may show what it would not show without it.
    fn with_and_without(self) -> impl Iterator<Item = Moment> {
        let restricted = [false, true].into_iter().filter(move |restricted| self.restricted || !restricted);
        restricted.flat_map(move |restricted| {
            let milder = Directive::ALL.into_iter().filter(move |directive| *directive <= self.directive);
            milder.map(move |directive| Moment { directive, restricted, ..self })
        })
    }

    fn context(&self, person: &PersonFacts, source_kind: &str) -> Option<Context> {
        let (long, truth) = (RestrictedExpression::new_long, RestrictedExpression::new_bool);
        let relationship = RestrictedExpression::new_record([
            ("kind".to_owned(), text(self.relationship.kind.word())),
            ("evidence".to_owned(), text(self.relationship.evidence.word())),
        ]);
        let person = RestrictedExpression::new_record([
            ("age".to_owned(), long(person.age_years)),
            ("restricted".to_owned(), truth(self.restricted)),
            ("deceased".to_owned(), truth(person.deceased)),
            ("days_since_death".to_owned(), long(person.days_since_death)),
        ]);
        let facts = [
            ("purpose".to_owned(), text(&purpose_word(self.purpose))),
            ("label".to_owned(), text(&label_word(self.label))),
            ("source_kind".to_owned(), text(source_kind)),
            ("relationship".to_owned(), relationship.ok()?),
            ("person".to_owned(), person.ok()?),
            ("directive".to_owned(), text(self.directive.word())),
            ("breaking_glass".to_owned(), truth(self.breaking_glass)),
        ];
        Context::from_pairs(facts).ok()
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// The types of the schema.
struct Types {
    action: EntityTypeName,
    dataset: EntityTypeName,
    group: EntityTypeName,
    role: EntityTypeName,
    source: EntityTypeName,
    user: EntityTypeName,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let read = |name: &str| EntityTypeName::from_str(name).unwrap_or_else(|_| unreachable!("{name} is a plain word"));
    Types {
        action: read("Action"),
        dataset: read("Dataset"),
        group: read("Group"),
        role: read("Role"),
        source: read("Source"),
        user: read("User"),
    }
});

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

/// The policies that can apply to somebody in this role, and the one that lets sources be known.
fn of_role(set: &PolicySet, role: &str) -> PolicySet {
    let role = uid(&TYPES.role, role);
    let applies = |policy: &&cedar_policy::Policy| match policy.principal_constraint() {
        PrincipalConstraint::In(other) => other == role,
        _ => true,
    };
    let known = r#"@id("") permit(principal, action == Action::"know", resource);"#;
    let known = cedar_policy::Policy::parse(Some(PolicyId::new("")), known);
    PolicySet::from_policies(set.policies().filter(applies).cloned().chain(known)).unwrap_or_default()
}

/// The entities that are there whoever asks.
fn standing(roles: &[BundleRole]) -> Result<Entities, PolicyError> {
    let plain = |of: &EntityTypeName, id: &str| Entity::new_no_attrs(uid(of, id), HashSet::new());
    let mut all: Vec<Entity> = roles.iter().map(|role| plain(&TYPES.role, &role.name)).collect();
    all.extend(
        ["all", "crisis", "clinical", "activity", "people", "plans", "social_care", "person"]
            .map(|g| plain(&TYPES.group, g)),
    );
    all.push(plain(&TYPES.source, "asked"));
    all.extend(ALL_DATASETS.map(|dataset| {
        let groups = HashSet::from([uid(&TYPES.group, "all"), uid(&TYPES.group, group(dataset))]);
        Entity::new_no_attrs(uid(&TYPES.dataset, &dataset_word(dataset)), groups)
    }));
    Entities::from_entities(all, None).map_err(|error| PolicyError::new("roles", error.to_string()))
}

/// The group that a dataset is of, beside `all`.
fn group(dataset: Dataset) -> &'static str {
    use Dataset as D;
    match dataset {
        crisis if is_crisis_dataset(crisis) => "crisis",
        D::Encounters | D::Appointments | D::Referrals => "activity",
        D::Demographics | D::GpPractice | D::Contacts | D::CareTeam => "people",
        D::CarePlans | D::Goals => "plans",
        D::Services | D::Assessments | D::PrimarySupportReason | D::Equipment | D::SocialContext => "social_care",
        D::AboutMe | D::IndividualRequirements | D::Research => "person",
        _ => "clinical",
    }
}

mod diff;
mod explain;

pub use diff::{Change, diff};
pub use explain::Explained;

#[cfg(test)]
mod tests;
