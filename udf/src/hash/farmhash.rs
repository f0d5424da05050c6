//! FarmHash's Fingerprint64 (Google, MIT licence; the namespace `farmhashna` of farmhash.cc): the hash of BigQuery's
//! `FARM_FINGERPRINT` and TensorFlow's `string_to_hash_bucket_fast`.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// The word of 64 bits at `at`; bytes past the end, which no caller asks for, are 0.
#[inline]
fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map_or(0, |word| u64::from_le_bytes(*word))
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |word| u64::from(u32::from_le_bytes(*word)))
}

fn shift_mix(value: u64) -> u64 {
    value ^ (value >> 47)
}

fn pair(low: u64, high: u64, multiplier: u64) -> u64 {
    let first = shift_mix((low ^ high).wrapping_mul(multiplier));
    shift_mix((high ^ first).wrapping_mul(multiplier)).wrapping_mul(multiplier)
}

fn up_to_16(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let multiplier = K2.wrapping_add(length as u64 * 2);
    if length >= 8 {
        let a = long(bytes, 0).wrapping_add(K2);
        let b = long(bytes, length - 8);
        let c = b.rotate_right(37).wrapping_mul(multiplier).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(multiplier);
        return pair(c, d, multiplier);
    }
    if length >= 4 {
        let first = (length as u64).wrapping_add(word(bytes, 0) << 3);
        return pair(first, word(bytes, length - 4), multiplier);
    }
    if length == 0 {
        return K2;
    }
    let y = u64::from(bytes[0]) + (u64::from(bytes[length >> 1]) << 8);
    let z = length as u64 + (u64::from(bytes[length - 1]) << 2);
    shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
}

fn up_to_32(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let multiplier = K2.wrapping_add(length as u64 * 2);
    let a = long(bytes, 0).wrapping_mul(K1);
    let b = long(bytes, 8);
    let c = long(bytes, length - 8).wrapping_mul(multiplier);
    let d = long(bytes, length - 16).wrapping_mul(K2);
    let low = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    pair(low, a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c), multiplier)
}

fn up_to_64(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let multiplier = K2.wrapping_add(length as u64 * 2);
    let a = long(bytes, 0).wrapping_mul(K2);
    let b = long(bytes, 8);
    let c = long(bytes, length - 8).wrapping_mul(multiplier);
    let d = long(bytes, length - 16).wrapping_mul(K2);
    let y = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    let z = pair(y, a.wrapping_add(b.wrapping_add(K2).rotate_right(18)).wrapping_add(c), multiplier);
    let e = long(bytes, 16).wrapping_mul(multiplier);
    let f = long(bytes, 24);
    let g = y.wrapping_add(long(bytes, length - 32)).wrapping_mul(multiplier);
    let h = z.wrapping_add(long(bytes, length - 24)).wrapping_mul(multiplier);
    let low = e.wrapping_add(f).rotate_right(43).wrapping_add(g.rotate_right(30)).wrapping_add(h);
    pair(low, e.wrapping_add(f.wrapping_add(a).rotate_right(18)).wrapping_add(g), multiplier)
}

/// The state of the loop over texts of more than 64 bytes.
struct Long {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

fn weak(block: &[u8], a: u64, b: u64) -> (u64, u64) {
    let (w, x, y, z) = (long(block, 0), long(block, 8), long(block, 16), long(block, 24));
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let c = a;
    let a = a.wrapping_add(x).wrapping_add(y);
    let b = b.wrapping_add(a.rotate_right(44));
    (a.wrapping_add(z), b.wrapping_add(c))
}

impl Long {
    /// One block of 64 bytes; the last block has another multiplier and weights of its own.
    fn block(&mut self, block: &[u8], multiplier: u64, weight: u64) {
        let x = self.x.wrapping_add(self.y).wrapping_add(self.v.0).wrapping_add(long(block, 8));
        self.x = x.rotate_right(37).wrapping_mul(multiplier);
        let y = self.y.wrapping_add(self.v.1).wrapping_add(long(block, 48));
        self.y = y.rotate_right(42).wrapping_mul(multiplier);
        self.x ^= self.w.1.wrapping_mul(weight);
        self.y = self.y.wrapping_add(self.v.0.wrapping_mul(weight)).wrapping_add(long(block, 40));
        self.z = self.z.wrapping_add(self.w.0).rotate_right(33).wrapping_mul(multiplier);
        self.v = weak(block, self.v.1.wrapping_mul(multiplier), self.x.wrapping_add(self.w.0));
        let (z, y) = (self.z.wrapping_add(self.w.1), self.y.wrapping_add(long(block, 16)));
        self.w = weak(&block[32..], z, y);
        std::mem::swap(&mut self.z, &mut self.x);
    }
}

fn over_64(bytes: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let x = SEED.wrapping_mul(K2).wrapping_add(long(bytes, 0));
    let mut state = Long { x, y, z, v: (0, 0), w: (0, 0) };
    let blocks = (bytes.len() - 1) / 64;
    bytes.chunks_exact(64).take(blocks).for_each(|block| state.block(block, K1, 1));
    let multiplier = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add((bytes.len() as u64 - 1) & 63);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.block(&bytes[bytes.len() - 64..], multiplier, 9);
    let Long { x, y, z, v, w } = state;
    let low = pair(v.0, w.0, multiplier).wrapping_add(shift_mix(y).wrapping_mul(K0)).wrapping_add(z);
    pair(low, pair(v.1, w.1, multiplier).wrapping_add(x), multiplier)
}

/// FarmHash's Fingerprint64.
#[inline]
pub fn fingerprint64(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => up_to_16(bytes),
        17..=32 => up_to_32(bytes),
        33..=64 => up_to_64(bytes),
        _ => over_64(bytes),
    }
}

/// FarmHash's `farmhashna::Hash64WithSeed`, which mixes a seed into the fingerprint.
#[inline]
pub(crate) fn fingerprint64_with_seed(bytes: &[u8], seed: u64) -> u64 {
    const MULTIPLIER: u64 = 0x9ddf_ea08_eb38_2d69;
    pair(fingerprint64(bytes).wrapping_sub(K2), seed, MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `chr(97 + i * 7 % 26)` for i from 0 to 399, and pyfarmhash 0.5.1's `fingerprint64` of its first bytes.
    const FINGERPRINTS: [(usize, u64); 27] = [
        (0, 11_160_318_154_034_397_263),
        (1, 12_917_804_110_809_363_939),
        (2, 7_334_479_770_752_477_263),
        (3, 3_268_219_959_478_574_187),
        (4, 8_899_178_591_127_745_170),
        (7, 17_088_493_756_539_222_794),
        (8, 10_643_460_534_063_147_040),
        (9, 17_221_811_645_977_154_638),
        (15, 11_791_221_699_636_333_675),
        (16, 17_624_453_864_830_929_246),
        (17, 2_237_273_621_417_572_890),
        (24, 15_616_007_536_954_119_532),
        (31, 626_755_416_451_493_349),
        (32, 10_824_083_725_960_157_628),
        (33, 8_045_080_651_094_301_868),
        (48, 14_934_853_808_105_169_872),
        (63, 17_616_674_404_211_046_101),
        (64, 16_149_515_108_185_634_462),
        (65, 2_768_067_016_444_695_309),
        (96, 2_781_794_201_552_837_377),
        (127, 4_960_837_163_188_540_313),
        (128, 10_481_128_642_166_395_277),
        (129, 1_060_550_032_972_533_880),
        (192, 3_016_510_856_553_223_177),
        (200, 15_075_557_378_531_049_012),
        (256, 3_078_584_628_691_648_450),
        (300, 7_893_790_802_151_464_326),
    ];

    #[test]
    fn texts_of_every_length_class_hash_as_in_pyfarmhash() {
        let text: Vec<u8> = (0..400u32).map(|i| 97 + (i * 7 % 26) as u8).collect();
        for (length, expected) in FINGERPRINTS {
            assert_eq!(fingerprint64(&text[..length]), expected, "{length} bytes");
        }
    }

    #[test]
    fn seeds_mix_as_in_farmhash() {
        // farmhashna::Hash64WithSeed(s, len, 7) of the farmhash.cc in pyfarmhash 0.5.1.
        let expected: [(&str, u64); 4] = [
            ("", 201_449_996_665_515_469),
            ("a", 18_101_673_352_632_288_365),
            ("hello", 11_790_185_714_244_580_162),
            ("abcdefghijklmnopqrstuvwxyz", 4_861_882_989_210_794_317),
        ];
        for (text, hash) in expected {
            assert_eq!(fingerprint64_with_seed(text.as_bytes(), 7), hash, "{text}");
        }
    }
}
