//! The columns of the table: names, types and where the values come from.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use super::random::{below, pick, skewed_below};
use super::sites::QUERIED;
use super::texts::Texts;
use super::visits::{Hit, Source};

const MICROSECONDS: i64 = 1_000_000;
/// Seconds that the clocks of the visitors are ahead of UTC: Moscow's time in 2013.
const LOCAL_OFFSET: i64 = 4 * 3600;
/// The thousandths of the views that are followed links: in the queried site, many more than in the real one, so that
/// Q39 still finds something after a thousand addresses.
const LINKS: u64 = 2;
const QUERIED_LINKS: u64 = 450;

/// The type of a column and how its values are drawn.
#[derive(Clone, Copy)]
enum Kind {
    Short(fn(&Hit) -> i16),
    Int(fn(&Hit) -> i32),
    Long(fn(&Hit) -> i64),
    /// Days since 1970.
    Date(fn(&Hit) -> i32),
    /// Seconds since 1970.
    Time(fn(&Hit) -> i64),
    /// A text of few different ones.
    Word(fn(&Hit) -> &'static str),
    /// A text that is written.
    Text(fn(&Texts, &mut String, &Hit)),
    /// The hash of a column that comes earlier.
    HashOf(&'static str),
}

use Kind::{Date, HashOf, Int, Long, Short, Text, Time, Word};

const COLUMNS: [(&str, Kind); 105] = [
    ("WatchID", Long(|hit| hit.watch_id)),
    ("JavaEnable", Short(|hit| flag(hit.visitor_bits(10), 650))),
    ("Title", Text(Texts::title)),
    ("GoodEvent", Short(|_| 1)),
    ("EventTime", Time(Hit::time)),
    ("EventDate", Date(|hit| hit.day)),
    ("CounterID", Int(|hit| hit.counter)),
    ("ClientIP", Int(|hit| hit.visitor.address)),
    ("RegionID", Int(|hit| hit.visitor.region)),
    ("UserID", Long(|hit| hit.visitor.id)),
    ("CounterClass", Short(|hit| [0, 0, 1, -1][hit.counter as usize % 4])),
    ("OS", Short(|hit| one_of(hit.visitor_bits(11), &[(44, 420), (2, 200), (35, 110), (43, 100), (42, 90), (19, 80)]))),
    ("UserAgent", Short(|hit| one_of(hit.visitor_bits(12), &AGENTS))),
    ("URL", Text(Texts::url)),
    ("Referer", Text(Texts::referer)),
    ("IsRefresh", Short(|hit| i16::from(hit.refreshed))),
    ("RefererCategoryID", Short(|hit| [0, 0, 0, 16_000, 9911][hit.previous_page as usize % 5])),
    ("RefererRegionID", Int(|hit| few(hit.bits(10), 900, 500))),
    ("URLCategoryID", Short(|hit| [0, 9911, 13_788, 10_813][hit.page as usize % 4])),
    ("URLRegionID", Int(|hit| few(hit.bits(11), 700, 500))),
    ("ResolutionWidth", Short(|hit| hit.visitor.screen.0)),
    ("ResolutionHeight", Short(|hit| hit.visitor.screen.1)),
    (
        "ResolutionDepth",
        Short(|hit| if hit.visitor.screen.0 == 0 { 0 } else { [37, 23, 23][hit.visitor.seed as usize % 3] }),
    ),
    ("FlashMajor", Short(|hit| one_of(hit.visitor_bits(13), &[(11, 700), (15, 120), (10, 80), (0, 100)]))),
    ("FlashMinor", Short(|hit| number(hit.visitor_bits(14), 9))),
    ("FlashMinor2", Word(|hit| one_of(hit.visitor_bits(15), &[("700", 400), ("800", 250), ("224", 150), ("", 200)]))),
    ("NetMajor", Short(|hit| one_of(hit.visitor_bits(16), &[(0, 800), (3, 150), (4, 50)]))),
    ("NetMinor", Short(|hit| one_of(hit.visitor_bits(17), &[(0, 850), (5, 150)]))),
    ("UserAgentMajor", Short(|hit| number(hit.visitor_bits(18), 30))),
    ("UserAgentMinor", Word(|hit| one_of(hit.visitor_bits(19), &MINOR_VERSIONS))),
    ("CookieEnable", Short(|hit| flag(hit.visitor_bits(20), 990))),
    ("JavascriptEnable", Short(|hit| flag(hit.visitor_bits(21), 995))),
    ("IsMobile", Short(|hit| i16::from(hit.visitor.phone.is_some()))),
    ("MobilePhone", Short(|hit| hit.visitor.phone.map_or(0, |(maker, _)| maker))),
    ("MobilePhoneModel", Word(|hit| hit.visitor.phone.map_or("", |(_, model)| model))),
    ("Params", Word(|hit| one_of(hit.bits(12), &[("", 985), ("{\"ref\":\"main\"}", 10), ("{\"page\":\"list\"}", 5)]))),
    ("IPNetworkID", Int(|hit| (hit.visitor.address >> 8).abs())),
    ("TraficSourceID", Short(|hit| hit.source.number())),
    ("SearchEngineID", Short(|hit| hit.engine)),
    ("SearchPhrase", Text(Texts::phrase)),
    ("AdvEngineID", Short(|hit| hit.advertising_engine)),
    ("IsArtifical", Short(|hit| flag(hit.bits(13), 15))),
    ("WindowClientWidth", Short(|hit| (hit.visitor.screen.0 - number(hit.visit_bits(10), 180)).max(0))),
    ("WindowClientHeight", Short(|hit| (hit.visitor.screen.1 - 60 - number(hit.visit_bits(11), 400)).max(0))),
    ("ClientTimeZone", Short(|hit| one_of(hit.visitor_bits(22), &[(240, 750), (180, 100), (360, 100), (-1, 50)]))),
    ("ClientEventTime", Time(|hit| hit.time() + LOCAL_OFFSET + below(hit.visitor_bits(23), 600) as i64 - 300)),
    ("SilverlightVersion1", Short(|hit| silverlight(hit, [5, 4]))),
    ("SilverlightVersion2", Short(|hit| silverlight(hit, [1, 0]))),
    ("SilverlightVersion3", Int(|hit| i32::from(silverlight(hit, [20_125, 19_000])))),
    ("SilverlightVersion4", Short(|_| 0)),
    ("PageCharset", Word(|hit| ["utf-8", "windows-1251", "utf-8", ""][hit.counter as usize % 4])),
    ("CodeVersion", Int(|hit| [291, 298, 1601, 433][hit.counter as usize / 4 % 4])),
    ("IsLink", Short(|hit| flag(hit.bits(14), if hit.counter == QUERIED { QUERIED_LINKS } else { LINKS }))),
    ("IsDownload", Short(|hit| flag(hit.bits(15), 1))),
    ("IsNotBounce", Short(|hit| flag(hit.bits(16), 120))),
    ("FUniqID", Long(|hit| (hit.visitor_bits(24) >> 2) as i64)),
    (
        "OriginalURL",
        Text(|texts, out, hit| {
            if hit.counter % 16 == 3 {
                texts.url(out, hit)
            }
        }),
    ),
    ("HID", Int(|hit| (hit.bits(17) >> 34) as i32)),
    ("IsOldCounter", Short(|_| 0)),
    ("IsEvent", Short(|hit| flag(hit.bits(18), 4))),
    ("IsParameter", Short(|hit| flag(hit.bits(12), 15))),
    ("DontCountHits", Short(|hit| flag(hit.bits(19), 67))),
    ("WithHash", Short(|hit| flag(hit.bits(20), 20))),
    ("HitColor", Word(|hit| one_of(hit.bits(21), &[("5", 480), ("E", 270), ("g", 170), ("D", 80)]))),
    ("LocalEventTime", Time(|hit| hit.time() + LOCAL_OFFSET)),
    (
        "Age",
        Short(|hit| one_of(hit.visitor_bits(25), &[(0, 450), (22, 150), (31, 150), (39, 130), (50, 70), (16, 50)])),
    ),
    ("Sex", Short(|hit| one_of(hit.visitor_bits(26), &[(0, 450), (1, 280), (2, 270)]))),
    ("Income", Short(|hit| one_of(hit.visitor_bits(27), &[(0, 450), (2, 300), (1, 150), (3, 100)]))),
    (
        "Interests",
        Short(|hit| if flag(hit.visitor_bits(28), 550) == 1 { number(hit.visitor_bits(29), 32_000) } else { 0 }),
    ),
    ("Robotness", Short(|hit| few(hit.visitor_bits(30), 980, 50) as i16)),
    ("RemoteIP", Int(|hit| hit.visitor.address ^ few(hit.visitor_bits(31), 950, 255))),
    ("WindowName", Int(|hit| few(hit.visit_bits(12), 500, 30_000) - 1)),
    ("OpenerName", Int(|hit| few(hit.visit_bits(13), 800, 30_000) - 1)),
    ("HistoryLength", Short(|hit| 1 + number(hit.visit_bits(14), 30))),
    ("BrowserLanguage", Word(|hit| one_of(hit.visitor_bits(32), &[("ru", 880), ("en", 60), ("uk", 40), ("tr", 20)]))),
    ("BrowserCountry", Word(|hit| one_of(hit.visitor_bits(33), &[("RU", 700), ("UA", 120), ("KZ", 60), ("", 120)]))),
    ("SocialNetwork", Word(|hit| if flag(hit.bits(22), 1) == 1 { "vkontakte" } else { "" })),
    ("SocialAction", Word(|hit| if flag(hit.bits(22), 1) == 1 { "like" } else { "" })),
    ("HTTPError", Short(|hit| if flag(hit.bits(23), 3) == 1 { 404 } else { 0 })),
    ("SendTiming", Int(|hit| timing(hit, 24, 800))),
    ("DNSTiming", Int(|hit| timing(hit, 25, 120))),
    ("ConnectTiming", Int(|hit| timing(hit, 26, 300))),
    ("ResponseStartTiming", Int(|hit| timing(hit, 27, 1500))),
    ("ResponseEndTiming", Int(|hit| timing(hit, 28, 2500))),
    ("FetchTiming", Int(|hit| timing(hit, 29, 6000))),
    ("SocialSourceNetworkID", Short(|hit| if hit.source == Source::Social { 1 + number(hit.bits(30), 4) } else { 0 })),
    ("SocialSourcePage", Word(|hit| if hit.source == Source::Social { "wall" } else { "" })),
    ("ParamPrice", Long(|hit| i64::from(few(hit.bits(31), 999, 100_000)))),
    ("ParamOrderID", Word(|_| "")),
    ("ParamCurrency", Word(|hit| if flag(hit.bits(31), 1) == 1 { "RUB" } else { "" })),
    ("ParamCurrencyID", Short(|hit| if flag(hit.bits(31), 1) == 1 { 643 } else { 0 })),
    ("OpenstatServiceName", Word(|hit| if campaign(hit) == 1 { "direct.yandex.ru" } else { "" })),
    ("OpenstatCampaignID", Word(|hit| if campaign(hit) == 1 { "1862731" } else { "" })),
    ("OpenstatAdID", Word(|hit| if campaign(hit) == 1 { "44827116" } else { "" })),
    ("OpenstatSourceID", Word(|hit| if campaign(hit) == 1 { "yandex.ru:premium" } else { "" })),
    ("UTMSource", Word(|hit| if campaign(hit) == 2 { "yandex" } else { "" })),
    ("UTMMedium", Word(|hit| if campaign(hit) == 2 { "cpc" } else { "" })),
    ("UTMCampaign", Word(|hit| if campaign(hit) == 2 { "summer" } else { "" })),
    ("UTMContent", Word(|hit| if campaign(hit) == 2 { "banner-1" } else { "" })),
    ("UTMTerm", Word(|hit| if campaign(hit) == 2 { "sale" } else { "" })),
    ("FromTag", Word(|hit| if campaign(hit) == 3 { "mail" } else { "" })),
    ("HasGCLID", Short(|hit| flag(hit.bits(32), 2))),
    ("RefererHash", HashOf("Referer")),
    ("URLHash", HashOf("URL")),
    ("CLID", Int(|hit| few(hit.visitor_bits(34), 900, 2_000_000))),
];

const AGENTS: [(i16, u32); 9] =
    [(82, 250), (7, 220), (3, 150), (2, 130), (4, 90), (19, 60), (28, 50), (50, 30), (13, 20)];
const MINOR_VERSIONS: [(&str, u32); 8] =
    [("D", 350), ("0", 250), ("9", 100), ("D7", 80), ("nA", 80), ("10", 60), ("s", 50), ("", 30)];

fn one_of<T: Copy + Default>(bits: u64, weighted: &[(T, u32)]) -> T {
    pick(bits, weighted).unwrap_or_default()
}

/// 1 for so many thousandths of the values, 0 for the others.
fn flag(bits: u64, share: u64) -> i16 {
    i16::from(below(bits, 1000) < share)
}

fn number(bits: u64, limit: u64) -> i16 {
    below(bits, limit) as i16
}

/// 0 for so many thousandths of the values, up to the limit for the others.
fn few(bits: u64, zero: u64, limit: u64) -> i32 {
    let place = below(bits, 1000 * limit);
    if place < zero * limit { 0 } else { 1 + (place % limit) as i32 }
}

fn silverlight(hit: &Hit, versions: [i16; 2]) -> i16 {
    one_of(hit.visitor_bits(35), &[(versions[0], 350), (versions[1], 50), (0, 600)])
}

/// Milliseconds; many browsers did not tell.
fn timing(hit: &Hit, at: u64, limit: u64) -> i32 {
    if flag(hit.visitor_bits(36), 600) == 1 { 0 } else { skewed_below(hit.bits(at), limit) as i32 }
}

/// Which tags of a campaign the view has: none, Openstat's, UTM's or a plain one.
fn campaign(hit: &Hit) -> u8 {
    match hit.source {
        Source::Advertisement => 1 + (hit.visit_seed % 2) as u8,
        Source::Mail => 3,
        _ => 0,
    }
}

pub(super) fn schema() -> SchemaRef {
    let field = |(name, kind): &(&str, Kind)| {
        let data_type = match kind {
            Short(_) => DataType::Int16,
            Int(_) => DataType::Int32,
            Long(_) | HashOf(_) => DataType::Int64,
            Date(_) => DataType::Date32,
            Time(_) => DataType::Timestamp(TimeUnit::Microsecond, None),
            Word(_) | Text(_) => DataType::Utf8,
        };
        Field::new(*name, data_type, false)
    };
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

/// The columns of some page views.
pub(super) fn batch(schema: &SchemaRef, texts: &Texts, hits: &[Hit]) -> Result<RecordBatch, ArrowError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(COLUMNS.len());
    let mut text = String::new();
    for (_, kind) in &COLUMNS {
        let column: ArrayRef = match kind {
            Short(draw) => Arc::new(Int16Array::from_iter_values(hits.iter().map(draw))),
            Int(draw) => Arc::new(Int32Array::from_iter_values(hits.iter().map(draw))),
            Long(draw) => Arc::new(Int64Array::from_iter_values(hits.iter().map(draw))),
            Date(draw) => Arc::new(Date32Array::from_iter_values(hits.iter().map(draw))),
            Time(draw) => {
                let microseconds = hits.iter().map(|hit| draw(hit) * MICROSECONDS);
                Arc::new(TimestampMicrosecondArray::from_iter_values(microseconds))
            }
            Word(draw) => Arc::new(StringArray::from_iter_values(hits.iter().map(draw))),
            Text(write) => {
                let mut values = StringBuilder::with_capacity(hits.len(), hits.len() * 64);
                for hit in hits {
                    text.clear();
                    write(texts, &mut text, hit);
                    values.append_value(&text);
                }
                Arc::new(values.finish())
            }
            HashOf(name) => {
                let hashed = &columns[schema.index_of(name)?];
                let hashes = hashed.as_string::<i32>().iter().map(|text| texts.hash(text.unwrap_or_default()));
                Arc::new(Int64Array::from_iter_values(hashes))
            }
        };
        columns.push(column);
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}
