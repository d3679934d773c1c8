//! Quoting for bash: the one place where a value becomes shell text.
//!
//! Stands on `shell-escape` and closes its gaps: values are always quoted, NUL is an error. Bare
//! words exist only where they read better and cannot mean anything else.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::quoting::is_plain;

/// What bash itself acts on when it stands first in a command, or what `exec` cannot run.
const SHELL_WORDS: &str = "time coproc ! . : [[ ]] source alias bg bind break builtin cd command continue \
    declare dirs disown enable eval exec exit export fg getopts hash help history jobs let local \
    logout mapfile popd pushd read readarray readonly return set shift shopt suspend times trap \
    type typeset ulimit umask unalias unset wait";

/// `text` in quotes: one word or one assignment's right side, whatever it holds.
pub fn quote(text: &str) -> Result<String> {
    if text.contains('\0') {
        return Err(Error::usage("a value holds a NUL byte, which no shell variable can"));
    }
    Ok(match shell_escape::unix::escape(Cow::Borrowed(text)) {
        Cow::Borrowed(bare) => format!("'{bare}'"),
        Cow::Owned(quoted) => quoted,
    })
}

/// `text` as an argument: bare when nothing in it could be misread, else quoted.
pub fn word(text: &str) -> Result<String> {
    if is_plain(text) { Ok(text.to_owned()) } else { quote(text) }
}

/// All of `texts` as arguments on one line.
pub fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<String> {
    Ok(texts.into_iter().map(word).collect::<Result<Vec<_>>>()?.join(" "))
}

/// A whole command line: like [`words`], with a first word that bash can only take for a program.
pub fn command_line(words: &[String]) -> Result<String> {
    let (first, rest) = words.split_first().ok_or_else(|| Error::usage("the command is empty"))?;
    let first = if is_program(first) { first.clone() } else { quote(first)? };
    let rest = rest.iter().map(|text| word(text)).collect::<Result<Vec<_>>>()?;
    Ok(std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" "))
}

/// A first word that is no assignment, no option of `exec` and nothing the shell does itself.
pub fn is_program(text: &str) -> bool {
    is_plain(text)
        && !text.contains('=')
        && !text.starts_with('-')
        && !SHELL_WORDS.split_whitespace().any(|word| word == text)
}

/// The words of a command that needs no shell, as the shell would split it; none when anything in
/// it asks for a shell: expansion, a pipe, a second line, an assignment, a builtin.
pub fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => single(&mut letters, word.get_or_insert_default())?,
            '"' => double(&mut letters, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().filter(|c| *c != '\n')?),
            '#' if word.is_some() => word.get_or_insert_default().push('#'),
            _ if letter.is_control() || "$`*?[]{}()<>|&;~!#^".contains(letter) => return None,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words.first().is_some_and(|first| is_program(first)).then_some(words)
}

fn single(letters: &mut std::str::Chars, word: &mut String) -> Option<()> {
    loop {
        match letters.next()? {
            '\'' => return Some(()),
            letter => word.push(letter),
        }
    }
}

fn double(letters: &mut std::str::Chars, word: &mut String) -> Option<()> {
    loop {
        match letters.next()? {
            '"' => return Some(()),
            '$' | '`' => return None,
            '\\' => match letters.next()? {
                '\n' => return None,
                letter if "$`\"\\".contains(letter) => word.push(letter),
                letter => word.extend(['\\', letter]),
            },
            letter => word.push(letter),
        }
    }
}

/// `text` between double quotes, where only `${NAME}` expands and everything else is itself.
pub fn expand(text: &str) -> Result<String> {
    if text.contains('\0') {
        return quote(text);
    }
    let mut out = String::from("\"");
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(name) = variable(rest) {
            out.push_str(name);
            rest = &rest[name.len()..];
            continue;
        }
        if "\"\\$`".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out.push('"');
    Ok(out)
}

/// The `${NAME}` that `text` starts with.
fn variable(text: &str) -> Option<&str> {
    let end = text.strip_prefix("${")?.find('}')? + 2;
    super::env::is_name(&text[2..end]).then(|| &text[..=end])
}

/// `text` as part of a comment: on one line, and nothing in it that hides or reorders what follows.
pub fn comment(text: &str) -> String {
    text.chars().map(|c| if is_visible(c) { c } else { '\u{fffd}' }).collect()
}

/// Neither a control character nor one that changes the direction or the look of its neighbours.
pub fn is_visible(c: char) -> bool {
    !crate::neutral::is_hidden(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn values_are_always_quoted_and_nul_is_refused() {
        assert_eq!(quote("if").unwrap(), "'if'");
        assert_eq!(quote("").unwrap(), "''");
        assert_eq!(quote("it's").unwrap(), r"'it'\''s'");
        assert_eq!(quote("a\0b").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn words_are_bare_only_when_nothing_can_be_misread() {
        assert_eq!(word("uvicorn[standard]").unwrap(), "'uvicorn[standard]'");
        assert_eq!(word("django==4.2").unwrap(), "django==4.2");
        assert_eq!(word("=ls").unwrap(), "'=ls'");
        assert_eq!(word("~/x").unwrap(), "'~/x'");
        let time = ["time".to_owned(), "-p".to_owned()];
        assert_eq!(command_line(&time).unwrap(), "'time' -p");
    }

    #[test]
    fn plain_commands_split_and_others_ask_for_a_shell() {
        assert_eq!(split("pytest -k 'a b' \"c\\\"d\""), list(&["pytest", "-k", "a b", "c\"d"]));
        assert_eq!(split(r"printf %s\\n it\'s"), list(&["printf", r"%s\n", "it's"]));
        for shell in [
            "a && b",
            "echo $HOME",
            "A=b c",
            "cd x",
            "a\nb",
            "ls *.py",
            "'a",
            "a \"$x\"",
            "",
            "-x",
            "a #b",
        ] {
            assert_eq!(split(shell), None, "{shell}");
        }
    }

    #[test]
    fn expansion_is_for_braced_names_alone() {
        assert_eq!(
            expand("${HOME}/b $(id) `x` $HOME ${x:-y} \"").unwrap(),
            "\"${HOME}/b \\$(id) \\`x\\` \\$HOME \\${x:-y} \\\"\""
        );
    }
}
