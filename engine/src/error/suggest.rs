//! The name that somebody probably meant.

use strsim::damerau_levenshtein;

/// The candidate nearest to `word`, or `None` where none is near enough to be a slip of the pen. Case does not count,
/// and a name that only lacks its qualifier (`orders` for `sales.orders`) is near. Of equally near ones, the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // A third of the letters may be wrong, and one always.
    let limit = (word.chars().count() / 3).max(1);
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let qualified = candidate.strip_suffix(&word).is_some_and(|qualifier| qualifier.ends_with('.'));
        if qualified { 1 } else { damerau_levenshtein(&word, &candidate) }
    };
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_what_was_meant() {
        let columns = ["order_id", "customer_id", "price", "ts"];
        assert_eq!(nearest("custmer_id", columns), Some("customer_id"));
        assert_eq!(nearest("PRICE", columns), Some("price"));
        assert_eq!(nearest("pirce", columns), Some("price"));
        assert_eq!(nearest("t", columns), Some("ts"));
    }

    #[test]
    fn other_words_find_nothing() {
        assert_eq!(nearest("weather", ["order_id", "customer_id", "price"]), None);
        assert_eq!(nearest("abc", ["xyz"]), None);
        assert_eq!(nearest("orders", []), None);
    }

    #[test]
    fn nearest_of_several_wins_and_the_first_of_equals() {
        assert_eq!(nearest("sums", ["rum", "sum", "sub"]), Some("sum"));
        assert_eq!(nearest("cat", ["bat", "hat"]), Some("bat"));
    }

    #[test]
    fn missing_qualifier_is_near() {
        assert_eq!(nearest("orders", ["borders_of_lands", "sales.orders"]), Some("sales.orders"));
    }
}
