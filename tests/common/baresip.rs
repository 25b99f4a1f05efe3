//! baresip as a peer: a caller with a WAV file for a microphone, its received audio dumped to another, driven over its
//! JSON control socket. It takes the first address that is no loopback, so it belongs in a network of the test's own.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::namespace::OWN_ADDRESS;
use super::scratch::{Scratch, tail};
use super::sipp::Transport;
use super::{wait, wav};

/// A running baresip; killed on drop. When the test fails, its log is shown.
pub(crate) struct Baresip {
    child: Child,
    control: TcpStream,
    unread: Vec<u8>,
    scratch: Scratch,
}

impl Baresip {
    /// Starts one that offers `codec` alone (as in `PCMU`) and says `microphone` (8,000 samples a second), once, as
    /// soon as a call is answered. When it is at the end it hangs up.
    #[track_caller]
    pub(crate) fn start(codec: &str, microphone: &[f64]) -> Self {
        let scratch = Scratch::new("baresip");
        let microphone_file = scratch.join("microphone.wav");
        wav::write(&microphone_file, microphone);
        fs::create_dir(scratch.join("dump")).expect("a directory in the scratch directory");
        let directory = scratch.path().display();
        let modules = module_directory().display().to_string();
        scratch.write("config", &configuration(&directory.to_string(), &modules));
        let account = format!("<sip:tester@{OWN_ADDRESS}>;regint=0;audio_codecs={codec}/8000/1;ptime=20\n");
        scratch.write("accounts", &account);
        let log = || File::create(scratch.join("log")).expect("a file in the scratch directory");
        let mut child = Command::new("baresip")
            .args(["-4", "-s", "-t", LIFETIME_S, "-f"])
            .arg(scratch.path())
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip can be started (Debian: baresip-core)");
        let control = connect(&mut child, &scratch);
        Self { child, control, unread: Vec::new(), scratch }
    }

    /// Calls `user` at `server`, and waits for the answer.
    #[track_caller]
    pub(crate) fn dial(&mut self, user: &str, server: SocketAddr, transport: Transport) {
        let transport = if transport == Transport::Udp { "udp" } else { "tcp" };
        self.command("dial", &format!("sip:{user}@{server};transport={transport}"));
        self.wait_for("CALL_ESTABLISHED", ANSWER_LIMIT);
    }

    /// Waits until received audio begins to flow.
    #[track_caller]
    pub(crate) fn wait_for_audio(&mut self) {
        self.wait_for("CALL_RTPESTAB", ANSWER_LIMIT);
    }

    /// Presses a key of the telephone (RFC 4733).
    #[track_caller]
    pub(crate) fn press(&mut self, digit: char) {
        self.command("sndcode", &digit.to_string());
    }

    /// Gives any command of its menu.
    #[track_caller]
    pub(crate) fn command(&mut self, name: &str, parameters: &str) {
        let message = json!({"command": name, "params": parameters, "token": name}).to_string();
        write!(self.control, "{}:{message},", message.len()).expect("baresip reads its control socket");
    }

    /// Hangs up.
    #[track_caller]
    pub(crate) fn hang_up(&mut self) {
        self.command("hangup", "");
    }

    /// Waits for an event, e.g. `CALL_CLOSED`, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, event: &str, within: Duration) -> Value {
        let deadline = Instant::now() + within;
        loop {
            while let Some(message) = take_netstring(&mut self.unread) {
                let refused = message["response"] == true && message["ok"] != true;
                assert!(!refused, "baresip refused: {message}");
                if message["type"] == event {
                    return message;
                }
            }
            self.read_more(deadline, event);
        }
    }

    /// Waits for the end of the call and tells the audio that was received in it, from its first packet on.
    #[track_caller]
    pub(crate) fn received_audio(mut self, within: Duration) -> Vec<f64> {
        self.wait_for("CALL_CLOSED", within);
        self.command("quit", "");
        let child = &mut self.child;
        wait::until("the end of baresip", ANSWER_LIMIT, || child.try_wait().expect("baresip is our child"));
        let mut channels = wav::read(&self.dump());
        assert_eq!(channels.len(), 1, "channels in baresip's dump");
        channels.remove(0)
    }

    fn dump(&self) -> PathBuf {
        let files = fs::read_dir(self.scratch.join("dump")).expect("the directory was made at the start");
        let mut paths = files.map(|file| file.expect("a readable directory").path());
        let dump = paths.find(|path| path.to_string_lossy().ends_with("-dec.wav"));
        dump.expect("baresip dumped what it received")
    }

    #[track_caller]
    fn read_more(&mut self, deadline: Instant, what: &str) {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "baresip did not tell {what} in time");
        self.control.set_read_timeout(Some(left)).expect("a time-out can be set");
        let mut buffer = [0; 4096];
        match self.control.read(&mut buffer) {
            Ok(0) => panic!("baresip ended before it told {what}"),
            Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("baresip's control socket: {error}"),
        }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- baresip's log ends with\n{}\n---", tail(&self.scratch.join("log"), 120));
        }
    }
}

fn configuration(directory: &str, modules: &str) -> String {
    format!(
        "sip_listen {OWN_ADDRESS}:0\n\
         audio_source aufile,{directory}/microphone.wav\n\
         audio_player aubridge,ear\n\
         audio_alert aubridge,bell\n\
         ausrc_srate 8000\n\
         auplay_srate 8000\n\
         jitter_buffer_delay 2-10\n\
         rtp_ports 30000-30100\n\
         snd_path {directory}/dump\n\
         module_path {modules}\n\
         module g711.so\n\
         module aufile.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         module_tmp uuid.so\n\
         module_tmp account.so\n\
         module_app menu.so\n\
         module_app ctrl_tcp.so\n\
         ctrl_tcp_listen {CONTROL}\n"
    )
}

fn module_directory() -> PathBuf {
    let known = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    let found = known.into_iter().map(PathBuf::from).find(|path| path.join("ctrl_tcp.so").exists());
    found.unwrap_or_else(|| panic!("no baresip modules in {known:?} (Debian: baresip-core)"))
}

#[track_caller]
fn connect(child: &mut Child, scratch: &Scratch) -> TcpStream {
    let address: SocketAddr = CONTROL.parse().expect("a constant address");
    assert_eq!(address.ip(), Ipv4Addr::LOCALHOST);
    wait::until("baresip's control socket", ANSWER_LIMIT, || {
        let ended = child.try_wait().expect("baresip is our child");
        assert!(ended.is_none(), "baresip ended at once:\n{}", tail(&scratch.join("log"), 40));
        TcpStream::connect(address).ok()
    })
}

/// Takes the first `LENGTH:JSON,` off the front, once all of it is there.
fn take_netstring(bytes: &mut Vec<u8>) -> Option<Value> {
    let colon = bytes.iter().position(|&byte| byte == b':')?;
    let length: usize =
        std::str::from_utf8(&bytes[..colon]).ok()?.parse().expect("baresip writes netstrings");
    let end = colon + 1 + length;
    if bytes.len() <= end {
        return None;
    }
    let value = serde_json::from_slice(&bytes[colon + 1..end]).expect("baresip writes JSON");
    bytes.drain(..=end);
    Some(value)
}

/// The test has its own network, so a fixed port is free.
const CONTROL: &str = "127.0.0.1:4444";
/// baresip quits by itself after this, whatever happens to the test.
const LIFETIME_S: &str = "60";
/// Everything here happens at once, unless the machine stands still.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
