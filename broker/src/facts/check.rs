//! The rules that a change of the facts must keep. Pure. No refusal repeats what was written.

use super::{
    held::Facts,
    words::{Actor, ChangeKind, DirectiveKind, OverrideReason, Restricted, Verdict},
};
use crate::model::EnterpriseId;
use uuid::Uuid;

/// How long a claimed relationship lasts: milliseconds.
pub const CLAIM_LIFE_MS: i64 = 24 * 3_600_000;
/// How long an override lasts, at most: milliseconds.
pub const OVERRIDE_LIFE_MS_MAX: i64 = 60 * 60_000;
/// How long ago whoever breaks the glass may have signed in, at most: seconds.
pub const SIGN_IN_AGE_MAX_S: i64 = 120;
/// Characters of a reason, at least.
pub const REASON_CHARS_MIN: usize = 10;
/// Bytes of a reason, at most.
pub const REASON_BYTES_MAX: usize = 1024;

/// Bytes of an ODS code, an issuer or a user's id, at most.
const NAME_BYTES_MAX: usize = 256;
/// For how long claims and overrides of one user are counted.
const DAY_MS: i64 = 24 * 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// How far two clocks may differ: seconds.
const SKEW_S: i64 = 30;

/// What somebody asks to change. Their role was checked already.
#[derive(Clone, PartialEq, Eq)]
pub struct Wish {
    /// Names the change for ever; a retry with the same key changes nothing.
    pub key: Uuid,
    /// Who asks.
    pub by: Actor,
    /// Whom it is about; `None` for a withdrawal and a review.
    pub person: Option<EnterpriseId>,
    /// What it is.
    pub what: Wanted,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Enter a directive.
    Directive {
        /// What it keeps back.
        kind: DirectiveKind,
        /// From when: milliseconds since 1970-01-01T00:00:00Z; 0 for now.
        from_ms: i64,
        /// Until when; 0 until it is withdrawn.
        until_ms: i64,
        /// Why and how the person asked for it.
        reason: String,
    },
    /// Withdraw a directive.
    Withdrawal {
        /// The directive.
        directive: Uuid,
        /// Why and how the person asked for it.
        reason: String,
    },
    /// Claim that the user's organisation cares for the person now.
    Claim {
        /// Why.
        reason: String,
        /// Claims of one user in 24 hours, at most.
        per_day_max: u32,
    },
    /// Break the glass.
    Override {
        /// Why, by code.
        reason: OverrideReason,
        /// Why, in the user's words.
        text: String,
        /// For how many minutes, 1 to 60.
        minutes: u32,
        /// When the user last signed in themselves, seconds since 1970; `None` if their token does not say.
        authenticated_s: Option<i64>,
        /// Overrides of one user in 24 hours, at most.
        per_day_max: u32,
    },
    /// Review a claim or an override.
    Review {
        /// The claim or override.
        of: Uuid,
        /// What came of it.
        verdict: Verdict,
        /// A note; required unless it was justified.
        note: String,
    },
}

/// Why a change is refused. The texts may be shown to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// The index does not know the person.
    #[error("the index does not know this person; find the person again")]
    UnknownPerson,
    /// There is no such directive.
    #[error("there is no such directive; list the person's directives first")]
    UnknownDirective,
    /// There is no such claim or override.
    #[error("there is no such entry in the queue; list the queue first")]
    UnknownEntry,
    /// A field is wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The field at fault.
        field: &'static str,
        /// What to do.
        message: String,
    },
    /// It contradicts what was done before.
    #[error("{0}")]
    Conflict(&'static str),
    /// The limit of a day is reached.
    #[error("you have made {max} {of} in 24 hours, the most one user may; ask your privacy officer")]
    TooMany {
        /// Of what: claims or overrides.
        of: &'static str,
        /// How many may be.
        max: u32,
    },
    /// The user must sign in again.
    #[error(
        "to break the glass you must have signed in within the last {SIGN_IN_AGE_MAX_S} seconds; sign in again and try again"
    )]
    SignInAgain,
}

impl Facts {
    /// What a wish comes to at `now_ms`, if it keeps the rules. A retry is known by its key before this is asked.
    ///
    /// # Errors
    /// [`FactsError`] if it does not.
    pub fn check(&self, wish: &Wish, now_ms: i64) -> Result<ChangeKind, FactsError> {
        match &wish.what {
            Wanted::Directive { kind, from_ms, until_ms, reason } => {
                check_reason("reason", reason)?;
                check_directive(kind)?;
                let until_ms = Some(*until_ms).filter(|until| *until != 0);
                if until_ms.is_some_and(|until| until <= now_ms.max(*from_ms)) {
                    return Err(invalid("until_ms", "this is over before it begins; give a later end, or none"));
                }
                // "Now" stays 0: whatever another broker's clock says, it holds there at once.
                Ok(ChangeKind::DirectiveEntered {
                    kind: kind.clone(),
                    from_ms: *from_ms,
                    until_ms,
                    reason: reason.clone(),
                })
            }
            Wanted::Withdrawal { directive, reason } => {
                check_reason("reason", reason)?;
                match self.directive(*directive) {
                    None => Err(FactsError::UnknownDirective),
                    Some(known) if known.withdrawn.is_some() => {
                        Err(FactsError::Conflict("this directive is withdrawn already"))
                    }
                    Some(_) => Ok(ChangeKind::DirectiveWithdrawn { directive: *directive, reason: reason.clone() }),
                }
            }
            Wanted::Claim { reason, per_day_max } => {
                check_reason("reason", reason)?;
                check_limit(self.claims_since(&wish.by, now_ms.saturating_sub(DAY_MS)), ("claims", *per_day_max))?;
                let until_ms = now_ms.saturating_add(CLAIM_LIFE_MS);
                Ok(ChangeKind::RelationshipClaimed { reason: reason.clone(), until_ms })
            }
            Wanted::Override { .. } => self.check_override(wish, now_ms),
            Wanted::Review { of, verdict, note } => self.check_review(wish, (*of, *verdict, note)),
        }
    }

    fn check_override(&self, wish: &Wish, now_ms: i64) -> Result<ChangeKind, FactsError> {
        let Wanted::Override { reason, text, minutes, authenticated_s, per_day_max } = &wish.what else {
            return Err(FactsError::UnknownEntry);
        };
        let now_s = now_ms.div_euclid(1000);
        let is_fresh = |at: &i64| (now_s.saturating_sub(SIGN_IN_AGE_MAX_S)..=now_s.saturating_add(SKEW_S)).contains(at);
        let authenticated_s = authenticated_s.filter(is_fresh).ok_or(FactsError::SignInAgain)?;
        check_reason("text", text)?;
        let expires_ms = now_ms.saturating_add(i64::from(*minutes) * MINUTE_MS);
        if *minutes == 0 || expires_ms - now_ms > OVERRIDE_LIFE_MS_MAX {
            return Err(invalid("minutes", "an override lasts 1 to 60 minutes"));
        }
        if self.last_text(&wish.by).is_some_and(|last| plain(last) == plain(text)) {
            let message = "these are the very words of your last override; say what is so of this person";
            return Err(invalid("text", message));
        }
        check_limit(self.overrides_since(&wish.by, now_ms.saturating_sub(DAY_MS)), ("overrides", *per_day_max))?;
        Ok(ChangeKind::OverrideOpened { reason: *reason, text: text.clone(), expires_ms, authenticated_s })
    }

    fn check_review(&self, wish: &Wish, (of, verdict, note): (Uuid, Verdict, &str)) -> Result<ChangeKind, FactsError> {
        let reviewed = self.reviewable(of).ok_or(FactsError::UnknownEntry)?;
        if reviewed.by.is(&wish.by) {
            return Err(FactsError::Conflict("this is your own act; another privacy officer must review it"));
        }
        match verdict {
            Verdict::Justified => check_text("note", note)?,
            Verdict::NotJustified | Verdict::FollowUp => check_reason("note", note)?,
        }
        Ok(ChangeKind::Reviewed { of, verdict, note: note.to_owned() })
    }
}

fn check_limit(made: usize, (of, max): (&'static str, u32)) -> Result<(), FactsError> {
    if made < max as usize { Ok(()) } else { Err(FactsError::TooMany { of, max }) }
}

fn invalid(field: &'static str, message: impl Into<String>) -> FactsError {
    FactsError::Invalid { field, message: message.into() }
}

fn check_directive(kind: &DirectiveKind) -> Result<(), FactsError> {
    match kind {
        DirectiveKind::OptOut => Ok(()),
        DirectiveKind::Dissent { source } => check_name("source", &source.0),
        DirectiveKind::Restriction(Restricted::Organisation { ods }) => check_name("organisation_ods", ods),
        DirectiveKind::Restriction(Restricted::User { issuer, id }) => {
            check_name("user_issuer", issuer)?;
            check_name("user_id", id)
        }
        DirectiveKind::Restriction(Restricted::Datasets(datasets)) if datasets.is_empty() => {
            Err(invalid("datasets", "name one dataset at least"))
        }
        DirectiveKind::Restriction(Restricted::Datasets(_)) => Ok(()),
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), FactsError> {
    let is_name = !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    let message = || format!("give it, in {NAME_BYTES_MAX} bytes at most");
    if is_name { Ok(()) } else { Err(invalid(field, message())) }
}

fn check_reason(field: &'static str, reason: &str) -> Result<(), FactsError> {
    if reason.trim().chars().count() < REASON_CHARS_MIN {
        return Err(invalid(field, format!("say why, in {REASON_CHARS_MIN} characters or more")));
    }
    check_text(field, reason)
}

fn check_text(field: &'static str, text: &str) -> Result<(), FactsError> {
    if text.len() > REASON_BYTES_MAX {
        return Err(invalid(field, format!("at most {REASON_BYTES_MAX} bytes; shorten it")));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(field, "control characters are not allowed; remove them"));
    }
    Ok(())
}

/// Words without what does not change them.
fn plain(text: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() { c.to_lowercase().collect() } else { String::from(" ") };
    text.chars().map(kept).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
