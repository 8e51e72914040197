//! JSON objects that carry signatures of Matrix users.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use ruma::{
    CanonicalJsonObject, SigningKeyAlgorithm, UserId,
    canonical_json::try_from_json_map,
    signatures::{to_canonical_json_string_for_signing, verify_canonical_json_bytes},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{database::DatabaseError, matrix_error::MatrixError};

/// A JSON object with a `signatures` member: user id, key id, signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedObject(pub Map<String, Value>);

impl SignedObject {
    /// From what a client sent. `M_BAD_JSON` when it is not an object.
    pub fn parse(json: &RawValue) -> Result<Self, MatrixError> {
        let object = serde_json::from_str(json.get());
        object.map(Self).map_err(|_| MatrixError::bad_json("A key is not a JSON object"))
    }

    /// From storage.
    pub fn stored(json: &str) -> Result<Self, DatabaseError> {
        serde_json::from_str(json).map(Self).map_err(|error| DatabaseError::corrupt(error.to_string()))
    }

    /// As JSON.
    pub fn raw(&self) -> Result<Box<RawValue>, MatrixError> {
        Ok(serde_json::value::to_raw_value(&self.0)?)
    }

    /// As JSON text.
    pub fn text(&self) -> Result<String, MatrixError> {
        Ok(serde_json::to_string(&self.0)?)
    }

    /// The public key with this id, such as `ed25519:ABC`, unpadded base64.
    pub fn key(&self, key_id: &str) -> Option<&str> {
        self.0.get("keys")?.get(key_id)?.as_str()
    }

    /// Its one public key, for an object of which the form was checked: key id, and unpadded base64.
    pub fn only_key(&self) -> Option<(&str, &str)> {
        let keys = self.0.get("keys")?.as_object()?;
        let (key_id, key) = keys.iter().next().filter(|_| keys.len() == 1)?;
        Some((key_id, key.as_str()?))
    }

    /// The signatures of a user: key ids and signatures.
    pub fn signatures_of(&self, user_id: &UserId) -> Vec<(String, String)> {
        let of_user = self.0.get("signatures").and_then(|all| all.get(user_id.as_str()));
        let entries = of_user.and_then(Value::as_object).into_iter().flatten();
        entries.filter_map(|(id, signature)| Some((id.clone(), signature.as_str()?.to_owned()))).collect()
    }

    /// Adds a signature; whether it was not there.
    pub fn add_signature(&mut self, user_id: &UserId, key_id: &str, signature: &str) -> bool {
        let Some(all) = object_at(&mut self.0, "signatures") else { return false };
        let Some(of_user) = object_at(all, user_id.as_str()) else { return false };
        let before = of_user.insert(key_id.to_owned(), Value::from(signature));
        before.as_ref().and_then(Value::as_str) != Some(signature)
    }

    /// Whether it is the same object but for signatures and unsigned data.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let content = |object: &Self| {
            let mut content = object.0.clone();
            content.remove("signatures");
            content.remove("unsigned");
            content
        };
        content(self) == content(other)
    }

    /// Whether it has a signature of `user_id` by the key `key_id`, whose public key is given, that holds.
    pub fn is_signed_by(&self, user_id: &UserId, key_id: &str, public_key: &str) -> bool {
        let verify = || {
            let signature = self.0.get("signatures")?.get(user_id.as_str())?.get(key_id)?.as_str()?;
            let key = decode(public_key)?;
            let object: CanonicalJsonObject = try_from_json_map(self.0.clone()).ok()?;
            let message = to_canonical_json_string_for_signing(&object).ok()?;
            let algorithm = SigningKeyAlgorithm::Ed25519;
            verify_canonical_json_bytes(&algorithm, &key, &decode(signature)?, message.as_bytes()).ok()
        };
        verify().is_some()
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// The object at `name`, made when it is missing.
fn object_at<'m>(map: &'m mut Map<String, Value>, name: &str) -> Option<&'m mut Map<String, Value>> {
    map.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}
