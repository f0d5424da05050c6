use arrow::array::{LargeStringArray, StringArray, StringViewArray};
use datafusion_common::ScalarValue;
use proptest::prelude::*;

use super::*;
use crate::testing::{Given, call, column, constant};

fn names(names: &[&str]) -> Given {
    let values: Vec<ScalarValue> = names.iter().map(|name| ScalarValue::from(*name)).collect();
    constant(ScalarValue::List(ScalarValue::new_list(&values, &DataType::Utf8, true)))
}

fn null() -> Given {
    constant(ScalarValue::Null)
}

/// A call with options by name.
fn tokens_by(texts: Given, options: &[(&str, Given)]) -> Result<ArrayRef> {
    let mut arguments = vec![null(); SPEC.parameters.len()];
    arguments[0] = texts;
    for (name, value) in options {
        arguments[SPEC.position(name).unwrap()] = value.clone();
    }
    call(&Tokenize::default(), &arguments)
}

fn tokens(text: &str, options: &[(&str, Given)]) -> Vec<String> {
    rows(&tokens_by(column(StringArray::from(vec![text])), options).unwrap()).remove(0).unwrap()
}

fn rows(array: &ArrayRef) -> Vec<Option<Vec<String>>> {
    let lists = array.as_list::<i32>();
    let row = |texts: ArrayRef| texts.as_string::<i32>().iter().map(|text| text.unwrap().to_string()).collect();
    lists.iter().map(|texts| texts.map(row)).collect()
}

fn check(cases: &[(&str, &[&str])], options: &[(&str, Given)]) {
    cases.iter().for_each(|(text, expected)| assert_eq!(tokens(text, options), *expected, "{text:?}"));
}

// The expected tokens of 'word', 'char' and 'char_wb' are those of scikit-learn 1.9.1, Python 3.11:
// CountVectorizer(...).build_analyzer()(text).

#[test]
fn words_are_those_of_scikit_learn() {
    let cases: &[(&str, &[&str])] = &[
        ("The Quick brown-fox, it's 3.14!", &["the", "quick", "brown", "fox", "it", "14"]),
        ("", &[]),
        ("   ", &[]),
        ("a b  cd\tef", &["cd", "ef"]),
        ("Ünïcode ÇAĞ naïve_café ΟΔΟΣ x²", &["ünïcode", "çağ", "naïve_café", "οδος", "x²"]),
        ("你好 世界 hello世界", &["你好", "世界", "hello世界"]),
        ("ह\u{93f}न\u{94d}द\u{940} भ\u{93e}ष\u{93e}", &[]),
        ("İstanbul'da", &["stanbul", "da"]),
        ("tab\u{a0}nbsp\u{3000}wide", &["tab", "nbsp", "wide"]),
        ("e\u{301}te\u{301} 😀😀 ok", &["te", "ok"]),
        ("日本語\u{200d}text", &["日本語", "text"]),
    ];
    check(cases, &[]);
}

#[test]
fn words_of_one_character_without_stop_words() {
    // CountVectorizer(lowercase=False, token_pattern=r"(?u)\b\w+\b", stop_words=["The", "b", "ok"]).
    let cases: &[(&str, &[&str])] = &[
        ("The Quick brown-fox, it's 3.14!", &["Quick", "brown", "fox", "it", "s", "3", "14"]),
        ("a b  cd\tef", &["a", "cd", "ef"]),
        ("Ünïcode ÇAĞ naïve_café ΟΔΟΣ x²", &["Ünïcode", "ÇAĞ", "naïve_café", "ΟΔΟΣ", "x²"]),
        ("ह\u{93f}न\u{94d}द\u{940} भ\u{93e}ष\u{93e}", &["ह", "न", "द", "भ", "ष"]),
        ("İstanbul'da", &["İstanbul", "da"]),
        ("e\u{301}te\u{301} 😀😀 ok", &["e", "te"]),
    ];
    let options =
        [("lowercase", constant(false)), ("min_length", constant(1i64)), ("stop_words", names(&["The", "b", "ok"]))];
    check(cases, &options);
    assert_eq!(tokens("The THE Cat", &[("stop_words", names(&["The"]))]), ["cat"]);
}

#[test]
fn character_n_grams_are_those_of_scikit_learn() {
    let sizes = |kind: &str, lo: i64, hi: i64| [("kind", constant(kind)), ("lo", constant(lo)), ("hi", constant(hi))];
    let one_to_three: &[(&str, &[&str])] = &[
        ("ab  c", &["a", "b", " ", "c", "ab", "b ", " c", "ab ", "b c"]),
        ("A\n\nb\tc", &["a", " ", "b", "\t", "c", "a ", " b", "b\t", "\tc", "a b", " b\t", "b\tc"]),
        (" é😀 ", &[" ", "é", "😀", " ", " é", "é😀", "😀 ", " é😀", "é😀 "]),
        ("", &[]),
        ("x", &["x"]),
        ("a\t b", &["a", " ", "b", "a ", " b", "a b"]),
        ("\u{3000}\u{3000}z", &[" ", "z", " z"]),
    ];
    check(one_to_three, &sizes("char", 1, 3));
    check(&[("ab  c", &["ab", "b ", " c"]), ("x", &[])], &[("kind", constant("char")), ("lo", constant(2i64))]);
    let two_to_four: &[(&str, &[&str])] = &[
        ("ab  c", &[" a", "ab", "b ", " ab", "ab ", " ab ", " c", "c ", " c "]),
        ("A\n\nb\tc", &[" a", "a ", " a ", " b", "b ", " b ", " c", "c ", " c "]),
        (" é😀 ", &[" é", "é😀", "😀 ", " é😀", "é😀 ", " é😀 "]),
        ("", &[]),
        ("x", &[" x", "x ", " x "]),
        ("\u{3000}\u{3000}z", &[" z", "z ", " z "]),
    ];
    check(two_to_four, &sizes("char_wb", 2, 4));
    let five_to_six: &[(&str, &[&str])] =
        &[("ab  c", &[" ab ", " c "]), ("abcde fg", &[" abcd", "abcde", "bcde ", " abcde", "abcde ", " fg "])];
    check(five_to_six, &sizes("char_wb", 5, 6));
}

#[test]
fn white_space_cuts_as_spark_does() {
    // text.toLowerCase(Locale.ROOT).split("\\s") of OpenJDK 17, as Spark 4.3.0's Tokenizer.
    let cases: &[(&str, &[&str])] = &[
        ("Hello World", &["hello", "world"]),
        ("  a  b ", &["", "", "a", "", "b"]),
        ("", &[""]),
        (" ", &[]),
        ("\t\n\u{b}x\u{c}y\r", &["", "", "", "x", "y"]),
        ("a\u{a0}b\u{3000}c", &["a\u{a0}b\u{3000}c"]),
        ("İS ΣΑΣ", &["i\u{307}s", "σας"]),
    ];
    check(cases, &[("kind", constant("whitespace"))]);
    let full = [("kind", constant("whitespace")), ("min_length", constant(1i64))];
    check(&[("  a  b ", &["a", "b"]), ("", &[])], &full);
}

#[test]
fn patterns_cut_as_spark_does() {
    // text.split(pattern) of OpenJDK 17, as Spark 4.3.0's RegexTokenizer with minTokenLength 0.
    let cases: &[(&str, &str, &[&str])] = &[
        (",", "a,b,,c,,", &["a", "b", "", "c"]),
        (",", ",,a", &["", "", "a"]),
        ("", "abc", &["a", "b", "c"]),
        (",", "", &[""]),
        ("b*", "b", &[]),
    ];
    let by = |pattern: &str, rest: &[(&'static str, Given)]| {
        let mut options = vec![("kind", constant("regex")), ("pattern", constant(pattern))];
        options.extend_from_slice(rest);
        options
    };
    for (pattern, text, expected) in cases {
        assert_eq!(tokens(text, &by(pattern, &[("min_length", constant(0i64))])), *expected, "{pattern:?} {text:?}");
    }
    // By default empty tokens are shorter than the least length, 1.
    assert_eq!(tokens("a,b,,C,,", &by(",", &[])), ["a", "b", "c"]);
    let matches = [("gaps", constant(false)), ("lowercase", constant(false)), ("min_length", constant(2i64))];
    assert_eq!(tokens("Te,st. punct É", &by(r"\w+|,", &matches)), ["Te", "st", "punct"]);
    assert_eq!(tokens(" X  y ", &[("kind", constant("regex"))]), ["x", "y"]);
}

#[test]
fn every_text_type_gives_the_same_tokens() {
    let texts = vec![Some("Ab cd"), None, Some(""), Some("Ab cd"), Some("é É fin de siècle"), Some("xy")];
    let expected = rows(&tokens_by(column(StringArray::from(texts.clone())), &[]).unwrap());
    assert_eq!(expected[1], None);
    assert_eq!(expected[4], Some(vec!["fin".into(), "de".into(), "siècle".into()]));
    let keyed = |rows: &StringArray| {
        let keyed = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::LargeUtf8));
        Given::Column(cast(rows, &keyed).unwrap())
    };
    let plain = StringArray::from(texts.clone());
    let columns =
        [column(LargeStringArray::from(texts.clone())), column(StringViewArray::from(texts.clone())), keyed(&plain)];
    for given in columns {
        assert_eq!(rows(&tokens_by(given.clone(), &[]).unwrap()), expected);
        let Given::Column(whole) = given else { continue };
        assert_eq!(rows(&tokens_by(Given::Column(whole.slice(1, 1)), &[]).unwrap()), expected[1..2]);
        assert_eq!(rows(&tokens_by(Given::Column(whole.slice(3, 2)), &[]).unwrap()), expected[3..5]);
    }
    assert_eq!(rows(&tokens_by(null(), &[]).unwrap()), [None]);
    assert_eq!(rows(&tokens_by(constant("One two"), &[]).unwrap()), [Some(vec!["one".into(), "two".into()])]);
}

#[test]
fn wrong_options_are_refused() {
    let message =
        |options: &[(&str, Given)]| tokens_by(column(StringArray::from(vec!["a"])), options).unwrap_err().to_string();
    let kind = message(&[("kind", constant("sentence"))]);
    assert!(kind.contains("kind of tokenize must be one of word, whitespace, regex, char, char_wb, segment"), "{kind}");
    let pattern = message(&[("pattern", constant(","))]);
    assert!(pattern.contains("pattern of tokenize is for kind 'regex'"), "{pattern}");
    let broken = message(&[("kind", constant("regex")), ("pattern", constant("("))]);
    assert!(broken.contains("pattern of tokenize must be a regular expression"), "{broken}");
    let sizes = message(&[("lo", constant(2i64))]);
    assert!(sizes.contains("lo of tokenize is for kind 'char' or 'char_wb'"), "{sizes}");
    let order = message(&[("kind", constant("char")), ("lo", constant(3i64)), ("hi", constant(2i64))]);
    assert!(order.contains("hi of tokenize must be at least lo, 3: it is 2"), "{order}");
    let most = message(&[("kind", constant("char")), ("hi", constant(101i64))]);
    assert!(most.contains("hi of tokenize must be at most 100: it is 101"), "{most}");
    let stops = message(&[("kind", constant("char")), ("stop_words", names(&["a"]))]);
    assert!(stops.contains("stop_words of tokenize is for kind 'word'"), "{stops}");
    let number = call(&Tokenize::default(), &[constant(1i64)]).unwrap_err().to_string();
    assert!(number.contains("s of tokenize must be a text: it is of type Int64"), "{number}");
}

#[cfg(not(feature = "segment"))]
#[test]
fn a_build_without_dictionaries_refuses_to_segment() {
    let refused = tokens_by(constant("你好"), &[("kind", constant("segment"))]).unwrap_err().to_string();
    assert!(refused.contains("only in a build with `--features sluice-cli/segment`"), "{refused}");
}

#[cfg(feature = "segment")]
#[test]
fn words_without_spaces() {
    // The first is the example of jieba's README (https://github.com/fxsj/jieba), cut with the default mode; in the
    // second ICU alone would see a monk.
    let cases: &[(&str, &[&str])] = &[
        ("他来到了网易杭研大厦", &["他", "来到", "了", "网易", "杭研", "大厦"]),
        ("结婚的和尚未结婚的", &["结婚", "的", "和", "尚未", "结婚", "的"]),
        ("手机 iPhone，15.5寸！", &["手机", "iphone", "15.5", "寸"]),
        ("東京都に住んでいます。", &["東京", "都", "に", "住", "んで", "いま", "す"]),
        ("ภาษาไทย", &["ภาษา", "ไทย"]),
        ("Don't stop.", &["don't", "stop"]),
        ("", &[]),
    ];
    check(cases, &[("kind", constant("segment"))]);
}

/// What scikit-learn's `token_pattern` means, by the regex engine.
fn naive_words(text: &str) -> Vec<String> {
    let pattern = Regex::new(r"[\p{L}\p{N}_]{2,}").unwrap();
    pattern.find_iter(&text.to_lowercase()).map(|found| found.as_str().to_string()).collect()
}

/// `_char_ngrams` of scikit-learn, character by character.
fn naive_char_ngrams(text: &str, lo: usize, hi: usize) -> Vec<String> {
    let space = Regex::new(r"[\s\x1c-\x1f]{2,}").unwrap();
    let text: Vec<char> = space.replace_all(&text.to_lowercase(), " ").chars().collect();
    let sizes = lo..=hi;
    sizes.flat_map(|size| text.windows(size).map(|gram| gram.iter().collect::<String>()).collect::<Vec<_>>()).collect()
}

/// `_char_wb_ngrams` of scikit-learn, character by character.
fn naive_padded_ngrams(text: &str, lo: usize, hi: usize) -> Vec<String> {
    let space = Regex::new(r"[\s\x1c-\x1f]+").unwrap();
    let lower = text.to_lowercase();
    let mut grams = Vec::new();
    for word in space.split(&lower).filter(|word| !word.is_empty()) {
        let word: Vec<char> = format!(" {word} ").chars().collect();
        for size in lo..=hi {
            let mut offset = 0;
            grams.push(word[..size.min(word.len())].iter().collect());
            while offset + size < word.len() {
                offset += 1;
                grams.push(word[offset..offset + size].iter().collect());
            }
            if offset == 0 {
                break;
            }
        }
    }
    grams
}

/// Texts of letters of several scripts, marks, white space and anything else.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9_ ,.'\t\n-]{0,40}",
        "[\u{0}-\u{2ff}ΣσςΑ你好カ\u{300}\u{93e}\u{1c}\u{85}\u{a0}\u{3000}😀 ]{0,30}",
    ]
}

proptest! {
    #[test]
    fn words_equal_those_of_the_regex_engine(text in texts()) {
        prop_assert_eq!(tokens(&text, &[]), naive_words(&text));
    }

    #[test]
    fn character_n_grams_equal_the_naive_ones(text in texts(), lo in 1usize..5, more in 0usize..4) {
        let hi = lo + more;
        let sizes = |kind: &str| [("kind", constant(kind)), ("lo", constant(lo as i64)), ("hi", constant(hi as i64))];
        prop_assert_eq!(tokens(&text, &sizes("char")), naive_char_ngrams(&text, lo, hi));
        prop_assert_eq!(tokens(&text, &sizes("char_wb")), naive_padded_ngrams(&text, lo, hi));
    }

    #[test]
    fn white_space_equals_the_naive_split(text in texts()) {
        let lower = text.to_lowercase();
        let mut expected: Vec<&str> = lower.split([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']).collect();
        if expected.len() > 1 {
            while expected.last() == Some(&"") {
                expected.pop();
            }
        }
        prop_assert_eq!(tokens(&text, &[("kind", constant("whitespace"))]), expected);
    }

    #[test]
    fn no_kind_fails_on_any_text(
        texts in proptest::collection::vec(proptest::option::of(texts()), 0..6),
        lowercase: bool,
        least in 0i64..4,
        gaps: bool,
    ) {
        let given = column(StringViewArray::from(texts.clone()));
        for (kind, _) in KINDS.iter().filter(|(_, kind)| *kind != Kind::Segment || SEGMENTS) {
            let mut options = vec![("kind", constant(*kind)), ("lowercase", constant(lowercase))];
            if !kind.starts_with("char") {
                options.push(("min_length", constant(least)));
            }
            if *kind == "regex" {
                options.extend([("gaps", constant(gaps)), ("pattern", constant(r"\b|\s*"))]);
            }
            let result = rows(&tokens_by(given.clone(), &options).unwrap());
            for (tokens, text) in result.iter().zip(&texts) {
                prop_assert_eq!(tokens.is_some(), text.is_some());
                let length = |token: &String| token.chars().count() as i64;
                prop_assert!(kind.starts_with("char") || tokens.iter().flatten().all(|token| length(token) >= least));
            }
        }
    }
}
