//! What an owner does with policies before they are in force: begin from a starter, check, ask who may see what and why,
//! compare two versions, sign. The same commands at the broker and at an adapter.

use crate::{
    bundle::{BUNDLE_BYTES_MAX, Bundle, BundleRole},
    engine::{Change, Policy, diff},
    facts::{Asker, Directive, Evidence, LABELS, PersonFacts, Relationship, RelationshipKind},
    ruling::{Missing, Ruling, Verdict, Why},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::{Args, Subcommand};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use severn_trust::{ALL_DATASETS, SigningKey, dataset_from_word, dataset_word, label_from_word, purpose_from_word};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Write, check, explain, compare and sign policies.
#[derive(Debug, Subcommand)]
pub enum Workbench {
    /// Write a starter into a new folder: region, safeguarding, social-care, council or mental-health-trust
    Starter {
        /// Which one
        name: String,
        /// The folder to make
        folder: PathBuf,
    },
    /// Say what is wrong with a folder of policies, or with a signed bundle
    Check {
        /// A folder with bundle.toml and *.cedar, or a signed bundle
        policy: PathBuf,
    },
    /// Say who may see what, and which policies decide
    Explain(Box<Question>),
    /// List who sees more and who sees less under another version
    Diff {
        /// The version before: a folder or a signed bundle
        old: PathBuf,
        /// The version after
        new: PathBuf,
    },
    /// Sign a folder of policies
    Sign {
        /// The folder with bundle.toml and *.cedar
        folder: PathBuf,
        /// The owner's policy key: PKCS#8 PEM, P-256 or Ed25519
        #[arg(long)]
        key: PathBuf,
        /// Where to write the bundle
        #[arg(long)]
        out: PathBuf,
    },
    /// Print the public half of a policy key, for the configuration of whoever is to believe it
    Key {
        /// PKCS#8 PEM, P-256 or Ed25519
        key: PathBuf,
    },
}

/// Who asks about whom.
#[derive(Debug, Args)]
pub struct Question {
    /// A folder with bundle.toml and *.cedar, or a signed bundle
    pub policy: PathBuf,
    /// Role code, as a token names it
    #[arg(long)]
    pub role: String,
    /// direct_care, emergency, safeguarding, audit or subject_access
    #[arg(long, default_value = "direct_care")]
    pub purpose: String,
    /// One dataset; all if left out
    #[arg(long)]
    pub dataset: Option<String>,
    /// A sensitivity label that the entries carry
    #[arg(long, default_value = "normal")]
    pub label: String,
    /// none, registered, referred, admitted, caseload or self_claimed
    #[arg(long, default_value = "none")]
    pub relationship: String,
    /// Kind of source, as the registry has it
    #[arg(long, default_value = "")]
    pub source_kind: String,
    /// ODS code of the user's organisation
    #[arg(long, default_value = "")]
    pub organisation: String,
    /// A workgroup of the user; may be given several times
    #[arg(long)]
    pub workgroup: Vec<String>,
    /// An activity code of the user; may be given several times
    #[arg(long)]
    pub activity: Vec<String>,
    /// The user's assurance level, 0 to 3
    #[arg(long, default_value_t = 3)]
    pub assurance: u8,
    /// The person's age in years
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    pub age: i64,
    /// Days since the person died
    #[arg(long)]
    pub days_since_death: Option<i64>,
    /// The person is restricted (S-flag)
    #[arg(long)]
    pub restricted: bool,
    /// What the person's own directives say: none, restricted or dissent
    #[arg(long, default_value = "none")]
    pub directive: String,
    /// The user opens with a reason
    #[arg(long)]
    pub breaking_glass: bool,
}

/// Why a command did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorkbenchError(String);

fn fault(text: impl Into<String>) -> WorkbenchError {
    WorkbenchError(text.into())
}

/// Names owner, version, end and roles, in a folder of policies.
const MANIFEST: &str = "bundle.toml";

/// `bundle.toml` in a folder of policies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    owner: String,
    version: u64,
    /// The last day on which it holds.
    expires: Date,
    roles: Vec<BundleRole>,
}

/// Name, `bundle.toml` and policies of a starter.
macro_rules! starter {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../starters/", $name, "/bundle.toml")),
            include_str!(concat!("../starters/", $name, "/policy.cedar")),
        )
    };
}

/// What an owner may begin from.
pub const STARTERS: [(&str, &str, &str); 5] = [
    starter!("region"),
    starter!("safeguarding"),
    starter!("social-care"),
    starter!("council"),
    starter!("mental-health-trust"),
];

impl Workbench {
    /// Does it, at a time in seconds since 1970, and gives what is to be printed.
    ///
    /// # Errors
    /// [`WorkbenchError`] says what to do; nothing is half-written.
    pub fn run(&self, now_s: i64) -> Result<String, WorkbenchError> {
        match self {
            Workbench::Starter { name, folder } => write_starter(name, folder),
            Workbench::Check { policy } => check(policy, now_s),
            Workbench::Explain(question) => question.answer(),
            Workbench::Diff { old, new } => Ok(compared(&diff(&policy_of(old)?, &policy_of(new)?))),
            Workbench::Sign { folder, key, out } => sign(folder, key, out, now_s),
            Workbench::Key { key } => {
                let json = serde_json::to_string(&signing_key(key)?.public().jwk());
                json.map(|json| json + "\n").map_err(|error| fault(error.to_string()))
            }
        }
    }
}

fn write_starter(name: &str, folder: &Path) -> Result<String, WorkbenchError> {
    let known = STARTERS.iter().find(|(known, ..)| *known == name);
    let (_, manifest, policies) = known.ok_or_else(|| {
        let names: Vec<&str> = STARTERS.iter().map(|(name, ..)| *name).collect();
        fault(format!("{name:?} is no starter; there are {}", names.join(", ")))
    })?;
    let at = |error: std::io::Error| fault(format!("{}: {error}", folder.display()));
    fs::create_dir(folder).map_err(at)?;
    fs::write(folder.join(MANIFEST), manifest).map_err(at)?;
    fs::write(folder.join("policy.cedar"), policies).map_err(at)?;
    let folder = folder.display();
    Ok(format!("{folder}: change owner, roles and rules in it, then `policy check {folder}`\n"))
}

fn check(path: &Path, now_s: i64) -> Result<String, WorkbenchError> {
    let bundle = read(path)?;
    let policy = bundle.policy().map_err(|error| fault(format!("{}: {error}", path.display())))?;
    if bundle.expires_s <= now_s {
        return Err(fault(format!("{}: it has ended; give it a later day and a higher version", path.display())));
    }
    let shared = ALL_DATASETS.into_iter().filter(|dataset| policy.shares(*dataset)).count();
    Ok(format!(
        "{}: good; {}, {} role(s), {shared} of {} datasets shared with somebody\n",
        path.display(),
        policy.version(),
        policy.roles().len(),
        ALL_DATASETS.len()
    ))
}

fn sign(folder: &Path, key: &Path, out: &Path, now_s: i64) -> Result<String, WorkbenchError> {
    let bundle = Bundle { issued_s: now_s, ..read(folder)? };
    check(folder, now_s)?;
    let signed = bundle.sign(&signing_key(key)?).map_err(|error| fault(error.to_string()))?;
    let beside = out.with_extension("new");
    let at = |error: std::io::Error| fault(format!("{}: {error}", out.display()));
    fs::write(&beside, signed).and_then(|()| fs::rename(&beside, out)).map_err(at)?;
    Ok(format!("{}: version {} of {}\n", out.display(), bundle.version, bundle.owner))
}

fn signing_key(file: &Path) -> Result<SigningKey, WorkbenchError> {
    let pem = fs::read_to_string(file).map_err(|error| fault(format!("{}: {error}", file.display())))?;
    SigningKey::from_pem(&pem).map_err(|error| fault(format!("{}: {error}", file.display())))
}

fn policy_of(path: &Path) -> Result<Policy, WorkbenchError> {
    read(path)?.policy().map_err(|error| fault(format!("{}: {error}", path.display())))
}

/// A folder of policies, or what is in a signed bundle, whoever signed it: here nothing is put in force.
fn read(path: &Path) -> Result<Bundle, WorkbenchError> {
    let named = |error: String| fault(format!("{}: {error}", path.display()));
    if !path.is_dir() {
        let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let payload = text.trim().split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let bundle = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        return bundle.ok_or_else(|| named("is neither a folder of policies nor a signed bundle".into()));
    }
    let text = fs::read_to_string(path.join(MANIFEST)).map_err(|error| named(format!("{MANIFEST}: {error}")))?;
    let manifest: Manifest = toml::from_str(&text).map_err(|error| named(format!("{MANIFEST}: {error}")))?;
    let end = manifest.expires.tomorrow().and_then(|day| day.to_zoned(TimeZone::UTC));
    let end = end.map_err(|error| named(format!("{MANIFEST}: expires: {error}")))?;
    Ok(Bundle {
        owner: manifest.owner,
        version: manifest.version,
        issued_s: 0,
        expires_s: Timestamp::from(end).as_second(),
        roles: manifest.roles,
        policies: policies_in(path).map_err(|error| named(error.to_string()))?,
    })
}

/// All `*.cedar` in a folder, by name.
fn policies_in(folder: &Path) -> std::io::Result<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "cedar"));
    files.sort();
    let mut policies = String::new();
    for file in files {
        policies.push_str(&fs::read_to_string(&file)?);
        policies.push('\n');
    }
    match policies.len() > BUNDLE_BYTES_MAX {
        true => Err(std::io::Error::other(format!("more than {BUNDLE_BYTES_MAX} bytes of policies"))),
        false => Ok(policies),
    }
}

impl Question {
    fn answer(&self) -> Result<String, WorkbenchError> {
        let unknown = |key: &str, word: &str| fault(format!("--{key}: {word:?} is not known; see --help"));
        let policy = policy_of(&self.policy)?;
        let asker =
            self.asker().ok_or_else(|| fault("--purpose, --relationship or --directive is not known; see --help"))?;
        let label = label_from_word(&self.label).ok_or_else(|| unknown("label", &self.label))?;
        let datasets = match &self.dataset {
            None => ALL_DATASETS.to_vec(),
            Some(word) => vec![dataset_from_word(word).ok_or_else(|| unknown("dataset", word))?],
        };
        let role = policy.role_name(&asker.role_code).unwrap_or("no role of this policy");
        let mut text = format!("{} ({role}), {}, under {}\n\n", self.role, self.purpose, policy.version());
        let decisions = policy.decisions(&asker, &self.source_kind);
        if !decisions.may_know() && policy.role_name(&asker.role_code).is_some() {
            text.push_str("Such a source is hidden: as if it did not know the person.\n");
        }
        for dataset in datasets {
            let explained = decisions.explain(dataset, label);
            let said = said(explained.ruling, || decisions.missing(dataset, label));
            text.push_str(&format!("{:<24} {said}\n", dataset_word(dataset)));
            for (id, reason) in explained.by {
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                text.push_str(&format!("{:<24}   by {id:?}{reason}\n", ""));
            }
        }
        Ok(text)
    }

    fn asker(&self) -> Option<Asker> {
        let kind = RelationshipKind::from_word(&self.relationship)?;
        let evidence = match kind {
            RelationshipKind::None => Evidence::None,
            RelationshipKind::SelfClaimed => Evidence::Claimed,
            _ => Evidence::Own,
        };
        let directives = [Directive::None, Directive::Restricted, Directive::Dissent];
        Some(Asker {
            organisation: self.organisation.clone(),
            assurance: self.assurance,
            activities: self.activity.iter().cloned().collect(),
            workgroups: self.workgroup.iter().cloned().collect(),
            relationship: Relationship { kind, evidence },
            person: PersonFacts {
                age_years: self.age,
                restricted: self.restricted,
                deceased: self.days_since_death.is_some(),
                days_since_death: self.days_since_death.unwrap_or(-1),
            },
            directive: directives.into_iter().find(|directive| directive.word() == self.directive)?,
            breaking_glass: self.breaking_glass,
            ..Asker::new(&self.role, purpose_from_word(&self.purpose)?)
        })
    }
}

fn said(ruling: Ruling, missing: impl FnOnce() -> Missing) -> String {
    let said = match (ruling.verdict, ruling.why) {
        (Verdict::Permit, _) => "seen".to_owned(),
        (Verdict::MayBeOpened, _) => "withheld; may be opened with a reason".to_owned(),
        (Verdict::Withheld, Why::Person) => "withheld at the person's wish".to_owned(),
        (Verdict::Withheld, _) => "withheld".to_owned(),
        (Verdict::Denied, Why::Fault) => "denied: it could not be decided".to_owned(),
        (Verdict::Denied, Why::Unpermitted) => match missing() {
            Missing::Role => "not for this role".to_owned(),
            Missing::Purpose => "not for this purpose".to_owned(),
            Missing::Relationship => "not without a relationship".to_owned(),
        },
        (Verdict::Denied, _) => "not shared".to_owned(),
    };
    let obligations = ruling.obligations.words();
    if obligations.is_empty() { said } else { format!("{said} ({})", obligations.join(", ")) }
}

fn compared(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "Nobody sees more or less.\n".to_owned();
    }
    let mut text = String::new();
    let mut before = None;
    for change in changes {
        let who = (&change.role, &change.purpose);
        if before != Some(who) {
            text.push_str(&format!("{}, {}\n", change.role, change.purpose));
            before = Some(who);
        }
        let labels = match change.labels.len() {
            every if every == LABELS.len() - 1 => "every label".to_owned(),
            _ => change.labels.join(", "),
        };
        let when =
            if change.when.is_empty() { "always".to_owned() } else { format!("such as {}", change.when.join(", ")) };
        let direction = if change.more { "MORE" } else { "less" };
        text.push_str(&format!("  {direction}  {} ({labels}): {when}\n", change.dataset));
    }
    text
}

#[cfg(test)]
mod tests;
