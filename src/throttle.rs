//! Rate limits by network address, for requests that no account stands for. They are counted in the
//! memory of this isolate, and so are a brake, not a wall: what guards an account is counted in its
//! actor.

use std::{cell::RefCell, collections::HashMap, net::IpAddr};

use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rate_limit::{Bucket, Quota},
};

use crate::context::Ctx;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Attempts to log in.
    LogIn,
    /// Accounts, and attempts to make one.
    Registration,
    /// Questions about registration tokens and free user names.
    Registrability,
    /// Summaries of rooms.
    Summary,
    /// Addresses that an identity server has bound to a user.
    ThirdPartyBinding,
}

/// How many addresses are remembered at most.
const MAX_ADDRESSES: usize = 10_000;

thread_local! {
    static BUCKETS: RefCell<HashMap<(Limit, String), Bucket>> = RefCell::default();
}

impl Limit {
    const fn quota(self) -> Quota {
        match self {
            Self::LogIn => Quota::new(30, 2_000),
            Self::Registration => Quota::new(20, 10_000),
            Self::Registrability => Quota::new(30, 1_000),
            Self::Summary => Quota::new(20, 3_000),
            Self::ThirdPartyBinding => Quota::new(20, 5_000),
        }
    }
}

/// Counts one more from the request's address. `M_LIMIT_EXCEEDED`.
pub fn charge(ctx: &Ctx, limit: Limit) -> Result<(), MatrixError> {
    if !ctx.config.rate_limits {
        return Ok(());
    }
    let (now, quota) = (ctx.platform.now(), limit.quota());
    let key = (limit, network(&ctx.peer.address));
    BUCKETS.with_borrow_mut(|buckets| {
        if buckets.len() >= MAX_ADDRESSES {
            buckets.retain(|_, bucket| bucket.0 > now);
        }
        if buckets.len() >= MAX_ADDRESSES {
            buckets.clear();
        }
        let bucket = buckets.entry(key).or_default();
        let wait = quota.wait(*bucket, now);
        if wait > 0 {
            return Err(MatrixError::limit_exceeded(wait));
        }
        *bucket = quota.charge(*bucket, now);
        Ok(())
    })
}

/// Whom an address stands for: an IPv4 address, or the /64 that a subscriber has of IPv6.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_ipv6_subscriber_is_one_network() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
