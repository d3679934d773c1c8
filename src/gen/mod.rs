//! Scripts from templates: values in, text out.
//!
//! [`generate`] is pure but for the catalog, which reads templates. Nothing here writes a file,
//! prints, or looks at flags; `cli::gen` does.

mod bounded;
pub mod catalog;
pub mod engine;
pub mod env;
pub mod header;
pub mod keep;
pub mod limits;
pub mod meta;
pub mod options;
pub mod place;
pub mod profile;
pub mod quote;
pub mod scripts;
mod values;

use std::sync::Arc;

use crate::error::Result;
use crate::shlib;
use catalog::{Catalog, Found, Level};
use header::{Header, Made};
use options::{Layer, Options, Origin, Settled};

/// The names that every template gets; its own variables cannot be called so.
pub const RESERVED: [&str; 19] = [
    "about",
    "agent_name",
    "agent_type",
    "command",
    "env",
    "fixed",
    "library",
    "lints",
    "name",
    "own_venv",
    "port",
    "python",
    "register",
    "requirements",
    "root",
    "stream_logs",
    "template",
    "venv",
    "watched",
];

/// Everything that a script is made of.
#[derive(Debug, Clone)]
pub struct Request {
    /// The script's name.
    pub name: String,
    /// The template and the profiles' layers.
    pub found: Found,
    /// What the command line asks for.
    pub flags: Options,
    /// Whether the library goes inside.
    pub standalone: bool,
    /// The project's folder, seen from the script's: `..`.
    pub root: String,
    /// The words after `ig gen` that make the script again.
    pub args: Vec<String>,
}

/// A script, made.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its text.
    pub text: String,
    /// Files of the project that took part and have to be trusted.
    pub project_files: Vec<std::path::PathBuf>,
}

impl Request {
    /// All layers merged.
    pub fn settle(&self) -> Settled {
        let template = &self.found.template;
        let mut layers = vec![Layer { origin: Origin::Flag, options: self.flags.clone() }];
        layers.extend(self.found.layers.iter().cloned());
        let origin = Origin::Template(template.name.clone());
        layers.push(Layer { origin, options: template.meta.options.clone() });
        options::settle(&layers, &self.name)
    }
}

/// Makes the script.
pub fn generate(request: &Request, catalog: &Catalog) -> Result<Script> {
    let settled = request.settle();
    limits::check(request, &settled)?;
    let values = values::collect(request, &settled)?;
    let template = &request.found.template;
    let rendered = engine::render(&template.source, &values, parents(catalog, template))?;
    let header = Header { args: request.args.clone(), made: made(request, &rendered) };
    let text = header.attach(&rendered.text)?;
    limits::check_script(&text)?;
    let mut project_files = request.found.project_files.clone();
    for source in rendered.closure.iter().skip_while(|s| s.place == template.source.place) {
        let path = std::path::PathBuf::from(&source.place);
        let ours = catalog.project.as_deref().is_some_and(|dir| path.starts_with(dir));
        if ours && !project_files.contains(&path) {
            project_files.push(path);
        }
    }
    Ok(Script { text, project_files })
}

/// Finds the templates that `template` extends or includes; under its own name, the one it shadows.
fn parents(catalog: &Catalog, template: &catalog::Template) -> Arc<engine::Load> {
    let catalog = catalog.clone();
    let main = template.source.place.clone();
    let except = move |level: Level| (level != Level::BuiltIn).then(|| main.clone());
    let level = template.level;
    Arc::new(move |file| {
        let found = catalog.source(file, except(level).as_deref())?;
        Ok(found.map(|(_, source)| source))
    })
}

fn made(request: &Request, rendered: &engine::Rendered) -> Made {
    let texts = rendered.closure.iter().flat_map(|source| [source.file.as_str(), &source.text]);
    Made {
        template: request.found.template.name.clone(),
        closure: header::hash(texts),
        lib: shlib::api_level().to_owned(),
        root: request.root.clone(),
        body: String::new(),
    }
}
