//! The options that `ig gen` and `ig run generate-script` share, and the words that say them again.

use std::path::Path;

use crate::error::Result;
use crate::r#gen::env;
use crate::r#gen::meta::Meta;
use crate::r#gen::options::{EnvValue, Options};

/// What the script should be like.
#[derive(Debug, Clone, Default, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Wishes {
    /// Where to write the script
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<String>,
    /// Virtual environment to use, made when missing [default: .venv, or the active one when it is in the project]
    #[arg(long, value_name = "PATH")]
    pub(crate) venv: Option<String>,
    /// Python package to install, or a requirements file (repeatable)
    #[arg(short, long = "requirement", visible_alias = "requirements", value_name = "PKG")]
    pub(crate) requirements: Vec<String>,
    /// Variable to export (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub(crate) env: Vec<String>,
    /// Variable of the template (repeatable); `--show` lists them
    #[arg(long = "set", value_name = "KEY=VALUE", allow_hyphen_values = true)]
    pub(crate) vars: Vec<String>,
    /// Forward its output to the daemon's subscribers
    #[arg(long, overrides_with = "no_stream_logs")]
    pub(crate) stream_logs: bool,
    /// Keep its output to the files of its run (the default)
    #[arg(long, overrides_with = "stream_logs")]
    pub(crate) no_stream_logs: bool,
    /// Do not run it under ig: no agent, no record
    #[arg(long)]
    pub(crate) no_register: bool,
    /// The agent's name [default: the script's]
    #[arg(long, value_name = "NAME")]
    pub(crate) agent_name: Option<String>,
    /// The agent's type [default: dev-script]
    #[arg(long, value_name = "TYPE")]
    pub(crate) agent_type: Option<String>,
    /// The port to listen on; when it is taken, the script says by whom and ends
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Put the shell library inside, for machines without ig
    #[arg(long)]
    pub(crate) standalone: bool,
}

impl Wishes {
    /// As the layer of the command line, for a template with `meta`. A relative venv is meant from
    /// `here`, the current folder; the script starts in `root`.
    pub(crate) fn options(&self, meta: &Meta, root: &Path, here: &Path) -> Result<Options> {
        let literal =
            |text: &String| env::pair(text).map(|(name, value)| (name, EnvValue::Literal(value)));
        let var = |text: &String| {
            let (name, value) = env::pair(text)?;
            let value = meta.var(&name, &value)?;
            Ok((name, value))
        };
        Ok(Options {
            command: None,
            venv: self.venv.as_deref().map(|venv| from_root(venv, root, here)),
            requirements: self.requirements.clone(),
            env: self.env.iter().map(literal).collect::<Result<_>>()?,
            vars: self.vars.iter().map(var).collect::<Result<_>>()?,
            stream_logs: self.streams(),
            register: self.no_register.then_some(false),
            agent_name: self.agent_name.clone(),
            agent_type: self.agent_type.clone(),
            port: self.port,
            ready: None,
        })
    }

    fn streams(&self) -> Option<bool> {
        (self.stream_logs || self.no_stream_logs).then_some(self.stream_logs)
    }

    /// The words that say the same again.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut pair = |flag: &str, value: &String| words.extend([flag.to_owned(), value.clone()]);
        self.venv.iter().for_each(|value| pair("--venv", value));
        self.requirements.iter().for_each(|value| pair("-r", value));
        self.env.iter().for_each(|value| pair("-e", value));
        self.vars.iter().for_each(|value| pair("--set", value));
        self.agent_name.iter().for_each(|value| pair("--agent-name", value));
        self.agent_type.iter().for_each(|value| pair("--agent-type", value));
        self.port.iter().for_each(|value| pair("--port", &value.to_string()));
        let switches = [
            (self.stream_logs, "--stream-logs"),
            (self.no_stream_logs, "--no-stream-logs"),
            (self.no_register, "--no-register"),
            (self.standalone, "--standalone"),
        ];
        let on = switches.iter().filter(|(on, _)| *on);
        words.extend(on.map(|(_, flag)| (*flag).to_owned()));
        words
    }
}

/// A relative path as it is seen from the project's folder.
fn from_root(path: &str, root: &Path, here: &Path) -> String {
    let below = here.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
    if below.is_empty() || path.starts_with('/') || path.starts_with("~/") {
        return path.to_owned();
    }
    format!("{below}/{path}")
}
