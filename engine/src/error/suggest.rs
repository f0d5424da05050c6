//! "Did you mean": the nearest of the names that exist.

/// How alike two names must be, from 0 to 1, for one to be offered for the other.
const ALIKE: f64 = 0.7;

/// The candidate most like the word, if one is like it at all. Case does not count.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (likeness(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        // Of two that are equally like, the first in the alphabet, so that the answer does not depend on a hash's order.
        .max_by(|left, right| left.0.total_cmp(&right.0).then_with(|| right.1.cmp(left.1)))
        .map(|(_, candidate)| candidate)
}

fn likeness(word: &str, candidate: &str) -> f64 {
    if word == candidate {
        return 1.0;
    }
    strsim::normalized_damerau_levenshtein(word, candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name() {
        assert_eq!(nearest("custmer_id", ["customer_id", "custom", "id"]), Some("customer_id"));
        assert_eq!(nearest("ORDRES", ["orders", "customers"]), Some("orders"));
        assert_eq!(nearest("xyz", ["orders", "customers"]), None);
    }
}
