//! Every generated script of the project: `ig gen --check` and `ig gen --update`.

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use super::write::{self, Draft};
use super::{Args, World, verdict};
use crate::cli::Outcome;
use crate::error::{Error, Result};
use crate::r#gen::catalog::Catalog;
use crate::r#gen::header::Header;
use crate::r#gen::place::Existing;
use crate::r#gen::{place, scripts};
use crate::paths;

/// A header's words, read as `ig gen` would read them.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Again {
    #[command(flatten)]
    args: Args,
}

/// Says of each script whether it is as it would be made now; 1 when one is not.
pub(super) fn check(world: &World, as_json: bool) -> Outcome {
    let mut rows = Vec::new();
    let mut good = true;
    for path in scripts::find(&world.root) {
        let shown = paths::display(&path);
        let (state, detail) = match remake(&path) {
            Ok(draft) => (state(&draft), draft.diff()),
            Err(error) => ("broken", format!("{error}\n")),
        };
        good &= state == "fresh";
        if !as_json {
            eprintln!("{state}: {shown}");
            print!("{}", if state == "fresh" { "" } else { &detail });
        }
        rows.push(json!({ "path": shown, "state": state }));
    }
    if as_json {
        println!("{:#}", json!({ "schema": 1, "scripts": rows }));
    } else if rows.is_empty() {
        eprintln!("no generated scripts in {}", paths::display(&world.root));
    }
    Ok(verdict(good))
}

fn state(draft: &Draft) -> &'static str {
    match draft.existing {
        Existing::Edited(_) => "edited",
        _ if draft.is_fresh() => "fresh",
        _ => "stale",
    }
}

/// Makes each script again; one that cannot be made does not keep the others from it.
pub(super) fn update(world: &World, force: bool) -> Outcome {
    let mut good = true;
    for path in scripts::find(&world.root) {
        match remake(&path).and_then(|draft| draft.save(force)) {
            Ok(()) => println!("{}", paths::display(&path)),
            Err(error) => {
                eprintln!("ig: {error}");
                good = false;
            }
        }
    }
    Ok(verdict(good))
}

/// The script at `path`, made from what its header says; the project is where the header says it
/// is, seen from the script.
fn remake(path: &Path) -> Result<Draft> {
    let existing = Existing::at(path)?;
    let shown = paths::display(path);
    let Some(header) = Header::read(existing.text()) else {
        return Err(Error::new(format!("`{shown}` has no header of ig's")));
    };
    let again = Again::try_parse_from(&header.args)
        .map_err(|e| Error::new(format!("the header of `{shown}` cannot be read: {e}")))?;
    let root: PathBuf = path.parent().unwrap_or(path).join(&header.made.root);
    let root = root.canonicalize().map_err(|e| Error::io("find", &root, &e))?;
    let catalog = Catalog::of(paths::project(&root).as_deref());
    let world = World { here: root.clone(), root, catalog };
    write::draft(&world, &again.args, place::absolute(path)?, false)
}
