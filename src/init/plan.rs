//! What `ig init` would write: pure, from findings to file names and texts.
//!
//! Every value goes through the `toml` crate; comments are our own words alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::detect::{Finding, Kind};
use super::mark;
use super::survey::Survey;
use crate::error::{Error, Result};

/// One file that would be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Below `.idlergear/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Why it is there, for people.
    pub why: String,
    /// The name to give `ig gen`, when it is a profile or a template.
    pub name: Option<String>,
}

/// The part of a profile that init writes.
#[derive(Debug, Serialize)]
struct Profile {
    about: String,
    template: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    venv: Option<String>,
    #[serde(skip)]
    vars: Vars,
}

/// The template's own variables, a table at the end of the file.
#[derive(Debug, Default, Serialize)]
struct Vars {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    vars: BTreeMap<&'static str, String>,
}

const IGNORE: &str = "\
# Runs and whatever else is local stay out of git; profiles, templates and settings are shared.
/*
!/.gitignore
!/config.toml
!/profiles/
!/templates/
";

/// Before any table of the file: what comes after one belongs to it.
const HINTS: &str = "
# More to set; until then it is as the template has it (`ig gen --show NAME`):
# requirements = [\"some-package\"]
# port = 8000
# stream_logs = true
";

const ENV_HINT: &str = "
# [env]
# SOME_VARIABLE = \"value\"
";

/// A template that fits any long-running command, built on ig's own skeleton.
const TEMPLATE: &str = include_str!("task.sh.j2");

/// The files for `findings`; with `templates`, a project template too.
pub fn plan(survey: &Survey, findings: &[Finding], templates: bool) -> Result<Vec<Planned>> {
    let mut planned = vec![Planned {
        path: ".gitignore".to_owned(),
        text: mark::signed("#", IGNORE),
        why: "keeps runs out of git".to_owned(),
        name: None,
    }];
    for finding in findings {
        let name = free_name(&finding.kind, &planned);
        planned.push(profile(survey, finding, name)?);
    }
    if templates {
        planned.push(template());
    }
    Ok(planned)
}

/// The short name, unless something planned has it already.
fn free_name(kind: &Kind, planned: &[Planned]) -> &'static str {
    let (short, long) = match kind {
        Kind::Django(_) => ("web", "django"),
        Kind::Flask(_) => ("web", "flask"),
        Kind::FastApi(_) => ("web", "fastapi"),
        Kind::Pytest => ("test", "pytest"),
        Kind::Notebooks => ("lab", "notebooks"),
        Kind::Node { script: "test", .. } => ("test", "node-test"),
        Kind::Node { script, .. } => (*script, *script),
    };
    let taken = planned.iter().any(|p| p.name.as_deref() == Some(short));
    if taken { long } else { short }
}

fn profile(survey: &Survey, finding: &Finding, name: &str) -> Result<Planned> {
    let settings = settings(survey, &finding.kind);
    let failed = |e| Error::new(format!("cannot write the profile `{name}`: {e}"));
    let values = toml::to_string(&settings).map_err(failed)?;
    let vars = toml::to_string(&settings.vars).map_err(failed)?;
    let gap = if vars.is_empty() { "" } else { "\n" };
    let usage = format!("# `ig gen {name} --run` writes scripts/{name}.sh and runs it.\n");
    Ok(Planned {
        path: format!("profiles/{name}.toml"),
        text: mark::signed("#", &format!("{usage}\n{values}{HINTS}{gap}{vars}{ENV_HINT}")),
        why: format!("{}: {}", finding.kind.title(), finding.because),
        name: Some(name.to_owned()),
    })
}

/// What the profile for `kind` says; what the template does by itself is left out.
fn settings(survey: &Survey, kind: &Kind) -> Profile {
    let mut vars = BTreeMap::new();
    let mut command = None;
    let (about, template) = match kind {
        Kind::Django(manage) => {
            if manage != "manage.py" {
                vars.insert("manage", manage.clone());
            }
            ("Django's development server", "django-dev")
        }
        Kind::Flask(file) => {
            if let Some(module) = file.as_deref().map(module) {
                vars.insert("app", module);
            }
            ("Flask's development server", "flask-dev")
        }
        Kind::FastApi(found) => {
            if let Some((file, object)) = found {
                vars.insert("app", format!("{}:{object}", module(file)));
            }
            ("the API, served by uvicorn with reload", "fastapi-dev")
        }
        Kind::Pytest => ("the tests", "pytest"),
        Kind::Notebooks => ("Jupyter Lab on the notebooks", "jupyter"),
        Kind::Node { manager, script } => {
            command = Some(format!("{manager} run {script}"));
            ("a script of package.json", "script")
        }
    };
    let venv = (template != "script").then(|| survey.venv().map(str::to_owned)).flatten();
    Profile { about: about.to_owned(), template, command, venv, vars: Vars { vars } }
}

/// `app.main` for `app/main.py`, `shop` for `shop/__init__.py`.
fn module(file: &str) -> String {
    let bare = file.strip_suffix(".py").unwrap_or(file);
    bare.strip_suffix("/__init__").unwrap_or(bare).replace('/', ".")
}

fn template() -> Planned {
    Planned {
        path: "templates/task.sh.j2".to_owned(),
        text: mark::signed("#%#", TEMPLATE),
        why: "a template of your own, to start from".to_owned(),
        name: Some("task".to_owned()),
    }
}
