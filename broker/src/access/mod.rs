//! Who asks, why, and what may be asked of whom. Token and proof are checked here first; every adapter checks them
//! again for itself. What no rule allows is not asked.

mod limits;
mod plan;

use crate::model::{EnterpriseId, Person, Question};
use limits::Searches;
use serde::Deserialize;
use severn_policy::{Asker, CurrentPolicy, Policy, PolicySettings, Relationship, SettingsError};
use severn_proto::v1::{Dataset, PurposeOfUse, RequestContext};
use severn_trust::{
    ALL_DATASETS, Clock, IssuerKeys, PersonKeys, Proof, ProofError, RecordLimits, Replays, Retrievals, TokenError, User,
};
use std::{sync::Arc, time::Duration};

pub use limits::{ActLimits, SearchLimits};

/// Who may do what, from the configuration: the region's policy, and the roles for acts that are not reading a record.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessSettings {
    /// The region's policy: a table of role × purpose × dataset, or a signed bundle.
    pub policy: PolicySettings,
    /// Names of the roles that may correct links.
    #[serde(default)]
    pub stewards: Vec<String>,
    /// Names of the roles that may read the access report of any person, and what stewards decided.
    #[serde(default)]
    pub auditors: Vec<String>,
    /// Names of the roles that may enter, withdraw and list people's directives.
    #[serde(default)]
    pub directives: Vec<String>,
    /// Names of the roles that review claims and overrides of their own organisation, or about people it knows.
    #[serde(default)]
    pub privacy_officers: Vec<String>,
    /// Names of the roles that review everybody's.
    #[serde(default)]
    pub privacy_officers_of_all: Vec<String>,
    /// Names of the roles that may break the glass; none, if this is left out.
    #[serde(default)]
    pub override_roles: Vec<String>,
    /// How often people may be looked for.
    #[serde(default)]
    pub searches: SearchLimits,
    /// How often records may be retrieved.
    #[serde(default = "RecordLimits::usual")]
    pub records: Option<RecordLimits>,
    /// How often relationships may be claimed and the glass be broken.
    #[serde(default)]
    pub limits: ActLimits,
}

impl AccessSettings {
    /// Checks every word.
    ///
    /// # Errors
    /// [`SettingsError`] names the key at fault.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.policy.check().map_err(|e| SettingsError { key: format!("policy.{}", e.key), ..e })?;
        // Which roles a bundle has is known once it is read, and a name that is none of them is nobody's.
        let unknown =
            |name: &&String| self.policy.bundle.is_none() && !self.policy.roles.iter().any(|role| role.name == **name);
        for (key, names) in [
            ("stewards", &self.stewards),
            ("auditors", &self.auditors),
            ("directives", &self.directives),
            ("privacy_officers", &self.privacy_officers),
            ("privacy_officers_of_all", &self.privacy_officers_of_all),
            ("override_roles", &self.override_roles),
        ] {
            if let Some(unknown) = names.iter().find(unknown) {
                return Err(SettingsError {
                    key: key.into(),
                    message: format!("{unknown:?} is not among policy.roles"),
                });
            }
        }
        Ok(())
    }
}

/// An act that is not reading a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Look for a person: anybody who may list the sources, and not too often.
    Find,
    /// List the sources: anybody who may read anything.
    Sources,
    /// Correct links.
    Steward,
    /// Read who looked at a person's record.
    Report,
    /// Read what stewards decided: they themselves, and auditors.
    Decisions,
    /// Report an entry to its owner and read the answer: anybody who may read anything; which entry, the plan decides.
    Challenge,
    /// Enter, withdraw and list people's directives.
    Directives,
    /// Claim that one's organisation cares for a person: anybody who may read anything, for the sake of care.
    Claim,
    /// Break the glass, for the sake of care.
    BreakGlass,
    /// Review claims and overrides.
    Oversee,
}

/// Why a request is refused. The texts may be shown to the caller and reveal nothing of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The user's token is not acceptable.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The app's proof is not acceptable.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// The role may not do this.
    #[error("your role may not {act} for this purpose; ask your organisation's privacy officer", act = act_word(*.0))]
    Act(Act),
    /// People were looked for, or records retrieved, too often.
    #[error("too many {what}; wait {wait_s} s. If your work needs more, ask the broker's operator")]
    TooOften {
        /// Of what.
        what: &'static str,
        /// Seconds to wait.
        wait_s: u64,
    },
    /// No policy in force knows the role.
    #[error("the region's policy does not know your role; sign in with another, or ask your organisation")]
    UnknownRole,
    /// The proof names nobody.
    #[error(
        "the request proof commits to nobody; sign the NHS number, or birth date and family name, of the person meant"
    )]
    NobodyMeant,
    /// The proof names no dataset.
    #[error("the request proof names no dataset; sign the datasets you ask for, since every source reads them there")]
    NothingAsked,
    /// The person asked for is not the one the proof commits to.
    #[error("the person asked for is not the person that the request proof commits to; find the person again")]
    OtherPerson,
}

fn act_word(act: Act) -> &'static str {
    match act {
        Act::Find | Act::Sources => "ask about people",
        Act::Steward => "do what a steward does",
        Act::Challenge => "report entries to their owners",
        Act::Decisions => "read what stewards decided",
        Act::Directives => "enter or read people's directives",
        Act::Claim => "claim to care for a person",
        Act::BreakGlass => "break the glass",
        Act::Oversee => "review claims and overrides",
        Act::Report => "read who looked at a record, as a privacy officer does,",
    }
}

/// The stage.
pub struct Access {
    keys: Arc<IssuerKeys>,
    settings: AccessSettings,
    replays: Replays,
    searches: Searches,
    retrievals: Retrievals,
    policy: Arc<CurrentPolicy>,
    clock: Arc<dyn Clock>,
}

impl Access {
    /// Decides by `settings` and the region's `policy`, believing the issuers in `keys`.
    pub fn new(
        settings: AccessSettings,
        policy: Arc<CurrentPolicy>,
        keys: Arc<IssuerKeys>,
        clock: Arc<dyn Clock>,
    ) -> Access {
        let searches = Searches::new(settings.searches, Arc::clone(&clock));
        let retrievals = Retrievals::new(settings.records, Arc::clone(&clock));
        Access { keys, settings, replays: Replays::default(), searches, retrievals, policy, clock }
    }

    /// Checks who asks: the user's token, the app's signature over the request, and that neither was used before.
    ///
    /// # Errors
    /// [`AccessError`]; nothing may be read then.
    pub fn admit(&self, context: &RequestContext) -> Result<(User, Proof), AccessError> {
        let now_s = self.clock.now_s();
        let user = self.keys.verify(&context.user_token, now_s)?;
        let proof = Proof::verify(&context.request_proof, &user, now_s)?;
        self.replays.take(&user, &proof)?;
        Ok((user, proof))
    }

    /// Turns an admitted request into a question about `person`.
    ///
    /// # Errors
    /// [`AccessError::NobodyMeant`] if the proof commits to nobody, [`AccessError::NothingAsked`] if it names no dataset,
    /// [`AccessError::UnknownRole`] where no source could be told of.
    pub fn question(
        &self,
        (user, proof): (User, Proof),
        person: EnterpriseId,
        context: RequestContext,
        deadline: Duration,
    ) -> Result<Question, AccessError> {
        if proof.person.is_empty() {
            return Err(AccessError::NobodyMeant);
        }
        let datasets: Vec<Dataset> = ALL_DATASETS.into_iter().filter(|d| proof.datasets.contains(d)).collect();
        if datasets.is_empty() {
            return Err(AccessError::NothingAsked);
        }
        if self.policy.at(self.clock.now_s()).role_name(&user.role_code).is_none() {
            return Err(AccessError::UnknownRole);
        }
        let (query_id, commitments, opening) = (proof.query_id, proof.person, proof.opening);
        Ok(Question { query_id, user, person, datasets, commitments, opening, context, deadline })
    }

    /// Counts a retrieval.
    ///
    /// # Errors
    /// [`AccessError::TooOften`] if user, organisation or person had too many.
    pub fn count(&self, question: &Question) -> Result<(), AccessError> {
        let taken = self.retrievals.take(&question.user, &question.person.to_string());
        taken.map_err(|wait_s| AccessError::TooOften { what: "records", wait_s })
    }

    /// Compares the person found with the one the proof commits to.
    ///
    /// # Errors
    /// [`AccessError::OtherPerson`] if they are not the same.
    pub fn confirm(&self, question: &Question, person: &Person) -> Result<(), AccessError> {
        let own = PersonKeys::of(&person.golden);
        if question.commitments.agrees_with(&own) { Ok(()) } else { Err(AccessError::OtherPerson) }
    }

    /// Whether the user may do something other than read a record. A search counts.
    ///
    /// # Errors
    /// [`AccessError::Act`] if not, [`AccessError::TooOften`] if not now.
    pub fn may(&self, user: &User, act: Act) -> Result<(), AccessError> {
        let policy = self.policy.at(self.clock.now_s());
        let named = |roles: &[String]| self.is_among(user, roles);
        let may = match act {
            Act::Find => {
                self.may(user, Act::Sources).map_err(|_| AccessError::Act(act))?;
                return self.searches.take(user).map_err(|wait_s| AccessError::TooOften { what: "searches", wait_s });
            }
            Act::Sources => reads_anything(&policy, user) || self.may(user, Act::Steward).is_ok(),
            Act::Challenge => reads_anything(&policy, user),
            Act::Steward => named(&self.settings.stewards),
            Act::Report => named(&self.settings.auditors),
            Act::Decisions => named(&self.settings.stewards) || named(&self.settings.auditors),
            Act::Directives => named(&self.settings.directives),
            Act::Claim => is_care(user.purpose) && reads_anything(&policy, user),
            Act::BreakGlass => is_care(user.purpose) && named(&self.settings.override_roles),
            Act::Oversee => named(&self.settings.privacy_officers) || self.oversees_all(user),
        };
        if may { Ok(()) } else { Err(AccessError::Act(act)) }
    }

    /// Whether the user reviews everybody's claims and overrides, not only those that concern their organisation.
    pub fn oversees_all(&self, user: &User) -> bool {
        self.is_among(user, &self.settings.privacy_officers_of_all)
    }

    /// The name of the role that a code means by the policy in force; `None` for one that it does not know.
    pub fn role_name(&self, role_code: &str) -> Option<String> {
        self.policy.at(self.clock.now_s()).role_name(role_code).map(str::to_owned)
    }

    /// How often relationships may be claimed and the glass be broken.
    pub fn limits(&self) -> ActLimits {
        self.settings.limits
    }

    fn is_among(&self, user: &User, roles: &[String]) -> bool {
        let policy = self.policy.at(self.clock.now_s());
        policy.role_name(&user.role_code).is_some_and(|name| roles.iter().any(|role| role == name))
    }
}

/// Whether somebody asks for the sake of care, and not to look after the records.
fn is_care(purpose: PurposeOfUse) -> bool {
    matches!(purpose, PurposeOfUse::DirectCare | PurposeOfUse::Emergency | PurposeOfUse::Safeguarding)
}

/// Whether the user may read anything of anybody, were it of somebody registered with their own organisation.
fn reads_anything(policy: &Policy, user: &User) -> bool {
    policy.decisions(&Asker { relationship: Relationship::OWN, ..Asker::from(user) }, "").permits_anything()
}

#[cfg(test)]
mod tests;
