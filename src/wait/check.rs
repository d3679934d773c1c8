//! Whether something is so now; and, when it is not, what is missing, in a few words.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::spec::{Spec, Until};
use crate::ending;
use crate::logs::Row;
use crate::neutral;
use crate::os::{self, Identity};
use crate::port;
use crate::record::output::Reader;
use crate::record::{Folder, events};
use crate::secure_fs;
use crate::stop;
use crate::time;
use crate::wire::unit::Unit;

/// What a command or a server gets in any case to say how it is.
pub(super) const A_MOMENT: Duration = Duration::from_secs(1);

/// A look at one unit, again and again.
pub(super) struct Check {
    eye: Eye,
}

/// What is looked at.
enum Eye {
    Word,
    Exit,
    Idle(Duration),
    Spec(Spec, Place),
}

/// Where it is looked for.
struct Place {
    lines: Box<Reader>,
    seen: u64,
    here: PathBuf,
}

impl Check {
    /// `here` is the caller's folder; the unit's own terms are meant from its own.
    pub(super) fn new(until: &Until, folder: &Folder, here: &Path, unit: &Unit) -> Self {
        let place = |here: &Path, spec: &Spec| {
            let lines = Reader::open(folder.path(), None);
            // What it wrote before it was started again says nothing of it now.
            let lines = match restarted_at(folder) {
                Some(at) => lines.since(at),
                None => lines,
            };
            let lines = match spec {
                Spec::Match(pattern) => lines.finding(pattern.as_str()),
                _ => lines,
            };
            Place { lines: Box::new(lines), seen: 0, here: here.to_path_buf() }
        };
        let looked_for = |spec: Spec, here: &Path| {
            let place = place(here, &spec);
            Eye::Spec(spec, place)
        };
        let terms = unit.terms.ready_when.as_deref().and_then(Spec::of_record);
        let eye = match (until, terms) {
            (Until::Ready, Some(spec)) => looked_for(spec, &unit.cwd),
            (Until::Ready, None) => Eye::Word,
            (Until::Exit, _) => Eye::Exit,
            (Until::Idle(length), _) => Eye::Idle(*length),
            (Until::Seen(spec), _) => looked_for(spec.clone(), here),
        };
        Self { eye }
    }

    /// Whether it is so for `unit` as it stands now. An answer takes no longer than what is `left`.
    pub(super) fn look(&mut self, unit: &Unit, left: Duration) -> Result<(), String> {
        match &mut self.eye {
            Eye::Word => word(unit),
            Eye::Exit => so(unit.status.is_terminal(), String::new),
            Eye::Idle(length) => idle(unit, *length),
            Eye::Spec(spec, place) => place.meets(spec, unit, left),
        }
    }
}

/// When the unit in `folder` was started again last, in microseconds.
fn restarted_at(folder: &Folder) -> Option<u64> {
    let mut restarts = events::read(&folder.events()).into_iter().filter(|e| e.level == "restart");
    restarts.next_back()?.at.as_deref().and_then(time::parse).map(time::micros)
}

fn so(is: bool, missing: impl FnOnce() -> String) -> Result<(), String> {
    if is { Ok(()) } else { Err(missing()) }
}

/// It said so, or its processes listen on a port.
fn word(unit: &Unit) -> Result<(), String> {
    let ready = !unit.status.is_terminal() && (unit.ready || !ports(unit).is_empty());
    so(ready, || "it listens on no port, and has not said that it is ready".to_owned())
}

fn idle(unit: &Unit, length: Duration) -> Result<(), String> {
    let files = [&unit.logs.output, &unit.logs.stdout, &unit.logs.stderr, &unit.logs.events];
    let written = files
        .into_iter()
        .flatten()
        .filter_map(|path| secure_fs::metadata(path).ok()?.modified().ok());
    let last = written.chain(time::parse(&unit.started_at)).max().unwrap_or(SystemTime::UNIX_EPOCH);
    let quiet = SystemTime::now().duration_since(last).unwrap_or_default();
    let alive = !unit.status.is_terminal();
    so(alive && quiet >= length, || format!("it wrote something {} ago", time::human(quiet)))
}

/// The ports that the unit's own processes listen on.
pub(super) fn ports(unit: &Unit) -> Vec<u16> {
    let process = unit.process.as_ref().filter(|process| process.is_alive());
    let tree: Vec<Identity> = process.map(|process| os::tree(process.pid)).unwrap_or_default();
    os::listening_ports(&tree.iter().map(|process| process.pid).collect::<Vec<_>>())
}

impl Place {
    fn meets(&mut self, spec: &Spec, unit: &Unit, left: Duration) -> Result<(), String> {
        match spec {
            Spec::Port(wanted) => port(unit, *wanted).map(|_| ()),
            Spec::Http(address) => {
                let port = port(unit, address.port)?;
                match address.ask(port, left) {
                    Ok(status) => {
                        so((200..400).contains(&status), || format!("port {port} answers {status}"))
                    }
                    Err(failure) => Err(format!("port {port}: {failure}")),
                }
            }
            Spec::Match(pattern) => self.find_line(pattern, unit),
            Spec::File(path) => so(self.here.join(path).exists(), || {
                format!("there is no `{}`", neutral::line(path))
            }),
            Spec::Exec(command) => self.execute(command, left),
        }
    }

    fn find_line(&mut self, pattern: &regex::Regex, unit: &Unit) -> Result<(), String> {
        if unit.status.is_terminal() {
            self.lines.close();
        }
        loop {
            let batch = self.lines.lines();
            let last = batch.is_empty();
            // What has no end yet may be a prompt, or get its second half later.
            for line in if last { self.lines.unfinished() } else { batch } {
                self.seen = self.seen.max(line.number);
                if line.found || pattern.is_match(&Row::from(line).text()) {
                    return Ok(());
                }
            }
            if last {
                return Err(format!("none of its {} lines matches", self.seen));
            }
        }
    }

    fn execute(&self, command: &str, left: Duration) -> Result<(), String> {
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(&self.here).process_group(0);
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(|e| format!("the command does not run: {e}"))?;
        let deadline = Instant::now() + left.max(A_MOMENT);
        loop {
            if let Ok(Some(status)) = shell.try_wait() {
                return so(status.success(), || format!("the command ends with {}", end(status)));
            }
            if Instant::now() >= deadline {
                stop::end(os::tree(shell.id()), Duration::ZERO);
                let _ = shell.wait();
                return Err("the command does not end".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn end(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .map_or_else(|| ending::signal(status.signal().unwrap_or(0)), |code| code.to_string())
}

/// A port that the unit's own processes listen on: the wanted one, or the first. Somebody else's
/// server on it is none, however well it answers.
fn port(unit: &Unit, wanted: Option<u16>) -> Result<u16, String> {
    let own = ports(unit);
    match wanted {
        None => own.first().copied().ok_or_else(|| "it listens on no port".to_owned()),
        Some(port) if own.contains(&port) => Ok(port),
        Some(port) => Err(elsewhere(port, &own)),
    }
}

fn elsewhere(port: u16, own: &[u16]) -> String {
    let list: Vec<String> = own.iter().map(u16::to_string).collect();
    let others =
        if list.is_empty() { String::new() } else { format!(" (but on {})", list.join(", ")) };
    let holder = os::port_owner(port)
        .map(|owner| format!("; port {port} is held by {}", port::whose(&owner)));
    format!("it does not listen on port {port}{others}{}", holder.unwrap_or_default())
}
