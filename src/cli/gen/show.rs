//! What there is and what it would be made of: `ig gen --list` and `ig gen --show NAME`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Args, World, write};
use crate::cli::Outcome;
use crate::error::Result;
use crate::r#gen::catalog::{Catalog, Level, Listed};
use crate::r#gen::options::{Said, Settled};
use crate::r#gen::{Request, place};

/// All templates and profiles.
pub(super) fn list(catalog: &Catalog, as_json: bool) -> Outcome {
    let (profiles, templates) = (catalog.profiles(), catalog.templates());
    if as_json {
        let rows = |list: &[Listed]| list.iter().map(listed).collect::<Vec<_>>();
        println!(
            "{:#}",
            json!({ "schema": 1, "profiles": rows(&profiles), "templates": rows(&templates) })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let all = profiles.iter().chain(&templates);
    let width = all.map(|row| row.name.chars().count()).max().unwrap_or(0);
    section("Profiles", &profiles, width);
    section("Templates", &templates, width);
    Ok(ExitCode::SUCCESS)
}

fn listed(row: &Listed) -> Value {
    json!({ "name": row.name, "source": row.level.word(), "about": row.about, "path": row.place })
}

fn section(title: &str, rows: &[Listed], width: usize) {
    if rows.is_empty() {
        return;
    }
    println!("{title}");
    for row in rows {
        let place =
            if row.level == Level::BuiltIn { String::new() } else { format!("  ({})", row.place) };
        println!("  {:width$}  {}{place}", row.name, row.about);
    }
}

/// Every value that `name` would be made of, and who set it.
pub(super) fn one(world: &World, name: &str, args: &Args) -> Outcome {
    let args = Args { target: Some(name.to_owned()), ..args.clone() };
    let path = place::output(None, name, &world.root, &world.here)?;
    let request = write::request(world, &args, &path)?;
    let rows = rows(&request)?;
    if args.json {
        println!("{:#}", as_json(name, &request, &rows));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{name}: {}", about(&request));
    let width = rows.iter().map(|row| row.key.chars().count()).max().unwrap_or(0);
    let values = rows.iter().map(|row| row.value.chars().count().min(40)).max().unwrap_or(0);
    for row in &rows {
        println!("  {:width$}  {:values$}  {}", row.key, row.value, row.origin);
    }
    if !request.found.shadowed.is_empty() {
        eprintln!("ig: `{name}` hides {}", request.found.shadowed.join(" and "));
    }
    Ok(ExitCode::SUCCESS)
}

struct Row {
    key: String,
    value: String,
    origin: String,
}

fn about(request: &Request) -> &str {
    request.found.about.as_deref().unwrap_or(&request.found.template.meta.about)
}

fn rows(request: &Request) -> Result<Vec<Row>> {
    let settled = request.settle();
    let template = &request.found.template;
    let mut rows = vec![row("template", &template.name, template.level.word())];
    rows.extend(single(&settled, template.meta.port));
    let each = settled.requirements.iter().map(|said| said_row("requirements", said));
    rows.extend(each);
    rows.extend(settled.env.iter().map(|(name, said)| {
        row(&format!("env.{name}"), said.value.text(), &said.origin.to_string())
    }));
    rows.extend(settled.vars.iter().map(|(name, said)| said_row(&format!("vars.{name}"), said)));
    Ok(rows)
}

/// The values of which there is one.
fn single(settled: &Settled, base: Option<u16>) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(settled.command.as_ref().map(|said| said_row("command", said)));
    rows.extend(settled.venv.as_ref().map(|said| said_row("venv", said)));
    rows.extend(settled.ready.as_ref().map(|said| said_row("ready", said)));
    rows.extend(match (&settled.port, base) {
        (Some(said), _) => Some(said_row("port", said)),
        (None, Some(base)) => Some(row("port", &format!("first free from {base}"), "template")),
        (None, None) => None,
    });
    rows.push(said_row("register", &settled.register));
    rows.push(said_row("stream_logs", &settled.stream_logs));
    rows.push(said_row("agent.name", &settled.agent_name));
    rows.push(said_row("agent.type", &settled.agent_type));
    rows
}

fn said_row(key: &str, said: &Said<impl ToString>) -> Row {
    row(key, &said.value.to_string(), &said.origin.to_string())
}

fn row(key: &str, value: &str, origin: &str) -> Row {
    let value = value.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"");
    Row { key: key.to_owned(), value, origin: origin.to_owned() }
}

fn as_json(name: &str, request: &Request, rows: &[Row]) -> Value {
    let values: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "key": row.key, "value": row.value, "origin": row.origin }))
        .collect();
    json!({ "schema": 1, "name": name, "about": about(request), "values": values, "hides": request.found.shadowed })
}
