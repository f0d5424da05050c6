//! The texts of the table: addresses, titles and search phrases, made of invented words.

use super::random::{below, draw, skewed_below};
use super::sites::{QUERIED, Site, Sites};
use super::visits::{Hit, Source};

/// The hash of the address that Q41 takes as the referrer: the most frequent page of the queried site.
pub(super) const QUERIED_REFERER_HASH: i64 = 3_594_120_000_172_545_465;
/// The hash of the address that Q42 asks for: the second most frequent page.
pub(super) const QUERIED_URL_HASH: i64 = 2_868_770_270_353_813_622;

const WORDS: u64 = 4096;
const NAMES: u64 = 1024;
/// Hosts of other sites that lead to the counted ones, and how many such pages there are for each row of the table.
const FOREIGN_HOSTS: u64 = 5000;
const FOREIGN_PAGES_PER_ROW: f64 = 0.04;
/// Search phrases for each row of the table. Nearly half of the searches then have a phrase of their own.
const PHRASES_PER_ROW: f64 = 0.092;
/// Of how many pages one has Google's name in its address or title, the most frequent pages excepted.
const PAGES_PER_GOOGLE_URL: u64 = 2500;
const PAGES_PER_GOOGLE_TITLE: u64 = 600;
const FREQUENT_PAGES: u64 = 50;
/// Of how many titles one is empty.
const TITLES_PER_EMPTY: u64 = 60;

const SYLLABLES: [&str; 40] = [
    "ка", "ре", "ли", "мо", "на", "то", "ви", "ста", "по", "ра", "де", "ни", "ло", "ска", "ти", "во", "ма", "ры", "се",
    "бу", "ши", "ле", "ко", "за", "дро", "пи", "та", "но", "вы", "гра", "му", "ще", "фо", "ла", "ки", "бо", "жа", "ру",
    "хо", "ция",
];
const LATIN_SYLLABLES: [&str; 32] = [
    "ka", "re", "li", "mo", "na", "to", "vi", "sta", "po", "ra", "de", "ni", "lo", "ska", "ti", "vo", "ma", "ry", "se",
    "bu", "shi", "le", "ko", "za", "dro", "pi", "ta", "no", "vy", "gra", "mu", "fo",
];
const ENDINGS: [&str; 4] = ["ru", "ru", "com", "su"];
/// Where visitors come from who searched, by the number in `SearchEngineID`; the others are the last one.
const ENGINES: [(i16, &str); 4] = [
    (2, "http://yandex.ru/yandsearch?text="),
    (3, "https://www.google.ru/search?q="),
    (4, "http://go.mail.ru/search?q="),
    (0, "http://nova.rambler.ru/search?query="),
];

const SEED: u64 = 0x0511_7E55_0000_0004;
const WORD_SEED: u64 = 0x0511_7E55_0000_0005;
const NAME_SEED: u64 = 0x0511_7E55_0000_0006;
const PHRASE_SEED: u64 = 0x0511_7E55_0000_0007;
const FOREIGN_SEED: u64 = 0x0511_7E55_0000_0008;
const HOST_SEED: u64 = 0x0511_7E55_0000_000A;

/// Writes the texts of a table.
pub(super) struct Texts {
    sites: Sites,
    /// Cyrillic words, for titles and phrases.
    words: Vec<String>,
    /// Latin ones, for addresses.
    names: Vec<String>,
    phrases: u64,
    foreign_pages: u64,
    /// The addresses whose hashes the queries name.
    planted: Vec<(String, i64)>,
}

impl Texts {
    pub(super) fn new(total_rows: u64) -> Self {
        let word = |syllables: &[&str], seed: u64, at: u64| -> String {
            let bits = draw(seed, at);
            let count = 2 + below(draw(bits, 0), 3);
            let syllable = |part| syllables.get(below(draw(bits, part), syllables.len() as u64) as usize);
            (1..=count).filter_map(syllable).copied().collect()
        };
        let mut texts = Self {
            sites: Sites::new(total_rows),
            words: (0..WORDS).map(|at| word(&SYLLABLES, WORD_SEED, at)).collect(),
            names: (0..NAMES).map(|at| word(&LATIN_SYLLABLES, NAME_SEED, at)).collect(),
            phrases: (total_rows as f64 * PHRASES_PER_ROW).ceil() as u64,
            foreign_pages: (total_rows as f64 * FOREIGN_PAGES_PER_ROW).ceil() as u64,
            planted: Vec::new(),
        };
        if let Some(site) = texts.sites.all().iter().find(|site| site.id == QUERIED) {
            let planted = [(1, QUERIED_REFERER_HASH), (2, QUERIED_URL_HASH)].map(|(page, hash)| {
                let mut address = String::new();
                texts.page(&mut address, site, page);
                (address, hash)
            });
            texts.planted = planted.into();
        }
        texts
    }

    /// The sites whose pages these are.
    pub(super) fn sites(&self) -> &Sites {
        &self.sites
    }

    /// `URL`: each page of each site has one of its own.
    pub(super) fn url(&self, out: &mut String, hit: &Hit) {
        if let Some(site) = self.sites.get(hit.site) {
            self.page(out, site, hit.page);
        }
    }

    /// `Title`. Two neighbouring pages share one.
    pub(super) fn title(&self, out: &mut String, hit: &Hit) {
        let Some(site) = self.sites.get(hit.site) else { return };
        let number = hit.page / 2;
        let bits = draw(site.seed ^ SEED, number);
        if number > 0 && bits.is_multiple_of(TITLES_PER_EMPTY) {
            return;
        }
        self.sentence(out, draw(bits, 0), 3 + below(draw(bits, 1), 6), " ");
        if hit.page > FREQUENT_PAGES && draw(bits, 2).is_multiple_of(PAGES_PER_GOOGLE_TITLE) {
            out.push_str(" - Google");
        }
        out.push_str(" - ");
        self.name(out, draw(site.seed, 0));
        out.push_str(", ");
        number_text(out, number);
    }

    /// `SearchPhrase`: empty, except for the views that a search led to.
    pub(super) fn phrase(&self, out: &mut String, hit: &Hit) {
        if let Some(bits) = hit.phrase {
            self.phrase_of(out, bits, " ");
        }
    }

    /// `Referer`: the address of the page, search or site that led here.
    pub(super) fn referer(&self, out: &mut String, hit: &Hit) {
        match hit.source {
            Source::Direct => {}
            Source::Internal | Source::Saved => {
                if let Some(site) = self.sites.get(hit.site) {
                    self.page(out, site, hit.previous_page);
                }
            }
            Source::Search => {
                let engine = ENGINES.iter().find(|(engine, _)| *engine == hit.engine);
                out.push_str(engine.or(ENGINES.last()).map_or("", |(_, address)| address));
                if let Some(bits) = hit.phrase {
                    self.phrase_of(out, bits, "+");
                }
                if hit.visitor.seed.is_multiple_of(4) {
                    out.push_str("&lr=");
                    number_text(out, hit.visitor.region as u64);
                }
            }
            Source::Advertisement => out.push_str("http://yandex.ru/clck/jsredir?from=direct"),
            Source::Link | Source::Mail | Source::Social => self.foreign(out, hit),
        }
    }

    /// An address outside the counted sites.
    fn foreign(&self, out: &mut String, hit: &Hit) {
        let number = skewed_below(hit.bits(100), self.foreign_pages);
        let bits = draw(FOREIGN_SEED, number);
        match hit.source {
            Source::Mail => out.push_str("http://e.mail.ru/messages/inbox/"),
            Source::Social if bits.is_multiple_of(3) => out.push_str("http://www.odnoklassniki.ru/profile/"),
            Source::Social => out.push_str("http://vk.com/"),
            _ if bits.is_multiple_of(3) => out.push_str("http://yandex.ru/portal/"),
            _ => {
                let host = draw(HOST_SEED, skewed_below(draw(bits, 0), FOREIGN_HOSTS));
                out.push_str(if host.is_multiple_of(4) { "http://www." } else { "http://" });
                self.host(out, host);
                out.push_str(".ru/");
            }
        }
        self.name(out, draw(bits, 1));
        out.push('/');
        number_text(out, number);
        if bits.is_multiple_of(2) {
            out.push_str("/?from=");
            self.name(out, draw(bits, 2));
        }
    }

    /// The address of a page of a site. No two pages have the same.
    fn page(&self, out: &mut String, site: &Site, page: u64) {
        let bits = draw(site.seed, page);
        let google = page > FREQUENT_PAGES && draw(bits, 0).is_multiple_of(PAGES_PER_GOOGLE_URL);
        if google && bits.is_multiple_of(2) {
            out.push_str("http://translate.google.ru/translate?u=");
        }
        out.push_str(if site.seed.is_multiple_of(7) { "http://www." } else { "http://" });
        self.host(out, site.seed);
        number_text(out, site.id as u64);
        out.push('.');
        out.push_str(ENDINGS[(site.seed >> 32) as usize % ENDINGS.len()]);
        out.push('/');
        if page == 1 {
            return;
        }
        match (site.seed >> 8) % 4 {
            0 => {
                self.name(out, draw(bits, 1) % 16);
                out.push('/');
                self.name(out, draw(bits, 2));
                out.push('/');
                number_text(out, page);
                out.push_str(".html?");
            }
            1 => {
                out.push_str("index.php?id=");
                number_text(out, page);
                out.push_str("&cat=");
                number_text(out, below(draw(bits, 1), 64));
                out.push('&');
            }
            2 => {
                self.name(out, draw(bits, 1));
                out.push('-');
                self.name(out, draw(bits, 2));
                out.push_str("/page/");
                number_text(out, page);
                out.push('?');
            }
            _ => {
                out.push_str("catalog/");
                self.sentence(out, draw(bits, 1), 1, "_");
                out.push_str("/#item-");
                number_text(out, page);
                out.push('&');
            }
        }
        if google {
            out.push_str("from=google&");
        }
        // Some sites have long addresses.
        for part in 0..skewed_below(draw(site.seed, 0), 10) {
            self.name(out, draw(site.seed, 10 + part));
            out.push('=');
            number_text(out, draw(bits, 10 + part) >> 44);
            out.push('&');
        }
        out.pop();
    }

    fn host(&self, out: &mut String, seed: u64) {
        self.name(out, draw(seed, 3));
        if seed.is_multiple_of(3) {
            out.push('-');
            self.name(out, draw(seed, 4));
        }
    }

    fn phrase_of(&self, out: &mut String, bits: u64, separator: &str) {
        let bits = draw(PHRASE_SEED, skewed_below(bits, self.phrases));
        self.sentence(out, bits, 1 + (below(bits, 4) + below(draw(bits, 1), 4)), separator);
    }

    fn sentence(&self, out: &mut String, seed: u64, words: u64, separator: &str) {
        for at in 0..words {
            if at > 0 {
                out.push_str(separator);
            }
            out.push_str(self.words.get(skewed_below(draw(seed, 20 + at), WORDS) as usize).map_or("", String::as_str));
        }
    }

    fn name(&self, out: &mut String, bits: u64) {
        out.push_str(self.names.get((bits % NAMES) as usize).map_or("", String::as_str));
    }

    /// The hash of an address, or of a name.
    pub(super) fn hash(&self, text: &str) -> i64 {
        if let Some((_, hash)) = self.planted.iter().find(|(address, _)| address == text) {
            return *hash;
        }
        let (parts, rest) = text.as_bytes().as_chunks::<8>();
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        let state = parts.iter().fold(text.len() as u64, |state, part| draw(state, u64::from_le_bytes(*part)));
        draw(state, u64::from_le_bytes(tail)) as i64
    }
}

/// The digits of a number.
fn number_text(out: &mut String, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut left) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}
