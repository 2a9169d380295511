//! The program `sos` as a process of its own, and HTTP spoken by hand.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::Mutex;

use senseops_testkit::Reserved;

pub(crate) fn sos(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sos"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("SOS_TOKEN").stdin(Stdio::null());
    command
}

pub(crate) fn output(arguments: &[&str]) -> (i32, String, String) {
    output_of(&mut sos(arguments))
}

pub(crate) fn output_of(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

pub(crate) fn config(dir: &Path, yaml: &str) -> String {
    let path = dir.join("sos.yaml");
    std::fs::File::create(&path).unwrap().write_all(yaml.as_bytes()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Any free port; [`Logged::udp`] tells which.
pub(crate) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A TCP address that nobody else is given while these tests run.
pub(crate) fn free_tcp() -> SocketAddr {
    static RESERVED: Mutex<Vec<Reserved>> = Mutex::new(Vec::new());
    let reserved = Reserved::tcp().unwrap();
    let address = reserved.address();
    RESERVED.lock().unwrap().push(reserved);
    address
}

/// A program that is ended with the test.
pub(crate) struct Running(pub(crate) Child);

/// A program whose log is read.
pub(crate) struct Logged {
    pub(crate) running: Running,
    log: Lines<BufReader<ChildStderr>>,
    /// All that was read of the log.
    pub(crate) text: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Logged {
    /// Starts it.
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { running: Running(child), log, text: String::new() }
    }

    /// Starts it and waits until the pipeline runs.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut logged = Self::begin(command);
        logged.wait_for("pipeline is running");
        logged
    }

    /// Reads the log up to a line with this text, and gives the line.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        for line in self.log.by_ref() {
            let line = line.unwrap();
            self.text.push_str(&line);
            self.text.push('\n');
            if line.contains(text) {
                return line;
            }
        }
        panic!("{text:?} was never logged, but\n{}", self.text);
    }

    /// Where its source listens, once it has said so.
    pub(crate) fn udp(&self) -> SocketAddr {
        let said = self.text.lines().find(|line| line.contains("listening") && line.contains("protocol=udp"));
        let (_, address) = said.unwrap().rsplit_once("address=").unwrap();
        address.parse().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.running.0.id().to_string();
        assert!(Command::new("kill").args([format!("-{name}"), id]).status().unwrap().success());
    }

    /// Asks it to stop, reads the rest of the log and gives the exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        self.signal("TERM");
        for line in self.log.by_ref() {
            self.text.push_str(&line.unwrap());
            self.text.push('\n');
        }
        self.running.0.wait().unwrap().code().unwrap()
    }
}

/// One request, such as `GET /status`, with more header lines; gives the status and the body.
pub(crate) fn http(to: SocketAddr, request: &str, headers: &[&str]) -> (u16, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    let headers: String = headers.iter().flat_map(|line| [line, "\r\n"]).collect();
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {to}\r\n") };
    write!(stream, "{request} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
