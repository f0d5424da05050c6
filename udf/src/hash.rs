//! Hashing: bucket numbers, hashed vectors, crosses and embeddings that agree with other libraries bit by bit.

mod column;
mod cross;
mod cross_hash;
mod farmhash;
mod feature_cross;
mod feature_hash;
mod hash_bucket;
mod hash_embedding;
mod library;
mod murmur3;
#[cfg(test)]
mod tests;
mod text;

use datafusion_expr::ScalarUDF;
use std::sync::Arc;

pub use farmhash::fingerprint64;
pub use library::HashLibrary;
pub use murmur3::{murmur3_spark_legacy, murmur3_x86_32};

use crate::scalar::scalar_function;

/// The scalar functions of this group.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        scalar_function(cross_hash::CrossHash),
        scalar_function(feature_cross::FeatureCross),
        scalar_function(feature_hash::FeatureHash),
        scalar_function(hash_bucket::HashBucket),
        scalar_function(hash_embedding::HashEmbedding),
    ]
}

/// What the parameter `hash` means, wherever there is one.
const HASH_DOC: &str = "Whose hash: 'spark_v3' (Spark's FeatureHasher: murmur3_x86_32, seed 42), 'spark_v2' (Spark SQL's \
                        hash() and HashingTF before 3.0: the older murmur3, seed 42), 'sklearn' (murmur3_x86_32, seed 0, \
                        abs(h) % n), 'hivemall' (murmur3_x86_32, seed 2538058380, buckets from 1 to n), 'farmhash_u64' \
                        (FarmHash Fingerprint64, unsigned, as BigQuery's ML.HASH_BUCKETIZE) or 'xxh64' (XXH64, seed 0, \
                        unsigned).";
/// What the parameter `seed` means.
const SEED_DOC: &str = "A seed in place of the library's own: 32 bits, or 64 for 'farmhash_u64' (its Hash64WithSeed) and \
                        'xxh64'. NULL is the library's own.";
