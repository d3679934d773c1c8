//! One value out of a settings file, found line by line: `key = value` below `[table]`.
//!
//! That is not all of TOML; `check` holds people to what is read here.

/// The value of `name`, without its quotes and what follows it on the line.
pub fn find<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (table, key) = name.rsplit_once('.')?;
    let mut is_here = false;
    for line in text.lines().map(str::trim_ascii) {
        if let Some(header) = line.strip_prefix('[') {
            is_here = header.split(']').next().is_some_and(|header| header.trim_ascii() == table);
        } else if let Some((word, value)) = line.split_once('=').filter(|_| is_here)
            && word.trim_ascii() == key
        {
            return Some(plain(value.trim_ascii_start()));
        }
    }
    None
}

fn plain(value: &str) -> &str {
    let quote = value.chars().next().filter(|letter| matches!(letter, '"' | '\''));
    match quote {
        Some(quote) => value[1..].split(quote).next().unwrap_or_default(),
        None => value.split('#').next().unwrap_or_default().trim_ascii_end(),
    }
}

/// A number, as TOML writes it: `268_435_456` too.
pub fn number(text: &str) -> Option<u64> {
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_key_in_its_table() {
        let text = "max_runs = 1\n# [logs]\n[ logs ] # x\n max_runs=20_0 # y\nmax = 3\n\
                    [logs.more]\nmax_runs = 4\n[a.b]\nc = 'x#y' # z\nd = \"e\"\n";
        assert_eq!(find(text, "logs.max_runs"), Some("20_0"));
        assert_eq!(find(text, "a.b.c"), Some("x#y"));
        assert_eq!(find(text, "a.b.d"), Some("e"));
        assert_eq!(find(text, "logs.more.max_runs"), Some("4"));
        assert_eq!((find(text, "logs.none"), find(text, "b.c")), (None, None));
        assert_eq!((number("20_0"), number("-1"), number("x")), (Some(200), None, None));
    }
}
