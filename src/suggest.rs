//! "Did you mean": the known name that is nearest to a mistyped one.
//!
//! Pure text; what to do with the answer is the caller's.

/// The candidate that a hurried typist most likely meant, if any comes close.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || is_start(word, candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to try instead of an unknown name: the nearest one and the whole list.
pub fn advice<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let list = candidates.clone().into_iter().collect::<Vec<_>>().join(", ");
    match nearest(word, candidates) {
        Some(name) => format!("`{name}` (known: {list})"),
        None => format!("one of {list}"),
    }
}

/// `django` is a start of `django-dev`.
fn is_start(word: &str, candidate: &str) -> bool {
    word.len() > 2 && candidate.starts_with(word)
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best =
                (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_starts_and_leaves_strangers_alone() {
        let names = ["pytest", "django-dev", "flask-dev"];
        assert_eq!(nearest("pyetst", names), Some("pytest"));
        assert_eq!(nearest("django", names), Some("django-dev"));
        assert_eq!(nearest("django_dev", names), Some("django-dev"));
        assert_eq!(nearest("rails", names), None);
    }
}
