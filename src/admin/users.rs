//! Accounts, one at a time.

use ruma::{OwnedUserId, UserId};
use selvedge_durable_objects::{
    matrix_error::MatrixError,
    rpc::{
        directory::{ListThirdPartyIds, SetThirdPartyIds, ThirdPartyId},
        user::{
            Account, AccountKind, ChangePassword, DeactivateAccount, GetAccount, GetProfile, Moderate,
            RegisterAccount, SetAdmin, SetProfileField,
        },
    },
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{add, body};
use crate::{
    answer::{Json, JsonWithStatus},
    client::{account::third_party_id, registration::check_username},
    context::Ctx,
    extract::ServerAdmin,
    router::Incoming,
};

/// How many addresses an account can have.
const MAX_ADDRESSES: usize = 50;

/// What is to be changed of an account; what is absent stays as it is.
#[derive(Deserialize)]
struct Changes {
    password: Option<String>,
    logout_devices: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    displayname: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    avatar_url: Option<Option<String>>,
    threepids: Option<Vec<Address>>,
    admin: Option<bool>,
    deactivated: Option<bool>,
    locked: Option<bool>,
}

#[derive(Deserialize)]
struct Address {
    medium: String,
    address: String,
}

/// Tells `null` from an absent member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The user of this server whom the path names.
fn named(ctx: &Ctx, incoming: &Incoming) -> Result<OwnedUserId, MatrixError> {
    let user_id = incoming.path_args.first().and_then(|id| UserId::parse(id.as_str()).ok());
    let user_id = user_id.ok_or_else(|| MatrixError::invalid_param("Not a user id"))?;
    if user_id.server_name() != ctx.server_name() {
        return Err(MatrixError::bad_request("This is not a user of this server"));
    }
    Ok(user_id)
}

/// `GET /_synapse/admin/v2/users/{userId}`
pub async fn get(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<Json, MatrixError> {
    let user_id = named(&ctx, &incoming)?;
    Ok(Json(shown(&ctx, &user_id).await?))
}

/// `PUT /_synapse/admin/v2/users/{userId}`: changes an account, or makes it (201).
pub async fn put(ctx: Ctx, _: ServerAdmin, incoming: Incoming) -> Result<JsonWithStatus, MatrixError> {
    let user_id = named(&ctx, &incoming)?;
    let mut changes: Changes = body(&incoming)?;
    let addresses = changes.threepids.take().map(canonical).transpose()?;
    let known = ctx.call(user_id.localpart(), &GetAccount {}).await?;
    let is_new = known.is_none();
    match known {
        None => make(&ctx, &user_id, &mut changes).await?,
        Some(account) => check(account, &changes)?,
    }
    if let Some(ids) = addresses {
        ctx.call(&(), &SetThirdPartyIds { user_id: user_id.clone(), ids }).await?;
    }
    apply(&ctx, &user_id, changes).await?;
    let status = if is_new { 201 } else { 200 };
    Ok(JsonWithStatus { status, json: shown(&ctx, &user_id).await? })
}

fn canonical(addresses: Vec<Address>) -> Result<Vec<ThirdPartyId>, MatrixError> {
    if addresses.len() > MAX_ADDRESSES {
        return Err(MatrixError::invalid_param(format!("An account has at most {MAX_ADDRESSES} addresses")));
    }
    let mut ids = Vec::new();
    for Address { medium, address } in addresses {
        let id = ThirdPartyId::new(&medium, &address)
            .ok_or_else(|| MatrixError::invalid_param(format!("Not an address of {medium}: {address}")))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn make(ctx: &Ctx, user_id: &UserId, changes: &mut Changes) -> Result<(), MatrixError> {
    let name = check_username(ctx, user_id.localpart())?;
    if name != user_id.localpart() {
        return Err(MatrixError::invalid_username("A user name is in lower case"));
    }
    let command = RegisterAccount {
        kind: AccountKind::User,
        password: changes.password.take(),
        is_admin: changes.admin.take().unwrap_or_default(),
        guest_token_hash: None,
        login: None,
    };
    ctx.call(user_id.localpart(), &command).await.map(|_| ())
}

/// A closed account stays closed.
fn check(account: Account, changes: &Changes) -> Result<(), MatrixError> {
    if account.is_deactivated && (changes.deactivated == Some(false) || changes.password.is_some()) {
        return Err(MatrixError::bad_request("A deactivated account cannot be opened again"));
    }
    Ok(())
}

async fn apply(ctx: &Ctx, user_id: &UserId, changes: Changes) -> Result<(), MatrixError> {
    let localpart = user_id.localpart();
    for (name, value) in [("displayname", changes.displayname), ("avatar_url", changes.avatar_url)] {
        if let Some(value) = value {
            let value = value.filter(|text| !text.is_empty()).map(Value::String);
            ctx.call(localpart, &SetProfileField { name: name.to_owned(), value }).await?;
        }
    }
    if let Some(new_password) = changes.password {
        let log_out = changes.logout_devices.unwrap_or(true);
        ctx.call(localpart, &ChangePassword { new_password, log_out, keep: None }).await?;
    }
    if let Some(is_admin) = changes.admin {
        ctx.call(localpart, &SetAdmin { is_admin }).await?;
    }
    if changes.locked.is_some() {
        ctx.call(localpart, &Moderate { lock: changes.locked, suspend: None }).await?;
    }
    if changes.deactivated == Some(true) {
        ctx.call(localpart, &DeactivateAccount { erase: false }).await?;
        let command = SetThirdPartyIds { user_id: user_id.to_owned(), ids: Vec::new() };
        ctx.call(&(), &command).await?;
    }
    Ok(())
}

async fn shown(ctx: &Ctx, user_id: &UserId) -> Result<String, MatrixError> {
    let account = ctx.call(user_id.localpart(), &GetAccount {}).await?;
    let account = account.ok_or_else(|| MatrixError::not_found("User not found"))?;
    let profile = ctx.call(user_id.localpart(), &GetProfile {}).await?;
    let addresses = ctx.call(&(), &ListThirdPartyIds { user_id: user_id.to_owned() }).await?;
    let of_profile = |field: &str| profile.get(field).map_or_else(|| "null".to_owned(), Value::to_string);
    let shown = Json::object(|shown| {
        shown.string("name", user_id.as_str());
        shown.member("displayname", &of_profile("displayname"));
        shown.member("avatar_url", &of_profile("avatar_url"));
        shown.array("threepids", addresses.iter().map(third_party_id));
        add(shown, "is_guest", account.kind == AccountKind::Guest);
        add(shown, "admin", account.is_admin);
        add(shown, "deactivated", account.is_deactivated);
        add(shown, "locked", account.is_locked);
        add(shown, "suspended", account.is_suspended);
        add(shown, "creation_ts", account.created_ts / 1000);
        shown.member("external_ids", "[]");
    });
    Ok(shown.0)
}
