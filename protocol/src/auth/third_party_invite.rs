//! Rule 5.4.1: invites by third-party identifiers.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ruma::{UserId, events::room::member::MembershipState};

use super::{AuthError, Rejection, view::View};
use crate::{
    event::{Pdu, decode_base64, is_object_signed},
    json::{Object, Value},
};

pub(super) fn check<E>(
    view: &View<'_, E>,
    event: &Pdu,
    target: &UserId,
    invite: Value<'_>,
) -> Result<(), AuthError<E>> {
    // 5.4.1.1. The target is not banned.
    if view.membership(target)? == MembershipState::Ban {
        return Err(Rejection::InviteBanned.into());
    }
    // 5.4.1.2 and 5.4.1.3. There is `signed`, with `mxid` and `token`.
    let signed = invite.as_object().and_then(|invite| invite.get("signed")?.as_object());
    let signed = signed.ok_or(Rejection::ThirdPartyInviteMalformed)?;
    let field = |name| signed.get(name).and_then(Value::as_str).ok_or(Rejection::ThirdPartyInviteMalformed);
    let (mxid, token) = (field("mxid")?, field("token")?);
    // 5.4.1.4. It is for the target.
    if mxid != target.as_str() {
        return Err(Rejection::ThirdPartyInviteOtherUser.into());
    }
    // 5.4.1.5. The room knows the invite.
    let room_invite =
        view.get("m.room.third_party_invite", &token)?.ok_or(Rejection::ThirdPartyInviteUnknown)?;
    // 5.4.1.6. Of the same sender.
    if room_invite.sender() != event.sender() {
        return Err(Rejection::ThirdPartyInviteOtherSender.into());
    }
    // 5.4.1.7 and 5.4.1.8. Signed by one of its keys.
    if is_signed_by(signed, &public_keys(room_invite.content_object())) {
        Ok(())
    } else {
        Err(Rejection::ThirdPartyInviteUnsigned.into())
    }
}

/// `public_key` and those in `public_keys`, in either alphabet.
fn public_keys(content: Object<'_>) -> Vec<Vec<u8>> {
    let list = content.get("public_keys").and_then(Value::as_array).into_iter().flatten();
    let listed = list.filter_map(|entry| entry.as_object()?.get("public_key"));
    let keys = content.get("public_key").into_iter().chain(listed);
    keys.filter_map(|key| {
        let key = key.as_str()?;
        decode_base64(&key).or_else(|| BASE64_URL_SAFE_NO_PAD.decode(key.trim_end_matches('=')).ok())
    })
    .collect()
}

/// Whether any of the keys made any of the signatures.
fn is_signed_by(signed: Object<'_>, keys: &[Vec<u8>]) -> bool {
    let servers = signed.get("signatures").and_then(Value::as_object).into_iter().flatten();
    let mut made = servers.filter_map(|(_, signatures)| signatures.as_object()).flatten();
    made.any(|(key_id, signature)| {
        key_id.name().starts_with("ed25519:")
            && signature
                .as_str()
                .and_then(|signature| decode_base64(&signature))
                .is_some_and(|signature| keys.iter().any(|key| is_object_signed(key, &signature, signed)))
    })
}
