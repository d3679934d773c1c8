//! minijinja, set up so that no value can become code.
//!
//! Every `{{ }}` is quoted whatever the template is called; an unknown name is an error; nothing is
//! reachable but the values handed in and the templates of the catalog; the work is bounded. Only
//! filters that cannot undo quoting exist. Text is code only where the template says `|raw`. What does
//! not come with the program is rendered apart, within bounds of memory and time ([`bounded`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use serde::{Deserialize, Serialize};

use minijinja::{
    AutoEscape, Environment, Error as Fault, ErrorKind, Output, State, UndefinedBehavior, filters,
    tests as checks,
};

use super::{bounded, quote};
use crate::error::{Error, Result};
use crate::suggest;

/// Steps a template may take; the built-in ones take a few hundred.
const FUEL: u64 = 200_000;

/// A template that was read while rendering: its file name, where it lies, and its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// The name that `extends` uses, `_base.sh.j2`.
    pub file: String,
    /// The path, or `built in`.
    pub place: String,
    /// The text.
    pub text: String,
}

/// Finds a template by the name that `extends` and `include` use.
pub type Load = dyn Fn(&str) -> Result<Option<Source>> + Send + Sync;

/// What came out: the text, and every template that took part, in the order of their names.
pub struct Rendered {
    /// The script.
    pub text: String,
    /// The template and its parents.
    pub closure: Vec<Source>,
}

/// Where a template lies that comes with the program.
pub const BUILT_IN: &str = "built in";

/// Renders `main` with `values`; parents come from `load`.
pub fn render(main: &Source, values: &[(String, Value)], load: Arc<Load>) -> Result<Rendered> {
    if main.place == BUILT_IN {
        return render_here(main, values, load);
    }
    bounded::render(main, || render_here(main, values, load))
}

fn render_here(main: &Source, values: &[(String, Value)], load: Arc<Load>) -> Result<Rendered> {
    let closure = Arc::new(Mutex::new(vec![main.clone()]));
    let failed = Arc::new(Mutex::new(None));
    let mut env = environment()?;
    env.set_loader(loader(load, Arc::clone(&closure), Arc::clone(&failed)));
    let context = Value::from(values.iter().cloned().collect::<BTreeMap<_, _>>());
    let outcome = env
        .add_template_owned(main.file.clone(), main.text.clone())
        .and_then(|()| env.get_template(&main.file))
        .and_then(|template| template.render(context));
    if let Some(error) = failed.lock().ok().and_then(|mut slot| slot.take()) {
        return Err(error);
    }
    let mut closure = closure.lock().map(|list| list.clone()).unwrap_or_default();
    let text = outcome.map_err(|fault| explain(&fault, &closure, values))?;
    closure.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(Rendered { text, closure })
}

/// Remembers what was read, and the first reason why something could not be.
fn loader(
    load: Arc<Load>,
    closure: Arc<Mutex<Vec<Source>>>,
    failed: Arc<Mutex<Option<Error>>>,
) -> impl Fn(&str) -> Result<Option<String>, Fault> + Send + Sync + 'static {
    move |name| match load(name) {
        Ok(Some(source)) => {
            let text = source.text.clone();
            if let Ok(mut list) = closure.lock() {
                list.push(source);
            }
            Ok(Some(text))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            if let Ok(mut slot) = failed.lock() {
                *slot = Some(error);
            }
            Err(Fault::new(ErrorKind::TemplateNotFound, "cannot be read"))
        }
    }
}

fn environment() -> Result<Environment<'static>> {
    let mut env = Environment::empty();
    env.set_syntax(syntax()?);
    env.set_auto_escape_callback(|_| AutoEscape::Custom("shell".into()));
    let room = AtomicUsize::new(super::limits::SCRIPT);
    env.set_formatter(move |out: &mut Output, _: &mut State, value: &Value| {
        write_quoted(out, value, &room)
    });
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    add_filters(&mut env);
    add_tests(&mut env);
    Ok(env)
}

/// Whole lines for statements, so that a template still reads as a script; and comment marks that
/// leave bash's `${#list[@]}` alone.
fn syntax() -> Result<SyntaxConfig> {
    SyntaxConfig::builder()
        .line_statement_prefix("#%")
        .line_comment_prefix("#%#")
        .comment_delimiters("{%#", "#%}")
        .keep_trailing_newline(true)
        .build()
        .map_err(|fault| Error::new(format!("template syntax: {fault}")))
}

/// Each of these takes text and returns plain text, which is quoted like any other; only `word`,
/// `words`, `comment` and `raw` decide for themselves.
fn add_filters(env: &mut Environment) {
    env.add_filter("default", filters::default);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("length", filters::length);
    env.add_filter("lower", |text: String| text.to_lowercase());
    env.add_filter("upper", |text: String| text.to_uppercase());
    env.add_filter("trim", |text: String| text.trim().to_owned());
    env.add_filter("replace", |text: String, from: String, to: String| text.replace(&from, &to));
    env.add_filter("join", |list: Vec<String>, by: Option<String>| {
        list.join(by.as_deref().unwrap_or_default())
    });
    env.add_filter("word", |text: String| quote::word(&text).map(safe).map_err(|e| fault(&e)));
    env.add_filter("words", |list: Vec<String>| {
        quote::words(list.iter().map(String::as_str)).map(safe).map_err(|e| fault(&e))
    });
    env.add_filter("comment", |text: String| safe(quote::comment(&text)));
    env.add_filter("raw", |text: String| safe(text));
}

fn add_tests(env: &mut Environment) {
    env.add_test("defined", checks::is_defined);
    env.add_test("undefined", checks::is_undefined);
    env.add_test("none", checks::is_none);
    env.add_test("in", checks::is_in);
    env.add_test("startingwith", |text: String, start: String| text.starts_with(&start));
    env.add_test("endingwith", |text: String, end: String| text.ends_with(&end));
}

fn safe(text: String) -> Value {
    Value::from_safe_string(text)
}

fn fault(error: &Error) -> Fault {
    Fault::new(ErrorKind::InvalidOperation, error.what().to_owned())
}

/// What happens at every `{{ }}`: fuel bounds the steps, `room` what they write.
fn write_quoted(out: &mut Output, value: &Value, room: &AtomicUsize) -> Result<(), Fault> {
    let text = quoted(value)?;
    let fits = |left: usize| left.checked_sub(text.len());
    if room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
        return Err(Fault::new(ErrorKind::OutOfFuel, "it writes more than any script may hold"));
    }
    Ok(out.write_str(&text)?)
}

fn quoted(value: &Value) -> Result<String, Fault> {
    if value.is_safe() {
        return Ok(value.to_string());
    }
    match value.kind() {
        ValueKind::Bool => Ok(value.is_true().to_string()),
        ValueKind::Number => Ok(value.to_string()),
        ValueKind::String => {
            quote::quote(value.as_str().unwrap_or_default()).map_err(|e| fault(&e))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items =
                value.try_iter()?.map(|item| quoted(&item)).collect::<Result<Vec<_>, _>>()?;
            Ok(items.join(" "))
        }
        kind => Err(Fault::new(ErrorKind::InvalidOperation, format!("{kind} is no shell value"))),
    }
}

/// minijinja's error as ours: what, file and line, and the nearest name for a misspelt variable.
fn explain(fault: &Fault, closure: &[Source], values: &[(String, Value)]) -> Error {
    let root = innermost(fault);
    let file = root.name().or_else(|| fault.name()).unwrap_or("template");
    let source = closure.iter().find(|source| source.file == file);
    let place = source.map_or(file, |source| source.place.as_str());
    let line = root.line().or_else(|| fault.line());
    let detail = root.detail().map_or_else(|| root.kind().to_string(), str::to_owned);
    let mut error = Error::new(format!("the template `{}` fails: {detail}", stem(file)));
    error = match line {
        Some(line) => error.at(format!("{place}:{line}")),
        None => error.at(place),
    };
    match (root.kind(), source.zip(line)) {
        (ErrorKind::UndefinedError, Some((source, line))) => {
            misspelt(error, root, source, line, values)
        }
        (ErrorKind::OutOfFuel, _) => error.next("a template with fewer and shorter loops"),
        _ => error,
    }
}

fn innermost(fault: &Fault) -> &Fault {
    let mut inner = fault;
    while let Some(source) = std::error::Error::source(inner).and_then(|e| e.downcast_ref()) {
        inner = source;
    }
    inner
}

/// Names what is unknown, by where the expression stands that has it, and the nearest known name.
fn misspelt(
    error: Error,
    fault: &Fault,
    source: &Source,
    line: usize,
    values: &[(String, Value)],
) -> Error {
    let known = || values.iter().map(|(name, _)| name.as_str());
    let text = source.text.lines().nth(line - 1).unwrap_or_default();
    let said = fault.range().and_then(|range| source.text.get(range)).unwrap_or(text);
    let names = |text: &str| -> Vec<String> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let names = text.split(|c| !is_letter(c)).filter(|name| super::env::is_name(name));
        names.filter(|name| !known().any(|known| known == *name)).map(str::to_owned).collect()
    };
    let near = |name: &String| suggest::nearest(name, known()).map(|known| (name.clone(), known));
    let here = names(said);
    if let Some((name, known)) = here.iter().find_map(near) {
        return error.next(format!("`{known}` instead of `{name}`"));
    }
    let error = match here.first() {
        Some(name) => error.renamed(|what| format!("{what}: `{name}`")),
        None => error,
    };
    error.next("a line `#%# var: NAME = DEFAULT` at the top of the template")
}

/// `django-dev` for `django-dev.sh.j2`.
pub fn stem(file: &str) -> &str {
    let file = file.rsplit('/').next().unwrap_or(file);
    file.strip_suffix(".sh.j2").unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { file: "t.txt".into(), place: "t.txt".into(), text: text.into() }
    }

    fn run(text: &str) -> Result<String> {
        let values = [
            ("v".to_owned(), Value::from("$(id)")),
            ("n".to_owned(), Value::from(3)),
            ("list".to_owned(), Value::from(vec!["a b", "c"])),
            ("none".to_owned(), Value::from(())),
        ];
        let load: Arc<Load> = Arc::new(|_| Ok(Some(source("{{ v }}"))));
        render(&source(text), &values, load).map(|rendered| rendered.text)
    }

    #[test]
    fn every_road_ends_in_quotes() {
        for road in [
            "{{ v }}",
            "{{ v|default('x') }}",
            "{{ missing|default(v) }}",
            "{% set x = v %}{{ x }}",
            "{% set x %}{{ v }}{% endset %}{{ x }}",
            "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(v) }}",
            "{% include 'other.txt' %}",
            "{% autoescape false %}{{ v }}{% endautoescape %}",
            "{% autoescape 'html' %}{{ v }}{% endautoescape %}",
            "{% autoescape 'none' %}{{ v }}{% endautoescape %}",
            "{{ v ~ '' }}",
            "{{ [v] }}",
            "{{ v|upper|lower }}",
            "{{ [v]|join('') }}",
            "{{ v|word }}",
            "{{ [v]|words }}",
            "{% filter lower %}$(id){% endfilter %}",
        ] {
            assert_eq!(run(road).unwrap(), "'$(id)'", "{road}");
        }
    }

    #[test]
    fn what_was_quoted_cannot_be_edited_into_code() {
        assert_eq!(run("{{ (v|word)|replace(\"'\", '') }}").unwrap(), "'$(id)'");
        assert_eq!(
            run("{% set x %}{{ v }}{% endset %}{{ x|replace(\"'\", '') }}").unwrap(),
            "'$(id)'"
        );
        for hole in ["{{ v|safe }}", "{{ v|tojson }}", "{{ v|indent }}", "{{ v|e }}"] {
            assert!(run(hole).is_err(), "{hole}");
        }
    }

    #[test]
    fn numbers_stay_bare_and_lists_become_words() {
        assert_eq!(run("{{ n }} {{ true }} {{ list }}").unwrap(), "3 true 'a b' 'c'");
    }

    #[test]
    fn what_is_no_value_is_an_error() {
        for bad in ["{{ none }}", "{{ x }}", "{{ v if false }}", "{{ {'a': 1} }}", "{{ v.y }}"] {
            assert!(run(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bash_keeps_its_braces() {
        assert_eq!(run("${#a[@]} ${#b}{%# gone #%}\n").unwrap(), "${#a[@]} ${#b}\n");
        assert_eq!(run("#%# gone\n# stays\n#% if n\nx\n#% endif\n").unwrap(), "# stays\nx\n");
    }

    #[test]
    fn endless_work_is_cut_off_and_misspelt_names_are_helped() {
        let nested =
            "{% for a in 'x' * 99999 %}{% for b in 'x' * 99999 %}x{% endfor %}{% endfor %}";
        assert!(run(nested).is_err());
        let long = "{% set a = 'x' * 99999 %}{% for i in a %}{{ a }}{% endfor %}";
        assert!(run(long).unwrap_err().to_string().contains("more than any script"));
        let error = run("a\n{{ lisst }}").unwrap_err().to_string();
        assert!(
            error.contains("t.txt:2") && error.contains("`list` instead of `lisst`"),
            "{error}"
        );
    }
}
