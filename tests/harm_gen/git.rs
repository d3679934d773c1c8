//! A record asks which commit it was; nothing of the repository gets to run for that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, stderr, tool, wait_until};

/// A project that is a repository with one commit, and a file that any of its programs would make.
struct World {
    sandbox: Sandbox,
    canary: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        tool("git")?;
        let sandbox = Sandbox::with_project();
        let canary = sandbox.home().join("canary");
        let world = Self { sandbox, canary };
        world.repository(&world.sandbox.project());
        Some(world)
    }

    /// Makes `dir` a repository with one commit; the file in it looks changed from then on.
    fn repository(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("file"), "one\n").unwrap();
        self.git(dir, &["init", "-q"]);
        self.git(dir, &["add", "file"]);
        self.git(dir, &["commit", "-qm", "one"]);
        fs::write(dir.join("file"), "two\n").unwrap();
    }

    fn git(&self, dir: &Path, words: &[&str]) -> String {
        let mut git = Command::new("git");
        self.sandbox.enter(&mut git);
        git.current_dir(dir).args(["-c", "user.name=t", "-c", "user.email=t@localhost"]);
        let output = git.args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The words that make the canary, for a shell.
    fn bait(&self) -> String {
        format!("touch {}; cat", self.canary.display())
    }

    /// What a run in `dir` records, once it is known.
    fn recorded(&self, dir: &Path) -> Value {
        let mut ig = self.sandbox.command("ig");
        ig.env("IDLERGEAR_NO_DAEMON", "1").current_dir(dir);
        let output = ig.args(["run", "--", "true"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let list = || self.sandbox.json(&["run", "list", "--json"])["units"].clone();
        let newest = |list: Value| {
            let units = list.as_array().unwrap().clone();
            units.into_iter().max_by_key(|unit| unit["started_at"].to_string()).unwrap()
        };
        let id = newest(list())["id"].as_str().unwrap().to_owned();
        let answer = self.sandbox.project().join(format!(".idlergear/runs/{id}/git"));
        wait_until("the work tree was looked at", || {
            fs::read(&answer).is_ok_and(|text| text.ends_with(b"\n"))
        });
        self.sandbox.json(&["run", "status", &id, "--json"])["git"].clone()
    }

    /// A run in `dir` makes no canary; git itself, asked as one would, does.
    fn is_a_trap(&self, dir: &Path) -> Value {
        let recorded = self.recorded(dir);
        assert!(!self.canary.exists(), "a run in {} ran something", dir.display());
        let mut git = Command::new("git");
        self.sandbox.enter(&mut git);
        git.current_dir(dir).args(["status", "--porcelain"]).output().unwrap();
        assert!(self.canary.exists(), "the trap in {} is none", dir.display());
        fs::remove_file(&self.canary).unwrap();
        recorded
    }
}

fn append(path: &Path, text: &str) {
    let old = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, old + text).unwrap();
}

#[test]
fn the_state_of_an_honest_work_tree_is_told() {
    let Some(world) = World::new() else { return };
    let root = world.sandbox.project();
    let commit = Value::from(world.git(&root, &["rev-parse", "HEAD"]).trim());
    let told = || world.recorded(&root);
    assert_eq!((&told()["commit"], &told()["dirty"]), (&commit, &true.into()));
    world.git(&root, &["checkout", "-q", "file"]);
    // Touched, not changed.
    fs::write(root.join("file"), "one\n").unwrap();
    assert_eq!(told()["dirty"], false);
    fs::write(root.join("more"), "").unwrap();
    assert_eq!(told()["dirty"], false, "what is not tracked is no change");
    world.git(&root, &["add", "more"]);
    assert_eq!(told()["dirty"], true);
    world.git(&root, &["commit", "-qm", "two"]);
    world.git(&root, &["pack-refs", "--all"]);
    let second = world.git(&root, &["rev-parse", "HEAD"]);
    assert_eq!((&told()["commit"], &told()["dirty"]), (&second.trim().into(), &false.into()));
    // A second work tree, and a repository in this one that is another's.
    world.git(&root, &["worktree", "add", "-q", "--detach", "tree", "HEAD~"]);
    let tree = world.recorded(&root.join("tree"));
    assert_eq!((&tree["commit"], &tree["dirty"]), (&commit, &false.into()));
    fs::remove_file(root.join("tree/file")).unwrap();
    assert_eq!(world.recorded(&root.join("tree"))["dirty"], true);
    world.repository(&root.join("inner"));
    world.git(&root, &["add", "inner"]);
    world.git(&root, &["commit", "-qm", "three"]);
    assert_eq!(told()["dirty"], false);
    assert_eq!(world.recorded(&root.join("inner"))["dirty"], true);
    assert!(!root.join(".git/index.lock").exists());
}

#[test]
fn a_committed_bare_repository_runs_nothing() {
    let Some(world) = World::new() else { return };
    let root = world.sandbox.project();
    let commit = world.git(&root, &["rev-parse", "HEAD"]);
    // Made as one that a clone brings along: all of its files are tracked ones.
    let evil = root.join("evil");
    world.repository(&evil);
    fs::write(evil.join(".gitattributes"), "* filter=x\n").unwrap();
    for entry in fs::read_dir(evil.join(".git")).unwrap().flatten() {
        fs::rename(entry.path(), evil.join(entry.file_name())).unwrap();
    }
    fs::remove_dir(evil.join(".git")).unwrap();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tworktree = .\n[filter \"x\"]\n\tclean = \"{}\"\n",
        world.bait()
    );
    fs::write(evil.join("config"), config).unwrap();
    let told = world.is_a_trap(&evil);
    assert_eq!(told["commit"], commit.trim(), "it is a folder of the project's");
    assert_eq!(told["dirty"], true);
}

#[test]
fn an_unpacked_tree_with_a_configuration_of_its_own_runs_nothing() {
    let Some(world) = World::new() else { return };
    let bait = world.bait();
    let filter = format!("[filter \"x\"]\n\tclean = \"{bait}\"\n\tprocess = \"{bait}\"\n");
    let monitor = format!("[core]\n\tfsmonitor = \"{bait} >/dev/null; :\"\n");
    for (index, (config, attributes)) in
        [(filter.as_str(), "* filter=x\n"), (monitor.as_str(), "")].into_iter().enumerate()
    {
        let root = world.sandbox.project().join(format!("unpacked{index}"));
        world.repository(&root);
        fs::write(root.join(".gitattributes"), attributes).unwrap();
        let commit = world.git(&root, &["rev-parse", "HEAD"]);
        append(&root.join(".git/config"), config);
        let told = world.is_a_trap(&root);
        assert_eq!((&told["commit"], &told["dirty"]), (&commit.trim().into(), &Value::Null));
        // The same from elsewhere: included, or with the work tree there.
        fs::write(root.join(".git/config"), "[include]\n\tpath = more\n").unwrap();
        fs::write(root.join(".git/more"), config).unwrap();
        assert_eq!(world.is_a_trap(&root)["dirty"], Value::Null);
        fs::create_dir(root.join("deep")).unwrap();
        fs::rename(root.join(".git"), root.join("deep/repository")).unwrap();
        fs::write(root.join("deep/.git"), "gitdir: repository\n").unwrap();
        fs::write(
            root.join("deep/repository/config"),
            format!(
                "[core]\n\trepositoryformatversion = 0\n\tworktree = {}\n{config}",
                root.display()
            ),
        )
        .unwrap();
        assert_eq!(world.is_a_trap(&root.join("deep"))["dirty"], Value::Null);
    }
}

/// `.gitattributes` could ask for any filter that the user has for other repositories.
#[test]
fn a_filter_of_the_users_own_is_not_run_for_the_record() {
    let Some(world) = World::new() else { return };
    let root = world.sandbox.project();
    let filter = format!("[filter \"mine\"]\n\tclean = \"{}\"\n", world.bait());
    fs::write(world.sandbox.home().join(".gitconfig"), filter).unwrap();
    fs::write(root.join(".gitattributes"), "* filter=mine\n").unwrap();
    let told = world.is_a_trap(&root);
    assert!(told["commit"].is_string());
    assert_eq!(told["dirty"], Value::Null, "without its filter the answer would be wrong");
}

/// What is missing in a partial clone would be fetched by a program that the configuration names.
#[test]
fn nothing_is_fetched() {
    let Some(world) = World::new() else { return };
    let root = world.sandbox.project();
    let tree = world.git(&root, &["rev-parse", "HEAD^{tree}"]);
    let (folder, file) = tree.trim().split_at(2);
    fs::remove_file(root.join(".git/objects").join(folder).join(file)).unwrap();
    let config = format!(
        "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = o\n\
         [remote \"o\"]\n\turl = ext::sh -c touch% {}\n\tpromisor = true\n\
         [protocol \"ext\"]\n\tallow = always\n",
        world.canary.display()
    );
    fs::write(root.join(".git/config"), config).unwrap();
    let told = world.is_a_trap(&root);
    assert!(told["commit"].is_string());
    assert_eq!(told["dirty"], Value::Null);
}

/// The programs of a project often come first on PATH; git is not one of them.
#[test]
fn no_git_of_the_work_tree_is_run() {
    let Some(world) = World::new() else { return };
    let text = format!("#!/bin/sh\n{} /dev/null\n", world.bait());
    world.sandbox.program("node_modules/.bin/git", &text);
    let root = world.sandbox.project();
    let path = std::env::var("PATH").unwrap();
    let bin = Sandbox::bin_dir();
    for first in [root.join("node_modules/.bin").display().to_string(), "node_modules/.bin".into()]
    {
        let mut agent = world.sandbox.command("ig-agent");
        agent.env("PATH", format!("{first}:{}:{path}", bin.display())).arg("look-at-git");
        let output = agent.output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).ends_with(" dirty\n"));
        assert!(!world.canary.exists(), "PATH={first}");
    }
}

/// Files that never end, or that wait for somebody, stop nothing.
#[test]
fn odd_files_in_a_repository_are_only_no_answer() {
    let Some(world) = World::new() else { return };
    let root = world.sandbox.project();
    let folder = root.join(".git");
    let link = |target: &str, name: &str| {
        let path = folder.join(name);
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(target, path).unwrap();
    };
    let old = fs::read(folder.join("index")).unwrap();
    let pipe = |name: &str| {
        let _ = fs::remove_file(folder.join(name));
        assert!(Command::new("mkfifo").arg(folder.join(name)).status().unwrap().success());
    };
    pipe("index");
    assert_eq!(world.recorded(&root)["dirty"], Value::Null);
    fs::remove_file(folder.join("index")).unwrap();
    fs::write(folder.join("index"), old).unwrap();
    assert_eq!(world.recorded(&root)["dirty"], true);
    let config = fs::read(folder.join("config")).unwrap();
    for target in ["/dev/zero", "/dev/stdin"] {
        link(target, "config");
        assert_eq!(world.recorded(&root)["dirty"], Value::Null, "{target}");
    }
    fs::remove_file(folder.join("config")).unwrap();
    fs::write(folder.join("config"), config).unwrap();
    pipe("HEAD");
    assert_eq!(world.recorded(&root)["commit"], Value::Null);
    link("/dev/zero", "HEAD");
    assert_eq!(world.recorded(&root)["commit"], Value::Null);
    fs::remove_file(folder.join("HEAD")).unwrap();
    fs::write(folder.join("HEAD"), "ref: ../../../.gitconfig\n").unwrap();
    assert_eq!(world.recorded(&root)["commit"], Value::Null);
}

/// As git's own `safe.directory` wants it.
#[test]
fn a_repository_of_another_user_is_none() {
    let Some(world) = World::new() else { return };
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let root = world.sandbox.project();
    let folder = root.join(".git");
    let give = |owner: u32, to: &Path| std::os::unix::fs::chown(to, Some(owner), None).unwrap();
    for path in [&folder, &root] {
        assert!(world.recorded(&root)["commit"].is_string());
        give(12345, path);
        assert_eq!(world.recorded(&root)["commit"], Value::Null);
        give(0, path);
    }
}
