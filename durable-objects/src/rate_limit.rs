//! Rate limits: a token bucket, kept as one number.

/// How often something may be done.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// How many times at once.
    pub burst: u64,
    /// After how many milliseconds one more is allowed.
    pub interval_ms: u64,
}

/// A bucket: the time at which it will be full again, in milliseconds since the epoch. It is full at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket(pub u64);

impl Quota {
    /// `burst` times at once, then once in `interval_ms`.
    pub const fn new(burst: u64, interval_ms: u64) -> Self {
        Self { burst, interval_ms }
    }

    /// How many milliseconds to wait until `bucket` allows one more; 0 when it does now.
    pub const fn wait(self, bucket: Bucket, now: u64) -> u64 {
        let slack = self.interval_ms.saturating_mul(self.burst.saturating_sub(1));
        bucket.0.saturating_sub(now).saturating_sub(slack)
    }

    /// The bucket after one more.
    #[must_use]
    pub fn charge(self, bucket: Bucket, now: u64) -> Bucket {
        Bucket(bucket.0.max(now).saturating_add(self.interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota::new(2, 1_000);

    #[test]
    fn a_burst_is_allowed_and_then_one_an_interval() {
        let mut bucket = Bucket::default();
        for _ in 0..2 {
            assert_eq!(QUOTA.wait(bucket, 5_000), 0);
            bucket = QUOTA.charge(bucket, 5_000);
        }
        assert_eq!(QUOTA.wait(bucket, 5_000), 1_000);
        assert_eq!(QUOTA.wait(bucket, 5_400), 600);
        assert_eq!(QUOTA.wait(bucket, 6_000), 0);
    }

    #[test]
    fn an_idle_bucket_holds_no_more_than_a_burst() {
        let bucket = QUOTA.charge(QUOTA.charge(Bucket::default(), 0), 0);
        let mut later = bucket;
        for _ in 0..2 {
            later = QUOTA.charge(later, 100_000);
        }
        assert_eq!(QUOTA.wait(later, 100_000), 1_000);
    }
}
