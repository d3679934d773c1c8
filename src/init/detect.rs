//! What kind of project this is: pure, from a [`Survey`] to a list of [`Finding`]s.
//!
//! Only names made of plain letters are taken over from a project; a folder called `$(id)` is not
//! worth a profile.

use toml::{Table, Value};

use super::survey::Survey;

/// One thing that can be run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The file that says so.
    pub because: String,
}

/// What can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A Django project; the path of its `manage.py`.
    Django(String),
    /// A Flask application; the file that makes it, when it was found.
    Flask(Option<String>),
    /// A FastAPI application; the file and the name of the object in it, when they were found.
    FastApi(Option<(String, String)>),
    /// Tests that pytest runs.
    Pytest,
    /// Jupyter notebooks.
    Notebooks,
    /// A script of `package.json`, by the package manager that its lock file names.
    Node {
        /// `npm`, `pnpm`, `yarn` or `bun`.
        manager: &'static str,
        /// The script's name.
        script: &'static str,
    },
}

impl Kind {
    /// Its name for people.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Django(_) => "Django",
            Self::Flask(_) => "Flask",
            Self::FastApi(_) => "FastAPI",
            Self::Pytest => "pytest",
            Self::Notebooks => "notebooks",
            Self::Node { .. } => "Node",
        }
    }
}

/// Scripts of `package.json` that are worth a profile of their own.
const NODE_SCRIPTS: [&str; 6] = ["dev", "start", "serve", "watch", "storybook", "test"];

/// Everything that can be run here, servers first.
pub fn findings(survey: &Survey) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |finding: Option<Finding>| found.extend(finding);
    add(django(survey));
    add(flask(survey));
    add(fastapi(survey));
    add(pytest(survey));
    add(notebooks(survey));
    found.extend(node(survey));
    found
}

fn django(survey: &Survey) -> Option<Finding> {
    let manages = |path: &&str| {
        file_name(path) == "manage.py" && is_plain(path) && survey.text(path).contains("django")
    };
    let path = survey.paths().find(manages)?.to_owned();
    Some(Finding { because: path.clone(), kind: Kind::Django(path) })
}

fn flask(survey: &Survey) -> Option<Finding> {
    let names = ["app.py", "wsgi.py", "main.py", "server.py", "__init__.py"];
    let file = importer(survey, &names, "flask");
    let because = file.or_else(|| requirer(survey, "flask"))?.to_owned();
    Some(Finding { kind: Kind::Flask(file.map(str::to_owned)), because })
}

fn fastapi(survey: &Survey) -> Option<Finding> {
    let names = ["main.py", "app.py", "api.py", "server.py", "asgi.py", "__init__.py"];
    let found = importer(survey, &names, "fastapi")
        .and_then(|file| Some((file.to_owned(), object(survey.text(file))?)));
    let because = match &found {
        Some((file, _)) => file.clone(),
        None => requirer(survey, "fastapi")?.to_owned(),
    };
    Some(Finding { kind: Kind::FastApi(found), because })
}

/// The first file with one of `names`, in their order, that imports `module`.
fn importer<'a>(survey: &'a Survey, names: &[&str], module: &str) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let imports = |path: &&str| {
            file_name(path) == *name && is_plain(path) && imports(survey.text(path), module)
        };
        survey.paths().find(imports)
    })
}

fn imports(text: &str, module: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split([' ', '\t', '.', ',']).filter(|word| !word.is_empty());
        matches!(words.next(), Some("import" | "from")) && words.next() == Some(module)
    })
}

/// The name in `NAME = FastAPI(`, at the beginning of a line.
fn object(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        let name = left.split(':').next()?.trim_end();
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let makes = right.trim_start().trim_start_matches("fastapi.").starts_with("FastAPI(");
        (makes && plain && !name.is_empty()).then(|| name.to_owned())
    })
}

/// The file at the root that requires `package`.
fn requirer(survey: &Survey, package: &str) -> Option<&'static str> {
    let listed = survey.text("requirements.txt").lines().any(|line| requires(line, package));
    if listed {
        return Some("requirements.txt");
    }
    let project = pyproject(survey);
    let dependencies = project.get("project").and_then(|p| p.get("dependencies"));
    let listed = dependencies.and_then(Value::as_array).is_some_and(|list| {
        list.iter().filter_map(Value::as_str).any(|line| requires(line, package))
    });
    let poetry = section(&project, &["tool", "poetry", "dependencies", package]).is_some();
    (listed || poetry).then_some("pyproject.toml")
}

fn requires(line: &str, package: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let line = line.trim_start();
    let name = &line[..line.find(|c| !named(c)).unwrap_or(line.len())];
    name.eq_ignore_ascii_case(package)
}

fn pytest(survey: &Survey) -> Option<Finding> {
    let because = configured(survey).or_else(|| survey.paths().find(|path| is_test(path)))?;
    Some(Finding { kind: Kind::Pytest, because: because.to_owned() })
}

fn configured(survey: &Survey) -> Option<&'static str> {
    let says = |file: &str, header: &str| survey.text(file).lines().any(|l| l.trim() == header);
    if survey.has("pytest.ini") {
        Some("pytest.ini")
    } else if section(&pyproject(survey), &["tool", "pytest"]).is_some() {
        Some("pyproject.toml")
    } else if says("setup.cfg", "[tool:pytest]") {
        Some("setup.cfg")
    } else {
        says("tox.ini", "[pytest]").then_some("tox.ini")
    }
}

fn is_test(path: &str) -> bool {
    let name = file_name(path);
    let stem = name.strip_suffix(".py").unwrap_or("");
    let below = path.starts_with("tests/") || path.starts_with("test/") || !path.contains('/');
    name == "conftest.py" || below && (stem.starts_with("test_") || stem.ends_with("_test"))
}

fn notebooks(survey: &Survey) -> Option<Finding> {
    let because = survey
        .paths()
        .find(|path| path.rsplit_once('.').is_some_and(|(_, end)| end == "ipynb"))?
        .to_owned();
    Some(Finding { kind: Kind::Notebooks, because })
}

fn node(survey: &Survey) -> Vec<Finding> {
    let package: serde_json::Value =
        serde_json::from_str(survey.text("package.json")).unwrap_or_default();
    let manager = manager(survey);
    let has = |script: &&str| package["scripts"][*script].is_string();
    let finding = |script| Finding {
        kind: Kind::Node { manager, script },
        because: "package.json".to_owned(),
    };
    NODE_SCRIPTS.into_iter().filter(has).map(finding).collect()
}

fn manager(survey: &Survey) -> &'static str {
    const LOCKS: [(&str, &str); 4] = [
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
    ];
    LOCKS.iter().find(|(lock, _)| survey.has(lock)).map_or("npm", |(_, manager)| manager)
}

fn pyproject(survey: &Survey) -> Table {
    toml::from_str(survey.text("pyproject.toml")).unwrap_or_default()
}

fn section<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(key))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path can stand in a command and a profile as it is.
fn is_plain(path: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    path.chars().all(letter) && !path.split('/').any(|part| part.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(files: &[(&str, &str)]) -> Vec<(Kind, String)> {
        let found = findings(&Survey::with(files, &[]));
        found.into_iter().map(|f| (f.kind, f.because)).collect()
    }

    fn one(files: &[(&str, &str)]) -> (Kind, String) {
        let mut found = kinds(files);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn servers_are_known_by_what_their_files_say() {
        let manage = "from django.core.management import execute_from_command_line";
        assert_eq!(one(&[("manage.py", manage)]).0, Kind::Django("manage.py".into()));
        assert_eq!(one(&[("back/manage.py", manage)]).0, Kind::Django("back/manage.py".into()));
        assert_eq!(
            one(&[("app.py", "from flask import Flask\n")]).0,
            Kind::Flask(Some("app.py".into()))
        );
        let lazy = [("requirements.txt", "Flask>=3  # web\n")];
        assert_eq!(one(&lazy), (Kind::Flask(None), "requirements.txt".into()));
        let api = [("app/main.py", "import fastapi\napi: object = fastapi.FastAPI(title='x')\n")];
        assert_eq!(one(&api).0, Kind::FastApi(Some(("app/main.py".into(), "api".into()))));
        let poetry = [("pyproject.toml", "[tool.poetry.dependencies]\nfastapi = '*'\n")];
        assert_eq!(one(&poetry).0, Kind::FastApi(None));
    }

    #[test]
    fn resemblance_is_not_enough() {
        assert_eq!(kinds(&[("manage.py", "print('hi')"), ("app.py", "import flasky\n")]), []);
        assert_eq!(kinds(&[("requirements.txt", "flask-cors\nfastapi-utils\n")]), []);
        assert_eq!(kinds(&[("src/deep/test_x.py", ""), ("package.json", "{}")]), []);
    }

    #[test]
    fn tests_are_known_by_configuration_or_by_name() {
        for (file, text) in [
            ("pytest.ini", ""),
            ("pyproject.toml", "[tool.pytest.ini_options]\n"),
            ("setup.cfg", "[tool:pytest]\n"),
            ("tox.ini", "[tox]\n[pytest]\n"),
            ("conftest.py", ""),
            ("tests/test_a.py", ""),
            ("a_test.py", ""),
        ] {
            assert_eq!(one(&[(file, text)]), (Kind::Pytest, file.into()));
        }
    }

    #[test]
    fn lock_files_pick_the_package_manager() {
        let package = ("package.json", r#"{"scripts": {"dev": "vite", "lint": "x", "test": "y"}}"#);
        for (lock, manager) in [("a", "npm"), ("yarn.lock", "yarn"), ("bun.lockb", "bun")] {
            let found = kinds(&[package, (lock, "")]);
            let scripts: Vec<Kind> = found.into_iter().map(|(kind, _)| kind).collect();
            let node = |script| Kind::Node { manager, script };
            assert_eq!(scripts, [node("dev"), node("test")]);
        }
    }

    #[test]
    fn hostile_names_and_contents_are_no_findings() {
        let manage = "import django";
        for path in ["$(id)/manage.py", "a b/manage.py", "-x/manage.py", "a\n/manage.py"] {
            assert_eq!(kinds(&[(path, manage)]), [], "{path}");
        }
        assert_eq!(kinds(&[("pyproject.toml", "[[[["), ("package.json", "[{")]), []);
        let nasty = [("main.py", "import fastapi\n$(id) = FastAPI()\n")];
        assert_eq!(kinds(&nasty), []);
    }
}
