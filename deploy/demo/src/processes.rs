//! The processes of the demo: this program again, in the roles of the broker and of the adapters. Each is told to stop
//! when it is dropped, and ends by itself when its standard input closes, which it does when this process dies,
//! however it dies.

use std::{
    fs::File,
    io::{self, Read as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// How often is looked whether a child that was told to end has ended; then it is killed.
const STOP_LOOKS: u32 = 300;
/// Pause between two looks.
const STOP_PAUSE: Duration = Duration::from_millis(5);
/// How long a child may take to listen.
const READY_MAX: Duration = Duration::from_secs(15);

/// A child that did not do as it should.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It cannot be started, or no port is free.
    #[error("cannot start {0}: {1}")]
    Start(String, io::Error),
    /// It ended early.
    #[error("{name} ended by itself ({status}); its log is {log}:\n{tail}", log = log.display())]
    Ended {
        /// Which.
        name: String,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It does not listen.
    #[error("{name} does not listen at {address} after 15 s; its log is {log}", log = log.display())]
    Silent {
        /// Which.
        name: String,
        /// Where it should.
        address: SocketAddr,
        /// Its log.
        log: PathBuf,
    },
}

/// A running child.
pub struct Process {
    /// What it is, for messages.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its log lies.
    pub log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts this program again with `arguments`. What it says goes to `log`.
    ///
    /// # Errors
    /// [`ProcessError::Start`] if it cannot be started.
    pub fn start(name: &str, arguments: &[&str], address: SocketAddr, log: &Path) -> Result<Process, ProcessError> {
        let start = || -> io::Result<Child> {
            let said = File::create(log)?;
            let mut command = Command::new(std::env::current_exe()?);
            command.args(arguments).stdin(Stdio::piped()).stdout(said.try_clone()?).stderr(said);
            // A group of its own: Ctrl-C reaches only the parent, which stops its children in order.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            command.spawn()
        };
        let child = start().map_err(|error| ProcessError::Start(name.to_owned(), error))?;
        Ok(Process { name: name.to_owned(), address, log: log.to_owned(), child })
    }

    /// Waits until it listens.
    ///
    /// # Errors
    /// [`ProcessError`] if it ends first, or does not listen in time.
    pub async fn ready(&mut self) -> Result<(), ProcessError> {
        let until = Instant::now() + READY_MAX;
        loop {
            self.alive()?;
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if Instant::now() > until {
                let (name, address, log) = (self.name.clone(), self.address, self.log.clone());
                return Err(ProcessError::Silent { name, address, log });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes sure that it has not ended.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] with the end of its log.
    pub fn alive(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(Some(status)) => {
                let text = std::fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let tail = lines[lines.len().saturating_sub(5)..].join("\n");
                Err(ProcessError::Ended { name: self.name.clone(), status, log: self.log.clone(), tail })
            }
            _ => Ok(()),
        }
    }

    /// Stops it: its input is closed, and if that does not do, it is killed.
    pub fn stop(&mut self) {
        drop(self.child.stdin.take());
        for _ in 0..STOP_LOOKS {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(STOP_PAUSE),
                _ => return,
            }
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells all to stop at once, then waits for each.
pub fn stop_all(mut processes: Vec<Process>) {
    for process in &mut processes {
        drop(process.child.stdin.take());
    }
    drop(processes);
}

/// Addresses of this machine at which nobody listens.
///
/// # Errors
/// [`ProcessError::Start`] if none is free.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, ProcessError> {
    // All are held at the same time, so that no port is given twice.
    let bound: io::Result<Vec<TcpListener>> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect();
    let addresses = bound.and_then(|listeners| listeners.iter().map(TcpListener::local_addr).collect());
    addresses.map_err(|error| ProcessError::Start("a listener".to_owned(), error))
}

/// Ends this process as soon as its standard input closes. For the roles that the demo starts as children.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let mut input = io::stdin().lock();
        let mut byte = [0];
        // The parent never writes: whatever ends the reading means that it is gone, or wants this process to go.
        while matches!(input.read(&mut byte), Ok(1..)) {}
        std::process::exit(0);
    });
}
