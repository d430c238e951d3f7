//! The files a demo runs on: keys, certificates, and the configuration of every party. They are ordinary ones, written
//! out so that a reader can open them, change them, and start the programs on them.

use crate::{
    authority::{Authority, AuthorityError},
    organisations::{BIRMINGHAM, MENTAL_HEALTH, ORGANISATIONS, Organisation, PRISON, Shape},
    truth,
};
use severn_link::Identity;
use severn_trust::{Issuer, dataset_word};
use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The broker's id.
pub const BROKER: &str = "broker-1";
/// The asking app's id.
pub const APP: &str = "demo-app";
/// The federation's name, the audience of every token.
pub const AUDIENCE: &str = "severn";
/// The issuer of the demo's tokens.
pub const ISSUER: &str = "https://login.demo.severn.example";
/// The user who asks, and who does not exist.
pub const USER: &str = "u-100481";
/// Their name.
pub const USER_NAME: &str = "Dr Sam Hollis";
/// Role code of a clinician, as tokens name it.
pub const CLINICIAN: &str = "S8000:G8000:R8000";
/// Role code of a social worker.
pub const SOCIAL_WORKER: &str = "R9001";
/// Role code of a steward of the index.
pub const STEWARD: &str = "R9100";
/// Role code of a privacy officer.
pub const PRIVACY_OFFICER: &str = "R9200";

/// Why the files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The disk refused.
    #[error("cannot write the configurations: {0}")]
    Disk(#[from] io::Error),
    /// Keys or certificates cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A public key cannot be written as JSON.
    #[error("cannot write a public key: {0}")]
    Json(#[from] serde_json::Error),
}

/// Where everybody listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The broker.
    pub broker: SocketAddr,
    /// The gateway at which users sign in.
    pub gateway: SocketAddr,
    /// The adapters, in the order of [`ORGANISATIONS`].
    pub adapters: Vec<SocketAddr>,
}

/// A demo's folder. Every path below it is made here.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// A demo in `folder`, which should be absolute.
    pub fn new(folder: PathBuf) -> Layout {
        Layout(folder)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The folder of the sources, one in it for each.
    pub fn sources(&self) -> PathBuf {
        self.0.join("sources")
    }

    /// An adapter's configuration.
    pub fn adapter(&self, ods: &str) -> PathBuf {
        self.sources().join(ods).join("adapter.toml")
    }

    /// The broker's configuration.
    pub fn broker(&self) -> PathBuf {
        self.0.join("broker").join("broker.toml")
    }

    /// The gateway's configuration.
    pub fn gateway(&self) -> PathBuf {
        self.0.join("gateway.toml")
    }

    /// The command line's configuration.
    pub fn app(&self) -> PathBuf {
        self.0.join("severn.toml")
    }

    /// Keys and certificates.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// A process's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join("logs").join(format!("{name}.log"))
    }
}

/// Makes keys and certificates, and writes everybody's configuration.
///
/// # Errors
/// [`SettingsError`] if the disk refuses.
pub fn write(layout: &Layout, addresses: &Addresses) -> Result<(), SettingsError> {
    fs::create_dir_all(layout.folder().join("logs"))?;
    fs::create_dir_all(layout.folder().join("broker"))?;
    let authority = Authority::make(&layout.keys())?;
    authority.issue(&Identity::Broker(BROKER.to_owned()))?;
    authority.issue(&Identity::App(APP.to_owned()))?;
    let (_, issuer) = authority.signing_key("issuer")?;
    authority.publish("issuer.jwks.json", &Issuer::new(issuer).jwks_json())?;
    authority.signing_key("sign-in")?;
    authority.signing_key("app-signing")?;
    let (_, statement) = authority.signing_key("statement")?;
    authority.publish("statement.jwk.json", &serde_json::to_string(&statement.public().jwk())?)?;
    authority.signing_key("audit-broker")?;
    fs::write(layout.broker(), broker(addresses))?;
    fs::write(layout.gateway(), gateway(addresses))?;
    fs::write(layout.app(), app(addresses))?;
    for (organisation, address) in ORGANISATIONS.iter().zip(&addresses.adapters) {
        authority.issue(&Identity::Source(organisation.ods.to_owned()))?;
        authority.signing_key(&format!("audit-{}", organisation.ods))?;
        fs::create_dir_all(layout.sources().join(organisation.ods))?;
        fs::write(layout.adapter(organisation.ods), adapter(organisation, *address, addresses.broker, layout))?;
    }
    Ok(())
}

fn broker(addresses: &Addresses) -> String {
    let mut text = format!(
        r#"# The demo's broker.

[listen]
address = "{address}"

[tls]
certificate = "../keys/broker-{BROKER}.pem"
key = "../keys/broker-{BROKER}.key"
authorities = "../keys/authority.pem"

[data]
folder = "data"
audit_key = "../keys/audit-broker.key"
statement_key = "../keys/statement.key"

[tokens]
audience = "{AUDIENCE}"
issuers = [{{ name = "{ISSUER}", jwks_file = "../keys/issuer.jwks.json", organisations = ["RRK", "{BIRMINGHAM}"] }}]

[access]
stewards = ["steward"]
auditors = ["privacy officer"]
directives = ["steward"]
privacy_officers = ["privacy officer"]
override_roles = ["clinician"]

# The region's table: what a role may ask for. Each owner decides again.
[access.policy]
roles = [
    {{ name = "clinician", codes = ["{CLINICIAN}"], labels = ["*"] }},
    {{ name = "social worker", codes = ["{SOCIAL_WORKER}"], labels = ["mental_health", "safeguarding", "custody"] }},
    {{ name = "steward", codes = ["{STEWARD}"] }},
    {{ name = "privacy officer", codes = ["{PRIVACY_OFFICER}"] }},
]

[[access.policy.rules]]
roles = ["clinician"]
purposes = ["direct_care", "emergency"]
datasets = ["*"]

[[access.policy.rules]]
roles = ["social worker"]
purposes = ["direct_care", "safeguarding"]
datasets = [{SOCIAL_DATASETS}]

[[access.policy.rules]]
roles = ["privacy officer"]
purposes = ["audit"]
datasets = ["demographics"]
"#,
        address = addresses.broker,
    );
    for (organisation, address) in ORGANISATIONS.iter().zip(&addresses.adapters) {
        text.push_str(&format!(
            "\n[[sources]]\nid = \"{0}\"\nname = \"{1}\"\nkind = \"{2}\"\nods = \"{0}\"\naddress = \"{address}\"\n",
            organisation.ods, organisation.name, organisation.kind,
        ));
    }
    text
}

const SOCIAL_DATASETS: &str = r#""alerts", "risks", "safeguarding", "crisis_plans", "legal_status", "demographics", "contacts", "care_team", "services", "assessments", "primary_support_reason""#;

fn adapter(organisation: &Organisation, listen: SocketAddr, broker: SocketAddr, layout: &Layout) -> String {
    let Organisation { ods, name, system, .. } = organisation;
    let (folder, keys) = (layout.sources().join(ods), layout.keys());
    let (folder, keys) = (folder.display(), keys.display());
    let (kind, mapping) = mapping(organisation.shape);
    let policy = policy(ods);
    let mapping = mapping.replace("FOLDER", &folder.to_string());
    format!(
        r#"# The adapter beside the made-up source of {name}.

kind = "{kind}"

[source]
id = "{ods}"
name = "{name}"
ods = "{ods}"
system = "{system}"

[serve]
listen = "{listen}"

[tls]
certificate = "{keys}/source-{ods}.pem"
key = "{keys}/source-{ods}.key"
authorities = "{keys}/authority.pem"

[broker]
id = "{BROKER}"
address = "{broker}"
statement_key = "{keys}/statement.jwk.json"

[tokens]
audience = "{AUDIENCE}"
issuers = [{{ name = "{ISSUER}", jwks_file = "{keys}/issuer.jwks.json", organisations = ["RRK", "{BIRMINGHAM}"] }}]

[data]
folder = "{folder}/data"
audit_key = "{keys}/audit-{ods}.key"

[feed]
every_ms = 2000

{policy}
{mapping}"#
    )
}

fn mapping(shape: Shape) -> (&'static str, &'static str) {
    match shape {
        Shape::GpDatabase => ("sql", include_str!("../mappings/gp.toml")),
        Shape::HospitalDatabase => ("sql", include_str!("../mappings/hospital.toml")),
        Shape::CouncilDatabase => ("sql", include_str!("../mappings/council.toml")),
        Shape::MentalHealthDatabase => ("sql", include_str!("../mappings/mental_health.toml")),
        Shape::PrisonDatabase => ("sql", include_str!("../mappings/prison.toml")),
        Shape::FhirBundles => ("file", include_str!("../mappings/fhir.toml")),
        Shape::AmbulanceExtracts => ("file", include_str!("../mappings/ambulance.toml")),
        Shape::HospiceExtracts => ("file", include_str!("../mappings/hospice.toml")),
    }
}

/// The owner's own table, which the broker cannot widen.
fn policy(ods: &str) -> String {
    let shared = match ods {
        PRISON => r#""alerts", "demographics""#,
        _ => r#""*""#,
    };
    let mut text = format!(
        r#"# The owner's table: what leaves, for whom and why. What it does not allow is denied.
[policy]
roles = [
    {{ name = "clinician", codes = ["{CLINICIAN}"], labels = ["*"] }},
    {{ name = "social worker", codes = ["{SOCIAL_WORKER}"], labels = ["mental_health", "safeguarding", "custody"] }},
]

[[policy.rules]]
roles = ["clinician"]
purposes = ["direct_care", "emergency"]
datasets = [{shared}]

[[policy.rules]]
roles = ["social worker"]
purposes = ["direct_care", "safeguarding"]
datasets = [{SOCIAL_DATASETS}]
"#
    );
    if ods == MENTAL_HEALTH {
        let withheld = truth::WITHHELD.map(|dataset| format!("\"{}\"", dataset_word(dataset))).join(", ");
        text.push_str(&format!(
            r#"
# Withheld from clinicians in direct care, and the reader is told so; an emergency opens it, and so does broken glass.
[[policy.rules]]
roles = ["clinician"]
purposes = ["direct_care"]
datasets = [{withheld}]
withhold = true
reason_opens = true
"#
        ));
    }
    text
}

fn gateway(addresses: &Addresses) -> String {
    format!(
        r#"# Where the demo's users sign in: without a password, since nobody here exists.

listen = "{address}"
url = "http://{address}"
name = "{ISSUER}"
key = "keys/issuer.key"
audience = "{AUDIENCE}"
organisations = ["RRK", "{BIRMINGHAM}"]

[development]
key = "keys/sign-in.key"
users = [
    {{ id = "{USER}", name = "{USER_NAME}", assurance = 3, roles = [
        {{ code = "{CLINICIAN}", org = "RRK", name = "clinician" }},
        {{ code = "{PRIVACY_OFFICER}", org = "RRK", name = "privacy officer" }},
        {{ code = "{STEWARD}", org = "RRK", name = "steward" }},
    ] }},
    {{ id = "u-200317", name = "Priya Nair", assurance = 3, roles = [
        {{ code = "{SOCIAL_WORKER}", org = "{BIRMINGHAM}", name = "social worker" }},
    ] }},
]
"#,
        address = addresses.gateway,
    )
}

fn app(addresses: &Addresses) -> String {
    format!(
        r#"# The command line's configuration.

app_key = "keys/app-signing.key"

[broker]
id = "{BROKER}"
address = "{address}"

[tls]
certificate = "keys/app-{APP}.pem"
key = "keys/app-{APP}.key"
authorities = "keys/authority.pem"

[login]
issuer = "http://{gateway}/development"
gateway = "http://{gateway}"
audience = "{AUDIENCE}"
session = "session.json"
"#,
        address = addresses.broker,
        gateway = addresses.gateway,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use severn_policy::PolicySettings;

    #[test]
    fn every_configuration_is_toml_and_every_policy_holds() {
        let addresses = Addresses {
            broker: SocketAddr::from(([127, 0, 0, 1], 7000)),
            gateway: SocketAddr::from(([127, 0, 0, 1], 7100)),
            adapters: (0..13).map(|n| SocketAddr::from(([127, 0, 0, 1], 7001 + n))).collect(),
        };
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().to_owned());
        write(&layout, &addresses).unwrap();
        let read = |file: PathBuf| -> toml::Table { toml::from_str(&fs::read_to_string(file).unwrap()).unwrap() };
        assert_eq!(read(layout.broker())["sources"].as_array().map(Vec::len), Some(13));
        read(layout.app());
        for organisation in &ORGANISATIONS {
            let mut adapter = read(layout.adapter(organisation.ods));
            let policy: PolicySettings = adapter.remove("policy").unwrap().try_into().unwrap();
            policy.check().unwrap();
            for file in ["certificate", "key", "authorities"] {
                let path = adapter["tls"][file].as_str().unwrap();
                assert!(Path::new(path).exists(), "{path}");
            }
        }
    }
}
