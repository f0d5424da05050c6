//! Words of scripts without spaces, by dictionary: Chinese by jieba, everything else by ICU4X. Both carry their data with
//! them. ICU alone is no choice for Chinese: it takes the longest words from the left, so that 结婚的和尚未结婚的 gets a
//! monk (和尚) in it.

/// Whether this build can.
pub(crate) const SEGMENTS: bool = cfg!(feature = "segment");

#[cfg(feature = "segment")]
pub(crate) use dictionaries::segment;

/// Never called: a plan that needs it is refused.
#[cfg(not(feature = "segment"))]
pub(crate) fn segment(_text: &str, _is_word: impl Fn(char) -> bool, _emit: impl FnMut(&str)) {}

#[cfg(feature = "segment")]
mod dictionaries {
    use icu_segmenter::options::WordBreakInvariantOptions;
    use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
    use jieba_rs::Jieba;
    use std::sync::LazyLock;

    static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);
    static ICU: LazyLock<WordSegmenterBorrowed<'static>> =
        LazyLock::new(|| WordSegmenter::new_auto(WordBreakInvariantOptions::default()));

    /// The words of a text; those without a word character, as punctuation, are left out.
    pub(crate) fn segment(text: &str, is_word: impl Fn(char) -> bool, mut emit: impl FnMut(&str)) {
        let mut emit = |word: &str| {
            if word.chars().any(&is_word) {
                emit(word);
            }
        };
        // Ideographs beside kana are Japanese.
        if text.chars().any(is_kana) {
            return icu_words(text, &mut emit);
        }
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            // The dictionary of jieba has words that mix ideographs with Latin letters and digits.
            let for_jieba = |char: char| char.is_ascii() || is_ideograph(char);
            let wanted = for_jieba(first);
            let end = rest.find(|char| for_jieba(char) != wanted).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            match part.chars().any(is_ideograph) {
                true => JIEBA.cut(part, true).into_iter().for_each(|token| emit(token.word)),
                false => icu_words(part, &mut emit),
            }
            rest = after;
        }
    }

    fn icu_words(text: &str, emit: &mut impl FnMut(&str)) {
        let mut from = 0;
        for end in ICU.segment_str(text) {
            emit(&text[from..end]);
            from = end;
        }
    }

    fn is_kana(char: char) -> bool {
        matches!(char, '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}')
    }

    fn is_ideograph(char: char) -> bool {
        matches!(char,
            '\u{3005}' | '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}')
    }
}
