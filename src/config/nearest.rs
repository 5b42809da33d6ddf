//! The known name nearest to a misspelt one.

/// Names are compared up to here; longer ones are no slip of a finger.
const COMPARED: usize = 64;

/// The candidate with the smallest edit distance, the first of equals; none where more than half of the name would have
/// to change. Case and the choice between `.`, `_` and `-` count for nothing.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let name = normal(name);
    candidates
        .map(|candidate| (distance(&name, &normal(candidate)), candidate))
        .min_by_key(|(changes, _)| *changes)
        .filter(|(changes, _)| changes * 2 <= name.len())
        .map(|(_, candidate)| candidate)
}

fn normal(name: &str) -> Vec<char> {
    let separator = |c| if matches!(c, '_' | '-') { '.' } else { c };
    name.chars()
        .take(COMPARED)
        .map(|c| separator(c.to_ascii_lowercase()))
        .collect()
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut best = (above[j - 1] + usize::from(!same))
                .min(above[j] + 1)
                .min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let swapped: usize = before[j - 2];
                best = best.min(swapped + 1);
            }
            row.push(best);
        }
        before = above;
        above = row;
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("linger", "lingr", 1),
            ("acks", "akcs", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(&chars(a), &chars(b)), edits, "{a} {b}");
        }
    }

    #[test]
    fn separators_and_case_do_not_count() {
        let known = ["buffer.memory", "batch.size"];
        assert_eq!(nearest("Batch_Size", known.into_iter()), Some("batch.size"));
    }

    #[test]
    fn a_name_like_no_other_has_no_nearest_one() {
        let known = ["acks", "batch.size"];
        for hopeless in ["", "zzzzqqq", "x"] {
            assert_eq!(nearest(hopeless, known.into_iter()), None, "{hopeless}");
        }
    }
}
