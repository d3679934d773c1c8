//! A copy of a project in `examples/`, with what Python's tools need to install packages in it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{PATIENCE, Sandbox};

/// A copy of an example, and the environment that Python's tools need.
pub struct World {
    pub sandbox: Sandbox,
}

impl World {
    pub fn with(example: &str) -> Self {
        let sandbox = Sandbox::with_project();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        let copied =
            Command::new("cp").arg("-R").arg(from.join(".")).arg(sandbox.project()).status();
        assert!(copied.unwrap().success());
        Self { sandbox }
    }

    /// `program` in this world, with this machine's own settings for pip and uv, and one cache for
    /// all tests.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        self.sandbox.enter(&mut command);
        let ours = |name: &str| {
            let known =
                ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy"];
            let starts = ["PIP_", "UV_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
            known.contains(&name) || starts.iter().any(|start| name.starts_with(start))
        };
        command.envs(std::env::vars().filter(|(name, _)| ours(name)));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        command.env("PIP_CACHE_DIR", cache.join("pip")).env("UV_CACHE_DIR", cache.join("uv"));
        command
    }

    /// Generates the script for `server` on `port`.
    pub fn generate(&self, template: &str, port: Option<u16>) -> PathBuf {
        let port = port.map(|port| port.to_string());
        let mut args = vec!["gen", template];
        args.extend(port.iter().flat_map(|port| ["--port", port.as_str()]));
        self.sandbox.ok(&args);
        self.sandbox.project().join(format!("scripts/{template}.sh"))
    }

    pub fn unit(&self) -> serde_json::Value {
        let listing = self.sandbox.json(&["run", "list", "--json"]);
        listing["units"].as_array().unwrap().last().unwrap().clone()
    }

    /// Processes that carry this world in their environment, the daemon left out.
    pub fn processes(&self) -> Vec<String> {
        let mark = [b"HOME=", self.sandbox.home().as_os_str().as_bytes(), b"\0"].concat();
        let daemon = self.sandbox.daemon_pid();
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_ours = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            Some(*pid) != daemon && environment.windows(mark.len()).any(|window| window == mark)
        };
        let told = |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let told = pids.filter(is_ours).map(|pid| told(pid).replace('\0', " "));
        told.filter(|line| !line.contains("daemon")).collect()
    }

    pub fn nothing_is_left(&self, after: &str) {
        let mut left = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            left = self.processes();
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("left behind after {after}: {left:#?}");
    }
}

/// PATH without our programs.
pub fn without_us() -> String {
    let ours = Sandbox::bin_dir();
    let dirs = std::env::var_os("PATH").unwrap();
    let others =
        std::env::split_paths(&dirs).filter(|dir| *dir != ours && !dir.join("ig-agent").exists());
    std::env::join_paths(others).unwrap().into_string().unwrap()
}
