//! Where profiles and templates are found: the project's, the user's, the built-in ones.
//!
//! A name is looked up in this order: project profile, user profile, project template, user
//! template, built-in template. Nothing is listed or read that a look-up does not need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use include_dir::{Dir, include_dir};

use super::engine::{self, Source};
use super::meta::{self, Meta};
use super::options::{Layer, Origin};
use super::profile::{self, Profile};
use crate::error::{Error, Result};
use crate::paths::PROJECT_DIR;
use crate::{paths, secure_fs, suggest};

static BUILT_IN: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Where something lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `.idlergear/` of the project.
    Project,
    /// The user's configuration folder.
    User,
    /// The program itself.
    BuiltIn,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::User => "user",
            Self::BuiltIn => "built-in",
        }
    }
}

/// The folders to look in.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The project's `.idlergear`.
    pub project: Option<PathBuf>,
    /// The user's configuration folder.
    pub user: Option<PathBuf>,
}

/// A template, found and its head read.
#[derive(Debug, Clone)]
pub struct Template {
    /// Its name, `django-dev`.
    pub name: String,
    /// Where it lies.
    pub level: Level,
    /// Its text.
    pub source: Source,
    /// What its leading comment says.
    pub meta: Meta,
}

/// What a name stands for: a template, with the profiles to fill it in, the strongest first.
#[derive(Debug, Clone)]
pub struct Found {
    /// The template.
    pub template: Template,
    /// The profiles' layers.
    pub layers: Vec<Layer>,
    /// Where the profiles set the template's variables: name, file and line.
    pub var_places: Vec<(String, String)>,
    /// What the profile says it is for, if a profile it is.
    pub about: Option<String>,
    /// Files of the project that take part and have to be trusted.
    pub project_files: Vec<PathBuf>,
    /// What the name hides, in words.
    pub shadowed: Vec<String>,
}

/// One line of a listing.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// Where it lies.
    pub level: Level,
    /// What it is for.
    pub about: String,
    /// Its file, or `built in`.
    pub place: String,
}

impl Catalog {
    /// The catalog of the project at `root` and of this user.
    pub fn of(root: Option<&Path>) -> Self {
        let project = root.map(|root| root.join(paths::PROJECT_DIR));
        Self { project, user: paths::user_config_dir() }
    }

    fn levels(&self) -> impl Iterator<Item = (Level, &Path)> {
        let project = self.project.as_deref().map(|dir| (Level::Project, dir));
        let user = self.user.as_deref().map(|dir| (Level::User, dir));
        project.into_iter().chain(user)
    }

    /// Finds what `name` stands for, profiles before templates.
    pub fn find(&self, name: &str) -> Result<Found> {
        check_name(name)?;
        let Some((level, path)) = self.profile_path(name, None) else {
            return self.find_template(name);
        };
        let mut chain = Chain::default();
        self.collect(name, level, &path, &mut chain)?;
        let template = chain.template.clone().unwrap_or_else(|| "script".to_owned());
        let mut found = self.find_template(&template)?;
        found.shadowed = self.hidden(name, level, true);
        found.about = chain.about;
        found.layers = chain.layers;
        found.var_places = chain.var_places;
        found.project_files.splice(0..0, chain.project_files);
        Ok(found)
    }

    /// Finds the template `name`, profiles left out.
    pub fn find_template(&self, name: &str) -> Result<Found> {
        check_name(name)?;
        let file = format!("{name}.sh.j2");
        let Some((level, source)) = self.source(&file, None)? else {
            return Err(self.unknown(name));
        };
        let meta = meta::parse(&source)?;
        let (mut source, mut project_files) = (source, Vec::new());
        if level == Level::Project {
            project_files.push(PathBuf::from(&source.place));
        }
        if level != Level::BuiltIn {
            // A name of its own, so that it can extend the template that it hides.
            source.file = format!("{}/{file}", level.word());
        }
        let shadowed = self.hidden(name, level, false);
        let template = Template { name: name.to_owned(), level, source, meta };
        let (layers, var_places) = (Vec::new(), Vec::new());
        Ok(Found { template, layers, var_places, about: None, project_files, shadowed })
    }

    /// A template by its file name, for `extends` and `include`. The skeletons, whose names start
    /// with `_`, are ours alone; `except` is the file that is asking, so that a project's
    /// `django-dev` can extend the built-in one.
    pub fn source(&self, file: &str, except: Option<&str>) -> Result<Option<(Level, Source)>> {
        if !is_file_name(file) {
            return Ok(None);
        }
        if !file.starts_with('_') {
            for (level, dir) in self.levels() {
                let path = dir.join("templates").join(file);
                let place = path.display().to_string();
                if Some(place.as_str()) == except {
                    continue;
                }
                if let Some(text) = read(&path)?.map(|text| unix_lines(&text)) {
                    return Ok(Some((level, Source { file: file.to_owned(), place, text })));
                }
            }
        }
        let text = BUILT_IN.get_file(file).and_then(include_dir::File::contents_utf8);
        Ok(text.map(|text| (Level::BuiltIn, built_in(file, text))))
    }

    /// Where the profile `name` lies; `after` skips the levels up to and including that one.
    fn profile_path(&self, name: &str, after: Option<Level>) -> Option<(Level, PathBuf)> {
        self.levels()
            .filter(|(level, _)| after.is_none_or(|after| *level > after))
            .map(|(level, dir)| (level, dir.join("profiles").join(format!("{name}.toml"))))
            .find(|(_, path)| path.is_file())
    }

    /// Reads a profile and those it extends, the strongest first. One that extends its own name
    /// means the one it shadows.
    fn collect(&self, name: &str, level: Level, path: &Path, chain: &mut Chain) -> Result<()> {
        if chain.seen.iter().any(|seen| seen == path) {
            let error = Error::new(format!("profile `{name}` extends itself"));
            return Err(error.at(paths::display(path)).next("take one `extends` out"));
        }
        chain.seen.push(path.to_path_buf());
        let profile = load_profile(path)?;
        chain.add(&profile, level, path);
        let Some(parent) = &profile.extends else { return Ok(()) };
        check_name(parent).map_err(|e| e.at(paths::display(path)))?;
        let after = (parent == name).then_some(level);
        if let Some((level, path)) = self.profile_path(parent, after) {
            return self.collect(parent, level, &path, chain);
        }
        let names = self.profile_names();
        let advice = suggest::advice(parent, names.keys().map(String::as_str));
        Err(Error::new(format!("profile `{name}` extends `{parent}`, which is unknown"))
            .at(paths::display(path))
            .next(advice))
    }

    /// What else has this name and is not meant.
    fn hidden(&self, name: &str, level: Level, profile: bool) -> Vec<String> {
        let mut hidden = Vec::new();
        if profile && let Some((level, _)) = self.profile_path(name, Some(level)) {
            hidden.push(format!("the {} profile", level.word()));
        }
        let file = format!("{name}.sh.j2");
        for (other, dir) in self.levels() {
            let counts = profile || other > level;
            if counts && dir.join("templates").join(&file).is_file() {
                hidden.push(format!("the {} template", other.word()));
            }
        }
        if (profile || level != Level::BuiltIn) && BUILT_IN.get_file(&file).is_some() {
            hidden.push("the built-in template".to_owned());
        }
        hidden
    }

    fn unknown(&self, name: &str) -> Error {
        let mut names: Vec<String> = self.profile_names().into_keys().collect();
        names.extend(self.template_names().into_keys());
        names.sort();
        names.dedup();
        Error::usage(format!("no template or profile is called `{name}`"))
            .next(suggest::advice(name, names.iter().map(String::as_str)))
    }

    fn profile_names(&self) -> BTreeMap<String, (Level, PathBuf)> {
        let mut names = BTreeMap::new();
        for (level, dir) in self.levels() {
            for (name, path) in files(&dir.join("profiles"), ".toml") {
                names.entry(name).or_insert((level, path));
            }
        }
        names
    }

    fn template_names(&self) -> BTreeMap<String, Level> {
        let mut names = BTreeMap::new();
        for (level, dir) in self.levels() {
            for (name, _) in files(&dir.join("templates"), ".sh.j2") {
                names.entry(name).or_insert(level);
            }
        }
        for file in BUILT_IN.files() {
            let name = engine::stem(&file.path().display().to_string()).to_owned();
            names.entry(name).or_insert(Level::BuiltIn);
        }
        names.retain(|name, _| !name.starts_with('_'));
        names
    }

    /// Every profile, with what it is for.
    pub fn profiles(&self) -> Vec<Listed> {
        let line = |(name, (level, path)): (String, (Level, PathBuf))| {
            let about = match load_profile(&path) {
                Ok(profile) => profile.about.clone().unwrap_or_else(|| built_on(&profile)),
                Err(error) => format!("broken: {}", error.what()),
            };
            Listed { name, level, about, place: paths::display(&path) }
        };
        self.profile_names().into_iter().map(line).collect()
    }

    /// Every template, with what it is for.
    pub fn templates(&self) -> Vec<Listed> {
        let line = |(name, level): (String, Level)| match self.find_template(&name) {
            Ok(found) => {
                let place = match level {
                    Level::BuiltIn => found.template.source.place.clone(),
                    _ => paths::display(Path::new(&found.template.source.place)),
                };
                Listed { name, level, about: found.template.meta.about, place }
            }
            Err(error) => {
                let about = format!("broken: {}", error.what());
                Listed { name, level, about, place: String::new() }
            }
        };
        self.template_names().into_iter().map(line).collect()
    }
}

/// A profile and those it extends, as they are read.
#[derive(Default)]
struct Chain {
    seen: Vec<PathBuf>,
    layers: Vec<Layer>,
    template: Option<String>,
    about: Option<String>,
    var_places: Vec<(String, String)>,
    project_files: Vec<PathBuf>,
}

impl Chain {
    fn add(&mut self, profile: &Profile, level: Level, path: &Path) {
        let origin = Origin::Profile(paths::display(path));
        self.layers.push(Layer { origin, options: profile.options.clone() });
        self.var_places.extend(profile.var_places.iter().cloned());
        self.template = self.template.take().or_else(|| profile.template.clone());
        self.about = self.about.take().or_else(|| profile.about.clone());
        if level == Level::Project {
            self.project_files.push(path.to_path_buf());
        }
    }
}

fn built_on(profile: &Profile) -> String {
    match (&profile.extends, &profile.template, &profile.options.command) {
        (Some(parent), _, _) => format!("builds on the profile {parent}"),
        (_, Some(template), _) => format!("fills in the template {template}"),
        (_, _, Some(command)) => command.clone(),
        _ => String::new(),
    }
}

fn built_in(file: &str, text: &str) -> Source {
    Source { file: file.to_owned(), place: engine::BUILT_IN.to_owned(), text: text.to_owned() }
}

fn load_profile(path: &Path) -> Result<Profile> {
    let text = input(path).map_err(|e| Error::io("read", path, &e))?;
    profile::parse(&unix_lines(&text), path)
}

/// `text` with the ends of lines that bash knows: `\r\n` in a first line would name no interpreter, and
/// a byte order mark before it would hide it.
fn unix_lines(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

/// A project's file may be a link that stays in the project; the user's may lead anywhere.
fn input(path: &Path) -> io::Result<String> {
    let of_project = path.ancestors().find(|dir| dir.file_name() == Some(PROJECT_DIR.as_ref()));
    let bytes = match of_project.and_then(Path::parent) {
        Some(root) => secure_fs::input_of(root, path, secure_fs::SMALL),
        None => secure_fs::input(path, secure_fs::SMALL),
    };
    String::from_utf8(bytes?).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn read(path: &Path) -> Result<Option<String>> {
    match input(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// The files in `dir` that end in `end`, by their names without it.
fn files(dir: &Path, end: &str) -> Vec<(String, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let named = |entry: fs::DirEntry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_suffix(end)?;
        is_file_name(name).then(|| (name.to_owned(), entry.path()))
    };
    entries.flatten().filter_map(named).collect()
}

/// One plain file name: nothing that leaves the folder.
fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    name.chars().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

fn check_name(name: &str) -> Result<()> {
    if is_file_name(name) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` is no name for a template or profile", name.escape_debug()))
        .next("letters, digits, `.`, `_` and `-`; `ig gen --list` shows all"))
}
