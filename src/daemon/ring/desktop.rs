//! One notification on the desktop, through the program that each system has for it: `notify-send`
//! where there is a session bus, `osascript` on macOS. Text is only ever an argument of its own.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::text::Notice;

/// How long the program may take: a desktop that hangs must not gather processes of ours.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows `notice`; else says why it could not be shown.
pub(super) fn show(notice: &Notice) -> Result<(), String> {
    let mut command = command(notice)?;
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = start(&mut command).map_err(|cause| format!("`{program}`: {cause}"))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{program}` ended with {status}")),
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(20)),
            _ => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(format!("`{program}` did not end within {} s", PATIENCE.as_secs()))
}

fn find(program: &str) -> Result<std::path::PathBuf, String> {
    which::which(program).map_err(|_| format!("`{program}` is not on the daemon's PATH"))
}

#[cfg(not(target_os = "macos"))]
fn command(notice: &Notice) -> Result<Command, String> {
    let mut command = Command::new(find("notify-send")?);
    if crate::paths::var(BUS).is_none() {
        command.env(BUS, bus()?);
    }
    command.args(["--app-name=IdlerGear", "--", &notice.title, &body(&notice.body)]);
    Ok(command)
}

#[cfg(not(target_os = "macos"))]
fn start(command: &mut Command) -> std::io::Result<Child> {
    command.stdin(Stdio::null()).spawn()
}

/// Where the session's bus is.
#[cfg(not(target_os = "macos"))]
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The bus of a session that began after the daemon did.
#[cfg(not(target_os = "macos"))]
fn bus() -> Result<String, String> {
    let dir = crate::paths::var("XDG_RUNTIME_DIR");
    let socket = dir.map(|dir| format!("{dir}/bus"));
    let socket = socket.filter(|socket| std::path::Path::new(socket).exists());
    let socket = socket.ok_or_else(|| "there is no session bus".to_owned())?;
    Ok(format!("unix:path={socket}"))
}

/// The body is markup, and `notify-send` takes a backslash in it for an escape.
#[cfg(not(target_os = "macos"))]
fn body(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// What comes after `-`, the script on stdin, is the script's own: no option and no part of it.
#[cfg(target_os = "macos")]
fn command(notice: &Notice) -> Result<Command, String> {
    let mut command = Command::new(find("osascript")?);
    command.args(["-", &notice.title, &notice.body]);
    Ok(command)
}

#[cfg(target_os = "macos")]
const SCRIPT: &str = "on run argv
    display notification (item 2 of argv) with title (item 1 of argv)
end run
";

#[cfg(target_os = "macos")]
fn start(command: &mut Command) -> std::io::Result<Child> {
    use std::io::Write;
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its script says so by how it ends.
        let _ = stdin.write_all(SCRIPT.as_bytes());
    }
    Ok(child)
}
