//! What counts as a word character and as white space, and lower case without an allocation a row.

use regex_syntax::hir::{Class, HirKind};
use std::sync::LazyLock;

/// One bit for each code point: whether it is a word character.
static WORD: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut bits = vec![0u64; (char::MAX as usize + 1).div_ceil(64)];
    let mut set = |code: u32| bits[code as usize / 64] |= 1 << (code % 64);
    // A letter, a number or the underscore, as Python's `\w`: unlike that of UTS #18 it has no combining marks.
    match regex_syntax::parse(r"[\p{L}\p{N}_]").map(|class| class.into_kind()) {
        Ok(HirKind::Class(Class::Unicode(class))) => {
            class.iter().for_each(|range| (range.start() as u32..=range.end() as u32).for_each(&mut set));
        }
        _ => ('\0'..=char::MAX).filter(|char| char.is_alphanumeric() || *char == '_').for_each(|char| set(char as u32)),
    }
    bits
});

/// Each ASCII word character as itself, or in lower case, and everything else as 0.
pub(crate) const fn ascii_words(lowercase: bool) -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            table[byte as usize] = if lowercase { byte.to_ascii_lowercase() } else { byte };
        }
        byte += 1;
    }
    table
}

/// A test for word characters (letters, numbers and the underscore, as Python's `\w`) that looks its table up once.
pub(crate) fn word_test() -> impl Fn(char) -> bool {
    let bits: &'static [u64] = &WORD;
    move |char| bits[char as usize / 64] >> (char as u32 % 64) & 1 == 1
}

/// White space as Python's `str.isspace`, which has the four separators U+001C to U+001F besides those of Unicode.
pub(crate) fn is_python_space(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\u{1c}'..='\u{1f}')
}

/// White space as Java's `\s` without flags: that of ASCII.
pub(crate) fn is_java_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Puts the lower case of `text` into `lower`, as `str::to_lowercase`.
pub(crate) fn lowercase_into(text: &str, lower: &mut String) {
    lower.clear();
    if text.is_ascii() {
        lower.push_str(text);
        lower.make_ascii_lowercase();
    } else if text.contains('Σ') {
        // The only letter whose lower case depends on its neighbours.
        lower.push_str(&text.to_lowercase());
    } else {
        text.chars().for_each(|char| match char {
            '\0'..='\x7f' => lower.push(char.to_ascii_lowercase()),
            // The scripts of East Asia have no case.
            '\u{2e80}'..='\u{a63f}' => lower.push(char),
            _ => lower.extend(char.to_lowercase()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn word_characters_are_those_of_python() {
        // Python 3: [c for c in text if re.match(r"\w", c)] for a letter, a digit, a superscript, a fraction, a Roman
        // numeral, an ideograph, kana, Hangul, Thai, Hebrew; then marks, a circled letter, emoji, joiners, connectors.
        let is_word = word_test();
        "aZ9_é²½Ⅷ你カ한กא٣".chars().for_each(|char| assert!(is_word(char), "{char:?}"));
        " -'.\u{0301}\u{093f}\u{e31}Ⓐ😀\u{200d}‿°€\u{3000}\u{0}\u{10ffff}"
            .chars()
            .for_each(|char| assert!(!is_word(char), "{char:?}"));
        let tables = [ascii_words(false), ascii_words(true)];
        for byte in 0..128u8 {
            assert_eq!(tables[0][byte as usize], if is_word(byte as char) { byte } else { 0 });
            assert_eq!(tables[1][byte as usize], tables[0][byte as usize].to_ascii_lowercase());
        }
    }

    #[test]
    fn lower_case_is_that_of_the_standard_library() {
        let mut lower = String::new();
        for text in ["ΟΔΥΣΣΕΥΣ", "İSTANBUL", "STRASSE ß ẞ", "ABC xyz", ""] {
            lowercase_into(text, &mut lower);
            assert_eq!(lower, text.to_lowercase());
        }
        let all: Vec<char> = ('\u{80}'..=char::MAX).filter(|char| *char != 'Σ').collect();
        for chars in all.chunks(4096) {
            let text: String = chars.iter().collect();
            lowercase_into(&text, &mut lower);
            assert_eq!(lower, text.to_lowercase());
        }
    }

    proptest! {
        #[test]
        fn lower_case_of_any_text(text in any::<String>()) {
            let mut lower = "before".to_string();
            lowercase_into(&text, &mut lower);
            prop_assert_eq!(lower, text.to_lowercase());
        }
    }
}
