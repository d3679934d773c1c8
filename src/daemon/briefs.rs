//! What a session is told at its first question in a project: what failed there lately, before it came
//! or without it. One signal each, so that it is told once and never lost, as all signals are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::alert::{self, Request};
use super::store::Emission;
use super::world::World;
use crate::kinds::Seen;
use crate::record::Folder;
use crate::wire::request::Scope;
use crate::wire::signal::Attention;
use crate::wire::unit::{Status, Unit};
use crate::{secure_fs, stop, time};

/// How long ago something may have failed.
const LATELY: Duration = Duration::from_hours(12);

/// How many failures are told at most, the newest.
const MOST: usize = 5;

impl World {
    /// `session` asks in `project`. At its first question there, what failed lately is queued for it,
    /// unless it is told of that anyway.
    pub(super) fn brief(&self, session: &str, project: Option<&Path>) {
        if alert::is_person(session) {
            return;
        }
        // Whoever cannot be remembered would be told again and again.
        if self.noted(|store| store.is_briefed(session, project)) != Some(false) {
            return;
        }
        let known = self.noted(|store| store.ends_for(session)).unwrap_or_default();
        let emissions = self.failed_lately(session, project, &known);
        self.noted(|store| store.brief(session, project, &emissions));
    }

    fn failed_lately(
        &self,
        session: &str,
        project: Option<&Path>,
        known: &HashSet<String>,
    ) -> Vec<Emission> {
        let scope = Scope { project: project.map(PathBuf::from), all: false };
        // Of units of one name, the last one counts: what runs or went well since is no news.
        let mut last: HashMap<String, Unit> = HashMap::new();
        for unit in self.state.list(&scope, true) {
            last.insert(unit.name.clone(), unit);
        }
        let mut failed: Vec<Unit> = last.into_values().filter(|u| self.is_failure(u)).collect();
        let is_owner = |unit: &Unit| {
            self.living_owner(unit).is_some_and(|owner| owner.is_ok_and(|owner| owner == session))
        };
        failed.retain(|unit| !known.contains(unit.id.as_str()) && !is_owner(unit));
        failed.sort_by(|a, b| (&a.ended_at, &a.id).cmp(&(&b.ended_at, &b.id)));
        let newest = failed.len().saturating_sub(MOST);
        failed.split_off(newest).iter().map(|unit| self.earlier(unit, session)).collect()
    }

    /// Whether `unit` failed lately, and not as somebody asked.
    fn is_failure(&self, unit: &Unit) -> bool {
        let ended = unit.ended_at.as_deref().and_then(time::parse);
        let age = ended.and_then(|at| SystemTime::now().duration_since(at).ok());
        let is_bad = matches!(unit.status, Status::Failed | Status::Killed);
        if !is_bad || unit.terms.ends_with_session || age.is_none_or(|age| age > LATELY) {
            return false;
        }
        let asked = self.folder_of(&unit.id).and_then(|folder| {
            let path = Folder::at(folder).file(stop::REQUESTED);
            secure_fs::text(&path, secure_fs::SMALL).ok()
        });
        let request = Request::read(asked.as_deref());
        !request.was_made() && alert::attention(unit, unit.terms.alerts, &request).is_some()
    }

    fn earlier(&self, unit: &Unit, session: &str) -> Emission {
        let folder = self.folder_of(&unit.id).map(Folder::at);
        let seen = Seen { unit, folder: folder.as_ref(), events: None };
        let mut snapshot: serde_json::Value =
            serde_json::from_str(&seen.snapshot()).unwrap_or_default();
        if let Some(unit) = snapshot.as_object_mut() {
            unit.insert("earlier".to_owned(), true.into());
        }
        Emission {
            unit: unit.id.to_string(),
            kind: unit.kind,
            at: unit.ended_at.clone().unwrap_or_else(time::now),
            attention: Attention::Next,
            snapshot: snapshot.to_string(),
            lifecycle: Some(unit.status),
            event: None,
            to: vec![session.to_owned()],
        }
    }
}
