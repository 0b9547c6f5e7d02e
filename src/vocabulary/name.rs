//! Comparison of names: suggestions for misspelt ones, and a folded form.

/// The name among `known` that `input` probably means.
///
/// It differs in case and white space only, or in at most a third of its letters.
pub fn nearest<'a>(input: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let target = folded(input);
    let limit = (target.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&target, &folded(name)), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `name` with case folded and white space collapsed; readers confuse two names that are equal in this form.
pub fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The number of single-letter edits between two texts, transpositions included (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut previous: Vec<usize> = Vec::new();
    let mut current: Vec<usize> = (0..=right.len()).collect();
    for (row, &l) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(right.len() + 1);
        next.push(row + 1);
        for (column, &r) in right.iter().enumerate() {
            let at = |next: &[usize], index: usize| next.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = at(&current, column) + usize::from(l != r);
            best = best.min(at(&current, column + 1) + 1).min(at(&next, column) + 1);
            let swapped = row > 0 && column > 0 && left.get(row - 1) == Some(&r) && right.get(column - 1) == Some(&l);
            if swapped {
                best = best.min(at(&previous, column - 1) + 1);
            }
            next.push(best);
        }
        previous = std::mem::replace(&mut current, next);
    }
    current.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests;
