//! The people who look at pages: what does not change from one of their views to the next.

use super::random::{below, draw, pick, skewed_below};

/// The user that Q20 asks for.
pub(super) const QUERIED: i64 = 435_090_932_899_640_449;

/// Of all numbers of users, the thousandths that are negative.
const NEGATIVE: u64 = 227;
/// How many users share a network address.
const USERS_PER_ADDRESS: u64 = 2;

/// Regions with their thousandths of the users; those with 0 have one of the numbers up to `REGIONS`.
const LARGE_REGIONS: [(i32, u32); 11] =
    [(229, 180), (2, 67), (208, 43), (169, 33), (32, 18), (34, 18), (184, 18), (42, 15), (107, 15), (51, 14), (0, 579)];
const REGIONS: u64 = 9000;

/// Widths and heights of screens. The mean width is about that of the real table.
const SCREENS: [((i16, i16), u32); 14] = [
    ((1366, 768), 210),
    ((1920, 1080), 190),
    ((1280, 1024), 90),
    ((1280, 800), 60),
    ((1600, 900), 110),
    ((1440, 900), 80),
    ((1680, 1050), 90),
    ((1638, 1658), 40),
    ((2560, 1440), 55),
    ((1024, 768), 35),
    ((1152, 864), 10),
    ((1024, 600), 10),
    ((800, 600), 5),
    ((0, 0), 15),
];
const PHONE_SCREENS: [((i16, i16), u32); 4] =
    [((1024, 768), 500), ((768, 1024), 250), ((480, 800), 150), ((320, 480), 100)];

/// Thousandths of the users who come with a phone or a tablet whose model is known.
const WITH_PHONE: u64 = 55;
const PHONE_MODELS: [(&str, u32); 30] = [
    ("iPad", 900),
    ("iPhone", 38),
    ("A500", 14),
    ("N8-00", 5),
    ("iPho", 4),
    ("ONE TOUCH 6030A", 3),
    ("GT-P7300B", 3),
    ("3110000", 2),
    ("GT-I9500", 2),
    ("eagle75", 2),
    ("2701 classic", 2),
    ("GT-N7100", 2),
    ("GT-I9300", 2),
    ("GT-S5660", 2),
    ("LT26i", 2),
    ("C1905", 2),
    ("Desire S", 2),
    ("One X", 1),
    ("Lumia 520", 1),
    ("IdeaTab A2109A", 1),
    ("E400", 1),
    ("P895", 1),
    ("X10", 1),
    ("flyer55", 1),
    ("GT-P5100", 1),
    ("Nexus 7", 1),
    ("U8950", 1),
    ("BlackBerry 9900", 1),
    ("N9", 1),
    ("Xoom", 1),
];
/// What stands in `MobilePhone`; not always the maker of the model, as in the real table.
const PHONE_MAKERS: [(i16, u32); 8] = [(1, 850), (5, 45), (6, 30), (7, 25), (118, 15), (26, 15), (10, 10), (32, 10)];

const SEED: u64 = 0x0511_7E55_0000_0002;
const ADDRESS_SEED: u64 = 0x0511_7E55_0000_0003;

/// A user. Only what several columns need is kept; the rest is drawn from the seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor {
    pub(super) seed: u64,
    /// `UserID`.
    pub(super) id: i64,
    /// `ClientIP`, far enough from the ends of its type for Q36 to subtract from it.
    pub(super) address: i32,
    pub(super) region: i32,
    pub(super) screen: (i16, i16),
    /// `MobilePhone` and `MobilePhoneModel`.
    pub(super) phone: Option<(i16, &'static str)>,
}

impl Visitor {
    /// The user of a rank, of so many.
    pub(super) fn new(rank: u64, users: u64) -> Self {
        let seed = draw(SEED, rank);
        let magnitude = (seed >> 1) as i64;
        let id = if below(draw(seed, 1), 1000) < NEGATIVE { -magnitude } else { magnitude };
        let addresses = (users / USERS_PER_ADDRESS).max(1);
        let address = (draw(ADDRESS_SEED, rank % addresses) >> 33) as i32 - (1 << 30);
        let region = match pick(draw(seed, 2), &LARGE_REGIONS).unwrap_or_default() {
            0 => 1 + skewed_below(draw(seed, 3), REGIONS) as i32,
            large => large,
        };
        let model = if below(draw(seed, 4), 1000) < WITH_PHONE { pick(draw(seed, 5), &PHONE_MODELS) } else { None };
        let phone = model.map(|model| (pick(draw(seed, 7), &PHONE_MAKERS).unwrap_or_default(), model));
        let screen = if phone.is_some() { pick(draw(seed, 6), &PHONE_SCREENS) } else { pick(draw(seed, 6), &SCREENS) };
        Self { seed, id, address, region, screen: screen.unwrap_or_default(), phone }
    }

    /// The user that Q20 asks for.
    pub(super) fn queried(users: u64) -> Self {
        Self { id: QUERIED, ..Self::new(users, users) }
    }
}
