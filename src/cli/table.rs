//! Columns for people: as wide as they need to be, the last one as it is.

use crate::neutral;

/// The widest cell, characters.
const WIDEST: usize = 60;

/// `rows` under `titles`, one line each. Cells are made harmless.
pub(crate) fn lines(titles: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| short(cell)).collect()).collect();
    let all = || std::iter::once(&titles).chain(&rows);
    let width = |column: usize| all().map(|row| count(row.get(column))).max().unwrap_or(0);
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    all().map(|row| line(row, &widths)).collect()
}

fn count(cell: Option<&String>) -> usize {
    cell.map_or(0, |cell| cell.chars().count())
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// One harmless line; `-` for nothing.
fn short(cell: &str) -> String {
    let shown = neutral::cell(cell, WIDEST);
    if shown.is_empty() { "-".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_moves_the_cursor() {
        let rows =
            [vec!["web".into(), "\u{1b}[2J\u{202e}".into()], vec!["ü".into(), String::new()]];
        assert_eq!(
            lines(&["NAME", "TYPE"], &rows),
            ["NAME  TYPE", "web   \\u{1b}[2J\\u{202e}", "ü     -"]
        );
    }
}
