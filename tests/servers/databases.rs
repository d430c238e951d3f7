//! Private database servers for tests: started in a temporary folder on a free port of 127.0.0.1, stopped when dropped.
//! A missing server program fails the test and says what to install; nothing is skipped.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// A running server. Its superuser has the password `made-up-root`.
pub struct Server {
    /// Port on 127.0.0.1.
    pub port: u16,
    /// A folder that outlives no test, for password files and the like.
    pub folder: TempDir,
    program: Command,
    child: Child,
    stop_signal: &'static str,
}

/// The superuser's password.
pub const ROOT_PASSWORD: &str = "made-up-root";

impl Server {
    /// Starts PostgreSQL; its superuser is `postgres`.
    pub fn postgres() -> Server {
        Server::start_postgres(None)
    }

    /// Starts PostgreSQL with a certificate and its key, in PEM.
    pub fn postgres_with_tls(certificate: &str, key: &str) -> Server {
        Server::start_postgres(Some((certificate, key)))
    }

    fn start_postgres(tls: Option<(&str, &str)>) -> Server {
        let programs = postgres_programs();
        let account = Account::for_root("postgres");
        let folder = account.folder();
        let (data, password) = (folder.path().join("data"), folder.path().join("root-password"));
        fs::write(&password, ROOT_PASSWORD).expect("a password file");
        account.own(&password);
        let mut initdb = account.command(&programs.join("initdb"));
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"]);
        run(initdb.arg("--pwfile").arg(&password));
        let port = free_port();
        let mut server = account.command(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-F"]);
        server.arg("-k").arg(folder.path());
        for (setting, pem) in tls.into_iter().flat_map(|(c, k)| [("ssl_cert_file", c), ("ssl_key_file", k)]) {
            let file = folder.path().join(setting);
            fs::write(&file, pem).expect("a PEM file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("may close the file");
            account.own(&file);
            server.args(["-c", "ssl=on", "-c", &format!("{setting}={}", file.display())]);
        }
        let child = start(&mut server);
        Server { port, folder, program: server, child, stop_signal: "-INT" }.wait_until_ready()
    }

    /// Makes a database in PostgreSQL, as soon as it is ready for that; gives its address for the superuser.
    pub fn database(&self, name: &str) -> String {
        let mut createdb = Command::new(postgres_programs().join("createdb"));
        createdb.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", name]);
        createdb.env("PGPASSWORD", ROOT_PASSWORD).stderr(Stdio::null());
        let made = (0..100).any(|_| {
            let made = createdb.status().expect("createdb starts").success();
            if !made {
                thread::sleep(Duration::from_millis(100));
            }
            made
        });
        assert!(made, "the database {name} cannot be made");
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Starts MariaDB; its superuser is `root`.
    pub fn mariadb() -> Server {
        let install = find(&["/usr/bin/mariadb-install-db", "/usr/local/bin/mariadb-install-db"], "mariadb-server");
        let program = find(&["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"], "mariadb-server");
        let account = Account::for_root("mysql");
        let folder = account.folder();
        let data = format!("--datadir={}", folder.path().join("data").display());
        let mut installer = account.command(&install);
        installer.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", &data]);
        run(&mut installer);
        let init = folder.path().join("init.sql");
        fs::write(
            &init,
            format!(
                "CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{ROOT_PASSWORD}';\
             \nGRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
            ),
        )
        .expect("a file");
        account.own(&init);
        let port = free_port();
        let mut server = account.command(&program);
        server.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", &data]);
        server.arg(format!("--port={port}")).arg(format!("--init-file={}", init.display()));
        server.arg(format!("--socket={}", folder.path().join("s").display()));
        server.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"]);
        let child = start(&mut server);
        Server { port, folder, program: server, child, stop_signal: "-TERM" }.wait_until_ready()
    }

    /// Stops it at once, with whatever it was doing, as if its machine had lost power.
    pub fn crash(&mut self) {
        self.stop("-QUIT");
    }

    /// Starts it again on what it held, at the same port.
    pub fn start_again(mut self) -> Server {
        self.child = start(&mut self.program);
        self.wait_until_ready()
    }

    fn stop(&mut self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        for _ in 0..100 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_until_ready(mut self) -> Server {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return self;
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the database server ended at once: {status}");
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the database server did not open its port within 60 s");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(self.stop_signal);
    }
}

/// Database servers refuse to run as root; a test that runs as root starts them as the package's own account.
struct Account(Option<(u32, u32)>);

impl Account {
    fn for_root(name: &str) -> Account {
        let status = fs::read_to_string("/proc/self/status").expect("/proc");
        if !status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0")) {
            return Account(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no account {name}; install the server's package"));
        let numbers: Vec<u32> = line.split(':').skip(2).take(2).map(|n| n.parse().expect("a number")).collect();
        Account(Some((numbers[0], numbers[1])))
    }

    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        self.own(folder.path());
        folder
    }

    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).expect("may give the file away");
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null()).current_dir("/");
        command
    }
}

fn postgres_programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop().expect("PostgreSQL is not installed: apt-get install postgresql")
}

fn find(places: &[&str], package: &str) -> PathBuf {
    let place = places.iter().map(PathBuf::from).find(|place| place.exists());
    place.unwrap_or_else(|| panic!("{} is not installed: apt-get install {package}", places[0]))
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the server starts")
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}
