//! The benchmark's federation: certificates, keys, a broker's configuration and index, and the processes.

use super::canned;
use crate::{
    keys::{AUDIENCE, Gateway, ISSUER},
    records::registration,
};
use anyhow::{Context as _, Result};
use demo::authority::{Authority, files_of};
use severn_broker::{
    index::{Index, store::SqliteStore},
    model::SourceId,
};
use severn_link::{Identity, TlsFiles};
use severn_proto::v1::{FeedAnnounce, feed_announce::Change};
use severn_trust::{SystemClock, SystemEntropy};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

/// Everything the processes of one run share.
pub struct Rig {
    /// Where it lies.
    pub folder: PathBuf,
    /// The program that plays the roles.
    pub program: PathBuf,
    /// The requesting organisation.
    pub gateway: Gateway,
    /// The section `[index]` of every broker, in TOML; empty for one in the broker's folder.
    pub index: String,
    /// Records that a broker lets each user, organisation and person have in a minute.
    pub records_per_minute: u32,
}

/// A process of the benchmark. It ends when this is dropped.
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Option<BufReader<ChildStdout>>,
    /// What it printed when it was ready.
    pub said: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Rig {
    /// Makes certificates for `sources` adapters, a broker and an app, in `folder`; `program` plays their roles.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new(folder: &Path, program: PathBuf, sources: usize) -> Result<Rig> {
        let authority = Authority::make(folder)?;
        let parties = (0..sources).map(|n| Identity::Source(Rig::source_id(n)));
        for party in parties.chain([Rig::broker(), Rig::app()]) {
            authority.issue(&party)?;
        }
        authority.signing_key("audit")?;
        authority.signing_key("statement")?;
        let gateway = Gateway::default();
        fs::write(folder.join("jwks.json"), gateway.jwks_json())?;
        Ok(Rig { folder: folder.to_owned(), program, gateway, index: String::new(), records_per_minute: u32::MAX })
    }

    /// The id of source `n`.
    pub fn source_id(n: usize) -> String {
        format!("S{n:03}")
    }

    /// The broker's identity.
    pub fn broker() -> Identity {
        Identity::Broker("broker-1".into())
    }

    /// The app's identity.
    pub fn app() -> Identity {
        Identity::App("load".into())
    }

    /// Where a party's certificate lies.
    pub fn tls_files(folder: &Path, party: &Identity) -> TlsFiles {
        files_of(folder, party)
    }

    /// Starts the adapters; gives them and their ports.
    ///
    /// # Errors
    /// If they do not start.
    pub fn adapters(&self, count: usize) -> Result<(Process, Vec<String>)> {
        let process = self.start(&["adapters", &self.folder.to_string_lossy(), &count.to_string()], true)?;
        let ports = process.said.split_whitespace().map(str::to_owned).collect();
        Ok((process, ports))
    }

    /// Starts one adapter, number `n`, which answers after `delay_ms`; gives it and its port.
    ///
    /// # Errors
    /// If it does not start.
    pub fn adapter(&self, n: usize, delay_ms: u64) -> Result<(Process, String)> {
        let (n, delay) = (n.to_string(), delay_ms.to_string());
        let process = self.start(&["adapters", &self.folder.to_string_lossy(), "1", &n, &delay], true)?;
        let port = process.said.trim().to_owned();
        Ok((process, port))
    }

    /// Starts a floor over the adapters at `ports`; gives it and its port.
    ///
    /// # Errors
    /// If it does not start.
    pub fn floor(&self, kind: &str, ports: &[String]) -> Result<(Process, u16)> {
        let folder = self.folder.to_string_lossy();
        let arguments = ["floor", kind, &folder].into_iter().chain(ports.iter().map(String::as_str));
        let process = self.start(&arguments.collect::<Vec<_>>(), true)?;
        let port = process.said.trim().parse().context("the floor's port")?;
        Ok((process, port))
    }

    /// Starts a broker over the adapters at `ports`, which knows the one person at each; gives it and its port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn broker_over(&self, ports: &[String]) -> Result<(Process, u16)> {
        let data = self.folder.join(format!("broker-{}", ports.len()));
        fs::create_dir_all(&data)?;
        self.register(&data, ports.len()).await?;
        self.broker_in(&data, ports).await
    }

    /// Writes the configuration of a broker without any source whose trail lies in `data`, and starts nothing; gives the
    /// file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn configured(&self, data: &Path) -> Result<PathBuf> {
        fs::create_dir_all(data)?;
        let file = data.join("broker.toml");
        fs::write(&file, self.config(data, &[], 1)?)?;
        Ok(file)
    }

    /// Starts a broker whose index and trail lie in `data`; gives it and its port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn broker_in(&self, data: &Path, ports: &[String]) -> Result<(Process, u16)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = data.join("broker.toml");
        fs::write(&config, self.config(data, ports, port)?)?;
        let process = self.start(&["broker", &config.to_string_lossy()], false)?;
        // It reads all its events first, on a machine that may have other things to do.
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok((process, port));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        anyhow::bail!("the broker does not listen")
    }

    /// Starts a steward who decides about the index that the broker of `data` has, or shares, and a source beside them.
    ///
    /// # Errors
    /// If it does not start.
    pub fn steward(&self, data: &Path, source: &str) -> Result<Process> {
        let config = data.join("broker.toml");
        fs::write(&config, self.config(data, &[], 0)?)?;
        self.start(&["steward", &config.to_string_lossy(), source], true)
    }

    async fn register(&self, data: &Path, count: usize) -> Result<()> {
        let store = SqliteStore::open(data).await?;
        let index = Index::open(Arc::new(store), Arc::new(SystemClock), Arc::new(SystemEntropy::default())).await?;
        for n in 0..count {
            let id = Rig::source_id(n);
            let registered = registration(&id, "1", canned::person());
            let epoch = uuid_of(n);
            let source = SourceId(id.as_str().into());
            let announced = FeedAnnounce { cursor: 1, change: Some(Change::Registered(registered)) };
            index.announce(&source, epoch, vec![announced]).await?;
        }
        index.close().await;
        Ok(())
    }

    fn config(&self, data: &Path, ports: &[String], port: u16) -> Result<String> {
        let tls = Rig::tls_files(&self.folder, &Rig::broker());
        let (folder, per_minute) = (self.folder.display(), self.records_per_minute);
        let mut text = String::new();
        write!(
            text,
            r#"
[listen]
address = "127.0.0.1:{port}"
[tls]
certificate = {:?}
key = {:?}
authorities = {:?}
[data]
folder = {data:?}
audit_key = "{folder}/audit.key"
statement_key = "{folder}/statement.key"
[tokens]
audience = "{AUDIENCE}"
issuers = [{{ name = "{ISSUER}", jwks_file = "{folder}/jwks.json", organisations = ["*"] }}]
[access.records]
user_per_minute = {per_minute}
organisation_per_minute = {per_minute}
person_per_minute = {per_minute}
[access.policy]
roles = [{{ name = "clinician", codes = ["R8000"], labels = ["*"] }}]
rules = [{{ roles = ["clinician"], purposes = ["direct_care"], datasets = ["*"] }}]
"#,
            tls.certificate, tls.key, tls.authorities
        )?;
        text += &self.index;
        for (n, port) in ports.iter().enumerate() {
            let id = Rig::source_id(n);
            write!(
                text,
                "[[sources]]\nid = \"{id}\"\nname = \"Source {n}\"\nkind = \"canned\"\nods = \"{id}\"\naddress = \"127.0.0.1:{port}\"\n"
            )?;
        }
        Ok(text)
    }

    fn start(&self, arguments: &[&str], waits: bool) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).env("RUST_LOG", "error");
        let mut child = command.spawn()?;
        let mut said = String::new();
        let mut out = None;
        if waits {
            let mut reader = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
            reader.read_line(&mut said)?;
            out = Some(reader);
        }
        let stdin = child.stdin.take();
        Ok(Process { child, stdin, out, said })
    }
}

fn uuid_of(n: usize) -> uuid::Uuid {
    uuid::Uuid::from_u128(n as u128 + 1)
}

impl Process {
    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Freezes it, as a machine that is there and does nothing.
    ///
    /// # Errors
    /// If it has ended.
    pub fn freeze(&self) -> Result<()> {
        let sent = Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "the process cannot be stopped");
        Ok(())
    }

    /// Ends it as a power cut would; gives what else it had printed, without a last line that was cut off.
    ///
    /// # Errors
    /// If it has ended already.
    pub fn kill_and_read(&mut self) -> Result<Vec<String>> {
        self.kill()?;
        let mut text = String::new();
        let out = self.out.as_mut().context("standard output was read")?;
        std::io::Read::read_to_string(out, &mut text)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Ok(whole.lines().map(str::to_owned).collect())
    }

    /// CPU used so far, all threads, user and system: seconds.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn cpu_s(&self) -> Result<f64> {
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the name in brackets and may hold spaces; what follows it is regular.
        let (_, fields) = stat.rsplit_once(')').context("stat has a name")?;
        let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
    }

    /// Memory in use: kilobytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn resident_kb(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("status has VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }
}
