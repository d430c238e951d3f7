//! The second reading of the rules: slow, direct, without Cedar and without memory.
//!
//! The written rules it follows: nothing is permitted unless a rule permits it; of several verdicts the strictest holds,
//! whoever says it; a label, a person's directive and the mark of a restricted person can only make a verdict stricter,
//! whatever a rule makes of them; a reason opens only what may be opened with one, and what opens with it is permitted
//! then by every rule; a sealed item is never opened; what cannot be understood is denied.

use super::words::{About, Effect, Fact, GROUPS, Rule, RuleSet, Verdict, role_of};
use severn_proto::v1::{Dataset, PurposeOfUse, SensitivityLabel};
use std::collections::{BTreeMap, BTreeSet};

/// Every fact that a rule may ask for, but for the entry's.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The role code in the user's token.
    pub role_code: String,
    /// The organisation.
    pub organisation: String,
    /// How well the user is known.
    pub assurance: u8,
    /// Activities.
    pub activities: BTreeSet<String>,
    /// Workgroups.
    pub workgroups: BTreeSet<String>,
    /// Why.
    pub purpose: PurposeOfUse,
    /// The best relationship, and how it is known.
    pub relationship: (&'static str, &'static str),
    /// Whole years, -1 if not known.
    pub age: i64,
    /// Whether the person is restricted.
    pub restricted: bool,
    /// Whether they have died.
    pub deceased: bool,
    /// Days since then, -1 if not known.
    pub dead_for: i64,
    /// 0 for no directive, 1 for one that yields to a reason, 2 for a dissent.
    pub directive: u8,
    /// Whether the user opens with a reason.
    pub glass: bool,
    /// The source's kind; empty where an owner decides for itself.
    pub kind: String,
}

/// Words of what directives say, by [`Moment::directive`].
const DIRECTIVES: [&str; 3] = ["none", "restricted", "dissent"];

/// Why a verdict is what it is. Several may be so at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A rule says so.
    Rule,
    /// No rule permits it.
    Unpermitted,
    /// The person wishes it.
    Person,
    /// It is not understood.
    Fault,
}

/// A verdict, and all that it may be put down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// What is as strict.
    pub causes: BTreeSet<Cause>,
}

impl Judged {
    fn because(verdict: Verdict, cause: Cause) -> Judged {
        Judged { verdict, causes: BTreeSet::from([cause]) }
    }

    /// The stricter of the two; where both are as strict, with the causes of both.
    fn and(mut self, other: Judged) -> Judged {
        if other.verdict > self.verdict {
            return other;
        }
        if other.verdict == self.verdict {
            self.causes.extend(other.causes);
        }
        self
    }
}

/// How often each rule of each owner applied, and how often it did not.
pub type Tally = BTreeMap<(String, String), [u64; 2]>;

fn holds(fact: &Fact, moment: &Moment, label: SensitivityLabel) -> bool {
    match fact {
        Fact::Purpose(purposes) => purposes.contains(&moment.purpose),
        Fact::Label(labels) => labels.contains(&label),
        Fact::Kind(kind) => moment.kind == *kind,
        Fact::Relationship(kinds) => kinds.contains(&moment.relationship.0),
        Fact::Evidence(words) => words.contains(&moment.relationship.1),
        Fact::Organisation(codes) => codes.contains(&moment.organisation),
        Fact::Assurance(least) => moment.assurance >= *least,
        Fact::Workgroup(word) => moment.workgroups.contains(*word),
        Fact::Activity(word) => moment.activities.contains(*word),
        Fact::YoungerThan(years) => moment.age < *years,
        Fact::Restricted => moment.restricted,
        Fact::Deceased => moment.deceased,
        Fact::DeadFor(days) => moment.dead_for >= *days,
        Fact::Directive(words) => words.contains(&DIRECTIVES[usize::from(moment.directive)]),
        Fact::Glass => moment.glass,
    }
}

fn applies(rule: &Rule, moment: &Moment, dataset: Dataset, label: SensitivityLabel) -> bool {
    let about = match &rule.about {
        About::Everything => true,
        About::Group(group) => GROUPS.iter().any(|(name, datasets)| name == group && datasets.contains(&dataset)),
        About::Only(datasets) => datasets.contains(&dataset),
    };
    let role = rule.role.is_none_or(|role| role_of(&moment.role_code) == Some(role));
    let when = rule.when.iter().all(|fact| holds(fact, moment, label));
    let unless = rule.unless.iter().any(|fact| holds(fact, moment, label));
    (about || rule.effect == Effect::Hide) && role && when && !unless
}

impl RuleSet {
    /// Whether it knows the role.
    pub fn knows(&self, moment: &Moment) -> bool {
        role_of(&moment.role_code).is_some_and(|role| self.roles.contains(&role))
    }

    /// Whether it hides the source. To mark a person as restricted may hide it, and never shows it.
    pub fn hides(&self, moment: &Moment) -> bool {
        if !self.knows(moment) {
            return true;
        }
        let hides = |moment: &Moment| {
            let mut hiding = self.rules.iter().filter(|rule| rule.effect == Effect::Hide);
            hiding.any(|rule| applies(rule, moment, Dataset::Unspecified, SensitivityLabel::Normal))
        };
        let plain = Moment { directive: 0, glass: false, ..moment.clone() };
        hides(&Moment { restricted: false, ..plain.clone() }) || hides(&plain)
    }

    /// What it says of an entry of this dataset with these labels, by their numbers.
    pub fn judge(&self, moment: &Moment, dataset: Dataset, labels: &[i32]) -> Judged {
        let mut judged = self.of_label(moment, dataset, SensitivityLabel::Normal);
        for number in labels {
            judged = judged.and(match SensitivityLabel::try_from(*number) {
                Ok(label) if label != SensitivityLabel::Unspecified => self.of_label(moment, dataset, label),
                _ => Judged::because(Verdict::Denied, Cause::Fault),
            });
        }
        judged
    }

    fn of_label(&self, moment: &Moment, dataset: Dataset, label: SensitivityLabel) -> Judged {
        if !self.knows(moment) {
            return Judged::because(Verdict::Denied, Cause::Unpermitted);
        }
        if label == SensitivityLabel::Sealed {
            return Judged::because(Verdict::Withheld, Cause::Rule);
        }
        let closed = self.strictest(&Moment { glass: false, ..moment.clone() }, dataset, label);
        if closed.verdict == Verdict::MayBeOpened && moment.glass {
            let opened = self.strictest(moment, dataset, label);
            if opened.verdict == Verdict::Permit {
                return opened;
            }
        }
        closed
    }

    /// The strictest over every part of what restricts.
    fn strictest(&self, moment: &Moment, dataset: Dataset, label: SensitivityLabel) -> Judged {
        let mut strictest: Option<Judged> = None;
        for restricted in [false, true] {
            for directive in 0..=moment.directive {
                if restricted && !moment.restricted {
                    continue;
                }
                let part = Moment { restricted, directive, ..moment.clone() };
                let judged = self.plainly(&part, dataset, label);
                strictest = Some(match strictest {
                    Some(before) => before.and(judged),
                    None => judged,
                });
            }
        }
        let judged = strictest.unwrap_or(Judged::because(Verdict::Denied, Cause::Fault));
        match moment.directive {
            1 if !moment.glass => judged.and(Judged::because(Verdict::MayBeOpened, Cause::Person)),
            2 => judged.and(Judged::because(Verdict::Withheld, Cause::Person)),
            _ => judged,
        }
    }

    fn plainly(&self, moment: &Moment, dataset: Dataset, label: SensitivityLabel) -> Judged {
        let (mut forbidden, mut permitted) = (None, false);
        for rule in &self.rules {
            if !applies(rule, moment, dataset, label) {
                continue;
            }
            match rule.effect {
                Effect::Permit => permitted = true,
                Effect::Forbid(verdict) => forbidden = forbidden.max(Some(verdict)),
                Effect::Hide => {}
            }
        }
        match (forbidden, permitted) {
            (Some(verdict), _) => Judged::because(verdict, Cause::Rule),
            (None, true) => Judged::because(Verdict::Permit, Cause::Rule),
            (None, false) => Judged::because(Verdict::Denied, Cause::Unpermitted),
        }
    }

    /// Whether ordinary entries would be permitted with this relationship and purpose, all else being as it is.
    pub fn would_permit(&self, moment: &Moment, dataset: Dataset) -> bool {
        self.knows(moment)
            && self.plainly(&Moment { glass: false, ..moment.clone() }, dataset, SensitivityLabel::Normal).verdict
                == Verdict::Permit
    }

    /// Counts which rules applied to what was asked, and which did not. No dataset stands for the source itself, which
    /// rules that hide are about, and no others.
    pub fn count(&self, moment: &Moment, (dataset, labels): (Dataset, &[i32]), tally: &mut Tally) {
        let known = labels.iter().filter_map(|number| SensitivityLabel::try_from(*number).ok());
        for label in [SensitivityLabel::Normal].into_iter().chain(known) {
            let of_source = |rule: &&Rule| (rule.effect == Effect::Hide) == (dataset == Dataset::Unspecified);
            for rule in self.rules.iter().filter(of_source) {
                let applied = applies(rule, moment, dataset, label);
                tally.entry((self.owner.clone(), rule.id.clone())).or_default()[usize::from(applied)] += 1;
            }
        }
    }
}
