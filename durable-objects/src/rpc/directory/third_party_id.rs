//! E-mail addresses and telephone numbers of accounts `[C-S §5.7.6]`.

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::command;

/// An address in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThirdPartyId {
    /// `email` or `msisdn`.
    pub medium: String,
    /// The address.
    pub address: String,
}

/// An address that belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptThirdPartyId {
    /// The address.
    pub id: ThirdPartyId,
    /// When it was entered, in milliseconds since the epoch.
    pub added_ts: u64,
}

/// Gives an account these addresses and no others. `M_THREEPID_IN_USE` when one is another account's.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetThirdPartyIds {
    /// The account.
    pub user_id: OwnedUserId,
    /// Its addresses.
    pub ids: Vec<ThirdPartyId>,
}
command!(SetThirdPartyIds to Directory -> ());

/// The addresses of an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListThirdPartyIds {
    /// The account.
    pub user_id: OwnedUserId,
}
command!(ListThirdPartyIds to Directory -> Vec<KeptThirdPartyId>);

/// Whose address is this?
#[derive(Debug, Serialize, Deserialize)]
pub struct FindThirdPartyId {
    /// The address.
    pub id: ThirdPartyId,
}
command!(FindThirdPartyId to Directory -> Option<OwnedUserId>);

impl ThirdPartyId {
    /// Brings an address into its canonical form; `None` for what is no address of the medium.
    pub fn new(medium: &str, address: &str) -> Option<Self> {
        let address = address.trim();
        let address = match medium {
            "email" => {
                let (local, domain) = address.rsplit_once('@')?;
                let is_whole =
                    !local.is_empty() && !domain.is_empty() && !address.contains(char::is_whitespace);
                is_whole.then(|| address.to_lowercase())?
            }
            "msisdn" => {
                let digits = address.strip_prefix('+').unwrap_or(address);
                let is_number =
                    (5..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
                is_number.then(|| digits.to_owned())?
            }
            _ => return None,
        };
        (address.len() <= 500).then(|| Self { medium: medium.to_owned(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::ThirdPartyId;

    #[test]
    fn addresses_have_one_form() {
        let form = |medium, address| ThirdPartyId::new(medium, address).map(|id| id.address);
        assert_eq!(form("email", " Alice@Example.ORG").as_deref(), Some("alice@example.org"));
        assert_eq!(form("msisdn", "+441134960000").as_deref(), Some("441134960000"));
        for (medium, address) in
            [("email", "alice"), ("email", "@x"), ("email", "a b@c"), ("msisdn", "12a45"), ("fax", "123456")]
        {
            assert_eq!(form(medium, address), None);
        }
    }
}
